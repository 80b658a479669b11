"""Submissions: what a bureau signs and the chain executes (spec/submission.md).

The body is signed as bytes and kept as received. It names the ordered keys that sign it, and the envelope carries
exactly one signature for each, so that a relay can neither strip the second officer's signature nor add a stranger's.
Records travel beside the signed body, which holds their count and root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any, Final

from . import dsse, merkle
from .canonical import Value, all_bytes, decode, encode, is_flat, pack, parts_of, strings_of
from .datatypes import slotted
from .errors import EncodingError, InvalidSignature
from .keys import Signer
from .limits import (
    BATCHES_KEPT_DECODED,
    MAX_BODY_BYTES,
    MAX_INT,
    MAX_ITEM_BYTES,
    MAX_NAME_CHARS,
    MAX_ORG_CHARS,
    MAX_RECORD_BYTES,
    MAX_RECORDS_PER_ITEM,
    MAX_SIGNER_KEYS,
    MAX_TIME_MS,
    RECORDS_KEPT_DECODED,
    UNCOUNTED_BYTES,
)
from .names import NAME, ORG
from .record import records_root
from .record_runs import RecordRun, runs_of
from .shape import as_bytes, as_digest, as_int, as_text, as_tuple, as_version
from .suites import DIGEST_BYTES, Suite

SUBMISSION_VERSION: Final = 1
LANE_BYTES: Final = 16
DRAFT_ID_BYTES: Final = 16
MAX_KEY_BYTES: Final = 128
MAX_SIGNATURE_BYTES: Final = 256


@slotted
class SubmissionBody:
    """What is signed.

    ``lane`` (16 random bytes of an outbox or device) and ``seq`` (from 0) give exactly-once; ``draft_id`` binds
    commitments and survives signing again under another seq; ``not_before`` names a block, by height and header hash,
    that existed when it was signed.

    Raises:
        EncodingError: ``bad-signer-keys`` for none, too many or a repeated one.
    """

    genesis_hash: bytes
    org: str
    lane: bytes
    seq: int
    draft_id: bytes
    contract: str
    action: str
    args: Value
    signer_keys: tuple[bytes, ...]
    claimed_time_ms: int
    not_before: tuple[int, bytes] | None = None
    valid_until_ms: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.signer_keys) <= MAX_SIGNER_KEYS:
            raise EncodingError("bad-signer-keys", count=len(self.signer_keys))
        if len(self.signer_keys) > 1 and len(set(self.signer_keys)) != len(self.signer_keys):
            raise EncodingError("bad-signer-keys", what="a key stands twice")

    def to_value(self) -> Value:
        return (
            SUBMISSION_VERSION,
            self.genesis_hash,
            self.org,
            self.lane,
            self.seq,
            self.draft_id,
            self.contract,
            self.action,
            self.args,
            self.signer_keys,
            self.claimed_time_ms,
            self.not_before,
            self.valid_until_ms,
        )

    @classmethod
    def from_value(cls, value: Value) -> SubmissionBody:
        parts = as_tuple(value, "submission", length=13)
        as_version(parts[0], "submission", SUBMISSION_VERSION)
        _, genesis, org, lane, seq, draft_id, contract, action, args, keys, claimed, not_before, until = parts
        before = None if not_before is None else _not_before(not_before)
        return cls(
            as_digest(genesis, "genesis hash"),
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_bytes(lane, "lane", length=LANE_BYTES),
            as_int(seq, "seq", high=MAX_INT - 1),
            as_bytes(draft_id, "draft id", length=DRAFT_ID_BYTES),
            as_text(contract, "contract", MAX_NAME_CHARS, NAME),
            as_text(action, "action", MAX_NAME_CHARS, NAME),
            args,
            tuple(as_bytes(key, "signer key", max_length=MAX_KEY_BYTES) for key in as_tuple(keys, "signer keys")),
            as_int(claimed, "claimed time", high=MAX_TIME_MS),
            before,
            None if until is None else as_int(until, "valid until", high=MAX_TIME_MS),
        )

    def encode(self) -> bytes:
        return encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> SubmissionBody:
        return _body_at_a_glance(data) or cls.from_value(decode(data, max_bytes=MAX_BODY_BYTES, sparse=True))


def _body_at_a_glance(data: bytes) -> SubmissionBody | None:
    """What :meth:`SubmissionBody.decode` gives, or nothing where that needs a closer look."""
    parts = parts_of(data, _BODY_HEAD)
    if parts is None:
        return None
    _, genesis, org, lane, seq, draft_id, contract, action, args, keys, claimed, not_before, until = parts
    try:
        before = None if not_before is None else _not_before(not_before)
        if (
            type(genesis) is type(lane) is type(draft_id) is bytes
            and (len(genesis), len(lane), len(draft_id)) == (DIGEST_BYTES, LANE_BYTES, DRAFT_ID_BYTES)
            and type(seq) is type(claimed) is int
            and 0 <= seq < MAX_INT
            and 0 <= claimed <= MAX_TIME_MS
            and ORG[org]
            and NAME[contract]
            and NAME[action]
            and type(args) is tuple
            and is_flat(args)
            and type(keys) is tuple
            and _are_short_bytes(keys, MAX_KEY_BYTES)
            and (until is None or (type(until) is int and 0 <= until <= MAX_TIME_MS))
        ):
            return SubmissionBody(
                genesis, org, lane, seq, draft_id, contract, action, args, keys, claimed, before, until
            )
    except (TypeError, EncodingError):
        pass
    return None


_BODY_HEAD: Final = b"\x9d\x01"  # an array of thirteen, the first of which is SUBMISSION_VERSION


def _are_short_bytes(values: tuple[Any, ...], most: int) -> bool:
    if len(values) == 1:  # as nearly always
        return type(values[0]) is bytes and len(values[0]) <= most
    return all_bytes(values) and max(map(len, values), default=0) <= most


def _not_before(value: Value) -> tuple[int, bytes]:
    height, header_hash = as_tuple(value, "not_before", length=2)
    return as_int(height, "not_before height", low=1), as_digest(header_hash, "not_before hash")


def submission_id(suite: Suite, body_bytes: bytes) -> bytes:
    """The digest that names a submission: over the signed message, so over the body alone and whatever the signatures
    look like."""
    return suite.hash(dsse.pae(dsse.SUBMISSION, body_bytes))


@slotted
class Item:
    """A submission as it travels and stands in a block: ``[body, [signature…], [record…]]``, each part verbatim bytes.

    ``body`` is the decoded form of ``body_bytes``; the constructor decodes it when it is not given.

    Raises:
        EncodingError: a malformed body, or ``wrong-signature-count``.
    """

    body_bytes: bytes
    signatures: tuple[bytes, ...]
    records: tuple[bytes, ...] = ()
    body: SubmissionBody = field(init=False, compare=False, repr=False)
    _known: dict[Any, Any] = field(init=False, compare=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", SubmissionBody.decode(self.body_bytes))
        if len(self.signatures) != len(self.body.signer_keys):
            raise EncodingError(
                "wrong-signature-count", signatures=len(self.signatures), signer_keys=len(self.body.signer_keys)
            )

    def to_value(self) -> Value:
        return (self.body_bytes, self.signatures, self.records)

    @classmethod
    def from_value(cls, value: Value) -> Item:
        body, signatures, records = as_tuple(value, "item", length=3)
        return cls(
            as_bytes(body, "body", max_length=MAX_BODY_BYTES),
            tuple(
                as_bytes(signature, "signature", max_length=MAX_SIGNATURE_BYTES)
                for signature in as_tuple(signatures, "signatures", max_length=MAX_SIGNER_KEYS)
            ),
            tuple(
                as_bytes(record, "record", max_length=MAX_RECORD_BYTES)
                for record in as_tuple(records, "records", max_length=MAX_RECORDS_PER_ITEM)
            ),
        )

    def encode(self) -> bytes:
        return pack(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Item:
        return _item_at_a_glance(data) or cls.from_value(decode(data, max_bytes=MAX_ITEM_BYTES, sparse=True))

    def envelope(self) -> bytes:
        """``[body, [signature…]]``: the leaf under ``submissions_root``. Records are bound by the root in the body."""
        return envelope_bytes(self.body_bytes, self.signatures)

    # What follows from an item is worked out once: a node needs it at admission, proposal, check and decision.

    def message(self) -> bytes:
        """What the signatures are over."""
        found: bytes | None = self._known.get("message")
        if found is None:
            found = self._known["message"] = dsse.pae(dsse.SUBMISSION, self.body_bytes)
        return found

    def id(self, suite: Suite) -> bytes:
        """See :func:`submission_id`."""
        found: bytes | None = self._known.get(("id", suite.name))
        if found is None:
            found = self._known["id", suite.name] = suite.hash(self.message())
        return found

    def leaf(self, suite: Suite) -> bytes:
        """The leaf hash of the envelope."""
        found: bytes | None = self._known.get(("leaf", suite.name))
        if found is None:
            found = self._known["leaf", suite.name] = merkle.leaf_hash(suite, self.envelope())
        return found

    def records_root(self, suite: Suite) -> bytes:
        """The root over the records that travel beside the body."""
        found: bytes | None = self._known.get(("records", suite.name))
        if found is None:
            found = self._known["records", suite.name] = records_root(suite, self.records)
        return found

    def record_runs(self) -> tuple[RecordRun, ...]:
        """The records, decoded, those that are alike together. An item keeps those of a small batch; of large ones only
        the last few stay decoded: decoded they take more than their bytes while they wait.

        Raises:
            EncodingError: of the first that is malformed, with its place as parameter ``record``.
        """
        found: tuple[RecordRun, ...] | None = self._known.get("runs")
        if found is None:
            if len(self.records) > RECORDS_KEPT_DECODED:
                return _runs_of_batch(self.records)
            found = self._known["runs"] = runs_of(self.records)
        return found

    def verify_signatures(self, suite: Suite) -> None:
        """Raise :class:`InvalidSignature` unless every key named in the body signed it, in that order."""
        message = self.message()
        for position, (key, signature) in enumerate(zip(self.body.signer_keys, self.signatures, strict=True)):
            try:
                suite.verify(key, message, signature)
            except InvalidSignature as error:
                raise InvalidSignature("bad-submission-signature", position=position + 1, reason=error.code) from None


def _item_at_a_glance(data: bytes) -> Item | None:
    """What :meth:`Item.decode` gives, or nothing where that needs a closer look."""
    if len(data) <= UNCOUNTED_BYTES:
        parts = parts_of(data, _ITEM_HEAD)
    elif len(data) <= MAX_ITEM_BYTES:
        parts = strings_of(data, (None, MAX_SIGNER_KEYS, MAX_RECORDS_PER_ITEM))
    else:
        parts = None
    if parts is None:
        return None
    body, signatures, records = parts
    if (
        type(body) is bytes
        and type(signatures) is type(records) is tuple
        and len(body) <= MAX_BODY_BYTES
        and len(signatures) <= MAX_SIGNER_KEYS
        and _are_short_bytes(signatures, MAX_SIGNATURE_BYTES)
        and _are_short_bytes(records, MAX_RECORD_BYTES)
    ):
        return Item(body, signatures, records)
    return None


_ITEM_HEAD: Final = b"\x93"  # an array of three


_runs_of_batch = lru_cache(maxsize=BATCHES_KEPT_DECODED)(runs_of)


def sign_item(body: SubmissionBody, signers: Sequence[Signer], records: Sequence[bytes] = ()) -> Item:
    """The item of ``body`` signed by ``signers``, who must be the body's signer keys in order.

    Raises:
        EncodingError: ``bad-signer-keys`` where they are not.
    """
    if tuple(signer.public_key for signer in signers) != body.signer_keys:
        raise EncodingError("bad-signer-keys", what="signers are not the keys that the body names")
    data = body.encode()
    return Item(data, tuple(dsse.sign(signer, dsse.SUBMISSION, data) for signer in signers), tuple(records))


def envelope_bytes(body_bytes: bytes, signatures: tuple[bytes, ...]) -> bytes:
    """The envelope of a body and its signatures; see :meth:`Item.envelope`."""
    return pack((body_bytes, signatures))


def envelope_parts(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Body bytes and signatures of an encoded envelope, as receipts carry it."""
    value: Any = parts_of(data, b"\x92")
    if value is None or type(value[0]) is not bytes or type(value[1]) is not tuple or not all_bytes(value[1]):
        value = decode(data, max_bytes=MAX_ITEM_BYTES, sparse=True)
    body, signatures = as_tuple(value, "envelope", length=2)
    return as_bytes(body, "body"), tuple(
        as_bytes(signature, "signature", max_length=MAX_SIGNATURE_BYTES)
        for signature in as_tuple(signatures, "signatures", max_length=MAX_SIGNER_KEYS)
    )
