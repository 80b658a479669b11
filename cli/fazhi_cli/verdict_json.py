"""A verdict as JSON, for programs. Keys are stable: they may be added to, never renamed.

Hashes and keys are lower-case hex, times Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from fazhi_contracts.attestation import attestations
from fazhi_contracts.messages import explain
from fazhi_contracts.procedures import verdict as outcomes
from fazhi_contracts.procedures.verdict import Clause, StepVerdict
from fazhi_contracts.trail_steps import Event, TrailFacts, TrailReport
from fazhi_ledger.messages import printable
from fazhi_ledger.receipt_steps import StepOutcome
from fazhi_ledger.result import Finding

from . import verdict_text
from .language import Language

FORMAT: Final = "fazhi-verdict/1"


def document(report: TrailReport, genesis_hash: bytes, language: Language) -> dict[str, Any]:
    """Everything that the prose says, and the values behind it."""
    failed, facts = report.failed, report.facts
    return {
        "format": FORMAT,
        "verdict": report.verdict,
        "summary": verdict_text.summary(report, language),
        "failed_step": None if failed is None else _verification(failed, language),
        "verification": [_verification(step, language) for step in report.steps],
        "genesis_hash": genesis_hash.hex(),
        "genesis_hash_from": "user",
        **({} if facts is None else _facts(facts, language)),
    }


def _verification(step: StepOutcome, language: Language) -> dict[str, Any]:
    return {
        "number": step.number,
        "name": step.name,
        "status": step.status,
        "code": step.code or None,
        "parameters": dict(step.parameters),
        "sentence": verdict_text.reason(step, language) or None,
    }


def _facts(facts: TrailFacts, language: Language) -> dict[str, Any]:
    verdict, rules, frozen = facts.verdict, facts.rules, facts.verdict.frozen
    root = facts.file_root
    file = None if frozen is None or root is None else {"number": frozen, "root": root.hex()}
    return {
        "case": {
            "org": facts.docket.org,
            "number": facts.docket.number,
            "procedure": rules.procedure,
            "case_id": facts.case_id.hex(),
            "year": facts.head.year,
            "serial": facts.head.serial,
        },
        "rule_set": {
            "hash": facts.head.rule_set_hash.hex(),
            "number": rules.number,
            "law_from": rules.law_from,
        },
        "as_of": {"height": facts.header.height, "time_ms": verdict.as_of_ms},
        "certified_by": list(facts.certified_by),
        "not_a_party": list(verdict_text.outside_parties(facts)),
        "attestations": [asdict(one) for one in attestations(facts.events)],
        "events": facts.head.count,
        "root": facts.root.hex(),
        "file": file,
        "colour": None if verdict.colour is None else verdict.colour.code,
        "tallies": dict(facts.head.marks.sums),
        "outcomes": {outcome: len(verdict.of(outcome)) for outcome in outcomes.OUTCOMES},
        "breached": {
            "severities": dict(verdict_text.severities(verdict.of(outcomes.BREACHED))),
            "articles": list(verdict.articles(outcomes.BREACHED)),
        },
        "steps": [_step(step, event, language) for step, event in zip(verdict.steps, facts.events, strict=True)],
        "owed": [_clause(clause, language) for clause in verdict.owed],
        "unjudged": [{"zh": duty.zh, "en": duty.en, "article": duty.article} for duty in rules.unjudged],
    }


def _step(step: StepVerdict, event: Event, language: Language) -> dict[str, Any]:
    return {
        "number": event.number,
        "step": event.record.step,
        "occurred_at_ms": event.record.occurred_at_ms,
        "height": event.height,
        "time_ms": event.time_ms,
        "submission_id": event.submission_id.hex(),
        "record_index": event.record_index,
        "org": event.org,
        "signers": [{"key": one.key.hex(), "org": one.org, "roles": list(one.roles)} for one in event.signers],
        "clear": dict(event.record.clear),
        "entered_later": step.entered_later,
        "outside_file": step.outside,
        "clauses": [_clause(clause, language) for clause in step.clauses],
    }


def _clause(clause: Clause, language: Language) -> dict[str, Any]:
    term = clause.term
    return {
        "clause": clause.number,
        "kind": clause.kind,
        "outcome": clause.outcome,
        "article": clause.article,
        "severity": clause.severity,
        "confirmed": clause.confirmed,
        "term": None
        if term is None
        else {
            "start": term.start,
            "amount": term.amount,
            "unit": term.unit,
            "due_ms": term.due_ms,
            "missing_year": term.missing_year,
        },
        "findings": findings(clause.findings, language),
    }


def findings(found: Iterable[Finding], language: Language) -> list[dict[str, Any]]:
    """Findings with their sentences."""
    return [
        {
            "code": one.code,
            "clause": one.clause,
            "severity": one.severity,
            "parameters": dict(one.parameters),
            "sentence": printable(explain(one.code, one.parameters, language)),
        }
        for one in found
    ]
