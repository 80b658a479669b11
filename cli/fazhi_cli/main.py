"""The command ``fazhi``. Only the module of the command that is wanted is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from fazhi_ledger.errors import FazhiError

from .complaints import complaint, own_fault
from .exits import Exit, exit_of
from .language import Language, language_of
from .messages import HELP
from .parser import Parser, Run
from .terminal import prepare_streams

COMMANDS: Final = (
    "verify",
    "audit",
    "findings",
    "case",
    "supervise",
    "statistics",
    "cosign",
    "receipt",
    "rules",
    "keygen",
    "devnet",
)
"""In the order of help; each is a module of that name with ``configure(parser)``."""


FROM_DATA: Final = ("case",)
"""Commands whose own commands depend on what was given."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Every error is one sentence on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    language = language_of(given, os.environ)
    prepare_streams()
    try:
        parser = build(given, language)
        if not given:
            print(parser.format_help(), file=sys.stderr)
            return Exit.USAGE
        options = parser.parse_args(given)
        run: Run = options.run
        code = int(run(options, language))
        sys.stdout.flush()
        return code
    except FazhiError as error:
        print(complaint(error, language), file=sys.stderr)
        return int(exit_of(error))
    except BrokenPipeError:  # the reader of our output left; say nothing more, also not at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001 - a fault of ours decides nothing; Python's own exit code would say "not valid"
        print(own_fault(error, language), file=sys.stderr)
        return Exit.UNDECIDED
    except KeyboardInterrupt:
        return 130


def build(given: Sequence[str], language: Language) -> Parser:
    """The parser. Of the commands only those whose name stands in ``given`` get their options."""
    parser = Parser("fazhi", language, description=_text("about", language))
    shown = f"fazhi {_version()}" if "--version" in given else ""
    parser.option("--version", action="version", version=shown, help=parser.text("version"))
    commands = parser.commands()
    for name in COMMANDS:
        command = commands.add(name, _text(name, language), _text(f"{name}-about", language))
        if name in given:
            configure = import_module(f".{name}", __package__).configure
            configure(command, given) if name in FROM_DATA else configure(command)
    return parser


def _version() -> str:
    from importlib.metadata import version

    return version("fazhi-cli")


def _text(code: str, language: Language) -> str:
    return HELP[code][0 if language == "zh" else 1]


if __name__ == "__main__":
    sys.exit(main())
