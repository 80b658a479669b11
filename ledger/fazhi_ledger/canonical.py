"""Canonical bytes: a strict profile of msgpack (spec/canonical.md).

A value is nil, a boolean, an integer of −2^63 … 2^64−1, a byte string, a UTF-8 string or an array of values. There
are no maps, floats or extensions. Integers, lengths and headers take their shortest form, so that one value has
exactly one encoding; decoding rejects every other. msgpack by itself is not canonical: ``01``, ``cc01`` and
``cd0001`` all read as 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, islice
from threading import local
from typing import Any, Final

import msgpack

from .errors import EncodingError
from .limits import BYTES_PER_VALUE, FREE_VALUES, MAX_DEPTH, MAX_MESSAGE_BYTES, UNCOUNTED_BYTES

Value = None | bool | int | bytes | str | tuple["Value", ...]

_SCALARS = frozenset({type(None), bool, int, bytes, str})
_KINDS = _SCALARS | {tuple}
_BYTES = frozenset({bytes})

_KEPT_BUFFER_BYTES: Final = 1024 * 1024


def _new_packer() -> msgpack.Packer:
    return msgpack.Packer(use_bin_type=True, strict_types=False)


class _Own(local):
    """A thread's packer, kept: to make one costs more than to pack a record. After an error it empties itself. No two
    threads share one: what one had half written when an error ended it could stand before what the other packs."""

    def __init__(self) -> None:
        self.packer = _new_packer()


_own: Final = _Own()


def encode(value: Value) -> bytes:
    """The canonical bytes of ``value``.

    Raises:
        EncodingError: ``not-canonical`` for a type outside the profile, an integer out of range, a lone surrogate, or
            nesting too deep.
    """
    _check_types(value, MAX_DEPTH)
    return pack(value)


def pack(value: Value) -> bytes:
    """:func:`encode` without the walk over the types: for values whose parts were checked by the constructors that
    hold them."""
    try:
        packed: bytes = _own.packer.pack(value)
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError) as error:
        raise EncodingError("not-canonical", what=type(error).__name__) from None
    if len(packed) > _KEPT_BUFFER_BYTES:  # its buffer has grown as large, and would stay so
        _own.packer = _new_packer()
    return packed


def pack_numbers(first: int, count: int) -> Sequence[bytes]:
    """The canonical bytes of the integers ``first`` … ``first + count − 1``, for those who write them one after
    another."""
    end = first + count
    return _small_numbers()[first:end] if first >= 0 and end <= _SMALL_NUMBERS else [*map(pack, range(first, end))]


_SMALL_NUMBERS: Final = 10_001


@cache
def _small_numbers() -> tuple[bytes, ...]:
    """Places in a batch and most numbers of events: half a megabyte, made when a first batch is executed."""
    return tuple(map(pack, range(_SMALL_NUMBERS)))


def bytes_header(size: int) -> bytes:
    """What stands before a byte string of that many bytes."""
    return pack(bytes(size))[: -size or None]


def decode(
    data: bytes, *, max_bytes: int = MAX_MESSAGE_BYTES, max_depth: int = MAX_DEPTH, sparse: bool = False
) -> Value:
    """The value whose canonical encoding is exactly ``data``; arrays come back as tuples.

    ``sparse`` is for what strangers and peers send: mostly byte strings, so that many small values can only be meant to
    cost time and memory (a microsecond and fifty bytes for each byte sent).

    Raises:
        EncodingError: ``too-large``, ``too-many-values``, ``too-deep``, ``malformed`` (not msgpack, or followed by more
            bytes) or ``not-canonical``.
    """
    if len(data) > max_bytes:
        raise EncodingError("too-large", bytes=len(data), limit=max_bytes)
    if sparse and len(data) > UNCOUNTED_BYTES:
        _check_count(data, FREE_VALUES + len(data) // BYTES_PER_VALUE)
    try:
        value: Any = msgpack.unpackb(data, use_list=False, max_map_len=0, max_ext_len=0)
    except Exception as error:  # noqa: BLE001 - the library raises many types, StackError and UnicodeDecodeError too
        raise EncodingError("malformed", what=type(error).__name__) from None
    _check_types(value, max_depth)
    if pack(value) != data:
        raise EncodingError("not-canonical", what="not the shortest form")
    return value  # type: ignore[no-any-return]


def parts_of(data: bytes, head: bytes) -> tuple[Any, ...] | None:
    """The parts of a small array whose bytes begin with ``head``, or nothing where that needs a closer look.

    The short way of a decoder that looks at the type of every part in any case: what it does not know at a glance it
    leaves to :func:`decode`, which says what is wrong, if anything is.
    """
    if len(data) > UNCOUNTED_BYTES or not data.startswith(head):
        return None
    try:
        value: Any = msgpack.unpackb(data, use_list=False, max_map_len=0, max_ext_len=0)
        return value if _own.packer.pack(value) == data else None
    except Exception:  # noqa: BLE001 - see decode, which says what it is
        return None


def is_flat(values: tuple[Any, ...]) -> bool:
    """Whether what :func:`parts_of` gave holds nothing but scalars of the profile."""
    return _SCALARS.issuperset(map(type, values))


def all_bytes(values: tuple[Any, ...]) -> bool:
    """Whether all of them are byte strings."""
    return _BYTES.issuperset(map(type, values))


def strings_of(data: bytes, limits: tuple[int | None, ...]) -> tuple[Any, ...] | None:
    """The parts of an array that holds, at each place, a byte string (``None``) or an array of at most so many; nothing
    where it is anything else, or not canonical, or too many for ``sparse``: :func:`decode` then says what is wrong.

    Nothing but byte strings is built, however large the data.
    """
    try:
        reader = msgpack.Unpacker(
            use_list=False, max_buffer_size=len(data), max_array_len=0, max_map_len=0, max_ext_len=0
        )
        reader.feed(data)
        if reader.read_array_header() != len(limits):
            return None
        room = FREE_VALUES + len(data) // BYTES_PER_VALUE - 1
        parts: list[Any] = []
        for limit in limits:
            room -= 1
            if limit is None:
                parts.append(reader.unpack())
            else:
                count = reader.read_array_header()
                room -= count
                if count > limit or room < 0:
                    return None
                parts.append(tuple(islice(reader, count)))
        value = tuple(parts)
        return value if room >= 0 and _only_bytes(value, limits) and pack(value) == data else None
    except Exception:  # noqa: BLE001 - see decode, which says what it is
        return None


def _only_bytes(value: tuple[Any, ...], limits: tuple[int | None, ...]) -> bool:
    return all(all_bytes((part,) if limit is None else part) for part, limit in zip(value, limits, strict=True))


def _widths() -> tuple[int, ...]:
    """By first byte: the bytes that the header of a value takes, its content included where that is fixed; below 0 the
    bytes of the length that follows; 0 for what is outside the profile."""
    widths = [1] * 256
    widths[0xA0:0xC0] = range(1, 33)
    widths[0xC1] = 0
    widths[0xC4:0xC7] = (-1, -2, -4)
    widths[0xC7:0xCC] = (0,) * 5
    widths[0xCC:0xD4] = (2, 3, 5, 9) * 2
    widths[0xD4:0xD9] = (0,) * 5
    widths[0xD9:0xDC] = (-1, -2, -4)
    widths[0xDC:0xDE] = (3, 5)
    widths[0xDE:0xE0] = (0, 0)
    return tuple(widths)


_WIDTHS = _widths()


def _check_count(data: bytes, limit: int) -> None:
    """Walk the headers alone, before anything is built of them."""
    position, end, count = 0, len(data), 0
    while position < end:
        count += 1
        if count > limit:
            raise EncodingError("too-many-values", bytes=end, limit=limit)
        width = _WIDTHS[data[position]]
        if width > 0:
            position += width
        elif width < 0:
            position += 1 - width + int.from_bytes(data[position + 1 : position + 1 - width], "big")
        else:
            raise EncodingError("not-canonical", what="outside the profile")


def _check_types(value: Any, max_depth: int) -> None:
    """Raise where a type outside the profile, or nesting too deep, is found."""
    level: Iterable[Any] = (value,)
    for _ in range(max_depth + 1):
        if _SCALARS.issuperset(map(type, level)):
            return
        if not _KINDS.issuperset(map(type, level)):
            break
        level = tuple(chain.from_iterable(one for one in level if type(one) is tuple))
    _walk(value, max_depth)


def _walk(value: Any, max_depth: int) -> None:
    """:func:`_check_types` one value at a time: says what is wrong, and where first.

    Level by level (no recursion: hostile depth must not reach the interpreter's stack).
    """
    level: list[Any] = [value]
    for room in range(max_depth, -1, -1):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is tuple:
                if not room:  # an empty array counts as well
                    raise EncodingError("too-deep", limit=max_depth)
                below.extend(item)
            elif kind not in _SCALARS:
                raise EncodingError("not-canonical", what=kind.__name__)
        if not below:
            return
        level = below
