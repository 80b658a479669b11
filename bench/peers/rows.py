"""One row of the comparison, and the rows as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.measure import Spread

BEGIN: Final = "<!-- peers: written by `make bench-peers ARGS=--readme` -->"
END: Final = "<!-- end of peers -->"


@dataclass(frozen=True, slots=True)
class Guarantees:
    """What a system does for a write before it answers, in words for the table."""

    signatures: str
    """Who checks a signature of the client's."""
    tolerates: str
    """Which faults, and how many of its nodes."""
    forced: str
    """What is forced to disk before the answer."""
    links: str
    """Encryption between the processes."""
    omits: str
    """What it does not verify or prove."""


@dataclass(frozen=True, slots=True)
class Row:
    """Committed writes a second of one system under one load."""

    system: str
    load: str
    bytes_each: int
    writes_per_s: float
    low: float
    high: float
    p50_ms: float
    """Of one request, transaction or call, from sending to committed."""
    runs: int
    guarantees: Guarantees

    @classmethod
    def of(cls, system: str, load: str, bytes_each: int, rates: Spread, p50_ms: float, guarantees: Guarantees) -> Row:
        """A row of several runs."""
        return cls(
            system, load, bytes_each, round(rates.median, 1), round(rates.low, 1), round(rates.high, 1),
            round(p50_ms, 2), rates.runs, guarantees,
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        """For the JSON."""
        return asdict(self)


def table(rows: Sequence[Mapping[str, Any]], skipped: Mapping[str, str]) -> list[str]:
    """The rows, as :meth:`Row.document` gives them, and why others are missing."""
    heads = (
        "system", "load", "bytes a write", "writes/s (low – high)", "p50 ms", "client signatures", "tolerates",
        "on disk before the answer", "links", "does not verify",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        does = row["guarantees"]
        rate = f"**{row['writes_per_s']:,.0f}** ({row['low']:,.0f} – {row['high']:,.0f})"
        cells = [row["system"], row["load"], f"{row['bytes_each']:,}", rate, f"{row['p50_ms']:,.1f}"]
        cells += [does[name] for name in ("signatures", "tolerates", "forced", "links", "omits")]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"- Not measured: {name}: {reason}" for name, reason in skipped.items()]
    return lines


def replace_between(text: str, lines: Sequence[str]) -> str:
    """The text with these lines between :data:`BEGIN` and :data:`END`.

    Raises:
        ValueError: the marks are not there.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("no marks")
    return "\n".join([head + begin, *lines, end + tail])
