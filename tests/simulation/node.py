"""A simulated node: the production replica and verifier on a simulated disk, with a small runtime that may die between
any two effects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from fazhi_consensus.replica import Replica, Triage
from fazhi_consensus.timers import Timer, TimerPolicy
from fazhi_consensus.wire import encode_message
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.keys import Signer
from fazhi_ledger.validators import ValidatorSet

from .blocks import block_hash_of, build_block, check_block
from .checkers import Violation
from .disk import SimulatedStore, SimulatedVoteLog

if TYPE_CHECKING:
    from .world import World

TIMERS = TimerPolicy(round_ms=250, round_cap_ms=4_000, resend_ms=150, resend_cap_ms=1_200)
STATUS_MS = 600
ANSWER_EVERY_MS = 100


class Crashed(Exception):
    """This node has just died."""


class Node:
    """An honest node. Everything but ``log`` and ``store`` is gone after a crash."""

    def __init__(self, world: World, index: int, signer: Signer) -> None:
        self.world = world
        self.index = index
        self.signer = signer
        self.log = SimulatedVoteLog()
        self.store = SimulatedStore()
        self.alive = False
        self.incarnation = 0
        self.replica = Replica(world.genesis_hash, signer, TIMERS)
        self._timers: dict[Timer, int] = {}
        self._answered_at: dict[int, int] = {}

    # --- life and death ---

    def start(self) -> None:
        """Start, or start again from what the disk holds."""
        self.alive = True
        self.incarnation += 1
        self._timers = {}
        self._answered_at = {}
        self.replica = Replica(self.world.genesis_hash, self.signer, TIMERS)
        self.replica.restore(self.log.records())
        self._guarded(self._next_height)
        self.later(self.world.rng.randint(1, STATUS_MS), self._tell_status)

    def crash(self) -> None:
        """Lose everything that was not synced."""
        self.alive = False
        self.incarnation += 1
        self.log.lose_unsynced()
        self.world.count("crash")

    def later(self, delay_ms: int, action: object, *arguments: object) -> None:
        """Do something unless this node dies before."""
        incarnation = self.incarnation

        def fire() -> None:
            if self.alive and self.incarnation == incarnation:
                self._guarded(action, *arguments)

        self.world.later(delay_ms, fire)

    def _guarded(self, action: object, *arguments: object) -> None:
        assert callable(action)
        try:
            action(*arguments)
        except Crashed:
            self.crash()
            self.world.restart_later(self)

    # --- events ---

    def step(self, event: Event) -> None:
        """One step of the core and all its effects, each of which may be the last thing this node does."""
        for effect in self.replica.step(event):
            self._maybe_die()
            self._perform(effect)
        self._maybe_die()

    def receive(self, sender: int, data: bytes) -> None:
        """A consensus frame of a peer: triage, verify, step."""
        try:
            message = self.world.decode(data)
            if self.replica.triage(message) in (Triage.AHEAD, Triage.KNOWN):
                return
            verified = self.world.verify(data, sender)
        except FazhiError:
            if self.world.is_honest(sender):
                raise
            return
        self.step(Received(verified))

    def receive_status(self, sender: int, height: int) -> None:
        """A peer's height; a lower one is helped along."""
        if height < self.store.height:
            self._answer(sender, height + 1)

    def receive_block(self, sender: int, height: int, payload: bytes, certificate: CommitCertificate) -> None:
        """State transfer: one block."""
        if height != self.store.height + 1:
            return
        certificate.verify_for(
            self.world.suite, self.world.genesis_hash, self.world.validators_at(height), height, block_hash_of(payload)
        )
        self.step(DecidedBySync(height, certificate))
        self._decide(payload, certificate)
        self.world.send_status(self.index, sender, self.store.height)

    def hear_of_work(self) -> None:
        """There is work now: submissions reach everybody, and heartbeats fall due."""
        self._work(self.store.height + 1)

    # --- effects ---

    def _perform(self, effect: Effect) -> None:
        world = self.world
        match effect:
            case Persist(record):
                self.log.append(record)
                self._maybe_die()
                self.log.sync()
            case Broadcast(message):
                world.observe(self, message)
                world.broadcast(self.index, encode_message(message))
            case Send(to, message):
                world.observe(self, message)
                world.send(self.index, world.node_of(self._validators(message.height), to), encode_message(message))
            case SetTimer(timer, height, round_, delay_ms):
                self._set_timer(timer, height, round_, delay_ms)
            case RequestProposal(height, round_):
                self._request(height, round_)
            case ValidateBlock():
                self._validate(effect)
            case Decide(_, payload, certificate):
                self._decide(payload, certificate)
            case CertificateGrown(certificate):
                world.check_certificate(self, certificate)
                self.store.replace_certificate(certificate)
            case AnswerDecided(to, height):
                self._answer(world.node_of(self._validators(height), to), height)
            case RecordEquivocation(evidence):
                world.check_evidence(evidence)
            case OwnVoteUnknown() if not world.outcome_only:
                raise Violation(f"node {self.index} does not know its own vote: {effect}")

    def _maybe_die(self) -> None:
        if self.world.strikes(self):
            raise Crashed

    def _set_timer(self, timer: Timer, height: int, round_: int, delay_ms: int) -> None:
        token = self._timers.get(timer, 0) + 1
        self._timers[timer] = token
        self.later(self.world.skewed(self, delay_ms), self._timer_due, timer, token, height, round_)

    def _timer_due(self, timer: Timer, token: int, height: int, round_: int) -> None:
        if self._timers[timer] == token:
            self.step(TimerFired(timer, height, round_))

    def _request(self, height: int, round_: int) -> None:
        wait_ms = self.world.rng.randint(5, 100) if round_ == 0 else self.world.rng.randint(0, 10)
        self.later(wait_ms, self._propose, height, round_)

    def _propose(self, height: int, round_: int) -> None:
        if height != self.store.height + 1:
            return
        proposer = self.world.validators_at(height).proposer(height, round_)
        payload = build_block(height, self._parent(), proposer, self.world.rng.getrandbits(40))
        self.step(ProposalReady(height, round_, payload, block_hash_of(payload)))

    def _validate(self, request: ValidateBlock) -> None:
        try:
            check_block(request.payload, request.height, self._parent(), request.proposer if request.fresh else None)
            ok = not (request.fresh and self.world.clock_refuses())
        except FazhiError:
            ok = False
        verdict = BlockValidated(request.height, request.round, request.block_hash, request.fresh, ok)
        self.later(self.world.rng.randint(0, 8), self.step, verdict)

    def _decide(self, payload: bytes, certificate: CommitCertificate) -> None:
        self.world.check_certificate(self, certificate)
        self.world.agreement.on_block(self.index, certificate.height, payload, certificate)
        self._maybe_die()
        self.store.write(payload, certificate)
        self._maybe_die()
        self.log.truncate()
        self.later(0, self._next_height)

    def _next_height(self) -> None:
        height = self.store.height + 1
        if self.replica.height >= height:
            return  # state transfer was quicker
        validators = self._validators(height)
        self.step(StartHeight(height, validators, validators.index_of_key(self.signer.public_key)))
        if self.world.rng.random() < 0.7 or self.world.healed:
            self.later(self.world.rng.randint(0, 150), self._work, height)

    def _work(self, height: int) -> None:
        self.step(WorkWaiting(height))

    def _tell_status(self) -> None:
        self.world.broadcast_status(self.index, self.store.height)
        self.later(STATUS_MS, self._tell_status)

    def _answer(self, to: int, height: int) -> None:
        found = self.store.get(height)
        now_ms = self.world.now_ms
        if found is None or now_ms - self._answered_at.get(to, -ANSWER_EVERY_MS) < ANSWER_EVERY_MS // 10:
            return
        self._answered_at[to] = now_ms
        self.world.send_block(self.index, to, height, *found)

    def _parent(self) -> bytes:
        return self.store.tip_hash(self.world.genesis_hash)

    def _validators(self, height: int) -> ValidatorSet:
        return self.world.validators_at(height)
