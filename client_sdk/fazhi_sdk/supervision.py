"""What is due, and by when, in the cases of a chain: every running term of a proven head, read by the rule set that the
case is bound to. Pure: computed from marks, calendars and a time, never stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fazhi_contracts.calendar import local_day
from fazhi_contracts.procedures.colours import colour_of
from fazhi_contracts.procedures.deadlines import RunningClock, running_clocks

from .errors import ProofFailed
from .lists import KnownRules, ListedCase

OVERDUE, DUE, PAUSED, NO_CALENDAR = "overdue", "due", "paused", "no-calendar"

SHARES: Final = ((80, ("orange", "橙", "orange")), (50, ("yellow", "黄", "yellow")))
"""Where a rule set has no colours of its own: from which share of its days on, in percent, a term has which."""
RED: Final = ("red", "红", "red")
GREEN: Final = ("green", "绿", "green")
GREY: Final = ("grey", "灰", "grey")


@dataclass(frozen=True, slots=True)
class Term:
    """A term that runs in a case. ``state`` is ``overdue``, ``due``, ``paused`` or ``no-calendar`` (its end hangs on a
    calendar that was not voted). ``days_left`` counts from the day that was asked about to the last day, below zero
    behind it; None without a last day. ``colour`` is code, 中文, English: the case's by its rule set, else by the share
    of the term that has passed."""

    case: ListedCase
    clock: RunningClock
    state: str
    days_left: int | None
    elapsed_percent: int | None
    colour: tuple[str, str, str]


def terms_of(case: ListedCase, known: KnownRules, at_ms: int) -> Iterator[Term]:
    """The terms that run in a case, soonest first, as they stand ``at_ms`` (Unix milliseconds).

    Raises:
        ProofFailed: the case is bound to a rule set that the rules do not name.
    """
    rules = known.rule_sets.get(case.head.rule_set_hash)
    if rules is None:
        raise ProofFailed("proof-failed", url="", reason="unknown-rule-set")
    clocks = running_clocks(rules, case.head.marks, known.settings)
    if not clocks:
        return
    own = colour_of(rules, case.head.marks, known.settings, at_ms)
    today = local_day(at_ms, known.settings.utc_offset_min)
    for clock in clocks:
        left = None if clock.due_day is None else clock.due_day - today
        elapsed = None
        if clock.due_day is not None:
            elapsed = 100 * (today - clock.start_day) // max(clock.due_day - clock.start_day, 1)
        state = OVERDUE if clock.is_overdue(at_ms) else DUE
        if clock.due_ms is None:
            state = PAUSED if clock.missing_year is None else NO_CALENDAR
        elif state == DUE and at_ms > clock.due_ms:  # its last day may have rolled on, and nobody can tell
            state = NO_CALENDAR
        colour = _by_share(state, elapsed) if own is None else (own.code, own.zh, own.en)
        yield Term(case, clock, state, left, elapsed, colour)


def _by_share(state: str, elapsed_percent: int | None) -> tuple[str, str, str]:
    if state == OVERDUE:
        return RED
    if elapsed_percent is None:
        return GREY
    return next((colour for share, colour in SHARES if elapsed_percent >= share), GREEN)
