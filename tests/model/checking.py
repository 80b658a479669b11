"""Traces against the model: TLC takes each step of each trace, if the model has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from . import tlc
from .traces import Step, Trace

CONFIG: Final = """SPECIFICATION TraceSpec
CONSTANTS
    Values = {}
    MaxHeight = 1000000
    MaxRound = 0
    Free = FALSE
    Mutant = "none"
    Scenarios <- Runs
INVARIANTS Agreement Told
"""


def rejected(traces: Sequence[Trace]) -> list[tuple[Trace, Step]]:
    """The traces that are no runs of the model, each with the first step that the model does not have.

    Raises:
        NoAnswer: TLC gave no verdict.
    """
    answer = tlc.run("Trace", CONFIG, "-workers", "2", "-deadlock", extra={"Data.tla": as_module(traces)})
    if not answer.holds:
        raise tlc.NoAnswer(answer.output)
    reached = [0] * len(traces)
    for run, done in re.findall(r'<<"reached", (\d+), (\d+)>>', answer.output):
        reached[int(run) - 1] = max(reached[int(run) - 1], int(done))
    pairs = zip(traces, reached, strict=True)
    return [(trace, trace.steps[done]) for trace, done in pairs if done < len(trace.steps)]


def as_module(traces: Iterable[Trace]) -> str:
    """The module ``Data`` that ``Trace`` reads."""
    kept = list(traces)
    runs = ",\n".join(_run(trace) for trace in kept)
    steps = ",\n".join(f"<<{', '.join(_tuple(step) for step in trace.steps)}>>" for trace in kept)
    rule = "-" * 4
    return f"{rule} MODULE Data {rule}\nEXTENDS Integers\nRuns == <<\n{runs}\n>>\nSteps == <<\n{steps}\n>>\n====\n"


def _run(trace: Trace) -> str:
    seats = ", ".join(f"<<{', '.join(map(str, members))}>>" for members in trace.seats)
    return f"[seats |-> <<{seats}>>, faulty |-> {{{', '.join(map(str, sorted(trace.faulty)))}}}]"


def _tuple(step: Step) -> str:
    witness = ", ".join(str(w) if isinstance(w, int) else f"<<{w[0]}, <<{w[1]}, {w[2]}>>>>" for w in step.witness)
    claim = f"<<{step.claim[0]}, {step.claim[1]}>>"
    return f'<<"{step.kind}", {step.member}, {step.height}, {step.round}, {step.value}, {claim}, {{{witness}}}>>'
