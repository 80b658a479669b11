"""The few file operations that durability rests on, behind a port, so that tests can lose, tear and refuse them.

What is durable when: bytes after :meth:`OpenFile.sync` or :meth:`OpenFile.sync_data`; the *name* of a new or renamed
file only after :meth:`Files.sync_directory` of the directory it stands in (CometBFT's signer forgot that one:
cometbft#6031)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

from .lock import FileLock

_FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)


class OpenFile(Protocol):
    """A file that is open for reading and writing at given offsets. All methods raise ``OSError``."""

    def size(self) -> int:
        """Length in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from ``offset``; fewer only at the end of the file."""

    def write(self, offset: int, data: bytes) -> None:
        """All of ``data`` at ``offset``; not durable yet."""

    def sync_data(self) -> None:
        """Make the bytes, and the length where it grew, durable (fdatasync)."""

    def sync(self) -> None:
        """Make the bytes and everything about the file durable (fsync)."""

    def close(self) -> None:
        """Close it."""


class Lock(Protocol):
    """A lock that is held."""

    def release(self) -> None:
        """Let others in. A second call does nothing."""


class Files(Protocol):
    """A file system. All methods raise ``OSError``."""

    def exists(self, path: Path) -> bool:
        """Whether there is something under this name."""

    def open(self, path: Path) -> OpenFile:
        """An existing file; ``FileNotFoundError`` where there is none."""

    def create(self, path: Path) -> OpenFile:
        """An empty file of this name; one that was there loses its contents."""

    def rename(self, old: Path, new: Path) -> None:
        """Move ``old`` over ``new``: whoever looks sees the one or the other."""

    def make_directory(self, path: Path) -> None:
        """Create the directory and those above it; nothing where it is there."""

    def sync_directory(self, path: Path) -> None:
        """Make the names in the directory durable."""

    def lock(self, path: Path) -> Lock:
        """Become the one owner of ``path``, or raise :class:`~fazhi_node.storage.errors.StoreLocked`."""


class _RealFile:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        parts = []
        while length > 0:
            part = os.pread(self._descriptor, length, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:  # a nearly full disk takes a part first and says so only at the next try
            written = os.pwrite(self._descriptor, view, offset)
            offset += written
            view = view[written:]

    def sync_data(self) -> None:
        if _FULL_SYNC is not None:  # macOS: fsync leaves the bytes in the drive's cache
            fcntl.fcntl(self._descriptor, _FULL_SYNC)
        else:
            os.fdatasync(self._descriptor)

    def sync(self) -> None:
        if _FULL_SYNC is not None:
            fcntl.fcntl(self._descriptor, _FULL_SYNC)
        else:
            os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class RealFiles:
    """The operating system's files (:class:`Files`)."""

    def exists(self, path: Path) -> bool:
        return path.exists()

    def open(self, path: Path) -> OpenFile:
        return _RealFile(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def create(self, path: Path) -> OpenFile:
        return _RealFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)

    def make_directory(self, path: Path) -> None:
        missing = []
        while not path.exists():
            missing.append(path)
            path = path.parent
        for directory in reversed(missing):
            directory.mkdir(mode=0o700, exist_ok=True)
            self.sync_directory(directory.parent)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lock(self, path: Path) -> Lock:
        return FileLock(path)


def write_file(files: Files, path: Path, data: bytes) -> None:
    """Put ``data`` under ``path`` so that after any crash the name holds the old contents or all of the new; durable
    when it returns."""
    scratch = path.with_name(path.name + ".new")
    file = files.create(scratch)
    try:
        file.write(0, data)
        file.sync()
    finally:
        file.close()
    files.rename(scratch, path)
    files.sync_directory(path.parent)


def read_file(files: Files, path: Path, max_bytes: int) -> bytes:
    """The contents of ``path``, at most ``max_bytes`` of them."""
    file = files.open(path)
    try:
        return file.read(0, max_bytes)
    finally:
        file.close()
