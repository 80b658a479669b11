"""The calendar of a year, written for the members to check and vote on, out of the package ``chinesecalendar``.

The package carries what the State Council's notices say; the chain does not ask it: what counts is the file that the
members vote on.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from .exits import Misuse

_SATURDAY: Final = 5
_OCTOBER: Final = 10
_PER_LINE: Final = 8


def calendar_toml(year: int) -> str:
    """The TOML text of a year's calendar.

    Raises:
        Misuse: ``no-calendar-package``, or ``unknown-year`` where the package does not know the whole year.
    """
    try:
        from importlib.metadata import version

        from chinese_calendar.constants import holidays, workdays
    except ImportError:
        raise Misuse("no-calendar-package") from None
    # A notice of one year may name days of the next; National Day stands in the year's own.
    known = sorted({day.year for day in holidays if day.month == _OCTOBER})
    release = version("chinesecalendar")
    if year not in known:
        raise Misuse("unknown-year", version=release, year=year, first=known[0], last=known[-1])
    off = sorted(day for day in holidays if day.year == year and day.weekday() < _SATURDAY)
    work = sorted(day for day in workdays if day.year == year and day.weekday() >= _SATURDAY)
    return "\n".join(
        (
            f"# {year} 年工作日历。表决前请与国务院办公厅关于当年节假日安排的通知核对,并把 source 改为该通知的文号。",
            "# 次年的通知可能改动本年末的日子,届时应重新写出并再次表决。",
            f"# Working days of {year}. Before the vote, hold it against the notice of the State Council's General",
            "# Office and put the notice's number into source. The next year's notice may move days at the end of this",
            "# one: then write it again and vote again.",
            f"calendar = {year}",
            f'source = "chinesecalendar {release}"',
            f"off = [{_listed(off)}]",
            f"work = [{_listed(work)}]",
            "",
        )
    )


def _listed(days: list[date]) -> str:
    quoted = [f'"{day:%m-%d}"' for day in days]
    if len(quoted) <= _PER_LINE:
        return ", ".join(quoted)
    rows = (", ".join(quoted[at : at + _PER_LINE]) for at in range(0, len(quoted), _PER_LINE))
    return "\n" + "".join(f"  {row},\n" for row in rows)
