"""What the tests of the core share: validators with keys of the toy suite, signed messages of any of them, and a
replica on a bench.

Signatures of the toy suite differ each time, as SM2's do, and are really checked: nothing reaches a replica but through
the verifier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from fazhi_consensus.effects import Broadcast, Decide, Effect, Persist, SetTimer, ValidateBlock
from fazhi_consensus.events import BlockValidated, Event, ProposalReady, Received, StartHeight, TimerFired
from fazhi_consensus.messages import (
    PAYLOAD_TYPE,
    Claim,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    RoundChange,
    Vote,
    round_change_body,
)
from fazhi_consensus.replica import Replica
from fazhi_consensus.timers import Timer, TimerPolicy
from fazhi_consensus.verify import Verified, verify_message
from fazhi_consensus.wire import decode_message, encode_message
from fazhi_ledger import dsse
from fazhi_ledger.certificate import vote_body
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.validators import Validator, ValidatorSet

from tests.ledger.suites import ToySuite

SUITE = ToySuite()
GENESIS = SUITE.tagged_hash("genesis", b"tests of consensus")
TIMERS = TimerPolicy(round_ms=1_000, round_cap_ms=8_000, resend_ms=200, resend_cap_ms=800)

V = TypeVar("V", bound=Vote)
E = TypeVar("E", bound=Effect)

BLOCK_A = b"block A"
BLOCK_B = b"block B"
BLOCK_C = b"block C"


def block_hash_of(payload: bytes) -> bytes:
    """The hash of a block of these tests; what does not begin with "block" is none."""
    if not payload.startswith(b"block"):
        raise InvalidBlock("no-block")
    return hashlib.sha256(payload).digest()


A, B, C = (block_hash_of(payload) for payload in (BLOCK_A, BLOCK_B, BLOCK_C))


class Assembly:
    """``count`` validators and what each may sign. Index i is seat i; ``silent`` has no part in proofs."""

    def __init__(
        self, count: int = 4, genesis_hash: bytes = GENESIS, name: str = "org", silent: int | None = None
    ) -> None:
        self.silent = silent
        self.genesis_hash = genesis_hash
        self.signers = [SoftwareSigner(SUITE, SUITE.hash(b"%s %d" % (name.encode(), i))) for i in range(count)]
        seats = tuple(Validator(f"{name}-{i}", signer.public_key) for i, signer in enumerate(self.signers))
        self.validators = ValidatorSet(0, 1, seats)
        self.quorum = self.validators.quorum

    def vote(self, kind: type[V], sender: int, round_: int, block_hash: bytes, height: int = 1) -> V:
        """A vote of one validator."""
        body = vote_body(self.genesis_hash, height, round_, block_hash)
        signature = dsse.sign(self.signers[sender], PAYLOAD_TYPE[kind.phase], body)
        return kind(sender, height, round_, block_hash, signature)

    def votes(self, kind: type[V], senders: Sequence[int], round_: int, block_hash: bytes, height: int = 1) -> list[V]:
        """The same vote of several validators."""
        return [self.vote(kind, sender, round_, block_hash, height) for sender in senders]

    def proof(self, round_: int, block_hash: bytes, height: int = 1) -> tuple[Prepare, ...]:
        """q PREPAREs."""
        senders = [i for i in range(len(self.validators)) if i != self.silent][: self.quorum]
        return tuple(self.votes(Prepare, senders, round_, block_hash, height))

    def round_change(
        self,
        sender: int,
        new_round: int,
        prepared: tuple[int, bytes] | None = None,
        payload: bytes | None = None,
        height: int = 1,
    ) -> RoundChange:
        """A ROUND-CHANGE of one validator, with the proof of what it claims."""
        body = round_change_body(self.genesis_hash, height, new_round, prepared)
        signature = dsse.sign(self.signers[sender], dsse.ROUND_CHANGE, body)
        prepares = () if prepared is None else self.proof(*prepared, height)
        round_, block_hash = prepared or (None, None)
        return RoundChange(sender, height, new_round, round_, block_hash, signature, prepares, payload)

    def round_changes(self, senders: Sequence[int], new_round: int, height: int = 1) -> tuple[RoundChange, ...]:
        """ROUND-CHANGEs of validators that have prepared nothing."""
        return tuple(self.round_change(sender, new_round, height=height) for sender in senders)

    def pre_prepare(
        self,
        round_: int,
        payload: bytes,
        justification: Sequence[RoundChange] = (),
        height: int = 1,
        sender: int | None = None,
    ) -> PrePrepare:
        """A PRE-PREPARE of the round's proposer."""
        proposer = self.validators.proposer(height, round_) if sender is None else sender
        claim = self.vote(Claim, proposer, round_, hashlib.sha256(payload).digest(), height)
        return PrePrepare(claim, payload, tuple(justification))

    def verify(self, message: Message, peer: int | None = None) -> Verified[Message]:
        """Through the wire and the verifier."""
        decoded = decode_message(encode_message(message), len(self.validators))
        assert decoded == message
        return verify_message(SUITE, self.genesis_hash, self.validators, decoded, block_hash_of, peer)


class Bench:
    """One replica under test at height 1, and everything that it wanted done."""

    def __init__(
        self, assembly: Assembly, me: int | None = 0, records: Sequence[bytes] = (), start: bool = True
    ) -> None:
        self.assembly = assembly
        self.me = me
        self.replica = Replica(assembly.genesis_hash, None if me is None else assembly.signers[me], TIMERS)
        self.replica.restore(records)
        self.effects: list[Effect] = []
        self.log: list[bytes] = list(records)
        if start:
            self.start()

    def start(self, height: int = 1) -> tuple[Effect, ...]:
        """Begin a height."""
        return self.feed(StartHeight(height, self.assembly.validators, self.me))

    def feed(self, event: Event) -> tuple[Effect, ...]:
        """One step. The contract of durability is checked at each."""
        effects = self.replica.step(event)
        for position, effect in enumerate(effects):
            if isinstance(effect, Persist):
                assert position == 0, "Persist comes first"
                self.log.append(effect.record)
        self.effects += effects
        return effects

    def hear(self, *messages: Message) -> tuple[Effect, ...]:
        """Messages of peers, each through the verifier."""
        effects: tuple[Effect, ...] = ()
        for message in messages:
            effects += self.feed(Received(self.assembly.verify(message, peer=message.sender)))
        return effects

    def validated(self, ok: bool = True) -> tuple[Effect, ...]:
        """Answer the last request for validation."""
        ask = self.all_of(ValidateBlock)[-1]
        return self.feed(BlockValidated(ask.height, ask.round, ask.block_hash, ask.fresh, ok))

    def propose(self, payload: bytes, round_: int = 0, height: int = 1) -> tuple[Effect, ...]:
        """Answer a request for a proposal."""
        return self.feed(ProposalReady(height, round_, payload, block_hash_of(payload)))

    def fire(self, timer: Timer = Timer.ROUND, round_: int | None = None, height: int = 1) -> tuple[Effect, ...]:
        """A timer is due, by default that of the current round."""
        status = self.replica.status
        assert status is not None
        return self.feed(TimerFired(timer, height, status.round if round_ is None else round_))

    def all_of(self, kind: type[E]) -> list[E]:
        """Every effect of a kind so far."""
        return of(self.effects, kind)

    @property
    def said(self) -> list[Message]:
        """Everything broadcast so far."""
        return [effect.message for effect in self.all_of(Broadcast)]

    @property
    def round(self) -> int:
        """The current round."""
        assert self.replica.status is not None
        return self.replica.status.round

    def signs(self) -> bool:
        """Whether it may sign at this height."""
        assert self.replica.status is not None
        return self.replica.status.signing

    def restarted(self, lost: int = 0) -> Bench:
        """The same node after a crash that lost its last ``lost`` records."""
        return Bench(self.assembly, self.me, self.log[: len(self.log) - lost])


def of(effects: Sequence[Effect], kind: type[E]) -> list[E]:
    """The effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def said_in(effects: Sequence[Effect]) -> list[Message]:
    """The messages broadcast by these effects."""
    return [effect.message for effect in of(effects, Broadcast)]


def prepared_bench(assembly: Assembly, me: int, round_: int = 0, payload: bytes = BLOCK_A) -> Bench:
    """A replica that has signed COMMIT in round 0 for a block of another proposer: it is locked."""
    bench = Bench(assembly, me)
    proposal = assembly.pre_prepare(round_, payload)
    bench.hear(proposal)
    bench.validated()
    others = [i for i in range(len(assembly.validators)) if i != me][: assembly.quorum - 1]
    bench.hear(*assembly.votes(Prepare, others, round_, block_hash_of(payload)))
    assert isinstance(bench.said[-1], Commit)
    return bench


def round_timers(effects: Sequence[Effect]) -> list[tuple[int, int]]:
    """(round, delay in ms) of each round timer set."""
    return [(e.round, e.delay_ms) for e in of(effects, SetTimer) if e.timer is Timer.ROUND]


def decisions(effects: Sequence[Effect]) -> list[tuple[int, bytes]]:
    """(height, block) of each decision."""
    return [(e.height, e.payload) for e in of(effects, Decide)]
