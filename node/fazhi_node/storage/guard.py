"""The guard: a small file beside the signing key that knows which vote log is the newest.

A validator that forgets what it signed can be made to sign twice. The vote log lies with the data, which people back up
and restore; the key does not travel with it, so neither does the guard. It names the log and counts: the epoch rises at
every opening and rotation of the log, the sequence is the number of votes ever signed, noted at decided heights, about
once a second. A log that is behind either was restored from an older copy.

Two slots are written in turn, each on a disk page of its own, so that a torn write leaves the other.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import GuardMissing, StoreCorrupt, from_os_error
from .files import Files, OpenFile, write_file
from .vote_frames import ID_BYTES, OWNER_BYTES

_SLOT_BYTES: Final = 4096
_MAGIC: Final = b"FZGUARD1"
_SLOT: Final = struct.Struct(">8s16s32sQQQQ")
_CRC: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class GuardState:
    """``log_id`` and ``owner`` (the hash of chain and key) name; ``epoch``, ``sequence`` and ``floor`` only rise.

    Epoch 0 means that the log is only being created: no vote was signed under it.
    """

    log_id: bytes
    owner: bytes
    epoch: int
    sequence: int
    floor: int

    def encode(self, revision: int) -> bytes:
        """One slot. ``revision`` counts the writes and so tells the newer slot."""
        body = _SLOT.pack(_MAGIC, self.log_id, self.owner, revision, self.epoch, self.sequence, self.floor)
        return (body + _CRC.pack(zlib.crc32(body))).ljust(_SLOT_BYTES, b"\0")


def _decode(data: bytes) -> tuple[int, GuardState] | None:
    if len(data) != _SLOT_BYTES:
        return None
    _, log_id, owner, revision, epoch, sequence, floor = _SLOT.unpack_from(data)
    state = GuardState(log_id, owner, epoch, sequence, floor)
    return (revision, state) if data == state.encode(revision) else None


class Guard:
    """The guard file at ``path``, open for life.

    Raises:
        GuardMissing: ``guard-missing``.
        StoreCorrupt: ``guard-corrupt``, neither slot can be read.
    """

    def __init__(self, files: Files, path: Path) -> None:
        self._path = path
        try:
            self._file: OpenFile = files.open(path)
            data = self._file.read(0, 2 * _SLOT_BYTES)
        except FileNotFoundError:
            raise GuardMissing("guard-missing", path=str(path)) from None
        except OSError as error:
            raise from_os_error(error, "read", path) from error
        slots = [slot for slot in (_decode(data[:_SLOT_BYTES]), _decode(data[_SLOT_BYTES:])) if slot is not None]
        if not slots:
            self._file.close()
            raise StoreCorrupt("guard-corrupt", path=str(path))
        self._revision, self.state = max(slots, key=lambda slot: slot[0])

    @staticmethod
    def create(files: Files, path: Path, state: GuardState) -> None:
        """Write a guard anew, over one that was there; durable when it returns. Raises ``OSError``."""
        files.make_directory(path.parent)
        write_file(files, path, state.encode(0) + state.encode(1))

    def note(self, state: GuardState) -> None:
        """Replace the state; durable when it returns (one write, one fdatasync). Raises ``OSError``."""
        revision = self._revision + 1
        self._file.write(revision % 2 * _SLOT_BYTES, state.encode(revision))
        self._file.sync_data()
        self._revision = revision
        self.state = state

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_names(log_id: bytes, owner: bytes) -> None:
    """Raise ValueError unless both have their lengths."""
    if len(log_id) != ID_BYTES or len(owner) != OWNER_BYTES:
        raise ValueError(f"a log id has {ID_BYTES} bytes, an owner {OWNER_BYTES}")
