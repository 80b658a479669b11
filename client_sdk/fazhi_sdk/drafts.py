"""Drafts: what is going to be signed, and by whom; made on one device, cosigned on another, submitted once.

A draft is immutable; each method returns a new one. Its commitments are bound to the draft and its first key, so that
it survives being signed again under another seq. Signatures are made late, when all signers are known: the body names
its signers, and a signature over a body that names fewer would be another submission. A draft file therefore holds

* everything that the second officer must see: case, step, time, the digests of the files and the values of the
  fields, with the salts that show that the record commits to exactly these. It is as confidential as the case itself;
  it is written with mode 0600;
* the place (lane and seq) that the first signer's outbox has reserved for it, and the signatures collected so far.

File form: ``FAZHI-DRAFT-1\\n`` and one canonical value (spec/canonical.md), so that a file cut short or changed is
refused.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fazhi_ledger import dsse
from fazhi_ledger.canonical import Value, decode, encode
from fazhi_ledger.errors import EncodingError, FazhiError, InvalidSignature
from fazhi_ledger.keys import Signer
from fazhi_ledger.limits import (
    MAX_COMMITMENTS,
    MAX_ITEM_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_ORG_CHARS,
    MAX_RECORDS_PER_ITEM,
    MAX_REFS,
    MAX_SIGNER_KEYS,
    MAX_TEXT_CHARS,
    MAX_TIME_MS,
)
from fazhi_ledger.names import ORG
from fazhi_ledger.record import (
    SALT_BYTES,
    FileValue,
    Opening,
    Record,
    case_key,
    commitment,
    commitments_root,
    member_of,
    records_root,
)
from fazhi_ledger.recording import RECORDING, recording_args
from fazhi_ledger.shape import as_bytes, as_digest, as_int, as_text, as_tuple, as_version
from fazhi_ledger.submission import DRAFT_ID_BYTES, LANE_BYTES, Item, SubmissionBody
from fazhi_ledger.suites import DIGEST_BYTES, Suite, suite_named

from .errors import AlreadySigned, DraftError, SignatureMissing
from .files import read_bounded, write_private
from .outbox_rows import Entry, Kept
from .privacy import check_clear

MAGIC: Final = b"FAZHI-DRAFT-1\n"
DRAFT_VERSION: Final = 1
CASES, RECORD = RECORDING


@dataclass(frozen=True, slots=True)
class RecordDraft:
    """One record to be: its case in clear (it leaves only as a hash), step, time, clear fields, refs, openings.

    ``org`` is the organisation that opened the case; another one may record in it.
    """

    org: str
    procedure: str
    number: str
    step: str
    occurred_at_ms: int
    clear: tuple[tuple[str, str | int], ...]
    refs: tuple[bytes, ...]
    openings: tuple[Opening, ...]

    def __post_init__(self) -> None:
        # Who cosigns sees fields by name: a second value of one must not hide behind the first.
        if len({opening.field for opening in self.openings}) != len(self.openings):
            raise EncodingError("bad-record", what="a field stands twice")

    def case_key(self, suite: Suite) -> bytes:
        """The key of its case on the chain."""
        return case_key(suite, self.org, self.procedure, self.number)

    @property
    def files(self) -> tuple[FileValue, ...]:
        """The files committed to, in order."""
        return tuple(opening.file for opening in self.openings if opening.is_file)

    @property
    def fields(self) -> dict[str, Value]:
        """The fields committed to."""
        return {opening.field: opening.value for opening in self.openings if not opening.is_file}

    def to_value(self) -> Value:
        openings = tuple(opening.to_value() for opening in self.openings)
        return (self.org, self.procedure, self.number, self.step, self.occurred_at_ms, self.clear, self.refs, openings)

    @classmethod
    def from_value(cls, value: Value) -> RecordDraft:
        org, procedure, number, step, occurred, clear, refs, openings = as_tuple(value, "record draft", length=8)
        pairs: list[tuple[str, str | int]] = []
        for pair in as_tuple(clear, "clear fields"):
            name, content = as_tuple(pair, "clear field", length=2)
            pairs.append(
                (
                    as_text(name, "clear field"),
                    content if isinstance(content, str) else as_int(content, "clear", -(2**63)),
                )
            )
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_text(procedure, "procedure"),
            as_text(number, "number"),
            as_text(step, "step"),
            as_int(occurred, "occurred at", high=MAX_TIME_MS),
            tuple(pairs),
            tuple(as_digest(ref, "ref") for ref in as_tuple(refs, "refs", max_length=MAX_REFS)),
            tuple(Opening.from_value(one) for one in as_tuple(openings, "openings", max_length=MAX_COMMITMENTS)),
        )


def openings_of(files: Sequence[FileValue], fields: Mapping[str, Value]) -> tuple[Opening, ...]:
    """Openings under fresh salts: files first, as ``file.1``, ``file.2``, …, then the fields sorted by name."""
    named: list[tuple[str, Value]] = [(f"file.{index}", value.to_value()) for index, value in enumerate(files, 1)]
    named += sorted(fields.items())
    return tuple(Opening(name, secrets.token_bytes(SALT_BYTES), value) for name, value in named)


@dataclass(frozen=True, slots=True)
class DraftData:
    """A draft without its chain: pure data, the same in both flavours of the SDK.

    ``signer_keys`` are in order, the first belongs to ``org``; ``signatures`` stand beside the keys that have signed;
    ``signers`` are those at hand in this process, who sign when the draft is saved or submitted. ``place`` is (lane,
    seq) once reserved.
    """

    suite_name: str
    genesis_hash: bytes
    org: str
    draft_id: bytes
    claimed_time_ms: int
    records: tuple[RecordDraft, ...]
    signer_keys: tuple[bytes, ...]
    valid_until_ms: int | None = None
    not_before: tuple[int, bytes] | None = None
    place: tuple[bytes, int] | None = None
    signatures: tuple[tuple[bytes, bytes], ...] = ()
    signers: tuple[Signer, ...] = field(default=(), compare=False, repr=False)
    members: tuple[bytes, ...] = ()
    """The drafts that were combined into this one, record by record; none where it stands for itself."""

    @property
    def suite(self) -> Suite:
        """The suite of the draft's chain."""
        return suite_named(self.suite_name)

    @property
    def missing(self) -> tuple[bytes, ...]:
        """Named keys that have neither signed nor are at hand."""
        able = {key for key, _ in self.signatures} | {signer.public_key for signer in self.signers}
        return tuple(key for key in self.signer_keys if key not in able)

    def cosign(self, signer: Signer) -> DraftData:
        """The draft with a further signer, who signs when it is saved or submitted. A named signer takes the named
        place.

        Raises:
            AlreadySigned: this key has signed, or is at hand already.
            DraftError: ``draft-frozen``: somebody has signed, so no signer can be added any more.
        """
        key = signer.public_key
        if any(key == signed for signed, _ in self.signatures) or any(key == one.public_key for one in self.signers):
            raise AlreadySigned("already-signed", key=key.hex()[:16])
        if key in self.signer_keys:
            return replace(self, signers=(*self.signers, signer))
        if self.signatures:
            raise DraftError("draft-frozen", key=self.signatures[0][0].hex()[:16])
        return replace(self, signer_keys=(*self.signer_keys, key), signers=(*self.signers, signer))

    def at(self, lane: bytes, seq: int) -> DraftData:
        """The draft at its place. A signed draft keeps the place that it was signed for."""
        return self if self.place == (lane, seq) else replace(self, place=(lane, seq), signatures=())

    # -- bytes --------------------------------------------------------------------------------------

    def record_bytes(self) -> tuple[bytes, ...]:
        """The records as they travel, each committing to its openings."""
        suite, first = self.suite, self.signer_keys[0]
        encoded = []
        for index, record in enumerate(self.records):
            leaves = tuple(
                commitment(suite, self.genesis_hash, first, self.draft_id, index, opening)
                for opening in record.openings
            )
            encoded.append(
                Record(
                    record.procedure,
                    record.case_key(suite),
                    record.step,
                    record.occurred_at_ms,
                    len(leaves),
                    commitments_root(suite, leaves),
                    record.clear,
                    record.refs,
                ).encode()
            )
        return tuple(encoded)

    def record_size(self) -> int:
        """Bytes that the records take as they travel, without a hash made for it."""
        digest = bytes(DIGEST_BYTES)
        return sum(
            len(
                Record(
                    one.procedure, digest, one.step, one.occurred_at_ms, len(one.openings), digest, one.clear, one.refs
                ).encode()
            )
            for one in self.records
        )

    def body(self, records: tuple[bytes, ...] | None = None) -> SubmissionBody:
        """What is signed; the draft must have its place."""
        if self.place is None:
            raise DraftError("bad-draft-file", path="", reason="no place is reserved")
        encoded = self.record_bytes() if records is None else records
        case_org = self.records[0].org if self.records else self.org
        return SubmissionBody(
            self.genesis_hash,
            self.org,
            self.place[0],
            self.place[1],
            self.draft_id,
            CASES,
            RECORD,
            recording_args(self.org, len(encoded), records_root(self.suite, encoded), case_org),
            self.signer_keys,
            self.claimed_time_ms,
            self.not_before,
            self.valid_until_ms,
        )

    def signed(self) -> DraftData:
        """The draft with the signatures of everybody at hand."""
        waiting = [signer for signer in self.signers if all(signer.public_key != key for key, _ in self.signatures)]
        if not waiting:
            return self
        data = self.body().encode()
        fresh = tuple((signer.public_key, dsse.sign(signer, dsse.SUBMISSION, data)) for signer in waiting)
        return replace(self, signatures=(*self.signatures, *fresh))

    def require_complete(self) -> None:
        """Raise :class:`SignatureMissing` where a named signer has neither signed nor is at hand."""
        if self.missing:
            raise SignatureMissing("signature-missing", count=len(self.missing), key=self.missing[0].hex()[:16])

    def complete(self) -> tuple[bytes, Item]:
        """The submission's id and the whole signed item.

        Raises:
            SignatureMissing: naming the first key that has not signed.
        """
        self.require_complete()
        records = self.record_bytes()
        data = self.body(records).encode()
        signatures = dict(self.signatures)
        for signer in self.signers:
            if signer.public_key not in signatures:
                signatures[signer.public_key] = dsse.sign(signer, dsse.SUBMISSION, data)
        item = Item(data, tuple(signatures[key] for key in self.signer_keys), records)
        item.verify_signatures(self.suite)
        return item.id(self.suite), item

    def kept(self) -> tuple[Kept, ...]:
        """What the outbox keeps of it."""
        return tuple(
            Kept(one.case_key(self.suite), one.org, one.procedure, one.number, one.step, one.openings, member)
            for one, member in zip(self.records, self.members or (self.draft_id,) * len(self.records), strict=True)
        )

    # -- files --------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """The draft file's bytes."""
        return MAGIC + encode(
            (
                DRAFT_VERSION,
                self.suite_name,
                self.genesis_hash,
                self.org,
                self.draft_id,
                self.claimed_time_ms,
                tuple(record.to_value() for record in self.records),
                self.signer_keys,
                self.valid_until_ms,
                self.not_before,
                self.place,
                self.signatures,
            )
        )

    @classmethod
    def decode(cls, data: bytes, path: str = "") -> DraftData:
        """The draft of a file; every signature in it is checked.

        Raises:
            DraftError: ``bad-draft-file``.
        """
        if not data.startswith(MAGIC):
            raise DraftError("bad-draft-file", path=path, reason="it does not begin as one")
        try:
            draft = cls._from_value(decode(data[len(MAGIC) :], max_bytes=MAX_MESSAGE_BYTES))
            draft._check()
        except FazhiError as error:
            raise DraftError("bad-draft-file", path=path, reason=FazhiError.__str__(error)) from None
        return draft

    @classmethod
    def _from_value(cls, value: Value) -> DraftData:
        parts = as_tuple(value, "draft", length=12)
        as_version(parts[0], "draft", DRAFT_VERSION)
        _, suite, genesis, org, draft_id, claimed, records, keys, until, not_before, place, signatures = parts
        if not_before is not None:
            height, digest = as_tuple(not_before, "not_before", length=2)
            not_before = (as_int(height, "height", low=1), as_digest(digest, "header hash"))
        if place is not None:
            lane, seq = as_tuple(place, "place", length=2)
            place = (as_bytes(lane, "lane", length=LANE_BYTES), as_int(seq, "seq"))
        pairs = []
        for pair in as_tuple(signatures, "signatures", max_length=MAX_SIGNER_KEYS):
            key, signature = as_tuple(pair, "signature", length=2)
            pairs.append((as_bytes(key, "key", max_length=128), as_bytes(signature, "signature", max_length=256)))
        return cls(
            as_text(suite, "suite", 64),
            as_digest(genesis, "genesis hash"),
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_bytes(draft_id, "draft id", length=DRAFT_ID_BYTES),
            as_int(claimed, "claimed time", high=MAX_TIME_MS),
            tuple(RecordDraft.from_value(r) for r in as_tuple(records, "records", max_length=MAX_RECORDS_PER_ITEM)),
            tuple(as_bytes(k, "key", max_length=128) for k in as_tuple(keys, "keys", max_length=MAX_SIGNER_KEYS)),
            None if until is None else as_int(until, "valid until", high=MAX_TIME_MS),
            not_before,
            place,
            tuple(pairs),
        )

    def _check(self) -> None:
        """Raise unless it makes a body, its records encode, and every signature in it is good."""
        suite = self.suite
        if self.place is None or not self.records or not self.signer_keys:
            raise InvalidSignature("draft-incomplete")
        for record in self.record_bytes():
            Record.decode(record)
        message = dsse.pae(dsse.SUBMISSION, self.body().encode())
        if len({key for key, _ in self.signatures}) != len(self.signatures):
            raise InvalidSignature("a-key-signed-twice")
        for key, signature in self.signatures:
            if key not in self.signer_keys:
                raise InvalidSignature("signature-of-a-stranger")
            suite.verify(key, message, signature)


def draft_of(suite_name: str, entry: Entry, kept: Sequence[Kept]) -> DraftData:
    """The draft behind an entry of the outbox, without its signers: what is needed to sign it again.

    Raises:
        DraftError: ``salts-elsewhere`` where the outbox does not keep what its records commit to.
    """
    if entry.item is None:
        raise DraftError("salts-elsewhere")
    item = Item.decode(entry.item)
    if len(kept) != len(item.records):
        raise DraftError("salts-elsewhere")
    records = []
    for data, one in zip(item.records, kept, strict=True):
        record = Record.decode(data)
        if len(one.openings) != record.commitment_count:
            raise DraftError("salts-elsewhere")
        records.append(
            RecordDraft(
                one.org,
                record.procedure,
                one.number,
                record.step,
                record.occurred_at_ms,
                record.clear,
                record.refs,
                one.openings,
            )
        )
    body = item.body
    return DraftData(
        suite_name,
        body.genesis_hash,
        body.org,
        body.draft_id,
        body.claimed_time_ms,
        tuple(records),
        body.signer_keys,
        not_before=body.not_before,
    )


def save_draft(draft: DraftData, path: str | os.PathLike[str]) -> None:
    """Write the draft file, whole or not at all, mode 0600."""
    write_private(path, draft.encode())


def load_draft(path: str | os.PathLike[str]) -> DraftData:
    """Read a draft file.

    Raises:
        DraftError: ``bad-draft-file``.
        LooksPersonal: another program drafted it, with personal data in the clear: it is not to be signed.
    """
    try:
        data = read_bounded(path, 4 * MAX_ITEM_BYTES)
    except OSError as error:
        raise DraftError("bad-draft-file", path=os.fspath(path), reason=os.strerror(error.errno or 0)) from None
    draft = DraftData.decode(data, os.fspath(path))
    for record in draft.records:
        check_clear(dict(record.clear), record.number)
    return draft


def combine(drafts: Sequence[DraftData], draft_id: bytes) -> DraftData:
    """One draft of all records, under one signature of each signer: atomic, and far cheaper for the chain than one
    submission each.

    The drafts must have the same signers, all at hand, and no place yet; their commitments are made anew under
    ``draft_id``.
    """
    return replace(
        drafts[0],
        draft_id=draft_id,
        records=tuple(record for draft in drafts for record in draft.records),
        members=tuple(draft.draft_id for draft in drafts for _ in draft.records),
    )


def can_combine(one: DraftData, other: DraftData) -> bool:
    """Whether two drafts may stand under one signature."""
    return (
        len(one.records) == len(other.records) == 1
        and one.place is None
        and other.place is None
        and not one.missing
        and one.signer_keys == other.signer_keys
        and one.org == other.org
        and member_of(one.records[0].org) == member_of(other.records[0].org)
        and one.valid_until_ms == other.valid_until_ms
        and one.not_before == other.not_before
    )


def shown(draft: DraftData, language: str = "zh") -> str:
    """What a signer must see before signing, as text: case, step, time, files with their digests, fields."""
    lines = []
    for record in draft.records:
        title = f"{record.number} · {record.step} · {record.occurred_at_ms} ms"
        lines.append(("案件 " if language.startswith("zh") else "case ") + title)
        for opening in record.openings:
            if opening.is_file:
                value = opening.file
                digests = ", ".join(f"{name} {digest.hex()}" for name, digest in value.digests)
                lines.append(f"  {opening.field}: {value.length} B · {value.media_type} · {digests}")
            else:
                lines.append(f"  {opening.field}: {opening.value!r}"[:MAX_TEXT_CHARS])
        lines.extend(f"  {name} = {value}" for name, value in record.clear)
    return "\n".join(lines)
