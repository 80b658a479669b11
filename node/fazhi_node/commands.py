"""The commands of ``fazhi-node`` by which members vote on who they are, and by which rules: ``member``,
``parameters``, ``rules``, ``proposals``, ``vote``, ``renew``; and by which one registers its own officers and units.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .addresses import GatewayUrl, split_address
from .cli_texts import cli_text
from .exits import Exit, Misuse
from .texts import Language

if TYPE_CHECKING:
    from fazhi_ledger.canonical import Value

    from .govern import Operator

Text = Callable[..., str]
MEMBER_ACTIONS = ("add", "remove", "replace-key", "update", "roles")
DEFAULT_BLOCKS = 1_000_000
MAX_BLOCKS = 10**15


def add_governance(
    add: Callable[..., argparse.ArgumentParser],
    text: Text,
    home: argparse.ArgumentParser,
    secret: argparse.ArgumentParser,
) -> None:
    """Add the commands to the parser that ``add`` adds to."""
    until = argparse.ArgumentParser(add_help=False)
    until.add_argument("--blocks", type=int, default=DEFAULT_BLOCKS, metavar="N", help=text("blocks"))

    member = add("member", _member, home, secret, until)
    member.add_argument("action", choices=MEMBER_ACTIONS, help=text("member_action"))
    member.add_argument("what", metavar="CARD|ORG", help=text("member_what"))
    member.add_argument("--role", action="append", default=[], help=text("member_role"))

    officer = add("officer", _officer, home, secret)
    officer.add_argument("action", choices=("register", "revoke"), help=text("officer_action"))
    officer.add_argument("what", metavar="CARD|KEY", help=text("officer_what"))

    unit = add("unit", _unit, home, secret)
    unit.add_argument("org", metavar="ORG", help=text("unit_org"))
    unit.add_argument("--name", required=True, help=text("name"))
    unit.add_argument("--name-en", required=True, help=text("name_en"))

    parameter = add("parameters", _parameter, home, secret, until)
    parameter.add_argument("parameters", nargs="+", metavar="NAME=INT", help=text("parameter"))

    rules = add("rules", _rules, home, secret, until)
    rules.add_argument("file", type=Path, metavar="FILE", help=text("rules_file"))

    proposals = add("proposals", _proposals, home, secret)
    proposals.add_argument("--all", action="store_true", help=text("proposals_all"))
    proposals.add_argument("--json", action="store_true", help=text("json"))

    vote = add("vote", _vote, home, secret)
    vote.add_argument("proposal", metavar="ID", help=text("vote_id"))
    vote.add_argument("answer", choices=("yes", "no"), help=text("vote_answer"))

    renew = add("renew", _renew, home, secret)
    renew.add_argument("--key", action="store_true", help=text("renew_key"))
    renew.add_argument("--tls", action="store_true", help=text("renew_tls"))
    renew.add_argument("--url", help=text("renew_url"))
    renew.add_argument("--p2p", metavar="HOST:PORT", help=text("renew_p2p"))
    renew.add_argument("--finish", action="store_true", help=text("renew_finish"))


def _explicit(options: argparse.Namespace) -> Language | None:
    found: Language | None = getattr(options, "lang", None)
    return found


def _passphrase(options: argparse.Namespace, language: Language) -> Callable[[], bytes]:
    from .main import read_passphrase

    return functools.cache(lambda: read_passphrase(options, language))


def _operator(options: argparse.Namespace, language: Language) -> Operator:
    from .govern import Operator

    return Operator(options.home, _passphrase(options, language), _explicit(options))


def _propose(options: argparse.Namespace, operator: Operator, kind: str, args: Value) -> int:
    if not 1 <= options.blocks <= MAX_BLOCKS:
        raise Misuse("bad-height", value=options.blocks)
    print(operator.propose(kind, args, options.blocks))
    return Exit.OK


def _member(options: argparse.Namespace, language: Language) -> int:
    from .govern import member_proposal

    if options.role and options.action != "roles":
        raise Misuse("role-not-asked", action=options.action)
    operator = _operator(options, language)
    return _propose(options, operator, *member_proposal(operator, options.action, options.what, options.role))


def _officer(options: argparse.Namespace, language: Language) -> int:
    operator = _operator(options, language)
    if options.action == "revoke":
        print(operator.revoke(options.what))
    else:
        print(operator.register(Path(options.what)))
    return Exit.OK


def _unit(options: argparse.Namespace, language: Language) -> int:
    print(_operator(options, language).unit(options.org, options.name, options.name_en))
    return Exit.OK


def _parameter(options: argparse.Namespace, language: Language) -> int:
    from .main import read_parameters

    values = read_parameters(options.parameters)
    return _propose(options, _operator(options, language), "parameters.set", tuple(sorted(values.items())))


def _rules(options: argparse.Namespace, language: Language) -> int:
    from .govern import rules_proposal

    kind, args = rules_proposal(options.file)
    return _propose(options, _operator(options, language), kind, args)


def _proposals(options: argparse.Namespace, language: Language) -> int:
    from .govern import described

    operator = _operator(options, language)
    found = operator.all_proposals() if options.all else operator.open_proposals()
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    elif not found:
        print(cli_text("no_proposals", operator.language), file=sys.stderr)
    else:
        for one in found:
            print(described(one, operator.language))
    return Exit.OK


def _vote(options: argparse.Namespace, language: Language) -> int:
    print(_operator(options, language).vote(options.proposal, options.answer == "yes"))
    return Exit.OK


def _renew(options: argparse.Namespace, language: Language) -> int:
    from .renewal import Renewal, finish, renew

    passphrase, explicit = _passphrase(options, language), _explicit(options)
    if options.finish:
        for path in finish(options.home, passphrase, explicit):
            print(cli_text("renew_finished", explicit or language, path=path))
        return Exit.OK
    url = None
    try:
        if options.url is not None:
            url = GatewayUrl.parse(options.url)
        if options.p2p is not None:
            split_address(options.p2p)
    except ValueError as error:
        raise Misuse("bad-address", value=str(options.url or options.p2p), reason=str(error)) from None
    card = renew(options.home, passphrase, explicit, Renewal(options.key, options.tls, url, options.p2p))
    print(cli_text("renew_done", explicit or language, card=card))
    return Exit.OK
