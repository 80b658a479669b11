"""Bits that rot in any file of a node's data: what is read afterwards is what was written, or the store says so.

Never a value of its own making: a lost entry of the state does not read as an absence that is executed upon."""

from __future__ import annotations

import random
import shutil
from functools import partial
from pathlib import Path

import pytest
from fazhi_contracts.chain import build_block
from fazhi_ledger.errors import InvariantBroken
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage.chain_check import ChainCheck
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.errors import StorageError, StoreCorrupt
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.sqlite import FILE
from fazhi_node.storage.store import open_store
from fazhi_node.storage.vote_log import DiskVoteLog

from tests.contracts.builders import World

from .backends import DISK_BACKENDS
from .test_chain_store import grow, readings

SEED = 20261122
RUNS = 40
VOTE_RUNS = 100
OWNER = bytes(range(32))


def damage(path: Path, rng: random.Random) -> str:
    """Rot in one file, of one of the kinds that disks show: a bit, a byte, a sector of zeros or of another place."""
    data = bytearray(path.read_bytes())
    kind, where = rng.randrange(4), rng.randrange(len(data))
    sector = where - where % 512
    if kind == 0:
        data[where] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[where] ^= rng.randrange(1, 256)
    elif kind == 2:
        data[sector : sector + 512] = bytes(len(data[sector : sector + 512]))
    else:
        other = rng.randrange(len(data) // 512 + 1) * 512
        data[sector : sector + 512] = (data[other : other + 512] + bytes(512))[: len(data[sector : sector + 512])]
    changed = bytes(data) != path.read_bytes()
    path.write_bytes(data)
    return f"{path.name} {('bit', 'byte', 'zeros', 'misdirected')[kind]} at {where}" if changed else ""


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_rot_in_any_file_of_a_chain(tmp_path: Path, backend: str) -> None:
    """Every reading, and the next block built on it: as before, or an error of the storage."""
    world = World()
    good = tmp_path / "good"

    def opened(path: Path) -> ChainStore:
        store = open_store(path, "auto", genesis_hash=world.genesis_file.hash())
        try:
            return open_chain(store, world.genesis_file)
        except BaseException:
            store.close()
            raise

    chain = open_chain(
        open_store(good, backend, genesis_hash=world.genesis_file.hash()),  # type: ignore[arg-type]
        world.genesis_file,
    )
    blocks = grow(world, chain, random.Random(SEED), 12)
    chain.close()
    chain = opened(good)  # LevelDB moves its log into a table: both kinds of file are there
    blocks += grow(world, chain, random.Random(SEED + 1), 4)
    expected = [read() for read in readings(chain, world, blocks)]
    items = [world.by("officer-1").record(world.case(f"新{number}"), "LEAD") for number in range(3)]
    following = build_block(chain.state(), "zfj", world.now_ms, items).block_hash
    chain.close()
    rng = random.Random(SEED)
    refused = 0
    for run in range(RUNS):
        path = tmp_path / "rotten"
        shutil.copytree(good, path)
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
        what = damage(rng.choice(files), rng)
        try:
            chain = opened(path)
            try:
                for read, right in zip(readings(chain, world, blocks), expected, strict=True):
                    # Without checksums a look-up may miss what stands there (the check finds it), but in the state.
                    assert isinstance(read, partial)
                    lost = backend == "sqlite" and read.func.__name__ not in ("get", "get_page")
                    assert (found := read()) == right or (lost and found is None), f"run {run}: {what}"
                assert build_block(chain.state(), "zfj", world.now_ms, items).block_hash == following, what
            finally:
                chain.close()
        except (StorageError, InvariantBroken):
            refused += 1
        shutil.rmtree(path)
    print(f"{backend}: {refused} of {RUNS} refused, seed {SEED}")
    assert 0 < refused < RUNS


def test_rot_in_the_vote_log_and_its_guard(tmp_path: Path) -> None:
    """All votes that count are there, or the log says that it does not know."""
    good = tmp_path / "good"
    DiskVoteLog.create(good / "votes", good / "guard", OWNER, fresh=True)
    log = DiskVoteLog(good / "votes", good / "guard", OWNER, preallocated=16384)
    rng = random.Random(SEED)
    for height in range(1, 12):
        log.append(rng.randbytes(rng.randrange(40, 900)), height)
        log.append(rng.randbytes(60), height)
        log.truncate_below(height)
    expected, floor = log.records(), log.floor
    log.close()
    refused = 0
    for run in range(VOTE_RUNS):
        path = tmp_path / "rotten"
        shutil.copytree(good, path)
        what = damage(rng.choice([path / "votes" / "votes.log", path / "guard"]), rng)
        try:
            log = DiskVoteLog(path / "votes", path / "guard", OWNER)
            # Of the guard's two slots the older may be left: then less is forgotten, never more.
            assert set(expected) <= set(log.records()), f"run {run}: {what}"
            assert (log.floor in (floor - 1, floor), log.amnesiac) == (True, False), f"run {run}: {what}"
            log.close()
        except StorageError:
            refused += 1
        shutil.rmtree(path)
    print(f"{refused} of {VOTE_RUNS} refused, seed {SEED}")
    assert 0 < refused < VOTE_RUNS


def test_a_lost_entry_of_the_state_is_no_absence_where_files_have_no_checksums(monkeypatch: pytest.MonkeyPatch) -> None:
    world, disk = World(), MemoryDisk()
    monkeypatch.setattr(MemoryStore, "without_checksums", True, raising=False)
    chain = open_chain(MemoryStore(disk), world.genesis_file)
    grow(world, chain, random.Random(SEED), 6)
    chain.close()
    keys = sorted(key for key in disk.durable if key[:1] == layout.STATE)
    for key in keys:
        value = disk.durable.pop(key)
        chain = ChainStore(MemoryStore(disk))
        with pytest.raises(StoreCorrupt, match="state is not the newest"):
            chain.get(key[1:])
        assert chain.get(key[1:] + b"x") is None
        chain.close()
        disk.durable[key] = value


def test_the_check_sees_what_a_look_up_misses(tmp_path: Path) -> None:
    """SQLite has no checksums: a flipped bit in a key is no error to it. Read in order it shows."""
    if "sqlite" not in DISK_BACKENDS:
        pytest.skip("no SQLite here")
    world = World()
    path = tmp_path / "store"
    chain = open_chain(open_store(path, "sqlite", genesis_hash=world.genesis_file.hash()), world.genesis_file)
    blocks = grow(world, chain, random.Random(SEED), 6)
    chain.close()
    executed = next(executed for executed in blocks if executed.outcomes)
    submission_id = executed.outcomes[0].result.submission_id
    file = path / FILE
    data = bytearray(file.read_bytes())
    place = data.find(layout.ITEM + submission_id)
    assert place >= 0
    data[place + len(submission_id)] ^= 1  # the last byte: the order of keys stays
    file.write_bytes(data)
    chain = ChainStore(open_store(path, "sqlite"))
    assert chain.locate(submission_id) is None
    check = ChainCheck(chain, lambda *_: None)
    check.run()
    assert {problem.kind for problem in check.problems} == {"submission"}
    chain.close()
