"""Rules of durability broken: what must be on the disk, in which order, and what is believed of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fazhi_node.storage import vote_frames, vote_log
from fazhi_node.storage.chain_store import ChainStore
from fazhi_node.storage.vote_frames import Frame, Head
from fazhi_node.storage.vote_log import DiskVoteLog


class _Unsynced:
    """An open file, or the files of a disk, whose ``silent`` calls do nothing."""

    def __init__(self, real: Any, *silent: str) -> None:
        self._real = real
        self._silent = silent

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: None) if name in self._silent else getattr(self._real, name)


@contextmanager
def vote_not_synced() -> Iterator[None]:
    """A vote is written to the log and not synced."""
    found: Any = vars(DiskVoteLog)["_log_file"].fget
    with patch.object(DiskVoteLog, "_log_file", property(lambda self: _Unsynced(found(self), "sync_data"))):
        yield


@contextmanager
def _with_files(wrap: Any) -> Iterator[None]:
    original = DiskVoteLog.__init__

    def init(self: DiskVoteLog, *args: Any, files: Any = None, **named: Any) -> None:
        original(self, *args, files=wrap(files), **named)

    with patch.object(DiskVoteLog, "__init__", init):
        yield


@contextmanager
def directory_not_synced() -> Iterator[None]:
    """The log's new name is not synced with its directory (cometbft#6031)."""
    with _with_files(lambda files: _Unsynced(files, "sync_directory")):
        yield


@contextmanager
def renamed_before_synced() -> Iterator[None]:
    """The log that was written anew takes the old one's name before it is on the disk."""

    class Files(_Unsynced):
        def create(self, path: Path) -> Any:
            return _Unsynced(self._real.create(path), "sync")

    with _with_files(Files):
        yield


@contextmanager
def guard_before_log() -> Iterator[None]:
    """The guard is told of the new log before there is one."""
    original = DiskVoteLog._rotate

    def hasty(self: DiskVoteLog, head_floor: int) -> None:
        if self._guard is not None:
            self._guard.note(replace(self._guard.state, epoch=self._head.epoch + 1))
        original(self, head_floor)

    with patch.object(DiskVoteLog, "_rotate", hasty):
        yield


@contextmanager
def guard_ignored() -> Iterator[None]:
    """Whatever log is found is taken for the newest."""
    with patch.object(vote_log, "_compare", lambda *_: None):
        yield


@contextmanager
def guard_not_noted() -> Iterator[None]:
    """The guard counts openings but not votes."""
    original = DiskVoteLog._note_guard

    def forgetful(self: DiskVoteLog) -> None:
        sequence, self._sequence = self._sequence, 0 if self._guard is None else self._guard.state.sequence
        try:
            original(self)
        finally:
            self._sequence = sequence

    with patch.object(DiskVoteLog, "_note_guard", forgetful):
        yield


@contextmanager
def torn_vote_accepted() -> Iterator[None]:
    """A vote is read back by its length alone, whatever its checksum says."""

    def loose(head: Head, data: bytes, offset: int) -> Frame | None:
        header = vote_frames._read_header(head, data, offset)
        if header is None:
            return None
        length, height, floor, sequence, _ = header
        start = offset + vote_frames._FRAME_BYTES
        return Frame(height, floor, sequence, data[start : start + length], offset + vote_frames.frame_bytes(length))

    with patch.object(vote_frames, "_read_frame", loose):
        yield


@contextmanager
def errors_swallowed() -> Iterator[None]:
    """An error of the disk is logged and work goes on (fsyncgate)."""
    original = vote_log._Stopping.__exit__

    def calm(self: Any, kind: Any, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, OSError):
            return True
        original(self, kind, error, trace)
        return False

    with patch.object(vote_log._Stopping, "__exit__", calm):
        yield


@contextmanager
def results_not_stored() -> Iterator[None]:
    """Of what a block changes in the state the last entry is not written, where there are several."""
    entries = ChainStore._state_entries

    def partly(changes: Any, pages: Any) -> Any:
        return entries(dict(list(changes.items())[:-1] if len(changes) > 1 else changes), pages)

    with patch.object(ChainStore, "_state_entries", staticmethod(partly)):
        yield


class _Lazy(_Unsynced):
    def write(self, batch: Any, sync: bool = True) -> None:
        self._real.write(batch, sync=False)


@contextmanager
def decision_not_synced() -> Iterator[None]:
    """A decided block is written and not synced, and its votes are forgotten."""
    original = ChainStore.commit

    def lazy(self: ChainStore, *args: Any) -> None:
        store = self._store
        self._store = _Lazy(store)
        try:
            original(self, *args)
        finally:
            self._store = store

    with patch.object(ChainStore, "commit", lazy):
        yield
