"""Many seeds in a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.campaign import Progress

from .checkers import Violation
from .world import World, run_seed


@dataclass
class Outcome:
    """The sum of a campaign."""

    runs: int = 0
    faults: int = 0
    simulated_ms: int = 0
    blocks: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, world: World) -> None:
        """One run that kept every promise."""
        self.faults += sum(world.faults.values())
        self.simulated_ms += world.now_ms
        self.blocks += world.agreement.height

    def line(self) -> dict[str, Any]:
        """What the last line of a campaign counts."""
        return {"runs": self.runs, "faults": self.faults, "violations": len(self.failures)}


def run_seeds(
    seeds: Iterable[int], size: int | None = None, real_suite: bool = False, outcome: Outcome | None = None
) -> Outcome:
    """Run seeds one by one, and add them to an outcome; a violation is told with its seed and how to replay it, and the
    campaign goes on.
    """
    outcome, progress = outcome or Outcome(), Progress()
    for seed in seeds:
        outcome.runs += 1
        try:
            outcome.add(run_seed(seed, size, real_suite))
        except Violation as violation:
            outcome.failures.append(str(violation))
            print(violation)
        progress(f"{outcome.runs} runs, {len(outcome.failures)} violations")
    return outcome
