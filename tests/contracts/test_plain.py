"""Execution and admission say, byte for byte, what the plain telling of :mod:`tests.contracts.plain` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from fazhi_contracts.admission import check_item
from fazhi_contracts.chain import build_block
from fazhi_contracts.context import BlockContext
from fazhi_contracts.state import MemoryState, Overlay, StateView
from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import InvalidSubmission, Parameter
from fazhi_ledger.record import records_root
from fazhi_ledger.result import record_results_root
from fazhi_ledger.submission import Item

from . import plain
from .builders import DAY_MS, Hand, World
from .scenarios import Scenario


def entries_of(world: World) -> plain.State:
    view = world.state.view
    assert isinstance(view, MemoryState)
    return dict(view.entries)


@pytest.mark.parametrize("seed", range(12))
def test_blocks(seed: int) -> None:
    scenario = Scenario(seed)
    world, rng = scenario.world, scenario.rng
    accepted = 0
    for _ in range(6):
        items = scenario.items(10)
        before, context = entries_of(world), world.context()
        results, after = plain.execute(before, items, context)
        executed = world.block(*items)
        assert [outcome.result for outcome in executed.outcomes] == results
        assert list(executed.result_leaves) == [result.encode() for result in results]
        assert entries_of(world) == after
        assert list(executed.changes.items()) == sorted(
            (key, value) for key, value in after.items() if before.get(key) != value
        )
        for outcome in executed.outcomes:
            encoded = tuple(result.encode() for result in outcome.record_results)
            assert outcome.result.record_results_root == record_results_root(context.suite, encoded)
        accepted += sum(result.ok for result in results)
        world.block(*(scenario.identity() for _ in range(3)))
        world.now_ms += rng.choice((1000, DAY_MS, 40 * DAY_MS))
    assert accepted >= 6  # else the scenario says little


@pytest.mark.parametrize("seed", range(4))
def test_later_items_change_nothing_for_earlier_ones(seed: int) -> None:
    """What execution remembers from item to item changes nothing: a block's outcomes begin with those of its first
    items alone."""
    scenario = Scenario(seed)
    state, now = scenario.world.state, scenario.world.now_ms
    items = scenario.items(10)
    whole = build_block(state, "zfj", now, items)
    for count in range(len(items)):
        part = build_block(state, "zfj", now, items[:count])
        assert part.outcomes == whole.outcomes[:count]


# Each makes one thing wrong with a sound submission: several at once say which of them is named.
WRONGS: tuple[Callable[[World, Hand], Hand], ...] = (
    lambda _, hand: hand.with_(genesis_hash=bytes(32)),
    lambda _, hand: hand.with_(draft_id=bytes(16), valid_until_ms=1),
    lambda world, hand: hand.with_(valid_until_ms=world.now_ms + 400 * DAY_MS),
    lambda world, hand: hand.with_(not_before=(world.state.height + 1, bytes(32))),
    lambda _, hand: hand.with_(not_before=(1, bytes(32))),
    lambda world, hand: hand.with_(not_before=(world.state.height, world.state.header_hash)),
    lambda _, hand: replace(hand, words=("stranger", *hand.words)),
    lambda _, hand: replace(hand, words=(*hand.words, "gone")),
    lambda _, hand: replace(hand, words=(*hand.words, "reviewer", "notary", "head")),
    lambda _, hand: hand.with_(org="sfj"),
    lambda _, hand: hand.with_(args=(1, bytes(32))),
    lambda _, hand: hand.with_(args=(True, bytes(32))),
    lambda _, hand: hand.with_(args=None),
    lambda _, hand: hand.with_(contract="lane"),
)
RECORDS: tuple[tuple[bytes, ...], ...] = ((), (b"\xc0",), (b"",), (bytes(5000),), tuple(b"\xc0" for _ in range(20)))


def crooked(world: World, rng: Random, number: int) -> Item:
    """A submission with up to three things wrong with it."""
    hand = world.by("officer-1").in_lane(str(number), 0)
    for wrong in rng.sample(WRONGS, rng.choice((0, 1, 1, 2, 3))):
        hand = wrong(world, hand)
    hand = replace(hand, words=tuple(dict.fromkeys(hand.words)))
    sound = hand.record(world.case(str(number)), "LEAD").records
    records = rng.choice((sound, sound, sound * 2, rng.choice(RECORDS)))
    args: Value = (len(records), records_root(world.state.suite, records))
    return hand.act("cases", "record", args, records)


def named(view: StateView | Overlay, item: Item, context: BlockContext) -> tuple[str, tuple[Parameter, ...]] | None:
    """What ``check_item`` says is wrong."""
    try:
        check_item(view, item, context)
    except InvalidSubmission as error:
        return error.code, error.parameters
    return None


@pytest.mark.parametrize("seed", range(6))
def test_items_that_must_not_stand(seed: int) -> None:
    rng = Random(seed)
    world = World(max_item_bytes=4096, max_records_per_item=16, max_signer_keys=3)
    world.do(world.by("zfj").register_officer("zfj", "gone"))
    world.do(world.by("zfj").revoke("gone"))
    before, context = entries_of(world), world.context()
    shared = Overlay(world.state.view)
    wrong = 0
    for number in range(60):
        item = crooked(world, rng, number)
        expected = plain.invalidity(before, item, context)
        for view in (world.state.view, shared, shared):
            assert named(view, item, context) == (expected and (expected.code, expected.parameters))
        wrong += expected is not None
    assert 0 < wrong < 60
