"""Votes: durable before they leave, and repeated after a crash. What was forgotten: test_amnesia.py."""

from __future__ import annotations

import pytest
from fazhi_consensus.evidence import Evidence
from fazhi_consensus.messages import Commit, Prepare, PrePrepare, RoundChange
from fazhi_consensus.wire import decode_message
from fazhi_node import frames
from fazhi_node.frames import ConsensusMessage
from fazhi_node.notebook import EVIDENCE_OF_MEMBER, MAX_NOTES
from fazhi_node.notices import EvidenceFound
from fazhi_node.storage.errors import DiskFailed

from .cluster import Cluster, Node

OwnVote = PrePrepare | Prepare | Commit | RoundChange


class Wire:
    """Everything signed that leaves any node, as it leaves."""

    def __init__(self, cluster: Cluster) -> None:
        self.votes: dict[str, list[OwnVote]] = {org: [] for org in cluster.orgs}
        self.lose_from: set[str] = set()
        cluster.network.filter = self.see

    def see(self, sender: str, receiver: str, frame: bytes) -> list[bytes]:
        for message in frames.decode_frame(frame):
            if isinstance(message, ConsensusMessage):
                vote = decode_message(message.data, 7)
                if isinstance(vote, OwnVote) and vote not in self.votes[sender]:
                    self.votes[sender].append(vote)
        return [] if sender in self.lose_from else [frame]

    def contents(self, org: str) -> set[tuple[str, int, int, bytes]]:
        """(phase, height, round, what) of everything a node said."""
        return {
            (type(v).__name__, v.height, v.round, v.signature if isinstance(v, RoundChange) else v.block_hash)
            for v in self.votes[org]
        }

    def check_no_contradiction(self) -> None:
        for org in self.votes:
            said = self.contents(org)
            assert len({(phase, height, round_) for phase, height, round_, _ in said}) == len(said), org


def running(seed: int = 1) -> tuple[Cluster, Wire]:
    cluster = Cluster(seed, parameters={"heartbeat_ms": 1000})
    cluster.start()
    cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
    return cluster, Wire(cluster)


def in_log(node: Node, vote: OwnVote) -> bool:
    signature = vote.claim.signature if isinstance(vote, PrePrepare) else vote.signature
    return any(signature in record for _, record in node.disk.votes)


def test_a_vote_is_durable_before_it_leaves() -> None:
    cluster, _ = running()
    with cluster:
        seen: list[OwnVote] = []

        def see(sender: str, receiver: str, frame: bytes) -> list[bytes]:
            for message in frames.decode_frame(frame):
                if isinstance(message, ConsensusMessage):
                    vote = decode_message(message.data, 7)
                    node = cluster[sender]
                    if isinstance(vote, OwnVote) and vote.height == node.height + 1:
                        assert in_log(node, vote)
                        seen.append(vote)
            return [frame]

        cluster.network.filter = see
        ids = cluster.submit("a", [cluster.item(seq=seq) for seq in range(5)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids))
        assert {type(vote) for vote in seen} >= {PrePrepare, Prepare}


def test_a_decided_height_leaves_no_votes_behind() -> None:
    cluster, _ = running()
    with cluster:
        cluster.run_for(5_000)
        for node in cluster.alive:
            assert all(height > node.height for height, _ in node.disk.votes)
            assert node.disk.floor == node.height + 1


@pytest.mark.parametrize("seed", range(5))
def test_crashes_at_any_moment_never_make_a_node_contradict_itself(seed: int) -> None:
    cluster, wire = running(seed)
    with cluster:
        for number in range(10):
            cluster.submit("abcd"[number % 4], [cluster.item("a", number)])
            cluster.run_for(cluster.world.random.randint(1, 15))
            victims = cluster.world.random.sample("abcd", cluster.world.random.randint(1, 4))
            cluster.kill(*victims)
            cluster.run_for(cluster.world.random.randint(0, 800))
            cluster.start(*victims)
            cluster.run_for(cluster.world.random.randint(1, 100))
        ids = cluster.submit("a", [cluster.item("a", seq) for seq in range(10)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 120_000)
        wire.check_no_contradiction()
        assert not any(isinstance(n, EvidenceFound) for node in cluster.alive for n in node.notices)


def test_a_restarted_node_says_its_votes_again_byte_for_byte() -> None:
    cluster, wire = running()
    with cluster:
        cluster.network.partition("a", "b", "c", "d")
        for org in "abcd":
            cluster.submit(org, [cluster.item(org)])
        cluster.run_for(5_000)
        before = {org: [record for _, record in cluster[org].disk.votes] for org in "abcd"}
        assert all(before.values())
        cluster.kill(*"abcd")
        cluster.network.heal()
        cluster.start()
        cluster.run_for(10)
        for org in "abcd":
            again = [vote for vote in wire.votes[org] if isinstance(vote, RoundChange)]
            assert again
            assert any(again[0].signature in record for record in before[org])
        wire.check_no_contradiction()


def test_a_disk_that_fails_stops_the_node_before_it_speaks() -> None:
    cluster, wire = running()
    with cluster:
        said = len(wire.votes["b"])
        cluster["b"].disk.failing = True
        cluster.submit("a", [cluster.item()])
        with pytest.raises(DiskFailed):
            cluster.run_for(2_000)
        assert len(wire.votes["b"]) == said
        machine = cluster["b"].running
        assert isinstance(machine.fault, DiskFailed)
        assert (machine.status().ready, machine.status().reason) == (False, "stopped")
        cluster["b"].disk.failing = False
        cluster.kill("b")
        cluster.start("b")
        ids = cluster.submit("a", [cluster.item()])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 20_000)


def test_equivocation_is_kept_as_evidence_and_said() -> None:
    """Two processes with d's key, each with a vote log of its own."""
    cluster, _ = running()
    with cluster:
        twin = Cluster(cluster.seed, parameters={"heartbeat_ms": 1000})
        d = cluster["d"]
        height = cluster["a"].height + 1
        from fazhi_consensus.wire import encode_message
        from fazhi_ledger import dsse
        from fazhi_ledger.certificate import vote_body

        assert twin.genesis_hash == cluster.genesis_hash
        assert d.signer is not None
        for number in (1, 2):
            block_hash = bytes([number]) * 32
            body = vote_body(cluster.genesis_hash, height, 0, block_hash)
            vote = Prepare(3, height, 0, block_hash, dsse.sign(d.signer, dsse.PREPARE, body))
            cluster["a"].running.on_frame("d", frames.encode_frame([ConsensusMessage(encode_message(vote))]))
        cluster.run_for(20)
        (found,) = [n for n in cluster["a"].notices if isinstance(n, EvidenceFound)]
        assert (found.org, found.height, found.guilt) == ("d", height, "double-vote")
        assert cluster["a"].notebook.find(found.note) == found.evidence


def test_a_member_guilty_at_every_height_stops_nobody() -> None:
    cluster, _ = running()
    with cluster:
        machine = cluster["a"].running
        for height in range(1, MAX_NOTES + 2):
            votes = [Prepare(3, height, 0, bytes([number]) * 32, bytes(64)) for number in (1, 2)]
            machine.record_evidence(Evidence(*votes), machine.validators)
        found = [n for n in cluster["a"].notices if isinstance(n, EvidenceFound)]
        assert len(found) == MAX_NOTES + 1, "it is said each time"
        assert [n.note for n in found if n.note] == [
            f"evidence-{height}-d" for height in range(1, EVIDENCE_OF_MEMBER + 1)
        ]
        assert machine.fault is None
