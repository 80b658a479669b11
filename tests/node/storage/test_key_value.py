"""The contract of the key-value port, held against every back end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import pytest
from fazhi_node.storage.errors import StoreLocked, StoreStopped
from fazhi_node.storage.port import KeyValue
from fazhi_node.storage.sqlite import SqliteStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT

from .backends import DISK_BACKENDS, Open, contents, opener


@pytest.fixture(params=[*DISK_BACKENDS, "memory"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return opener(request.param, tmp_path / "store")


@pytest.fixture
def store(open_again: Open) -> Iterator[KeyValue]:
    opened = open_again()
    yield opened
    opened.close()


def test_written_is_read_and_deleted_is_gone(store: KeyValue) -> None:
    store.write([(b"a", b"1"), (b"b", b""), (b"", b"empty key")])
    assert (store.get(b"a"), store.get(b"b"), store.get(b""), store.get(b"c")) == (b"1", b"", b"empty key", None)
    store.write([(b"a", None), (b"never", None)])
    assert store.get(b"a") is None


def test_of_a_key_that_stands_twice_the_later_value_counts(store: KeyValue) -> None:
    store.write([(b"a", b"1"), (b"b", b"1"), (b"a", None), (b"b", b"2"), (b"c", None), (b"c", b"3")])
    assert contents(store) == [(b"b", b"2"), (b"c", b"3")]


def test_keys_are_ordered_by_their_bytes(store: KeyValue) -> None:
    keys = [b"", b"\x00", b"\x00\x00", b"\x00\x01", b"a", b"a\x00", b"aa", b"b", b"\x7f", b"\x80", b"\xff", b"\xff\xff"]
    store.write([(key, b"v" + key) for key in reversed(keys)])
    ordered = sorted(keys)
    assert [key for key, _ in contents(store)] == ordered
    assert [key for key, _ in store.scan(b"", b"\xff" * 9, reverse=True)] == ordered[::-1]
    assert [key for key, _ in store.scan(b"a", b"b")] == [b"a", b"a\x00", b"aa"]  # start is in, stop is not
    assert list(store.scan(b"b", b"a")) == []


def test_a_scan_shows_the_moment_of_its_call(store: KeyValue) -> None:
    before = [(b"k%04d" % number, b"old") for number in range(1000)]
    store.write(before)
    forward = store.scan(b"", b"\xff")
    backward = store.scan(b"", b"\xff", reverse=True)
    store.write([(b"k0000", None), (b"k0001", b"new"), (b"k9999", b"new"), (b"a", b"new")])
    assert list(forward) == before
    assert list(backward) == before[::-1]
    assert len(contents(store)) == 1001


def test_a_view_shows_its_moment_until_it_or_the_store_is_closed(open_again: Open) -> None:
    store = open_again()
    before = [(b"k%04d" % number, b"old") for number in range(1000)]
    store.write(before)
    view, other = store.view(), store.view()
    begun = view.scan(b"", b"\xff")
    assert next(begun) == before[0]
    store.write([(b"k0000", None), (b"k0001", b"new"), (b"a", b"new")])
    assert (view.get(b"k0000"), view.get(b"k0001"), view.get(b"a")) == (b"old", b"old", None)
    assert contents(view) == before
    assert list(view.scan(b"k0100", b"k0200", reverse=True)) == before[199:99:-1]
    assert [before[0], *begun] == before
    assert contents(store)[0] == (b"a", b"new")
    with pytest.raises(StoreStopped):
        view.write([(b"a", b"1")])
    view.close()
    view.close()
    for act in (lambda: view.get(b"a"), lambda: list(view.scan(b"", b"\xff")), view.view):
        with pytest.raises(StoreStopped):
            act()
    store.close()
    with pytest.raises(StoreStopped):
        other.get(b"a")


def test_views_that_follow_on_one_another_do_not_let_the_log_grow(tmp_path: Path) -> None:
    """A reader of snapshots who begins the next one before the next block comes, and leaves each in the middle."""
    store = SqliteStore(tmp_path / "store")
    sizes: list[int] = []
    view = store.view()
    for number in range(8):
        for part in range(5):
            store.write([(b"%d %d" % (part, at), bytes([number]) * 20_000) for at in range(100)])
        scan = view.scan(b"", b"\xff")
        next(scan, None)
        view.close()
        view = store.view()
        sizes.append((tmp_path / "store-wal").stat().st_size)
    view.close()
    store.close()
    assert sizes[-1] <= 2 * sizes[0], sizes


def test_a_scan_may_be_left_early(open_again: Open) -> None:
    store = open_again()
    store.write([(b"%04d" % number, b"x" * 100) for number in range(1000)])
    unused = store.scan(b"", b"\xff")
    begun = store.scan(b"", b"\xff")
    assert next(begun)[0] == b"0000"
    del unused
    store.close()
    with pytest.raises(StoreStopped):
        list(begun)
    store = open_again()
    assert len(contents(store)) == 1000
    store.close()


class Breaking(Sequence[tuple[bytes, bytes | None]]):
    """A batch whose body raises after some entries."""

    def __init__(self, entries: list[tuple[bytes, bytes | None]]) -> None:
        self.entries = entries

    @overload
    def __getitem__(self, index: int) -> tuple[bytes, bytes | None]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[bytes, bytes | None]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if index == len(self.entries):
            raise RuntimeError("the body of the batch raises")
        return self.entries[index]

    def __len__(self) -> int:
        return len(self.entries) + 1


@pytest.mark.parametrize("bad", ["raises", "text", "number", "text key"])
def test_a_batch_whose_body_raises_leaves_nothing(open_again: Open, bad: str) -> None:
    store = open_again()
    store.write([(b"before", b"1")])
    entries: list[Any] = [(b"x%d" % number, b"half") for number in range(50)] + [(b"before", None)]
    broken = {"text": (b"k", "text"), "number": (b"k", 5), "text key": ("k", b"v")}
    batch: Any = Breaking(entries) if bad == "raises" else [*entries, broken[bad]]
    with pytest.raises((RuntimeError, TypeError)):
        store.write(batch)
    assert contents(store) == [(b"before", b"1")]
    store.close()
    store = open_again()
    assert contents(store) == [(b"before", b"1")]
    store.write([(b"after", b"1")])  # a caller's mistake is no fault of the disk: the store goes on
    store.close()


def test_reopened_it_holds_what_was_written(open_again: Open) -> None:
    expected: dict[bytes, bytes] = {}
    for round_ in range(3):
        store = open_again()
        for number in range(40):
            batch = [(b"%d-%d-%d" % (round_, number, part), os.urandom(number * part)) for part in range(5)]
            store.write(batch, sync=number % 2 == 0)
            expected.update(batch)
        store.close()
    store = open_again()
    assert contents(store) == sorted(expected.items())
    store.close()


def test_large_values(store: KeyValue) -> None:
    block = os.urandom(16 * 1024 * 1024)
    store.write([(b"block", block), (b"small", b"1")])
    assert store.get(b"block") == block
    assert store.get(b"small") == b"1"


def test_a_closed_store_says_so(open_again: Open) -> None:
    store = open_again()
    store.close()
    store.close()
    for use in (lambda: store.get(b"a"), lambda: store.write([(b"a", b"1")]), lambda: list(store.scan(b"", b"z"))):
        with pytest.raises(StoreStopped):
            use()


READERS = """
import sys, threading
from pathlib import Path
from fazhi_node.storage.errors import StoreStopped
from tests.node.storage.backends import opener

open_again = opener(sys.argv[1], Path(sys.argv[2]))
store = open_again()
for start in range(0, 50_000, 5_000):
    store.write([(b"%05d" % number, bytes(100)) for number in range(start, start + 5_000)])
store.close()
for _ in range(20):
    store, begun, heard = open_again(), threading.Barrier(7), []

    def read(number):
        try:
            for at in range(10**9):
                if at == 20:
                    begun.wait()
                if number % 2:
                    store.get(b"%05d" % (at * 7919 % 50_000))
                else:
                    for _ in store.scan(b"%05d" % (at % 40_000), b"9"):
                        if at >= 20:
                            continue
                        break
        except StoreStopped:
            heard.append(number)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for reader in readers:
        reader.start()
    begun.wait()
    store.close()
    for reader in readers:
        reader.join()
    assert sorted(heard) == [*range(6)], heard
print("whole")
"""


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_who_reads_while_the_store_is_closed_hears_of_it(tmp_path: Path, backend: str) -> None:
    """A page of blocks for a client may still be under way when the node stops: LevelDB had ended the process."""
    command = [sys.executable, "-c", READERS, backend, str(tmp_path / "store")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_a_scan_holds_few_values_at_a_time(tmp_path: Path, backend: str) -> None:
    """Whoever walks over all blocks must not have a hundred of them in memory."""
    store = opener(backend, tmp_path / "store")()
    for number in range(64):
        store.write([(b"%02d" % number, bytes(1024 * 1024))])
    view = store.view()
    for source in (store, view):
        tracemalloc.start()
        assert sum(len(value) for _, value in source.scan(b"", b"\xff")) == 64 * 1024 * 1024
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
        tracemalloc.stop()
    view.close()
    store.close()


def test_a_second_open_is_refused_and_harms_nothing(open_again: Open) -> None:
    first = open_again()
    first.write([(b"a", b"1")])
    for _ in range(3):
        with pytest.raises(StoreLocked):
            open_again()
    first.write([(b"b", b"2")])
    first.close()
    second = open_again()
    assert contents(second) == [(b"a", b"1"), (b"b", b"2")]
    second.close()


def test_an_empty_batch_does_nothing(store: KeyValue) -> None:
    store.write([])
    store.write([], sync=False)
    assert contents(store) == []


def test_reads_from_other_threads_while_writing(store: KeyValue) -> None:
    """A reader never sees a part of a batch."""
    stop = threading.Event()
    torn: list[object] = []

    def read() -> None:
        while not stop.is_set():
            values = {value for _, value in store.scan(b"a", b"b")}
            if len(values) > 1:
                torn.append(values)
            store.get(b"a1")

    store.write([(b"a%d" % part, b"0") for part in range(20)])
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(100):
            store.write([(b"a%d" % part, b"%d" % number) for part in range(20)], sync=False)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert torn == []


KEYS = st.binary(max_size=3)
BATCHES = st.lists(st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=4)), max_size=6), max_size=8)


@pytest.mark.parametrize("backend", DISK_BACKENDS)
@given(batches=BATCHES, start=KEYS, stop=KEYS, reverse=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_like_a_dict(
    backend: str,
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[tuple[bytes, bytes | None]]],
    start: bytes,
    stop: bytes,
    reverse: bool,
) -> None:
    open_again = opener(backend, tmp_path_factory.mktemp("model") / "store")
    model: dict[bytes, bytes] = {}
    store = open_again()
    for number, batch in enumerate(batches):
        store.write(batch, sync=False)
        for key, value in batch:
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        if number == 4:
            store.close()
            store = open_again()
    chosen = sorted((item for item in model.items() if start <= item[0] < stop), reverse=reverse)
    assert list(store.scan(start, stop, reverse)) == chosen
    store.close()
