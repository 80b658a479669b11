"""How long an officer waits: from the SDK's call to a receipt that the SDK has verified."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack

from fazhi_sdk import aio
from fazhi_sdk.receipts import Receipt

from .cluster import LOAD_S, BenchNet, finish, generator
from .figures import Report
from .load import Plan
from .measure import BenchError, Neighbours, percentile
from .settings import Settings
from .workload import Workload, requests

FALLBACK_PER_S = 200.0
"""The half load where `single` was not measured in this run."""
HALF_PER_REQUEST = 25
GAP_S = 0.01
RECEIPT = "bench.receipt.json"


async def receipts(
    net: BenchNet, seed: str, count: int, go_on: Callable[[], bool] = lambda: True
) -> tuple[list[float], Receipt]:
    """Milliseconds of ``count`` calls, one after the other, while ``go_on()``, and the last receipt. Outbox, proofs
    and all.
    """
    took: list[float] = []
    outbox = net.folder / f"outbox-{seed}.db"
    signer = net.officer()
    async with await aio.Chain.connect(net.urls, net.genesis_hash, outbox, token=net.tokens) as chain:
        for number in range(count + 1):
            case = await chain.case("penalty", f"{seed}-{number}", signer)
            draft = await case.draft("LEAD", fields={"place": "桐梓路1号", "note": f"第{number}件"})
            began = time.perf_counter()
            submitted = await draft.submit(timeout_s=60.0)
            if number:  # the first one also connects
                took.append((time.perf_counter() - began) * 1000)
            if not isinstance(submitted, Receipt):
                raise BenchError("no receipt within a minute")
            receipt = submitted
            await asyncio.sleep(GAP_S)
            if not go_on():
                break
    return took, receipt


def make_receipt(net: BenchNet, work: Workload) -> None:
    """A receipt in the network's folder, for what checks one."""
    _, receipt = asyncio.run(receipts(net, work.digest("one").hex()[:8], 1))
    receipt.save(net.folder / RECEIPT)


def measure_latency(report: Report, settings: Settings, net: BenchNet, work: Workload) -> None:
    """Idle, then beside half of what the network can take."""
    net.settle()
    watch, before = Neighbours.watch(), net.cpu_s()
    idle, receipt = asyncio.run(receipts(net, work.digest("idle").hex()[:8], settings.idle_samples))
    report.put("latency_ms.idle_p50", percentile(idle, 0.5))
    report.put("latency_ms.idle_p99", percentile(idle, 0.99))
    report.put("latency_ms.samples", len(idle))
    report.put("latency_ms.other_cores", watch.cores(net.cpu_s() - before))
    receipt.save(net.folder / RECEIPT)

    rate = (report.get("single.submissions_per_s") or FALLBACK_PER_S) / 2
    lanes = work.new_lanes(settings.workers)
    seconds = min(LOAD_S - 10, settings.half_samples * 0.5 + 5)
    each = int(rate * seconds / len(lanes) / HALF_PER_REQUEST + 1) * HALF_PER_REQUEST
    urls = net.urls
    workers = tuple(
        (urls[number % len(urls)], tuple(requests(work.singles(lane, each), HALF_PER_REQUEST)))
        for number, lane in enumerate(lanes)
    )
    with ExitStack() as stack:
        plan = Plan(workers, max(1, round(rate / HALF_PER_REQUEST)), LOAD_S)
        child = stack.enter_context(generator(net.folder, plan))
        if child.stdin is None:
            raise BenchError("the load generator has no stdin")
        child.stdin.write(b"go\n")
        child.stdin.flush()
        time.sleep(1.0)
        seed = work.digest("half").hex()[:8]
        half, _ = asyncio.run(receipts(net, seed, settings.half_samples, lambda: child.poll() is None))
        outcome = finish(child, b"stop\n", 60)
    report.put("latency_ms.half_p50", percentile(half, 0.5))
    report.put("latency_ms.half_p99", percentile(half, 0.99))
    report.put("latency_ms.half_load_per_s", outcome.committed / outcome.seconds)
