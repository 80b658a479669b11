"""Blocks and headers: built and checked the same way everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from fazhi_contracts import execution
from fazhi_contracts.chain import ChainState, MemoryChain, build_block, check_block, tree_update
from fazhi_contracts.context import Call, Effect
from fazhi_contracts.errors import StateCorrupt
from fazhi_contracts.keys import single_key
from fazhi_contracts.queries import (
    installed_rule_sets,
    procedures,
    protocol_version,
    rule_set_bytes,
    rules_bytes,
    rules_hash,
    validator_sets,
)
from fazhi_contracts.state import MemoryState
from fazhi_ledger import merkle, statetree
from fazhi_ledger.block import Block
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.header import HEADER_FIELDS
from fazhi_ledger.validators import Validator, ValidatorSet
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT

from .builders import SUITE, USUAL_SIGNERS, World, make_genesis_file, make_record, penalty, signer


def busy_world() -> World:
    """A chain of three blocks with accepted, refused and voided items."""
    world = World()
    case = world.case()
    world.block(
        world.by("officer-1").record(case, "LEAD"),
        world.by("zfj").register_officer("zfj", "new"),
        world.by("head").record(world.case("2"), "FILED"),
    )
    world.block()
    world.block(
        world.by("officer-2").void(0, 3),
        world.by("head").record(case, "FILED"),
        world.by("officer-1").records(*(make_record(world.case(f"b{i}"), "LEAD", world.now_ms) for i in range(5))),
    )
    return world


def test_the_first_header() -> None:
    world = World()
    executed = world.block(world.by("officer-1").record(world.case(), "LEAD"))
    header = executed.block.header
    genesis_hash = world.genesis_file.hash()
    assert (header.height, header.parent_hash, header.genesis_hash) == (1, genesis_hash, genesis_hash)
    assert header.history_root == merkle.leaf_hash(SUITE, genesis_hash)
    validators = world.state.genesis.validator_set()
    assert header.validators_hash == header.next_validators_hash == validators.hash(SUITE)
    assert header.proposer == "zfj"


def test_history_holds_genesis_and_every_earlier_header() -> None:
    world = World()
    leaves = [world.state.genesis_hash]
    for _ in range(9):
        executed = world.block()
        hashes = [merkle.leaf_hash(SUITE, leaf) for leaf in leaves]
        assert executed.block.header.history_root == merkle.root_of(SUITE, hashes)
        assert len(leaves) == executed.block.header.height
        leaves.append(executed.block_hash)
        assert executed.history == world.state.history
    assert [world.state.header_hash_at(height) for height in range(11)] == [*leaves, None]


def test_state_root_is_that_after_the_block() -> None:
    world = busy_world()
    entries = world.state.view.entries  # type: ignore[attr-defined]
    rebuilt = tree_update(SUITE, statetree.MemoryPages(), entries)
    assert rebuilt.root == statetree.root_of_tree(SUITE, world.state.pages)
    executed = world.build()
    assert executed.block.header.state_root == rebuilt.root  # an empty block changes nothing
    assert executed.changes == {}


def test_rules_hash_is_over_protocol_parameters_and_rule_sets() -> None:
    rules = {"penalty": penalty().encode(), "review": replace(penalty(), procedure="review").encode()}
    world = World(make_genesis_file(rules.items()))
    view = world.state.view
    listed = tuple((name, ((20210715, installed_rule_sets(view, name)[0]),)) for name in procedures(view))
    assert procedures(view) == ("penalty", "review")
    parameters = world.state.genesis.parameters.to_value()
    encoded = encode((protocol_version(view), parameters, listed, ()))
    expected = SUITE.tagged_hash("rules", encoded)
    assert rules_hash(view, SUITE) == expected == world.build().block.header.rules_hash
    assert rules_bytes(view, expected) == encoded
    assert [rule_set_bytes(view, h) for h in installed_rule_sets(view, "penalty")] == [rules["penalty"]]
    others = [World(), World(max_lane_void=9), World(make_genesis_file([]))]
    found = {rules_hash(other.state.view, SUITE) for other in others}
    assert len(found) == 3
    assert expected not in found


FIELDS = [name for name in HEADER_FIELDS if name != "time_ms"]  # another time is another valid block


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_a_header_is_checked(name: str) -> None:
    world = busy_world()
    executed = world.build(world.by("head").record(world.case("b0"), "FILED"))
    check_block(world.state, executed.block)
    header = executed.block.header
    value = getattr(header, name)
    wrong: list[object]
    if isinstance(value, bytes):
        wrong = [value[:-1] + bytes([value[-1] ^ 1]), bytes(32)]
    elif isinstance(value, str):
        wrong = ["zfj.a", "nobody"]  # another seated proposer is for the consensus to refuse
    else:
        wrong = [value - 1, value + 1]
    for other in wrong:
        with pytest.raises(InvalidBlock) as caught:
            check_block(world.state, Block(replace(header, **{name: other}), executed.block.items))  # type: ignore[arg-type]
        assert (caught.value.code, dict(caught.value.parameters)["field"]) == ("wrong-header-field", name)


@pytest.mark.parametrize("name", FIELDS)
def test_two_roots_can_be_checked_elsewhere_and_no_other_field(name: str) -> None:
    world = busy_world()
    executed = world.build(world.by("head").record(world.case("b0"), "FILED"))
    checked = check_block(world.state, executed.block, roots_elsewhere=True)
    assert replace(checked, tree=executed.tree) == executed
    assert (checked.tree.root, checked.tree.pages) == (executed.tree.root, {})
    value = getattr(executed.block.header, name)
    other = bytes(32) if isinstance(value, bytes) else "nobody" if isinstance(value, str) else value + 1
    altered = Block(replace(executed.block.header, **{name: other}), executed.block.items)  # type: ignore[arg-type]
    if name in ("submissions_root", "state_root"):
        assert check_block(world.state, altered, roots_elsewhere=True).changes == executed.changes
        return
    with pytest.raises(InvalidBlock) as caught:
        check_block(world.state, altered, roots_elsewhere=True)
    assert (caught.value.code, dict(caught.value.parameters)["field"]) == ("wrong-header-field", name)


def test_time_moves_on() -> None:
    world = busy_world()
    for time_ms, good in (
        (world.state.time_ms, False),
        (world.state.time_ms - 1, False),
        (world.state.time_ms + 1, True),
    ):
        if good:
            build_block(world.state, "zfj", time_ms, ())
            continue
        with pytest.raises(InvalidBlock) as caught:
            build_block(world.state, "zfj", time_ms, ())
        assert dict(caught.value.parameters)["field"] == "time_ms"
    with pytest.raises(InvalidBlock, match="time_ms"):
        build_block(world.state, "zfj", 253_402_300_800_000, ())
    first = World()
    with pytest.raises(InvalidBlock, match="time_ms"):  # the genesis' time counts as the parent's
        build_block(first.state, "zfj", first.state.genesis.time_ms, ())


def test_only_a_seated_member_proposes() -> None:
    world = World(make_genesis_file(orgs=("sfj", "zfj", "gzc", "fy")))
    for proposer in ("zfj.a", "nobody"):
        with pytest.raises(InvalidBlock) as caught:
            world.build(proposer=proposer)
        assert dict(caught.value.parameters)["field"] == "proposer"


def test_items_are_those_of_the_header() -> None:
    world = World()
    items = [world.by("officer-1").record(world.case(str(i)), "LEAD") for i in range(2)]
    executed = world.build(*items)
    for wrong in (items[:1], items[::-1], [*items, items[0]], []):
        with pytest.raises(InvalidBlock, match="submission"):
            check_block(world.state, Block(executed.block.header, tuple(wrong)))


def test_execution_is_deterministic() -> None:
    """Twice, from a copy of the state, and from items read back from bytes: the same bytes each time."""
    world = busy_world()
    case = world.case()
    items = [
        world.by("officer-1", "officer-2").record(case, "INVEST", documents=0),
        world.by("zfj").revoke("officer-2"),
        world.by("officer-1").record(case, "SERVED"),
    ]
    first = world.build(*items)
    copy = MemoryState(dict(reversed(list(world.state.view.entries.items()))))  # type: ignore[attr-defined]
    again = build_block(replace(world.state, view=copy), "zfj", world.now_ms, items)
    decoded = Block.decode(first.block.encode())
    third = build_block(world.state, "zfj", world.now_ms, decoded.items)
    for other in (again, third):
        assert other == first
        assert list(other.changes) == list(first.changes)
        assert other.block.encode() == first.block.encode()
    assert world.codes(first) == ["OK", "OK", "impossible-step"]


STORY = """
from tests.contracts.test_chain import busy_world
world = busy_world()
print(world.state.header_hash.hex())
"""


def test_execution_does_not_depend_on_the_process() -> None:
    """Another hash seed and another locale give the same header hash."""
    expected = busy_world().state.header_hash.hex()
    for seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "America/New_York"}
        done = subprocess.run(
            [sys.executable, "-c", STORY], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


@given(st.permutations(range(6)))
def test_the_order_of_independent_items_matters_to_roots_only(order: list[int]) -> None:
    """Items of different cases and lanes: whatever their order, the same cases stand; serials follow the order."""
    world = World()
    items = [world.by("officer-1").in_lane(f"l{i}", 0).record(world.case(str(i)), "LEAD") for i in range(6)]
    world.block(*(items[i] for i in order))
    assert [world.head(world.case(str(i))).serial for i in order] == [1, 2, 3, 4, 5, 6]


def test_an_auditor_replays_from_the_genesis_file_and_blocks() -> None:
    world = World()
    case = world.case()
    steps = ("LEAD", "FILED", "INVEST")
    blocks = [world.block(world.by(*USUAL_SIGNERS[step]).record(case, step)).block.encode() for step in steps]
    auditor = MemoryChain(world.genesis_file)
    for data in blocks:
        auditor.take(check_block(auditor.state, Block.decode(data)))
    assert auditor.state.header_hash == world.state.header_hash
    assert auditor.state.view.entries == world.state.view.entries  # type: ignore[attr-defined]
    with pytest.raises(InvalidBlock, match="parent_hash"):
        auditor.take(check_block(MemoryChain(world.genesis_file).state, Block.decode(blocks[0])))


def with_pending(world: World, pending: ValidatorSet) -> ChainState:
    """The world's state as if a vote had just been executed."""
    entries = dict(world.state.view.entries)  # type: ignore[attr-defined]
    entries[single_key("validators-pending")] = pending.encode()
    pages = statetree.MemoryPages()
    pages.apply(tree_update(SUITE, pages, entries))
    return replace(world.state, view=MemoryState(entries), pages=pages)


def test_hand_over() -> None:
    """A vote executed at h: header h+1 names the new set as the next one, and the new set certifies h+2."""
    world = busy_world()
    height = world.state.height  # the vote was executed here
    old = world.state.validators()[0]
    seats = (*old.validators[:3], Validator("fy", signer("another court's key").public_key))
    new = ValidatorSet(1, height + 2, seats)
    state = with_pending(world, new)
    assert validator_sets(state.view) == (old, new)
    handover = build_block(state, "zfj", world.now_ms, ())
    header = handover.block.header
    assert (header.validators_hash, header.next_validators_hash) == (old.hash(SUITE), new.hash(SUITE))
    view = MemoryState(state.view.entries)  # type: ignore[attr-defined]
    view.apply(handover.changes)
    pages = state.pages
    pages.apply(handover.tree)  # type: ignore[attr-defined]
    after = replace(
        state,
        height=header.height,
        header_hash=handover.block_hash,
        time_ms=header.time_ms,
        history=handover.history,
        view=view,
    )
    assert validator_sets(after.view) == (new, None)
    following = build_block(after, "zfj", world.now_ms + 1, ()).block.header
    assert following.validators_hash == following.next_validators_hash == new.hash(SUITE)


def test_a_waiting_set_waits_for_its_height() -> None:
    world = busy_world()
    old = world.state.validators()[0]
    state = with_pending(world, ValidatorSet(1, world.state.height + 3, old.validators))
    executed = build_block(state, "zfj", world.now_ms, ())
    assert executed.block.header.next_validators_hash == old.hash(SUITE)
    assert executed.changes == {}


def test_an_unexpected_exception_is_never_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(call: Call) -> Effect:
        raise ZeroDivisionError(call.body.action)

    monkeypatch.setitem(execution.ACTIONS, ("cases", "record"), broken)
    world = World()
    with pytest.raises(ZeroDivisionError):
        world.build(world.by("officer-1").record(world.case(), "LEAD"))


@pytest.mark.parametrize("kind", ["parameters", "validators", "protocol"])
def test_a_state_without_its_foundations_stops_us(kind: str) -> None:
    world = World()
    entries = dict(world.state.view.entries)  # type: ignore[attr-defined]
    del entries[single_key(kind)]
    with pytest.raises(StateCorrupt):
        build_block(replace(world.state, view=MemoryState(entries)), "zfj", world.now_ms, ())


def test_a_lost_rule_set_stops_us() -> None:
    world = World()
    world.do(world.by("officer-1").record(world.case(), "LEAD"))
    entries = {k: v for k, v in world.state.view.entries.items() if v != penalty().encode()}  # type: ignore[attr-defined]
    with pytest.raises(StateCorrupt):
        build_block(
            replace(world.state, view=MemoryState(entries)),
            "zfj",
            world.now_ms,
            [world.by("head").record(world.case(), "FILED")],
        )
