"""Stories out of their text; :mod:`.stories` tells the form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fazhi_ledger.errors import FazhiError

from ..calendar import MINUTE_MS, date_of_day, day_of_date
from ..workdays import YearCalendar
from .verdict import BREACHED, NOT_JUDGED
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
class Concluded:
    """What is expected of the verdict as of a time (Unix milliseconds): the articles of the clauses that came to this
    outcome."""

    line: int
    at_ms: int
    outcome: str
    articles: tuple[str, ...]


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
    concluded: tuple[Concluded, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """A whole one."""

    procedure: str
    calendars: tuple[YearCalendar, ...]
    events: tuple[StoryEvent, ...]


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
    concluded: list[Concluded] = field(default_factory=list)

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
            case "结论" | "verdict":
                self._of_event(number)
                self.concluded.append(_concluded(number, words[1:], self.events[-1], self.offset_min))
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
                concluded=tuple(self.concluded),
            )
        self.expected, self.refused, self.due, self.stands, self.concluded = [], None, [], [], []


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


_VERDICTS: Final = {
    "无违反": (BREACHED, False),
    "clean": (BREACHED, False),
    "违反": (BREACHED, True),
    "breached": (BREACHED, True),
    "不能判断": (NOT_JUDGED, True),
    "open": (NOT_JUDGED, True),
}


def _concluded(number: int, words: Sequence[str], event: StoryEvent, offset_min: int) -> Concluded:
    at_ms = event.recorded_at_ms
    if words and _DAY.fullmatch(words[0]) is not None:
        at_ms, words = _moment(number, words[0], "12:00", offset_min), words[1:]
    outcome, listed = _VERDICTS.get(words[0] if words else "", ("", False))
    articles = tuple(part.strip() for part in " ".join(words[1:]).replace(";", ";").split(";"))
    if not outcome or listed is not all(articles):
        raise BadStory(number, "a verdict is 无违反, or 违反 or 不能判断 with articles, separated by semicolons")
    return Concluded(number, at_ms, outcome, articles if listed else ())
