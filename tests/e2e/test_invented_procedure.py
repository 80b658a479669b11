"""The example of docs/procedures.md, word for word: an invented procedure joins a running network by the file and the
commands that stand there, and a case of it is recorded up to a verified receipt."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fazhi_sdk.devnet import Devnet

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

SECTION = "## 一个完整的例子 / A complete example"
BIN = Path(sys.executable).parent


def blocks(kind: str) -> list[str]:
    """The blocks of code of the example, in their order."""
    text = (ROOT / "docs/procedures.md").read_text(encoding="utf-8")
    section = text[text.index(SECTION) :]
    section = section[: section.index("\n## ", 1)]
    return re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)


AUCTION = """
[[steps]]
code = "AUCTION"
zh = "拍卖"
en = "auctioned"
article = "民法典 316"
from = ["FOUND"]
sign = { roles = ["head"], article = "民法典 316" }
"""


class Shell:
    """Runs the commands of the documentation in a folder, as a person would who copies them."""

    def __init__(self, folder: Path, genesis_hash: str) -> None:
        self.folder = folder
        self.words = {"HASH": genesis_hash}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FAZHI_", "LC_", "LANG"))}
        self.environment = {**kept, "FAZHI_LANG": "en", "FAZHI_NODE_LANG": "en"}

    def run(self, line: str, code: int = 0) -> str:
        """One line, which must end with that exit code; what it printed."""
        words = [self.words.get(word, word) for word in shlex.split(line)]
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self.environment[name] = value
            return ""
        done = subprocess.run(
            [str(BIN / words[0]), *words[1:]],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def install(self, lines: Sequence[str]) -> None:
        """Propose, look, vote: the commands of the documentation."""
        shown = ""
        for line in lines:
            shown = self.run(line)
            found = re.search(r"\b[0-9a-f]{64}\b", shown)
            assert found is not None, shown
            self.words["ID"] = found[0]
        assert "passed" in shown


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Devnet]:
    net = Devnet.create(tmp_path / "devnet")
    try:
        net.up()
        yield net
    finally:
        net.down()


def test_the_example_of_the_documentation_runs(network: Devnet, tmp_path: Path) -> None:
    (rules,) = blocks("toml")
    installing, using = blocks("sh")
    shell = Shell(tmp_path, network.genesis_hash)
    (tmp_path / "lostfound.toml").write_text(rules, encoding="utf-8")
    for name in ("招领公告.pdf", "领取凭证.pdf"):
        (tmp_path / name).write_bytes(name.encode())
    assert "can be installed" in shell.run("fazhi rules lint lostfound.toml")

    lines = installing.splitlines()
    assert len(lines) == 3, "three commands"
    shell.install(lines)

    # There was no case, and no block, since the vote: the newest one must show what it installed.
    *recording, verify = using.splitlines()
    for line in recording:
        shell.run(line)
    shown = shell.run(verify)
    assert shown.startswith("VALID")
    assert "CLAIMED" in shown

    for step, key, day in (("open", "officer", "05"), ("notice", "officer", "20"), ("state", "head", "21")):
        given = f"--key devnet/officers/{key}.key --occurred-at 2026-01-{day}T09:00:00+08:00"
        shell.run(f"fazhi case --procedure lostfound {step} 失物2026-2 {given}")
    trail = shell.run("fazhi case --procedure lostfound trail 失物2026-2 --org zfj")
    assert "notice published NOTICE" in trail, "its steps have their names"
    (late,) = (line for line in trail.splitlines() if "exceeded by 8 days" in line)
    assert "The term of 7 days from received from the finder FOUND" in late
    (early,) = (line for line in trail.splitlines() if "too early" in line)
    assert "[grave]" in early
    assert "(民法典 318)" in early

    assert "nothing" in shell.run("fazhi case --procedure nothing open 1 --key x", code=2)
    # The law is changed: the next version has one more step, and nobody needs another program.
    amended = re.sub(r'law_from = "[0-9-]+"', 'law_from = "2026-01-02"', rules).replace("number = 1", "number = 2")
    amended += AUCTION
    (tmp_path / "lostfound.toml").write_text(amended, encoding="utf-8")
    shell.install(lines)
    assert "auctioned" in shell.run("fazhi case --procedure lostfound --help")
    network.down()  # offline the steps are those that were learnt before
    assert "claimed by its owner" in shell.run("fazhi case --procedure lostfound --help")
