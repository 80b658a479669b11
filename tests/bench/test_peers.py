"""The comparison's own arithmetic and texts; the peers themselves are no test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.measure import BenchError, Spread
from bench.peers import comet, etcd, postgres
from bench.peers.crew import crew, module_file
from bench.peers.rows import BEGIN, END, Guarantees, Row, replace_between, table
from bench.peers.sizes import our_sizes
from tests.conftest import ROOT

WORDS = Guarantees("nobody", "crashes", "a log", "plain", "who wrote")


def test_a_row_says_what_was_measured_and_what_it_verifies() -> None:
    row = Row.of("peer", "one by one", 341, Spread(1234.56, 1000.0, 2000.0, 3), 12.345, WORDS)
    lines = table([row.document()], {"other": "no compiler"})
    assert len({line.count("|") for line in lines[:3]}) == 1
    assert lines[2] == (
        "| peer | one by one | 341 | **1,235** (1,000 – 2,000) | 12.3 | nobody | crashes | a log | plain | who wrote |"
    )
    assert lines[3] == "- Not measured: other: no compiler"


def test_the_table_is_put_between_its_marks_and_nowhere_else() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replace_between(text, ["new"])
    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert replace_between(once, ["new"]) == once
    with pytest.raises(ValueError, match="marks"):
        replace_between("no marks", ["new"])
    replace_between((ROOT / "bench" / "README.md").read_text("utf-8"), [])


def test_a_write_is_as_large_as_ours() -> None:
    single, batched = our_sizes()
    assert 300 < single < 1000
    assert 90 < batched < single


def test_settings_of_cometbft_are_changed_in_their_section_only() -> None:
    text = "size = 1\n[p2p]\nsize = 2\n\n[mempool]\n# size = 3\nsize = 5000\n"
    changed = comet.patched(text, {"mempool.size": "7", ".size": "9", "mempool.absent": "1"})
    assert changed == "size = 9\n[p2p]\nsize = 2\n\n[mempool]\n# size = 3\nsize = 7\n"


def test_a_summary_of_etcds_load_is_read_or_refused() -> None:
    said = "Summary:\n  Requests/sec:\t3298.25\n\nLatency distribution:\n  25% in 0.0100 secs.\n  50% in 0.2190 secs.\n"
    assert etcd.read_summary(said) == (3298.25, 219.0)
    for bad in ("", said + "Error distribution:\n  [3] timeout\n"):
        with pytest.raises(BenchError):
            etcd.read_summary(bad)


def test_members_of_etcd_know_each_other() -> None:
    words = etcd.arguments_of(1, (1, 2, 3), (4, 5, 6))
    assert words[words.index("--initial-cluster") + 1] == (
        "n0=http://127.0.0.1:4,n1=http://127.0.0.1:5,n2=http://127.0.0.1:6"
    )
    assert words[words.index("--listen-peer-urls") + 1] == "http://127.0.0.1:5"


def test_postgresql_forces_to_disk_everywhere() -> None:
    lines = postgres.configuration(5432, Path("/somewhere")).splitlines()
    assert {"fsync = on", "synchronous_commit = on", "port = 5432"} <= set(lines)


def test_a_module_is_asked_for_by_the_path_that_it_declares() -> None:
    modules = {"host/new": ("v1.2.3", "h1:x"), "host/other": ("v2.0.0", "h1:y")}
    assert module_file(modules, {"host/new": "host/old"}).splitlines()[2:] == [
        "require host/old v1.2.3",
        "replace host/old => host/new v1.2.3",
        "require host/other v2.0.0",
    ]


def test_a_crew_leaves_nothing_behind() -> None:
    def interrupted() -> tuple[Path, int]:
        with crew() as people:
            found = people.folder, people.start("sleeper", [sys.executable, "-c", "import signal; signal.pause()"])
            (people.folder / "file").write_text("x")
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                return found

    folder, pid = interrupted()
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()
