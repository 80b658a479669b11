"""How much room the disk of the data has left: told early, since a full disk stops the node."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

WARN_BYTES: Final = 1024 * 1024 * 1024
"""Below this the log warns, once until there is more again."""
LOW_BYTES: Final = 128 * 1024 * 1024
"""Below this the node calls itself not ready: clients and operators go elsewhere before it stops."""
LOOK_EVERY_S: Final = 10.0

DISK_LOW: Final = "disk-low"


class Space:
    """The free bytes of the file system of ``directory``, as of the last :meth:`look`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._warned = False
        self.free_bytes = LOW_BYTES

    @property
    def low(self) -> bool:
        """Whether the node should not be relied upon."""
        return self.free_bytes < LOW_BYTES

    def look(self) -> bool:
        """Look again; whether a warning is due. A disk that does not tell is taken as it was: the next write says
        more."""
        try:
            self.free_bytes = shutil.disk_usage(self._directory).free
        except OSError:
            return False
        due = self.free_bytes < WARN_BYTES and not self._warned
        self._warned = self.free_bytes < WARN_BYTES
        return due
