"""Members that join, leave and change keys by vote, while whole nodes go on: one seat more or less two heights later,
and nothing that a retired key says afterwards."""

from __future__ import annotations

import pytest
from fazhi_node.notices import MembersChanged
from fazhi_node.storage.memory import MemoryDisk

from .cluster import Cluster, signer_of
from .membership import Load, Polls, Watched, card, certifiers, new_key, seats, set_at, sets


def settle(cluster: Cluster, load: Load, *orgs: str) -> None:
    """Let the load end, and what it submitted be in the chains of these nodes, once each."""
    ids = load.stop()
    assert ids
    cluster.run_until(lambda: all(cluster.committed(org, one) for org in orgs for one in ids))
    assert cluster.check_exactly_once() >= len(ids)


def pass_blocks(cluster: Cluster, org: str, blocks: int) -> int:
    goal = cluster[org].height + blocks
    cluster.run_until(lambda: cluster[org].height >= goal)
    return goal


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_fifth_member_joins_under_load(seed: int) -> None:
    with Cluster(seed) as cluster:
        cluster.start()
        load = Load(cluster, "a", "b", "c", "d")
        pass_blocks(cluster, "a", 5)
        newcomer = cluster.add_follower("e", signer_of(seed, "e"))
        polls = Polls(cluster)
        height = polls.pass_it("validator.add", card(cluster, "e"), ("a", "b", "c"))
        pass_blocks(cluster, "a", 20)
        cluster.run_until(lambda: newcomer.running.status().voting)
        status = newcomer.running.status()
        assert (status.validator, status.validators, status.quorum, status.epoch) == (True, 5, 4, 1)
        node = cluster["a"]
        for at in range(1, height + 2):
            assert set(certifiers(node, at)) <= set("abcd"), at
        assert any("e" in certifiers(node, at) for at in range(height + 2, node.height + 1))
        proposers = {node.store.header(at).proposer for at in range(height + 2, node.height + 1)}  # type: ignore[union-attr]
        assert "e" in proposers
        settle(cluster, load, "a", "b", "c", "d", "e")


def test_the_newcomer_starts_after_the_vote_and_counts_for_nothing_until_it_is_there() -> None:
    """At five seats four are needed: the old four go on without the fifth."""
    with Cluster(7) as cluster:
        cluster.start()
        load = Load(cluster, "a", "b", "c", "d")
        polls = Polls(cluster)
        height = polls.pass_it("validator.add", card(cluster, "e"), ("d", "b", "a"))
        pass_blocks(cluster, "a", 12)
        assert seats(cluster["a"]) == list("abcde")
        newcomer = cluster.add_follower("e", signer_of(7, "e"))
        cluster.run_until(lambda: newcomer.running.status().voting)
        assert newcomer.height > height
        cluster.kill("d")  # and now it is one of the four that are needed
        pass_blocks(cluster, "a", 10)
        settle(cluster, load, "a", "b", "c", "e")


@pytest.mark.parametrize("seed", range(1, 3))
def test_a_member_that_is_voted_out_follows_and_signs_nothing(seed: int) -> None:
    with Cluster(seed, count=5) as cluster:
        watched = cluster["e"].signer = Watched(seed, "e")
        cluster.start()
        load = Load(cluster, "a", "b", "c", "d")
        polls = Polls(cluster)
        height = polls.pass_it("validator.remove", ("e",), ("a", "b", "c", "d"))
        pass_blocks(cluster, "a", 15)
        leaver = cluster["e"]
        cluster.run_until(lambda: leaver.height >= cluster["a"].height)
        status = leaver.running.status()
        assert (status.validator, status.voting, status.epoch) == (False, False, 1)
        assert seats(cluster["a"]) == list("abcd")
        for at in range(height + 2, cluster["a"].height + 1):
            assert "e" not in certifiers(cluster["a"], at)
        assert max(watched.heights()) <= height + 1
        (late,) = cluster.submit_raw("e", [cluster.item("e").encode()])
        assert (late.status, late.code) == ("invalid", "revoked-key")
        settle(cluster, load, "a", "b", "c", "d")


def test_what_a_leaving_member_has_waiting_is_told_to_be_invalid() -> None:
    with Cluster(3, count=5) as cluster:
        cluster.start()
        polls = Polls(cluster)
        (gap,) = cluster.submit("e", [cluster.item("e", 5)])  # seqs 0 … 4 never come
        polls.pass_it("validator.remove", ("e",), ("a", "b", "c", "d"))
        cluster.run_until(lambda: any(one.code == "revoked-key" for one in cluster["e"].answers(gap)))


@pytest.mark.parametrize("seed", range(1, 3))
def test_a_key_is_replaced_while_the_node_runs(seed: int) -> None:
    with Cluster(seed) as cluster:
        old, fresh = Watched(seed, "c"), Watched(seed, "c, second key")
        cluster["c"].signer = old
        cluster["c"].next_keys.append((fresh, MemoryDisk()))
        cluster.start()
        load = Load(cluster, "a", "b", "c", "d")
        polls = Polls(cluster)
        height = polls.pass_it("validator.replace_key", new_key(cluster, "c", fresh), ("a", "b", "c"))
        polls.keys["c"] = fresh
        pass_blocks(cluster, "a", 15)
        node = cluster["c"]
        assert set_at(cluster["a"], height + 1).validators[2].key == signer_of(seed, "c").public_key
        assert set_at(cluster["a"], height + 2).validators[2].key == fresh.public_key
        assert node.running.status().voting
        assert max(old.heights()) <= height + 1, "the old key signed for a height of the new one"
        assert min(fresh.heights()) >= height + 2
        cluster.kill("d")
        pass_blocks(cluster, "a", 5)
        assert all("c" in certifiers(cluster["a"], at) for at in range(cluster["a"].height - 3, cluster["a"].height))
        polls.vote(polls.propose("a", "parameters.set", (("heartbeat_ms", 5000),)), "c")
        settle(cluster, load, "a", "b", "c")


def test_a_node_without_its_new_key_follows_and_goes_on_once_it_has_it() -> None:
    with Cluster(4) as cluster:
        cluster.start()
        fresh = signer_of(4, "c, second key")
        polls = Polls(cluster)
        polls.pass_it("validator.replace_key", new_key(cluster, "c", fresh), ("a", "b", "d"))
        load = Load(cluster, "a", "b")
        pass_blocks(cluster, "a", 5)
        status = cluster["c"].running.status()
        assert (status.validator, status.voting) == (True, False)
        cluster.kill("c")
        cluster["c"].next_keys.append((fresh, MemoryDisk()))
        cluster.start("c")
        cluster.run_until(lambda: cluster["c"].running.status().voting)
        cluster.kill("d")
        pass_blocks(cluster, "a", 5)
        settle(cluster, load, "a", "b", "c")


def test_membership_is_told_when_it_changes() -> None:
    with Cluster(2, count=5) as cluster:
        cluster.start()
        polls = Polls(cluster)
        polls.pass_it("validator.remove", ("e",), ("a", "b", "c", "d"))
        load = Load(cluster, "a")
        pass_blocks(cluster, "a", 3)
        told = [[m.org for m in one.members] for one in cluster["a"].notices if isinstance(one, MembersChanged)]
        assert told == [list("abcde"), list("abcd")], "at the vote, and when it takes over"
        assert cluster["a"].running.mempool.bounds.members == 4
        update = ("b", b"another certificate", "10.0.0.7:7444", "https://10.0.0.7")
        polls.vote(polls.propose("a", "member.update", update), "b", "c")
        pass_blocks(cluster, "a", 3)
        (told_update,) = [one for one in cluster["a"].notices if isinstance(one, MembersChanged)][2:]
        assert told_update.members[1].p2p_address == "10.0.0.7:7444"
        settle(cluster, load, "a")


# Trouble around the hand-over


@pytest.mark.parametrize("offset", [0, 1, 2])
@pytest.mark.parametrize("org", list("abcde"))
def test_a_crash_around_the_hand_over(org: str, offset: int) -> None:
    """Each node goes down when it commits h, h + 1 or h + 2, and comes back."""
    seed = 10 * (1 + ord(org) - ord("a")) + offset
    with Cluster(seed) as cluster:
        cluster.start()
        cluster.add_follower("e", signer_of(seed, "e"))
        load = Load(cluster, *(each for each in "abcd" if each != org))
        polls = Polls(cluster)
        voters = [each for each in "abcd" if each != org][:3]
        proposal_id = polls.propose(voters[0], "validator.add", card(cluster, "e"))
        polls.vote(proposal_id, *voters[1:])
        node = cluster[org]
        cluster.run_until(lambda: sets(node)[1] is not None or sets(node)[0].epoch == 1)
        current, pending = sets(node)
        height = (pending or current).first_height - 2
        cluster.run_until(lambda: node.height >= height + offset)
        cluster.kill(org)
        cluster.run_for(300)
        cluster.start(org)
        cluster.run_until(lambda: all(seats(each) == list("abcde") for each in cluster.alive))
        cluster.run_until(lambda: all(each.running.status().voting for each in cluster.alive))
        check_handover(cluster, height)
        settle(cluster, load, *"abcde")


@pytest.mark.parametrize("seed", range(1, 4))
def test_the_power_of_all_fails_at_the_hand_over(seed: int) -> None:
    with Cluster(seed) as cluster:
        cluster.start()
        cluster.add_follower("e", signer_of(seed, "e"))
        polls = Polls(cluster)
        proposal_id = polls.propose("a", "validator.add", card(cluster, "e"))
        polls.vote(proposal_id, "b", "c")
        cluster.run_until(lambda: any(sets(each)[1] is not None for each in cluster.alive))
        cluster.run_for(seed % 3)
        cluster.kill(*"abcde")
        cluster.start()
        load = Load(cluster, *"abcd")
        cluster.run_until(lambda: all(seats(each) == list("abcde") for each in cluster.alive))
        check_handover(cluster, sets(cluster["a"])[0].first_height - 2)
        settle(cluster, load, *"abcde")


@pytest.mark.parametrize("groups", ["abc/de", "ab/cde", "ae/bcd", "abe/cd"])
def test_a_partition_during_the_hand_over(groups: str) -> None:
    """Cut when the first node has executed the vote: no part that is no quorum of the set in force goes on; the other
    does."""
    with Cluster(len(groups), count=4) as cluster:
        cluster.start()
        cluster.add_follower("e", signer_of(len(groups), "e"))
        load = Load(cluster, *"abcd")
        polls = Polls(cluster)
        proposal_id = polls.propose("a", "validator.add", card(cluster, "e"))
        polls.vote(proposal_id, "b", "c")
        cluster.run_until(lambda: any(sets(each)[1] is not None for each in cluster.alive))
        cluster.network.partition(*groups.split("/"))
        cluster.run_for(5_000)
        first = max((sets(each)[1] or sets(each)[0]).first_height for each in cluster.alive)
        heights = [max(cluster[org].height for org in group if org != "e") for group in groups.split("/")]
        assert max(heights) <= first - 1, "three of five certify nothing"
        for group, height in zip(groups.split("/"), heights, strict=True):
            if len(set(group) & set("abcd")) == 3:
                assert height == first - 1, "three of the old four go on, to where the new set is in force"
        cluster.network.heal()
        cluster.run_until(lambda: all(seats(each) == list("abcde") for each in cluster.alive))
        check_handover(cluster, first - 2)
        settle(cluster, load, *"abcde")


def test_a_minority_that_believes_in_the_old_set_gets_nowhere() -> None:
    """Two of seven are cut off before the vote of h; five remove them one after the other; then all hear again."""
    with Cluster(9, count=7) as cluster:
        cluster.start()
        load = Load(cluster, *"abcde")
        cluster.network.partition("abcde", "fg")
        polls = Polls(cluster)
        for org in "fg":
            polls.pass_it("validator.remove", (org,), tuple("abcde"))
            pass_blocks(cluster, "a", 3)
        assert seats(cluster["a"]) == list("abcde")
        assert seats(cluster["f"]) == list("abcdefg")
        cluster.network.heal()
        cluster.run_until(lambda: all(seats(each) == list("abcde") for each in cluster.alive))
        assert not any(cluster[org].running.status().voting for org in "fg")
        settle(cluster, load, *"abcde")


def check_handover(cluster: Cluster, height: int) -> None:
    """The old set certified up to h + 1, the new one what follows; all agree."""
    for node in cluster.alive:
        for at in range(1, min(node.height, height + 6) + 1):
            signers = set(certifiers(node, at))
            assert at >= height + 2 or "e" not in signers
            assert len(signers) >= (4 if at >= height + 2 else 3)


def test_one_change_at_a_time_across_nodes() -> None:
    with Cluster(5, count=5) as cluster:
        cluster.start()
        polls = Polls(cluster)
        first = polls.propose("a", "validator.remove", ("e",))
        second = polls.propose("b", "validator.add", card(cluster, "f"))
        polls.vote(first, "b", "c")
        cluster.run_for(500)
        votes = [*polls.vote(second, "a", "c"), *polls.vote(first, "d"), *polls.vote(second, "d")]
        cluster.run_until(lambda: all(cluster.committed("a", one) for one in votes))
        codes = [cluster["a"].answers(one)[-1].code for one in votes]
        assert sorted(codes) == ["OK", "OK", "OK", "change-pending"]
