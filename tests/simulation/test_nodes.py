"""Whole nodes in a simulated world that breaks in every way: a slice of the campaign, and the proof that it would find
a mistake.

A failure prints its seed and the command that replays it. More seeds: ``make sim SEEDS=20000``.
"""

from __future__ import annotations

import pytest
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_ledger.validators import faulty_of

from tests.mutants.campaigns import hunt
from tests.mutants.catalogue import CATALOGUE
from tests.simulation.checkers import Violation

from .interpreters import said_by_two_interpreters
from .nodes.campaign import run_seeds
from .nodes.plan import KINDS, SIZES, TRICKS, Plan
from .nodes.run import Run, run_seed

SLICES = 16
SEEDS = 8
"""In each slice."""
REPLAYED = (11, 64, 110)
"""Among them traitors, records of cases and votes on members."""
JOINED = (40, 46, 204)


@pytest.mark.parametrize("slice_", range(SLICES))
def test_no_seed_breaks_a_promise(slice_: int) -> None:
    total = run_seeds(range(slice_ * SEEDS, (slice_ + 1) * SEEDS))
    assert not total.failures, "\n".join(total.failures)
    assert total.faults.total() > total.runs * 10  # safety.md §4: at least ten faults a seed
    assert total.blocks > total.runs * 3


def test_what_is_drawn_covers_what_is_asked_for() -> None:
    """In a quarter of the seeds as many lie as may; every size, every kind of strike and every trick comes up."""
    plans = [Plan.draw(seed) for seed in range(1_000)]
    assert sum(len(plan.traitors) == faulty_of(plan.size) for plan in plans) > 250
    assert {plan.size for plan in plans} == set(SIZES)
    assert {strike.kind for plan in plans for strike in plan.strikes} == set(KINDS)
    assert {trick for plan in plans for trick in plan.tricks} == set(TRICKS)
    assert all(len(plan.traitors) + len(plan.damaged) <= faulty_of(plan.size) for plan in plans)


def test_no_seed_breaks_a_promise_with_the_real_suite() -> None:
    total = run_seeds(range(3), real_suite=True)
    assert not total.failures, "\n".join(total.failures)


@pytest.mark.parametrize("seed", JOINED)
def test_a_node_that_lost_its_chain_joins_from_a_snapshot_of_anothers(seed: int) -> None:
    """In the middle of everything, its vote log gone or not: nothing is broken, and nothing signed twice."""
    found = run_seed(seed).frames
    assert found["joined from a snapshot"]
    assert found["amnesia of a joined node"]


def test_one_seed_is_one_run_whatever_the_process() -> None:
    """Neither the process, nor its hash seed, nor what ran in it before decides anything."""
    program = f"from tests.simulation.nodes.run import run_seed; print([run_seed(seed).digest for seed in {REPLAYED}])"
    here = [run_seed(seed).digest for seed in reversed(REPLAYED)]
    assert said_by_two_interpreters(program) == {f"{here[::-1]}\n"}


def test_a_gateway_that_goes_back_is_seen_unless_its_chain_was_taken_away() -> None:
    """Also one whose disk was harmed before: that excuses nothing but what was taken."""
    run = Run(Plan.draw(1, 4, True), ED25519_SHA256)
    node = run.nodes[0]
    node.harm("rot-votes", 1)
    run.reads.on_read(node, 5, bytes(32), None)
    with pytest.raises(Violation, match="BACKWARDS"):
        run.reads.on_read(node, 4, bytes(32), None)
    node.harm("wipe-store", 1)
    run.reads.on_read(node, 0, bytes(32), None)


@pytest.mark.parametrize("mutant", [name for name, found in CATALOGUE.items() if "whole nodes" in found.hunters])
def test_a_planted_bug_is_found(mutant: str) -> None:
    with CATALOGUE[mutant].broken():
        assert hunt("whole nodes") is not None
