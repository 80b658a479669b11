"""Lanes: exactly once, whatever is sent, lost, repeated or given up."""

from __future__ import annotations

from typing import Any

import pytest
from fazhi_contracts.admission import lane_after, lane_position, select_items
from fazhi_contracts.queries import lane_count, lane_entry
from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.limits import MAX_INT
from fazhi_ledger.submission import Item
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from .builders import World, lane_named, signer


def void(world: World, first: int, last: int, seq: int | None = None) -> Item:
    hand = world.by("officer-1").in_lane("a", first if seq is None else seq)
    return hand.act("lane", "void", (first, last, "lost"))


def record(world: World, seq: int) -> Item:
    return world.by("officer-1").in_lane("a", seq).record(world.case(f"{seq}"), "LEAD")


def next_seq(world: World) -> int:
    return lane_position(world.state.view, record(world, 0))


def test_a_gap_is_given_up_and_stands_in_the_result() -> None:
    world = World()
    world.block(record(world, 0))
    outcome = world.block(void(world, 1, 5)).outcomes[0]
    assert outcome.result.parameters == (("finding", "lane-voided"), ("first", 1), ("last", 5), ("reason", "lost"))
    assert next_seq(world) == 6
    lane = lane_entry(world.state.view, "zfj", signer("officer-1").public_key, lane_named("a"))
    assert lane is not None
    assert (lane.next_seq, lane.voided) == (6, 5)
    for seq in range(6):  # what was given up never comes back
        with pytest.raises(InvalidBlock, match="wrong-seq"):
            world.build(record(world, seq))
    world.block(record(world, 6))


def test_a_lane_may_begin_with_a_void_and_go_on_in_the_same_block() -> None:
    world = World()
    item = void(world, 0, 2)
    world.block(item, record(world, 3))
    assert next_seq(world) == 4
    assert lane_count(world.state.view, signer("officer-1").public_key) == 1


def test_a_void_waits_for_its_turn() -> None:
    """A void is executable exactly when the lane waits for its first seq: it cannot step over what may still come."""
    world = World()
    with pytest.raises(InvalidBlock, match="wrong-seq"):
        world.build(void(world, 1, 5))
    world.block(record(world, 0))
    world.block(void(world, 1, 5))


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ((1, 3, "lost"), "void-not-at-seq"),
        ((0, 9, "lost"), None),
        ((0, 10, "lost"), "void-too-wide"),
        ((0, MAX_INT - 1, "lost"), "void-too-wide"),
        ((0, MAX_INT, "lost"), "bad-args"),
        ((0, -1, "lost"), "bad-args"),
        ((0, 0, "lost"), None),
        ((0, 0, "It fell into the river"), "bad-args"),
        ((0, 0, ""), "bad-args"),
        ((0, 0, "掉了"), "bad-args"),
        ((0, 0), "bad-args"),
        ((0, 0, "lost", 1), "bad-args"),
        ((False, 0, "lost"), "bad-args"),
        (("0", 0, "lost"), "bad-args"),
        (None, "bad-args"),
    ],
)
def test_what_a_void_takes(args: Value, code: str | None) -> None:
    """A refused void uses its own seq and no more."""
    world = World(max_lane_void=10)
    item = world.by("officer-1").in_lane("a", 0).act("lane", "void", args)
    after = lane_after(world.state.view, item)
    outcome = world.block(item).outcomes[0]
    assert outcome.result.code == (code or "OK")
    assert next_seq(world) == after
    if code is not None:
        assert after == 1


def test_backwards() -> None:
    world = World()
    world.block(record(world, 0), record(world, 1))
    code, parameters = world.refused(void(world, 2, 1))
    assert (code, parameters) == ("void-backwards", {"first": 2, "last": 1})
    assert next_seq(world) == 3


def test_a_stranger_cannot_void() -> None:
    """Another key's void of the same 16 bytes concerns a lane of its own."""
    world = World()
    world.block(record(world, 0))
    world.block(world.by("officer-2").in_lane("a", 0).act("lane", "void", (0, 5, "lost")))
    assert next_seq(world) == 1


def test_the_last_seq_of_all() -> None:
    world = World(max_lane_void=1_000_000)
    top = world.by("officer-1").in_lane("a", MAX_INT - 1).act("lane", "void", (MAX_INT - 1, MAX_INT - 1, "lost"))
    assert lane_after(world.state.view, top) == MAX_INT


class Lanes(RuleBasedStateMachine):
    """Two lanes under random deliveries. The model: a set of used seqs, each used by the first item that took it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(max_lane_void=4)
        self.pool: list[Item] = []
        self.next = {"a": 0, "b": 0}
        self.used: dict[tuple[str, int], bytes] = {}
        self.drafts = 0

    def lane_of(self, item: Item) -> str:
        return "a" if item.body.lane == lane_named("a") else "b"

    @rule(lane=st.sampled_from(["a", "b"]), ahead=st.integers(-2, 4), good=st.booleans())
    def sign(self, lane: str, ahead: int, good: bool) -> None:
        seq = max(0, self.next[lane] + ahead)
        self.drafts += 1
        hand = self.world.by("officer-1").in_lane(lane, seq)
        case = self.world.case(f"{self.drafts}")
        self.pool.append(hand.record(case, "LEAD" if good else "FILED"))

    @rule(lane=st.sampled_from(["a", "b"]), ahead=st.integers(-1, 3), width=st.integers(-1, 6), shift=st.integers(0, 1))
    def sign_void(self, lane: str, ahead: int, width: int, shift: int) -> None:
        seq = max(0, self.next[lane] + ahead)
        hand = self.world.by("officer-1").in_lane(lane, seq)
        self.pool.append(hand.act("lane", "void", (seq + shift, max(0, seq + width), "lost")))

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """A proposer takes what fits out of any items in any order, repetitions included."""
        if not self.pool:
            return
        offered = data.draw(st.lists(st.sampled_from(self.pool), max_size=6))
        chosen = select_items(self.world.state.view, offered, self.world.context())
        expected: list[Item] = []
        position = dict(self.next)
        for item in offered:
            lane = self.lane_of(item)
            if item.body.seq == position[lane]:
                expected.append(item)
                position[lane] = lane_after(self.world.state.view, item)
        assert chosen == tuple(expected)
        executed = self.world.block(*chosen)
        for item, outcome in zip(chosen, executed.outcomes, strict=True):
            lane = self.lane_of(item)
            last = dict(outcome.result.parameters).get("last") if item.body.action == "void" else None
            end = last if outcome.result.ok and isinstance(last, int) else item.body.seq
            for seq in range(item.body.seq, end + 1):
                assert (lane, seq) not in self.used, "a seq was used twice"
                self.used[lane, seq] = outcome.result.submission_id
            self.next[lane] = end + 1

    @rule(data=st.data())
    def force(self, data: st.DataObject) -> None:
        """A dishonest proposer puts in what it likes: the block is invalid unless every item is its lane's next."""
        if not self.pool:
            return
        items = data.draw(st.lists(st.sampled_from(self.pool), min_size=1, max_size=3))
        fits = select_items(self.world.state.view, items, self.world.context()) == tuple(items)
        try:
            self.world.build(*items)
        except InvalidBlock:
            assert not fits
        else:
            assert fits

    @invariant()
    def lanes_are_what_was_used(self) -> None:
        for lane, position in self.next.items():
            entry = lane_entry(self.world.state.view, "zfj", signer("officer-1").public_key, lane_named(lane))
            assert (0 if entry is None else entry.next_seq) == position
            assert sorted(seq for name, seq in self.used if name == lane) == list(range(position))


TestLanes: Any = Lanes.TestCase
TestLanes.settings = settings(stateful_step_count=25)
