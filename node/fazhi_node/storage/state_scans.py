"""What stands in the state under keys of one kind, read in the order of keys: for lists that execution never asks for.

Nothing of it is proven: whoever is told asks for the entries that matter, with their proofs.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from fazhi_contracts.keys import proposal_key, serial_key
from fazhi_ledger.canonical import decode, pack
from fazhi_ledger.shape import as_int, as_text, as_tuple
from fazhi_ledger.suites import DIGEST_BYTES

from . import chain_layout as layout
from .dockets import Scanned, Series

_COUNTERS: Final = serial_key("", "", 0)[: len(pack("serial")) + 1]
_PROPOSALS: Final = proposal_key(bytes(DIGEST_BYTES))[:-DIGEST_BYTES]


def all_series(store: Scanned, after: Series | None, limit: int) -> tuple[Series, ...]:
    """The series of which the state holds a counter, behind ``after`` in the order of their keys, at most ``limit``."""
    start = layout.STATE + (_COUNTERS if after is None else serial_key(*after) + b"\0")
    stop = layout.STATE + _COUNTERS + b"\xff"
    return tuple(_series_of(key[1:]) for key, _ in islice(store.scan(start, stop), limit))


def _series_of(state_key: bytes) -> Series:
    _, org, procedure, year = as_tuple(decode(state_key), "serial key", length=4)
    return as_text(org, "org"), as_text(procedure, "procedure"), as_int(year, "year")


def all_proposals(store: Scanned, after: bytes, limit: int) -> tuple[bytes, ...]:
    """Ids of the proposals in the state, decided and expired ones included, behind ``after``, at most ``limit``."""
    start, stop = layout.STATE + proposal_key(after) + b"\0" if after else b"", layout.STATE + _PROPOSALS + b"\xff" * 33
    found = store.scan(start or layout.STATE + _PROPOSALS, stop)
    return tuple(key[-DIGEST_BYTES:] for key, _ in islice(found, limit))
