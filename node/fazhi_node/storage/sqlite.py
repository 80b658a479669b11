"""The node's store on SQLite, out of the standard library: for every platform where LevelDB has no ready package.

Write-ahead log with ``synchronous=FULL``: a commit is one sequential write and one fsync (the rollback journal needs
three or four), and readers see a consistent state while a commit runs. The table has no rowid: it *is* the tree of
keys."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from weakref import WeakSet

from .errors import DiskFull, StorageError, StoreCorrupt, StoreLocked, StoreStopped, from_os_error, from_text
from .files import Lock, RealFiles
from .limits import BUSY_SECONDS, CHECKPOINT_PAGES, SQLITE_CACHE_KIB, SQLITE_PAGE_BYTES, WAL_KEPT_BYTES
from .port import Batch, require_bytes
from .view import StoreView, Views

NAME: Final = "sqlite"
FILE: Final = "store.sqlite3"
_APPLICATION_ID: Final = 0x665A7374
_FULL: Final = 2
_CORRUPT_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})


class SqliteStore:
    """A :class:`~fazhi_node.storage.port.KeyValue` in the file ``path``.

    Two connections, each behind its own mutex (a connection may serve any thread, but one at a time): one writes, one
    reads. A scan takes a third for as long as it lasts, inside a read transaction, which is what keeps its moment
    still."""

    without_checksums: Final = True

    def __init__(self, path: Path, lock: Lock | None = None) -> None:
        self._path = path
        self._lock = lock
        self._stopped = False
        self._closed = False
        self._views = Views()
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        try:
            self._writer = self._connect()
            self._prepare(self._writer)
            self._reader = self._connect()
        except sqlite3.Error as error:
            raise self._translate(error, "open") from error
        try:
            RealFiles().sync_directory(path.parent)
        except OSError as error:
            raise from_os_error(error, "open", path) from error

    def _connect(self) -> sqlite3.Connection:
        # Autocommit: transactions are begun and ended here, never by the module's own rules.
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for name, value in (
            ("page_size", SQLITE_PAGE_BYTES),
            ("synchronous", "FULL"),
            ("fullfsync", "ON"),  # macOS only
            ("checkpoint_fullfsync", "ON"),
            ("cache_size", -SQLITE_CACHE_KIB),
            ("cell_size_check", "ON"),
            ("trusted_schema", "OFF"),
            ("wal_autocheckpoint", CHECKPOINT_PAGES),
            ("journal_size_limit", WAL_KEPT_BYTES),
        ):
            connection.execute(f"PRAGMA {name}={value}")
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
        if (
            mode != "wal" or level != _FULL
        ):  # some file systems have no shared memory; SQLite then says so only in its answer
            raise from_text(f"journal_mode={mode} synchronous={level}", "open", self._path)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute("CREATE TABLE IF NOT EXISTS kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def get(self, key: bytes) -> bytes | None:
        with self._reading:
            self._check_open()
            return self._get(self._reader, key)

    def _get(self, connection: sqlite3.Connection, key: bytes) -> bytes | None:
        try:
            row = connection.execute("SELECT value FROM kv WHERE key=?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._translate(error, "read") from error
        return None if row is None else bytes(row[0])

    def scan(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        self._check_open()
        connection = self._new_connection()
        return self._closing(connection, self._scan(connection, start, stop, reverse))

    def _new_connection(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise self._translate(error, "scan") from error

    def _scan(
        self,
        connection: sqlite3.Connection,
        start: bytes,
        stop: bytes,
        reverse: bool,
        scans: WeakSet[sqlite3.Cursor] | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        order = "DESC" if reverse else "ASC"
        try:
            rows = connection.execute(
                f"SELECT key, value FROM kv WHERE key>=? AND key<? ORDER BY key {order}",  # noqa: S608 - one of two words
                (start, stop),
            )
            if scans is not None:
                scans.add(rows)
            first = rows.fetchone()  # the moment is that of the first step, and it holds until the last
        except sqlite3.Error as error:
            raise self._translate(error, "scan") from error
        return self._steps(rows, first)

    def _steps(self, rows: sqlite3.Cursor, row: tuple[bytes, bytes] | None) -> Iterator[tuple[bytes, bytes]]:
        try:
            while row is not None:  # one at a time: many rows may be many large blocks
                yield row
                self._check_open()
                row = rows.fetchone()
        except sqlite3.Error as error:
            raise self._translate(error, "scan") from error

    @staticmethod
    def _closing(connection: sqlite3.Connection, pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        try:
            yield from pairs
        finally:
            connection.close()

    def view(self) -> StoreView:
        self._check_open()
        connection = self._new_connection()
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT key FROM kv LIMIT 1").fetchall()  # the moment is that of the first reading
        except sqlite3.Error as error:
            connection.close()
            raise self._translate(error, "scan") from error
        scans: WeakSet[sqlite3.Cursor] = WeakSet()
        return self._views.add(
            StoreView(
                str(self._path),
                lambda key: self._get(connection, key),
                lambda start, stop, reverse: self._scan(connection, start, stop, reverse, scans),
                lambda: self._end_view(connection, list(scans)),
                without_checksums=True,
            )
        )

    def _end_view(self, connection: sqlite3.Connection, scans: Iterable[sqlite3.Cursor]) -> None:
        """Give up its moment, and empty the log into the file: the writer does that behind its next commit alone, and
        where other views begin before that one the log grows for as long as somebody reads."""
        for rows in scans:  # one that was left in the middle would hold the moment although the connection is closed
            rows.close()
        connection.close()
        # What cannot be written now says so at a commit.
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._connect()) as emptying:
            emptying.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def write(self, batch: Batch, sync: bool = True) -> None:
        with self._writing:
            self._check_open()
            if self._stopped:
                raise StoreStopped("store-stopped", path=str(self._path))
            if not batch:
                return
            latest = {require_bytes(key): None if value is None else require_bytes(value) for key, value in batch}
            puts = sorted((key, value) for key, value in latest.items() if value is not None)
            deletes = sorted((key,) for key, value in latest.items() if value is None)
            connection = self._writer
            try:
                # NORMAL leaves out the fsync of this commit alone: the next FULL one covers its bytes too.
                connection.execute(f"PRAGMA synchronous={'FULL' if sync else 'NORMAL'}")
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR REPLACE INTO kv VALUES (?,?)", puts)
                connection.executemany("DELETE FROM kv WHERE key=?", deletes)
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._stopped = True
                if connection.in_transaction:
                    self._give_up(connection)
                raise self._translate(error, "write") from error

    @staticmethod
    def _give_up(connection: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):  # it is refused already, and the first error is the one that tells why
            connection.execute("ROLLBACK")

    def close(self) -> None:
        self._views.close()
        with self._writing, self._reading:
            if not self._closed:
                self._closed = True
                self._stopped = True
                self._reader.close()
                # The last connection empties the log into the file; where it cannot, the next start does.
                with contextlib.suppress(sqlite3.Error):
                    self._writer.close()
                if self._lock is not None:
                    self._lock.release()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreStopped("store-stopped", path=str(self._path))

    def _translate(self, error: sqlite3.Error, what: str) -> StorageError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        path = str(self._path)
        if code in _CORRUPT_CODES:
            return StoreCorrupt("store-corrupt", path=path, what=str(error)[:200])
        if code == sqlite3.SQLITE_FULL:
            return DiskFull("disk-full", path=path, what=what)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreLocked("store-locked", path=path, process=0)
        if isinstance(error, sqlite3.ProgrammingError) and self._closed:
            return StoreStopped("store-stopped", path=path)
        name = getattr(error, "sqlite_errorname", "") or str(error)
        return from_text(f"{name}: {error}", what, path)
