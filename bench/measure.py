"""Timing: medians of repeated runs, percentiles, and what the machine was busy with meanwhile."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
LEAST_S: Final = 0.05
"""A timed stretch is at least this long, so that the clock's grain does not matter."""


class BenchError(Exception):
    """A measurement that cannot stand: something was not committed, did not answer, or timed out."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeated runs of one figure."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """The spread of at least one value."""
        if not values:
            raise BenchError("no run gave a value")
        return cls(statistics.median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie, by nearest rank; ``share`` in 0 … 1."""
    ordered = sorted(values)
    if not ordered:
        raise BenchError("no values")
    return ordered[min(len(ordered) - 1, max(0, int(share * len(ordered) + 0.5) - 1))]


def timed(work: Callable[[int], object], count: int) -> float:
    """Seconds that ``work(count)`` takes."""
    began = time.perf_counter()
    work(count)
    return time.perf_counter() - began


def per_second(work: Callable[[int], object], *, seconds: float, runs: int) -> Spread:
    """How often a second ``work(count)`` does its thing ``count`` times: ``runs`` runs of about ``seconds`` in all."""
    count = 1
    while (took := timed(work, count)) < LEAST_S and count < 1 << 24:
        count *= max(2, min(32, int(LEAST_S / max(took, 1e-6))))
    each = max(1, int(count * max(seconds / runs, LEAST_S) / took))
    return Spread.of([each / timed(work, each) for _ in range(runs)])


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, its threads included; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mib(pid: int, field: str = "VmHWM") -> float:
    """A process's memory in MiB: ``VmHWM`` the most it ever held, ``VmRSS`` what it holds."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def disk_bytes(folder: Path) -> int:
    """Bytes of all files under a folder; what vanishes meanwhile does not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                total += path.stat().st_size
        except OSError:
            continue
    return total


def _busy_ticks() -> int:
    fields = Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft, steal = (int(one) for one in fields[:8])
    return user + nice + system + irq + soft + steal


@dataclass(slots=True)
class Neighbours:
    """How much CPU others took while we measured: figures taken beside a busy neighbour are labelled so."""

    busy: int
    began: float
    own: float

    @classmethod
    def watch(cls) -> Self:
        """Begin to watch."""
        return cls(_busy_ticks(), time.monotonic(), sum(os.times()[:4]))

    def cores(self, own_s: float) -> float:
        """Cores that were busy with what is not ours since :meth:`watch`; ``own_s``: CPU seconds of our live children
        (this process and its ended children are known).
        """
        wall = max(time.monotonic() - self.began, 1e-3)
        busy = (_busy_ticks() - self.busy) / TICKS_PER_S
        return max(0.0, (busy - own_s - (sum(os.times()[:4]) - self.own)) / wall)
