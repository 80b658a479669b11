"""A strict JSON reader for receipts: objects without duplicate keys, integers only, no lone surrogates, bounded depth
and size.

Python's own reader keeps the last of duplicate keys, accepts NaN, turns 1e400 into infinity and lets lone surrogates
through; two verifiers that differ in any of these can be shown two different receipts in one file. Source: RFC 8259
§4, §6, §8.2; RFC 7493 (I-JSON).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final, NoReturn

from .errors import InvalidReceipt
from .limits import MAX_RECEIPT_BYTES

MAX_SAFE_INTEGER: Final = 2**53 - 1
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)  # no -0: one spelling a number
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_BRACKETS: Final = re.compile(r'\\.|[\[\]{}"]', re.DOTALL)  # an escape is taken whole: \n" ends a string
_MAX_JSON_DEPTH: Final = 8
_FREE_VALUES: Final = 1024 * 1024
_CHARS_PER_VALUE: Final = 16


def read_object(data: bytes, max_bytes: int) -> dict[str, Any]:
    """The JSON object that ``data`` is.

    Raises:
        InvalidReceipt: ``too-large``, ``not-utf8``, ``too-many-values``, ``too-deep``, ``malformed-json``,
            ``duplicate-key``, ``not-an-integer``, ``lone-surrogate`` or ``not-an-object``.
    """
    if len(data) > max_bytes:
        raise InvalidReceipt("too-large", bytes=len(data), limit=max_bytes)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidReceipt("not-utf8") from None
    if len(data) > MAX_RECEIPT_BYTES:
        _check_count(text)
    if _depth(text) > _MAX_JSON_DEPTH:
        raise InvalidReceipt("too-deep", limit=_MAX_JSON_DEPTH)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_not_an_integer,
            parse_constant=_not_an_integer,
        )
    except (ValueError, RecursionError):
        raise InvalidReceipt("malformed-json") from None
    if type(value) is not dict:
        raise InvalidReceipt("not-an-object")
    if "\\u" in text:  # UTF-8 holds no surrogates: only an escape can make one
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidReceipt("lone-surrogate") from None
    return value


def _check_count(text: str) -> None:
    """A large file holds digests and larger things. Millions of empty arrays could only be meant to fill the memory:
    each takes seventy bytes there, and three in the file."""
    limit = _FREE_VALUES + len(text) // _CHARS_PER_VALUE
    values = text.count(",") + text.count("[") + text.count("{")
    if max(values, text.count('"') // 2) > limit:
        raise InvalidReceipt("too-many-values", bytes=len(text), limit=limit)


def _depth(text: str) -> int:
    """Deepest nesting of brackets outside of strings, before any recursive parser sees the text."""
    depth = deepest = 0
    in_string = False
    for found in _BRACKETS.finditer(text):
        mark = found[0]
        if mark == '"':
            in_string = not in_string
        elif in_string or mark[0] == "\\":
            continue
        elif mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise InvalidReceipt("duplicate-key", key=key.encode("ascii", "backslashreplace").decode("ascii")[:64])
        result[key] = value
    return result


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None or abs(int(text)) > MAX_SAFE_INTEGER:
        raise InvalidReceipt("not-an-integer", text=text[:32])
    return int(text)


def _not_an_integer(text: str) -> NoReturn:
    raise InvalidReceipt("not-an-integer", text=text[:32])


class Fields:
    """The fields of a JSON object, taken out one by one with their types; :meth:`done` refuses what is left."""

    def __init__(self, value: Any, what: str) -> None:
        if type(value) is not dict:
            raise InvalidReceipt("bad-field", field=what, expected="object")
        self._left: dict[str, Any] = dict(value)
        self._what = what

    def take(self, name: str) -> Any:
        """The raw value of a field that must be there."""
        if name not in self._left:
            raise InvalidReceipt("missing-field", field=f"{self._what}.{name}")
        return self._left.pop(name)

    def text(self, name: str) -> str:
        """A string."""
        value = self.take(name)
        if type(value) is not str:
            raise InvalidReceipt("bad-field", field=f"{self._what}.{name}", expected="string")
        return value

    def integer(self, name: str) -> int:
        """A non-negative integer."""
        value = self.take(name)
        if type(value) is not int or value < 0:
            raise InvalidReceipt("bad-field", field=f"{self._what}.{name}", expected="integer")
        return value

    def base64(self, name: str) -> bytes:
        """Bytes in standard base64 whose re-encoding is equal (no other spelling of the same bytes)."""
        return self._base64(name, self.text(name))

    def base64s(self, name: str, max_length: int) -> tuple[bytes, ...]:
        """An array of at most so many such strings."""
        found = []
        for value in self.array(name, max_length):
            if type(value) is not str:
                raise InvalidReceipt("bad-field", field=f"{self._what}.{name}", expected="array of strings")
            found.append(self._base64(name, value))
        return tuple(found)

    def _base64(self, name: str, text: str) -> bytes:
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidReceipt("bad-field", field=f"{self._what}.{name}", expected="base64") from None
        if base64.b64encode(data).decode("ascii") != text:
            raise InvalidReceipt("bad-field", field=f"{self._what}.{name}", expected="canonical base64")
        return data

    def array(self, name: str, max_length: int) -> list[Any]:
        """An array of at most ``max_length`` values."""
        value = self.take(name)
        if type(value) is not list or len(value) > max_length:
            raise InvalidReceipt("bad-field", field=f"{self._what}.{name}", expected=f"array of at most {max_length}")
        return value

    def digests(self, name: str) -> tuple[bytes, ...]:
        """An array of 32-byte digests in lower-case hex: a Merkle proof."""
        digests = []
        for value in self.array(name, 64):
            if type(value) is not str or len(value) != 64 or _HEX.fullmatch(value) is None:
                raise InvalidReceipt("bad-field", field=f"{self._what}.{name}", expected="lower-case hex of 32 bytes")
            digests.append(bytes.fromhex(value))
        return tuple(digests)

    def done(self) -> None:
        """Raise if any field is left: a receipt holds nothing that is not checked."""
        for name in self._left:
            shown = name.encode("ascii", "backslashreplace").decode("ascii")[:64]
            raise InvalidReceipt("unknown-field", field=f"{self._what}.{shown}")
