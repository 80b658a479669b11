"""The tables of README.md: one file, and two beside one another."""

from __future__ import annotations

from typing import Any

from bench.tables import compared, disk_table, figures_table, list_table


def document(rate: float, **more: Any) -> dict[str, Any]:
    meta = {"date": "2026-11-21T22:32:00Z", "commit": "6dc6a3ae"}
    return {"meta": meta, "single": {"submissions_per_s": rate}, **more}


def test_one_file_makes_one_column() -> None:
    lines = figures_table([document(862.0)])
    assert lines[0] == "| figure | 2026-11-21T22:32 · 6dc6a3ae | unit |"
    assert lines[2:] == ["| `single.submissions_per_s` | 862 | 1/s |"]


def test_two_files_are_before_and_after() -> None:
    lines = figures_table([document(800.0), document(2000.0, seal={"file_mb": 4295.0})])
    assert "before: " in lines[0]
    assert "after: " in lines[0]
    assert lines[2:] == [
        "| `single.submissions_per_s` | 800 | 2,000 | ×2.5 | 1/s |",
        "| `seal.file_mb` | – | 4,295 |  | MB |",
    ]
    assert len({line.count("|") for line in lines}) == 1


def test_nothing_is_compared_with_nothing() -> None:
    assert compared(None, 1.0) == compared(0, 1.0) == compared(1.0, None) == ""


def test_lists_and_disks_are_tables_of_their_own() -> None:
    grown = document(1.0, growth=[{"records": 10_000, "cases": 7}], growth_disk={"single": {"all": 832.5}})
    assert list_table(grown, "growth")[2:] == ["| records | cases |", "|---|---|", "| 10,000 | 7 |"]
    assert disk_table(grown)[2:] == ["| bytes a record | all |", "|---|---|", "| single | 832.5 |"]
    assert list_table(grown, "validators") == disk_table(document(1.0)) == []
