"""``fazhi cosign``: the second officer sees what the draft says, and signs it.

Files can be held against the draft. What is signed is shown first; nothing is signed that was not shown.
"""

from __future__ import annotations

import argparse
import sys

from fazhi_ledger.messages import printable

from . import case_filing, passphrases, progress
from .case_filing import text
from .exits import Exit, Misuse
from .language import Language
from .parser import Parser


def configure(parser: Parser) -> None:
    """Declare the options."""
    parser.argument("draft", metavar="DRAFT", help=parser.text("draft"))
    parser.option("--key", action="append", required=True, metavar="FILE", help=parser.text("cosign-key"))
    passphrases.declare(parser)
    parser.option("--file", action="append", default=[], metavar="PATH", help=parser.text("cosign-file"))
    parser.option("--out", "-o", metavar="FILE", help=parser.text("cosign-out"))
    parser.option("--yes", action="store_true", help=parser.text("cosign-yes"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, language: Language) -> int:
    """Show, compare, sign, save."""
    from fazhi_sdk import Draft

    draft: Draft = Draft.load(options.draft)
    for line in draft.shown(language).splitlines():
        print(printable(line), file=sys.stderr)
    with progress.bar("sealing", language) as counted:
        for path in options.file:
            draft.check_file(path, counted)
            print("  " + text("file-matches", language, path=path), file=sys.stderr)
    _confirm(options, language)
    for signer in case_filing.load_signers(options, language):
        draft = draft.cosign(signer)
    target = options.out or options.draft
    if options.out is not None:
        case_filing.require_new(options.out)
    saved = draft.save(target)
    code = "cosigned-more" if saved.missing else "cosigned"
    print(text(code, language, path=str(target), missing=len(saved.missing)), file=sys.stderr)
    return Exit.OK


def _confirm(options: argparse.Namespace, language: Language) -> None:
    """Ask whether to sign what was shown.

    Raises:
        Misuse: ``not-confirmed``.
    """
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Misuse("confirm-with-yes")
    print(text("sign-this", language), end=" ", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
        raise Misuse("not-confirmed")
