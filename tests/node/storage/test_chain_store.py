"""The chain on disk, beside the same chain in memory: everything is found again, whole blocks survive, damage is
seen."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fazhi_contracts.chain import ExecutedBlock, build_block, check_block
from fazhi_contracts.queries import case_head
from fazhi_ledger import dsse, merkle, statetree
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.errors import FazhiError, InvalidProof, InvariantBroken
from fazhi_ledger.record import Record
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage.cache import UNKNOWN, BoundedCache
from fazhi_node.storage.chain_store import ChainStore, Tip, open_chain
from fazhi_node.storage.errors import DiskFailed, StoreCorrupt, StoreForeign
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.port import KeyValue
from fazhi_node.storage.store import open_store
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.builders import ORGS, SPINE, SUITE, USUAL_SIGNERS, World, make_genesis_file, make_record, signer

from .backends import DISK_BACKENDS, contents

SEED = 20250803


def certificate_for(
    executed: ExecutedBlock, genesis_hash: bytes, signers: int = 3, round_: int = 0
) -> CommitCertificate:
    """A quorum's certificate, truly signed."""
    height = executed.block.header.height
    body = vote_body(genesis_hash, height, round_, executed.block_hash)
    signatures = tuple(
        (index, dsse.sign(signer(org), dsse.COMMIT, body)) for index, org in list(enumerate(ORGS))[:signers]
    )
    return CommitCertificate(height, round_, executed.block_hash, signatures)


Opened = Callable[[], ChainStore]


@pytest.fixture(params=[*DISK_BACKENDS, "memory"])
def world_and_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Opened]]:
    """A world, and what opens the store of its chain again (closing the one before)."""
    world = World()
    disk = MemoryDisk()
    opened: list[ChainStore] = []

    def open_() -> ChainStore:
        if opened:
            opened[-1].close()
        store: KeyValue
        if request.param == "memory":
            store = MemoryStore(disk)
        else:
            store = open_store(tmp_path / "store", request.param, genesis_hash=world.genesis_file.hash())
        opened.append(open_chain(store, world.genesis_file))
        return opened[-1]

    yield world, open_
    if opened:
        opened[-1].close()


def grow(world: World, chain: ChainStore, rng: random.Random, blocks: int) -> list[ExecutedBlock]:
    """Blocks of every kind: cases, batches, refusals, an empty one; each executed on the store itself."""
    grown = []
    for _ in range(blocks):
        items = []
        for _ in range(rng.randrange(4)):
            kind = rng.randrange(4)
            number = f"案{rng.randrange(6)}"
            if kind == 0:
                items.append(world.by("officer-1").record(world.case(number), "LEAD"))
            elif kind == 1:
                items.append(world.by("head").record(world.case(number), "FILED"))
            elif kind == 2:
                cases = [world.case(f"{number}-{part}") for part in range(3)]
                records = [make_record(case, "LEAD", world.now_ms) for case in cases]
                items.append(world.by("officer-2").records(*records))
            else:
                items.append(world.by("zfj").register_org(f"zfj.s{rng.randrange(9)}"))
        executed = build_block(chain.state(), "zfj", world.now_ms, items)
        checked = check_block(chain.state(), Block.decode(executed.block.encode()))
        assert checked == executed
        world.chain.take(executed)
        world.now_ms += 1000
        chain.commit(executed, certificate_for(executed, chain.genesis_hash))
        grown.append(executed)
    return grown


def compare(world: World, chain: ChainStore, blocks: list[ExecutedBlock]) -> None:
    """Everything that the store answers, held against the chain in memory."""
    state = world.state
    assert chain.tip == Tip(state.height, state.header_hash, state.time_ms)
    found = chain.state()
    assert (found.height, found.header_hash, found.time_ms, found.history) == (
        state.height,
        state.header_hash,
        state.time_ms,
        state.history,
    )
    assert statetree.root_of_tree(SUITE, chain) == statetree.root_of_tree(SUITE, state.pages)
    assert found.validators() == state.validators()
    for key, value in world.chain._entries.entries.items():
        assert chain.get(key) == value
    for path, page in world.chain._pages.pages.items():
        assert chain.get_page(path) == page
    assert chain.block_hash(0) == chain.genesis_hash == found.header_hash_at(0)
    assert chain.height_of(chain.genesis_hash) == 0
    for executed in blocks:
        header = executed.block.header
        height = header.height
        assert chain.block(height) == executed.block
        assert chain.block_bytes(height) == executed.block.encode()
        assert (chain.header(height), chain.block_hash(height)) == (header, executed.block_hash)
        assert chain.height_of(executed.block_hash) == height
        certificate = chain.certificate(height)
        assert certificate is not None
        certificate.verify_for(SUITE, chain.genesis_hash, state.validators()[0], height, executed.block_hash)
        results = chain.results(height)
        assert results is not None
        assert results.leaves == executed.result_leaves
        for index, (item, outcome) in enumerate(zip(executed.block.items, executed.outcomes, strict=True)):
            assert chain.locate(item.id(SUITE)) == layout.Place(height, index)
            assert results.record_results(index) == outcome.record_results
            for record, result in enumerate(outcome.record_results):
                assert chain.case_event(result.case_id, result.number) == layout.EventPlace(
                    result.number, height, index, record
                )
    for height in (-1, state.height + 1, 10**6):
        absent: list[object] = [chain.block(height), chain.header(height), chain.certificate(height)]
        absent += [chain.results(height), chain.block_hash(height)]
        assert absent == [None] * 5
    absent = [chain.block(0), chain.header(0), chain.locate(bytes(32)), chain.height_of(bytes(32))]
    assert [*absent, chain.case_event(bytes(32), 1)] == [None] * 5
    assert list(chain.headers(1, 1000)) == [executed.block.header for executed in blocks]


def test_everything_is_found_again(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    compare(world, chain, [])
    rng = random.Random(SEED)
    blocks: list[ExecutedBlock] = []
    for _ in range(3):
        blocks += grow(world, chain, rng, 7)
        compare(world, chain, blocks)
        chain = open_()
        compare(world, chain, blocks)
    assert list(chain.headers(5, 3)) == [executed.block.header for executed in blocks[4:7]]
    assert list(chain.headers(20, 30)) == [executed.block.header for executed in blocks[19:]]
    assert list(chain.headers(30, 30)) == []


def test_history_is_proven_from_the_store(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    blocks = grow(world, chain, random.Random(SEED), 21)
    chain = open_()
    leaves = [merkle.leaf_hash(SUITE, h) for h in (chain.genesis_hash, *(b.block_hash for b in blocks))]
    size = len(leaves)
    assert chain.history.root(SUITE) == merkle.root_of(SUITE, leaves)
    for old in range(size + 1):
        root = merkle.root_of(SUITE, leaves[:old])
        proof = merkle.consistency_proof_from(SUITE, old, size, chain.history_node)
        merkle.verify_consistency(SUITE, old, root, size, chain.history.root(SUITE), proof)
        for index in range(old):
            path = merkle.inclusion_proof_from(SUITE, index, old, chain.history_node)
            merkle.verify_inclusion(SUITE, leaves[index], index, old, path, root)
    for level, index in ((0, size), (5, 0), (-1, 0), (0, -1), (200, 0)):
        with pytest.raises(InvalidProof):
            chain.history_node(level, index)


def test_a_state_proof_from_the_store(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    blocks = grow(world, chain, random.Random(SEED), 12)
    root = blocks[-1].block.header.state_root
    chain = open_()
    for key, value in list(world.chain._entries.entries.items())[:40]:
        proof = statetree.prove(SUITE, chain, statetree.key_hash_of(SUITE, key))
        statetree.verify_presence(SUITE, root, key, value, proof)
    absent = statetree.prove(SUITE, chain, statetree.key_hash_of(SUITE, b"nobody"))
    statetree.verify_absence(SUITE, root, b"nobody", absent)


def test_a_case_from_beginning_to_end(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    case = world.case()
    for step in SPINE:
        executed = world.block(world.by(*USUAL_SIGNERS[step]).record(case, step))
        chain.commit(executed, certificate_for(executed, chain.genesis_hash))
        world.pass_days(1)
    head = case_head(chain, case.id)
    assert head == world.head(case)
    assert head is not None
    places = chain.case_events(case.id, 1, 1000)
    assert [place.number for place in places] == list(range(1, head.count + 1))
    for place, step in zip(places, SPINE, strict=True):
        block = chain.block(place.height)
        assert block is not None
        assert Record.decode(block.items[place.index].records[place.record]).step == step


def test_events_of_a_batch_make_one_entry(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    one, other = world.case("案甲"), world.case("案乙")
    now = world.now_ms

    def records(*parts: tuple[object, str]) -> list[Record]:
        return [make_record(case, step, now) for case, step in parts]  # type: ignore[arg-type]

    def commit(executed: ExecutedBlock) -> int:
        before = sum(1 for _ in chain.walk(layout.EVENT))
        chain.commit(executed, certificate_for(executed, chain.genesis_hash))
        return sum(1 for _ in chain.walk(layout.EVENT)) - before

    batch = records((one, "LEAD"), (other, "LEAD"), *[(one, "INVEST")] * 5, (other, "INVEST"), *[(one, "INVEST")] * 3)
    first = world.block(world.by("officer-1").records(*batch))
    assert world.codes(first) == ["OK"]
    assert commit(first) == 5
    second = world.block(
        world.by("officer-1").records(*records(*[(one, "INVEST")] * 40)),
        world.by("officer-1").record(other, "INVEST", at=now),
    )
    assert commit(second) == 2
    expected = [(1, 1, 0), *((n, 1, n) for n in range(2, 7)), *((n, 1, n + 1) for n in range(7, 10))]
    expected += [(10 + n, 2, n) for n in range(40)]
    places = chain.case_events(one.id, 1, 1000)
    assert [(place.number, place.height, place.record) for place in places] == expected
    for number in range(1, 50):
        assert chain.case_event(one.id, number) == places[number - 1]
        assert chain.case_events(one.id, number, 7) == places[number - 1 : number + 6]
    for number in (-1, 0, 50, 2**64 - 1, 2**70):
        assert chain.case_event(one.id, number) is None
    assert chain.case_events(one.id, 50, 7) == ()
    assert [place.number for place in chain.case_events(other.id, 1, 1000)] == [1, 2, 3]


def test_late_commits_are_added_and_kept(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    blocks = grow(world, chain, random.Random(SEED), 3)
    full = certificate_for(blocks[1], chain.genesis_hash, signers=4)
    late = replace(full, signatures=full.signatures[3:])
    other_round = certificate_for(blocks[1], chain.genesis_hash, signers=4, round_=1)
    kept = certificate_for(blocks[1], chain.genesis_hash)
    assert chain.add_commits(other_round) == kept, "commits of different rounds do not add up"
    assert chain.certificate(2) == kept
    assert chain.add_commits(late) == full
    assert chain.certificate(2) == full
    assert chain.add_commits(late) == full
    assert chain.add_commits(replace(full, block_hash=bytes(32))) is None
    assert chain.add_commits(replace(full, height=9)) is None
    chain = open_()  # closing wrote it
    assert chain.certificate(2) == full
    last = certificate_for(blocks[2], chain.genesis_hash, signers=4)
    chain.add_commits(last)
    grow(world, chain, random.Random(SEED + 1), 1)  # the next block's batch wrote it
    assert chain._late == {}
    chain = open_()
    assert chain.certificate(3) == last
    assert chain.certificate(1) == certificate_for(blocks[0], chain.genesis_hash)


def test_only_the_next_block_is_stored(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    blocks = grow(world, chain, random.Random(SEED), 2)
    certificate = certificate_for(blocks[1], chain.genesis_hash)
    with pytest.raises(InvariantBroken):
        chain.commit(blocks[1], certificate)
    following = build_block(chain.state(), "zfj", world.now_ms, [])
    with pytest.raises(InvariantBroken):
        chain.commit(following, certificate)
    assert chain.tip.height == 2


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    world, disk = World(), MemoryDisk()
    chain = open_chain(MemoryStore(disk), world.genesis_file)
    blocks = grow(world, chain, random.Random(SEED), 3)
    executed = build_block(chain.state(), "zfj", world.now_ms, [world.by("officer-1").record(world.case(), "LEAD")])
    disk.failing = True
    with pytest.raises(DiskFailed):
        chain.commit(executed, certificate_for(executed, chain.genesis_hash))
    compare(world, chain, blocks)  # no cache ran ahead of the disk
    disk.failing = False
    disk.cut_power()
    compare(world, open_chain(MemoryStore(disk), world.genesis_file), blocks)


def test_a_block_is_one_synced_batch(tmp_path: Path) -> None:
    """Power cuts between writes cannot leave half a block: there is one write, and it is synced."""
    world = World()
    store: Any = MemoryStore()
    writes = []
    real = store.write

    def spy(batch: Any, sync: bool = True) -> None:
        writes.append(sync)
        real(batch, sync)

    store.write = spy
    chain = open_chain(store, world.genesis_file)
    assert writes == [True]
    grow(world, chain, random.Random(SEED), 5)
    assert writes == [True] * 6


def test_another_genesis_is_refused(world_and_store: tuple[World, Opened], tmp_path: Path) -> None:
    disk = MemoryDisk()
    world = World()
    open_chain(MemoryStore(disk), world.genesis_file).close()
    other = make_genesis_file(orgs=("sfj", "zfj", "gzc"), officers={"head": ("zfj", ("head",))})
    store = MemoryStore(disk)
    with pytest.raises(StoreForeign, match="store-other-genesis"):
        open_chain(store, other)
    store.close()
    with pytest.raises(StoreForeign, match="store-empty"):
        ChainStore(MemoryStore())


@pytest.mark.parametrize("lost", [(layout.TIP_KEY,), (layout.GENESIS_KEY,), (layout.TIP_KEY, layout.GENESIS_KEY)])
def test_a_store_that_does_not_find_its_chain_is_damaged_and_not_new(lost: tuple[bytes, ...]) -> None:
    """As SQLite does where its index is: the node had begun anew from the genesis, over all that was there."""
    world, disk = World(), MemoryDisk()
    chain = open_chain(MemoryStore(disk), world.genesis_file)
    grow(world, chain, random.Random(SEED), 3)
    chain.close()
    for key in lost:
        del disk.durable[key]
    left = dict(disk.durable)
    for opening in (ChainStore, lambda store: open_chain(store, world.genesis_file)):
        store = MemoryStore(disk)
        with pytest.raises(StoreCorrupt, match="is missing"):
            opening(store)
        store.close()
    assert disk.durable == left


def readings(chain: ChainStore, world: World, blocks: list[ExecutedBlock]) -> list[Callable[[], object]]:
    """Every kind of reading."""
    reads: list[Callable[[], object]] = []
    for executed in blocks:
        height = executed.block.header.height
        methods = (chain.block, chain.header, chain.certificate, chain.results, chain.block_hash)
        reads += [partial(method, height) for method in methods]
        reads.append(partial(chain.height_of, executed.block_hash))
        for item, outcome in zip(executed.block.items, executed.outcomes, strict=True):
            reads.append(partial(chain.locate, item.id(SUITE)))
            reads += [partial(chain.case_event, result.case_id, result.number) for result in outcome.record_results]
    series = ("zfj", "penalty", 2026)
    reads += [partial(chain.cases, series, serial, 1) for serial, _ in chain.cases(series, 1, 1000)]
    reads += [partial(chain.read, layout.DOCKET_KEY)]
    reads += [partial(chain.get, key) for key in world.chain._entries.entries]
    reads += [partial(chain.get_page, path) for path in world.chain._pages.pages]
    sizes = [chain.history.size >> level for level in range(5)]
    reads += [partial(chain.history_node, level, index) for level, size in enumerate(sizes) for index in range(size)]
    return reads


def test_a_flipped_bit_of_any_value_is_found_on_reading() -> None:
    """Of every single entry, whatever kind it is; and two values that changed places."""
    world, disk = World(), MemoryDisk()
    chain = open_chain(MemoryStore(disk), world.genesis_file)
    blocks = grow(world, chain, random.Random(SEED), 5)
    expected = [read() for read in readings(chain, world, blocks)]
    chain.close()
    good = dict(disk.durable)
    rng = random.Random(SEED)
    keys = sorted(good)
    print("entries", len(keys), "seed", SEED)
    for key in keys:
        bad = bytearray(good[key])
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        damages = [bytes(bad), good[key][: rng.randrange(len(good[key]))]]
        neighbour = rng.choice([other for other in keys if other[:1] == key[:1]])
        if good[neighbour] != good[key]:
            damages.append(good[neighbour])
        for damage in damages:
            disk.durable = {**good, key: damage}
            disk.owner = None
            found = False
            try:
                chain = ChainStore(MemoryStore(disk))
                for read, value in zip(readings(chain, world, blocks), expected, strict=True):
                    try:
                        assert read() == value
                    except StoreCorrupt as error:
                        found = True
                        details = dict(error.parameters)
                        assert details["what"] == layout.NAMES[key[:1]]
                        if key[:1] in b"bhcr":
                            assert details["height"] == layout.read_number(key[1:])
            except StoreCorrupt:
                found = True
            assert found, f"damage under {key!r} is not seen"
    disk.durable = good
    disk.owner = None
    chain = ChainStore(MemoryStore(disk))
    assert [read() for read in readings(chain, world, blocks)] == expected
    assert sum(value is not None for _, value in chain.walk()) == len(good)


def test_scrubbing_finds_damage(world_and_store: tuple[World, Opened]) -> None:
    world, open_ = world_and_store
    chain = open_()
    grow(world, chain, random.Random(SEED), 4)
    assert {key[:1] for key, _ in chain.walk()} == set(layout.NAMES)
    store = chain._store
    key = layout.height_key(layout.RESULTS, 2)
    framed = store.get(key)
    assert framed is not None
    store.write([(key, framed[:-1] + bytes([framed[-1] ^ 1]))])
    assert [found for found, value in chain.walk() if value is None] == [key]
    with pytest.raises(StoreCorrupt, match=r"results.*height=2"):
        chain.results(2)


def test_what_must_be_there_is_missed() -> None:
    world, disk = World(), MemoryDisk()
    chain = open_chain(MemoryStore(disk), world.genesis_file)
    grow(world, chain, random.Random(SEED), 3)
    for kind, method in ((layout.BLOCK, chain.block), (layout.CERTIFICATE, chain.certificate)):
        chain._store.write([(layout.height_key(kind, 2), None)])
        with pytest.raises(StoreCorrupt, match=r"is missing.*height=2"):
            method(2)
    chain._store.write([(layout.PAGE, None)])
    chain.close()
    with pytest.raises(StoreCorrupt, match="state page"):
        ChainStore(MemoryStore(disk))


LIFE = """
import random, sys
from pathlib import Path
from fazhi_node.storage.chain_store import open_chain
from fazhi_node.storage.store import open_store
from tests.contracts.builders import World
from tests.node.storage.test_chain_store import SEED, grow
world = World()
store = open_store(Path(sys.argv[1]), sys.argv[2], genesis_hash=world.genesis_file.hash())
chain = open_chain(store, world.genesis_file)
rng = random.Random(SEED)
while True:
    print(grow(world, chain, rng, 1)[0].block_hash.hex(), flush=True)
"""


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_a_killed_node_ends_with_a_whole_block(tmp_path: Path, backend: Any) -> None:
    command = [sys.executable, "-c", LIFE, str(tmp_path / "store"), backend]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        hashes = [node.stdout.readline().strip() for _ in range(12)]
        node.kill()
        hashes += [line.strip() for line in node.stdout if len(line) == 65]
    world = World()
    rng = random.Random(SEED)
    memory = open_chain(MemoryStore(), world.genesis_file)
    store = open_store(tmp_path / "store", backend, genesis_hash=world.genesis_file.hash())
    chain = open_chain(store, world.genesis_file)
    assert chain.tip.height in (len(hashes), len(hashes) + 1)
    blocks = grow(world, memory, rng, chain.tip.height)  # the same life again: what must be there, byte for byte
    assert [block.block_hash.hex() for block in blocks][: len(hashes)] == hashes
    compare(world, chain, blocks)
    assert contents(store) == contents(memory._store)
    chain.close()


def test_the_cache_is_bounded() -> None:
    cache = BoundedCache(10, 10_000)
    for number in range(100):
        cache.keep_all({b"%d" % number: b"x"})
        cache.find(b"0")
    assert len(cache) == 10
    assert cache.find(b"0") == b"x"  # what is used stays
    assert cache.find(b"50") is UNKNOWN
    cache.keep_all({b"gone": None})
    assert cache.find(b"gone") is None
    cache.keep_all({b"large": bytes(9_000)})
    assert cache.bytes <= 10_000
    cache.keep_all({b"too large": bytes(20_000)})
    assert (len(cache), cache.bytes) == (0, 0)
    cache.keep_all({b"a": b"1"})
    cache.keep_all({b"a": b"22"})
    before = cache.bytes
    cache.keep_all({b"a": b"22"})
    assert cache.bytes == before


def test_what_was_read_before_a_block_does_not_hide_what_the_block_wrote() -> None:
    """A thread reads, the block is stored, the thread remembers what it read."""
    cache = BoundedCache(10, 10_000)
    assert cache.fill(b"read", b"old") == b"old"
    cache.keep_all({b"read": b"new", b"gone": None})
    assert cache.fill(b"read", b"old") == b"new"
    assert cache.fill(b"gone", b"old") is None
    assert (cache.find(b"read"), cache.find(b"gone")) == (b"new", None)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=2),
            st.dictionaries(st.binary(max_size=2), st.none() | st.binary(max_size=400), max_size=6),
        )
    )
)
def test_the_cache_keeps_what_was_used_last(steps: list[bytes | dict[bytes, bytes | None]]) -> None:
    cache = BoundedCache(5, 2_000)
    kept: list[tuple[bytes, bytes | None]] = []  # what was used longest ago stands first

    def cost() -> int:
        return sum(200 + len(key) + len(value or b"") for key, value in kept)

    for step in steps:
        if isinstance(step, bytes):
            expected = dict(kept).get(step, UNKNOWN)
            assert cache.find(step) == expected
            kept = [pair for pair in kept if pair[0] != step] + [pair for pair in kept if pair[0] == step]
            continue
        cache.keep_all(step)
        kept = [pair for pair in kept if pair[0] not in step] + list(step.items())
        while len(kept) > 5 or cost() > 2_000:
            kept.pop(0)
        assert (len(cache), cache.bytes) == (len(kept), cost())


def test_a_small_cache_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fazhi_node.storage.chain_store.STATE_CACHE_ENTRIES", 2)
    monkeypatch.setattr("fazhi_node.storage.chain_store.PAGE_CACHE_ENTRIES", 2)
    monkeypatch.setattr("fazhi_node.storage.chain_store.HASH_CACHE_ENTRIES", 1)
    world = World()
    chain = open_chain(MemoryStore(), world.genesis_file)
    blocks = grow(world, chain, random.Random(SEED), 10)
    compare(world, chain, blocks)


def test_errors_name_a_code() -> None:
    assert issubclass(StoreCorrupt, FazhiError)
    assert layout.corrupt(layout.height_key(layout.BLOCK, 7)).parameters == (("what", "block"), ("height", 7))
