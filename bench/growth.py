"""What a submission costs as the chain grows: one node's execution, state tree and synced store, without consensus.

A process of its own for each kind (``python -m bench.growth KIND RECORDS``), so that its memory is its own. Signatures
are made but not verified here, as their cost does not depend on the chain.

``single``: blocks of 500 submissions, each opening a case. ``batched``: blocks of one submission of 1,000 records, of
which 100 open cases and 900 fall on as many other cases anywhere in the chain so far: ten records a case. It is
measured from where there are that many cases. ``case``: blocks of 50 submissions of one record, all of one and the
same case.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import plyvel
from fazhi_contracts.chain import build_block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.case_lists import CaseLists
from fazhi_node.queries import ChainReader
from fazhi_node.run import GC_YOUNG_OBJECTS
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage.chain_store import open_chain
from fazhi_node.storage.leveldb import FOLDER as LEVELDB_FOLDER
from fazhi_node.storage.leveldb import OPTIONS as LEVELDB_OPTIONS
from fazhi_node.storage.store import open_store

from .figures import Report
from .genesis import ORGS, genesis_of
from .measure import BenchError, disk_bytes, memory_mib
from .settings import Settings
from .workload import FOLLOWING, OPENING, Workload

BATCH_RECORDS: Final = 1000
NEW_CASES: Final = 100
"""Of the records of a batch of a growing chain."""
BLOCK_ITEMS: Final = 500
CASE_BLOCK_ITEMS: Final = 50
CASE_POINTS: Final = (500, 1_000, 2_000, 5_000, 10_000)
"""Events of the one case at which is measured."""
SAMPLE_BLOCKS: Final = 8
"""Blocks over which one point is measured at least; otherwise a tenth of the chain, so that the store's own tidying up
is counted."""
FIRST: Final = 5_000
POINTS: Final = (1_000, 2_000, 5_000)
SINGLES_MOST: Final = 1_000_000
"""One signature a record is not taken further than this."""
LISTED_PAGES: Final = 20
TIMEOUT_S: Final = 6 * 3600
PARTS: Final = {
    "blocks": (layout.BLOCK,),
    "headers": (layout.HEADER, layout.CERTIFICATE),
    "results": (layout.RESULTS,),
    "state": (layout.STATE,),
    "tree_pages": (layout.PAGE,),
    "indices": (layout.HASH, layout.ITEM, layout.EVENT, layout.DOCKET, layout.NODE),
}
"""What the bytes on disk are for."""
ROOT: Final = Path(__file__).resolve().parent.parent


def points(records: int, block: int = BLOCK_ITEMS) -> list[int]:
    """Sizes at which is measured: 5·10³, 10⁴, 2·10⁴, 5·10⁴ … up to ``records``, which is the last."""
    found: list[int] = []
    scale = 1
    while scale * POINTS[0] <= records:
        found.extend(one * scale for one in POINTS if max(FIRST, block * SAMPLE_BLOCKS) <= one * scale < records)
        scale *= 10
    return [*found, records]


def _in_a_process(kind: str, size: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.growth", kind, str(size)], capture_output=True, timeout=TIMEOUT_S, check=False,
        cwd=ROOT,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchError(done.stderr.decode("utf-8", "replace")[-500:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_growth(report: Report, settings: Settings) -> None:
    """Grow two chains, each in a process of its own; and a small one of events of one case, for its bytes."""
    disk = {}
    sizes = {"single": min(settings.growth_records, SINGLES_MOST), "batched": settings.growth_batched_records}
    for kind, name in (("single", "growth"), ("batched", "growth_batched")):
        found = _in_a_process(kind, sizes[kind])
        points_ = found["points"]
        report.table(name, points_)
        report.put(f"{name}_ratio", points_[-1]["us_per_record"] / points_[0]["us_per_record"])
        disk[kind] = found["disk"]
    found = _in_a_process("case", settings.growth_case_events)
    report.table("growth_case", found["points"])
    report.put("growth_case_ratio", found["points"][-1]["us_per_record"] / found["points"][0]["us_per_record"])
    report.table("growth_disk", disk)
    report.put("disk.bytes_per_single", disk["single"]["all"])
    report.put("disk.bytes_per_batched_record", _in_a_process("events", settings.disk_batches)["all"])


class Chain:
    """One node's chain on disk and a workload for it, without a node."""

    def __init__(self, folder: Path) -> None:
        signer = SoftwareSigner(ED25519_SHA256, hashlib.sha256(b"growth").digest())
        file = genesis_of(signer)
        self.folder = folder
        self.store = open_chain(open_store(folder / "store", "plyvel", genesis_hash=file.hash()), file)
        self.work = Workload(file.hash(), ORGS[0], [signer], "growth")
        self.lane = self.work.new_lanes(1)[0]
        self.submitted = 0
        """Bytes of all items so far."""
        self.records = 0
        self._random = random.Random(1)

    def commit(self, items: Sequence[Item], records: int) -> float:
        """Execute and store one block; the CPU seconds that it took."""
        self.submitted += sum(len(item.encode()) for item in items)
        self.records += records
        store = self.store
        began = time.process_time()
        executed = build_block(store.state(), ORGS[0], store.tip.time_ms + 1, items)
        height = executed.block.header.height
        store.commit(executed, CommitCertificate(height, 0, executed.block_hash, ((0, bytes(64)),)))
        spent = time.process_time() - began
        if not all(outcome.result.ok for outcome in executed.outcomes):
            raise BenchError("a submission was refused")
        return spent

    def openings(self) -> list[Item]:
        """A block of submissions that open a case each."""
        work = self.work
        return [work.item(self.lane, [work.record(work.new_case(), OPENING)]) for _ in range(BLOCK_ITEMS)]

    def mixed_batch(self) -> list[Item]:
        """A block of one submission: new cases, and records of cases anywhere."""
        work = self.work
        records = [work.record(work.new_case(), OPENING) for _ in range(NEW_CASES)]
        known, more = range(1, work.cases + 1), BATCH_RECORDS - NEW_CASES
        cases = self._random.sample(known, more) if len(known) >= more else self._random.choices(known, k=more)
        records += [work.record(work.case(case), FOLLOWING, self.records + number) for number, case in enumerate(cases)]
        return [work.item(self.lane, records)]

    def of_one_case(self) -> list[Item]:
        """A block of submissions of one record each, of the chain's only case."""
        work = self.work
        first = [work.record(work.new_case(), OPENING)] if work.cases == 0 else []
        more = range(CASE_BLOCK_ITEMS - len(first))
        records = [*first, *(work.record(work.case(1), FOLLOWING, self.records + number) for number in more)]
        return [work.item(self.lane, [record]) for record in records]

    def listing(self) -> float:
        """CPU seconds of one case in a list with proofs, as a node answers it: the mean over pages spread over all."""
        lists = CaseLists(self.store, ChainReader(self.store))
        ((series, count),) = lists.series(None, 1)
        began, listed = time.process_time(), 0
        for page in range(LISTED_PAGES):
            listed += len(lists.cases(series, page * count // LISTED_PAGES).cases)
        return (time.process_time() - began) / listed

    def close(self) -> dict[str, float]:
        """Close and compact the store; its bytes a record, in all and by what they are for."""
        self.store.close()
        database = plyvel.DB(str(self.folder / "store" / LEVELDB_FOLDER), **LEVELDB_OPTIONS)
        database.compact_range()
        sizes = {
            name: sum(database.approximate_size(kind, bytes([kind[0] + 1])) for kind in kinds)
            for name, kinds in PARTS.items()
        }
        database.close()
        total = disk_bytes(self.folder / "store")
        allowed = 1.5 * self.submitted + 600 * self.records
        found = {name: round(size / self.records, 1) for name, size in sizes.items()}
        return {
            "submitted": round(self.submitted / self.records, 1),
            "all": round(total / self.records, 1),
            **found,
            "of_allowed": round(total / allowed, 3),
        }


def grow(kind: str, records: int, folder: Path) -> dict[str, Any]:
    """One point for each size, and what a record takes on disk in the end."""
    chain = Chain(folder)
    make, per_block = {
        "single": (chain.openings, BLOCK_ITEMS),
        "batched": (chain.mixed_batch, BATCH_RECORDS),
        "case": (chain.of_one_case, CASE_BLOCK_ITEMS),
    }[kind]

    def blocks() -> Iterator[list[Item]]:
        while True:
            yield make()

    found: list[dict[str, Any]] = []
    spent: list[float] = []
    if kind == "case":
        sizes = [*(one for one in CASE_POINTS if one < records), records]
    else:
        sizes = points(records, BLOCK_ITEMS if kind == "single" else 2 * BATCH_RECORDS)
    for items in blocks():
        spent.append(chain.commit(items, per_block))
        if chain.records < sizes[0]:
            continue
        sizes.pop(0)
        last = spent[-max(SAMPLE_BLOCKS, len(spent) // 10) :]
        found.append(
            {
                "records": chain.records,
                "cases": chain.work.cases,
                "us_per_record": round(sum(last) / len(last) / per_block * 1e6, 2),
                "us_per_submission": round(sum(last) / len(last) / len(items) * 1e6, 1),
                "us_per_listed_case": round(chain.listing() * 1e6, 1),
                "rss_mib": round(memory_mib(os.getpid(), "VmRSS"), 1),
                "disk_mib": round(disk_bytes(folder) / 2**20, 1),
                "submitted_mib": round(chain.submitted / 2**20, 1),
            }
        )
        if not sizes:
            break
    return {"points": found, "disk": chain.close()}


def events(batches: int, folder: Path) -> dict[str, float]:
    """What a record takes on disk where a batch is 1,000 events of one case."""
    chain = Chain(folder)
    for _ in range(batches):
        items = [Item.decode(chain.work.event_batches(chain.lane, 1, BATCH_RECORDS)[0])]
        chain.commit(items, BATCH_RECORDS)
    return chain.close()


def main() -> None:
    """Print what was found as JSON."""
    kind, size = sys.argv[1], int(sys.argv[2])
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 50)  # as a node does
    with tempfile.TemporaryDirectory(prefix="fazhi-bench-") as folder:
        print(json.dumps(events(size, Path(folder)) if kind == "events" else grow(kind, size, Path(folder))))


if __name__ == "__main__":
    main()
