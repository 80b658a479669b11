"""Cases: opening, serials, batches, heads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fazhi_contracts.head import event_bytes
from fazhi_contracts.queries import case_clocks, case_head, case_rule_set, last_serial, rule_set_in_force
from fazhi_ledger import merkle, statetree
from fazhi_ledger.canonical import Value
from fazhi_ledger.result import RecordResult, Result, record_results_root

from .builders import (
    DAY_MS,
    SPINE,
    START_MS,
    SUITE,
    USUAL_SIGNERS,
    Docket,
    World,
    make_genesis_file,
    make_record,
    penalty,
)


def test_a_case_without_a_flaw() -> None:
    world = World()
    case = world.case()
    for number, step in enumerate(SPINE, 1):
        assert world.do(world.by(*USUAL_SIGNERS[step]).record(case, step)) == (), step
        head = world.head(case)
        assert (head.count, head.step) == (number, step)
    assert [mark.step for mark in head.marks.marks] == list(SPINE)
    assert (head.org, head.procedure, head.serial, head.year) == ("zfj", "penalty", 1, 2026)
    assert (head.opened_height, head.opened_time_ms) == (1, START_MS + 1000)
    assert head.rule_set_hash == penalty().hash(SUITE)
    assert (
        case_rule_set(world.state.view, head) == penalty() == rule_set_in_force(world.state.view, "penalty", START_MS)
    )
    assert [clock.step for clock in case_clocks(world.state.view, head)] == ["PUBLISHED"]  # which may follow the end


def test_the_heads_root_is_over_all_events() -> None:
    world = World()
    case = world.case()
    leaves = []
    first = world.by("officer-1").records(
        make_record(world.case("other"), "LEAD", world.now_ms), make_record(case, "LEAD", world.now_ms)
    )
    for item in (first, world.by("head").record(case, "FILED")):
        outcome = world.block(item).outcomes[0]
        for index, result in enumerate(outcome.record_results):
            if result.case_id == case.id:
                data = event_bytes(item.id(SUITE), index, result.encode())
                leaves.append(merkle.leaf_hash(SUITE, data))
    assert world.head(case).root(SUITE) == merkle.root_of(SUITE, leaves)
    assert [make.count for make in world.head(case).marks.marks] == [1, 1]


def test_record_results_stand_under_the_result() -> None:
    world = World()
    records = [make_record(world.case(str(i)), "LEAD", world.now_ms) for i in range(3)]
    executed = world.block(world.by("officer-1").records(*records))
    outcome = executed.outcomes[0]
    assert [r.number for r in outcome.record_results] == [1, 1, 1]
    encoded = tuple(result.encode() for result in outcome.record_results)
    assert outcome.result.record_results_root == record_results_root(SUITE, encoded)
    assert Result.decode(executed.result_leaves[0]) == outcome.result
    assert [RecordResult.decode(data) for data in encoded] == list(outcome.record_results)


def test_second_case_of_the_same_number() -> None:
    world = World()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    code, parameters = world.refused(world.by("officer-2").record(case, "LEAD"))
    assert (code, parameters) == ("case-exists", {"record": 0, "step": "LEAD", "opened_height": 1})
    # The same number of another organisation, and another number, are other cases.
    world.do(world.by("sfj-officer").record(world.case(org="sfj"), "LEAD"))
    world.do(world.by("officer-1").record(world.case("another"), "LEAD"))


def test_second_case_within_a_block_and_within_a_batch() -> None:
    world = World()
    case = world.case()
    items = [world.by(word).record(case, "LEAD") for word in ("officer-1", "officer-2")]
    assert world.codes(world.block(*items)) == ["OK", "case-exists"]
    twice = make_record(world.case("2"), "LEAD", world.now_ms)
    code, parameters = world.refused(world.by("officer-1").records(twice, twice))
    assert (code, parameters["record"]) == ("case-exists", 1)
    assert case_head(world.state.view, world.case("2").id) is None


def test_unknown_case_step_and_procedure() -> None:
    world = World()
    case = world.case()
    assert world.refused(world.by("head").record(case, "FILED"))[0] == "unknown-case"
    assert world.refused(world.by("head").record(case, "FLOWN"))[0] == "unknown-step"
    other = Docket("1", "zfj", "review")
    assert world.refused(world.by("officer-1").record(other, "LEAD"))[0] == "unknown-procedure"
    world.do(world.by("officer-1").record(case, "LEAD"))
    assert world.refused(world.by("head").record(case, "FLOWN"))[0] == "unknown-step"


def test_wrong_procedure() -> None:
    rules = penalty().encode()
    review = replace(penalty(), procedure="review").encode()
    world = World(make_genesis_file([("penalty", rules), ("review", review)]))
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    record = replace(make_record(case, "FILED", world.now_ms), procedure="review")
    code, parameters = world.refused(world.by("head").records(record))
    assert (code, parameters["expected"]) == ("wrong-procedure", "penalty")


def test_wrong_org() -> None:
    world = World()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    code, parameters = world.refused(world.by("head", "sfj-head").record(case, "FILED"))
    assert (code, parameters["case_org"]) == ("wrong-org", "zfj")
    # To another member it is no case at all: each member's cases stand in a space of their own.
    assert world.refused(world.by("sfj-head").record(case, "FILED"))[0] == "unknown-case"
    assert world.refused(world.by("head", "sfj-head").record(case, "FILED"))[0] == "wrong-org"
    # Nor does a stranger cosign an opening.
    assert world.refused(world.by("officer-1", "notary").record(world.case("2"), "LEAD"))[0] == "wrong-org"
    world.do(world.by("head").record(case, "FILED"))


def test_units_write_into_their_members_cases_but_not_into_each_others() -> None:
    world = World()
    for unit, word in (("zfj.a", "ann"), ("zfj.b", "bob")):
        world.do(world.by("zfj").register_org(unit))
        world.do(world.by("zfj").register_officer(unit, word))
        world.knows(word, unit)
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    world.do(world.by("head").record(case, "FILED"))
    world.do(world.by("ann", "bob").record(case, "INVEST"))
    units_case = world.case("a", "zfj.a")
    world.do(world.by("ann").record(units_case, "LEAD"))
    assert world.refused(world.by("bob").record(units_case, "INVEST"))[0] == "wrong-org"
    world.do(world.by("head").record(units_case, "FILED"))  # the head of the member above


def test_a_docket_number_cannot_be_claimed_by_another_member() -> None:
    """A case key hides its docket number, so the chain cannot see a squatter's: it may only squat in its own space."""
    world = World()
    case = world.case()
    world.do(world.by("sfj-officer").record(case, "LEAD"))  # guessed and claimed by another member
    world.do(world.by("officer-1").record(case, "LEAD"))
    head = case_head(world.state.view, case.id)
    assert head is not None
    assert (head.org, head.count) == ("zfj", 1)


def test_batches_are_atomic() -> None:
    """One refused record refuses the batch: no head, no serial, nothing but the seq is used."""
    world = World()
    before = dict(world.chain.state.view.entries)  # type: ignore[attr-defined]
    records = [make_record(world.case(str(i)), "LEAD", world.now_ms) for i in range(3)]
    records.append(make_record(world.case("9"), "SERVED", world.now_ms))
    executed = world.block(world.by("officer-1").records(*records))
    outcome = executed.outcomes[0]
    assert (outcome.result.code, dict(outcome.result.parameters)["record"]) == ("unknown-case", 3)
    assert outcome.result.record_results_root == SUITE.hash(b"")
    after = world.chain.state.view.entries  # type: ignore[attr-defined]
    changed = {key for key in after if before.get(key) != after[key]}
    assert len(changed) == 2  # the lane and the key's count of lanes
    assert last_serial(world.state.view, "zfj", "penalty", 2026) == 0
    world.do(world.by("officer-1").records(*records[:3]))
    assert last_serial(world.state.view, "zfj", "penalty", 2026) == 3


def test_a_batch_serves_many_cases_and_many_steps() -> None:
    world = World()
    one, two = world.case("1"), world.case("2")
    hand = world.by("officer-1", "officer-2", "head")
    now = world.now_ms
    steps = [(one, "LEAD"), (two, "LEAD"), (one, "FILED"), (one, "INVEST"), (two, "FILED"), (one, "INVEST")]
    outcome = world.block(hand.records(*(make_record(case, step, now) for case, step in steps))).outcomes[0]
    assert [result.number for result in outcome.record_results] == [1, 1, 2, 3, 2, 4]
    assert [result.findings for result in outcome.record_results] == [()] * 6
    assert (world.head(one).count, world.head(two).count) == (4, 2)


def test_serials_are_dense_by_org_and_year_of_recording() -> None:
    world = World()
    serials = []
    for number in range(5):
        if number == 3:  # over the new year, in the chain's offset
            world.now_ms = START_MS + 365 * DAY_MS
        case = world.case(str(number))
        item = world.by("officer-1").record(case, "LEAD", at=START_MS)
        refusal = world.by("officer-2").record(case, "FILED")
        world.block(refusal, item)
        serials.append((world.head(case).year, world.head(case).serial))
    assert serials == [(2026, 1), (2026, 2), (2026, 3), (2027, 1), (2027, 2)]
    world.do(world.by("sfj-officer").record(world.case("x", "sfj"), "LEAD"))
    assert world.head(world.case("x", "sfj")).serial == 1
    assert last_serial(world.state.view, "zfj", "penalty", 2027) == 2
    assert last_serial(world.state.view, "gzc", "penalty", 2027) == 0


def test_the_years_edge_is_the_chains() -> None:
    edge = 1_798_732_800_000  # 2027-01-01T00:00 in Beijing
    for time_ms, year in ((edge - 1, 2026), (edge, 2027)):
        world = World()
        world.now_ms = time_ms
        world.do(world.by("officer-1").record(world.case(), "LEAD"))
        assert world.head(world.case()).year == year


def test_serial_of_a_unit_is_its_own() -> None:
    world = World()
    world.do(world.by("zfj").register_org("zfj.a"))
    world.do(world.by("zfj").register_officer("zfj.a", "ann"))
    world.knows("ann", "zfj.a")
    world.do(world.by("officer-1").record(world.case(), "LEAD"))
    world.do(world.by("ann").record(world.case("1", "zfj.a"), "LEAD"))
    assert world.head(world.case("1", "zfj.a")).serial == 1


@pytest.mark.parametrize("contract", ["cases", "lane", "identity", "governance", "x"])
@pytest.mark.parametrize("args", [None, (), (1, 2)])
def test_unknown_actions_are_refused(contract: str, args: Value) -> None:
    world = World()
    code, parameters = world.refused(world.by("officer-1").act(contract, "nothing", args))
    assert (code, parameters) == ("unknown-action", {"contract": contract, "action": "nothing"})


def test_a_head_is_proven_and_so_is_its_absence() -> None:
    from fazhi_contracts.keys import case_state_key

    world = World()
    world.do(world.by("officer-1").record(world.case(), "LEAD"))
    for case in (world.case(), world.case("none")):
        key = case_state_key(case.id)
        proof = statetree.prove(SUITE, world.state.pages, statetree.key_hash_of(SUITE, key))
        root = statetree.root_of_tree(SUITE, world.state.pages)
        head = case_head(world.state.view, case.id)
        if head is None:
            statetree.verify_absence(SUITE, root, key, proof)
        else:
            statetree.verify_presence(SUITE, root, key, head.encode(), proof)
