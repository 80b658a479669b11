"""``python -m bench.peers [--quick] [--json PATH] [--only NAME…] [--readme]``: our figures beside theirs, one run."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from bench.__main__ import FAULTS, meta
from bench.cluster import ROOT
from bench.figures import Report
from bench.settings import FULL, QUICK

from . import comet, etcd, ours, postgres
from .crew import Absent
from .rows import Row, replace_between, table
from .sizes import Sizes, our_sizes

NAMES: Final = ("ours", "postgresql", "etcd", *(f"cometbft-{version}" for version in comet.VERSIONS))
README: Final = ROOT / "bench" / "README.md"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    single, batched = our_sizes()
    parser = argparse.ArgumentParser("python -m bench.peers", description="The same load against other systems.")
    parser.add_argument("--quick", action="store_true", help="one short run of each load")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=" ".join(NAMES))
    parser.add_argument("--readme", action="store_true", help="write the table into bench/README.md")
    parser.add_argument("--bytes", type=int, default=single, help=f"of a peer's write of its own (ours: {single})")
    parser.add_argument("--batched-bytes", type=int, default=batched, help=f"among many (ours: {batched})")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace, report: Report) -> None:
    """Measure all that was asked for; why others were left out goes into the report."""
    quick = bool(options.quick)
    sizes = Sizes(options.bytes, options.batched_bytes, 3 if quick else 10, 1 if quick else 3)
    settings = QUICK if quick else replace(FULL, runs=3)
    steps: dict[str, Callable[[], list[Row]]] = {
        "ours": lambda: ours.measure(sizes, report, settings),
        "postgresql": lambda: postgres.measure(sizes),
        "etcd": lambda: etcd.measure(sizes),
        **{f"cometbft-{version}": partial(comet.measure, sizes, version) for version in comet.VERSIONS},
    }
    rows: list[Row] = []
    for name in options.only or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            rows += steps[name]()
        except Absent as absent:
            report.skipped[name] = str(absent)
        except FAULTS as error:
            report.failures[name] = f"{type(error).__name__}: {error}"[:500]
            print(f"  {name}: {error}", file=sys.stderr)
        print(f"  ({name}: {time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    report.table("peers", [row.document() for row in rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where everything that can be measured here was."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything is taken down then, too
    report = Report(meta(bool(options.quick)))
    measure(options, report)
    lines = table(report.values["peers"], {**report.skipped, **report.failures})
    print("\n".join(lines))
    if options.json is not None:
        options.json.write_text(report.json(), "utf-8")
    if options.readme:
        said = report.meta
        head = f"{said['date'][:10]}, commit {said['commit']}, {said['cores']} cores ({said['processor']})."
        README.write_text(replace_between(README.read_text("utf-8"), ["", head, "", *lines, ""]), "utf-8")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
