"""``python -m bench.tables PATH.json…``: figures of ``--json`` files as Markdown tables, for README.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .figures import FIGURES, shown

NESTED: Final = frozenset({"growth", "growth_batched", "growth_disk", "profile", "peers", "validators"})


def find(document: dict[str, Any], key: str) -> Any:
    """The value under a dotted key; None where it was not measured."""
    value: Any = document
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def figures_table(documents: Sequence[dict[str, Any]]) -> list[str]:
    """One row a figure, one column a file."""
    heads = [f"{one['meta']['date'][:16]} · {one['meta']['commit'][:8]}" for one in documents]
    lines = ["| figure | " + " | ".join(heads) + " | unit |", "|---" * (len(heads) + 2) + "|"]
    for key, (unit, _) in FIGURES.items():
        values = [find(one, key) for one in documents]
        if key in NESTED or all(value is None for value in values):
            continue
        cells = ["–" if value is None else shown(value) for value in values]
        lines.append(f"| `{key}` | " + " | ".join(cells) + f" | {unit} |")
    return lines


def growth_table(document: dict[str, Any]) -> list[str]:
    """One row a size."""
    points = document.get("growth") or []
    if not points:
        return []
    names = list(points[0])
    rows = ["| " + " | ".join(f"{point[name]:,}" for name in names) + " |" for point in points]
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|", *rows]


def profile_table(document: dict[str, Any]) -> list[str]:
    """One row a stage, one column a load."""
    profile = document.get("profile") or {}
    stages = {stage for load in profile.values() for stage in load["us_by_stage"]}
    if not stages:
        return []

    def cost(load: str, stage: str) -> float:
        return float(profile[load]["us_by_stage"].get(stage, 0.0))

    first = next(iter(profile))
    ordered = sorted(stages, key=lambda stage: (-cost(first, stage), stage))
    lines = ["| stage (µs of CPU) | " + " | ".join(profile) + " |", "|---" * (len(profile) + 1) + "|"]
    lines += [f"| {stage} | " + " | ".join(f"{cost(load, stage):.1f}" for load in profile) + " |" for stage in ordered]
    totals = [sum(cost(load, stage) for stage in stages) for load in profile]
    return [*lines, "| **in all** | " + " | ".join(f"**{total:.1f}**" for total in totals) + " |"]


def main() -> None:
    """Print the tables of the files named."""
    documents = [json.loads(Path(path).read_text("utf-8")) for path in sys.argv[1:]]
    print("\n".join(figures_table(documents)))
    for document in documents:
        for lines in (growth_table(document), profile_table(document)):
            if lines:
                print()
                print("\n".join(lines))


if __name__ == "__main__":
    main()
