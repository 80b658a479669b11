"""Guards and clocks: what the law asks before a step, and by when. Their forms and meaning stand in :mod:`.ruleset`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fazhi_ledger.canonical import Value
from fazhi_ledger.limits import MAX_CODE_CHARS, MAX_INT, MAX_NAME_CHARS
from fazhi_ledger.names import NAME, TOKEN
from fazhi_ledger.result import SEVERITIES
from fazhi_ledger.shape import as_bool, as_int, as_text, as_tuple

from .parts import (
    MAX_CHOICES,
    Condition,
    article_of,
    codes_of,
    conditions_of,
    field_of,
    name_of,
    one_of,
    optional_step,
    step_of,
    steps_of,
)
from .vocabulary import CLOCK_KINDS, COUNTED, FIRST, GUARD_KINDS, UNITS, WITHIN

MAX_AMOUNT: Final = 36_500
"""Of a clock, in its unit."""
MAX_PAUSES: Final = 8
MAX_TALLIES: Final = 8
MAX_COLOURS: Final = 16
MAX_UNJUDGED: Final = 16


@dataclass(frozen=True, slots=True)
class Guard:
    """Something that the law asks before a step; :mod:`.ruleset` tells the kinds."""

    kind: str
    step: str | None
    article: str
    severity: str
    since: str | None = None
    field: str | None = None
    values: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    limit: int | None = None
    only_if: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    confirmed: bool = True

    def to_value(self) -> Value:
        return (
            self.kind,
            self.step,
            self.since,
            self.field,
            self.values,
            self.by,
            self.limit,
            tuple(one.to_value() for one in self.only_if),
            tuple(one.to_value() for one in self.unless),
            self.article,
            self.severity,
            self.confirmed,
        )

    @classmethod
    def from_value(cls, value: Value) -> Guard:
        parts = as_tuple(value, "guard", length=12)
        kind, step, since, name, values, by, limit, only_if, unless, article, severity, confirmed = parts
        return cls(
            one_of(kind, "guard kind", GUARD_KINDS),
            optional_step(step),
            article_of(article),
            one_of(severity, "severity", SEVERITIES),
            optional_step(since),
            field_of(name),
            codes_of(values),
            steps_of(by),
            None if limit is None else as_int(limit, "limit", low=-MAX_INT),
            conditions_of(only_if),
            conditions_of(unless),
            as_bool(confirmed, "confirmed"),
        )


@dataclass(frozen=True, slots=True)
class Shift:
    """Days added to a clock's start where the starting event carries ``value`` in ``field``."""

    field: str
    value: str
    days: int

    def to_value(self) -> Value:
        return (self.field, self.value, self.days)

    @classmethod
    def from_value(cls, value: Value) -> Shift:
        name, code, days = as_tuple(value, "shift", length=3)
        return cls(
            as_text(name, "field", MAX_NAME_CHARS, NAME),
            as_text(code, "value", MAX_CODE_CHARS, TOKEN),
            as_int(days, "days", low=1, high=MAX_AMOUNT),
        )


@dataclass(frozen=True, slots=True)
class Extension:
    """What a clock is longer by, in its unit, once ``step`` has been recorded after its start."""

    step: str
    amount: int

    def to_value(self) -> Value:
        return (self.step, self.amount)

    @classmethod
    def from_value(cls, value: Value) -> Extension:
        step, amount = as_tuple(value, "extension", length=2)
        return cls(step_of(step), as_int(amount, "amount", low=1, high=MAX_AMOUNT))


@dataclass(frozen=True, slots=True)
class Pause:
    """A time that clocks may leave out: from the day of one of ``begins`` to that of one of ``ends``."""

    code: str
    zh: str
    en: str
    article: str
    begins: tuple[str, ...]
    ends: tuple[str, ...]

    def to_value(self) -> Value:
        return (self.code, self.zh, self.en, self.article, self.begins, self.ends)

    @classmethod
    def from_value(cls, value: Value) -> Pause:
        code, zh, en, article, begins, ends = as_tuple(value, "pause", length=6)
        return cls(
            as_text(code, "pause", MAX_CODE_CHARS, TOKEN),
            name_of(zh),
            name_of(en),
            article_of(article),
            steps_of(begins),
            steps_of(ends),
        )


Added = tuple[str, str]
"""A step, and the name of the number of its record that a tally counts."""


@dataclass(frozen=True, slots=True)
class Tally:
    """A sum over numbers that the records of a case state in clear: those of ``plus`` less those of ``minus``. A record
    that would bring it below zero is refused."""

    code: str
    zh: str
    en: str
    article: str
    plus: tuple[Added, ...]
    minus: tuple[Added, ...]

    def to_value(self) -> Value:
        return (self.code, self.zh, self.en, self.article, self.plus, self.minus)

    @classmethod
    def from_value(cls, value: Value) -> Tally:
        code, zh, en, article, plus, minus = as_tuple(value, "tally", length=6)
        return cls(
            as_text(code, "tally", MAX_CODE_CHARS, TOKEN),
            name_of(zh),
            name_of(en),
            article_of(article),
            _added_of(plus),
            _added_of(minus),
        )


def _added_of(value: Value) -> tuple[Added, ...]:
    found = []
    for pair in as_tuple(value, "numbers", max_length=MAX_CHOICES):
        step, name = as_tuple(pair, "number", length=2)
        found.append((step_of(step), as_text(name, "field", MAX_NAME_CHARS, NAME)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Colour:
    """How people see at a glance how a case stands: the first colour of which everything holds is the case's.

    ``closed``: a terminal step stands. ``overdue``: a term that is owed has run out. ``elapsed_percent``: that share of
    the days of such a term has passed. ``term`` names the step whose terms are meant; without it any is. A code may
    stand several times: its colour holds in either way.
    """

    code: str
    zh: str
    en: str
    closed: bool = False
    overdue: bool = False
    elapsed_percent: int | None = None
    term: str | None = None
    only_if: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()

    def to_value(self) -> Value:
        return (
            self.code,
            self.zh,
            self.en,
            self.closed,
            self.overdue,
            self.elapsed_percent,
            self.term,
            tuple(one.to_value() for one in self.only_if),
            tuple(one.to_value() for one in self.unless),
        )

    @classmethod
    def from_value(cls, value: Value) -> Colour:
        code, zh, en, closed, overdue, percent, term, only_if, unless = as_tuple(value, "colour", length=9)
        return cls(
            as_text(code, "colour", MAX_CODE_CHARS, TOKEN),
            name_of(zh),
            name_of(en),
            as_bool(closed, "closed"),
            as_bool(overdue, "overdue"),
            None if percent is None else as_int(percent, "elapsed percent", low=1, high=100),
            optional_step(term),
            conditions_of(only_if),
            conditions_of(unless),
        )


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A duty of the law that the chain has no facts to judge by; a verdict says so."""

    zh: str
    en: str
    article: str

    def to_value(self) -> Value:
        return (self.zh, self.en, self.article)

    @classmethod
    def from_value(cls, value: Value) -> Unjudged:
        zh, en, article = as_tuple(value, "unjudged", length=3)
        return cls(name_of(zh), name_of(en), article_of(article))


@dataclass(frozen=True, slots=True)
class Clock:
    """A term of the step that holds it; :mod:`.ruleset` tells kinds and units."""

    start: str
    amount: int
    unit: str
    article: str
    severity: str
    kind: str = WITHIN
    counted: str = FIRST
    rolls: bool = False
    owed: bool = True
    shifts: tuple[Shift, ...] = ()
    extensions: tuple[Extension, ...] = ()
    pauses: tuple[str, ...] = ()
    only_if: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    confirmed: bool = True

    def to_value(self) -> Value:
        return (
            self.kind,
            self.start,
            self.counted,
            self.amount,
            self.unit,
            self.rolls,
            self.owed,
            tuple(shift.to_value() for shift in self.shifts),
            tuple(extension.to_value() for extension in self.extensions),
            self.pauses,
            tuple(one.to_value() for one in self.only_if),
            tuple(one.to_value() for one in self.unless),
            self.article,
            self.severity,
            self.confirmed,
        )

    @classmethod
    def from_value(cls, value: Value) -> Clock:
        parts = as_tuple(value, "clock", length=15)
        kind, start, counted, amount, unit, rolls, owed, shifts, extensions, pauses = parts[:10]
        only_if, unless, article, severity, confirmed = parts[10:]
        return cls(
            step_of(start),
            as_int(amount, "amount", low=1, high=MAX_AMOUNT),
            one_of(unit, "unit", UNITS),
            article_of(article),
            one_of(severity, "severity", SEVERITIES),
            one_of(kind, "clock kind", CLOCK_KINDS),
            one_of(counted, "counted", COUNTED),
            as_bool(rolls, "rolls"),
            as_bool(owed, "owed"),
            tuple(Shift.from_value(shift) for shift in as_tuple(shifts, "shifts", max_length=MAX_CHOICES)),
            tuple(Extension.from_value(one) for one in as_tuple(extensions, "extensions", max_length=MAX_CHOICES)),
            codes_of(pauses),
            conditions_of(only_if),
            conditions_of(unless),
            as_bool(confirmed, "confirmed"),
        )
