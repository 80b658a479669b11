"""What one guard or one clock of a step comes to: nothing, or a finding. The interpreter asks one after another."""

from __future__ import annotations

from typing import Final

from fazhi_ledger.errors import Parameter
from fazhi_ledger.result import Finding, ResultSigner

from ..calendar import local_day
from ..workdays import CalendarMissing
from .clauses import Clock, Guard
from .deadlines import MarksByStep, TermEnd, plain_end, rolled, stands
from .marks import Clear, Spans
from .parts import Condition
from .settings import Settings
from .vocabulary import AT_MOST, BEFORE, DONE, ENDED, HOURS, LAPSED, OUTCOME, WITHIN

NOTE: Final = "note"
IRREGULAR: Final = "irregular"
_MINUTE_MS: Final = 60_000


def broken(guard: Guard, marks: MarksByStep, clear: Clear, signers: tuple[ResultSigner, ...]) -> Finding | None:
    """The finding where a guard that counts does not hold."""
    return _over_limit(guard, clear) if guard.kind == AT_MOST else _broken(guard, marks, signers)


def _over_limit(guard: Guard, clear: Clear) -> Finding | None:
    """The finding where a number of the record itself is too large."""
    name, limit = guard.field or "", guard.limit or 0
    value = value_of(clear, name)
    over = isinstance(value, int) and value > limit
    return _guard_finding("over-limit", guard, field=name, value=value or 0, limit=limit) if over else None


def _broken(guard: Guard, marks: MarksByStep, signers: tuple[ResultSigner, ...]) -> Finding | None:
    """The finding where a guard over another step, which counts, does not hold."""
    step = guard.step or ""
    mark = marks.get(step)
    if guard.kind == DONE:
        since = None if guard.since is None else marks.get(guard.since)
        if mark is None:
            return _guard_finding("step-missing", guard, step=step)
        if since is not None and mark.last_number < since.last_number:
            return _guard_finding("step-outdated", guard, step=step, since=since.step)
    elif mark is None:
        pass
    elif guard.kind == OUTCOME:
        name = guard.field or ""
        value = value_of(mark.clear, name)
        if value not in guard.values:
            return _guard_finding("outcome-adverse", guard, step=step, field=name, value=value or "")
    elif guard.kind == ENDED:
        if all(marks[code].last_number < mark.last_number for code in guard.by if code in marks):
            return _guard_finding("not-ended", guard, step=step, by=listed(guard.by))
    elif guard.kind == BEFORE:
        return _guard_finding("after-step", guard, step=step)
    elif any(signer.key in mark.signers for signer in signers):
        return _guard_finding("same-signer", guard, step=step)
    return None


def _guard_finding(code: str, guard: Guard, **named: str | int) -> Finding:
    return finding(code, guard.article, guard.severity, guard.confirmed, **named)


def judge_clock(
    clock: Clock, marks: MarksByStep, spans: Spans, occurred_at_ms: int, settings: Settings, findings: list[Finding]
) -> None:
    """Judge an event by a term whose start stands."""
    try:
        end = plain_end(clock, marks, spans, settings)
        if end is None:  # while a pause lasts the term does not end: nothing is late, and nothing has run out
            if clock.kind != WITHIN:
                findings.append(_clock_finding("term-paused", clock))
        elif clock.kind == WITHIN:
            if occurred_at_ms > end.end_ms:
                _judge_late(clock, rolled(end, clock, settings, occurred_at_ms), occurred_at_ms, settings, findings)
        elif not _judge_early(clock, end, occurred_at_ms, settings, findings):
            _judge_early(clock, rolled(end, clock, settings, occurred_at_ms), occurred_at_ms, settings, findings)
    except CalendarMissing as error:
        _judge_without_calendar(clock, marks, spans, occurred_at_ms, error.year, settings, findings)


def _judge_without_calendar(
    clock: Clock,
    marks: MarksByStep,
    spans: Spans,
    occurred_at_ms: int,
    year: int,
    settings: Settings,
    findings: list[Finding],
) -> None:
    """Judge an event by a term that hangs on a year that was not voted: by the earliest end that it may have."""
    end = plain_end(clock, marks, spans, settings, every_day=True)
    if end is not None and clock.kind == WITHIN and occurred_at_ms <= end.end_ms:
        return
    if end is not None and clock.kind != WITHIN and _judge_early(clock, end, occurred_at_ms, settings, findings):
        return
    findings.append(finding("calendar-missing", clock.article, NOTE, start=clock.start, year=year))


def _judge_late(clock: Clock, end: TermEnd, occurred_at_ms: int, settings: Settings, findings: list[Finding]) -> None:
    if occurred_at_ms <= end.end_ms:
        return
    if clock.unit == HOURS:
        late_minutes = -(-(occurred_at_ms - end.end_ms) // _MINUTE_MS)
        findings.append(_clock_finding("deadline-exceeded", clock, late_minutes=late_minutes))
    else:
        late_days = local_day(occurred_at_ms, settings.utc_offset_min) - end.day
        findings.append(_clock_finding("deadline-exceeded", clock, late_days=late_days))


def _judge_early(clock: Clock, end: TermEnd, occurred_at_ms: int, settings: Settings, findings: list[Finding]) -> bool:
    """Whether the event is early."""
    first_ms = end.end_ms + 1 if clock.kind == LAPSED else end.begin_ms
    if occurred_at_ms >= first_ms:
        return False
    first_day = local_day(first_ms, settings.utc_offset_min)
    early_days = first_day - local_day(occurred_at_ms, settings.utc_offset_min)
    findings.append(_clock_finding("too-early", clock, early_days=early_days))
    return True


def _clock_finding(code: str, clock: Clock, **named: str | int) -> Finding:
    named = {"start": clock.start, "amount": clock.amount, "unit": clock.unit, **named}
    return finding(code, clock.article, clock.severity, clock.confirmed, **named)


def counts(clause: Guard | Clock, marks: MarksByStep, clear: Clear) -> bool:
    """Whether a guard or clock is asked for at all."""
    return all(_holds(one, marks, clear) for one in clause.only_if) and not any(
        _holds(one, marks, clear) for one in clause.unless
    )


def _holds(condition: Condition, marks: MarksByStep, clear: Clear) -> bool:
    if condition.step is None:
        return value_of(clear, condition.field or "") in condition.values
    return stands(condition, marks)


def value_of(clear: Clear, name: str) -> str | int | None:
    for known, value in clear:
        if known == name:
            return value
    return None


def listed(codes: tuple[str, ...]) -> str:
    """Codes as one parameter, within the bound of a result's parameter."""
    return "/".join(codes)[:256]


def finding(code: str, clause: str, severity: str, confirmed: bool = True, **parameters: str | int) -> Finding:
    named: tuple[Parameter, ...] = tuple(parameters.items())
    if not confirmed:
        # The figure behind this rule is configuration that nobody has confirmed in the law's text yet: say so wherever
        # it bites.
        named = (*named, ("to_confirm", 1))
    return Finding(code, clause, severity, named)
