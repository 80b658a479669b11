"""Reading the chain again: an audit that trusts nobody, and a node that was away."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from fazhi_sdk.audit import AuditReport, audit, file_chunks
from fazhi_sdk.sync import archive_chunks

from .ceilings import verify_per_s
from .cluster import BenchNet, load, single_plan
from .figures import Report
from .measure import BenchError, Spread
from .settings import Settings
from .workload import Workload

CATCH_UP_S: Final = 120.0
POLL_S: Final = 0.02


def _save_archive(net: BenchNet, path: Path) -> None:
    with path.open("wb") as file:
        for chunk in archive_chunks(net.urls[:1], bytes.fromhex(net.genesis_hash), token=net.tokens):
            file.write(chunk)


def measure_audit(report: Report, settings: Settings, net: BenchNet, work: Workload) -> None:
    """The whole chain so far, from a file, all cores."""
    if net.settle() < 3:
        step = settings.workers * settings.per_request
        load(net, single_plan(net, work.new_lanes(settings.workers), work, 5 * step, settings.per_request))
    path = net.folder / "chain.archive"
    _save_archive(net, path)
    runs: list[AuditReport] = []
    ceilings: list[float] = []
    for _ in range(max(2, settings.runs)):
        ceilings.append(verify_per_s(0.3, 1).median)
        result = audit(file_chunks(path), net.genesis_hash)
        if not result.clean:
            raise BenchError(f"the audit found a fault: {result.fault}")
        runs.append(result)
    path.unlink()
    ceiling = (os.cpu_count() or 1) * Spread.of(ceilings).median
    signatures = Spread.of([one.signatures_per_s for one in runs])
    report.put("audit.submissions_per_s", Spread.of([one.submissions / one.seconds for one in runs]))
    report.put("audit.signatures_per_s", signatures)
    report.put("audit.ceiling_per_s", ceiling)
    report.put("audit.ratio_to_ceiling", signatures.median / ceiling)
    report.put("audit.submissions", runs[0].submissions)


def measure_catchup(report: Report, settings: Settings, net: BenchNet, work: Workload) -> None:
    """Stop a node, let the others go on, start it again."""
    away = list(net.nodes)[-1]
    others = [org for org in net.nodes if org != away]
    net.stop(away)
    lanes = work.new_lanes(settings.workers)
    plan = single_plan(net, lanes, work, settings.catchup_items, settings.per_request, others)
    try:
        missed = load(net, plan).outcome.committed
    except BenchError:
        net.up()
        raise
    target = max(net.height(org) for org in others)
    ceiling = (os.cpu_count() or 1) * verify_per_s(0.3, 1).median
    started = time.perf_counter()
    net.start(away)
    answered = 0.0
    while (height := net.height(away)) < target:
        now = time.perf_counter()
        if height >= 0 and not answered:
            answered = now
        if now - started > CATCH_UP_S:
            raise BenchError("the node did not catch up in time")
        time.sleep(POLL_S)
    ended = time.perf_counter()
    net.wait_ready([away])
    seconds = ended - (answered or started)
    report.put("catchup.submissions", missed)
    report.put("catchup.seconds", seconds)
    report.put("catchup.submissions_per_s", missed / seconds)
    report.put("catchup.ratio_to_ceiling", missed / seconds / ceiling)


def measure_node_start(report: Report, settings: Settings, net: BenchNet) -> None:
    """One node from its start to ready, the others running."""
    away = list(net.nodes)[-1]
    times: list[float] = []
    for _ in range(settings.runs):
        net.stop(away)
        began = time.perf_counter()
        net.start(away)
        net.wait_ready([away])
        times.append(time.perf_counter() - began)
    report.put("start.node_s", Spread.of(times))
