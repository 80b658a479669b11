"""What other organisations record in a case, steps beside the procedure, tallies, colours: each word on both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fazhi_contracts.admission import check_item
from fazhi_contracts.errors import BadRuleSet
from fazhi_contracts.procedures.colours import colour_of
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.interpreter import Judge
from fazhi_contracts.procedures.marks import Marks, StepMark
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.settings import Settings
from fazhi_contracts.queries import case_clocks
from fazhi_contracts.workdays import Workdays
from fazhi_ledger.errors import InvalidSubmission
from fazhi_ledger.limits import MAX_INT
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import Result, ResultSigner

from .builders import DAY_MS, Docket, World, codes_of, make_genesis_file, make_record
from .test_ruleset import Document, changed, check_fault, small

CASE = Docket("1", "zfj", "open")


def open_case() -> Document:
    """A procedure in which the court, a notary and a supervisor have something to say, with accounts and colours."""
    document = small()
    document["procedure"] = "open"
    opening, work, done = document["steps"]
    del work["guards"], done["guards"], done["clocks"]
    work["sign"] = {"roles": ["officer", "head"], "article": "某法 3"}
    work["documents_min"] = 0
    work["clear"] = [number("pieces")]
    done["clocks"] = [clock("OPEN", 10)]
    ruled = {**plain_step("RULED"), "from": ["OPEN"], "sign": sign("judge", orgs=["court", "own"])}
    both = {**plain_step("BOTH"), "from": ["OPEN"], "sign": sign("officer", "head", each=True)}
    spent = {**plain_step("SPENT"), "from": ["OPEN"], "clear": [number("pieces")], "sign": sign("officer")}
    notice = {**plain_step("NOTICE"), "beside": True, "sign": sign("officer", "head", orgs=["supervisor"])}
    answer = {**plain_step("ANSWER"), "beside": True, "requires": ["NOTICE"], "sign": sign("officer")}
    answer["clocks"] = [{**clock("NOTICE", 3), "counted": "last"}]
    document["steps"] = [opening, work, done, ruled, both, spent, notice, answer]
    document["tallies"] = [
        {
            "code": "pot",
            "zh": "罐",
            "en": "pot",
            "article": "某法 8",
            "plus": [{"step": "WORK", "field": "pieces"}],
            "minus": [{"step": "SPENT", "field": "pieces"}],
        }
    ]
    document["colours"] = [
        {"code": "green", "zh": "绿", "en": "green", "closed": True},
        {"code": "red", "zh": "红", "en": "red", "overdue": True, "term": "DONE"},
        {"code": "yellow", "zh": "黄", "en": "yellow", "elapsed_percent": 50},
        {"code": "orange", "zh": "橙", "en": "orange", "only_if": {"step": "WORK"}},
        {"code": "blue", "zh": "蓝", "en": "blue", "unless": {"step": "WORK"}},
    ]
    return document


def number(name: str) -> Document:
    return {"name": name, "zh": "数", "en": name, "high": MAX_INT}


def clock(start: str, days: int) -> Document:
    term = {"amount": days, "unit": "calendar-days", "rolls": False}
    return {"start": start, **term, "article": "某法 8", "severity": "irregular"}


def sign(*roles: str, **parts: Any) -> Document:
    return {"roles": list(roles), "article": "某法 2", **parts}


def plain_step(code: str) -> Document:
    return {"code": code, "zh": "步", "en": "step", "article": "某法 4", "repeatable": True}


@pytest.fixture
def world() -> World:
    found = World(make_genesis_file([("open", compile_rule_set(open_case()).encode())]))
    found.do(found.by("zfj").register_org("zfj.a"))
    found.do(found.by("zfj").register_officer("zfj.a", "ann"))
    found.do(found.by("zfj").register_officer("zfj", "impostor", ("judge", "notary", "officer", "supervisor")))
    found.do(found.by("fy").register_officer("fy", "judge", ("judge",)))
    found.knows("ann", "zfj.a")
    found.knows("impostor", "zfj")
    found.knows("judge", "fy")
    found.do(found.by("officer-1").record(CASE, "OPEN"))
    return found


def test_another_organisation_records_what_is_its_to_say(world: World) -> None:
    assert world.do(world.by("judge").record(CASE, "RULED", of="zfj")) == ()
    assert world.do(world.by("sfj-officer", "sfj-head").record(CASE, "NOTICE", of="zfj")) == ()
    head = world.head(CASE)
    assert (head.org, head.count, head.step) == ("zfj", 3, "RULED")


def test_a_role_that_a_member_gives_its_own_officers_is_no_role_of_the_organisation(world: World) -> None:
    code, parameters = world.refused(world.by("impostor").record(CASE, "NOTICE"))
    assert (code, parameters["orgs"]) == ("wrong-standing", "supervisor")
    assert world.do(world.by("impostor").record(CASE, "RULED")) == ()  # which the own organisation may record, too


def test_others_record_only_what_names_them(world: World) -> None:
    assert world.refused(world.by("sfj-officer").record(CASE, "WORK", of="zfj"))[0] == "wrong-standing"
    assert world.refused(world.by("notary").record(CASE, "NOTICE", of="zfj"))[0] == "wrong-standing"
    assert world.refused(world.by("sfj-officer", "notary").record(CASE, "NOTICE", of="zfj"))[0] == "wrong-standing"
    assert world.refused(world.by("sfj-officer", "officer-1").record(CASE, "NOTICE", of="zfj"))[0] == "wrong-org"
    assert world.refused(world.by("ann", "sfj-officer").record(CASE, "NOTICE", of=None))[0] == "wrong-org"


def test_nobody_opens_a_case_of_another_member(world: World) -> None:
    case = Docket("2", "zfj", "open")
    assert world.refused(world.by("sfj-officer").record(case, "OPEN", of="zfj"))[0] == "unknown-case"
    # The same key below the own member is another case, and may be opened.
    assert world.do(world.by("sfj-officer").record(case, "OPEN")) == ()


@pytest.mark.parametrize("args", [("zfj",), ("fy.a",), ("FY",), (True,), (b"fy",), ("fy", "fy")])
def test_a_member_that_is_none_is_invalid(world: World, args: tuple[Any, ...]) -> None:
    item = world.by("officer-1").record(CASE, "WORK")
    assert isinstance(item.body.args, tuple)
    crooked = world.by("officer-1").act("cases", "record", (*item.body.args, *args), item.records)
    with pytest.raises(InvalidSubmission, match="wrong-records"):
        check_item(world.state.view, crooked, world.context())


def test_one_of_each_role(world: World) -> None:
    assert world.do(world.by("officer-1", "head").record(CASE, "BOTH")) == ()
    (finding,) = world.do(world.by("officer-1", "officer-2").record(CASE, "BOTH"))
    assert (finding.code, dict(finding.parameters)["found"]) == ("signers-short", 1)
    world.do(world.by("zfj").register_officer("zfj", "janus", ("head", "officer")))
    world.knows("janus", "zfj")
    (finding,) = world.do(world.by("janus").record(CASE, "BOTH"))  # one person is not two
    assert dict(finding.parameters)["found"] == 1
    assert world.do(world.by("janus", "officer-1").record(CASE, "BOTH")) == ()


def test_a_strict_rule_takes_no_word_of_one_alone() -> None:
    document = open_case()
    document["procedure"] = "strict"
    document["steps"][4]["sign"]["strict"] = True
    strict = Docket("1", "zfj", "strict")
    world = World(make_genesis_file([("strict", compile_rule_set(document).encode())]))
    world.do(world.by("officer-1").record(strict, "OPEN"))
    code, parameters = world.refused(world.by("officer-1", "officer-2").record(strict, "BOTH"))
    assert (code, parameters["required"], parameters["found"]) == ("attestation-short", 2, 1)
    assert world.do(world.by("officer-1", "head").record(strict, "BOTH")) == ()
    assert world.head(strict).count == 2


def test_many_who_may_fill_many_roles_are_shared_out_at_once() -> None:
    """There are more than thirty million ways (15! ÷ 8!) to fill the seven roles that anybody has: none is tried for
    its own sake."""
    document = open_case()
    roles = [f"r{place}" for place in range(8)]
    document["steps"][4]["sign"] = sign(*roles, each=True)
    rules, settings = compile_rule_set(document), Settings.of(Parameters.defaults())
    all_but_one = tuple(ResultSigner(bytes([place]) * 32, "zfj", tuple(roles[1:])) for place in range(15))
    marks = Marks((StepMark("OPEN", 1, 1, 1, 0, 0, (), ()),))
    run = RecordRun(0, "open", "BOTH", (), (bytes(32),), (DAY_MS,), (1,))
    found = Judge(rules, marks, all_but_one, DAY_MS, settings).judge(run, 0, 2)
    assert dict(found[0].parameters)["found"] == 7


def test_a_step_beside_the_procedure(world: World) -> None:
    world.do(world.by("officer-1").record(CASE, "WORK"))
    world.do(world.by("officer-1").record(CASE, "DONE"))
    assert world.refused(world.by("officer-1").record(CASE, "WORK"))[0] == "case-closed"
    later = world.now_ms
    assert world.do(world.by("sfj-officer").record(CASE, "NOTICE", of="zfj", at=later - DAY_MS)) == ()
    head = world.head(CASE)
    assert (head.step, head.count) == ("DONE", 4)


def test_what_stands_beside_is_not_the_previous(world: World) -> None:
    at = world.now_ms
    world.do(world.by("sfj-officer").record(CASE, "NOTICE", of="zfj", at=at + 4000))
    assert world.do(world.by("officer-1").record(CASE, "WORK", at=at + 1)) == ()
    (finding,) = world.do(world.by("officer-1").record(CASE, "WORK", at=at))
    assert finding.code == "occurred-before-previous"


def test_each_notice_wants_its_own_answer(world: World) -> None:
    def awaited() -> set[str]:
        return {one.step for one in case_clocks(world.state.view, world.head(CASE))}

    notice = world.by("sfj-officer").record
    world.do(notice(CASE, "NOTICE", of="zfj"))
    assert awaited() == {"DONE", "ANSWER"}
    world.do(world.by("officer-1").record(CASE, "ANSWER"))
    assert awaited() == {"DONE"}
    world.do(world.by("sfj-officer").record(CASE, "NOTICE", of="zfj"))
    assert awaited() == {"DONE", "ANSWER"}
    world.now_ms += 4 * DAY_MS
    assert codes_of(world.do(world.by("officer-1").record(CASE, "ANSWER"))) == ["deadline-exceeded"]


def test_nothing_is_taken_from_an_empty_pot(world: World) -> None:
    def told(step: str, pieces: int) -> Any:
        return world.by("officer-1").record(CASE, step, clear={"pieces": pieces})

    assert world.refused(told("SPENT", 1)) == ("tally-short", {"record": 0, "tally": "pot", "stands_at": 0, "asked": 1})
    world.do(told("WORK", 5))
    world.do(told("SPENT", 3))
    assert world.head(CASE).marks.sums == (("pot", 2),)
    assert world.refused(told("SPENT", 3))[1]["stands_at"] == 2
    world.do(told("SPENT", 2))
    assert world.head(CASE).marks.sums == (("pot", 0),)
    world.do(told("WORK", MAX_INT))
    assert world.refused(told("WORK", 1))[0] == "tally-full"
    assert world.head(CASE).marks.sums == (("pot", MAX_INT),)


def test_numbers_too_large_together_for_a_result_are_refused_and_not_the_end_of_every_node() -> None:
    document = open_case()
    document["steps"][5]["clear"] = [number("pieces"), number("scraps")]
    document["tallies"][0]["minus"].append({"step": "SPENT", "field": "scraps"})
    world = World(make_genesis_file([("open", compile_rule_set(document).encode())]))
    world.do(world.by("officer-1").record(CASE, "OPEN"))
    spent = world.by("officer-1").record(CASE, "SPENT", clear={"pieces": MAX_INT, "scraps": MAX_INT})
    outcome = world.block(spent).outcomes[0]
    assert Result.decode(outcome.result.encode()) == outcome.result
    assert outcome.result.code == "tally-short"


def test_a_pause_of_the_last_day_of_1969_can_be_read_again() -> None:
    document = open_case()
    document["pauses"] = [
        {"code": "wait", "zh": "等", "en": "wait", "article": "某法 9", "begins": ["WORK"], "ends": ["BOTH"]}
    ]
    rules = [("open", compile_rule_set(document).encode())]
    world = World(make_genesis_file(rules, {"utc_offset_min": -60}))
    world.do(world.by("officer-1").record(CASE, "OPEN"))
    world.do(world.by("officer-1").record(CASE, "WORK", at=0))
    assert world.head(CASE).marks.spans == (("wait", ((-1, None),)),)
    world.do(world.by("officer-1", "head").record(CASE, "BOTH", at=0))
    assert world.head(CASE).marks.spans == (("wait", ((-1, -1),)),)


def test_a_batch_that_overdraws_leaves_nothing(world: World) -> None:
    records = [make_record(CASE, step, world.now_ms, {"pieces": 4}, 1) for step in ("WORK", "SPENT", "SPENT")]
    code, parameters = world.refused(world.by("officer-1").records(*records))
    assert (code, parameters["record"]) == ("tally-short", 2)
    assert world.head(CASE).marks.sums == ()


def test_colours(world: World) -> None:
    settings = Settings.of(Parameters.defaults(), Workdays.of(()))
    rules, opened = compile_rule_set(open_case()), world.now_ms

    def colour(days: int) -> str | None:
        found = colour_of(rules, world.head(CASE).marks, settings, opened + days * DAY_MS)
        return None if found is None else found.code

    assert [colour(days) for days in (0, 4, 5, 10, 11)] == ["blue", "blue", "yellow", "yellow", "red"]
    world.do(world.by("officer-1").record(CASE, "WORK"))
    assert [colour(days) for days in (0, 4, 5, 11)] == ["orange", "orange", "yellow", "red"]
    world.do(world.by("officer-1").record(CASE, "DONE"))
    assert colour(11) == "green"


FAULTS: list[tuple[Callable[[Document], None], str, str]] = [
    (changed("steps.0.sign.orgs", ["court"]), "OPEN.sign", "opened by the organisation"),
    (changed("steps.3.sign.orgs", ["own", "own"]), "RULED.sign", "distinct"),
    (changed("steps.4.sign.minimum", 1), "BOTH.sign", "one signer of each role"),
    (changed("steps.6.terminal", True), "NOTICE", "beside"),
    (changed("steps.6.decides", True), "NOTICE", "beside"),
    (changed("steps.6.from", ["OPEN"]), "NOTICE", "beside"),
    (changed("tallies.0.plus", []), "tallies.pot", "nothing is ever added"),
    (changed("tallies.0.plus.0.step", "NOWHERE"), "tallies.pot", "unknown step"),
    (changed("tallies.0.plus.0.field", "weight"), "tallies.pot", "no clear field"),
    (changed("tallies.0.minus", [{"step": "WORK", "field": "pieces"}]), "tallies.pot", "stands twice"),
    (changed("steps.1.clear.0.low", -1), "tallies.pot", "from 0 on"),
    (changed("colours.0.code", "red"), "colours", "the same names"),
    (changed("colours.2.elapsed_percent", 0), "colours.yellow", "elapsed percent"),
    (changed("colours.2.elapsed_percent", 101), "colours.yellow", "elapsed percent"),
    (changed("colours.0.term", "DONE"), "colours.green", "'term' belongs"),
    (changed("colours.1.term", "WORK"), "colours.red", "no term is owed"),
    (changed("colours.3.only_if", {"field": "pieces", "values": ["1"]}), "colours.orange", "names a step"),
    (changed("colours.3.only_if", {"step": "NOWHERE"}), "colours.orange", "unknown step"),
    (changed("uses", ["nothing"]), "rule set.uses", "there is no nothing"),
]


@pytest.mark.parametrize(("change", "place", "what"), FAULTS)
def test_every_fault_names_its_place(change: Callable[[Document], None], place: str, what: str) -> None:
    check_fault(open_case(), change, place, what)


def test_common_steps_follow_the_own_ones() -> None:
    document, part = open_case(), {"steps": [{**plain_step("HELLO"), "beside": True, "sign": sign("officer")}]}
    document["uses"] = ["greeting"]
    rules = compile_rule_set(document, {"greeting": part})
    assert [step.code for step in rules.steps][-1] == "HELLO"
    assert RuleSet.decode(rules.encode()) == rules
    with pytest.raises(BadRuleSet, match="stands twice"):
        compile_rule_set({**document, "uses": ["greeting", "greeting"]}, {"greeting": part})
    with pytest.raises(BadRuleSet, match="unknown key"):
        compile_rule_set(document, {"greeting": {**part, "step": []}})
