"""The ports in memory, for simulations and tests that need no disk: real implementations under the same contract tests.

A :class:`MemoryDisk` outlives the stores on it as a disk outlives processes; :meth:`MemoryDisk.cut_power` loses what
was not synced."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterator

from .errors import DiskFailed, StoreLocked, StoreStopped, VoteRefused
from .port import Batch, require_bytes
from .view import StoreView, Views, view_of

Entry = tuple[bytes, bytes | None]


class MemoryDisk:
    """What survives of a :class:`MemoryStore` and a :class:`MemoryVoteLog`."""

    def __init__(self) -> None:
        self.durable: dict[bytes, bytes] = {}
        self.unsynced: list[tuple[Entry, ...]] = []
        self.votes: list[tuple[int, bytes]] = []
        self.floor = 1
        self.amnesiac = False
        self.failing = False
        """While set, every write fails, and with it the store."""
        self.owner: object | None = None

    def cut_power(self) -> None:
        """Lose every write that was not synced, and the process with its lock."""
        self.unsynced.clear()
        self.owner = None

    def keep(self, batch: tuple[Entry, ...]) -> None:
        """Make one batch durable."""
        for key, value in batch:
            if value is None:
                self.durable.pop(key, None)
            else:
                self.durable[key] = value


class MemoryStore:
    """A :class:`~fazhi_node.storage.port.KeyValue` on a :class:`MemoryDisk`."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk if disk is not None else MemoryDisk()
        if self.disk.owner is not None:
            raise StoreLocked("store-locked", path="memory", process=0)
        self.disk.owner = self
        self._values = dict(self.disk.durable)
        for batch in self.disk.unsynced:  # the system still holds them: only a power cut takes them
            self._apply(batch)
        self._keys: list[bytes] | None = None
        self._mutex = threading.Lock()
        self._views = Views()
        self._stopped = False

    def _apply(self, batch: tuple[Entry, ...]) -> None:
        for key, value in batch:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def get(self, key: bytes) -> bytes | None:
        self._check_owner()
        return self._values.get(key)

    def scan(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        self._check_owner()
        with self._mutex:
            if self._keys is None:
                self._keys = sorted(self._values)
            chosen = self._keys[bisect.bisect_left(self._keys, start) : bisect.bisect_left(self._keys, stop)]
            pairs = [(key, self._values[key]) for key in chosen]
        return self._steps(pairs[::-1] if reverse else pairs)

    def _steps(self, pairs: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for pair in pairs:
            self._check_owner()
            yield pair

    def view(self) -> StoreView:
        self._check_owner()
        with self._mutex:
            return self._views.add(view_of("memory", self._values))

    def write(self, batch: Batch, sync: bool = True) -> None:
        self._check_owner()
        if self._stopped:
            raise StoreStopped("store-stopped", path="memory")
        entries = tuple((require_bytes(key), None if value is None else require_bytes(value)) for key, value in batch)
        if not entries:
            return
        if self.disk.failing:
            self._stopped = True
            raise DiskFailed("disk-failed", path="memory", what="write", error="EIO")
        with self._mutex:
            if any((value is None) == (key in self._values) for key, value in entries):
                self._keys = None
            self._apply(entries)
        self.disk.unsynced.append(entries)
        if sync:
            for waiting in self.disk.unsynced:
                self.disk.keep(waiting)
            self.disk.unsynced.clear()

    def close(self) -> None:
        self._stopped = True
        self._views.close()
        if self.disk.owner is self:
            self.disk.owner = None

    def _check_owner(self) -> None:
        if self.disk.owner is not self:
            raise StoreStopped("store-stopped", path="memory")


class MemoryVoteLog:
    """A :class:`~fazhi_node.storage.port.VoteLog` on a :class:`MemoryDisk`. It does not detect amnesia: simulations set
    it on the disk."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk if disk is not None else MemoryDisk()
        self._stopped = False

    @property
    def floor(self) -> int:
        return self.disk.floor

    @property
    def amnesiac(self) -> bool:
        return self.disk.amnesiac

    def append(self, record: bytes, height: int) -> None:
        if self._stopped:
            raise StoreStopped("store-stopped", path="memory")
        if self.disk.amnesiac:
            raise VoteRefused("vote-while-amnesiac", height=height)
        if height < self.disk.floor:
            raise VoteRefused("vote-below-floor", height=height, floor=self.disk.floor)
        if self.disk.failing:
            self._stopped = True
            raise DiskFailed("disk-failed", path="memory", what="vote", error="EIO")
        self.disk.votes.append((height, bytes(record)))

    def records(self) -> tuple[tuple[int, bytes], ...]:
        return tuple(self.disk.votes)

    def truncate_below(self, height: int) -> None:
        if self._stopped:
            raise StoreStopped("store-stopped", path="memory")
        self.disk.floor = max(self.disk.floor, height)
        self.disk.votes[:] = [vote for vote in self.disk.votes if vote[0] >= self.disk.floor]

    def begin_amnesia(self) -> None:
        if self._stopped:
            raise StoreStopped("store-stopped", path="memory")
        self.disk.amnesiac = True
        self.disk.votes.clear()

    def end_amnesia(self, first_height: int) -> None:
        if self._stopped:
            raise StoreStopped("store-stopped", path="memory")
        self.disk.amnesiac = False
        self.truncate_below(first_height)

    def close(self) -> None:
        self._stopped = True
