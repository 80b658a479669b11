"""Sampled twins: longer scenarios, messages of one kind that go their own way, late ones, other orders, small lies.

The enumeration cuts whole turns. Here a turn may cut one phase of a round alone, so that a single node prepares, or
decides, and nobody else.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from fazhi_consensus.wire import Kind

from .checkers import Violation
from .twins_cast import Cast, State, Stimulus
from .twins_lies import Liar
from .twins_stage import Reaches, Stage, within

KINDS = (Kind.PRE_PREPARE.value, Kind.PREPARE.value, Kind.COMMIT.value, Kind.COMMIT.value, Kind.ROUND_CHANGE.value)


@dataclass(frozen=True)
class Turn:
    """One turn: sides as in :func:`within`, but messages of ``kind`` reach only ``heard_by``."""

    groups: int
    kind: int
    heard_by: frozenset[int]

    def reaches(self) -> Reaches:
        side = within(self.groups)
        if not self.kind:
            return side
        return lambda sender, receiver, kind: (
            receiver in self.heard_by if kind == self.kind else side(sender, receiver, kind)
        )


@dataclass(frozen=True)
class Scenario:
    """What a seed stands for."""

    seed: int
    seats: int
    twins: int
    leaders: tuple[int, ...]
    shameless: bool
    turns: tuple[Turn, ...]
    in_order: bool
    late_percent: int
    lie_percent: int

    @classmethod
    def draw(cls, seed: int, seats: int | None = None) -> Scenario:
        """The scenario of a seed: a third with seven seats and two twins, else four, or now and then six, and one."""
        rng = random.Random(f"twins {seed}")
        count = seats if seats is not None else (7 if seed % 3 == 2 else 6 if seed % 12 == 1 else 4)
        twins = (count - 1) // 3
        turns = tuple(_draw_turn(rng, count + twins) for _ in range(rng.randint(4, 8)))
        return cls(
            seed=seed,
            seats=count,
            twins=twins,
            leaders=tuple(rng.choice((0, 0, rng.randrange(count))) for _ in turns),
            shameless=rng.random() < 0.75,
            turns=turns,
            in_order=rng.random() < 0.4,
            late_percent=rng.choice((0, 0, 20, 60)),
            lie_percent=rng.choice((0, 0, 5, 20)),
        )


def _draw_turn(rng: random.Random, actors: int) -> Turn:
    groups = rng.getrandbits(actors - 1) if rng.random() < 0.7 else 0
    if rng.random() < 0.5:
        return Turn(groups, 0, frozenset())
    heard_by = rng.sample(range(actors), rng.choice((0, 1, 1, 1, 2, rng.randrange(actors))))
    return Turn(groups, rng.choice(KINDS), frozenset(heard_by))


def play(scenario: Scenario) -> int:
    """Play it to the end, then heal; returns the number of faults.

    Raises:
        Violation: a promise was broken, with the command that replays it.
    """
    rng = random.Random(scenario.seed)
    cast = Cast(scenario.seats, scenario.twins, scenario.leaders, scenario.shameless)
    liar = Liar(cast, rng, scenario.lie_percent)
    stage = Stage(cast, None if scenario.in_order else rng.randrange, liar if scenario.lie_percent else None)
    states = tuple(State.first(cast, actor) for actor in range(len(cast.seat_of)))
    faults = scenario.twins
    late: list[tuple[int, Stimulus]] = []
    try:
        for turn in scenario.turns:
            states = stage.turn(states, turn.reaches(), late)
            stage.judge(states)
            late = [held for held in stage.lost if rng.randrange(100) < scenario.late_percent]
            faults += len(stage.lost)
            stage.lost.clear()
        stage.heal(states)
    except Exception as error:
        raise Violation(
            f"seed {scenario.seed}: {type(error).__name__}: {error}\n"
            f"replay: python -m tests.simulation.twins --seed {scenario.seed} --seats {scenario.seats}\n{scenario}"
        ) from error
    return faults + liar.lies
