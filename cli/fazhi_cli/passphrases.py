"""The passphrase of a key file: from a file, the environment, or the person at the terminal, in this order."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Final

from .exits import Misuse
from .inputs import read_file
from .language import Language, choose
from .messages import HELP
from .parser import Parser

VARIABLE: Final = "FAZHI_PASSPHRASE"
MIN_BYTES: Final = 8
MAX_BYTES: Final = 4096


def declare(parser: Parser) -> None:
    """Declare the option."""
    parser.option("--passphrase-file", metavar="FILE", help=parser.text("passphrase-file", variable=VARIABLE))


def new(options: argparse.Namespace, language: Language) -> bytes:
    """A passphrase for a new key; typed twice where it is typed.

    Raises:
        Misuse: ``passphrase-too-short``, ``passphrases-differ``, ``no-passphrase``.
    """
    given = _given(options)
    if given is None:
        given = _ask(choose(HELP["ask-passphrase-new"], language))
        if _ask(choose(HELP["ask-again"], language)) != given:
            raise Misuse("passphrases-differ")
    if len(given) < MIN_BYTES:
        raise Misuse("passphrase-too-short", minimum=MIN_BYTES)
    return given


def existing(options: argparse.Namespace, path: str, language: Language) -> Callable[[], bytes]:
    """How to get the passphrase of a key file, when it turns out to need one."""

    def obtain() -> bytes:
        given = _given(options)
        return _ask(choose(HELP["ask-passphrase"], language).format(path=path)) if given is None else given

    return obtain


def _given(options: argparse.Namespace) -> bytes | None:
    if options.passphrase_file is not None:
        data = read_file(options.passphrase_file, MAX_BYTES)
        return data.split(b"\n", 1)[0].removesuffix(b"\r")
    variable = os.environ.get(VARIABLE)
    return None if variable is None else os.fsencode(variable)


def _ask(prompt: str) -> bytes:
    if not sys.stdin.isatty():
        raise Misuse("no-passphrase", variable=VARIABLE)
    import getpass

    return os.fsencode(getpass.getpass(prompt, sys.stderr))
