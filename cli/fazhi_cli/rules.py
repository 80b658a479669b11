"""``fazhi rules``: for people who write rule sets. Nothing of it needs a network."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fazhi_contracts.builtin import BUILTIN_PROCEDURES, common_parts, load_builtin_rule_set
from fazhi_contracts.errors import BadRuleSet
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.ruleset import MAX_RULE_SET_BYTES, RuleSet
from fazhi_ledger.messages import printable
from fazhi_ledger.suites import suite_named

from .case_filing import require_new
from .exits import Exit, Misuse
from .inputs import read_file
from .language import Language, choose
from .parser import Parser
from .rules_texts import LINT, RULES_HELP, WORDS

MAX_TOML_BYTES = 1 << 20
_SHOWN_SUITE = "ed25519-sha256"


def configure(parser: Parser) -> None:
    """Declare the commands."""

    def text(code: str) -> str:
        return choose(RULES_HELP[code], parser.language)

    commands = parser.commands()
    lint = commands.add("lint", text("lint"), text("lint-about"))
    lint.argument("file", metavar="FILE", help=text("file"))
    lint.set_defaults(run=run_lint)
    show = commands.add("show", text("show"))
    show.argument("file", metavar="FILE|PROCEDURE", help=text("file-or-procedure"))
    show.option("--diagram", choices=("mermaid", "svg"), help=text("diagram"))
    show.option("-o", "--out", metavar="FILE", help=text("out"))
    show.set_defaults(run=run_show)
    diff = commands.add("diff", text("diff"), text("diff-about"))
    for name in ("old", "new"):
        diff.argument(name, metavar="FILE|PROCEDURE", help=text("file-or-procedure"))
    diff.set_defaults(run=run_diff)
    simulate = commands.add("simulate", text("simulate"), text("simulate-about"))
    simulate.argument("file", metavar="FILE|PROCEDURE", help=text("file-or-procedure"))
    simulate.argument("story", metavar="STORY", nargs="+", help=text("story"))
    simulate.set_defaults(run=run_simulate)
    calendar = commands.add("calendar", text("calendar"), text("calendar-about"))
    calendar.argument("year", metavar="YEAR", type=int, help=text("year"))
    calendar.option("-o", "--out", metavar="FILE", help=text("out"))
    calendar.set_defaults(run=run_calendar)


def read_document(path: str) -> dict[str, Any]:
    """A TOML file.

    Raises:
        Misuse: it is none.
    """
    try:
        return tomllib.loads(read_file(path, MAX_TOML_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Misuse("bad-rules", path=path, place="TOML", reason=str(error)[:200]) from None


def read_rules(named: str) -> RuleSet:
    """The rule set of a TOML file, or the built-in one of a procedure.

    Raises:
        Misuse: ``bad-rules`` with the place and what is wrong there.
    """
    if named in BUILTIN_PROCEDURES and not Path(named).exists():
        return load_builtin_rule_set(named)
    try:
        return compile_rule_set(read_document(named), common_parts())
    except BadRuleSet as error:
        parameters = dict(error.parameters)
        raise Misuse("bad-rules", path=named, place=parameters["place"], reason=parameters["what"]) from None


def run_lint(options: argparse.Namespace, language: Language) -> int:
    """List every problem and every remark."""
    from .rules_faults import fault_in_words
    from .rules_lint import problems, remarks

    def say(code: str, **values: str | int) -> str:
        return printable(choose(LINT[code], language).format(**values))

    faults, rules = problems(read_document(options.file), common_parts())
    for fault in faults:
        what, todo = fault_in_words(fault.what, language)
        print(say("problem", place=fault.place, what=what))
        if todo:
            print(say("do", what=todo))
    if rules is None:
        print(say("unsound", count=len(faults)))
        print(say("more"))
        return Exit.NOT_VALID
    found = list(remarks(rules))
    for remark in found:
        print(say("remark", place=remark.place, what=say(remark.code, **remark.named(language))))
        print(say("do", what=say(f"{remark.code}-do")))
    size = len(rules.encode())
    counts = {"steps": len(rules.steps), "size": size, "limit": MAX_RULE_SET_BYTES, "remarks": len(found)}
    print(say("sound", procedure=rules.procedure, number=rules.number, **counts))
    return Exit.OK


def run_show(options: argparse.Namespace, language: Language) -> int:
    """Print a rule set in words, or its diagram."""
    rules = read_rules(options.file)
    if options.diagram is None:
        _write("".join(f"{line}\n" for line in _shown(rules, language)), options.out)
        return Exit.OK
    from .rules_diagram import mermaid, svg

    _write((mermaid if options.diagram == "mermaid" else svg)(rules, language), options.out)
    return Exit.OK


def _shown(rules: RuleSet, language: Language) -> Iterator[str]:
    from .rules_words import Words

    def say(code: str, **values: str | int) -> str:
        return choose(WORDS[code], language).format(**values)

    words = Words(rules, language)
    yield words.title()
    for line in words.head():
        yield f"  {line}"
    yield "  " + say("size", steps=len(rules.steps), size=len(rules.encode()), limit=MAX_RULE_SET_BYTES)
    yield "  " + say("hash", hash=rules.hash(suite_named(_SHOWN_SUITE)).hex(), suite=_SHOWN_SUITE)
    for heading, lines in words.apart():
        yield ""
        yield say(heading)
        yield from (f"  {line}" for line in lines)
    for step in rules.steps:
        yield ""
        yield words.step(step.code)
        yield from (f"  {line}" for line in words.clauses(step))


def run_diff(options: argparse.Namespace, language: Language) -> int:
    """Print what two versions differ in."""
    from .rules_diff import lines

    old, new = read_rules(options.old), read_rules(options.new)
    for line in lines(old, new, language):
        print(line)
    return Exit.OK if old == new else Exit.NOT_VALID


def run_simulate(options: argparse.Namespace, language: Language) -> int:
    """Play stories; say whether all of them hold."""
    from .rules_story import Telling, read

    rules = read_rules(options.file)
    tellings = [Telling(path, read(path, rules), rules, language) for path in options.story]
    for telling in tellings:
        for line in telling.lines():
            print(line)
    return Exit.NOT_VALID if any(telling.broken for telling in tellings) else Exit.OK


def run_calendar(options: argparse.Namespace, _: Language) -> int:
    """Write the calendar of a year."""
    from .rules_calendar import calendar_toml

    _write(calendar_toml(options.year), options.out)
    return Exit.OK


def _write(text: str, target: str | None) -> None:
    """Print, or write a new file."""
    if target is None:
        print(text, end="")
        return
    require_new(target).write_text(text, encoding="utf-8")
