"""Up to f traitors with one mind: they see every frame that reaches one of them, know the keys of their own seats and
nothing else, and lie.

Whatever they send is well signed with their own keys; other validators' bodies they can only quote. They propose
different blocks to different nodes, vote for everything, help a single node to decide alone, deny what they have
prepared, withhold blocks, replay, send garbage.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fazhi_consensus.messages import (
    PAYLOAD_TYPE,
    BlockReply,
    BlockRequest,
    Claim,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    RoundChange,
    Vote,
    round_change_body,
)
from fazhi_consensus.round_change import choice
from fazhi_consensus.wire import encode_message
from fazhi_ledger import dsse
from fazhi_ledger.certificate import vote_body
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.keys import Signer

from .blocks import block_hash_of, build_block

if TYPE_CHECKING:
    from .world import World


class Adversary:
    """The traitors of one run. ``signers`` by node index."""

    def __init__(self, world: World, signers: dict[int, Signer]) -> None:
        self.world = world
        self.rng: random.Random = world.rng
        self.signers = signers
        self.height = 1
        self.round = 0
        self.blocks: dict[bytes, bytes] = {}
        self.claims: dict[int, list[bytes]] = {}
        self.prepares: dict[tuple[int, bytes], dict[int, Prepare]] = {}
        self.changes: dict[int, dict[int, RoundChange]] = {}
        self.frames: deque[bytes] = deque(maxlen=100)

    # --- what they know ---

    def receive(self, me: int, sender: int, data: bytes) -> None:
        """A frame reaches one of them."""
        self.frames.append(data)
        try:
            message = self.world.decode(data)
        except FazhiError:
            return
        if message.height > self.height:
            self._turn_to(message.height)
        if message.height == self.height:
            self._learn(message)
            if isinstance(message, BlockRequest):
                self._reply(me, sender, message)
        if isinstance(message, RoundChange) and self.rng.random() < 0.6:
            self._seize(message.new_round)
        if self.rng.random() < 0.25:
            self.act()

    def _turn_to(self, height: int) -> None:
        self.height, self.round = height, 0
        self.blocks, self.claims, self.prepares, self.changes = {}, {}, {}, {}

    def _learn(self, message: Message) -> None:
        match message:
            case PrePrepare():
                self._learn_block(message.round, message.block_hash, message.payload)
                for change in message.justification:
                    self._learn(change)
            case Prepare():
                self.prepares.setdefault((message.round, message.block_hash), {})[message.sender] = message
            case RoundChange():
                self.changes.setdefault(message.new_round, {})[message.sender] = message.without_payload()
                if message.new_round < self.round + 50:
                    self.round = max(self.round, message.new_round)
                if message.prepared_hash is not None and message.payload is not None:
                    self._learn_block(message.prepared_round or 0, message.prepared_hash, message.payload)
                for prepare in message.prepares:
                    self._learn(prepare)
            case BlockReply():
                self.blocks[message.block_hash] = message.payload
            case _:
                pass

    def _learn_block(self, round_: int, block_hash: bytes, payload: bytes) -> None:
        self.blocks[block_hash] = payload
        hashes = self.claims.setdefault(round_, [])
        if block_hash not in hashes:
            hashes.append(block_hash)

    # --- what they do ---

    def act(self) -> None:
        """One lie, of one of them."""
        traitor = self.rng.choice(sorted(self.signers))
        seat = self._seat(traitor)
        if seat is None or self.world.parent_of(self.height) is None:
            return
        self.world.count("lie")
        roll = self.rng.randrange(100)
        if roll < 30:
            self._propose(traitor, seat)
        elif roll < 60:
            self._vote(traitor, seat)
        elif roll < 80:
            self._lie_about_rounds(traitor, seat)
        elif roll < 90 and self.frames:
            self._send(traitor, self._some_nodes(), self.rng.choice(self.frames))
        else:
            self._send(traitor, self._some_nodes(), self._garbage())

    def _seize(self, round_: int) -> None:
        """A round of which one of them is the proposer may be theirs now."""
        if round_ > self.round or self.world.parent_of(self.height) is None:
            return
        for traitor in sorted(self.signers):
            seat = self._seat(traitor)
            if seat is not None and self.world.validators_at(self.height).proposer(self.height, round_) == seat:
                self.world.count("lie")
                self._propose_in(traitor, seat, round_)

    def _propose(self, traitor: int, seat: int) -> None:
        """Propose in the current round or the next, whichever is theirs."""
        validators = self.world.validators_at(self.height)
        for round_ in range(self.round, self.round + 2):
            if validators.proposer(self.height, round_) == seat:
                self._propose_in(traitor, seat, round_)
                return

    def _propose_in(self, traitor: int, seat: int, round_: int) -> None:
        """One proposal for all or two for one round, each to its own half, with votes to go with them."""
        # Where somebody has decided already, another decision is a fork: then they are of one mind.
        fork = self.world.agreement.hash_at(self.height) is not None and self.rng.random() < 0.8
        everybody = list(range(self.world.count_of_nodes))
        for targets in [everybody] if fork or self.rng.random() < 0.4 else self._halves():
            parent = self.world.parent_of(self.height)
            assert parent is not None
            valid = fork or self.rng.random() < 0.9
            block = build_block(self.height, parent, seat, self.rng.getrandbits(40), valid)
            payload: bytes | None = block
            claimed = (round_ - 1, block_hash_of(block)) if fork and round_ and self.rng.random() < 0.3 else None
            justification = self._justification(round_, claimed)
            if justification is None:
                return
            chosen = choice(justification)
            if chosen is not None and not fork and self.rng.random() < 0.6:
                payload = self.blocks.get(chosen[1])
            if payload is None:
                return
            block_hash = block_hash_of(payload)
            self._learn_block(round_, block_hash, payload)
            claim = self._sign_vote(Claim, traitor, seat, round_, block_hash)
            assert isinstance(claim, Claim)
            self._send(traitor, targets, encode_message(PrePrepare(claim, payload, justification)))
            if fork or self.rng.random() < 0.7:
                self._vote_for(round_, block_hash, targets)

    def _justification(self, round_: int, claimed: tuple[int, bytes] | None) -> tuple[RoundChange, ...] | None:
        """q ROUND-CHANGEs that prescribe as little as possible; their own may say anything, also that something was
        ``claimed`` prepared of which there is no proof.
        """
        if round_ == 0:
            return ()
        known = dict(self.changes.get(round_, {}))
        for traitor in sorted(self.signers):
            seat = self._seat(traitor)
            if seat is not None:
                known[seat] = self._sign_change(traitor, seat, round_, claimed, ())
        quorum = self.world.validators_at(self.height).quorum
        order = sorted(
            known.values(),
            key=lambda rc: (
                -1 if rc.prepared_round is None or rc.prepared == claimed else rc.prepared_round,
                rc.sender,
            ),
        )
        if len(order) < quorum:
            return None
        return tuple(sorted(order[:quorum], key=lambda rc: rc.sender))

    def _vote(self, traitor: int, seat: int) -> None:
        """Votes for whatever was proposed, sometimes so that one node alone decides."""
        candidates = [(r, h) for r, hashes in sorted(self.claims.items()) for h in hashes]
        if not candidates:
            return
        round_, block_hash = self.rng.choice(candidates[-4:])
        targets = [self.rng.randrange(self.world.count_of_nodes)] if self.rng.random() < 0.4 else self._some_nodes()
        self._vote_for(round_, block_hash, targets)

    def _vote_for(self, round_: int, block_hash: bytes, targets: Sequence[int]) -> None:
        for traitor in sorted(self.signers):
            seat = self._seat(traitor)
            if seat is None:
                continue
            for kind in (Prepare, Commit):
                vote = self._sign_vote(kind, traitor, seat, round_, block_hash)
                if isinstance(vote, Prepare):
                    self.prepares.setdefault((round_, block_hash), {})[seat] = vote
                assert isinstance(vote, Prepare | Commit)
                self._send(traitor, targets, encode_message(vote))

    def _lie_about_rounds(self, traitor: int, seat: int) -> None:
        """ROUND-CHANGEs to any round, that deny or claim what was prepared, with or without its block."""
        new_round = max(1, self.round + self.rng.choice((0, 0, 0, 0, 0, 1, 1, 1, 2, 1000)))
        quorum = self.world.validators_at(self.height).quorum
        proven = [key for key, votes in sorted(self.prepares.items()) if len(votes) >= quorum and key[0] < new_round]
        if proven and self.rng.random() < 0.5:
            prepared = self.rng.choice(proven)
            votes = tuple(vote for _, vote in sorted(self.prepares[prepared].items()))[:quorum]
            change = self._sign_change(traitor, seat, new_round, prepared, votes, self.rng.random() < 0.5)
        else:
            change = self._sign_change(traitor, seat, new_round, None, ())
        self._send(traitor, self._some_nodes(), encode_message(change))

    def _reply(self, me: int, sender: int, request: BlockRequest) -> None:
        seat = self._seat(me)
        payload = self.blocks.get(request.block_hash)
        if seat is not None and payload is not None and self.rng.random() < 0.5:
            reply = BlockReply(seat, self.height, request.block_hash, payload)
            self._send(me, [sender], encode_message(reply))

    def _garbage(self) -> bytes:
        if not self.frames:
            return self.rng.randbytes(20)
        data = bytearray(self.rng.choice(self.frames))
        for _ in range(self.rng.randint(1, 3)):
            data[self.rng.randrange(len(data))] = self.rng.randrange(256)
        return bytes(data[: self.rng.randint(1, len(data))] if self.rng.random() < 0.2 else data)

    # --- tools ---

    def _seat(self, traitor: int) -> int | None:
        return self.world.validators_at(self.height).index_of_key(self.signers[traitor].public_key)

    def _sign_vote(self, kind: type[Vote], traitor: int, seat: int, round_: int, block_hash: bytes) -> Vote:
        body = vote_body(self.world.genesis_hash, self.height, round_, block_hash)
        return kind(
            seat, self.height, round_, block_hash, dsse.sign(self.signers[traitor], PAYLOAD_TYPE[kind.phase], body)
        )

    def _sign_change(
        self,
        traitor: int,
        seat: int,
        new_round: int,
        prepared: tuple[int, bytes] | None,
        votes: tuple[Prepare, ...],
        with_block: bool = False,
    ) -> RoundChange:
        body = round_change_body(self.world.genesis_hash, self.height, new_round, prepared)
        signature = dsse.sign(self.signers[traitor], dsse.ROUND_CHANGE, body)
        round_, block_hash = prepared or (None, None)
        payload = self.blocks.get(block_hash) if with_block and block_hash is not None else None
        return RoundChange(seat, self.height, new_round, round_, block_hash, signature, votes, payload)

    def _halves(self) -> list[list[int]]:
        """Two audiences: the two sides of a partition, or two random halves."""
        nodes = list(range(self.world.count_of_nodes))
        groups = self.world.network.group_of
        if len(set(groups)) == 1 or self.rng.random() < 0.3:
            self.rng.shuffle(nodes)
            middle = len(nodes) // 2
            return [nodes[:middle], nodes[middle:]]
        return [[node for node in nodes if groups[node] == group] for group in (0, 1)]

    def _some_nodes(self) -> list[int]:
        nodes = list(range(self.world.count_of_nodes))
        return nodes if self.rng.random() < 0.4 else self.rng.sample(nodes, self.rng.randint(1, len(nodes)))

    def _send(self, traitor: int, targets: Sequence[int], data: bytes) -> None:
        for target in targets:
            if target not in self.signers:
                self.world.send(traitor, target, data)
