"""What attestations in a trail say, held against the trail: step ``ATTEST`` of ``rulesets/common/attestation.toml``.

A notary names how far it looked: ``through`` is the number of the last event examined, and ``refs`` holds the id of the
submission that this event is of. The number alone says which event; the id is what the notary itself held in hands.
Only where both are of the same event does the attestation stand for what the trail shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .trail_steps import Event

ATTEST: Final = "ATTEST"
SCOPE: Final = "scope"
THROUGH: Final = "through"
RECORD: Final = "record"
TRAIL: Final = "trail"
"""Scopes: that one event, or all events up to it."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """Event ``number`` attests event ``through``, or all up to it, by ``scope``. ``problem`` is empty where event
    ``through`` is of a submission that it refers to; else ``no-reference``, ``other-submission`` or
    ``not-before-it``."""

    number: int
    org: str
    scope: str
    through: int
    problem: str


def attestations(events: Sequence[Event]) -> tuple[Attestation, ...]:
    """The attestations among all events of a case, in their order."""
    return tuple(_attestation(event, events) for event in events if event.record.step == ATTEST)


def _attestation(event: Event, events: Sequence[Event]) -> Attestation:
    clear = dict(event.record.clear)
    through, scope = clear.get(THROUGH), clear.get(SCOPE)
    number = through if isinstance(through, int) else 0
    problem = ""
    if not 1 <= number < event.number:
        problem = "not-before-it"
    elif not event.record.refs:
        problem = "no-reference"
    elif events[number - 1].submission_id not in event.record.refs:
        problem = "other-submission"
    return Attestation(event.number, event.org, str(scope), number, problem)
