"""Twins (arXiv 2004.10617): the cast. One identity, or two, is run twice: two honest replicas with one key and a vote
log each, so that a traitor needs no code of its own.

An :class:`Actor` is a production replica with just enough around it to be deterministic: what it says depends on
nothing but what it was told, in which order. So what happened to an actor is a path, kept as a tree of
:class:`State`: the same stimulus in the same state is carried out once for all scenarios that share it, by production
code; where a state must be reached again the path to it is told to a new actor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from unittest.mock import patch

from fazhi_consensus import height as height_module
from fazhi_consensus.effects import (
    AnswerDecided,
    Broadcast,
    CertificateGrown,
    Decide,
    Effect,
    OwnVoteUnknown,
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
from fazhi_consensus.messages import Message, PrePrepare, Signed
from fazhi_consensus.own_votes import OwnVotes
from fazhi_consensus.replica import Replica, Triage
from fazhi_consensus.timers import Timer, TimerPolicy
from fazhi_consensus.verify import Verified, verify_message
from fazhi_consensus.wire import decode_message, encode_message
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError, InvariantBroken
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.validators import Validator, ValidatorSet

from tests.ledger.suites import ToySuite

from .blocks import block_hash_of, build_block, check_block
from .checkers import Certificates, Guilt, Violation, Votes

TIMERS: Final = TimerPolicy(round_ms=1_000, round_cap_ms=8_000, resend_ms=200, resend_cap_ms=800)
EVERYBODY: Final = -1


@dataclass(frozen=True, slots=True)
class LedSet(ValidatorSet):
    """A validator set whose first turns are led by whom the scenario names. A turn passes with every height and every
    round, as in production; where the list ends, so does the difference.
    """

    leaders: tuple[int, ...] = ()

    def proposer(self, height: int, round_: int) -> int:
        turn = height - 1 + round_
        return self.leaders[turn] if turn < len(self.leaders) else ValidatorSet.proposer(self, height, round_)


class Shameless(OwnVotes):
    """A twin that does not mind votes of its own that it does not know: an honest node falls silent there, a traitor
    would not.
    """

    __slots__ = ()

    def knows(self, signed: Signed) -> bool:
        return True


class TwinSuite(ToySuite):
    """The toy suite, where an actor that signs the same body again makes the same signature, and its twin another."""

    def __init__(self, actor: int) -> None:
        super().__init__()
        self._actor = actor

    def sign(self, secret: bytes, message: bytes) -> bytes:
        nonce = self.hash(b"%d " % self._actor + message) + b"n"
        return nonce + self._tag(self.public_key_of(secret), nonce, message)


Out = tuple[int, int, int]
"""(seat it is for or EVERYBODY, kind of message or BLOCK, its number)."""
Stimulus = tuple[str, int]
WAKE: Final[Stimulus] = ("wake", 0)
BLOCK: Final = 9


class Cast:
    """Who plays: ``seats`` validators, the first ``twins`` of them twice. Actors are numbered: one for each seat, then
    the second ones of the twins.
    """

    def __init__(self, seats: int, twins: int, leaders: tuple[int, ...], shameless: bool) -> None:
        self.suite = TwinSuite(0)
        self.genesis_hash = self.suite.tagged_hash("genesis", b"twins")
        self.shameless = shameless
        self.seat_of = (*range(seats), *range(twins))
        self.traitors = frozenset(range(twins))
        secrets = [self.suite.hash(b"seat %d" % seat) for seat in range(seats)]
        self.signers = [SoftwareSigner(TwinSuite(actor), secrets[seat]) for actor, seat in enumerate(self.seat_of)]
        keys = [self.signers[seat].public_key for seat in range(seats)]
        self.validators = LedSet(0, 1, tuple(Validator(f"org-{i}", key) for i, key in enumerate(keys)), leaders)
        self.certificates = Certificates(self.suite, self.genesis_hash, lambda _: self.validators)
        self.guilt = Guilt(self.suite, self.genesis_hash, lambda _: self.validators, frozenset(keys[:twins]))
        self._numbers: dict[bytes, int] = {}
        self.frames: list[bytes] = []
        self.messages: list[Verified[Message] | None] = []
        self._block_numbers: dict[CommitCertificate, int] = {}
        self.blocks: list[tuple[int, bytes, CommitCertificate]] = []
        self.proposed: set[bytes] = set()
        """Blocks that an honest actor has proposed."""

    def honest(self, actor: int) -> bool:
        return self.seat_of[actor] not in self.traitors

    def frame(self, data: bytes, sender: int, must_hold: bool) -> int:
        """The number of a frame; each is decoded and verified once for all."""
        number = self._numbers.get(data)
        if number is None:
            number = self._numbers[data] = len(self.frames)
            self.frames.append(data)
            try:
                message = decode_message(data, len(self.validators))
                self.messages.append(
                    verify_message(
                        self.suite, self.genesis_hash, self.validators, message, block_hash_of, self.seat_of[sender]
                    )
                )
            except FazhiError as error:
                if must_hold:
                    raise Violation(f"an honest node's message does not verify: {error}") from error
                self.messages.append(None)
        return number

    def block(self, actor: int, height: int, payload: bytes, certificate: CommitCertificate) -> int:
        """The number of a decided block with the certificate that this actor holds."""
        number = self._block_numbers.get(certificate)
        if number is None:
            self.certificates.on_certificate(actor, certificate)
            number = self._block_numbers[certificate] = len(self.blocks)
            self.blocks.append((height, payload, certificate))
        return number


class Actor:
    """One replica, carrying out its own effects."""

    def __init__(self, cast: Cast, index: int) -> None:
        self.cast = cast
        self.index = index
        self.seat = cast.seat_of[index]
        self.replica = Replica(cast.genesis_hash, cast.signers[index], TIMERS)
        self.chain: list[bytes] = [cast.genesis_hash]
        self.kept: list[int] = [-1]
        self.timers: dict[Timer, tuple[int, int]] = {}
        self.dead = False
        self._outs: list[Out] = []

    def feed(self, stimulus: Stimulus) -> tuple[Out, ...] | None:
        """What it says to that; None where it takes no notice."""
        if self.dead:
            return None
        self._outs = []
        try:
            noticed = self._take(stimulus)
        except InvariantBroken:
            if self.cast.honest(self.index):
                raise
            self.dead = noticed = True  # a shameless twin contradicts itself; that its process dies harms nobody
        return tuple(self._outs) if noticed else None

    def _take(self, stimulus: Stimulus) -> bool:
        kind, number = stimulus
        if kind == "wake":
            return self._wake()
        if kind == "block":
            return self._sync(number)
        if kind == "give":
            return self._answer(number)
        verified = self.cast.messages[number]
        if verified is None or self.replica.triage(verified.message) in (Triage.AHEAD, Triage.KNOWN):
            return False
        self._step(Received(verified))
        return True

    def _wake(self) -> bool:
        """A turn begins: the next height where one was decided, else the timer that is due first."""
        height = len(self.chain)
        if self.replica.height < height:
            self.timers.clear()
            start = StartHeight(height, self.cast.validators, self.seat)
            if self.cast.shameless and not self.cast.honest(self.index):
                with patch.object(height_module, "OwnVotes", Shameless):
                    self._step(start)
            else:
                self._step(start)
            self._step(WorkWaiting(height))
            return True
        for timer in (Timer.ROUND, Timer.RESEND):
            due = self.timers.pop(timer, None)
            if due is not None:
                self._step(TimerFired(timer, *due))
                return True
        return False

    def _sync(self, number: int) -> bool:
        height, payload, certificate = self.cast.blocks[number]
        if height != len(self.chain):
            return False
        certificate.verify_for(
            self.cast.suite, self.cast.genesis_hash, self.cast.validators, height, block_hash_of(payload)
        )
        self._step(DecidedBySync(height, certificate))
        self._decide(payload, certificate)
        return True

    def _answer(self, height: int) -> bool:
        """Hand on a block to whoever is behind (what peers do when they hear a lower height)."""
        if not 1 <= height < len(self.chain):
            return False
        self._outs.append((EVERYBODY, BLOCK, self.kept[height]))
        return True

    def _step(self, event: Event) -> None:
        waiting: deque[Event] = deque([event])
        while waiting:
            for effect in self.replica.step(waiting.popleft()):
                answer = self._perform(effect)
                if answer is not None:
                    waiting.append(answer)

    def _perform(self, effect: Effect) -> Event | None:
        cast = self.cast
        match effect:
            case Broadcast(message):
                self._say(EVERYBODY, message)
            case Send(to, message):
                self._say(to, message)
            case SetTimer(timer, height, round_, _):
                self.timers[timer] = (height, round_)
            case RequestProposal(height, round_):
                proposer = cast.validators.proposer(height, round_)
                payload = build_block(height, self.chain[-1], proposer, 100 * self.index + round_)
                return ProposalReady(height, round_, payload, block_hash_of(payload))
            case ValidateBlock(height, round_, block_hash, payload, fresh, proposer):
                return BlockValidated(height, round_, block_hash, fresh, self._is_valid(effect))
            case Decide(_, payload, certificate):
                self._decide(payload, certificate)
            case CertificateGrown(certificate) if certificate.height < len(self.chain):
                payload = cast.blocks[self.kept[certificate.height]][1]
                self.kept[certificate.height] = cast.block(self.index, certificate.height, payload, certificate)
            case AnswerDecided(to, height) if height < len(self.chain):
                self._outs.append((to, BLOCK, self.kept[height]))
            case RecordEquivocation(evidence):
                cast.guilt.on_evidence(evidence)
            case OwnVoteUnknown() if cast.honest(self.index):
                raise Violation(f"honest actor {self.index} does not know its own vote: {effect}")
        return None

    def _is_valid(self, request: ValidateBlock) -> bool:
        cast = self.cast
        judged = request.fresh and cast.honest(self.index) and request.proposer not in cast.traitors
        if judged and request.block_hash not in cast.proposed:
            raise Violation(f"actor {self.index} accepts a proposal in the name of {request.proposer}, not by it")
        try:
            proposer = request.proposer if request.fresh else None
            check_block(request.payload, request.height, self.chain[-1], proposer)
        except FazhiError:
            return False
        return True

    def _say(self, to: int, message: Message) -> None:
        data = encode_message(message)
        honest = self.cast.honest(self.index)
        if honest and isinstance(message, PrePrepare):
            self.cast.proposed.add(message.block_hash)
        number = self.cast.frame(data, self.index, honest)
        self._outs.append((to, data[1], number))

    def _decide(self, payload: bytes, certificate: CommitCertificate) -> None:
        height, found = len(self.chain), block_hash_of(payload)
        if certificate.height != height or certificate.block_hash != found:
            raise Violation(f"actor {self.index} decided a block that its certificate does not name, height {height}")
        try:
            check_block(payload, height, self.chain[-1], None)
        except FazhiError as error:
            raise Violation(f"actor {self.index} decided an invalid block at height {height}: {error}") from error
        self.kept.append(self.cast.block(self.index, height, payload, certificate))
        self.chain.append(found)


class State:
    """Where an actor stands: the path of what it was told. ``chain`` is what it has decided, genesis first."""

    __slots__ = ("_actor", "_after", "_before", "_checked", "_make", "_stimulus", "chain", "outs")

    def __init__(
        self, make: Callable[[], Actor], actor: Actor, before: State | None, stimulus: Stimulus, outs: tuple[Out, ...]
    ) -> None:
        self._make = make
        self._actor: Actor | None = actor
        self._before = before
        self._stimulus = stimulus
        self._after: dict[Stimulus, tuple[State, tuple[Out, ...]]] = {}
        self._checked = False
        self.outs = outs
        self.chain = tuple(actor.chain)

    @classmethod
    def first(cls, cast: Cast, index: int) -> State:
        """Before anything has happened."""
        return cls(lambda: Actor(cast, index), Actor(cast, index), None, WAKE, ())

    def after(self, stimulus: Stimulus) -> tuple[State, tuple[Out, ...]]:
        """The state after that, and what is said; production code runs only where nobody was here before."""
        found = self._after.get(stimulus)
        if found is None:
            actor, self._actor = self._actor or self._again(), None
            outs = actor.feed(stimulus)
            if outs is None:
                self._actor, found = actor, (self, ())
            else:
                found = (State(self._make, actor, self, stimulus, outs), outs)
            self._after[stimulus] = found
        return found

    def path(self) -> list[State]:
        """From the beginning to here."""
        found, state = [], self
        while state._before is not None:
            found.append(state)
            state = state._before
        return found[::-1]

    def _again(self) -> Actor:
        actor = self._make()
        for state in self.path():
            if actor.feed(state._stimulus) != state.outs:
                raise Violation(f"the same events had other effects: {state._stimulus}")
        return actor

    def check_votes(self, cast: Cast, key: bytes) -> None:
        """Everything that this honest actor has said on its way, once."""
        if self._checked:
            return
        votes = Votes()
        for state in self.path():
            for _, kind, number in state.outs:
                if kind != BLOCK:
                    verified = cast.messages[number]
                    assert verified is not None
                    votes.on_message(key, verified.message)
        self._checked = True
