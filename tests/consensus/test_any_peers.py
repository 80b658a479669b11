"""Whatever the peers sign, all of them, one replica keeps its own promises: it never breaks, never signs two bodies for
one place, never forgets its lock, and persists before it speaks. Agreement needs at most f faulty validators; honesty
needs nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fazhi_consensus.effects import Decide, OwnVoteUnknown, SetTimer, ValidateBlock
from fazhi_consensus.events import BlockValidated, TimerFired, WorkWaiting
from fazhi_consensus.evidence import contradiction
from fazhi_consensus.messages import (
    BlockReply,
    BlockRequest,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    RoundChange,
    Signed,
)
from fazhi_consensus.records import decode_record
from fazhi_consensus.round_change import choice
from hypothesis import given
from hypothesis import strategies as st

from .kit import BLOCK_A, BLOCK_B, GENESIS, SUITE, Assembly, Bench, block_hash_of, of

ME = 0
FOUR = Assembly(4, silent=ME)
BLOCKS = (BLOCK_A, BLOCK_B)

senders = st.integers(1, 3)
rounds = st.integers(0, 2)
blocks = st.sampled_from(BLOCKS)
prepared = st.none() | st.tuples(rounds, blocks)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A valid message of any peer."""
    kind = draw(st.sampled_from(("proposal", "proposal", "prepare", "commit", "change", "request", "reply")))
    sender, round_, block = draw(senders), draw(rounds), draw(blocks)
    block_hash = block_hash_of(block)
    match kind:
        case "prepare":
            return FOUR.vote(Prepare, sender, round_, block_hash)
        case "commit":
            return FOUR.vote(Commit, sender, round_, block_hash)
        case "request":
            return BlockRequest(sender, 1, block_hash)
        case "reply":
            return BlockReply(sender, 1, block_hash, block)
        case "change":
            with_block = draw(st.booleans())
            return draw_change(draw, sender, round_ + 1, with_block)
        case _:
            return draw_proposal(draw, draw(st.sampled_from((0, 1, 2, 4))), block)


def draw_change(draw: st.DrawFn, sender: int, new_round: int, with_block: bool) -> RoundChange:
    claim = draw(prepared)
    if claim is None or claim[0] >= new_round:
        return FOUR.round_change(sender, new_round)
    payload = claim[1] if with_block else None
    return FOUR.round_change(sender, new_round, (claim[0], block_hash_of(claim[1])), payload)


def draw_proposal(draw: st.DrawFn, round_: int, block: bytes) -> PrePrepare:
    """Of a round whose proposer is not us, justified by all three peers."""
    if round_ == 0:
        return FOUR.pre_prepare(0, block)
    changes = tuple(draw_change(draw, sender, round_, False) for sender in (1, 2, 3))
    chosen = choice(changes)
    payload = block if chosen is None else next(b for b in BLOCKS if block_hash_of(b) == chosen[1])
    return FOUR.pre_prepare(round_, payload, changes)


deeds = messages() | st.sampled_from(
    ("timer", "timer", "valid", "valid", "invalid", "agree", "agree", "work", "propose")
)
fates = st.sampled_from(("lives", "lives", "lives", "lives", "crashes", "crashes before the sync"))


@dataclass
class Witness:
    """Remembers everything the replica said, over its crashes."""

    bench: Bench = field(default_factory=lambda: Bench(FOUR, ME))
    said: list[Signed] = field(default_factory=list)

    def act(self, action: Message | str) -> None:
        match action:
            case "timer":
                for effect in of(self.bench.effects, SetTimer)[-2:]:
                    self.bench.feed(TimerFired(effect.timer, effect.height, effect.round))
            case "valid" | "invalid":
                for ask in of(self.bench.effects, ValidateBlock)[-1:]:
                    verdict = BlockValidated(ask.height, ask.round, ask.block_hash, ask.fresh, action == "valid")
                    self.bench.feed(verdict)
            case "agree":  # everybody prepares what was proposed last
                for ask in of(self.bench.effects, ValidateBlock)[-1:]:
                    self.bench.feed(BlockValidated(ask.height, ask.round, ask.block_hash, ask.fresh, True))
                    self.bench.hear(*FOUR.votes(Prepare, (1, 2, 3), ask.round, ask.block_hash))
            case "work":
                self.bench.feed(WorkWaiting(1))
            case "propose":
                self.bench.propose(BLOCK_B, self.bench.round)
            case str():
                raise AssertionError(action)
            case _:
                self.bench.hear(action)

    def crash(self, records: int) -> None:
        """Restart with the first ``records`` records of the log."""
        self.bench = self.bench.restarted(lost=len(self.bench.log) - records)

    def listen(self) -> None:
        """What was said is in the log, and contradicts nothing said before."""
        kept = [entry.message for record in self.bench.log for entry in decode_record(GENESIS, record)]
        for message in self.bench.said:
            body = message.bare() if isinstance(message, RoundChange) else message
            assert body in kept
            signed = message.claim if isinstance(message, PrePrepare) else message
            assert isinstance(signed, Signed)
            assert all(contradiction(before, signed) is None for before in self.said), signed
            self.said.append(signed)
        for decide in of(self.bench.effects, Decide):
            decide.certificate.verify_for(SUITE, GENESIS, FOUR.validators, 1, block_hash_of(decide.payload))
        assert len(of(self.bench.effects, Decide)) <= 1
        assert of(self.bench.effects, OwnVoteUnknown) == []
        self.bench.effects = [e for e in self.bench.effects if isinstance(e, SetTimer | ValidateBlock | Decide)]


@given(st.lists(st.tuples(deeds, fates), max_size=25))
def test_one_replica_keeps_its_promises_among_any_peers(steps: list[tuple[Message | str, str]]) -> None:
    witness = Witness()
    for deed, fate in steps:
        records = len(witness.bench.log)
        witness.act(deed)
        if fate == "crashes before the sync":  # whatever this step signed was neither kept nor said
            witness.crash(records)
            continue
        witness.listen()
        if fate == "crashes":
            witness.crash(len(witness.bench.log))
