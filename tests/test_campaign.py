"""How campaigns end: with a line that says what was run, and with nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.node.edge.processes import until

from .campaign import conclude, workers

WITHIN_S = 60.0


def count_up(sums: dict[str, int], folder: str) -> None:
    """A campaign of two parts that have no end."""
    with tempfile.TemporaryDirectory(dir=folder), workers(2) as pool:
        sums["runs"] = 3
        list(pool.map(never_ending, [f"{folder}/first", f"{folder}/second"]))


def never_ending(told: str) -> None:
    """A part that has started a process, and waits for it; the process tells its number."""
    program = f"import os, pathlib, signal; pathlib.Path({told!r}).write_text(str(os.getpid())); signal.pause()"
    subprocess.run([sys.executable, "-c", program], check=True)


def lives(process: int) -> bool:
    """Whether it runs; nobody may be there to ask for its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


PROGRAM = """
import sys
from tests.campaign import conclude
from tests.test_campaign import count_up
sums = {}
sys.exit(conclude("endless", lambda: count_up(sums, sys.argv[1]), lambda: sums))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_campaign_that_is_ended_says_what_was_run_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    campaign = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told = [tmp_path / "first", tmp_path / "second"]
    try:
        until(lambda: all(path.exists() and path.read_text() for path in told), "both parts run", WITHIN_S)
        campaign.send_signal(number)
        said, errors = campaign.communicate(timeout=WITHIN_S)
    finally:
        campaign.kill()
        campaign.wait()
    assert campaign.returncode == 128 + number
    line = json.loads(said)
    assert (line["campaign"], line["runs"], line["ended_by"]) == ("endless", 3, number.name)
    assert errors.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
    until(lambda: not any(lives(int(path.read_text())) for path in told), "what it started has ended", WITHIN_S)


@pytest.mark.parametrize(
    ("sums", "code"),
    [({"runs": 1}, 0), ({"runs": 1, "violations": 2}, 1), ({}, 1), ({"runs": 0}, 1)],
    ids=["sound", "violated", "nothing", "no run"],
)
def test_the_exit_code_is_what_came_of_it(sums: dict[str, int], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude("short", lambda: None, lambda: sums) == code
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert line.keys() == {"campaign", "runs", "faults", "violations", "seconds"}
    assert line["runs"] == sums.get("runs", 0)
    assert "ended_by" not in line


def test_signals_mean_afterwards_what_they_meant() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    conclude("short", lambda: None, dict)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
