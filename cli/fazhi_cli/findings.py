"""``fazhi findings``: every irregularity that a chain records, out of an audited archive."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_rule_set
from fazhi_ledger.record import Record
from fazhi_ledger.result import SEVERITIES, Finding, RecordResult

from . import audit, labels, terminal
from .exits import Exit
from .language import Language
from .parser import Parser

if TYPE_CHECKING:
    from fazhi_contracts.chain import ExecutedBlock

FORMAT = "fazhi-findings/1"
DEFAULT_LIMIT = 1000


def configure(parser: Parser) -> None:
    """Declare the options."""
    audit.declare_source(parser)
    parser.option("--severity", choices=SEVERITIES, help=parser.text("findings-severity"))
    parser.option(
        "--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help=parser.text("findings-limit", limit=DEFAULT_LIMIT)
    )
    parser.option("--json", action="store_true", help=parser.text("json"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, language: Language) -> int:
    """Audit, then list; of a chain that does not hold nothing is listed."""
    found: list[tuple[int, Record, RecordResult, Finding]] = []

    def observe(executed: ExecutedBlock) -> None:
        for item, outcome in zip(executed.block.items, executed.outcomes, strict=True):
            for encoded, result in zip(item.records, outcome.record_results, strict=False):
                if not result.findings:
                    continue
                record = Record.decode(encoded)
                found.extend(
                    (executed.block.header.height, record, result, finding)
                    for finding in result.findings
                    if options.severity in (None, finding.severity) and len(found) < options.limit
                )

    report = audit.audited(options, language, observe)
    if not report.clean:
        print("\n".join(audit.lines(report, language)), file=sys.stderr)
        return Exit.NOT_VALID
    if options.json:
        listed = [_json(height, record, result, finding) for height, record, result, finding in found]
        print(terminal.json_text({"format": FORMAT, "height": report.height, "findings": listed}))
        return Exit.OK
    rules = {name: load_builtin_rule_set(name) for name in BUILTIN_PROCEDURES}
    rows = [
        (
            terminal.number(height),
            result.case_id.hex()[:12] + "…",
            f"{result.number} {record.step}",
            labels.finding(finding, language, rules.get(record.procedure)),
        )
        for height, record, result, finding in found
    ]
    for line in terminal.table(rows, indent=""):
        print(line)
    if not rows:
        print(audit.no_findings(language), file=sys.stderr)  # the list itself is empty
    return Exit.OK


def _json(height: int, record: Record, result: RecordResult, finding: Finding) -> dict[str, Any]:
    return {
        "height": height,
        "procedure": record.procedure,
        "case_id": result.case_id.hex(),
        "number_in_case": result.number,
        "step": record.step,
        "code": finding.code,
        "clause": finding.clause,
        "severity": finding.severity,
        "parameters": dict(finding.parameters),
    }
