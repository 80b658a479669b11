"""``fazhi-node check --set-aside`` moves what nobody works on, and nothing else."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from fazhi_node import check
from fazhi_node.exits import Exit
from fazhi_node.main import main
from fazhi_node.prepare import prepare
from fazhi_node.storage.chain_store import open_chain
from fazhi_node.storage.files import Lock, RealFiles
from fazhi_node.storage.store import FORMAT_FILE, LOCK_FILE, open_store

from .test_renewal import genesis

__all__ = ["genesis"]


@pytest.fixture
def damaged(tmp_path: Path, genesis: Path) -> Path:
    """The home of a member whose store does not say any more what keeps the data."""
    home = tmp_path / "alpha"
    prepared = prepare(home, None, lambda: b"", None)
    store = open_store(prepared.store_directory, "sqlite", genesis_hash=prepared.genesis_hash)
    open_chain(store, prepared.genesis_file).close()
    (prepared.store_directory / FORMAT_FILE).write_bytes(b"fazhi store 2\nbackend sqlite\n")
    return home


def test_a_damaged_chain_is_moved_away_once(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = damaged / "data" / "store"
    assert main(["check", "--home", str(damaged)]) == Exit.STORAGE
    assert store.exists()
    assert main(["check", "--set-aside", "--home", str(damaged)]) == Exit.STORAGE
    assert (store.exists(), (damaged / "data" / "store.damaged-1" / FORMAT_FILE).exists()) == (False, True)
    assert "store.damaged-1。请启动节点" in capsys.readouterr().out
    assert main(["check", "--set-aside", "--home", str(damaged)]) == 0, "there is no chain any more, and nothing wrong"


def test_a_node_that_was_started_since_the_check_keeps_its_chain(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check itself gives the store up before it is moved."""
    started: list[Lock] = []
    real = check._check_chain

    def checked(*arguments: Any) -> None:
        real(*arguments)
        started.append(RealFiles().lock(damaged / "data" / "store" / LOCK_FILE))

    monkeypatch.setattr(check, "_check_chain", checked)
    try:
        assert main(["check", "--set-aside", "--home", str(damaged)]) == Exit.BUSY
    finally:
        started[0].release()
    assert (damaged / "data" / "store" / FORMAT_FILE).exists()


def test_what_cannot_be_moved_is_said_so(
    damaged: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The store may be a file system of its own."""

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(RealFiles, "rename", busy)
    assert main(["check", "--set-aside", "--home", str(damaged), "--lang", "en"]) == Exit.STORAGE
    assert "EBUSY" in capsys.readouterr().err
    assert main(["check", "--home", str(damaged)]) == Exit.STORAGE, "the lock was given up"
