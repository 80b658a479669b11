"""The readers of trail files and of their parts."""

from __future__ import annotations

import json
from typing import Any, Final

from fazhi_contracts.trail import CaseTrail, TrailBlock, TrailEvent, TrailSubmission
from fazhi_contracts.trail_steps import TrailFacts, check_trail
from fazhi_ledger.errors import InvalidReceipt
from fazhi_ledger.receipt import Docket, Handover

from tests.contracts.trails import told_case, trail_of

from .target import Target, Violation

_WORLD, _CASE = told_case()
_TRAIL: Final = trail_of(_WORLD, _CASE)


def _verified(data: bytes) -> TrailFacts | None:
    """What a trail says where it is VALID; the verifier raises nothing, whatever it is given."""
    report = check_trail(data, _WORLD.state.genesis_hash)
    if report.failed is not None and report.failed.code == "unreadable":
        raise Violation(f"the verifier stumbled: {report.failed}")
    return report.facts


def _says_the_same(data: bytes, facts: TrailFacts | None) -> None:
    """There is one VALID trail of the case as of that block."""
    if facts is not None and _said(facts) != _SAID:
        raise Violation("another trail is valid")


def _said(facts: TrailFacts) -> object:
    clauses = [(clause.number, clause.outcome, clause.findings) for clause in facts.verdict.clauses]
    return facts.docket, facts.header, facts.head, facts.events, facts.file_root, facts.rules, clauses


_SAID: Final = _said(check_trail(_TRAIL.to_json(), _WORLD.state.genesis_hash).require_valid())


def _holds(data: bytes, trail: CaseTrail) -> None:
    if CaseTrail.from_json(trail.to_json()) != trail:
        raise Violation("a trail does not read back")


def _part(kind: Any, value: dict[str, Any]) -> Target:
    name = f"{kind.__module__}:{kind.__name__}.from_json"
    return Target(
        f"{kind.__name__} of a file", [json.dumps(value).encode()], lambda data: kind.from_json(json.loads(data)),
        (name,), refuses=(InvalidReceipt, ValueError, RecursionError), form="json",
    )  # fmt: skip


TARGETS: Final = (
    Target(
        "trail", [_TRAIL.to_json()], CaseTrail.from_json, ("fazhi_contracts.trail:CaseTrail.from_json",),
        holds=_holds, form="json",
    ),
    Target("trail verified", [_TRAIL.to_json()], _verified, (), refuses=(), holds=_says_the_same, form="json"),
    _part(Handover, _TRAIL.handovers[0].to_json()),
    _part(Docket, _TRAIL.docket.to_json()),
    _part(TrailBlock, _TRAIL.blocks[0].to_json()),
    _part(TrailSubmission, _TRAIL.submissions[0].to_json()),
    _part(TrailEvent, _TRAIL.events[0].to_json()),
)  # fmt: skip
