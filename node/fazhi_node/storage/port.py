"""The ports of the storage: what the floors above may rely on. Every implementation keeps these guarantees, and one
contract test-suite holds them all to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

Batch = Sequence[tuple[bytes, bytes | None]]
"""Keys with the values they shall have; None deletes. A key that stands twice gets the later value."""


def require_bytes(value: bytes) -> bytes:
    """``value``; raises TypeError for anything but bytes, before anything is written."""
    if type(value) is not bytes:
        raise TypeError("keys and values are bytes")
    return value


class KeyValue(Protocol):
    """An ordered map of bytes to bytes, kept on disk. Keys are ordered by their bytes.

    An implementation whose files carry no checksums sets the attribute ``without_checksums``: a damaged index may then
    lead to no value, or to an old one, and whoever relies on it has to hold it against something else.

    One writer at a time; reads and scans are allowed from any thread, also while a write runs. Every method raises
    :class:`~fazhi_node.storage.errors.StorageError`, and after a failed write only reading goes on (``store-stopped``).
    """

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key`` in the last written state, None where there is none."""

    def scan(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < stop`` in order of keys, or the reverse.

        The pairs are those of the moment of the call: writes that come later do not show. Close the iterator, or run it
        to its end."""

    def view(self) -> KeyValue:
        """The store as of this moment, for reading alone, until it is closed or the store is: then its methods raise
        ``store-stopped``. It keeps what is replaced meanwhile on the disk. From any thread."""

    def write(self, batch: Batch, sync: bool = True) -> None:
        """All of ``batch`` or nothing of it, whatever happens.

        With ``sync`` it is durable when this returns. Without, a power cut may take it, even where later synced writes
        survive; it is never taken in part. An empty batch does nothing."""

    def close(self) -> None:
        """Give up the store and its lock. A second call does nothing."""


class VoteLog(Protocol):
    """Every body that this node signed in consensus and may have to send again, byte for byte.

    Records belong to a height. Heights below ``floor`` are decided and stored: nothing more is signed for them, and
    their records are gone."""

    @property
    def floor(self) -> int:
        """The lowest height for which a vote is accepted."""

    @property
    def amnesiac(self) -> bool:
        """Whether nothing may be signed until :meth:`end_amnesia`."""

    def append(self, record: bytes, height: int) -> None:
        """Durable when it returns (one write, one fdatasync): only then may the vote leave.

        Raises:
            VoteRefused: below the floor, or while amnesiac; nothing was written and the log goes on.
            StorageError: the log is stopped for good.
        """

    def records(self) -> tuple[tuple[int, bytes], ...]:
        """``(height, record)`` of every height from the floor on, oldest first. Some at or above it may be older than
        the last truncation."""

    def truncate_below(self, height: int) -> None:
        """Forget all below ``height``, whose predecessors are decided and durable elsewhere; the floor rises to it.

        The new floor is durable with the next vote, and after about a second by itself.
        """

    def begin_amnesia(self) -> None:
        """What was signed may not be known here: refuse every vote until :meth:`end_amnesia`. Durable when it returns.
        Nothing happens where the log is amnesiac already."""

    def end_amnesia(self, first_height: int) -> None:
        """Others have shown that no vote this node may have signed can matter from ``first_height`` on: vote again from
        there."""

    def close(self) -> None:
        """Give up the log. A second call does nothing."""
