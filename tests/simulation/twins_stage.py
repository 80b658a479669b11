"""Twins: the stage on which a cast plays. Time is a row of turns, each with its partition; a turn ends when nobody has
anything left to say, and everything that a partition held up is lost.

At the beginning of a turn whoever has decided begins the next height, and for everybody else the timer that is set is
due. After the last turn the network heals: then the honest must decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from .checkers import Violation
from .twins_cast import BLOCK, EVERYBODY, WAKE, Cast, Out, State, Stimulus

MAX_HEARD: Final = 20_000
"""Messages of one turn: more would be messages that multiply."""
PROGRESS_BLOCKS: Final = 2
HEALING_TURNS: Final = 2 * (8 + 2) * PROGRESS_BLOCKS
"""Of each height the twins may lead the first eight rounds, and a round may take two turns. (Seed 1888 takes 17.)"""

States = tuple[State, ...]
Reaches = Callable[[int, int, int], bool]
"""Whether a message of that kind comes from one actor to another."""


def within(groups: int) -> Reaches:
    """A partition in two: bit i - 1 says on which side actor i is, actor 0 being on side 0."""
    sides = groups << 1
    return lambda sender, receiver, _: not (sides >> sender ^ sides >> receiver) & 1


@dataclass
class Stage:
    """One turn after another of one cast. ``choose`` picks which of so many waiting messages is heard next (None: the
    first), ``twist`` what becomes of a traitor's message on its way to one receiver.
    """

    cast: Cast
    choose: Callable[[int], int] | None = None
    twist: Callable[[int, int], Iterable[int]] | None = None
    lost: list[tuple[int, Stimulus]] = field(default_factory=list)
    """Messages that did not get through, for scenarios in which they come late."""

    def turn(self, states: States, reaches: Reaches, late: Iterable[tuple[int, Stimulus]] = ()) -> States:
        """The states after a turn.

        Raises:
            Violation: an honest node broke a promise, or messages multiply.
        """
        now = list(states)
        waiting: deque[tuple[int, Stimulus]] = deque((actor, WAKE) for actor in range(len(now)))
        waiting.extend(late)
        for _ in range(MAX_HEARD):
            if not waiting:
                return tuple(now)
            if self.choose is not None:
                waiting.rotate(-self.choose(len(waiting)))
            actor, stimulus = waiting.popleft()
            now[actor], outs = now[actor].after(stimulus)
            for out in outs:
                self._send(actor, out, reaches, waiting)
        raise Violation(f"{MAX_HEARD} messages in one turn: they multiply")

    def _send(self, sender: int, out: Out, reaches: Reaches, waiting: deque[tuple[int, Stimulus]]) -> None:
        to, kind, number = out
        seats = self.cast.seat_of
        for receiver in range(len(seats)):
            if receiver == sender or to not in (EVERYBODY, seats[receiver]):
                continue
            numbers: Iterable[int] = (number,)
            if self.twist is not None and kind != BLOCK and not self.cast.honest(sender):
                numbers = self.twist(sender, number)
            through = reaches(sender, receiver, kind)
            for heard in numbers:
                stimulus = ("block" if kind == BLOCK else "hear", heard)
                if through:
                    waiting.append((receiver, stimulus))
                else:
                    self.lost.append((receiver, stimulus))

    def judge(self, states: States) -> None:
        """The end of a scenario: one chain, and no honest node has contradicted itself.

        Raises:
            Violation: of agreement, or a double vote, or a lost lock. (What every block and certificate must be is
                checked when it is decided.)
        """
        longest = max((state.chain for state in states), key=len)
        for actor, state in enumerate(states):
            if longest[: len(state.chain)] != state.chain:
                raise Violation(f"FORK: actor {actor} has decided {_short(state.chain)}, another {_short(longest)}")
            if self.cast.honest(actor):
                state.check_votes(self.cast, self.cast.validators.validators[self.cast.seat_of[actor]].key)

    def heal(self, states: States) -> States:
        """The network is whole again and peers tell their heights: every honest node must decide, and go on.

        Raises:
            Violation: no progress, or what :meth:`judge` forbids.
        """
        honest = [actor for actor in range(len(states)) if self.cast.honest(actor)]
        target = max(len(states[actor].chain) for actor in honest) + PROGRESS_BLOCKS
        for _ in range(HEALING_TURNS):
            states = self.turn(states, within(0))
            states = self._catch_up(states, honest)
            if all(len(states[actor].chain) >= target for actor in honest):
                self.judge(states)
                return states
        heights = [len(states[actor].chain) - 1 for actor in honest]
        raise Violation(f"NO PROGRESS to height {target - 1} within {HEALING_TURNS} turns: {heights}")

    def _catch_up(self, states: States, honest: list[int]) -> States:
        """Whoever is behind gets the missing blocks, one after the other, from an honest node that is ahead."""
        now = list(states)
        best = max(honest, key=lambda actor: len(now[actor].chain))
        for actor in range(len(now)):
            for height in range(len(now[actor].chain), len(now[best].chain)):
                now[best], outs = now[best].after(("give", height))
                for _, _, number in outs:
                    now[actor], _ = now[actor].after(("block", number))
        return tuple(now)


def _short(chain: tuple[bytes, ...]) -> list[str]:
    return [block_hash.hex()[:8] for block_hash in chain[1:]]
