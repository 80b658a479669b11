"""Every error has its sentence in both languages, with parameters that are really given."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import fazhi_sdk
import pytest
from fazhi_sdk import errors
from fazhi_sdk.messages import OUTCOMES, SENTENCES, Outcome, sentence

SOURCES = sorted(Path(fazhi_sdk.__file__).parent.rglob("*.py"))
CLASSES = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
PLACE = re.compile(r"\{([a-z_]+)\}")


def raised() -> list[tuple[str, set[str], str]]:
    """(code, names of parameters, where) of every SDK error that the source makes with a literal code."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            first = node.args[0]
            if name in CLASSES and isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.append((first.value, {word.arg or "" for word in node.keywords}, f"{path.name}:{node.lineno}"))
    return found


def places(code: str) -> set[str]:
    return {name for pair in SENTENCES[code] for text in pair for name in PLACE.findall(text)}


def test_every_code_has_a_sentence_and_its_parameters() -> None:
    found = raised()
    assert len(found) > 40
    for code, given, where in found:
        assert code in SENTENCES, where
        assert places(code) <= given, where


def test_sealing_errors_have_sentences() -> None:
    kinds = errors.SealingError.__subclasses__()
    assert len({kind.CODE for kind in kinds}) == len(kinds) == 9
    for kind in kinds:
        assert kind.CODE in SENTENCES


def test_no_sentence_is_left_over() -> None:
    used = {code for code, _, _ in raised()} | {kind.CODE for kind in errors.SealingError.__subclasses__()}
    assert set(SENTENCES) - used <= {"refused", "unknown-error"}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_sentence_says_what_was_recorded(outcome: Outcome) -> None:
    zh, en = sentence("too-busy", (("seconds", 3),), outcome)
    assert OUTCOMES[outcome][0] in zh
    assert OUTCOMES[outcome][1] in en
    assert "3" in zh


def test_hostile_parameters_cannot_steer_a_terminal() -> None:
    text = str(errors.FileMissing("a\x1b[2J\n\u202eb"))
    assert "\x1b" not in text
    assert "\n" not in text
    assert "\u202e" not in text


def test_unknown_codes_still_speak() -> None:
    zh, en = sentence("never-heard-of", (("x", 1),), Outcome.NOTHING)
    assert "never-heard-of x=1" in zh
    assert "nothing was recorded" in en


def test_importing_is_light() -> None:
    """The package alone imports nothing of weight, and using it never needs a node's libraries."""
    code = (
        "import sys, fazhi_sdk; light = set(sys.modules); fazhi_sdk.Chain; import fazhi_sdk.audit, fazhi_sdk.devnet\n"
        "heavy = {'grpc', 'plyvel', 'fastapi', 'uvicorn', 'fazhi_node', 'fazhi_consensus'}\n"
        "print(sorted(heavy & set(sys.modules)), sorted({'aiohttp', 'asyncio', 'sqlite3', 'nacl'} & light))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[] []"
