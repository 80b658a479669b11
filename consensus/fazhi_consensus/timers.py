"""How long a round waits: exponential, so that rounds come to overlap whatever the delays are, and capped.

Source: arXiv 2002.03613 (t(r) is exponential in r). Without the cap a recovering network waits for hours: Besu
reached 4,096 s (#7642).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fazhi_ledger.errors import invariant

from .limits import MAX_DOUBLINGS, MAX_TIMER_MS


class Timer(Enum):
    """The two timers of a replica; setting one replaces the earlier one of its kind."""

    ROUND = "round"  # the round took too long: move to the next
    RESEND = "resend"  # say the latest ROUND-CHANGE, or ask for a missing block, again


@dataclass(frozen=True, slots=True)
class TimerPolicy:
    """Delays in milliseconds: ``round_ms`` for round 0, doubled for each further round up to ``round_cap_ms``; likewise
    for repeats.
    """

    round_ms: int = 1_000
    round_cap_ms: int = 30_000
    resend_ms: int = 500
    resend_cap_ms: int = 5_000

    def __post_init__(self) -> None:
        invariant(1 <= self.round_ms <= self.round_cap_ms <= MAX_TIMER_MS, "round timers are 1 ms to an hour")
        invariant(1 <= self.resend_ms <= self.resend_cap_ms <= MAX_TIMER_MS, "repeat timers are 1 ms to an hour")

    def round_delay_ms(self, round_: int) -> int:
        """The time that ``round_`` is given."""
        return min(self.round_ms << min(round_, MAX_DOUBLINGS), self.round_cap_ms)

    def resend_delay_ms(self, repeats: int) -> int:
        """The time before the next repeat, ``repeats`` having been sent."""
        return min(self.resend_ms << min(repeats, MAX_DOUBLINGS), self.resend_cap_ms)
