"""The outcome of a verification as JSON, for programs. Keys are stable: they may be added to, never renamed.

Hashes and keys are lower-case hex, times Unix milliseconds; integers from 2^53 on are strings (RFC 8259 §6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from fazhi_ledger.block_signers import block_signers
from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import Parameter
from fazhi_ledger.receipt_steps import Facts, PresentedFile, Report, StepOutcome
from fazhi_ledger.result import Finding

from . import verify_text
from .language import Language

FORMAT: Final = "fazhi-verification/1"
_EXACT: Final = 2**53


def document(
    report: Report[Facts], genesis_hash: bytes, files: Sequence[PresentedFile], language: Language
) -> dict[str, Any]:
    """Everything that the prose says, and the raw values behind it."""
    failed = report.failed
    facts = report.facts
    return {
        "format": FORMAT,
        "verdict": report.verdict,
        "summary": verify_text.summary(report, language),
        "failed_step": None if failed is None else _step(failed, language),
        "steps": [_step(step, language) for step in report.steps],
        "genesis_hash": genesis_hash.hex(),
        "genesis_hash_from": "user",
        "presented_files": [_presented(file) for file in files],
        "record": None if facts is None else _record(facts),
        "block": None if facts is None else _block(facts),
        "findings": None if facts is None else [_finding(one, language) for one in facts.record_result.findings],
        "not_proven": list(verify_text.not_proven(facts)),
    }


def _step(step: StepOutcome, language: Language) -> dict[str, Any]:
    return {
        "number": step.number,
        "name": step.name,
        "status": step.status,
        "code": step.code or None,
        "parameters": _parameters(step.parameters),
        "sentence": verify_text.reason(step, language) or None,
    }


def _presented(file: PresentedFile) -> dict[str, Any]:
    return {
        "path": file.label,
        "length": file.length,
        "digests": {name: value.hex() for name, value in sorted(file.digests.items())},
    }


def _record(facts: Facts) -> dict[str, Any]:
    record = facts.record
    return {
        "procedure": record.procedure,
        "case_key": record.case_key.hex(),
        "case_id": facts.record_result.case_id.hex(),
        "docket_number": facts.docket_number,
        "step": record.step,
        "number_in_case": facts.number_in_case,
        "org": facts.org,
        "case_member": facts.case_member,
        "signers": [{"key": one.key.hex(), "org": one.org, "roles": list(one.roles)} for one in facts.signers],
        "occurred_at_ms": record.occurred_at_ms,
        "claimed_time_ms": facts.claimed_time_ms,
        "clear": {name: _plain(value) for name, value in record.clear},
        "refs": [ref.hex() for ref in record.refs],
        "files": [
            {
                "field": file.field,
                "length": file.value.length,
                "media_type": file.value.media_type,
                "digests": {name: value.hex() for name, value in file.value.digests},
                "presented_as": file.presented_as,
            }
            for file in facts.files
        ],
        "fields": {opening.field: _plain(opening.value) for opening in facts.fields},
        "commitments": record.commitment_count,
    }


def _block(facts: Facts) -> dict[str, Any]:
    return {
        "height": facts.block_height,
        "time_ms": facts.block_time_ms,
        "proposer": facts.proposer,
        "certified_height": facts.anchor_height,
        "certified_by": list(facts.certified_by),
        "signed_by": [
            {"org": one.org, "roles_in_genesis": None if one.roles is None else list(one.roles), "party": one.is_party}
            for one in block_signers(facts)
        ],
        "not_a_party": list(verify_text.not_a_party(facts)),
        "validators": list(facts.validators),
        "utc_offset_min": facts.genesis.parameters.get("utc_offset_min"),
        "chain": facts.genesis.name,
    }


def _finding(finding: Finding, language: Language) -> dict[str, Any]:
    return {
        "code": finding.code,
        "clause": finding.clause,
        "severity": finding.severity,
        "parameters": _parameters(finding.parameters),
        "sentence": verify_text.finding_sentence(finding, language),
    }


def _parameters(parameters: Iterable[Parameter]) -> dict[str, str | int]:
    return {name: value if isinstance(value, str) else _number(value) for name, value in parameters}


def _number(value: int) -> int | str:
    return value if -_EXACT < value < _EXACT else str(value)


def _plain(value: Value) -> Any:
    """A canonical value in JSON; bytes as ``{"hex": …}``."""
    match value:
        case bytes():
            return {"hex": value.hex()}
        case tuple():
            return [_plain(part) for part in value]
        case bool() | None:
            return value
        case int():
            return _number(value)
    return value
