"""When a block may say that it is now (design §5, Time). Milliseconds of Unix time throughout.

The clock may be wrong, so it is held against the chain in one place only: before PREPARE of a fresh proposal.
"""

from __future__ import annotations

from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.header import Header
from fazhi_ledger.parameters import Parameters


def proposal_time_ms(clock_ms: int, parent_ms: int) -> int:
    """The time of a block proposed now: the clock's, or the first moment after the parent where the clock is behind."""
    return max(clock_ms, parent_ms + 1)


def heartbeat_due_ms(parent_ms: int, parameters: Parameters) -> int:
    """From when on an empty block may follow a parent of that time."""
    return parent_ms + parameters.get("heartbeat_ms")


def check_fresh(header: Header, parent_ms: int, clock_ms: int, round_: int, parameters: Parameters) -> None:
    """Raise unless a block proposed for the first time, in ``round_``, is timely.

    Raises:
        InvalidBlock: ``time-not-after-parent``, ``time-far-from-clock`` or, in round 0, ``empty-before-heartbeat``.
    """
    time_ms = header.time_ms
    if time_ms <= parent_ms:
        raise InvalidBlock("time-not-after-parent", time_ms=time_ms, parent_ms=parent_ms)
    # parent + 1 ms passes where it is later than the clock: clocks that ran fast and were set back must not halt us.
    catching_up = time_ms == parent_ms + 1 and time_ms > clock_ms
    skew_ms = parameters.get("max_clock_skew_ms")
    if abs(time_ms - clock_ms) > skew_ms and not catching_up:
        raise InvalidBlock("time-far-from-clock", time_ms=time_ms, clock_ms=clock_ms, limit_ms=skew_ms)
    # A round above 0 must be able to end with an empty block: its proposer may have nothing to propose.
    if round_ == 0 and header.submission_count == 0 and time_ms < heartbeat_due_ms(parent_ms, parameters):
        raise InvalidBlock("empty-before-heartbeat", time_ms=time_ms, parent_ms=parent_ms)
