"""The node's store on LevelDB, through plyvel.

What the library leaves to its user, and is done here: batches are transactions (without, a batch whose body raises is
written in half), ``sync`` is said every time (its default is off), checksums are checked on every read, the lock is
ours (see :mod:`.lock`), and new files' names are made durable (see :mod:`.directory`)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import plyvel

from .directory import DirectoryWatch
from .errors import StorageError, StoreCorrupt, StoreLocked, StoreStopped, from_os_error, from_text
from .files import Lock, RealFiles
from .leveldb_log import cut_torn_tail
from .limits import BLOCK_CACHE_BYTES, BLOOM_BITS, OPEN_FILES, TABLE_BYTES, WRITE_BUFFER_BYTES
from .port import Batch
from .view import StoreView, Views, next_pairs

NAME: Final = "plyvel"
FOLDER: Final = "leveldb"
OPTIONS: Final[dict[str, Any]] = {
    "paranoid_checks": True,
    "write_buffer_size": WRITE_BUFFER_BYTES,
    "max_file_size": TABLE_BYTES,
    "lru_cache_size": BLOCK_CACHE_BYTES,
    "max_open_files": OPEN_FILES,
    "bloom_filter_bits": BLOOM_BITS,
    # Each entry is written several times over as levels are merged, and most are digests: compressing them each time
    # took a third of the CPU of all execution and storing at 160,000 records, and saved a third of the bytes.
    "compression": None,
}


class _Users:
    """Threads that are inside the library. When a database is closed it frees what they use, and asks nobody: that had
    ended the process."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # a Condition would cost more than the reading itself
        self._left = threading.Event()
        self._inside = 0
        self._closed = False

    def __enter__(self) -> None:
        with self._mutex:
            if self._closed:
                raise RuntimeError("closed")  # as the library's own
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            self._inside -= 1
            if self._closed and not self._inside:
                self._left.set()

    def close(self) -> None:
        """Let nobody in any more, and wait for those who are."""
        with self._mutex:
            self._closed = True
            if not self._inside:
                return
        self._left.wait()


class LevelStore:
    """A :class:`~fazhi_node.storage.port.KeyValue` in the directory ``path``.

    ``lock``, which must be held, is released by :meth:`close`.

    Raises:
        StorageError: the directory cannot be opened; ``store-corrupt`` where LevelDB finds damage that is not a write
        cut short (see :mod:`.leveldb_log`; nothing else is repaired silently).
    """

    def __init__(self, path: Path, lock: Lock | None = None) -> None:
        self._path = path
        self._lock = lock
        self._stopped = False
        self._watch = DirectoryWatch(path)
        self._views = Views()
        self._users = _Users()
        self.torn_bytes = 0
        """Bytes of a batch cut short by a power cut that the opening left out; for the log of the node."""
        try:
            self._db = self._open_or_cut()
        except (plyvel.Error, OSError) as error:
            raise self._translate(error, "open") from error
        try:
            RealFiles().sync_directory(path)
            RealFiles().sync_directory(path.parent)
        except OSError as error:
            self._db.close()
            raise from_os_error(error, "open", path) from error

    def _open_or_cut(self) -> plyvel.DB:
        try:
            return self._open()
        except plyvel.CorruptionError:
            self.torn_bytes = cut_torn_tail(RealFiles(), self._path)
            if not self.torn_bytes:
                raise
        return self._open()

    def _open(self) -> plyvel.DB:
        return plyvel.DB(str(self._path), create_if_missing=True, **OPTIONS)

    def get(self, key: bytes) -> bytes | None:
        return self._get(self._db, key)

    def _get(self, source: plyvel.DB | plyvel.Snapshot, key: bytes) -> bytes | None:
        try:
            with self._users:
                value: bytes | None = source.get(key, verify_checksums=True)
        except (plyvel.Error, RuntimeError) as error:
            raise self._translate(error, "read") from error
        return value

    def scan(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        return self._scan(self._db, start, stop, reverse)

    def _scan(
        self, source: plyvel.DB | plyvel.Snapshot, start: bytes, stop: bytes, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        try:  # an iterator sees the moment of its creation: it is created here, not at the first step
            with self._users:
                pairs = source.iterator(
                    start=start, stop=stop, reverse=reverse, verify_checksums=True, fill_cache=False
                )
        except (plyvel.Error, RuntimeError) as error:
            raise self._translate(error, "scan") from error
        return self._steps(pairs)

    def _steps(self, pairs: plyvel.Iterator) -> Iterator[tuple[bytes, bytes]]:
        try:
            while True:
                with self._users:
                    some = next_pairs(pairs)
                if not some:
                    return
                yield from some
        except (plyvel.Error, RuntimeError) as error:
            raise self._translate(error, "scan") from error
        finally:
            with contextlib.suppress(RuntimeError), self._users:  # the database closes its iterators itself
                pairs.close()

    def view(self) -> StoreView:
        try:
            with self._users:
                moment = self._db.snapshot()
        except (plyvel.Error, RuntimeError) as error:
            raise self._translate(error, "scan") from error
        return self._views.add(
            StoreView(
                str(self._path),
                lambda key: self._get(moment, key),
                lambda start, stop, reverse: self._scan(moment, start, stop, reverse),
                moment.close,
            )
        )

    def write(self, batch: Batch, sync: bool = True) -> None:
        if self._stopped:
            raise StoreStopped("store-stopped", path=str(self._path))
        entries = list(batch)  # whatever the batch's own code raises is not the store's
        if not entries:
            return
        try:
            with self._db.write_batch(transaction=True, sync=sync) as pending:
                for key, value in entries:
                    if value is None:
                        pending.delete(key)
                    else:
                        pending.put(key, value)
            if sync:
                self._watch.sync()
        except (plyvel.Error, RuntimeError) as error:
            self._stopped = True
            raise self._translate(error, "write") from error
        except OSError as error:
            self._stopped = True
            raise from_os_error(error, "write", self._path) from error

    def close(self) -> None:
        self._stopped = True
        self._views.close()
        self._users.close()
        self._db.close()
        if self._lock is not None:
            self._lock.release()

    def _translate(self, error: Exception, what: str) -> StorageError:
        path = str(self._path)
        text = (
            error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        )
        if isinstance(error, plyvel.CorruptionError):
            return StoreCorrupt("store-corrupt", path=path, what=text[:200])
        if isinstance(error, RuntimeError) and not isinstance(error, plyvel.Error):
            return StoreStopped("store-stopped", path=path)
        if "lock " in text and what == "open":
            return StoreLocked("store-locked", path=path, process=0)
        if "Corruption" in text or "missing files" in text:
            return StoreCorrupt("store-corrupt", path=path, what=text[:200])
        return from_text(text, what, path)
