"""How items come into the outbox: their places, and their rows. All inside a transaction of the outbox."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from fazhi_ledger.submission import LANE_BYTES

from .errors import DraftError
from .outbox_rows import (
    MAX_POOL_LANES,
    PREPARED,
    SIGNED,
    SUPERSEDED,
    UNUSED,
    Entry,
    NewItem,
    entry_of,
    openings_row,
)

AT_A_TIME: Final = 500
"""Drafts that one statement asks about."""


def current(db: sqlite3.Connection, draft_ids: Sequence[bytes]) -> dict[bytes, Entry]:
    """By draft, the entry under which it is, or was last, filed."""
    found: dict[bytes, Entry] = {}
    for start in range(0, len(draft_ids), AT_A_TIME):
        some = draft_ids[start : start + AT_A_TIME]
        rows = db.execute(
            f"SELECT * FROM entries WHERE draft_id IN ({','.join('?' * len(some))})"  # noqa: S608 - question marks
            " AND status != 'superseded' ORDER BY number",
            some,
        )
        found.update((row["draft_id"], entry_of(row)) for row in rows)
    return found


class Filing:
    """Many items filed in one transaction: what they share is looked up once, and written at the end."""

    def __init__(self, db: sqlite3.Connection, items: Sequence[NewItem], now: int) -> None:
        self._db = db
        self._now = now
        self._known = current(db, [item.draft_id for item in items])
        self._lanes: dict[tuple[str, bytes], tuple[bytes, int]] = {}
        self._filed: list[NewItem] = []

    def file(self, new: NewItem) -> Entry:
        """Give an item its place and sign it; see :meth:`Outbox.file`."""
        earlier = self._known.get(new.draft_id)
        if earlier is not None and earlier.status not in (PREPARED, *UNUSED):
            return earlier
        prepared = earlier is not None and earlier.status == PREPARED
        if earlier is not None and prepared:
            lane, seq = earlier.lane, earlier.seq
        else:
            lane, seq = new.place or self._next_seq(new.org, new.key)
        item_id, item = new.build(lane, seq)
        data = item.encode()
        if earlier is not None and prepared:
            number = earlier.number
            self._db.execute(
                "UPDATE items SET id = ?, status = ?, item = ?, changed_ms = ?, code = NULL WHERE number = ?",
                (item_id, SIGNED, data, self._now, number),
            )
        else:
            if earlier is not None:
                self._db.execute("UPDATE items SET status = ? WHERE number = ?", (SUPERSEDED, earlier.number))
            number = insert(self._db, new, lane, seq, SIGNED, item_id, data, self._now)
        self._filed.append(new)
        entry = self._known[new.draft_id] = Entry(
            number, item_id, new.draft_id, new.org, new.key, lane, seq, new.contract, new.action, SIGNED, data,
            None, (), None, None,
        )  # fmt: skip
        return entry

    def finish(self) -> None:
        """Write what was put off."""
        keep(self._db, self._filed)
        self._db.executemany(
            "UPDATE lanes SET next_seq = ? WHERE lane = ?", [(n, lane) for lane, n in self._lanes.values()]
        )

    def _next_seq(self, org: str, key: bytes) -> tuple[bytes, int]:
        """The next place in the main lane of (org, key); an unused place at the very end of it is used again."""
        found = self._lanes.get((org, key))
        if found is None:
            row = self._db.execute(
                "SELECT lane, next_seq FROM lanes WHERE org = ? AND key = ? AND kind = 'main'", (org, key)
            ).fetchone()
            if row is None:
                row = (secrets.token_bytes(LANE_BYTES), 0)
                self._db.execute("INSERT INTO lanes VALUES (?, ?, ?, 'main', 0, NULL)", (row[0], org, key))
            found = (row[0], row[1])
        lane, seq = found
        self._lanes[org, key] = lane, seq + 1
        return lane, seq


def insert(
    db: sqlite3.Connection, new: NewItem, lane: bytes, seq: int, status: str, item_id: bytes | None,
    item: bytes | None, now: int,
) -> int:  # fmt: skip
    """Write an item's row; its number."""
    number = db.execute(
        "INSERT INTO items"
        " (id, draft_id, org, key, lane, seq, contract, action, status, item, filed_ms, changed_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (item_id, new.draft_id, new.org, new.key, lane, seq, new.contract, new.action, status, item, now, now),
    ).lastrowid
    return number or 0


def keep(db: sqlite3.Connection, items: Iterable[NewItem]) -> None:
    """Write what is kept of items' records."""
    rows = [
        (
            new.draft_id, index, one.case_key, one.org, one.procedure, one.number, one.step,
            openings_row(one.openings), one.member,
        )
        for new in items
        for index, one in enumerate(new.kept)
    ]  # fmt: skip
    db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def pool_lane(db: sqlite3.Connection, org: str, key: bytes, draft_id: bytes) -> tuple[bytes, int]:
    """A lane that no other draft holds, and its next seq: from the key's pool, or made.

    Raises:
        DraftError: ``too-many-drafts``.
    """
    free = db.execute(
        "SELECT lane, next_seq FROM lanes WHERE org = ? AND key = ? AND kind = 'pool' AND held_by IS NULL"
        " ORDER BY next_seq DESC LIMIT 1",
        (org, key),
    ).fetchone()
    if free is None:
        (count,) = db.execute(
            "SELECT count(*) FROM lanes WHERE org = ? AND key = ? AND kind = 'pool'", (org, key)
        ).fetchone()
        if count >= MAX_POOL_LANES:
            raise DraftError("too-many-drafts", key=key.hex()[:16], count=count)
        free = (secrets.token_bytes(LANE_BYTES), 0)
        db.execute("INSERT INTO lanes VALUES (?, ?, ?, 'pool', 0, NULL)", (free[0], org, key))
    lane, seq = free
    db.execute("UPDATE lanes SET next_seq = ?, held_by = ? WHERE lane = ?", (seq + 1, draft_id, lane))
    return lane, seq
