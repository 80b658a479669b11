"""Committed submissions and records a second, four nodes, closed loop, all items signed before the clock starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from .ceilings import verify_per_s
from .cluster import BenchNet, Loaded, load, single_plan, spread_over
from .figures import Report
from .measure import Spread, percentile
from .settings import Settings
from .workload import Workload, requests

BATCH_WORKERS: Final = 4


def _rate(loaded: Loaded) -> float:
    return loaded.outcome.committed / loaded.outcome.seconds


def measure_single(report: Report, settings: Settings, net: BenchNet, work: Workload) -> None:
    """Submissions of one record and one signature, through the gateways of all nodes."""
    lanes = work.new_lanes(settings.workers)
    step = settings.workers * settings.per_request
    warm = load(net, single_plan(net, lanes, work, 2 * step, settings.per_request))
    count = int(min(settings.single_items_max, max(2 * step, _rate(warm) * settings.single_seconds)))
    runs: list[Loaded] = []
    ceilings: list[float] = []
    for _ in range(settings.runs):
        ceilings.append(verify_per_s(0.3, 1).median)
        runs.append(load(net, single_plan(net, lanes, work, count, settings.per_request)))
    ceilings.append(verify_per_s(0.3, 1).median)
    committed = sum(run.outcome.committed for run in runs)
    rates = Spread.of([_rate(run) for run in runs])
    nodes = len(net.nodes)
    ceiling = (os.cpu_count() or 1) * Spread.of(ceilings).median / nodes
    latencies = [one for run in runs for one in run.outcome.request_ms or ()]
    report.put("single.submissions_per_s", rates)
    report.put("single.records_per_s", rates)
    report.put("single.low", rates.low)
    report.put("single.high", rates.high)
    report.put("single.ceiling_per_s", ceiling)
    report.put("single.ratio_to_ceiling", rates.median / ceiling)
    report.put("single.submissions_per_block", committed / max(1, sum(run.blocks for run in runs)))
    costs = [run.nodes_cpu_s / nodes / run.outcome.committed * 1e6 for run in runs]
    report.put("single.cpu_us_per_submission_node", Spread.of(costs))
    clients = [run.outcome.cpu_s / run.outcome.committed * 1e6 for run in runs]
    report.put("single.cpu_us_per_submission_client", Spread.of(clients))
    report.put("single.request_p50_ms", percentile(latencies, 0.5))
    report.put("single.other_cores", Spread.of([run.other_cores for run in runs]))


def _batches(
    settings: Settings, net: BenchNet, work: Workload, make: Callable[..., list[bytes]], runs: int
) -> tuple[Spread, Spread, float, float]:
    """Records a second, CPU a record and node (µs), milliseconds of a batch (median), other cores."""
    lanes = work.new_lanes(BATCH_WORKERS)
    rates: list[float] = []
    costs: list[float] = []
    others: list[float] = []
    took: list[float] = []
    for _ in range(runs):
        batches = [make(lane, settings.batches_per_worker, settings.batch_records) for lane in lanes]
        loaded = load(net, spread_over(net, [requests(one, 1) for one in batches]))
        committed = loaded.outcome.committed * settings.batch_records
        rates.append(committed / loaded.outcome.seconds)
        costs.append(loaded.nodes_cpu_s / len(net.nodes) / committed * 1e6)
        others.append(loaded.other_cores)
        took += loaded.outcome.request_ms or ()
    return Spread.of(rates), Spread.of(costs), percentile(took, 0.5), Spread.of(others).median


def measure_batched(report: Report, settings: Settings, net: BenchNet, work: Workload) -> None:
    """Records a second with one signature over 1,000: events of one case, then a new case each."""
    _batches(settings, net, work, work.event_batches, 1)
    rates, costs, p50_ms, others = _batches(settings, net, work, work.event_batches, settings.runs)
    report.put("batched.records_per_s", rates)
    report.put("batched.low", rates.low)
    report.put("batched.high", rates.high)
    report.put("batched.cpu_us_per_record_node", costs)
    report.put("batched.request_p50_ms", p50_ms)
    report.put("batched.other_cores", others)
    single = report.get("single.submissions_per_s")
    if single:
        report.put("batched.ratio_to_single", rates.median / single)
    rates, costs, p50_ms, _ = _batches(settings, net, work, work.opening_batches, settings.runs)
    report.put("batched.spread_records_per_s", rates)
    report.put("batched.spread_cpu_us_per_record_node", costs)
    report.put("batched.spread_request_p50_ms", p50_ms)
