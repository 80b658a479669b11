"""Working days: against the calendar of the standard library, day by day."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from fazhi_contracts.calendar import add_months, date_of_day, day_of_date
from fazhi_contracts.workdays import CalendarMissing, Workdays, YearCalendar, weekday_of
from fazhi_ledger.errors import EncodingError
from hypothesis import given
from hypothesis import strategies as st

from .drawn import draw_calendar

EPOCH = date(1970, 1, 1)
SEEDS = st.integers(0, 2**32)
YEARS = (2025, 2026, 2027)
DAYS = st.integers(day_of_date(2025, 1, 1), day_of_date(2027, 6, 30))


def number_of(day: date) -> int:
    return (day - EPOCH).days


def works(calendars: list[YearCalendar], day: int) -> bool:
    there = EPOCH + timedelta(days=day)
    calendar = next(one for one in calendars if one.year == there.year)
    number = there.timetuple().tm_yday
    return number in calendar.makeup_days or (there.weekday() < 5 and number not in calendar.holidays)


@given(st.dates(date(1949, 1, 1), date(2200, 1, 1)))
def test_weekdays(day: date) -> None:
    assert weekday_of(number_of(day)) == day.weekday()


@given(SEEDS, DAYS, st.integers(1, 60), st.one_of(st.none(), st.integers(-5, 60)))
def test_counting_is_counting_day_by_day(seed: int, day: int, count: int, far: int | None) -> None:
    calendars = [draw_calendar(Random(seed + year), year) for year in YEARS]
    stop = None if far is None else day + far
    at, left = day, count
    while left and (stop is None or at < stop):
        at += 1
        left -= works(calendars, at)
    found = Workdays.of(calendars).count_on(day, count, stop)
    assert found == ((at, 0) if not left else (stop, left))


@given(SEEDS, DAYS)
def test_the_next_day_of_work(seed: int, day: int) -> None:
    calendars = [draw_calendar(Random(seed + year), year) for year in YEARS]
    expected = next(later for later in range(day, day + 60) if works(calendars, later))
    assert Workdays.of(calendars).on_or_after(day) == expected


def test_the_fifth_working_day_across_the_national_day() -> None:
    """2025: no work from 1 to 8 October; work on Sunday 28 September and Saturday 11 October."""
    holidays = tuple(number_of(date(2025, 10, day)) - number_of(date(2024, 12, 31)) for day in (1, 2, 3, 6, 7, 8))
    makeup_days = tuple(
        number_of(one) - number_of(date(2024, 12, 31)) for one in (date(2025, 9, 28), date(2025, 10, 11))
    )
    workdays = Workdays.of([YearCalendar(2025, "国办发明电〔2024〕12号", holidays, makeup_days)])
    for begin, expected in (
        (date(2025, 9, 26), date(2025, 10, 10)),  # 28, 29, 30 September, 9, 10 October
        (date(2025, 9, 30), date(2025, 10, 14)),  # 9, 10, 11, 13, 14 October
    ):
        assert workdays.count_on(number_of(begin), 5) == (number_of(expected), 0)


def test_a_year_that_was_not_voted_is_no_guess() -> None:
    workdays = Workdays.of([draw_calendar(Random(1), 2026)])
    last = number_of(date(2026, 12, 28))
    with pytest.raises(CalendarMissing) as caught:
        workdays.count_on(last, 30)
    assert caught.value.year == 2027
    assert workdays.count_on(last, 30, last + 2)[0] == last + 2  # as far as that nothing of 2027 is asked for
    with pytest.raises(CalendarMissing):
        workdays.on_or_after(number_of(date(2025, 12, 31)))


@pytest.mark.parametrize(
    ("holidays", "makeup_days", "what"),
    [
        ((2, 1), (), "order"),
        ((1, 1), (), "order"),
        ((), (366,), "another year"),
        ((3,), (), "weekday"),  # 2026-01-03 is a Saturday
        ((), (5,), "weekday"),  # a Monday
        ((0,), (), "another year"),
    ],
)
def test_calendars_that_say_nothing_or_too_much(
    holidays: tuple[int, ...], makeup_days: tuple[int, ...], what: str
) -> None:
    with pytest.raises(EncodingError, match=what):
        YearCalendar(2026, "x", holidays, makeup_days)


@given(st.integers(1949, 2200))
def test_leap_years_have_a_day_more(year: int) -> None:
    last = number_of(date(year, 12, 31)) - number_of(date(year, 1, 1)) + 1
    at_weekend = date(year, 12, 31).weekday() >= 5
    held = ((), (last,)) if at_weekend else ((last,), ())
    assert YearCalendar(year, "x", *held).working_days
    with pytest.raises(EncodingError):
        YearCalendar(year, "x", (), (last + 1,))


@given(st.dates(date(1950, 1, 1), date(2100, 12, 31)), st.integers(1, 40))
def test_months(day: date, months: int) -> None:
    year, month, number = date_of_day(add_months(number_of(day), months))
    passed = day.year * 12 + day.month - 1 + months
    assert (year, month) == (passed // 12, passed % 12 + 1)
    following = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    assert number == min(day.day, following.day)
