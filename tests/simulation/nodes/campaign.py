"""Many seeds in a row, on as many processes as there are to be; what they came to, and how to replay what failed."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation.checkers import Violation

from .plan import Plan
from .run import Outcome, run_plan

Say = Callable[[str], None]
TOLD_EVERY = 500


@dataclass
class Sum:
    """The sum of a campaign. Every field but ``cpu_seconds`` is the same whatever the number of processes."""

    campaign: str = "sim"
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

    def line(self, seconds: float) -> str:
        """The last line of a campaign, for programs."""
        return json.dumps(
            {
                "campaign": self.campaign,
                "runs": self.runs,
                "faults": self.faults.total(),
                "violations": len(self.failures),
                "seconds": round(seconds, 1),
            }
        )


def run_one(plan: Plan) -> tuple[Outcome | str, float]:
    """One run: what it came to, or what was violated; and CPU seconds."""
    begun = time.process_time()
    try:
        found: Outcome | str = run_plan(plan)
    except Violation as violation:
        found = str(violation)
    return found, time.process_time() - begun


def run_plans(plans: Iterable[Plan], campaign: str = "sim", jobs: int = 1, say: Say = print) -> Sum:
    """Run many plans; a violation is told with its seed and how to replay it, and the campaign goes on."""
    total = Sum(campaign)
    for found, cpu_seconds in _all(plans, jobs):
        total.add(found, cpu_seconds)
        if isinstance(found, str):
            say(found)
        if total.runs % TOLD_EVERY == 0:
            print(f"{total.runs} runs, {len(total.failures)} violations", file=sys.stderr, flush=True)
    return total


def run_seeds(
    seeds: Iterable[int], size: int | None = None, real_suite: bool = False, jobs: int = 1, say: Say = print
) -> Sum:
    """Run many seeds."""
    plans = (Plan.draw(seed, size, real_suite) for seed in seeds)
    return run_plans(plans, "sim-real" if real_suite else "sim", jobs, say)


def _all(plans: Iterable[Plan], jobs: int) -> Iterator[tuple[Outcome | str, float]]:
    if jobs <= 1:
        yield from map(run_one, plans)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=200) as pool:
        yield from pool.imap(run_one, plans, chunksize=5)
