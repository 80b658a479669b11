"""One owner for a directory: an advisory lock on a sidecar file, taken before anything else is opened and held until
the end.

LevelDB brings a lock of its own, but it is a POSIX record lock: a refused second open in the same process closes a
descriptor of the file, which silently drops the lock of the first, and another process then opens the same store.
``flock`` belongs to the open file instead."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from .errors import StoreLocked, from_os_error

_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


class FileLock:
    """An exclusive lock on ``path``, which is created if need be. Only who holds it may remove it, or its directory:
    who had opened it before that is refused, for others lock another file of that name.

    A refused attempt changes nothing for the holder. The lock ends with :meth:`release` or with the process, however
    that dies; children that were forked do not keep it alive.

    Raises:
        StoreLocked: ``store-locked``, with the holder's process id where it is known.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise from_os_error(error, "lock", path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise StoreLocked("store-locked", path=str(path.parent), process=holder) from None
        except OSError as error:
            os.close(descriptor)
            raise from_os_error(error, "lock", path) from error
        if not _still_names(path, descriptor):
            os.close(descriptor)
            raise StoreLocked("store-locked", path=str(path.parent), process=0)
        self._descriptor = descriptor
        _note_holder(descriptor)
        _held.add(self)

    def release(self) -> None:
        """Let others in. A second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _still_names(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _holder(descriptor: int) -> int:
    """The process id that the holder noted; 0 where it cannot be read. For people only, nothing depends on it."""
    try:
        text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    except OSError:
        return 0
    return int(text) if text.isascii() and text.isdigit() else 0


def _note_holder(descriptor: int) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    except OSError:  # a full disk must not keep a node from opening its store for reading
        pass


def _close_in_child() -> None:
    """A forked child shares the open file, so that the lock would outlive its owner in it: the child closes its
    copy."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_close_in_child)
