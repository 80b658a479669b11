"""What a replica asks of its surroundings. The order of the effects of a step is part of the contract; carry them out
one by one.

**Durable before it leaves**: a :class:`Persist` is durable before any later effect is carried out. One step has at most
one, and it is the first effect. If it fails, carry out nothing more and stop: what was not kept must not be said.
"""

from __future__ import annotations

from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.datatypes import slotted

from .evidence import Evidence
from .messages import Message, Signed
from .timers import Timer


@slotted
class Persist:
    """Append to the vote log; durable when done. Everything that this step signed stands in it, COMMIT with its block
    and q PREPAREs.

    Records of a height may be dropped once that height's block and certificate are durable, not before.
    """

    record: bytes


@slotted
class Broadcast:
    """Send to every other validator (and to followers); never to ourselves."""

    message: Message


@slotted
class Send:
    """Send to the validator of that index in the current set."""

    to: int
    message: Message


@slotted
class SetTimer:
    """Fire ``TimerFired(timer, height, round)`` after ``delay_ms``; an earlier timer of that kind is replaced."""

    timer: Timer
    height: int
    round: int
    delay_ms: int


@slotted
class RequestProposal:
    """We are to propose: answer with ``ProposalReady``.

    Round 0: once there is work, or a heartbeat is due. Above: at once, with an empty block where there is nothing.
    """

    height: int
    round: int


@slotted
class ValidateBlock:
    """Execute the block on the state of the height below and answer with ``BlockValidated``.

    ``fresh``: proposed for the first time, by the validator ``proposer`` in ``round``; its time must be near our clock,
    its header must name that proposer, and in round 0 an empty block must be a heartbeat. Not fresh: a block that q
    validators have prepared or committed before; all that depends on our clock or on who proposes it now is exempt
    (design §5; Besu stalled on re-proposals, #6613).
    """

    height: int
    round: int
    block_hash: bytes
    payload: bytes
    fresh: bool
    proposer: int


@slotted
class Decide:
    """The block is final. Make it and the certificate durable in one batch, then ``StartHeight`` of the next height.

    The block has been validated; after a restart that may have been by an earlier process.
    """

    height: int
    payload: bytes
    certificate: CommitCertificate


@slotted
class CertificateGrown:
    """A late COMMIT: this certificate of a decided height shows one more signer than the one before it. Replace the
    kept copy.
    """

    certificate: CommitCertificate


@slotted
class AnswerDecided:
    """A validator still works on a decided height: send it that block and certificate (bound how often; the answer is
    far larger).

    ``to`` is an index in the validator set of ``height``. Nothing where the decision is not durable yet: it will ask
    again.
    """

    to: int
    height: int


@slotted
class RecordEquivocation:
    """Keep this: signed proof that a validator is guilty."""

    evidence: Evidence


@slotted
class OwnVoteUnknown:
    """A vote validly signed with our key that we did not sign: our vote log is not what it was, or another node has our
    key.

    The core signs nothing more at this height; the runtime must follow the rule of amnesia (design §6) from here.
    """

    height: int
    signed: Signed


Effect = (
    Persist
    | Broadcast
    | Send
    | SetTimer
    | RequestProposal
    | ValidateBlock
    | Decide
    | CertificateGrown
    | AnswerDecided
    | RecordEquivocation
    | OwnVoteUnknown
)
