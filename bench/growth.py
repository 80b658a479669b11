"""What a submission costs as the chain grows: one node's execution, state tree and synced store, without consensus.

A process of its own (``python -m bench.growth RECORDS``), so that its memory is its own. Blocks of 500 submissions,
each opening a case; signatures are made but not verified here, as their cost does not depend on the chain.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from .figures import Report
from .measure import BenchError, disk_bytes, memory_mib
from .settings import Settings

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
    done = subprocess.run(
        [sys.executable, "-m", "bench.growth", str(settings.growth_records)],
        capture_output=True, timeout=3600, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchError(done.stderr.decode("utf-8", "replace")[-500:])
    found: list[dict[str, Any]] = json.loads(done.stdout)
    report.table("growth", found)
    report.put("growth_ratio", found[-1]["us_per_submission"] / found[0]["us_per_submission"])


def grow(records: int) -> list[dict[str, Any]]:
    """One point for each size."""
    import hashlib
    import os

    from fazhi_contracts.chain import build_block
    from fazhi_ledger.certificate import CommitCertificate
    from fazhi_ledger.keys import SoftwareSigner
    from fazhi_ledger.suites import ED25519_SHA256
    from fazhi_node.storage.chain_store import open_chain
    from fazhi_node.storage.store import open_store

    from .genesis import genesis_of
    from .workload import Workload

    signer = SoftwareSigner(ED25519_SHA256, hashlib.sha256(b"growth").digest())
    file = genesis_of(signer)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="fazhi-bench-") as folder:
        chain = open_chain(open_store(Path(folder) / "store", "auto", genesis_hash=file.hash()), file)
        work = Workload(file.hash(), "zfj", [signer], "growth")
        lane = work.new_lanes(1)[0]
        spent: list[float] = []
        sizes = points(records)
        total = 0
        while sizes:
            items = [work.item(lane, [work.record(work.new_case(), "LEAD")]) for _ in range(BLOCK_ITEMS)]
            began = time.process_time()
            executed = build_block(chain.state(), "zfj", chain.tip.time_ms + 1, items)
            certificate = CommitCertificate(executed.block.header.height, 0, executed.block_hash, ((0, bytes(64)),))
            chain.commit(executed, certificate)
            spent.append((time.process_time() - began) / BLOCK_ITEMS * 1e6)
            total += BLOCK_ITEMS
            if total >= sizes[0]:
                sizes.pop(0)
                last = sorted(spent[-SAMPLE_BLOCKS:])
                found.append(
                    {
                        "records": total,
                        "us_per_submission": round(last[len(last) // 2], 1),
                        "rss_mib": round(memory_mib(os.getpid(), "VmRSS"), 1),
                        "disk_bytes_per_record": round(disk_bytes(Path(folder)) / total),
                    }
                )
        chain.close()
    return found


if __name__ == "__main__":
    print(json.dumps(grow(int(sys.argv[1]))))
