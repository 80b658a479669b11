"""What an attestation says is held against the trail that it stands in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fazhi_contracts.attestation import Attestation, attestations
from fazhi_contracts.trail_steps import Event
from fazhi_ledger.record import Record

IDS = [bytes((number,)) * 32 for number in range(1, 5)]


def event(number: int, step: str = "INVEST", **changes: object) -> Event:
    """An event of a case; those of the same number's submission have its id."""
    record = Record("penalty", bytes(32), step, 1, 0, bytes(32), (), ())
    record = replace(record, **changes)  # type: ignore[arg-type]
    return Event(number, IDS[number - 1], 0, number, 1, record, (), 1, (), "gzc" if step == "ATTEST" else "zfj")


def attested(scope: str, through: int, *refs: bytes) -> Event:
    return event(4, "ATTEST", clear=(("scope", scope), ("through", through)), refs=refs)


@pytest.mark.parametrize("scope", ["record", "trail"])
@pytest.mark.parametrize("through", [1, 2, 3])
def test_it_stands_for_the_event_of_the_submission_that_it_names(scope: str, through: int) -> None:
    before = [event(1), event(2), event(3)]
    last = attested(scope, through, IDS[through - 1])
    assert attestations([*before, last]) == (Attestation(4, "gzc", scope, through, ""),)


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        (attested("trail", 3), "no-reference"),
        (attested("trail", 3, IDS[1]), "other-submission"),
        (attested("trail", 2, IDS[2]), "other-submission"),
        (attested("trail", 4, IDS[3]), "not-before-it"),
        (attested("trail", 5, IDS[0]), "not-before-it"),
        (attested("trail", 0, IDS[0]), "not-before-it"),
        (event(4, "ATTEST"), "not-before-it"),
    ],
)
def test_what_does_not_fit_is_said(last: Event, problem: str) -> None:
    (found,) = attestations([event(1), event(2), event(3), last])
    assert found.problem == problem


def test_other_steps_attest_nothing() -> None:
    assert attestations([event(1), event(2, refs=(IDS[0],))]) == ()
