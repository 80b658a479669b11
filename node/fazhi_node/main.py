"""The command ``fazhi-node``: init, genesis, join, run, status, check, export, votes, and those of :mod:`.commands`.

Kept light: each command imports what it needs when it runs, since four nodes on two cores start as fast as their
imports.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fazhi_ledger.errors import FazhiError
from fazhi_ledger.limits import MAX_INT

from .addresses import (
    DEFAULT_HOME,
    DEFAULT_HTTP_PORT,
    DEFAULT_P2P_PORT,
    HOME_VARIABLE,
    PASSPHRASE_VARIABLE,
    TOKEN_VARIABLE,
    GatewayUrl,
    join_address,
    split_address,
)
from .cli_texts import cli_text
from .commands import add_governance
from .exits import Exit, Misuse, Stop
from .texts import Language, printable, sentence_of

if TYPE_CHECKING:
    from .members import Identity

MAX_PASSPHRASE_BYTES = 4096
DEFAULT_URL = f"https://localhost:{DEFAULT_HTTP_PORT}"
LANGUAGE_VARIABLES = ("FAZHI_NODE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every error is one sentence on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    language = _language(given)
    try:
        options = _parser(language).parse_args(given)
        command: Callable[[argparse.Namespace, Language], int] = options.command
        return int(command(options, language))
    except Stop as stop:
        _complain(sentence_of(stop, language))
        return int(stop.exit_code)
    except FazhiError as error:
        _complain(sentence_of(error, language))
        return int(Exit.USAGE)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output left; say nothing more, also not at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.OK)


def _complain(text: str) -> None:
    print(f"fazhi-node: {printable(text)}", file=sys.stderr)


def _language(arguments: Sequence[str]) -> Language:
    """``--lang`` wherever it stands, else FAZHI_NODE_LANG, else the locale, Chinese where it says nothing; read before
    the parser exists because help texts need it.
    """
    stated = (os.environ.get(name, "") for name in LANGUAGE_VARIABLES)
    value = next((one for one in stated if one and one.partition(".")[0] not in ("C", "POSIX")), "zh")
    for position, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            value = argument.partition("=")[2]
        elif argument == "--lang" and position + 1 < len(arguments):
            value = arguments[position + 1]
    return "zh" if value.lower().startswith("zh") else "en"


def _parser(language: Language) -> argparse.ArgumentParser:
    def text(key: str, **values: object) -> str:
        return cli_text(key, language, **values)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--lang", choices=("zh", "en"), default=argparse.SUPPRESS, help=text("lang"))
    home = argparse.ArgumentParser(add_help=False)
    home.add_argument(
        "--home",
        type=Path,
        default=Path(os.environ.get(HOME_VARIABLE, DEFAULT_HOME)),
        help=text("home", home=DEFAULT_HOME, variable=HOME_VARIABLE),
    )
    secret = argparse.ArgumentParser(add_help=False)
    secret.add_argument("--passphrase-file", type=Path, metavar="FILE", help=text("passphrase_file"))

    parser = argparse.ArgumentParser("fazhi-node", description=text("about"), parents=[common], allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace, Language], int], *parents: Any) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name, help=text(name), description=text(name), parents=[common, *parents], allow_abbrev=False
        )
        added.set_defaults(command=run)
        return added

    init = add("init", _init, home, secret)
    init.add_argument("--org", required=True, help=text("org"))
    init.add_argument("--name", required=True, help=text("name"))
    init.add_argument("--name-en", help=text("name_en"))
    init.add_argument("--role", action="append", default=[], help=text("role"))
    init.add_argument("--url", help=text("url", default=DEFAULT_URL))
    init.add_argument("--p2p", metavar="HOST:PORT", help=text("p2p"))
    init.add_argument("--suite", default="ed25519-sha256", help=text("suite"))
    init.add_argument("--open-reads", action="store_true", help=text("open_reads"))
    init.add_argument("--genesis", type=Path, metavar="FILE", help=text("init_genesis"))
    init.add_argument("--no-passphrase", action="store_true", help=text("no_passphrase"))

    genesis = add("genesis", _genesis)
    genesis.add_argument("cards", nargs="+", type=Path, metavar="CARD", help=text("cards"))
    genesis.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=text("genesis_out"))
    genesis.add_argument("--name", default="法治联盟链", help=text("chain_name"))
    genesis.add_argument("--officer", action="append", default=[], type=Path, metavar="CARD", help=text("officer_card"))
    genesis.add_argument("--procedure", action="append", default=[], help=text("procedure"))
    genesis.add_argument("--parameter", action="append", default=[], metavar="NAME=INT", help=text("parameter"))
    genesis.add_argument("--time-ms", type=int, help=text("time_ms"))

    join = add("join", _join, home)
    join.add_argument("source", metavar="FILE|URL", help=text("join_source"))
    join.add_argument("--token-file", type=Path, metavar="FILE", help=text("join_token", variable=TOKEN_VARIABLE))

    run = add("run", _run, home, secret)
    run.add_argument("--genesis", type=Path, metavar="FILE", help=text("run_genesis"))
    run.add_argument("--check", action="store_true", help=text("run_check"))

    status = add("status", _status, home)
    status.add_argument("--json", action="store_true", help=text("json"))

    check = add("check", _check, home)
    check.add_argument("--set-aside", action="store_true", help=text("check_set_aside"))
    check.add_argument("--json", action="store_true", help=text("json"))

    export = add("export", _export, home)
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=text("archive_out"))

    add_governance(add, text, home, secret)
    votes = add("votes", _votes, home, secret).add_mutually_exclusive_group(required=True)
    votes.add_argument("--renew", action="store_true", help=text("votes_renew"))
    votes.add_argument("--sign-from", type=int, metavar="HEIGHT", help=text("votes_sign_from"))
    return parser


def read_passphrase(options: argparse.Namespace, language: Language, *, twice: bool = False) -> bytes:
    """The passphrase out of the environment, a file or a prompt, in this order.

    Raises:
        Misuse: ``no-passphrase-given`` where there is none and nobody to ask, ``passphrases-differ``.
    """
    from .private_files import read_bounded

    if options.passphrase_file is not None:
        data = read_bounded(options.passphrase_file, MAX_PASSPHRASE_BYTES)
        return data.split(b"\n", 1)[0].removesuffix(b"\r")
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return os.fsencode(given)
    if not sys.stdin.isatty():
        raise Misuse("no-passphrase-given", variable=PASSPHRASE_VARIABLE)
    import getpass

    first = getpass.getpass(cli_text("ask_passphrase", language))
    if twice and getpass.getpass(cli_text("ask_again", language)) != first:
        raise Misuse("passphrases-differ")
    return os.fsencode(first)


def _init(options: argparse.Namespace, language: Language) -> int:
    from fazhi_ledger.limits import MAX_GENESIS_FILE_BYTES

    from .members import initialise
    from .private_files import read_bounded

    identity = _identity(options)
    passphrase = None if options.no_passphrase else read_passphrase(options, language, twice=True)
    joined = None if options.genesis is None else read_bounded(options.genesis, MAX_GENESIS_FILE_BYTES)
    home = initialise(
        options.home, identity, passphrase, open_reads=options.open_reads, language=language, genesis_file=joined
    )
    if passphrase is None:
        _complain(cli_text("init_clear", language))
    print(
        cli_text(
            "init_done" if joined is None else "init_joining",
            language,
            name=identity.name_zh if language == "zh" else identity.name_en,
            org=identity.org,
            home=home.directory,
            key=home.public_key.hex(),
            card=home.card,
        )
    )
    if options.url is None:
        _complain(cli_text("init_local", language, url=identity.url, p2p=identity.p2p))
    return Exit.OK


def _identity(options: argparse.Namespace) -> Identity:
    from fazhi_ledger.suites import suite_named

    from .members import Identity

    given = DEFAULT_URL if options.url is None else options.url
    try:
        url = GatewayUrl.parse(given)
    except ValueError as error:
        raise Misuse("bad-address", value=given, reason=str(error)) from None
    p2p = options.p2p or join_address(url.host, DEFAULT_P2P_PORT)
    try:
        split_address(p2p)
    except ValueError as error:
        raise Misuse("bad-address", value=p2p, reason=str(error)) from None
    try:
        suite = suite_named(options.suite)
    except FazhiError:
        raise Misuse("unknown-suite", name=options.suite) from None
    name_en = options.name_en or (options.name if options.name.isascii() else options.org)
    return Identity(options.org, options.name, name_en, tuple(sorted(set(options.role))), url, p2p, suite)


MAX_DIGITS: Final = 18
"""Of a number on the command line: Python reads no more than 4300, and a parameter needs none of them."""


def read_parameters(given: Sequence[str]) -> dict[str, int]:
    """Parameters of the chain out of ``name=integer`` texts.

    Raises:
        Misuse: ``bad-parameter-option``.
    """
    from fazhi_ledger.parameters import KNOWN

    found: dict[str, int] = {}
    for one in given:
        name, _, number = one.partition("=")
        digits = number.removeprefix("-")
        if name not in KNOWN or not (digits.isascii() and digits.isdecimal() and len(digits) <= MAX_DIGITS):
            raise Misuse("bad-parameter-option", value=one[:80], known=", ".join(sorted(KNOWN)))
        found[name] = int(number)
    return found


def _genesis(options: argparse.Namespace, language: Language) -> int:
    import time

    from .members import assemble_genesis, built_in_rule_sets
    from .private_files import write_new

    parameters = read_parameters(options.parameter)
    file = assemble_genesis(
        options.cards,
        options.officer,
        built_in_rule_sets(options.procedure or ["penalty"]),
        name=options.name,
        time_ms=time.time_ns() // 1_000_000 if options.time_ms is None else options.time_ms,
        parameters=parameters,
    )
    write_new(options.output, file.encode(), 0o644)
    genesis = file.genesis
    members = len(genesis.members)
    if members < 4:
        print(cli_text("few_members", language), file=sys.stderr)
    print(
        cli_text(
            "genesis_done",
            language,
            path=options.output,
            members=members,
            officers=len(genesis.officers),
            faulty=genesis.validator_set().faulty,
        ),
        file=sys.stderr,
    )
    print(file.hash().hex())
    return Exit.OK


def _explicit(options: argparse.Namespace) -> Language | None:
    """``--lang`` where it was given: else the configuration decides."""
    found: Language | None = getattr(options, "lang", None)
    return found


def _join(options: argparse.Namespace, _: Language) -> int:
    from .join import join

    return join(options.home, options.source, options.token_file, _explicit(options))


def _run(options: argparse.Namespace, language: Language) -> int:
    from .run import check, run

    def passphrase() -> bytes:
        return read_passphrase(options, language)

    if options.check:
        print(check(options.home, options.genesis, passphrase, _explicit(options)))
        return Exit.OK
    return run(options.home, options.genesis, passphrase, _explicit(options))


def _status(options: argparse.Namespace, _: Language) -> int:
    from .local import status

    return status(options.home, _explicit(options), as_json=options.json)


def _check(options: argparse.Namespace, _: Language) -> int:
    from .check import check_data

    return check_data(options.home, _explicit(options), set_aside=options.set_aside, as_json=options.json)


def _export(options: argparse.Namespace, _: Language) -> int:
    from .local import export

    return export(options.home, options.output, _explicit(options))


def _votes(options: argparse.Namespace, language: Language) -> int:
    from .votes import change_votes

    if options.sign_from is not None and not 1 <= options.sign_from <= MAX_INT:
        raise Misuse("bad-height", value=options.sign_from)

    def passphrase() -> bytes:
        return read_passphrase(options, language)

    print(change_votes(options.home, passphrase, _explicit(options), sign_from=options.sign_from))
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
