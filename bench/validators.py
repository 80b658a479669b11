"""What a block costs as validators become more: whole machines in one process, over the tests' deterministic world.

Consensus, admission, execution, state tree and every signature are real; disks, links, gateways and TLS are not. Each
message is counted on each link that it takes.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

from fazhi_node.frames import ConsensusMessage, ItemsMessage, decode_frame

from tests.node.cluster import Cluster

from .figures import Report
from .measure import BenchError
from .settings import Settings

COUNTS: Final = (4, 7, 10, 16, 31)
ITEMS: Final = 100
"""Of a full block; the others have one."""


class Tap:
    """Counts what goes over the links. Its own CPU is known, to be left out."""

    def __init__(self, cluster: Cluster) -> None:
        self.counts: Counter[str] = Counter()
        self.spent_s = 0.0
        cluster.network.filter = self._see

    def _see(self, sender: str, receiver: str, frame: bytes) -> list[bytes]:
        began = time.process_time()
        self.counts["frames"] += 1
        self.counts["bytes"] += len(frame)
        for message in decode_frame(frame):
            if isinstance(message, ConsensusMessage):
                self.counts["consensus_messages"] += 1
                self.counts["consensus_bytes"] += len(message.data)
            elif isinstance(message, ItemsMessage):
                self.counts["item_bytes"] += sum(map(len, message.items))
        self.spent_s += time.process_time() - began
        return [frame]


class Chain:
    """A chain of ``count`` validators."""

    def __init__(self, cluster: Cluster, count: int) -> None:
        self._cluster = cluster
        self._count = count
        self._seq = 0
        self.tap = Tap(cluster)

    def blocks(self, number: int, items: int) -> tuple[dict[str, float], float]:
        """Make blocks of so many items; what went over all links, and CPU milliseconds of one node, a block."""
        cluster, tap = self._cluster, self.tap
        tap.counts.clear()
        tap.spent_s = 0.0
        first = cluster[cluster.orgs[0]].height
        spent = 0.0
        for _ in range(number):
            made = [cluster.item(cluster.orgs[0], seq=self._seq + place) for place in range(items)]
            self._seq += items
            began = time.process_time()
            ids = cluster.submit(cluster.orgs[0], made)
            cluster.run_until(lambda ids=ids: cluster.committed_everywhere(ids))  # type: ignore[misc]
            spent += time.process_time() - began
        done = cluster[cluster.orgs[0]].height - first
        if not done:
            raise BenchError("no block was made")
        cpu_ms = (spent - tap.spent_s) / done / self._count * 1000
        return {name: count / done for name, count in tap.counts.items()}, cpu_ms


def point(count: int, blocks: int) -> dict[str, float]:
    """The figures with ``count`` validators."""
    with Cluster(seed=count, count=count) as cluster:
        cluster.start()
        chain = Chain(cluster, count)
        chain.blocks(1, 1)
        sent, one_ms = chain.blocks(blocks, 1)
        full, full_ms = chain.blocks(max(2, blocks // 4), ITEMS)
    return {
        "validators": count,
        "may_fail": (count - 1) // 3,
        "consensus_messages_per_block": round(sent["consensus_messages"], 1),
        "consensus_messages_per_block_node": round(sent["consensus_messages"] / count, 1),
        "consensus_bytes_per_block_node": round(sent["consensus_bytes"] / count),
        "frames_per_block_node": round(sent["frames"] / count, 1),
        "bytes_per_full_block_node": round(full["bytes"] / count),
        "cpu_ms_per_block_node": round(one_ms, 2),
        "cpu_us_per_item_node": round((full_ms - one_ms) / (ITEMS - 1) * 1000, 1),
    }


def measure_validators(report: Report, settings: Settings) -> None:
    """The cost curve. ``frames`` are what the links really carry: messages of one step share one."""
    report.table("validators", [point(count, settings.validator_blocks) for count in COUNTS])
