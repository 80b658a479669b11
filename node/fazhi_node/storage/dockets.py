"""The docket index: which case stands under which serial of a series, so that a node can list the cases of an
organisation, a procedure and a year without going through the state.

Nothing is proven by it. Whoever is told a list holds each head against the state root, and their number against the
series' counter there. It is written with each block, costs some microseconds for each case that the block opens, and is
made anew out of the state where it does not reach the tip: in a store of a release that had none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol, TypeVar

from fazhi_contracts.chain import ExecutedBlock
from fazhi_contracts.head import CaseHead, around_serial
from fazhi_contracts.keys import case_state_key
from fazhi_ledger.canonical import pack
from fazhi_ledger.suites import DIGEST_BYTES

from . import chain_layout as layout
from .port import Batch, KeyValue

T = TypeVar("T")
Series = tuple[str, str, int]
"""Organisation, procedure, year of recording in the chain's offset."""

REBUILD_CASES: Final = 8192
"""Entries that are written together while the index is made anew."""

_CASES: Final = case_state_key(bytes(DIGEST_BYTES))[:-DIGEST_BYTES]


class Scanned(Protocol):
    """What can be gone through in the order of keys."""

    def scan(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]: ...


def docket_entries(executed: ExecutedBlock) -> list[tuple[bytes, bytes]]:
    """Keys and values of the cases that a block opened."""
    opened = [run.case_id for outcome in executed.outcomes for run in outcome.result_runs if run.first == 1]
    if not opened:
        return []
    changes = executed.changes
    return list(_entries((case_id, changes[_CASES + case_id] or b"") for case_id in opened))


def _entries(heads: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Of ids and heads in the order of their serials in each series."""
    runs: dict[tuple[bytes, bytes], tuple[Series, int, list[bytes]]] = {}  # the newest of each series
    before = after = b""
    ids: list[bytes] = []
    following = 0
    for case_id, data in heads:
        if not (ids and data.startswith(before + pack(following) + after)):
            head = CaseHead.decode(data)
            before, after = around = around_serial(head)
            series, first, ids = runs.get(around, (None, 0, []))
            following = first + len(ids)
            if series is None or following != head.serial:
                if series is not None:
                    yield _run_key(series, first), b"".join(ids)
                following, ids = head.serial, []
                runs[around] = (head.org, head.procedure, head.year), head.serial, ids
        ids.append(case_id)
        following += 1
    for series, first, ids in runs.values():
        yield _run_key(series, first), b"".join(ids)


def _run_key(series: Series, first: int) -> bytes:
    return layout.DOCKET + pack(series) + layout.write_number(first)


def docket_entry(case_id: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Key and value of one case by itself."""
    head = CaseHead.decode(data)
    return _run_key((head.org, head.procedure, head.year), head.serial), case_id


def is_case(state_key: bytes) -> bool:
    """Whether a key of the state is that of a case's head; its last 32 bytes are the case's id."""
    return state_key.startswith(_CASES)


def up_to(height: int) -> tuple[bytes, bytes]:
    """The pair to store that says up to where the index is complete."""
    return layout.frame(layout.DOCKET_KEY, layout.write_number(height))


def listed(store: Scanned, series: Series, first: int, limit: int) -> tuple[tuple[int, bytes], ...]:
    """Serials and ids of the cases of a series, from serial ``first`` on, at most ``limit``."""
    found: list[tuple[int, bytes]] = []
    start = _run_key(series, first)
    for key, framed in store.scan(_run_key(series, 0), _run_key(series, first + 1), reverse=True):
        start, _ = key, framed  # the run that began before may reach as far
        break
    for key, framed in store.scan(start, _run_key(series, layout.MAX_NUMBER)):
        begin, ids = layout.read_number(key[-8:]), layout.unframe(key, framed)
        for place in range(max(first - begin, 0), len(ids) // DIGEST_BYTES):
            if len(found) == limit:
                return tuple(found)
            found.append((begin + place, ids[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]))
    return tuple(found)


def make_anew(store: KeyValue, height: int) -> None:
    """Make the whole index out of the state of the chain at its tip. Interrupted, it is begun again: what says that it
    is complete is written last."""
    for keys in _in_batches(key for key, _ in store.scan(layout.DOCKET, bytes((layout.DOCKET[0] + 1,)))):
        store.write([(key, None) for key in keys])
    heads = store.scan(layout.STATE + _CASES, layout.STATE + _CASES + b"\xff" * (DIGEST_BYTES + 1))
    for pairs in _in_batches(heads):
        batch: Batch = [
            layout.frame(*docket_entry(key[-DIGEST_BYTES:], layout.unframe(key, framed))) for key, framed in pairs
        ]
        store.write(batch)
    store.write([up_to(height)])


def _in_batches(found: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(found)
    while batch := list(islice(rest, REBUILD_CASES)):
        yield batch
