"""The spec's vectors are what the code computes, and what stands in them holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.receipt_steps import VALID, PresentedFile, check_receipt
from fazhi_ledger.suites import ED25519_SHA256

from tests.spec.vectors import FOLDER, SPEC, all_files

FILES = all_files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_what_the_code_computes(path: Path) -> None:
    """A difference changes a published format: argue it in an ADR, give it a new version, keep the old vectors."""
    assert path.read_bytes() == FILES[path]


def test_no_stray_files() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path in FILES if path.parent == FOLDER}


def test_refused_encodings_are_refused() -> None:
    for case in json.loads((FOLDER / "canonical.json").read_text("utf-8"))["refused"]:
        with pytest.raises(EncodingError):
            decode(bytes.fromhex(case["hex"]))


def test_receipts_are_valid_for_their_file() -> None:
    about = json.loads((FOLDER / "receipt-about.json").read_text("utf-8"))
    content = bytes.fromhex(about["file"]["hex"])
    file = PresentedFile(about["file"]["name"], {"sha256": ED25519_SHA256.hash(content)}, len(content))
    for name in about["receipts"]:
        report = check_receipt((FOLDER / name).read_bytes(), bytes.fromhex(about["genesis_hash"]), [file])
        assert report.verdict == VALID, report.failed


def test_the_roots_are_those_of_certificate_transparency() -> None:
    """Known answers of the CT reference tests, not computed by us."""
    roots = json.loads((FOLDER / "merkle.json").read_text("utf-8"))["roots"]
    assert roots[0] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert roots[8] == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_links_between_the_pages_lead_somewhere() -> None:

    for page in SPEC.glob("*.md"):
        for target in re.findall(r"\]\(([\w./-]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_pages_that_the_code_names_exist() -> None:

    root = SPEC.parent
    for folder in ("ledger", "consensus", "contracts", "client_sdk", "node", "cli"):
        for file in (root / folder).rglob("*.py"):
            for page in re.findall(r"spec/[a-z_-]+\.(?:md|json)", file.read_text("utf-8")):
                assert (root / page).exists(), (file.name, page)
