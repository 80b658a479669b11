"""``fazhi rules simulate``: a story, event by event, and where it says something else than the rule set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fazhi_contracts.procedures.deadlines import RunningClock
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.stories import BadStory, Story, StoryBroken, Told, check_story, play, read_story
from fazhi_ledger.messages import printable

from . import labels
from .case_view import clock_line
from .exits import Misuse
from .inputs import read_file
from .language import Language, choose
from .rules_texts import PLAY

_MAX_BYTES = 4 << 20
_OFFSET_MIN = 480
"""Stories are told in the chain's default offset."""

_MISMATCHES: Final = (
    (r"refused: (.+), the story says (.+)", "拒绝: {0},故事写的是 {1}"),
    (r"no finding (.+) among (.+)", "没有故事所写的发现 {0};得出的是 {1}"),
    (r"findings that the story does not say: (.+)", "故事没有写的发现: {0}"),
    (r"the term of (\S+) ends: (.+), the story says (.+)", "{0} 的期限届满: {1},故事写的是 {2}"),
    (r"(\S+) stands at (.+), the story says (.+)", "累计 {0} 为 {1},故事写的是 {2}"),
    (r"the case's colour is (.+), the story says (.+)", "颜色是 {0},故事写的是 {1}"),
    (r"breached: (.+), the story says (.+)", "结论 违反: {0},故事写的是 {1}"),
    (r"not judged: (.+), the story says (.+)", "结论 不能判断: {0},故事写的是 {1}"),
)
"""Where a story says something else than it comes to: what the reading of stories says, and that in Chinese."""

_MISMATCH_WORDS: Final = (
    (r"^(?:none|no)$", "无"),
    (r"\bpaused\b", "中止"),
    (r"calendar of (\d+) is missing", r"缺 \1 年的工作日历"),
)
"""What stands in the places of :data:`_MISMATCHES`."""


def read(path: str, rules: RuleSet) -> Story:
    """The story of a file.

    Raises:
        Misuse: it cannot be read, or is one of another procedure.
    """
    try:
        story = read_story(read_file(path, _MAX_BYTES).decode("utf-8-sig"), _OFFSET_MIN)
    except BadStory as error:
        named = dict(error.parameters)
        raise Misuse("bad-story", path=path, line=named["line"], reason=named["what"]) from None
    except UnicodeDecodeError as error:
        raise Misuse("bad-story", path=path, line=0, reason=str(error)) from None
    if story.procedure != rules.procedure:
        raise Misuse("story-of-other", path=path, found=story.procedure, procedure=rules.procedure)
    return story


def mismatch(what: str, language: Language) -> str:
    """Where a story says something else than it comes to, in the reader's language."""
    for pattern, said in _MISMATCHES if language == "zh" else ():
        match = re.fullmatch(pattern, what)
        if match is not None:
            found = list(match.groups())
            for word, chinese in _MISMATCH_WORDS:
                found = [re.sub(word, chinese, part) for part in found]
            return said.format(*found)
    return what


class Telling:
    """Tells a story; ``broken`` counts the places where it says something else than the rule set comes to."""

    def __init__(self, path: str, story: Story, rules: RuleSet, language: Language) -> None:
        self.broken = 0
        self._path = path
        self._story = story
        self._rules = rules
        self._language = language
        self._running: dict[tuple[str, str], RunningClock] = {}

    def lines(self) -> Iterator[str]:
        """The events, what each came to, and the outcome."""
        for told in play(self._story, self._rules):
            yield from self._event(told)
            try:
                check_story([told])
            except StoryBroken as error:
                self.broken += 1
                named = dict(error.parameters)
                yield "    " + self._say(
                    "mismatch", line=named["line"], what=printable(mismatch(str(named["what"]), self._language))
                )
        outcome = "broken" if self.broken else "holds"
        yield self._say(outcome, path=self._path, count=self.broken, events=len(self._story.events))

    def _event(self, told: Told) -> Iterator[str]:
        event, language, rules = told.event, self._language, self._rules
        signers = labels.joined((f"{labels.roles((role,), language)} {name}" for role, name in event.signers), language)
        clear = labels.joined((f"{name}={value}" for name, value in event.clear), language)
        occurred = labels.moment(event.occurred_at_ms, _OFFSET_MIN)[:16]
        parts = (occurred, labels.step_label(rules, event.step, language), signers, clear)
        yield printable("  ".join(part for part in parts if part))
        if told.refused is not None:
            yield "    " + self._say("refused", reason=told.refused)
        for finding in told.findings:
            yield "    " + labels.finding(finding, language, rules)
        for code, total in told.sums:
            yield "    " + self._say("tally", tally=code, total=total)
        for at_ms, colour in told.colours:
            day = labels.moment(at_ms, _OFFSET_MIN)[:10]
            yield "    " + self._say("colour", colour=colour or "–", day=day)
        yield from self._clocks(told)

    def _clocks(self, told: Told) -> Iterator[str]:
        """The terms that are new or end on another day than before the event, and those that no longer run."""
        now = {(clock.step, f"{clock.start} {clock.article}"): clock for clock in told.clocks}
        for key, clock in now.items():
            if self._running.get(key) != clock:
                yield "    " + clock_line(clock, self._rules, _OFFSET_MIN, self._language)
        for key in self._running:
            if key not in now:
                step = labels.step_label(self._rules, key[0], self._language)
                yield "    " + self._say("ends", step=step)
        self._running = now

    def _say(self, code: str, **values: str | int) -> str:
        return choose(PLAY[code], self._language).format(**values)
