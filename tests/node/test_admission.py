"""What peers and clients can make a node hold, and what they can make it say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fazhi_consensus.messages import BlockRequest, Commit
from fazhi_consensus.wire import encode_message
from fazhi_ledger.submission import Item
from fazhi_node import frames
from fazhi_node.frames import ConsensusMessage, ItemsMessage, StatusMessage
from fazhi_node.limits import (
    MAX_CLIENT_CHECKING_ITEMS,
    MAX_PEER_CHECKING_MESSAGES,
    MAX_SUBMIT_ITEMS,
    REGOSSIP_MS,
)
from fazhi_node.notices import Admission

from .cluster import Cluster, signer_of
from .test_sync import Liar


def with_liar(seed: int = 1) -> tuple[Cluster, Liar]:
    """Three honest nodes and somebody who speaks for d."""
    cluster = Cluster(seed, parameters={"heartbeat_ms": 1000})
    cluster.start("a", "b", "c")
    liar = Liar(cluster, "d")
    cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
    return cluster, liar


def test_a_node_that_is_not_running_says_so() -> None:
    cluster = Cluster(1)
    cluster.start()
    machine = cluster["a"].running
    answers: list[list[Admission]] = []
    machine.stop()
    (answer,) = machine.submit([cluster.item().encode()], "x", answers.append)
    assert (answer.status, answer.code) == ("busy", "not-running")
    assert answers == [[answer]]
    machine.on_frame("b", b"junk")
    machine.on_timer("period")


def test_submissions_are_bounded_a_call_a_client_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(1, parameters={"max_lane_ahead": 100_000}) as cluster:
        cluster.start()
        item = cluster.item()
        answers = cluster.submit_raw("a", [item.encode()] * (MAX_SUBMIT_ITEMS + 1))
        assert {(a.status, a.code) for a in answers} == {("busy", "too-many-items")}
        forged = [Item(item.body_bytes, (bytes([n % 251, n // 251] * 32),)).encode() for n in range(5000)]
        codes: list[str] = []
        for start in range(0, 5000, 1000):
            codes += [a.code for a in cluster.submit_raw("a", forged[start : start + 1000])]
        assert codes.count("client-too-fast") == 5000 - MAX_CLIENT_CHECKING_ITEMS
        other = cluster["a"].running.submit([item.encode()], "somebody else")
        assert other[0].status == "pending"
        cluster.run_for(50)
        assert cluster["a"].running.status().checking == 0
        again = cluster.submit_raw("a", forged[-1:])[0]
        assert again.status in ("pending", "committed")  # the same body as the good one's


def test_a_forgery_answers_only_for_itself() -> None:
    """The forger and the holder of the key submit the same body at the same moment; news goes by the body's id."""
    with Cluster(1) as cluster:
        cluster.start()
        item = cluster.item()
        forged = Item(item.body_bytes, (bytes(64),))
        answers: dict[str, list[Admission]] = {}
        machine = cluster["a"].running
        machine.submit([forged.encode()], "forger", lambda a: answers.update(forger=a))
        machine.submit([item.encode()], "holder", lambda a: answers.update(holder=a))
        cluster.run_until(lambda: len(answers) == 2)
        assert answers["forger"][0].code == "bad-submission-signature"
        assert (answers["holder"][0].status, answers["holder"][0].checked) == ("pending", True)
        assert len(machine.mempool) == 1


def test_gossip_that_no_honest_node_sends_is_counted() -> None:
    cluster, liar = with_liar()
    with cluster:
        item = cluster.item()
        liar.tell("a", ItemsMessage((b"junk",)))
        liar.tell("b", ItemsMessage((Item(item.body_bytes, (bytes(64),)).encode(),)))
        cluster.run_for(50)
        assert cluster["a"].faults == [("d", "bad-gossip")]
        assert cluster["b"].faults == [("d", "bad-gossip")]
        liar.tell("a", ItemsMessage((item.encode(),)))
        cluster.run_until(lambda: cluster.committed("a", item.id(cluster.genesis_file.genesis.suite)))
        liar.tell("a", ItemsMessage((item.encode(), cluster.item(seq=9999).encode())))
        cluster.run_for(50)
        assert len(cluster["a"].faults) == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"junk",
        frames.encode_frame([ConsensusMessage(b"junk")]),
        frames.encode_frame([ConsensusMessage(encode_message(Commit(3, 2, 0, bytes(32), bytes(64))))]),
        frames.encode_frame([ConsensusMessage(encode_message(BlockRequest(0, 2, bytes(32))))]),
        frames.encode_frame([StatusMessage(bytes(32), 1, bytes(32))]),
    ],
)
def test_malformed_frames_are_dropped_counted_and_reported(frame: bytes) -> None:
    cluster, liar = with_liar()
    with cluster:
        liar.port.send("a", frame)
        liar.tell("a", StatusMessage(cluster.genesis_hash, 1, bytes(32)))
        cluster.run_for(50)
        (fault,) = cluster["a"].faults
        assert fault[0] == "d"
        assert cluster["a"].running.status().peers[-1].faults == 1
        ids = cluster.submit("b", [cluster.item("b")])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 10_000)


def test_votes_of_a_flooding_peer_are_checked_only_so_many_at_a_time() -> None:
    cluster, liar = with_liar()
    with cluster:
        height = cluster["a"].height + 1
        flood = [
            ConsensusMessage(encode_message(Commit(3, height, round_, bytes(32), bytes(64)))) for round_ in range(1000)
        ]
        before = cluster["a"].verifier.checked
        liar.tell("a", *flood)
        cluster.run_for(5)
        peer = cluster["a"].running.peers.get("d")
        assert peer.dropped == 1000 - MAX_PEER_CHECKING_MESSAGES
        assert cluster["a"].verifier.checked - before <= MAX_PEER_CHECKING_MESSAGES + 30
        cluster.run_for(50)
        assert peer.checking_messages == peer.checking_bytes == 0


def test_messages_far_ahead_are_dropped_unchecked() -> None:
    cluster, liar = with_liar()
    with cluster:
        cluster.run_for(20)
        before = cluster["a"].verifier.checked
        liar.tell(
            "a", *[ConsensusMessage(encode_message(Commit(3, 10**6 + n, 0, bytes(32), bytes(64)))) for n in range(99)]
        )
        cluster.run_for(5)
        assert cluster["a"].verifier.checked == before
        assert cluster["a"].faults == []


def test_an_item_reaches_everyone_again_when_the_first_gossip_was_lost() -> None:
    with Cluster(1, parameters={"heartbeat_ms": 60_000}) as cluster:
        cluster.start()
        cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
        lost: list[int] = []

        def lose(sender: str, receiver: str, frame: bytes) -> list[bytes]:
            gossip = any(isinstance(m, ItemsMessage) for m in frames.decode_frame(frame))
            if gossip and not lost:
                lost.append(cluster.world.now_ms)
            return [] if gossip and cluster.world.now_ms <= lost[0] else [frame]

        cluster.network.filter = lose
        gap = cluster.item(seq=1)  # not executable: nothing but gossip moves it
        cluster.submit("a", [gap])
        cluster.run_for(REGOSSIP_MS - 500)
        assert [len(cluster[org].running.mempool) for org in "abcd"] == [1, 0, 0, 0]
        cluster.run_for(2_000)
        assert [len(cluster[org].running.mempool) for org in "abcd"] == [1, 1, 1, 1]


def test_a_revoked_key_clears_what_it_has_waiting() -> None:
    with Cluster(1, parameters={"heartbeat_ms": 1000}) as cluster:
        cluster.start()
        cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
        waiting = cluster.submit("a", [cluster.item(seq=5)])
        officer = signer_of(cluster.seed, "a.officer")
        revoke = cluster.item(
            contract="identity", action="revoke_key", args=(officer.public_key,), signer=cluster["a"].signer
        )
        ids = cluster.submit("b", [revoke])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 5_000)
        assert all(len(node.running.mempool) == 0 for node in cluster.alive)
        assert [n.code for n in cluster["a"].answers(waiting[0])] == ["revoked-key"]
        refused = cluster.submit_raw("c", [cluster.item(seq=0).encode()])[0]
        assert (refused.status, refused.code) == ("invalid", "revoked-key")


def test_whatever_a_check_raises_is_held_against_the_item(monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(1) as cluster:
        cluster.start()

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr("fazhi_node.application.check_item", broken)
        answer = cluster.submit_raw("a", [cluster.item().encode()])[0]
        assert (answer.status, answer.code) == ("invalid", "unexpected")
        assert cluster["a"].alarms == ["check-failed"]


def test_an_item_committed_while_its_signature_was_checked_is_told_once() -> None:
    with Cluster(1, parameters={"heartbeat_ms": 1000}) as cluster:
        cluster.start()
        cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
        held: list[tuple[int, list[bool]]] = []
        slow = cluster["d"].verifier

        def hold(token: int, verdicts: Sequence[bool]) -> None:
            held.append((token, list(verdicts)))

        ids = [cluster.item().id(cluster.genesis_file.genesis.suite)]
        slow.post = hold
        answers: list[list[Admission]] = []
        cluster["d"].running.submit([cluster.item().encode()], "x", answers.append)
        cluster.run_for(5)
        slow.post = cluster["d"].running.on_verified
        cluster.submit("a", [cluster.item()])
        cluster.run_until(lambda: cluster.committed("d", ids[0]), 10_000)  # the cluster fails on a second telling
        for token, verdicts in held:
            cluster["d"].running.on_verified(token, verdicts)
        assert [(a.status, a.code) for a in answers[0]] == [("committed", "unknown-action")]
