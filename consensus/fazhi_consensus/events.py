"""What happens to a replica. Events are values; :meth:`.replica.Replica.step` takes one at a time, in the order in
which they happened.
"""

from __future__ import annotations

from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.validators import ValidatorSet

from .messages import Message
from .timers import Timer
from .verify import Verified


@slotted
class StartHeight:
    """All below ``height`` is decided and durable: work on ``height`` with this validator set.

    ``me`` is our index in it; None where we follow without signing: not a validator, or one that must not sign yet
    (amnesia, design §6). Heights only rise; some may be left out after a state transfer.
    """

    height: int
    validators: ValidatorSet
    me: int | None


@slotted
class Received:
    """A message of a peer, every signature of it verified."""

    verified: Verified[Message]


@slotted
class WorkWaiting:
    """There is something to decide at this height: an executable submission, or a heartbeat is due. May be repeated."""

    height: int


@slotted
class ProposalReady:
    """The answer to :class:`.effects.RequestProposal`: a block that we built and executed. ``round`` is that of the
    request.
    """

    height: int
    round: int
    payload: bytes
    block_hash: bytes


@slotted
class BlockValidated:
    """The answer to :class:`.effects.ValidateBlock`, all its other fields repeated. Not ``ok``: PREPARE is withheld."""

    height: int
    round: int
    block_hash: bytes
    fresh: bool
    ok: bool


@slotted
class TimerFired:
    """A timer set by :class:`.effects.SetTimer` is due. One that was replaced meanwhile does no harm."""

    timer: Timer
    height: int
    round: int


@slotted
class DecidedBySync:
    """The block of ``height`` and its certificate came by state transfer and were checked: nothing more is signed for
    it.
    """

    height: int
    certificate: CommitCertificate


Event = StartHeight | Received | WorkWaiting | ProposalReady | BlockValidated | TimerFired | DecidedBySync
