"""Small lies in the mouth of a twin, after ByzzFuzz (OOPSLA 2023): its own message with one field a little off (round
or height by one, another block, what was prepared left out), signed anew, for some receivers only; an old message;
another validator's vote, quoted as something else; or a proposal out of turn.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TypeVar

from fazhi_consensus.messages import (
    PAYLOAD_TYPE,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    RoundChange,
    Vote,
)
from fazhi_consensus.wire import encode_message
from fazhi_ledger import dsse
from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.shape import as_digest, as_int, as_tuple

from .blocks import block_hash_of, build_block
from .twins_cast import Cast

V = TypeVar("V", bound=Vote)


class Liar:
    """What becomes of a twin's message on its way to one receiver; ``percent`` of them are lies."""

    def __init__(self, cast: Cast, rng: random.Random, percent: int) -> None:
        self._cast = cast
        self._rng = rng
        self._percent = percent
        self._said: dict[int, list[int]] = {}
        self.lies = 0

    def __call__(self, actor: int, number: int) -> list[int]:
        said = self._said.setdefault(self._cast.seat_of[actor], [])
        if number not in said[-4:]:
            said.append(number)
        if self._rng.randrange(100) >= self._percent:
            return [number]
        self.lies += 1
        roll = self._rng.randrange(16)
        if roll == 0:
            return [self._rng.choice(said)]
        if roll <= 5:
            return [number, *self._quoted(actor)]
        if roll == 6:
            return [number, *self._usurped(actor)]
        verified = self._cast.messages[number]
        if verified is None:
            return [number]
        try:
            lie = encode_message(self._twisted(actor, verified.message))
        except FazhiError:
            return [number]  # there is no such message
        false = self._cast.frame(lie, actor, must_hold=False)
        return [number, false] if roll < 10 else [false]

    def _quoted(self, actor: int) -> list[int]:
        """Somebody's vote, handed on as one of another kind, height, round or block, under the same signature."""
        rng = self._rng
        votes = [v.message for v in self._cast.messages if v is not None and isinstance(v.message, Prepare | Commit)]
        if not votes:
            return []
        vote = rng.choice(votes[-40:])
        kind: type[Prepare | Commit] = type(vote)
        height, round_, block_hash = vote.height, vote.round, vote.block_hash
        roll = rng.randrange(4)
        if roll == 0:
            kind = Commit if kind is Prepare else Prepare
        elif roll == 1:
            height = max(1, height + rng.choice((-1, 1)))
        elif roll == 2:
            round_ = max(0, round_ + rng.choice((-1, 1)))
        else:
            block_hash = rng.choice(votes).block_hash
        return self._numbered(actor, kind(vote.sender, height, round_, block_hash, vote.signature))

    def _usurped(self, actor: int) -> list[int]:
        """A proposal in a round 0 that is somebody else's, in whose name the block is built, with the votes for it."""
        cast, rng = self._cast, self._rng
        seen = [v.message for v in cast.messages if v is not None and isinstance(v.message, PrePrepare)]
        seen = [message for message in seen if message.round == 0]
        if not seen:
            return []
        like = rng.choice(seen[-4:])
        _, parent, builder, _, _ = as_tuple(decode(like.payload), "block", length=5)
        payload = build_block(like.height, as_digest(parent, "parent"), as_int(builder, "builder"), 0)
        claim = replace(like.claim, sender=cast.seat_of[actor], block_hash=block_hash_of(payload))
        votes = [
            self._signed(actor, kind(claim.sender, claim.height, 0, claim.block_hash, b""))
            for kind in (Prepare, Commit)
        ]
        return [
            number
            for message in (PrePrepare(self._signed(actor, claim), payload), *votes)
            for number in self._numbered(actor, message)
        ]

    def _numbered(self, actor: int, message: Message) -> list[int]:
        return [self._cast.frame(encode_message(message), actor, must_hold=False)]

    def _twisted(self, actor: int, message: Message) -> Message:
        rng = self._rng
        match message:
            case PrePrepare():
                if rng.random() < 0.5:
                    payload = build_block(message.height, self._cast.genesis_hash, message.sender, rng.getrandbits(20))
                    claim = self._signed(actor, replace(message.claim, block_hash=block_hash_of(payload)))
                    return replace(message, claim=claim, payload=payload)
                return replace(message, claim=self._signed(actor, self._moved(message.claim)))
            case RoundChange():
                return self._other_change(actor, message)
            case Vote():
                return self._signed(actor, self._moved(message))
            case _:
                return message

    def _moved(self, vote: V) -> V:
        rng = self._rng
        roll = rng.randrange(5)
        if roll == 0:
            return replace(vote, height=max(1, vote.height + rng.choice((-1, 1))))
        if roll < 3:
            return replace(vote, round=max(0, vote.round + rng.choice((-1, 1))))
        found = [verified.message for verified in self._cast.messages if verified is not None]
        hashes = [message.block_hash for message in found if isinstance(message, PrePrepare)]
        return replace(vote, block_hash=rng.choice(hashes or [self._cast.genesis_hash]))

    def _signed(self, actor: int, vote: V) -> V:
        body = vote.body(self._cast.genesis_hash)
        return replace(vote, signature=dsse.sign(self._cast.signers[actor], PAYLOAD_TYPE[vote.phase], body))

    def _other_change(self, actor: int, change: RoundChange) -> RoundChange:
        """Another round, or less prepared than it was, or the proof for more than it is."""
        rng = self._rng
        roll = rng.randrange(5)
        if roll == 4:  # something else was prepared, and nothing shows it
            hashes = [v.message.block_hash for v in self._cast.messages if v and isinstance(v.message, Vote)]
            block_hash = rng.choice(hashes or [self._cast.genesis_hash])
            change = replace(
                change, prepared_round=change.new_round - 1, prepared_hash=block_hash, prepares=(), payload=None
            )
        elif roll == 0:
            change = replace(change, new_round=max(1, change.new_round + rng.choice((-1, 1))))
        elif roll == 1:
            change = replace(change, height=max(1, change.height + rng.choice((-1, 1))), prepares=())
        elif change.prepared_round is None or roll == 2:
            change = replace(change, prepared_round=None, prepared_hash=None, prepares=(), payload=None)
        else:
            round_ = max(0, change.prepared_round + rng.choice((-1, 1)))
            moved = tuple(replace(prepare, round=round_) for prepare in change.prepares)
            change = replace(change, prepared_round=round_, prepares=moved)
        body = change.body(self._cast.genesis_hash)
        return replace(change, signature=dsse.sign(self._cast.signers[actor], dsse.ROUND_CHANGE, body))
