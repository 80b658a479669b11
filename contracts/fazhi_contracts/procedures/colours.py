"""The colour of a case: how it stands at a time, told by its rule set. Computed, never stored."""

from __future__ import annotations

from ..calendar import local_day
from .clauses import Colour
from .deadlines import RunningClock, running_clocks, stands
from .marks import Marks
from .ruleset import RuleSet
from .settings import Settings


def colour_of(rules: RuleSet, marks: Marks, settings: Settings, at_ms: int) -> Colour | None:
    """The first of the rule set's colours that holds ``at_ms`` (Unix milliseconds); None where none does.

    A term of which no last day can be told (a pause lasts, or it is counted by a calendar that is missing) is neither
    overdue nor has any share of it passed. Where a missing calendar could only move the last day, shares are those of
    the earliest, and overdue is what is so by any calendar (:class:`~.deadlines.RunningClock`).
    """
    recorded = marks.by_step()
    closed = rules.closed_by(recorded) is not None
    clocks = running_clocks(rules, marks, settings) if rules.colours else ()
    for colour in rules.colours:
        terms = [clock for clock in clocks if colour.term is None or clock.step == colour.term]
        if (
            (closed or not colour.closed)
            and (not colour.overdue or any(clock.is_overdue(at_ms) for clock in terms))
            and (colour.elapsed_percent is None or _has_passed(colour.elapsed_percent, terms, settings, at_ms))
            and all(stands(one, recorded) for one in colour.only_if)
            and not any(stands(one, recorded) for one in colour.unless)
        ):
            return colour
    return None


def _has_passed(percent: int, terms: list[RunningClock], settings: Settings, at_ms: int) -> bool:
    """Whether that share of the days of one of the terms has passed."""
    today = local_day(at_ms, settings.utc_offset_min)
    return any(
        (today - clock.start_day) * 100 >= percent * (clock.due_day - clock.start_day)
        for clock in terms
        if clock.due_day is not None
    )
