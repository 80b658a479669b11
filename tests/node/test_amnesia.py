"""A validator that may have forgotten its votes signs again by itself, never too early, and not where its key is used
twice (design §6, docs/adr/0008)."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
from fazhi_consensus.messages import Commit, PrePrepare
from fazhi_consensus.wire import decode_message, encode_message
from fazhi_ledger.validators import Validator, ValidatorSet
from fazhi_node import frames, recovery
from fazhi_node.frames import Blocks, ConsensusMessage, Message, StatusMessage, Vouch, VouchRequest
from fazhi_node.notebook import MemoryNotebook
from fazhi_node.notices import AmnesiaEnded, EvidenceFound, Notice
from fazhi_node.peers import PeerTable
from fazhi_node.recovery import KEY_ELSEWHERE_NOTE, Recovery
from fazhi_node.storage.memory import MemoryDisk, MemoryVoteLog

from .cluster import Cluster, Node
from .test_votes import Wire, running

NONCE = b"n" * 16


def ended(node: Node) -> list[AmnesiaEnded]:
    return [notice for notice in node.notices if isinstance(notice, AmnesiaEnded)]


def voting(cluster: Cluster, org: str) -> bool:
    return cluster[org].running.status().voting


def check_innocent(cluster: Cluster, wire: Wire) -> None:
    wire.check_no_contradiction()
    assert not [n for node in cluster.nodes.values() for n in node.notices if isinstance(n, EvidenceFound)]


def test_an_amnesiac_validator_signs_again_within_a_few_heartbeats() -> None:
    """No work comes in; a heartbeat a second moves the chain."""
    cluster, wire = running()
    with cluster:
        cluster.run_for(5_000)
        cluster.wipe("d")
        before = len(wire.votes["d"])
        cluster.start("d")
        cluster.run_until(lambda: bool(ended(cluster["d"])))
        (end,) = ended(cluster["d"])
        assert end.first == end.height + 3
        assert not voting(cluster, "d")
        cluster.run_until(lambda: voting(cluster, "d"), 10_000)
        assert cluster["d"].height == end.first - 1
        cluster.run_for(5_000)
        again = wire.votes["d"][before:]
        assert again
        assert min(vote.height for vote in again) == end.first
        assert cluster["d"].running.status().ready
        check_innocent(cluster, wire)


@pytest.mark.parametrize(("count", "seed"), [(4, 0), (4, 1), (4, 2), (4, 3), (7, 0)])
def test_wiped_again_and_again_nobody_signs_twice(count: int, seed: int) -> None:
    """One node at a time loses all its data under load, wherever it stood."""
    cluster = Cluster(seed, count, parameters={"heartbeat_ms": 1000})
    with cluster:
        cluster.start()
        cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
        wire = Wire(cluster)
        number = 0
        for _ in range(6):
            victim = cluster.world.random.choice(cluster.orgs)
            for _ in range(3):
                others = [org for org in cluster.orgs if org != victim]  # what it alone has is lost with it
                cluster.submit(cluster.world.random.choice(others), [cluster.item("a", number)])
                number += 1
            cluster.run_for(cluster.world.random.randint(1, 40))
            cluster.wipe(victim)
            cluster.run_for(cluster.world.random.randint(0, 1500))
            cluster.start(victim)
            cluster.run_until(lambda victim=victim: voting(cluster, victim), 60_000)  # type: ignore[misc]
        ids = cluster.submit("a", [cluster.item("a", number)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 60_000)
        check_innocent(cluster, wire)


def lose_the_height_it_alone_decided(first_after: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Cluster, Wire]:
    """The worst that can have been: d alone saw block t + 1 certified, proposed at t + 2, and lost everything; the
    others are at t when d asks them."""
    monkeypatch.setattr(recovery, "FIRST_AFTER", first_after)
    cluster, wire = running()
    d = cluster["d"]
    seat = d.running.validators.index_of_member("d")
    proposer = d.running.validators.proposer
    cluster.run_until(lambda: proposer(d.height + 2, 0) == seat, 30_000)
    height = d.height + 1
    see = wire.see

    def lose(sender: str, receiver: str, frame: bytes) -> list[bytes]:
        see(sender, receiver, frame)
        kept = [m for m in frames.decode_frame(frame) if receiver == "d" or not tells(m, height)]
        return [frames.encode_frame(kept)] if kept else []

    cluster.network.filter = lose
    cluster.run_until(lambda: d.height == height and says_propose(wire, height + 1), 30_000)
    assert all(cluster[org].height == height - 1 for org in "abc")
    cluster.wipe("d")
    cluster.network.filter = see
    cluster.start("d")
    # As things are the others name their height before they get on: their first messages after the loss say so.
    cluster.run_until(lambda: cluster["a"].height >= height + 6, 120_000)
    return cluster, wire


def tells(message: Message, height: int) -> bool:
    if isinstance(message, ConsensusMessage):
        vote = decode_message(message.data, 7)
        return isinstance(vote, Commit) and vote.height == height
    return isinstance(message, StatusMessage | Blocks)


def says_propose(wire: Wire, height: int) -> bool:
    return any(isinstance(vote, PrePrepare) and vote.height == height for vote in wire.votes["d"])


def test_three_above_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, wire = lose_the_height_it_alone_decided(3, monkeypatch)
    with cluster:
        check_innocent(cluster, wire)
        assert voting(cluster, "d")


def test_two_above_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is tight: with a rule weaker by one the same course of events makes d contradict itself."""
    cluster, wire = lose_the_height_it_alone_decided(2, monkeypatch)
    with cluster, pytest.raises(AssertionError, match=r"^d\b"):
        check_innocent(cluster, wire)


def lying(cluster: Cluster, liar: str, height: int | None) -> None:
    """That member answers every question with ``height``."""

    def lie(sender: str, receiver: str, frame: bytes) -> list[bytes]:
        if sender != liar:
            return [frame]
        said: list[Message] = [
            Vouch(m.nonce, m.key, height) if isinstance(m, Vouch) else m for m in frames.decode_frame(frame)
        ]
        return [frames.encode_frame(said)]

    cluster.network.filter = lie


@pytest.mark.parametrize("height", [10**9, 2**63 - 1, 0, None])
def test_a_liar_keeps_nobody_silent_for_ever(height: int | None) -> None:
    """Of seven two may be faulty: one that forgets and one that lies about the height."""
    cluster = Cluster(3, 7, parameters={"heartbeat_ms": 1000})
    with cluster:
        cluster.start()
        cluster.run_for(5_000)
        cluster.wipe("d")
        lying(cluster, "a", height)
        cluster.start("d")
        cluster.run_until(lambda: voting(cluster, "d"), 20_000)


def test_a_height_that_nobody_can_show_is_waited_for_but_never_believed() -> None:
    """Of four all others have to vouch: forgetting and lying are two faults, more than four bear."""
    cluster, _ = running(2)
    with cluster:
        cluster.wipe("d")
        lying(cluster, "a", 10**9)
        cluster.start("d")
        cluster.run_for(20_000)
        status = cluster["d"].running.status()
        assert (status.reason, status.missing, status.voting) == ("amnesia", ("a",), False)
        cluster.network.filter = None
        cluster.kill("d")
        cluster.start("d")
        cluster.run_until(lambda: voting(cluster, "d"), 20_000)


def test_who_forgot_vouches_for_nobody() -> None:
    """With two of four amnesiac there is no quorum, and waiting helps nobody."""
    cluster, wire = running(5)
    with cluster:
        cluster.wipe("c", "d")
        said = len(wire.votes["c"]) + len(wire.votes["d"])
        cluster.start("c", "d")
        cluster.run_for(60_000)
        assert not ended(cluster["c"])
        assert not ended(cluster["d"])
        status = cluster["c"].running.status()
        assert (status.reason, status.missing) == ("amnesia", ("d",))
        assert len(wire.votes["c"]) + len(wire.votes["d"]) == said


def test_two_of_seven_recover() -> None:
    cluster = Cluster(7, 7, parameters={"heartbeat_ms": 1000})
    with cluster:
        cluster.start()
        cluster.run_for(3_000)
        wire = Wire(cluster)
        cluster.wipe("f", "g")
        cluster.start("f", "g")
        cluster.run_until(lambda: voting(cluster, "f") and voting(cluster, "g"), 30_000)
        check_innocent(cluster, wire)


def test_an_amnesiac_stays_one_over_restarts_until_others_answer() -> None:
    cluster, wire = running(4)
    with cluster:
        cluster.wipe("d")
        said = len(wire.votes["d"])
        cluster.network.partition("abc", "d")
        for _ in range(3):
            cluster.start("d")
            cluster.run_for(2_000)
            assert cluster["d"].running.status().reason in ("amnesia", "no-quorum")
            cluster.kill("d")
        assert len(wire.votes["d"]) == said
        cluster.network.heal()
        cluster.start("d")
        cluster.run_until(lambda: voting(cluster, "d"), 20_000)
        check_innocent(cluster, wire)


def unknown_vote(cluster: Cluster, wire: Wire) -> None:
    """d votes at a height that the others cannot decide, forgets it without a trace, and hears of it."""
    cluster.kill("c")
    cluster.run_until(lambda: any(v.height == cluster["d"].height + 1 for v in wire.votes["d"]), 10_000)
    cluster.network.partition("a", "b", "d")
    cluster.run_for(50)
    height = cluster["d"].height + 1
    assert any(vote.height == height for vote in wire.votes["d"])
    cluster.kill("d")
    cluster["d"].disk.votes.clear()
    cluster.start("d")
    told = next(vote for vote in wire.votes["d"] if vote.height == height)
    cluster["d"].running.on_frame("a", frames.encode_frame([ConsensusMessage(encode_message(told))]))
    cluster.run_for(20)
    cluster.network.heal()
    cluster.start("c")


def test_a_vote_of_ours_that_we_do_not_know_silences_us_until_others_vouch() -> None:
    cluster, wire = running()
    with cluster:
        unknown_vote(cluster, wire)
        assert "own-vote-unknown" in cluster["d"].alarms
        assert cluster["d"].disk.amnesiac
        said = len(wire.votes["d"])
        cluster.run_until(lambda: voting(cluster, "d"), 30_000)
        (end,) = ended(cluster["d"])
        assert all(vote.height >= end.first for vote in wire.votes["d"][said:])
        check_innocent(cluster, wire)


def test_a_key_that_is_used_elsewhere_too_is_not_used_here_again() -> None:
    """The second unknown vote after a recovery: nothing heals by itself any more, over restarts too."""
    cluster, wire = running()
    with cluster:
        unknown_vote(cluster, wire)
        cluster.run_until(lambda: voting(cluster, "d"), 30_000)
        unknown_vote(cluster, wire)
        assert cluster["d"].alarms[-1] == "key-used-elsewhere"
        assert cluster["d"].notebook.find(KEY_ELSEWHERE_NOTE) is not None
        said = len(wire.votes["d"])
        ids = cluster.submit("a", [cluster.item()])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 60_000)
        cluster.kill("d")
        cluster.start("d")
        cluster.run_for(10_000)
        assert len(wire.votes["d"]) == said
        assert len(ended(cluster["d"])) == 1
        assert cluster["d"].running.status().reason == "amnesia"


# The rule alone


def seats(*members: str, epoch: int = 0) -> ValidatorSet:
    return ValidatorSet(epoch, 1, tuple(Validator(member, key_of(member)) for member in sorted(members)))


def key_of(member: str) -> bytes:
    return member.encode() * 32


class Holder:
    """Who holds that key; nothing is signed here."""

    def __init__(self, member: str) -> None:
        self.public_key = key_of(member)

    def sign(self, message: bytes) -> bytes:
        raise AssertionError(message)


def amnesiac(me: str = "d") -> tuple[Recovery, MemoryVoteLog, list[Notice]]:
    log = MemoryVoteLog(MemoryDisk())
    log.begin_amnesia()
    said: list[Notice] = []
    return Recovery(me, Holder(me), log, MemoryNotebook(), NONCE, said.append), log, said


def hear(asker: Recovery, answers: Sequence[tuple[str, int | None]], nonce: bytes = NONCE) -> None:
    for member, height in answers:
        asker.on_vouch(member, Vouch(nonce, key_of(member), height))


def test_each_answer_counts_only_as_far_as_we_have_come_ourselves() -> None:
    asker, log, _ = amnesiac()
    hear(asker, [("a", 10), ("b", 12), ("c", 12)])
    asker.conclude(11, seats(*"abcd"))
    assert log.amnesiac
    assert asker.missing(11, seats(*"abcd")) == ("b", "c")
    asker.conclude(12, seats(*"abcd"))
    assert (log.amnesiac, log.floor) == (False, 15)


def test_who_vouched_with_a_key_that_was_replaced_since_is_asked_again() -> None:
    """Of four all others must vouch: an answer for the old key would have silenced us for good."""
    asker, log, _ = amnesiac()
    later = ValidatorSet(1, 20, tuple(Validator(one, key_of("e" if one == "a" else one)) for one in "abcd"))
    hear(asker, [("a", 10)])
    assert asker.request("a", seats(*"abcd")) is None
    assert asker.request("b", seats(*"abcd")) is not None
    assert asker.request("a", later) is not None
    hear(asker, [("b", 20), ("c", 20)])
    asker.on_vouch("a", Vouch(NONCE, key_of("e"), 21))
    assert asker.request("a", later) is None
    asker.conclude(20, later)
    assert log.amnesiac
    asker.conclude(21, later)
    assert log.floor == 24


def test_the_first_answer_of_a_moving_chain_is_reached() -> None:
    asker, log, _ = amnesiac()
    hear(asker, [("a", 10), ("b", 10), ("c", 10), ("a", 500), ("b", 500), ("c", 500)])
    asker.conclude(10, seats(*"abcd"))
    assert log.floor == 13


@pytest.mark.parametrize(
    "answers",
    [
        [("a", 1), ("b", 1)],
        [("a", 1), ("b", 1), ("c", None)],
        [("a", 1), ("b", 1), ("d", 1)],
        [("a", 1), ("b", 1), ("x", 1)],
        [("a", 1), ("b", 1), ("b", 1)],
    ],
)
def test_fewer_than_a_quorum_of_others_is_not_enough(answers: list[tuple[str, int | None]]) -> None:
    """Ourselves, members without a seat, amnesiac ones, and one member heard twice do not count."""
    asker, log, _ = amnesiac()
    hear(asker, answers)
    asker.conclude(100, seats(*"abcd"))
    assert log.amnesiac


def test_an_answer_to_an_earlier_process_does_not_count() -> None:
    asker, log, _ = amnesiac()
    hear(asker, [("a", 1), ("b", 1), ("c", 1)], nonce=b"o" * 16)
    asker.conclude(100, seats(*"abcd"))
    assert log.amnesiac


def test_a_member_vouches_for_the_key_in_its_seat_only() -> None:
    """A member whose key was replaced knows nothing of what the old one signed."""
    asker, log, _ = amnesiac()
    hear(asker, [("a", 1), ("b", 1)])
    asker.on_vouch("c", Vouch(NONCE, b"another key".ljust(32), 1))
    asker.conclude(100, seats(*"abcd"))
    assert log.amnesiac


def test_the_set_that_counts_is_that_of_the_block_after_the_next() -> None:
    asker, log, _ = amnesiac()
    hear(asker, [("a", 1), ("b", 1), ("c", 1)])
    asker.conclude(5, seats("d", "e", "f", "g", epoch=1))
    assert log.amnesiac
    hear(asker, [("e", 5), ("f", 6), ("g", 6)])
    asker.conclude(6, seats("d", "e", "f", "g", epoch=1))
    assert log.floor == 9


def test_what_a_node_answers() -> None:
    disk = MemoryDisk()
    log = MemoryVoteLog(disk)
    node = Recovery("a", Holder("a"), log, MemoryNotebook(), NONCE, lambda _: None)
    ask = VouchRequest(b"q" * 16)
    assert node.answer(ask, 7) == Vouch(b"q" * 16, key_of("a"), 7)
    log.truncate_below(21)  # the chain was lost, the vote log was not
    assert node.answer(ask, 7) == Vouch(b"q" * 16, key_of("a"), 20)
    log.begin_amnesia()
    assert node.answer(ask, 7) == Vouch(b"q" * 16, key_of("a"), None)
    follower = Recovery("x", None, None, MemoryNotebook(), NONCE, lambda _: None)
    assert follower.answer(ask, 7) is None
    assert follower.request("a", seats(*"abcd")) is None


def test_a_member_that_lost_its_data_is_not_taken_for_a_liar() -> None:
    """Its first frames come before our own connection to it is up again (seen with real processes)."""
    table = PeerTable("a", lambda _: None)
    table.connected("d", 0)
    table.claim("d", 14, b"", 0)
    table.lost("d")
    table.claim("d", 0, b"", 1)
    assert table.get("d").height == 0


# Data and guard put back together


@pytest.mark.parametrize("seed", range(6))
def test_a_snapshot_of_everything_is_noticed_by_the_certificates_of_the_blocks_it_lacks(seed: int) -> None:
    """A virtual machine is set back: vote log and guard agree with each other, and both are old. d is back at a height
    where it was the proposer, and says nothing for the second time."""
    cluster, wire = running(seed)
    with cluster:
        d = cluster["d"]
        seat, proposer = d.running.validators.index_of_member("d"), d.running.validators.proposer
        cluster.run_until(lambda: proposer(d.height + 1, 0) == seat)
        cluster.kill("d")
        snapshot = copy.deepcopy((d.disk.durable, d.disk.votes, d.disk.floor))
        cluster.start("d")
        ids = cluster.submit("a", [cluster.item("a", seq) for seq in range(3)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids))
        cluster.run_for(5_000)
        assert voting(cluster, "d")
        cluster.kill("d")
        d.disk.durable, d.disk.votes, d.disk.floor = snapshot
        d.committed.clear()
        cluster.submit("a", [cluster.item("a", 3)])
        cluster.start("d")
        cluster.run_until(lambda: "own-vote-unknown" in d.alarms, 10_000)
        cluster.run_until(lambda: voting(cluster, "d"), 30_000)
        check_innocent(cluster, wire)


def test_who_says_nothing_is_not_waited_for_longer_than_five_seconds() -> None:
    """Nobody says how far it is, after a power cut of all: they propose all the same, after a while."""
    cluster, wire = running()
    with cluster:
        cluster.kill(*"abcd")

        def mute(sender: str, receiver: str, frame: bytes) -> list[bytes]:
            kept = [m for m in frames.decode_frame(frame) if not isinstance(m, StatusMessage)]
            wire.see(sender, receiver, frame)
            return [frames.encode_frame(kept)] if kept else []

        cluster.network.filter = mute
        before = {org: len(wire.votes[org]) for org in "abcd"}
        cluster.start()
        cluster.submit("a", [cluster.item("a")])
        cluster.run_for(4_900)
        assert not [v for org in "abcd" for v in wire.votes[org][before[org] :] if isinstance(v, PrePrepare)]
        ids = cluster.submit("a", [cluster.item("b")])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 10_000)
        check_innocent(cluster, wire)


def test_liars_keep_nobody_from_proposing() -> None:
    """Of four one claims to be far ahead, and so does a member without a seat: the others decide all the same."""
    cluster, wire = running(3)
    with cluster:
        lying_status(cluster, {"a", "x"})
        cluster.add_follower("x")
        for number in range(8):  # each of the four proposes twice
            ids = cluster.submit("b", [cluster.item("b", number)])
            cluster.run_until(lambda ids=ids: all(cluster.committed(org, ids[0]) for org in "bcd"), 4_000)  # type: ignore[misc]
        assert all(v.round == 0 for org in "bcd" for v in wire.votes[org] if isinstance(v, PrePrepare))


def lying_status(cluster: Cluster, liars: set[str]) -> None:
    """These say that they are at height 10⁹, whenever they say how far they are."""

    def lie(sender: str, receiver: str, frame: bytes) -> list[bytes]:
        if sender not in liars or receiver in liars:
            return [frame]
        said = [
            StatusMessage(m.genesis_hash, 10**9, m.tip_hash) if isinstance(m, StatusMessage) else m
            for m in frames.decode_frame(frame)
        ]
        return [frames.encode_frame(said)]

    cluster.network.filter = lie
