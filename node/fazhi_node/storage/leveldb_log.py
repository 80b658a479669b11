"""LevelDB's log after a power cut: leaving out a last record that was never written in full.

A large batch is many disk writes, and a power cut in the middle of its sync may leave any of them undone: file systems
that allocate late then show zeros between what was written. LevelDB takes a file that ends early for what it is, but
zeros followed by bytes for corruption, and either refuses to open or, told to be lenient, drops acknowledged batches
without a word. A power cut of all members must heal by itself; so here, and only where LevelDB has refused:

1. read the newest log up to the first damage (https://github.com/google/leveldb/blob/main/doc/log_format.md);
2. if any other record begins after it, the damaged one was durable once: refuse;
3. if no sector of the damaged record is all zeros, it was not cut short: refuse;
4. else nobody was ever told that it is durable: cut it off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .files import Files, read_file, write_file
from .limits import MAX_LEVELDB_LOG_BYTES

BLOCK_BYTES: Final = 32768
_SECTOR: Final = 512
_HEADER: Final = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_MASK_DELTA: Final = 0xA282EAD8


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE: Final = _crc32c_table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of a record: CRC-32C over its type and bytes, masked as LevelDB does."""
    table, crc = _TABLE, 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Piece:
    """A physical record: part of a logical one, within one block."""

    kind: int
    start: int
    end: int


def _piece_at(data: bytes, offset: int) -> _Piece | None:
    """The intact physical record at ``offset``; None where there is none."""
    block_end = min(offset - offset % BLOCK_BYTES + BLOCK_BYTES, len(data))
    if offset + _HEADER.size > block_end:
        return None
    checksum, length, kind = _HEADER.unpack_from(data, offset)
    end = offset + _HEADER.size + length
    if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or end > block_end:
        return None
    if kind in (_FIRST, _MIDDLE) and end % BLOCK_BYTES:  # what goes on in the next block fills its own
        return None
    if checksum != masked_crc32c(data[offset + 6 : end]):
        return None
    return _Piece(kind, offset, end)


def _next_offset(offset: int) -> int:
    """Where the record after ``offset`` begins: a block's last bytes that hold no header are filler."""
    left = BLOCK_BYTES - offset % BLOCK_BYTES
    return offset + left if left < _HEADER.size else offset


def _first_damage(data: bytes) -> tuple[int, int] | None:
    """``(start of the logical record, damaged offset)`` of the first damage; None where all is intact or zeros."""
    offset = begun = 0
    inside = False
    last = len(data.rstrip(b"\0"))
    while offset < last:
        piece = _piece_at(data, offset)
        if piece is None or inside != (piece.kind in (_MIDDLE, _LAST)):
            return (begun if inside else offset), offset
        if not inside:
            begun = offset
        inside = piece.kind in (_FIRST, _MIDDLE)
        offset = _next_offset(piece.end)
    return (begun, offset) if inside else None


def _later_beginnings(data: bytes, offset: int) -> Iterator[int]:
    """Offsets after ``offset`` at which an intact record begins.

    In a damaged block no length can be trusted, so that every place is tried; pieces that go on with an earlier record
    from a block's start are passed over.
    """
    place = offset + 1
    while place + _HEADER.size <= len(data):
        kind = data[place + 6]
        if place % BLOCK_BYTES == 0 and kind in (_MIDDLE, _LAST) and (piece := _piece_at(data, place)) is not None:
            place = _next_offset(piece.end)
            continue
        if kind in (_FULL, _FIRST) and _piece_at(data, place) is not None:
            yield place
        place += 1


def _has_empty_sector(data: bytes, start: int, end: int) -> bool:
    """Whether some whole sector of the disk within ``start … end`` is all zeros."""
    first = start + -start % _SECTOR
    return any(not any(data[place : place + _SECTOR]) for place in range(first, end - _SECTOR + 1, _SECTOR))


def torn_tail(data: bytes) -> int | None:
    """The offset from which a log is to be cut off; None where it must not be."""
    damage = _first_damage(data)
    if damage is None:
        return None
    begun, damaged = damage
    if next(_later_beginnings(data, damaged), None) is not None:
        return None
    return begun if _has_empty_sector(data, damaged, len(data.rstrip(b"\0"))) else None


def cut_torn_tail(files: Files, folder: Path) -> int:
    """Cut the torn last record off the newest log of the LevelDB in ``folder``, durably.

    What is cut is kept beside the folder as ``torn.bin``. Answers how many bytes that were; 0 where nothing was done.
    Raises ``OSError``.
    """
    logs = sorted((path for path in folder.iterdir() if path.suffix == ".log" and path.stem.isdigit()), key=_number)
    if not logs or logs[-1].stat().st_size > MAX_LEVELDB_LOG_BYTES:
        return 0
    data = read_file(files, logs[-1], MAX_LEVELDB_LOG_BYTES)
    cut = torn_tail(data)
    if cut is None:
        return 0
    write_file(files, folder.parent / "torn.bin", data[cut:])
    write_file(files, logs[-1], data[:cut])
    return len(data) - cut


def _number(path: Path) -> int:
    return int(path.stem)
