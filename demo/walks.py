"""The demo's case in each procedure, as data: who signs each step, with which facts, and how long after the one before.

A step is so many working days after the one before it (and so many calendar days, where the law has somebody wait). The
last one lies on the last working day before today: whatever the day on which the demo runs, its terms make sense.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from fazhi_contracts.calendar import DAY_MS, MINUTE_MS, date_of_day, local_day
from fazhi_contracts.procedures.compile import compile_calendar
from fazhi_contracts.workdays import YearCalendar

UTC_OFFSET_MIN: Final = 480
FIRST_MINUTE: Final = 9 * 60
"""Of a day: the walk's first step; each later one is ``MINUTES_APART`` further on in its day."""
MINUTES_APART: Final = 15
FOLDER: Final = Path(__file__).with_name("calendars")


@dataclass(frozen=True, slots=True)
class Visit:
    """One step. ``after``: so many working days after the one before (less than 0: it happened before that one, and is
    recorded late); ``days``: and so many calendar days. Signers are names of keys: their role, and ``-2`` for the
    second of a role. ``org`` is theirs where it is not the case's own. ``finds``: the findings that it comes to.
    """

    step: str
    after: int
    signers: tuple[str, ...]
    clear: Mapping[str, str | int] = field(default_factory=dict)
    org: str = ""
    days: int = 0
    evidence: bool = False
    finds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Walk:
    """A case: whose it is, its docket number, the members of the network, and its steps."""

    org: str
    number: str
    members: tuple[str, ...]
    visits: tuple[Visit, ...]

    def signing(self) -> tuple[tuple[str, str], ...]:
        """Everybody who signs: organisation and name, each once."""
        found = ((visit.org or self.org, name) for visit in self.visits for name in visit.signers)
        return tuple(dict.fromkeys(found))


def role_of(name: str) -> str:
    """The role of whom a walk calls by that name."""
    return name.partition("-")[0]


# Days


@lru_cache(maxsize=64)
def calendar_text(year: int) -> str:
    """The calendar of a year as TOML. Of a year whose holidays this demo does not know it lists none, and says so."""
    path = FOLDER / f"{year}.toml"
    if path.exists():
        return path.read_text("utf-8")
    return f'calendar = {year}\nsource = "演示用,未列节假日 / of the demo: no holidays listed"\noff = []\nwork = []\n'


@lru_cache(maxsize=64)
def calendar_of(year: int) -> YearCalendar:
    """The calendar of a year."""
    return compile_calendar(tomllib.loads(calendar_text(year)))


def years_of(times_ms: Iterable[int]) -> tuple[int, ...]:
    """The years whose calendars the members vote on: those that the demo knows, and those of these times."""
    known = {int(path.stem) for path in FOLDER.glob("*.toml")}
    return tuple(sorted(known | {date_of_day(local_day(time_ms, UTC_OFFSET_MIN))[0] for time_ms in times_ms}))


def times_of(walk: Walk, now_ms: int) -> tuple[int, ...]:
    """When each step of the walk happened, in Unix milliseconds."""
    day = _working_days_on(local_day(now_ms, UTC_OFFSET_MIN), -1)
    days = []
    for visit in reversed(walk.visits):
        days.append(day)
        day = _working_days_on(day, -visit.after)
        if visit.days:
            day = _working_days_on(day - visit.days + 1, -1)
    return tuple(
        day * DAY_MS + (FIRST_MINUTE + place * MINUTES_APART - UTC_OFFSET_MIN) * MINUTE_MS
        for place, day in enumerate(reversed(days))
    )


def _working_days_on(day: int, count: int) -> int:
    """The day that lies so many working days after ``day``, or before it."""
    step = 1 if count > 0 else -1
    while count:
        day += step
        count -= step * _is_working(day)
    return day


def _is_working(day: int) -> bool:
    days = calendar_of(date_of_day(day)[0]).working_days
    place = bisect_left(days, day)
    return place < len(days) and days[place] == day


# Walks

_PENALTY: Final = Walk(
    "zfj",
    "桐综执罚〔2026〕0412号",
    ("sfj", "zfj", "gzc", "fy"),
    (
        Visit("LEAD", 0, ("officer",)),
        Visit("FILED", 1, ("head",)),
        Visit("INVEST", 1, ("officer", "officer-2"), evidence=True),
        Visit("REGHOLD", 0, ("head",)),
        Visit("REGEND", 5, ("officer",)),
        Visit("INVEND", 6, ("officer",), {"legal_review": "required", "gravity": "grave"}),
        Visit("LEGALREV", 2, ("reviewer",), {"opinion": "passed"}),
        Visit("NOTICE", 2, ("officer",), {"hearing": "offered"}),
        Visit("HEARREQ", 5, ("officer",)),  # on the last day
        Visit("HEARSET", 1, ("reviewer",)),
        Visit("HEARD", 7, ("chair",)),
        Visit("LEGALREV", 2, ("reviewer",), {"opinion": "passed"}),
        Visit("DEFEND", 1, ("officer",), {"response": "stated"}),
        Visit("PANEL", 1, ("head", "head-2")),
        Visit("DECIDED", 2, ("head",), {"outcome": "penalty"}),
        Visit("SERVED", 1, ("officer",), {"mode": "direct"}),
        Visit("PERFORM", 5, ("officer",), {"kind": "fine"}),
        # The supervisor sees no publication. It was published in time, and is honestly recorded only now.
        Visit("SUPNOTICE", 2, ("supervisor",), org="sfj"),
        Visit("PUBLISHED", -4, ("officer",), finds=("occurred-before-previous",)),
        Visit("SUPANSWER", 5, ("head",)),
        Visit("CLOSED", 1, ("head",)),
        Visit("ATTEST", 1, ("notary",), {"scope": "trail", "through": 21}, org="gzc"),
    ),
)

_RECONSIDERATION: Final = Walk(
    "sfj",
    "桐政复〔2026〕0015号",
    ("sfj", "zfj", "gzc", "fy"),
    (
        Visit("APPLY", 0, ("reviewer",), {"form": "written"}),
        Visit("ACCEPT", 3, ("head",), {"mode": "decided", "procedure": "ordinary", "days_to_apply": 24}),
        Visit("COPY", 2, ("reviewer",)),
        Visit("COPYRECV", 1, ("officer",), org="zfj"),
        Visit("ANSWER", 8, ("head",), {"evidence": "yes"}, org="zfj", evidence=True),
        Visit("VIEWS", 3, ("reviewer",), {"mode": "person"}),
        Visit("HEARSET", 1, ("reviewer",)),
        Visit("HEARD", 5, ("chair", "reviewer", "reviewer-2")),
        Visit("COMMITTEE", 1, ("reviewer",)),
        Visit("REVIEW", 1, ("reviewer",), {"gravity": "grave"}),
        Visit("DECIDED", 3, ("head",), {"outcome": "revoked"}),
        Visit("SERVED", 1, ("reviewer",), {"mode": "direct"}),
        Visit("OPINION", 0, ("head",)),
        Visit("REPORTED", 15, ("head",), org="zfj"),
        Visit("ATTEST", 1, ("notary",), {"scope": "trail", "through": 14}, org="gzc"),
        Visit("CLOSED", 1, ("reviewer",)),
    ),
)

_MEDIATION: Final = Walk(
    "sfj",
    "桐人调〔2026〕0321号",
    ("sfj", "zfj", "gzc", "fy"),
    (
        Visit("APPLY", 0, ("grid",), {"channel": "asked"}),
        Visit("ACCEPT", 1, ("mediator",)),
        Visit("ASSIGN", 0, ("head",)),
        Visit("MEDIATE", 2, ("mediator",), evidence=True),
        Visit("MEDIATE", 5, ("mediator",)),
        Visit("AGREED", 3, ("mediator",), {"form": "written"}),
        Visit("CONFREQ", 10, ("clerk",), org="fy"),
        Visit("CONFIRMED", 6, ("judge",), {"result": "valid"}, org="fy"),
        Visit("FOLLOWUP", 5, ("grid",), {"state": "performed"}),
        Visit("CLOSED", 2, ("mediator",)),
    ),
)

_IP: Final = Walk(
    "zscq",
    "桐知证〔2026〕0037号",
    ("sfj", "zscq", "gzc", "fy"),
    (
        Visit("CREATED", 0, ("agent",), {"right": "copyright"}),
        Visit("DRAFT", 3, ("agent",)),
        Visit("FIXED", 5, ("agent",), {"timestamp": "yes"}),
        Visit("REGISTERED", 10, ("agent",)),
        Visit("HIT", 20, ("agent",), {"place": "platform"}),
        Visit("ENVCHECK", 0, ("capturer",), {"result": "clean"}),
        Visit("CAPTURE", 0, ("capturer",), {"form": "page"}, evidence=True),
        Visit("EVFIXED", 0, ("capturer",), {"timestamp": "yes"}),
        Visit("ATTEST", 2, ("notary",), {"scope": "trail", "through": 8}, org="gzc"),
        Visit("NOTICE", 1, ("agent",)),
        Visit("MEASURE", 1, ("agent",), {"done": "taken"}),
        Visit("COUNTER", 3, ("agent",)),
        Visit("SUIT", 3, ("agent",)),
        Visit("RESULT", 40, ("agent",), {"result": "upheld"}),
        Visit("CLOSED", 1, ("agent",)),
    ),
)

_FINANCE: Final = Walk(
    "yh",
    "桐银贷〔2026〕1186号",
    ("sfj", "yh", "gzc", "fy"),
    (
        Visit("KYC", 0, ("banker",), {"customer": "person", "result": "passed"}),
        Visit("CONSENT", 0, ("customer",), {"scope": "separate"}),
        Visit("SHOWN", 0, ("banker",), {"version": 7}),
        Visit("SIGNED", 0, ("banker", "customer"), {"form": "reliable"}, evidence=True),
        Visit("ENFDEED", 0, ("notary",), org="gzc"),
        Visit("PAYOUT", 1, ("banker",)),
        Visit("REPAY", 20, ("banker",), {"kind": "part"}),
        Visit("DEFAULT", 21, ("banker",)),
        Visit("DEMAND", 3, ("banker",)),
        Visit("EXECCERT", 8, ("notary",), org="gzc"),
        Visit("EXECAPPLY", 5, ("banker",)),
        Visit("EXECUTED", 40, ("judge",), org="fy"),
        Visit("SETTLED", 1, ("banker",)),
        Visit("ATTEST", 1, ("notary",), {"scope": "trail", "through": 13}, org="gzc"),
    ),
)

_TIMEBANK: Final = Walk(
    "sfj",
    "桐法时〔2026〕0208号",
    ("sfj", "zfj", "gzc", "fy"),
    (
        Visit("OPENED", 0, ("registrar",), {"profession": "lawyer"}),
        Visit("SERVICE", 1, ("volunteer", "station"), {"kind": "advice", "minutes": 90}, evidence=True),
        Visit("SERVICE", 2, ("volunteer", "station"), {"kind": "lecture", "minutes": 60}),
        Visit("SERVICE", 0, ("volunteer", "station"), {"kind": "lecture", "minutes": 60}),
        Visit("REVERSE", 1, ("registrar", "station"), {"entry": 4, "reason": "twice", "served": 60}),
        Visit("EXCHANGE", 3, ("volunteer", "registrar"), {"minutes": 120}),
        Visit("USED", 5, ("volunteer", "station"), {"minutes": 60}),
        Visit("MEDIATED", 2, ("volunteer", "station"), {"points": 5}),
        Visit("GOVERN", 4, ("volunteer", "registrar"), {"points": 3}),
        Visit("OBJECT", 2, ("volunteer",)),
        Visit("ANSWER", 8, ("registrar",)),
        Visit("CLOSED", 20, ("registrar",)),
        Visit("ATTEST", 1, ("notary",), {"scope": "trail", "through": 12}, org="gzc"),
    ),
)

WALKS: Final[dict[str, Walk]] = {
    "penalty": _PENALTY,
    "reconsideration": _RECONSIDERATION,
    "mediation": _MEDIATION,
    "ip": _IP,
    "finance": _FINANCE,
    "timebank": _TIMEBANK,
}
"""By procedure."""
