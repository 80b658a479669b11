"""A store as of one moment: what a back end can hold still, behind a mutex, so that it may be closed under its readers.

Whoever streams a snapshot reads on threads of its own and at the pace of a client. The store may be closed meanwhile:
its views are closed first, between two steps of theirs, and no library is asked about a database that is gone."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterator, Mapping
from weakref import WeakSet

from .errors import StoreStopped
from .limits import SCAN_BYTES, SCAN_ROWS
from .port import Batch, KeyValue

Scan = Callable[[bytes, bytes, bool], Iterator[tuple[bytes, bytes]]]


def next_pairs(pairs: Iterator[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A few of them: of many that are small, or one that is large, for a hundred may be blocks of 16 MiB."""
    found: list[tuple[bytes, bytes]] = []
    size = 0
    for pair in pairs:
        found.append(pair)
        size += len(pair[1])
        if size >= SCAN_BYTES or len(found) == SCAN_ROWS:
            break
    return found


class StoreView:
    """A :class:`~fazhi_node.storage.port.KeyValue` to read from. ``end`` gives up what holds the moment still."""

    def __init__(
        self,
        path: str,
        get: Callable[[bytes], bytes | None],
        scan: Scan,
        end: Callable[[], None],
        *,
        without_checksums: bool = False,
    ) -> None:
        self.without_checksums = without_checksums
        self._path = path
        self._get = get
        self._scan = scan
        self._end = end
        self._closed = False
        self._mutex = threading.Lock()

    def get(self, key: bytes) -> bytes | None:
        with self._mutex:
            self._check_open()
            return self._get(key)

    def scan(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        with self._mutex:
            self._check_open()
            return self._steps(self._scan(start, stop, reverse))

    def _steps(self, pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        while True:
            with self._mutex:
                self._check_open()
                some = next_pairs(pairs)
            if not some:
                return
            yield from some

    def view(self) -> KeyValue:
        raise self._stopped()

    def write(self, batch: Batch, sync: bool = True) -> None:  # noqa: ARG002 - the port's signature
        raise self._stopped()

    def close(self) -> None:
        with self._mutex:
            if not self._closed:
                self._closed = True
                self._end()

    def _check_open(self) -> None:
        if self._closed:
            raise self._stopped()

    def _stopped(self) -> StoreStopped:
        return StoreStopped("store-stopped", path=self._path)


def view_of(path: str, values: Mapping[bytes, bytes]) -> StoreView:
    """The view of a store in memory: a copy."""
    kept = dict(values)
    keys = sorted(kept)

    def scan(start: bytes, stop: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        chosen = keys[bisect.bisect_left(keys, start) : bisect.bisect_left(keys, stop)]
        return iter([(key, kept[key]) for key in (chosen[::-1] if reverse else chosen)])

    return StoreView(path, kept.get, scan, lambda: None)


class Views:
    """The views of one store that are open."""

    def __init__(self) -> None:
        self._open: WeakSet[StoreView] = WeakSet()
        self._mutex = threading.Lock()

    def add(self, view: StoreView) -> StoreView:
        """Close it with the store."""
        with self._mutex:
            self._open.add(view)
        return view

    def close(self) -> None:
        """Close all of them."""
        with self._mutex:
            still = list(self._open)
        for view in still:
            view.close()
