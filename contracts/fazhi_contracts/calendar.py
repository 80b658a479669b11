"""Calendar arithmetic in integers: no library's tables, no locale, no time zone of the machine.

Days count from 1970-01-01 in the chain's own offset (``utc_offset_min``); dates are those of the proleptic Gregorian
calendar (ISO 8601).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
_DAYS_PER_ERA: Final = 146_097  # 400 years
_DAYS_TO_EPOCH: Final = 719_468  # from 0000-03-01 to 1970-01-01


def local_day(time_ms: int, utc_offset_min: int) -> int:
    """Days since 1970-01-01 of the calendar day on which ``time_ms`` falls in that offset."""
    return (time_ms + utc_offset_min * MINUTE_MS) // DAY_MS


def end_of_day_ms(day: int, utc_offset_min: int) -> int:
    """The last millisecond of that calendar day."""
    return (day + 1) * DAY_MS - utc_offset_min * MINUTE_MS - 1


def date_of_day(day: int) -> tuple[int, int, int]:
    """Year, month and day of the month.

    Years are counted from the first of March, so that the leap day is the last of its year and months follow the
    pattern 31 30 31 30 31, which is the integer line (153 · month + 2) // 5.
    """
    era, day_of_era = divmod(day + _DAYS_TO_EPOCH, _DAYS_PER_ERA)
    # Take away the leap days that have passed in this era: one every 1460 days, none every 36524, one on the era's
    # last day.
    passed = day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    year_of_era = passed // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return era * 400 + year_of_era + (1 if month <= 2 else 0), month, day_of_month


def day_of_date(year: int, month: int, day_of_month: int) -> int:
    """Days since 1970-01-01: the inverse of :func:`date_of_day`. The date must exist."""
    era, year_of_era = divmod(year - 1 if month <= 2 else year, 400)
    month_from_march = month - 3 if month > 2 else month + 9
    day_of_year = (153 * month_from_march + 2) // 5 + day_of_month - 1
    return (
        era * _DAYS_PER_ERA + 365 * year_of_era + year_of_era // 4 - year_of_era // 100 + day_of_year - _DAYS_TO_EPOCH
    )


def add_months(day: int, months: int) -> int:
    """The day of the same number so many months later; the month's last where it has none (民法典 202)."""
    year, month, number = date_of_day(day)
    passed = year * 12 + month - 1 + months
    first = day_of_date(passed // 12, passed % 12 + 1, 1)
    following = day_of_date((passed + 1) // 12, (passed + 1) % 12 + 1, 1)
    return min(first + number, following) - 1


@lru_cache(maxsize=16)  # of a block's time, asked for each case that it opens
def year_of(time_ms: int, utc_offset_min: int) -> int:
    """The calendar year in which ``time_ms`` falls in that offset."""
    return date_of_day(local_day(time_ms, utc_offset_min))[0]
