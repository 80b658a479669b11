"""Proposals in the state, and the votes on them. What may be proposed: :mod:`fazhi_contracts.membership`,
:mod:`fazhi_contracts.rulebook`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from fazhi_ledger.canonical import Value, pack
from fazhi_ledger.limits import MAX_CODE_CHARS, MAX_ORG_CHARS, MAX_VALIDATORS
from fazhi_ledger.names import ORG, TOKEN, Grammar
from fazhi_ledger.shape import as_bool, as_bytes, as_digest, as_int, as_text, as_tuple
from fazhi_ledger.validators import Validator, ValidatorSet

from .entries import ENTRY_VERSION, decode_entry
from .state import Entry

KIND: Final = Grammar(r"[a-z][a-z0-9_]{0,15}\.[a-z][a-z0-9_]{0,15}")
"""Kind of a proposal: ``validator.add``."""
MAX_OPEN_PER_MEMBER: Final = 8
MAX_OPEN: Final = MAX_OPEN_PER_MEMBER * MAX_VALIDATORS
"""Hard caps of the format: the list of open proposals is one entry. (Members that have left may have open ones.)"""

OPEN: Final = "open"
PASSED: Final = "passed"
REJECTED: Final = "rejected"
WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True, slots=True)
class Change:
    """What a passed vote writes, and the seats from two heights on where it changes them."""

    writes: tuple[tuple[bytes, Entry], ...] = ()
    seats: tuple[Validator, ...] | None = None


Votes = tuple[tuple[bytes, bool], ...]
"""``[[key, yes]…]``, sorted by key: how those voted last that held a seat when the last vote came."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """``[version, org, kind, args, opened_height, until_height, [[key, yes]…], [outcome, height] | nil]``.

    ``org`` proposed it; votes count up to and including ``until_height``.
    """

    org: str
    kind: str
    args: Value
    opened_height: int
    until_height: int
    votes: Votes = ()
    outcome: tuple[str, int] | None = None

    def encode(self) -> bytes:
        opened, until = self.opened_height, self.until_height
        return pack((ENTRY_VERSION, self.org, self.kind, self.args, opened, until, self.votes, self.outcome))

    @classmethod
    def decode(cls, data: bytes) -> Proposal:
        org, kind, args, opened, until, votes, outcome = decode_entry(data, "proposal", 7)
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_text(kind, "kind", MAX_CODE_CHARS, KIND),
            args,
            as_int(opened, "opened height"),
            as_int(until, "until height"),
            tuple(_vote(vote) for vote in as_tuple(votes, "votes", max_length=MAX_VALIDATORS)),
            None if outcome is None else _outcome(outcome),
        )

    def is_open(self, height: int) -> bool:
        """Whether the block of that height may hold a vote on it."""
        return self.outcome is None and height <= self.until_height

    def with_votes(self, keys: Iterable[bytes], yes: bool, seats: ValidatorSet) -> Proposal:
        """With the votes of these keys, which hold ``seats``; a later vote of a key stands for its earlier one.

        Votes of keys that hold no seat any more are dropped: a key serves once, so they would never count again, and
        the entry stays small however often keys are replaced while it is open.
        """
        seated = {seat.key for seat in seats.validators}
        votes = {**dict(self.votes), **dict.fromkeys(keys, yes)}
        return replace(self, votes=tuple(sorted(pair for pair in votes.items() if pair[0] in seated)))


def _vote(value: Value) -> tuple[bytes, bool]:
    key, yes = as_tuple(value, "vote", length=2)
    return as_bytes(key, "key", max_length=128), as_bool(yes, "yes")


def _outcome(value: Value) -> tuple[str, int]:
    name, height = as_tuple(value, "outcome", length=2)
    return as_text(name, "outcome", MAX_CODE_CHARS, TOKEN), as_int(height, "height")


@dataclass(frozen=True, slots=True)
class OpenProposals:
    """Ids of the proposals that were open when the last one was made and are not decided since, oldest first:
    ``[version, [id…]]``. Those that have expired meanwhile still stand here.
    """

    ids: tuple[bytes, ...]

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.ids))

    @classmethod
    def decode(cls, data: bytes) -> OpenProposals:
        (ids,) = decode_entry(data, "open proposals", 1)
        listed = as_tuple(ids, "open proposals", max_length=MAX_OPEN)
        return cls(tuple(as_digest(one, "proposal id") for one in listed))


decoded_proposal = lru_cache(maxsize=64)(Proposal.decode)
decoded_open = lru_cache(maxsize=4)(OpenProposals.decode)
