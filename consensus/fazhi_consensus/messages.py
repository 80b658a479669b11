"""The messages of PBFT with QBFT's round change (arXiv 2002.03613), as types, and the bodies that are signed.

PRE-PREPARE, PREPARE and COMMIT sign ``[genesis_hash, height, round, block_hash]``; ROUND-CHANGE signs ``[genesis_hash,
height, new_round, prepared_round | nil, prepared_hash | nil]``; each under its own DSSE payload type, so that none can
be read as another. Everything else travels beside the signed body: the block (opaque bytes here, bound to its hash by
the checks of :mod:`.verify`), the PREPAREs that prove a prepared round, the ROUND-CHANGEs that justify a proposal. The
round is never part of the block (lineth-monorepo#3247: it forked a chain).

These types know their own shape only. That a message is *valid* is said by :class:`.verify.Verified`.
"""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from typing import ClassVar, Final

from fazhi_ledger import dsse
from fazhi_ledger.canonical import pack
from fazhi_ledger.certificate import vote_body
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import invariant


class Phase(IntEnum):
    """The kinds of signed bodies."""

    PRE_PREPARE = 1
    PREPARE = 2
    COMMIT = 3
    ROUND_CHANGE = 4


PAYLOAD_TYPE: Final = {
    Phase.PRE_PREPARE: dsse.PRE_PREPARE,
    Phase.PREPARE: dsse.PREPARE,
    Phase.COMMIT: dsse.COMMIT,
    Phase.ROUND_CHANGE: dsse.ROUND_CHANGE,
}


@slotted
class Vote:
    """A signed ``[genesis_hash, height, round, block_hash]``; ``sender`` is the index of the validator whose key
    verifies it.
    """

    phase: ClassVar[Phase]

    sender: int
    height: int
    round: int
    block_hash: bytes
    signature: bytes

    def body(self, genesis_hash: bytes) -> bytes:
        """The signed bytes."""
        return vote_body(genesis_hash, self.height, self.round, self.block_hash)

    def same_content(self, other: Vote) -> bool:
        """Whether both sign the same body as the same kind (signatures may differ: SM2 draws a nonce)."""
        return type(self) is type(other) and (self.sender, self.height, self.round, self.block_hash) == (
            other.sender,
            other.height,
            other.round,
            other.block_hash,
        )


@slotted
class Claim(Vote):
    """The signed part of a PRE-PREPARE: "I propose this block in this round"."""

    phase: ClassVar[Phase] = Phase.PRE_PREPARE


@slotted
class Prepare(Vote):
    """PREPARE: "I have executed this proposal of this round and found it valid"."""

    phase: ClassVar[Phase] = Phase.PREPARE


@slotted
class Commit(Vote):
    """COMMIT: "I hold q PREPAREs of this round for this block, and keep them"."""

    phase: ClassVar[Phase] = Phase.COMMIT


@slotted
class RoundChange:
    """ROUND-CHANGE: "I have left all rounds below ``new_round``, and this is the highest round in which I hold q
    PREPAREs".

    ``prepares`` are those q PREPAREs, all of (``prepared_round``, ``prepared_hash``); ``payload`` is the block. Inside
    a PRE-PREPARE, and in our own books, the block is left out: there it is beside, or kept once.
    """

    phase: ClassVar[Phase] = Phase.ROUND_CHANGE

    sender: int
    height: int
    new_round: int
    prepared_round: int | None
    prepared_hash: bytes | None
    signature: bytes
    prepares: tuple[Prepare, ...] = ()
    payload: bytes | None = None

    def __post_init__(self) -> None:
        invariant((self.prepared_round is None) == (self.prepared_hash is None), "prepared round and hash go together")

    @property
    def prepared(self) -> tuple[int, bytes] | None:
        """(round, block hash) of the prepared certificate."""
        if self.prepared_round is None or self.prepared_hash is None:
            return None
        return self.prepared_round, self.prepared_hash

    @property
    def round(self) -> int:
        """The round this body speaks of."""
        return self.new_round

    def body(self, genesis_hash: bytes) -> bytes:
        """The signed bytes."""
        return round_change_body(genesis_hash, self.height, self.new_round, self.prepared)

    def same_content(self, other: RoundChange) -> bool:
        """Whether both sign the same body."""
        return (self.sender, self.height, self.new_round, self.prepared_round, self.prepared_hash) == (
            other.sender,
            other.height,
            other.new_round,
            other.prepared_round,
            other.prepared_hash,
        )

    def without_payload(self) -> RoundChange:
        """The same ROUND-CHANGE without the block beside it."""
        return self if self.payload is None else replace(self, payload=None)

    def bare(self) -> RoundChange:
        """The signed body alone."""
        return replace(self, prepares=(), payload=None)


@slotted
class PrePrepare:
    """PRE-PREPARE: a signed claim, the block, and above round 0 the q ROUND-CHANGEs from which the choice of the block
    follows.
    """

    claim: Claim
    payload: bytes
    justification: tuple[RoundChange, ...] = ()

    @property
    def sender(self) -> int:
        """Index of the proposer."""
        return self.claim.sender

    @property
    def height(self) -> int:
        """Height of the block."""
        return self.claim.height

    @property
    def round(self) -> int:
        """Round of the proposal."""
        return self.claim.round

    @property
    def block_hash(self) -> bytes:
        """Hash of the block."""
        return self.claim.block_hash


@slotted
class BlockRequest:
    """ "Send me the block of this hash": unsigned, believed only of the peer that ``sender`` is."""

    sender: int
    height: int
    block_hash: bytes


@slotted
class BlockReply:
    """The block that was asked for: unsigned, the hash binds it."""

    sender: int
    height: int
    block_hash: bytes
    payload: bytes


Signed = Vote | RoundChange
"""One signed body with its signature, without what travels beside it."""
Message = PrePrepare | Prepare | Commit | RoundChange | BlockRequest | BlockReply


def round_change_body(genesis_hash: bytes, height: int, new_round: int, prepared: tuple[int, bytes] | None) -> bytes:
    """``[genesis_hash, height, new_round, prepared_round | nil, prepared_hash | nil]``."""
    prepared_round, prepared_hash = (None, None) if prepared is None else prepared
    return pack((genesis_hash, height, new_round, prepared_round, prepared_hash))


def signed_message(genesis_hash: bytes, signed: Signed) -> bytes:
    """What the signature of ``signed`` is over: its body under the DSSE payload type of its kind."""
    return dsse.pae(PAYLOAD_TYPE[signed.phase], signed.body(genesis_hash))


def prepares_of(
    round_: int, block_hash: bytes, height: int, pairs: tuple[tuple[int, bytes], ...]
) -> tuple[Prepare, ...]:
    """PREPAREs of one (height, round, block) from their (sender, signature) pairs: their short form on the wire and on
    disk.
    """
    return tuple(Prepare(sender, height, round_, block_hash, signature) for sender, signature in pairs)


def pairs_of(votes: tuple[Prepare, ...]) -> tuple[tuple[int, bytes], ...]:
    """The short form of PREPAREs of one (height, round, block)."""
    invariant(len({(v.height, v.round, v.block_hash) for v in votes}) <= 1, "PREPAREs of one round and block")
    return tuple((vote.sender, vote.signature) for vote in votes)
