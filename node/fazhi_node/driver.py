"""The driver of the consensus core: events go in one at a time, effects are carried out in the order in which they
come out.

Nothing here decides anything about consensus. What a step signed is durable in the vote log before any later effect
leaves (the Persist comes first); whatever an effect brings about is a new event at the end of the queue, so that a step
is never entered from within another.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final, Protocol

from fazhi_consensus.effects import (
    AnswerDecided,
    Broadcast,
    CertificateGrown,
    Decide,
    Effect,
    OwnVoteUnknown,
    Persist,
    RecordEquivocation,
    RequestProposal,
    Send,
    SetTimer,
    ValidateBlock,
)
from fazhi_consensus.events import (
    BlockValidated,
    DecidedBySync,
    Event,
    ProposalReady,
    Received,
    StartHeight,
    TimerFired,
    WorkWaiting,
)
from fazhi_consensus.evidence import Evidence
from fazhi_consensus.limits import KEPT_CERTIFICATES
from fazhi_consensus.messages import Message, PrePrepare, RoundChange, Signed
from fazhi_consensus.replica import Replica, Status, Triage
from fazhi_consensus.timers import Timer, TimerPolicy
from fazhi_consensus.verify import Candidate, screen
from fazhi_consensus.wire import decode_message, encode_message
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.keys import Signer
from fazhi_ledger.validators import ValidatorSet

from .application import Application
from .frames import ConsensusMessage, split_items
from .keyring import KeyRing
from .limits import (
    CUT_DELAY_MS,
    CUT_LOAD_ITEMS,
    FAULT_BYTES,
    LISTEN_AGAIN_MS,
    LISTEN_MS,
    MAX_GOSSIP_ITEMS,
    PROPOSAL_DECODED_TIMES,
    PROPOSALS_DECODED,
)
from .mempool import Mempool
from .outbox import Outbox
from .peers import PeerMisbehaved, PeerTable, hostile_input
from .ports import Clock, SignatureCheck
from .storage.errors import StorageError
from .storage.port import VoteLog
from .verification import Verdicts, Verification, item_job

CUT_TIMER: Final = "cut"
HEARTBEAT_TIMER: Final = "heartbeat"
CONSENSUS_TIMERS: Final = {f"consensus-{timer.value}": timer for timer in Timer}


class DriverHost(Protocol):
    """What the driver needs of the machine."""

    @property
    def amnesiac(self) -> bool:
        """Whether this node has a key but must not sign with it at the next height."""

    def decide(self, payload: bytes, certificate: CommitCertificate) -> None:
        """The core has decided the block after the tip (or one that state transfer has brought already)."""

    def certificate_grown(self, certificate: CommitCertificate) -> None:
        """The certificate of a stored height shows one more signer."""

    def answer_decided(self, org: str, height: int) -> None:
        """A member still works on a decided height."""

    def record_evidence(self, evidence: Evidence, validators: ValidatorSet) -> None:
        """A validator is guilty beyond doubt."""

    def own_vote_unknown(self, height: int, signed: Signed) -> None:
        """A vote that we do not remember was signed with our key."""

    def proposal_withheld(self, proposer: str, error: FazhiError) -> None:
        """We do not vote for a proposal."""

    def peer_fault(self, org: str, error: FazhiError, *, ban: bool) -> None:
        """A peer sent what no honest one sends."""


class Driver:
    """One replica, its timers, its proposals and its messages."""

    def __init__(
        self,
        host: DriverHost,
        app: Application,
        mempool: Mempool,
        peers: PeerTable,
        outbox: Outbox,
        verification: Verification,
        clock: Clock,
        vote_log: VoteLog | None,
        signer: Signer | None,
        timers: TimerPolicy,
    ) -> None:
        self._host = host
        self._app = app
        self._mempool = mempool
        self._peers = peers
        self._outbox = outbox
        self._verification = verification
        self._clock = clock
        self._vote_log = vote_log
        self._signer = signer
        self._replica = Replica(app.base.genesis_hash, signer, timers)
        self._events: deque[Event] = deque()
        self._stepping = False
        self._timers: dict[Timer, tuple[int, int]] = {}
        self._wanted: RequestProposal | None = None
        self._cut_at_ms: int | None = None
        self._work_told = 0
        self._last_items = 0
        self._sets: dict[int, ValidatorSet] = {}
        self._most_validators = 0
        self._said: dict[str, ConsensusMessage] = {}
        self._proposals: dict[tuple[int, int], dict[bytes, int]] = {}
        self._started_ms = clock.monotonic_ms()

    @property
    def status(self) -> Status | None:
        """Where the replica stands."""
        return self._replica.status

    # Heights

    def restore(self) -> None:
        """Take what this node signed above the tip from the vote log, before the first height.

        Raises:
            InvalidVoteRecord: the log is not this node's: it must not sign.
        """
        if self._vote_log is not None:
            self._replica.restore([record for height, record in self._vote_log.records() if height > self._tip])

    @property
    def _tip(self) -> int:
        return self._app.base.height

    def my_index(self) -> int | None:
        """Our seat at the next height; None where we have none or must not sign."""
        if self._signer is None or self._vote_log is None or self._host.amnesiac:
            return None
        if self._vote_log.floor > self._tip + 1:
            return None
        return self._app.validators.index_of_key(self._signer.public_key)

    def start_height(self, last_items: int) -> None:
        """The tip stands: work on the height after it. ``last_items``: how many submissions the tip holds."""
        height = self._tip + 1
        if isinstance(self._signer, KeyRing):
            self._signer.turn_to(self._app.validators)
        self._last_items = last_items
        self._wanted = None
        self._cut_at_ms = None
        self._said.clear()
        self._proposals = {place: said for place, said in self._proposals.items() if place[0] >= height}
        self._sets[height] = self._app.validators
        self._sets[height + 1] = self._app.following
        self._sets = {h: kept for h, kept in self._sets.items() if h >= height - KEPT_CERTIFICATES}
        self._most_validators = max(len(validators) for validators in self._sets.values())
        self._clock.cancel(CUT_TIMER)
        self._set_heartbeat()
        self.feed(StartHeight(height, self._app.validators, self.my_index()))
        self.work_arrived()

    def decided_by_sync(self, height: int, certificate: CommitCertificate) -> None:
        """State transfer brought the block of that height."""
        self.feed(DecidedBySync(height, certificate))

    def repeat_to(self, org: str) -> None:
        """A peer just connected may have missed what we last said of the height in flight, of each kind, and what waits
        here."""
        if self._peers.get(org).may_be_told(self._clock.monotonic_ms()):
            for message in self._said.values():
                self._outbox.send(org, message)
            oldest = [entry.data for entry in islice(self._mempool.entries(), MAX_GOSSIP_ITEMS)]
            for items in split_items(oldest):
                self._outbox.send(org, items)

    def feed(self, event: Event) -> None:
        """Take one event, and all that follows from it. Within a step it waits for its turn."""
        self._events.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._events:
                for effect in self._replica.step(self._events.popleft()):
                    self._perform(effect)
        finally:
            self._stepping = False

    # Effects

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Persist(record):
                if self._vote_log is not None:
                    self._vote_log.append(record, self._replica.height)
            case Broadcast(message):
                encoded = ConsensusMessage(encode_message(message))
                self._said[type(message).__name__] = encoded
                self._outbox.broadcast(encoded)
            case Send(to, message):
                member = self._sets[message.height].validators[to].member
                self._outbox.send(member, ConsensusMessage(encode_message(message)))
            case SetTimer(timer, height, round_, delay_ms):
                self._timers[timer] = (height, round_)
                self._clock.set_timer(f"consensus-{timer.value}", delay_ms)
            case RequestProposal():
                self._wanted = effect
                self.propose()
            case ValidateBlock():
                self._validate(effect)
            case Decide(_, payload, certificate):
                self._host.decide(payload, certificate)
            case CertificateGrown(certificate):
                self._host.certificate_grown(certificate)
            case _:
                self._report(effect)

    def _report(self, effect: AnswerDecided | RecordEquivocation | OwnVoteUnknown) -> None:
        match effect:
            case AnswerDecided(to, height):
                validators = self._sets.get(height)  # it may be long past: the signature took its time
                if validators is not None:
                    self._host.answer_decided(validators.validators[to].member, height)
            case RecordEquivocation(evidence):
                self._host.record_evidence(evidence, self._sets[evidence.height])
            case OwnVoteUnknown(height, signed):
                self._host.own_vote_unknown(height, signed)

    def on_timer(self, name: str) -> None:
        """A timer of ours is due."""
        if name == CUT_TIMER:
            self.propose()
        elif name == HEARTBEAT_TIMER:
            self._heartbeat()
        else:
            timer = CONSENSUS_TIMERS[name]
            self.feed(TimerFired(timer, *self._timers[timer]))

    # Proposing

    def work_arrived(self) -> None:
        """Something executable may be waiting: tell the core once a height, and propose if we were asked to."""
        if not self._mempool.has_work:
            return
        if self._work_told != self._tip + 1:
            self._work_told = self._tip + 1
            self.feed(WorkWaiting(self._tip + 1))
        self.propose()

    def _heartbeat_wait_ms(self) -> int:
        """How long until a heartbeat is our business. The proposer's clock may be behind ours: unless that is us, we
        give it time before we call it late."""
        parameters = self._app.parameters
        wait_ms = self._app.heartbeat_wait_ms(self._clock.now_ms())
        if self.my_index() == self._app.validators.proposer(self._tip + 1, 0):
            return wait_ms
        return wait_ms + min(parameters.get("max_clock_skew_ms"), parameters.get("heartbeat_ms") // 2)

    def _set_heartbeat(self) -> None:
        # A clock that was set back would have us wait for years: look again after at most one period.
        wait_ms = min(self._heartbeat_wait_ms(), self._app.parameters.get("heartbeat_ms"))
        self._clock.set_timer(HEARTBEAT_TIMER, max(1, wait_ms))

    def _heartbeat(self) -> None:
        if self._heartbeat_wait_ms() > 0:
            self._set_heartbeat()
            return
        self.feed(WorkWaiting(self._tip + 1))
        self.propose()

    def propose(self) -> None:
        """Build the block that the core asked for, if there is something to build it of."""
        wanted = self._wanted
        if wanted is None or wanted.height != self._tip + 1:
            return
        if self._others_may_be_ahead():
            self._clock.set_timer(CUT_TIMER, LISTEN_AGAIN_MS)
            return
        clock_ms = self._clock.now_ms()
        allow_empty = wanted.round > 0 or self._app.heartbeat_wait_ms(clock_ms) <= 0
        if not allow_empty and (not self._mempool.has_work or self._worth_waiting()):
            return
        proposal = self._app.build(clock_ms, allow_empty=allow_empty)
        if proposal is None:
            return
        self._wanted = None
        self._clock.cancel(CUT_TIMER)
        self.feed(ProposalReady(wanted.height, wanted.round, proposal.payload, proposal.executed.block_hash))

    def _others_may_be_ahead(self) -> bool:
        """Whether this height is likely decided: our first words after a start would then be said for the second time
        where data and guard were put back together. An honest member is heard at once if there is one; a power cut of
        all must heal by itself, so nobody is waited for longer than a few seconds."""
        seats = self._app.validators  # of them at most f lie; members without a seat may all
        claims = self._peers.claims_of([seat.member for seat in seats.validators])
        if len(claims) > seats.faulty:
            return claims[seats.faulty] > self._tip
        waited_ms = self._clock.monotonic_ms() - self._started_ms
        return waited_ms < LISTEN_MS and len(claims) < len(seats) - 1

    def _worth_waiting(self) -> bool:
        """Under load a few milliseconds more make a far fuller block; when idle every one of them is latency."""
        if self._last_items < CUT_LOAD_ITEMS or len(self._mempool) >= self._last_items:
            return False
        now_ms = self._clock.monotonic_ms()
        if self._cut_at_ms is None:
            self._cut_at_ms = now_ms + CUT_DELAY_MS
            self._clock.set_timer(CUT_TIMER, CUT_DELAY_MS)
        return now_ms < self._cut_at_ms

    # Validating

    def _validate(self, effect: ValidateBlock) -> None:
        try:
            block, _ = self._app.payloads.decode(effect.payload)
            self._app.check_header(
                block,
                fresh=effect.fresh,
                round_=effect.round,
                proposer=effect.proposer,
                clock_ms=self._clock.now_ms(),
            )
        except StorageError:
            raise
        except FazhiError as error:
            self._validated(effect, error)
            return
        jobs = [item_job(self._app.base.suite, item) for item in self._app.unverified(block)]
        self._verification.ask(jobs, lambda verdicts: self._execute(effect, block, all(verdicts)))

    def _execute(self, effect: ValidateBlock, block: Block, signatures_hold: bool) -> None:
        if effect.height != self._tip + 1:
            return  # decided while its signatures were being verified
        try:
            if not signatures_hold:
                raise PeerMisbehaved("bad-signature-in-block", height=effect.height)
            self._app.validate(block, effect.block_hash)
        except StorageError:
            raise
        except FazhiError as error:
            self._validated(effect, error)
        else:
            self._validated(effect, None)

    def _validated(self, effect: ValidateBlock, error: FazhiError | None) -> None:
        if error is not None:
            self._host.proposal_withheld(self._app.validators.validators[effect.proposer].member, error)
        self.feed(BlockValidated(effect.height, effect.round, effect.block_hash, effect.fresh, error is None))

    # Messages

    def on_message(self, org: str, data: bytes) -> None:
        """A consensus message of a peer: cheap checks now, signatures off this thread, the core last.

        Raises:
            FazhiError: no honest validator sends this.
        """
        with hostile_input:
            message = decode_message(data, self._most_validators)
        match self._replica.triage(message):
            case Triage.AHEAD | Triage.KNOWN:
                return
            case Triage.CURRENT | Triage.NEXT | Triage.DECIDED:
                pass
        validators = self._sets.get(message.height)
        if validators is None:
            self._host.answer_decided(org, message.height)
            return
        with hostile_input:
            candidate = screen(self._app.base.genesis_hash, validators, message, validators.index_of_member(org))
        peer = self._peers.get(org)
        if not peer.reserve(len(data)):
            return
        suite = self._app.base.suite
        job = tuple(SignatureCheck(suite, e.public_key, e.message, e.signature) for e in candidate.equations)

        def answered(verdicts: Verdicts) -> None:
            peer.release(len(data))
            self._receive(org, candidate, all(verdicts), len(data))

        self._verification.ask([job], answered)

    def _receive(self, org: str, candidate: Candidate[Message], holds: bool, size: int) -> None:
        message = candidate.message
        try:
            if not holds:
                raise PeerMisbehaved("bad-signature", height=message.height)
            if isinstance(message, PrePrepare | RoundChange) and message.height <= self._tip:
                self._report(AnswerDecided(message.sender, message.height))  # whatever block is beside it
                return
            if isinstance(message, PrePrepare) and not self._is_worth_decoding(message):
                return
            with hostile_input:
                verified = candidate.seal(self._app.payloads.hash_of)
        except FazhiError as error:
            self._host.peer_fault(org, error, ban=False)
            self._peers.spend(org, size // FAULT_BYTES, self._clock.monotonic_ms())
            return
        if isinstance(message, PrePrepare):
            said = self._proposals.setdefault((message.height, message.round), {})
            said[message.block_hash] = said.get(message.block_hash, 0) + 1
        self.feed(Received(verified))

    def _is_worth_decoding(self, message: PrePrepare) -> bool:
        """To decode a proposal takes far longer than to send it. Of one round two are decoded, the second of which
        proves its proposer's guilt, and each a few times (what is held already is not verified again)."""
        said = self._proposals.get((message.height, message.round), {})
        if message.block_hash not in said and len(said) >= PROPOSALS_DECODED:
            raise PeerMisbehaved("third-proposal", height=message.height, round=message.round)
        return said.get(message.block_hash, 0) < PROPOSAL_DECODED_TIMES
