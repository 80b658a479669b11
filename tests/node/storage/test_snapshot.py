"""A store that is made of a snapshot goes on exactly as one that replayed the chain, and says what it does not have."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest
from fazhi_contracts.chain import check_block
from fazhi_ledger import merkle, statetree
from fazhi_ledger.block import Block
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage import snapshot
from fazhi_node.storage.chain_check import ChainCheck
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.errors import StorageError, StoreStopped
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.snapshot import NoSnapshot, write_snapshot
from fazhi_node.storage.snapshot_load import load_snapshot
from fazhi_node.storage.store import open_store

from tests.contracts.builders import SUITE, World

from .backends import DISK_BACKENDS
from .snapshots import StoredWorld, frames_of, grown, load, snapshot_of

BACKENDS = (*DISK_BACKENDS, "memory")


def problems(chain: ChainStore) -> list[str]:
    check = ChainCheck(chain, lambda *_: None)
    check.run()
    return [f"{one.kind} {one.height} {one.detail}" for one in check.problems]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_joined_store_equals_a_replayed_one_and_goes_on_equally(tmp_path: Path, backend: str) -> None:
    """State root, history, every later block executed alike: also one with an item whose ``not_before`` names a block
    below the base, on both sides of the hand-over."""
    world = grown()
    data, base = snapshot_of(world.store), world.store.tip
    if backend == "memory":
        store = MemoryStore()
    else:
        store = open_store(tmp_path / "store", backend, genesis_hash=world.genesis_file.hash())  # type: ignore[arg-type,assignment]
    assert load_snapshot(store, world.genesis_file, iter([data]), lambda *_: None) == base
    store.close()
    if backend == "memory":
        reopened = MemoryStore(store.disk)
    else:
        reopened = open_store(tmp_path / "store", "auto", genesis_hash=world.genesis_file.hash())  # type: ignore[assignment]
    joined = open_chain(reopened, world.genesis_file)
    assert (joined.base, joined.tip, joined.history) == (base.height, base, world.store.history)
    assert statetree.root_of_tree(SUITE, joined) == statetree.root_of_tree(SUITE, world.store)
    for kind in (b"s", b"p", b"n", b"x"):
        assert list(joined.walk(kind)) == list(world.store.walk(kind)), kind
    assert [joined.block_hash(h) for h in range(base.height + 2)] == [
        world.store.block_hash(h) for h in range(base.height + 2)
    ]
    assert problems(joined) == []
    old = [(h, world.store.block_hash(h)) for h in (1, 2, 5, base.height - 1, base.height)]
    for step, not_before in enumerate(old):
        item = world.by("officer-1").with_(not_before=not_before).record(world.case(f"新{step}"), "LEAD")
        executed = world.block(item)
        assert world.codes(executed) == ["OK"]
        again = check_block(joined.state(), Block.decode(executed.block.encode()))
        assert again == executed
        certificate = world.store.certificate(world.store.tip.height)
        assert certificate is not None
        joined.commit(again, certificate)
    assert joined.tip == world.store.tip
    assert snapshot_of(joined) == snapshot_of(world.store), "and hands on the very same"
    assert problems(joined) == []
    joined.close()


def test_what_is_not_here_is_not_there() -> None:
    world = grown()
    height = world.store.tip.height
    joined = load(snapshot_of(world.store), world.genesis_file)
    world.grow("其后")
    handed = [h for h in range(1, height) if joined.header(h) is not None]
    assert len(handed) == 1
    assert joined.header(handed[0]) == world.store.header(handed[0])
    assert joined.certificate(handed[0]) == world.store.certificate(handed[0])
    assert (joined.header(height), joined.certificate(height)) == (
        world.store.header(height),
        world.store.certificate(height),
    )
    for at in range(1, height + 1):
        assert (joined.block(at), joined.block_bytes(at), joined.results(at)) == (None, None, None)
    assert list(joined.headers(1, 100)) == [world.store.header(height)]
    late = world.store.certificate(2)
    assert late is not None
    assert joined.add_commits(late) is None
    for leaf in range(height):
        proof = merkle.inclusion_proof_from(SUITE, leaf, height + 1, joined.history_node)
        assert proof == merkle.inclusion_proof_from(SUITE, leaf, height + 1, world.store.history_node)


@pytest.mark.parametrize("hashes", [1, 3, 4, 6, 7, 8, 100])
def test_pages_of_any_size(monkeypatch: pytest.MonkeyPatch, hashes: int) -> None:
    world = grown()
    for module in ("snapshot", "snapshot_load"):
        monkeypatch.setattr(f"fazhi_node.storage.{module}.HASHES", hashes)
    monkeypatch.setattr(snapshot, "PAGE_ENTRIES", hashes)
    monkeypatch.setattr("fazhi_node.storage.snapshot_load.WRITE_ENTRIES", hashes)
    data = snapshot_of(world.store)
    joined = load(data, world.genesis_file, piece=7)
    assert (joined.tip, joined.history) == (world.store.tip, world.store.history)
    assert problems(joined) == []


def test_a_large_entry_has_a_frame_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a page before it in the same frame, the largest would be refused by whoever reads it."""
    world = grown()
    monkeypatch.setattr(snapshot, "PAGE_BYTES", 1000)
    data = snapshot_of(world.store)
    pages = [snapshot.decode_entries(one, None) for one in frames_of(data)[3:]]
    sizes = [(len(page), sum(len(key) + len(value) for key, value in page)) for page in pages]
    assert max(size for _, size in sizes) > 10_000, "a rule set"
    assert [size for count, size in sizes if count > 1 and size > 1000] == []
    assert max(count for count, _ in sizes) > 1
    assert load(data, world.genesis_file).tip == world.store.tip


def test_a_chain_of_one_block_and_one_of_none() -> None:
    world = StoredWorld()
    with pytest.raises(NoSnapshot, match="no-checkpoint"):
        write_snapshot(world.store)
    world.grow("甲")
    data = snapshot_of(world.store)
    assert len(frames_of(data)) == 2, "no block below the first"
    assert load(data, world.genesis_file).tip.height == 1


def test_a_snapshot_taken_at_a_hand_over_and_right_behind_it() -> None:
    """At the block that hands over, the old set is in force; one block later the hand-over is in the file, and the
    joined node can show it in either case."""
    for more in (0, 1):
        world = grown(after=more)
        joined = load(snapshot_of(world.store), world.genesis_file)
        assert frames_of(snapshot_of(joined)) == frames_of(snapshot_of(world.store))
        assert joined.state().validators() == world.state.validators()
        assert problems(joined) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_view_stands_still_while_the_chain_goes_on(tmp_path: Path, backend: str) -> None:
    disk = MemoryDisk()
    genesis_file = World().genesis_file
    store = (
        MemoryStore(disk)
        if backend == "memory"
        else open_store(tmp_path / "store", backend, genesis_hash=genesis_file.hash())  # type: ignore[arg-type]
    )
    world = grown(store)
    expected = snapshot_of(world.store)
    view = world.store.view()
    pieces = write_snapshot(view)
    found = [next(pieces), next(pieces)]
    world.grow("一", "二")
    found += pieces
    assert b"".join(found) == expected
    assert snapshot_of(world.store) != expected
    view.close()
    with pytest.raises(StoreStopped):
        view.block(1)
    world.store.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_store_that_closes_ends_its_views(tmp_path: Path, backend: str) -> None:
    """Also under a thread that is reading: it hears of it, and nothing breaks."""
    genesis_file = World().genesis_file
    store = (
        MemoryStore()
        if backend == "memory"
        else open_store(tmp_path / "store", backend, genesis_hash=genesis_file.hash())  # type: ignore[arg-type]
    )
    world = grown(store)
    view = world.store.view()
    reading = threading.Event()
    heard: list[str] = []

    def read() -> None:
        try:
            while True:
                for _ in view.walk():
                    reading.set()
        except StoreStopped as error:
            heard.append(error.code)

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(30)
    world.store.close()
    reader.join(30)
    assert heard == ["store-stopped"]


@pytest.fixture(scope="module")
def joined_pairs() -> tuple[StoredWorld, dict[bytes, bytes]]:
    """What is stored by a node that joined and went on, and the whole chain beside."""
    world, disk = grown(), MemoryDisk()
    joined = load(snapshot_of(world.store), world.genesis_file, disk)
    for name in ("其后一", "其后二"):
        executed = world.lead(name)
        certificate = world.store.certificate(executed.block.header.height)
        assert certificate is not None
        joined.commit(executed, certificate)
    joined.close()
    return world, dict(disk.durable)


def said(pairs: dict[bytes, bytes]) -> list[str]:
    """What the check says of a store, or the opening of it."""
    disk = MemoryDisk()
    disk.durable = pairs
    try:
        return problems(ChainStore(MemoryStore(disk)))
    except StorageError as error:
        return [str(error)]


def test_everything_of_a_joined_store_is_checked(joined_pairs: tuple[StoredWorld, dict[bytes, bytes]]) -> None:
    """Each entry that is lost, or holds another one's value under a checksum that is right."""
    _, good = joined_pairs
    assert said(dict(good)) == []
    for key in good:
        assert said({one: value for one, value in good.items() if one != key}), f"{key!r} is not missed"
    keys = sorted(key for key in good if key[:1] != layout.META)
    for key, other in pairwise(keys):
        value = layout.unframe(other, good[other])
        if key[:1] == other[:1] and value != layout.unframe(key, good[key]):
            assert said(good | dict([layout.frame(key, value)])), f"{key!r}"


def test_what_a_joined_store_does_not_need_is_told(joined_pairs: tuple[StoredWorld, dict[bytes, bytes]]) -> None:
    """Headers, certificates and blocks from below the base, all of them true, and another base."""
    world, good = joined_pairs
    whole = dict(world.store._store.scan(b"", b"\xff"))
    for key in sorted(whole.keys() - good.keys()):
        assert said(good | {key: whole[key]}), f"{key!r}"
    header = layout.height_key(layout.HEADER, 2)
    assert len(whole[header]) > len(good[header])
    assert said(good | {header: whole[header]})
    base = layout.read_number(layout.unframe(layout.BASE_KEY, good[layout.BASE_KEY]))
    for wrong in (base - 1, base + 1, base + 2, base + 3, 0, 2**64 - 1):
        assert said(good | dict([layout.frame(layout.BASE_KEY, layout.write_number(wrong))])), wrong
