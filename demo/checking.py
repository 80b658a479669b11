"""After the nodes are gone: the real commands, offline, on what the demo leaves; and what happens to them when one byte
is changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fazhi_cli.exits import Exit

from demo.screen import DemoFailed, relative

COMMAND: Final = str(Path(sys.executable).with_name("fazhi"))
AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What ``fazhi`` said."""

    code: int
    out: str
    err: str

    @property
    def first_line(self) -> str:
        """The verdict."""
        text = self.out.strip() or self.err.strip()
        return text.splitlines()[0] if text else ""


def fazhi(*given: str | Path) -> Answer:
    """Run the command."""
    done = subprocess.run([COMMAND, *map(str, given)], capture_output=True, encoding="utf-8", timeout=120, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def verify(receipt: Path, files: Sequence[Path], genesis_hash: str) -> Answer:
    """``fazhi verify`` with every file of the receipt."""
    given: list[str | Path] = ["verify", relative(receipt)]
    for file in files:
        given += ["--file", relative(file)]
    return fazhi(*given, "--genesis-hash", genesis_hash)


def verify_all(receipts: Sequence[tuple[Path, Sequence[Path]]], genesis_hash: str) -> list[Answer]:
    """Every receipt with its files; all must be valid.

    Raises:
        DemoFailed: naming the first that is not.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda one: verify(one[0], one[1], genesis_hash), receipts))
    for (receipt, _), answer in zip(receipts, answers, strict=True):
        if answer.code != 0:
            raise DemoFailed(f"{receipt.name}: {answer.first_line}", f"{receipt.name} did not verify")
    return answers


def audit(archive: Path, genesis_hash: str, records: int) -> Answer:
    """``fazhi audit``; the chain must hold, and hold just the records that were made.

    Raises:
        DemoFailed.
    """
    answer = fazhi("audit", "--archive", relative(archive), "--genesis-hash", genesis_hash, "--json")
    if answer.code != 0:
        raise DemoFailed(f"审计: {answer.first_line}", "the audit failed")
    said: dict[str, Any] = json.loads(answer.out)
    if said["records"] != records:
        raise DemoFailed(f"链上有 {said['records']} 条记录,应为 {records}", "another number of records on the chain")
    return Answer(answer.code, answer.err, "")


def verdict(trail: Path, breached: bool, genesis_hash: str) -> list[str]:
    """``fazhi case verdict`` on a trail file: what it prints. The exit code tells whether anything is breached.

    Raises:
        DemoFailed: the file does not hold, or comes to something else.
    """
    answer = fazhi("case", "verdict", relative(trail), "--genesis-hash", genesis_hash)
    if answer.code != (Exit.BREACHED if breached else Exit.OK):
        raise DemoFailed(f"结论与所料不符: {answer.first_line}", "the verdict is not what was expected")
    return answer.out.splitlines()


def flip_byte(source: Path, target: Path) -> int:
    """A copy with one bit of its middle byte changed; where."""
    data = bytearray(source.read_bytes())
    place = len(data) // 2
    data[place] ^= 0x01
    target.write_bytes(data)
    return place


def flip_character(source: Path, target: Path) -> int:
    """A copy of a receipt with one character of its signed submission changed; where."""
    text = source.read_text("utf-8")
    found = re.search(r'"submission": "([^"]+)"', text)
    if found is None:
        raise DemoFailed("收据中没有 submission", "no submission in the receipt")
    place = (found.start(1) + found.end(1)) // 2
    other = "B" if text[place] != "B" else "C"
    target.write_text(text[:place] + other + text[place + 1 :], "utf-8")
    return place


def must_be_found_out(answer: Answer) -> str:
    """The verdict on something that was changed: exit code 1, INVALID.

    Raises:
        DemoFailed: it was not found out.
    """
    if answer.code != 1 or "INVALID" not in answer.first_line:
        raise DemoFailed(f"篡改未被发现: {answer.first_line}", "a change was not found out")
    return answer.first_line
