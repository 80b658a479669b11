"""Traces of many seeds against the model, and of a core with known mistakes, which the model must refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from tests.campaign import Progress
from tests.mutants.catalogue import CATALOGUE

from .checking import rejected
from .traces import Step, Trace, trace_of

BATCH = 50
"""Traces that TLC looks at in one go."""
MUTANT_SEEDS = 60
SAID_OTHERWISE: Final[dict[str, int | None]] = {
    "quorum-2f+1": 6,
    "lock-forgotten-at-restart": None,
    "persist-omitted": None,
    "commits-of-mixed-rounds": None,
    "choice-not-recomputed": None,
    "round-change-unlocked": None,
    "second-proposal-accepted": None,
    "signatures-counted": None,
}
"""Mutants that show in what nodes sign, so that the model must refuse their traces, and the only size at which it is a
mistake (None: any).
"""


@dataclass
class Drift:
    """What the campaign saw. ``refused`` are runs of the production core that are none of the model, or went wrong."""

    traces: int = 0
    steps: int = 0
    faults: int = 0
    refused: int = 0


def check_seeds(seeds: Iterable[int], drift: Drift) -> None:
    """Trace these seeds, let the model judge, and add up what it says."""
    progress = Progress()
    for batch in _batches(map(trace_of, seeds), BATCH):
        drift.traces += len(batch)
        drift.steps += sum(len(trace.steps) for trace in batch)
        drift.faults += sum(trace.faults for trace in batch)
        told = [(trace, f"the model has no such step: {step}") for trace, step in rejected(batch)]
        told += [(trace, trace.broken) for trace in batch if trace.broken is not None]
        drift.refused += len(told)
        for trace, what in told:
            print(f"{trace.name}: {what}\nreplay: python -m tests.model --seed {trace.name.split()[-1]}", flush=True)
        progress(f"{drift.traces} traces: {drift.refused} refused")


def first_refused(mutant: str) -> tuple[Trace, Step] | None:
    """The first trace of a core with a known mistake that is no run of the model, and the step that is not."""
    size = SAID_OTHERWISE[mutant]
    with CATALOGUE[mutant].broken():
        for batch in _batches((trace_of(seed, size=size) for seed in range(MUTANT_SEEDS)), BATCH // 2):
            found = rejected(batch)
            if found:
                return found[0]
    return None


def _batches(traces: Iterator[Trace], size: int) -> Iterator[list[Trace]]:
    while batch := list(islice(traces, size)):
        yield batch
