"""A state snapshot as one file (spec/snapshot.md): what a new node needs instead of the blocks, and can check from the
genesis file alone.

``FAZHI-SNAPSHOT-1\\n``, then frames as an archive has them: the head with a certified header; the hand-overs that lead
from the genesis to who certified it; the hashes of all blocks below it, which its history root binds; every entry of
the state, which its state root binds; the closing frame. This module writes, and reads frame by frame;
:mod:`.snapshot_load` says whether what was read holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from fazhi_contracts.queries import epoch_set
from fazhi_ledger.archive import frame, read_frames
from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import EncodingError, FazhiError
from fazhi_ledger.limits import MAX_CERTIFICATE_BYTES, MAX_GENESIS_FILE_BYTES, MAX_HANDOVERS, MAX_HEADER_BYTES
from fazhi_ledger.receipt import Handover
from fazhi_ledger.shape import as_bytes, as_digest, as_int, as_tuple, as_version
from fazhi_ledger.suites import DIGEST_BYTES

from . import chain_layout as layout
from .chain_store import ChainStore

MAGIC: Final = b"FAZHI-SNAPSHOT-1\n"
VERSION: Final = 1
HASHES: Final = 4096
"""Block hashes in one frame; only the last holds fewer."""
MAX_ENTRIES: Final = 4096
PAGE_ENTRIES: Final = 1024
PAGE_BYTES: Final = 128 * 1024
"""Most entries, and bytes of several of them, in a frame of ours: what is larger has one of its own."""
MAX_SNAPSHOT_FRAME_BYTES: Final = MAX_GENESIS_FILE_BYTES + 64 * 1024
"""Far more than any entry of the state has: the largest are the rules of a block, of at most 1 MiB."""
MAX_SET_BYTES: Final = 64 * 1024


class InvalidSnapshot(FazhiError):
    """The file is no snapshot of this chain, or does not hold together: nothing of it is used."""


class NoSnapshot(FazhiError):
    """``no-checkpoint``: there is no block yet, and so nothing certified."""


@dataclass(frozen=True, slots=True)
class Head:
    """``[1, genesis hash, header, certificate, number of hand-overs]``: the first frame."""

    genesis_hash: bytes
    header: bytes
    certificate: bytes
    handovers: int

    def encode(self) -> bytes:
        """The frame's bytes."""
        return pack((VERSION, self.genesis_hash, self.header, self.certificate, self.handovers))

    @classmethod
    def decode(cls, data: bytes) -> Head:
        """Of :meth:`encode`; raises ``EncodingError``."""
        version, genesis_hash, header, certificate, handovers = _parts(data, "snapshot head", 5)
        as_version(version, "snapshot", VERSION)
        return cls(
            as_digest(genesis_hash, "genesis hash"),
            as_bytes(header, "header", max_length=MAX_HEADER_BYTES),
            as_bytes(certificate, "certificate", max_length=MAX_CERTIFICATE_BYTES),
            as_int(handovers, "hand-overs", high=MAX_HANDOVERS),
        )


def decode_handover(data: bytes) -> Handover:
    """A frame ``[header, certificate, validator set]``; raises ``EncodingError``."""
    header, certificate, validators = _parts(data, "hand-over", 3)
    return Handover(
        as_bytes(header, "header", max_length=MAX_HEADER_BYTES),
        as_bytes(certificate, "certificate", max_length=MAX_CERTIFICATE_BYTES),
        as_bytes(validators, "validators", max_length=MAX_SET_BYTES),
    )


def decode_hashes(data: bytes, count: int) -> tuple[bytes, ...]:
    """A frame of exactly ``count`` block hashes, one behind the other; raises ``EncodingError``."""
    if len(data) != count * DIGEST_BYTES:
        raise EncodingError("bad-shape", what="block hashes", expected=f"{count * DIGEST_BYTES} bytes")
    return tuple([data[start : start + DIGEST_BYTES] for start in range(0, len(data), DIGEST_BYTES)])


def decode_entries(data: bytes, after: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    """A frame ``[key, value, key, value…]`` of at least one entry of the state, keys ascending from behind ``after``
    on; raises ``EncodingError``."""
    parts = as_tuple(decode(data, max_bytes=MAX_SNAPSHOT_FRAME_BYTES, max_depth=1), "state entries")
    if not parts or len(parts) % 2 or len(parts) > 2 * MAX_ENTRIES:
        raise EncodingError("bad-shape", what="state entries", expected=f"1 to {MAX_ENTRIES} pairs")
    found = [as_bytes(part, "state entry") for part in parts]
    keys = found[::2] if after is None else [after, *found[::2]]
    if any(first >= second for first, second in pairwise(keys)):
        raise EncodingError("bad-shape", what="state entries", expected="ascending keys")
    return tuple(zip(found[::2], found[1::2], strict=True))


def read_snapshot(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The frames of a snapshot that comes in pieces of any size, without the closing one.

    Raises:
        InvalidSnapshot: ``not-a-snapshot``, ``snapshot-frame-too-large``, ``snapshot-cut-short`` or
            ``snapshot-has-more``.
    """
    try:
        yield from read_frames(chunks, MAGIC, MAX_SNAPSHOT_FRAME_BYTES)
    except EncodingError as error:
        raise _framing(error) from None


def _framing(error: EncodingError) -> InvalidSnapshot:
    """What is said of an archive, said of a snapshot."""
    if error.code == "archive-frame-too-large":
        given = dict(error.parameters)
        return InvalidSnapshot("snapshot-frame-too-large", bytes=given["bytes"], limit=given["limit"])
    if error.code == "archive-cut-short":
        return InvalidSnapshot("snapshot-cut-short")
    if error.code == "archive-has-more":
        return InvalidSnapshot("snapshot-has-more")
    return InvalidSnapshot("not-a-snapshot")


def write_snapshot(chain: ChainStore) -> Iterator[bytes]:
    """The snapshot of the chain at its tip, piece by piece. ``chain`` must stand still: a view, or a stopped node's.

    Raises:
        NoSnapshot: there is no block.
        StorageError: what is stored cannot be read.
    """
    height = chain.tip.height
    header, certificate = chain.header_bytes(height), chain.certificate(height)
    if header is None or certificate is None:
        raise NoSnapshot("no-checkpoint")
    return _pieces(chain, header, certificate.encode())


def _pieces(chain: ChainStore, header: bytes, certificate: bytes) -> Iterator[bytes]:
    height, count = chain.tip.height, 0
    while (successor := epoch_set(chain, count + 1)) is not None and successor.first_height <= height:
        count += 1
    yield MAGIC
    yield frame(Head(chain.genesis_hash, header, certificate, count).encode())
    for epoch in range(1, count + 1):
        yield frame(pack(_handover(chain, epoch)))
    yield from _hashes(chain)
    yield from _entries(chain)
    yield frame(b"")


def _hashes(chain: ChainStore) -> Iterator[bytes]:
    hashes: list[bytes] = []
    for at, (key, value) in enumerate(_walk(chain, layout.HEADER), 1):
        if key != layout.height_key(layout.HEADER, at):
            raise layout.corrupt(layout.height_key(layout.HEADER, at), " is missing")
        if at == chain.tip.height or len(hashes) == HASHES:
            if hashes:
                yield frame(b"".join(hashes))
            hashes.clear()
        hashes.append(value[:DIGEST_BYTES])


def _entries(chain: ChainStore) -> Iterator[bytes]:
    entries: list[bytes] = []
    size = 0
    for key, value in _walk(chain, layout.STATE):
        size += len(key) + len(value)
        if entries and (len(entries) >= 2 * PAGE_ENTRIES or size > PAGE_BYTES):
            yield frame(pack(tuple(entries)))
            entries.clear()
            size = len(key) + len(value)
        entries += (key[1:], value)
    if entries:
        yield frame(pack(tuple(entries)))


def _handover(chain: ChainStore, epoch: int) -> tuple[bytes, bytes, bytes]:
    successor = epoch_set(chain, epoch)
    at = 0 if successor is None else successor.first_height - 1
    header, certificate = chain.header_bytes(at), chain.certificate(at)
    if successor is None or header is None or certificate is None:
        raise layout.corrupt(layout.height_key(layout.HEADER, at), " is missing")
    return header, certificate.encode(), successor.encode()


def _walk(chain: ChainStore, kind: bytes) -> Iterator[tuple[bytes, bytes]]:
    for key, value in chain.walk(kind):
        if value is None:
            raise layout.corrupt(key)
        yield key, value


def _parts(data: bytes, what: str, length: int) -> tuple[Value, ...]:
    return as_tuple(decode(data, max_bytes=MAX_SNAPSHOT_FRAME_BYTES, max_depth=1), what, length=length)
