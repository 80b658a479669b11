"""A short slice of each campaign of real processes, as the command runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

from .faults import FAULTS
from .netns import EPISODES, NO_HELP, schedule

pytestmark = pytest.mark.slow


def run(*words: str) -> dict[str, Any]:
    """Carry out a campaign's command; its JSON line."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    if done.returncode == NO_HELP:
        pytest.skip(done.stderr.strip())
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert {"campaign", "runs", "faults", "violations", "seconds"} <= set(line)
    assert line["violations"] == line["lost"] == line["doubled"] == 0
    assert line["acknowledged"] == line["submitted"] > 0
    return line


def test_nodes_that_are_killed_lose_nothing() -> None:
    assert run("tests.cluster.kills", "--kills", "3")["kills"] == 3


def test_nodes_in_a_bad_network_agree() -> None:
    line = run("tests.cluster.netns", "--runs", "1", "--episodes", "2", "--longest", "2")
    assert line["faults_by_kind"].keys() >= {"isolate", "loss"}
    assert line["packets"]["cut"] > 0
    assert line["packets"]["lost"] > 0


def test_seeds_in_a_row_go_through_all_faults() -> None:
    seeds = range(len(FAULTS) // EPISODES)
    assert {episode[0] for seed in seeds for episode in schedule(seed)} == set(FAULTS)
    assert schedule(7) == schedule(7)
