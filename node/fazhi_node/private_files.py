"""Files that belong to one operator: written once, readable by nobody else, never over another."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

from .exits import Exit, Misuse, Stop

MAX_TOKENS_BYTES: Final = 64 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)


def make_private_directory(path: Path) -> None:
    """Create ``path`` with mode 0700 (and those above it with the usual one); one that is there keeps its mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _stop(error, path) from None


def write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file that must not exist yet; durable when it returns, and not there where it raises (what is cut short
    would keep the node from starting).

    Raises:
        Stop: ``file-exists``, ``disk-full`` or ``cannot-write``.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        raise _stop(error, path) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise _stop(error, path) from None


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The contents of a file of at most ``max_bytes``.

    Raises:
        Misuse: ``unreadable-file`` or ``file-too-large``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise Misuse("unreadable-file", path=str(path), reason=error.strerror or "") from None
    if len(data) > max_bytes:
        raise Misuse("file-too-large", path=str(path), limit=max_bytes)
    return data


def is_token(word: bytes) -> bool:
    """Whether that can be a token for reading: 16 to 256 printable ASCII characters without a space."""
    return 16 <= len(word) <= 256 and all(33 <= byte <= 126 for byte in word)


def read_tokens(path: Path) -> list[bytes]:
    """The tokens of a file, one a line; empty lines and lines that begin with # do not count.

    Raises:
        Misuse: ``unreadable-file``, ``file-too-large``, or ``bad-tokens`` with the line.
    """
    tokens: list[bytes] = []
    for number, line in enumerate(read_bounded(path, MAX_TOKENS_BYTES).split(b"\n"), 1):
        token = line.strip()
        if not token or token.startswith(b"#"):
            continue
        if not is_token(token):
            raise Misuse("bad-tokens", path=str(path), line=number)
        tokens.append(token)
    return tokens


def _stop(error: OSError, path: Path) -> Stop:
    if error.errno == errno.EEXIST:
        return Misuse("file-exists", path=str(path))
    if error.errno in _FULL:
        return Stop(Exit.STORAGE, "disk-full", path=str(path))
    return Stop(Exit.USAGE, "cannot-write", path=str(path), reason=error.strerror or "")
