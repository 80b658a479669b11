"""Durable means durable: sync is said, a killed writer loses nothing acknowledged, a full disk refuses cleanly, damage
is found."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fazhi_node.storage.directory import DirectoryWatch
from fazhi_node.storage.errors import DiskFailed, DiskFull, StorageError, StoreCorrupt, StoreStopped
from fazhi_node.storage.files import RealFiles
from fazhi_node.storage.limits import WRITE_BUFFER_BYTES
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.store import Backend, available, open_store

from tests.node.small_disk import small_disk

from .backends import DISK_BACKENDS, GENESIS, contents

SEED = 20250805

WRITER = """
import sys
from pathlib import Path
from fazhi_node.storage.errors import StorageError
from fazhi_node.storage.store import open_store
store = open_store(Path(sys.argv[1]), sys.argv[2], genesis_hash=bytes(range(32)))
size, limit = int(sys.argv[3]), int(sys.argv[4])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
number = 0
try:
    while True:
        store.write([(b"%08d-%d" % (number, part), bytes([number % 251]) * size) for part in range(4)])
        print(number, flush=True)
        number += 1
except StorageError as error:
    print(error.code, type(error).__name__, flush=True)
    for attempt in range(2):
        try:
            store.write([(b"more", b"")])
            print("wrote on", flush=True)
        except StorageError as again:
            print(again.code, flush=True)
    print("reads", sum(1 for _ in store.scan(b"0", b"9")), flush=True)
"""


def batch_of(number: int, size: int) -> list[tuple[bytes, bytes]]:
    return [(b"%08d-%d" % (number, part), bytes([number % 251]) * size) for part in range(4)]


def spawn(path: Path, backend: str, size: int, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), backend, str(size), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("backend", DISK_BACKENDS)
@pytest.mark.parametrize("acknowledged", [1, 7, 60])
def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path, backend: Backend, acknowledged: int) -> None:
    path = tmp_path / "store"
    with spawn(path, backend, 3000) as writer:
        assert writer.stdout is not None
        for expected in range(acknowledged):
            assert writer.stdout.readline() == f"{expected}\n"
        writer.send_signal(signal.SIGKILL)
        last = acknowledged - 1
        for line in writer.stdout:  # acknowledged before the signal arrived
            if re.fullmatch(r"\d+\n", line):
                last = int(line)
    store = open_store(path, backend, genesis_hash=GENESIS)
    found = contents(store)
    store.close()
    count, rest = divmod(len(found), 4)
    assert rest == 0, "a batch was written in part"
    assert count in (last + 1, last + 2), "at most the one batch in flight may be there unacknowledged"
    assert found == [entry for number in range(count) for entry in batch_of(number, 3000)]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 4) as mount:
        yield mount


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_a_full_disk_refuses_cleanly(tiny_disk: Path, backend: Backend, tmp_path: Path) -> None:
    store = open_store(tiny_disk / "store", backend, genesis_hash=GENESIS)
    number = 0
    refusal: StorageError | None = None
    while refusal is None and number < 1000:
        try:
            store.write(batch_of(number, 10_000))
            number += 1
        except StorageError as error:
            refusal = error
    assert isinstance(refusal, DiskFull)
    assert number > 10
    with pytest.raises(StoreStopped):
        store.write([(b"more", b"")])
    kept = [entry for done in range(number) for entry in batch_of(done, 10_000)]
    assert contents(store) == kept
    store.close()
    moved = tmp_path / "moved"  # what the operator does: more room
    shutil.copytree(tiny_disk / "store", moved)
    store = open_store(moved, backend, genesis_hash=GENESIS)
    assert contents(store)[: len(kept)] == kept
    assert len(contents(store)) in (len(kept), len(kept) + 4)  # the refused batch, if there, is there as a whole
    store.write(batch_of(number, 10_000))
    store.close()


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_a_limit_on_file_sizes_refuses_cleanly(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "store"
    with spawn(path, backend, 10_000, 2_000_000) as writer:
        out, err = writer.communicate(timeout=60)
    assert err == ""
    lines = out.splitlines()
    count = next(position for position, line in enumerate(lines) if not line.isdigit())
    assert count > 10
    # SQLite hands on that a write failed, but not this reason.
    assert lines[count] == ("disk-failed DiskFailed" if backend == "sqlite" else "disk-full DiskFull")
    assert lines[count + 1 :] == ["store-stopped", "store-stopped", f"reads {4 * count}"]
    store = open_store(path, backend, genesis_hash=GENESIS)
    kept = [entry for done in range(count) for entry in batch_of(done, 10_000)]
    assert contents(store)[: len(kept)] == kept
    assert len(contents(store)) in (len(kept), len(kept) + 4)
    store.close()


@pytest.mark.skipif(not available("plyvel"), reason="plyvel is not installed")
def test_leveldb_is_told_to_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store: Any = open_store(tmp_path / "store", "plyvel", genesis_hash=GENESIS)
    asked = []

    class Spy:
        def __init__(self, real: Any) -> None:
            self._real = real

        def write_batch(self, **options: Any) -> Any:
            asked.append(options)
            return self._real.write_batch(**options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    monkeypatch.setattr(store, "_db", Spy(store._db))
    store.write([(b"a", b"1")])
    store.write([(b"b", b"1")], sync=False)
    store.write([(b"c", b"1")], sync=True)
    store.close()
    assert asked == [
        {"transaction": True, "sync": True},
        {"transaction": True, "sync": False},
        {"transaction": True, "sync": True},
    ]


def test_sqlite_is_told_to_sync(tmp_path: Path) -> None:
    store: Any = open_store(tmp_path / "store", "sqlite", genesis_hash=GENESIS)
    levels = []
    statements: list[str] = []
    store._writer.set_trace_callback(statements.append)
    for sync in (True, False, True):
        store.write([(b"a", b"1")], sync=sync)
        levels.append(store._writer.execute("PRAGMA synchronous").fetchone()[0])
    modes = [store._writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "fullfsync")]
    store.close()
    assert levels == [2, 1, 2]  # FULL, NORMAL, FULL
    assert modes == ["wal", 1]
    assert next(text for text in statements if text.startswith("PRAGMA synchronous=")) == "PRAGMA synchronous=FULL"


STRACE = shutil.which("strace")


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_a_synced_write_reaches_the_disk(tmp_path: Path, backend: str) -> None:
    """Seen from the system: as many syncs as synced writes, and none for the others."""
    code = """
import os, sys
from pathlib import Path
from fazhi_node.storage.store import open_store
store = open_store(Path(sys.argv[1]), sys.argv[2], genesis_hash=bytes(range(32)))
for phase, sync in ((b"synced", True), (b"lazy", False)):
    store.write([(b"warm", phase)], sync=sync)
    os.write(1, b"<" + phase + b">")
    for number in range(20):
        store.write([(b"%d" % number, phase)], sync=sync)
    os.write(1, b"</" + phase + b">")
os._exit(0)
"""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=fsync,fdatasync,sync_file_range,write"]
    done = subprocess.run(
        [*command, sys.executable, "-c", code, str(tmp_path / "store"), backend],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "<synced>" not in done.stdout:
        pytest.skip("strace may not trace here")
    text = trace.read_text(errors="replace")
    counts = [text.split(f"<{phase}>")[1].split(f"</{phase}>")[0].count("fdatasync(") for phase in ("synced", "lazy")]
    assert counts == [20, 0]


class Recorder(RealFiles):
    def __init__(self) -> None:
        self.synced: list[Path] = []

    def sync_directory(self, path: Path) -> None:
        self.synced.append(path)
        super().sync_directory(path)


def test_new_names_are_made_durable(tmp_path: Path) -> None:
    files = Recorder()
    now = [0]
    watch = DirectoryWatch(tmp_path, files, lambda: now[0])
    changed = tmp_path.stat().st_mtime_ns
    now[0] = changed + 1_000_000  # within a tick: another change could bear the same stamp
    assert watch.sync()
    assert watch.sync()
    now[0] = changed + 1_000_000_000
    assert watch.sync()
    assert not watch.sync()
    (tmp_path / "000007.log").write_bytes(b"")
    os.utime(tmp_path, ns=(changed + 10**9, changed + 10**9))
    assert watch.sync()
    assert files.synced == [tmp_path] * 4


@pytest.mark.skipif(not available("plyvel"), reason="plyvel is not installed")
def test_leveldbs_new_log_files_are_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """POSIX keeps no file whose name was not synced; LevelDB begins a new log every few megabytes and does not."""
    store: Any = open_store(tmp_path / "store", "plyvel", genesis_hash=GENESIS)
    folder = tmp_path / "store" / "leveldb"
    known: set[str] = set()

    class Names(RealFiles):
        def sync_directory(self, path: Path) -> None:
            super().sync_directory(path)
            known.update(os.listdir(path))

    monkeypatch.setattr(store._watch, "_files", Names())
    for number in range(20):
        store.write([(b"%d" % number, os.urandom(WRITE_BUFFER_BYTES // 8))])
        logs = {name for name in os.listdir(folder) if name.endswith(".log")}
        assert logs <= known
    store.close()
    assert len({name for name in known if name.endswith(".log")}) > 1


@pytest.mark.skipif(not available("plyvel"), reason="plyvel is not installed")
def test_leveldb_finds_flipped_bits(tmp_path: Path) -> None:
    """Of its log at the next start, of its tables at the next read: never another value, never a silent hole."""
    path = tmp_path / "store"
    store = open_store(path, "plyvel", genesis_hash=GENESIS)
    rng = random.Random(SEED)
    expected = {b"%03d" % number: rng.randbytes(30_000) for number in range(32)}
    for entry in expected.items():
        store.write([entry])
    store.close()
    flip_everywhere(path, ".log", expected, tmp_path)
    open_store(path, "plyvel", genesis_hash=GENESIS).close()  # a start turns the log into a table
    flip_everywhere(path, ".ldb", expected, tmp_path)


def flip_everywhere(path: Path, suffix: str, expected: dict[bytes, bytes], tmp_path: Path) -> None:
    tried = 0
    for file in sorted((path / "leveldb").glob(f"*{suffix}")):
        good = file.read_bytes()
        for position in range(10, len(good) - 4096, max(1, len(good) // 12)):
            bad = bytearray(good)
            bad[position] ^= 0x10
            copy = tmp_path / "copy"
            shutil.copytree(path, copy)
            (copy / "leveldb" / file.name).write_bytes(bad)
            with pytest.raises(StoreCorrupt):  # never another value, never a silent hole
                read_all(copy, expected)
            shutil.rmtree(copy)
            tried += 1
    assert tried >= 10


def read_all(path: Path, expected: dict[bytes, bytes]) -> None:
    store = open_store(path, "plyvel", genesis_hash=GENESIS)
    try:
        for key, value in expected.items():
            assert store.get(key) == value
    finally:
        store.close()


def test_sqlite_finds_a_damaged_tree(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = open_store(path, "sqlite", genesis_hash=GENESIS)
    store.write([(b"%06d" % number, b"x" * 50) for number in range(2000)])
    store.close()
    file = path / "store.sqlite3"
    data = bytearray(file.read_bytes())
    data[8192 + 3 : 8192 + 5] = b"\xff\xff"  # the number of cells of a page
    data[:4] = b"SQLx"
    file.write_bytes(data)
    with pytest.raises(StoreCorrupt):
        open_store(path, "sqlite", genesis_hash=GENESIS)


def test_memory_loses_what_was_not_synced() -> None:
    disk = MemoryDisk()
    store = MemoryStore(disk)
    store.write([(b"a", b"1")])
    store.write([(b"a", b"2"), (b"b", b"2")], sync=False)
    store.close()
    store = MemoryStore(disk)  # a killed process loses nothing: the system still has it
    assert contents(store) == [(b"a", b"2"), (b"b", b"2")]
    disk.cut_power()
    with pytest.raises(StoreStopped):
        store.get(b"a")
    store = MemoryStore(disk)
    assert contents(store) == [(b"a", b"1")]
    store.write([(b"b", b"3")], sync=False)
    store.write([(b"c", b"3")])
    disk.cut_power()
    assert contents(MemoryStore(disk)) == [(b"a", b"1"), (b"b", b"3"), (b"c", b"3")]


def test_memory_stops_after_a_failed_write() -> None:
    disk = MemoryDisk()
    store = MemoryStore(disk)
    store.write([(b"a", b"1")])
    disk.failing = True
    with pytest.raises(DiskFailed):
        store.write([(b"a", b"2")])
    disk.failing = False
    with pytest.raises(StorageError, match="store-stopped"):
        store.write([(b"a", b"3")])
    assert store.get(b"a") == b"1"
