"""Sealing a file: its digests, length and media type, in one pass and bounded memory; the file itself never leaves.

A seal is worth nothing if the bytes moved under it. The file is therefore opened once, everything is asked of the
open descriptor, and at the end descriptor and path must still show the same file, of the same size and times, and
exactly as many bytes must have been read. What is no regular file is refused before it is opened: opening a device
can move it, and opening a pipe can wait for ever.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import PurePath
from typing import Final, Protocol

from fazhi_ledger.record import FileValue

from .errors import (
    FileChanged,
    FileIsDevice,
    FileIsDirectory,
    FileIsPipe,
    FileIsSocket,
    FileMissing,
    FileReplaced,
    FileUnreadable,
    FileVanished,
    InputError,
    SealingError,
)

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all); the last call has both equal. It runs in the sealing thread: keep it short.
"""

ALGORITHMS: Final = ("sha256", "sm3")
BUFFER_BYTES: Final = 1024 * 1024
PROGRESS_EVERY_BYTES: Final = 16 * 1024 * 1024
CLOCK_GRAIN_NS: Final = 20_000_000
"""File times move in steps of the kernel's tick (4 to 10 ms): a file changed less than this ago could change again
under the same time.
"""

# The media type comes from the file's extension through this table alone, so that every device names one file alike;
# mimetypes reads the system's own lists and differs from machine to machine. The name itself may hold personal data
# and goes nowhere.
MEDIA_TYPES: Final[dict[str, str]] = {
    "3gp": "video/3gpp",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "avi": "video/x-msvideo",
    "bmp": "image/bmp",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "eml": "message/rfc822",
    "gif": "image/gif",
    "heic": "image/heic",
    "htm": "text/html",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m4a": "audio/mp4",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ofd": "application/ofd",
    "ogg": "audio/ogg",
    "pcap": "application/vnd.tcpdump.pcap",
    "pdf": "application/pdf",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "ts": "video/mp2t",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "wps": "application/vnd.ms-works",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "zip": "application/zip",
}
DEFAULT_MEDIA_TYPE: Final = "application/octet-stream"

_REFUSED: Final[tuple[tuple[Callable[[int], bool], type[SealingError]], ...]] = (
    (stat.S_ISDIR, FileIsDirectory),
    (stat.S_ISFIFO, FileIsPipe),
    (stat.S_ISSOCK, FileIsSocket),
    (stat.S_ISCHR, FileIsDevice),
    (stat.S_ISBLK, FileIsDevice),
)


class _Digest(Protocol):
    def update(self, data: memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


def media_type_of(path: str | os.PathLike[str]) -> str:
    """The media type that the file's extension stands for; ``application/octet-stream`` for any other."""
    return MEDIA_TYPES.get(PurePath(os.fspath(path)).suffix[1:].lower(), DEFAULT_MEDIA_TYPE)


def seal(
    path: str | os.PathLike[str], *, algorithms: Sequence[str] = ("sha256",), progress: Progress | None = None
) -> FileValue:
    """Read the file once and return what is committed of it: digests (in the order of ``ALGORITHMS``), length in
    bytes, media type.

    Raises:
        SealingError: one subclass for each reason: no such file, a folder, pipe, socket or device, unreadable, and
            vanished, replaced or changed while being sealed.
        InputError: ``unknown-algorithm``.
    """
    shown = os.fspath(path)
    wanted = _digests(algorithms)
    with _opened(shown) as (fd, before):
        hashers = [digest for _, digest in wanted]
        done = _read_all(fd, shown, before.st_size, hashers, progress)
        _unchanged(fd, shown, before, done)
    digests = tuple((name, digest.digest()) for name, digest in wanted)
    return FileValue(digests=digests, length=done, media_type=media_type_of(shown))


def _digests(algorithms: Sequence[str]) -> list[tuple[str, _Digest]]:
    for name in algorithms:
        if name not in ALGORITHMS:
            raise InputError("unknown-algorithm", algorithm=str(name))
    wanted = [name for name in ALGORITHMS if name in algorithms]
    if not wanted:
        raise InputError("unknown-algorithm", algorithm="")
    digests: list[tuple[str, _Digest]] = []
    for name in wanted:
        try:
            digests.append((name, hashlib.new(name, usedforsecurity=True)))
        except ValueError:  # an OpenSSL built without SM3
            raise InputError("unknown-algorithm", algorithm=name) from None
    return digests


@contextmanager
def _opened(path: str) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file and settle its state: (descriptor, its stat before the first byte is read)."""
    fd = -1
    try:
        _refuse_irregular(path, os.stat(path))
        # O_NONBLOCK: should a pipe take the path between the two calls, the open must not wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        before = os.fstat(fd)
        _refuse_irregular(path, before)
        if 0 <= time.time_ns() - before.st_ctime_ns < CLOCK_GRAIN_NS:
            threading.Event().wait(CLOCK_GRAIN_NS / 1e9)  # nothing tells of a tick: its time must pass
            before = os.fstat(fd)
        yield fd, before
    except FileNotFoundError:
        raise FileMissing(path) from None
    except ValueError:  # a NUL byte in the path
        raise FileMissing(path) from None
    except OSError as error:
        raise FileUnreadable(path, reason=os.strerror(error.errno or 0)) from error
    finally:
        if fd >= 0:
            os.close(fd)


def _refuse_irregular(path: str, status: os.stat_result) -> None:
    for is_kind, error in _REFUSED:
        if is_kind(status.st_mode):
            raise error(path)
    if not stat.S_ISREG(status.st_mode):
        raise FileUnreadable(path, reason="no regular file")


def _read_all(fd: int, path: str, size: int, hashers: list[_Digest], progress: Progress | None) -> int:
    """Feed every byte to every hasher; the number of bytes read. Never reads far past ``size``: a growing file ends
    here, too.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    report = _Reporter(progress, size)
    if len(hashers) == 1:
        done = _read_alone(fd, path, size, hashers[0], report)
    else:
        done = _read_together(fd, path, size, hashers, report)
    if done == size:
        report.finish()
    return done


class _Reporter:
    """Calls ``progress`` at most once in 16 MiB, and once at the end."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._next = PROGRESS_EVERY_BYTES

    def at(self, done: int) -> None:
        if self._progress is not None and self._next <= done < self._total:
            self._next = done + PROGRESS_EVERY_BYTES
            self._progress(done, self._total)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self._total, self._total)


def _read_alone(fd: int, path: str, size: int, hasher: _Digest, report: _Reporter) -> int:
    buffer = memoryview(bytearray(BUFFER_BYTES))
    done = 0
    while count := os.readv(fd, [buffer]):
        hasher.update(buffer[:count])
        done += count
        if done > size:
            raise FileChanged(path, what="it grew")
        report.at(done)
    return done


def _read_together(fd: int, path: str, size: int, hashers: list[_Digest], report: _Reporter) -> int:
    """Several digests at once: hashing releases the interpreter's lock, so each hasher has a thread, and two buffers
    take turns.
    """
    buffers = [memoryview(bytearray(BUFFER_BYTES)) for _ in range(2)]
    running: list[list[Future[None]]] = [[], []]
    done = 0
    turn = 0
    with ThreadPoolExecutor(max_workers=len(hashers), thread_name_prefix="fazhi-seal") as pool:
        # Each hasher must see the buffers in order: wait for this buffer's earlier use, and for the other's before
        # handing over this one.
        while True:
            _wait(running[turn])
            count = os.readv(fd, [buffers[turn]])
            _wait(running[1 - turn])
            if not count:
                return done
            running[turn] = [pool.submit(hasher.update, buffers[turn][:count]) for hasher in hashers]
            done += count
            if done > size:
                raise FileChanged(path, what="it grew")
            report.at(done)
            turn = 1 - turn


def _wait(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()
    futures.clear()


def _unchanged(fd: int, path: str, before: os.stat_result, done: int) -> None:
    after = os.fstat(fd)
    if done != before.st_size or after.st_size != before.st_size:
        raise FileChanged(path, what="size")
    try:
        at_path = os.stat(path)
    except FileNotFoundError:
        raise FileVanished(path) from None
    if (at_path.st_dev, at_path.st_ino) != (before.st_dev, before.st_ino):
        raise FileReplaced(path)
    if after.st_nlink == 0:
        raise FileVanished(path)
    # The time of modification can be set back by hand; the time of status change cannot.
    if after.st_mtime_ns != before.st_mtime_ns or after.st_ctime_ns != before.st_ctime_ns:
        raise FileChanged(path, what="time of change")
