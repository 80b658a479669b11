"""Every story comes to what it says. A lawyer adds one by adding a file."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from fazhi_contracts.builtin import BUILTIN_PROCEDURES, VERSIONS, load_builtin_rule_set, load_builtin_versions
from fazhi_contracts.procedures.ruleset import Clock, Guard, RuleSet
from fazhi_contracts.procedures.stories import BadStory, Story, StoryBroken, check_story, play, read_story
from fazhi_contracts.procedures.story_reading import Concluded
from fazhi_contracts.procedures.verdict import BREACHED, MET
from fazhi_contracts.rulebook import date_number

versions_of = cache(load_builtin_versions)
FOLDER = Path(__file__).parent
STORIES = sorted(FOLDER.glob("*/*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_story_comes_to_what_it_says(path: Path) -> None:
    story = read_story(path.read_text(encoding="utf-8"))
    name, rules = law_of(story)
    assert name == path.parent.name
    check_story(play(story, rules))


def law_of(story: Story) -> tuple[str, RuleSet]:
    """The rule set of the day on which a story's case is opened, and the name of its file."""
    opened = date_number(story.events[0].occurred_at_ms, 480)
    versions = zip(VERSIONS[story.procedure], versions_of(story.procedure), strict=True)
    return [(name, rules) for name, rules in versions if rules.law_from <= opened][-1]


def test_each_rule_set_has_its_stories() -> None:
    for procedure in BUILTIN_PROCEDURES:
        for name in VERSIONS[procedure]:
            assert len(list((FOLDER / name).glob("*.txt"))) >= 10, name


@pytest.mark.parametrize("name", [name for each in VERSIONS.values() for name in each])
def test_every_guard_and_clock_is_met_in_one_story_and_breached_in_another(name: str) -> None:
    procedure = next(procedure for procedure, names in VERSIONS.items() if name in names)
    versions = versions_of(procedure)
    rules, newest = versions[VERSIONS[procedure].index(name)], versions[-1]
    # Those of the common parts are told where they belong; what an older law says word for word like the newest, there.
    asked = {
        (step.code, 5 + place)
        for step in rules.steps
        for place, clause in enumerate((*step.guards, *step.clocks))
        if not step.beside and (rules is newest or clause not in _clauses(newest, step.code))
    }
    found: dict[str, set[tuple[str, int]]] = {MET: set(), BREACHED: set()}
    for path in (FOLDER / name).glob("*.txt"):
        story = read_story(path.read_text(encoding="utf-8"))
        last = story.events[-1]
        at_the_end = replace(last, concluded=(Concluded(last.line, last.recorded_at_ms, MET, ()),))
        told = play(replace(story, events=(*story.events[:-1], at_the_end)), rules)
        for outcome, clauses in found.items():
            clauses |= {(clause.step, clause.index) for clause in told[-1].verdicts[0].of(outcome)}
    for outcome, clauses in found.items():
        assert asked - clauses == set(), outcome


def _clauses(rules: RuleSet, code: str) -> tuple[Guard | Clock, ...]:
    step = rules.step(code)
    return () if step is None else (*step.guards, *step.clocks)


GOOD = """程序 penalty
2026-03-02 09:00 LEAD officer:甲
2026-03-03 09:00 FILED head:乙
    期限 DECIDED 2026-06-01
2026-03-04 09:00 INVEST officer:甲
    发现 signers-short found=1
2026-03-04 09:00 SERVED officer:甲 mode=direct
    拒绝 impossible-step
    结论 违反 行政处罚法 42
    结论 2026-06-02 违反 行政处罚法 42; 行政处罚法 60
"""


def broken(text: str) -> tuple[str, int]:
    with pytest.raises((BadStory, StoryBroken)) as caught:
        check_story(play(read_story(text), load_builtin_rule_set("penalty")))
    return caught.value.code, int(dict(caught.value.parameters)["line"])


def test_what_a_story_says_is_held_against_what_it_comes_to() -> None:
    calendar = "日历 2026 休 01-01\n"
    check_story(play(read_story(calendar + GOOD), load_builtin_rule_set("penalty")))
    for old, new, line in (
        ("    发现 signers-short found=1\n", "", 6),
        ("found=1", "found=2", 6),
        ("发现 signers-short", "发现 step-missing", 6),
        ("    期限 DECIDED 2026-06-01", "    期限 DECIDED 2026-06-02", 5),
        ("    期限 DECIDED 2026-06-01", "    期限 DECIDED 无", 5),
        ("    拒绝 impossible-step\n", "", 8),
        ("impossible-step", "case-closed", 8),
        ("    结论 违反 行政处罚法 42\n", "    结论 无违反\n", 10),
        ("    结论 违反 行政处罚法 42\n", "    结论 违反 行政处罚法 42; 行政处罚法 60\n", 10),
        ("    结论 违反 行政处罚法 42\n", "    结论 违反 行政处罚法 42\n    结论 不能判断 行政处罚法 60\n", 10),
        ("结论 2026-06-02", "结论 2026-06-01", 11),
    ):
        assert broken(calendar + GOOD.replace(old, new)) == ("story-broken", line), new


@pytest.mark.parametrize(
    "line",
    [
        "2026-02-29 09:00 LEAD officer:甲",
        "2026-03-02 24:00 LEAD officer:甲",
        "２０２６-03-02 09:00 LEAD officer:甲",
        "1969-12-31 09:00 LEAD officer:甲",
        "2026-03-02 09:00",
        "2026-03-02 09:00 LEAD",
        "2026-03-02 09:00 LEAD officer:甲 documents=-1",
        "2026-03-02 09:00 LEAD officer:甲 recorded=2026-03-02",
        "程序",
        "日历 26 休 01-01",
        "日历 2026 休 13-01",
        "日历 2026 休 01-03",
        "发现 signers-short found",
        "发现",
        "期限 DECIDED",
        "期限 DECIDED soon",
        "拒绝",
        "结论",
        "结论 违反",
        "结论 违反 行政处罚法 42;",
        "结论 无违反 行政处罚法 42",
        "结论 2026-02-29 无违反",
        "结论 2026-03-05",
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(line: str) -> None:
    assert broken(f"{GOOD}\n{line}") == ("bad-story", 12)


@pytest.mark.parametrize("text", ["", "# nothing", "程序 penalty", "2026-03-02 09:00 LEAD officer:甲", "发现 无"])
def test_what_is_no_story(text: str) -> None:
    assert broken(text)[0] == "bad-story"
