"""Trail files: what must pass, and everything that must not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
from fazhi_contracts import cases, execution, trail_steps
from fazhi_contracts.calendar import day_of_date
from fazhi_contracts.head import CaseHead
from fazhi_contracts.in_force import Rules
from fazhi_contracts.keys import case_state_key
from fazhi_contracts.procedures.interpreter import Judge
from fazhi_contracts.procedures.marks import Marks
from fazhi_contracts.procedures.verdict import BREACHED, MET
from fazhi_contracts.trail import CaseTrail, TrailBlock
from fazhi_contracts.trail_steps import STEPS, TrailFacts, TrailReport, check_trail
from fazhi_contracts.workdays import YearCalendar
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import InvalidReceipt
from fazhi_ledger.genesis import PROTOCOL_VERSION, GenesisFile
from fazhi_ledger.header import Header
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.receipt_steps import ABSENT, INVALID, PASSED, VALID
from fazhi_ledger.result import Result, ResultSigner
from fazhi_ledger.submission import Item, envelope_parts

from .builders import SUITE, Docket, make_genesis_file
from .trails import Recorded, told_case, trail_of


@cache
def told() -> tuple[Recorded, Docket, CaseTrail]:
    world, case = told_case()
    return world, case, trail_of(world, case)


def check(trail: CaseTrail) -> TrailReport:
    return check_trail(trail.to_json(), told()[0].state.genesis_hash)


def fails(trail: CaseTrail, step: str, code: str | None = None) -> dict[str, str | int]:
    """The trail is INVALID at that very step; later ones are not reached, and there are no facts."""
    report = check(trail)
    assert report.verdict == INVALID
    assert report.failed is not None
    assert report.failed.name == step, report.failed
    assert code is None or report.failed.code == code, report.failed
    assert report.facts is None
    assert {s.code for s in report.steps if s.number > report.failed.number} <= {"not-reached"}
    with pytest.raises(InvalidReceipt):
        report.require_valid()
    return dict(report.failed.parameters)


def valid() -> TrailFacts:
    report = check(told()[2])
    assert [(step.number, step.name, step.status) for step in report.steps] == [
        (number, name, PASSED) for number, name in enumerate(STEPS, 1)
    ]
    assert report.verdict == VALID
    return report.require_valid()


def test_a_trail_shows_every_event_its_signers_and_the_verdict() -> None:
    world, case, _ = told()
    facts = valid()
    assert (facts.docket.org, facts.docket.number, facts.case_id) == ("zfj", case.number, case.id)
    assert [event.number for event in facts.events] == list(range(1, facts.head.count + 1))
    assert facts.events[2].submission_id == facts.events[3].submission_id
    assert [signer.org for signer in facts.events[2].signers] == ["zfj", "zfj"]
    assert facts.events[2].signers[0].roles == ("officer",)
    assert [finding.code for finding in facts.events[4].findings] == ["signers-short"]
    assert facts.certified_by == ("sfj", "zfj", "gzc")
    assert facts.verdict.frozen == 10
    assert facts.verdict.as_of_ms == world.executed[-1].block.header.time_ms
    assert [step.entered_later for step in facts.verdict.steps] == [False] * 11 + [True]
    attested = facts.events[10]
    assert (attested.record.step, attested.org, [signer.org for signer in attested.signers]) == (
        "ATTEST",
        "gzc",
        ["gzc"],
    )
    assert facts.verdict.articles(BREACHED)[:1] == ("行政处罚法 42",)


def test_the_file_is_frozen_by_the_root_over_the_events_up_to_the_decision() -> None:
    world, case, _ = told()
    facts = valid()
    decided = next(event for event in facts.events if event.record.step == "DECIDED")
    written = world.executed[decided.height - 1].changes[case_state_key(case.id)]
    assert written is not None
    then = CaseHead.decode(written)
    assert then.count == decided.number == facts.verdict.frozen
    assert facts.file_root == then.root(SUITE) != facts.root
    assert facts.root == world.head(case).root(SUITE)


def test_each_event_is_judged_by_the_calendars_of_its_own_block() -> None:
    """Before the vote no calendar was in force; what hung on it stays unjudged for ever."""
    facts = valid()
    assert len(told()[2].rules) == 2
    filed = facts.verdict.steps[1].clauses
    assert [clause.term.missing_year for clause in filed if clause.term is not None] == [2026]
    decided = facts.verdict.steps[9].clauses
    ninety_days = next(clause for clause in decided if clause.term and clause.article == "行政处罚法 60")
    assert ninety_days.outcome == MET
    assert facts.settings.workdays.on_or_after(day_of_date(2026, 1, 2)) == day_of_date(2026, 1, 4)


def test_json_round_trip_is_identity() -> None:
    trail = told()[2]
    assert CaseTrail.from_json(trail.to_json()) == trail


# Every value


def _values(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _values(one, (*path, name))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _values(one, (*path, place))


def _changed(value: Any, random: Random) -> list[Any]:
    """The value, changed in several ways; to each its own kind."""
    if isinstance(value, bool | type(None)):
        return [1]
    if isinstance(value, int):
        return [value + 1, value - 1, value + 1000, str(value)]
    if isinstance(value, list):
        grown = [[*value, value[-1]], value[:-1], value[1:], value[::-1]] if value else [[0], [""], [{}]]
        return [one for one in grown if one != value]
    if isinstance(value, dict):
        return [{**value, "more": 1}, {name: value[name] for name in list(value)[1:]}]
    return [*_flipped(value, random), value[:-1], value + " ", 7]


def _flipped(text: str, random: Random) -> list[str]:
    """The bytes that a text stands for, one bit changed, in the same spelling."""
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        data = bytearray(bytes.fromhex(text))
        data[random.randrange(32)] ^= 1 << random.randrange(8)
        return [data.hex()]
    try:
        whole = base64.b64decode(text, validate=True)
    except ValueError:
        return [text + "x"]
    found = []
    for _ in range(2):
        data = bytearray(whole)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        found.append(base64.b64encode(bytes(data)).decode())
    return found


def _with(document: Any, path: tuple[Any, ...], changed: Any) -> Any:
    if not path:
        return changed
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = _with(document[path[0]], path[1:], changed)
    return copy


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


@pytest.mark.parametrize("part", range(4))
def test_changing_any_value_makes_it_invalid(part: int) -> None:
    world, _, trail = told()
    random = Random(20260 + part)
    document = json.loads(trail.to_json())
    paths = list(_values(document))
    assert len(paths) > 150
    tried = 0
    for path in paths[part::4]:
        for changed in _changed(_at(document, path), random):
            data = json.dumps(_with(document, path, changed)).encode()
            assert check_trail(data, world.state.genesis_hash).verdict == INVALID, (path, changed)
            tried += 1
    assert tried > 100


def test_no_field_is_free_to_be_left_out_or_doubled() -> None:
    world, _, trail = told()
    document = json.loads(trail.to_json())
    for name in document:
        less = {key: value for key, value in document.items() if key != name}
        assert check_trail(json.dumps(less).encode(), world.state.genesis_hash).verdict == INVALID, name
    text = trail.to_json().decode().replace('"version": 1,', '"version": 1, "version": 1,')
    report = check_trail(text.encode(), world.state.genesis_hash)
    assert report.failed is not None
    assert report.failed.code == "duplicate-key"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b"{" * 100, b'{"format": "fazhi-record-receipt"}']
)
def test_what_is_no_trail(data: bytes) -> None:
    assert check_trail(data, bytes(32)).verdict == INVALID


# What a forger would do


@pytest.mark.parametrize("value", ["[]", "{}", "9", '"a"', '"'])
def test_millions_of_empty_values_never_reach_the_memory(value: str) -> None:
    data = ('{"events": [' + f"{value}," * (8 * 1024 * 1024 // (len(value) + 1)) + "9]}").encode()
    failed = check_trail(data, bytes(32)).failed
    assert failed is not None
    assert failed.code == "too-many-values"


def test_a_trail_without_white_space_has_room_enough_for_its_values() -> None:
    """A value for each 16 characters is allowed in a large one."""
    text = json.dumps(json.loads(told()[2].to_json()), separators=(",", ":"))
    marks = max(sum(map(text.count, ",[{")), text.count('"') // 2)
    assert len(text) > 4 * 16 * marks


def test_the_trust_root_is_never_taken_from_the_file() -> None:
    report = check_trail(told()[2].to_json(), bytes(32))
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("genesis", "another-genesis")


def test_an_event_that_is_left_out_is_missed() -> None:
    trail = told()[2]
    last = trail.events[-1].submission
    shorter = replace(trail, events=trail.events[:-1], submissions=trail.submissions[:last], blocks=trail.blocks[:-1])
    named = {block_rules(one) for one in (*shorter.blocks, shorter)}
    shorter = replace(shorter, rules=tuple(one for one in trail.rules if SUITE.tagged_hash("rules", one) in named))
    assert fails(shorter, "events", "trail-incomplete") == {"events": 11, "counted": 12}


def block_rules(part: Any) -> bytes:
    return Header.decode(part.header).rules_hash


def _swapped(places: int) -> dict[int, int]:
    """The first two exchanged."""
    return {0: 1, 1: 0, **{place: place for place in range(2, places)}}


def test_there_is_one_order_of_everything() -> None:
    """Files that say the same in another order, every reference with it, are no trails."""
    trail = told()[2]
    to = _swapped(len(trail.blocks))
    blocks = (trail.blocks[1], trail.blocks[0], *trail.blocks[2:])
    moved = tuple(replace(one, block=to[one.block]) for one in trail.submissions)
    assert fails(replace(trail, blocks=blocks, submissions=moved), "format") == {"what": "blocks"}
    to = _swapped(len(trail.submissions))
    submissions = (trail.submissions[1], trail.submissions[0], *trail.submissions[2:])
    events = tuple(replace(one, submission=to[one.submission]) for one in trail.events)
    assert fails(replace(trail, submissions=submissions, events=events), "format") == {"what": "submissions"}
    assert fails(replace(trail, rules=trail.rules[::-1]), "format") == {"what": "rules"}
    assert fails(replace(trail, calendars=trail.calendars * 2), "format") == {"what": "calendars"}
    assert fails(replace(trail, events=trail.events[::-1]), "format") == {"what": "events"}


def test_nothing_stands_in_the_file_without_a_use() -> None:
    world, case, trail = told()
    theirs = trail_of(world, replace(case, number="桐综执罚2026-2"))
    header = world.executed[-1].block.header
    more = replace(trail, blocks=(*trail.blocks, TrailBlock(header.encode(), ())))
    assert fails(more, "format") == {"what": "blocks"}
    extra = replace(theirs.submissions[0], block=0)
    assert extra.index != trail.submissions[0].index
    beside = sorted((*trail.submissions, extra), key=lambda one: (one.block, one.index))
    at = beside.index(extra)
    events = tuple(replace(one, submission=one.submission + (one.submission >= at)) for one in trail.events)
    assert fails(replace(trail, submissions=tuple(beside), events=events), "format") == {"what": "submissions"}
    with_block = replace(trail.submissions[-1], block=len(trail.blocks))
    assert fails(replace(trail, submissions=(*trail.submissions[:-1], with_block)), "format") == {"what": "blocks"}


def test_the_head_of_another_moment_or_case() -> None:
    world, case, trail = told()
    other = replace(case, number="桐综执罚2026-2")
    theirs = trail_of(world, other)
    fails(replace(trail, head=theirs.head, head_proof=theirs.head_proof), "head", "root-mismatch")
    fails(replace(trail, docket=replace(trail.docket, number="桐综执罚2026-2")), "head", "root-mismatch")
    fails(replace(trail, docket=replace(trail.docket, org="sfj")), "head", "root-mismatch")
    fails(
        replace(theirs, head=trail.head, head_proof=trail.head_proof, docket=trail.docket),
        "events",
        "record-result-of-another-case",
    )


def test_a_docket_number_under_another_organisation_than_opened_the_case() -> None:
    """A unit that opens a case under its member's key of the docket number has opened it itself."""
    world = Recorded()
    world.do(world.by("zfj").register_org("zfj.squad"))
    world.do(world.by("zfj").register_officer("zfj.squad", "squad-officer"))
    world.knows("squad-officer", "zfj.squad")
    case = world.case()
    world.do(world.by("squad-officer").record(case, "LEAD"))
    report = check_trail(trail_of(world, case).to_json(), world.state.genesis_hash)
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("head", "another-case")


def test_calendars_that_are_left_out_added_or_exchanged() -> None:
    trail = told()[2]
    fails(replace(trail, calendars=()), "rules", "other-calendars")
    another = YearCalendar(2026, "somebody else's", (1,), ()).encode()
    fails(replace(trail, calendars=(another,)), "rules", "other-calendars")
    both = sorted([another, *trail.calendars], key=lambda one: SUITE.tagged_hash("calendar", one))
    fails(replace(trail, calendars=tuple(both)), "rules", "other-calendars")


def test_rules_that_no_header_names() -> None:
    trail = told()[2]
    rules = Rules.decode(trail.rules[0])
    other = replace(rules, protocol_version=9).encode()
    by_hash = sorted([other, trail.rules[1]], key=lambda one: SUITE.tagged_hash("rules", one))
    fails(replace(trail, rules=tuple(by_hash)), "rules", "rules-of-another-block")
    more = sorted([other, *trail.rules], key=lambda one: SUITE.tagged_hash("rules", one))
    fails(replace(trail, rules=tuple(more)), "rules", "rules-of-another-block")
    fails(replace(trail, rules=trail.rules[:1]), "rules", "rules-of-another-block")


def test_blocks_that_were_executed_by_another_protocol_are_not_judged_by_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_steps, "PROTOCOL_VERSION", PROTOCOL_VERSION + 1)
    found = fails(told()[2], "rules", "other-protocol")
    assert found == {"found": PROTOCOL_VERSION, "known": PROTOCOL_VERSION + 1}


def test_a_rule_set_of_the_same_procedure_that_the_case_does_not_follow() -> None:
    trail = told()[2]
    rules = valid().rules
    fails(replace(trail, rule_set=replace(rules, number=rules.number + 1).encode()), "rules", "another-rule-set")


def test_a_hand_over_that_is_left_out() -> None:
    trail = told()[2]
    assert len(trail.handovers) == 1
    fails(replace(trail, handovers=()), "membership", "another-validator-set")
    fails(replace(trail, handovers=trail.handovers * 2), "membership", "bad-handover")


def test_an_older_header_does_not_carry_a_newer_head() -> None:
    world, _, trail = told()
    older = world.executed[-2].block.header
    fails(replace(trail, header=older.encode(), certificate=world.certify(older)), "history")


def test_a_signature_that_is_stripped() -> None:
    trail = told()[2]
    at = trail.events[2].submission
    body, signatures = envelope_parts(trail.submissions[at].submission)
    stripped = replace(trail.submissions[at], submission=encode((body, signatures[:1])))
    submissions = (*trail.submissions[:at], stripped, *trail.submissions[at + 1 :])
    fails(replace(trail, submissions=submissions), "format", "wrong-signature-count")


def test_a_result_that_names_other_signers_stands_under_no_header() -> None:
    trail = told()[2]
    swapped = replace(trail.submissions[0], result=trail.submissions[1].result)
    fails(replace(trail, submissions=(swapped, *trail.submissions[1:])), "submissions", "root-mismatch")


def test_headers_and_submissions_of_another_chain() -> None:
    """Even where a quorum has signed such a header."""
    world, case, trail = told()
    foreign = replace(world.executed[-1].block.header, genesis_hash=bytes(32))
    of_foreign = replace(trail, header=foreign.encode(), certificate=world.certify(foreign))
    assert fails(of_foreign, "genesis", "another-chain") == {"where": "header"}
    item = world.by("officer-1").in_lane("x", 0).with_(genesis_hash=bytes(32)).record(case, "LEAD")
    submissions = (replace(trail.submissions[0], submission=item.envelope()), *trail.submissions[1:])
    assert fails(replace(trail, submissions=submissions), "genesis", "another-chain") == {"where": "submission"}


def test_a_genesis_that_does_not_hold_together(monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_genesis_file()
    first, second, *others = file.genesis.officers
    swapped = (replace(first, possession=second.possession), second, *others)
    broken = GenesisFile(replace(file.genesis, officers=swapped).encode(), file.rule_sets, file.certificates)
    monkeypatch.setattr(GenesisFile, "check", lambda _: None)
    world = Recorded(broken)
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    monkeypatch.undo()
    report = check_trail(trail_of(world, case).to_json(), world.state.genesis_hash)
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("genesis", "possession-not-proven")


# What a quorum that conspires would do


class _Silent(Judge):
    """Records no findings."""

    def judge(self, *given: Any) -> Any:
        super().judge(*given)
        return ()


class _Forgetful(Judge):
    """Does not remember that the case was filed."""

    def marks(self) -> Marks:
        marks = super().marks()
        return Marks(tuple(mark for mark in marks.marks if mark.step != "FILED"), marks.spans, marks.sums)


@pytest.mark.parametrize(("judge", "code"), [(_Silent, "findings-differ"), (_Forgetful, "findings-differ")])
def test_findings_that_the_chain_did_not_record_are_named(
    monkeypatch: pytest.MonkeyPatch, judge: type[Judge], code: str
) -> None:
    monkeypatch.setattr(cases, "Judge", judge)
    world, case = told_case()
    monkeypatch.undo()
    report = check_trail(trail_of(world, case).to_json(), world.state.genesis_hash)
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("replay", code)
    assert [step.status for step in report.steps[:9]] == [PASSED] * 9
    assert report.steps[9].status != ABSENT
    assert dict(report.failed.parameters)["number"] in (3, 5)


def _other_signers(result: Result) -> Result:
    signers = tuple(ResultSigner(b"k" * 32, one.org, one.roles) for one in result.signers)
    return Result(result.submission_id, result.code, result.parameters, signers, result.record_results_root)


@pytest.mark.parametrize(
    ("false", "code"),
    [
        (
            lambda one: Result(bytes(32), one.code, (), one.signers, one.record_results_root),
            "result-of-another-submission",
        ),
        (
            lambda one: Result(one.submission_id, "x", (), one.signers, one.record_results_root),
            "submission-was-refused",
        ),
        (_other_signers, "result-of-other-signers"),
    ],
)
def test_results_that_a_quorum_has_certified_falsely(
    monkeypatch: pytest.MonkeyPatch, false: Callable[[Result], Result], code: str
) -> None:
    monkeypatch.setattr(execution, "Result", lambda *given: false(Result(*given)))
    world = Recorded()
    world.block(world.by("officer-1").record(world.case(), "LEAD"))
    monkeypatch.undo()
    report = check_trail(trail_of(world, world.case()).to_json(), world.state.genesis_hash)
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("submissions", code)


def test_a_signature_that_a_quorum_has_let_through() -> None:
    world = Recorded()
    item = world.by("officer-1").record(world.case(), "LEAD")
    world.do(Item(item.body_bytes, (bytes(64),), item.records))
    report = check_trail(trail_of(world, world.case()).to_json(), world.state.genesis_hash)
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("submissions", "bad-submission-signature")


def test_a_memory_that_is_not_that_of_the_events_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Inventive(Judge):
        def marks(self) -> Marks:
            marks = super().marks()
            first = marks.marks[0]
            return Marks((type(first)(first.step, 1, 1, 1, 5, 5, (), ()), *marks.marks[1:]), marks.spans, marks.sums)

    monkeypatch.setattr(cases, "Judge", Inventive)
    world = Recorded()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    monkeypatch.undo()
    report = check_trail(trail_of(world, case).to_json(), world.state.genesis_hash)
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("replay", "another-memory")


def test_the_root_of_nothing_is_no_file() -> None:
    world = Recorded()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    facts = check_trail(trail_of(world, case).to_json(), world.state.genesis_hash).require_valid()
    assert (facts.verdict.frozen, facts.file_root) == (None, None)
    assert facts.root != Frontier.empty().root(SUITE)
