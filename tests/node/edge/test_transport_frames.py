"""Frames in one message, and the queue of what waits for a peer."""

from __future__ import annotations

import pytest
from fazhi_ledger.errors import EncodingError
from fazhi_node.limits import MAX_FRAME_BYTES
from fazhi_node.transport.frames import COALESCE_BYTES, MAX_FRAMES, SendQueue, pack, unpack
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=40))
def test_what_is_packed_is_unpacked(frames: list[bytes]) -> None:
    assert unpack(pack(frames)) == frames


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_frames_or_a_named_error(data: bytes) -> None:
    try:
        frames = unpack(data)
    except EncodingError as error:
        assert error.code == "bad-frame"  # noqa: PT017
    else:
        assert pack(frames) == data


def test_too_many_or_empty_frames_are_refused() -> None:
    with pytest.raises(EncodingError):
        unpack(pack([b"x"] * (MAX_FRAMES + 1)))
    with pytest.raises(EncodingError):
        unpack(pack([b""]))
    with pytest.raises(EncodingError):
        unpack(b"")


def test_a_full_queue_drops_the_oldest_gossip_and_keeps_the_order() -> None:
    queue = SendQueue(frames_max=4, bytes_max=1 << 20)
    for frame, gossip in ((b"g1", True), (b"v1", False), (b"g2", True), (b"v2", False), (b"v3", False)):
        queue.put(frame, gossip=gossip)
    assert queue.dropped == 1
    queue.put(b"v4", gossip=False)
    assert queue.take() == [b"v1", b"v2", b"v3", b"v4"]
    assert (len(queue), queue.bytes_waiting) == (0, 0)


def test_without_gossip_the_oldest_of_all_is_dropped() -> None:
    queue = SendQueue(frames_max=2, bytes_max=1 << 20)
    for number in range(5):
        queue.put(b"v%d" % number, gossip=False)
    assert queue.take() == [b"v3", b"v4"]
    assert queue.dropped == 3


def test_a_frame_above_the_limit_is_never_queued() -> None:
    queue = SendQueue(frames_max=2, bytes_max=1 << 20)
    queue.put(bytes(MAX_FRAME_BYTES + 1), gossip=False)
    assert len(queue) == 0
    queue.put(bytes(2 << 20), gossip=False)  # above the queue's bytes, but alone in it: it must be able to leave
    assert len(queue.take()) == 1


def test_a_message_is_closed_at_the_coalescing_size() -> None:
    queue = SendQueue(frames_max=100, bytes_max=1 << 30)
    for _ in range(5):
        queue.put(bytes(COALESCE_BYTES // 2), gossip=False)
    assert [len(queue.take()) for _ in range(3)] == [2, 2, 1]


@given(
    st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.booleans()), max_size=120),
    st.integers(1, 8),
    st.integers(1, 200),
)
def test_the_queue_keeps_its_bounds_and_order(puts: list[tuple[int, bool, bool]], frames: int, size: int) -> None:
    queue = SendQueue(frames, size)
    sent = taken_total = 0
    last = -1
    for number, (length, gossip, take) in enumerate(puts):
        queue.put(number.to_bytes(4, "big") + bytes(length), gossip=gossip)
        sent += 1
        assert len(queue) <= frames
        assert queue.bytes_waiting <= size or len(queue) == 1
        if take:
            for frame in queue.take():
                position = int.from_bytes(frame[:4], "big")
                assert position > last
                last = position
                taken_total += 1
    assert sent == taken_total + len(queue) + queue.dropped
