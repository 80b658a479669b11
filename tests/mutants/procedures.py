"""Broken readings of the law: each a rule about terms, guards or who records what, broken by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from fazhi_contracts import cases, workdays
from fazhi_contracts.errors import Refused
from fazhi_contracts.procedures import deadlines, interpreter, judging
from fazhi_contracts.procedures.clauses import Guard
from fazhi_contracts.procedures.interpreter import Judge
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.vocabulary import CALENDAR_DAYS, LAPSED, NOT_BEFORE, OTHERS_THAN
from fazhi_contracts.workdays import Workdays, YearCalendar
from fazhi_ledger.result import ResultSigner

from .ledger import patch_everywhere


@contextmanager
def first_day_counted() -> Iterator[None]:
    """The day of the start is the first of the term."""
    original = deadlines._after
    with patch.object(deadlines, "_after", lambda day, *rest: original(day - 1, *rest)):
        yield


@contextmanager
def working_days_as_calendar_days() -> Iterator[None]:
    """Every day is worked where a term is counted."""
    original = deadlines._after

    def every_day(day: int, amount: int, unit: str, *rest: Any) -> int | None:
        return original(day, amount, CALENDAR_DAYS if unit == "working-days" else unit, *rest)

    with patch.object(deadlines, "_after", every_day):
        yield


@contextmanager
def make_up_days_forgotten() -> Iterator[None]:
    """No Saturday and no Sunday is ever worked."""
    original = Workdays._days

    def plain_weeks(self: Workdays, year: int) -> tuple[int, ...]:
        return tuple(day for day in original(self, year) if workdays.weekday_of(day) < 5)

    with patch.object(Workdays, "_days", plain_weeks):
        yield


@contextmanager
def calendar_guessed() -> Iterator[None]:
    """A year that was not voted is taken for one without holidays."""
    original = Workdays.__init__

    def guessing(self: Workdays, calendar_of: Any) -> None:
        original(self, lambda year: calendar_of(year) or YearCalendar(year, "guessed", (), ()))

    with patch.object(Workdays, "__init__", guessing):
        yield


@contextmanager
def term_never_rolls() -> Iterator[None]:
    """A term may end on a day of rest."""
    with patch_everywhere("rolled", deadlines.rolled, lambda end, *_: end):
        yield


@contextmanager
def pauses_counted() -> Iterator[None]:
    """What should be left out of a term counts."""
    with patch.object(deadlines, "_left_out", lambda *_: []):
        yield


@contextmanager
def lasting_pause_ignored() -> Iterator[None]:
    """A pause that has not ended has not begun."""
    original = deadlines._left_out

    def ended_only(*args: Any) -> Any:
        return [span for span in original(*args) if span[1] is not None]

    with patch.object(deadlines, "_left_out", ended_only):
        yield


@contextmanager
def months_of_thirty_days() -> Iterator[None]:
    """A month is thirty days."""
    with patch.object(deadlines, "add_months", lambda day, months: day + 30 * months):
        yield


@contextmanager
def lapsed_on_the_last_day() -> Iterator[None]:
    """What must wait until a term has run out may come on its last day."""
    original = judging._judge_early

    def early(clock: Any, *rest: Any) -> bool:
        return original(replace(clock, kind=NOT_BEFORE) if clock.kind == LAPSED else clock, *rest)

    with patch.object(judging, "_judge_early", early):
        yield


def _another_guard(change: Any) -> Any:
    original = judging.broken

    def changed(guard: Guard, *rest: Any) -> Any:
        found = change(guard)
        return None if found is None else original(found, *rest)

    return patch_everywhere("broken", original, changed)


@contextmanager
def done_at_any_time() -> Iterator[None]:
    """A review before the facts changed is a review."""
    with _another_guard(lambda guard: replace(guard, since=None)):
        yield


@contextmanager
def own_case_reviewed() -> Iterator[None]:
    """Who investigated may chair the hearing."""
    with _another_guard(lambda guard: None if guard.kind == OTHERS_THAN else guard):
        yield


@contextmanager
def closed_case_goes_on() -> Iterator[None]:
    """Nothing closes a case."""
    with patch.object(RuleSet, "closed_by", lambda *_: None):
        yield


@contextmanager
def impossible_step_taken() -> Iterator[None]:
    """A step that cannot be without another comes without it."""
    with patch.object(interpreter, "_none_of", lambda *_: False):
        yield


@contextmanager
def anybody_records() -> Iterator[None]:
    """Any member records what is another's to say."""
    original = Judge.__init__

    def whoever(self: Judge, rules: RuleSet, marks: Any, signers: Any, time_ms: int, settings: Any, _: Any) -> None:
        everybody = tuple(org for step in rules.steps for org in step.signing.orgs)
        original(self, rules, marks, signers, time_ms, settings, everybody)

    with patch.object(Judge, "__init__", whoever):
        yield


@contextmanager
def one_signer_in_two_roles() -> Iterator[None]:
    """One person with two roles is two people."""

    def covered(roles: tuple[str, ...], signers: tuple[ResultSigner, ...]) -> int:
        return sum(any(role in signer.roles for signer in signers) for role in roles)

    with patch.object(interpreter, "_shared_out", covered):
        yield


@contextmanager
def account_overdrawn() -> Iterator[None]:
    """What a tally does not hold is given all the same."""
    original = interpreter._counted

    def forgiving(rules: RuleSet, sums: Any, *rest: Any) -> Any:
        try:
            return original(rules, sums, *rest)
        except Refused as refusal:
            if refusal.code != "tally-short":
                raise
            return sums

    with patch.object(interpreter, "_counted", forgiving):
        yield


@contextmanager
def law_of_the_day_of_recording() -> Iterator[None]:
    """A case follows the law of the day on which its opening was recorded."""
    original = cases._Batch._in_force

    def as_recorded(self: Any, new: Any, _: int) -> bytes | None:
        return original(self, new, self._call.context.time_ms)

    with patch.object(cases._Batch, "_in_force", as_recorded):
        yield
