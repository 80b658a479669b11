"""A damaged vote log: what may be left out, and what must never be."""

from __future__ import annotations

import itertools
import random

import pytest
from fazhi_node.storage.errors import StoreCorrupt
from fazhi_node.storage.vote_frames import HEAD_BYTES, Head, encode_frame, frame_bytes, replay
from hypothesis import given, settings
from hypothesis import strategies as st

SEED = 20250801
HEAD = Head(bytes(range(16)), bytes(range(32)), 7, 100, 3)
ROOM = 8192


def log_of(records: list[bytes], room: int = ROOM) -> tuple[bytearray, list[int]]:
    """A log file with these records at heights 5, 6, …, and the offset of each frame and of the end."""
    data = bytearray(HEAD.encode())
    offsets = []
    for number, record in enumerate(records):
        offsets.append(len(data))
        data += encode_frame(HEAD, len(data), 5 + number, 3, 100 + number, record)
    offsets.append(len(data))
    return data + bytes(room), offsets


def noise(length: int, seed: int = SEED) -> bytes:
    """Bytes without a zero among them."""
    rng = random.Random(seed)
    return bytes(rng.randrange(1, 256) for _ in range(length))


def test_what_was_framed_is_read() -> None:
    records = [b"", b"x", noise(7), noise(8), noise(3000)]
    data, offsets = log_of(records)
    found = replay(bytes(data), "log")
    assert found.head == HEAD
    assert [(f.height, f.floor, f.sequence, f.record) for f in found.frames] == [
        (5 + n, 3, 100 + n, record) for n, record in enumerate(records)
    ]
    assert (found.end, found.torn_bytes) == (offsets[-1], 0)
    assert [b - a for a, b in itertools.pairwise(offsets)] == [frame_bytes(len(record)) for record in records]


@pytest.mark.parametrize("size", [0, 1, 5, 8, 100, 461, 1500])
def test_torn_at_every_byte_of_the_last_frame(size: int) -> None:
    """A write cut short at any byte, whether the file was filled with zeros before or ends there."""
    records = [noise(300), noise(40), noise(size)]
    data, offsets = log_of(records)
    for cut in range(offsets[2], offsets[3]):
        for torn in (data[:cut] + bytes(len(data) - cut), data[:cut]):
            found = replay(bytes(torn), "log")
            assert [frame.record for frame in found.frames] == records[:2]
            assert found.end == offsets[2]
            assert found.torn_bytes == len(torn[offsets[2] :].rstrip(b"\0"))
    assert len(replay(bytes(data), "log").frames) == 3


def test_every_set_of_lost_sectors_of_the_last_frame() -> None:
    """Sectors of one write reach the disk in any order: whichever are missing, the frame is left out and nothing
    else."""
    for size in (200, 700, 2500):
        records = [noise(461), noise(size)]
        data, offsets = log_of(records)
        first, last = offsets[1], offsets[2]
        numbers = range(first // 512, (last + 511) // 512)
        for chosen in itertools.product([False, True], repeat=len(numbers)):
            torn = bytearray(data)
            for number, lost in zip(numbers, chosen, strict=True):
                if lost:
                    low, high = max(first, number * 512), min(last, number * 512 + 512)
                    torn[low:high] = bytes(high - low)
            expected = records[:1] if any(chosen) else records
            assert [frame.record for frame in replay(bytes(torn), "log").frames] == expected


def test_every_flipped_bit_of_a_vote_is_found() -> None:
    """In the head, in the middle and in the last frame: a vote that may have left is never dropped silently."""
    data, offsets = log_of([noise(60), noise(461), noise(100)], room=64)
    padding = set(range(HEAD_BYTES - 8, HEAD_BYTES))
    watched = [*range(100), *padding, *range(offsets[0], offsets[-1])]
    for position in watched:
        for bit in range(8):
            bad = bytearray(data)
            bad[position] ^= 1 << bit
            with pytest.raises(StoreCorrupt, match="vote-log-corrupt"):
                replay(bytes(bad), "log")


def test_a_lost_frame_before_others_is_found() -> None:
    data, offsets = log_of([noise(461), noise(461), noise(461)])
    for number in range(2):
        bad = bytearray(data)
        bad[offsets[number] : offsets[number + 1]] = bytes(offsets[number + 1] - offsets[number])
        with pytest.raises(StoreCorrupt, match="a frame before others"):
            replay(bytes(bad), "log")


def test_a_frame_of_another_log_time_or_place_does_not_count() -> None:
    """Records carry bytes that a proposer chose; a frame copied into one, or left by an older file, is no frame."""
    data, offsets = log_of([noise(50), noise(50)])
    end = offsets[-1]
    for head, place in (
        (Head(bytes(16), HEAD.owner, HEAD.epoch, 100, 3), end),
        (Head(HEAD.log_id, HEAD.owner, HEAD.epoch - 1, 100, 3), end),
        (HEAD, end + 8),
    ):
        frame = encode_frame(head, place, 7, 3, 102, b"planted")
        planted = bytearray(data)
        planted[end : end + len(frame)] = frame
        with pytest.raises(StoreCorrupt):  # not a write cut short either: somebody's hand
            replay(bytes(planted), "log")
    inner = encode_frame(HEAD, offsets[1] + 48, 9, 3, 102, b"planted")
    torn, torn_offsets = log_of([noise(50), bytes(8) + inner + noise(600)])
    wide = torn_offsets[-1]
    torn[wide - 200 : wide] = bytes(200)
    # The most that an attacker who knew the log's id could reach: a refusal, never a vote.
    with pytest.raises(StoreCorrupt):
        replay(bytes(torn), "log")


def test_a_gap_in_the_numbers_is_found() -> None:
    data = bytearray(HEAD.encode())
    data += encode_frame(HEAD, len(data), 5, 3, 100, b"a")
    data += encode_frame(HEAD, len(data), 5, 3, 102, b"c")
    with pytest.raises(StoreCorrupt, match="sequence"):
        replay(bytes(data), "log")


@given(st.binary(max_size=300), st.integers(0, 300), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_verdict(junk: bytes, offset: int, behind: bool) -> None:
    data, offsets = log_of([noise(60), noise(30)], room=512)
    place = offsets[-1] if behind else max(0, offsets[0] - offset)
    data[place : place + len(junk)] = junk
    try:
        frames = replay(bytes(data), "log").frames
    except StoreCorrupt:
        return
    assert [frame.record for frame in frames] == [noise(60), noise(30)][: len(frames)]
    assert len(frames) >= 1 or place < offsets[1]
