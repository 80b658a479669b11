"""What a command is given: files by name, hashes, times. What cannot be used is :class:`Misuse`."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import Final

from .exits import Misuse

_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def digest(text: str, option: str) -> bytes:
    """The 32 bytes of 64 hexadecimal digits.

    Raises:
        Misuse: ``bad-hash``.
    """
    if _DIGEST.fullmatch(text.strip()) is None:
        raise Misuse("bad-hash", option=option, value=text[:80])
    return bytes.fromhex(text.strip())


def read_file(path: str, limit: int) -> bytes:
    """The content of a regular file; one byte more than ``limit`` where it is longer, for the reader to refuse.

    Raises:
        Misuse: ``input-missing``, ``input-directory``, ``input-not-a-file`` or ``input-unreadable``.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise Misuse("input-directory", path=path)
        if not stat.S_ISREG(mode):
            raise Misuse("input-not-a-file", path=path)
        with open(path, "rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        raise Misuse("input-missing", path=path) from None
    except OSError as error:
        raise Misuse("input-unreadable", path=path, reason=os.strerror(error.errno or errno.EIO)) from None
    except ValueError:  # a NUL byte in the path
        raise Misuse("input-missing", path=path) from None
