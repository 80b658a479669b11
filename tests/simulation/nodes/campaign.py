"""Many seeds in a row, on as many processes as there are to be; what they came to, and how to replay what failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tests.campaign import Progress, workers
from tests.simulation.checkers import Violation

from .plan import Plan
from .run import Outcome, run_plan

RENEWED_AFTER = 1_000
"""Runs of a process: whatever it keeps is given back then."""


@dataclass
class Sum:
    """The sum of a campaign. Every field but ``cpu_seconds`` is the same whatever the number of processes."""

    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    with_traitors: int = 0
    simulated_ms: int = 0
    slowest_ms: int = 0
    blocks: int = 0
    submissions: int = 0
    events: int = 0
    cpu_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, found: Outcome | str, cpu_seconds: float) -> None:
        """One more run: what it came to, or what was violated."""
        self.runs += 1
        self.cpu_seconds += cpu_seconds
        if isinstance(found, str):
            self.failures.append(found)
            return
        self.faults += found.faults
        self.frames += found.frames
        self.with_traitors += bool(found.plan.traitors)
        self.simulated_ms += found.simulated_ms
        self.slowest_ms = max(self.slowest_ms, found.healed_ms)
        self.blocks += found.blocks
        self.submissions += found.submissions
        self.events += found.events

    def report(self) -> str:
        """What a person wants to know."""
        runs = max(1, self.runs)
        kinds = "  ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        frames = "  ".join(f"{kind} {count}" for kind, count in sorted(self.frames.items()))
        hours, per_thousand = self.simulated_ms / 3_600_000, self.simulated_ms / 3_600 / runs
        speed = f"{self.cpu_seconds / runs:.3f} CPU seconds a seed"
        amounts = f"{self.blocks} blocks, {self.submissions} submissions, {self.events} events"
        lines = [
            f"faults by kind: {kinds}",
            f"frames and more: {frames}",
            f"{self.runs} runs, {self.with_traitors} with traitors; {self.faults.total() / runs:.1f} faults a seed",
            f"{hours:.2f} simulated hours, {per_thousand:.2f} per 1,000 seeds; {amounts}",
            f"{speed}; slowest recovery {self.slowest_ms / 1000:.1f} virtual seconds",
        ]
        return "\n".join(lines)

    def line(self) -> dict[str, Any]:
        """What the last line of a campaign counts."""
        return {"runs": self.runs, "faults": self.faults.total(), "violations": len(self.failures)}


def run_one(plan: Plan) -> tuple[Outcome | str, float]:
    """One run: what it came to, or what was violated; and CPU seconds."""
    begun = time.process_time()
    try:
        found: Outcome | str = run_plan(plan)
    except Violation as violation:
        found = str(violation)
    return found, time.process_time() - begun


def run_plans(plans: Iterable[Plan], total: Sum, jobs: int = 1) -> None:
    """Run many plans; a violation is told with its seed and how to replay it, and the campaign goes on."""
    progress = Progress()
    with closing(_all(plans, jobs)) as outcomes:
        for found, cpu_seconds in outcomes:
            total.add(found, cpu_seconds)
            if isinstance(found, str):
                print(found, flush=True)
            progress(f"{total.runs} runs, {len(total.failures)} violations")


def run_seeds(seeds: Iterable[int], real_suite: bool = False) -> Sum:
    """Run many seeds."""
    total = Sum()
    run_plans((Plan.draw(seed, real_suite=real_suite) for seed in seeds), total)
    return total


def _all(plans: Iterable[Plan], jobs: int) -> Generator[tuple[Outcome | str, float], None, None]:
    if jobs <= 1:
        yield from map(run_one, plans)
        return
    waiting = iter(plans)
    while batch := list(islice(waiting, jobs * RENEWED_AFTER)):
        with workers(jobs) as pool:
            yield from pool.map(run_one, batch, chunksize=5)
