"""A disk that does what disks may do at a power cut: it keeps what was synced, and of the rest any sectors and any
names, or none.

It implements the :class:`~fazhi_node.storage.files.Files` port, so the production code runs on it unchanged. Time is
the number of operations that change something: a cut or an error can be set for any one of them."""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fazhi_node.storage.errors import StoreLocked

SECTOR = 512


class PowerCut(BaseException):
    """Everything stops here. Not an Exception: no handler of the code under test may go on."""


@dataclass
class Inode:
    """``cached`` is what the system shows, ``durable`` what the disk holds, ``dirty`` what was written since the last
    sync."""

    durable: bytearray = field(default_factory=bytearray)
    cached: bytearray = field(default_factory=bytearray)
    dirty: list[tuple[int, bytes]] = field(default_factory=list)


def put(target: bytearray, offset: int, data: bytes) -> None:
    """Write into ``target``, filling a gap with zeros."""
    if len(target) < offset:
        target.extend(bytes(offset - len(target)))
    target[offset : offset + len(data)] = data


def sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    """``data`` cut at sector boundaries: what a disk writes as one."""
    parts = []
    while data:
        length = SECTOR - offset % SECTOR
        parts.append((offset, data[:length]))
        offset, data = offset + length, data[length:]
    return parts


class SimFile:
    """An open file (:class:`~fazhi_node.storage.files.OpenFile`)."""

    def __init__(self, disk: SimDisk, inode: Inode) -> None:
        self._disk = disk
        self._inode = inode

    def size(self) -> int:
        return len(self._inode.cached)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._inode.cached[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        self._disk.step("write")
        put(self._inode.cached, offset, data)
        self._inode.dirty.append((offset, data))

    def sync_data(self) -> None:
        try:
            self._disk.step("sync")
        except OSError:
            self._inode.dirty.clear()  # fsyncgate: the system forgets that these were never written
            raise
        for offset, data in self._inode.dirty:
            put(self._inode.durable, offset, data)
        self._inode.dirty.clear()

    def sync(self) -> None:
        self.sync_data()

    def close(self) -> None:
        pass


class SimLock:
    def __init__(self, disk: SimDisk, path: Path) -> None:
        self._disk = disk
        self._path = path

    def release(self) -> None:
        self._disk.locked.discard(self._path)


class SimDisk:
    """The disk. ``cut_at`` and ``fail_at`` name an operation by its number, counted from 0."""

    def __init__(self) -> None:
        self.names: dict[Path, Inode] = {}
        self.durable_names: dict[Path, Inode] = {}
        self.pending_names: list[dict[Path, Inode | None]] = []
        self.locked: set[Path] = set()
        self.steps: list[str] = []
        self.cut_at: int | None = None
        self.fail_at: int | None = None
        self.fail_with = errno.EIO

    def step(self, what: str) -> None:
        """One operation that changes something."""
        number = len(self.steps)
        self.steps.append(what)
        if number == self.cut_at:
            raise PowerCut
        if number == self.fail_at:
            raise OSError(self.fail_with, "injected")

    def exists(self, path: Path) -> bool:
        return path in self.names

    def open(self, path: Path) -> SimFile:
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return SimFile(self, self.names[path])

    def create(self, path: Path) -> SimFile:
        self.step("create")
        inode = Inode()
        self._rename({path: inode})
        return SimFile(self, inode)

    def rename(self, old: Path, new: Path) -> None:
        self.step("rename")
        if old not in self.names:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(old))
        self._rename({new: self.names[old], old: None})

    def _rename(self, change: dict[Path, Inode | None]) -> None:
        self.pending_names.append(change)
        apply(self.names, change)

    def make_directory(self, path: Path) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        self.step("sync directory")
        waiting = [change for change in self.pending_names if any(name.parent == path for name in change)]
        for change in waiting:
            apply(self.durable_names, change)
            self.pending_names.remove(change)

    def lock(self, path: Path) -> SimLock:
        if path in self.locked:
            raise StoreLocked("store-locked", path=str(path.parent), process=0)
        self.locked.add(path)
        return SimLock(self, path)

    def cut_power(self, rng: random.Random, luck: Literal["none", "all", "some"] = "some") -> None:
        """Lose what was not synced: all of it, none of it, or as ``rng`` will have it, sector by sector and name by
        name."""

        def lands() -> bool:
            return luck == "all" or (luck == "some" and rng.random() < 0.5)

        for change in self.pending_names:  # in order: file systems with a journal keep a prefix, others any of them
            if lands():
                apply(self.durable_names, change)
        self.pending_names.clear()
        inodes = {id(inode): inode for inode in (*self.names.values(), *self.durable_names.values())}
        for inode in inodes.values():
            for offset, data in inode.dirty:
                for start, part in sectors(offset, data):
                    if lands():
                        put(inode.durable, start, part)
            inode.dirty.clear()
            inode.cached = bytearray(inode.durable)
        self.names = dict(self.durable_names)
        self.locked.clear()
        self.cut_at = self.fail_at = None


def apply(names: dict[Path, Inode], change: dict[Path, Inode | None]) -> None:
    """Carry out one change of names."""
    for path, inode in change.items():
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode
