"""A case on a real network, its trail file, and the verdict on it: by calendars that were voted in between, over a
batch, and over more events than one page of a gateway's answer holds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fazhi_contracts.procedures.verdict import BREACHED, MET, NOT_JUDGED
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.limits import EVENTS_PAGE
from fazhi_sdk import Receipt, Trail
from fazhi_sdk.errors import SdkError
from fazhi_sdk.sync import Case
from fazhi_sdk.testing import TestChain, network

from tests.cli.commands import fazhi

from .test_supervision import vote_calendars

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestChain]:
    folder = tmp_path_factory.mktemp("verdict")
    with network(folder=folder / "made", parameters={"late_record_ms": 360 * DAY_MS}) as chain:
        yield chain


def record(case: Case, step: str, days_ago: int, **given: Any) -> None:
    occurred = time.time_ns() // 1_000_000 - days_ago * DAY_MS
    receipt = case.record(step, occurred_at=occurred, **given)
    assert isinstance(receipt, Receipt), receipt


def opened(chain: TestChain, number: str, days_ago: int) -> Case:
    case = chain.case("penalty", number, chain.officer(), org="zfj")
    record(case, "LEAD", days_ago)
    return case


def test_terms_follow_the_calendars_that_the_members_vote(chain: TestChain, tmp_path: Path) -> None:
    """Before the vote a term in working days has no day, after it it has; what was judged before stays."""
    case = opened(chain, "历一", 40)
    before = case.show()
    assert [(clock.step, clock.due_day, clock.missing_year is None) for clock in before.clocks] == [
        ("FILED", None, False)
    ]
    record(case, "FILED", 1, signer=chain.officer("head"))
    vote_calendars(chain, tmp_path)
    second = opened(chain, "历二", 40)
    after = second.show()
    assert [clock.step for clock in after.clocks] == ["FILED"]
    assert after.clocks[0].due_day is not None
    assert after.rules.hash(ED25519_SHA256) == after.head.rule_set_hash
    record(second, "FILED", 1, signer=chain.officer("head"))

    path = tmp_path / "历一.trail.json"
    case.trail().save(path)
    trail = Trail.load(path, chain.genesis_hash.hex())
    assert len({event.height for event in trail.events}) == 2
    unjudged = next(clause for clause in trail.verdict.clauses if clause.number == "FILED.5")
    assert (unjudged.outcome, [one.code for one in unjudged.findings]) == (NOT_JUDGED, ["calendar-missing"])
    judged = second.trail().verdict
    late = next(clause for clause in judged.clauses if clause.number == "FILED.5")
    assert late.outcome == BREACHED
    assert late.term is not None
    assert late.term.due_day is not None


def test_a_trail_of_more_than_one_page_and_of_a_batch(chain: TestChain, tmp_path: Path) -> None:
    case = opened(chain, "长案", 3)
    record(case, "FILED", 2, signer=chain.officer("head"))
    both = [chain.officer(), chain.officer("officer2")]
    occurred = time.time_ns() // 1_000_000 - DAY_MS
    drafts = [
        case.draft("INVEST", occurred_at=occurred + at, fields={"note": "一"}, signer=both[0], cosigners=both[1:])
        for at in range(EVENTS_PAGE + 10)
    ]
    for begin in range(0, len(drafts), 200):
        done = chain.submit_many(drafts[begin : begin + 200])
        assert not [one for one in done if isinstance(one, SdkError)]
    trail = case.trail()
    assert len(trail.events) == EVENTS_PAGE + 12
    assert len({event.submission_id for event in trail.events}) < 20, "batches"
    assert {clause.outcome for clause in trail.verdict.clauses if clause.number == "INVEST.1"} == {MET}
    assert all([signer.org for signer in event.signers] == ["zfj", "zfj"] for event in trail.events[2:])
    path = trail.save(tmp_path / "长案.trail.json")
    assert Trail.load(path, chain.genesis_hash).facts.root == case.show().head.root(ED25519_SHA256)


def test_the_commands_out_of_the_chain_and_offline(chain: TestChain, tmp_path: Path) -> None:
    case = opened(chain, "判一", 4)
    record(case, "FILED", 3, signer=chain.officer("head"))
    record(case, "INVEST", 2, fields={"note": "一"})  # one officer
    net, file = chain.network, tmp_path / "判一.trail.json"
    reached = ("--devnet", str(net.folder), "--outbox", str(tmp_path / "cli.db"))
    online = fazhi("case", "verdict", "判一", "--org", "zfj", *reached, lang="zh")
    assert online.code == 4, online.err
    assert "违反      INVEST.1" in online.out
    made = fazhi("case", "trail", "判一", "--org", "zfj", "-o", file, *reached)
    assert (made.code, made.out) == (0, ""), made.err
    assert str(file) in made.err
    offline = fazhi("case", "verdict", file, "--genesis-hash", chain.genesis_hash.hex(), "--json")
    assert offline.code == 4
    document = json.loads(offline.out)
    assert document["breached"]["articles"] == ["行政处罚法 42"]
    assert document["case"]["number"] == "判一"
    shown = fazhi("case", "show", "判一", "--org", "zfj", *reached, lang="zh")
    assert shown.code == 0, shown.err
    assert "期限 决定 DECIDED" in shown.out
    absent = fazhi("case", "verdict", "没有", "--org", "zfj", *reached)
    assert absent.code == 1
