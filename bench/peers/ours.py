"""Our own network under the loads of ``make bench``, in the same run as the peers."""

from __future__ import annotations

import time
from typing import Final

from bench import throughput
from bench.ceilings import verify_per_s
from bench.cluster import network
from bench.figures import Report
from bench.measure import Spread
from bench.settings import Settings

from .rows import Guarantees, Row
from .sizes import Sizes

GUARANTEES: Final = Guarantees(
    "Ed25519, each by every node",
    "Byzantine, 1 of 4",
    "votes and block, on 3 of 4",
    "TLS 1.3 everywhere",
    "–",
)


def measure(sizes: Sizes, report: Report, settings: Settings) -> list[Row]:
    """Submissions of one record; batches of 1,000 events of one case; batches of 1,000 new cases."""
    report.put("ceilings.ed25519_verify_per_s_core", verify_per_s())
    with network() as net:
        work = net.workload(f"peers-{time.time_ns()}")
        throughput.measure_single(report, settings, net, work)
        throughput.measure_batched(report, settings, net, work)

    def row(load: str, size: int, name: str, ends: str, p50_ms: float) -> Row:
        value = report.get(name) or 0.0
        rates = Spread(value, report.get(f"{ends}low") or value, report.get(f"{ends}high") or value, settings.runs)
        return Row.of("fazhi, four nodes", load, size, rates, p50_ms, GUARANTEES)

    per = f"one signature a record, {settings.per_request} a request, {settings.workers} workers"
    batches = f"one signature over {settings.batch_records:,}"
    return [
        row(per, sizes.single, "single.submissions_per_s", "single.", report.get("single.request_p50_ms") or 0.0),
        row(f"{batches} events of a case, 4 workers", sizes.batched, "batched.records_per_s", "batched.",
            report.get("batched.request_p50_ms") or 0.0),
        row(f"{batches} new cases, 4 workers", sizes.batched, "batched.spread_records_per_s", "batched.spread_",
            report.get("batched.spread_request_p50_ms") or 0.0),
    ]  # fmt: skip
