"""Records and commitments: what is said of one event of a case, without a word of what must stay private
(spec/submission.md).

A record holds no personal data: the procedure, the case's key, the step, the time at which the event is said to have
happened, and the root over salted commitments to its files and fields. A commitment binds chain, first signing key,
draft, record and field, so that it can be neither copied to another record nor moved to another field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from . import merkle
from .canonical import Value, decode, encode, pack, parts_of
from .datatypes import slotted
from .errors import EncodingError
from .limits import (
    MAX_CLEAR_FIELDS,
    MAX_CODE_CHARS,
    MAX_COMMITMENTS,
    MAX_INT,
    MAX_NAME_CHARS,
    MAX_RECORD_BYTES,
    MAX_REFS,
    MAX_TEXT_CHARS,
    MAX_TIME_MS,
)
from .names import FIELD, NAME, STEP, TOKEN
from .shape import as_bytes, as_digest, as_int, as_text, as_tuple, as_version
from .suites import DIGEST_BYTES, Suite

RECORD_VERSION: Final = 1
SALT_BYTES: Final = 32


def case_key(suite: Suite, org: str, procedure: str, docket_number: str) -> bytes:
    """The key of a case as its records carry it. A docket number is no personal data and may be guessed; absence can be
    asked by it. What a case claims on the chain is its :func:`case_id`.

    ``docket_number`` must be normalised already (SDK and CLI do it); its UTF-8 bytes are hashed as they are.
    """
    return suite.tagged_hash("case", encode((org, procedure, docket_number)))


def member_of(org: str) -> str:
    """The member that an organisation belongs to: itself, or the one above a unit."""
    return org.partition(".")[0]


def case_id(suite: Suite, org: str, key: bytes) -> bytes:
    """By what the chain knows the case ``key`` of ``org``: ``H("fazhi/case-id" 0x00 canonical[member, case key])``.

    The chain cannot see from a case key whose docket number it was made of. Each member's keys therefore stand in a
    space of their own, so that nobody can guess another's next number and claim it first.
    """
    return suite.tagged_hash("case-id", pack((member_of(org), key)))


@slotted
class Record:
    """``[version, procedure, case_key, step, occurred_at_ms, [commitment_count, commitments_root], clear, refs]``.

    ``clear`` are the few facts that the procedure's rules read (an outcome, a way of service), sorted by name;
    ``refs`` are ids of other submissions.

    Raises:
        EncodingError: ``bad-record`` for unsorted or repeated clear fields.
    """

    procedure: str
    case_key: bytes
    step: str
    occurred_at_ms: int
    commitment_count: int
    commitments_root: bytes
    clear: tuple[tuple[str, str | int], ...] = ()
    refs: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.clear:
            names = [name for name, _ in self.clear]
            if names != sorted(set(names)):
                raise EncodingError("bad-record", what="clear fields must be sorted and distinct")

    def to_value(self) -> Value:
        return (
            RECORD_VERSION,
            self.procedure,
            self.case_key,
            self.step,
            self.occurred_at_ms,
            (self.commitment_count, self.commitments_root),
            self.clear,
            self.refs,
        )

    @classmethod
    def from_value(cls, value: Value) -> Record:
        parts = as_tuple(value, "record", length=8)
        as_version(parts[0], "record", RECORD_VERSION)
        _, procedure, key, step, occurred, commitments, clear, refs = parts
        count, root = as_tuple(commitments, "commitments", length=2)
        return cls(
            as_text(procedure, "procedure", MAX_NAME_CHARS, NAME),
            as_digest(key, "case key"),
            as_text(step, "step", MAX_CODE_CHARS, STEP),
            as_int(occurred, "occurred at", high=MAX_TIME_MS),
            as_int(count, "commitment count", high=MAX_COMMITMENTS),
            as_digest(root, "commitments root"),
            tuple(_clear_field(pair) for pair in as_tuple(clear, "clear fields", max_length=MAX_CLEAR_FIELDS)),
            tuple(as_digest(ref, "ref") for ref in as_tuple(refs, "refs", max_length=MAX_REFS)),
        )

    def encode(self) -> bytes:
        return encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Record:
        return _record_at_a_glance(data) or cls.from_value(decode(data, max_bytes=MAX_RECORD_BYTES, sparse=True))


def _record_at_a_glance(data: bytes) -> Record | None:
    """What :meth:`Record.decode` gives, or nothing where that needs a closer look: half of what it costs otherwise."""
    parts = parts_of(data, _RECORD_HEAD)
    if parts is None:
        return None
    _, procedure, key, step, occurred, commitments, clear, refs = parts
    try:
        count, root = commitments
        if (
            type(commitments) is tuple
            and type(key) is type(root) is bytes
            and len(key) == len(root) == DIGEST_BYTES
            and type(occurred) is type(count) is int
            and 0 <= occurred <= MAX_TIME_MS
            and 0 <= count <= MAX_COMMITMENTS
            and NAME[procedure]
            and STEP[step]
            and (clear == () or _are_clear(clear))
            and (refs == () or _are_refs(refs))
        ):
            return Record(procedure, key, step, occurred, count, root, clear, refs)
    except (TypeError, ValueError, EncodingError):
        pass
    return None


_RECORD_HEAD: Final = b"\x98\x01"  # an array of eight, the first of which is RECORD_VERSION


def _are_clear(value: Any) -> bool:
    return all(_clear_field(pair) for pair in as_tuple(value, "clear fields", max_length=MAX_CLEAR_FIELDS))


def _are_refs(value: Any) -> bool:
    return all(as_digest(ref, "ref") for ref in as_tuple(value, "refs", max_length=MAX_REFS))


def _clear_field(pair: Value) -> tuple[str, str | int]:
    name, value = as_tuple(pair, "clear field", length=2)
    checked = as_text(name, "clear field name", MAX_NAME_CHARS, NAME)
    if isinstance(value, str):
        return checked, as_text(value, "clear field value", MAX_CODE_CHARS, TOKEN)
    return checked, as_int(value, "clear field value", low=-MAX_INT)


def records_root(suite: Suite, records: tuple[bytes, ...]) -> bytes:
    """RFC 6962 root over the records' bytes, as the signed args of a submission carry it."""
    return merkle.root_of_entries(suite, records)


@dataclass(frozen=True, slots=True)
class FileValue:
    """The committed value of a file: ``[[[algorithm, digest]…], length in bytes, media type]``; never its name.

    Raises:
        EncodingError: ``bad-file-value`` without digests or with unsorted algorithms.
    """

    digests: tuple[tuple[str, bytes], ...]
    length: int
    media_type: str

    def __post_init__(self) -> None:
        names = [name for name, _ in self.digests]
        if not names or names != sorted(set(names)):
            raise EncodingError("bad-file-value", what="digests")

    def to_value(self) -> Value:
        return (self.digests, self.length, self.media_type)

    @classmethod
    def from_value(cls, value: Value) -> FileValue:
        digests, length, media_type = as_tuple(value, "file value", length=3)
        pairs = []
        for pair in as_tuple(digests, "file digests", max_length=4):
            name, digest = as_tuple(pair, "file digest", length=2)
            pairs.append((as_text(name, "digest algorithm", 16), as_bytes(digest, "digest", max_length=64)))
        return cls(tuple(pairs), as_int(length, "file length"), as_text(media_type, "media type", 128))


@dataclass(frozen=True, slots=True)
class Opening:
    """What discloses one commitment: ``[field, salt, value]``. Fields named ``file.…`` hold a :class:`FileValue`.

    Raises:
        EncodingError: ``bad-opening`` for a field name or value out of shape.
    """

    field: str
    salt: bytes
    value: Value

    def __post_init__(self) -> None:
        as_text(self.field, "field", MAX_TEXT_CHARS, FIELD)
        as_bytes(self.salt, "salt", length=SALT_BYTES)
        if self.is_file:
            FileValue.from_value(self.value)

    @property
    def is_file(self) -> bool:
        """Whether the value is a file's."""
        return self.field == "file" or self.field.startswith("file.")

    @property
    def file(self) -> FileValue:
        """The file's value; ``EncodingError`` where the field is none."""
        return FileValue.from_value(self.value)

    def to_value(self) -> Value:
        return (self.field, self.salt, self.value)

    @classmethod
    def from_value(cls, value: Value) -> Opening:
        name, salt, content = as_tuple(value, "opening", length=3)
        return cls(as_text(name, "field"), as_bytes(salt, "salt", length=SALT_BYTES), content)

    def encode(self) -> bytes:
        return encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Opening:
        return cls.from_value(decode(data, max_bytes=MAX_RECORD_BYTES))


def commitment(
    suite: Suite, genesis_hash: bytes, first_key: bytes, draft_id: bytes, record_index: int, opening: Opening
) -> bytes:
    """``H("fazhi/commitment" 0x00 canonical[genesis_hash, first signing key, draft_id, record, field, salt,
    value])``."""
    return suite.tagged_hash(
        "commitment",
        encode((genesis_hash, first_key, draft_id, record_index, opening.field, opening.salt, opening.value)),
    )


def commitments_root(suite: Suite, commitments: tuple[bytes, ...]) -> bytes:
    """RFC 6962 root over a record's commitments, in the record's order."""
    return merkle.root_of_entries(suite, commitments)
