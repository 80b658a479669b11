"""Narrowing of decoded values: each helper returns the value with its type, or raises ``EncodingError("bad-shape")``
naming the place."""

from __future__ import annotations

from .canonical import Value
from .errors import EncodingError
from .limits import MAX_INT, MAX_TEXT_CHARS
from .names import Grammar


def as_tuple(value: Value, what: str, length: int | None = None, max_length: int | None = None) -> tuple[Value, ...]:
    """An array of exactly ``length``, or of at most ``max_length``, values."""
    if type(value) is not tuple:
        raise EncodingError("bad-shape", what=what, expected="array")
    if length is not None and len(value) != length:
        raise EncodingError("bad-shape", what=what, expected=f"array of {length}")
    if max_length is not None and len(value) > max_length:
        raise EncodingError("bad-shape", what=what, expected=f"array of at most {max_length}")
    return value


def as_int(value: Value, what: str, low: int = 0, high: int = MAX_INT) -> int:
    """An integer within ``low … high`` (a boolean is none)."""
    if type(value) is not int or not low <= value <= high:
        raise EncodingError("bad-shape", what=what, expected=f"integer {low}..{high}")
    return value


def as_bool(value: Value, what: str) -> bool:
    """A boolean."""
    if type(value) is not bool:
        raise EncodingError("bad-shape", what=what, expected="boolean")
    return value


def as_bytes(value: Value, what: str, length: int | None = None, max_length: int | None = None) -> bytes:
    """A byte string of exactly ``length``, or of at most ``max_length``, bytes."""
    if type(value) is not bytes:
        raise EncodingError("bad-shape", what=what, expected="bytes")
    if length is not None and len(value) != length:
        raise EncodingError("bad-shape", what=what, expected=f"{length} bytes")
    if max_length is not None and len(value) > max_length:
        raise EncodingError("bad-shape", what=what, expected=f"at most {max_length} bytes")
    return value


def as_text(value: Value, what: str, max_length: int = MAX_TEXT_CHARS, pattern: Grammar | None = None) -> str:
    """A string of at most ``max_length`` characters that, as a whole, matches ``pattern``."""
    if type(value) is not str:
        raise EncodingError("bad-shape", what=what, expected="text")
    if len(value) > max_length:
        raise EncodingError("bad-shape", what=what, expected=f"at most {max_length} characters")
    if pattern is not None and not pattern[value]:
        raise EncodingError("bad-shape", what=what, expected=pattern.pattern)
    return value


def as_version(value: Value, what: str, version: int) -> None:
    """The one version that this code reads."""
    if type(value) is not int or value != version:
        raise EncodingError("unknown-version", what=what, expected=version)


def as_digest(value: Value, what: str) -> bytes:
    """A digest: 32 bytes in every suite."""
    return as_bytes(value, what, length=32)
