"""The disk of one node, and how it fails: what was not synced is lost in part, writes tear, names vanish, bits flip,
room ends, syncs fail or take their time.

The vote log and its guard are files of a :class:`~tests.node.storage.sim_files.SimDisk`, under the production code. The
key-value store is simulated at its port: a batch is whole or absent, durable once it was written with ``sync``, and of
one that was under way when the power went nobody knows.
"""

from __future__ import annotations

import bisect
import errno
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fazhi_node.storage.errors import DiskFailed, DiskFull, StoreLocked, StoreStopped
from fazhi_node.storage.port import Batch, require_bytes
from fazhi_node.storage.view import StoreView, view_of

from tests.node.storage.sim_files import Inode, SimDisk, SimFile

Boundary = Callable[[str], None]
"""Called before and after whatever leaves a trace, with its kind; it may raise, and then the node is gone."""


@dataclass
class Trouble:
    """What is wrong with a disk at the moment. ``full_after`` and ``fail_after`` count operations down."""

    full_after: int | None = None
    fail_after: int | None = None
    slow_ms: int = 0

    def step(self) -> int | None:
        """The errno of this operation, if it fails."""
        if self.full_after is not None:
            if self.full_after == 0:
                return errno.ENOSPC
            self.full_after -= 1
        if self.fail_after is not None:
            if self.fail_after == 0:
                self.fail_after = None
                return errno.EIO
            self.fail_after -= 1
        return None


class NodeFiles(SimDisk):
    """The files of one node. Every operation is a boundary."""

    def __init__(self, trouble: Trouble, boundary: Boundary, stall: Callable[[], None]) -> None:
        super().__init__()
        self._trouble = trouble
        self._boundary = boundary
        self._stall = stall

    def step(self, what: str) -> None:
        self._boundary("persist")
        number = self._trouble.step()
        if number is not None:
            raise OSError(number, "injected")
        if what.startswith("sync"):
            self._stall()

    def open(self, path: Path) -> SimFile:
        return NodeFile(self, super().open(path)._inode)

    def create(self, path: Path) -> SimFile:
        return NodeFile(self, super().create(path)._inode)


class NodeFile(SimFile):
    """A file that a full disk takes a part of."""

    def write(self, offset: int, data: bytes) -> None:
        try:
            super().write(offset, data)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                part = data[: len(data) // 2]
                self._inode.cached[offset : offset + len(part)] = part
                self._inode.dirty.append((offset, part))
            raise


@dataclass
class Pairs:
    """What a key-value store keeps: ``durable`` survives the power, ``visible`` is what a reader sees."""

    durable: dict[bytes, bytes] = field(default_factory=dict)
    visible: dict[bytes, bytes] = field(default_factory=dict)
    under_way: list[tuple[tuple[bytes, bytes | None], ...]] = field(default_factory=list)


def put_all(target: dict[bytes, bytes], batch: tuple[tuple[bytes, bytes | None], ...]) -> None:
    for key, value in batch:
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value


class SimKeyValue:
    """A :class:`~fazhi_node.storage.port.KeyValue` on a :class:`NodeDisk`."""

    def __init__(self, disk: NodeDisk) -> None:
        self._disk = disk
        if disk.owner is not None:
            raise StoreLocked("store-locked", path="simulated", process=0)
        disk.owner = self
        self._keys: list[bytes] | None = None
        self._stopped = False
        pairs = disk.pairs
        pairs.durable = dict(pairs.visible)  # opening recovers the store's own log, and syncs what it finds
        pairs.under_way.clear()

    def get(self, key: bytes) -> bytes | None:
        self._check_owner()
        return self._disk.pairs.visible.get(key)

    def scan(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        self._check_owner()
        visible = self._disk.pairs.visible
        if self._keys is None:
            self._keys = sorted(visible)
        chosen = self._keys[bisect.bisect_left(self._keys, start) : bisect.bisect_left(self._keys, stop)]
        return iter([(key, visible[key]) for key in (chosen[::-1] if reverse else chosen)])

    def view(self) -> StoreView:
        self._check_owner()
        return view_of("simulated", self._disk.pairs.visible)

    def write(self, batch: Batch, sync: bool = True) -> None:
        self._check_owner()
        if self._stopped:
            raise StoreStopped("store-stopped", path="simulated")
        entries = tuple((require_bytes(key), None if value is None else require_bytes(value)) for key, value in batch)
        if not entries:
            return
        disk = self._disk
        disk.boundary("store")
        self._keys = None
        pairs = disk.pairs
        self._fail("write")
        put_all(pairs.visible, entries)
        pairs.under_way.append(entries)
        if sync:
            disk.boundary("store")
            self._fail("sync")
            disk.stall()
            for waiting in pairs.under_way:
                put_all(pairs.durable, waiting)
            pairs.under_way.clear()
        disk.boundary("store")

    def _fail(self, what: str) -> None:
        number = self._disk.trouble.step()
        if number is not None:
            self._stopped = True
            kind = DiskFull if number == errno.ENOSPC else DiskFailed
            code = "disk-full" if number == errno.ENOSPC else "disk-failed"
            raise kind(code, path="simulated", what=what, error=errno.errorcode[number])

    def close(self) -> None:
        self._stopped = True
        if self._disk.owner is self:
            self._disk.owner = None

    def _check_owner(self) -> None:
        if self._disk.owner is not self:
            raise StoreStopped("store-stopped", path="simulated")


Backup = tuple[dict[bytes, bytes], dict[Path, bytes]]


class NodeDisk:
    """Everything of one node that outlives its process. ``boundary`` and ``stall`` are the node's."""

    def __init__(self, boundary: Boundary, stall: Callable[[], None]) -> None:
        self.boundary = boundary
        self.stall = stall
        self.trouble = Trouble()
        self.files = NodeFiles(self.trouble, boundary, stall)
        self.pairs = Pairs()
        self.owner: object | None = None
        self.taken = 0
        """How often somebody took the chain away."""

    def lose_process(self) -> None:
        """The process is gone; the system still has what it wrote."""
        self.owner = None
        self.files.locked.clear()

    def cut_power(self, rng: random.Random, luck: int) -> None:
        """The power is gone, and what was not synced, as ``luck`` has it: 0 all of it, 1 nothing, 2 some."""
        self.lose_process()
        self.files.cut_power(rng, "none" if luck == 0 else "all" if luck == 1 else "some")
        pairs = self.pairs
        pairs.visible = pairs.durable
        for batch in pairs.under_way:
            if luck == 1 or (luck == 2 and rng.random() < 0.5):
                put_all(pairs.visible, batch)
        pairs.durable = dict(pairs.visible)
        pairs.under_way.clear()

    # Damage

    def rot_value(self, rng: random.Random) -> bytes | None:
        """Flip a bit of a stored value; answers its key."""
        keys = sorted(self.pairs.visible)
        if not keys:
            return None
        key = rng.choice(keys)
        value = flip(rng, self.pairs.visible[key])
        self.pairs.visible[key] = value
        if key in self.pairs.durable:
            self.pairs.durable[key] = value
        return key

    def rot_file(self, rng: random.Random, path: Path, first: int, last: int) -> bool:
        """Flip a bit of a file, within an interval of offsets."""
        inode = self.files.names.get(path)
        if inode is None:
            return False
        last = min(last, len(inode.cached), len(inode.durable))
        if first >= last:
            return False
        offset, bit = rng.randrange(first, last), 1 << rng.randrange(8)
        inode.cached[offset] ^= bit
        inode.durable[offset] ^= bit
        return True

    def wipe(self, directory: Path | None) -> None:
        """The chain is gone, and with ``directory`` the files in it."""
        self.taken += 1
        self.pairs = Pairs()
        if directory is not None:
            for names in (self.files.names, self.files.durable_names):
                for path in [path for path in names if path.parent == directory]:
                    del names[path]

    def put(self, pairs: dict[bytes, bytes]) -> None:
        """Put a chain in the place of what is there."""
        self.pairs = Pairs(dict(pairs), dict(pairs))

    def backup(self, directory: Path) -> Backup:
        """A copy of the chain and of the files in ``directory``."""
        files = self.files
        copies = {path: bytes(files.names[path].cached) for path in files.names if path.parent == directory}
        return dict(self.pairs.visible), copies

    def restore(self, backup: Backup, directory: Path) -> None:
        """Put a copy in the place of what is there."""
        self.wipe(directory)
        visible, copies = backup
        self.put(visible)
        for path, data in copies.items():
            inode = Inode(bytearray(data), bytearray(data))
            self.files.names[path] = self.files.durable_names[path] = inode


def flip(rng: random.Random, data: bytes) -> bytes:
    """``data`` with one bit flipped."""
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)
