"""The archive: a whole chain in one file (spec/archive.md), written by a node and read by an auditor who trusts nobody.

``FAZHI-ARCHIVE-1\\n``, then frames: four bytes of length (big-endian) and that many bytes. The first frame is the
genesis file, each further one ``[block bytes, certificate bytes]`` in order of height, the last one empty: a file
without it was cut short. Reading and writing are pure over iterables of bytes; files are opened by the floors above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from .block import Block
from .canonical import decode, pack
from .certificate import CommitCertificate
from .errors import EncodingError
from .genesis import GenesisFile
from .limits import MAX_ARCHIVE_FRAME_BYTES
from .shape import as_bytes, as_tuple

MAGIC: Final = b"FAZHI-ARCHIVE-1\n"


def write_archive(genesis_file: bytes, blocks: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """The archive's bytes, piece by piece, from the genesis file and the encoded ``(block, certificate)`` of heights
    1, 2, …"""
    yield MAGIC
    yield frame(genesis_file)
    for block, certificate in blocks:
        yield frame(pack((block, certificate)))
    yield frame(b"")


def frame(data: bytes) -> bytes:
    """A frame with its length; of no bytes the closing one."""
    return len(data).to_bytes(4, "big") + data


def read_frames(chunks: Iterable[bytes], magic: bytes = MAGIC, limit: int = MAX_ARCHIVE_FRAME_BYTES) -> Iterator[bytes]:
    """The frames of an archive, or of another file that is built like one, without the closing one.

    Raises:
        EncodingError: ``not-an-archive``, ``archive-frame-too-large``, ``archive-cut-short`` or ``archive-has-more``.
    """
    reader = _Reader(chunks)
    if reader.take(len(magic)) != magic:
        raise EncodingError("not-an-archive")
    while True:
        length = int.from_bytes(_whole(reader, 4), "big")
        if length > limit:
            raise EncodingError("archive-frame-too-large", bytes=length, limit=limit)
        if length == 0:
            break
        yield _whole(reader, length)
    if reader.take(1):
        raise EncodingError("archive-has-more")


class FrameCutter:
    """Cuts an archive that arrives in pieces of any size into its parts, verbatim: the magic, then whole frames with
    their lengths, the closing one too. What arrives after that is given out as it comes.
    """

    __slots__ = ("_begun", "_buffer", "ended")

    def __init__(self) -> None:
        self.ended = False
        """Whether the closing frame has come."""
        self._buffer = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The parts that are complete with ``data``.

        Raises:
            EncodingError: ``not-an-archive`` or ``archive-frame-too-large``.
        """
        self._buffer += data
        while (length := self._next_part()) is not None and length <= len(self._buffer):
            yield bytes(self._buffer[:length])
            del self._buffer[:length]

    def _next_part(self) -> int | None:
        if self.ended:
            return len(self._buffer) or None
        if not self._begun:
            if not MAGIC.startswith(self._buffer[: len(MAGIC)]):
                raise EncodingError("not-an-archive")
            self._begun = len(self._buffer) >= len(MAGIC)
            return len(MAGIC)
        if len(self._buffer) < 4:
            return None
        length = int.from_bytes(self._buffer[:4], "big")
        if length > MAX_ARCHIVE_FRAME_BYTES:
            raise EncodingError("archive-frame-too-large", bytes=length, limit=MAX_ARCHIVE_FRAME_BYTES)
        self.ended = length == 0
        return 4 + length


def read_archive(chunks: Iterable[bytes]) -> tuple[GenesisFile, Iterator[tuple[bytes, bytes]]]:
    """The genesis file, checked, and an iterator over encoded ``(block, certificate)``; see :func:`read_frames` for
    what it raises."""
    frames = read_frames(chunks)
    first = next(frames, None)
    if first is None:
        raise EncodingError("archive-cut-short")
    return GenesisFile.decode(first), _pairs(frames)


def _pairs(frames: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for frame in frames:
        block, certificate = as_tuple(
            decode(frame, max_bytes=MAX_ARCHIVE_FRAME_BYTES, sparse=True), "archive frame", length=2
        )
        yield as_bytes(block, "block"), as_bytes(certificate, "certificate")


def decode_pair(block: bytes, certificate: bytes) -> tuple[Block, CommitCertificate]:
    """A frame's block and certificate, decoded."""
    return Block.decode(block), CommitCertificate.decode(certificate)


def _whole(reader: _Reader, count: int) -> bytes:
    data = reader.take(count)
    if len(data) != count:
        raise EncodingError("archive-cut-short")
    return data


class _Reader:
    """Takes exact counts of bytes out of chunks of any size."""

    __slots__ = ("_buffer", "_chunks", "_position")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._position = 0

    def take(self, count: int) -> bytes:
        """``count`` bytes, or fewer at the end."""
        parts: list[bytes] = []
        missing = count
        while missing:
            available = len(self._buffer) - self._position
            if available == 0:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._buffer, self._position = chunk, 0
                continue
            taken = min(available, missing)
            parts.append(self._buffer[self._position : self._position + taken])
            self._position += taken
            missing -= taken
        return b"".join(parts)
