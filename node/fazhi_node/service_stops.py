"""What an error of the floors below means for the process."""

from __future__ import annotations

from fazhi_ledger.errors import FazhiError

from .exits import Exit, Stop
from .notices import OwnFault
from .storage.errors import DiskFailed, DiskFull, StorageError, StoreCorrupt, StoreLocked, StoreStopped


def stop_of(error: BaseException) -> Stop:
    """The end of the node that an error means."""
    if isinstance(error, Stop):
        return error
    if isinstance(error, StoreLocked):
        return Stop(Exit.BUSY, error.code, **dict(error.parameters))
    if isinstance(error, (DiskFull, DiskFailed, StoreStopped, StoreCorrupt)):
        return Stop(Exit.STORAGE, error.code, **dict(error.parameters))
    if isinstance(error, StorageError):
        return Stop(Exit.FOREIGN_DATA, error.code, **dict(error.parameters))
    if isinstance(error, FazhiError):
        return Stop(Exit.OWN_FAULT, "own-fault", reason=str(error)[:300])
    if isinstance(error, OwnFault):
        return Stop(Exit.OWN_FAULT, "own-fault", reason=f"{error.code} {error.detail}"[:300])
    return Stop(Exit.OWN_FAULT, "own-fault", reason=f"{type(error).__name__}: {error}"[:300])
