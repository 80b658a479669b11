"""How much room the disk of the data has left: told early, since a full disk stops the node."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

WARN_BYTES: Final = 1024 * 1024 * 1024
"""Below this the log warns, once until there is a quarter more."""
LOW_BYTES: Final = 128 * 1024 * 1024
"""Below this the node calls itself not ready: clients and operators go elsewhere before it stops."""
LOOK_EVERY_S: Final = 10.0

DISK_LOW: Final = "disk-low"


class Space:
    """The free bytes of the file system of ``directory``, as of the last :meth:`look`.

    What is too little stays so until there is a quarter more: nobody is sent to and fro while the room changes about a
    bound.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._warned = False
        self.low = False
        """Whether the node should not be relied upon."""
        self.free_bytes = LOW_BYTES

    def look(self) -> bool:
        """Look again; whether a warning is due. A disk that does not tell is taken as it was: the next write says
        more."""
        try:
            self.free_bytes = shutil.disk_usage(self._directory).free
        except OSError:
            return False
        warned = self._warned
        self._warned = self._is_short(WARN_BYTES, warned)
        self.low = self._is_short(LOW_BYTES, self.low)
        return self._warned and not warned

    def _is_short(self, bound: int, before: bool) -> bool:
        return self.free_bytes < (bound + bound // 4 if before else bound)
