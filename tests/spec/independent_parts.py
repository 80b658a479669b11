"""Encoding, signatures, paths and JSON of the second verifier (independent.py), written from the pages of spec/ alone.

Nothing of this project is imported; of libraries only SHA-256 and the equation of Ed25519.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """A rule of the specification does not hold."""


def require(condition: bool, what: str) -> None:
    """Refuse where `condition` does not hold."""
    if not condition:
        raise Refused(what)


# --- canonical.md ----------------------------------------------------------------------------------------------------

# head → kind, bytes of the number that follows, what that number must reach (else a shorter form exists)
_FORMS: Final = {
    0xC4: ("bin", 1, 0), 0xC5: ("bin", 2, 0x100), 0xC6: ("bin", 4, 0x10000),
    0xCC: ("uint", 1, 0x80), 0xCD: ("uint", 2, 0x100), 0xCE: ("uint", 4, 0x10000), 0xCF: ("uint", 8, 1 << 32),
    0xD0: ("int", 1, 33), 0xD1: ("int", 2, 129), 0xD2: ("int", 4, 32769), 0xD3: ("int", 8, (1 << 31) + 1),
    0xD9: ("str", 1, 32), 0xDA: ("str", 2, 0x100), 0xDB: ("str", 4, 0x10000),
    0xDC: ("array", 2, 16), 0xDD: ("array", 4, 0x10000),
}  # fmt: skip
_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}


def _take(data: bytes, at: int, length: int) -> bytes:
    require(at + length <= len(data), "cut short")
    return data[at : at + length]


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    head = _take(data, at, 1)[0]
    at += 1
    if head <= 0x7F:
        return head, at
    if head >= 0xE0:
        return head - 0x100, at
    if head in _CONSTANTS:
        return _CONSTANTS[head], at
    if 0x90 <= head <= 0x9F:
        return _read_array(data, at, head & 15, depth)
    if 0xA0 <= head <= 0xBF:
        return _read_text(data, at, head & 31)
    require(head in _FORMS, "a map, a float, an extension or an unused head")
    kind, width, least = _FORMS[head]
    number = int.from_bytes(_take(data, at, width), "big", signed=kind == "int")
    require((-number if kind == "int" else number) >= least, "not the shortest form")
    at += width
    if kind == "array":
        return _read_array(data, at, number, depth)
    if kind == "str":
        return _read_text(data, at, number)
    if kind == "bin":
        return _take(data, at, number), at + number
    return number, at


def _read_array(data: bytes, at: int, count: int, depth: int) -> tuple[Any, int]:
    require(depth < 12, "nested deeper than 12")
    values = []
    for _ in range(count):
        value, at = _read(data, at, depth + 1)
        values.append(value)
    return tuple(values), at


def _read_text(data: bytes, at: int, length: int) -> tuple[Any, int]:
    try:
        return _take(data, at, length).decode("utf-8"), at + length
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error


def decode(data: bytes) -> Any:
    """The value of a canonical encoding; arrays come as tuples."""
    value, end = _read(data, 0, 0)
    require(end == len(data), "more after the value")
    return value


_LONG_FORMS: Final = {
    kind: [(head, width, least) for head, (its, width, least) in reversed(_FORMS.items()) if its == kind]
    for kind in ("array", "str", "bin", "uint", "int")
}
_SHORT: Final = {"array": 0x90, "str": 0xA0, "uint": 0x00, "int": 0x100}


def _headed(kind: str, number: int) -> bytes:
    for head, width, least in _LONG_FORMS[kind]:
        if abs(number) >= least:
            return bytes([head]) + number.to_bytes(width, "big", signed=kind == "int")
    return bytes([_SHORT[kind] + number])


def encode(value: Any) -> bytes:
    """The canonical encoding of a value."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return _headed("uint" if value >= 0 else "int", value)
    if isinstance(value, bytes):
        return _headed("bin", len(value)) + value
    if isinstance(value, str):
        return _headed("str", len(value.encode())) + value.encode()
    return _headed("array", len(value)) + b"".join(encode(item) for item in value)


# --- crypto.md -------------------------------------------------------------------------------------------------------

P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, P) % P
_EIGHTH: Final = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
_OTHER_EIGHTH: Final = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
LOW_ORDER: Final = {0, 1, P - 1, *(int.from_bytes(bytes.fromhex(y), "little") for y in (_EIGHTH, _OTHER_EIGHTH))}


def sha256(data: bytes) -> bytes:
    """The hash of suite ed25519-sha256."""
    return hashlib.sha256(data).digest()


def tagged(tag: str, data: bytes) -> bytes:
    """H(tag, data)."""
    return sha256(b"fazhi/" + tag.encode() + b"\0" + data)


def message(kind: str, body: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    name = f"application/vnd.fazhi.{kind}.v1".encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)


def _y_of(point: bytes) -> int:
    y = int.from_bytes(point, "little") & ((1 << 255) - 1)
    require(y < P, "a point that is not canonical")
    require(y not in LOW_ORDER, "a point of low order")
    return y


def check_signature(key: bytes, signed: bytes, signature: bytes) -> None:
    """The rules before the equation, and the equation."""
    require(len(key) == 32 and len(signature) == 64, "the length of a key or a signature")
    _y_of(key)
    _y_of(signature[:32])
    require(int.from_bytes(signature[32:], "little") < L, "S is not below L")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise Refused("a bad signature") from error


Point = tuple[int, int, int, int]


def _add(p: Point, q: Point) -> Point:
    """The complete addition of RFC 8032 §5.1.4, extended coordinates."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * _D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


@lru_cache(maxsize=4096)
def has_prime_order(key: bytes) -> bool:
    """Whether the key is a point of order L (the sign of x does not matter for that)."""
    require(len(key) == 32, "the length of a key")
    y = _y_of(key)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return False
    total, power = (0, 1, 1, 0), (x, y, 1, x * y % P)
    for bit in range(L.bit_length()):
        if L >> bit & 1:
            total = _add(total, power)
        power = _add(power, power)
    return total[0] == 0 and total[1] == total[2]


# --- merkle.md -------------------------------------------------------------------------------------------------------


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 6962 §2.1.1 read backwards: `leaf` stands at `index` of `size` under `root`."""
    require(0 <= index < size, "no such leaf")

    def top(i: int, n: int, length: int) -> bytes:
        require(length > 0 or n == 1, "the proof is too short")
        if n == 1:
            require(length == 0, "the proof is too long")
            return sha256(b"\x00" + leaf)
        split = 1 << ((n - 1).bit_length() - 1)
        beside = proof[length - 1]
        if i < split:
            return sha256(b"\x01" + top(i, split, length - 1) + beside)
        return sha256(b"\x01" + beside + top(i - split, n - split, length - 1))

    require(top(index, size, len(proof)) == root, "the path leads to another root")


# --- JSON (RFC 8259) as receipt.md wants it ---------------------------------------------------------------------------

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"([^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*)"')
_NUMBER: Final = re.compile(r"(?:0|-?[1-9][0-9]*)(?![0-9.eE])")
_ESCAPE: Final = re.compile(r"\\(?:u(....)|(.))")
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: Final = {"null": None, "true": True, "false": False}


class _Json:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise Refused(f"JSON at {self.at}")
        self.at = found.end()
        return found

    def next(self) -> str:
        self.match(_SPACE)
        return self.text[self.at : self.at + 1]

    def eat(self, expected: str) -> None:
        require(self.next() == expected, f"JSON at {self.at}: {expected} expected")
        self.at += 1

    def value(self, depth: int) -> Any:
        start = self.next()
        if start in ("{", "["):
            require(depth < 8, "JSON nested above 8")
            return dict(self.pairs(depth)) if start == "{" else list(self.items("]", depth))
        if start == '"':
            return self.string()
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        digits = self.match(_NUMBER)[0]
        require(len(digits) <= 17 and abs(int(digits)) < 2**53, "a number of 2^53 or more")
        return int(digits)

    def string(self) -> str:
        self.next()
        raw = self.match(_STRING)[1]
        plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPED.get(m[2], m[2]), raw)
        try:
            return plain.encode("utf-16-be", "surrogatepass").decode("utf-16-be")
        except UnicodeDecodeError as error:
            raise Refused("a lone surrogate") from error

    def items(self, close: str, depth: int) -> Iterator[Any]:
        self.at += 1
        if self.next() != close:
            yield self.string() if close == "}" else self.value(depth + 1)
            while self.next() == ",":
                self.at += 1
                yield self.string() if close == "}" else self.value(depth + 1)
        self.eat(close)

    def pairs(self, depth: int) -> Iterator[tuple[str, Any]]:
        seen = set()
        for key in self.items("}", depth):
            require(key not in seen, "a duplicate key")
            seen.add(key)
            self.eat(":")
            yield key, self.value(depth + 1)


def parse_json(data: bytes) -> Any:
    """The value of a strict JSON text."""
    require(len(data) <= 4 * 1024 * 1024, "above 4 MiB")
    try:
        reader = _Json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
    value = reader.value(0)
    require(reader.next() == "", "more after the JSON value")
    return value
