"""A folder for readers that want a file."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fazhi_node.addresses import CONFIG_NAME

_SCRATCH: Final = Path(tempfile.mkdtemp(prefix="fazhi-fuzz-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)


def in_a_file(read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """The reader of a file, given its bytes. Each process has a file of its own."""

    def of_bytes(data: bytes) -> Any:
        folder = _SCRATCH / str(os.getpid())
        folder.mkdir(exist_ok=True)
        path = folder / CONFIG_NAME
        path.write_bytes(data)
        return read(path)

    return of_bytes
