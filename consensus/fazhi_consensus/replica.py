"""The replica: heights in order, one in flight, and the contract of :meth:`Replica.step`.

A synchronous pure core (design §6): events in, effects out; no clock, no randomness but inside the signer, no I/O. An
exception other than those documented is our own fault and leaves the replica unusable: stop the node; the vote log is
what it restarts from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import invariant
from fazhi_ledger.keys import Signer
from fazhi_ledger.validators import ValidatorSet

from .effects import AnswerDecided, CertificateGrown, Effect, Persist
from .events import (
    BlockValidated,
    DecidedBySync,
    Event,
    ProposalReady,
    Received,
    StartHeight,
    TimerFired,
    WorkWaiting,
)
from .height import Height
from .limits import KEPT_CERTIFICATES
from .messages import BlockReply, BlockRequest, Commit, Message, Prepare, PrePrepare, RoundChange
from .records import Entry, decode_record, encode_record
from .stages import Stage
from .timers import TimerPolicy
from .verify import Verified


class Triage(Enum):
    """What to do with a message before its signatures are looked at."""

    CURRENT = "current"  # verify it with the set of this height
    NEXT = "next"  # for the next height: verify it with that height's set, it will be kept
    DECIDED = (
        "decided"  # for a decided height: verify it with that height's set; it may be answered, or be a late commit
    )
    AHEAD = "ahead"  # two heights or more above: drop it; its sender is ahead of us
    KNOWN = "known"  # it tells nothing new: drop it


@dataclass(frozen=True, slots=True)
class Status:
    """Where the replica stands, for people and readiness."""

    height: int
    round: int
    stage: Stage
    prepared_round: int | None
    signing: bool


@dataclass(frozen=True, slots=True)
class _Decided:
    certificate: CommitCertificate
    validators: ValidatorSet


class Replica:
    """One validator, or follower, of one chain.

    ``signer`` holds the validator's key; None for a node that only follows. It is asked once for each body: what it
    returned is kept and sent again, never made again (SM2 signatures differ each time).
    """

    def __init__(self, genesis_hash: bytes, signer: Signer | None, timers: TimerPolicy | None = None) -> None:
        self._genesis_hash = genesis_hash
        self._signer = signer
        self._timers = timers if timers is not None else TimerPolicy()
        self._records: dict[int, list[Entry]] = {}
        self._current: Height | None = None
        self._early: dict[tuple[int, str], Verified[Message]] = {}
        self._decided: dict[int, _Decided] = {}

    # --- before the first step ---

    def restore(self, records: Sequence[bytes]) -> None:
        """Take the records of the vote log, oldest first, before the first :class:`.events.StartHeight`, which makes
        use of them.

        Raises:
            InvalidVoteRecord: the log is malformed or of another chain. The node must not sign.
        """
        invariant(self._current is None, "restore comes before the first height")
        for record in records:
            for entry in decode_record(self._genesis_hash, record):
                self._records.setdefault(entry.message.height, []).append(entry)

    # --- seen from outside ---

    @property
    def height(self) -> int:
        """The height in flight; 0 before the first."""
        return 0 if self._current is None else self._current.height

    @property
    def status(self) -> Status | None:
        """Where the replica stands; None before the first height."""
        work = self._current
        if work is None:
            return None
        prepared_round = None if work.prepared is None else work.prepared[0]
        return Status(work.height, work.round, work.stage, prepared_round, work.signs)

    def certificate(self, height: int) -> CommitCertificate | None:
        """The certificate of a height decided lately, with the late commits that came so far."""
        decided = self._decided.get(height)
        return None if decided is None else decided.certificate

    def triage(self, message: Message) -> Triage:
        """The cheapest check of all: by height, and whether we hold the very same already. Changes nothing."""
        if self._current is None or message.height > self.height + 1:
            return Triage.AHEAD
        if message.height == self.height + 1:
            held = self._early.get(_slot(message))
            return Triage.KNOWN if held is not None and held.message == message else Triage.NEXT
        if message.height < self.height or self._current.decided:
            return Triage.KNOWN if self._adds_nothing(message) else Triage.DECIDED
        return Triage.KNOWN if self._current.holds(message) else Triage.CURRENT

    # --- the step ---

    def step(self, event: Event) -> tuple[Effect, ...]:
        """Take one event; the effects are to be carried out in their order (see :mod:`.effects`).

        Raises:
            InvariantBroken: our own fault, or the caller's. The replica must not be used any more.
            InvalidVoteRecord: on StartHeight, the records of that height do not hold together.
        """
        effects: list[Effect] = []
        match event:
            case StartHeight():
                self._start(event)
            case Received(verified):
                self._receive(verified, effects)
            case DecidedBySync(height, certificate):
                self._synced(height, certificate)
            case WorkWaiting(height) | ProposalReady(height) | BlockValidated(height) | TimerFired(_, height):
                if self._current is not None and height == self.height and not self._current.decided:
                    _apply(self._current, event)
        return self._finish(effects)

    def _finish(self, effects: list[Effect]) -> tuple[Effect, ...]:
        """What was signed goes first: one record for the step, durable before anything of it leaves."""
        work = self._current
        if work is None:
            return tuple(effects)
        entries = work.take_entries()
        effects += work.take_effects()
        if work.certificate is not None and work.height not in self._decided:
            self._keep_certificate(work.height, work.certificate, work.validators)
        if entries:
            return (Persist(encode_record(self._genesis_hash, entries)), *effects)
        return tuple(effects)

    def _start(self, event: StartHeight) -> None:
        invariant(event.height > self.height, "heights only rise")
        if event.me is not None:
            key = event.validators.validators[event.me].key
            invariant(self._signer is not None and self._signer.public_key == key, "our seat has our key")
        if any(height > event.height for height in self._records):
            # We signed for a later height, so this one was decided and the decision lost: no second vote for it.
            event = replace(event, me=None)
        # Without a seat nothing is signed, so nothing has to be remembered: the log stays as it is.
        entries = self._records.get(event.height, []) if event.me is not None else []
        self._records = {height: kept for height, kept in self._records.items() if height > event.height}
        early = [self._early[slot] for slot in sorted(self._early)]
        self._early.clear()
        work = Height(self._genesis_hash, self._signer, self._timers, event, entries)
        self._current = work
        work.begin()
        for verified in early:
            if verified.message.height == event.height and verified.validators == event.validators and not work.decided:
                work.on_message(verified.message)

    def _synced(self, height: int, certificate: CommitCertificate) -> None:
        """Catch-up cancels rounds."""
        invariant(certificate.height == height, "a certificate of that height")
        work = self._current
        if work is not None and work.height == height and not work.decided:
            work.close_by_sync(certificate)

    def _receive(self, verified: Verified[Message], effects: list[Effect]) -> None:
        work = self._current
        height = verified.message.height
        if work is None or height > work.height + 1:
            return
        if height == work.height + 1:
            self._keep_early(verified)
        elif height < work.height or work.decided:
            self._on_decided_height(verified, effects)
        elif verified.validators == work.validators:
            work.on_message(verified.message)

    def _keep_early(self, verified: Verified[Message]) -> None:
        """One message of each validator and kind, for the next height only: the highest round, the first of it."""
        if isinstance(verified.message, BlockRequest | BlockReply):
            return
        slot = _slot(verified.message)
        held = self._early.get(slot)
        if held is None or _round(verified.message) > _round(held.message):
            self._early[slot] = verified

    # --- decided heights ---

    def _on_decided_height(self, verified: Verified[Message], effects: list[Effect]) -> None:
        """Nothing is signed for a decided height: a late COMMIT completes the certificate, anyone still at work gets
        the answer (besu#1734).
        """
        message = verified.message
        if self._adds_nothing(message):
            return
        decided = self._decided.get(message.height)
        if decided is not None and isinstance(message, Commit) and _certifies(message, decided.certificate):
            if verified.validators == decided.validators:
                pairs = (*decided.certificate.signatures, (message.sender, message.signature))
                grown = replace(decided.certificate, signatures=tuple(sorted(pairs)))
                self._decided[message.height] = _Decided(grown, decided.validators)
                effects.append(CertificateGrown(grown))
            return
        effects.append(AnswerDecided(message.sender, message.height))

    def _adds_nothing(self, message: Message) -> bool:
        """Of a decided height: a COMMIT already in the certificate, a PREPARE of the round that decided (its sender is
        on the way), a reply.
        """
        if isinstance(message, BlockReply):
            return True
        decided = self._decided.get(message.height)
        if decided is None or not isinstance(message, Prepare | Commit) or not _certifies(message, decided.certificate):
            return False
        return isinstance(message, Prepare) or message.sender in decided.certificate.signers

    def _keep_certificate(self, height: int, certificate: CommitCertificate, validators: ValidatorSet) -> None:
        self._decided[height] = _Decided(certificate, validators)
        if len(self._decided) > KEPT_CERTIFICATES:
            del self._decided[min(self._decided)]


def _apply(work: Height, event: WorkWaiting | ProposalReady | BlockValidated | TimerFired) -> None:
    match event:
        case WorkWaiting():
            work.on_work()
        case ProposalReady():
            work.on_proposal(event)
        case BlockValidated():
            work.on_validated(event)
        case TimerFired():
            work.on_timer(event)


def _certifies(vote: Prepare | Commit, certificate: CommitCertificate) -> bool:
    return vote.round == certificate.round and vote.block_hash == certificate.block_hash


def _slot(message: Message) -> tuple[int, str]:
    return message.sender, type(message).__name__


def _round(message: Message) -> int:
    return message.round if isinstance(message, PrePrepare | Prepare | Commit | RoundChange) else 0
