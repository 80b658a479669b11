"""Peer frames: what one node packs another reads; nothing else is read."""

from __future__ import annotations

import pytest
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import EncodingError
from fazhi_node import frames
from fazhi_node.limits import MAX_FRAME_MESSAGES, MAX_GOSSIP_BYTES, MAX_GOSSIP_ITEMS, SYNC_BLOCKS
from hypothesis import given, settings
from hypothesis import strategies as st

DIGEST = st.binary(min_size=32, max_size=32)
HEIGHT = st.integers(min_value=1, max_value=2**63 - 1)
MESSAGES = st.one_of(
    st.builds(frames.StatusMessage, DIGEST, st.integers(0, 2**63 - 1), DIGEST),
    st.builds(frames.ConsensusMessage, st.binary(max_size=200)),
    st.builds(frames.ItemsMessage, st.lists(st.binary(max_size=50), max_size=5).map(tuple)),
    st.builds(frames.GetBlocks, HEIGHT, HEIGHT, st.integers(1, SYNC_BLOCKS)),
    st.builds(
        frames.Blocks,
        st.integers(0, 2**63 - 1),
        st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40)), max_size=4).map(tuple),
    ),
    st.builds(frames.VouchRequest, st.binary(min_size=16, max_size=16)),
    st.builds(
        frames.Vouch,
        st.binary(min_size=16, max_size=16),
        st.binary(max_size=40),
        st.none() | st.integers(0, 2**63 - 1),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MESSAGES, max_size=8))
def test_what_is_packed_is_read(messages: list[frames.Message]) -> None:
    assert [m for frame in frames.pack_frames(messages) for m in frames.decode_frame(frame)] == messages


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash(data: bytes) -> None:
    try:
        messages = frames.decode_frame(data)
    except EncodingError:
        return
    assert frames.encode_frame(messages) == data


@pytest.mark.parametrize(
    "value",
    [
        (),
        (1,),
        (2, (6, bytes(16))),
        (1, 7),
        (1, (9, b"")),
        (1, (1, (b"x" * 31, 1, b"x" * 32))),
        (1, (1, (b"x" * 32, -1, b"x" * 32))),
        (1, (2, "text")),
        (1, (3, tuple(b"x" for _ in range(MAX_GOSSIP_ITEMS + 1)))),
        (1, (4, (0, 1, 1))),
        (1, (4, (1, 0, 1))),
        (1, (4, (1, 1, SYNC_BLOCKS + 1))),
        (1, (5, (1, tuple((b"", b"") for _ in range(SYNC_BLOCKS + 1))))),
        (1, (5, (1, ((b"",),)))),
        (1, (6, b"x" * 15)),
        (1, (6, (b"x" * 16,))),
        (1, (7, (b"x" * 16, b"k" * 32))),
        (1, (7, (b"x" * 16, b"k" * 129, 1))),
        (1, (7, (b"x" * 16, b"k" * 32, -1))),
        (1, *((2, b"") for _ in range(MAX_FRAME_MESSAGES + 1))),
        (1, (3, ((b"x",),))),
    ],
)
def test_wrong_shapes_are_refused(value: tuple[object, ...]) -> None:
    with pytest.raises(EncodingError):
        frames.decode_frame(encode(value))  # type: ignore[arg-type]


def test_many_messages_take_several_frames_in_order() -> None:
    messages: list[frames.Message] = [
        frames.ConsensusMessage(bytes([i % 256]) * 110) for i in range(MAX_FRAME_MESSAGES + 10)
    ]
    packed = frames.pack_frames(messages)
    assert len(packed) == 2
    assert [m for frame in packed for m in frames.decode_frame(frame)] == messages


def test_items_are_split_by_count_and_bytes() -> None:
    small = [b"x"] * (MAX_GOSSIP_ITEMS + 1)
    assert [len(m.items) for m in frames.split_items(small)] == [MAX_GOSSIP_ITEMS, 1]
    large = [bytes(MAX_GOSSIP_BYTES // 2 + 1)] * 3
    assert [len(m.items) for m in frames.split_items(large)] == [1, 1, 1]
    assert frames.split_items([]) == []
