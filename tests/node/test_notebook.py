"""The notebook keeps few, small, named values, whatever crashes."""

from __future__ import annotations

from pathlib import Path

import pytest
from fazhi_ledger.errors import InvariantBroken
from fazhi_node.notebook import (
    EVIDENCE_OF_MEMBER,
    MAX_EVIDENCE,
    MAX_NOTE_BYTES,
    MAX_NOTES,
    DirectoryNotebook,
    MemoryNotebook,
    Notebook,
    keep_evidence,
)
from fazhi_node.storage.errors import DiskFull, StorageError


@pytest.fixture(params=["memory", "directory"])
def notebook(request: pytest.FixtureRequest, tmp_path: Path) -> Notebook:
    return MemoryNotebook() if request.param == "memory" else DirectoryNotebook(tmp_path / "notes")


def test_notes_are_kept_replaced_and_forgotten(notebook: Notebook) -> None:
    assert notebook.find("amnesia") is None
    notebook.keep("amnesia", b"7")
    notebook.keep("evidence-7-a", b"proof")
    notebook.keep("amnesia", b"8")
    assert notebook.names() == ["amnesia", "evidence-7-a"]
    assert notebook.find("amnesia") == b"8"
    notebook.forget("amnesia")
    notebook.forget("amnesia")
    assert notebook.find("amnesia") is None
    assert notebook.names() == ["evidence-7-a"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "UPPER", "x.new", "a" * 101, "名"])
def test_names_are_plain(notebook: Notebook, name: str) -> None:
    with pytest.raises(InvariantBroken):
        notebook.keep(name, b"")


def test_notes_are_small(notebook: Notebook) -> None:
    with pytest.raises(InvariantBroken):
        notebook.keep("big", bytes(MAX_NOTE_BYTES + 1))


def test_notes_are_few(notebook: Notebook) -> None:
    for number in range(MAX_NOTES):
        notebook.keep(f"n{number}", b"")
    notebook.keep("n0", b"again")
    with pytest.raises(DiskFull):
        notebook.keep("one-more", b"")


def test_no_number_of_guilty_heights_fills_the_notebook(notebook: Notebook) -> None:
    """One member that signed two votes at each of a thousand heights had stopped every other node."""
    names = [keep_evidence(notebook, "a", height, b"proof") for height in range(MAX_NOTES + 1)]
    assert [bool(name) for name in names] == [True] * EVIDENCE_OF_MEMBER + [False] * (
        MAX_NOTES + 1 - EVIDENCE_OF_MEMBER
    )
    assert keep_evidence(notebook, "b-a", 7, b"proof") == "evidence-7-b-a"
    assert keep_evidence(notebook, "a", 10**6, b"proof") == ""
    for number in range(2 * MAX_EVIDENCE // EVIDENCE_OF_MEMBER):
        for height in range(EVIDENCE_OF_MEMBER):
            keep_evidence(notebook, f"m{number}", height, b"proof")
    assert len(notebook.names()) == MAX_EVIDENCE
    notebook.keep("own-vote-unknown", b"7")  # there is room for what is our own
    assert notebook.find(names[0]) == b"proof"


def test_a_directory_outlives_its_notebook_and_what_was_cut_short_is_no_note(tmp_path: Path) -> None:
    DirectoryNotebook(tmp_path).keep("amnesia", b"7")
    (tmp_path / "evidence-1-a.new").write_bytes(b"half")
    again = DirectoryNotebook(tmp_path)
    assert again.names() == ["amnesia"]
    assert again.find("amnesia") == b"7"


def test_a_disk_that_errs_is_said(tmp_path: Path) -> None:
    notebook = DirectoryNotebook(tmp_path / "notes")
    (tmp_path / "notes").rmdir()
    with pytest.raises(StorageError):
        notebook.keep("amnesia", b"7")
