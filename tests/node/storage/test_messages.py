"""Every code of the storage has its two sentences, and they use only parameters that the code always carries."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import fazhi_node.storage
import pytest
from fazhi_node.storage.messages import MESSAGES

FOLDER = Path(fazhi_node.storage.__file__).parent
ERRORS = {
    "DiskFull",
    "DiskFailed",
    "StoreStopped",
    "StoreLocked",
    "StoreForeign",
    "StoreCorrupt",
    "GuardMissing",
    "GuardPresent",
    "VoteRefused",
    "AmnesiaSuspected",
    "InvalidSnapshot",
}


def raised() -> dict[str, list[set[str]]]:
    """Codes in the sources, with the names of the parameters of each place that makes such an error."""
    found: dict[str, list[set[str]]] = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        codes = {  # a code may stand in a variable first
            node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                first = node.args[0]
                names = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
                values = [first.value] if isinstance(first, ast.Constant) else sorted(codes & set(MESSAGES))
                for code in values:
                    assert isinstance(code, str)
                    found.setdefault(code, []).append(names)
    return found


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_code_has_its_sentences() -> None:
    assert set(raised()) == set(MESSAGES)


@pytest.mark.parametrize("code", sorted(MESSAGES))
def test_sentences_use_what_the_code_carries(code: str) -> None:
    chinese, english = MESSAGES[code]
    assert fields(chinese) == fields(english)
    for names in raised()[code]:
        assert fields(english) <= names
    assert any("一" <= character <= "鿿" for character in chinese)
    assert chinese.endswith("。")
    assert english.endswith(".")
