"""The gate of the core: it accepts only :class:`Verified` messages, and only this module makes them.

Three steps, cheapest first, so that a flood costs its sender more than us:

1. :func:`screen`: everything that needs no cryptography: the right proposer, distinct signers, counts, rounds, and for
   a proposal above round 0 the choice of the block recomputed from its justification (JustifyPrePrepare, arXiv
   2002.03613 Algorithm 4);
2. the signature equations of the candidate, nested ones too, each distinct one once: checked in one go by
   :meth:`Candidate.check`, or by the caller's own verifier, in chunks and off the loop;
3. :meth:`Candidate.seal`: the block belongs to the hash that was signed, by an injected function.

All is pure and raises :class:`.errors.InvalidMessage` or :class:`~fazhi_ledger.errors.InvalidSignature`; nothing
returns a truth value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from itertools import pairwise
from typing import Generic, TypeVar

from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import FazhiError, invariant
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .errors import InvalidMessage
from .limits import MAX_PAYLOAD_BYTES
from .messages import (
    BlockReply,
    BlockRequest,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    RoundChange,
    Signed,
    signed_message,
)
from .round_change import choice

M = TypeVar("M", bound=Message)
M_co = TypeVar("M_co", bound=Message, covariant=True)

BlockHashOf = Callable[[bytes], bytes]
"""The hash of an encoded block. It must bind *every* byte: strict decoding, header, and everything beside the header
against its roots, so that no two payloads have one hash. Raises a :class:`~fazhi_ledger.errors.FazhiError` for what is
no block.
"""


class _Seal(Enum):
    VERIFIED = "verified"


@slotted
class Verified(Generic[M_co]):
    """A message whose every signature is valid under ``validators`` and whose block has the hash that was signed."""

    message: M_co
    validators: ValidatorSet
    seal: _Seal

    def __post_init__(self) -> None:
        invariant(self.seal is _Seal.VERIFIED, "only verify.py makes Verified")


@slotted
class Equation:
    """One signature to check: ``signature`` over ``message`` under ``public_key``."""

    public_key: bytes
    message: bytes
    signature: bytes


@slotted
class Candidate(Generic[M_co]):
    """A message that passed the cheap checks, with the signature equations that must still hold."""

    message: M_co
    validators: ValidatorSet
    equations: tuple[Equation, ...]

    def check(self, suite: Suite) -> None:
        """Check every equation.

        Raises:
            InvalidSignature: for the first that does not hold.
        """
        for equation in self.equations:
            suite.verify(equation.public_key, equation.message, equation.signature)

    def seal(self, block_hash_of: BlockHashOf) -> Verified[M_co]:
        """The verified message. The caller vouches that each of :attr:`equations` has been checked and holds.

        Raises:
            InvalidMessage: ``block-of-another-hash``, or ``no-block`` for a payload that is none.
        """
        _check_block(self.message, block_hash_of)
        return Verified(self.message, self.validators, _Seal.VERIFIED)


def verify_message(
    suite: Suite,
    genesis_hash: bytes,
    validators: ValidatorSet,
    message: M,
    block_hash_of: BlockHashOf,
    peer: int | None = None,
) -> Verified[M]:
    """All three steps in one go. ``peer`` is as in :func:`screen`."""
    candidate = screen(genesis_hash, validators, message, peer)
    candidate.check(suite)
    return candidate.seal(block_hash_of)


def screen(genesis_hash: bytes, validators: ValidatorSet, message: M, peer: int | None = None) -> Candidate[M]:
    """The checks that need no cryptography, and the equations that remain.

    ``validators`` is the set of the message's height. ``peer`` is the validator index of the authenticated channel on
    which the message came, None where that is no validator's: unsigned kinds are believed of it alone (a TLS peer is
    not a signer unless checked).

    Raises:
        InvalidMessage: with the code of the rule that is broken.
    """
    match message:
        case PrePrepare():
            _screen_pre_prepare(validators, message)
            signed: list[Signed] = [message.claim]
            for change in message.justification:
                signed += (change, *change.prepares)
        case RoundChange():
            _screen_round_change(validators, message)
            signed = [message, *message.prepares]
        case Prepare() | Commit():
            _check_signer(validators, message.sender)
            signed = [message]
        case BlockRequest() | BlockReply():
            if message.sender != peer:
                raise InvalidMessage("unsigned-for-another", sender=message.sender)
            signed = []
    return Candidate(message, validators, _equations(genesis_hash, validators, signed))


def _equations(genesis_hash: bytes, validators: ValidatorSet, signed: Iterable[Signed]) -> tuple[Equation, ...]:
    """Each distinct equation once, in order: q ROUND-CHANGEs usually share the same q PREPAREs."""
    found: dict[Equation, None] = {}
    for item in signed:
        key = validators.validators[item.sender].key
        found[Equation(key, signed_message(genesis_hash, item), item.signature)] = None
    return tuple(found)


def _check_signer(validators: ValidatorSet, sender: int) -> None:
    if not 0 <= sender < len(validators):
        raise InvalidMessage("unknown-signer", sender=sender, validators=len(validators))


def _check_distinct(validators: ValidatorSet, senders: list[int], what: str) -> None:
    """Exactly as many distinct validators as there are entries, in increasing order: validators are counted, not
    signatures.
    """
    for sender in senders:
        _check_signer(validators, sender)
    if any(a >= b for a, b in pairwise(senders)):
        raise InvalidMessage("signers-not-distinct", what=what)


def _screen_pre_prepare(validators: ValidatorSet, message: PrePrepare) -> None:
    _check_signer(validators, message.sender)
    if message.sender != validators.proposer(message.height, message.round):
        raise InvalidMessage("not-the-proposer", sender=message.sender, height=message.height, round=message.round)
    _check_size(message.payload)
    if message.round == 0:
        if message.justification:
            raise InvalidMessage("needless-justification", round=0)
        return
    changes = message.justification
    _check_distinct(validators, [change.sender for change in changes], "ROUND-CHANGE")
    if len(changes) != validators.quorum:
        raise InvalidMessage("no-quorum", what="ROUND-CHANGE", signers=len(changes), quorum=validators.quorum)
    for change in changes:
        if change.height != message.height or change.new_round != message.round:
            raise InvalidMessage("round-change-of-another-round", round=change.new_round)
        if change.payload is not None:
            raise InvalidMessage("needless-block", what="ROUND-CHANGE")
        _screen_round_change(validators, change)
    # Receivers recompute the choice (Algorithm 4): it must be the block of the highest prepared round among the q.
    chosen = choice(changes)
    if chosen is not None and chosen[1] != message.block_hash:
        raise InvalidMessage("not-the-prepared-block", round=message.round, prepared_round=chosen[0])


def _screen_round_change(validators: ValidatorSet, change: RoundChange) -> None:
    _check_signer(validators, change.sender)
    if change.new_round < 1:
        raise InvalidMessage("bad-round", round=change.new_round)
    if change.payload is not None:
        _check_size(change.payload)
    if change.prepared is None:
        if change.prepares or change.payload is not None:
            raise InvalidMessage("proof-of-nothing")
        return
    prepared_round, prepared_hash = change.prepared
    if not 0 <= prepared_round < change.new_round:
        raise InvalidMessage("bad-prepared-round", round=change.new_round, prepared_round=prepared_round)
    # Each ROUND-CHANGE proves its own claim (JustifyRoundChange, Algorithm 4).
    _check_distinct(validators, [prepare.sender for prepare in change.prepares], "PREPARE")
    if len(change.prepares) != validators.quorum:
        raise InvalidMessage("no-quorum", what="PREPARE", signers=len(change.prepares), quorum=validators.quorum)
    for prepare in change.prepares:
        if (prepare.height, prepare.round, prepare.block_hash) != (change.height, prepared_round, prepared_hash):
            raise InvalidMessage("prepare-of-another-proposal", round=prepare.round, prepared_round=prepared_round)


def _check_size(payload: bytes) -> None:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise InvalidMessage("block-too-large", bytes=len(payload), limit=MAX_PAYLOAD_BYTES)


def _check_block(message: Message, block_hash_of: BlockHashOf) -> None:
    match message:
        case PrePrepare() | BlockReply():
            _bind(message.payload, message.block_hash, block_hash_of)
        case RoundChange(payload=bytes() as payload, prepared_hash=bytes() as prepared_hash):
            _bind(payload, prepared_hash, block_hash_of)
        case _:
            pass


def _bind(payload: bytes, block_hash: bytes, block_hash_of: BlockHashOf) -> None:
    try:
        found = block_hash_of(payload)
    except FazhiError as error:
        raise InvalidMessage("no-block", reason=error.code) from None
    if found != block_hash:
        raise InvalidMessage("block-of-another-hash")
