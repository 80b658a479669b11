"""Integer calendar arithmetic against the standard library's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from fazhi_contracts.calendar import DAY_MS, date_of_day, day_of_date, end_of_day_ms, local_day, year_of
from fazhi_ledger.limits import MAX_TIME_MS
from hypothesis import given
from hypothesis import strategies as st

EPOCH = date(1970, 1, 1)
TIMES = st.integers(0, MAX_TIME_MS - DAY_MS)
OFFSETS = st.integers(-720, 840)


def as_datetime(time_ms: int, offset_min: int) -> datetime:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return instant.astimezone(timezone(timedelta(minutes=offset_min)))


@given(st.dates())
def test_dates_and_days(day: date) -> None:
    number = (day - EPOCH).days
    assert date_of_day(number) == (day.year, day.month, day.day)
    assert day_of_date(day.year, day.month, day.day) == number


@pytest.mark.parametrize(
    "day", [date(2000, 2, 29), date(1900, 2, 28), date(2100, 3, 1), date(2024, 12, 31), date(1, 1, 1)]
)
def test_edges(day: date) -> None:
    assert date_of_day((day - EPOCH).days) == (day.year, day.month, day.day)


@given(TIMES, OFFSETS)
def test_local_days_and_years(time_ms: int, offset_min: int) -> None:
    there = as_datetime(time_ms, offset_min)
    assert local_day(time_ms, offset_min) == (there.date() - EPOCH).days
    assert year_of(time_ms, offset_min) == there.year


@given(TIMES, OFFSETS)
def test_end_of_day(time_ms: int, offset_min: int) -> None:
    day = local_day(time_ms, offset_min)
    end = end_of_day_ms(day, offset_min)
    assert end >= time_ms
    assert local_day(end, offset_min) == day
    assert local_day(end + 1, offset_min) == day + 1


def test_new_year_is_beijings_not_greenwichs() -> None:
    new_year = 1_767_196_800_000  # 2026-01-01T00:00 in Beijing, still 2025 in Greenwich
    assert year_of(new_year - 1, 480) == 2025
    assert year_of(new_year, 480) == 2026
    assert year_of(new_year, 0) == 2025
