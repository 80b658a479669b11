"""Inputs that are nearly right: values changed inside valid encodings, then bytes changed anyhow.

Everything follows from a :class:`random.Random`: the number of an input, its target and the seed repeat it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import FazhiError

from tests.spec.independent_parts import Refused
from tests.spec.mutants import MUTATIONS, twisted

from .target import Target

BLOWN_UP: Final = 400
"""One input of so many is made large."""
LARGEST: Final = 1 << 20
_ODD_BYTES: Final = bytes.fromhex("00017f80909fa0c0c1c2c4c6c7cacfd3d4d9dbdcdddedfe0ff")
_ODD_NUMBERS: Final = (0, 1, 2, 10, 2**31, 10**9, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -1, -(2**63))
_LARGE: Final = (
    b"\x90", b"\x91", b"\x00", b"\xc0", b"\xc4\x00", b"\xdd\xff\xff\xff\xff", b"[", b'{"a":', b'"', b"1", b" ", b"a = ",
    b"[a.", b"\\u0000", b"\xe5\xa5\xbd", b"\x00\x00\x00\x01\x00",
)  # fmt: skip
_TEXTS: Final = (
    b"", b"0", b"-0", b"-1", b"1e400", b"NaN", b"null", b"true", b"9" * 30, b"9" * 5000,
    b"\xef\xbc\x91", b"\\ud800", b"\xff", b"{}",
    b"[]", b'""', b"\n", b"\r\n", b"\t", b"\x00", b"=", b"%", b"'''", b'"""', b"[[a]]", b"1979-05-27", b"0x_1", b"::1",
    b"[::1]:1", b"user@", b"//", b"\xe2\x80\xae", b"inf", b"\\", b",", b":", b";q=0.5", b"*",
)  # fmt: skip


def mutated(random: Random, target: Target) -> bytes:
    """One input for a target, from one of its samples."""
    data = random.choice(target.samples)
    if random.randrange(BLOWN_UP) == 0:
        return blown_up(random, data)
    if random.random() < 0.75:
        data = structured(random, target, data)
    if random.random() < 0.4:
        data = bytewise(random, data, target.samples)
    return data[: target.max_bytes]


def structured(random: Random, target: Target, data: bytes) -> bytes:
    """The data with something changed inside, where they can be taken apart; else with bytes changed."""
    if target.parts is None:
        return in_form(random, target.form, data, target.samples)
    try:
        parts = target.parts.apart(data)
    except (FazhiError, ValueError, IndexError):
        return bytewise(random, data, target.samples)
    if not parts:
        return target.parts.together([in_form(random, target.form, b"", target.samples)])
    at = random.randrange(len(parts))
    kind = random.randrange(8)
    if kind == 0:
        parts[at : at + 1] = []
    elif kind == 1:
        parts[at:at] = [parts[at]] * min(random.choice((1, 1, 2, 100)), 1 + LARGEST // (len(parts[at]) + 1))
    elif kind == 2:
        parts.reverse()
    else:
        parts[at] = in_form(random, target.form, parts[at], target.samples)
    return target.parts.together(parts)


def in_form(random: Random, form: str, data: bytes, others: Sequence[bytes]) -> bytes:
    """A change that fits the form of the data."""
    match form:
        case "msgpack":
            return msgpack(random, data, others)
        case "json":
            return json_text(random, data, others)
        case "receipt":
            return receipt(random, data, others)
        case "text":
            return words(random, data)
        case _:
            return bytewise(random, data, others)


def msgpack(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """One value changed, also inside the encodings that stand in byte strings; or a spelling that is not canonical."""
    try:
        value = decode(data)
    except FazhiError:
        return bytewise(random, data, others)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = _changed(random, value)
    try:
        encoded = pack(value)
    except FazhiError:
        return bytewise(random, data, others)
    return _widened(random, encoded) if random.random() < 0.1 else encoded


def _changed(random: Random, value: Value) -> Value:
    """A change anywhere in the tree; a byte string that holds an encoding is a branch of it."""
    if isinstance(value, tuple) and value and random.random() < 0.85:
        at = random.randrange(len(value))
        return (*value[:at], _changed(random, value[at]), *value[at + 1 :])
    if isinstance(value, bytes) and len(value) > 2 and random.random() < 0.8:
        try:
            inner = decode(value)
        except FazhiError:
            inner = None
        if isinstance(inner, tuple):
            try:
                return pack(_changed(random, inner))
            except FazhiError:
                return value
    if isinstance(value, int) and random.random() < 0.3:
        return random.choice(_ODD_NUMBERS)
    changed: Value = twisted(random, value)
    return changed


def _widened(random: Random, data: bytes) -> bytes:
    """Another spelling of a small number or of a length somewhere, or what looks like one."""
    at = random.randrange(len(data))
    byte = data[at]
    if byte < 0x80:
        new = random.choice((b"\xcc", b"\xcd\x00", b"\xce\x00\x00\x00", b"\xd0", b"\xd1\x00")) + data[at : at + 1]
    elif 0x90 <= byte <= 0x9F:
        new = random.choice((b"\xdc\x00", b"\xdd\x00\x00\x00")) + bytes([byte & 15])
    elif byte == 0xC4:
        new = b"\xc5\x00"
    elif 0xA0 <= byte < 0xC0:
        new = b"\xd9" + bytes([byte & 31])
    else:
        new = bytes([random.choice(_ODD_BYTES)])
    return data[:at] + new + data[at + 1 :]


def json_text(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A value, key or spelling of the JSON changed."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return bytewise(random, data, others)
    if random.random() < 0.2:
        return words(random, data)
    value = _json_changed(random, value)
    text = json.dumps(value, ensure_ascii=random.random() < 0.5, indent=random.choice((None, 1)))
    return text.encode("utf-8", "surrogatepass")


def receipt(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A receipt that is nearly right, as the tests of the two verifiers make them."""
    try:
        parsed = json.loads(data)
        return random.choice(MUTATIONS)(random, parsed, [json.loads(other) for other in others[:4]])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, Refused):  # it was changed before
        return json_text(random, data, others)


def _json_changed(random: Random, value: Any) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        kind = random.randrange(8)
        if kind == 0:
            return {name: one for name, one in value.items() if name != key}
        if kind == 1:
            return {**value, random.choice(("", "a", key + " ", "\ud800", "format")): value[key]}
        return {**value, key: _json_changed(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.7:
        at = random.randrange(len(value))
        return [*value[:at], _json_changed(random, value[at]), *value[at + 1 :]]
    if isinstance(value, str) and random.random() < 0.7:
        return _text_changed(random, value)
    deep: Any = []
    for _ in range(random.choice((1, 7, 9, 60))):
        deep = [deep]
    return random.choice(
        (None, True, 0, -1, 1.5, 2**53, 2**64, 10**40, "", "a", [], {}, deep, [value] * 65, {"a": value})
    )


def _text_changed(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    new = random.choice(("", "0", "f", "F", " ", "=", "\n", "\x00", "é", "\ud800", "\u202e", "１", text[:at], "9" * 40))
    return text[:at] + new + text[at + random.randrange(3) :]


def words(random: Random, data: bytes) -> bytes:
    """A word of what has a meaning in some text format put in, or in place of what stood there."""
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(data) + 1)
        data = data[:at] + random.choice(_TEXTS) + data[at + random.choice((0, 0, 1, 2, 8)) :]
    if random.random() < 0.2:
        lines = data.split(b"\n")
        random.shuffle(lines)
        data = b"\n".join(lines)
    return data


def bytewise(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Bytes flipped, put in, cut out, or joined to those of another sample."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(7):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << random.randrange(8)
            case 1:
                changed[at:at] = bytes([random.choice(_ODD_BYTES)])
            case 2 if changed:
                changed[at % len(changed)] = random.choice(_ODD_BYTES)
            case 3:
                del changed[at : at + random.choice((1, 1, 4, 32))]
            case 4:
                del changed[at:]
            case 5:
                other = random.choice(others)
                changed[at:] = other[random.randrange(len(other) + 1) :]
            case _:
                changed[at : at + 4] = random.choice(
                    (b"\xff" * 4, bytes(4), b"\x7f" + b"\xff" * 3, b"\x80\x00\x00\x00")
                )
    return bytes(changed)


def blown_up(random: Random, data: bytes) -> bytes:
    """A large input: the same small thing again and again, within the data or alone."""
    size = random.choice((2_000, 20_000, 200_000, LARGEST))
    unit = random.choice((*_LARGE, data[:64] or b"\x00"))
    at = random.choice((0, random.randrange(len(data) + 1)))
    grown = data[:at] + unit * (size // len(unit)) + data[at:]
    return random.choice(
        (
            grown,
            b"\xdd" + (size // len(unit)).to_bytes(4, "big") + grown[at:],
            b"\xc6" + size.to_bytes(4, "big") + grown,
        )
    )
