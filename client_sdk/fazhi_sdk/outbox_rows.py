"""The rows of the outbox and their form on disk."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from fazhi_ledger.canonical import Value, decode, encode
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.record import Opening
from fazhi_ledger.result import parameters_from_value
from fazhi_ledger.shape import as_digest, as_text, as_tuple
from fazhi_ledger.submission import DRAFT_ID_BYTES, Item

from .errors import OutboxError

FORMAT: Final = 1
MAX_POOL_LANES: Final = 32
"""Most drafts of one key that wait for a cosignature at a time; the chain bounds the lanes of a key."""
MAX_SCAN: Final = 20_000
"""Most undecided entries that are looked at for the next request."""
SCAN_STEP: Final = 1_000
"""So many at a time, until there are enough for it."""

SHUT_PARTS: Final = 2

PREPARED: Final = "prepared"
SIGNED: Final = "signed"
SENT: Final = "sent"
COMMITTED: Final = "committed"
REFUSED: Final = "refused"
INVALID: Final = "invalid"
CONFLICT: Final = "conflict"
EXPIRED: Final = "expired"
ABANDONED: Final = "abandoned"
SUPERSEDED: Final = "superseded"
UNUSED: Final = (INVALID, CONFLICT, EXPIRED)
"""Over, as far as the gateway says, and its seq not used by this body."""

SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE lanes (
    lane BLOB PRIMARY KEY, org TEXT NOT NULL, key BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('main', 'pool', 'retired')),
    next_seq INTEGER NOT NULL, held_by BLOB
) STRICT;
CREATE TABLE items (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB UNIQUE, draft_id BLOB NOT NULL, org TEXT NOT NULL, key BLOB NOT NULL,
    lane BLOB NOT NULL, seq INTEGER NOT NULL, contract TEXT NOT NULL, action TEXT NOT NULL,
    status TEXT NOT NULL, item BLOB, code TEXT, parameters BLOB, height INTEGER, position INTEGER,
    filed_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX items_by_status ON items (status, number);
CREATE INDEX items_by_draft ON items (draft_id);
CREATE INDEX items_by_lane ON items (lane, seq);
CREATE TABLE records (
    draft_id BLOB NOT NULL, record_index INTEGER NOT NULL, case_key BLOB NOT NULL,
    org TEXT NOT NULL, procedure TEXT NOT NULL, docket TEXT NOT NULL, step TEXT NOT NULL,
    openings BLOB NOT NULL, member BLOB NOT NULL,
    PRIMARY KEY (draft_id, record_index)
) STRICT;
CREATE INDEX records_by_case ON records (case_key);
CREATE INDEX records_by_member ON records (member);
CREATE TABLE orgs (key BLOB PRIMARY KEY, org TEXT NOT NULL) STRICT;
CREATE VIEW entries AS
    SELECT number, id, draft_id, org, key, lane, seq, contract, action, status, item, code, parameters, height, position
    FROM items;
"""
GAPS: Final = """
    SELECT DISTINCT i.lane, i.seq, l.org, l.key FROM items i JOIN lanes l ON l.lane = i.lane
    WHERE l.kind != 'retired' AND i.seq < l.next_seq
    AND i.status IN ('invalid', 'conflict', 'expired', 'abandoned', 'superseded')
    AND NOT EXISTS (SELECT 1 FROM items j WHERE j.lane = i.lane AND j.seq = i.seq
                    AND j.status IN ('prepared', 'signed', 'sent', 'committed', 'refused'))
"""
"""Places that nothing uses while later ones of their lane may wait. It looks at what is not used alone, however much
was delivered before; the view of that name, in outboxes made before, looked at everything."""


@slotted
class Shut:
    """A commitment whose salt and value were destroyed: nobody can open it any more; those beside it are whole."""

    field: str
    commitment: bytes


@slotted
class Kept:
    """What the outbox keeps of one record: its case, docket number and openings."""

    case_key: bytes
    org: str
    procedure: str
    number: str
    step: str
    openings: tuple[Opening, ...]
    member: bytes
    """The draft that the record was made as; another than its submission's where several were combined."""
    shut: tuple[tuple[int, Shut], ...] = ()
    """What was destroyed, by its place among the record's commitments."""

    def in_place(self) -> tuple[Opening | Shut, ...]:
        """All that the record commits to, in order."""
        left = iter(self.openings)
        gone = dict(self.shut)
        return tuple(gone[at] if at in gone else next(left) for at in range(len(self.openings) + len(gone)))


@slotted
class Entry:
    """A row of the outbox. ``id`` and ``item`` are None while a draft still lacks signatures."""

    number: int
    id: bytes | None
    draft_id: bytes
    org: str
    key: bytes
    lane: bytes
    seq: int
    contract: str
    action: str
    status: str
    item: bytes | None
    code: str | None
    parameters: tuple[tuple[str, str | int], ...]
    height: int | None
    position: int | None

    @property
    def decided(self) -> bool:
        """Whether the chain has answered for good."""
        return self.status in (COMMITTED, REFUSED)


@dataclass(frozen=True, slots=True)
class NewItem:
    """What is filed in one go: its records' openings, and how to make the signed bytes once lane and seq are known."""

    draft_id: bytes
    org: str
    key: bytes
    contract: str
    action: str
    kept: tuple[Kept, ...]
    build: Callable[[bytes, int], tuple[bytes, Item]]
    """(lane, seq) -> (submission id, signed item). Runs inside the transaction: should signing fail, no seq is used."""
    place: tuple[bytes, int] | None = None
    """The place reserved when the draft was prepared."""


@slotted
class Verdict:
    """What a gateway says of one submission."""

    id: bytes
    status: str
    code: str | None = None
    parameters: tuple[tuple[str, str | int], ...] = ()
    height: int | None = None
    position: int | None = None


def entry_of(row: Any) -> Entry:
    """The entry of a row of the view ``entries``.

    Raises:
        OutboxError: ``outbox-damaged``.
    """
    try:
        parameters = () if row["parameters"] is None else parameters_from_value(decode(row["parameters"]))
    except FazhiError as error:
        raise OutboxError("outbox-damaged", path="", reason=str(error)) from None
    return Entry(**{**dict(row), "parameters": parameters})


def kept_of(row: Any) -> Kept:
    """What a row of ``records`` keeps."""
    values = dict(row)
    placed = row_openings(values.pop("openings"))
    return Kept(
        openings=tuple(one for one in placed if isinstance(one, Opening)),
        shut=tuple((at, one) for at, one in enumerate(placed) if isinstance(one, Shut)),
        **values,
    )


def row_openings(data: bytes) -> tuple[Opening | Shut, ...]:
    """``[[field, salt, value] | [field, commitment]…]``, as a row of ``records`` has it.

    Raises:
        OutboxError: ``outbox-damaged``.
    """
    try:
        return tuple(_opening_or_shut(value) for value in as_tuple(decode(data), "openings"))
    except FazhiError as error:
        raise OutboxError("outbox-damaged", path="", reason=str(error)) from None


def _opening_or_shut(value: Value) -> Opening | Shut:
    if isinstance(value, tuple) and len(value) == SHUT_PARTS:
        return Shut(as_text(value[0], "field"), as_digest(value[1], "commitment"))
    return Opening.from_value(value)


def openings_row(placed: Iterable[Opening | Shut]) -> bytes:
    """What :func:`row_openings` reads."""
    return encode(tuple((one.field, one.commitment) if isinstance(one, Shut) else one.to_value() for one in placed))


def new_draft_id() -> bytes:
    """A fresh random draft id."""
    return secrets.token_bytes(DRAFT_ID_BYTES)
