"""The state as the contracts see it: a map from keys to values, read through a view, written through overlays.

An overlay keeps decoded entries beside their bytes, so that an entry touched by a thousand records of one block is
decoded once and encoded once. Nothing here iterates over the state: what execution needs to enumerate stands under a
key of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol, TypeVar, cast

from fazhi_ledger.errors import EncodingError

from .errors import StateCorrupt


class StateView(Protocol):
    """The state after some height, for reading."""

    def get(self, key: bytes) -> bytes | None:
        """The value under ``key``, or None where there is none."""


class Entry(Protocol):
    """A typed value of the state. Immutable; equal entries have equal bytes."""

    def encode(self) -> bytes:
        """The canonical bytes."""


E = TypeVar("E", bound=Entry)


class MemoryState:
    """A state held in memory: for auditors, for tests and for the state of a genesis."""

    __slots__ = ("entries",)

    def __init__(self, entries: Mapping[bytes, bytes] | None = None) -> None:
        self.entries: dict[bytes, bytes] = dict(entries or {})

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def apply(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Take over what a block changed; None deletes."""
        for key, value in changes.items():
            if value is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = value


class Overlay:
    """Changes over a view that stays as it is. The state before a block is an overlay that nobody writes to; one over
    it takes the block's changes.
    """

    __slots__ = ("_below", "_entries", "_written")

    def __init__(self, below: StateView | Overlay) -> None:
        self._below = below
        self._written: dict[bytes, Entry | bytes | None] = {}
        self._entries: dict[bytes, Entry] = {}  # typed entries as they stand, read or written

    def get(self, key: bytes) -> bytes | None:
        """The value under ``key``, changes of this overlay included."""
        if key not in self._written:
            return self._below.get(key)
        value = self._written[key]
        return value if value is None or isinstance(value, bytes) else value.encode()

    def load(self, key: bytes, decode: Callable[[bytes], E]) -> E | None:
        """The typed entry under ``key``. The kind in a key fixes its type, so a key must always be loaded with the
        same ``decode``.

        Raises:
            StateCorrupt: the bytes under ``key`` do not decode.
        """
        known = self._entries.get(key)
        if known is not None:
            return cast(E, known)
        if key not in self._written and isinstance(self._below, Overlay):
            return self._below.load(key, decode)
        data = self.get(key)
        if data is None:  # not remembered: strangers ask for any number of keys that are not there
            return None
        entry = self._entries[key] = read_entry(data, decode)
        return entry

    def store(self, key: bytes, entry: Entry) -> None:
        """Write a typed entry; it is encoded when the changes are asked for."""
        self._written[key] = self._entries[key] = entry

    def store_all(self, entries: Collection[tuple[bytes, Entry]]) -> None:
        """Write typed entries."""
        self._written.update(entries)
        self._entries.update(entries)

    def put(self, key: bytes, value: bytes) -> None:
        """Write bytes."""
        self._written[key] = value
        self._entries.pop(key, None)

    def put_all(self, entries: Collection[tuple[bytes, bytes]]) -> None:
        """Write many :meth:`put`."""
        if entries:
            self._written.update(entries)
            for key, _ in entries:
                self._entries.pop(key, None)

    def delete(self, key: bytes) -> None:
        """Remove ``key``."""
        self._written[key] = None
        self._entries.pop(key, None)

    def changes(self) -> dict[bytes, bytes | None]:
        """What was written, sorted by key; None stands for a key that was there and is deleted."""
        found: dict[bytes, bytes | None] = {}
        for key in sorted(self._written):
            value = self._written[key]
            if value is None:
                if self._below.get(key) is not None:
                    found[key] = None
            else:
                found[key] = value if isinstance(value, bytes) else value.encode()
        return found


def read_entry(data: bytes, decode: Callable[[bytes], E]) -> E:
    """Decode an entry that this code wrote.

    Raises:
        StateCorrupt: it does not decode; the state is not what its root says, or the code is older than the state.
    """
    try:
        return decode(data)
    except EncodingError as error:
        raise StateCorrupt(f"an entry of the state cannot be read: {error}") from error


def read(view: StateView | Overlay, key: bytes, decode: Callable[[bytes], E]) -> E | None:
    """The typed entry under ``key``, which an overlay keeps decoded and a plain view decodes anew."""
    if isinstance(view, Overlay):
        return view.load(key, decode)
    data = view.get(key)
    return None if data is None else read_entry(data, decode)
