"""The mempool: lanes, bounds, fairness between members. Items are real; signatures are no concern of the mempool."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, takewhile

import pytest
from fazhi_ledger.submission import Item, SubmissionBody
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.limits import REGOSSIP_ITEMS, REGOSSIP_MS
from fazhi_node.mempool import HEAP_SLACK, Bounds, Entry, Mempool, Refusal, lane_key
from hypothesis import given
from hypothesis import strategies as st

GENESIS = b"g" * 32


def item(
    org: str = "zfj", seq: int = 0, lane: int = 0, key: int = 0, *, text: str = "", until: int | None = None
) -> Item:
    body = SubmissionBody(
        GENESIS, org, bytes([lane]) * 16, seq, bytes(16), "points", "note", text, (bytes([key]) * 32,), 0, None, until
    )
    return Item(body.encode(), (bytes(64),))


def entry(of: Item, now_ms: int = 0) -> Entry:
    return Entry(of, of.encode(), of.id(ED25519_SHA256), now_ms)


def put(pool: Mempool, of: Item, next_seq: int = 0, now_ms: int = 0) -> Refusal | None:
    new = entry(of, now_ms)
    refusal = pool.check(new, next_seq)
    if refusal is None:
        pool.admit(new, next_seq)
    return refusal


def seqs(entries: list[Entry]) -> list[int]:
    return [e.seq for e in entries]


def test_only_the_next_seq_of_a_lane_is_work() -> None:
    pool = Mempool(Bounds())
    assert put(pool, item(seq=1)) is None
    assert (pool.has_work, pool.take(10, 10_000)) == (False, [])
    assert put(pool, item(seq=0)) is None
    assert (pool.has_work, len(pool)) == (True, 2)
    assert seqs(pool.take(10, 10_000)) == [0, 1]


@pytest.mark.parametrize(
    ("seq", "next_seq", "expected"),
    [(4, 5, "seq-used"), (5, 5, None), (5 + 1023, 5, None), (5 + 1024, 5, "seq-too-far")],
)
def test_the_window_has_two_sides(seq: int, next_seq: int, expected: str | None) -> None:
    refusal = put(Mempool(Bounds()), item(seq=seq), next_seq)
    assert (refusal.code if refusal else None) == expected


def test_another_body_for_a_pending_seq_is_a_conflict_and_the_same_is_pending() -> None:
    pool = Mempool(Bounds())
    assert put(pool, item(text="a")) is None
    again, other = put(pool, item(text="a")), put(pool, item(text="b"))
    assert again is not None
    assert (again.status, again.code) == ("pending", "already-pending")
    assert other is not None
    assert (other.status, other.code) == ("conflict", "seq-pending")
    assert len(pool) == 1


def test_a_lane_advances_past_items_that_stood_in_no_block_here() -> None:
    pool = Mempool(Bounds())
    for seq in range(5):
        put(pool, item(seq=seq))
    assert seqs(pool.advance(lane_key(item()), 3)) == [0, 1, 2]
    assert seqs(pool.take(10, 10_000)) == [3, 4]
    assert pool.advance(lane_key(item()), 2) == []
    assert seqs(pool.advance(lane_key(item()), 9)) == [3, 4]
    assert (len(pool), pool.bytes, pool.has_work) == (0, 0, False)


def test_an_expired_item_leaves_and_its_lane_waits_for_another() -> None:
    pool = Mempool(Bounds())
    put(pool, item(seq=0, until=100))
    put(pool, item(seq=1))
    assert pool.expire(100) == []
    assert seqs(pool.expire(101)) == [0]
    assert not pool.has_work
    assert put(pool, item(seq=0, text="again")) is None
    assert seqs(pool.take(10, 10_000)) == [0, 1]


def test_one_flooding_member_neither_takes_the_room_nor_the_block_of_the_others() -> None:
    bounds = Bounds(items=80, bytes=1 << 20, key_items=1000, members=4)
    pool = Mempool(bounds)
    taken = sum(put(pool, item("flood.unit", seq)) is None for seq in range(1000))
    assert taken == bounds.items // 2 + bounds.reserved().items
    refusal = put(pool, item("flood.other", 0, key=9))
    assert refusal is not None
    assert refusal.code == "mempool-full"
    for org in ("a", "b"):
        assert all(put(pool, item(org, seq, key=ord(org))) is None for seq in range(bounds.reserved().items))
    counts = Counter(e.member for e in pool.take(12, 1 << 20))
    assert counts == {"flood": 4, "a": 4, "b": 4}


def test_what_waits_behind_a_gap_does_not_keep_out_what_fills_it() -> None:
    """A full room of items that none can execute would stay full for ever (found by the simulator of whole nodes)."""
    pool = Mempool(Bounds(items=40, members=4))
    taken = [seq for seq in range(1, 40) if put(pool, item(seq=seq)) is None]
    assert taken == list(range(1, 26))
    assert not pool.has_work
    first = entry(item(seq=0))
    assert pool.check(first, 0) is None
    assert [gone.seq for gone in pool.admit(first, 0)] == [25]
    assert (pool.has_work, len(pool), len(pool.take(40, 10**6))) == (True, 25, 25)
    refusal = put(pool, item(seq=25))
    assert refusal is not None
    assert refusal.code == "mempool-full"


def test_a_large_item_displaces_as_many_as_it_needs_or_none() -> None:
    pool = Mempool(Bounds(items=10_000, bytes=8_000, members=4))
    count = next(seq for seq in range(1, 100) if put(pool, item(seq=seq)) is not None)
    large, huge = entry(item(seq=0, text="x" * 600)), entry(item(seq=0, text="x" * 8_000))
    assert pool.check(huge, 0) is not None
    gone = pool.admit(large, 0)
    assert [held.seq for held in gone] == list(range(count - 1, count - 1 - len(gone), -1))
    assert len(gone) > 1
    assert pool.bytes <= 5_000  # its own eighth, and all that is common


@pytest.mark.parametrize("bounds", [Bounds(key_items=20), Bounds(items=32, members=4)], ids=["of-a-key", "of-all"])
def test_where_only_the_number_is_full_a_large_item_needs_one_place_alone(bounds: Bounds) -> None:
    """Small items behind the gaps of two lanes, and bytes to spare: a large one that fills a gap displaces one."""
    pool = Mempool(bounds)
    for seq in range(1, 11):
        assert [put(pool, item(seq=seq, lane=lane)) for lane in range(2)] == [None, None]
    small = pool.bytes
    large = entry(item(seq=0, text="x" * 9_000))
    assert len(large.data) > small // 2
    assert pool.check(large, 0) is None
    assert [held.seq for held in pool.admit(large, 0)] == [10]
    assert (len(pool), pool.has_work) == (20, True)


def test_bytes_are_bounded_too() -> None:
    size = len(item(text="x" * 1000).encode())
    pool = Mempool(Bounds(items=1000, bytes=size * 16, key_items=1000, members=4))
    results = [put(pool, item(seq=seq, text="x" * 1000)) for seq in range(100)]
    assert sum(r is None for r in results) in (9, 10)
    assert pool.bytes <= size * 10
    assert put(pool, item("other", 0, key=1, text="x" * 1000)) is None


def test_a_key_has_a_bound_of_its_own() -> None:
    pool = Mempool(Bounds(key_items=3))
    results = [put(pool, item(lane=lane)) for lane in range(5)]
    assert [r.code if r else None for r in results] == [None] * 3 + ["key-full"] * 2
    assert put(pool, item(lane=9, key=1)) is None


def test_a_block_is_bounded_by_count_and_bytes_and_a_large_item_stops_only_its_lane() -> None:
    pool = Mempool(Bounds())
    put(pool, item(lane=1, text="x" * 5000))
    put(pool, item(lane=1, seq=1))
    put(pool, item(lane=2))
    assert [e.lane[2][0] for e in pool.take(10, 1000)] == [2]
    assert len(pool.take(2, 100_000)) == 2
    assert seqs(pool.take(10, 100_000, lambda e: e.lane[2][0] != 2)) == [0, 1]


def test_a_proposal_holds_no_more_work_than_it_can_be_executed_in_time() -> None:
    """8,000 items in one block outlasted the round's timer and the next one's: work is bounded, not only bytes."""
    pool = Mempool(Bounds())
    for seq in range(5):
        put(pool, item(seq=seq))
    assert len(pool.take(10, 100_000, max_work=5)) == 5
    assert len(pool.take(10, 100_000, max_work=4)) == 4
    big = Item(item("sfj", key=1).body_bytes, (bytes(64),), (b"record",) * 9)
    assert put(pool, big) is None
    assert [e.item.records for e in pool.take(10, 100_000, max_work=9) if e.item.records] == []
    assert big in [e.item for e in pool.take(10, 100_000, max_work=15)]
    alone = Mempool(Bounds())
    put(alone, big)
    assert len(alone.take(10, 100_000, max_work=1)) == 1  # a larger one stands alone, it never waits for ever


def test_members_take_turns_from_block_to_block() -> None:
    pool = Mempool(Bounds())
    for org in ("a", "b", "c"):
        put(pool, item(org, key=ord(org)))
    assert [pool.take(1, 10_000)[0].member for _ in range(4)] == ["a", "b", "c", "a"]


def test_waiting_items_are_sent_again_ever_more_rarely() -> None:
    pool = Mempool(Bounds())
    put(pool, item())
    times = [ms for ms in range(0, 40 * REGOSSIP_MS, 100) if pool.due_for_gossip(ms)]
    assert times[0] == REGOSSIP_MS
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[0] == 2 * REGOSSIP_MS
    assert len(times) < 6


def test_a_busy_chain_does_not_take_a_queue_for_a_loss() -> None:
    pool = Mempool(Bounds())
    put(pool, item())
    assert pool.due_for_gossip(3 * REGOSSIP_MS - 1, 3 * REGOSSIP_MS) == []
    assert len(pool.due_for_gossip(3 * REGOSSIP_MS, 3 * REGOSSIP_MS)) == 1


def test_one_round_of_gossip_is_bounded() -> None:
    pool = Mempool(Bounds())
    for seq in range(REGOSSIP_ITEMS + 5):
        put(pool, item(seq=seq))
    assert len(pool.due_for_gossip(REGOSSIP_MS)) == REGOSSIP_ITEMS


def test_items_that_come_and_go_leave_nothing_behind() -> None:
    pool = Mempool(Bounds())
    for seq in range(3 * HEAP_SLACK):
        put(pool, item(seq=seq, until=10**12), seq)
        pool.advance(lane_key(item()), seq + 1)
    assert (len(pool), pool.bytes, pool.oldest_ms()) == (0, 0, None)
    assert len(pool._expiry) <= HEAP_SLACK + 1
    assert not pool._lanes
    assert not pool._shares
    assert not pool._key_items


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 6)),
        st.tuples(st.just("advance"), st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 7)),
        st.tuples(st.just("remove"), st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 6)),
    ),
    max_size=60,
)


@given(STEPS)
def test_against_a_naive_model(steps: list[tuple[str, str, int, int]]) -> None:
    """The model: a set of (lane, seq) and a dictionary of positions. What is executable follows from the two."""
    pool = Mempool(Bounds(max_ahead=5))
    held: set[tuple[str, int, int]] = set()
    position: dict[tuple[str, int], int] = {}
    for action, org, lane, number in steps:
        of = item(org, number, lane, ord(org))
        at = position.setdefault((org, lane), 0)
        if action == "put":
            allowed = at <= number < at + 5 and (org, lane, number) not in held
            assert (put(pool, of, at) is None) == allowed
            if allowed:
                held.add((org, lane, number))
        elif action == "advance":
            gone = pool.advance(lane_key(of), number)
            expected = {h for h in held if h[:2] == (org, lane) and h[2] < number} if number > at else set()
            assert {(org, lane, e.seq) for e in gone} == expected
            held -= expected
            position[org, lane] = max(at, number)
        else:
            assert (pool.remove(of.id(ED25519_SHA256)) is not None) == ((org, lane, number) in held)
            held.discard((org, lane, number))
        assert len(pool) == len(held)
        executable: set[tuple[str, int, int]] = set()
        for (o, ln), first in position.items():
            executable.update(takewhile(held.__contains__, ((o, ln, first + n) for n in range(8))))
        taken = pool.take(1000, 1 << 20)
        assert {(e.lane[0], e.lane[2][0], e.seq) for e in taken} == executable
        assert pool.has_work == bool(executable)
