"""Validator sets, the quorum rule and the proposer rule.

A quorum is ⌈2n/3⌉ distinct validators, not 2f+1: at n = 6 two sets of 2f+1 = 3 can be disjoint, and a partition would
fork the chain without a traitor (Dafny QBFT specification, ``quorum``; celo-blockchain issue 117).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .canonical import Value, decode, encode
from .errors import EncodingError
from .limits import MAX_ORG_CHARS, MAX_VALIDATORS
from .names import ORG
from .shape import as_bytes, as_int, as_text, as_tuple
from .suites import Suite


def quorum_of(count: int) -> int:
    """⌈2n/3⌉: any two quorums share more than f = ⌊(n−1)/3⌋ validators, and n − f validators make one."""
    return (2 * count + 2) // 3


def faulty_of(count: int) -> int:
    """⌊(n−1)/3⌋: how many of ``count`` validators may be arbitrarily faulty."""
    return (count - 1) // 3


@dataclass(frozen=True, slots=True)
class Validator:
    """A member's seat: its organisation id and the ledger key that signs its votes."""

    member: str
    key: bytes


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """``[epoch, first_height, [[member, key]…]]``: who certifies from ``first_height`` on, in order of index.

    Raises:
        EncodingError: ``bad-validators`` for an empty or oversized set, or a member or key that stands twice.
    """

    epoch: int
    first_height: int
    validators: tuple[Validator, ...]
    _hashes: dict[str, bytes] = field(init=False, compare=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.validators) <= MAX_VALIDATORS:
            raise EncodingError("bad-validators", what="count", count=len(self.validators))
        if len({v.member for v in self.validators}) != len(self.validators):
            raise EncodingError("bad-validators", what="a member stands twice")
        if len({v.key for v in self.validators}) != len(self.validators):
            raise EncodingError("bad-validators", what="a key stands twice")

    def __len__(self) -> int:
        return len(self.validators)

    @property
    def quorum(self) -> int:
        """Validators whose signatures decide."""
        return quorum_of(len(self.validators))

    @property
    def faulty(self) -> int:
        """Validators that may be arbitrarily faulty."""
        return faulty_of(len(self.validators))

    def proposer(self, height: int, round_: int) -> int:
        """Index of the validator that proposes in that round: the turn passes with every height and every round."""
        return (height + round_) % len(self.validators)

    def index_of_key(self, key: bytes) -> int | None:
        """Index of the validator with that key."""
        return next((index for index, v in enumerate(self.validators) if v.key == key), None)

    def index_of_member(self, member: str) -> int | None:
        """Index of that member's seat."""
        return next((index for index, v in enumerate(self.validators) if v.member == member), None)

    def to_value(self) -> Value:
        return (self.epoch, self.first_height, tuple((v.member, v.key) for v in self.validators))

    @classmethod
    def from_value(cls, value: Value) -> ValidatorSet:
        epoch, first_height, seats = as_tuple(value, "validator set", length=3)
        validators = []
        for seat in as_tuple(seats, "validators", max_length=MAX_VALIDATORS):
            member, key = as_tuple(seat, "validator", length=2)
            validators.append(
                Validator(as_text(member, "member", MAX_ORG_CHARS, ORG), as_bytes(key, "validator key", max_length=128))
            )
        return cls(as_int(epoch, "epoch"), as_int(first_height, "first height", low=1), tuple(validators))

    def encode(self) -> bytes:
        return encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> ValidatorSet:
        return cls.from_value(decode(data))

    def hash(self, suite: Suite) -> bytes:
        """The digest that headers carry as ``validators_hash`` and ``next_validators_hash``."""
        found = self._hashes.get(suite.name)
        if found is None:  # asked for by every block
            found = self._hashes[suite.name] = suite.tagged_hash("validators", self.encode())
        return found
