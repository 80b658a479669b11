"""The demo as a newcomer runs it: all of it, interrupted in the middle, and asked for what cannot be."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest
from fazhi_cli.exits import Exit
from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_rule_set
from fazhi_contracts.procedures.stories import Story, StoryEvent, play
from fazhi_contracts.procedures.vocabulary import OWN
from fazhi_sdk import Chain
from fazhi_sdk.devnet import MEMBERS

from demo import network
from demo.network import LATE_RECORD_MS
from demo.story import Story as Recording
from demo.walks import WALKS, calendar_of, role_of, times_of, years_of
from tests.cli.commands import fazhi
from tests.conftest import ROOT
from tests.e2e.processes import commands_naming, demo, end, wait_for


@pytest.mark.slow
def test_the_demo_shows_everything_and_leaves_nothing_running(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = demo(out, LANG="en_GB.UTF-8")
    try:
        printed, complaints = process.communicate(timeout=240)
    finally:
        end(process)
    assert (process.returncode, complaints) == (0, ""), printed + complaints
    rules = load_builtin_rule_set("penalty")
    steps = [rules.by_code[visit.step] for visit in WALKS["penalty"].visits]
    assert {"HEARD", "PANEL", "PUBLISHED"} < {step.code for step in steps}
    for zh, en in ((step.zh, step.en) for step in steps):
        assert f"{zh} {en}" in printed
    for said in ("kill -9", "caught up", "findings: 1", f"fazhi verify × {len(steps)}", "CLEAN"):
        assert said in printed, said
    assert printed.count("INVALID") == 2
    told = printed.partition("[6/7]")[2]
    assert re.findall(r"breached +([A-Z]+\.[0-9]+)", told) == ["PUBLISHED.6"]
    assert all(re.search(rf"met +{step.code}\.1 ", told) for step in steps)
    assert commands_naming(out) == []
    assert list(out.rglob("*.pid")) == []

    names = sorted(path.name for path in (out / "receipts").iterdir())
    assert names == [f"{n:02d}-{step.code}.receipt.json" for n, step in enumerate(steps, 1)]
    hash_text = (out / "genesis-hash.txt").read_text().strip()
    hints = [line.split()[1:] for line in printed.splitlines() if line.startswith("  ") and " --genesis-hash " in line]
    assert [hint[0] for hint in hints] == ["verify", "verify", "audit", "case"]
    assert all(hint[-1] == hash_text for hint in hints)
    assert [fazhi(*hint, cwd=ROOT).code for hint in hints] == [0, 1, 0, Exit.BREACHED]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT])
def test_an_interrupted_demo_stops_its_nodes(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    process = demo(out)
    try:
        wait_for("a receipt", lambda: list(out.glob("receipts/*.json")) or process.poll() is not None)
        process.send_signal(number)
        printed, complaints = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 128 + number, printed + complaints
    assert "interrupted" in complaints
    assert commands_naming(out) == []
    assert list(out.rglob("*.pid")) == []


@pytest.mark.slow
def test_make_stop_ends_what_a_killed_demo_left(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = demo(out)
    try:
        wait_for("nodes", lambda: len(list(out.rglob("network/*.pid"))) == 4 or process.poll() is not None)
        process.kill()
        process.wait()
        assert len(commands_naming(out)) == 4
    finally:
        end(process)
        subprocess.run(["bash", str(ROOT / "scripts" / "stop.sh"), str(out)], check=True, capture_output=True)
    wait_for("the nodes' end", lambda: not commands_naming(out))


def test_it_never_empties_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    process = demo(tmp_path)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "OUT=" in complaints
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PROCEDURE": "nothing"}, "penalty"),
        ({"EVIDENCE": "/nowhere"}, "no folder"),
        ({"EVIDENCE": "{empty}"}, "no file"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    (tmp_path / "empty").mkdir()
    given = {name: value.format(empty=tmp_path / "empty") for name, value in environment.items()}
    process = demo(tmp_path / "out", **given)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in complaints
    assert not (tmp_path / "out").exists()


SUMS = {"mediation": [], "timebank": [("mediation", 2), ("minutes", 30), ("offline", 60), ("sanzhi", 3)]}
ROLES = {org: roles[0] for org, _, _, roles in MEMBERS if roles}
TODAYS = (
    "2026-02-25 10:00",  # just after Spring Festival
    "2026-03-31 09:00",
    "2026-10-08 08:00",  # just after National Day
    "2026-12-01 23:30",
    "2027-01-04 00:10",
    "2031-05-06 12:00",  # years whose holidays the demo does not know
)


@pytest.mark.parametrize("procedure", WALKS)
@pytest.mark.parametrize("today", TODAYS)
def test_a_walk_comes_to_the_findings_that_it_says_whatever_the_day(procedure: str, today: str) -> None:
    walk, now_ms = WALKS[procedure], int(datetime.fromisoformat(f"{today}+08:00").timestamp()) * 1000
    times = times_of(walk, now_ms)
    assert now_ms - LATE_RECORD_MS < min(times)
    assert max(times) < now_ms
    events = []
    for place, (visit, time_ms) in enumerate(zip(walk.visits, times, strict=True)):
        signers = tuple((role_of(name), name) for name in visit.signers)
        standing = ROLES[visit.org] if visit.org else OWN
        clear = tuple(sorted(visit.clear.items()))
        events.append(StoryEvent(place, visit.step, time_ms, time_ms, signers, standing, clear, 1))
    told = play(
        Story(procedure, tuple(map(calendar_of, years_of(times))), tuple(events)), load_builtin_rule_set(procedure)
    )
    assert [one.refused for one in told] == [None] * len(told)
    assert [tuple(finding.code for finding in one.findings) for one in told] == [visit.finds for visit in walk.visits]


@pytest.mark.slow
def test_walks_with_others_records_and_tallies_go_by_on_a_real_network(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.write_bytes(b"evidence of every case")
    walks = {procedure: WALKS[procedure] for procedure in ("mediation", "timebank")}
    net, office = network.make(tmp_path / "network", walks)
    try:
        net.up(ready_s=60)
        now_ms = time.time_ns() // 1_000_000
        network.vote_calendars(net, years_of(time_ms for walk in walks.values() for time_ms in times_of(walk, now_ms)))
        with Chain.connect(net.urls, net.genesis_hash, tmp_path / "outbox.db", token=net.tokens) as chain:
            for procedure, walk in walks.items():
                rules = load_builtin_rule_set(procedure)
                told = Recording(chain, rules, walk, office, tmp_path / procedure, [evidence])
                recorded = list(told.walk())
                assert told.case is not None
                trail = told.case.trail()
                assert [event.submission_id for event in trail.events] == [one.receipt.id for one in recorded]
                found = [tuple(finding.code for finding in event.findings) for event in trail.events]
                assert found == [visit.finds for visit in walk.visits], procedure
                signing = [event.signers[0].org for event in trail.events]
                assert signing == [visit.org or walk.org for visit in walk.visits]
                assert list(trail.facts.head.marks.sums) == SUMS[procedure]
    finally:
        net.destroy()


def test_every_built_in_procedure_has_a_walk_to_its_end() -> None:
    assert sorted(WALKS) == sorted(BUILTIN_PROCEDURES)
    for procedure, walk in WALKS.items():
        rules = load_builtin_rule_set(procedure)
        assert any(rules.by_code[visit.step].terminal for visit in walk.visits), procedure
        assert [visit.evidence for visit in walk.visits].count(True) == 1, procedure


def test_shipped_evidence_is_what_its_names_say() -> None:
    folder = ROOT / "demo" / "evidence"
    starts = {path.suffix: path.read_bytes()[:12] for path in folder.iterdir()}
    assert starts[".jpg"].startswith(b"\xff\xd8\xff")
    assert starts[".pdf"].startswith(b"%PDF-")
    assert starts[".wav"][:4] + starts[".wav"][8:12] == b"RIFFWAVE"
    assert starts[".mp4"][4:8] == b"ftyp"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000
