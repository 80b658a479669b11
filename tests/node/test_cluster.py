"""Whole nodes in one process: commits, answers to clients, lanes, crashes, lost quorums, bad networks. Bounds are
virtual time.
"""

from __future__ import annotations

import pytest
from fazhi_node.notices import Admission, BlockCommitted

from .cluster import Cluster
from .world import START_MS


def started(seed: int = 1, count: int = 4, **settings: object) -> Cluster:
    """A cluster that has decided its first block (an empty one: the genesis is older than a heartbeat)."""
    cluster = Cluster(seed, count, {"heartbeat_ms": 1000}, **settings)  # type: ignore[arg-type]
    cluster.start()
    cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
    return cluster


def commit_everywhere(cluster: Cluster, ids: list[bytes]) -> None:
    cluster.run_until(lambda: cluster.committed_everywhere(ids), 20_000)


def test_four_machines_commit_submissions_of_all() -> None:
    with started() as cluster:
        ids = [i for org in "abcd" for i in cluster.submit(org, [cluster.item(org, seq) for seq in range(5)])]
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 1_000)
        assert cluster.check_exactly_once() == 20
        assert all(node.running.status().ready for node in cluster.alive)


def test_the_status_names_members_that_were_never_met() -> None:
    with Cluster(1, 4, {"heartbeat_ms": 1000}) as cluster:
        cluster.start("a")
        peers = cluster["a"].running.status().peers
        assert [(peer.org, peer.connected) for peer in peers] == [("b", False), ("c", False), ("d", False)]


def test_idle_latency_is_a_few_network_delays() -> None:
    with started() as cluster:
        before = cluster.world.now_ms
        ids = cluster.submit("c", [cluster.item("c")])
        cluster.run_until(lambda: cluster.committed("c", ids[0]))
        # gossip, PRE-PREPARE, PREPARE, COMMIT of at most 3 ms each, two signature checks of at most 2 ms on the way
        assert cluster.world.now_ms - before <= 30


def test_the_same_seed_gives_the_same_run() -> None:
    digests = []
    for _ in range(2):
        with started(7) as cluster:
            cluster.network.loss = 0.05
            cluster.submit("a", [cluster.item("a", seq) for seq in range(20)])
            cluster.run_for(5_000)
            digests.append(cluster.world.digest)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7])
def test_other_sizes(count: int) -> None:
    with started(count, count) as cluster:
        ids = cluster.submit("a", [cluster.item("a", seq) for seq in range(3)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 2_000)


def test_resubmission_is_answered_with_the_first_result_everywhere() -> None:
    with started() as cluster:
        item = cluster.item()
        first = cluster.settled("a", [item.encode()])[0]
        assert (first.status, first.checked) == ("pending", True)
        again = cluster.submit_raw("a", [item.encode()])[0]
        assert (again.status, again.code, again.checked) == ("pending", "already-pending", True)
        cluster.run_until(lambda: cluster.committed_everywhere([first.submission_id]))
        for org in "abcd":
            answer = cluster.submit_raw(org, [item.encode()])[0]
            assert (answer.status, answer.code, answer.submission_id) == (
                "committed",
                "unknown-action",
                first.submission_id,
            )
            assert answer.height > 1
        assert cluster.check_exactly_once() == 1


def test_news_of_a_submission_reaches_subscribers_of_every_node() -> None:
    with started() as cluster:
        (submission_id,) = cluster.submit("a", [cluster.item()])
        cluster.run_until(lambda: cluster.committed_everywhere([submission_id]))
        for node in cluster.alive:
            (news,) = node.answers(submission_id)
            assert (news.status, news.final, news.height) == ("committed", True, node.height)


def test_another_body_for_a_used_or_pending_seq_is_a_conflict() -> None:
    with started() as cluster:
        cluster.settled("a", [cluster.item(args="first").encode()])
        pending = cluster.submit_raw("a", [cluster.item(args="second").encode()])[0]
        assert (pending.status, pending.code) == ("conflict", "seq-pending")
        cluster.run_until(lambda: cluster.check_exactly_once() == 1)
        cluster.run_for(100)
        for org in "abcd":
            used = cluster.submit_raw(org, [cluster.item(args="second").encode()])[0]
            assert (used.status, used.code) == ("conflict", "seq-used")


def test_two_bodies_for_one_seq_at_two_nodes_one_wins_the_other_is_told() -> None:
    with started() as cluster:
        (x,) = cluster.submit("a", [cluster.item(args="x")])
        (y,) = cluster.submit("b", [cluster.item(args="y")])
        cluster.run_until(lambda: cluster.check_exactly_once() == 1)
        cluster.run_for(3_000)
        assert cluster.check_exactly_once() == 1
        won = [i for i in (x, y) if cluster.committed("c", i)]
        assert len(won) == 1
        loser, home = (y, "b") if won == [x] else (x, "a")
        assert [n.status for n in cluster[home].answers(loser)] == ["conflict"]
        assert all(len(node.running.mempool) == 0 for node in cluster.alive)


def test_the_window_ahead_of_a_lane() -> None:
    with Cluster(1, parameters={"heartbeat_ms": 1000, "max_lane_ahead": 10}) as cluster:
        cluster.start()
        cluster.run_until(lambda: all(node.height >= 1 for node in cluster.alive))
        far, near = cluster.submit_raw("a", [cluster.item(seq=seq).encode() for seq in (10, 9)])
        assert (far.status, far.code) == ("busy", "seq-too-far")
        assert far.retry_after_ms > 0
        assert near.status == "pending"
        cluster.run_for(5_000)
        assert cluster.check_exactly_once() == 0
        assert not cluster["a"].running.status().has_work
        ids = cluster.submit("b", [cluster.item(seq=seq) for seq in range(9)])
        cluster.run_until(lambda: cluster.committed_everywhere([*ids, near.submission_id]), 3_000)
        old = cluster.submit_raw("a", [cluster.item(seq=0, args="other").encode()])[0]
        assert (old.status, old.code) == ("conflict", "seq-used")


def test_items_out_of_order_across_nodes_are_put_in_order() -> None:
    with started() as cluster:
        items = [cluster.item(seq=seq) for seq in range(30)]
        order = list(range(30))
        cluster.world.random.shuffle(order)
        ids = [cluster.submit("abcd"[n % 4], [items[n]])[0] for n in order]
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 5_000)
        assert cluster.check_exactly_once() == 30


def test_a_bad_item_harms_no_other_and_is_said_why() -> None:
    with started() as cluster:
        good, bad = cluster.item("a", 0), cluster.item("b", 0)
        forged = type(bad)(bad.body_bytes, (bytes(64),), ())
        stranger = cluster.item("a", 0, lane=3, signer=cluster["c"].signer)
        answers = cluster.settled("a", [b"junk", good.encode(), forged.encode(), stranger.encode()])
        assert [(a.status, a.code) for a in answers] == [
            ("invalid", "malformed-item"),
            ("pending", ""),
            ("invalid", "bad-submission-signature"),
            ("invalid", "key-not-of-org"),
        ]
        # A stranger's forgery took nothing from the holder of the key.
        ids = cluster.submit("b", [bad])
        cluster.run_until(lambda: cluster.committed_everywhere([*ids, answers[1].submission_id]), 2_000)


def test_an_expired_item_leaves_and_its_seq_can_be_used() -> None:
    with started() as cluster:
        late = START_MS + cluster.world.now_ms + 1_500
        gap = cluster.item(seq=1, until_ms=late)  # seq 0 never comes
        (submission_id,) = cluster.submit("a", [gap])
        cluster.run_for(5_000)
        assert [(n.status, n.code) for n in cluster["a"].answers(submission_id)] == [("invalid", "expired")]
        ids = cluster.submit("b", [cluster.item(seq=0), cluster.item(seq=1, args="again")])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 2_000)


def test_a_lane_void_takes_the_place_of_lost_items() -> None:
    with started() as cluster:
        void = cluster.item(seq=0, contract="lane", action="void", args=(0, 2, "lost"))
        after = [cluster.item(seq=seq) for seq in (1, 2, 3)]
        ids = cluster.submit("a", [*after, void])
        cluster.run_for(2)
        cluster.run_until(lambda: cluster.committed_everywhere([ids[3], ids[2]]), 3_000)
        cluster.run_for(500)
        assert cluster.check_exactly_once() == 2
        assert [n.status for n in cluster["a"].answers(ids[0])] == ["conflict"]


def test_many_voids_at_once_do_not_keep_a_block_from_being_built() -> None:
    with started() as cluster:
        items = [
            cluster.item(org, seq, lane, contract="lane", action="void", args=(seq, seq + 1, "lost"))
            for org in "abcd"
            for lane in range(10)
            for seq in range(3)
        ]
        ids = cluster.submit("a", items)
        cluster.run_until(lambda: cluster.check_exactly_once() >= 80, 3_000)
        cluster.run_for(500)
        assert cluster.check_exactly_once() == 80  # seqs 0 and 2 of every lane; 1 was given up
        assert sum(cluster.committed("b", i) for i in ids) == 80


def test_one_node_killed_and_caught_up() -> None:
    with started() as cluster:
        ids = cluster.submit("a", [cluster.item(seq=seq) for seq in range(5)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids))
        cluster.kill("d")
        for number in range(12):
            ids += cluster.submit("a", [cluster.item(seq=5 + number)])
            commit_everywhere(cluster, ids)
        behind = cluster["a"].height
        cluster.start("d")
        assert cluster["d"].height < behind
        cluster.run_until(lambda: cluster["d"].height >= behind, 5_000)
        assert cluster.committed_everywhere(ids)
        more = cluster.submit("d", [cluster.item("d")])
        cluster.run_until(lambda: cluster.committed_everywhere(more), 2_000)
        cluster.check_exactly_once()


@pytest.mark.parametrize("seed", range(5))
def test_everybody_is_killed_at_once_and_goes_on(seed: int) -> None:
    with started(seed) as cluster:
        ids = cluster.submit("a", [cluster.item(seq=seq) for seq in range(20)])
        cluster.run_for(seed * 3 + 2)
        before = max(cluster.heights().values())
        cluster.kill(*"abcd")
        cluster.run_for(10)
        cluster.start()
        assert max(cluster.heights().values()) >= before
        cluster.submit("b", [cluster.item(seq=seq) for seq in range(20)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 20_000)
        assert cluster.check_exactly_once() == 20


def test_without_a_quorum_the_chain_stops_says_why_and_resumes() -> None:
    with started() as cluster:
        cluster.kill("c", "d")
        cluster.run_for(100)
        height = cluster["a"].height
        status = cluster["a"].running.status()
        assert (status.ready, status.reason, status.missing) == (False, "no-quorum", ("c", "d"))
        ids = cluster.submit("a", [cluster.item(seq=seq) for seq in range(3)])
        cluster.run_for(30_000)
        assert cluster["a"].height == height
        assert cluster["b"].running.status().reason == "no-quorum"
        cluster.start("c")
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 60_000)
        status = cluster["a"].running.status()
        assert (status.ready, status.reason, status.missing) == (True, "", ())


def test_a_connected_but_silent_validator_counts_as_missing() -> None:
    with started() as cluster:
        mute = {"c", "d"}
        cluster.network.filter = lambda a, b, frame: [] if a in mute or b in mute else [frame]
        cluster.run_for(7_000)
        status = cluster["a"].running.status()
        assert (status.reason, status.missing) == ("no-quorum", ("c", "d"))
        cluster.network.filter = None
        cluster.run_until(lambda: cluster["a"].running.status().ready, 60_000)


def test_a_partition_heals() -> None:
    with started() as cluster:
        cluster.network.partition("ab", "cd")
        ids = cluster.submit("a", [cluster.item("a")]) + cluster.submit("c", [cluster.item("c")])
        cluster.run_for(20_000)
        assert cluster.check_exactly_once() == 0
        cluster.network.heal()
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 60_000)


def test_a_node_cut_off_follows_on_return() -> None:
    with started() as cluster:
        cluster.network.partition("abc", "d")
        ids = cluster.submit("a", [cluster.item("a", seq) for seq in range(10)])
        cluster.run_until(lambda: all(cluster.committed(org, i) for i in ids for org in "abc"), 20_000)
        cluster.network.heal()
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 10_000)


@pytest.mark.parametrize("seed", range(4))
def test_exactly_once_under_loss_duplication_and_crashes(seed: int) -> None:
    with started(seed) as cluster:
        cluster.network.loss = 0.05
        cluster.network.duplication = 0.3
        items = []
        for number in range(8):
            victim = cluster.world.random.choice("abcd")
            cluster.kill(victim)
            items += [cluster.item("a", number * 3 + seq) for seq in range(3)]
            for node in cluster.alive:
                cluster.submit(node.org, items)
            cluster.run_for(cluster.world.random.randint(1, 1_500))
            cluster.start(victim)
            cluster.run_for(cluster.world.random.randint(1, 300))
        cluster.network.loss = 0.0
        # Mempools do not survive their processes: what was not committed is the outbox's to submit again.
        ids = cluster.submit("a", items)
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 120_000)
        assert cluster.check_exactly_once() == 24


def test_heartbeats_keep_checkpoints_young_and_nothing_else_makes_empty_blocks() -> None:
    with started() as cluster:
        start = cluster["a"].height
        cluster.run_for(10_000)
        made = cluster["a"].height - start
        assert 8 <= made <= 10
        assert cluster["a"].running.status().ready


def test_clocks_that_differ_within_the_bound_do_no_harm() -> None:
    with Cluster(3, parameters={"heartbeat_ms": 1000}) as cluster:
        for org, skew in zip("abcd", (-1_400, 1_400, 0, 700), strict=True):
            cluster[org].clock.skew_ms = skew
        cluster.start()
        ids = cluster.submit("a", [cluster.item(seq=seq) for seq in range(10)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 10_000)
        cluster.run_for(10_000)
        assert cluster["a"].height > 6


def test_a_clock_far_off_costs_only_its_own_proposals() -> None:
    with Cluster(4, parameters={"heartbeat_ms": 1000}) as cluster:
        cluster["d"].clock.skew_ms = 3_600_000
        cluster.start()
        for number in range(8):
            commit_everywhere(cluster, cluster.submit("a", [cluster.item(seq=number)]))


def test_clocks_that_ran_fast_and_were_set_back_do_not_halt_the_chain() -> None:
    with Cluster(5, parameters={"heartbeat_ms": 1000}) as cluster:
        for org in "abcd":
            cluster[org].clock.skew_ms = 3_600_000
        cluster.start()
        cluster.run_until(lambda: all(node.height >= 2 for node in cluster.alive))
        for org in "abcd":
            cluster[org].clock.skew_ms = 0
        ids = cluster.submit("a", [cluster.item(seq=seq) for seq in range(5)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 10_000)


def test_a_follower_without_a_seat_keeps_up_and_takes_submissions() -> None:
    with started() as cluster:
        follower = cluster.add_follower("z")
        ids = cluster.submit("z", [cluster.item("a")])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 3_000)
        status = follower.running.status()
        assert (status.voting, status.validator, status.ready) == (False, False, True)


def test_late_commits_are_added_to_the_kept_certificate() -> None:
    with started() as cluster:
        ids = cluster.submit("a", [cluster.item()])
        cluster.run_until(lambda: cluster.committed_everywhere(ids))
        cluster.run_for(200)
        height = next(n.height for n in cluster["a"].notices if isinstance(n, Admission))
        for node in cluster.alive:
            assert node.store is not None
            certificate = node.store.certificate(height)
            assert certificate is not None
            assert certificate.signers == (0, 1, 2, 3)
            certificate.verify(node.store.suite, cluster.genesis_hash, node.store.genesis.validator_set())


def test_blocks_are_announced_in_order_without_gaps() -> None:
    with started() as cluster:
        cluster.kill("d")
        ids = [cluster.submit("a", [cluster.item(seq=seq)])[0] for seq in range(10)]
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 20_000)
        cluster.start("d")
        cluster.run_for(3_000)
        for node in cluster.alive:
            heights = [n.height for n in node.notices if isinstance(n, BlockCommitted)]
            assert heights == list(range(1, len(heights) + 1))
