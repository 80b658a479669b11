"""Facts that a node must not lose although they belong to no block: evidence against validators, a conviction of
amnesia.

Few and small. Each is a file of its own in one directory, written whole and durable before the call returns. What
others bring about takes a bounded part of it: a full notebook stops the node like a full disk.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Protocol

from fazhi_ledger.errors import invariant

from .storage.errors import DiskFull, from_os_error
from .storage.files import Files, RealFiles, read_file, write_file

MAX_NOTES: Final = 1000
MAX_NOTE_BYTES: Final = 64 * 1024
EVIDENCE_OF_MEMBER: Final = 8
"""Notes of evidence against one member: the first proves its guilt, and it may be guilty at every height."""
MAX_EVIDENCE: Final = MAX_NOTES // 2
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}", re.ASCII)


class Notebook(Protocol):
    """Small named values that survive everything but the disk."""

    def keep(self, name: str, data: bytes) -> None:
        """Durable when it returns; an earlier value of that name is replaced. Raises ``StorageError``."""

    def find(self, name: str) -> bytes | None:
        """The value of that name."""

    def forget(self, name: str) -> None:
        """Remove a value, durably."""

    def names(self) -> list[str]:
        """All names, sorted."""


class MemoryNotebook:
    """A notebook for tests and simulation; it outlives a node's process as a disk does."""

    def __init__(self) -> None:
        self._notes: dict[str, bytes] = {}

    def keep(self, name: str, data: bytes) -> None:
        _check(name, data)
        if name not in self._notes and len(self._notes) >= MAX_NOTES:
            raise DiskFull("disk-full", path="memory", what="notes")
        self._notes[name] = data

    def find(self, name: str) -> bytes | None:
        return self._notes.get(name)

    def forget(self, name: str) -> None:
        self._notes.pop(name, None)

    def names(self) -> list[str]:
        return sorted(self._notes)


class DirectoryNotebook:
    """A notebook in a directory of the node's data."""

    def __init__(self, directory: Path, files: Files | None = None) -> None:
        """Creates the directory where there is none. Raises ``StorageError``."""
        self._directory = directory
        self._files: Files = files if files is not None else RealFiles()
        try:
            self._files.make_directory(directory)
        except OSError as error:
            raise from_os_error(error, "create", directory) from error

    def keep(self, name: str, data: bytes) -> None:
        _check(name, data)
        path = self._directory / name
        try:
            if not self._files.exists(path) and len(self.names()) >= MAX_NOTES:
                raise DiskFull("disk-full", path=str(self._directory), what="notes")
            write_file(self._files, path, data)
        except OSError as error:
            raise from_os_error(error, "write", path) from error

    def find(self, name: str) -> bytes | None:
        _check(name, b"")
        path = self._directory / name
        try:
            return read_file(self._files, path, MAX_NOTE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, "read", path) from error

    def forget(self, name: str) -> None:
        _check(name, b"")
        path = self._directory / name
        try:
            path.unlink(missing_ok=True)
            self._files.sync_directory(self._directory)
        except OSError as error:
            raise from_os_error(error, "remove", path) from error

    def names(self) -> list[str]:
        try:
            found = [path.name for path in self._directory.iterdir()]
        except OSError as error:
            raise from_os_error(error, "list", self._directory) from error
        return sorted(name for name in found if _NAME.fullmatch(name) and not name.endswith(".new"))


def keep_evidence(notebook: Notebook, org: str, height: int, data: bytes) -> str:
    """Keep evidence against a member; the note's name, empty where enough is kept already."""
    kept = [name for name in notebook.names() if name.startswith("evidence-")]
    if len(kept) >= MAX_EVIDENCE or sum(name.split("-", 2)[2] == org for name in kept) >= EVIDENCE_OF_MEMBER:
        return ""
    note = f"evidence-{height}-{org}"
    notebook.keep(note, data)
    return note


def _check(name: str, data: bytes) -> None:
    invariant(_NAME.fullmatch(name) is not None and not name.endswith(".new"), "a note has a plain name")
    invariant(len(data) <= MAX_NOTE_BYTES, "a note is small")
