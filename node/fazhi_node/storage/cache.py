"""A cache bounded in entries and bytes that drops what was used longest ago. What is known to be absent is remembered
too."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from typing import Final

_OVERHEAD_BYTES: Final = 200
"""What an entry costs beside its bytes: objects, the table's slot and its links."""


class Unknown(Enum):
    """What a cache says of a key of which it knows nothing; None is for a key that is not there."""

    UNKNOWN = 0


UNKNOWN: Final = Unknown.UNKNOWN


class BoundedCache:
    """Bytes to bytes, or to None for "there is none". Safe to use from several threads."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, bytes | None] = OrderedDict()
        self._mutex = threading.Lock()
        self.bytes = 0
        """What the entries take, roughly."""

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: bytes) -> bytes | Unknown | None:
        """The value of ``key``, if the cache knows."""
        with self._mutex:
            value = self._entries.get(key, UNKNOWN)
            if value is not UNKNOWN:
                self._entries.move_to_end(key)
            return value

    def fill(self, key: bytes, value: bytes | None) -> bytes | None:
        """Remember what was read, unless something was remembered since then, which is newer; answer what it is."""
        with self._mutex:
            found = self._entries.get(key, UNKNOWN)
            if found is not UNKNOWN:
                return found
            self._keep({key: value})
            return value

    def keep_all(self, values: Mapping[bytes, bytes | None]) -> None:
        """Remember these, and forget the oldest where that is too much."""
        with self._mutex:
            self._keep(values)

    def _keep(self, values: Mapping[bytes, bytes | None]) -> None:
        entries = self._entries
        more = 0
        for key, value in values.items():
            old = entries.pop(key, UNKNOWN)
            if old is UNKNOWN:
                more += _OVERHEAD_BYTES + len(key)
            elif old is not None:
                more -= len(old)
            if value is not None:
                more += len(value)
            entries[key] = value
        self.bytes += more
        while entries and (len(entries) > self._max_entries or self.bytes > self._max_bytes):
            gone, value = entries.popitem(last=False)
            self.bytes -= _OVERHEAD_BYTES + len(gone) + (0 if value is None else len(value))
