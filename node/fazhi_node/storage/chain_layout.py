"""Where the chain's parts lie in the key-value store, and how each value is framed.

One letter, then the rest of the key; numbers are big-endian, so that they sort:

====  ===========================  ==========================================================
key   rest                         value
====  ===========================  ==========================================================
``m`` name                         ``tip``: [height, block hash, time]; ``genesis``: the file; others: see below
``b`` height                       block
``h`` height                       block hash (32) and header
``c`` height                       certificate; grows by late commits
``r`` height                       [[result leaf, runs of record results]…]
``x`` block hash                   height
``i`` submission id                height, index
``e`` case id, number             height, index, record, count: a run of events, see below
``d`` series, first serial         [case id…] of consecutive serials, see below
``s`` state key                    state value
``p`` path                         page of the state tree
``n`` level, index                 complete subtree of the history log
====  ===========================  ==========================================================

Events of one case that stand behind one another in one item make one entry, under the number of the first: a batch of a
thousand records of one case costs one.

A series is what a serial counts in: [organisation, procedure, year], packed. Cases that one block opened under
consecutive serials of a series make one entry, their ids behind one another. ``m`` ``docket`` says up to which height
these entries are complete; where that is not the tip they are made anew when the store is opened (:mod:`.dockets`).

A store that was made of a snapshot has a *base*: the height of the snapshot (eight bytes). Of the blocks up to it there
are the hashes (under ``h``, ``x`` and ``n``), but header and certificate only at the base itself and where a hand-over
needs them, and no blocks, results, items or events. A store without the entry holds the whole chain.

Every value is preceded by a CRC-32 of its key and itself: a flipped bit, or a value that a disk returns under another
key, is found when it is read, on every back end.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fazhi_ledger.canonical import decode, encode, pack
from fazhi_ledger.result import RecordResult, ResultRun
from fazhi_ledger.shape import as_bytes, as_int, as_tuple

from .errors import StoreCorrupt

META: Final = b"m"
BLOCK: Final = b"b"
HEADER: Final = b"h"
CERTIFICATE: Final = b"c"
RESULTS: Final = b"r"
HASH: Final = b"x"
ITEM: Final = b"i"
EVENT: Final = b"e"
DOCKET: Final = b"d"
STATE: Final = b"s"
PAGE: Final = b"p"
NODE: Final = b"n"

TIP_KEY: Final = META + b"tip"
GENESIS_KEY: Final = META + b"genesis"
BASE_KEY: Final = META + b"base"
DOCKET_KEY: Final = META + b"docket"
NAMES: Final = {
    META: "chain",
    BLOCK: "block",
    HEADER: "header",
    CERTIFICATE: "certificate",
    RESULTS: "results",
    HASH: "block hash",
    ITEM: "submission",
    EVENT: "case event",
    DOCKET: "docket",
    STATE: "state",
    PAGE: "state page",
    NODE: "history",
}

MAX_RESULTS_BYTES: Final = 256 * 1024 * 1024
MAX_NUMBER: Final = 2**64 - 1

_NUMBER: Final = struct.Struct(">Q")
_PLACE: Final = struct.Struct(">QI")
_RUN: Final = struct.Struct(">QIII")
_NODE: Final = struct.Struct(">BQ")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a submission stands."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where an event of a case stands: the item's place, and which of its record results is the event's."""

    number: int
    height: int
    index: int
    record: int


@dataclass(frozen=True, slots=True)
class EventRun:
    """Events ``number`` … ``number + count - 1`` of a case, at consecutive records of one item."""

    number: int
    height: int
    index: int
    record: int
    count: int

    def place(self, number: int) -> EventPlace | None:
        """The place of one of them; None where the run does not reach that far."""
        offset = number - self.number
        if not 0 <= offset < self.count:
            return None
        return EventPlace(number, self.height, self.index, self.record + offset)


@dataclass(frozen=True, slots=True)
class BlockResults:
    """What the items of a block came to: ``leaves`` are the encoded results, the leaves' data under ``results_root``.

    ``packed_records``: of each item [[encoded record result, count]…], each standing for so many of the same case and
    findings with consecutive numbers; empty where there are none. They are decoded only for the item that is asked for.
    """

    leaves: tuple[bytes, ...]
    packed_records: tuple[bytes, ...]

    def runs(self, index: int) -> tuple[ResultRun, ...]:
        """The record results of item ``index``, in runs; none where it was refused or carries no records."""
        packed = self.packed_records[index]
        found: list[ResultRun] = []
        for pair in as_tuple(decode(packed, max_bytes=MAX_RESULTS_BYTES), "record results") if packed else ():
            data, count = as_tuple(pair, "record results", length=2)
            first = RecordResult.decode(as_bytes(data, "record result"))
            found.append(ResultRun(first.case_id, first.number, as_int(count, "count", low=1), first.findings))
        return tuple(found)

    def record_results(self, index: int) -> tuple[RecordResult, ...]:
        """The same, one by one."""
        return tuple([result for run in self.runs(index) for result in run.results()])

    def encode(self) -> bytes:
        """The stored form."""
        return pack(tuple(zip(self.leaves, self.packed_records, strict=True)))

    @classmethod
    def decode(cls, data: bytes) -> BlockResults:
        """Of :meth:`encode`."""
        leaves, packed = [], []
        for pair in as_tuple(decode(data, max_bytes=MAX_RESULTS_BYTES), "results"):
            leaf, records = as_tuple(pair, "result", length=2)
            leaves.append(as_bytes(leaf, "result"))
            packed.append(as_bytes(records, "record results"))
        return cls(tuple(leaves), tuple(packed))


def pack_record_results(runs: Sequence[ResultRun], encoded: Sequence[bytes]) -> bytes:
    """An item's record results, of each run the first with how many there are."""
    pairs: list[tuple[bytes, int]] = []
    place = 0
    for run in runs:
        pairs.append((encoded[place], run.count))
        place += run.count
    return pack(tuple(pairs)) if pairs else b""


def frame(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """The pair to store."""
    return key, zlib.crc32(value, zlib.crc32(key)).to_bytes(4, "big") + value


def unframe(key: bytes, framed: bytes) -> bytes:
    """The value that was framed for ``key``.

    Raises:
        StoreCorrupt: ``store-corrupt`` naming what it was and, where the key holds one, of which height.
    """
    value = framed[4:]
    if len(framed) < 4 or framed[:4] != zlib.crc32(value, zlib.crc32(key)).to_bytes(4, "big"):
        raise corrupt(key)
    return value


def corrupt(key: bytes, what: str = "") -> StoreCorrupt:
    """The error for the entry under ``key``."""
    kind = key[:1]
    name = NAMES.get(kind, "unknown") + what
    if kind in (BLOCK, HEADER, CERTIFICATE, RESULTS) and len(key) == 9:
        return StoreCorrupt("store-corrupt", what=name, height=read_number(key[1:]))
    return StoreCorrupt("store-corrupt", what=name, key=key[1:33].hex())


def check_empty(key: bytes, pairs: Iterator[tuple[bytes, bytes]]) -> None:
    """Raise ``StoreCorrupt`` where there is no ``key`` although something else is stored: what a damaged index does not
    find is not taken for new, and written over."""
    if next(pairs, None) is not None:
        raise corrupt(key, " is missing")


def height_key(kind: bytes, height: int) -> bytes:
    """The key of what is stored per block."""
    return kind + _NUMBER.pack(height)


def node_key(level: int, index: int) -> bytes:
    """The key of a subtree of the history log."""
    return NODE + _NODE.pack(level, index)


def event_key(case_id: bytes, number: int) -> bytes:
    """The key of a run of events that begins with ``number``."""
    return EVENT + case_id + _NUMBER.pack(number)


def event_places(height: int, index: int, results: Sequence[ResultRun]) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the events of one item: those that stand behind one another together."""
    record = 0
    runs = deque(results)
    while runs:
        run = runs.popleft()
        count = run.count
        while runs and runs[0].case_id == run.case_id and runs[0].first == run.first + count:
            count += runs.popleft().count
        yield event_key(run.case_id, run.first), write_run(height, index, record, count)
        record += count


def write_number(number: int) -> bytes:
    """Eight bytes."""
    return _NUMBER.pack(number)


def read_number(data: bytes) -> int:
    """Of eight bytes."""
    (number,) = _NUMBER.unpack(data)
    return int(number)


def write_place(height: int, index: int) -> bytes:
    """Of a submission."""
    return _PLACE.pack(height, index)


def read_place(data: bytes) -> Place:
    """Of :func:`write_place`."""
    return Place(*_PLACE.unpack(data))


def write_tip(height: int, block_hash: bytes, time_ms: int) -> tuple[bytes, bytes]:
    """The pair to store that says where the chain ends."""
    return frame(TIP_KEY, encode((height, block_hash, time_ms)))


def write_run(height: int, index: int, record: int, count: int) -> bytes:
    """Everything of a run but the number, which stands in the key."""
    return _RUN.pack(height, index, record, count)


def read_run(number: int, data: bytes) -> EventRun:
    """Of :func:`write_run`."""
    return EventRun(number, *_RUN.unpack(data))
