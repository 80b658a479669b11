"""What a submission costs as the chain grows: one node's execution, state tree and synced store, without consensus.

A process of its own (``python -m bench.growth RECORDS BATCHES``), so that its memory is its own. Blocks of 500
submissions, each opening a case; signatures are made but not verified here, as their cost does not depend on the chain.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import plyvel
from fazhi_contracts.chain import build_block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.storage.chain_store import open_chain
from fazhi_node.storage.leveldb import FOLDER as LEVELDB_FOLDER
from fazhi_node.storage.store import open_store

from .figures import Report
from .genesis import ORGS, genesis_of
from .measure import BenchError, disk_bytes, memory_mib
from .settings import Settings
from .workload import OPENING, Workload

BATCH_RECORDS: Final = 1000
BLOCK_ITEMS: Final = 500
SAMPLE_BLOCKS: Final = 8
"""Blocks over which one point is measured."""
FIRST: Final = 5_000
POINTS: Final = (1_000, 2_000, 5_000)
ROOT: Final = Path(__file__).resolve().parent.parent


def points(records: int) -> list[int]:
    """Sizes at which is measured: 5·10³, 10⁴, 2·10⁴, 5·10⁴ … up to ``records``, which is the last."""
    found: list[int] = []
    scale = 1
    while scale * POINTS[0] <= records:
        found.extend(one * scale for one in POINTS if max(FIRST, BLOCK_ITEMS * SAMPLE_BLOCKS) <= one * scale < records)
        scale *= 10
    return [*found, records]


def measure_growth(report: Report, settings: Settings) -> None:
    """Grow a chain in a process of its own."""
    numbers = [str(settings.growth_records), str(settings.disk_batches)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.growth", *numbers], capture_output=True, timeout=3600, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        raise BenchError(done.stderr.decode("utf-8", "replace")[-500:])
    found: dict[str, Any] = json.loads(done.stdout)
    points_ = found["points"]
    report.table("growth", points_)
    report.put("growth_ratio", points_[-1]["us_per_submission"] / points_[0]["us_per_submission"])
    report.put("disk.bytes_per_single", found["bytes_per_single"])
    report.put("disk.bytes_per_batched_record", found["bytes_per_batched_record"])


class Chain:
    """One node's chain on disk and a workload for it, without a node."""

    def __init__(self, folder: Path) -> None:
        signer = SoftwareSigner(ED25519_SHA256, hashlib.sha256(b"growth").digest())
        file = genesis_of(signer)
        self.folder = folder
        self.store = open_chain(open_store(folder / "store", "plyvel", genesis_hash=file.hash()), file)
        self.work = Workload(file.hash(), ORGS[0], [signer], "growth")
        self.lane = self.work.new_lanes(1)[0]

    def commit(self, items: Sequence[Item]) -> float:
        """Execute and store one block; the CPU seconds that it took."""
        store = self.store
        began = time.process_time()
        executed = build_block(store.state(), ORGS[0], store.tip.time_ms + 1, items)
        height = executed.block.header.height
        store.commit(executed, CommitCertificate(height, 0, executed.block_hash, ((0, bytes(64)),)))
        return time.process_time() - began

    def close(self) -> int:
        """Close and compact the store; its bytes."""
        self.store.close()
        database = plyvel.DB(str(self.folder / "store" / LEVELDB_FOLDER))
        database.compact_range()
        database.close()
        return disk_bytes(self.folder / "store")


def grow(records: int, folder: Path) -> dict[str, Any]:
    """One point for each size, and what a submission takes on disk in the end."""
    chain = Chain(folder)
    found: list[dict[str, Any]] = []
    spent: list[float] = []
    sizes = points(records)
    total = 0
    while sizes:
        items = [
            chain.work.item(chain.lane, [chain.work.record(chain.work.new_case(), OPENING)]) for _ in range(BLOCK_ITEMS)
        ]
        spent.append(chain.commit(items) / BLOCK_ITEMS * 1e6)
        total += BLOCK_ITEMS
        if total >= sizes[0]:
            sizes.pop(0)
            last = sorted(spent[-SAMPLE_BLOCKS:])
            found.append(
                {
                    "records": total,
                    "us_per_submission": round(last[len(last) // 2], 1),
                    "rss_mib": round(memory_mib(os.getpid(), "VmRSS"), 1),
                }
            )
    return {"points": found, "bytes_per_single": round(chain.close() / total)}


def batched_bytes(batches: int, folder: Path) -> int:
    """What a record of a batch of 1,000 events takes on disk."""
    chain = Chain(folder)
    for _ in range(batches):
        chain.commit([Item.decode(chain.work.event_batches(chain.lane, 1, BATCH_RECORDS)[0])])
    return round(chain.close() / (batches * BATCH_RECORDS))


def main() -> None:
    """Print what was found as JSON."""
    with tempfile.TemporaryDirectory(prefix="fazhi-bench-") as folder:
        found = grow(int(sys.argv[1]), Path(folder) / "single")
        found["bytes_per_batched_record"] = batched_bytes(int(sys.argv[2]), Path(folder) / "batched")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
