"""``fazhi cosign``: the second officer sees what the draft says, and signs it.

Files can be held against the draft. What is signed is shown first; nothing is signed that was not shown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_rule_set
from fazhi_ledger.messages import printable
from fazhi_ledger.parameters import KNOWN

from . import case_filing, labels, passphrases, progress
from .case_filing import text
from .exits import Exit, Misuse
from .language import Language
from .parser import Parser

if TYPE_CHECKING:
    from fazhi_sdk import Draft

DEFAULT_OFFSET_MIN: Final = KNOWN["utc_offset_min"][0]
"""A draft does not carry its chain's offset; times are shown with the one they are shown in."""


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
    for line in shown(draft, language):
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


def shown(draft: Draft, language: Language) -> Iterator[str]:
    """What is about to be signed: every record with its files, fields and clear facts, nothing left out."""
    for record in draft.data.records:
        rules = load_builtin_rule_set(record.procedure) if record.procedure in BUILTIN_PROCEDURES else None
        yield text(
            "draft-case",
            language,
            number=record.number,
            step=labels.step_label(rules, record.step, language),
            time=labels.moment(record.occurred_at_ms, DEFAULT_OFFSET_MIN),
            org=record.org,
        )
        for opening in record.openings:
            if opening.is_file:
                value = opening.file
                digests = ", ".join(f"{name} {digest.hex()}" for name, digest in value.digests)
                yield f"  {opening.field}: {value.length:,} B · {value.media_type} · {digests}"
            else:
                yield f"  {opening.field} = {opening.value!s}"
        yield from (f"  {name} = {value}" for name, value in record.clear)
        yield from (f"  ref {ref.hex()}" for ref in record.refs)
    signed = {key for key, _ in draft.data.signatures}
    for key in draft.data.signer_keys:
        yield "  " + text("has-signed" if key in signed else "to-sign", language, key=labels.key(key))


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
