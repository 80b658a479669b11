"""Working days: the State Council's holidays and make-up days, as data that the members vote on year by year.

::

    year calendar = [version, year, source, [holiday…], [make-up day…]]

``source`` is the notice that the year was taken from. Holidays are days from Monday to Friday without work, make-up
days Saturdays and Sundays with work, both as days of the year (1 January is 1), sorted. A year that was not voted is
not guessed: whoever asks for one of its days gets :class:`CalendarMissing`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_TEXT_CHARS
from fazhi_ledger.shape import as_int, as_text, as_tuple, as_version
from fazhi_ledger.suites import Suite

from .calendar import date_of_day, day_of_date

CALENDAR_VERSION: Final = 1
MAX_CALENDAR_BYTES: Final = 2048
FIRST_YEAR: Final = 1949
LAST_YEAR: Final = 9999
_FRIDAY: Final = 4


class CalendarMissing(Exception):
    """No calendar of this year was voted: what depends on its working days cannot be judged."""

    def __init__(self, year: int) -> None:
        super().__init__(f"no calendar of {year}")
        self.year = year


def weekday_of(day: int) -> int:
    """0 for a Monday to 6 for a Sunday; 1970-01-01 was a Thursday."""
    return (day + 3) % 7


@dataclass(frozen=True, slots=True)
class YearCalendar:
    """The days of one year that are not what their weekday says.

    Raises:
        EncodingError: ``bad-calendar`` for days that are unsorted, of another year, or what their weekday says anyway.
    """

    year: int
    source: str
    holidays: tuple[int, ...]
    makeup_days: tuple[int, ...]
    working_days: tuple[int, ...] = field(init=False, compare=False, repr=False)
    """Counted from 1970-01-01."""

    def __post_init__(self) -> None:
        first = day_of_date(self.year, 1, 1)
        days = day_of_date(self.year + 1, 1, 1) - first
        for name, listed, at_weekend in (("holiday", self.holidays, False), ("make-up day", self.makeup_days, True)):
            for place, number in enumerate(listed):
                if not 1 <= number <= days or (place and listed[place - 1] >= number):
                    raise EncodingError("bad-calendar", what=f"{name} {number}: out of order or of another year")
                if (weekday_of(first + number - 1) > _FRIDAY) is not at_weekend:
                    raise EncodingError("bad-calendar", what=f"{name} {number}: its weekday says so already")
        holidays, makeup_days = frozenset(self.holidays), frozenset(self.makeup_days)
        working = (
            first + number - 1
            for number in range(1, days + 1)
            if number in makeup_days or (weekday_of(first + number - 1) <= _FRIDAY and number not in holidays)
        )
        object.__setattr__(self, "working_days", tuple(working))

    def to_value(self) -> Value:
        return (CALENDAR_VERSION, self.year, self.source, self.holidays, self.makeup_days)

    @classmethod
    def from_value(cls, value: Value) -> YearCalendar:
        parts = as_tuple(value, "calendar", length=5)
        as_version(parts[0], "calendar", CALENDAR_VERSION)
        _, year, source, holidays, makeup_days = parts
        return cls(
            as_int(year, "year", low=FIRST_YEAR, high=LAST_YEAR - 1),
            as_text(source, "source", MAX_TEXT_CHARS),
            _numbers(holidays, "holidays"),
            _numbers(makeup_days, "make-up days"),
        )

    def encode(self) -> bytes:
        """The canonical bytes: what is hashed and voted on."""
        return pack(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> YearCalendar:
        return cls.from_value(decode(data, max_bytes=MAX_CALENDAR_BYTES))

    def hash(self, suite: Suite) -> bytes:
        """The hash that names this calendar on the chain."""
        return suite.tagged_hash("calendar", self.encode())


decoded_calendar = lru_cache(maxsize=64)(YearCalendar.decode)
"""A year's calendar is read by every clock of its year."""


def _numbers(value: Value, what: str) -> tuple[int, ...]:
    return tuple(as_int(number, what, low=1, high=366) for number in as_tuple(value, what, max_length=366))


class Workdays:
    """Counts working days. ``calendar_of`` gives the calendar of a year, None where none was voted."""

    __slots__ = ("_calendar_of",)

    def __init__(self, calendar_of: Callable[[int], YearCalendar | None]) -> None:
        self._calendar_of = calendar_of

    @classmethod
    def of(cls, calendars: Iterable[YearCalendar]) -> Workdays:
        """Over these years."""
        by_year = {calendar.year: calendar for calendar in calendars}
        return cls(by_year.get)

    def _days(self, year: int) -> tuple[int, ...]:
        calendar = self._calendar_of(year)
        if calendar is None:
            raise CalendarMissing(year)
        return calendar.working_days

    def on_or_after(self, day: int) -> int:
        """The first working day that is not before ``day``.

        Raises:
            CalendarMissing: a year on the way was not voted.
        """
        return self.count_on(day - 1, 1)[0]

    def count_on(self, day: int, count: int, stop: int | None = None) -> tuple[int, int]:
        """Count working days after ``day``, which is not counted itself: (the day of the last, 0) or, where ``count``
        does not come together up to and including ``stop``, (``stop``, how many are left). ``count`` is at least 1.

        Raises:
            CalendarMissing: a year on the way was not voted.
        """
        year = date_of_day(day + 1)[0]
        while stop is None or day < stop:
            days = self._days(year)
            begin = bisect_right(days, day)
            end = len(days) if stop is None else bisect_right(days, stop)
            if count <= end - begin:
                return days[begin + count - 1], 0
            count -= max(0, end - begin)
            year += 1
            day = day_of_date(year, 1, 1) - 1
        return stop, count


NO_WORKDAYS: Final = Workdays(lambda _: None)
"""A chain that has not voted on any year yet."""
