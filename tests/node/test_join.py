"""Nodes that join from a snapshot while others work: they go on as if they had been there, sign once they have a seat,
enter nothing twice, and say honestly what they do not have."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from fazhi_contracts.epochs import pending_set
from fazhi_ledger.keys import SoftwareSigner
from fazhi_node import frames
from fazhi_node.frames import Blocks
from fazhi_node.gateway.reads import MAX_HEIGHT
from fazhi_node.peers import SYNC_TIMEOUT
from fazhi_node.queries import NotFound, NotHere
from fazhi_node.recovery import settle_votes
from fazhi_node.storage.chain_store import ChainStore
from fazhi_node.storage.memory import MemoryDisk, MemoryVoteLog
from fazhi_node.storage.vote_log import DiskVoteLog

from .cluster import SUITE, Cluster, Node, signer_of
from .membership import Load, Polls, card, certifiers, new_key
from .storage.snapshots import grown, load, snapshot_of
from .storage.test_snapshot import problems
from .test_amnesia import check_innocent, ended, voting
from .test_membership import pass_blocks, settle
from .test_votes import Wire, running


def store_of(node: Node) -> ChainStore:
    assert node.store is not None
    return node.store


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_fifth_member_joins_from_a_snapshot_under_load(seed: int) -> None:
    """Voted in, it starts from a snapshot that was taken before the vote (so that it follows the hand-over itself) or
    behind it, in the middle of the load; it signs, proposes, and answers for what it has as the others do."""
    with Cluster(seed) as cluster:
        cluster.start()
        load_ = Load(cluster, "a", "b", "c", "d")
        pass_blocks(cluster, "a", 15)
        early = cluster.snapshot("b")
        polls = Polls(cluster)
        polls.pass_it("validator.add", card(cluster, "e"), ("a", "b", "c"))
        pass_blocks(cluster, "a", 8)
        newcomer = cluster.join("e", early if seed == 1 else cluster.snapshot("c"), signer_of(seed, "e"))
        base = newcomer.running.reader.base
        assert base == newcomer.height > 10
        assert newcomer.disk.amnesiac is (seed > 1), "its key has a seat where the snapshot is later than the vote"
        cluster.run_until(lambda: newcomer.running.status().voting, 120_000)
        begun = newcomer.height
        pass_blocks(cluster, "a", 15)
        signed = [at for at in range(begun, cluster["a"].height + 1) if "e" in certifiers(cluster["a"], at)]
        assert signed
        proposers = {store_of(cluster["a"]).header(at).proposer for at in signed}  # type: ignore[union-attr]
        assert "e" in proposers
        settle_joined(cluster, load_, base)
        assert newcomer.faults == [fault for node in cluster.alive for fault in node.faults if "e" in fault] == []
        here, there = newcomer.running.reader, cluster["a"].running.reader
        assert here.handovers(MAX_HEIGHT) == there.handovers(MAX_HEIGHT) != ()
        for at in range(base + 1, here.height + 1):
            block = store_of(newcomer).block(at)
            assert block is not None
            for item in block.items:
                mine, other = here.proof(item.id(SUITE)), there.proof(item.id(SUITE))
                assert (mine.submission_proof, mine.result_proof) == (other.submission_proof, other.result_proof)
            assert here.history_proof(1, at) == there.history_proof(1, at)
        assert problems(store_of(newcomer)) == []


def settle_joined(cluster: Cluster, load_: Load, base: int) -> None:
    """What the load submitted is in every chain: of what is below its base the newcomer cannot say."""
    ids = load_.stop()
    settle(cluster, load_, "a", "b", "c", "d")
    found = {one: cluster["a"].running.reader.committed(one) for one in ids}
    above = [one for one, committed in found.items() if committed is not None and committed.height > base]
    cluster.run_until(lambda: all(cluster.committed("e", one) for one in above))
    assert above


def joined(seed: int = 5, blocks: int = 12) -> tuple[Cluster, list[bytes]]:
    """Four nodes, and a fifth without a seat whose chain begins above some submissions: their encoded items."""
    cluster = Cluster(seed, parameters={"heartbeat_ms": 1000})
    cluster.start()
    items = [cluster.item("a", seq) for seq in range(6)]
    ids = cluster.submit("a", items)
    cluster.run_until(lambda: cluster.committed_everywhere(ids))
    pass_blocks(cluster, "a", blocks)
    cluster.join("e", cluster.snapshot("a"))
    return cluster, [item.encode() for item in items]


def test_what_was_committed_below_the_base_is_not_entered_twice() -> None:
    cluster, items = joined()
    with cluster:
        node = cluster["e"]
        base = node.running.reader.base
        for data in items:
            (answer,) = cluster.settled("e", [data])
            assert (answer.status, answer.code, dict(answer.parameters)) == ("busy", "below-base", {"first": base + 1})
        other = cluster.item("a", 3, args="another body under a seq that was used")
        (answer,) = cluster.settled("e", [other.encode()])
        assert (answer.status, answer.code) == ("busy", "below-base"), "whose it is cannot be known here"
        for org in "abcd":
            assert [one.status for one in cluster.settled(org, items)] == ["committed"] * len(items)
        more = cluster.submit("e", [cluster.item("a", 6)])
        pass_blocks(cluster, "a", 5)
        cluster.run_until(lambda: cluster.committed_everywhere(more))
        assert cluster.check_exactly_once() == len(items) + 1
        (again,) = cluster.settled("e", [cluster.item("a", 6).encode()])
        assert again.status == "committed"
        (conflict,) = cluster.settled("a", [other.encode()])
        assert conflict.code == "seq-used"


def test_what_is_not_here_is_said_to_be_elsewhere() -> None:
    cluster, items = joined()
    with cluster:
        more = cluster.submit("a", [cluster.item("a", 6)])
        cluster.run_until(lambda: cluster.committed_everywhere(more))
        old = cluster["a"].running.reader
        here = cluster["e"].running.reader
        base = here.base
        id_ = cluster.item("a", 0).id(SUITE)
        asked = (
            lambda: here.block(1),
            lambda: here.block(base),
            lambda: list(here.blocks(1, 5)),
            lambda: here.checkpoint(1),
            lambda: here.consistency(base - 1, base),
            here.archive,
            lambda: here.proof(id_),
            lambda: here.proof(bytes(32)),
            lambda: here.record_results(id_),
            lambda: here.events_after(0, 0),
            lambda: here.events_after(base - 1, 10**9),
        )
        for ask in asked:
            with pytest.raises(NotHere, match=rf"below-base.*first={base + 1}"):
                ask()
        assert here.block(base + 1) == old.block(base + 1)
        assert here.checkpoint(base).header == old.checkpoint(base).header
        assert here.proof(more[0]).submission == old.proof(more[0]).submission
        assert here.consistency(base, here.height).consistency == old.consistency(base, here.height).consistency
        assert here.events_after(base, 10**9) == old.events_after(base, 10**9) != ()
        assert [here.block_and_certificate(at) for at in (1, base)] == [None, None]
        for code in ("unknown-block", "unknown-submission"):
            with pytest.raises(NotFound, match=code):
                old.block(10**6) if code == "unknown-block" else old.proof(bytes(32))
        with pytest.raises(NotFound, match="unknown-block"):
            here.block(10**6)
        assert len(items) == 6


def test_the_events_of_a_case_that_begins_below_the_base() -> None:
    """Its head is here with its proof, and the events above the base; for those below the node sends elsewhere."""
    from fazhi_node.queries import ChainReader

    world = grown()
    case = world.case("案0")
    data = snapshot_of(world.store)
    based = load(data, world.genesis_file)
    reader, full = ChainReader(based), ChainReader(world.store)
    assert reader.case(case.id, limit=0).head == full.case(case.id, limit=0).head
    assert reader.case(case.id, first=2).events == ()
    with pytest.raises(NotHere):
        reader.case(case.id)
    assert reader.case(bytes(32)).head is None, "that there is none is proven"
    executed = world.block(
        world.by("head").record(case, "FILED"), world.by("officer-1").record(world.case("新"), "LEAD")
    )
    certificate = world.store.certificate(executed.block.header.height)
    assert certificate is not None
    based.commit(executed, certificate)
    assert reader.case(case.id, first=2) == full.case(case.id, first=2)
    assert reader.case(world.case("新").id) == full.case(world.case("新").id)
    with pytest.raises(NotHere):
        reader.case(case.id)


def test_who_needs_blocks_below_the_base_gets_them_from_others() -> None:
    """A node from the genesis asks the based one too: that stays silent, is called slow and no liar, and the others
    serve; a node that hears the based one alone waits until another is there."""
    cluster, _ = joined()
    with cluster:
        cluster.kill("a", "b", "c", "d")
        cluster.add_follower("f")
        served: list[Blocks] = []

        def see(sender: str, receiver: str, frame: bytes) -> list[bytes]:
            if (sender, receiver) == ("e", "f"):
                served.extend(m for m in frames.decode_frame(frame) if isinstance(m, Blocks))
            return [frame]

        cluster.network.filter = see
        cluster.run_for(10_000)
        f = cluster["f"]
        assert (f.height, served) == (0, [])
        assert {code for _, code in f.faults} == {SYNC_TIMEOUT}
        assert f.running.peers.get("e").bans == 0
        assert f.running.peers.get("e").height == cluster["e"].height, "it is still believed"
        cluster.start("a", "b", "c", "d")
        cluster.run_until(lambda: f.height >= cluster["a"].height > 0, 60_000)
        assert f.running.peers.get("e").bans == 0
        assert cluster["e"].faults == []


def test_blocks_above_the_base_are_served_and_those_below_are_not_told() -> None:
    cluster, _ = joined()
    with cluster:
        node = cluster["e"]
        pass_blocks(cluster, "a", 3)
        cluster.run_until(lambda: node.height >= cluster["a"].height)
        base = node.running.reader.base
        sent: list[object] = []
        server = node.running._server
        server._send = lambda _, message: sent.append(message)
        node.running.peers.get("a").answered_ms = -10_000
        server.tell("a", 1)
        assert sent == []
        server.on_request("a", frames.GetBlocks(1, base, 5))
        assert sent == []
        server.on_request("a", frames.GetBlocks(2, base + 1, 5))
        (answer,) = sent
        assert isinstance(answer, Blocks)
        assert answer.blocks[0] == cluster["a"].running.reader.block_and_certificate(base + 1)


# Votes


@pytest.mark.parametrize("seed", range(4))
def test_a_validator_that_was_put_back_and_joins_from_a_snapshot_signs_nothing_twice(seed: int) -> None:
    """Data and guard, restored together from before, agree with each other; the blocks whose certificates would convict
    them lie below the snapshot's base, and right above it the node has voted. It signs nothing before others vouch."""
    cluster, wire = running(seed)
    with cluster:
        d = cluster["d"]
        before = copy.deepcopy((d.disk.votes, d.disk.floor))
        seat, proposer = d.running.validators.index_of_member("d"), d.running.validators.proposer
        pass_blocks(cluster, "a", 3)
        cluster.run_until(lambda: proposer(cluster["a"].height + 1, 0) == seat, 30_000)
        data, height = cluster.snapshot("a"), cluster["a"].height
        cluster.run_until(lambda: any(vote.height == height + 1 for vote in wire.votes["d"]), 30_000)
        cluster.kill("d")
        d.disk = MemoryDisk()
        d.disk.votes, d.disk.floor = before
        d.committed.clear()
        said = len(wire.votes["d"])
        cluster.join("d", data)
        assert d.disk.amnesiac
        cluster.run_until(lambda: voting(cluster, "d"), 60_000)
        (end,) = ended(d)
        assert all(vote.height >= end.first > height + 1 for vote in wire.votes["d"][said:])
        check_innocent(cluster, wire)
        cluster.kill("d")
        cluster.start("d")
        assert not d.disk.amnesiac, "it is settled once"


def test_a_wiped_validator_that_joins_from_a_snapshot_stays_amnesiac() -> None:
    cluster, wire = running(9)
    with cluster:
        pass_blocks(cluster, "a", 3)
        data = cluster.snapshot("a")
        cluster.wipe("d")
        cluster.join("d", data)
        assert cluster["d"].disk.amnesiac
        cluster.run_until(lambda: voting(cluster, "d"), 60_000)
        check_innocent(cluster, wire)
        assert isinstance(wire, Wire)


def test_a_key_that_left_counts_as_one_that_had_a_seat() -> None:
    with Cluster(6, parameters={"heartbeat_ms": 1000}) as cluster:
        cluster.start()
        fresh = signer_of(6, "c, second key")
        polls = Polls(cluster)
        polls.pass_it("validator.replace_key", new_key(cluster, "c", fresh), ("a", "b", "d"))
        pass_blocks(cluster, "a", 5)
        store = load(cluster.snapshot("a"), cluster.genesis_file)

        def settled(key: SoftwareSigner, floor: int = 1) -> tuple[bool, int, bool]:
            votes = MemoryVoteLog(MemoryDisk())
            votes.truncate_below(floor)
            began = settle_votes(store, key.public_key, votes)
            return began, votes.floor, votes.amnesiac

        assert settled(signer_of(6, "c")) == settled(fresh) == settled(signer_of(6, "a")) == (True, 1, True)
        assert settled(signer_of(6, "a"), store.base) == (True, store.base, True)
        assert settled(signer_of(6, "a"), store.base + 1) == (False, store.base + 1, False), "it knows its votes itself"
        assert settled(signer_of(6, "nobody")) == (False, store.base + 1, False)
        polls.pass_it("validator.add", card(cluster, "e"), ("a", "b", "d"))
        store = load(cluster.snapshot("a"), cluster.genesis_file)
        seats = pending_set(store)
        assert seats is not None
        assert (seats.index_of_member("e"), seats.first_height > store.base) == (4, True)
        assert settled(signer_of(6, "e")) == (False, store.base + 1, False)
        whole = cluster["a"].store
        assert whole is not None
        votes = MemoryVoteLog(MemoryDisk())
        assert not settle_votes(whole, signer_of(6, "a").public_key, votes)
        assert (votes.floor, votes.amnesiac) == (1, False)


def test_the_amnesia_of_a_joined_key_outlives_its_process(tmp_path: Path) -> None:
    world = grown()
    chain = load(snapshot_of(world.store), world.genesis_file)
    key = world.genesis_file.genesis.members[0].key
    where = tmp_path / "votes", tmp_path / "guard", bytes(32)
    DiskVoteLog.create(*where, fresh=True)
    log = DiskVoteLog(*where)
    assert settle_votes(chain, key, log)
    log.close()
    log = DiskVoteLog(*where)
    assert log.amnesiac
    log.end_amnesia(chain.base + 3)
    log.close()
    log = DiskVoteLog(*where)
    assert (settle_votes(chain, key, log), log.amnesiac) == (False, False)
    log.close()
