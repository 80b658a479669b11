"""Opening a node's store: one owner, one back end, one chain.

The directory holds ``lock``, ``FORMAT`` and the back end's own folder or file. ``FORMAT`` is written, durably, before
the back end creates anything, so that a directory without it was never ours."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, Protocol

from .errors import StoreCorrupt, StoreForeign, from_os_error
from .files import Files, Lock, RealFiles, read_file, write_file
from .limits import MAX_FORMAT_BYTES
from .port import KeyValue

Backend = Literal["auto", "plyvel", "sqlite"]

FORMAT_FILE: Final = "FORMAT"
LOCK_FILE: Final = "lock"
_WHOLE: Final = "fazhi store 2"
_JOINED: Final = "fazhi store 3"
"""The first line: of a store that may have a base, the second. A release that knows of no bases refuses it by name,
rather than take the blocks that are not there for lost."""
_HARMLESS: Final = frozenset({LOCK_FILE, FORMAT_FILE + ".new", "lost+found"})
"""What a directory may hold before it is ours: a creation that was cut short, or a file system's own."""


@dataclass(frozen=True, slots=True)
class StoreFormat:
    """What ``FORMAT`` says: which back end keeps the data, of which chain it is, and whether its first blocks may be
    missing (see :mod:`.chain_layout`)."""

    backend: str
    genesis_hash: bytes
    joined: bool = False

    def encode(self) -> bytes:
        """Lines for people, with a checksum over them as the last."""
        first = _JOINED if self.joined else _WHOLE
        body = f"{first}\nbackend {self.backend}\ngenesis {self.genesis_hash.hex()}\n".encode("ascii")
        return body + f"crc32 {zlib.crc32(body):08x}\n".encode("ascii")

    @classmethod
    def decode(cls, data: bytes, path: Path) -> StoreFormat:
        """Raises StoreForeign for a version that this release does not read, StoreCorrupt for anything else that is not
        exactly ours."""
        try:
            lines = data.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise StoreCorrupt("store-corrupt", path=str(path), what=FORMAT_FILE) from None
        if lines[0].startswith("fazhi store ") and lines[0] not in (_WHOLE, _JOINED):
            raise StoreForeign("store-unknown-format", path=str(path.parent), found=lines[0][:64])
        try:
            genesis_hash = bytes.fromhex(lines[2].removeprefix("genesis "))
            found = cls(lines[1].removeprefix("backend "), genesis_hash, lines[0] == _JOINED)
        except (IndexError, ValueError):
            raise StoreCorrupt("store-corrupt", path=str(path), what=FORMAT_FILE) from None
        if found.encode() != data:
            raise StoreCorrupt("store-corrupt", path=str(path), what=FORMAT_FILE)
        return found


class _Opener(Protocol):
    def __call__(self, directory: Path, lock: Lock) -> KeyValue: ...


def _open_plyvel(directory: Path, lock: Lock) -> KeyValue:
    from .leveldb import FOLDER, LevelStore  # the package is missing on some platforms

    return LevelStore(directory / FOLDER, lock)


def _open_sqlite(directory: Path, lock: Lock) -> KeyValue:
    from .sqlite import FILE, SqliteStore

    return SqliteStore(directory / FILE, lock)


_OPENERS: Final[dict[str, _Opener]] = {"plyvel": _open_plyvel, "sqlite": _open_sqlite}


def available(backend: str, find: Callable[[str], object] = find_spec) -> bool:
    """Whether this machine can open a store of that back end."""
    return backend == "sqlite" or (backend == "plyvel" and find("plyvel") is not None)


def open_store(
    path: Path,
    backend: Backend = "auto",
    *,
    genesis_hash: bytes | None = None,
    files: Files | None = None,
    joined: bool = False,
) -> KeyValue:
    """The store in the directory ``path``, created where there is none.

    ``auto`` takes the back end that the directory records, else LevelDB where plyvel is installed, else SQLite. Without
    ``genesis_hash`` (tools that only look) any chain is accepted, but nothing is created. One that is created for a
    snapshot is ``joined``. The lock is taken first and released by ``close()``.

    Raises:
        StoreLocked: another owner; it is not disturbed. StoreForeign: somebody else's directory, another chain's,
        another back end than the one recorded, or one that is not installed. StorageError: the disk fails, or the
        contents are damaged.
    """
    used: Files = files if files is not None else RealFiles()
    if genesis_hash is None and not (path / FORMAT_FILE).exists():
        raise StoreForeign("store-missing", path=str(path))
    try:
        used.make_directory(path)
    except OSError as error:
        raise from_os_error(error, "create", path) from error
    lock = used.lock(path / LOCK_FILE)
    try:
        recorded = _read_or_write_format(used, path, backend, genesis_hash, joined)
        return _OPENERS[recorded.backend](path, lock)
    except BaseException:
        lock.release()
        raise


def _read_or_write_format(
    files: Files, path: Path, backend: Backend, genesis_hash: bytes | None, joined: bool
) -> StoreFormat:
    format_path = path / FORMAT_FILE
    try:
        if files.exists(format_path):
            recorded = StoreFormat.decode(read_file(files, format_path, MAX_FORMAT_BYTES), format_path)
            _check(recorded, path, backend, genesis_hash)
            return recorded
        strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in _HARMLESS)
        if strangers:
            raise StoreForeign("store-foreign", path=str(path), found=strangers[0])
        chosen = backend
        if chosen == "auto":
            chosen = "plyvel" if available("plyvel") else "sqlite"
        _check_available(chosen, path)
        recorded = StoreFormat(chosen, genesis_hash or b"", joined)
        write_file(files, format_path, recorded.encode())
    except OSError as error:
        raise from_os_error(error, "open", path) from error
    return recorded


def _check(recorded: StoreFormat, path: Path, backend: Backend, genesis_hash: bytes | None) -> None:
    if genesis_hash is not None and recorded.genesis_hash != genesis_hash:
        raise StoreForeign(
            "store-other-genesis", path=str(path), recorded=recorded.genesis_hash.hex(), expected=genesis_hash.hex()
        )
    if recorded.backend not in _OPENERS:
        raise StoreForeign("store-unknown-format", path=str(path), found=recorded.backend[:64])
    if backend not in ("auto", recorded.backend):
        raise StoreForeign("store-other-backend", path=str(path), recorded=recorded.backend, expected=backend)
    _check_available(recorded.backend, path)


def _check_available(backend: str, path: Path) -> None:
    if not available(backend):
        raise StoreForeign("store-backend-missing", path=str(path), backend=backend)
