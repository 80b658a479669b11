"""A whole hunt: every mutant before its hunters, and then the hunters once more where nothing is broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.campaign import workers

from .campaigns import CAMPAIGNS, failing_test, hunt
from .catalogue import CATALOGUE

CLEAN_SEEDS: Final = 20
"""Without a mutant each campaign runs at least so many."""
STUMBLE: Final = re.compile(r"\b(Type|Attribute|Name|UnboundLocal|Index|Key)Error\b")
"""What a patch that breaks more than its rule stumbles over: nobody has seen the rule broken then."""


@dataclass(frozen=True)
class Catch:
    """What one hunter made of a mutant; ``seed`` is None for a file of tests, ``said`` where it saw nothing."""

    hunter: str
    seed: int | None
    said: str | None

    @property
    def counts(self) -> bool:
        """Whether it has seen the rule broken."""
        return self.said is not None and STUMBLE.search(self.said) is None

    @property
    def text(self) -> str:
        """For the table."""
        if not self.counts:
            return f"not by {self.hunter}{f' ({self.said})' if self.said else ''}"
        if self.seed is None:
            return f"`{self.hunter}` ({self.said})"
        return f"{self.hunter}: {self.seed + 1}"


def chase(mutant: str) -> list[Catch]:
    """All hunters of one mutant."""
    found = []
    for hunter in CATALOGUE[mutant].hunters:
        seed, said = None, None
        if hunter in CAMPAIGNS:
            with CATALOGUE[mutant].broken():
                caught = hunt(hunter)
            if caught is not None:
                seed, said = caught
        else:
            said = failing_test(hunter, mutant)
        found.append(Catch(hunter, seed, said))
    return found


def clean(hunter: str, seeds: int) -> str | None:
    """What a hunter sees where nothing is broken."""
    if hunter not in CAMPAIGNS:
        return failing_test(hunter, None)
    caught = hunt(hunter, seeds)
    return None if caught is None else f"seed {caught[0]}: {caught[1]}"


@dataclass
class Season:
    """The whole hunt: how many mutants were hunted, how many got away, and how many hunters saw what was not there."""

    hunted: int = 0
    uncaught: int = 0
    sullied: int = 0

    def run(self, names: Sequence[str], jobs: int) -> None:
        """Hunt these; the table on stdout."""
        deepest: dict[str, int] = {}
        print("| mutant | rule | caught by, after so many seeds |\n|---|---|---|")
        with workers(jobs) as pool:
            for name, catches in zip(names, pool.map(chase, names), strict=True):
                caught = any(catch.counts for catch in catches)
                self.hunted += 1
                self.uncaught += not caught
                for catch in catches:
                    deepest[catch.hunter] = max(deepest.get(catch.hunter, CLEAN_SEEDS), (catch.seed or 0) + 1)
                text = ", ".join(catch.text for catch in catches)
                told = text if caught else f"**nobody** ({text})"
                print(f"| {name} | {CATALOGUE[name].rule} | {told} |", flush=True)
            for hunter, seen in zip(deepest, pool.map(clean, deepest, deepest.values()), strict=True):
                self.sullied += seen is not None
                state = "clean" if seen is None else f"SEES {seen}"
                print(f"without a mutant, {hunter}, {deepest[hunter]} seeds: {state}", flush=True)

    def line(self) -> dict[str, Any]:
        """What the last line counts."""
        return {"runs": self.hunted, "faults": self.hunted, "violations": self.uncaught + self.sullied}
