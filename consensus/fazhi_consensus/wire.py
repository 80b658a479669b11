"""Messages as canonical bytes, strictly bounded.

``vote`` stands for ``sender, height, round, block_hash, signature``; first comes the kind::

    PRE-PREPARE    [1, vote, block, [change…]]    change: [sender, prepared_round | nil, prepared_hash | nil,
                                                           signature, [[sender, signature]…]]
    PREPARE        [2, vote]
    COMMIT         [3, vote]
    ROUND-CHANGE   [4, sender, height, new_round, prepared_round | nil, prepared_hash | nil, signature,
                       [[sender, signature]…], block | nil]
    block request  [5, sender, height, block_hash]
    block reply    [6, sender, height, block_hash, block]

What is implied is not repeated: the ROUND-CHANGEs inside a PRE-PREPARE have its height and round, the PREPAREs of a
ROUND-CHANGE its prepared round and block. Decoding raises :class:`~fazhi_ledger.errors.EncodingError` and knows the
number of validators: no list is longer, no index higher.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_INT
from fazhi_ledger.shape import as_bytes, as_digest, as_int, as_tuple

from .limits import MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES, MAX_SIGNATURE_BYTES
from .messages import (
    BlockReply,
    BlockRequest,
    Claim,
    Commit,
    Message,
    Phase,
    Prepare,
    PrePrepare,
    RoundChange,
    pairs_of,
    prepares_of,
)


class Kind(IntEnum):
    """First field of a message: the phases, and the two unsigned kinds."""

    PRE_PREPARE = Phase.PRE_PREPARE.value
    PREPARE = Phase.PREPARE.value
    COMMIT = Phase.COMMIT.value
    ROUND_CHANGE = Phase.ROUND_CHANGE.value
    BLOCK_REQUEST = 5
    BLOCK_REPLY = 6


_MAX_DEPTH: Final = 6

_Pairs = tuple[tuple[int, bytes], ...]


def encode_message(message: Message) -> bytes:
    """The canonical bytes of a message."""
    return pack(_to_value(message))


def decode_message(data: bytes, validator_count: int) -> Message:
    """The message whose encoding is exactly ``data``, among ``validator_count`` validators.

    Raises:
        EncodingError: not canonical, too large, of an unknown kind, or of the wrong shape.
    """
    value = decode(data, max_bytes=MAX_MESSAGE_BYTES, max_depth=_MAX_DEPTH, sparse=True)
    fields = as_tuple(value, "message", max_length=9)
    if not fields:
        raise EncodingError("bad-shape", what="message", expected="kind")
    return _Reader(validator_count).message(as_int(fields[0], "kind"), fields[1:])


def _to_value(message: Message) -> Value:
    match message:
        case PrePrepare(claim, payload, justification):
            changes = tuple(
                (rc.sender, rc.prepared_round, rc.prepared_hash, rc.signature, pairs_of(rc.prepares))
                for rc in justification
            )
            return (Kind.PRE_PREPARE.value, *_vote(claim), payload, changes)
        case Prepare() | Commit():
            return (message.phase.value, *_vote(message))
        case RoundChange():
            rc = message
            head = (Kind.ROUND_CHANGE.value, rc.sender, rc.height, rc.new_round, rc.prepared_round, rc.prepared_hash)
            return (*head, rc.signature, pairs_of(rc.prepares), rc.payload)
        case BlockRequest(sender, height, block_hash):
            return (Kind.BLOCK_REQUEST.value, sender, height, block_hash)
        case BlockReply(sender, height, block_hash, payload):
            return (Kind.BLOCK_REPLY.value, sender, height, block_hash, payload)


def _vote(vote: Claim | Prepare | Commit) -> tuple[Value, ...]:
    return (vote.sender, vote.height, vote.round, vote.block_hash, vote.signature)


class _Reader:
    """Narrows decoded values, with the number of validators as the bound of every list and index."""

    __slots__ = ("_count",)

    def __init__(self, validator_count: int) -> None:
        self._count = validator_count

    def message(self, kind: int, fields: tuple[Value, ...]) -> Message:
        match kind:
            case Kind.PRE_PREPARE:
                return self._pre_prepare(fields)
            case Kind.PREPARE:
                return Prepare(*self._vote(as_tuple(fields, "PREPARE", length=5)))
            case Kind.COMMIT:
                return Commit(*self._vote(as_tuple(fields, "COMMIT", length=5)))
            case Kind.ROUND_CHANGE:
                return self._round_change(fields)
            case Kind.BLOCK_REQUEST:
                sender, height, block_hash = as_tuple(fields, "block request", length=3)
                return BlockRequest(self._index(sender), _height(height), as_digest(block_hash, "block hash"))
            case Kind.BLOCK_REPLY:
                sender, height, block_hash, payload = as_tuple(fields, "block reply", length=4)
                digest = as_digest(block_hash, "block hash")
                return BlockReply(self._index(sender), _height(height), digest, _payload(payload))
            case _:
                raise EncodingError("unknown-kind", what="message", kind=kind)

    def _index(self, value: Value) -> int:
        return as_int(value, "validator index", high=self._count - 1)

    def _vote(self, fields: tuple[Value, ...]) -> tuple[int, int, int, bytes, bytes]:
        sender, height, round_, block_hash, signature = fields
        digest = as_digest(block_hash, "block hash")
        return self._index(sender), _height(height), as_int(round_, "round"), digest, _signature(signature)

    def _pre_prepare(self, fields: tuple[Value, ...]) -> PrePrepare:
        fields = as_tuple(fields, "PRE-PREPARE", length=7)
        claim = Claim(*self._vote(fields[:5]))
        justification = tuple(
            self._justifying(claim, change) for change in as_tuple(fields[6], "justification", max_length=self._count)
        )
        return PrePrepare(claim, _payload(fields[5]), justification)

    def _justifying(self, claim: Claim, value: Value) -> RoundChange:
        sender, prepared_round, prepared_hash, signature, pairs = as_tuple(value, "justifying ROUND-CHANGE", length=5)
        prepared = _prepared(claim.round, prepared_round, prepared_hash)
        return RoundChange(
            self._index(sender),
            claim.height,
            claim.round,
            *prepared,
            _signature(signature),
            self._prepares(claim.height, prepared, pairs),
        )

    def _round_change(self, fields: tuple[Value, ...]) -> RoundChange:
        fields = as_tuple(fields, "ROUND-CHANGE", length=8)
        sender, height, new_round, prepared_round, prepared_hash, signature, pairs, payload = fields
        round_ = as_int(new_round, "new round", low=1)
        prepared = _prepared(round_, prepared_round, prepared_hash)
        return RoundChange(
            self._index(sender),
            _height(height),
            round_,
            *prepared,
            _signature(signature),
            self._prepares(_height(height), prepared, pairs),
            None if payload is None else _payload(payload),
        )

    def _prepares(self, height: int, prepared: tuple[int | None, bytes | None], value: Value) -> tuple[Prepare, ...]:
        round_, block_hash = prepared
        entries = as_tuple(value, "PREPAREs", max_length=self._count)
        if round_ is None or block_hash is None:
            if entries:
                raise EncodingError("bad-shape", what="PREPAREs", expected="none where nothing was prepared")
            return ()
        return prepares_of(round_, block_hash, height, self.pairs(entries))

    def pairs(self, entries: tuple[Value, ...]) -> _Pairs:
        """(sender, signature) pairs."""
        found = []
        for entry in entries:
            sender, signature = as_tuple(entry, "PREPARE", length=2)
            found.append((self._index(sender), _signature(signature)))
        return tuple(found)


def decode_pairs(value: Value, validator_count: int) -> _Pairs:
    """The short form of PREPAREs of one (height, round, block)."""
    return _Reader(validator_count).pairs(as_tuple(value, "PREPAREs", max_length=validator_count))


def _height(value: Value) -> int:
    return as_int(value, "height", low=1)


def _payload(value: Value) -> bytes:
    return as_bytes(value, "block", max_length=MAX_PAYLOAD_BYTES)


def _signature(value: Value) -> bytes:
    return as_bytes(value, "signature", max_length=MAX_SIGNATURE_BYTES)


def _prepared(new_round: int, round_: Value, block_hash: Value) -> tuple[int | None, bytes | None]:
    """Both nil, or a round below ``new_round`` and a digest."""
    if round_ is None and block_hash is None:
        return None, None
    return as_int(round_, "prepared round", high=min(new_round - 1, MAX_INT)), as_digest(block_hash, "prepared hash")
