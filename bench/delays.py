"""What slow disks and slow links cost: the single submissions once more, with delays put in from outside the nodes.

Each delay is measured on a network of its own, beside one without. More submissions are under way than in ``single``,
the same number in all variants, so that the closed loop's own limit (writes under way ÷ latency) is not what is seen.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from .cluster import ROOT, BenchNet, load, network, single_plan
from .figures import Report
from .measure import BenchError, Spread
from .settings import Settings

SYNC_MS: Final = 5
LINK_MS: Final = 20
JITTER_MS: Final = 5
WORKERS: Final = 32
RUNS: Final = 3
"""At most; each is of four networks."""
SOURCE: Final = Path(__file__).resolve().parent / "slow_sync.c"
_PROBE: Final = """
import os, plyvel, sys, time
began = time.monotonic()
descriptor = os.open(sys.argv[1] + "/file", os.O_CREAT | os.O_WRONLY)
os.fdatasync(descriptor)
middle = time.monotonic()
database = plyvel.DB(sys.argv[1] + "/db", create_if_missing=True)
started = time.monotonic()
database.put(b"k", b"v", sync=True)
print(min(middle - began, time.monotonic() - started) * 1000)
"""

Around = Callable[[BenchNet], AbstractContextManager[None]]


def compile_slow_sync(folder: Path) -> tuple[dict[str, str], str]:
    """The environment under which a program's fsync takes longer; or none, and why."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        return {}, "no C compiler"
    library = folder / "slow_sync.so"
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE], capture_output=True, timeout=60, check=False
    )
    if done.returncode != 0:
        return {}, f"slow_sync.c: {done.stderr.decode('utf-8', 'replace')[:200]}"
    slow = {"LD_PRELOAD": str(library), "FAZHI_BENCH_SYNC_US": str(SYNC_MS * 1000)}
    probe = folder / "probe"
    probe.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, probe], capture_output=True, timeout=60, check=False, env={**os.environ, **slow}
    )
    if done.returncode != 0 or float(done.stdout) < SYNC_MS:
        return {}, "preloading slow_sync.so does not slow down fsync here"
    return slow, ""


@contextmanager
def slow_links(net: BenchNet, delay_ms: int, jitter_ms: int) -> Iterator[None]:
    """Every node of the network reaches every other through a proxy that delays each direction."""
    pairs = [(a, b) for a in net.nodes for b in net.nodes if a != b]
    targets = [net.nodes[b].p2p for _, b in pairs]
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.slow_links", str(delay_ms), str(jitter_ms), *targets],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        ports = json.loads(child.stdout.readline() or b"[]") if child.stdout else []
        if len(ports) != len(pairs):
            raise BenchError("the slow links did not come up")
        for org in net.nodes:
            addresses = [f"{b}=127.0.0.1:{port}" for (a, b), port in zip(pairs, ports, strict=True) if a == org]
            net.environment[org] = {"FAZHI_NODE_PEER_ADDRESSES": ",".join(addresses)}
        yield
    finally:
        child.kill()
        child.communicate()


@contextmanager
def with_environment(net: BenchNet, more: dict[str, str]) -> Iterator[None]:
    """Every node runs with more in its environment."""
    net.environment.update({org: dict(more) for org in net.nodes})
    yield


def _rates(settings: Settings, around: Around | None) -> list[float]:
    """Committed submissions a second, once for each run."""
    with network(around=around) as net:
        work = net.workload(f"delays-{os.urandom(8).hex()}")
        lanes = work.new_lanes(WORKERS)
        step = WORKERS * settings.per_request
        warm = load(net, single_plan(net, lanes, work, step, settings.per_request)).outcome
        count = int(max(step, min(settings.single_items_max, warm.committed / warm.seconds * settings.single_seconds)))
        outcomes = [
            load(net, single_plan(net, lanes, work, count, settings.per_request)).outcome
            for _ in range(min(RUNS, settings.runs))
        ]
    return [one.committed / one.seconds for one in outcomes]


def ratios(report: Report, base: str, slow: str, of_base: Sequence[float], of_slow: Sequence[float]) -> None:
    """Keep the rates of a variant and what it is compared with, and their ratio."""
    first, second = Spread.of(of_base), Spread.of(of_slow)
    report.put(f"delays.{base}.submissions_per_s", first)
    report.put(f"delays.{slow}.submissions_per_s", second)
    report.put(f"delays.{slow}.ratio", second.median / first.median)


def measure_delays(report: Report, settings: Settings, folder: Path) -> None:
    """Slow fsync, then slow links, each beside the same without delay in the same minutes."""
    slow, why_not = compile_slow_sync(folder)
    if slow:
        plain = _rates(settings, None)
        ratios(report, "none", "fsync_5ms", plain, _rates(settings, lambda net: with_environment(net, slow)))
    else:
        report.skipped["delays.fsync_5ms"] = why_not
    through = _rates(settings, lambda net: slow_links(net, 0, 0))
    delayed = _rates(settings, lambda net: slow_links(net, LINK_MS, JITTER_MS))
    ratios(report, "links_0ms", "links_20ms", through, delayed)
