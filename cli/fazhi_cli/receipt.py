"""``fazhi receipt``: fetch the receipt of an earlier submission, make one that discloses less, or see to it that no
receipt can disclose a thing any more."""

from __future__ import annotations

import argparse
from pathlib import Path

from fazhi_ledger.limits import MAX_RECEIPT_BYTES

from . import case_filing, connection, labels
from .case_filing import text
from .exits import Exit
from .inputs import digest, read_file
from .language import Language
from .parser import Parser


def configure(parser: Parser) -> None:
    """Declare the commands."""
    commands = parser.commands()
    get = commands.add("get", parser.text("receipt-get"), parser.text("receipt-get-about"))
    get.argument("submission", metavar="ID", help=parser.text("submission-id"))
    get.option("--record", type=int, default=0, metavar="N", help=parser.text("record-index"))
    get.option("--receipt", "-o", metavar="FILE", help=parser.text("receipt-out"))
    connection.declare(get)
    get.set_defaults(run=run_get)
    disclose = commands.add("disclose", parser.text("receipt-disclose"), parser.text("receipt-disclose-about"))
    disclose.argument("receipt", metavar="RECEIPT", help=parser.text("verify-receipt"))
    disclose.option("--only", action="append", default=[], metavar="FIELD", help=parser.text("disclose-only"))
    disclose.option("--hide-number", action="store_true", help=parser.text("hide-number"))
    disclose.option("--genesis-hash", required=True, metavar="HEX", help=parser.text("genesis-hash"))
    disclose.option("-o", "--out", required=True, metavar="FILE", help=parser.text("receipt-out"))
    disclose.set_defaults(run=run_disclose)
    destroy = commands.add("destroy", parser.text("receipt-destroy"), parser.text("receipt-destroy-about"))
    destroy.argument("receipt", metavar="RECEIPT", help=parser.text("verify-receipt"))
    connection.declare(destroy)
    destroy.set_defaults(run=run_destroy)


def run_get(options: argparse.Namespace, language: Language) -> int:
    """Fetch, verify, save."""
    submission = digest(options.submission, "ID")
    target = None if options.receipt is None else case_filing.require_new(options.receipt)
    with connection.connected(options) as chain:
        receipt = chain.receipt(submission, options.record)
    path = case_filing.save_receipt(receipt, target)
    for line in case_filing.receipt_lines(receipt, language):
        print(line)
    print(text("receipt-saved", language, path=str(path)))
    return Exit.OK


def run_disclose(options: argparse.Namespace, language: Language) -> int:
    """Write a receipt that opens fewer fields; it proves the same record."""
    trusted = digest(options.genesis_hash, "--genesis-hash")
    target: Path = case_filing.require_new(options.out)
    data = read_file(options.receipt, MAX_RECEIPT_BYTES)
    from fazhi_ledger.receipt_steps import check_receipt
    from fazhi_sdk import Receipt

    whole = Receipt(data, check_receipt(data, trusted).require_valid())
    whole.disclosing(options.only, docket=not options.hide_number).save(target)
    print(text("receipt-saved", language, path=str(target)))
    return Exit.OK


def run_destroy(options: argparse.Namespace, language: Language) -> int:
    """Destroy the salts that a recorded destruction names."""
    from fazhi_sdk import Receipt

    recorded = Receipt.load(options.receipt, connection.genesis_hash(options))
    with connection.connected(options) as chain:
        destroyed = chain.destroy(recorded)
    for one in destroyed:
        fields = labels.joined(one.fields, language) or "–"
        print(text("salts-destroyed", language, id=one.submission.hex(), record=one.record, fields=fields))
    return Exit.OK
