"""A cache bounded in entries and bytes that drops what was used longest ago. What is known to be absent is remembered
too."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

_OVERHEAD_BYTES: Final = 200
"""What an entry costs beside its bytes: objects, the table's slot and its links."""


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

    def find(self, key: bytes) -> tuple[bool, bytes | None]:
        """Whether the cache knows of ``key``, and its value."""
        with self._mutex:
            if key not in self._entries:
                return False, None
            self._entries.move_to_end(key)
            return True, self._entries[key]

    def keep_all(self, values: Mapping[bytes, bytes | None]) -> None:
        """Remember these, and forget the oldest where that is too much."""
        entries = self._entries
        with self._mutex:
            for key, value in values.items():
                if key in entries:
                    self.bytes -= _cost(key, entries.pop(key))
                entries[key] = value
                self.bytes += _cost(key, value)
            while entries and (len(entries) > self._max_entries or self.bytes > self._max_bytes):
                self.bytes -= _cost(*entries.popitem(last=False))


def _cost(key: bytes, value: bytes | None) -> int:
    return _OVERHEAD_BYTES + len(key) + (0 if value is None else len(value))
