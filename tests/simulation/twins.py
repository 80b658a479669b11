"""Twins (arXiv 2004.10617): what happens when one validator runs twice.

python -m tests.simulation.twins                     everything; the last line is JSON; exit 1 on a violation
python -m tests.simulation.twins --plain 012 3,5,7   one enumerated scenario (--shy: with the rule of amnesia)
python -m tests.simulation.twins --seed 17           one sampled scenario

**Enumerated**: four validators, the first of them twice, three turns; for each turn who leads it (4) and how the five
are cut in two (16, whole among them): (16 × 4)³ = 262,144 scenarios, each counted and each judged at its own end. Work
is shared where nothing can differ: all 4,096 rows of partitions under one row of leaders are played turn by turn, so
that scenarios with the same first turns share these; and an actor that was told the same things in the same order is
in the same state (it is deterministic, which is checked whenever a path is told again), so its step is taken once.
Scenarios whose five actors all stand in the same states at the end have one end, which is judged once for all of them.
One end in ``HEALED_EVERY`` is healed as well, and the honest must decide. All of it is done twice: with twins that
obey the rule of amnesia and fall silent when they hear each other, and with twins that do not care.

**Sampled**: four to eight turns, n = 4 or 6 with one twin and n = 7 with two, see :mod:`.twins_scenario`;
all are healed.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from tests.campaign import Progress, conclude, workers

from .checkers import Violation
from .twins_cast import Cast, State
from .twins_scenario import Scenario, play
from .twins_stage import Stage, States, within

SEATS: Final = 4
TURNS: Final = 3
PARTITIONS: Final = 16
HEALED_EVERY: Final = 8
SAMPLES: Final = 10_000
CHUNK: Final = 250
SHOWN: Final = 5

T = TypeVar("T")
Leaders = tuple[int, ...]
Rows = list[tuple[int, ...]]
"""Scenarios by their partitions, one for each turn."""


@dataclass
class Tally:
    """The sum of some scenarios."""

    enumerated: int = 0
    sampled: int = 0
    ends: int = 0
    healed: int = 0
    faults: int = 0
    violations: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.enumerated += other.enumerated
        self.sampled += other.sampled
        self.ends += other.ends
        self.healed += other.healed
        self.faults += other.faults
        self.violations += other.violations
        self.shown += other.shown

    def line(self) -> dict[str, Any]:
        """What the last line of a campaign counts."""
        return {"runs": self.enumerated + self.sampled, "faults": self.faults, "violations": self.violations}

    def blame(self, count: int, text: str) -> None:
        """So many scenarios end in this violation."""
        self.violations += count
        if len(self.shown) < SHOWN:
            self.shown.append(text)


def promised(action: Callable[[], T]) -> T:
    """The outcome of ``action``; whatever it raises is a violation."""
    try:
        return action()
    except Exception as error:
        raise Violation(f"{type(error).__name__}: {error}") from error


def all_leaders() -> list[Leaders]:
    """Who leads each of the turns: 4³ rows."""
    return list(itertools.product(range(SEATS), repeat=TURNS))


def enumerate_partitions(leaders: Leaders, shameless: bool, partitions: int = PARTITIONS) -> Tally:
    """All rows of partitions under one row of leaders: 4,096 scenarios."""
    tally = Tally()
    cast = Cast(SEATS, 1, leaders, shameless)
    stage = Stage(cast)
    layer: dict[States, Rows] = {tuple(State.first(cast, actor) for actor in range(SEATS + 1)): [()]}
    for turn in range(TURNS):
        after: dict[States, Rows] = {}
        for states, rows in layer.items():
            for groups in range(partitions):
                longer = [(*row, groups) for row in rows]
                try:
                    found = promised(partial(stage.turn, states, within(groups)))
                except Violation as error:
                    rest = partitions ** (TURNS - turn - 1)
                    tally.enumerated += len(longer) * rest
                    tally.blame(len(longer) * rest, _told(error, leaders, longer[0], shameless))
                    continue
                stage.lost.clear()
                after.setdefault(found, []).extend(longer)
        layer = after
    for number, (states, rows) in enumerate(layer.items()):
        tally.enumerated += len(rows)
        tally.ends += 1
        tally.faults += sum(1 + sum(1 for groups in row if groups) for row in rows)
        try:
            promised(partial(stage.judge, states))
            if number % HEALED_EVERY == 0:
                promised(partial(stage.heal, states))
                tally.healed += len(rows)
        except Violation as error:
            tally.blame(len(rows), _told(error, leaders, rows[0], shameless))
    return tally


def _told(error: Violation, leaders: Leaders, row: tuple[int, ...], shameless: bool) -> str:
    names, cut = "".join(map(str, leaders)), ",".join(map(str, row))
    shy = "" if shameless else " --shy"
    return (
        f"leaders {names}, partitions {cut}: {error}\n"
        f"replay: python -m tests.simulation.twins --plain {names} {cut}{shy}"
    )


def play_plain(leaders: Leaders, row: tuple[int, ...], shameless: bool) -> Tally:
    """One enumerated scenario, alone, then healed."""
    tally = Tally(enumerated=1, ends=1, healed=1)
    cast = Cast(SEATS, 1, leaders, shameless)
    stage = Stage(cast)
    states = tuple(State.first(cast, actor) for actor in range(SEATS + 1))
    try:
        for groups in row:
            states = promised(partial(stage.turn, states, within(groups)))
            promised(partial(stage.judge, states))
        promised(partial(stage.heal, states))
    except Violation as error:
        tally.blame(1, _told(error, leaders, row, shameless))
    tally.faults = 1 + sum(1 for groups in row if groups)
    return tally


def play_seeds(first: int, count: int, seats: int | None = None) -> Tally:
    """Some sampled scenarios."""
    tally = Tally()
    for seed in range(first, first + count):
        tally.sampled += 1
        try:
            tally.faults += play(Scenario.draw(seed, seats))
            tally.healed += 1
        except Violation as violation:
            tally.blame(1, str(violation))
    return tally


def run_all(tally: Tally, samples: int, jobs: int) -> None:
    """Everything, in ``jobs`` processes."""
    progress = Progress()
    with workers(jobs) as pool:
        parts = [pool.submit(enumerate_partitions, row, bold) for bold in (True, False) for row in all_leaders()]
        parts += [pool.submit(play_seeds, first, min(CHUNK, samples - first)) for first in range(0, samples, CHUNK)]
        for number, part in enumerate(parts, 1):
            found = part.result()
            for text in found.shown[: max(0, SHOWN - len(tally.shown))]:
                print(text, flush=True)
            tally.add(found)
            progress(f"{number} of {len(parts)} parts: {tally.violations} violations")


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.twins", description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=SAMPLES, help="how many sampled scenarios")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--plain", nargs=2, metavar=("LEADERS", "PARTITIONS"), help="replay an enumerated scenario")
    parser.add_argument("--shy", action="store_true", help="its twins obey the rule of amnesia")
    parser.add_argument("--seed", type=int, help="replay a sampled scenario")
    parser.add_argument("--seats", type=int, choices=(4, 6, 7), help="its number of validators (default: by the seed)")
    chosen = parser.parse_args()
    tally = Tally()

    def work() -> None:
        if chosen.plain is not None:
            leaders, row = chosen.plain
            tally.add(play_plain(tuple(map(int, leaders)), tuple(map(int, row.split(","))), not chosen.shy))
            print("\n".join(tally.shown))
        elif chosen.seed is not None:
            tally.add(play_seeds(chosen.seed, 1, chosen.seats))
            print("\n".join(tally.shown))
        else:
            run_all(tally, chosen.samples, chosen.jobs)
            print(f"{tally.enumerated} enumerated with {tally.ends} different ends, {tally.sampled} sampled, ", end="")
            print(f"{tally.healed} healed")

    return conclude("twins", work, tally.line)


if __name__ == "__main__":
    sys.exit(main())
