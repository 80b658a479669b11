"""The bytes of the vote log: its head, its frames, and what a damaged end means. Pure; :mod:`.vote_log` does the
reading and writing.

::

    file   = head (4096 bytes) ‖ frame … ‖ zeros
    head   = "FZVOTES1" ‖ log id (16) ‖ owner (32) ‖ epoch u64 ‖ first sequence number u64 ‖ floor u64 ‖ crc32
    frame  = "FZVR" ‖ length u32 ‖ height u64 ‖ floor u64 ‖ sequence u64 ‖ crc32 of the record ‖ crc32 of this header
             ‖ record ‖ zeros to a multiple of 8 ‖ "FZVREND!"

Big-endian. Both checksums begin with the log's id, its epoch and the frame's offset, which nobody outside knows: a
record that carries a proposer's bytes can never pass for a frame of its own, nor can an old frame at another place.

Each frame is durable before the next is begun, so that a crash can damage the last one only, and only by leaving
sectors unwritten, which in a file that was filled with zeros are zeros. Anything else is damage to a vote that may have
left this machine."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .errors import StoreCorrupt

HEAD_BYTES: Final = 4096
"""A disk page of its own: no later write touches it."""
AMNESIAC: Final = 2**64 - 1
"""The floor of a log that must not vote before others have vouched for a height."""
ID_BYTES: Final = 16
OWNER_BYTES: Final = 32

_SECTOR: Final = 512
_MAGIC: Final = b"FZVR"
_END: Final = b"FZVREND!"
_HEAD_MAGIC: Final = b"FZVOTES1"
_HEAD: Final = struct.Struct(">8s16s32sQQQ")
_FRAME: Final = struct.Struct(">4sIQQQI")
_CRC: Final = struct.Struct(">I")
_FRAME_BYTES: Final = _FRAME.size + _CRC.size


@dataclass(frozen=True, slots=True)
class Head:
    """What a log file says of itself. ``first_sequence`` numbers its first frame; numbers go on from file to file."""

    log_id: bytes
    owner: bytes
    epoch: int
    first_sequence: int
    floor: int

    def encode(self) -> bytes:
        """Exactly ``HEAD_BYTES`` bytes."""
        body = _HEAD.pack(_HEAD_MAGIC, self.log_id, self.owner, self.epoch, self.first_sequence, self.floor)
        return (body + _CRC.pack(zlib.crc32(body))).ljust(HEAD_BYTES, b"\0")

    @classmethod
    def decode(cls, data: bytes, path: str) -> Head:
        """Raises StoreCorrupt unless ``data`` begins with an intact head (it was durable before the file got its
        name)."""
        if len(data) < HEAD_BYTES:
            raise StoreCorrupt("vote-log-corrupt", path=path, what="head", offset=0)
        magic, log_id, owner, epoch, sequence, floor = _HEAD.unpack_from(data)
        head = cls(log_id, owner, epoch, sequence, floor)
        if magic != _HEAD_MAGIC or data[:HEAD_BYTES] != head.encode():
            raise StoreCorrupt("vote-log-corrupt", path=path, what="head", offset=0)
        return head


@dataclass(frozen=True, slots=True)
class Frame:
    """One record in its place: ``floor`` is the log's when it was written, ``end`` the offset after it."""

    height: int
    floor: int
    sequence: int
    record: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What a log file holds: its frames, where they end, and how many bytes of a torn last frame were left out."""

    head: Head
    frames: tuple[Frame, ...]
    end: int
    torn_bytes: int


def frame_bytes(record_bytes: int) -> int:
    """Length of the frame of a record of that length: a multiple of 8."""
    return _FRAME_BYTES + record_bytes + (-record_bytes & 7) + len(_END)


def encode_frame(head: Head, offset: int, height: int, floor: int, sequence: int, record: bytes) -> bytes:
    """The frame of ``record`` for that place of that log."""
    seed = _seed(head, offset)
    body = _FRAME.pack(_MAGIC, len(record), height, floor, sequence, zlib.crc32(record, seed))
    return b"".join((body, _CRC.pack(zlib.crc32(body, seed)), record, bytes(-len(record) & 7), _END))


def replay(data: bytes, path: str) -> Replay:
    """Read a whole log file.

    Raises:
        StoreCorrupt: ``vote-log-corrupt`` with the offset: the head, a frame that others follow, or a last frame whose
        damage is not
            that of a write cut short.
    """
    head = Head.decode(data, path)
    frames: list[Frame] = []
    offset = HEAD_BYTES
    sequence = head.first_sequence
    while (frame := _read_frame(head, data, offset)) is not None:
        if frame.sequence != sequence:
            raise StoreCorrupt("vote-log-corrupt", path=path, what="sequence", offset=offset)
        frames.append(frame)
        offset = frame.end
        sequence += 1
    last = len(data.rstrip(b"\0"))
    if last <= offset:
        return Replay(head, tuple(frames), offset, 0)
    if _later_frame(head, data, offset) is not None:
        raise StoreCorrupt("vote-log-corrupt", path=path, what="a frame before others", offset=offset)
    if not _is_cut_short(head, data, offset, last):
        raise StoreCorrupt("vote-log-corrupt", path=path, what="the last frame", offset=offset)
    return Replay(head, tuple(frames), offset, last - offset)


def _seed(head: Head, offset: int) -> int:
    return zlib.crc32(struct.pack(">16sQQ", head.log_id, head.epoch, offset))


def _read_header(head: Head, data: bytes, offset: int) -> tuple[int, int, int, int, int] | None:
    """``(length, height, floor, sequence, record checksum)`` of the frame at ``offset``; None unless its header is
    intact."""
    if offset + _FRAME_BYTES > len(data):
        return None
    body = data[offset : offset + _FRAME.size]
    magic, length, height, floor, sequence, record_crc = _FRAME.unpack(body)
    (header_crc,) = _CRC.unpack_from(data, offset + _FRAME.size)
    if magic != _MAGIC or header_crc != zlib.crc32(body, _seed(head, offset)):
        return None
    return length, height, floor, sequence, record_crc


def _read_frame(head: Head, data: bytes, offset: int) -> Frame | None:
    """The frame at ``offset``; None unless every byte of it is intact."""
    header = _read_header(head, data, offset)
    if header is None:
        return None
    length, height, floor, sequence, record_crc = header
    start = offset + _FRAME_BYTES
    end = offset + frame_bytes(length)
    record = data[start : start + length]
    if end > len(data) or data[start + length : end] != bytes(-length & 7) + _END:
        return None
    if zlib.crc32(record, _seed(head, offset)) != record_crc:
        return None
    return Frame(height, floor, sequence, record, end)


def _later_frame(head: Head, data: bytes, offset: int) -> Frame | None:
    """An intact frame anywhere after ``offset``: it was begun only when all before it was durable."""
    position = offset + 8
    while (position := data.find(_MAGIC, position)) >= 0:
        if position % 8 == 0 and (frame := _read_frame(head, data, position)) is not None:
            return frame
        position += 1
    return None


def _is_cut_short(head: Head, data: bytes, offset: int, last: int) -> bool:
    """Whether the frame at ``offset`` looks like a write that did not reach the disk in full (``last``: end of the
    bytes not zero)."""
    header = _read_header(head, data, offset)
    if header is None:
        # A header that was not written in full: either all after some byte of it is missing, or a sector of it is.
        return last < offset + _FRAME_BYTES or _has_empty_sector(data, offset, offset + _FRAME_BYTES)
    end = offset + frame_bytes(header[0])
    if last > end:
        return False
    return last < end or _has_empty_sector(data, offset, end)


def _has_empty_sector(data: bytes, start: int, end: int) -> bool:
    """Whether the part of some disk sector that lies within ``start … end`` is all zeros."""
    cuts = [start, *range(start - start % _SECTOR + _SECTOR, end, _SECTOR), end]
    return any(not any(data[low:high]) for low, high in pairwise(cuts))
