"""Whole clusters of production replicas under faults and traitors. That this would find a mistake is shown in
tests/mutants.

A failure prints its seed and the command that replays it. More seeds: ``python -m tests.simulation --seeds 100000``.
"""

from __future__ import annotations

import pytest

from .campaign import run_seeds
from .interpreters import said_by_two_interpreters
from .world import SIZES, run_seed

SEEDS = 120
REAL_SEEDS = 6


@pytest.mark.parametrize("size", SIZES)
def test_no_seed_breaks_a_promise(size: int) -> None:
    outcome = run_seeds(range(1_000 * size, 1_000 * size + SEEDS // len(SIZES)), size)
    assert not outcome.failures, "\n".join(outcome.failures)
    assert outcome.faults > outcome.runs * 10  # safety.md §4: at least ten faults a seed
    assert outcome.blocks > outcome.runs * 3


def test_no_seed_breaks_a_promise_with_the_real_suite() -> None:
    outcome = run_seeds(range(REAL_SEEDS), real_suite=True)
    assert not outcome.failures, "\n".join(outcome.failures)


def test_one_seed_is_one_run_whatever_the_hash_seed() -> None:
    """No order of sets or dictionaries of objects decides anything: two interpreters see the same frames."""
    program = "from tests.simulation.world import run_seed; print(run_seed(11).digest())"
    assert said_by_two_interpreters(program) == {run_seed(11).digest() + "\n"}
