"""What a hostile member sends: frames that are nearly right, and right ones that say what no honest member says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

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
    Signed,
)
from fazhi_consensus.wire import encode_message
from fazhi_ledger import dsse
from fazhi_ledger.canonical import pack
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.keys import SoftwareSigner
from fazhi_node import frames
from fazhi_node.frames import encode_frame

from .mutate import bytewise, msgpack

_NUMBERS: Final = (0, 1, 2, 3, 5, 64, 10**9, 2**31, 2**53, 2**63 - 2, 2**63 - 1)
LARGEST: Final = 1 << 18


@dataclass(frozen=True)
class Member:
    """The member whose part is played, and what it knows of the chain."""

    genesis_hash: bytes
    signer: SoftwareSigner
    index: int
    height: int
    blocks: tuple[tuple[bytes, bytes], ...]
    """Decided blocks with their certificates."""
    hashes: tuple[bytes, ...]
    items: tuple[bytes, ...]


def _height(random: Random, member: Member) -> int:
    return max(1, random.choice((member.height, *[member.height + 1] * 5, member.height + 2, random.choice(_NUMBERS))))


def _round(random: Random) -> int:
    return random.choice((0, 0, 1, 1, 2, 3, random.choice(_NUMBERS)))


def _hash(random: Random, member: Member) -> bytes:
    return random.choice((bytes(32), random.randbytes(32), *member.hashes))


def _payload(random: Random, member: Member) -> bytes:
    payload = random.choice((b"", b"block", *[block for block, _ in member.blocks]))
    return msgpack(random, payload, member.items or [payload]) if random.random() < 0.5 else payload


def _signed(random: Random, member: Member, message: Signed) -> bytes:
    """Its own signature, which holds; or none that does."""
    if random.random() < 0.15:
        return random.choice((b"", bytes(64), random.randbytes(64)))
    return dsse.sign(member.signer, PAYLOAD_TYPE[message.phase], message.body(member.genesis_hash))


def _sender(random: Random, member: Member) -> int:
    return member.index if random.random() < 0.85 else random.randrange(4)


def _vote(random: Random, member: Member, kind: type[Claim] | type[Prepare] | type[Commit]) -> Claim | Prepare | Commit:
    height, hash_ = _height(random, member), _hash(random, member)
    bare = kind(_sender(random, member), height, _round(random), hash_, b"")
    return replace(bare, signature=_signed(random, member, bare))


def _round_change(random: Random, member: Member, height: int = 0, round_: int = 0) -> RoundChange:
    new_round = round_ or max(1, _round(random))
    has_prepared = random.random() < 0.5
    prepared_round, prepared_hash = random.randrange(min(new_round, 4)), _hash(random, member)
    prepared = (prepared_round, prepared_hash) if has_prepared else (None, None)
    sender, height = _sender(random, member), height or _height(random, member)
    bare = RoundChange(sender, height, new_round, prepared[0], prepared[1], b"")
    bare = replace(bare, signature=_signed(random, member, bare))
    if not has_prepared or random.random() < 0.2:
        return bare
    prepares = []
    for sender in range(random.randrange(5)):
        one = Prepare(sender % 4, height, prepared_round, prepared_hash, b"")
        prepares.append(replace(one, signature=_signed(random, member, one)))
    return replace(bare, prepares=tuple(prepares), payload=random.choice((None, _payload(random, member))))


def consensus(random: Random, member: Member) -> Message:
    """A message of the core, its signature mostly good."""
    match random.randrange(7):
        case 0:
            claim = _vote(random, member, Claim)
            assert isinstance(claim, Claim)
            changes = tuple(
                _round_change(random, member, claim.height, claim.round) for _ in range(random.choice((0, 0, 3, 4)))
            )
            return PrePrepare(claim, _payload(random, member), changes if claim.round else ())
        case 1:
            return _vote(random, member, Prepare)  # type: ignore[return-value]
        case 2:
            return _vote(random, member, Commit)  # type: ignore[return-value]
        case 3 | 4:
            return _round_change(random, member)
        case 5:
            return BlockRequest(_sender(random, member), _height(random, member), _hash(random, member))
        case _:
            return BlockReply(
                _sender(random, member), _height(random, member), _hash(random, member), _payload(random, member)
            )


def message(random: Random, member: Member) -> frames.Message:
    """A message of the peers' protocol, valid in shape."""
    match random.randrange(9):
        case 0:
            genesis = member.genesis_hash if random.random() < 0.9 else bytes(32)
            return frames.StatusMessage(
                genesis, random.choice((_height(random, member), *_NUMBERS)), _hash(random, member)
            )
        case 1 | 2 | 3:
            data = encode_message(consensus(random, member))
            if random.random() < 0.2:
                data = msgpack(random, data, [data])
            return frames.ConsensusMessage(data[:LARGEST])
        case 4:
            chosen = [random.choice(member.items) for _ in range(random.choice((0, 1, 3, 40)))]
            return frames.ItemsMessage(
                tuple(
                    msgpack(random, item, member.items)[:LARGEST] if random.random() < 0.7 else item for item in chosen
                )
            )
        case 5:
            first = max(1, random.choice((_height(random, member), *_NUMBERS)))
            return frames.GetBlocks(random.choice((1, *_NUMBERS[1:])), first, random.choice((1, 2, 64)))
        case 6:
            pairs = (
                [random.choice(member.blocks) for _ in range(random.choice((0, 1, 1, 2, 64)))] if member.blocks else []
            )
            return frames.Blocks(
                random.choice((0, 1, 2, 3, *_NUMBERS)), tuple(_damaged(random, pair) for pair in pairs)
            )
        case 7:
            return frames.VouchRequest(random.randbytes(16))
        case _:
            key = random.choice((member.signer.public_key, b"", random.randbytes(32)))
            return frames.Vouch(random.randbytes(16), key, random.choice((None, *_NUMBERS)))


def _damaged(random: Random, pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    block, certificate = pair
    if random.random() < 0.5:
        block = msgpack(random, block, [block])
    if random.random() < 0.3:
        certificate = msgpack(random, certificate, [certificate])
    return block[:LARGEST], certificate[:4096]


def frame(random: Random, member: Member) -> bytes:
    """A frame: messages of right shape, often; bytes that nobody could read, sometimes."""
    try:
        data = encode_frame([message(random, member) for _ in range(random.choice((0, 1, 1, 1, 2, 8)))])
    except FazhiError:
        return b"\xc1"
    if random.random() < 0.15:
        return msgpack(random, data, [data])
    if random.random() < 0.1:
        return bytewise(random, data, [data]) or b"\x00"
    if random.random() < 0.02:
        return (
            pack((1, *[(4, (1, 1, 1))] * random.choice((1024, 1025, 5000))))
            if random.random() < 0.5
            else _nested(random)
        )
    return data


def _nested(random: Random) -> bytes:
    return b"\x91" * random.choice((5, 7, 100, 100_000)) + b"\xc0"


def transport(random: Random, packed: Sequence[bytes]) -> bytes:
    """A message of the transport that holds these frames, or lies about their lengths."""
    data = b"".join(len(one).to_bytes(4, "big") + one for one in packed)
    if random.random() < 0.9:
        return data
    return random.choice(
        (
            bytes(4),
            b"\xff" * 4,
            data + b"\x00",
            data[:-1],
            b"\x00\x00\x00\x01a" * 5000,
            bytewise(random, data[:4096], [data[:64]]),
        )
    )
