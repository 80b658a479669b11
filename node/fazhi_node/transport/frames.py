"""Many small frames in one gRPC message.

A gRPC message costs some 400 µs of CPU whatever its size, a coalesced frame 2 µs: votes and gossip that wait together
travel together. The form is ``u32 big-endian length ‖ frame``, repeated; there is nothing else in a message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fazhi_ledger.errors import EncodingError

from ..limits import MAX_FRAME_BYTES

LENGTH_BYTES: Final = 4
MAX_PACKED_BYTES: Final = MAX_FRAME_BYTES + LENGTH_BYTES
COALESCE_BYTES: Final = 256 * 1024
"""A message is closed at this size; a larger frame travels alone."""
MAX_FRAMES: Final = 4096
"""Most frames in one message."""


def pack(frames: Iterable[bytes]) -> bytes:
    """One message of these frames."""
    parts: list[bytes] = []
    for frame in frames:
        parts.append(len(frame).to_bytes(LENGTH_BYTES, "big"))
        parts.append(frame)
    return b"".join(parts)


def unpack(message: bytes) -> list[bytes]:
    """The frames of one message.

    Raises:
        EncodingError: ``bad-frame`` where lengths do not add up, there are too many frames, or none: a message without
            any would be no frame for which its sender is held to account.
    """
    if not message:
        raise EncodingError("bad-frame", position=0)
    frames: list[bytes] = []
    position, end = 0, len(message)
    while position < end:
        start = position + LENGTH_BYTES
        length = int.from_bytes(message[position:start], "big")
        position = start + length
        if position > end or not 0 < length <= MAX_FRAME_BYTES or len(frames) >= MAX_FRAMES:
            raise EncodingError("bad-frame", position=start)
        frames.append(message[start:position])
    return frames


@dataclass(slots=True)
class _Entry:
    frame: bytes  # empty: dropped


class SendQueue:
    """What waits for one peer, in order, bounded in frames and bytes.

    When it is full the oldest gossip is dropped first: any node may offer a submission again. Only when no gossip is
    left is the oldest of the rest dropped. That may be a vote, and is safe: consensus assumes that messages get lost,
    and a round change or the answer with the decided block repairs it; to wait, or to grow without bound, for a peer
    that does not read would harm the others.
    """

    __slots__ = ("_bytes", "_bytes_max", "_count", "_frames_max", "_gossip", "_line", "dropped")

    def __init__(self, frames_max: int, bytes_max: int) -> None:
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._count = 0
        self._line: deque[_Entry] = deque()
        self._gossip: deque[_Entry] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return self._count

    @property
    def bytes_waiting(self) -> int:
        """Bytes of all frames that wait."""
        return self._bytes

    def put(self, frame: bytes, *, gossip: bool) -> None:
        """Append a frame, dropping older ones where the bounds ask for it; a frame above the size limit is never
        queued.
        """
        if not 0 < len(frame) <= MAX_FRAME_BYTES:
            self.dropped += 1
            return
        entry = _Entry(frame)
        self._line.append(entry)
        if gossip:
            self._gossip.append(entry)
        self._bytes += len(frame)
        self._count += 1
        while self._count > self._frames_max or (self._bytes > self._bytes_max and self._count > 1):
            self._drop_one()

    def take(self) -> list[bytes]:
        """The frames of the next message: at least one if any waits."""
        taken: list[bytes] = []
        size = 0
        while self._line and len(taken) < MAX_FRAMES:
            frame = self._line[0].frame
            if taken and size + len(frame) > COALESCE_BYTES:
                break
            entry = self._line.popleft()
            if not frame:
                continue
            self._bytes -= len(frame)
            self._count -= 1
            size += len(frame)
            taken.append(frame)
            if self._gossip and self._gossip[0] is entry:
                self._gossip.popleft()
        return taken

    def clear(self) -> None:
        """Forget everything: the connection is gone, and whatever is still true will be said again."""
        self._line.clear()
        self._gossip.clear()
        self._bytes = self._count = 0

    def _drop_one(self) -> None:
        if self._gossip:
            entry = self._gossip.popleft()
        else:
            entry = self._line.popleft()
            while not entry.frame:
                entry = self._line.popleft()
        self._bytes -= len(entry.frame)
        self._count -= 1
        self.dropped += 1
        entry.frame = b""
        while self._line and not self._line[0].frame:
            self._line.popleft()
