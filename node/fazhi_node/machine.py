"""The machine: one node as a synchronous object over its ports (design §6, "The runtime").

It has no thread, socket or clock of its own. Whoever owns it calls one method at a time, on one thread; every method
ends with everything that has to be said handed to the network. What it raises is final: our own fault
(:class:`~fazhi_node.notices.OwnFault`, ``InvariantBroken``) or the disk's (``StorageError``). The machine then does
nothing more, and the process ends before it says what it could not keep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from fazhi_consensus.evidence import Evidence
from fazhi_consensus.messages import Signed
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError, Parameter
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .admission import AdmissionDesk, Checked
from .application import Application
from .driver import CONSENSUS_TIMERS, CUT_TIMER, HEARTBEAT_TIMER, Driver
from .frames import (
    Blocks,
    ConsensusMessage,
    GetBlocks,
    ItemsMessage,
    Message,
    StatusMessage,
    Vouch,
    VouchRequest,
    decode_frame,
)
from .limits import BUSY_REGOSSIP_MS, BUSY_RETRY_MS, CUT_LOAD_ITEMS, REFUSED_ITEMS, REGOSSIP_MS, STATUS_PERIOD_MS
from .machine_config import MachineConfig
from .mempool import Bounds, Entry, LaneKey, Mempool
from .notebook import keep_evidence
from .notices import (
    BUSY,
    COMMITTED,
    INVALID,
    PENDING,
    Admission,
    BlockCommitted,
    EvidenceFound,
    Notice,
    OwnFault,
    PeerFault,
)
from .outbox import GOSSIP_TIMER, STATUS_DELAY_TIMER, Outbox
from .peers import PeerMisbehaved, PeerTable, hostile_input
from .ports import Ports
from .progress import NodeStatus, Situation, peer_statuses, readiness
from .queries import ChainReader
from .recovery import Recovery
from .serving import BlockServer
from .settlement import follow_state, settle
from .storage.errors import StorageError
from .sync import Delivered, Sync
from .verification import Verification

__all__ = ["Machine", "MachineConfig"]

PERIOD_TIMER: Final = "period"

R = TypeVar("R")


class Machine:
    """One node. See the module's text for how it is called."""

    def __init__(self, config: MachineConfig, ports: Ports) -> None:
        self._config = config
        self._ports = ports
        self._clock = ports.clock
        self._listeners: list[Callable[[Notice], None]] = []
        self._fault: BaseException | None = None
        self._started = False
        self._stopped = False
        store = ports.store
        self.mempool = Mempool(Bounds(config.mempool_items, config.mempool_bytes, config.mempool_key_items))
        self.peers = PeerTable(config.org, self._notify)
        self.reader = ChainReader(store)
        """Questions about the chain; see :mod:`fazhi_node.queries`."""
        self._server = BlockServer(self.reader, self.peers, self.now_ms, self.send)
        self._app = Application(config.org, store, self.mempool, self._notify, self._dropped)
        self._outbox = Outbox(ports.clock, ports.network)
        self._verification = Verification(ports.verifier)
        self._desk = AdmissionDesk(self, self.mempool, self._verification)
        self._sync = Sync(self, self.peers, self._verification)
        self._driver = Driver(
            self,
            self._app,
            self.mempool,
            self.peers,
            self._outbox,
            self._verification,
            ports.clock,
            ports.vote_log,
            config.signer,
            config.timers,
        )
        self._recovery = Recovery(config.org, config.signer, ports.vote_log, ports.notebook, config.nonce, self._notify)
        self._tip_since_ms = self._clock.monotonic_ms()
        self._last_items = 0
        self._work_since_ms: int | None = None
        follow_state(self.mempool, self._app)

    # The life of a node

    def start(self) -> None:
        """Resume from what is durable: re-send signed votes of the height in flight, set timers. Call once.

        Raises:
            InvalidVoteRecord: the vote log is not this node's.
        """

        def act() -> None:
            self._started = True
            self._driver.restore()
            self._clock.set_timer(PERIOD_TIMER, STATUS_PERIOD_MS)
            tip = self._ports.store.header(self._app.base.height)
            self._driver.start_height(0 if tip is None else tip.submission_count)

        self._turn(act, None)

    def stop(self) -> None:
        """Do and say nothing more. Ports are closed by whoever opened them."""
        self._stopped = True

    @property
    def fault(self) -> BaseException | None:
        """What stopped this machine, if something did."""
        return self._fault

    def _turn(self, act: Callable[[], R], otherwise: R) -> R:
        """One event from outside: all of it, then what is to be sent. After a fault nothing happens any more."""
        if self._stopped:
            return otherwise
        try:
            answer = act()
            self._outbox.flush()
        except BaseException as error:
            self._fault = error
            self._stopped = True
            raise
        return answer

    # What happens to it

    def submit(self, items: Sequence[bytes], client: str, done: Checked | None = None) -> list[Admission]:
        """Take encoded items of a client (any stable name: an address, a token), at most ``MAX_SUBMIT_ITEMS``.

        Answers one :class:`~fazhi_node.notices.Admission` an item, in order. Where it is ``pending`` and not
        ``checked``, signatures are still to be verified: ``done`` is called once with the answers after that (maybe
        before this returns). Later news comes by subscription. One bad item never harms the others. All are ``busy``
        before the start and after the end.
        """
        if self._started and not self._stopped:
            return self._turn(lambda: self._desk.submit(items, client, done), [])
        answers = [Admission(b"", BUSY, "not-running", retry_after_ms=BUSY_RETRY_MS)] * len(items)
        if done is not None:
            done(list(answers))
        return answers

    def on_frame(self, org: str, frame: bytes) -> None:
        """A frame of a member, ``org`` being proven by the channel."""
        if self._started:
            self._turn(lambda: self._on_frame(org, frame), None)

    def on_verified(self, token: int, verdicts: Sequence[bool]) -> None:
        """The verifier's answer to a question."""
        self._turn(lambda: self._verification.on_verified(token, verdicts), None)

    def on_timer(self, name: str) -> None:
        """A timer is due."""
        self._turn(lambda: self._on_timer(name), None)

    def on_peer_connected(self, org: str) -> None:
        """Frames to that member get through from now on."""

        def act() -> None:
            self.peers.connected(org, self.now_ms())
            self._outbox.send(org, self._status_message())
            self._ask_to_vouch(org)
            self._driver.repeat_to(org)

        self._turn(act, None)

    def on_peer_lost(self, org: str) -> None:
        """Frames to that member do not get through any more."""

        def act() -> None:
            self.peers.lost(org)
            self._sync.on_peer_lost(org)

        self._turn(act, None)

    # What it tells

    def subscribe(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        """Call ``listener`` with every notice from now on, on the machine's thread; the answer ends it.

        A listener must not call the machine and must not raise.
        """
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def submission(self, submission_id: bytes) -> Admission | None:
        """What is known of a submission: committed, waiting here, or nothing."""
        if self.mempool.find(submission_id) is not None:
            return Admission(submission_id, PENDING, checked=True)
        return self.committed(submission_id)

    def status(self) -> NodeStatus:
        """Where the node stands, and why it is not ready if it is not."""
        situation = self._situation()
        fit = readiness(situation, self.peers)
        base, core = self._app.base, self._driver.status
        validators = situation.validators
        return NodeStatus(
            org=self._config.org,
            genesis_hash=base.genesis_hash,
            first_block=self.reader.base + 1,
            height=base.height,
            tip_hash=base.header_hash,
            time_ms=base.time_ms,
            tip_age_ms=max(0, self._clock.now_ms() - base.time_ms),
            round=0 if core is None else core.round,
            epoch=validators.epoch,
            validators=len(validators),
            quorum=validators.quorum,
            validator=validators.index_of_member(self._config.org) is not None,
            seat=self._app.seat,
            voting=core is not None and core.signing,
            ready=fit.ready,
            reason=fit.reason,
            missing=fit.missing,
            best_height=max(base.height, self.peers.credible_height(validators.faulty)),
            mempool_items=len(self.mempool),
            mempool_bytes=self.mempool.bytes,
            checking=self._desk.checking,
            has_work=self.mempool.has_work,
            peers=peer_statuses(situation, self.peers),
        )

    def _situation(self) -> Situation:
        now_ms = self.now_ms()
        since = self._work_since_ms
        overdue_ms = -self._app.heartbeat_wait_ms(self._clock.now_ms())
        in_flight_ms = now_ms - self._tip_since_ms
        return Situation(
            started=self._started,
            stopped=self._stopped,
            amnesiac=self.amnesiac,
            unvouched=self._recovery.missing(self.height, self._app.following),
            signs=self._driver.my_index() is not None,
            me=self._config.org,
            validators=self._app.validators,
            height=self.height,
            waiting_ms=max(0 if since is None else now_ms - since, min(overdue_ms, in_flight_ms)),
            now_ms=now_ms,
        )

    def _notify(self, notice: Notice) -> None:
        for listener in list(self._listeners):
            listener(notice)

    # Dispatch

    def _on_frame(self, org: str, frame: bytes) -> None:
        now_ms = self.now_ms()
        if self.peers.muted_ms(org, now_ms):
            return
        self.peers.get(org).heard_ms = now_ms
        try:
            with hostile_input:
                messages = decode_frame(frame)
            self.peers.spend(org, len(messages), now_ms)
            for message in messages:
                self._on_message(org, message)
        except (StorageError, OwnFault):
            raise
        except FazhiError as error:
            self.peer_fault(org, error, ban=isinstance(error, PeerMisbehaved) and error.ban)

    def _on_message(self, org: str, message: Message) -> None:
        match message:
            case ConsensusMessage(data):
                self._driver.on_message(org, data)
            case ItemsMessage(items):
                self.peers.spend(org, self._desk.on_gossip(org, items) // REFUSED_ITEMS, self.now_ms())
            case StatusMessage():
                self._sync.on_status(org, message)
            case GetBlocks():
                self._server.on_request(org, message)
            case Blocks():
                self._sync.on_blocks(org, message)
            case VouchRequest():
                answer = self._recovery.answer(message, self.height)
                if answer is not None and self.peers.get(org).may_be_vouched(self.now_ms()):
                    self.send(org, answer)
            case Vouch():
                self._recovery.on_vouch(org, message)
                self._recovery.conclude(self.height, self._app.following)

    def _on_timer(self, name: str) -> None:
        if name == PERIOD_TIMER:
            self._clock.set_timer(PERIOD_TIMER, STATUS_PERIOD_MS)
            self._outbox.announce(self._status_message())
            for entry in self.mempool.due_for_gossip(self.now_ms(), BUSY_REGOSSIP_MS if self._busy else REGOSSIP_MS):
                self._outbox.gossip(entry.data)
            for peer in self.peers.all():
                self._ask_to_vouch(peer.org)
            self._sync.poke()
        elif name in (GOSSIP_TIMER, STATUS_DELAY_TIMER):
            self._outbox.on_timer(name)
        elif name in CONSENSUS_TIMERS or name in (CUT_TIMER, HEARTBEAT_TIMER):
            self._driver.on_timer(name)

    def _ask_to_vouch(self, org: str) -> None:
        request = self._recovery.request(org, self._app.following)
        if request is not None:
            self.send(org, request)

    @property
    def _busy(self) -> bool:
        """Whether full blocks keep coming: what waits then waits for its turn, and was hardly lost on its way."""
        return self._last_items >= CUT_LOAD_ITEMS and self.now_ms() - self._tip_since_ms < REGOSSIP_MS

    def _status_message(self) -> StatusMessage:
        base = self._app.base
        return StatusMessage(base.genesis_hash, base.height, base.header_hash)

    # What its parts ask of it (AdmissionHost, SyncHost, DriverHost)

    @property
    def suite(self) -> Suite:
        """The chain's suite."""
        return self._app.base.suite

    @property
    def genesis_hash(self) -> bytes:
        """The chain's genesis hash."""
        return self._app.base.genesis_hash

    @property
    def height(self) -> int:
        """Height of the tip."""
        return self._app.base.height

    @property
    def tip_hash(self) -> bytes:
        """Hash of the tip's header."""
        return self._app.base.header_hash

    @property
    def tip_since_ms(self) -> int:
        """Since when (monotonic) the tip stands."""
        return self._tip_since_ms

    @property
    def validators(self) -> ValidatorSet:
        """Who certifies the next block."""
        return self._app.validators

    @property
    def amnesiac(self) -> bool:
        """Whether what this node signed may not be known here, so that it signs nothing at the next height."""
        return self._recovery.amnesiac

    @property
    def voting(self) -> bool:
        """Whether this node signs at the height in flight."""
        core = self._driver.status
        return core is not None and core.signing

    def now_ms(self) -> int:
        """Monotonic time."""
        return self._clock.monotonic_ms()

    def send(self, org: str, message: Message) -> None:
        """Queue a message for a peer."""
        self._outbox.send(org, message)

    def peer_fault(self, org: str, error: FazhiError, *, ban: bool) -> None:
        """Count and report what a peer did."""
        self.peers.fault(org, error.code, error.parameters, ban, self.now_ms())
        self._sync.poke()

    def check_item(self, item: Item) -> None:
        """See :meth:`Application.check_item`."""
        self._app.check_item(item)

    def lane_position(self, lane: LaneKey, item: Item) -> int:
        """Next seq of ``lane``, which is the item's, in the committed state."""
        return self._app.lane_position(lane, item)

    def committed(self, submission_id: bytes) -> Admission | None:
        """Where a submission stands, if it does."""
        found = self.reader.committed(submission_id)
        if found is None:
            return None
        place = found.height, found.index
        return Admission(submission_id, COMMITTED, found.code, found.parameters, *place, checked=True)

    def is_quarantined(self, submission_id: bytes) -> bool:
        """Whether executing that item failed in an unexpected way."""
        return self._app.is_quarantined(submission_id)

    def admitted(self, local: Sequence[Entry]) -> None:
        """Items have entered the mempool: tell the others of our clients' own, and the core if there is work."""
        for entry in local:
            self._outbox.gossip(entry.data)
        if self.mempool.has_work and self._work_since_ms is None:
            self._work_since_ms = self.now_ms()
        self._driver.work_arrived()

    def refused(self, admission: Admission) -> None:
        """An item that was answered ``pending`` turned out otherwise."""
        self._notify(admission)

    def _dropped(self, entry: Entry, code: str, parameters: tuple[Parameter, ...]) -> None:
        self._notify(Admission(entry.submission_id, INVALID, code, parameters, checked=True))

    def record_evidence(self, evidence: Evidence, validators: ValidatorSet) -> None:
        """Keep the proof of a validator's guilt, and say so."""
        org, data = validators.validators[evidence.accused].member, evidence.encode()
        note = keep_evidence(self._ports.notebook, org, evidence.height, data)
        self._notify(EvidenceFound(org, evidence.height, evidence.guilt.value, data, note))

    def own_vote_unknown(self, height: int, signed: Signed) -> None:
        """Our key signed what we do not remember: sign nothing before others have vouched for the chain."""
        self._recovery.convict(height, signed.phase)

    def proposal_withheld(self, proposer: str, error: FazhiError) -> None:
        """We do not vote for a proposal."""
        self._notify(PeerFault(proposer, "proposal-withheld", (("reason", error.code), *error.parameters)))

    def answer_decided(self, org: str, height: int) -> None:
        """A member still works on a height that is decided: send it the block and its certificate, now and then."""
        self._server.tell(org, height)

    def certificate_grown(self, certificate: CommitCertificate) -> None:
        """A late commit of a stored block."""
        self._ports.store.add_commits(certificate)

    def own_decision(self, height: int) -> bytes | None:
        """Hash of the stored block of that height."""
        return self._ports.store.block_hash(height)

    # Decisions

    def decide(self, payload: bytes, certificate: CommitCertificate) -> None:
        """Consensus has decided. Where state transfer was first (SmartBFT #484) only the certificate can gain."""
        if certificate.height <= self.height:
            if self.own_decision(certificate.height) != certificate.block_hash:
                raise OwnFault("fork", f"two certified blocks at height {certificate.height}")
            self._ports.store.add_commits(certificate)
            return
        block, block_hash = self._app.payloads.decode(payload)
        self._commit(payload, block, block_hash, certificate)
        self._driver.start_height(len(block.items))

    def commit_delivered(self, delivered: Delivered) -> None:
        """State transfer has brought the block after the tip, and checked certificate and signatures."""
        self._recovery.check_certificate(delivered.certificate, self.validators)
        self._commit(delivered.payload, delivered.block, delivered.block_hash, delivered.certificate)
        self._driver.decided_by_sync(delivered.certificate.height, delivered.certificate)
        self._driver.start_height(len(delivered.block.items))

    def _commit(self, payload: bytes, block: Block, block_hash: bytes, certificate: CommitCertificate) -> None:
        """Durable first, in one batch; then the votes below are forgotten, the mempool follows, and all are told."""
        executed = self._app.commit(payload, block, block_hash, certificate)
        height = block.header.height
        if self._ports.vote_log is not None:
            self._ports.vote_log.truncate_below(height + 1)
        self._tip_since_ms = self.now_ms()
        self._last_items = len(block.items)
        self._recovery.conclude(height, self._app.following)
        settle(self.mempool, self._app, executed, self._notify)
        self._work_since_ms = self._tip_since_ms if self.mempool.has_work else None
        self._outbox.announce(self._status_message())
        self._notify(BlockCommitted(height, block_hash, len(block.items), certificate.round))
        self._sync.poke()
