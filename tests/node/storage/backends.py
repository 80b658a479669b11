"""The back ends under test, each opened the way a node opens it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.port import KeyValue
from fazhi_node.storage.store import available, open_store

GENESIS: Final = bytes(range(32))
DISK_BACKENDS: Final = tuple(name for name in ("plyvel", "sqlite") if available(name))

Open = Callable[[], KeyValue]


def opener(backend: str, path: Path) -> Open:
    """Opens the same store again and again."""
    if backend == "memory":
        disk = MemoryDisk()
        return lambda: MemoryStore(disk)
    if backend == "plyvel":
        return lambda: open_store(path, "plyvel", genesis_hash=GENESIS)
    return lambda: open_store(path, "sqlite", genesis_hash=GENESIS)


def contents(store: KeyValue) -> list[tuple[bytes, bytes]]:
    """Everything in the store, in order."""
    return list(store.scan(b"", b"\xff" * 64))
