"""``python -m bench.tables PATH.json…``: figures of ``--json`` files as Markdown tables, for README.md. Of two files,
the first is what was before, the second what is now, and how they compare stands beside.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .figures import FIGURES, shown

LISTS: Final = ("growth", "growth_batched", "validators")
NESTED: Final = frozenset({*LISTS, "growth_disk", "profile", "peers"})


def find(document: dict[str, Any], key: str) -> Any:
    """The value under a dotted key; None where it was not measured."""
    value: Any = document
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def compared(before: Any, after: Any) -> str:
    """``×1.8`` where both are numbers and the first is not zero."""
    if not isinstance(before, int | float) or not isinstance(after, int | float) or not before:
        return ""
    return f"×{after / before:,.3g}"


def figures_table(documents: Sequence[dict[str, Any]]) -> list[str]:
    """One row a figure, one column a file."""
    heads = [f"{one['meta']['date'][:16]} · {one['meta']['commit'][:8]}" for one in documents]
    pair = len(documents) == 2
    if pair:
        heads = [f"before: {heads[0]}", f"after: {heads[1]}", "after ÷ before"]
    lines = ["| figure | " + " | ".join(heads) + " | unit |", "|---" * (len(heads) + 2) + "|"]
    for key, (unit, _) in FIGURES.items():
        values = [find(one, key) for one in documents]
        if key in NESTED or all(value is None for value in values):
            continue
        cells = ["–" if value is None else shown(value) for value in values]
        if pair:
            cells.append(compared(*values))
        lines.append(f"| `{key}` | " + " | ".join(cells) + f" | {unit} |")
    return lines


def list_table(document: dict[str, Any], key: str) -> list[str]:
    """One row a point of a list, such as ``growth``."""
    points = document.get(key) or []
    if not points:
        return []
    names = list(points[0])
    rows = ["| " + " | ".join(f"{point[name]:,}" for name in names) + " |" for point in points]
    return [f"`{key}`", "", "| " + " | ".join(names) + " |", "|---" * len(names) + "|", *rows]


def disk_table(document: dict[str, Any]) -> list[str]:
    """One row a kind of chain: bytes a record by what they are for."""
    kinds = document.get("growth_disk") or {}
    if not kinds:
        return []
    names = list(next(iter(kinds.values())))
    rows = [f"| {kind} | " + " | ".join(f"{parts[name]:,}" for name in names) + " |" for kind, parts in kinds.items()]
    head = "| bytes a record | " + " | ".join(names) + " |"
    return ["`growth_disk`", "", head, "|---" * (len(names) + 1) + "|", *rows]


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
        tables = [*(list_table(document, key) for key in LISTS), disk_table(document), profile_table(document)]
        for lines in (one for one in tables if one):
            print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
