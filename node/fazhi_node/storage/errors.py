"""Errors of the storage: all of them are our own affair, never a peer's or a client's. Whoever meets one stops the node
and signs nothing.

Codes and parameters only; the sentences for people stand in :mod:`fazhi_node.storage.messages`.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from fazhi_ledger.errors import FazhiError

FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system answers where there is no room left (EFBIG: the process's own limit on file sizes)."""


class StorageError(FazhiError):
    """Base: the disk, or what lies on it, cannot be relied on."""


class DiskFull(StorageError):
    """``disk-full``: nothing of the refused write is kept, everything acknowledged before is."""


class DiskFailed(StorageError):
    """``disk-failed``: the system reported an error. Never retried: after a failed fsync a second one may lie
    (fsyncgate)."""


class StoreStopped(StorageError):
    """``store-stopped``: an earlier write failed or the store was closed; nothing more is written."""


class StoreLocked(StorageError):
    """``store-locked``: another process, or another part of this one, holds the directory."""


class StoreForeign(StorageError):
    """The directory is not this node's: ``store-foreign``, ``store-missing``, ``store-other-genesis``,
    ``store-other-backend``, ``store-unknown-format``, ``store-backend-missing``, ``votes-other-owner``."""


class StoreCorrupt(StorageError):
    """``store-corrupt``, ``vote-log-corrupt`` or ``guard-corrupt``: bytes are not those that were written;
    ``what`` and, where known, ``height`` say which."""


class GuardMissing(StorageError):
    """``guard-missing``: without the guard nobody can tell whether this vote log is the newest. The node must not
    start."""


class GuardPresent(StorageError):
    """``guard-present``, ``vote-log-present``: votes may have been signed under it; a vote log is not created twice."""


class VoteRefused(StorageError):
    """A vote that must not be signed: ``vote-below-floor``, ``vote-while-amnesiac``, ``vote-too-large``,
    ``vote-log-full``."""


class AmnesiaSuspected(StorageError):
    """The vote log is not the one that the guard knows: ``vote-log-missing``, ``vote-log-other``,
    ``vote-log-rolled-back`` or ``guard-rolled-back``. This node may have signed what it no longer knows, so it must not
    sign until others vouch for a height."""


def from_os_error(error: OSError, what: str, path: Path | str) -> StorageError:
    """The storage error that an ``OSError`` amounts to; ``what`` names the operation."""
    if error.errno in FULL_ERRNOS:
        return DiskFull("disk-full", path=str(path), what=what)
    name = errno.errorcode.get(error.errno or 0, "EUNKNOWN")
    return DiskFailed("disk-failed", path=str(path), what=what, error=name)


def from_text(text: str, what: str, path: Path | str) -> StorageError:
    """The same, where a library hands on only the system's sentence."""
    if any(os.strerror(number) in text for number in FULL_ERRNOS):
        return DiskFull("disk-full", path=str(path), what=what)
    return DiskFailed("disk-failed", path=str(path), what=what, error=text[:200])
