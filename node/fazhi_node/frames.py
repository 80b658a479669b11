"""Peer frames: one opaque byte string carries many messages (``spec/peer.md``).

A frame is the canonical list ``[version, [kind, payload]…]`` of one message at least; kinds are small integers.
Coalescing is the point of it: a stream message costs a few hundred microseconds whatever its size, a message inside a
frame two. Decoding is strict and bounded, and raises :class:`~fazhi_ledger.errors.EncodingError`: no honest peer sends
what does not decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_BLOCK_BYTES, MAX_CERTIFICATE_BYTES, MAX_ITEM_BYTES
from fazhi_ledger.shape import as_bytes, as_digest, as_int, as_tuple, as_version
from fazhi_ledger.submission import MAX_KEY_BYTES

from .limits import (
    MAX_CONSENSUS_MESSAGE_BYTES,
    MAX_FRAME_BYTES,
    MAX_FRAME_DEPTH,
    MAX_FRAME_MESSAGES,
    MAX_GOSSIP_BYTES,
    MAX_GOSSIP_ITEMS,
    SYNC_BLOCKS,
)

FRAME_VERSION: Final = 1

STATUS: Final = 1
CONSENSUS: Final = 2
ITEMS: Final = 3
GET_BLOCKS: Final = 4
BLOCKS: Final = 5
VOUCH_REQUEST: Final = 6
VOUCH: Final = 7

NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """How far a node is: sent on connection, after each decision and periodically. ``tip_hash`` is the genesis hash at
    height 0.
    """

    genesis_hash: bytes
    height: int
    tip_hash: bytes


@dataclass(frozen=True, slots=True)
class ConsensusMessage:
    """One signed message of the consensus core, opaque here."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ItemsMessage:
    """Items that the sender has verified and holds in its mempool."""

    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GetBlocks:
    """Ask for at most ``count`` decided blocks from ``first`` on. ``request`` is the asker's number for the question,
    above 0.
    """

    request: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """Consecutive decided blocks with their certificates. ``request`` 0: unasked, for a peer that spoke of a decided
    height.
    """

    request: int
    blocks: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class VouchRequest:
    """An amnesiac validator asks how far the receiver is; ``nonce`` is of this process of the asker alone."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Vouch:
    """The answer: nothing above ``height`` + 1 was signed with ``key``; None from a node that is amnesiac itself."""

    nonce: bytes
    key: bytes
    height: int | None


Message = StatusMessage | ConsensusMessage | ItemsMessage | GetBlocks | Blocks | VouchRequest | Vouch


def _to_value(message: Message) -> Value:
    match message:
        case StatusMessage():
            return (STATUS, (message.genesis_hash, message.height, message.tip_hash))
        case ConsensusMessage():
            return (CONSENSUS, message.data)
        case ItemsMessage():
            return (ITEMS, message.items)
        case GetBlocks():
            return (GET_BLOCKS, (message.request, message.first, message.count))
        case Blocks():
            return (BLOCKS, (message.request, message.blocks))
        case VouchRequest():
            return (VOUCH_REQUEST, message.nonce)
        case Vouch():
            return (VOUCH, (message.nonce, message.key, message.height))


def _from_value(value: Value) -> Message:
    kind, payload = as_tuple(value, "message", length=2)
    match kind:
        case 1:
            genesis_hash, height, tip_hash = as_tuple(payload, "status", length=3)
            return StatusMessage(
                as_digest(genesis_hash, "genesis hash"), as_int(height, "height"), as_digest(tip_hash, "tip hash")
            )
        case 2:
            return ConsensusMessage(as_bytes(payload, "consensus message", max_length=MAX_CONSENSUS_MESSAGE_BYTES))
        case 3:
            items = as_tuple(payload, "items", max_length=MAX_GOSSIP_ITEMS)
            return ItemsMessage(tuple(as_bytes(item, "item", max_length=MAX_ITEM_BYTES) for item in items))
        case 4:
            request, first, count = as_tuple(payload, "get-blocks", length=3)
            return GetBlocks(
                as_int(request, "request", low=1), as_int(first, "first", low=1), as_int(count, "count", 1, SYNC_BLOCKS)
            )
        case 5:
            request, entries = as_tuple(payload, "blocks", length=2)
            blocks = []
            for entry in as_tuple(entries, "blocks", max_length=SYNC_BLOCKS):
                block, certificate = as_tuple(entry, "block", length=2)
                blocks.append(
                    (
                        as_bytes(block, "block", max_length=MAX_BLOCK_BYTES),
                        as_bytes(certificate, "certificate", max_length=MAX_CERTIFICATE_BYTES),
                    )
                )
            return Blocks(as_int(request, "request"), tuple(blocks))
        case 6:
            return VouchRequest(as_bytes(payload, "nonce", NONCE_BYTES))
        case 7:
            nonce, key, height = as_tuple(payload, "vouch", length=3)
            return Vouch(
                as_bytes(nonce, "nonce", NONCE_BYTES),
                as_bytes(key, "key", max_length=MAX_KEY_BYTES),
                None if height is None else as_int(height, "height"),
            )
        case _:
            raise EncodingError("unknown-message-kind")


def encode_frame(messages: Sequence[Message]) -> bytes:
    """One frame of the given messages, of which there is one at least, in order."""
    return pack((FRAME_VERSION, *(_to_value(message) for message in messages)))


def decode_frame(data: bytes) -> tuple[Message, ...]:
    """The messages of a frame.

    Raises:
        EncodingError: anything but the canonical frame of known messages within their bounds.
    """
    values = as_tuple(
        decode(data, max_bytes=MAX_FRAME_BYTES, max_depth=MAX_FRAME_DEPTH, sparse=True),
        "frame",
        max_length=MAX_FRAME_MESSAGES + 1,
    )
    if len(values) < 2:  # one that says nothing would cost its sender nothing, and us the reading
        raise EncodingError("bad-shape", what="frame", expected="a version and a message")
    as_version(values[0], "frame", FRAME_VERSION)
    return tuple(_from_value(value) for value in values[1:])


def weight(message: Message) -> int:
    """About how many bytes the message takes in a frame."""
    match message:
        case ConsensusMessage():
            return len(message.data) + 8
        case ItemsMessage():
            return sum(len(item) + 5 for item in message.items) + 8
        case Blocks():
            return sum(len(block) + len(certificate) + 12 for block, certificate in message.blocks) + 16
        case _:
            return 96


def pack_frames(messages: Sequence[Message]) -> list[bytes]:
    """As few frames as the bounds allow, keeping the order."""
    frames: list[bytes] = []
    batch: list[Message] = []
    size = 16
    for message in messages:
        more = weight(message)
        if batch and (size + more > MAX_FRAME_BYTES or len(batch) == MAX_FRAME_MESSAGES):
            frames.append(encode_frame(batch))
            batch, size = [], 16
        batch.append(message)
        size += more
    if batch:
        frames.append(encode_frame(batch))
    return frames


def split_items(items: Sequence[bytes]) -> list[ItemsMessage]:
    """Gossip messages within the bounds; an item larger than a message's bytes goes alone."""
    messages: list[ItemsMessage] = []
    batch: list[bytes] = []
    size = 0
    for item in items:
        if batch and (size + len(item) > MAX_GOSSIP_BYTES or len(batch) == MAX_GOSSIP_ITEMS):
            messages.append(ItemsMessage(tuple(batch)))
            batch, size = [], 0
        batch.append(item)
        size += len(item)
    if batch:
        messages.append(ItemsMessage(tuple(batch)))
    return messages
