"""One owner, one back end, one chain: what a directory is opened with, and what it is refused for."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fazhi_node.storage.errors import StoreCorrupt, StoreForeign, StoreLocked
from fazhi_node.storage.lock import FileLock
from fazhi_node.storage.store import FORMAT_FILE, Backend, StoreFormat, available, open_store

from .backends import DISK_BACKENDS, GENESIS, contents, opener

OTHER = bytes(32)
needs_leveldb = pytest.mark.skipif(not available("plyvel"), reason="plyvel is not installed")


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


OPEN_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from fazhi_node.storage.errors import StoreLocked
from fazhi_node.storage.store import open_store
try:
    open_store(Path(sys.argv[1]), genesis_hash=bytes(range(32)))
except StoreLocked as error:
    print(error.code, dict(error.parameters)["process"])
"""


@needs_leveldb
def test_leveldbs_own_lock_fails_open(tmp_path: Path) -> None:
    """Why there is a lock of our own: after a refused second open the first owner has lost LevelDB's lock.

    Should this begin to fail, LevelDB was mended; the lock file stays all the same.
    """
    import plyvel

    path = str(tmp_path / "bare")
    first = plyvel.DB(path, create_if_missing=True)
    steal = "import plyvel, sys; db = plyvel.DB(sys.argv[1]); db.put(b'k', b'thief', sync=True); print('opened')"
    assert "opened" not in run(steal, path).stdout
    with pytest.raises(plyvel.IOError):
        plyvel.DB(path)
    assert run(steal, path).stdout == "opened\n"
    first.close()


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_a_refused_second_open_never_harms_the_first(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "store"
    first = open_store(path, backend, genesis_hash=GENESIS)
    written = []
    for number in range(3):
        with pytest.raises(StoreLocked) as refused:
            open_store(path, backend, genesis_hash=GENESIS)
        assert dict(refused.value.parameters)["process"] == os.getpid()
        answer = run(OPEN_IN_ANOTHER_PROCESS, str(path))
        assert (answer.stdout, answer.stderr) == (f"store-locked {os.getpid()}\n", "")
        written.append((b"%d" % number, b"acknowledged"))
        first.write(written[-1:])
    first.close()
    again = open_store(path, genesis_hash=GENESIS)
    assert contents(again) == written
    again.close()


def test_the_lock_ends_with_its_owner_even_where_a_child_lives_on(tmp_path: Path) -> None:
    """A forked child (a pool of verifiers, say) shares open files; it must not keep the directory from the next
    node."""
    code = """
import os, sys
from pathlib import Path
from fazhi_node.storage.lock import FileLock
lock = FileLock(Path(sys.argv[1]))
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, b"x")  # the child runs: whatever it does about the lock when it begins is done
    sys.stdin.readline()
    os._exit(0)
os.read(reading, 1)
os._exit(0)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as parent:
        assert parent.wait(timeout=30) == 0
        FileLock(tmp_path / "lock").release()  # the child still waits for its line
        assert parent.stdin is not None
        parent.stdin.close()


def test_a_lock_may_be_taken_again(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with pytest.raises(StoreLocked):
        FileLock(tmp_path / "lock")
    lock.release()
    lock.release()
    FileLock(tmp_path / "lock").release()


@pytest.mark.parametrize("backend", DISK_BACKENDS)
def test_the_choice_is_recorded(tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "deep" / "store"
    open_store(path, backend, genesis_hash=GENESIS).close()
    assert (path / FORMAT_FILE).read_bytes() == StoreFormat(backend, GENESIS).encode()
    open_store(path, "auto", genesis_hash=GENESIS).close()
    open_store(path).close()  # a tool that only looks need not know the chain
    other: Backend = "sqlite" if backend == "plyvel" else "plyvel"
    with pytest.raises(StoreForeign, match="store-other-backend"):
        open_store(path, other, genesis_hash=GENESIS)
    with pytest.raises(StoreForeign, match="store-other-genesis"):
        open_store(path, backend, genesis_hash=OTHER)
    open_store(path, backend, genesis_hash=GENESIS).close()  # refusals gave the lock back


def test_nothing_is_created_for_somebody_who_only_looks(tmp_path: Path) -> None:
    with pytest.raises(StoreForeign, match="store-missing"):
        open_store(tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_foreign_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("three years of work")
    with pytest.raises(StoreForeign, match=r"store-foreign.*thesis\.doc"):
        open_store(tmp_path, genesis_hash=GENESIS)
    assert not (tmp_path / FORMAT_FILE).exists()


@pytest.mark.parametrize("leftover", ["FORMAT.new", "lock", "lost+found"])
def test_a_creation_that_was_cut_short_goes_on(tmp_path: Path, leftover: str) -> None:
    (tmp_path / leftover).write_bytes(b"half")
    store = open_store(tmp_path, genesis_hash=GENESIS)
    store.write([(b"a", b"1")])
    store.close()


def test_another_version_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path, genesis_hash=GENESIS).close()
    good = (tmp_path / FORMAT_FILE).read_bytes()
    (tmp_path / FORMAT_FILE).write_bytes(good.replace(b"store 2", b"store 4"))
    with pytest.raises(StoreForeign, match="store-unknown-format"):
        open_store(tmp_path, genesis_hash=GENESIS)


def test_a_store_of_a_snapshot_says_so(tmp_path: Path) -> None:
    open_store(tmp_path, genesis_hash=GENESIS, joined=True).close()
    recorded = (tmp_path / FORMAT_FILE).read_bytes()
    assert StoreFormat.decode(recorded, tmp_path).joined
    open_store(tmp_path, genesis_hash=GENESIS).close()
    assert (tmp_path / FORMAT_FILE).read_bytes() == recorded


def test_every_flipped_bit_of_the_format_is_found(tmp_path: Path) -> None:
    path = tmp_path / FORMAT_FILE
    good = StoreFormat("sqlite", GENESIS).encode()
    for position in range(len(good) * 8):
        bad = bytearray(good)
        bad[position // 8] ^= 1 << position % 8
        with pytest.raises((StoreCorrupt, StoreForeign)):
            StoreFormat.decode(bytes(bad), path)
    for length in range(len(good)):
        with pytest.raises((StoreCorrupt, StoreForeign)):
            StoreFormat.decode(good[:length], path)
    assert StoreFormat.decode(good, path) == StoreFormat("sqlite", GENESIS)


def test_a_missing_back_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not available("plyvel", find=lambda _: None)
    assert available("sqlite", find=lambda _: None)
    monkeypatch.setattr("fazhi_node.storage.store.available", lambda backend: backend == "sqlite")
    with pytest.raises(StoreForeign, match="store-backend-missing"):
        open_store(tmp_path / "a", "plyvel", genesis_hash=GENESIS)
    store = open_store(tmp_path / "b", "auto", genesis_hash=GENESIS)
    store.close()
    assert (
        StoreFormat.decode((tmp_path / "b" / FORMAT_FILE).read_bytes(), tmp_path / "b" / FORMAT_FILE).backend
        == "sqlite"
    )


def test_memory_has_one_owner_too(tmp_path: Path) -> None:
    open_again = opener("memory", tmp_path)
    first = open_again()
    with pytest.raises(StoreLocked):
        open_again()
    first.close()
    open_again().close()


def test_a_lock_on_a_file_that_was_replaced_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever held it removed its directory, and another made it anew, between our opening of the file and our lock."""
    path = tmp_path / "lock"
    flock = fcntl.flock
    others: list[FileLock] = []

    def late(descriptor: int, operation: int) -> None:
        if not others:
            with monkeypatch.context() as patch:
                patch.setattr(fcntl, "flock", flock)
                path.unlink()
                others.append(FileLock(path))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(StoreLocked):
        FileLock(path)
    others[0].release()
    FileLock(path).release()
