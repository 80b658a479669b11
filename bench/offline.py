"""What needs no network: checking a receipt, starting the command, sealing a file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fazhi_ledger.receipt_steps import check_receipt

from .figures import Report
from .measure import BenchError, Spread, per_second
from .settings import Settings

BIN: Final = Path(sys.executable).parent
SEAL_S: Final = 600
SEAL_RUNS: Final = 3
_SEAL: Final = """
import resource, sys, time
from fazhi_sdk.sealing import seal
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
seal(sys.argv[1], algorithms=sys.argv[2].split(","))
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def command_ms(arguments: Sequence[str | Path], runs: int) -> Spread:
    """Wall time of a whole process that must succeed."""
    times: list[float] = []
    for number in range(runs + 1):
        began = time.perf_counter()
        done = subprocess.run(arguments, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise BenchError(f"{arguments[0]} {arguments[1]}: {done.stderr.decode(errors='replace')[:300]}")
        if number:  # the first one reads the files from the disk
            times.append((time.perf_counter() - began) * 1000)
    return Spread.of(times)


def measure_start(report: Report, settings: Settings) -> None:
    """The command's start."""
    report.put("start.python_ms", command_ms([sys.executable, "-c", "pass"], settings.commands))
    report.put("start.help_ms", command_ms([BIN / "fazhi", "--help"], settings.commands))


def measure_receipt(report: Report, settings: Settings, receipt: Path, genesis_hash: str) -> None:
    """Verification of a receipt: the library's, and the command's as a whole."""
    data, trusted = receipt.read_bytes(), bytes.fromhex(genesis_hash)
    check_receipt(data, trusted).require_valid()

    def check(count: int) -> None:
        for _ in range(count):
            check_receipt(data, trusted)

    rate = per_second(check, seconds=0.5 if settings.quick else 3.0, runs=settings.runs + 1)
    report.put("offline.receipt_us", 1e6 / rate.median)
    report.put("offline.receipt_bytes", len(data))
    command: list[str | Path] = [BIN / "fazhi", "verify", receipt, "--genesis-hash", genesis_hash]
    report.put("offline.command_ms", command_ms(command, settings.commands))


def measure_seal(report: Report, settings: Settings, folder: Path) -> None:
    """Sealing beside ``sha256sum``, in turn, on a file that lies in memory after the first pass if it fits there."""
    path = folder / "evidence.bin"
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(settings.seal_mb):
            file.write(block)
        os.fsync(file.fileno())
    size_mb = settings.seal_mb * (1 << 20) / 1e6
    ours: list[float] = []
    both: list[float] = []
    theirs: list[float] = []
    memory: list[float] = []

    def sealed(algorithms: str) -> float:
        command: list[str | Path] = [sys.executable, "-c", _SEAL, path, algorithms]
        done = subprocess.run(command, capture_output=True, timeout=SEAL_S, check=True)
        seconds, kib = done.stdout.split()
        memory.append(int(kib) / 1024)
        return float(seconds)

    try:
        for number in range(min(SEAL_RUNS, settings.runs) + 1):
            began = time.perf_counter()
            subprocess.run(["sha256sum", path], capture_output=True, timeout=SEAL_S, check=True)
            taken = time.perf_counter() - began, sealed("sha256"), sealed("sha256,sm3")
            if number:  # the first one reads the file from the disk
                for times, seconds in zip((theirs, ours, both), taken, strict=True):
                    times.append(seconds)
    finally:
        path.unlink()
    report.put("seal.mb_per_s", size_mb / Spread.of(ours).median)
    report.put("seal.sha256sum_mb_per_s", size_mb / Spread.of(theirs).median)
    report.put("seal.ratio_to_sha256sum", Spread.of([t / o for t, o in zip(theirs, ours, strict=True)]))
    report.put("seal.with_sm3_mb_per_s", size_mb / Spread.of(both).median)
    report.put("seal.with_sm3_ratio_to_sha256sum", Spread.of([t / o for t, o in zip(theirs, both, strict=True)]))
    report.put("seal.memory_mib", max(memory))
    report.put("seal.file_mb", size_mb)
