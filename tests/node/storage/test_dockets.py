"""The docket index: every case under its serial, whatever way the store came about."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fazhi_contracts.head import CaseHead
from fazhi_contracts.queries import last_serial
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage import dockets
from fazhi_node.storage.chain_check import ChainCheck
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.errors import DiskFailed
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.store import open_store

from tests.contracts.builders import DAY_MS, World, make_record

from .backends import DISK_BACKENDS
from .snapshots import StoredWorld, load, snapshot_of
from .test_chain_store import Opened, grow, world_and_store

__all__ = ["world_and_store"]

SEED = 20261122
PENALTY = ("zfj", "penalty", 2026)


def of_state(chain: ChainStore) -> dict[dockets.Series, dict[int, bytes]]:
    """What the index has to hold, out of the heads themselves."""
    found: dict[dockets.Series, dict[int, bytes]] = {}
    for key, value in chain.walk(layout.STATE):
        if dockets.is_case(key[1:]):
            assert value is not None
            head = CaseHead.decode(value)
            found.setdefault((head.org, head.procedure, head.year), {})[head.serial] = key[-32:]
    return found


def check(chain: ChainStore) -> None:
    """The index is the state's, and every page of it is the same piece."""
    wanted = of_state(chain)
    assert list(chain.series(None, 100)) == sorted(wanted)
    for series, cases in wanted.items():
        listed = sorted(cases.items())
        assert [serial for serial, _ in listed] == list(range(1, last_serial(chain, *series) + 1))
        for first in range(1, len(listed) + 2):
            for limit in (1, 2, 1000):
                assert list(chain.cases(series, first, limit)) == listed[first - 1 : first - 1 + limit]
    check = ChainCheck(chain, lambda *_: None)
    check.run()
    assert check.problems == []


def stored_world(store: MemoryStore | None = None) -> StoredWorld:
    """Cases of several organisations and years, alone, in batches, and several batches in a block."""
    world = StoredWorld(store)
    officer, other = world.by("officer-1"), world.by("sfj-officer")
    world.block(*[officer.record(world.case(f"一{n}"), "LEAD") for n in range(3)])
    batch = [make_record(world.case(f"二{n}"), "LEAD", world.now_ms) for n in range(4)]
    follow = make_record(world.case("二1"), "LEAD", world.now_ms)
    filed = make_record(world.case("一1"), "INVEST", world.now_ms)
    world.block(
        officer.records(*batch, filed),
        other.record(world.case("司一", "sfj"), "LEAD"),
        world.by("officer-2").records(*(make_record(world.case(f"三{n}"), "LEAD", world.now_ms) for n in range(3))),
        officer.records(follow),
    )
    world.block()
    world.now_ms += 366 * DAY_MS
    world.block(other.record(world.case("司二", "sfj"), "LEAD"), officer.record(world.case("四"), "LEAD"))
    return world


def test_every_case_stands_under_its_serial() -> None:
    world = stored_world()
    chain = world.store
    assert chain.series(None, 100) == (
        ("sfj", "penalty", 2026),
        ("sfj", "penalty", 2027),
        PENALTY,
        ("zfj", "penalty", 2027),
    )
    assert chain.series(("sfj", "penalty", 2027), 1) == (PENALTY,)
    assert len(chain.cases(PENALTY, 1, 100)) == 10
    assert len(list(chain.walk(layout.DOCKET))) == 5, "what one block opens in a series stands together"
    assert chain.cases(("zfj", "penalty", 2025), 1, 100) == ()
    check(chain)


def test_whatever_order_they_come_in(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    print("seed", SEED)
    grow(world, open_(), random.Random(SEED), 30)
    chain = open_()
    assert len(chain.cases(PENALTY, 1, 1000)) > 10
    check(chain)


def test_a_joined_store_lists_the_same() -> None:
    world = stored_world()
    joined = load(snapshot_of(world.store), world.genesis_file)
    assert joined.base
    check(joined)
    assert joined.cases(PENALTY, 1, 100) == world.store.cases(PENALTY, 1, 100)


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_a_store_without_an_index_gets_one(tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a release left it that had none, or one that went on without it: what is there is not taken for whole."""
    monkeypatch.setattr(dockets, "REBUILD_CASES", 3)
    world, where = World(), tmp_path / "store"

    def opened() -> ChainStore:
        return open_chain(open_store(where, backend, genesis_hash=world.genesis_file.hash()), world.genesis_file)  # type: ignore[arg-type]

    chain = opened()
    grow(world, chain, random.Random(SEED), 20)
    for lost in ([layout.DOCKET_KEY], [key for key, _ in chain.walk(layout.DOCKET)][::2]):
        chain._store.write([(key, None) for key in lost])
        chain._store.write([dockets.up_to(chain.tip.height - 1)])
        chain.close()
        chain = opened()
        check(chain)
    chain.close()


def test_an_index_that_was_made_in_part_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The power fails at each of the writes in turn."""
    monkeypatch.setattr(dockets, "REBUILD_CASES", 2)
    disk = MemoryDisk()
    world = stored_world(MemoryStore(disk))
    world.store._store.write([(layout.DOCKET_KEY, None)])
    world.store.close()
    good, cut = dict(disk.durable), 0
    while True:
        disk = MemoryDisk()
        disk.durable = dict(good)
        store = _Failing(disk, cut)
        try:
            open_chain(store, world.genesis_file).close()
        except DiskFailed:
            store.close()
            chain = open_chain(MemoryStore(disk), world.genesis_file)
            check(chain)
            cut += 1
            continue
        break
    assert cut > 8


class _Failing(MemoryStore):
    """It fails at its write number ``after``."""

    def __init__(self, disk: MemoryDisk, after: int) -> None:
        super().__init__(disk)
        self._after = after

    def write(self, batch: object, sync: bool = True) -> None:
        if self._after == 0:
            raise DiskFailed("disk-failed", path="memory")
        self._after -= 1
        super().write(batch, sync)  # type: ignore[arg-type]


def test_the_check_finds_what_is_wrong_in_it() -> None:
    disk = MemoryDisk()
    world = stored_world(MemoryStore(disk))
    world.store.close()
    good = dict(disk.durable)
    keys = [key for key in good if key[:1] == layout.DOCKET]
    first = next(key for key in keys if len(layout.unframe(key, good[key])) > 64)
    ids = layout.unframe(first, good[first])
    swapped = ids[32:64] + ids[:32] + ids[64:]
    damages = [
        dict([layout.frame(first, swapped)]),
        dict([layout.frame(first, ids[:-32])]),
        dict([layout.frame(first[:-8] + layout.write_number(500), ids[:32])]),
        dict([dockets.up_to(1)]),
    ]
    for damage in damages:
        disk = MemoryDisk()
        disk.durable = good | damage
        check = ChainCheck(ChainStore(MemoryStore(disk)), lambda *_: None)
        check.run()
        assert [problem.kind for problem in check.problems] == ["docket"], damage
