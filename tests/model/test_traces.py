"""Runs of the simulator are runs of the model; what is altered in them is not. ``make model`` traces a thousand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.mutants.catalogue import CATALOGUE

from . import tlc
from .checking import rejected
from .traces import NOTHING, Step, Trace, trace_of

SEEDS = range(9)  # three of each size; at least one trace gives each alteration its chance

pytestmark = pytest.mark.skipif(tlc.missing() is not None, reason=str(tlc.missing()))

Alteration = Callable[[Trace, Step], Step | None]


def another_value(kind: str) -> Alteration:
    return lambda _, step: replace(step, value=step.value + 7) if step.kind == kind else None


def not_proposed(trace: Trace, step: Step) -> Step | None:
    """Only where the proposer is correct: a faulty one may have proposed anything."""
    seats = trace.seats[step.height - 1]
    proposer = seats[(step.height + step.round) % len(seats)]
    return replace(step, value=step.value + 7) if step.kind == "prepare" and proposer not in trace.faulty else None


def quorum_of_one_less(kind: str) -> Alteration:
    def alter(trace: Trace, step: Step) -> Step | None:
        needed = (2 * len(trace.seats[step.height - 1]) + 2) // 3
        return replace(step, witness=step.witness[: needed - 1]) if step.kind == kind and step.witness else None

    return alter


def voter_twice(_: Trace, step: Step) -> Step | None:
    """One signer stands for two; a set of members does not know it."""
    return replace(step, witness=(step.witness[0], *step.witness[:-1])) if step.kind == "commit" else None


def lock_denied(_: Trace, step: Step) -> Step | None:
    return replace(step, claim=NOTHING) if step.kind == "round-change" and step.claim != NOTHING else None


def lock_invented(_: Trace, step: Step) -> Step | None:
    return replace(step, claim=(0, 9)) if step.kind == "round-change" and step.claim == NOTHING else None


def out_of_turn(trace: Trace, step: Step) -> Step | None:
    seats = [member for member in trace.seats[step.height - 1] if member not in {step.member, *trace.faulty}]
    return replace(step, member=seats[0]) if step.kind == "propose" else None


def commit_of_another_round(_: Trace, step: Step) -> Step | None:
    return replace(step, round=step.round + 1) if step.kind == "decide" else None


def proof_left_out(_: Trace, step: Step) -> Step | None:
    return replace(step, witness=()) if step.kind == "propose" and step.round > 0 else None


ALTERATIONS: dict[str, Alteration] = {
    "PREPARE for what nobody proposed": not_proposed,
    "COMMIT for what it has not prepared": another_value("commit"),
    "decision for another block": another_value("decide"),
    "COMMIT with a PREPARE too few": quorum_of_one_less("commit"),
    "decision with a COMMIT too few": quorum_of_one_less("decide"),
    "COMMIT with one PREPARE counted twice": voter_twice,
    "ROUND-CHANGE that denies its lock": lock_denied,
    "ROUND-CHANGE that claims what it does not hold": lock_invented,
    "PRE-PREPARE out of turn": out_of_turn,
    "PRE-PREPARE of a later round without proof": proof_left_out,
    "decision by COMMITs of another round": commit_of_another_round,
}


def altered(trace: Trace, alter: Alteration) -> Trace | None:
    """The trace with the first step altered that can be."""
    for position, step in enumerate(trace.steps):
        other = alter(trace, step)
        if other is not None:
            return replace(trace, steps=[*trace.steps[:position], other, *trace.steps[position + 1 :]])
    return None


def forgotten(traces: list[Trace]) -> Iterator[Trace]:
    """A member signs a second PREPARE, or none at all before its COMMIT."""
    for trace in traces[:2]:
        commits = {(step.member, step.height, step.round) for step in trace.steps if step.kind == "commit"}
        first = next(
            position
            for position, step in enumerate(trace.steps)
            if step.kind == "prepare" and (step.member, step.height, step.round) in commits
        )
        said = trace.steps[first]
        before, after = trace.steps[:first], trace.steps[first + 1 :]
        yield replace(trace, name="two PREPAREs", steps=[*before, said, replace(said, value=said.value + 1), *after])
        yield replace(trace, name="no PREPARE", steps=[*before, *after])


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    found = [trace_of(seed, heights=3) for seed in SEEDS]
    assert [trace.broken for trace in found] == [None] * len(found)
    return found


def test_runs_of_the_simulator_are_runs_of_the_model_and_altered_ones_are_not(traces: list[Trace]) -> None:
    cases = list(traces)
    for name, alter in ALTERATIONS.items():
        changed = [other for other in (altered(trace, alter) for trace in traces) if other is not None][:3]
        assert changed, f"no trace to alter: {name}"
        cases += [replace(trace, name=name) for trace in changed]
    cases += forgotten(traces)
    refused = [trace for trace, _ in rejected(cases)]
    assert [trace.name for trace in cases if trace not in refused] == [trace.name for trace in traces]


def test_a_core_that_forgets_its_lock_leaves_the_model() -> None:
    with CATALOGUE["lock-forgotten-at-restart"].broken():
        forgetful = [trace_of(seed, heights=3) for seed in SEEDS]
    kinds = {step.kind for _, step in rejected(forgetful)}
    assert "round-change" in kinds
