"""Reading a rule set over a case: given what the case remembers and one more record, either a refusal, or findings and
the new memory.

The same function runs in every node, in the auditor and offline in the verifier of a trail. A breach that a bureau
could honestly have to record is a finding; only what cannot be is refused (design §7).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from operator import gt
from typing import Final

from fazhi_ledger.errors import Parameter
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import Finding, ResultSigner

from ..calendar import end_of_day_ms, local_day
from ..errors import Refused
from .marks import NO_CLEAR, NO_SIGNERS, Clear, Marks, StepMark
from .ruleset import Clock, Condition, Guard, RuleSet, Step
from .vocabulary import DONE, FIRST, OUTCOME

NOTE: Final = "note"
IRREGULAR: Final = "irregular"
GRAVE: Final = "grave"

MarksByStep = dict[str, StepMark]


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters of the chain that the interpreter reads."""

    utc_offset_min: int
    late_record_ms: int
    max_clock_skew_ms: int

    @classmethod
    def of(cls, parameters: Parameters) -> Settings:
        """The settings out of a chain's parameters."""
        return cls(
            parameters.get("utc_offset_min"), parameters.get("late_record_ms"), parameters.get("max_clock_skew_ms")
        )


class Judge:
    """Judges the records of one submission in one case, one after another, in a block of ``time_ms``, and remembers
    what the case remembers of them.
    """

    __slots__ = ("_by_step", "_last_step", "_latest", "_settings", "_short", "_signers", "_time_ms", "rules")

    def __init__(
        self, rules: RuleSet, marks: Marks, signers: tuple[ResultSigner, ...], time_ms: int, settings: Settings
    ) -> None:
        self.rules = rules
        self._by_step = marks.by_step()
        self._latest = max(marks.marks, key=lambda mark: mark.last_number) if marks.marks else None
        self._signers = signers
        self._time_ms = time_ms
        self._settings = settings
        self._last_step: Step | None = None
        self._short: Finding | None = None  # of the step last judged: the signers are the same for all records

    def marks(self) -> Marks:
        """What the case remembers."""
        return Marks(tuple(self._by_step.values()))

    def judge(self, run: RecordRun, place: int, number: int) -> tuple[Finding, ...]:
        """Judge the record at that place of a run, the ``number``-th event of the case, and remember it unless it is
        refused.

        Raises:
            Refused: ``unknown-step``, ``case-closed``, ``impossible-step``, ``role-not-allowed``,
                ``unknown-clear-field``, ``unknown-clear-value`` or ``missing-clear-field``.
        """
        rules, marks, signers, settings = self.rules, self._by_step, self._signers, self._settings
        step, occurred_at_ms = rules.by_code.get(run.step), run.occurred_at_ms[place]
        if step is None:
            raise Refused("unknown-step", step=run.step)
        if not rules.terminal.isdisjoint(marks):
            closed_by = next(code for code in marks if code in rules.terminal)
            raise Refused("case-closed", step=step.code, closed_by=closed_by)
        if step.requires and _none_of(step.requires, marks):
            raise Refused("impossible-step", step=step.code, requires=_listed(step.requires))
        clear = _check_clear(step, run) if run.clear or step.required_clear else NO_CLEAR
        findings: list[Finding] = []
        if step is not self._last_step:
            self._short = self._signers_short(step)
            self._last_step = step
        if self._short is not None:
            findings.append(self._short)
        if not step.repeatable and step.code in marks:
            first = marks[step.code].first_number
            findings.append(_finding("step-repeated", step.article, IRREGULAR, step=step.code, first=first))
        if step.from_steps and _none_of(step.from_steps, marks):
            findings.append(_step_skipped(step.article, step.from_steps))
        if run.commitment_counts[place] < step.documents_min:
            required, found = step.documents_min, run.commitment_counts[place]
            findings.append(_finding("documents-short", step.article, IRREGULAR, required=required, found=found))
        for guard in step.guards:
            _judge_guard(guard, marks, clear, signers, findings)
        for clock in step.clocks:
            _judge_clock(clock, marks, clear, occurred_at_ms, settings, findings)
        _judge_times(rules, self._latest, occurred_at_ms, self._time_ms, settings, findings)
        self._remember(step.code, number, occurred_at_ms, clear)
        return tuple(findings)

    def repeat(self, run: RecordRun, place: int, end: int) -> bool:
        """Whether the records of a run from ``place`` up to ``end``, of this case like the two before them, come to the
        same findings as the last of those. Then they are remembered as well, and need not be judged.

        From the second on, records of a run find the same steps recorded, in the same order and with the same clear
        fields and signers. What may still differ are times and commitments: they must call for no finding at all.
        """
        step = self.rules.by_code[run.step]
        mark = self._by_step[run.step]
        times = run.occurred_at_ms[place - 2 : end]
        if any(map(gt, times, times[1:])):  # one that occurred before its previous
            return False
        if not self._is_usual(run, step, place - 2, end) or self._ends_a_clock(step, times[-1]):
            return False
        more = end - place
        self._by_step[run.step] = self._latest = StepMark(
            mark.step,
            mark.count + more,
            mark.first_number,
            mark.last_number + more,
            mark.first_occurred_ms,
            times[-1],
            mark.clear,
            mark.signers,
        )
        return True

    def _ends_a_clock(self, step: Step, occurred_at_ms: int) -> bool:
        """Whether one of the step's clocks may have run out by then."""
        day = local_day(occurred_at_ms, self._settings.utc_offset_min)
        starts = [(clock, self._by_step.get(clock.start)) for clock in step.clocks]
        return any(start is not None and day > due_day(clock, start, self._settings) for clock, start in starts)

    def opens_alike(self, run: RecordRun) -> bool:
        """Whether the records of a run, each the first of a case of its own, come to the same findings as the first of
        them, which was judged."""
        return self._is_usual(run, self.rules.by_code[run.step], 0, len(run))

    def _is_usual(self, run: RecordRun, step: Step, begin: int, end: int) -> bool:
        """Whether neither the times of these records nor their commitments call for a finding, each by itself."""
        settings, times = self._settings, run.occurred_at_ms[begin:end]
        return (
            min(run.commitment_counts[begin:end]) >= step.documents_min
            and min(times) >= self._time_ms - settings.late_record_ms
            and max(times) <= self._time_ms + settings.max_clock_skew_ms
        )

    def _remember(self, step: str, number: int, occurred_at_ms: int, clear: Clear) -> None:
        watched = step in self.rules.watched
        signers = tuple(sorted([signer.key for signer in self._signers])) if watched else NO_SIGNERS
        known = self._by_step.get(step)
        if known is None:
            mark = StepMark(step, 1, number, number, occurred_at_ms, occurred_at_ms, clear, signers)
        else:
            first, first_ms = known.first_number, known.first_occurred_ms
            mark = StepMark(step, known.count + 1, first, number, first_ms, occurred_at_ms, clear, signers)
        self._by_step[step] = self._latest = mark

    def _signers_short(self, step: Step) -> Finding | None:
        """The finding that too few have signed the step."""
        rule = step.signing
        found = 0
        for signer in self._signers:
            for role in signer.roles:
                if role in rule.roles:
                    found += 1
                    break
        if found == 0:
            raise Refused("role-not-allowed", step=step.code, roles=_listed(rule.roles))
        if found >= rule.minimum:
            return None
        return _finding(
            "signers-short",
            rule.article,
            IRREGULAR,
            rule.confirmed,
            roles=_listed(rule.roles),
            required=rule.minimum,
            found=found,
        )


def _none_of(steps: tuple[str, ...], marks: MarksByStep) -> bool:
    """Whether none of these steps was recorded."""
    return marks.keys().isdisjoint(steps)


def _check_clear(step: Step, run: RecordRun) -> Clear:
    """The records' clear fields, all of them out of the step's vocabulary."""
    accepted: list[tuple[str, str]] = []
    for name, value in run.clear:
        known = step.vocabulary.get(name)
        if known is None:
            raise Refused("unknown-clear-field", step=step.code, field=name)
        if not isinstance(value, str) or value not in known:
            raise Refused("unknown-clear-value", step=step.code, field=name, value=value)
        accepted.append((name, value))
    for required in step.required_clear:
        if all(required != name for name, _ in accepted):
            raise Refused("missing-clear-field", step=step.code, field=required)
    return tuple(accepted)


@lru_cache(maxsize=256)  # by the rule set alone, and the same in every record of a batch that has skipped a step
def _step_skipped(article: str, from_steps: tuple[str, ...]) -> Finding:
    return _finding("step-skipped", article, IRREGULAR, expected=_listed(from_steps))


def _judge_guard(
    guard: Guard, marks: MarksByStep, clear: Clear, signers: tuple[ResultSigner, ...], findings: list[Finding]
) -> None:
    if guard.only_if is not None and not _holds(guard.only_if, marks, clear):
        return
    if guard.unless is not None and _holds(guard.unless, marks, clear):
        return
    mark = marks.get(guard.step)
    if guard.kind == DONE:
        since = None if guard.since is None else marks.get(guard.since)
        if mark is None:
            findings.append(_finding("step-missing", guard.article, guard.severity, guard.confirmed, step=guard.step))
        elif since is not None and mark.last_number < since.last_number:
            findings.append(
                _finding(
                    "step-outdated", guard.article, guard.severity, guard.confirmed, step=guard.step, since=since.step
                )
            )
    elif mark is None:
        return
    elif guard.kind == OUTCOME:
        value = _value_of(mark.clear, guard.field or "")
        if value not in guard.values:
            findings.append(
                _finding(
                    "outcome-adverse",
                    guard.article,
                    guard.severity,
                    guard.confirmed,
                    step=guard.step,
                    field=guard.field or "",
                    value=value or "",
                )
            )
    elif any(signer.key in mark.signers for signer in signers):
        findings.append(_finding("same-signer", guard.article, guard.severity, guard.confirmed, step=guard.step))


def _judge_clock(
    clock: Clock, marks: MarksByStep, clear: Clear, occurred_at_ms: int, settings: Settings, findings: list[Finding]
) -> None:
    mark = marks.get(clock.start)
    if mark is None or (clock.only_if is not None and not _holds(clock.only_if, marks, clear)):
        return
    late_days = local_day(occurred_at_ms, settings.utc_offset_min) - due_day(clock, mark, settings)
    if late_days > 0:
        findings.append(
            _finding(
                "deadline-exceeded",
                clock.article,
                clock.severity,
                clock.confirmed,
                start=clock.start,
                days=clock.days,
                late_days=late_days,
            )
        )


def due_day(clock: Clock, start: StepMark, settings: Settings) -> int:
    """The last day (counted from 1970-01-01 in the chain's offset) on which the clock's step is in time."""
    start_ms = start.first_occurred_ms if clock.counted == FIRST else start.last_occurred_ms
    shifted = sum(shift.days for shift in clock.shifts if (shift.field, shift.value) in start.clear)
    return local_day(start_ms, settings.utc_offset_min) + shifted + clock.days


def _judge_times(
    rules: RuleSet,
    latest: StepMark | None,
    occurred_at_ms: int,
    time_ms: int,
    settings: Settings,
    findings: list[Finding],
) -> None:
    """Breaches of the recording itself: out of order, late, or of something that has not happened yet."""
    if latest is not None and occurred_at_ms < latest.last_occurred_ms:
        findings.append(
            _finding(
                "occurred-before-previous",
                rules.record_article,
                IRREGULAR,
                previous=latest.step,
                earlier_ms=latest.last_occurred_ms - occurred_at_ms,
            )
        )
    if occurred_at_ms > time_ms + settings.max_clock_skew_ms:
        findings.append(
            _finding("occurred-in-future", rules.record_article, IRREGULAR, ahead_ms=occurred_at_ms - time_ms)
        )
    if time_ms - occurred_at_ms > settings.late_record_ms:
        findings.append(
            _finding(
                "recorded-late",
                rules.record_article,
                NOTE,
                late_ms=time_ms - occurred_at_ms,
                limit_ms=settings.late_record_ms,
            )
        )


@dataclass(frozen=True, slots=True)
class RunningClock:
    """A deadline that runs: ``step`` is due on ``due_day``, at the latest at ``due_ms``, counted from ``start``."""

    step: str
    start: str
    days: int
    due_day: int
    due_ms: int
    article: str
    confirmed: bool


def running_clocks(rules: RuleSet, marks: Marks, settings: Settings) -> tuple[RunningClock, ...]:
    """The deadlines that have started and whose step has not been recorded yet, soonest first; none once the case is
    closed.

    A clock that hangs on a fact of the awaited record itself is listed as running: the fact is not known yet.
    """
    recorded = marks.by_step()
    closed = not rules.terminal.isdisjoint(recorded)
    running: list[RunningClock] = []
    for step in () if closed else rules.steps:
        for clock in () if step.code in recorded else step.clocks:
            start = recorded.get(clock.start)
            condition = clock.only_if
            if start is None or (condition is not None and condition.step and not _holds(condition, recorded, ())):
                continue
            day = due_day(clock, start, settings)
            due_ms = end_of_day_ms(day, settings.utc_offset_min)
            running.append(
                RunningClock(step.code, clock.start, clock.days, day, due_ms, clock.article, clock.confirmed)
            )
    return tuple(sorted(running, key=lambda clock: clock.due_ms))


def _holds(condition: Condition, marks: MarksByStep, clear: Clear) -> bool:
    if condition.step is None:
        return _value_of(clear, condition.field) in condition.values
    mark = marks.get(condition.step)
    return mark is not None and _value_of(mark.clear, condition.field) in condition.values


def _value_of(clear: Clear, name: str) -> str | None:
    for known, value in clear:
        if known == name:
            return value
    return None


def _listed(codes: tuple[str, ...]) -> str:
    """Codes as one parameter, within the bound of a result's parameter."""
    return "/".join(codes)[:256]


def _finding(code: str, clause: str, severity: str, confirmed: bool = True, **parameters: str | int) -> Finding:
    named: tuple[Parameter, ...] = tuple(parameters.items())
    if not confirmed:
        # The figure behind this rule is configuration that nobody has confirmed in the law's text yet: say so wherever
        # it bites.
        named = (*named, ("to_confirm", 1))
    return Finding(code, clause, severity, named)
