"""The vote log on disk: what this node signed, durable before it leaves.

``<directory>/votes.log`` is written ahead with zeros and appended to; forgetting is by writing it anew with what is
still needed, under another name that is then renamed. Every opening writes it anew too: so a torn end disappears, and
what was read from the system's memory, which after a failed fsync may never have reached the disk, is durable before
any of it is sent again.

The order at each step, and what a crash after it leaves:

1. new file written and synced: the old log, which is whole;
2. renamed: the old or the new one, both with every vote that still counts;
3. directory synced: the new one, one epoch ahead of the guard;
4. guard noted: both alike. No vote is signed between 1 and 4.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fazhi_ledger.errors import invariant

from .errors import (
    AmnesiaSuspected,
    GuardMissing,
    GuardPresent,
    StoreCorrupt,
    StoreForeign,
    StoreStopped,
    VoteRefused,
    from_os_error,
)
from .files import Files, Lock, OpenFile, RealFiles
from .guard import Guard, GuardState, check_names
from .limits import GUARD_EVERY_MS, MAX_VOTE_BYTES, MAX_VOTE_LOG_BYTES, PREALLOCATED_BYTES, ROTATE_BYTES
from .vote_frames import AMNESIAC, ID_BYTES, Head, Replay, encode_frame, frame_bytes, replay

LOG_FILE: Final = "votes.log"
_NEW_FILE: Final = "votes.log.new"


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class VotesFound:
    """A vote log as it lies there: the lowest height that may be signed, votes kept, whether it must not sign yet."""

    floor: int
    votes: int
    amnesiac: bool


class DiskVoteLog:
    """A :class:`~fazhi_node.storage.port.VoteLog` in ``directory``, guarded by the file ``guard_path`` beside the key.

    ``owner`` is 32 bytes that name the chain and the signing key. Opening takes the lock ``<guard_path>.lock``: two
    nodes with one key would be one validator that signs twice.

    Raises:
        GuardMissing: no guard: refuse to start.
        AmnesiaSuspected: the log is not the newest that was; see :meth:`start_amnesiac`.
        StoreForeign: ``votes-other-owner``.
        StoreCorrupt: a vote that counted can no longer be read.
        StorageError: locked, or the disk fails.
    """

    def __init__(
        self,
        directory: Path,
        guard_path: Path,
        owner: bytes,
        *,
        files: Files | None = None,
        preallocated: int = PREALLOCATED_BYTES,
        rotate_after: int = ROTATE_BYTES,
        guard_every_ms: int = GUARD_EVERY_MS,
        monotonic_ms: Callable[[], int] = _monotonic_ms,
    ) -> None:
        self._directory = directory
        self._files: Files = files if files is not None else RealFiles()
        self._preallocated = preallocated
        self._rotate_after = rotate_after
        self._guard_every_ms = guard_every_ms
        self._monotonic_ms = monotonic_ms
        self._noted_ms = 0
        self._stopped = False
        self._file: OpenFile | None = None
        self._guard: Guard | None = None
        self._head = Head(bytes(ID_BYTES), owner, 0, 0, AMNESIAC)
        self._floor = 0
        self._records: list[tuple[int, bytes]] = []
        self._sequence = 0
        self._end = self._allocated = self._forgotten = 0
        self.torn_bytes = 0
        """Bytes of a write cut short that the opening left out; for the log of the node."""
        self._lock = _lock_guard(self._files, guard_path)
        try:
            self._open(guard_path, owner)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls, directory: Path, guard_path: Path, owner: bytes, *, fresh: bool, files: Files | None = None
    ) -> None:
        """Create log and guard; durable when it returns.

        ``fresh`` says that the key has never signed: a new key, or a validator of a chain that begins. Otherwise the
        log starts amnesiac.

        Raises:
            GuardPresent: there is a guard, or a log, under which votes may have been signed.
            StorageError: the disk fails.
        """
        used: Files = files if files is not None else RealFiles()
        lock = _lock_guard(used, guard_path)
        try:
            if used.exists(guard_path):
                guard = Guard(used, guard_path)
                guard.close()
                if guard.state.epoch > 0:
                    raise GuardPresent("guard-present", path=str(guard_path))
            elif used.exists(directory / LOG_FILE) and _read_log(used, directory / LOG_FILE).head.epoch > 0:
                raise GuardPresent("vote-log-present", path=str(directory / LOG_FILE))
            _create(used, directory, guard_path, owner, 1 if fresh else AMNESIAC, 0)
        finally:
            lock.release()

    @classmethod
    def start_amnesiac(cls, directory: Path, guard_path: Path, owner: bytes, *, files: Files | None = None) -> None:
        """Replace a log that :class:`AmnesiaSuspected` or ``vote-log-corrupt`` convicted by an empty, amnesiac one.

        The old file, where there is one, is kept under its name with ``.convicted``. The guard must exist; its floor
        still holds."""
        cls._replace(directory, guard_path, owner, files, guard_needed=True)

    @classmethod
    def renew(cls, directory: Path, guard_path: Path, owner: bytes, *, files: Files | None = None) -> None:
        """The same where the guard is lost or damaged, on an operator's word that nobody else signs with the key."""
        cls._replace(directory, guard_path, owner, files, guard_needed=False)

    @classmethod
    def _replace(
        cls, directory: Path, guard_path: Path, owner: bytes, files: Files | None, *, guard_needed: bool
    ) -> None:
        used: Files = files if files is not None else RealFiles()
        lock = _lock_guard(used, guard_path)
        try:
            floor = 0
            try:
                guard = Guard(used, guard_path)
                guard.close()
                _check_owner(guard.state.owner, owner, guard_path)
                floor = guard.state.floor
            except (GuardMissing, StoreCorrupt):
                if guard_needed:
                    raise
            if used.exists(directory / LOG_FILE):
                used.rename(directory / LOG_FILE, directory / (LOG_FILE + ".convicted"))
                used.sync_directory(directory)
            _create(used, directory, guard_path, owner, AMNESIAC, floor)
        except OSError as error:
            raise from_os_error(error, "create", directory) from error
        finally:
            lock.release()

    @classmethod
    def inspect(cls, directory: Path, guard_path: Path, *, files: Files | None = None) -> VotesFound:
        """What an opening would find, changing nothing; raises what it would raise."""
        used: Files = files if files is not None else RealFiles()
        lock = _lock_guard(used, guard_path)
        try:
            guard = Guard(used, guard_path)
            guard.close()
            found = _read_guarded(used, directory / LOG_FILE, guard.state)
            amnesiac = found.head.floor == AMNESIAC
            return VotesFound(_floor_of(found, guard.state), len(found.frames), amnesiac)
        finally:
            lock.release()

    @property
    def floor(self) -> int:
        return self._floor

    @property
    def amnesiac(self) -> bool:
        return self._head.floor == AMNESIAC

    @property
    def epoch(self) -> int:
        """Counts openings and rotations."""
        return self._head.epoch

    def append(self, record: bytes, height: int) -> None:
        self._check_running()
        if self.amnesiac:
            raise VoteRefused("vote-while-amnesiac", height=height)
        if height < self._floor:
            raise VoteRefused("vote-below-floor", height=height, floor=self._floor)
        length = frame_bytes(len(record))
        if len(record) > MAX_VOTE_BYTES:
            raise VoteRefused("vote-too-large", height=height, bytes=len(record))
        if self._end + length > MAX_VOTE_LOG_BYTES:
            raise VoteRefused("vote-log-full", height=height, bytes=self._end)
        frame = encode_frame(self._head, self._end, height, self._floor, self._sequence, record)
        if self._end + length > self._allocated:
            # Zeros for the next ones go with it, so that there is still one sync.
            frame = frame.ljust(length + self._preallocated, b"\0")
            self._allocated = self._end + len(frame)
        with self._stopping("vote"):
            self._log_file.write(self._end, frame)
            self._log_file.sync_data()
        self._end += length
        self._sequence += 1
        self._records.append((height, bytes(record)))

    def records(self) -> tuple[tuple[int, bytes], ...]:
        return tuple(self._records)

    def truncate_below(self, height: int) -> None:
        self._check_running()
        if height > self._floor:
            self._floor = height
        kept = [entry for entry in self._records if entry[0] >= self._floor]
        self._forgotten += sum(frame_bytes(len(record)) for _, record in self._records)
        self._forgotten -= sum(frame_bytes(len(record)) for _, record in kept)
        self._records = kept
        with self._stopping("truncate"):
            if self._forgotten > self._rotate_after:
                self._rotate(AMNESIAC if self.amnesiac else self._floor)
            elif self._monotonic_ms() - self._noted_ms >= self._guard_every_ms:
                self._note_guard()

    def begin_amnesia(self) -> None:
        self._check_running()
        if self.amnesiac:
            return
        self._records = []
        with self._stopping("truncate"):
            self._rotate(AMNESIAC)

    def end_amnesia(self, first_height: int) -> None:
        self._check_running()
        invariant(self.amnesiac, "amnesia ends once")
        self._floor = max(self._floor, first_height)
        self._records = [entry for entry in self._records if entry[0] >= self._floor]
        with self._stopping("truncate"):
            self._rotate(self._floor)

    def close(self) -> None:
        try:
            if not self._stopped and self._file is not None:
                with self._stopping("close"):
                    self._note_guard()
        finally:
            self._stopped = True
            for opened in (self._file, self._guard):
                if opened is not None:
                    opened.close()
            self._file = self._guard = None
            self._lock.release()

    # Opening

    def _open(self, guard_path: Path, owner: bytes) -> None:
        self._guard = Guard(self._files, guard_path)
        known = self._guard.state
        _check_owner(known.owner, owner, guard_path)
        found = _read_guarded(self._files, self._directory / LOG_FILE, known)
        self.torn_bytes = found.torn_bytes
        self._head = found.head
        self._sequence = found.head.first_sequence + len(found.frames)
        amnesiac = found.head.floor == AMNESIAC
        self._floor = _floor_of(found, known)
        self._records = [(frame.height, frame.record) for frame in found.frames if frame.height >= self._floor]
        with self._stopping("open"):
            # What was read may only be in the system's memory, where a sync failed. So the guard is made durable before
            # the log gets ahead of it; and a log that was ahead already (a crash, or a failed sync, between a rotation
            # and its note: nothing was signed under that epoch) is written anew under that epoch, not noted as it is.
            self._guard.note(known)
            self._head = replace(self._head, epoch=known.epoch)
            self._rotate(AMNESIAC if amnesiac else self._floor)

    def _rotate(self, head_floor: int) -> None:
        """Write the log anew with the records that still count, and say so to the guard."""
        first = self._sequence - len(self._records)
        head = replace(self._head, epoch=self._head.epoch + 1, first_sequence=first, floor=head_floor)
        data = bytearray(head.encode())
        for number, (height, record) in enumerate(self._records):
            data += encode_frame(head, len(data), height, self._floor, first + number, record)
        end = len(data)
        data += bytes(max(0, self._preallocated - end))
        new = self._directory / _NEW_FILE
        file = self._files.create(new)
        old, self._file = self._file, file
        if old is not None:
            old.close()
        file.write(0, bytes(data))
        file.sync()
        self._files.rename(new, self._directory / LOG_FILE)
        self._files.sync_directory(self._directory)
        self._head = head
        self._end = end
        self._allocated = len(data)
        self._forgotten = 0
        self._note_guard()

    def _note_guard(self) -> None:
        guard = self._guard
        if guard is None:
            raise StoreStopped("store-stopped", path=str(self._directory))
        state = replace(guard.state, epoch=self._head.epoch, sequence=self._sequence, floor=self._floor)
        if state != guard.state:
            guard.note(state)
        self._noted_ms = self._monotonic_ms()

    # Failing

    @property
    def _log_file(self) -> OpenFile:
        if self._file is None:
            raise StoreStopped("store-stopped", path=str(self._directory))
        return self._file

    def _check_running(self) -> None:
        if self._stopped:
            raise StoreStopped("store-stopped", path=str(self._directory))

    def _stopping(self, what: str) -> _Stopping:
        return _Stopping(self._stop, what, self._directory)

    def _stop(self) -> None:
        self._stopped = True


class _Stopping:
    """Any error inside stops the log for good: after a failed write or fsync nobody knows what the disk holds
    (fsyncgate)."""

    def __init__(self, stop: Callable[[], None], what: str, path: Path) -> None:
        self._stop = stop
        self._what = what
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        self._stop()
        if isinstance(error, OSError):
            raise from_os_error(error, self._what, self._path) from error


def _lock_guard(files: Files, guard_path: Path) -> Lock:
    try:
        files.make_directory(guard_path.parent)
    except OSError as error:
        raise from_os_error(error, "create", guard_path.parent) from error
    return files.lock(guard_path.with_name(guard_path.name + ".lock"))


def _create(files: Files, directory: Path, guard_path: Path, owner: bytes, head_floor: int, guard_floor: int) -> None:
    """The guard first: a crash in between leaves one of epoch 0, under which no vote can have been signed."""
    log_id = secrets.token_bytes(ID_BYTES)
    check_names(log_id, owner)
    head = Head(log_id, owner, 0, 0, head_floor)
    try:
        Guard.create(files, guard_path, GuardState(log_id, owner, 0, 0, guard_floor))
        files.make_directory(directory)
        file = files.create(directory / _NEW_FILE)
        try:
            file.write(0, head.encode())
            file.sync()
        finally:
            file.close()
        files.rename(directory / _NEW_FILE, directory / LOG_FILE)
        files.sync_directory(directory)
    except OSError as error:
        raise from_os_error(error, "create", directory) from error


def _read_log(files: Files, path: Path) -> Replay:
    try:
        file = files.open(path)
        try:
            data = file.read(0, file.size())
        finally:
            file.close()
    except OSError as error:
        raise from_os_error(error, "read", path) from error
    return replay(data, str(path))


def _read_guarded(files: Files, path: Path, known: GuardState) -> Replay:
    """The log that the guard knows. Raises AmnesiaSuspected, StoreCorrupt, StoreForeign."""
    if not files.exists(path):
        raise AmnesiaSuspected("vote-log-missing", path=str(path))
    found = _read_log(files, path)
    _check_owner(found.head.owner, known.owner, path)
    _compare(found, known, path)
    return found


def _floor_of(found: Replay, known: GuardState) -> int:
    """The highest of what the guard, the head and the last frame call decided."""
    floors = [frame.floor for frame in found.frames[-1:]]
    return max(known.floor, *floors, 0 if found.head.floor == AMNESIAC else found.head.floor)


def _check_owner(found: bytes, owner: bytes, path: Path) -> None:
    if found != owner:
        raise StoreForeign("votes-other-owner", path=str(path))


def _compare(found: Replay, known: GuardState, path: Path) -> None:
    """Raise AmnesiaSuspected unless the log is the one that the guard knows, and not behind it."""
    sequence = found.head.first_sequence + len(found.frames)
    code = None
    if found.head.log_id != known.log_id:
        code = "vote-log-other"
    elif found.head.epoch < known.epoch or sequence < known.sequence:
        code = "vote-log-rolled-back"
    elif found.head.epoch > known.epoch + 1:
        code = "guard-rolled-back"
    if code is not None:
        raise AmnesiaSuspected(
            code,
            path=str(path),
            log_epoch=found.head.epoch,
            guard_epoch=known.epoch,
            log_votes=sequence,
            guard_votes=known.sequence,
        )
