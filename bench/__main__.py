"""``python -m bench [--quick] [--json PATH] [--only NAME…]``: see README.md beside this file."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fazhi_ledger.errors import FazhiError

from .figures import Report
from .measure import BenchError
from .settings import FULL, QUICK, Settings

NAMES: Final = (
    "ceilings", "start", "seal", "single", "audit", "latency", "sdk", "offline", "catchup", "batched", "growth",
    "profile", "validators", "delays",
)  # fmt: skip
FAULTS: Final = (BenchError, FazhiError, OSError, subprocess.SubprocessError, ValueError)
"""What breaks off one measurement and not the run: also a process that ends without having said its figures."""
FULL_ONLY: Final = frozenset({"validators", "delays"})
"""Not in a quick run, unless asked for by name."""
ON_A_NETWORK: Final = frozenset({"single", "audit", "latency", "sdk", "offline", "catchup", "batched"})
ROOT: Final = Path(__file__).resolve().parent.parent


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Measure fazhi beside the machine's ceilings.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: under three minutes")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there; - for stdout")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=" ".join(NAMES))
    parser.add_argument("--growth-to", type=int, metavar="RECORDS", help="how far chains grow (full: 1000000)")
    return parser.parse_args(arguments)


def meta(quick: bool) -> dict[str, Any]:
    """When, what and on what was measured."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, cwd=ROOT, timeout=20, check=False)
        return done.stdout.decode().strip()

    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        "quick": quick,
        "cores": os.cpu_count(),
        "processor": processor,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


class Bench:
    """One run."""

    def __init__(self, settings: Settings, names: Sequence[str]) -> None:
        self.settings = settings
        self.report = Report(meta(settings.quick))
        self.names = [name for name in NAMES if name in names]

    def run(self) -> None:
        """Measure everything asked for; what fails is reported and does not stop the rest."""
        apart = {
            "ceilings": self._ceilings,
            "start": self._start,
            "seal": self._seal,
            "growth": self._growth,
            "profile": self._profile,
            "validators": self._validators,
            "delays": self._delays,
        }
        for name in ("ceilings", "start", "seal"):
            if name in self.names:
                self._step(name, apart[name])
        if ON_A_NETWORK & set(self.names):
            self._step("network", self._on_a_network)
        for name in ("growth", "profile", "validators", "delays"):
            if name in self.names:
                self._step(name, apart[name])
        self.report.meta["load_after"] = round(os.getloadavg()[0], 2)

    def _step(self, name: str, action: Callable[[], None]) -> None:
        print(f"{name} …", file=sys.stderr, flush=True)
        known = set(self.report.values)
        began = time.monotonic()
        try:
            action()
        except FAULTS as error:
            self.report.failures[name] = f"{type(error).__name__}: {error}"[:500]
            print(f"  {name}: {error}", file=sys.stderr)
        if name == "network":
            return
        for key in self.report.values:
            if key not in known and not isinstance(self.report.values[key], dict | list):
                print(self.report.line(key), flush=True)
        print(f"  ({name}: {time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)

    def _ceilings(self) -> None:
        from .ceilings import measure_ceilings

        measure_ceilings(self.report, self.settings.quick)

    def _start(self) -> None:
        from .offline import measure_start

        measure_start(self.report, self.settings)

    def _seal(self) -> None:
        from .offline import measure_seal

        with tempfile.TemporaryDirectory(prefix="fazhi-bench-") as folder:
            measure_seal(self.report, self.settings, Path(folder))

    def _growth(self) -> None:
        from .growth import measure_growth

        measure_growth(self.report, self.settings)
        for key in ("growth", "growth_batched"):
            for point in self.report.values[key]:
                print(f"  {key} " + "  ".join(f"{name} {value:,}" for name, value in point.items()))
        for kind, parts in self.report.values["growth_disk"].items():
            print(f"  disk {kind}, B a record: " + "  ".join(f"{name} {value:,}" for name, value in parts.items()))

    def _profile(self) -> None:
        from .profiling import lines, measure_profile

        measure_profile(self.report, self.settings)
        print("\n".join(lines(self.report.values["profile"])))

    def _validators(self) -> None:
        from .validators import measure_validators

        measure_validators(self.report, self.settings)
        for point in self.report.values["validators"]:
            print("  validators " + "  ".join(f"{name} {value:,}" for name, value in point.items()))

    def _delays(self) -> None:
        from .delays import measure_delays

        with tempfile.TemporaryDirectory(prefix="fazhi-bench-") as folder:
            measure_delays(self.report, self.settings, Path(folder))

    def _on_a_network(self) -> None:
        from . import chain_checks, latency, offline, sdk, throughput
        from .cluster import network

        report, settings = self.report, self.settings
        with ExitStack() as stack:
            began = time.monotonic()
            net = stack.enter_context(network())
            report.put("start.network_s", time.monotonic() - began)
            report.put("memory_mib.node_idle", max(net.memory_mib()))
            work = net.workload(f"bench-{time.time_ns()}")
            receipt = net.folder / latency.RECEIPT
            steps: dict[str, Callable[[], None]] = {
                "single": lambda: throughput.measure_single(report, settings, net, work),
                "audit": lambda: chain_checks.measure_audit(report, settings, net, work),
                "latency": lambda: latency.measure_latency(report, settings, net, work),
                "sdk": lambda: sdk.measure_sdk(report, settings, net),
                "offline": lambda: offline.measure_receipt(report, settings, receipt, net.genesis_hash),
                "catchup": lambda: chain_checks.measure_catchup(report, settings, net, work),
                "batched": lambda: throughput.measure_batched(report, settings, net, work),
            }
            for name, action in steps.items():
                if name not in self.names:
                    continue
                if name == "offline" and not receipt.exists():
                    latency.make_receipt(net, work)
                self._step(name, action)
                highest = max([report.get("memory_mib.node_max") or 0.0, *net.memory_mib()])
                report.put("memory_mib.node_max", highest)
            if "start" in self.names:
                self._step("node start", lambda: chain_checks.measure_node_start(report, settings, net))
        for key in ("start.network_s", "memory_mib.node_idle", "memory_mib.node_max"):
            if key in report.values:
                print(report.line(key))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where everything asked for was measured."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the nodes are taken down then, too
    names = options.only or [name for name in NAMES if not (options.quick and name in FULL_ONLY)]
    settings = QUICK if options.quick else FULL
    if options.growth_to:
        settings = replace(settings, growth_records=options.growth_to, growth_batched_records=options.growth_to)
    bench = Bench(settings, names)
    began = time.monotonic()
    try:
        bench.run()
    finally:  # an interrupted run keeps what it has measured
        bench.report.meta["seconds"] = round(time.monotonic() - began)
        text = bench.report.json()
        if options.json is not None and str(options.json) != "-":
            options.json.write_text(text, "utf-8")
        elif options.json is not None:
            print(text, end="")
    for name, reason in bench.report.skipped.items():
        print(f"{name}: not measured: {reason}", file=sys.stderr)
    print(f"{bench.report.meta['seconds']} s; load {bench.report.meta['load_before']}", file=sys.stderr)
    return 1 if bench.report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
