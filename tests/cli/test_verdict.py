"""``fazhi case verdict`` as a process: offline, out of a trail file or a receipt; languages, JSON, exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fazhi_cli.case_view import clock_line
from fazhi_cli.verdict_text import outside_parties
from fazhi_contracts.procedures.stories import play, read_story
from fazhi_contracts.trail_steps import check_trail

from tests.cli.commands import Outcome, fazhi
from tests.contracts.builders import SPINE, USUAL_SIGNERS, penalty
from tests.contracts.trails import Recorded, told_case, trail_of
from tests.contracts.voting import with_calendar
from tests.ledger.builders import World as ReceiptWorld

TOLD, CASE = told_case()
TRAIL = trail_of(TOLD, CASE)
GENESIS = TOLD.state.genesis_hash.hex()
RECEIPTS = ReceiptWorld()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "case.trail.json").write_bytes(TRAIL.to_json())
    (tmp_path / "receipt.json").write_bytes(RECEIPTS.receipt().to_json())
    return tmp_path


def verdict(here: Path, *more: object, genesis: str = GENESIS, file: str = "case.trail.json", **how: Any) -> Outcome:
    return fazhi("case", "verdict", file, "--genesis-hash", genesis, *more, cwd=here, **how)


def test_a_breached_case_step_by_step_in_chinese(here: Path) -> None:
    done = verdict(here, lang="zh")
    assert (done.code, done.err) == (4, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("上链后一致  VALID  结论 违反 6 项(严重 1、不规范 3、提示 2)")
    assert lines[0].endswith(f";另有 {done.out.count('  不能判断  ')} 项义务无法依链上事实判断")
    assert "真实  VALID" not in done.out
    shown = (
        "案件 桐综执罚2026-1 · 行政处罚程序 · 综合行政执法局",
        "其中非当事方: 司法局、公证处",
        "案卷于第 10 件 决定 DECIDED 冻结",
        "及时记录(行政处罚法 47) · 发生后 ",
        "  5 调查取证 INVEST · 2026-01-03",
        "违反      INVEST.1  签署: 执法人员 officer,至少 2 人(行政处罚法 42)",
        " 11 公证 ATTEST",
        "(公证处) · 案卷之外",
        " · 事后补录 · 案卷之外",
        "尚应办理",
        "违反      SERVED.5",
        "链上没有足以判断的事实",
        "不能判断  违法行为在追究时效之内(行政处罚法 36)",
        "10 重放规则集与链上所记一致",
        "未证明: 内容是否属实",
        GENESIS,
    )
    places = [done.out.index(text) for text in shown]
    assert places == sorted(places)
    assert "不适用      " not in done.out
    assert "不适用 4 项(--all 列出)" in done.out
    assert "LEAD.3" not in done.out
    assert "不适用    LEAD.3" in verdict(here, "--all", lang="zh").out


def test_english_has_no_chinese_but_names(here: Path) -> None:
    done = verdict(here)
    assert done.code == 4
    assert "verdict: breached 6 (grave 1, irregular 3, note 2)" in done.out
    assert "entered after the fact · outside the file" in done.out
    assert "frozen by event 10, decided DECIDED" in done.out


def test_who_has_recorded_a_step_of_the_procedure_is_no_neutral_signer() -> None:
    """The agency under review lays down its answer in the case of the reviewing body."""
    facts = check_trail(TRAIL.to_json(), TOLD.state.genesis_hash).require_valid()
    assert outside_parties(facts) == ("sfj", "gzc"), "the notary has attested, which makes it no party"
    third = facts.events[2]
    signers = tuple(replace(one, org="sfj.unit") for one in third.signers)
    told = replace(facts, events=(*facts.events[:2], replace(third, signers=signers), *facts.events[3:]))
    assert outside_parties(told) == ("gzc",)


def test_json_says_all_of_it(here: Path) -> None:
    done = verdict(here, "--json")
    assert done.code == 4
    document = json.loads(done.out)
    assert (document["format"], document["verdict"]) == ("fazhi-verdict/1", "VALID")
    assert document["case"]["number"] == CASE.number
    assert document["file"]["number"] == 10
    assert document["outcomes"]["breached"] == 6 == sum(document["breached"]["severities"].values())
    clauses = [clause for step in document["steps"] for clause in step["clauses"]] + document["owed"]
    for outcome, count in document["outcomes"].items():
        assert sum(clause["outcome"] == outcome for clause in clauses) == count
    breached = {clause["clause"]: clause for clause in clauses if clause["outcome"] == "breached"}
    assert breached["SERVED.5"]["findings"][0]["parameters"]["late_days"] == 22
    assert breached["INVEST.1"]["findings"][0]["sentence"].startswith("Too few signers")
    late = document["steps"][-1]
    assert (late["entered_later"], late["outside_file"], late["org"]) == (True, True, "zfj")
    assert document["steps"][10]["signers"][0]["org"] == "gzc"
    assert [duty["article"] for duty in document["unjudged"]][:1] == ["行政处罚法 72"]


def test_a_case_without_a_flaw_ends_with_zero(tmp_path: Path) -> None:
    world = Recorded()
    with_calendar(world)
    case = world.case()
    for step in SPINE[:8]:
        world.do(world.by(*USUAL_SIGNERS[step]).record(case, step))
        world.pass_days(1)
    (tmp_path / "case.trail.json").write_bytes(trail_of(world, case).to_json())
    done = verdict(tmp_path, lang="zh", genesis=world.state.genesis_hash.hex())
    assert done.code == 0, done.out
    assert "结论 无违反;未届期 2 项" in done.out


def test_a_file_that_does_not_hold_is_not_judged(here: Path) -> None:
    forged = replace(TRAIL, docket=replace(TRAIL.docket, number="桐综执罚2026-2"))
    (here / "case.trail.json").write_bytes(forged.to_json())
    done = verdict(here, lang="zh")
    assert done.code == 1
    assert done.out.splitlines()[0].startswith("不一致  INVALID  第 5 步“案件首部在链的状态中”未通过")
    assert "违反" not in done.out
    document = json.loads(verdict(here, "--json").out)
    assert (document["verdict"], document["failed_step"]["name"]) == ("INVALID", "head")
    assert "steps" not in document


def test_another_genesis_and_what_is_no_trail(here: Path) -> None:
    assert verdict(here, genesis="00" * 32).code == 1
    (here / "case.trail.json").write_bytes(TRAIL.to_json()[:-100])
    done = verdict(here)
    assert done.code == 1
    assert "not complete JSON" in done.out
    (here / "case.trail.json").write_bytes(b'{"format": "x"}')
    assert "this is no fazhi trail file" in verdict(here).out.lower()
    nothing = verdict(here, file="桐综执罚2026-1", lang="zh")
    assert (nothing.code, "如果它是案号,请加 --org" in nothing.err) == (2, True)
    assert fazhi("case", "verdict", "case.trail.json", cwd=here).code == 2


def test_a_known_suite_that_is_lacking_here_leaves_it_undecided(here: Path) -> None:
    genesis = replace(TOLD.state.genesis, suite_name="sm2-sm3").encode()
    (here / "case.trail.json").write_bytes(replace(TRAIL, genesis=genesis).to_json())
    done = verdict(here)
    assert done.code in (1, 3)  # 1 once this build has the suite: then it is simply another genesis
    assert done.code == 1 or "sm2-sm3" in done.err


def test_a_receipt_alone_says_what_it_can_and_what_needs_the_trail(here: Path) -> None:
    done = verdict(here, file="receipt.json", genesis=RECEIPTS.genesis_hash.hex(), lang="zh")
    assert done.out.startswith("上链后一致  VALID  凭收据可以认定")
    assert "fazhi case trail" in done.out
    document = json.loads(verdict(here, "--json", file="receipt.json", genesis=RECEIPTS.genesis_hash.hex()).out)
    assert (document["format"], document["whole_case"]) == ("fazhi-receipt-verdict/1", False)
    assert done.code == (4 if document["findings"] else 0)
    assert verdict(here, file="receipt.json").code == 1


def test_a_term_that_may_roll_on_past_a_missing_calendar_has_no_latest_day() -> None:
    """Its plain end is the earliest, and must not be given as the last day."""
    text = "程序 penalty\n2026-03-02 09:00 LEAD officer:甲\n2026-03-02 10:00 FILED head:乙\n"
    rules = penalty()
    (clock,) = play(read_story(text), rules)[-1].clocks
    assert (clock.step, clock.missing_year) == ("DECIDED", 2026)
    assert clock.due_day is not None
    said = clock_line(clock, rules, 480, "zh")
    assert "届满日取决于 2026 年的工作日历" in said
    assert "不迟于" not in said
    with_calendar = play(read_story(f"日历 2026 休 01-01\n{text}"), rules)[-1].clocks
    assert "不迟于 2026-06-01" in clock_line(with_calendar[0], rules, 480, "zh")
