"""The keys of one member: the one that signs now, and one that waits for the vote that puts it in its place.

Each key has a vote log and a guard of its own, so that neither can speak for the other; what the one has signed is
never taken for the other's. At every height at most one key of a member holds a seat, and that one signs (design §5,
Epochs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fazhi_ledger.errors import invariant
from fazhi_ledger.keys import Signer
from fazhi_ledger.validators import ValidatorSet

from .storage.port import VoteLog


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A ledger key of this member, and the log of what it signed."""

    signer: Signer
    votes: VoteLog


class KeyRing:
    """Several keys as one :class:`~fazhi_ledger.keys.Signer` and one :class:`~fazhi_node.storage.port.VoteLog`: those
    of the key in force. :meth:`turn_to` is called before each height, and nothing is signed in between.
    """

    def __init__(self, keys: Sequence[OwnKey]) -> None:
        invariant(bool(keys), "a ring holds a key")
        self._keys = tuple(keys)
        self._now = self._keys[0]

    def turn_to(self, validators: ValidatorSet) -> None:
        """Sign with the key that holds a seat in that set; where none does, the last one stays."""
        for key in self._keys:
            if validators.index_of_key(key.signer.public_key) is not None:
                self._now = key

    @property
    def public_key(self) -> bytes:
        """The key in force."""
        return self._now.signer.public_key

    def sign(self, message: bytes) -> bytes:
        """A signature by the key in force."""
        return self._now.signer.sign(message)

    @property
    def floor(self) -> int:
        return self._now.votes.floor

    @property
    def amnesiac(self) -> bool:
        return self._now.votes.amnesiac

    def append(self, record: bytes, height: int) -> None:
        self._now.votes.append(record, height)

    def records(self) -> tuple[tuple[int, bytes], ...]:
        """Those of every key: a node that was away starts below the hand-over and ends above it."""
        return tuple(record for key in self._keys for record in key.votes.records())

    def truncate_below(self, height: int) -> None:
        for key in self._keys:
            key.votes.truncate_below(height)

    def begin_amnesia(self) -> None:
        self._now.votes.begin_amnesia()

    def end_amnesia(self, first_height: int) -> None:
        self._now.votes.end_amnesia(first_height)

    def close(self) -> None:
        for key in self._keys:
            key.votes.close()
