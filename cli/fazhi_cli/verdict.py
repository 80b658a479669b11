"""``fazhi case verdict``: a case, clause by clause: out of a trail file, offline; out of the chain, by its number; and
what can be said of it by one receipt alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fazhi_contracts.procedures import verdict as outcomes
from fazhi_contracts.trail import MAX_TRAIL_BYTES
from fazhi_contracts.trail_steps import TrailReport, check_trail
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.limits import MAX_RECEIPT_BYTES
from fazhi_ledger.messages import printable
from fazhi_ledger.receipt import FORMAT as RECEIPT_FORMAT
from fazhi_ledger.receipt_steps import Facts, Report, check_receipt
from fazhi_ledger.strict_json import read_object

from . import connection, labels, terminal, verdict_json, verdict_text, verify, verify_json, verify_text
from .exits import Exit, Misuse
from .inputs import read_file
from .language import Language, choose
from .messages import VERIFY
from .verdict_text import WRAP_COLUMNS, say

RECEIPT_VERDICT: Final = "fazhi-receipt-verdict/1"
_UNDECIDED: Final = ("calendar-missing", "pause-not-counted")


def run(options: argparse.Namespace, language: Language) -> int:
    """Print the verdict. The exit code says whether the file holds, and whether anything is breached."""
    if options.org is not None:
        with connection.connected(options) as chain:
            found = chain.case(options.procedure, options.case, org=options.org).trail()
        return _trail(found.data, found.facts.genesis_hash, options, language)
    if not Path(options.case).exists():
        raise Misuse("verdict-of-nothing", case=options.case)
    genesis_hash = connection.genesis_hash(options)
    data = read_file(options.case, MAX_TRAIL_BYTES)
    if _is_receipt(data):
        return _receipt(data, genesis_hash, options, language)
    return _trail(data, genesis_hash, options, language)


def _is_receipt(data: bytes) -> bool:
    try:
        return read_object(data, MAX_RECEIPT_BYTES).get("format") == RECEIPT_FORMAT
    except FazhiError:
        return False


def _trail(data: bytes, genesis_hash: bytes, options: argparse.Namespace, language: Language) -> int:
    report = check_trail(data, genesis_hash)
    verify.require_suite(report.failed)
    prose = sys.stdout
    if options.json:
        print(terminal.json_text(verdict_json.document(report, genesis_hash, language)))
        prose = sys.stderr
    for line in _lines(report, genesis_hash, options, language):
        print(line, file=prose)
    if report.facts is None:
        return Exit.NOT_VALID
    return Exit.BREACHED if report.facts.verdict.of(outcomes.BREACHED) else Exit.OK


def _lines(report: TrailReport, genesis_hash: bytes, options: argparse.Namespace, language: Language) -> Iterator[str]:
    stream = sys.stderr if options.json else sys.stdout
    if report.facts is None:
        yield from verdict_text.invalid_lines(report, genesis_hash, language, stream)
        return
    telling = verdict_text.Telling(report.facts, language, options.all, stream)
    if options.json:
        yield f"{choose(VERIFY['valid'], language)}  {telling.conclusion()}"
    else:
        yield from telling.lines(report, genesis_hash)


# --- a receipt ---


def _receipt(data: bytes, genesis_hash: bytes, options: argparse.Namespace, language: Language) -> int:
    report = check_receipt(data, genesis_hash)
    verify.require_suite(report.failed)
    facts = report.facts
    prose = sys.stderr if options.json else sys.stdout
    if options.json:
        print(terminal.json_text(_receipt_json(report, genesis_hash, language)))
    if facts is None:
        for line in verify_text.lines(report, genesis_hash, (), language, prose):
            print(line, file=prose)
        return Exit.NOT_VALID
    for line in _receipt_lines(facts, language):
        print(line, file=prose)
    breached = [one for one in facts.record_result.findings if one.code not in _UNDECIDED]
    return Exit.BREACHED if breached else Exit.OK


def _receipt_lines(facts: Facts, language: Language) -> Iterator[str]:
    rules = labels.rule_set_of(facts.genesis, facts.record.procedure)
    findings = facts.record_result.findings
    number = say("undisclosed", language) if facts.docket_number is None else printable(facts.docket_number)
    step = labels.step_label(rules, facts.record.step, language)
    org = labels.organisation(facts.genesis, facts.org, language)
    said = say("receipt-findings", language, count=len(findings)) if findings else say("receipt-clean", language)
    yield f"{choose(VERIFY['valid'], language)}  {said}"
    yield "  " + say("receipt-of", language, number=number, place=facts.number_in_case, step=step, org=org)
    for finding in findings:
        yield f"    {labels.finding(finding, language, rules)}"
    needs = say("receipt-needs", language, number=facts.docket_number or "NUMBER", org=facts.org)
    for line in terminal.wrap(printable(needs), WRAP_COLUMNS):
        yield "  " + line
    yield "  " + say("genesis", language, hash=facts.genesis_hash.hex())


def _receipt_json(report: Report[Facts], genesis_hash: bytes, language: Language) -> dict[str, Any]:
    verified = verify_json.document(report, genesis_hash, (), language)
    named = ("verdict", "summary", "failed_step", "genesis_hash", "record", "findings")
    return {"format": RECEIPT_VERDICT, **{name: verified[name] for name in named}, "whole_case": False}
