"""A disk that errs or fills at any one write of a node: it stops before it says what it could not keep, loses nothing
that it said, and goes on from there when the disk is well again."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import pytest
from fazhi_node.notices import AmnesiaEnded
from fazhi_node.storage.errors import DiskFailed, StorageError
from fazhi_node.storage.memory import MemoryDisk

from .cluster import Cluster
from .test_votes import OwnVote, Wire, in_log

SEED = 20261122


class FailingDisk(MemoryDisk):
    """Fails the write of a given number, and all after it until it is repaired. Votes, blocks and notes count alike."""

    def __init__(self) -> None:
        self.writes = 0
        self.fail_at: int | None = None
        super().__init__()

    @property
    def failing(self) -> bool:
        self.writes += 1
        return self.fail_at is not None and self.writes > self.fail_at

    @failing.setter
    def failing(self, _: bool) -> None:
        pass


class Saying(Wire):
    """Whatever b says of a height in flight is durable when it says it; how far it says it is, too."""

    def see(self, sender: str, receiver: str, frame: bytes) -> list[bytes]:
        before = {org: len(votes) for org, votes in self.votes.items()}
        kept = super().see(sender, receiver, frame)
        node = self.cluster[sender]
        vote: OwnVote
        for vote in self.votes[sender][before[sender] :]:
            if sender == "b" and node.alive and vote.height == node.height + 1:
                assert in_log(node, vote), "said before it was kept"
        return kept

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        super().__init__(cluster)


def life(fail_at: int | None) -> Iterator[int]:
    """A short life of four nodes under load; b's disk fails at one write. Yields how many writes there were."""
    with Cluster(SEED, parameters={"heartbeat_ms": 1000}) as cluster:
        disk = cluster["b"].disk = FailingDisk()
        cluster.start()
        cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
        wire = Saying(cluster)
        disk.writes, disk.fail_at = 0, fail_at
        ids = []
        try:
            for number in range(6):
                ids += cluster.submit("abcd"[number % 4], [cluster.item("a", number)])
                cluster.run_for(100)
            cluster.run_for(2500)
        except StorageError:
            assert fail_at is not None
            machine = cluster["b"].running
            assert isinstance(machine.fault, DiskFailed), "the first error is the one that is told"
            said = len(wire.votes["b"])
            tip = machine.height
            assert (machine.status().ready, machine.status().reason) == (False, "stopped")
            cluster["b"].running.on_timer("period")
            cluster.world.run_for(3_000)
            assert len(wire.votes["b"]) == said, "a stopped node says nothing"
            yield disk.writes
            disk.fail_at = None
            cluster.kill("b")
            cluster.start("b")
            assert cluster["b"].height >= tip
        else:
            yield disk.writes
        ids += cluster.submit("a", [cluster.item("a", seq) for seq in range(6)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 60_000)
        wire.check_no_contradiction()
        assert cluster.check_exactly_once() >= 6


def test_a_disk_that_fails_at_any_write() -> None:
    (writes,) = life(None)
    assert writes > 20
    stopped = sum(1 for fail_at in range(0, writes, 2) for _ in life(fail_at))
    print(f"seed {SEED}: {writes} writes, stopped at {stopped} of them")
    assert stopped == len(range(0, writes, 2))


def test_the_check_of_what_is_said_finds_a_log_that_does_not_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would notice: with a vote log that forgets to write, the first vote is one too many."""
    from fazhi_node.storage.memory import MemoryVoteLog

    monkeypatch.setattr(MemoryVoteLog, "append", lambda *_: None)
    with pytest.raises(AssertionError, match="said before it was kept"):
        list(life(None))


@pytest.mark.parametrize("seed", range(8))
def test_rotten_data_are_refused_set_aside_and_fetched_anew(seed: int) -> None:
    """Bits of what d has stored flip while it is down. It works on as everybody, or stops; with its chain set aside and
    its votes kept it comes back, and asks nobody."""
    with Cluster(seed, parameters={"heartbeat_ms": 1000}) as cluster:
        cluster.start()
        ids = cluster.submit("a", [cluster.item("a", seq) for seq in range(4)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids))
        cluster.run_for(2_000)
        wire = Wire(cluster)
        rng = random.Random(seed)
        node = cluster["d"]
        cluster.kill("d")
        for key in rng.sample(sorted(node.disk.durable), 3):
            value = bytearray(node.disk.durable[key])
            value[rng.randrange(len(value))] ^= 1 << rng.randrange(8)
            node.disk.durable[key] = bytes(value)
        refused = False
        ids += cluster.submit("a", [cluster.item("a", seq) for seq in range(4, 8)])
        try:
            cluster.start("d")
            cluster.run_for(5_000)
            assert cluster.committed_everywhere(ids)
        except StorageError:
            refused = True
        if refused:
            if node.alive:
                cluster.kill("d")
            node.disk.cut_power()
            node.disk.durable.clear()  # fazhi-node check --set-aside
            node.committed.clear()
            cluster.start("d")
        last = cluster.submit("a", [cluster.item("a", seq) for seq in range(8, 10)])
        cluster.run_until(lambda: cluster.committed_everywhere(last), 60_000)
        with contextlib.nullcontext() if refused else contextlib.suppress(StorageError):  # rot that nobody read so far
            assert all(node.running.committed(submission_id) is not None for submission_id in (*ids, *last))
        cluster.run_until(lambda: node.running.status().voting, 10_000)
        assert not [n for n in node.notices if isinstance(n, AmnesiaEnded)]
        wire.check_no_contradiction()
        print(f"seed {seed}: {'refused' if refused else 'not read'}")
