"""The stages of a replica within a height, which may follow which, and the proposal they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Stage(Enum):
    """Where a replica stands in its round, or in the height."""

    AWAITING = "awaiting"  # no proposal of this round yet
    VALIDATING = "validating"  # a proposal was accepted and is being executed
    PREPARING = "preparing"  # it is valid; PREPARE is signed, q of them are missing
    COMMITTING = "committing"  # q PREPAREs; COMMIT is signed, q of them are missing
    CLOSING = "closing"  # q COMMITs of one round: decided, but the block is not here or not executed yet
    DECIDED = "decided"


LEGAL: Final[Mapping[Stage, frozenset[Stage]]] = {
    Stage.AWAITING: frozenset({Stage.AWAITING, Stage.VALIDATING, Stage.CLOSING, Stage.DECIDED}),
    Stage.VALIDATING: frozenset({Stage.AWAITING, Stage.PREPARING, Stage.CLOSING, Stage.DECIDED}),
    Stage.PREPARING: frozenset({Stage.AWAITING, Stage.COMMITTING, Stage.CLOSING, Stage.DECIDED}),
    Stage.COMMITTING: frozenset({Stage.AWAITING, Stage.CLOSING, Stage.DECIDED}),
    Stage.CLOSING: frozenset({Stage.DECIDED}),
    Stage.DECIDED: frozenset(),
}
"""Legal changes of stage. Back to AWAITING leads only a new round; from CLOSING on nothing is signed any more."""

OPEN: Final = frozenset({Stage.AWAITING, Stage.VALIDATING, Stage.PREPARING, Stage.COMMITTING})
"""Undecided as far as we know: only here is anything signed (besu#1734)."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposal accepted in a round. ``fresh``: chosen freely; otherwise the choice followed from prepared
    certificates.
    """

    round: int
    block_hash: bytes
    fresh: bool
