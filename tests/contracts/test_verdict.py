"""The verdict: the findings of the chain, read by clauses, and whatever else the rule set asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from fazhi_contracts.procedures.clauses import Clock
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.settings import Settings
from fazhi_contracts.procedures.stories import Told, play, read_story
from fazhi_contracts.procedures.story_reading import Concluded
from fazhi_contracts.procedures.verdict import (
    BREACHED,
    MET,
    NOT_APPLICABLE,
    NOT_JUDGED,
    RUNNING,
    CaseEvent,
    Clause,
    ReplayDiffers,
    Verdict,
    verdict_on,
)
from fazhi_contracts.workdays import Workdays
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.result import Finding, ResultSigner

from tests.stories.test_stories import STORIES, law_of

from .builders import penalty

DAY_MS = 86_400_000


def told(text: str, day: str = "") -> tuple[tuple[Told, ...], RuleSet]:
    """A story, with a verdict after its last event, at noon of a day where one is named."""
    story = read_story(f"{text.rstrip()}\n    结论 {day} 无违反\n")
    _, rules = law_of(story)
    return play(story, rules), rules


def verdict(text: str, day: str = "") -> Verdict:
    return told(text, day)[0][-1].verdicts[0]


def clause(found: Verdict, number: str) -> Clause:
    """The last one of that number."""
    return [one for one in found.clauses if one.number == number][-1]


@pytest.mark.parametrize("path", STORIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_clauses_and_findings_are_one_thing(path: Any) -> None:
    story = read_story(path.read_text(encoding="utf-8"))
    last = replace(story.events[-1], concluded=(Concluded(0, story.events[-1].recorded_at_ms, BREACHED, ()),))
    story = replace(story, events=(*story.events[:-1], last))
    _, rules = law_of(story)
    events = play(story, rules)
    found = events[-1].verdicts[0]
    accepted = [one for one in events if one.refused is None]
    assert [step.event.step for step in found.steps] == [one.event.step for one in accepted]
    for step, one in zip(found.steps, accepted, strict=True):
        assert tuple(finding for clause in step.clauses for finding in clause.findings) == one.findings
        assert [clause.index for clause in step.clauses] == list(range(1, len(step.clauses) + 1))
        for clause in step.clauses:
            assert (clause.outcome in (BREACHED, NOT_JUDGED)) >= bool(clause.findings)
            assert clause.outcome != BREACHED or clause.findings
            assert all(finding.clause == clause.article for finding in clause.findings)
            assert all(("to_confirm", 1) in finding.parameters for finding in clause.findings) or clause.confirmed
    subjects: dict[str, object] = {}
    for clause in found.clauses:
        assert subjects.setdefault(clause.number, (clause.kind, clause.article, clause.subject)) == (
            clause.kind, clause.article, clause.subject,
        )  # fmt: skip


DECIDED = """程序 penalty
日历 2026 休 01-01
2026-03-02 09:00 LEAD officer:甲
2026-03-02 10:00 FILED head:局长
2026-03-05 14:30 INVEST officer:甲 officer:乙
2026-03-09 16:00 INVEND officer:甲 legal_review=not_required
2026-03-11 09:30 NOTICE officer:甲
2026-03-12 10:00 DEFEND officer:甲 response=waived
2026-03-17 15:00 DECIDED head:局长 outcome=penalty
"""


def test_the_decision_freezes_the_file_and_what_comes_later_stands_outside() -> None:
    found = verdict(DECIDED + "2026-03-06 10:00 INVEST officer:甲 officer:乙 recorded=2026-03-20T09:00\n")
    assert found.frozen == 7
    assert [step.outside for step in found.steps] == [False] * 7 + [True]
    assert [step.entered_later for step in found.steps] == [False] * 7 + [True]
    assert clause(found, "INVEST.5").outcome == BREACHED
    assert found.articles(BREACHED) == ("行政诉讼法 35、行政复议法 46", "行政处罚法 47")


def test_it_is_the_first_decision_that_freezes_the_file() -> None:
    found = verdict(DECIDED + "2026-03-18 09:00 DECIDED head:局长 outcome=penalty\n")
    assert found.frozen == 7
    assert [step.outside for step in found.steps][-1:] == [True]
    assert clause(found, "DECIDED.2").findings[0].code == "step-repeated"


def test_a_term_that_is_owed_runs_until_its_end_and_is_breached_after_it() -> None:
    opening = "\n".join(DECIDED.splitlines()[:4])
    number = "DECIDED.18"  # 行政处罚法 60: ninety days
    running = clause(verdict(opening, "2026-06-01"), number)
    assert (running.outcome, running.kind, running.article) == (RUNNING, "clock", "行政处罚法 60")
    assert running.term is not None
    assert running.term.due_day == 20605  # 2026-06-01
    late = clause(verdict(opening, "2026-06-02"), number)
    assert (late.outcome, dict(late.findings[0].parameters)["late_days"]) == (BREACHED, 1)
    met = clause(verdict(DECIDED), number)
    assert (met.outcome, met.findings, met.term) == (MET, (), running.term)
    assert clause(verdict("\n".join(opening.splitlines()[:3])), number).outcome == NOT_APPLICABLE


def test_without_a_calendar_it_is_said_that_nothing_can_be_said() -> None:
    text = DECIDED.replace("日历 2026 休 01-01\n", "").rsplit("2026-03-17", 1)[0]
    number = "DECIDED.18"
    assert clause(verdict(text, "2026-05-31"), number).outcome == RUNNING  # by any calendar
    unknown = clause(verdict(text, "2026-06-02"), number)
    assert (unknown.outcome, unknown.findings[0].code) == (NOT_JUDGED, "calendar-missing")
    assert clause(verdict(text, "2026-06-30"), number).outcome == BREACHED  # by any calendar


def test_a_term_that_hangs_on_the_record_that_is_not_there_is_left_open() -> None:
    text = DECIDED + "2026-03-18 09:00 SERVED officer:甲 mode=direct\n"
    found = [one for one in verdict(text, "2026-12-01").owed if one.findings]
    hanging = [
        one for one in found if isinstance(one.subject, Clock) and any(c.step is None for c in one.subject.only_if)
    ]
    assert {one.outcome for one in hanging} == {NOT_JUDGED}
    assert {one.outcome for one in found} == {NOT_JUDGED, BREACHED}


def test_a_guard_about_a_step_that_does_not_stand_does_not_apply() -> None:
    found = verdict(DECIDED)
    decided = [one for one in found.steps[-1].clauses if one.kind == "guard"]
    about = {(one.subject.kind, one.subject.step): one.outcome for one in decided}  # type: ignore[union-attr]
    assert about["done", "NOTICE"] == MET
    assert about["ended", "REGHOLD"] == NOT_APPLICABLE


def test_a_limit_of_a_number_that_is_not_stated_cannot_be_judged() -> None:
    text = """程序 penalty
2026-03-06 09:00 LEAD officer:甲
2026-03-06 09:20 SIMPLE officer:甲 officer:乙 party=citizen kind=fine collected=no
"""
    found = verdict(text)
    limit = next(one for one in found.steps[-1].clauses if getattr(one.subject, "kind", "") == "at-most")
    assert (limit.outcome, limit.findings) == (NOT_JUDGED, ())
    stated = verdict(text.replace("kind=fine", "kind=fine fine_yuan=200"))
    assert clause(stated, limit.number).outcome == MET


def test_what_is_yet_to_be_confirmed_is_said_wherever_it_stands() -> None:
    found = verdict(DECIDED)
    marked = [one for one in found.clauses if not one.confirmed]
    assert marked
    signed = {step.code for step in penalty().steps if not step.signing.confirmed}
    assert signed
    assert all(one.kind in ("guard", "clock") or one.step in signed for one in marked)


def events_of(text: str) -> tuple[list[CaseEvent], RuleSet]:
    found, rules = told(text)
    return [step.event for step in found[-1].verdicts[0].steps], rules


@pytest.mark.parametrize(
    ("change", "code", "number"),
    [
        ({"findings": (Finding("signers-short", "x", "note"),)}, "findings-differ", 3),
        ({"clear": (("size", "large"),)}, "replay-refused", 3),
        ({"step": "NOTHING"}, "replay-refused", 3),
        ({"signers": (ResultSigner(b"a", "x", ("officer",)),)}, "findings-differ", 3),
        ({"documents": 0}, "findings-differ", 3),
        ({"time_ms": 1_900_000_000_000}, "findings-differ", 3),
        ({"occurred_at_ms": 1_700_000_000_000}, "findings-differ", 3),
    ],
)
def test_a_replay_that_comes_to_something_else_is_named(change: dict[str, Any], code: str, number: int) -> None:
    events, rules = events_of(DECIDED)
    settings = Settings.of(Parameters.defaults(), Workdays.of(()))
    assert verdict_on(rules, events, events[-1].time_ms, settings).of(BREACHED) == ()
    with pytest.raises(ReplayDiffers) as caught:
        _replay(rules, [*events[:2], replace(events[2], **change), *events[3:]], settings)
    assert caught.value.code == code
    assert dict(caught.value.parameters)["number"] == number


def _replay(rules: RuleSet, events: Sequence[CaseEvent], settings: Settings) -> Verdict:
    return verdict_on(rules, events, events[-1].time_ms, settings)
