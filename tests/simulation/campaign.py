"""Many seeds in a row."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .checkers import Violation
from .world import World, run_seed

Say = Callable[[str], None]


@dataclass
class Outcome:
    """The sum of a campaign."""

    campaign: str
    runs: int = 0
    faults: int = 0
    violations: int = 0
    seconds: float = 0.0
    simulated_ms: int = 0
    blocks: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, world: World) -> None:
        """One run that kept every promise."""
        self.faults += sum(world.faults.values())
        self.simulated_ms += world.now_ms
        self.blocks += world.agreement.height

    def line(self) -> str:
        """The last line of a campaign, for programs."""
        return json.dumps(
            {
                "campaign": self.campaign,
                "runs": self.runs,
                "faults": self.faults,
                "violations": self.violations,
                "seconds": round(self.seconds, 1),
            }
        )


def run_seeds(seeds: Iterable[int], size: int | None = None, real_suite: bool = False, say: Say = print) -> Outcome:
    """Run seeds one by one; a violation is told with its seed and how to replay it, and the campaign goes on."""
    outcome = Outcome("consensus-real" if real_suite else "consensus")
    begun = time.monotonic()
    for seed in seeds:
        outcome.runs += 1
        try:
            outcome.add(run_seed(seed, size, real_suite))
        except Violation as violation:
            outcome.violations += 1
            outcome.failures.append(str(violation))
            say(str(violation))
    outcome.seconds = time.monotonic() - begun
    return outcome
