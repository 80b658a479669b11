"""The outbox: what makes a submission durable before it leaves, and delivered exactly once whatever dies when.

One SQLite file, readable by its owner only, one process at a time. Salts, openings and the signed bytes, lane and seq
included, are on disk (``synchronous=FULL``) before anything is sent; what is sent again is the same bytes, and the
chain takes one body for each seq of a lane. Keep the file and its backups: a lost salt is a record that nobody can
prove any more.

A row's life::

    prepared ──▶ signed ──▶ sent ──▶ committed
       │            │         ├────▶ refused      the refusal stands on the chain
       │            │         ├────▶ invalid      can never stand in a block as it is
       │            │         ├────▶ conflict     another body has used its seq
       ▼            ▼         └────▶ expired
    abandoned    (superseded: signed again under another seq)

``prepared`` is a draft that waits for a cosignature; it holds a lane of its own, so that nothing else waits for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.record import Opening
from fazhi_ledger.shape import as_bytes, as_tuple

from .errors import OutboxDisk, OutboxError, OutboxInUse
from .outbox_filing import AT_A_TIME, Filing, current, insert, keep, pool_lane
from .outbox_rows import (
    ABANDONED,
    COMMITTED,
    CONFLICT,
    EXPIRED,
    FORMAT,
    GAPS,
    INVALID,
    MAX_SCAN,
    PREPARED,
    REFUSED,
    SCAN_STEP,
    SCHEMA,
    SENT,
    SIGNED,
    Entry,
    Kept,
    NewItem,
    Shut,
    Verdict,
    entry_of,
    kept_of,
    openings_row,
    row_openings,
)


class Outbox:
    """One open outbox. All methods are short and may be called from any thread. What they keep is durable when they
    return, but for notes of what can be asked again (:meth:`mark_sent`, :meth:`settle`): these reach the disk with the
    next thing that must, in their order, so that a power cut loses the newest of them and nothing before.

    Raises:
        OutboxInUse: another process (or this one) has it open.
        OutboxError: ``outbox-other-chain``, ``outbox-damaged``.
        OutboxDisk: the disk refuses; nothing was promised.
    """

    def __init__(self, path: str | os.PathLike[str], genesis_hash: bytes) -> None:
        self.path = Path(path)
        self._mutex = threading.RLock()
        self._lock_fd = self._lock()
        try:
            with self._disk_errors():
                self._connection = self._open(genesis_hash)
        except BaseException:
            os.close(self._lock_fd)
            raise

    def close(self) -> None:
        """Close the file and give up the lock; closing twice is harmless."""
        with self._mutex:
            if self._lock_fd >= 0:
                self._connection.close()
                os.close(self._lock_fd)
                self._lock_fd = -1

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- opening ------------------------------------------------------------------------------------

    def _lock(self) -> int:
        try:
            fd = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutboxDisk("outbox-disk", path=str(self.path), reason=os.strerror(error.errno or 0)) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise OutboxInUse("outbox-in-use", path=str(self.path)) from None
        return fd

    def _open(self, genesis_hash: bytes) -> sqlite3.Connection:
        # SQLite gives its journal the file's own mode, so the mode is right before the first byte is written.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.chmod(self.path, 0o600)
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        try:
            self._set_up(connection, genesis_hash)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection, genesis_hash: bytes) -> None:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)", [("format", str(FORMAT).encode()), ("genesis", genesis_hash)]
            )
            connection.execute("COMMIT")
            directory = os.open(self.path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        self._check_meta(connection, genesis_hash)

    def _check_meta(self, connection: sqlite3.Connection, genesis_hash: bytes) -> None:
        try:
            meta: dict[str, bytes] = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        except sqlite3.OperationalError as error:
            raise OutboxError("outbox-damaged", path=str(self.path), reason=str(error)) from None
        if meta.get("format") != str(FORMAT).encode():
            raise OutboxError("outbox-damaged", path=str(self.path), reason="unknown format")
        if meta.get("genesis") != genesis_hash:
            raise OutboxError("outbox-other-chain", path=str(self.path), genesis=meta.get("genesis", b"").hex()[:16])

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OutboxDisk("outbox-disk", path=str(self.path), reason=str(error)) from error
        except sqlite3.DatabaseError as error:
            raise OutboxError("outbox-damaged", path=str(self.path), reason=str(error)) from error
        except OSError as error:
            raise OutboxDisk("outbox-disk", path=str(self.path), reason=os.strerror(error.errno or 0)) from error

    @contextmanager
    def _note(self) -> Iterator[sqlite3.Connection]:
        """A transaction that need not be on disk when it ends: the log is written in order, and synced with the next
        one that must be."""
        with self._mutex:
            if self._lock_fd >= 0:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                with self._transaction() as db:
                    yield db
            finally:
                if self._lock_fd >= 0:
                    self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk when it ends."""
        with self._mutex:
            if self._lock_fd < 0:
                raise OutboxError("outbox-disk", path=str(self.path), reason="closed")
            with self._disk_errors():
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise

    def _read(self, query: str, *values: Any) -> list[Any]:
        with self._mutex, self._disk_errors():
            return self._connection.execute(query, values).fetchall()

    # -- filing -------------------------------------------------------------------------------------

    def file(self, items: Sequence[NewItem]) -> tuple[Entry, ...]:
        """Give each item its place, sign it and keep it, all in one transaction; what is returned may leave.

        A draft filed before under the same id and still undecided is not filed again: its entry comes back.
        """
        with self._transaction() as db:
            filing = Filing(db, items, time.time_ns() // 1_000_000)
            entries = tuple(map(filing.file, items))
            filing.finish()
        return entries

    def prepare(self, new: NewItem, item_id: bytes | None = None) -> Entry:
        """Keep a draft that waits for a cosignature, with a free lane of its key's pool (made where none is free).

        ``item_id`` is known once all signers are named. ``new.build`` is not called.

        Raises:
            DraftError: ``too-many-drafts``.
        """
        now = time.time_ns() // 1_000_000
        with self._transaction() as db:
            entry = self._current(db, new.draft_id)
            if entry is None:
                lane, seq = pool_lane(db, new.org, new.key, new.draft_id)
                insert(db, new, lane, seq, PREPARED, item_id, None, now)
            elif item_id is not None and entry.status == PREPARED:
                db.execute("UPDATE items SET id = ? WHERE number = ?", (item_id, entry.number))
            keep(db, [new])
            entry = self._current(db, new.draft_id)
        if entry is None:
            raise OutboxError("outbox-damaged", path=str(self.path), reason="a row did not come back")
        return entry

    # -- delivering ---------------------------------------------------------------------------------

    def due(self, limit: int = 1000, without: Collection[bytes] = ()) -> tuple[Entry, ...]:
        """Undecided entries in the order in which they were filed, without those that must wait for another one, and
        ``without`` these ids.

        Lanes are executed each in its own order but not against each other, so an entry waits where an earlier one of
        another lane is about the same case (it may be the one that opens it), and so does all that follows it in its
        lane. What follows a gap in its lane waits until the gap is voided.
        """
        lanes: dict[bytes, bytes] = {}  # of the earlier undecided entries of each case; empty where they are several
        waiting = {gap["lane"] for gap in self._read(GAPS)}
        due: list[int] = []
        last = 0
        for _ in range(0, MAX_SCAN, SCAN_STEP):
            rows = self._read(
                "SELECT number, id, draft_id, lane FROM items WHERE status IN ('signed', 'sent') AND number > ?"
                " ORDER BY number LIMIT ?",
                last,
                SCAN_STEP,
            )
            if not rows or len(due) >= limit:
                break
            after, last = last, rows[-1]["number"]
            alone = after == 0 and len(rows) < SCAN_STEP and len({row["lane"] for row in rows}) == 1
            cases = {} if alone else self._cases(after, last)  # one lane by itself waits for no other
            for row in rows:
                lane, keys = row["lane"], cases.get(row["draft_id"], ())
                if lane in waiting or any(lanes.get(key, lane) != lane for key in keys):
                    waiting.add(lane)
                elif len(due) < limit and row["id"] not in without:
                    due.append(row["number"])
                for key in keys:
                    if lanes.setdefault(key, lane) != lane:
                        lanes[key] = b""
            if len(rows) < SCAN_STEP:
                break
        chosen = self._read(
            "SELECT * FROM entries WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number", json.dumps(due)
        )
        return tuple(map(entry_of, chosen))

    def _cases(self, after: int, last: int) -> dict[bytes, tuple[bytes, ...]]:
        """By draft, the cases of the undecided entries behind ``after`` up to ``last``."""
        cases: dict[bytes, tuple[bytes, ...]] = {}
        for draft_id, key in self._read(
            "SELECT DISTINCT r.draft_id, r.case_key FROM records r JOIN items i ON i.draft_id = r.draft_id"
            " WHERE i.status IN ('signed', 'sent') AND i.number > ? AND i.number <= ?",
            after,
            last,
        ):
            cases[draft_id] = (*cases.get(draft_id, ()), key)
        return cases

    def mark_sent(self, ids: Sequence[bytes]) -> None:
        """Note that these are about to leave (a note only: what is signed may have left already)."""
        now = time.time_ns() // 1_000_000
        with self._note() as db:
            db.executemany(
                "UPDATE items SET status = ?, changed_ms = ? WHERE id = ? AND status = ?",
                [(SENT, now, item_id, SIGNED) for item_id in ids],
            )

    def settle(self, verdicts: Sequence[Verdict]) -> bool:
        """Keep what the chain or a gateway answered; a decided row never changes again. Whether anything is still to be
        delivered.
        """
        now = time.time_ns() // 1_000_000
        with self._note() as db:
            for verdict in verdicts:
                changed = db.execute(
                    "UPDATE items SET status = ?, code = ?, parameters = ?, height = ?, position = ?, changed_ms = ?"
                    " WHERE id = ? AND status NOT IN ('committed', 'refused', 'superseded', 'abandoned')",
                    (
                        verdict.status, verdict.code, encode(verdict.parameters), verdict.height, verdict.position,
                        now, verdict.id,
                    ),
                ).rowcount  # fmt: skip
                if changed and verdict.status not in (COMMITTED, REFUSED):
                    self._release(db, verdict)
            self._free(db, [verdict.id for verdict in verdicts if verdict.status in (COMMITTED, REFUSED)])
            (left,) = db.execute("SELECT EXISTS (SELECT 1 FROM items WHERE status IN ('signed', 'sent'))").fetchone()
        return bool(left)

    def _free(self, db: sqlite3.Connection, decided: Sequence[bytes]) -> None:
        """After a decision the draft's pool lane is free. (What was decided before holds none: it does no harm.)"""
        for start in range(0, len(decided), AT_A_TIME):
            some = decided[start : start + AT_A_TIME]
            marks = ",".join("?" * len(some))
            held = f"SELECT lane, draft_id FROM items WHERE id IN ({marks})"  # noqa: S608 - question marks
            db.execute(f"UPDATE lanes SET held_by = NULL WHERE (lane, held_by) IN ({held})", some)  # noqa: S608

    def _release(self, db: sqlite3.Connection, verdict: Verdict) -> None:
        """After a conflict a lane is never used again; after another word against it its place is used again."""
        lane, seq, draft_id = db.execute("SELECT lane, seq, draft_id FROM items WHERE id = ?", (verdict.id,)).fetchone()
        if verdict.status == CONFLICT:
            db.execute("UPDATE lanes SET kind = 'retired' WHERE lane = ?", (lane,))
        elif verdict.status in (INVALID, EXPIRED):
            # The chain still waits for this seq. At the end of its lane the place is simply used again; otherwise see
            # gaps().
            (used,) = db.execute(
                "SELECT coalesce(max(seq) + 1, 0) FROM items WHERE lane = ?"
                " AND status NOT IN ('invalid', 'expired', 'superseded')",
                (lane,),
            ).fetchone()
            db.execute("UPDATE lanes SET next_seq = ? WHERE lane = ? AND next_seq > ?", (used, lane, used))
            db.execute(
                "UPDATE lanes SET held_by = NULL WHERE lane = ? AND held_by = ? AND next_seq <= ?",
                (lane, draft_id, seq),
            )

    def gaps(self, org: str, key: bytes) -> tuple[tuple[bytes, int], ...]:
        """Places (lane, seq) that no body will use while later ones of the lane wait: each wants a ``lane.void``."""
        rows = self._read(f"{GAPS} AND l.org = ? AND l.key = ? ORDER BY i.lane, i.seq", org, key)
        return tuple((row["lane"], row["seq"]) for row in rows)

    def abandon(self, draft_id: bytes, *, shared: bool) -> None:
        """Give a prepared draft up. Where nobody else can hold a signed copy (``shared`` is false) its place is free
        at once.
        """
        with self._transaction() as db:
            entry = self._current(db, draft_id)
            if entry is None or entry.status != PREPARED:
                return
            db.execute("UPDATE items SET status = ? WHERE number = ?", (ABANDONED, entry.number))
            if not shared:
                db.execute("UPDATE lanes SET next_seq = ?, held_by = NULL WHERE lane = ?", (entry.seq, entry.lane))

    # -- asking -------------------------------------------------------------------------------------

    def _current(self, db: sqlite3.Connection, draft_id: bytes) -> Entry | None:
        return current(db, [draft_id]).get(draft_id)

    def entry(self, item_id: bytes) -> Entry | None:
        """The entry of a submission."""
        rows = self._read("SELECT * FROM entries WHERE id = ?", item_id)
        return entry_of(rows[0]) if rows else None

    def filed_as(self, draft_ids: Sequence[bytes]) -> dict[bytes, tuple[Entry, int]]:
        """Where drafts have been filed already, alone or combined with others: the entry and the record in it. A
        combined submission that was refused does not count: its drafts are to be filed again, each on its own.
        """
        found: dict[bytes, tuple[Entry, int]] = {}
        for start in range(0, len(draft_ids), AT_A_TIME):
            some = draft_ids[start : start + AT_A_TIME]
            places = self._read(
                f"SELECT member, draft_id, record_index FROM records WHERE member IN ({','.join('?' * len(some))})",  # noqa: S608 - question marks
                *some,
            )
            with self._mutex, self._disk_errors():
                entries = current(self._connection, list({place["draft_id"] for place in places}))
            for place in places:
                entry, member = entries.get(place["draft_id"]), place["member"]
                alone = place["draft_id"] == member
                taken = entry is not None and (
                    entry.status in (SIGNED, SENT, COMMITTED) or (alone and entry.status == REFUSED)
                )
                if entry is not None and taken:
                    found.setdefault(member, (entry, place["record_index"]))
        return found

    def entries(self, *statuses: str) -> tuple[Entry, ...]:
        """All entries of these statuses, in the order in which they were filed."""
        rows = self._read(
            "SELECT * FROM entries WHERE status IN (SELECT value FROM json_each(?)) ORDER BY number",
            json.dumps(statuses),
        )
        return tuple(map(entry_of, rows))

    def kept(self, draft_id: bytes) -> tuple[Kept, ...]:
        """What is kept of each record of a draft, in the order of its records."""
        rows = self._read(
            "SELECT case_key, org, procedure, docket AS number, step, openings, member FROM records"
            " WHERE draft_id = ? ORDER BY record_index",
            draft_id,
        )
        return tuple(map(kept_of, rows))

    def destroy(
        self, draft_id: bytes, index: int, fields: Collection[str] | None, commit: Callable[[Opening], bytes]
    ) -> tuple[str, ...]:
        """Destroy salts and values of a record, those of ``fields`` or all; the names of those destroyed now. Of each
        the commitment alone is left, which ``commit`` makes of it: what stands beside it can still be opened.
        """
        with self._transaction() as db:
            place = (draft_id, index)
            row = db.execute("SELECT openings FROM records WHERE draft_id = ? AND record_index = ?", place).fetchone()
            placed = [] if row is None else list(row_openings(row["openings"]))
            gone = []
            for at, one in enumerate(placed):
                if isinstance(one, Opening) and (fields is None or one.field in fields):
                    placed[at] = Shut(one.field, commit(one))
                    gone.append(one.field)
            data = openings_row(placed)
            db.execute("UPDATE records SET openings = ? WHERE draft_id = ? AND record_index = ?", (data, *place))
        with self._mutex, self._disk_errors():  # the log would keep the old pages
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return tuple(gone)

    def genesis_file(self) -> bytes | None:
        """The chain's genesis file, if a process has kept it."""
        rows = self._read("SELECT value FROM meta WHERE name = 'genesis_file'")
        return rows[0]["value"] if rows else None

    def keep_genesis_file(self, data: bytes) -> None:
        """Keep the genesis file, so that a later process can begin offline."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('genesis_file', ?)", (data,))

    def rule_sets(self, procedure: str) -> tuple[bytes, ...]:
        """The rule sets of a procedure that were kept, encoded; none where nobody has."""
        rows = self._read("SELECT value FROM meta WHERE name = ?", f"rules/{procedure}")
        return tuple(as_bytes(one, "rule set") for one in as_tuple(decode(rows[0]["value"]), "rules")) if rows else ()

    def keep_rule_sets(self, procedure: str, encoded: Sequence[bytes]) -> None:
        """Keep the rule sets of a procedure, so that its cases can be worked with offline."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"rules/{procedure}", encode(tuple(encoded))))

    def org_of(self, key: bytes) -> str | None:
        """The organisation that a key was last known to belong to."""
        rows = self._read("SELECT org FROM orgs WHERE key = ?", key)
        return rows[0][0] if rows else None

    def remember_org(self, key: bytes, org: str) -> None:
        """Keep which organisation a key belongs to, so that a case can be opened offline."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO orgs VALUES (?, ?)", (key, org))
