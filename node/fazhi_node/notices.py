"""What the machine tells its surroundings: the gateway that waits for an outcome, the log, the metrics. Pushed to
subscribers, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from fazhi_contracts.entries import MemberEntry
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import Parameter

Status = Literal["pending", "committed", "conflict", "invalid", "busy"]

PENDING: Final = "pending"
COMMITTED: Final = "committed"
CONFLICT: Final = "conflict"
INVALID: Final = "invalid"
BUSY: Final = "busy"


@slotted
class Admission:
    """The answer to one submitted item, and later news of it.

    ``pending``: taken; ``checked`` tells whether its signatures have been verified yet (another answer follows by
    subscription). ``committed``: stands at ``(height, index)``; ``code`` is the result's, "OK" or the contract's
    refusal. ``conflict``: another body holds, or has used, this seq of the lane. ``invalid``: can never be accepted as
    it is. ``busy``: not taken for now; the same bytes may be sent again, after ``retry_after_ms``.
    """

    submission_id: bytes
    status: Status
    code: str = ""
    parameters: tuple[Parameter, ...] = ()
    height: int = 0
    index: int = 0
    checked: bool = False
    retry_after_ms: int = 0

    @property
    def final(self) -> bool:
        """Whether no other news of these bytes will follow."""
        return self.status != PENDING


@dataclass(frozen=True, slots=True)
class BlockCommitted:
    """Block ``height`` is durable here; ``submissions`` stand in it."""

    height: int
    block_hash: bytes
    submissions: int
    round: int


@dataclass(frozen=True, slots=True)
class PeerFault:
    """A peer sent what no honest node sends. ``banned_ms`` is how long it is not asked or heard for what it abused (0:
    only counted).
    """

    org: str
    code: str
    parameters: tuple[Parameter, ...] = ()
    banned_ms: int = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an operator must look at; the node goes on."""

    code: str
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class AmnesiaEnded:
    """Enough members have vouched for the chain up to ``height``: this node signs again from ``first`` on."""

    height: int
    first: int


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """A validator is guilty beyond doubt: two signed bodies, encoded, kept in the notebook under ``note`` (empty where
    that holds enough against the same one)."""

    org: str
    height: int
    guilt: str
    evidence: bytes
    note: str


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """Who the members are, and how they are reached, from now on: those that hold a seat or will, and those that lose
    theirs with the next block."""

    members: tuple[MemberEntry, ...]


Notice = Admission | BlockCommitted | PeerFault | Alarm | AmnesiaEnded | EvidenceFound | MembersChanged


class OwnFault(RuntimeError):
    """Our own fault, or a chain that cannot be followed honestly: the node has stopped and says nothing more. ``code``
    tells why.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}" if detail else code)
