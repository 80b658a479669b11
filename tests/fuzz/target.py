"""What is fuzzed: one reader of bytes, what it may refuse with, and what must hold of what it accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final

from fazhi_ledger.errors import FazhiError

KEPT: Final = 8
"""Accepted inputs that later ones are compared with."""


class Violation(AssertionError):
    """A property does not hold."""


@dataclass(frozen=True)
class Parts:
    """How an input is taken apart into encodings and put together again, lengths and checksums made anew: mutations
    then reach what stands behind them.
    """

    apart: Callable[[bytes], list[bytes]]
    together: Callable[[list[bytes]], bytes]


@dataclass(frozen=True)
class Target:
    """One reader. ``covers`` names the functions of the packages that it reads with, as ``module:qualified.name``.

    ``refuses`` is the documented family of errors. ``again`` encodes what was read: the very bytes must come back, and
    two inputs are equal exactly where what was read from them is. ``holds`` looks at whatever else must be true of
    (input, value): it raises :class:`Violation`, or says False.
    """

    name: str
    samples: Sequence[bytes]
    read: Callable[[bytes], Any]
    covers: tuple[str, ...]
    refuses: tuple[type[Exception], ...] = (FazhiError,)
    again: Callable[[Any], bytes] | None = None
    holds: Callable[[bytes, Any], bool | None] | None = None
    form: str = "msgpack"
    parts: Parts | None = None
    max_bytes: int = 64 * 1024
    """Inputs are cut to this length, but for the few that are blown up on purpose."""


@dataclass
class Check:
    """The properties of one target, over the inputs of one run."""

    target: Target
    accepted: int = 0
    _kept: list[tuple[bytes, Any]] = field(default_factory=list)

    def __call__(self, data: bytes) -> None:
        """Read one input.

        Raises:
            Violation: what was read does not hold.
            Exception: anything that is not of the documented family.
        """
        target = self.target
        try:
            value = target.read(data)
        except target.refuses as error:
            str(error)  # whoever logs it must be able to
            return
        self.accepted += 1
        if target.again is not None:
            self._same_bytes(data, value, target.again)
        if target.holds is not None and target.holds(data, value) is False:
            raise Violation(f"{target.name}: what was read does not hold")

    def _same_bytes(self, data: bytes, value: Any, again: Callable[[Any], bytes]) -> None:
        encoded = again(value)
        if encoded != data:
            raise Violation(f"{self.target.name}: read and written again it is {encoded[:200].hex()}")
        if not alike(self.target.read(data), value):
            raise Violation(f"{self.target.name}: the same bytes are two values")
        for other, known in self._kept:
            if (other == data) != alike(known, value):
                raise Violation(f"{self.target.name}: equal bytes and equal values differ, against {other[:200].hex()}")
        if len(self._kept) < KEPT:
            self._kept.append((data, value))
        else:
            self._kept[self.accepted % KEPT] = (data, value)


def alike(first: Any, second: Any) -> bool:
    """Equality that does not take True for 1, at any depth of tuples and of our own types."""
    if type(first) is not type(second):
        return False
    if type(first) is tuple:
        return len(first) == len(second) and all(map(alike, first, second))
    if is_dataclass(first):
        return all(alike(getattr(first, one.name), getattr(second, one.name)) for one in fields(first) if one.compare)
    return bool(first == second)
