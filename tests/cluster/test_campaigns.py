"""A short slice of each campaign of real processes, as the command runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

from .clients import Clients
from .faults import FAULTS
from .history import Acknowledged
from .netns import EPISODES, NO_HELP, schedule
from .nodes import Nodes
from .running import MUCH, blind

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
    assert run("tests.cluster.kills", "--kills", "2")["kills"] == 2


def test_nodes_in_a_bad_network_agree() -> None:
    line = run("tests.cluster.netns", "--runs", "1", "--episodes", "2", "--longest", "2")
    assert line["faults_by_kind"].keys() >= {"isolate", "loss"}
    assert line["packets"]["cut"] > 0
    assert line["packets"]["lost"] > 0


def test_witnesses_that_have_seen_nothing_are_named(tmp_path: Path) -> None:
    nodes = Nodes.create(tmp_path / "net")
    clients = Clients(nodes, [nodes.orgs], nodes.orgs[:1], seed=1)
    for org in nodes.orgs:
        nodes.heard(org).write_text("\n# the build\n")
    nodes.compare_votes()
    receipts = [Acknowledged(0.0, bytes([n]), bytes([n]), (1, n), b"lane", n) for n in range(MUCH)]
    for receipt in receipts[:-1]:
        clients.history.take(receipt)
    assert blind(nodes, clients) == []
    clients.history.take(receipts[-1])
    assert blind(nodes, clients) == [
        "campaign: no node has noted a vote",
        "campaign: no gateway has answered a reader",
    ]


def test_seeds_in_a_row_go_through_all_faults() -> None:
    seeds = range(len(FAULTS) // EPISODES)
    assert {episode[0] for seed in seeds for episode in schedule(seed)} == set(FAULTS)
    assert schedule(7) == schedule(7)
