"""Names of new files made durable where a library forgets to.

LevelDB begins a new log file every few megabytes and makes the bytes in it durable, but not its name: POSIX lets a
power cut take the whole file, acknowledged writes included. The watcher syncs the directory after a write whenever
something in it was created or removed since."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .files import Files, RealFiles

_TICK_NS: Final = 40_000_000
"""Time stamps of files move in steps of the kernel's tick (at most 10 ms): a younger one does not yet tell a second
change apart."""


class DirectoryWatch:
    """Syncs ``path`` when its time of change moved. Costs one ``stat`` otherwise."""

    def __init__(self, path: Path, files: Files | None = None, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._files: Files = files if files is not None else RealFiles()
        self._now_ns = now_ns
        self._settled: int | None = None

    def sync(self) -> bool:
        """Make every name created before this call durable; tells whether the directory had to be synced. Raises
        ``OSError``."""
        changed = os.stat(self._path).st_mtime_ns
        if changed == self._settled:
            return False
        age = self._now_ns() - changed
        self._files.sync_directory(self._path)
        # Read before the sync: a change in between moves the stamp, unless it falls into the same tick.
        self._settled = changed if age > _TICK_NS else None
        return True
