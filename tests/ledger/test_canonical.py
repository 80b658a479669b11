"""Canonical bytes: one value, one encoding; everything else is refused (safety.md §3, msgpack)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from fazhi_ledger import canonical
from fazhi_ledger.canonical import bytes_header, decode, encode, pack_numbers
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import BYTES_PER_VALUE, FREE_VALUES, MAX_DEPTH
from hypothesis import given
from hypothesis import strategies as st

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5).map(tuple),
    max_leaves=20,
)


@given(values)
def test_decoding_undoes_encoding(value: Any) -> None:
    try:
        data = encode(value)
    except EncodingError as error:
        assert error.code == "too-deep"  # noqa: PT017 - hypothesis may nest deeper than the profile allows
        return
    back = decode(data)
    assert back == value
    assert encode(back) == data


@given(st.binary(max_size=60))
def test_whatever_decodes_encodes_to_the_same_bytes(data: bytes) -> None:
    try:
        value = decode(data)
    except EncodingError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "spelling", ["cc01", "cd0001", "ce00000001", "cf0000000000000001", "d001", "d10001", "d3" + "00" * 7 + "01"]
)
def test_longer_spellings_of_one_are_refused(spelling: str) -> None:
    assert decode(b"\x01") == 1
    with pytest.raises(EncodingError, match="not-canonical"):
        decode(bytes.fromhex(spelling))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"\x01\x02", "malformed"),  # followed by more
        (b"\x92\x01", "malformed"),  # cut short
        (b"\xc1", "malformed"),  # the byte that msgpack never uses
        (b"\xca\x00\x00\x00\x00", "not-canonical"),  # float
        (b"\xcb" + bytes(8), "not-canonical"),
        (b"\x80", "not-canonical"),  # the empty map
        (b"\x81\x01\x01", "malformed"),  # a map
        (b"\x82\x01\x01\x01\x02", "malformed"),  # with duplicate keys
        (b"\xd4\x01\x00", "malformed"),  # extension
        (b"\xd6\xff\x00\x00\x00\x00", "malformed"),  # timestamp
        (b"\xa1\xff", "malformed"),  # not UTF-8
        (b"\xa3\xed\xa0\x80", "malformed"),  # a surrogate in UTF-8
        (b"\xd9\x01a", "not-canonical"),  # str8 where fixstr is shortest
        (b"\xdc\x00\x01\x01", "not-canonical"),  # array16 where fixarray is shortest
        (b"\xc5\x00\x01a", "not-canonical"),  # bin16 where bin8 is shortest
        (b"\xdd\xff\xff\xff\xff", "malformed"),  # four billion elements announced
    ],
)
def test_refused(data: bytes, code: str) -> None:
    with pytest.raises(EncodingError) as caught:
        decode(data)
    assert caught.value.code == code


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\xc0"


def test_depth_has_a_limit_on_both_sides() -> None:
    decode(nested(MAX_DEPTH))
    with pytest.raises(EncodingError, match="too-deep"):
        decode(nested(MAX_DEPTH + 1))
    with pytest.raises(EncodingError):
        decode(nested(500_000))


def test_an_empty_array_is_as_deep_as_any_other() -> None:
    decode(nested(MAX_DEPTH - 1)[:-1] + b"\x90")
    with pytest.raises(EncodingError, match="too-deep"):
        decode(nested(MAX_DEPTH)[:-1] + b"\x90")


def test_size_has_a_limit_on_both_sides() -> None:
    data = encode(b"x" * 100)
    decode(data, max_bytes=len(data))
    with pytest.raises(EncodingError, match="too-large"):
        decode(data, max_bytes=len(data) - 1)


@pytest.mark.parametrize("value", [1.0, {}, {1: 2}, [1], 2**64, -(2**63) - 1, "\ud800", object(), bytearray(b"x")])
def test_values_outside_the_profile_are_not_encoded(value: Any) -> None:
    with pytest.raises(EncodingError, match="not-canonical"):
        encode(value)


def test_value_too_deep_is_not_encoded() -> None:
    value: Any = None
    for _ in range(MAX_DEPTH + 1):
        value = (value,)
    with pytest.raises(EncodingError, match="too-deep"):
        encode(value)


def test_the_encoding_is_plain_msgpack() -> None:
    assert encode((1, b"a", "b", None, True)) == msgpack.packb([1, b"a", "b", None, True])


@pytest.mark.parametrize(
    "filling",
    [
        b"\xc0",
        b"\x90",
        b"\x91\x00",
        b"\x91" * 5 + b"\x00",
        b"\xc4\x00",
        b"\xa0",
        b"\xcc\x80",
        b"\xca" + bytes(4),
        b"\x80",
    ],
)
def test_a_bomb_of_small_values_is_refused_before_anything_is_built(
    filling: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What strangers may send: 16 MB of empty arrays took the loop of a node for half a minute, and a gigabyte."""
    count = 2_000_000 // len(filling)
    bomb = b"\xdd" + count.to_bytes(4, "big") + filling * count

    def never(*_: object, **__: object) -> None:
        raise AssertionError("built")

    monkeypatch.setattr(msgpack, "unpackb", never)
    with pytest.raises(EncodingError, match=r"too-many-values|not-canonical"):
        decode(bomb, sparse=True)


def test_the_count_is_exact() -> None:
    size = 65_536
    room = FREE_VALUES + size // BYTES_PER_VALUE

    def of(count: int) -> bytes:
        """``size`` bytes that hold so many values."""
        small = (None,) * (count - 2)
        return encode((bytes(size - len(small) - 6), *small))

    assert len(of(room)) == len(of(room + 1)) == size
    assert decode(of(room), sparse=True) == decode(of(room))
    with pytest.raises(EncodingError, match="too-many-values"):
        decode(of(room + 1), sparse=True)
    assert decode(of(room + 1)) == (bytes(size - room + 1 - 6), *(None,) * (room - 1))


@given(values)
def test_what_is_sparse_reads_the_same(value: Any) -> None:
    try:
        data = encode((value, bytes(4096)))
    except EncodingError:
        return
    assert decode(data, sparse=True) == decode(data)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_count_fail(data: bytes) -> None:
    for payload in (data * 20, data + b"\xc6\xff\xff\xff\xff" + bytes(2000), data + b"\xdb"):
        with contextlib.suppress(EncodingError):
            decode(payload, sparse=True)


def test_no_two_threads_share_a_packer() -> None:
    """What one has half written when an error ends it would stand before what another packs meanwhile (finalizers may
    run while the error is made, and with them other threads)."""
    packers = [canonical._own.packer]
    other = threading.Thread(target=lambda: packers.append(canonical._own.packer))
    other.start()
    other.join()
    assert len(set(map(id, packers))) == 2
    assert canonical._own.packer is packers[0]


class _Text(str):
    __slots__ = ()


odd_values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 0, b"x", "x", 1.5, bytearray(b"x"), _Text("x"), object]),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


@given(odd_values, st.integers(0, 4))
def test_the_quick_look_at_types_says_what_a_walk_over_the_values_says(value: Any, depth: int) -> None:
    def outcome(check: Callable[[Any, int], None]) -> tuple[str, object] | None:
        try:
            check(value, depth)
        except EncodingError as error:
            return error.code, error.parameters
        return None

    assert outcome(canonical._check_types) == outcome(canonical._walk)


@given(st.integers(-3, 10_010) | st.sampled_from((126, 255, 65_535, 2**32 - 2, 2**63 - 1)), st.integers(0, 9))
def test_numbers_one_after_another(first: int, count: int) -> None:
    assert list(pack_numbers(first, count)) == [encode(number) for number in range(first, first + count)]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_535, 65_536])
def test_what_stands_before_bytes(size: int) -> None:
    assert bytes_header(size) + bytes(size) == encode(bytes(size))
