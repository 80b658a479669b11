"""Guilt: two bodies, signed with one validator's key, that no honest validator signs both (design §6, "Guilt").

``double-vote``: one (height, round, phase), two contents. ``forgotten-lock``: at one height a COMMIT at round r and a
ROUND-CHANGE to a round above r that claims no prepared round, or one below r. Anyone who knows the validator set can
check it; certificates of different rounds for different blocks, on the other hand, prove only that more than f are
faulty, not who.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from fazhi_ledger.canonical import Value, decode, encode
from fazhi_ledger.errors import EncodingError, InvalidSignature
from fazhi_ledger.limits import MAX_VALIDATORS
from fazhi_ledger.shape import as_bytes, as_digest, as_int, as_tuple, as_version
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .errors import InvalidEvidence
from .limits import MAX_EVIDENCE_BYTES, MAX_SIGNATURE_BYTES
from .messages import Claim, Commit, Phase, Prepare, RoundChange, Signed, Vote, signed_message

EVIDENCE_VERSION: Final = 1


class Guilt(Enum):
    """What a pair of bodies shows."""

    DOUBLE_VOTE = "double-vote"
    FORGOTTEN_LOCK = "forgotten-lock"


def contradiction(first: Signed, second: Signed) -> Guilt | None:
    """What the two bodies show of their signer, if anything; their signatures are taken to be valid."""
    if first.sender != second.sender or first.height != second.height:
        return None
    if first.phase is second.phase:
        differ = first.round == second.round and not _same_content(first, second)
        return Guilt.DOUBLE_VOTE if differ else None
    for commit, change in ((first, second), (second, first)):
        if isinstance(commit, Commit) and isinstance(change, RoundChange) and change.new_round > commit.round:
            forgot = change.prepared_round is None or change.prepared_round < commit.round
            return Guilt.FORGOTTEN_LOCK if forgot else None
    return None


def _same_content(first: Signed, second: Signed) -> bool:
    if isinstance(first, Vote) and isinstance(second, Vote):
        return first.same_content(second)
    if isinstance(first, RoundChange) and isinstance(second, RoundChange):
        return first.same_content(second)
    return False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two contradictory signed bodies of one validator.

    Raises:
        InvalidEvidence: ``no-contradiction``.
    """

    first: Signed
    second: Signed

    def __post_init__(self) -> None:
        if contradiction(self.first, self.second) is None:
            raise InvalidEvidence("no-contradiction")

    @property
    def guilt(self) -> Guilt:
        """What the pair shows."""
        found = contradiction(self.first, self.second)
        if found is None:
            raise InvalidEvidence("no-contradiction")
        return found

    @property
    def accused(self) -> int:
        """Index of the guilty validator in the set of :attr:`height`."""
        return self.first.sender

    @property
    def height(self) -> int:
        """The height at which it happened."""
        return self.first.height

    def encode(self) -> bytes:
        """``[version, body, body]``, a body being ``[phase, sender, height, round, …, signature]``."""
        return encode((EVIDENCE_VERSION, _to_value(self.first), _to_value(self.second)))

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """The evidence whose encoding is exactly ``data``.

        Raises:
            EncodingError: bytes of another shape.
            InvalidEvidence: ``no-contradiction``.
        """
        version, first, second = as_tuple(decode(data, max_bytes=MAX_EVIDENCE_BYTES), "evidence", length=3)
        as_version(version, "evidence", EVIDENCE_VERSION)
        return cls(_from_value(first), _from_value(second))


def verify_evidence(suite: Suite, genesis_hash: bytes, validators: ValidatorSet, evidence: Evidence) -> int:
    """The index of the validator that is guilty beyond doubt; ``validators`` is the set of the evidence's height.

    Raises:
        InvalidEvidence: ``unknown-signer`` or ``bad-signature``.
    """
    if not 0 <= evidence.accused < len(validators):
        raise InvalidEvidence("unknown-signer", sender=evidence.accused, validators=len(validators))
    key = validators.validators[evidence.accused].key
    for signed in (evidence.first, evidence.second):
        try:
            suite.verify(key, signed_message(genesis_hash, signed), signed.signature)
        except InvalidSignature as error:
            raise InvalidEvidence("bad-signature", reason=error.code) from None
    return evidence.accused


def _to_value(signed: Signed) -> Value:
    if isinstance(signed, RoundChange):
        rc = signed
        head = (rc.phase.value, rc.sender, rc.height, rc.new_round, rc.prepared_round, rc.prepared_hash)
        return (*head, rc.signature)
    return (signed.phase.value, signed.sender, signed.height, signed.round, signed.block_hash, signed.signature)


_VOTES: Final[dict[int, type[Claim] | type[Prepare] | type[Commit]]] = {
    Phase.PRE_PREPARE.value: Claim,
    Phase.PREPARE.value: Prepare,
    Phase.COMMIT.value: Commit,
}


def _from_value(value: Value) -> Signed:
    fields = as_tuple(value, "body", max_length=7)
    if not fields:
        raise EncodingError("bad-shape", what="body", expected="phase")
    phase = as_int(fields[0], "phase")
    if phase == Phase.ROUND_CHANGE:
        _, sender, height, new_round, prepared_round, prepared_hash, signature = as_tuple(
            value, "ROUND-CHANGE", length=7
        )
        prepared: tuple[int | None, bytes | None] = (None, None)
        if prepared_round is not None or prepared_hash is not None:
            prepared = (as_int(prepared_round, "prepared round"), as_digest(prepared_hash, "prepared hash"))
        return RoundChange(
            _index(sender),
            as_int(height, "height", low=1),
            as_int(new_round, "new round", low=1),
            *prepared,
            as_bytes(signature, "signature", max_length=MAX_SIGNATURE_BYTES),
        )
    kind = _VOTES.get(phase)
    if kind is None:
        raise EncodingError("unknown-kind", what="body", kind=phase)
    _, sender, height, round_, block_hash, signature = as_tuple(value, "vote", length=6)
    return kind(
        _index(sender),
        as_int(height, "height", low=1),
        as_int(round_, "round"),
        as_digest(block_hash, "block hash"),
        as_bytes(signature, "signature", max_length=MAX_SIGNATURE_BYTES),
    )


def _index(value: Value) -> int:
    return as_int(value, "validator index", high=MAX_VALIDATORS - 1)
