"""No reader of bytes is left out of the table, and what the table says that it covers it does cover."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from .engine import input_number
from .registry import ELSEWHERE, FOLDERS, TARGETS, readers, readers_of
from .target import Check


def covered() -> set[str]:
    return {name for target in TARGETS.values() for name in target.covers}


def test_every_reader_of_the_packages_is_a_target() -> None:
    known = covered() | set(ELSEWHERE)
    missing = [name for name in readers() if name not in known and ":_" not in name and "._" not in name]
    assert missing == [], "add a target in tests/fuzz/reads_*.py, or say in registry.ELSEWHERE why it needs none"


def test_the_table_names_nothing_that_is_not_there() -> None:
    there = {f"{name}" for name in readers()}
    assert [name for name in ELSEWHERE if name not in there] == []
    assert sorted(name for name in covered() if name not in there and "._decode" not in name and ":_" not in name) == []


def test_a_reader_that_is_not_in_the_table_is_seen() -> None:
    source = "class A:\n  def decode(self, data): ...\ndef read_thing(data): ...\ndef encode(x): ...\n"
    source += "class _B:\n  def decode(self): ...\n"
    assert list(readers_of(source, "fazhi_x.y")) == ["fazhi_x.y:A.decode", "fazhi_x.y:read_thing"]


def test_targets_run_through_what_they_cover() -> None:
    """By the interpreter's own account of which functions ran while a target read its samples and a few mutations."""
    for target in TARGETS.values():
        ran: set[str] = set()

        def note(frame: FrameType, event: str, _: Any, ran: set[str] = ran) -> None:
            if event == "call":
                ran.add(f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}")

        before = sys.getprofile()
        inputs = [*target.samples, *(input_number(target, 1, number) for number in range(10))]
        sys.setprofile(note)
        try:
            for data in inputs:
                Check(target)(data)
        finally:
            sys.setprofile(before)
        # A memoised reader does not run again; it ran when the table was made.
        left = {name for name in target.covers if name not in ran and not name.endswith("decoded_rule_set")}
        assert left == set(), target.name


def test_all_distributions_are_looked_at() -> None:
    assert {name.split(".")[0].split(":")[0] for name in readers()} == {
        {"client_sdk": "fazhi_sdk"}.get(folder, f"fazhi_{folder}") for folder in FOLDERS
    }
