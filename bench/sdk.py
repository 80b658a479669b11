"""What one program gets through the SDK: asynchronous client, durable outbox, a verified receipt for each draft.

A process of its own (``python -m bench.sdk FOLDER COUNT``), on a network that stands in the folder.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Final

import uvloop
from fazhi_sdk import aio
from fazhi_sdk.aio.case import Draft
from fazhi_sdk.receipts import Receipt

from .cluster import ROOT, BenchNet
from .figures import Report
from .measure import BenchError, Spread
from .settings import Settings

RUNS: Final = 3
UNDER_WAY: Final = 100
"""Drafts submitted at a time, each under a signature of its own."""
TIMEOUT_S: Final = 300


async def _drafts(chain: aio.Chain, net: BenchNet, name: str, count: int) -> list[Draft]:
    signer = net.officer()
    found = []
    for number in range(count):
        case = await chain.case("penalty", f"{name}-{number}", signer)
        found.append(await case.draft("LEAD", fields={"place": "桐梓路1号", "note": f"第{number}件"}))
    return found


async def run(net: BenchNet, count: int) -> dict[str, float]:
    """Drafts a second until all have their verified receipts: one by one beside one another, as one call under
    signatures of their own, and as one call under as few as may be.
    """
    seed = str(time.time_ns())
    outbox = net.folder / f"outbox-sdk-{seed}.db"
    async with await aio.Chain.connect(net.urls, net.genesis_hash, outbox, token=net.tokens) as chain:
        drafts = await _drafts(chain, net, f"each-{seed}", count)
        limit = asyncio.Semaphore(UNDER_WAY)

        async def submit(draft: Draft) -> object:
            async with limit:
                return await draft.submit(timeout_s=60.0)

        began, cpu = time.perf_counter(), time.process_time()
        each = await asyncio.gather(*(submit(draft) for draft in drafts))
        each_s, each_cpu_s = time.perf_counter() - began, time.process_time() - cpu
        drafts = await _drafts(chain, net, f"apart-{seed}", count)
        began, cpu = time.perf_counter(), time.process_time()
        apart = await chain.submit_many(drafts, timeout_s=60.0, together=False)
        apart_s, apart_cpu_s = time.perf_counter() - began, time.process_time() - cpu
        drafts = await _drafts(chain, net, f"many-{seed}", count)
        began, cpu = time.perf_counter(), time.process_time()
        many = await chain.submit_many(drafts, timeout_s=60.0)
        many_s, many_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    if not all(isinstance(one, Receipt) for one in [*each, *apart, *many]):
        raise BenchError("not every draft has its receipt")
    return {
        "submissions_per_s": count / each_s,
        "cpu_us_per_submission": each_cpu_s / count * 1e6,
        "apart_submissions_per_s": count / apart_s,
        "apart_cpu_us_per_submission": apart_cpu_s / count * 1e6,
        "many_records_per_s": count / many_s,
        "many_cpu_us_per_record": many_cpu_s / count * 1e6,
    }


def measure_sdk(report: Report, settings: Settings, net: BenchNet) -> None:
    """Medians of some runs."""
    runs: list[dict[str, float]] = []
    for _ in range(min(RUNS, settings.runs)):
        command = [sys.executable, "-m", "bench.sdk", str(net.folder), str(settings.sdk_drafts)]
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, cwd=ROOT)
        if done.returncode != 0:
            raise BenchError(done.stderr.decode("utf-8", "replace")[-500:])
        runs.append(json.loads(done.stdout))
    for name in runs[0]:
        report.put(f"sdk.{name}", Spread.of([one[name] for one in runs]))


def main() -> None:
    """Print what was found as JSON."""
    net = BenchNet.open(sys.argv[1])

    async def carry_out() -> dict[str, float]:
        return await run(net, int(sys.argv[2]))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(carry_out())))


if __name__ == "__main__":
    main()
