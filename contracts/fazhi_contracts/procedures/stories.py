"""Stories of cases, as a lawyer would write them down, played against a rule set: what each event comes to, and which
terms run. For whoever writes a rule set; the reading is the one that nodes do.

::

    # 国庆期间要求听证
    程序 penalty
    日历 2025 休 10-01 10-02 10-03 10-06 10-07 10-08 班 09-28 10-11

    2025-09-26 10:00  NOTICE 事先告知  officer:甲  hearing=offered
    2025-10-13 09:00  HEARREQ 要求听证  officer:甲  recorded=2025-10-14T09:00
        发现 deadline-exceeded late_days=3
    期限 DECIDED 2025-12-15

A line is empty, a comment (``#``), a heading, an event, or what is expected of the event before it. Words may stand in
Chinese or English:

* ``程序 | procedure NAME``; ``日历 | calendar YEAR 休 | off MM-DD… 班 | work MM-DD…``;
* an event: day, time, step, then in any order signers (``role:name``, and where they are of another organisation than
  the case's ``role:name@role-of-that-organisation``), clear fields (``name=value``), the number of documents
  (``documents=N``, one where it is not said), the time of recording (``recorded=…``, else as it occurred); any other
  word is for the reader;
* ``发现 | finding CODE [name=value…]``, one line each, or ``发现 无 | finding none`` (which is also what is expected
  where nothing is said); ``拒绝 | refused CODE``;
* ``余额 | tally CODE NUMBER``: what a tally stands at after the event;
* ``颜色 | colour CODE [DAY]``: the case's colour after the event, at its time or at noon of that day;
* ``期限 | due STEP DAY``: after the event the step is owed by that day; ``中止 | paused`` instead of the day while a
  pause lasts, ``无 | none`` where nothing of the kind is owed.

Times are those of the chain's offset, eight hours east of Greenwich.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fazhi_ledger.errors import FazhiError
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import Finding, ResultSigner

from ..calendar import MINUTE_MS, date_of_day, day_of_date
from ..errors import Refused
from ..workdays import Workdays, YearCalendar
from .clauses import Colour
from .colours import colour_of
from .deadlines import RunningClock, running_clocks
from .interpreter import Judge
from .marks import Marks, Sums
from .ruleset import RuleSet
from .settings import Settings
from .vocabulary import OWN

MAX_STORY_CHARS: Final = 1 << 20
_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_TIME: Final = re.compile(r"(\d{2}):(\d{2})", re.ASCII)
_SHORT_DAY: Final = re.compile(r"(\d{2})-(\d{2})", re.ASCII)
_SIGNER: Final = re.compile(r"([a-z][a-z0-9_]{0,31}):([^\s@]+)(?:@([a-z][a-z0-9_]{0,31}))?")
_FIELD: Final = re.compile(r"([a-z][a-z0-9_]{0,31})=(-?[A-Za-z0-9_:.-]+)", re.ASCII)


class BadStory(FazhiError):
    """A story that cannot be read: ``bad-story`` with ``line`` and ``what``."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__("bad-story", line=line, what=what)


class StoryBroken(FazhiError):
    """A story whose case comes to something else than it says: ``story-broken`` with ``line`` and ``what``."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__("story-broken", line=line, what=what)


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding (of that code, with these parameters among its own), or a refusal."""

    code: str
    parameters: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """What is expected of a step's terms: the day on which one ends, ``paused`` or ``none``."""

    line: int
    step: str
    ends: int | str


@dataclass(frozen=True, slots=True)
class Stands:
    """What is expected of a tally, or with a time (Unix milliseconds) of the case's colour."""

    line: int
    code: str
    total: int | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """One event, and what is expected of it. Times are Unix milliseconds. ``standing`` is what the signers are to the
    case: its own, or of another organisation with that role."""

    line: int
    step: str
    occurred_at_ms: int
    recorded_at_ms: int
    signers: tuple[tuple[str, str], ...]
    standing: str
    clear: tuple[tuple[str, str | int], ...]
    documents: int
    findings: tuple[Expected, ...] = ()
    refused: str | None = None
    due: tuple[Due, ...] = ()
    stands: tuple[Stands, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """A whole one."""

    procedure: str
    calendars: tuple[YearCalendar, ...]
    events: tuple[StoryEvent, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What an event came to: its findings, or the code that it was refused with; and after it the terms that run, the
    tallies, and the colours at the times that the story asks for."""

    event: StoryEvent
    findings: tuple[Finding, ...]
    refused: str | None
    clocks: tuple[RunningClock, ...]
    sums: Sums
    colours: tuple[tuple[int, str | None], ...]


# Reading


@dataclass(slots=True)
class _Reader:
    """The lines read so far."""

    offset_min: int
    procedure: str = ""
    calendars: list[YearCalendar] = field(default_factory=list)
    events: list[StoryEvent] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    refused: str | None = None
    due: list[Due] = field(default_factory=list)
    stands: list[Stands] = field(default_factory=list)

    def read(self, number: int, words: Sequence[str]) -> None:
        """One line."""
        match words[0]:
            case "程序" | "procedure":
                self.procedure = _only(number, words)
            case "日历" | "calendar":
                self.calendars.append(_calendar(number, words[1:]))
            case "发现" | "finding":
                self._of_event(number)
                if words[1:] not in (["无"], ["none"]):
                    self.expected.append(_expected(number, words[1:]))
            case "拒绝" | "refused":
                self._of_event(number)
                self.refused = _only(number, words)
            case "期限" | "due":
                self._of_event(number)
                self.due.append(_due(number, words[1:]))
            case "余额" | "tally":
                self._of_event(number)
                self.stands.append(_tally(number, words[1:]))
            case "颜色" | "colour":
                self._of_event(number)
                self.stands.append(_colour(number, words[1:], self.events[-1], self.offset_min))
            case _:
                self.close()
                self.events.append(_event(number, words, self.offset_min))

    def _of_event(self, number: int) -> None:
        if not self.events:
            raise BadStory(number, "nothing has happened yet that this could be expected of")

    def close(self) -> None:
        """Give the last event what was expected of it."""
        if self.events:
            self.events[-1] = replace(
                self.events[-1],
                findings=tuple(self.expected),
                refused=self.refused,
                due=tuple(self.due),
                stands=tuple(self.stands),
            )
        self.expected, self.refused, self.due, self.stands = [], None, [], []


def read_story(text: str, offset_min: int = 480) -> Story:
    """A story out of its text.

    Raises:
        BadStory: naming the line and what is wrong with it.
    """
    if len(text) > MAX_STORY_CHARS:
        raise BadStory(0, f"more than {MAX_STORY_CHARS} characters")
    reader = _Reader(offset_min)
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            reader.read(number, words)
    reader.close()
    if not reader.procedure:
        raise BadStory(0, "no line names the procedure")
    if not reader.events:
        raise BadStory(0, "nothing happens")
    return Story(reader.procedure, tuple(reader.calendars), tuple(reader.events))


def _only(number: int, words: Sequence[str]) -> str:
    if len(words) != 2:
        raise BadStory(number, f"one word follows {words[0]}")
    return words[1]


def _day(number: int, word: str) -> int:
    found = _DAY.fullmatch(word)
    if found is None:
        raise BadStory(number, f"{word} is no day, YYYY-MM-DD")
    return _day_of(number, int(found[1]), int(found[2]), int(found[3]))


def _day_of(number: int, year: int, month: int, day: int) -> int:
    if year < 1970 or not 1 <= month <= 12 or date_of_day(day_of_date(year, month, day)) != (year, month, day):
        raise BadStory(number, f"there is no {year}-{month:02}-{day:02}")
    return day_of_date(year, month, day)


def _moment(number: int, day: str, time: str, offset_min: int) -> int:
    found = _TIME.fullmatch(time)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise BadStory(number, f"{time} is no time, HH:MM")
    minutes = _day(number, day) * 1440 + int(found[1]) * 60 + int(found[2]) - offset_min
    if minutes < 0:
        raise BadStory(number, "before 1970")
    return minutes * MINUTE_MS


def _calendar(number: int, words: Sequence[str]) -> YearCalendar:
    if not words or not words[0].isascii() or not words[0].isdigit() or len(words[0]) != 4:
        raise BadStory(number, "a year follows")
    year = int(words[0])
    listed: dict[str, list[int]] = {"off": [], "work": []}
    into = "off"
    for word in words[1:]:
        into = {"休": "off", "off": "off", "班": "work", "work": "work"}.get(word, "") or into
        if word in ("休", "off", "班", "work"):
            continue
        found = _SHORT_DAY.fullmatch(word)
        if found is None:
            raise BadStory(number, f"{word} is no day, MM-DD")
        listed[into].append(_day_of(number, year, int(found[1]), int(found[2])) - day_of_date(year, 1, 1) + 1)
    try:
        return YearCalendar(year, "story", tuple(sorted(listed["off"])), tuple(sorted(listed["work"])))
    except FazhiError as error:
        raise BadStory(number, str(error)) from None


def _value(word: str) -> str | int:
    return int(word) if re.fullmatch(r"-?\d{1,15}", word, re.ASCII) else word


def _event(number: int, words: Sequence[str], offset_min: int) -> StoryEvent:
    if len(words) < 3:
        raise BadStory(number, "an event needs a day, a time and a step")
    occurred_at_ms = recorded_at_ms = _moment(number, words[0], words[1], offset_min)
    signers: list[tuple[str, str]] = []
    standings: set[str] = set()
    clear: dict[str, str | int] = {}
    documents = 1
    for word in words[3:]:
        signer, named = _SIGNER.fullmatch(word), _FIELD.fullmatch(word)
        if signer is not None:
            signers.append((signer[1], signer[2]))
            standings.add(signer[3] or OWN)
        elif named is None:
            continue
        elif named[1] == "recorded":
            day, _, time = named[2].partition("T")
            recorded_at_ms = _moment(number, day, time, offset_min)
        elif named[1] == "documents":
            if not named[2].isdigit() or len(named[2]) > 4:
                raise BadStory(number, "documents= takes a number")
            documents = int(named[2])
        else:
            clear[named[1]] = _value(named[2])
    if not signers:
        raise BadStory(number, "nobody signs: role:name")
    if len(standings) > 1:
        raise BadStory(number, "those who sign are of one organisation, or of one kind")
    fields = tuple(sorted(clear.items()))
    (standing,) = standings
    return StoryEvent(number, words[2], occurred_at_ms, recorded_at_ms, tuple(signers), standing, fields, documents)


def _expected(number: int, words: Sequence[str]) -> Expected:
    if not words:
        raise BadStory(number, "a finding has a code")
    parameters = []
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadStory(number, f"{word} is no name=value")
        parameters.append((name, _value(value)))
    return Expected(words[0], tuple(parameters))


def _due(number: int, words: Sequence[str]) -> Due:
    if len(words) != 2:
        raise BadStory(number, "a step, and the day on which its term ends")
    known = {"中止": "paused", "paused": "paused", "无": "none", "none": "none"}.get(words[1])
    return Due(number, words[0], known or _day(number, words[1]))


def _tally(number: int, words: Sequence[str]) -> Stands:
    if len(words) != 2 or not words[1].isascii() or not words[1].isdigit() or len(words[1]) > 15:
        raise BadStory(number, "a tally, and the number that it stands at")
    return Stands(number, words[0], int(words[1]))


def _colour(number: int, words: Sequence[str], event: StoryEvent, offset_min: int) -> Stands:
    if len(words) not in (1, 2):
        raise BadStory(number, "a colour, and the day on which the case has it")
    at_ms = event.recorded_at_ms if len(words) == 1 else _moment(number, words[1], "12:00", offset_min)
    return Stands(number, words[0], None, at_ms)


# Playing


def play(story: Story, rules: RuleSet) -> tuple[Told, ...]:
    """What each event comes to, under a chain's default parameters. A refused event leaves no mark."""
    settings = Settings.of(Parameters.defaults(), Workdays.of(story.calendars))
    marks, told, count = Marks(), [], 0
    for event in story.events:
        judge = Judge(rules, marks, _signers(event), event.recorded_at_ms, settings, (event.standing,))
        run = RecordRun(
            0, rules.procedure, event.step, event.clear, (b"",), (event.occurred_at_ms,), (event.documents,)
        )
        findings: tuple[Finding, ...] = ()
        refused = None
        try:
            findings = judge.judge(run, 0, count + 1)
        except Refused as refusal:
            refused = refusal.code
        else:
            marks, count = judge.marks(), count + 1
        times = [one.at_ms for one in event.stands if one.at_ms is not None]
        colours = tuple((at_ms, _code(colour_of(rules, marks, settings, at_ms))) for at_ms in times)
        told.append(Told(event, findings, refused, running_clocks(rules, marks, settings), marks.sums, colours))
    return tuple(told)


def _code(colour: Colour | None) -> str | None:
    return None if colour is None else colour.code


def _signers(event: StoryEvent) -> tuple[ResultSigner, ...]:
    roles: dict[str, set[str]] = {}
    for role, name in event.signers:
        roles.setdefault(name, set()).add(role)
    return tuple(ResultSigner(name.encode("utf-8"), "story", tuple(sorted(held))) for name, held in roles.items())


def check_story(told: Iterable[Told]) -> None:
    """Hold what a story came to against what it says.

    Raises:
        StoryBroken: naming the first line that does not hold.
    """
    for one in told:
        event = one.event
        if one.refused != event.refused:
            raise StoryBroken(event.line, f"refused: {one.refused or 'no'}, the story says {event.refused or 'no'}")
        found = list(one.findings)
        for expected in event.findings:
            finding = next((finding for finding in found if _is(finding, expected)), None)
            if finding is None:
                raise StoryBroken(event.line, f"no finding {_said(expected)} among {_listed(found)}")
            found.remove(finding)
        if found:
            raise StoryBroken(event.line, f"findings that the story does not say: {_listed(found)}")
        for due in event.due:
            _check_due(due, one.clocks)
        for stands in event.stands:
            _check_stands(stands, one)


def _is(finding: Finding, expected: Expected) -> bool:
    return finding.code == expected.code and set(expected.parameters) <= set(finding.parameters)


def _said(expected: Expected) -> str:
    return " ".join((expected.code, *(f"{name}={value}" for name, value in expected.parameters)))


def _listed(findings: Sequence[Finding]) -> str:
    return "; ".join(_said(Expected(finding.code, finding.parameters)) for finding in findings) or "none"


def _check_due(due: Due, clocks: Sequence[RunningClock]) -> None:
    ends: list[int | str] = [
        ("paused" if clock.missing_year is None else f"calendar of {clock.missing_year} is missing")
        if clock.due_day is None
        else clock.due_day
        for clock in clocks
        if clock.step == due.step
    ]
    if due.ends in ends or (due.ends == "none" and not ends):
        return
    said = ", ".join(_date(end) for end in ends) or "none"
    raise StoryBroken(due.line, f"the term of {due.step} ends: {said}, the story says {_date(due.ends)}")


def _check_stands(stands: Stands, told: Told) -> None:
    if stands.total is not None:
        total = dict(told.sums).get(stands.code, 0)
        if total != stands.total:
            raise StoryBroken(stands.line, f"{stands.code} stands at {total}, the story says {stands.total}")
        return
    colour = next(code for at_ms, code in told.colours if at_ms == stands.at_ms)
    if colour != stands.code:
        raise StoryBroken(stands.line, f"the case's colour is {colour or 'none'}, the story says {stands.code}")


def _date(end: int | str) -> str:
    if isinstance(end, str):
        return end
    year, month, day = date_of_day(end)
    return f"{year}-{month:02}-{day:02}"
