"""The rules in force: which rule sets and calendars the members have voted, and which of them a case follows.

A rule set states the law from a day on. A case follows the one that states the law of the day on which it was opened
in the world, not that of the day on which it was recorded; and it keeps it. Nothing that was voted is ever removed: a
later rule set for the same day, and a later calendar of the same year, stand in the earlier one's place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fazhi_ledger.canonical import Value, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.shape import as_bytes, as_digest, as_int, as_tuple

from .calendar import date_of_day, local_day
from .context import Call
from .entries import ENTRY_VERSION, MAX_PROCEDURES, ProceduresEntry, decode_entry, decoded_procedures
from .errors import BadRuleSet, Refused, StateCorrupt
from .keys import calendar_key, procedure_key, rule_set_key, single_key
from .procedures.ruleset import MAX_RULE_SET_BYTES, RuleSet, decoded_rule_set
from .proposals import Change
from .state import Entry, Overlay, StateView, read
from .workdays import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_CALENDAR_BYTES,
    Workdays,
    YearCalendar,
    decoded_calendar,
)

MAX_RULE_SETS_PER_PROCEDURE: Final = 256
MAX_CALENDARS: Final = 512


@dataclass(frozen=True, slots=True)
class ProcedureEntry:
    """The rule sets of a procedure: ``[version, [[law_from, hash]…]]``, by the day (YYYYMMDD) from which the law that
    they state is in force, and for one day in the order of the votes."""

    rule_sets: tuple[tuple[int, bytes], ...]

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.rule_sets))

    @classmethod
    def decode(cls, data: bytes) -> ProcedureEntry:
        return cls.from_value(decode_entry(data, "procedure entry", 1)[0])

    @classmethod
    def from_value(cls, pairs: Value) -> ProcedureEntry:
        """Out of ``[[law_from, hash]…]``."""
        found = tuple(_dated(pair) for pair in as_tuple(pairs, "rule sets", max_length=MAX_RULE_SETS_PER_PROCEDURE))
        if not found or [day for day, _ in found] != sorted(day for day, _ in found):
            raise EncodingError("bad-shape", what="rule sets", expected="at least one, by their days")
        return cls(found)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """All of them."""
        return tuple(digest for _, digest in self.rule_sets)

    def on(self, date: int) -> bytes | None:
        """The hash of the one that states the law of that day (YYYYMMDD); None before the first."""
        place = bisect_right(self.rule_sets, date, key=lambda pair: pair[0])
        return self.rule_sets[place - 1][1] if place else None

    def with_rule_set(self, law_from: int, digest: bytes) -> ProcedureEntry:
        """With one more."""
        place = bisect_right(self.rule_sets, law_from, key=lambda pair: pair[0])
        return ProcedureEntry((*self.rule_sets[:place], (law_from, digest), *self.rule_sets[place:]))


@dataclass(frozen=True, slots=True)
class CalendarsEntry:
    """The calendars that were voted: ``[version, [[year, hash]…]]``, by year, and of one year in the order of votes."""

    calendars: tuple[tuple[int, bytes], ...]

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.calendars))

    @classmethod
    def decode(cls, data: bytes) -> CalendarsEntry:
        return cls.from_value(decode_entry(data, "calendars entry", 1)[0])

    @classmethod
    def from_value(cls, pairs: Value) -> CalendarsEntry:
        """Out of ``[[year, hash]…]``."""
        found = tuple(_of_year(pair) for pair in as_tuple(pairs, "calendars", max_length=MAX_CALENDARS))
        if [year for year, _ in found] != sorted(year for year, _ in found):
            raise EncodingError("bad-shape", what="calendars", expected="by their years")
        return cls(found)

    def of(self, year: int) -> bytes | None:
        """The hash of the one in force."""
        place = bisect_right(self.calendars, year, key=lambda pair: pair[0])
        return self.calendars[place - 1][1] if place and self.calendars[place - 1][0] == year else None

    def with_calendar(self, year: int, digest: bytes) -> CalendarsEntry:
        """With one more."""
        place = bisect_right(self.calendars, year, key=lambda pair: pair[0])
        return CalendarsEntry((*self.calendars[:place], (year, digest), *self.calendars[place:]))


def _dated(value: Value) -> tuple[int, bytes]:
    law_from, digest = as_tuple(value, "rule set", length=2)
    return as_int(law_from, "law_from", low=1949_01_01, high=9999_12_31), as_digest(digest, "rule set hash")


def _of_year(value: Value) -> tuple[int, bytes]:
    year, digest = as_tuple(value, "calendar", length=2)
    return as_int(year, "year", low=FIRST_YEAR, high=LAST_YEAR), as_digest(digest, "calendar hash")


decoded_procedure = lru_cache(maxsize=256)(ProcedureEntry.decode)
decoded_calendars = lru_cache(maxsize=16)(CalendarsEntry.decode)


# Reading


def bound_rule_set(view: StateView | Overlay, rule_set_hash: bytes) -> RuleSet:
    """The rule set of that hash.

    Raises:
        StateCorrupt: it is not installed; a case is only ever bound to one that is, and none is ever removed.
    """
    rules = read(view, rule_set_key(rule_set_hash), decoded_rule_set)
    if rules is None:
        raise StateCorrupt(f"rule set {rule_set_hash.hex()} is not in the state")
    return rules


def date_number(time_ms: int, utc_offset_min: int) -> int:
    """The calendar day of a time in that offset, as YYYYMMDD."""
    year, month, day = date_of_day(local_day(time_ms, utc_offset_min))
    return year * 10_000 + month * 100 + day


def calendar_in_force(view: StateView | Overlay, year: int) -> YearCalendar | None:
    """The calendar of a year, None where none was voted."""
    entry = read(view, single_key("calendars"), decoded_calendars)
    digest = None if entry is None else entry.of(year)
    if digest is None:
        return None
    calendar = read(view, calendar_key(digest), decoded_calendar)
    if calendar is None:
        raise StateCorrupt(f"calendar {digest.hex()} is not in the state")
    return calendar


def workdays_of(view: StateView | Overlay) -> Workdays:
    """How working days are counted by the calendars in force. They are read when a clock asks for them."""
    return Workdays(lambda year: calendar_in_force(view, year))


# Votes


def install_rule_set(call: Call, args: Value) -> Change:
    """``rules.install [rule set]``: cases opened on or after its ``law_from`` follow it, from the next block on.

    Raises:
        Refused: ``rule-set-unsound``, ``rule-set-known`` or ``too-many-rule-sets``.
    """
    (data_value,) = as_tuple(args, "rules.install", length=1)
    data = as_bytes(data_value, "rule set", max_length=MAX_RULE_SET_BYTES)
    try:
        rules = RuleSet.decode(data)
    except (BadRuleSet, EncodingError) as error:
        # The place alone: what else an error says may hold words of the rule set, which not every Python writes alike,
        # or of a library, and a result must be the same in every node.
        place = error.place if isinstance(error, BadRuleSet) else "rule set"
        raise Refused("rule-set-unsound", place=place) from None
    digest = rules.hash(call.context.suite)
    if call.state.get(rule_set_key(digest)) is not None:
        raise Refused("rule-set-known", procedure=rules.procedure)
    writes: list[tuple[bytes, Entry]] = [(rule_set_key(digest), rules)]
    known = call.state.load(procedure_key(rules.procedure), decoded_procedure)
    if known is None:
        listed = call.state.load(single_key("procedures"), decoded_procedures)
        names = () if listed is None else listed.names
        if len(names) >= MAX_PROCEDURES:
            raise Refused("too-many-rule-sets", limit=MAX_PROCEDURES)
        writes.append((single_key("procedures"), ProceduresEntry(tuple(sorted((*names, rules.procedure))))))
        known = ProcedureEntry(())
    if len(known.rule_sets) >= MAX_RULE_SETS_PER_PROCEDURE:
        raise Refused("too-many-rule-sets", limit=MAX_RULE_SETS_PER_PROCEDURE)
    writes.append((procedure_key(rules.procedure), known.with_rule_set(rules.law_from, digest)))
    return Change(tuple(writes))


def set_calendar(call: Call, args: Value) -> Change:
    """``calendar.set [calendar]``: the holidays and make-up days of a year, from the next block on.

    Raises:
        Refused: ``calendar-known`` or ``too-many-calendars``; ``bad-args`` (also EncodingError) for what is malformed.
    """
    (data_value,) = as_tuple(args, "calendar.set", length=1)
    data = as_bytes(data_value, "calendar", max_length=MAX_CALENDAR_BYTES)
    try:
        calendar = YearCalendar.decode(data)
    except EncodingError:  # which may name an exception of the library that reads msgpack
        raise Refused("bad-args", what="calendar") from None
    entry = call.state.load(single_key("calendars"), decoded_calendars) or CalendarsEntry(())
    digest = calendar.hash(call.context.suite)
    if entry.of(calendar.year) == digest:
        raise Refused("calendar-known", year=calendar.year)
    if len(entry.calendars) >= MAX_CALENDARS:
        raise Refused("too-many-calendars", limit=MAX_CALENDARS)
    return Change(
        (
            (calendar_key(digest), calendar),
            (single_key("calendars"), entry.with_calendar(calendar.year, digest)),
        )
    )


KINDS: Final[dict[str, Callable[[Call, Value], Change]]] = {
    "calendar.set": set_calendar,
    "rules.install": install_rule_set,
}
"""What a proposal of each kind would change if it passed now. They check everything and write nothing."""
