"""The bench's own arithmetic; the figures themselves are no test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.figures import FIGURES, Report
from bench.growth import PARTS, events, grow, points
from bench.load import Plan
from bench.measure import BenchError, Spread, per_second, percentile
from bench.stages import OTHER, profile_of, stage_of
from tests.conftest import ROOT


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100
    assert percentile([7.0], 0.99) == 7
    with pytest.raises(BenchError):
        percentile([], 0.5)


def test_a_spread_has_median_and_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    with pytest.raises(BenchError):
        Spread.of([])


def test_per_second_counts_what_the_work_did() -> None:
    done = 0

    def work(count: int) -> None:
        nonlocal done
        for _ in range(count):
            done += 1

    spread = per_second(work, seconds=0.1, runs=2)
    assert spread.runs == 2
    assert done > spread.median * 0.05


def test_growth_ends_with_the_size_asked_for() -> None:
    assert points(100_000) == [5_000, 10_000, 20_000, 50_000, 100_000]
    assert points(8_000) == [5_000, 8_000]
    assert points(1_000) == [1_000]
    assert points(1_000_000, block=2_000)[:2] == [20_000, 50_000]


def test_a_growing_chain_is_accepted_and_its_bytes_are_told_apart(tmp_path: Path) -> None:
    found = events(1, tmp_path / "events")
    assert sum(found[name] for name in PARTS) <= found["all"]
    grown = grow("batched", 2_000, tmp_path / "batched")
    assert [(point["records"], point["cases"]) for point in grown["points"]] == [(2_000, 200)]
    assert set(grown["disk"]) == {"submitted", "all", "of_allowed", *PARTS}


def test_a_stage_is_that_of_the_innermost_frame_that_names_one() -> None:
    helper = ["fazhi_ledger.canonical", "decode"]
    admission = ["fazhi_node.admission", "AdmissionDesk._examine"]
    execution = ["fazhi_contracts.execution", "execute_block"]
    gateway = ["fazhi_node.gateway.submit", "SubmitRoute.answer"]
    assert stage_of([helper, admission, gateway]) == "admission"
    assert stage_of([helper, execution, ["fazhi_node.application", "Application.validate"]]) == "execution"
    assert stage_of([["fazhi_node.storage.cache", "BoundedCache.find"], execution]) == "execution"
    assert stage_of([helper]) == OTHER


def test_a_profile_is_an_average_over_nodes_and_units(tmp_path: Path) -> None:
    stack = [["fazhi_ledger.statetree", "update"], ["fazhi_node.application", "Application.build"]]
    for name in ("a", "b"):
        data = {"samples": 10, "threads": {"main": 1.0, "verify": 0.5}, "stacks": [[0.2, stack]]}
        (tmp_path / name).write_text(json.dumps(data))
    profile = profile_of([tmp_path / "a", tmp_path / "b"], units=1000)
    assert profile.stages == {"verification threads": pytest.approx(500.0), "state tree": pytest.approx(200.0)}
    assert profile.samples == 20


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    plan = Plan((("https://127.0.0.1:1", (b"one", b"two")),), 5, 10)
    plan.write(tmp_path / "plan")
    assert Plan.read(tmp_path / "plan") == plan


def test_the_report_nests_and_knows_every_key() -> None:
    report = Report({"quick": True})
    report.put("latency_ms.idle_p50", Spread(2.0, 1.0, 3.0, 3))
    report.table("growth", [{"records": 1}])
    document = json.loads(report.json())
    assert document["latency_ms"] == {"idle_p50": 2.0}
    assert document["growth"] == [{"records": 1}]
    with pytest.raises(KeyError):
        report.put("latency_ms.p51", 1.0)


def test_the_readme_explains_every_figure() -> None:
    text = (ROOT / "bench" / "README.md").read_text("utf-8")
    missing = [key for key in FIGURES if f"`{key}`" not in text]
    assert not missing


def test_the_keys_that_others_rely_on_are_there() -> None:
    relied_on = {
        "ceilings.ed25519_verify_per_s_core", "single.submissions_per_s", "single.ratio_to_ceiling",
        "batched.records_per_s", "latency_ms.idle_p50", "latency_ms.idle_p99", "latency_ms.half_p50",
        "latency_ms.half_p99", "growth", "audit.ratio_to_ceiling", "catchup.ratio_to_ceiling",
        "seal.ratio_to_sha256sum", "memory_mib.node_max", "delays.fsync_5ms.ratio", "delays.links_20ms.ratio",
        "validators", "peers",
    }  # fmt: skip
    assert relied_on <= set(FIGURES)
