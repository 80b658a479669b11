"""``python -m tests.mutants``: break every rule of the catalogue, one at a time, and see who notices.

python -m tests.mutants                  all of them; a table, then one line of JSON; exit 1 where one gets away
python -m tests.mutants join-at-f        these alone
python -m tests.mutants --list           their names

A mutant counts as caught where at least one of its hunters sees it; a violation is one that none sees, or a campaign
that sees something where nothing was broken: after the hunt each runs the seeds that caught something once more,
without a mutant.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

from .campaigns import CAMPAIGNS, failing_test, hunt
from .catalogue import CATALOGUE

CLEAN_SEEDS: Final = 20
"""Without a mutant each campaign runs at least so many."""


@dataclass(frozen=True)
class Catch:
    """What one hunter made of one mutant; ``seed`` is None for a file of tests, ``said`` where it saw nothing."""

    mutant: str
    hunter: str
    seed: int | None
    said: str | None
    seconds: float

    @property
    def text(self) -> str:
        """For the table."""
        if self.said is None:
            return f"not by {self.hunter}"
        if self.seed is None:
            return f"`{self.hunter}` ({self.said})"
        return f"{self.hunter}: {self.seed + 1}"


def chase(mutant: str) -> list[Catch]:
    """All hunters of one mutant."""
    found = []
    for hunter in CATALOGUE[mutant].hunters:
        begun = time.process_time()
        seed, said = None, None
        if hunter in CAMPAIGNS:
            with CATALOGUE[mutant].broken():
                caught = hunt(hunter)
            if caught is not None:
                seed, said = caught
        else:
            said = failing_test(hunter, mutant)
        found.append(Catch(mutant, hunter, seed, said, time.process_time() - begun))
    return found


def clean(hunter: str, seeds: int) -> str | None:
    """What a hunter sees where nothing is broken."""
    if hunter not in CAMPAIGNS:
        return failing_test(hunter, None)
    caught = hunt(hunter, count=seeds)
    return None if caught is None else f"seed {caught[0]}: {caught[1]}"


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("mutant", nargs="*", choices=[*CATALOGUE, []], help="these alone (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(f"{name}: {mutant.rule}" for name, mutant in CATALOGUE.items()))
        return 0
    begun = time.monotonic()
    names = chosen.mutant or list(CATALOGUE)
    uncaught, sullied = 0, 0
    deepest: dict[str, int] = {}
    print("| mutant | rule | caught by, after so many seeds |\n|---|---|---|")
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for name, catches in zip(names, pool.map(chase, names), strict=True):
            caught = any(catch.said is not None for catch in catches)
            uncaught += not caught
            for catch in catches:
                deepest[catch.hunter] = max(deepest.get(catch.hunter, CLEAN_SEEDS), (catch.seed or 0) + 1)
            text = ", ".join(catch.text for catch in catches)
            print(
                f"| {name} | {CATALOGUE[name].rule} | {text if caught else '**nobody** (' + text + ')'} |", flush=True
            )
        for hunter, seen in zip(deepest, pool.map(clean, deepest, deepest.values()), strict=True):
            sullied += seen is not None
            state = "clean" if seen is None else f"SEES {seen}"
            print(f"without a mutant, {hunter}, {deepest[hunter]} seeds: {state}", flush=True)
    line = {"campaign": "mutants", "runs": len(names), "faults": len(names), "violations": uncaught + sullied}
    print(json.dumps({**line, "seconds": round(time.monotonic() - begun, 1)}))
    return 1 if uncaught or sullied else 0


if __name__ == "__main__":
    sys.exit(main())
