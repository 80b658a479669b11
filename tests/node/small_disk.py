"""A file system of its own, small enough to be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A file system of that size, in the folder, for as long as this lasts; nobody may use it any more at the end.

    Where none can be mounted the test is skipped, saying why.
    """
    mount = folder / "tiny"
    mount.mkdir()
    if os.geteuid() != 0 or not sys.platform.startswith("linux") or shutil.which("mount") is None:
        pytest.skip("only root may mount a small file system")
    options = f"size={mebibytes}m"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mount)], check=False).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        yield mount
    finally:
        busy = subprocess.run(["umount", str(mount)], check=False).returncode
        if busy:
            subprocess.run(["umount", "--lazy", str(mount)], check=True)
    assert not busy, "something still uses the small disk"
