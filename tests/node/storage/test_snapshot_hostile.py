"""Files that are no snapshot of this chain: each is refused by name, whatever was done to it, and never believed in
part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fazhi_contracts.in_force import MAX_RULES_BYTES
from fazhi_contracts.queries import epoch_set
from fazhi_ledger import dsse
from fazhi_ledger.archive import frame
from fazhi_ledger.canonical import decode, pack
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.header import Header
from fazhi_ledger.limits import MAX_GENESIS_FILE_BYTES, MAX_HANDOVERS
from fazhi_ledger.shape import as_bytes, as_tuple
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage.chain_store import ChainStore
from fazhi_node.storage.errors import DiskFailed, DiskFull, StorageError
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.port import Batch
from fazhi_node.storage.snapshot import (
    MAGIC,
    MAX_ENTRIES,
    MAX_SNAPSHOT_FRAME_BYTES,
    PAGE_ENTRIES,
    Head,
    InvalidSnapshot,
    decode_entries,
    read_snapshot,
)
from fazhi_node.storage.snapshot_load import load_snapshot
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.builders import ORGS, SUITE, World, make_genesis_file, signer

from .snapshots import HOLDERS, StoredWorld, file_of, frames_of, grown, load, snapshot_of

WORLD = grown()
DATA = snapshot_of(WORLD.store)
FRAMES = frames_of(DATA)
HEIGHT = WORLD.store.tip.height
HEAD, HANDOVER, HASHES, *ENTRIES = FRAMES
GOOD = load(DATA, WORLD.genesis_file)


def refused(data: bytes, genesis_file: object = None) -> InvalidSnapshot:
    """How it is refused; what it left in the store is no chain."""
    disk = MemoryDisk()
    with pytest.raises(InvalidSnapshot) as caught:
        load(data, WORLD.genesis_file if genesis_file is None else genesis_file, disk)  # type: ignore[arg-type]
    disk.owner = None
    with pytest.raises(StorageError, match=r"store-(empty|corrupt)"):
        ChainStore(MemoryStore(disk))
    return caught.value


def header_of(head: Head) -> Header:
    return Header.decode(head.header)


def certified_by(orgs: tuple[str, ...], header: Header) -> bytes:
    """A certificate by these seats, in order."""
    block_hash = header.hash(SUITE)
    body = vote_body(header.genesis_hash, header.height, 0, block_hash)
    votes = tuple((at, dsse.sign(signer(org), dsse.COMMIT, body)) for at, org in enumerate(orgs))
    return CommitCertificate(header.height, 0, block_hash, votes).encode()


def head_with(**changes: object) -> bytes:
    return replace(Head.decode(HEAD), **changes).encode()  # type: ignore[arg-type]


def test_cut_at_every_frame_boundary_and_in_every_frame() -> None:
    at = len(MAGIC)
    for part in (*FRAMES, b""):
        for cut in {at, at + 2, at + 4, at + 4 + len(part) // 2}:
            if cut < len(DATA):
                assert refused(DATA[:cut]).code == "snapshot-cut-short", cut
        at += 4 + len(part)
    assert at == len(DATA)
    assert refused(b"").code == refused(DATA[:5]).code == "not-a-snapshot"
    assert refused(DATA + b"\0").code == "snapshot-has-more"


@given(st.data())
def test_any_changed_byte_is_refused(choice: st.DataObject) -> None:
    at = choice.draw(st.integers(0, len(DATA) - 1))
    value = choice.draw(st.integers(0, 255).filter(lambda byte: byte != DATA[at]))
    refused(DATA[:at] + bytes([value]) + DATA[at + 1 :])


@given(st.integers(0, len(FRAMES) - 1), st.integers(0, len(FRAMES) - 1))
def test_any_frame_that_is_lost_doubled_or_moved_is_refused(one: int, other: int) -> None:
    refused(file_of([*FRAMES[:one], *FRAMES[one + 1 :]]))
    refused(file_of([*FRAMES[:one], FRAMES[other], *FRAMES[one:]]))
    if FRAMES[one] != FRAMES[other]:
        swapped = list(FRAMES)
        swapped[one], swapped[other] = FRAMES[other], FRAMES[one]
        refused(file_of(swapped))


def test_another_chain() -> None:
    other = make_genesis_file(orgs=("sfj", "zfj", "gzc"), officers={"head": ("zfj", ("head",))})
    assert refused(DATA, other).code == "snapshot-other-chain"
    foreign = replace(header_of(Head.decode(HEAD)), genesis_hash=other.hash())
    error = refused(file_of([head_with(header=foreign.encode()), *FRAMES[1:]]))
    assert (error.code, dict(error.parameters)["found"]) == ("snapshot-other-chain", other.hash().hex())


def test_a_certificate_that_is_not_this_headers_or_not_a_quorums() -> None:
    header = header_of(Head.decode(HEAD))
    below = WORLD.store.certificate(HEIGHT - 1)
    assert below is not None
    for certificate, reason in (
        (below.encode(), None),
        (certified_by(("fy",), header), "no-quorum"),
        (certified_by(("zfj", "sfj", "gzc", "fy"), header), None),
    ):
        error = refused(file_of([head_with(certificate=certificate), *FRAMES[1:]]))
        assert error.code == "snapshot-bad-certificate", certificate
        assert reason is None or dict(error.parameters)["reason"] == reason


def test_a_height_of_a_thousand_million_is_refused_before_anything_is_read_for_it() -> None:
    header = replace(header_of(Head.decode(HEAD)), height=10**9)
    read = []

    def pieces() -> object:
        yield MAGIC + frame(head_with(header=header.encode())) + frame(HANDOVER)
        for number in range(10**6):
            read.append(number)
            yield frame(bytes(32 * 4096))

    with pytest.raises(InvalidSnapshot, match=r"snapshot-bad-certificate.*1000000000"):
        load_snapshot(MemoryStore(), WORLD.genesis_file, pieces(), lambda *_: None)  # type: ignore[arg-type]
    assert read == []


def test_a_header_by_a_retired_set() -> None:
    """The old set signs a header above its hand-over: refused with the hand-over before it, and the header names the
    new set, so that it is refused without it, too."""
    header = header_of(Head.decode(HEAD))
    old = certified_by(tuple(ORGS)[:3], header)
    assert refused(file_of([head_with(certificate=old), *FRAMES[1:]])).code == "snapshot-bad-certificate"
    forged = replace(header, validators_hash=WORLD.genesis_file.genesis.validator_set().hash(SUITE))
    head = head_with(header=forged.encode(), certificate=certified_by(tuple(ORGS)[:3], forged))
    error = refused(file_of([head, *FRAMES[1:]]))
    assert dict(error.parameters)["reason"] == "another-validator-set"
    error = refused(file_of([head_with(handovers=0), *FRAMES[2:]]))
    assert dict(error.parameters)["reason"] == "another-validator-set"


def test_hand_overs_that_do_not_lead_there() -> None:
    header, certificate, validators = as_tuple(decode(HANDOVER), "hand-over", length=3)
    wrong = pack((header, certificate, GOOD.genesis.validator_set().encode()))
    assert refused(file_of([HEAD, wrong, *FRAMES[2:]])).code == "snapshot-bad-handover"
    below = WORLD.store.header_bytes(2)
    other = pack((below, certificate, validators))
    assert refused(file_of([HEAD, other, *FRAMES[2:]])).code == "snapshot-bad-handover"
    twice = refused(file_of([head_with(handovers=2), HANDOVER, HANDOVER, *FRAMES[2:]]))
    assert (twice.code, dict(twice.parameters)["epoch"]) == ("snapshot-bad-handover", 2)
    error = refused(file_of([HEAD, pack((b"", b"", b"")), *FRAMES[2:]]))
    assert error.code == "snapshot-bad-handover"


def test_a_hand_over_that_holds_and_is_of_another_history() -> None:
    """A quorum of the old set certified two blocks at the height where it hands over: the hashes say which counts."""
    encoded, _, validators = as_tuple(decode(HANDOVER), "hand-over", length=3)
    header = Header.decode(as_bytes(encoded, "header"))
    other = replace(header, time_ms=header.time_ms + 1)
    forged = pack((other.encode(), certified_by(tuple(ORGS)[:3], other), validators))
    assert refused(file_of([HEAD, forged, *FRAMES[2:]])).code == "snapshot-bad-history"


def test_a_hand_over_above_the_header() -> None:
    world = StoredWorld()
    world.change_members()
    at = world.store.tip.height
    world.grow("后")
    later = frames_of(snapshot_of(world.store))
    epoch = epoch_set(world.store, 1)
    assert epoch is not None
    before = StoredWorld()
    before.change_members()
    assert before.store.tip.height == at == epoch.first_height - 1
    head, *rest = frames_of(snapshot_of(before.store))
    head = replace(Head.decode(head), handovers=1).encode()
    error = refused(file_of([head, later[1], *rest]))
    assert dict(error.parameters) == {"reason": "handover-after-block", "epoch": 1}


def test_hashes_that_are_not_those_of_the_history() -> None:
    hashes = [HASHES[at : at + 32] for at in range(0, len(HASHES), 32)]
    assert len(hashes) == HEIGHT - 1
    for changed in (
        [*hashes[:3], bytes(32), *hashes[4:]],
        [hashes[1], hashes[0], *hashes[2:]],
        [*hashes[:-1], hashes[0]],
    ):
        error = refused(file_of([HEAD, HANDOVER, b"".join(changed), *ENTRIES]))
        assert (error.code, dict(error.parameters)) == ("snapshot-bad-history", {"height": HEIGHT})
    for wrong in (hashes[:-1], [*hashes, hashes[0]], hashes[:1]):
        assert refused(file_of([HEAD, HANDOVER, b"".join(wrong), *ENTRIES])).code == "snapshot-malformed"
    assert refused(file_of([HEAD, HANDOVER, *ENTRIES])).code == "snapshot-malformed"
    assert refused(file_of([HEAD, HANDOVER])).code == "snapshot-cut-short"


PAIRS = [pair for data in ENTRIES for pair in decode_entries(data, None)]


def with_pairs(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return file_of([HEAD, HANDOVER, HASHES, *([pack(tuple(part for pair in pairs for part in pair))] if pairs else [])])


def test_entries_that_are_missing_extra_doubled_unsorted_or_changed() -> None:
    assert load(with_pairs(PAIRS), WORLD.genesis_file).tip == WORLD.store.tip
    key, value = PAIRS[5]
    other = next(one for _, one in PAIRS if one != value)
    forged: dict[str, tuple[str, list[tuple[bytes, bytes]]]] = {
        "missing": ("snapshot-bad-state", PAIRS[:5] + PAIRS[6:]),
        "the first alone": ("snapshot-bad-state", PAIRS[:1]),
        "none": ("snapshot-bad-state", []),
        "extra": ("snapshot-bad-state", sorted([*PAIRS, (key + b"x", value)])),
        "changed": ("snapshot-bad-state", [*PAIRS[:5], (key, value + b"x"), *PAIRS[6:]]),
        "of another": ("snapshot-bad-state", [*PAIRS[:5], (key, other), *PAIRS[6:]]),
        "doubled": ("snapshot-malformed", [*PAIRS[:6], *PAIRS[5:]]),
        "twice, the right one last": ("snapshot-malformed", [*PAIRS[:5], (key, b""), *PAIRS[5:]]),
        "unsorted": ("snapshot-malformed", [*PAIRS[:5], PAIRS[6], PAIRS[5], *PAIRS[7:]]),
    }
    for what, (code, pairs) in forged.items():
        assert refused(with_pairs(pairs)).code == code, what


def test_one_bad_page_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fazhi_node.storage.snapshot.PAGE_ENTRIES", 3)
    frames = frames_of(snapshot_of(WORLD.store))
    assert len(frames) > 8
    for number in range(3, len(frames)):
        parts = decode(frames[number])
        assert isinstance(parts, tuple)
        bad = pack((*parts[:-1], b"\x00"))
        assert refused(file_of([*frames[:number], bad, *frames[number + 1 :]])).code == "snapshot-bad-state"
        assert refused(file_of([*frames[:number], frames[3], *frames[number:]])).code == "snapshot-malformed"


def test_frames_of_any_length_are_refused_before_they_are_read() -> None:
    asked = []

    def pieces(length: int) -> object:
        yield MAGIC + length.to_bytes(4, "big")
        asked.append(length)
        yield bytes(1000)

    for length in (MAX_SNAPSHOT_FRAME_BYTES + 1, 2**32 - 1):
        with pytest.raises(InvalidSnapshot, match="snapshot-frame-too-large"):
            list(read_snapshot(pieces(length)))  # type: ignore[arg-type]
    assert asked == []
    with pytest.raises(InvalidSnapshot, match="snapshot-cut-short"):
        list(read_snapshot(pieces(MAX_SNAPSHOT_FRAME_BYTES)))  # type: ignore[arg-type]
    assert asked == [MAX_SNAPSHOT_FRAME_BYTES]


def test_what_the_limits_let_through_and_what_not() -> None:
    """On the writer's side: an entry as large as a genesis file, or as the rules of a block, fits into a frame."""
    pairs = [(number.to_bytes(4, "big"), b"") for number in range(MAX_ENTRIES + 1)]
    for count in (1, MAX_ENTRIES):
        data = pack(tuple(part for pair in pairs[:count] for part in pair))
        assert decode_entries(data, None) == tuple(pairs[:count])
        with pytest.raises(EncodingError):
            decode_entries(data, pairs[0][0])
    for parts in ((), (b"key",), tuple(part for pair in pairs for part in pair), (b"key", 1), (b"key", (b"",))):
        with pytest.raises(EncodingError):
            decode_entries(pack(parts), None)
    assert PAGE_ENTRIES <= MAX_ENTRIES
    largest = pack((bytes(1024), bytes(MAX_GENESIS_FILE_BYTES)))
    assert len(largest) <= MAX_SNAPSHOT_FRAME_BYTES
    assert len(decode_entries(largest, None)) == 1
    assert MAX_RULES_BYTES <= MAX_GENESIS_FILE_BYTES
    for count in (MAX_HANDOVERS, MAX_HANDOVERS + 1):
        head = head_with(handovers=count)
        if count == MAX_HANDOVERS:
            assert Head.decode(head).handovers == count
        else:
            with pytest.raises(EncodingError):
                Head.decode(head)


@pytest.mark.parametrize("error", [DiskFull("disk-full", path="x", what="write"), DiskFailed("disk-failed", path="x")])
def test_a_disk_that_fails_at_any_write_leaves_no_chain(error: Exception) -> None:
    """Whichever write it is: an error of the disk's, and what is in the store is no chain."""

    class Failing(MemoryStore):
        left = 0

        def write(self, batch: Batch, sync: bool = True) -> None:
            assert sync
            if self.left == 0:
                raise error
            self.left -= 1
            super().write(batch, sync)

    number, done = 0, False
    while not done:
        disk = MemoryDisk()
        store = Failing(disk)
        store.left = number
        try:
            load_snapshot(store, WORLD.genesis_file, iter([DATA]), lambda *_: None)
            done = True
        except (DiskFull, DiskFailed):
            number += 1
            disk.owner = None
            with pytest.raises(StorageError, match=r"store-(empty|corrupt)"):
                ChainStore(MemoryStore(disk))
    assert number >= 6


def test_the_entries_are_written_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    largest: list[int] = []

    class Watching(MemoryStore):
        def write(self, batch: Batch, sync: bool = True) -> None:
            largest.append(sum(key[:1] == layout.STATE for key, _ in batch))
            super().write(batch, sync)

    monkeypatch.setattr("fazhi_node.storage.snapshot.PAGE_ENTRIES", 1)
    for name, bound in (("WRITE_ENTRIES", 4), ("WRITE_BYTES", 200)):
        largest.clear()
        with monkeypatch.context() as patch:
            patch.setattr(f"fazhi_node.storage.snapshot_load.{name}", bound)
            load_snapshot(Watching(), WORLD.genesis_file, iter([snapshot_of(WORLD.store)]), lambda *_: None)
        assert 1 <= max(largest) <= 8 < len(PAIRS)


def test_a_snapshot_of_an_empty_file_of_a_world_without_hand_over() -> None:
    """The smallest: no hand-over, no hashes."""
    world = StoredWorld()
    world.grow("甲")
    head, *rest = frames_of(snapshot_of(world.store))
    decoded = Head.decode(head)
    changes: list[Callable[[Head], Head]] = [
        lambda one: replace(one, handovers=1),
        lambda one: replace(one, genesis_hash=bytes(32)),
        lambda one: replace(one, header=b""),
        lambda one: replace(one, certificate=b""),
    ]
    for change in changes:
        refused(file_of([change(decoded).encode(), *rest]), world.genesis_file)
    assert World().genesis_file == world.genesis_file
    assert set(HOLDERS)
