"""The traitors of a run, at most f, of one mind. Each runs the production node, so that it says everything an honest
one would; what leaves it is then withheld, delayed, doubled, contradicted, forged with its own key, or made up.

They know the keys of their own seats and nothing else: other validators' bodies they can only quote.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from fazhi_consensus.messages import (
    PAYLOAD_TYPE,
    Claim,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    RoundChange,
    round_change_body,
)
from fazhi_consensus.round_change import choice
from fazhi_consensus.timers import TimerPolicy
from fazhi_consensus.wire import decode_message, encode_message
from fazhi_contracts.chain import build_block
from fazhi_ledger import dsse
from fazhi_ledger.block import Block
from fazhi_ledger.canonical import encode
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.submission import Item
from fazhi_node.frames import Blocks, ConsensusMessage, ItemsMessage, StatusMessage, encode_frame
from fazhi_node.frames import Message as PeerMessage
from fazhi_node.machine import Machine
from fazhi_node.mempool import Entry

from .disk import flip
from .genesis import org_of

if TYPE_CHECKING:
    from .node import Node
    from .run import Run

V = TypeVar("V", bound=Claim | Prepare | Commit)
Lie = tuple[PeerMessage, int]
"""A message and how many milliseconds it is held back."""
REMEMBERED = 60
TIMERS = TimerPolicy()


class Coven:
    """All traitors of a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rng = random.Random(f"{run.plan.seed} coven")
        self.tricks = run.plan.tricks
        self.victim = org_of(self.rng.randrange(run.plan.size))
        self._old: deque[bytes] = deque(maxlen=REMEMBERED)
        self._twins: dict[tuple[int, int], tuple[PrePrepare, Claim, bytes]] = {}
        self._hashes: deque[bytes] = deque(maxlen=8)

    @property
    def quiet(self) -> bool:
        """Whether they behave for now."""
        return self.run.healed and not self.run.plan.traitors_stay

    def join(self, machine: Machine) -> None:
        """A traitor's process stands: what it proposes is theirs to choose."""
        if "censor" not in self.tricks:
            return
        take = machine.mempool.take

        def censoring(
            max_items: int, max_bytes: int, usable: Callable[[Entry], bool] = lambda _: True, max_work: int = 3_000
        ) -> list[Entry]:
            def allowed(entry: Entry) -> bool:
                return (self.quiet or entry.member != self.victim) and usable(entry)

            return take(max_items, max_bytes, allowed, max_work)

        machine.mempool.take = censoring  # type: ignore[method-assign]

    def send(self, node: Node, peer: int, frame: bytes, messages: tuple[PeerMessage, ...], ordered: bool) -> None:
        """One frame of a traitor to one peer, as they will have it."""
        if self.quiet:
            self.run.network.send(node.index, peer, frame, node.lag_ms, ordered)
            return
        self._old.append(frame)
        lies = [lie for message in messages for lie in self._twist(node, peer, message)]
        if "replay" in self.tricks and self.rng.random() < 0.05:
            self._post(node, self.rng.randrange(self.run.plan.size), self.rng.choice(self._old), "replay")
        if "garbage" in self.tricks and self.rng.random() < 0.03:
            self._post(node, peer, self._garbage(frame), "garbage")
        by_delay: dict[int, list[PeerMessage]] = {}
        for message, delay_ms in lies:
            by_delay.setdefault(delay_ms, []).append(message)
        for delay_ms, held in by_delay.items():
            after_ms = node.lag_ms + delay_ms
            self.run.network.send(node.index, peer, encode_frame(held), after_ms, ordered and not delay_ms)

    def hear(self, frame: bytes) -> None:
        """A frame that reached one of them."""
        self._old.append(frame)

    def _post(self, node: Node, peer: int, frame: bytes, trick: str) -> None:
        if peer != node.index:
            self.run.count(f"lie: {trick}")
            self.run.network.send(node.index, peer, frame, node.lag_ms, ordered=False)

    def _lies(self, trick: str, permille: int) -> bool:
        if trick in self.tricks and self.rng.randrange(1000) < permille:
            self.run.count(f"lie: {trick}")
            return True
        return False

    # Kinds of messages

    def _twist(self, node: Node, peer: int, message: PeerMessage) -> list[Lie]:
        match message:
            case ConsensusMessage(data):
                return self._consensus(node, peer, decode_message(data, self.run.plan.size))
            case StatusMessage() if self._lies("sync-lies", 100):
                height = self.rng.choice((10**9, 5, 0, message.height + 1))
                return [(replace(message, height=height), 0)]
            case Blocks() if self._lies("sync-lies", 500):
                return [(self._bad_blocks(message), 0)]
            case ItemsMessage(items) if "censor" in self.tricks:
                kept = tuple(data for data in items if Item.decode(data).body.org != self.victim)
                if len(kept) < len(items):
                    self.run.count("lie: censor")
                return [(ItemsMessage(kept), 0)] if kept else []
            case _:
                return [(message, 0)]

    def _bad_blocks(self, message: Blocks) -> Blocks:
        """What is no decided block, or not what was asked for."""
        pairs = list(message.blocks)
        if not pairs:
            return message
        place = self.rng.randrange(len(pairs))
        block, certificate = pairs[place]
        match self.rng.randrange(6):
            case 0:
                pairs[place] = (flip(self.rng, block), certificate)
            case 1:
                pairs[place] = (block, flip(self.rng, certificate))
            case 2:
                pairs = []
            case 3:
                found = CommitCertificate.decode(certificate)
                pairs[place] = (block, replace(found, signatures=found.signatures[:1]).encode())
            case 4:
                pairs.reverse()
            case _:
                pairs = pairs[:-1] + pairs[:1]
        return replace(message, blocks=tuple(pairs))

    def _garbage(self, frame: bytes) -> bytes:
        rng = self.rng
        match rng.randrange(4):
            case 0:
                return rng.randbytes(rng.randint(0, 300))
            case 1:
                return frame[: rng.randrange(len(frame))]
            case 2:
                return flip(rng, frame)
            case _:
                return encode((1, (2, rng.randbytes(40)), (5, (2**40, ()))))

    # Consensus

    def _consensus(self, node: Node, peer: int, message: Message) -> list[Lie]:
        delay_ms = 0
        if isinstance(message, PrePrepare | Prepare | Commit):
            self._hashes.append(message.block_hash)
        if isinstance(message, PrePrepare) and self._lies("delay", 700):
            delay_ms = TIMERS.round_delay_ms(message.round) * 95 // 100
        said: list[Message] = [self._halved(node, peer, message)]
        if "withhold" in self.tricks and (peer + message.height) % 2 and self._lies("withhold", 600):
            said = []
        if self._lies("double-vote", 150) and isinstance(message, Prepare | Commit):
            said.append(self._vote(node, type(message), message.height, message.round, self._other(message.block_hash)))
        if self._lies("mutate", 150):
            said.append(self._mutated(node, message))
        return [(ConsensusMessage(encode_message(each)), delay_ms) for each in said]

    def _other(self, block_hash: bytes) -> bytes:
        """Another block that was spoken of, or none at all."""
        others = [known for known in self._hashes if known != block_hash]
        return self.rng.choice(others) if others and self.rng.random() < 0.8 else self.rng.randbytes(32)

    def _halved(self, node: Node, peer: int, message: Message) -> Message:
        """Every second peer sees another block proposed, and votes for it."""
        if "equivocate" not in self.tricks:
            return message
        if isinstance(message, PrePrepare):
            self._make_twin(node, message)
        if not isinstance(message, PrePrepare | Prepare | Commit) or (peer + message.height) % 2:
            return message
        twins = self._twins.get((message.height, message.round))
        if twins is None or message.block_hash != twins[0].block_hash:
            return message
        proposal, claim, payload = twins
        if isinstance(message, PrePrepare):
            return replace(proposal, claim=claim, payload=payload)
        return self._vote(node, type(message), message.height, message.round, claim.block_hash)

    def _make_twin(self, node: Node, message: PrePrepare) -> None:
        """Another valid block for the same turn."""
        slot = (message.height, message.round)
        machine = node.machine
        if machine is None or slot in self._twins or choice(message.justification) is not None:
            return
        base = machine._app.base
        block = Block.decode(message.payload)
        if block.header.height != base.height + 1:
            return
        try:
            executed = build_block(base, node.org, block.header.time_ms + 1, block.items[:-1])
        except FazhiError:
            return
        claim = self._vote(node, Claim, message.height, message.round, executed.block_hash)
        self.run.count("lie: equivocate")
        self._twins[slot] = (message, claim, executed.block.encode())
        self._hashes.append(executed.block_hash)

    def _mutated(self, node: Node, message: Message) -> Message:
        """The same with another round or height, or a denial of what was prepared; well signed."""
        rng = self.rng
        match message:
            case Prepare() | Commit():
                height = max(1, message.height + rng.choice((-1, 0, 0, 1)))
                round_ = max(0, message.round + rng.choice((-1, 0, 1, 1)))
                block_hash = self._other(b"") if rng.random() < 0.3 else message.block_hash
                if rng.random() < 0.5:
                    return self._vote(node, Prepare, height, round_, block_hash)
                return self._vote(node, Commit, height, round_, block_hash)
            case PrePrepare():
                claim = self._vote(node, Claim, message.height, message.round + 1, message.block_hash)
                return replace(message, claim=claim)
            case RoundChange():
                return self._round_change(node, message.height, message.new_round + rng.choice((0, 1, 2, 1000)))
            case _:
                return message

    def _vote(self, node: Node, kind: type[V], height: int, round_: int, block_hash: bytes) -> V:
        body = vote_body(self.run.genesis_file.hash(), height, round_, block_hash)
        signature = dsse.sign(node.signer, PAYLOAD_TYPE[kind.phase], body)
        return kind(self._seat(node, height), height, round_, block_hash, signature)

    def _round_change(self, node: Node, height: int, new_round: int) -> RoundChange:
        body = round_change_body(self.run.genesis_file.hash(), height, new_round, None)
        signature = dsse.sign(node.signer, PAYLOAD_TYPE[RoundChange.phase], body)
        return RoundChange(self._seat(node, height), height, new_round, None, None, signature)

    def _seat(self, node: Node, height: int) -> int:
        return self.run.ledger.seats_at(height).index_of_key(node.signer.public_key) or 0
