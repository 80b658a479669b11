"""Random schedules: crashes, partitions, loss, skewed clocks, then a quiet network in which all must settle.

Thousands of such runs belong to the simulation's campaigns; these few keep the machine honest at every commit.
"""

from __future__ import annotations

import random

import pytest
from fazhi_ledger.submission import Item

from .cluster import Cluster

SETTLED_MS = 60_000
"""Virtual time within which a healed network has committed everything, whatever happened before."""


class Schedule:
    """One run. Everything in it follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cluster = Cluster(seed, self.random.choice([4, 4, 4, 5, 6, 7]), {"heartbeat_ms": 1000})
        for node in self.cluster.nodes.values():
            node.clock.skew_ms = self.random.randint(-1_400, 1_400)
        self.items: list[Item] = []
        self.places: dict[tuple[str, int], int] = {}
        self.cluster.start()

    def run(self) -> None:
        for _ in range(self.random.randint(5, 14)):
            self._disturb_network()
            for _ in range(self.random.randint(0, 4)):
                self._submit()
            self._disturb_nodes()
            self.cluster.run_for(self.random.choice([1, 5, 20, 100, 1_000, 3_000]))
        self._settle()

    def _disturb_network(self) -> None:
        network, chance = self.cluster.network, self.random
        network.loss = chance.choice([0, 0, 0.02, 0.1, 0.3])
        network.duplication = chance.choice([0, 0.2])
        network.delay_ms = chance.choice([(1, 3), (1, 50), (10, 400)])

    def _submit(self) -> None:
        org, lane = self.random.choice(self.cluster.orgs), self.random.randint(0, 2)
        seq = self.places.get((org, lane), 0)
        self.places[org, lane] = seq + 1
        item = self.cluster.item(org, seq, lane)
        self.items.append(item)
        for node in self.cluster.alive:
            if self.random.random() < 0.4:
                self.cluster.submit(node.org, [item])

    def _disturb_nodes(self) -> None:
        cluster, chance = self.cluster, self.random
        alive = [node.org for node in cluster.alive]
        dead = [org for org in cluster.orgs if org not in alive]
        dice = chance.random()
        if dice < 0.35 and alive:
            cluster.kill(*chance.sample(alive, chance.randint(1, len(alive))))
        elif dice < 0.6 and dead:
            cluster.start(*chance.sample(dead, chance.randint(1, len(dead))))
        elif dice < 0.75:
            shuffled = chance.sample(cluster.orgs, len(cluster.orgs))
            cut = chance.randint(1, len(shuffled) - 1)
            cluster.network.partition(shuffled[:cut], shuffled[cut:])
        elif dice < 0.9:
            cluster.network.heal()

    def _settle(self) -> None:
        cluster, network = self.cluster, self.cluster.network
        network.heal()
        network.loss, network.duplication, network.delay_ms = 0, 0, (1, 3)
        for org in cluster.orgs:
            if not cluster[org].alive:
                cluster.start(org)
        # Mempools do not survive their processes: what was not committed is the outboxes' to submit again.
        ids = cluster.submit("b", self.items)
        cluster.run_until(lambda: cluster.committed_everywhere(ids), SETTLED_MS)
        assert cluster.check_exactly_once() == len(self.items)
        height = max(cluster.heights().values())
        cluster.run_until(lambda: all(node.height > height for node in cluster.alive), SETTLED_MS)
        for node in cluster.alive:
            assert node.alarms == []
            # A proposal that is repeated long after it was made is untimely, and a killed peer answers no question.
            assert {code for _, code in node.faults} <= {"proposal-withheld", "sync-timeout"}


@pytest.mark.parametrize("seed", range(10))
def test_whatever_happens_everything_is_committed_once_in_the_end(seed: int) -> None:
    schedule = Schedule(seed)
    with schedule.cluster:
        schedule.run()
