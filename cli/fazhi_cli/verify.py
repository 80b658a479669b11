"""``fazhi verify``: a receipt, the files that somebody holds, and a genesis hash; yes or no with reasons, offline.

Only the ledger floor is needed, and of the SDK the sealing of files: no network library, no store, no framework is
imported, so that the command starts in a fraction of a second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fazhi_ledger.errors import FazhiError
from fazhi_ledger.limits import MAX_RECEIPT_BYTES
from fazhi_ledger.receipt_steps import PresentedFile, StepOutcome, check_receipt, digest_algorithms

from . import progress, terminal, verify_json, verify_text
from .exits import Exit, Misuse, Undecided
from .inputs import digest, read_file
from .language import Language
from .parser import Parser

# Suites of the design that a build may lack. A receipt under one of them is neither held nor refuted here; any other
# unknown name is just a damaged receipt.
_SUITES_OF_THE_DESIGN = frozenset({"sm2-sm3"})


def configure(parser: Parser) -> None:
    """Declare the options."""
    parser.argument("receipt", metavar="RECEIPT", help=parser.text("verify-receipt"))
    parser.option("--genesis-hash", required=True, metavar="HEX", help=parser.text("genesis-hash"))
    parser.option("--file", action="append", default=[], metavar="PATH", help=parser.text("verify-file"))
    parser.option("--json", action="store_true", help=parser.text("json"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, language: Language) -> int:
    """Verify and print; the exit code is the verdict."""
    genesis_hash = digest(options.genesis_hash, "--genesis-hash")
    data = read_file(options.receipt, MAX_RECEIPT_BYTES)
    with progress.bar("sealing", language) as counted:
        files = present(options.file, _algorithms(data), counted)
    report = check_receipt(data, genesis_hash, files)
    require_suite(report.failed)
    prose = sys.stdout
    if options.json:
        print(terminal.json_text(verify_json.document(report, genesis_hash, files, language)))
        prose = sys.stderr
    for line in verify_text.lines(report, genesis_hash, files, language, prose):
        print(line, file=prose)
    return Exit.OK if report.facts is not None else Exit.NOT_VALID


def _algorithms(data: bytes) -> tuple[str, ...]:
    """Under which algorithms files must be digested; the usual one where the receipt names none or cannot be read."""
    try:
        return digest_algorithms(data) or ("sha256",)
    except FazhiError:
        return ("sha256",)
    except Exception:  # noqa: BLE001 - whatever is wrong with the receipt is said by its verification, step 1
        return ("sha256",)


def present(
    paths: Sequence[str], algorithms: Sequence[str], counted: progress.Counted | None = None
) -> tuple[PresentedFile, ...]:
    """The files as the verification compares them.

    Raises:
        Misuse: a file that is missing, unreadable, or no regular file.
        Undecided: ``algorithm-missing``: a digest that this machine cannot compute.
    """
    if not paths:
        return ()
    from fazhi_sdk.errors import InputError, SealingError
    from fazhi_sdk.sealing import seal

    presented = []
    for path in paths:
        try:
            value = seal(path, algorithms=algorithms, progress=counted)
        except SealingError as error:
            raise Misuse(error.code, **dict(error.parameters)) from None
        except InputError as error:
            raise Undecided("algorithm-missing", **dict(error.parameters)) from None
        presented.append(PresentedFile(path, dict(value.digests), value.length))
    return tuple(presented)


def require_suite(failed: StepOutcome | None) -> None:
    """Where a file is of a suite of the design that this build lacks, nothing is decided.

    Raises:
        Undecided: ``suite-missing``.
    """
    if failed is None or failed.code != "unknown-suite":
        return
    suite = dict(failed.parameters).get("suite")
    if suite in _SUITES_OF_THE_DESIGN:
        raise Undecided("suite-missing", suite=str(suite))
