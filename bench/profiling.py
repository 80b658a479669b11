"""Where the CPU of a node goes: the two loads once more, on nodes that run under the sampler."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from .cluster import BenchNet, load, network, single_plan, spread_over
from .figures import Report
from .load import Plan
from .measure import BenchError
from .settings import Settings
from .stages import Profile, profile_of
from .workload import requests

WRITE_S = 20.0


def _signal_all(net: BenchNet, number: int) -> None:
    for pid in net.pids():
        os.kill(pid, number)


def _collect(net: BenchNet, place: Path) -> list[Path]:
    """Have every node write its samples; where they lie."""
    paths = [place / f"{org}.json" for org in net.nodes]
    for path in paths:
        path.unlink(missing_ok=True)
    _signal_all(net, signal.SIGUSR2)
    deadline = time.monotonic() + WRITE_S
    while not all(path.exists() for path in paths):
        if time.monotonic() > deadline:
            raise BenchError("a node did not write its samples")
        time.sleep(0.05)
    return paths


def _profiled(net: BenchNet, plan: Plan, records: int) -> Profile:
    place = net.sampled
    if place is None:
        raise BenchError("the network is not sampled")
    _signal_all(net, signal.SIGUSR1)
    time.sleep(0.1)
    loaded = load(net, plan)
    return profile_of(_collect(net, place), loaded.outcome.committed * records)


def measure_profile(report: Report, settings: Settings) -> None:
    """Three tables: single submissions; batches of events of one case; batches of new cases."""
    tables: dict[str, object] = {}
    with network(sampled=True) as net:
        work = net.workload("profile")
        lanes = work.new_lanes(settings.workers)
        load(net, single_plan(net, lanes, work, 800, settings.per_request))
        plan = single_plan(net, lanes, work, settings.profile_items, settings.per_request)
        tables["single"] = _profiled(net, plan, 1).document()
        each = max(1, settings.profile_batches // 4)
        for name, make in (("batched", work.event_batches), ("batched_spread", work.opening_batches)):
            batches = [requests(make(lane, each, settings.batch_records), 1) for lane in lanes[:4]]
            tables[name] = _profiled(net, spread_over(net, batches), settings.batch_records).document()
    report.table("profile", tables)


def lines(tables: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """The stages for people."""
    found: list[str] = []
    for name, table in tables.items():
        stages = table["us_by_stage"]
        found.append(f"  profile {name}: µs of CPU a {'submission' if name == 'single' else 'record'} and node")
        total = sum(stages.values())
        found += [f"    {stage:<34}{value:>10.1f}  {value / total:>4.0%}" for stage, value in stages.items()]
        found.append(f"    {'in all':<34}{total:>10.1f}")
    return found
