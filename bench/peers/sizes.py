"""How much is written to each peer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.suites import ED25519_SHA256

from bench.workload import OPENING, Workload


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a write, seconds and runs of each load. Runs in flight are about those of our own load: 8 workers with
    100 submissions each, 4 with 1,000 records each.
    """

    single: int
    """A write of its own: as one of our submissions, its record and signature included."""
    batched: int
    """A write among many: as one of our records."""
    seconds: int
    runs: int


def our_sizes() -> tuple[int, int]:
    """Bytes of a submission of one record; bytes of a record in a batch of 1,000."""
    signer = SoftwareSigner(ED25519_SHA256, hashlib.sha256(b"bench").digest())
    work = Workload(bytes(32), "zfj", [signer], "sizes")
    (lane,) = work.new_lanes(1)
    single = work.item(lane, [work.record(work.new_case(), OPENING)]).encode()
    (batch,) = work.event_batches(lane, 1, 1000)
    return len(single), round(len(batch) / 1000)
