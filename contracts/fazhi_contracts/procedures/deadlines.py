"""When a term ends: the arithmetic of clocks over what a case remembers. All in whole days of the chain's offset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..calendar import DAY_MS, add_months, end_of_day_ms, local_day
from ..workdays import CalendarMissing
from .clauses import Clock
from .marks import Marks, Spans, StepMark
from .parts import Condition
from .ruleset import RuleSet, Step
from .settings import Settings
from .vocabulary import CALENDAR_DAYS, FIRST, HOURS, LAST, MONTHS, WORKING_DAYS, YEARS

HOUR_MS: Final = 3_600_000
LONGEST_REST_DAYS: Final = 15
"""More than any row of days without work ever was (eleven, Spring Festival of 2020, prolonged)."""

MarksByStep = dict[str, StepMark]


@dataclass(frozen=True, slots=True)
class TermEnd:
    """The last day of a term: counted from 1970-01-01, and from when to when it lasts. A term in hours ends in an
    instant."""

    day: int
    begin_ms: int
    end_ms: int

    @classmethod
    def of_day(cls, day: int, settings: Settings) -> TermEnd:
        """That day, whole."""
        end_ms = end_of_day_ms(day, settings.utc_offset_min)
        return cls(day, end_ms - DAY_MS + 1, end_ms)


def plain_end(
    clock: Clock, marks: MarksByStep, spans: Spans, settings: Settings, every_day: bool = False
) -> TermEnd | None:
    """The end of a term whose start stands in the case, before it is moved off a day without work; None while a pause
    lasts. As if people worked ``every_day`` it is the earliest end that any calendar could give.

    Raises:
        CalendarMissing: it is counted in working days of a year that was not voted.
    """
    start = marks[clock.start]
    first = clock.counted == FIRST
    start_ms = start.first_occurred_ms if first else start.last_occurred_ms
    number = start.first_number if first else start.last_number
    amount = clock.amount
    unit = CALENDAR_DAYS if every_day and clock.unit == WORKING_DAYS else clock.unit
    for extension in clock.extensions:
        longer = marks.get(extension.step)
        if longer is not None and longer.last_number > number:
            amount += extension.amount
    if unit == HOURS:
        at_ms = start_ms + amount * HOUR_MS
        return TermEnd(local_day(at_ms, settings.utc_offset_min), at_ms, at_ms)
    day = local_day(start_ms, settings.utc_offset_min)
    if clock.shifts:
        day += sum(shift.days for shift in clock.shifts if (shift.field, shift.value) in start.clear)
    left_out = _left_out(clock, spans) if clock.pauses and spans else []
    end = _after(day, amount, unit, left_out, settings)
    return None if end is None else TermEnd.of_day(end, settings)


def rolled(end: TermEnd, clock: Clock, settings: Settings, at_ms: int | None = None) -> TermEnd:
    """The end of a term, moved to the next working day where the clock says so. An event ``at_ms`` that lies further
    behind than any rest needs no calendar: it is behind the end by whatever one, and is held against the plain end.

    Raises:
        CalendarMissing: the calendar of that year was not voted.
    """
    if not clock.rolls:
        return end
    try:
        day = settings.workdays.on_or_after(end.day)
    except CalendarMissing:
        if at_ms is None or at_ms <= end.end_ms + LONGEST_REST_DAYS * DAY_MS:
            raise
        return end
    return end if day == end.day else TermEnd.of_day(day, settings)


def _left_out(clock: Clock, spans: Spans) -> list[tuple[int, int | None]]:
    """The days that the clock's pauses leave out, (begin, end]: in order, none within another."""
    found = sorted(
        (span for code, each in spans if code in clock.pauses for span in each),
        key=lambda span: (span[0], span[1] is None, span[1] or 0),
    )
    merged: list[tuple[int, int | None]] = []
    for begin, end in found:
        if merged:
            before, until = merged[-1]
            if until is None:
                break
            if begin <= until:
                merged[-1] = before, None if end is None else max(until, end)
                continue
        merged.append((begin, end))
    return merged


def _after(
    day: int, amount: int, unit: str, left_out: list[tuple[int, int | None]], settings: Settings
) -> int | None:  # fmt: skip
    """The last of ``amount`` units after ``day`` that are not left out; None where a pause lasts before it is over."""
    working = unit == WORKING_DAYS
    if unit == MONTHS:
        amount = add_months(day, amount) - day
    elif unit == YEARS:
        amount = add_months(day, 12 * amount) - day
    for begin, end in left_out:
        if end is not None and end <= day:
            continue
        day, amount = _count(day, amount, begin, working, settings)
        if not amount:
            return day
        if end is None:
            return None
        day = end
    return _count(day, amount, None, working, settings)[0]


def _count(day: int, amount: int, stop: int | None, working: bool, settings: Settings) -> tuple[int, int]:
    """Count on from ``day``, as far as ``stop``: where that leads, and what is left of the amount."""
    if stop is not None and stop <= day:
        return day, amount
    if working:
        return settings.workdays.count_on(day, amount, stop)
    last = day + amount if stop is None else min(day + amount, stop)
    return last, day + amount - last


@dataclass(frozen=True, slots=True)
class RunningClock:
    """A term that runs: ``step`` is due on ``due_day``, at the latest at ``due_ms``, counted from ``start``, which
    happened on ``start_day``.

    ``due_day`` and ``due_ms`` are None while a pause lasts, or where no day can be named without the calendar of
    ``missing_year``, which was not voted. Where that only tells whether the last day is one of rest, they are the
    earliest that may be.
    """

    step: str
    start: str
    amount: int
    unit: str
    start_day: int
    due_day: int | None
    due_ms: int | None
    missing_year: int | None
    article: str
    confirmed: bool

    def is_overdue(self, at_ms: int) -> bool:
        """Whether it has run out before that time: where a calendar is missing, by whatever one."""
        if self.due_ms is None:
            return False
        return at_ms > self.due_ms + (0 if self.missing_year is None else LONGEST_REST_DAYS * DAY_MS)


def running_clocks(rules: RuleSet, marks: Marks, settings: Settings) -> tuple[RunningClock, ...]:
    """The terms within which a step is owed that has not been recorded yet, or not since what a term of a repeatable
    step was last counted from; soonest first. Once the case is closed those of steps that may still come.

    One that hangs on a fact of the awaited record itself is listed as running: the fact is not known yet.
    """
    recorded = marks.by_step()
    running = [
        running_clock(step.code, step.clocks[place], recorded, marks.spans, settings)
        for step, place, runs in owed_clocks(rules, recorded)
        if runs
    ]
    return tuple(sorted(running, key=_by_urgency))


def owed_clocks(rules: RuleSet, recorded: MarksByStep) -> Iterator[tuple[Step, int, bool]]:
    """Every term within which a step is owed that is awaited: the step, the term's place among its clocks, and whether
    it runs as far as the case is known."""
    closed_by = rules.closed_by(recorded)
    for step in rules.steps:
        may_come = closed_by is None or closed_by in step.from_steps or step.beside
        for place, clock in enumerate(step.clocks):
            if clock.owed and _awaited(step, clock, recorded):
                yield step, place, may_come and clock.start in recorded and _may_count(clock, recorded)


def _awaited(step: Step, clock: Clock, marks: MarksByStep) -> bool:
    mark = marks.get(step.code)
    if mark is None:
        return True
    start = marks.get(clock.start)
    return step.repeatable and clock.counted == LAST and start is not None and mark.last_number < start.last_number


def _by_urgency(clock: RunningClock) -> tuple[bool, int]:
    return clock.due_ms is None, clock.due_ms or 0


def _may_count(clock: Clock, marks: MarksByStep) -> bool:
    """Whether the clock counts as far as is known before its step is recorded."""
    known = [one for one in clock.only_if if one.step is not None]
    return all(stands(one, marks) for one in known) and not any(
        stands(one, marks) for one in clock.unless if one.step is not None
    )


def running_clock(step: str, clock: Clock, marks: MarksByStep, spans: Spans, settings: Settings) -> RunningClock:
    """The term of that step, whose start stands in the case."""
    end: TermEnd | None = None
    missing: int | None = None
    try:
        end = plain_end(clock, marks, spans, settings)
        if end is not None:
            end = rolled(end, clock, settings)
    except CalendarMissing as error:
        missing = error.year
    start = marks[clock.start]
    start_ms = start.first_occurred_ms if clock.counted == FIRST else start.last_occurred_ms
    return RunningClock(
        step,
        clock.start,
        clock.amount,
        clock.unit,
        local_day(start_ms, settings.utc_offset_min),
        None if end is None else end.day,
        None if end is None else end.end_ms,
        missing,
        clock.article,
        clock.confirmed,
    )


def stands(condition: Condition, marks: MarksByStep) -> bool:
    """Whether a condition on another step holds."""
    mark = marks.get(condition.step or "")
    if mark is None or condition.field is None:
        return mark is not None
    return any(name == condition.field and value in condition.values for name, value in mark.clear)
