"""Files that must be whole or not there: written beside, fsynced, renamed, and the folder fsynced too."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` by a file that holds ``data``; after a crash at any point the old one or the new one is there,
    whole.
    """
    target = Path(path)
    beside = target.parent / f".{target.name}.{secrets.token_hex(6)}.tmp"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    fsync_folder(target.parent)


def write_private(path: str | os.PathLike[str], data: bytes) -> None:
    """:func:`write_atomically`, readable by its owner only."""
    write_atomically(path, data, 0o600)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_bounded(path: str | os.PathLike[str], limit: int) -> bytes:
    """The whole file.

    Raises:
        OSError: it cannot be read, or holds more than ``limit`` bytes.
    """
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(27, "file too large", os.fspath(path))
    return data
