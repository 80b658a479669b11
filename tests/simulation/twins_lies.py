"""Small lies in the mouth of a twin, after ByzzFuzz (OOPSLA 2023): its own message with one field a little off (round
or height by one, another block, what was prepared left out), signed anew, for some receivers only; or an old message.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TypeVar

from fazhi_consensus.messages import (
    PAYLOAD_TYPE,
    Message,
    PrePrepare,
    RoundChange,
    Vote,
)
from fazhi_consensus.wire import encode_message
from fazhi_ledger import dsse
from fazhi_ledger.errors import FazhiError

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
        roll = self._rng.randrange(10)
        if roll == 0:
            return [self._rng.choice(said)]
        verified = self._cast.messages[number]
        if verified is None:
            return [number]
        try:
            lie = encode_message(self._twisted(actor, verified.message))
        except FazhiError:
            return [number]  # there is no such message
        false = self._cast.frame(lie, actor, must_hold=False)
        return [number, false] if roll < 4 else [false]

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
        roll = rng.randrange(4)
        if roll == 0:
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
