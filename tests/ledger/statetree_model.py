"""The state tree once more, as naively as its definition reads, and key sets that are hard on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pytest
from fazhi_ledger import statetree
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.statetree import MemoryPages
from fazhi_ledger.suites import ED25519_SHA256
from hypothesis import strategies as st

SUITE = ED25519_SHA256
ZERO = bytes(32)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def bit(key: bytes, depth: int) -> int:
    return key[depth // 8] >> (7 - depth % 8) & 1


def naive_root(pairs: Mapping[bytes, bytes], depth: int = 0) -> bytes:
    """The definition: nothing, one leaf whatever the depth, or the two halves."""
    if not pairs:
        return ZERO
    if len(pairs) == 1:
        ((key, value),) = pairs.items()
        return sha256(b"\x11" + key + value)
    left = {key: value for key, value in pairs.items() if not bit(key, depth)}
    right = {key: value for key, value in pairs.items() if bit(key, depth)}
    return sha256(b"\x12" + naive_root(left, depth + 1) + naive_root(right, depth + 1))


def naive_siblings(pairs: Mapping[bytes, bytes], key: bytes) -> list[bytes]:
    """From the root down to where at most one leaf is left on the key's path."""
    siblings = []
    depth = 0
    while len(pairs) > 1:
        beside = {other: value for other, value in pairs.items() if bit(other, depth) != bit(key, depth)}
        pairs = {other: value for other, value in pairs.items() if other not in beside}
        depth += 1
        siblings.append(naive_root(beside, depth))
    return siblings


def naive_paths(pairs: Mapping[bytes, bytes]) -> set[bytes]:
    """The pages there are: of every path with two leaves or more, and the root's with one."""
    counts: dict[bytes, int] = {}
    for key in pairs:
        nibbles = bytes(int(digit, 16) for digit in key.hex())
        for depth in range(64):
            counts[nibbles[:depth]] = counts.get(nibbles[:depth], 0) + 1
    return {path for path, count in counts.items() if count > 1 or not path}


def built(pairs: Mapping[bytes, bytes]) -> MemoryPages:
    """The pages of a tree built in one go."""
    pages = MemoryPages()
    pages.apply(statetree.update(SUITE, pages, pairs))
    return pages


def near(key: bytes, shared_bits: int, tail: bytes) -> bytes:
    """A key that shares exactly ``shared_bits`` bits with another; ``tail`` fills what follows the first difference."""
    width = 256 - shared_bits
    flipped = int.from_bytes(key, "big") ^ 1 << (width - 1)
    below = (1 << (width - 1)) - 1
    return (flipped & ~below | int.from_bytes(tail, "big") & below).to_bytes(32, "big")


DIGESTS = st.binary(min_size=32, max_size=32)
SEEDS = [sha256(b"key" + bytes([number])) for number in range(6)]
SEEDS += [ZERO, b"\xff" * 32]


@st.composite
def key_hashes(draw: st.DrawFn) -> bytes:
    """Keys that collide, share prefixes of 0 to 255 bits, or are far apart."""
    key: bytes = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 2))):
        shared = draw(st.one_of(st.integers(0, 12), st.integers(0, 255), st.integers(250, 255)))
        key = near(key, shared, draw(st.sampled_from(SEEDS)))
    return key


VALUES = st.sampled_from([sha256(b"value" + bytes([number])) for number in range(4)])
PAIRS = st.dictionaries(key_hashes(), VALUES, max_size=14)
BLOCKS = st.lists(
    st.dictionaries(key_hashes(), st.one_of(st.none(), VALUES), max_size=10),
    max_size=8,
)


def refused(error: type[FazhiError], code: str, call: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(error) as caught:
        call(*arguments)
    assert caught.value.code == code
