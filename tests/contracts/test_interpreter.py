"""What becomes of records: findings for the late and irregular, refusals for the impossible, else nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from fazhi_contracts.errors import Refused
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.deadlines import running_clocks
from fazhi_contracts.procedures.interpreter import Judge
from fazhi_contracts.procedures.marks import Marks, StepMark
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.settings import Settings
from fazhi_contracts.queries import case_clocks
from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.limits import MAX_FINDINGS, MAX_TIME_MS
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record import Record
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import Finding, RecordResult, ResultSigner
from hypothesis import given
from hypothesis import strategies as st

from .builders import (
    DAY_MS,
    SPINE,
    START_MS,
    USUAL_CLEAR,
    USUAL_SIGNERS,
    Docket,
    World,
    codes_of,
    make_record,
    penalty,
    signer,
)
from .test_ruleset import small
from .voting import with_calendar

HOUR_MS = 3_600_000


class Story:
    """A penalty case told step by step."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.case = self.world.case()

    def tell(self, *steps: str) -> None:
        """Record steps as they should be, whatever is found."""
        for step in steps:
            self.then(step)

    def then(self, step: str, *words: str, **parts: Any) -> tuple[Finding, ...]:
        return self.world.do(self.world.by(*(words or USUAL_SIGNERS[step])).record(self.case, step, **parts))

    def refused(self, step: str, *words: str, **parts: Any) -> tuple[str, dict[str, str | int]]:
        return self.world.refused(self.world.by(*(words or USUAL_SIGNERS[step])).record(self.case, step, **parts))


def only(findings: tuple[Finding, ...], code: str) -> Finding:
    assert codes_of(findings) == [code]
    return findings[0]


def test_one_officer_short() -> None:
    story = Story()
    story.tell("LEAD", "FILED")
    finding = only(story.then("INVEST", "officer-1"), "signers-short")
    assert (finding.clause, finding.severity) == ("行政处罚法 42", "irregular")
    assert dict(finding.parameters) == {"roles": "officer", "required": 2, "found": 1}
    assert story.then("INVEST", "officer-1", "officer-2") == ()
    assert story.then("INVEST", "officer-1", "officer-2", "officer-3") == ()


def test_a_head_is_no_second_officer() -> None:
    story = Story()
    story.tell("LEAD", "FILED")
    only(story.then("INVEST", "officer-1", "head"), "signers-short")


def test_role_not_allowed() -> None:
    story = Story()
    story.tell("LEAD")
    code, parameters = story.refused("FILED", "officer-1")
    assert (code, parameters["roles"]) == ("role-not-allowed", "head")
    assert story.refused("FILED", "zfj")[0] == "role-not-allowed"  # a member's key registers, it does not enforce
    assert story.then("FILED", "officer-1", "head") == ()


def test_documents() -> None:
    story = Story()
    story.tell("LEAD", "FILED")
    finding = only(story.then("INVEST", documents=0), "documents-short")
    assert dict(finding.parameters) == {"required": 1, "found": 0}
    assert story.then("INVEST", documents=1) == ()
    assert Story().then("LEAD", documents=0) == ()


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        ("NOTICE", ["step-missing NOTICE"]),
        ("DEFEND", ["step-missing DEFEND"]),
        ("LEGALREV", ["step-missing LEGALREV"]),
        ("INVEND", ["step-skipped"]),
        ("INVEST", ["step-missing INVEST"]),
        ("FILED", ["step-missing FILED"]),
    ],
)
def test_a_step_left_out_is_found_at_the_decision(left_out: str, expected: list[str]) -> None:
    story = Story()
    story.tell(*(step for step in SPINE[: SPINE.index("DECIDED")] if step != left_out))
    findings = story.then("DECIDED")
    described = [" ".join([f.code, *(str(v) for n, v in f.parameters if n == "step")]) for f in findings]
    assert described == expected


def test_each_missing_step_cites_its_article() -> None:
    story = Story()
    story.tell("LEAD")
    found = {dict(f.parameters).get("step"): (f.clause, f.severity) for f in story.then("DECIDED")}
    assert found == {
        None: ("行政处罚法 57", "irregular"),  # step-skipped: no investigation was closed
        "FILED": ("行政处罚法 54", "irregular"),
        "INVEST": ("行政处罚法 54", "grave"),
        "LEGALREV": ("行政处罚法 58", "grave"),
        "NOTICE": ("行政处罚法 44、62", "grave"),
        "DEFEND": ("行政处罚法 45、62", "grave"),
    }


@pytest.mark.parametrize("outcome", ["none", "not_established", "transfer"])
def test_no_notice_is_owed_without_a_penalty(outcome: str) -> None:
    story = Story()
    story.tell("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV")
    assert story.then("DECIDED", clear={"outcome": outcome}) == ()


def test_a_legal_review_that_is_not_asked_for() -> None:
    for declared, expected in (("not_required", []), ("required", ["step-missing"])):
        story = Story()
        story.tell("LEAD", "FILED", "INVEST")
        story.then("INVEND", clear={"legal_review": declared})
        story.tell("NOTICE", "DEFEND")
        assert codes_of(story.then("DECIDED")) == expected


def test_a_legal_review_must_be_passed_and_newer_than_the_facts() -> None:
    story = Story()
    story.tell("LEAD", "FILED", "INVEST", "INVEND")
    story.then("LEGALREV", clear={"opinion": "not_passed"})
    story.tell("NOTICE", "DEFEND")
    finding = only(story.then("DECIDED"), "outcome-adverse")
    assert dict(finding.parameters) == {"step": "LEGALREV", "field": "opinion", "value": "not_passed"}
    story = Story()
    story.tell("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV", "INVEST", "INVEND", "NOTICE", "DEFEND")
    finding = only(story.then("DECIDED"), "step-outdated")
    assert dict(finding.parameters) == {"step": "LEGALREV", "since": "INVEND"}
    story = Story()
    story.tell("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV", "INVEND", "LEGALREV", "NOTICE", "DEFEND")
    assert story.then("DECIDED") == ()


@pytest.mark.parametrize(("days", "late"), [(0, 0), (89, 0), (90, 0), (91, 1), (200, 110)])
def test_ninety_days_to_the_decision(days: int, late: int) -> None:
    story = Story(with_calendar(World()))
    story.tell("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV", "NOTICE", "DEFEND")
    story.world.pass_days(days)
    findings = story.then("DECIDED")
    if not late:
        assert findings == ()
        return
    finding = only(findings, "deadline-exceeded")
    assert finding.clause == "行政处罚法 60"
    assert dict(finding.parameters) == {"start": "FILED", "amount": 90, "unit": "calendar-days", "late_days": late}


def test_deadlines_end_with_the_day_in_beijing() -> None:
    """Filed one second before midnight or after it: the day of filing is not counted, the ninetieth is whole."""
    midnight = START_MS + 8 * HOUR_MS  # START is 16:00 in Beijing
    for filed, end in ((midnight - 1000, midnight + 90 * DAY_MS), (midnight, midnight + 91 * DAY_MS)):
        for decided, expected in ((end - 1, []), (end, ["deadline-exceeded"])):
            story = Story(with_calendar(World(late_record_ms=366 * DAY_MS)))
            story.tell("LEAD")
            story.world.now_ms = filed
            story.tell("FILED", "INVEST", "INVEND", "LEGALREV", "NOTICE", "DEFEND")
            story.world.now_ms = end + DAY_MS
            assert codes_of(story.then("DECIDED", at=decided)) == expected


def test_clocks_run_on_what_happened_not_on_when_it_was_recorded() -> None:
    story = Story()
    story.tell("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV", "NOTICE", "DEFEND")
    happened = story.world.now_ms
    story.world.pass_days(120)
    assert codes_of(story.then("DECIDED", at=happened)) == ["recorded-late"]


def test_payment_within_fifteen_days_of_service() -> None:
    decided = ("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV", "NOTICE", "DEFEND", "DECIDED")
    for mode, days, expected in (
        ("direct", 15, []),
        ("direct", 16, ["deadline-exceeded"]),
        ("announced", 46, []),  # the forty-fifth day is a Sunday
        ("announced", 47, ["deadline-exceeded"]),
    ):
        story = Story(with_calendar(World()))
        story.tell(*decided)
        story.then("SERVED", clear={"mode": mode})
        story.world.pass_days(days)
        assert codes_of(story.then("PERFORM")) == expected, (mode, days)
    # A deferral is no breach once it is approved.
    only(story.then("PERFORM", clear={"kind": "deferred"}), "step-missing")
    story.then("DEFER", "head")
    assert story.then("PERFORM", clear={"kind": "deferred"}) == ()


def test_closing() -> None:
    decided = ("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV", "NOTICE", "DEFEND")
    story = Story()
    story.tell(*decided, "DECIDED")
    assert [dict(f.parameters)["step"] for f in story.then("CLOSED")] == ["SERVED", "PERFORM"]
    story = Story()
    story.tell(*decided)
    story.then("DECIDED", clear={"outcome": "none"})
    story.tell("SERVED")
    assert story.then("CLOSED") == ()
    story = Story()
    story.tell(*decided)
    story.then("DECIDED", clear={"outcome": "transfer"})
    assert story.then("CLOSED") == ()
    assert story.refused("DECIDED") == ("case-closed", {"record": 0, "step": "DECIDED", "closed_by": "CLOSED"})
    assert story.refused("CLOSED")[0] == "case-closed"
    assert story.refused("LEAD")[0] == "case-exists"


def test_impossible_steps() -> None:
    story = Story()
    story.tell("LEAD")
    for step, requires in (("SERVED", "DECIDED"), ("PERFORM", "DECIDED/SIMPLE"), ("CLOSED", "DECIDED/SIMPLE")):
        assert story.refused(step) == ("impossible-step", {"record": 0, "step": step, "requires": requires})
    story.tell("DECIDED")
    story.tell("SERVED")


def test_nothing_to_perform_without_a_penalty() -> None:
    story = Story()
    story.tell("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV")
    story.then("DECIDED", clear={"outcome": "none"})
    story.tell("SERVED")
    only(story.then("PERFORM", clear={"kind": "other"}), "outcome-adverse")


def test_a_second_decision_is_a_finding() -> None:
    story = Story()
    story.tell(*SPINE[: SPINE.index("DECIDED") + 1])
    finding = only(story.then("DECIDED"), "step-repeated")
    assert dict(finding.parameters) == {"step": "DECIDED", "first": 8}


@pytest.mark.parametrize(
    ("step", "clear", "code"),
    [
        ("DECIDED", {}, "missing-clear-field"),
        ("DECIDED", {"outcome": "mercy"}, "unknown-clear-value"),
        ("DECIDED", {"outcome": 1}, "unknown-clear-value"),
        ("DECIDED", {"outcome": "penalty", "amount": 500}, "unknown-clear-field"),
        ("INVEND", {"outcome": "penalty"}, "unknown-clear-field"),
        ("INVEND", {"legal_review": "maybe"}, "unknown-clear-value"),
        ("INVEND", {}, None),
    ],
)
def test_clear_fields(step: str, clear: dict[str, str | int], code: str | None) -> None:
    """What stands in clear comes out of the vocabulary: no free text, no amounts, no names reach the chain."""
    story = Story()
    story.tell("LEAD", "FILED", "INVEST")
    if code is None:
        story.then(step, clear=clear)
    else:
        assert story.refused(step, clear=clear)[0] == code


def test_occurred_before_the_previous_step() -> None:
    story = Story()
    story.tell("LEAD")
    start = story.world.now_ms
    story.then("FILED", at=start)
    finding = only(story.then("INVEST", at=start - 1), "occurred-before-previous")
    assert dict(finding.parameters) == {"previous": "FILED", "earlier_ms": 1}
    assert finding.clause == "行政处罚法 47"
    assert story.then("INVEND", at=start - 1) == ()  # the previous event is now the earlier one


def test_recorded_late() -> None:
    story = Story(World(late_record_ms=HOUR_MS))
    now = story.world.now_ms
    assert story.then("LEAD", at=now - HOUR_MS) == ()
    now = story.world.now_ms
    finding = only(story.then("FILED", at=now - HOUR_MS - 1), "recorded-late")
    assert dict(finding.parameters) == {"late_ms": HOUR_MS + 1, "limit_ms": HOUR_MS}
    assert finding.severity == "note"


def test_occurred_in_the_future() -> None:
    """A device's clock may be ahead by as much as a validator's; more is a finding."""
    story = Story(World(max_clock_skew_ms=2000))
    assert story.then("LEAD", at=story.world.now_ms + 2000) == ()
    finding = only(story.then("FILED", at=story.world.now_ms + 2001), "occurred-in-future")
    assert dict(finding.parameters) == {"ahead_ms": 2001}


def test_an_unconfirmed_rule_says_so() -> None:
    document = small()
    rules = compile_rule_set(document)
    findings = judge_steps(rules, ("OPEN", {}), ("WORK", {"mode": "slow"}))[-1]
    assert dict(only(findings, "signers-short").parameters)["to_confirm"] == 1


class Verdict(NamedTuple):
    findings: tuple[Finding, ...]
    marks: Marks


def judge(
    rules: RuleSet, marks: Marks, record: Record, who: tuple[ResultSigner, ...], time_ms: int, number: int
) -> Verdict:
    """What one record comes to over these marks; a refused one leaves the memory as it was."""
    judging = Judge(rules, marks, who, time_ms, SETTINGS)
    try:
        findings = judging.judge(RecordRun.of(record), 0, number)
    except Refused:
        assert judging.marks() == marks
        raise
    return Verdict(findings, judging.marks())


def judge_steps(rules: RuleSet, *steps: tuple[str, dict[str, str]]) -> list[tuple[Finding, ...]]:
    """Judge steps of a rule set alone, each signed by one and the same officer, an hour apart."""
    case = Docket("1", "zfj", rules.procedure)
    who = (ResultSigner(signer("officer-1").public_key, "zfj", ("officer",)),)
    marks, found = Marks(), []
    for number, (step, clear) in enumerate(steps, 1):
        time_ms = START_MS + number * HOUR_MS
        verdict = judge(rules, marks, make_record(case, step, time_ms, clear), who, time_ms, number)
        marks = verdict.marks
        found.append(verdict.findings)
    return found


SETTINGS = Settings.of(Parameters.defaults())


def test_others_than() -> None:
    """Who has ever signed a step must not sign this one, also where somebody else signed it last."""
    rules = compile_rule_set(small())
    findings = judge_steps(rules, ("OPEN", {}), ("WORK", {"mode": "fast"}), ("DONE", {}))[-1]
    assert codes_of(findings) == ["same-signer"]
    case = Docket("1", "zfj", "small")
    roles = ("officer",)
    one, two = (ResultSigner(signer(word).public_key, "zfj", roles) for word in ("officer-1", "officer-2"))
    marks = Marks()
    third = ResultSigner(signer("officer-3").public_key, "zfj", roles)
    fast = {"mode": "fast"}
    for number, (step, clear, who) in enumerate((("OPEN", {}, one), ("WORK", fast, one), ("WORK", fast, two)), 1):
        time_ms = START_MS + number
        marks = judge(rules, marks, make_record(case, step, time_ms, clear), (who,), time_ms, number).marks
    done = make_record(case, "DONE", START_MS + 4, {})
    said = [codes_of(judge(rules, marks, done, (who,), START_MS + 4, 4).findings) for who in (one, two, third)]
    assert said == [["same-signer"], ["same-signer"], []]
    mark = marks.by_step()["WORK"]
    assert mark.signers == tuple(sorted((one.key, two.key)))
    assert [m.signers for m in marks.marks if m.step != "WORK"] == [()]


def test_a_step_keeps_the_first_sixteen_who_signed_it() -> None:
    rules, case, marks = compile_rule_set(small()), Docket("1", "zfj", "small"), Marks()
    keys = [signer(f"officer-{number}").public_key for number in range(20)]
    for number, key in enumerate(keys, 1):
        who = (ResultSigner(key, "zfj", ("officer",)),)
        step, clear = ("OPEN", {}) if number == 1 else ("WORK", {"mode": "fast"})
        time_ms = START_MS + number
        marks = judge(rules, marks, make_record(case, step, time_ms, clear), who, time_ms, number).marks
    assert marks.by_step()["WORK"].signers == tuple(sorted(keys[1:17]))
    assert Marks.from_value(marks.to_value()) == marks


def test_guards_with_conditions() -> None:
    rules = compile_rule_set(small())
    slow = judge_steps(rules, ("OPEN", {}), ("WORK", {"mode": "slow"}), ("DONE", {}))[-1]
    assert codes_of(slow) == ["same-signer"]  # 'unless' takes the outcome guard away


def test_clocks_from_the_last_recording_and_shifted() -> None:
    rules = compile_rule_set(small())
    opened = StepMark("OPEN", 1, 1, 1, START_MS, START_MS, (), ())
    fast = StepMark("WORK", 2, 2, 3, START_MS, START_MS + 3 * DAY_MS, (("mode", "fast"),), ())
    (clock,) = running_clocks(rules, Marks((opened, fast)), SETTINGS)
    assert clock.due_day == (START_MS + 8 * HOUR_MS) // DAY_MS + 13
    slow = StepMark("WORK", 3, 2, 4, START_MS, START_MS + 4 * DAY_MS, (("mode", "slow"),), ())
    (clock,) = running_clocks(rules, Marks((opened, slow)), SETTINGS)
    assert clock.due_day == (START_MS + 8 * HOUR_MS) // DAY_MS + 19
    done = StepMark("DONE", 1, 5, 5, START_MS, START_MS, (), ())
    assert running_clocks(rules, Marks((opened, slow, done)), SETTINGS) == ()


def test_running_clocks_of_a_case() -> None:
    story = Story()
    story.tell("LEAD")
    view = story.world.state.view
    (clock,) = case_clocks(view, story.world.head(story.case))
    assert (clock.step, clock.due_day, clock.missing_year, clock.confirmed) == ("FILED", None, 2026, False)
    filed = story.world.now_ms
    story.tell("FILED")
    (clock,) = case_clocks(view, story.world.head(story.case))
    assert (clock.step, clock.start, clock.amount, clock.article) == ("DECIDED", "FILED", 90, "行政处罚法 60")
    assert clock.due_ms == (filed + 8 * HOUR_MS) // DAY_MS * DAY_MS + 91 * DAY_MS - 8 * HOUR_MS - 1
    story.tell("INVEST", "INVEND", "LEGALREV", "NOTICE", "DEFEND", "DECIDED")
    assert {clock.step for clock in case_clocks(view, story.world.head(story.case))} == {"SERVED", "PUBLISHED"}
    story.tell("SERVED")
    with_calendar(story.world)
    view = story.world.state.view
    clocks = case_clocks(view, story.world.head(story.case))
    assert [(clock.step, clock.amount) for clock in clocks] == [("PUBLISHED", 7), ("PERFORM", 15)]
    assert clocks[0].due_day == (START_MS + 8 * HOUR_MS) // DAY_MS + 11  # 4, 5 … 9, 12 January


ROLES = st.lists(st.sampled_from(["officer", "head", "reviewer", "notary"]), unique=True, max_size=3)
TIMES = st.one_of(st.integers(0, MAX_TIME_MS), st.integers(START_MS, START_MS + 200 * DAY_MS))
VALUES = st.one_of(
    st.sampled_from(sorted({code for step in penalty().steps for known in step.clear for code in known.codes})),
    st.integers(-5, 5),
)
CLEAR = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(["outcome", "mode", "opinion", "response", "kind", "legal_review", "x"]), VALUES),
)


def judged(rules: RuleSet, marks: Marks, record: Record, who: tuple[ResultSigner, ...], number: int) -> Verdict | None:
    """A verdict, or None for a refusal by name that is the same when asked again."""
    try:
        return judge(rules, marks, record, who, START_MS, number)
    except Refused as error:
        refusal = error
    assert refusal.code in REFUSALS_OF_JUDGE
    with pytest.raises(Refused) as again:
        judge(rules, marks, record, who, START_MS, number)
    assert (again.value.code, again.value.parameters) == (refusal.code, refusal.parameters)
    return None


@given(st.lists(st.tuples(st.sampled_from([*SPINE, "NOWHERE"]), st.lists(ROLES, min_size=1, max_size=3), TIMES, CLEAR)))
def test_random_stories(events: list[tuple[str, list[list[str]], int, dict[str, str | int] | None]]) -> None:
    """Whatever is told in whatever order: findings or a named refusal, within bounds; the memory survives encoding."""
    rules, case, marks, number = penalty(), Docket("1"), Marks(), 1
    for step, roles, time_ms, clear in events:
        who = tuple(ResultSigner(bytes([i]) * 32, "zfj", tuple(sorted(r))) for i, r in enumerate(roles))
        record = make_record(case, step, time_ms, clear, documents=time_ms % 2)
        verdict = judged(rules, marks, record, who, number)
        if verdict is None:
            continue
        reread = Marks.from_value(decode(encode(marks.to_value())))
        assert judge(rules, reread, record, who, START_MS, number) == verdict
        assert len(verdict.findings) <= MAX_FINDINGS
        result = RecordResult(case.id, number, verdict.findings)
        assert RecordResult.decode(result.encode()) == result
        assert rules.by_code[step].terminal or not any(rules.by_code[m.step].terminal for m in marks.marks)
        marks = verdict.marks
        number += 1
        assert len(marks.marks) <= len(rules.steps)
        assert sum(mark.count for mark in marks.marks) == number - 1
        assert max(marks.marks, key=lambda mark: mark.last_number).step == step


REFUSALS_OF_JUDGE = {
    "unknown-step",
    "case-closed",
    "impossible-step",
    "role-not-allowed",
    "unknown-clear-field",
    "unknown-clear-value",
    "missing-clear-field",
}


def test_usual_clear_fields_are_the_required_ones() -> None:
    steps = [penalty().by_code[code] for code in SPINE]
    assert {step.code for step in steps if step.required_clear} == set(USUAL_CLEAR)
