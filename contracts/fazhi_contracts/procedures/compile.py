"""From a parsed TOML document to a rule set. Reading the file and parsing TOML are done above; nodes never do it.

Every error names the place in the document and what to do. Keys that are not known are errors: a mistyped guard must
not vanish.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Final, TypeVar

from fazhi_ledger.errors import EncodingError

from ..calendar import date_of_day, day_of_date
from ..errors import BadRuleSet, Faults
from ..workdays import FIRST_YEAR, LAST_YEAR, YearCalendar
from .ruleset import (
    ClearField,
    Clock,
    Colour,
    Condition,
    Extension,
    Guard,
    Pause,
    RuleSet,
    Shift,
    Signing,
    Step,
    Tally,
    Term,
    Unjudged,
)
from .vocabulary import FIRST, HOURS, NOT_BEFORE, OWN, WITHIN, WORKING_DAYS

P = TypeVar("P")

_MONTH_AND_DAY: Final = re.compile(r"(\d{2})-(\d{2})", re.ASCII)


def compile_rule_set(document: Mapping[str, Any], common: Mapping[str, Mapping[str, Any]] | None = None) -> RuleSet:
    """The rule set that a TOML document describes (``rulesets/penalty.toml`` shows every key). The steps of what it
    ``uses`` follow its own; ``common`` holds the documents of what there is to use, by their names.

    Raises:
        BadRuleSet: with ``place`` and ``what``.
    """
    faults = Faults()
    top = _Table(document, "rule set", faults)
    with faults:
        head = _head(top)
    pauses = top.each("pauses", _pause)
    tallies = top.each("tallies", _tally)
    colours = top.each("colours", _colour)
    unjudged = top.each("unjudged", _unjudged)
    steps = top.each("steps", _step)
    used: tuple[str, ...] = ()
    with faults:
        used = top.texts("uses")
    for name in used:
        with faults:
            part = _used(name, common or {})
            steps += part.each("steps", _step)
            part.done()
    with faults:
        top.done()
    faults.raise_first()
    rules = RuleSet(*head, pauses, steps, tallies, colours, unjudged)
    try:
        # Lengths, grammars and bounds are the decoder's: what it would not read back must not be made.
        decoded = RuleSet.decode(rules.encode())
    except EncodingError as error:
        _find_unreadable(rules)
        raise BadRuleSet("rule set", str(error)) from None
    if decoded != rules:
        raise BadRuleSet("rule set", "does not read back as written")
    return rules


def _find_unreadable(rules: RuleSet) -> None:
    """Raise for the parts that the decoder does not read back, by their places; it names none itself."""
    faults = Faults()
    for kind, parts in (("pauses", rules.pauses), ("tallies", rules.tallies), ("colours", rules.colours)):
        for part in parts:
            _read_back(part, f"{kind}.{part.code}", faults)
    for step in rules.steps:
        _read_back(step, step.code, faults)
    faults.raise_first()


def _read_back(part: Pause | Tally | Colour | Step, place: str, faults: Faults) -> None:
    with faults:
        try:
            type(part).from_value(part.to_value())
        except EncodingError as error:
            raise BadRuleSet(place, str(error)) from None


def _head(top: _Table) -> tuple[str, int, str, str, int, str]:
    """Everything that concerns no step."""
    title = top.table("title")
    head = (
        top.text("procedure"),
        top.integer("number"),
        title.text("zh"),
        title.text("en"),
        top.date("law_from"),
        top.text("record_article"),
    )
    title.done()
    return head


def _used(name: str, common: Mapping[str, Mapping[str, Any]]) -> _Table:
    """The common part of that name, which holds steps alone."""
    if name not in common:
        raise BadRuleSet("rule set.uses", f"there is no {name}; there are: {', '.join(sorted(common)) or 'none'}")
    return _Table(common[name], name)


def compile_calendar(document: Mapping[str, Any]) -> YearCalendar:
    """The calendar that a TOML document describes::

        calendar = 2026
        source = "国办发明电〔2025〕7号"
        off = ["01-01", "01-02"]    # days from Monday to Friday without work
        work = ["01-04"]            # Saturdays and Sundays with work

    Raises:
        BadRuleSet: with ``place`` and ``what``.
    """
    top = _Table(document, "calendar")
    year, source = top.integer("calendar"), top.text("source")
    days = {name: tuple(sorted(_day_of_year(year, name, day) for day in top.texts(name))) for name in ("off", "work")}
    top.done()
    try:
        return YearCalendar.decode(YearCalendar(year, source, days["off"], days["work"]).encode())
    except EncodingError as error:
        raise BadRuleSet("calendar", str(error)) from None


def _day_of_year(year: int, name: str, day: str) -> int:
    found = _MONTH_AND_DAY.fullmatch(day)
    month, number = (int(found[1]), int(found[2])) if found else (0, 0)
    if not FIRST_YEAR <= year < LAST_YEAR:
        raise BadRuleSet("calendar.calendar", f"a year from {FIRST_YEAR} to {LAST_YEAR - 1} is expected here")
    if not 1 <= month <= 12 or date_of_day(day_of_date(year, month, number)) != (year, month, number):
        raise BadRuleSet(f"calendar.{name}", f'{day} is no day of {year}, "MM-DD"')
    return day_of_date(year, month, number) - day_of_date(year, 1, 1) + 1


def _step(table: _Table) -> Step:
    step = Step(
        table.text("code"),
        table.text("zh"),
        table.text("en"),
        table.text("article"),
        _signing(table),
        table.flag("initial"),
        table.flag("terminal"),
        table.flag("repeatable"),
        table.flag("beside"),
        table.flag("decides"),
        table.texts("from"),
        table.texts("requires"),
        table.each("documents", _term),
        table.integer("documents_min", 0),
        table.each("clear", _clear),
        table.each("guards", _guard),
        table.each("clocks", _clock),
    )
    table.done()
    return step


def _signing(table: _Table) -> Signing:
    sign = table.table("sign")
    roles, each = tuple(sorted(sign.texts("roles"))), sign.flag("each")
    minimum = sign.integer("minimum", len(roles) if each else 1)
    orgs = tuple(sorted(sign.texts("orgs"))) or (OWN,)
    signing = Signing(
        roles, minimum, sign.text("article"), not sign.flag("to_confirm"), each, sign.flag("strict"), orgs
    )
    sign.done()
    return signing


def _term(table: _Table) -> Term:
    term = Term(table.text("code"), table.text("zh"), table.text("en"))
    table.done()
    return term


def _clear(table: _Table) -> ClearField:
    known = ClearField(
        table.text("name"),
        table.text("zh"),
        table.text("en"),
        table.flag("required"),
        table.each("values", _term),
        table.integer("low", 0),
        table.integer("high", 0),
    )
    table.done()
    return known


def _pause(table: _Table) -> Pause:
    pause = Pause(
        table.text("code"),
        table.text("zh"),
        table.text("en"),
        table.text("article"),
        table.texts("begins"),
        table.texts("ends"),
    )
    table.done()
    return pause


def _tally(table: _Table) -> Tally:
    tally = Tally(
        table.text("code"),
        table.text("zh"),
        table.text("en"),
        table.text("article"),
        _numbers(table.tables("plus")),
        _numbers(table.tables("minus")),
    )
    table.done()
    return tally


def _unjudged(table: _Table) -> Unjudged:
    duty = Unjudged(table.text("zh"), table.text("en"), table.text("article"))
    table.done()
    return duty


def _numbers(tables: Iterable[_Table]) -> tuple[tuple[str, str], ...]:
    found = []
    for table in tables:
        found.append((table.text("step"), table.text("field")))
        table.done()
    return tuple(found)


def _colour(table: _Table) -> Colour:
    colour = Colour(
        table.text("code"),
        table.text("zh"),
        table.text("en"),
        table.flag("closed"),
        table.flag("overdue"),
        table.optional_integer("elapsed_percent"),
        table.optional_text("term"),
        _conditions(table.one_or_more("only_if")),
        _conditions(table.one_or_more("unless")),
    )
    table.done()
    return colour


def _conditions(tables: Iterable[_Table]) -> tuple[Condition, ...]:
    found = []
    for table in tables:
        found.append(Condition(table.optional_text("step"), table.optional_text("field"), table.texts("values")))
        table.done()
    return tuple(found)


def _guard(table: _Table) -> Guard:
    guard = Guard(
        table.text("kind"),
        table.optional_text("step"),
        table.text("article"),
        table.text("severity"),
        table.optional_text("since"),
        table.optional_text("field"),
        table.texts("values"),
        table.texts("by"),
        table.optional_integer("limit"),
        _conditions(table.one_or_more("only_if")),
        _conditions(table.one_or_more("unless")),
        not table.flag("to_confirm"),
    )
    table.done()
    return guard


def _clock(table: _Table) -> Clock:
    """A term; one in calendar days, months or years ends on a day of work (民法典 203) unless the rule says not."""
    unit, kind = table.text("unit"), table.optional_text("kind") or WITHIN
    clock = Clock(
        table.text("start"),
        table.integer("amount"),
        unit,
        table.text("article"),
        table.text("severity"),
        kind,
        table.optional_text("counted") or FIRST,
        table.flag("rolls", kind != NOT_BEFORE and unit not in (HOURS, WORKING_DAYS)),
        table.flag("owed", kind == WITHIN),
        table.each("shifts", _shift),
        table.each("extensions", _extension),
        table.texts("pauses"),
        _conditions(table.one_or_more("only_if")),
        _conditions(table.one_or_more("unless")),
        not table.flag("to_confirm"),
    )
    table.done()
    return clock


def _extension(table: _Table) -> Extension:
    extension = Extension(table.text("step"), table.integer("amount"))
    table.done()
    return extension


def _shift(table: _Table) -> Shift:
    shift = Shift(table.text("field"), table.text("value"), table.integer("days"))
    table.done()
    return shift


class _Table:
    """A TOML table that remembers where it stands and which of its keys were read."""

    def __init__(self, value: object, place: str, faults: Faults | None = None) -> None:
        if not isinstance(value, Mapping):
            raise BadRuleSet(place, "a table is expected here")
        self._values: Mapping[str, object] = value
        self._place = place
        self._faults = faults
        self._read: set[str] = set()

    def _take(self, name: str) -> object:
        self._read.add(name)
        return self._values.get(name)

    def _fault(self, name: str, what: str) -> BadRuleSet:
        return BadRuleSet(f"{self._place}.{name}", what)

    def done(self) -> None:
        """Raise for a key that nothing has read."""
        for name in sorted(self._values, key=str):
            if name not in self._read:
                raise self._fault(str(name), "unknown key")

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or not value:
            raise self._fault(name, "text is expected here" if name in self._values else "is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if name in self._values else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
            raise self._fault(name, "a list of texts is expected here")
        return tuple(value)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self._take(name)
        if value is None and default is not None:
            return default
        if type(value) is not int:
            raise self._fault(name, "a whole number is expected here" if name in self._values else "is missing")
        return value

    def optional_integer(self, name: str) -> int | None:
        return self.integer(name) if name in self._values else None

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._take(name)
        if value is None:
            return default
        if type(value) is not bool:
            raise self._fault(name, "true or false is expected here")
        return value

    def date(self, name: str) -> int:
        """A date written as the text ``YYYY-MM-DD``, as the number YYYYMMDD."""
        value = self.text(name)
        parts = value.split("-")
        if [len(part) for part in parts] != [4, 2, 2] or not all(part.isascii() and part.isdigit() for part in parts):
            raise self._fault(name, 'a date as text, "YYYY-MM-DD", is expected here')
        return int("".join(parts))

    def table(self, name: str) -> _Table:
        if name not in self._values:
            raise self._fault(name, "is missing")
        return _Table(self._take(name), f"{self._place}.{name}", self._faults)

    def one_or_more(self, name: str) -> tuple[_Table, ...]:
        """A table, or a list of them."""
        if isinstance(self._values.get(name), Mapping):
            return (self.table(name),)
        return self.tables(name)

    def tables(self, name: str) -> tuple[_Table, ...]:
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._fault(name, "a list of tables is expected here")
        return tuple(_Table(part, f"{self._place}.{name}[{number}]", self._faults) for number, part in enumerate(value))

    def each(self, name: str, make: Callable[[_Table], P]) -> tuple[P, ...]:
        """What each table of a list makes. Where faults are collected, one that makes nothing is left out."""
        made: list[P] = []
        with self._faults or nullcontext():
            for table in self.tables(name):
                with self._faults or nullcontext():
                    made.append(make(table))
        return tuple(made)
