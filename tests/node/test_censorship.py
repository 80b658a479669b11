"""A proposer that leaves an agency's submissions out delays them by its turns and no more; one that says nothing is
passed over.
"""

from __future__ import annotations

import pytest
from fazhi_ledger.validators import faulty_of
from fazhi_node.mempool import Entry
from fazhi_node.notices import BlockCommitted

from .cluster import Cluster, Node

VICTIM = "a"


def censor(node: Node, victim: str) -> None:
    """From now on this node proposes nothing of that member's, and passes nothing of it on."""
    mempool = node.running.mempool
    take = mempool.take

    def choosy(*arguments: object) -> list[Entry]:
        return [entry for entry in take(*arguments) if entry.item.body.org != victim]  # type: ignore[arg-type]

    mempool.take = choosy  # type: ignore[method-assign, assignment]
    mempool.due_for_gossip = lambda *_: []  # type: ignore[method-assign]


def worst_wait(seed: int, count: int) -> tuple[int, set[int]]:
    """The most blocks that a submission of the victim waited for, f members censoring it while others have work of
    their own, and the rounds in which blocks were decided.
    """
    with Cluster(seed, count, parameters={"heartbeat_ms": 60_000}) as cluster:
        cluster.start()
        censors = cluster.orgs[1 + seed % 2 :][: faulty_of(count)]
        for org in censors:
            censor(cluster[org], VICTIM)
        others = [org for org in cluster.orgs if org not in (VICTIM, *censors)]
        worst = 0
        for seq in range(8):
            begun = max(cluster.heights().values())
            (wanted,) = cluster.submit(VICTIM, [cluster.item(VICTIM, seq)])
            for filler in range(40):
                if cluster.committed(VICTIM, wanted):
                    break
                org = others[filler % len(others)]
                cluster.submit(org, [cluster.item(org, seq, lane=1 + filler)])
                cluster.run_for(3)
            cluster.run_until(lambda wanted=wanted: cluster.committed(VICTIM, wanted))  # type: ignore[misc]
            answer = cluster[VICTIM].running.submission(wanted)
            assert answer is not None
            worst = max(worst, answer.height - begun)
        rounds = {n.round for node in cluster.alive for n in node.notices if isinstance(n, BlockCommitted)}
        assert all(node.faults == [] for node in cluster.alive), "to omit is no fault that anybody could prove"
        return worst, rounds


@pytest.mark.parametrize("count", [4, 7])
@pytest.mark.parametrize("seed", range(4))
def test_a_censored_submission_commits_within_f_plus_2_blocks(count: int, seed: int) -> None:
    worst, rounds = worst_wait(seed, count)
    assert 2 <= worst <= faulty_of(count) + 2  # a censor did have a turn
    assert rounds == {0}  # omission invalidates no block and moves no round


@pytest.mark.parametrize("count", [4, 7])
def test_who_has_work_and_hears_no_proposal_moves_on(count: int) -> None:
    with Cluster(3, count, parameters={"heartbeat_ms": 60_000}) as cluster:
        cluster.start()
        silent = cluster.orgs[-1]
        cluster[silent].running._driver.propose = lambda: None  # type: ignore[method-assign]
        ids: list[bytes] = []
        for seq in range(count + 1):  # everybody has had a turn
            ids += cluster.submit("a", [cluster.item("a", seq)])
            cluster.run_until(lambda ids=ids: cluster.committed_everywhere(ids), 20_000)  # type: ignore[misc]
        rounds = [n.round for n in cluster["a"].notices if isinstance(n, BlockCommitted)]
        assert 1 in rounds
        assert set(rounds) <= {0, 1}


def test_what_fits_into_no_block_makes_no_empty_ones() -> None:
    """A vote may leave ``max_block_bytes`` below ``max_item_bytes``. One item in between, waiting for ever, would have
    made each round 0 end without a proposal, and a block a second of nothing."""
    with Cluster(1, parameters={"max_block_bytes": 4096}) as cluster:
        cluster.start()
        cluster.run_until(lambda: all(cluster[org].running.status().voting for org in cluster.orgs))
        (answer,) = cluster.settled("a", [cluster.item("a", args=bytes(5000)).encode()])
        assert (answer.status, answer.code) == ("invalid", "item-too-large")
        before = cluster["a"].height
        cluster.run_for(200_000)
        assert cluster["a"].height - before <= 4, "a heartbeat a minute"
