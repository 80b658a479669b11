"""The verdict on a case: its rule set, read over its events clause by clause.

Every event is judged again by the interpreter that judged it on the chain, under the rules of its own block; what the
clauses came to and what was found are one thing. Each clause of a recorded step is met, breached, not applicable, or
cannot be judged from the chain; so is every term within which a step is still owed, which may also be running. A clause
is known by its step and its number there, the same in every case of a rule set version: 1 who signs, 2 that the step
stands once, 3 what comes before, 4 documents, then the guards and the clocks in their order, then the recording itself:
in order, not ahead of its time, without delay, and that its pauses are counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fazhi_ledger.errors import FazhiError, invariant
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import Finding, ResultSigner

from ..errors import Refused
from .clauses import Clock, Colour, Guard
from .colours import colour_of
from .deadlines import RunningClock, owed_clocks, running_clock
from .interpreter import Judge, Reading
from .judging import IRREGULAR, NOTE, judge_clock, value_of
from .marks import Clear, Marks
from .ruleset import RuleSet, Step
from .settings import Settings
from .vocabulary import AT_MOST, BEFORE, DONE, OWN

MET: Final = "met"
BREACHED: Final = "breached"
NOT_APPLICABLE: Final = "not-applicable"
NOT_JUDGED: Final = "not-judged"
RUNNING: Final = "running"
OUTCOMES: Final = (BREACHED, NOT_JUDGED, RUNNING, MET, NOT_APPLICABLE)

SIGNERS: Final = "signers"
ONCE: Final = "once"
PLACE: Final = "place"
DOCUMENTS: Final = "documents"
GUARD: Final = "guard"
CLOCK: Final = "clock"
ORDER: Final = "order"
FUTURE: Final = "future"
PROMPT: Final = "prompt"
PAUSES: Final = "pauses"

_OPENING: Final = {
    "signers-short": SIGNERS,
    "step-repeated": ONCE,
    "step-skipped": PLACE,
    "documents-short": DOCUMENTS,
}
_CLOSING: Final = {
    "occurred-before-previous": ORDER,
    "occurred-in-future": FUTURE,
    "recorded-late": PROMPT,
    "pause-not-counted": PAUSES,
}
_UNDECIDED: Final = ("calendar-missing", "pause-not-counted")
"""Findings that say that something could not be judged."""


class ReplayDiffers(FazhiError):
    """The rule set, read again, comes to something else than the chain has recorded: ``findings-differ`` with
    ``number``, ``step``, ``recorded`` and ``replayed``, or ``replay-refused`` with ``number``, ``step`` and
    ``refusal``."""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One event as the chain has it. ``time_ms`` is that of its block; ``findings`` are those that the chain recorded,
    None where there are none to compare with; ``settings`` are of the rules of its block."""

    number: int
    step: str
    clear: Clear
    occurred_at_ms: int
    documents: int
    signers: tuple[ResultSigner, ...]
    time_ms: int
    settings: Settings
    standing: tuple[str, ...] = (OWN,)
    findings: tuple[Finding, ...] | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """What one clause came to. ``subject`` is the guard or clock, ``term`` the clock's term where its start stands;
    ``findings`` say how it was breached, or why it cannot be judged; ``confirmed`` false: its figure is yet to be
    confirmed in the text of the law."""

    step: str
    index: int
    kind: str
    outcome: str
    article: str
    severity: str
    confirmed: bool = True
    findings: tuple[Finding, ...] = ()
    subject: Guard | Clock | None = None
    term: RunningClock | None = None

    @property
    def number(self) -> str:
        """``DECIDED.7``"""
        return f"{self.step}.{self.index}"


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """A recorded step. ``outside``: it was recorded after the case file was frozen."""

    event: CaseEvent
    clauses: tuple[Clause, ...]
    outside: bool

    @property
    def entered_later(self) -> bool:
        """Whether it was entered after a step that it had to precede: 事后补录."""
        return any(found.code == "after-step" for clause in self.clauses for found in clause.findings)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case as of a time (Unix milliseconds). ``owed`` are the terms of steps that are not recorded; ``frozen`` is the
    number of the event that decided, with which the case file is complete, None where none did yet; ``marks`` is what
    the case remembers after all its events."""

    rules: RuleSet
    as_of_ms: int
    steps: tuple[StepVerdict, ...]
    owed: tuple[Clause, ...]
    frozen: int | None
    colour: Colour | None
    marks: Marks

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """All of them: those of the events in their order, then the terms owed."""
        return (*(clause for step in self.steps for clause in step.clauses), *self.owed)

    def of(self, outcome: str) -> tuple[Clause, ...]:
        """The clauses that came to that."""
        return tuple(clause for clause in self.clauses if clause.outcome == outcome)

    def articles(self, outcome: str) -> tuple[str, ...]:
        """The articles of those clauses, each once."""
        return tuple(dict.fromkeys(clause.article for clause in self.of(outcome)))


def verdict_on(rules: RuleSet, events: Sequence[CaseEvent], as_of_ms: int, settings: Settings) -> Verdict:
    """The verdict on a case of all these events, in order; terms that are owed are judged as of that time, by
    ``settings``.

    Raises:
        ReplayDiffers: the chain recorded something else than the rule set comes to.
    """
    marks, steps = Marks(), []
    frozen: int | None = None
    for event in events:
        judge = Judge(rules, marks, event.signers, event.time_ms, event.settings, event.standing)
        clauses = _event_clauses(judge, marks, event)
        steps.append(StepVerdict(event, clauses, frozen is not None))
        if frozen is None and rules.by_code[event.step].decides:
            frozen = event.number
        marks = judge.marks()
    owed = tuple(_owed(rules, marks, as_of_ms, settings))
    return Verdict(rules, as_of_ms, tuple(steps), owed, frozen, colour_of(rules, marks, settings, as_of_ms), marks)


def _judged(judge: Judge, event: CaseEvent, reading: Reading) -> tuple[Finding, ...]:
    run = RecordRun(
        0, judge.rules.procedure, event.step, event.clear, (b"",), (event.occurred_at_ms,), (event.documents,)
    )
    try:
        findings = judge.judge(run, 0, event.number, reading)
    except Refused as refusal:
        raise ReplayDiffers("replay-refused", number=event.number, step=event.step, refusal=refusal.code) from None
    if event.findings is not None and event.findings != findings:
        raise ReplayDiffers(
            "findings-differ",
            number=event.number,
            step=event.step,
            recorded=_codes(event.findings),
            replayed=_codes(findings),
        )
    return findings


def _codes(findings: tuple[Finding, ...]) -> str:
    return ", ".join(finding.code for finding in findings) or "–"


def _event_clauses(judge: Judge, marks: Marks, event: CaseEvent) -> tuple[Clause, ...]:
    """Judge the event, and slice what was found by the clauses."""
    reading: Reading = []
    findings = _judged(judge, event, reading)
    step = judge.rules.by_code[event.step]
    opening, closing = findings[: reading[0][1]], findings[reading[-1][1] :]
    clauses = _opening(step, opening)
    recorded, before = marks.by_step(), reading[0][1]
    for place, (asked, after) in enumerate(reading[1:]):
        found, before = findings[before:after], after
        index = len(clauses) + 1
        if place < len(step.guards):
            clauses.append(_guard_clause(step, index, step.guards[place], asked, found, recorded.keys(), event.clear))
        else:
            clock = step.clocks[place - len(step.guards)]
            term = (
                running_clock(step.code, clock, recorded, marks.spans, event.settings)
                if clock.start in recorded
                else None
            )
            outcome = _outcome(asked, found)
            clauses.append(_clock_clause(step, index, clock, outcome, found, term))
    clauses += _closing(judge.rules, step, bool(marks.marks), closing, len(clauses))
    found_in_all = sum(len(clause.findings) for clause in clauses)
    invariant(found_in_all == len(findings), "every finding belongs to a clause")
    return tuple(clauses)


def _outcome(asked: bool, findings: tuple[Finding, ...]) -> str:
    if not findings:
        return MET if asked else NOT_APPLICABLE
    return NOT_JUDGED if all(finding.code in _UNDECIDED for finding in findings) else BREACHED


def _opening(step: Step, findings: tuple[Finding, ...]) -> list[Clause]:
    """Clauses 1 to 4."""
    asked = {
        SIGNERS: True,
        ONCE: not step.repeatable,
        PLACE: bool(step.from_steps),
        DOCUMENTS: step.documents_min > 0,
    }
    clauses = []
    for index, (kind, applies) in enumerate(asked.items(), 1):
        found = tuple(finding for finding in findings if _OPENING[finding.code] == kind)
        article = step.signing.article if kind == SIGNERS else step.article
        confirmed = step.signing.confirmed or kind != SIGNERS
        clauses.append(Clause(step.code, index, kind, _outcome(applies, found), article, IRREGULAR, confirmed, found))
    return clauses


def _guard_clause(
    step: Step,
    index: int,
    guard: Guard,
    asked: bool,
    findings: tuple[Finding, ...],
    recorded: Collection[str],
    clear: Clear,
) -> Clause:
    outcome = _outcome(asked, findings)
    if outcome == MET:
        if guard.kind == AT_MOST and value_of(clear, guard.field or "") is None:
            outcome = NOT_JUDGED  # the record states no such number
        elif guard.kind not in (AT_MOST, DONE, BEFORE) and guard.step not in recorded:
            outcome = NOT_APPLICABLE  # about a step that does not stand
    return Clause(step.code, index, GUARD, outcome, guard.article, guard.severity, guard.confirmed, findings, guard)


def _clock_clause(
    step: Step, index: int, clock: Clock, outcome: str, findings: tuple[Finding, ...], term: RunningClock | None
) -> Clause:
    return Clause(
        step.code, index, CLOCK, outcome, clock.article, clock.severity, clock.confirmed, findings, clock, term
    )


def _closing(
    rules: RuleSet, step: Step, after_others: bool, findings: tuple[Finding, ...], before: int
) -> list[Clause]:
    """The clauses about the recording."""
    pauses = [pause for pause in rules.pauses if step.code in pause.begins or step.code in pause.ends]
    asked = {ORDER: after_others and not step.beside, FUTURE: True, PROMPT: True, PAUSES: bool(pauses)}
    clauses = []
    for index, (kind, applies) in enumerate(asked.items(), before + 1):
        found = tuple(finding for finding in findings if _CLOSING[finding.code] == kind)
        article = pauses[0].article if kind == PAUSES and pauses else rules.record_article
        severity = NOTE if kind in (PROMPT, PAUSES) else IRREGULAR
        clauses.append(Clause(step.code, index, kind, _outcome(applies, found), article, severity, True, found))
    return clauses


def _owed(rules: RuleSet, marks: Marks, as_of_ms: int, settings: Settings) -> Iterable[Clause]:
    """The terms of steps that are awaited."""
    recorded = marks.by_step()
    for step, place, runs in owed_clocks(rules, recorded):
        clock, index = step.clocks[place], 5 + len(step.guards) + place
        if not runs:
            yield _clock_clause(step, index, clock, NOT_APPLICABLE, (), None)
            continue
        found: list[Finding] = []
        judge_clock(clock, recorded, marks.spans, as_of_ms, settings, found)
        outcome = _outcome(True, tuple(found))
        if outcome == MET:
            outcome = RUNNING
        elif any(condition.step is None for condition in (*clock.only_if, *clock.unless)):
            outcome = NOT_JUDGED  # it hangs on a fact of the very record that is not there
        term = running_clock(step.code, clock, recorded, marks.spans, settings)
        yield _clock_clause(step, index, clock, outcome, tuple(found), term)
