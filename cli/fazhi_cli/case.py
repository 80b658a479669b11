"""``fazhi case``: one command for each step of the procedure, made from its rule set, and the case as the chain has it.

Names, articles, signers, documents and clear fields come from the rule set: the built-in one, or of a procedure that is
named the one that the members have installed on the chain, so that neither a procedure that is added nor a law that is
changed needs a release of this program. Help shows what the law asks of each step.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from fazhi_contracts.attestation import ATTEST
from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_rule_set
from fazhi_contracts.procedures.ruleset import RuleSet, Step
from fazhi_ledger.messages import printable
from fazhi_ledger.names import NAME

from . import case_filing, case_view, connection, labels, passphrases
from .exits import Misuse
from .language import Language, choose
from .parser import Parser
from .rules_words import Words
from .verdict_texts import VERDICT_HELP

DEFAULT_PROCEDURE = BUILTIN_PROCEDURES[0]
OPEN = "open"
COMMANDS = ("submit", "flush", "show", "trail", "verdict")
"""Those that are of no step."""


def configure(parser: Parser, given: Sequence[str]) -> None:
    """Declare the commands of the procedure named in ``given``."""
    named = _named_procedure(given)
    rules = load_builtin_rule_set(DEFAULT_PROCEDURE) if named is None else _installed(named, given, parser)
    parser.option(
        "--procedure",
        default=DEFAULT_PROCEDURE,
        metavar="NAME",
        help=parser.text("procedure", default=DEFAULT_PROCEDURE, known=", ".join(BUILTIN_PROCEDURES)),
    )
    commands = parser.commands()
    probe = Parser(parser.prog, parser.language, "")
    _declare_recording(probe, own=False)
    for step, (name, *aliases) in zip(rules.steps, _command_names(rules), strict=True):
        command = commands.add(name, _summary(step, parser), _description(step, parser, rules), tuple(aliases))
        _declare_step(command, step, probe.names)
    submit = commands.add("submit", parser.text("case-submit"), parser.text("case-submit-about"))
    submit.argument("draft", metavar="DRAFT", help=parser.text("draft"))
    _declare_keys(submit, required=False)
    submit.option("--receipt", "-o", metavar="FILE", help=parser.text("receipt-out"))
    connection.declare(submit)
    submit.set_defaults(run=case_filing.submit)
    flush = commands.add("flush", parser.text("case-flush"), parser.text("case-flush-about"))
    connection.declare(flush)
    flush.set_defaults(run=case_filing.flush)
    for name, run in (("show", case_view.show), ("trail", case_view.trail)):
        command = commands.add(name, parser.text(f"case-{name}"))
        command.argument("number", metavar="NUMBER", help=parser.text("number"))
        command.option("--org", metavar="ORG", required=True, help=parser.text("case-org"))
        command.option("--json", action="store_true", help=parser.text("json"))
        connection.declare(command)
        if name == "trail":
            command.option("--out", "-o", metavar="FILE", help=choose(VERDICT_HELP["out"], parser.language))
        command.set_defaults(run=run)
    told = {code: choose(pair, parser.language) for code, pair in VERDICT_HELP.items()}
    judged = commands.add("verdict", told["verdict"], told["verdict-about"])
    judged.argument("case", metavar="FILE|NUMBER", help=told["of"])
    judged.option("--org", metavar="ORG", help=told["org"])
    judged.option("--all", action="store_true", help=told["all"])
    judged.option("--json", action="store_true", help=parser.text("json"))
    connection.declare(judged)
    judged.set_defaults(run=_verdict)


def _verdict(options: argparse.Namespace, language: Language) -> int:
    from . import verdict

    return verdict.run(options, language)


def _named_procedure(given: Sequence[str]) -> str | None:
    """The procedure, if one is named: read before the parser is built, since the commands come from it."""
    named = None
    for position, argument in enumerate(given):
        if argument.startswith("--procedure="):
            named = argument.partition("=")[2]
        elif argument == "--procedure" and position + 1 < len(given):
            named = given[position + 1]
    return named


def _installed(procedure: str, given: Sequence[str], parser: Parser) -> RuleSet:
    """The rule set of a procedure that is named: as the members have installed it, where the chain that ``given`` names
    can be asked, else the one that this program brings."""
    from fazhi_sdk.errors import ConnectionFailed, InputError

    try:
        return _voted(procedure, given, parser)
    except (Misuse, ConnectionFailed, InputError):  # no chain is named, it is out of reach, or lacks the procedure
        if procedure in BUILTIN_PROCEDURES:
            return load_builtin_rule_set(procedure)
        raise


def _voted(procedure: str, given: Sequence[str], parser: Parser) -> RuleSet:
    """The rule set of a procedure that the members have voted in, learnt from the chain that ``given`` names.

    Raises:
        Misuse: ``procedure-needs-chain``: none is named.
    """
    known = ", ".join(BUILTIN_PROCEDURES)
    needs_chain = Misuse("procedure-needs-chain", procedure=procedure[:64], known=known)
    if not NAME[procedure]:
        raise needs_chain
    probe = Parser(parser.prog, parser.language, "")
    connection.declare(probe)
    options, _ = probe.parse_known_args([argument for argument in given if argument not in ("-h", "--help")])
    try:
        with connection.connected(options) as chain:
            return chain.learn(procedure, anew=True)
    except Misuse as error:
        if error.code not in ("no-genesis-hash", "no-node"):
            raise
        raise needs_chain from None


def _command_names(rules: RuleSet) -> list[tuple[str, ...]]:
    """The names of each step's command: its code, of what opens a case ``open`` first. Whoever writes a procedure knows
    nothing of the other commands: where one has that name, ``-step`` is added."""
    taken, found = set(COMMANDS), []
    for step in rules.steps:
        code = step.code.lower()
        wanted = (OPEN, code) if step.initial else (code,)
        names = tuple(name for name in dict.fromkeys(wanted) if name not in taken) or (f"{code}-step",)
        taken.update(names)
        found.append(names)
    return found


def _summary(step: Step, parser: Parser) -> str:
    return printable(f"{choose((step.zh, step.en), parser.language)} ({step.article})")


def _description(step: Step, parser: Parser, rules: RuleSet) -> str:
    """What the law asks of the step, line by line."""
    words = Words(rules, parser.language)
    return "\n".join((f"{words.step(step.code)} · {words.title()}", *words.clauses(step)))


def _declare_step(parser: Parser, step: Step, taken: frozenset[str]) -> None:
    """Declare what the command of a step takes. A clear field called like one of ``taken`` is ``--clear.NAME``."""
    language = parser.language
    parser.argument("number", metavar="NUMBER", help=parser.text("number"))
    for known in step.clear:
        values = labels.joined(
            (f"{term.code} {choose((term.zh, term.en), language)}" for term in known.values), language
        )
        told = f"{choose((known.zh, known.en), language)}: {values or f'{known.low} … {known.high}'}"
        name = f"--{known.name.replace('_', '-')}"
        parser.option(
            f"--clear.{known.name}" if name in taken else name,
            dest=f"clear_{known.name}",
            choices=known.codes or None,
            type=str if known.codes else int,
            required=known.required and step.code != ATTEST,  # an attestation is of the whole trail by itself
            metavar="VALUE",
            help=printable(told).replace("%", "%%"),
        )
    _declare_recording(parser, own=step.initial)
    parser.set_defaults(run=partial(case_filing.record, step))


def _declare_recording(parser: Parser, *, own: bool) -> None:
    """Declare what the command of every step takes, one in another's case whose that is."""
    parser.option("--file", action="append", default=[], metavar="PATH", help=parser.text("step-file"))
    parser.option("--field", action="append", default=[], metavar="NAME=TEXT", help=parser.text("step-field"))
    parser.option("--ref", action="append", default=[], metavar="ID", help=parser.text("step-ref"))
    parser.option("--occurred-at", metavar="TIME", help=parser.text("occurred-at"))
    _declare_keys(parser, required=True)
    parser.option("--cosigner", action="append", default=[], metavar="HEX", help=parser.text("cosigner"))
    parser.option("--draft", metavar="FILE", help=parser.text("draft-out"))
    parser.option("--receipt", "-o", metavar="FILE", help=parser.text("receipt-out"))
    if not own:
        parser.option("--org", metavar="ORG", help=parser.text("case-org-own"))
    connection.declare(parser)


def _declare_keys(parser: Parser, *, required: bool) -> None:
    parser.option("--key", action="append", default=[], required=required, metavar="FILE", help=parser.text("key-file"))
    passphrases.declare(parser)
