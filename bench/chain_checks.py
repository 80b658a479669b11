"""Reading the chain again: an audit that trusts nobody, and a node that was away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fazhi_sdk.sync import archive_chunks

from .ceilings import verify_per_s
from .cluster import BenchNet, load_many
from .figures import Report
from .measure import BenchError, Spread
from .settings import Settings
from .workload import Workload

CATCH_UP_S: Final = 900.0
AUDIT_S: Final = 1800
POLL_S: Final = 0.02
_AUDIT: Final = """
import json, resource, sys
from fazhi_sdk.audit import audit, file_chunks
found = audit(file_chunks(sys.argv[1]), sys.argv[2])
most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([found.clean, repr(found.fault), found.submissions, found.signatures, found.seconds, most / 1024]))
"""


def _save_archive(net: BenchNet, path: Path) -> None:
    with path.open("wb") as file:
        for chunk in archive_chunks(net.urls[:1], bytes.fromhex(net.genesis_hash), token=net.tokens):
            file.write(chunk)


@dataclass(frozen=True, slots=True)
class _Audited:
    submissions: int
    signatures: int
    seconds: float
    memory_mib: float
    """Of its largest process."""


def _audit(path: Path, genesis_hash: str) -> _Audited:
    done = subprocess.run(
        [sys.executable, "-c", _AUDIT, path, genesis_hash], capture_output=True, timeout=AUDIT_S, check=False
    )
    if done.returncode != 0:
        raise BenchError(done.stderr.decode("utf-8", "replace")[-500:])
    clean, fault, *found = json.loads(done.stdout)
    if not clean:
        raise BenchError(f"the audit found a fault: {fault}")
    return _Audited(*found)


def measure_audit(report: Report, settings: Settings, net: BenchNet, work: Workload) -> None:
    """The whole chain so far, made longer where it is short, from a file, all cores."""
    missing = settings.audit_items - work.cases  # each single submission opened a case
    if missing > 0:
        load_many(net, work.new_lanes(settings.workers), work, missing, settings.per_request)
    net.settle()
    path = net.folder / "chain.archive"
    _save_archive(net, path)
    runs: list[_Audited] = []
    ceilings: list[float] = []
    for _ in range(max(2, min(3, settings.runs))):
        ceilings.append(verify_per_s(0.3, 1).median)
        runs.append(_audit(path, net.genesis_hash))
    path.unlink()
    ceiling = (os.cpu_count() or 1) * Spread.of(ceilings).median
    signatures = Spread.of([one.signatures / one.seconds for one in runs])
    report.put("audit.submissions_per_s", Spread.of([one.submissions / one.seconds for one in runs]))
    report.put("audit.signatures_per_s", signatures)
    report.put("audit.ceiling_per_s", ceiling)
    report.put("audit.ratio_to_ceiling", signatures.median / ceiling)
    report.put("audit.submissions", runs[0].submissions)
    report.put("audit.memory_mib", max(one.memory_mib for one in runs))


def measure_catchup(report: Report, settings: Settings, net: BenchNet, work: Workload) -> None:
    """Stop a node, let the others go on, start it again."""
    away = list(net.nodes)[-1]
    others = [org for org in net.nodes if org != away]
    net.stop(away)
    lanes = work.new_lanes(settings.workers)
    try:
        missed = load_many(net, lanes, work, settings.catchup_items, settings.per_request, others)
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
