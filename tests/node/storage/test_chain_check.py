"""The check of a data directory finds whatever is wrong in it, also where the checksums are right, and says nothing of
a chain that is in order."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Callable

import pytest
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage.chain_check import MAX_PROBLEMS, ChainCheck, Problem
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.errors import StorageError
from fazhi_node.storage.memory import MemoryDisk, MemoryStore

from tests.contracts.builders import World

from .test_chain_store import Opened, grow, world_and_store

__all__ = ["world_and_store"]

SEED = 20261122
BLOCKS = 12
Pairs = dict[bytes, bytes]


def checked(chain: ChainStore) -> ChainCheck:
    check = ChainCheck(chain, lambda *_: None)
    check.run()
    return check


def test_a_chain_in_order(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    assert checked(chain).problems == []
    seen: list[tuple[str, int, int]] = []
    grow(world, chain, random.Random(SEED), BLOCKS)
    check = ChainCheck(open_(), lambda *where: seen.append(where))
    check.run()
    assert check.problems == []
    assert (check.more, check.counts["block"], check.counts["history"]) == (0, BLOCKS, sum_of_levels(BLOCKS + 1))
    assert [where for where in seen if where[0] == "blocks"] == [("blocks", h, BLOCKS) for h in range(1, BLOCKS + 1)]
    assert {part for part, _, _ in seen} == {"blocks", "state", "entries"}


def sum_of_levels(leaves: int) -> int:
    """How many complete subtrees a log of so many leaves has."""
    return sum(leaves >> level for level in range(leaves.bit_length()))


@pytest.fixture(scope="module")
def grown() -> tuple[World, Pairs]:
    world, disk = World(), MemoryDisk()
    chain = open_chain(MemoryStore(disk), world.genesis_file)
    grow(world, chain, random.Random(SEED), BLOCKS)
    chain.close()
    return world, disk.durable


def problems(pairs: Pairs) -> list[Problem]:
    """What the check says; a store that does not even open counts as one problem."""
    disk = MemoryDisk()
    disk.durable = pairs
    try:
        return checked(ChainStore(MemoryStore(disk))).problems
    except StorageError as error:
        return [Problem("chain", str(error))]


def test_every_value_that_is_lost_is_missed(grown: tuple[World, Pairs]) -> None:
    _, good = grown
    assert problems(dict(good)) == []
    for key in sample(good):
        assert problems({k: v for k, v in good.items() if k != key}), f"{key!r} is not missed"


def test_every_flipped_bit_is_found(grown: tuple[World, Pairs]) -> None:
    _, good = grown
    rng = random.Random(SEED)
    for key in sample(good):
        framed = bytearray(good[key])
        framed[rng.randrange(len(framed))] ^= 1 << rng.randrange(8)
        found = problems(good | {key: bytes(framed)})
        assert found, f"a bit of {key!r}"
        if key[:1] in (layout.BLOCK, layout.RESULTS, layout.CERTIFICATE):
            assert layout.read_number(key[1:]) in {problem.height for problem in found}


def test_a_value_of_another_key_with_a_right_checksum_is_found(grown: tuple[World, Pairs]) -> None:
    """A store that mixed up its own entries: every checksum holds, and what stands there is still not what a quorum
    certified."""
    _, good = grown
    by_kind: dict[bytes, list[bytes]] = {}
    for key in good:
        by_kind.setdefault(key[:1], []).append(key)
    for kind, keys in by_kind.items():
        if kind == layout.META:
            continue
        for key, other in itertools.pairwise(keys):
            value = layout.unframe(other, good[other])
            if value != layout.unframe(key, good[key]):
                assert problems(good | dict([layout.frame(key, value)])), f"{layout.NAMES[kind]} {key!r}"


def forged(change: Callable[[Pairs], None], good: Pairs) -> list[Problem]:
    pairs = dict(good)
    change(pairs)
    return problems(pairs)


def test_too_many_entries_are_found_too(grown: tuple[World, Pairs]) -> None:
    _, good = grown
    for key in (
        layout.ITEM + bytes(32),
        layout.HASH + bytes(32),
        layout.event_key(bytes(32), 1),
        layout.STATE + b"\x91\xa1x",
        layout.height_key(layout.BLOCK, BLOCKS + 1),
        layout.node_key(9, 0),
        b"zzz",
    ):
        pairs = good | dict([layout.frame(key, b"\x01")])
        assert problems(pairs), key


def test_a_shorter_chain_that_claims_to_be_whole_is_found(grown: tuple[World, Pairs]) -> None:
    """The tip of an older backup among the entries of today."""
    _, good = grown
    disk = MemoryDisk()
    disk.durable = {k: v for k, v in good.items() if k[:1] != layout.STATE or zlib.crc32(k) % 2}
    check = checked(ChainStore(MemoryStore(disk)))
    assert any(problem.kind == "state" for problem in check.problems)
    assert len(check.problems) <= MAX_PROBLEMS


def sample(good: Pairs) -> list[bytes]:
    """Keys of every kind, all of the rare ones."""
    rng = random.Random(SEED)
    chosen: list[bytes] = []
    for kind in layout.NAMES:
        keys = sorted(key for key in good if key[:1] == kind)
        chosen += keys if len(keys) <= 8 else rng.sample(keys, 8)
    return chosen
