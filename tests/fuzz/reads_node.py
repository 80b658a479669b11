"""The readers of a node: peers' frames, what lies on the disk, settings, cards, headers of requests."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fazhi_ledger.block import Block
from fazhi_ledger.canonical import pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.result import Finding, ResultRun
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node import config
from fazhi_node.addresses import GatewayUrl, join_address, split_address
from fazhi_node.certificates import check_certificate, make_certificate
from fazhi_node.config_file import config_text
from fazhi_node.exits import Misuse
from fazhi_node.frames import (
    Blocks,
    ConsensusMessage,
    GetBlocks,
    ItemsMessage,
    StatusMessage,
    Vouch,
    VouchRequest,
    decode_frame,
    encode_frame,
)
from fazhi_node.gateway.problems import language_of
from fazhi_node.gateway.shell import Tokens
from fazhi_node.main import read_parameters
from fazhi_node.members import Identity, member_card, officer_card, read_member_card, read_officer_card
from fazhi_node.payload import PayloadCache, decode_payload
from fazhi_node.private_files import read_tokens
from fazhi_node.storage import chain_layout, guard, vote_frames
from fazhi_node.storage.chain_layout import BlockResults, pack_record_results
from fazhi_node.storage.errors import StoreCorrupt, StoreForeign
from fazhi_node.storage.memory import MemoryStore
from fazhi_node.storage.snapshot import Head, InvalidSnapshot, decode_entries, decode_handover, decode_hashes
from fazhi_node.storage.snapshot_load import load_snapshot
from fazhi_node.storage.store import StoreFormat
from fazhi_node.transport import frames as transport
from fazhi_node.transport.identity import server_name

from tests.ledger.builders import World, signer
from tests.node.storage.snapshots import file_of, frames_of, grown, snapshot_of
from tests.node.storage.test_vote_frames import HEAD, log_of

from .scratch import in_a_file
from .target import Parts, Target, Violation

_WORLD: Final = World()
_BLOCK: Final = Block(_WORLD.header, _WORLD.items).encode()
_ITEM: Final = _WORLD.items[1].encode()
_MESSAGES: Final = (
    StatusMessage(bytes(32), 9, b"t" * 32),
    ConsensusMessage(b"\x93\x02\x01\x00"),
    ItemsMessage((_ITEM, b"")),
    GetBlocks(1, 10**9, 64),
    Blocks(0, ((_BLOCK, _WORLD.certificate.encode()),)),
    VouchRequest(bytes(16)),
    Vouch(bytes(16), b"k" * 32, 9),
)
_FRAME: Final = encode_frame(_MESSAGES)
_RUNS: Final = [
    ResultRun(bytes(32), 7, 300, (Finding("late", "P57", "grave", (("days", 91),)),)),
    ResultRun(bytes(32), 1, 1, ()),
]
_RESULTS: Final = BlockResults(
    (b"leaf", b"leaf 2"), (pack_record_results(_RUNS, [data for run in _RUNS for data in run.encode()]), b"")
)
_KEY: Final = b"Bheight!!"
_GUARD: Final = guard.GuardState(b"i" * 16, b"o" * 32, 3, 70, 9)
_SEAT: Final = signer("sfj")

_STORED: Final = grown(before=1, after=1)
_SNAPSHOT: Final = snapshot_of(_STORED.store)
_SNAPSHOT_FRAMES: Final = frames_of(_SNAPSHOT)


def _certificate() -> bytes:
    return make_certificate(server_name("sfj"), ["localhost", "127.0.0.1"])[1]


_CERTIFICATE: Final = _certificate()
_IDENTITY: Final = Identity(
    "sfj", "司法局", "Bureau", (), GatewayUrl("https", "127.0.0.1", 7443), "127.0.0.1:7444", ED25519_SHA256
)
_MEMBER_CARD: Final = member_card(_IDENTITY, _SEAT, _CERTIFICATE)
_OFFICER_CARD: Final = officer_card("zfj", signer("officer-1"), ["officer", "device"])


def _crc_guard(parts: list[bytes]) -> bytes:
    body = (b"".join(parts) + bytes(96))[: struct.calcsize(">8s16s32sQQQQ")]
    return (body + zlib.crc32(body).to_bytes(4, "big")).ljust(4096, b"\0")


def _crc_lines(parts: list[bytes]) -> bytes:
    body = b"".join(part + b"\n" for part in parts)
    return body + b"crc32 %08x\n" % zlib.crc32(body)


def _framed(parts: list[bytes]) -> bytes:
    return chain_layout.frame(_KEY, b"".join(parts))[1]


def _log_records(data: bytes) -> list[bytes]:
    return [frame.record for frame in vote_frames.replay(data, "log").frames]


def _only_whole_frames(data: bytes, found: vote_frames.Replay) -> None:
    """What a log is said to hold is what stands in it."""
    offset = vote_frames.HEAD_BYTES
    for frame in found.frames:
        expected = vote_frames.encode_frame(found.head, offset, frame.height, frame.floor, frame.sequence, frame.record)
        if data[offset : frame.end] != expected:
            raise Violation("a frame is not what stands in the log")
        offset = frame.end


def _loaded(data: bytes) -> tuple[int, bytes]:
    """A snapshot that arrives in pieces; what it makes is what was stored."""
    pieces = (data[start : start + 997] for start in range(0, len(data), 997))
    tip = load_snapshot(MemoryStore(), _STORED.genesis_file, pieces, lambda *_: None)
    return tip.height, tip.block_hash


def _same_chain(_: bytes, found: tuple[int, bytes]) -> bool:
    return found == (_STORED.store.tip.height, _STORED.store.tip.block_hash)


def _pairs_again(pairs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return pack(tuple(part for pair in pairs for part in pair))


def _payload(data: bytes) -> Block:
    """Twice, as a node does: alone, and through the cache that remembers."""
    block, digest = decode_payload(ED25519_SHA256, data)
    if PayloadCache(ED25519_SHA256).decode(data) != (block, digest):
        raise Violation("the cache decodes something else")
    return block


def _numbers(data: bytes) -> tuple[Any, ...]:
    if len(data) > 40:
        raise struct.error
    return (
        chain_layout.read_number(data[:8]), chain_layout.read_place(data[8:20]), chain_layout.read_run(1, data[20:40])
    )  # fmt: skip


def _write_numbers(value: tuple[Any, ...]) -> bytes:
    number, place, run = value
    return (
        chain_layout.write_number(number) + chain_layout.write_place(place.height, place.index)
        + chain_layout.write_run(run.height, run.index, run.record, run.count)
    )  # fmt: skip


def _text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _tokens(path: Path) -> Tokens:
    tokens = Tokens(read_tokens(path))
    for header in (None, b"", b"Bearer ", b"Bearer \xff", b"bearer" + path.read_bytes()[:600]):
        tokens.admits(header)
    return tokens


TARGETS: Final = (
    Target(
        "peer frame", [_FRAME, *(encode_frame([message]) for message in _MESSAGES)], decode_frame,
        ("fazhi_node.frames:decode_frame",), again=encode_frame,
    ),
    Target(
        "transport message", [transport.pack([_FRAME, b"x"])], transport.unpack,
        ("fazhi_node.transport.frames:unpack",), again=transport.pack, parts=Parts(transport.unpack, transport.pack),
    ),
    Target(
        "block payload", [_BLOCK], _payload,
        ("fazhi_node.payload:decode_payload", "fazhi_node.payload:PayloadCache.decode"),
        again=lambda block: block.encode(),
    ),
    Target(
        "block results", [_RESULTS.encode()], BlockResults.decode,
        ("fazhi_node.storage.chain_layout:BlockResults.decode",), again=lambda results: results.encode(),
    ),
    Target(
        "stored value", [_framed([b"value"])], lambda data: chain_layout.unframe(_KEY, data),
        ("fazhi_node.storage.chain_layout:unframe",), refuses=(StoreCorrupt,), again=lambda value: _framed([value]),
        form="bytes",
    ),
    Target(
        "stored numbers", [bytes(40), b"\xff" * 40], _numbers,
        tuple(f"fazhi_node.storage.chain_layout:read_{what}" for what in ("number", "place", "run")),
        refuses=(struct.error,), again=_write_numbers, form="bytes", max_bytes=40,
    ),
    Target(
        "snapshot", [_SNAPSHOT], _loaded,
        ("fazhi_node.storage.snapshot:read_snapshot", "fazhi_node.storage.snapshot_load:load_snapshot"),
        refuses=(InvalidSnapshot,), holds=_same_chain, parts=Parts(frames_of, file_of),
    ),
    Target(
        "snapshot head", [_SNAPSHOT_FRAMES[0]], Head.decode, ("fazhi_node.storage.snapshot:Head.decode",),
        refuses=(EncodingError,), again=lambda head: head.encode(),
    ),
    Target(
        "snapshot hand-over", [_SNAPSHOT_FRAMES[1]], decode_handover, ("fazhi_node.storage.snapshot:decode_handover",),
        refuses=(EncodingError,), again=lambda one: pack((one.header, one.certificate, one.validators)),
    ),
    Target(
        "snapshot hashes", [_SNAPSHOT_FRAMES[2], b""], lambda data: decode_hashes(data, len(data) // 32),
        ("fazhi_node.storage.snapshot:decode_hashes",), refuses=(EncodingError,), again=b"".join, form="bytes",
    ),
    Target(
        "snapshot entries", _SNAPSHOT_FRAMES[3:], lambda data: decode_entries(data, b""),
        ("fazhi_node.storage.snapshot:decode_entries",), refuses=(EncodingError,), again=_pairs_again,
    ),
    Target(
        "store format", [StoreFormat("plyvel", bytes(32)).encode(), StoreFormat("sqlite", bytes(32), True).encode()],
        lambda data: StoreFormat.decode(data, Path("FORMAT")),
        ("fazhi_node.storage.store:StoreFormat.decode",), refuses=(StoreCorrupt, StoreForeign),
        again=lambda found: found.encode(), form="text", parts=Parts(lambda data: data.split(b"\n")[:3], _crc_lines),
    ),
    Target(
        "vote log head", [HEAD.encode()], lambda data: vote_frames.Head.decode(data, "log"),
        ("fazhi_node.storage.vote_frames:Head.decode",), refuses=(StoreCorrupt,), form="bytes",
    ),
    Target(
        "vote log", [bytes(log_of([b"", b"x", bytes(300)], 64)[0]), bytes(log_of([b"y" * 40] * 9, 512)[0])],
        lambda data: vote_frames.replay(data, "log"), ("fazhi_node.storage.vote_frames:replay",),
        refuses=(StoreCorrupt,), holds=_only_whole_frames, form="bytes",
        parts=Parts(_log_records, lambda parts: bytes(log_of(parts, 64)[0])),
    ),
    Target(
        "guard slot", [_GUARD.encode(5)], guard._decode, ("fazhi_node.storage.guard:_decode",), refuses=(StoreCorrupt,),
        holds=lambda data, found: found is None or found[1].encode(found[0]) == data,
        form="bytes", parts=Parts(lambda data: [data[:8], data[8:24], data[24:56], data[56:88]], _crc_guard),
    ),
    Target(
        "configuration", [config_text("sfj", "127.0.0.1:1", "127.0.0.1:2", plain=True, open_reads=False).encode(),
                          b'org = "a"\npeer_addresses = { sfj = "10.0.0.7:7444" }\nhttp_items = 3\n'],
        in_a_file(lambda path: config.load(path.parent)), ("fazhi_node.config:load",), refuses=(Misuse,),
        form="text",
    ),
    Target(
        "read tokens", [b"# tokens\n" + b"a" * 40 + b"\n\n" + b"b" * 16 + b"\n"], in_a_file(_tokens),
        ("fazhi_node.private_files:read_tokens",), refuses=(Misuse,), form="text",
    ),
    Target(
        "member card", [_MEMBER_CARD], in_a_file(read_member_card), ("fazhi_node.members:read_member_card",),
        refuses=(Misuse,), form="json",
    ),
    Target(
        "officer card", [_OFFICER_CARD], in_a_file(lambda path: read_officer_card(path, ED25519_SHA256)),
        ("fazhi_node.members:read_officer_card",), refuses=(Misuse,), form="json",
    ),
    Target(
        "certificate of a member", [_CERTIFICATE], lambda data: check_certificate(data, server_name("sfj")), (),
        refuses=(Misuse,), form="bytes",
    ),
    Target(
        "address", [b"127.0.0.1:7444", b"[::1]:1", b"host.example:65535"], _text(split_address),
        ("fazhi_node.addresses:split_address",), refuses=(ValueError,), form="text",
        holds=lambda _, found: split_address(join_address(*found)) == found,
    ),
    Target(
        "gateway url", [b"https://127.0.0.1:7443", b"http://[::1]:1/", b"https://host"], _text(GatewayUrl.parse),
        ("fazhi_node.addresses:GatewayUrl.parse",), refuses=(ValueError,), form="text",
        holds=lambda _, found: GatewayUrl.parse(str(found)) == found,
    ),
    Target(
        "parameter option", [b"heartbeat_ms=5000", b"heartbeat_ms=-5"], _text(lambda text: read_parameters([text])),
        ("fazhi_node.main:read_parameters",), refuses=(Misuse,), form="text",
    ),
    Target(
        "accept-language", [b"zh-CN,zh;q=0.9,en;q=0.8", b"*", b"en;q=nan"], _text(lambda text: language_of(text, "zh")),
        ("fazhi_node.gateway.problems:language_of",), refuses=(), form="text",
        holds=lambda _, found: found in ("zh", "en"),
    ),
)  # fmt: skip
