"""What one height wants done, collected in order; and who speaks, since a follower sets no timers and has nobody to ask
as.
"""

from __future__ import annotations

from collections.abc import Iterable

from .effects import Effect, Send, SetTimer
from .limits import MAX_BLOCKS_SERVED
from .messages import BlockReply, BlockRequest
from .timers import Timer, TimerPolicy


class Outbox:
    """The effects of one height. ``seat`` is our index in the validator set, None where we only follow."""

    __slots__ = ("_asked_for", "_effects", "_height", "_policy", "_repeats", "_round_timer_set", "_served", "seat")

    def __init__(self, height: int, seat: int | None, policy: TimerPolicy) -> None:
        self.seat = seat
        self._height = height
        self._policy = policy
        self._effects: list[Effect] = []
        self._round_timer_set = False
        self._repeats = 0
        self._asked_for: set[bytes] = set()
        self._served: dict[int, int] = {}

    def emit(self, effect: Effect) -> None:
        """Add an effect."""
        self._effects.append(effect)

    def take(self) -> list[Effect]:
        """The effects since the last call."""
        effects = self._effects
        self._effects = []
        return effects

    def new_round(self) -> None:
        """The timers of the round before mean nothing any more."""
        self._round_timer_set = False
        self._repeats = 0
        self._asked_for.clear()
        self._served.clear()

    def round_timer(self, round_: int) -> None:
        """Start the timer of the round, or start it again."""
        if self.seat is not None:
            self._round_timer_set = True
            self.emit(SetTimer(Timer.ROUND, self._height, round_, self._policy.round_delay_ms(round_)))

    def round_timer_once(self, round_: int) -> None:
        """Start the timer of the round unless it runs."""
        if not self._round_timer_set:
            self.round_timer(round_)

    def resend_timer(self, round_: int) -> None:
        """Start the timer of repeats, each a longer one."""
        if self.seat is not None:
            delay_ms = self._policy.resend_delay_ms(self._repeats)
            self._repeats += 1
            self.emit(SetTimer(Timer.RESEND, self._height, round_, delay_ms))

    def ask_for_block(self, block_hash: bytes, holders: Iterable[int]) -> None:
        """Ask those who must have a block for it, once until :meth:`ask_again`: whatever peers send, we send no flood.

        Who has no seat is brought up by state transfer instead.
        """
        if self.seat is None or block_hash in self._asked_for:
            return
        self._asked_for.add(block_hash)
        for holder in holders:
            if holder != self.seat:
                self.emit(Send(holder, BlockRequest(self.seat, self._height, block_hash)))

    def serve_block(self, to: int, block_hash: bytes, payload: bytes) -> None:
        """Answer a request for a block, but not without end."""
        served = self._served.get(to, 0)
        if self.seat is not None and served < MAX_BLOCKS_SERVED:
            self._served[to] = served + 1
            self.emit(Send(to, BlockReply(self.seat, self._height, block_hash, payload)))

    def ask_again(self) -> None:
        """The timer of repeats is due: blocks that are still missing may be asked for once more."""
        self._asked_for.clear()
