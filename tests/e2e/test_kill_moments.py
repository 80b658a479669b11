"""Nodes killed at seeded moments of a case: what was accepted is never lost and never stands twice, whatever happens
between two lines of the client.

FAZHI_KILL_MOMENTS says how many moments (a multiple of ``PER_CASE``), FAZHI_KILL_SEED where to begin.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fazhi_contracts.builtin import load_builtin_rule_set
from fazhi_ledger.archive import decode_pair, read_archive
from fazhi_sdk import Chain, Receipt
from fazhi_sdk.audit import audit, file_chunks
from fazhi_sdk.devnet import Devnet, node_command

from demo import network
from demo.story import Story
from demo.walks import WALKS
from tests.e2e.processes import wait_for

pytestmark = pytest.mark.slow

PER_CASE = 3
MOMENTS = int(os.environ.get("FAZHI_KILL_MOMENTS", "6"))
SEED = int(os.environ.get("FAZHI_KILL_SEED", "1"))
RULES, WALK = load_builtin_rule_set("penalty"), WALKS["penalty"]

Network = tuple[Devnet, network.Office]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    net, office = network.make(tmp_path_factory.mktemp("kill") / "network", {"penalty": WALK})
    try:
        net.up(ready_s=60)
        yield net, office
    finally:
        net.down()


def connect(net: Devnet, outbox: Path) -> Chain:
    return Chain.connect(net.urls, net.genesis_hash, outbox, token=net.tokens)


class Chaos:
    """Kills a node some milliseconds after each of its moments, and brings it back; one node at a time."""

    def __init__(self, net: Devnet, seed: int, strikes: int) -> None:
        self._net = net
        self._random = random.Random(seed)
        self._left = strikes
        self._calm = self._random.randrange(1, 11)
        self._strike: threading.Thread | None = None
        self.done: list[str] = []

    def __call__(self, moment: str) -> None:
        """A moment of the story."""
        self._calm -= 1
        if self._left == 0 or self._calm > 0:
            return
        self.join()
        self._left -= 1
        self._calm = self._random.randrange(1, 11)
        victim = self._random.choice(sorted(self._net.nodes))
        delay_s, down_s = self._random.choice((0.0, 0.01, 0.03, 0.1)), self._random.choice((0.0, 0.5, 2.0))
        self.done.append(f"{moment} +{delay_s} s: {victim} for {down_s} s")
        self._strike = threading.Thread(target=self._carry_out, args=(victim, delay_s, down_s), daemon=True)
        self._strike.start()

    def _carry_out(self, victim: str, delay_s: float, down_s: float) -> None:
        pause = threading.Event()
        pause.wait(delay_s)
        self._net.kill(victim)
        pause.wait(down_s)
        self._net.start(victim)

    def join(self) -> None:
        """Until every node is back and ready."""
        if self._strike is not None:
            self._strike.join()
            self._strike = None
            self._net.wait_ready(sorted(self._net.nodes), ready_s=60)


@pytest.mark.timeout(900)
def test_nothing_accepted_is_lost_or_stands_twice(running: Network, tmp_path: Path) -> None:
    net, office = running
    accepted: list[Receipt] = []
    with connect(net, tmp_path / "outbox.db") as chain:
        for seed in range(SEED, SEED + MOMENTS // PER_CASE):
            chaos = Chaos(net, seed, PER_CASE)
            evidence = tmp_path / f"evidence-{seed}"
            evidence.write_bytes(random.Random(seed).randbytes(1000))
            folder = tmp_path / str(seed)
            story = Story(chain, RULES, WALK, office, folder, [evidence], number=f"2026-{seed}", moment=chaos)
            receipts = [recorded.receipt for recorded in story.walk()]
            chaos.join()
            print(f"seed {seed}: " + "; ".join(chaos.done))
            assert len(chaos.done) == PER_CASE
            assert [receipt.number_in_case for receipt in receipts] == list(range(1, len(story.steps) + 1))
            assert story.case is not None
            trail = story.case.trail()
            assert [event.submission_id for event in trail.events] == [receipt.id for receipt in receipts]
            assert [event.record.step for event in trail.events] == [step.code for step in story.steps]
            accepted += receipts
        top = max(receipt.height for receipt in accepted)
        suite = chain.genesis.suite
    for org in net.nodes:
        network.wait_for_height(net, org, top)
    chains = []
    for org, node in net.nodes.items():
        archive = tmp_path / f"{org}.fazhi"
        network.run([node_command(), "export", "--home", node.home, "-o", str(archive)])
        report = audit(file_chunks(archive), net.genesis_hash, processes=0)
        assert report.fault is None
        _, pairs = read_archive(file_chunks(archive))
        blocks = [decode_pair(*pair)[0] for pair in pairs]
        stands = [item.id(suite) for block in blocks for item in block.items]
        assert sorted(stands) == sorted(receipt.id for receipt in accepted), org
        chains.append([block.hash(suite) for block in blocks])
    shortest = min(map(len, chains))
    assert all(chain[:shortest] == chains[0][:shortest] for chain in chains)


@pytest.mark.timeout(300)
def test_with_two_of_four_down_it_stops_and_says_why_and_goes_on_when_one_returns(
    running: Network, tmp_path: Path
) -> None:
    net, office = running
    first, second, *others = net.nodes
    officer = office.signers["zfj", "officer"]
    with connect(net, tmp_path / "outbox.db") as chain:
        chain.open_case("penalty", "2026-9001", officer)
        for org in (first, second):
            net.kill(org)
        pending = chain.case("penalty", "2026-9001", officer).record(
            "FILED", signer=office.signers["zfj", "head"], timeout_s=3.0
        )
        assert not isinstance(pending, Receipt)
        assert pending.why is not None
        assert "outbox" in str(pending.why)  # it waits there, and is delivered once
        wait_for("both left to see it", lambda: not any(net.is_ready(org) for org in others))
        for org in others:
            said = net.status()[org]
            assert said is not None
            assert (said["ready"], said["reason"]) == (False, "no-quorum")
        before = network.height_of(net, others[0])
        net.start(first)
        receipt = pending.receipt(60.0)
        assert receipt.height == before + 1
        trail = chain.case("penalty", "2026-9001", officer).trail()
        assert [event.record.step for event in trail.events] == ["LEAD", "FILED"]
        net.start(second)
        net.wait_ready(ready_s=60)
        network.wait_for_height(net, second, receipt.height)
