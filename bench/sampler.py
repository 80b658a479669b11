"""A node under a sampler: ``python -m bench.sampler SAMPLES run --home …``; nothing of it is in the product.

Two hundred to a thousand times a second of CPU a signal asks where the main thread is. A sample's weight is the CPU
time that the main thread has used since the last one, so that weights add up to its CPU time and waiting weighs
nothing. Other threads are read from the kernel: their CPU, by name. SIGUSR1 starts over, SIGUSR2 writes what there is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from .measure import TICKS_PER_S

INTERVAL_S: Final = 0.002
DEPTH: Final = 40
"""Frames kept of each stack, innermost first."""

Place = tuple[str, str]
"""Module and qualified name of a function."""


class Sampler:
    """Counts where the main thread's CPU time goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stacks: Counter[tuple[CodeType, ...]] = Counter()
        self._modules: dict[CodeType, str] = {}
        self._last = time.thread_time_ns()
        self._threads: dict[str, float] = {}
        self._samples = 0

    def install(self) -> None:
        """Begin to sample; must be called on the main thread."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.signal(signal.SIGUSR1, self._restart)
        signal.signal(signal.SIGUSR2, self._write)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        now = time.thread_time_ns()
        weight, self._last = now - self._last, now
        self._samples += 1
        stack: list[CodeType] = []
        while frame is not None and len(stack) < DEPTH:
            code = frame.f_code
            if code not in self._modules:
                self._modules[code] = frame.f_globals.get("__name__", "?")
            stack.append(code)
            frame = frame.f_back
        self._stacks[tuple(stack)] += weight

    def _restart(self, *_: Any) -> None:
        self._stacks.clear()
        self._samples = 0
        self._last = time.thread_time_ns()
        self._threads = thread_cpu_s()

    def _write(self, *_: Any) -> None:
        spent = {name: value - self._threads.get(name, 0.0) for name, value in thread_cpu_s().items()}
        taken = dict(self._stacks)  # samples go on while this is written
        stacks = [
            [weight / 1e9, [[self._modules[code], code.co_qualname] for code in stack]]
            for stack, weight in taken.items()
        ]
        data = json.dumps({"samples": self._samples, "threads": spent, "stacks": stacks})
        scratch = self._path.with_suffix(".part")
        scratch.write_text(data, "ascii")
        scratch.replace(self._path)


def thread_cpu_s() -> dict[str, float]:
    """CPU seconds of this process by kind of thread: ``main``, ``verify``, ``python`` (other threads of Python),
    ``native`` (gRPC's and LevelDB's).
    """
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: dict[str, float] = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            fields = (task / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        number = int(task.name)
        kind = "main" if number == os.getpid() else "native"
        if number in names and kind != "main":
            kind = "verify" if names[number].startswith("verify") else "python"
        found[kind] = found.get(kind, 0.0) + (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return found


def main() -> int:
    """Run the node's command under the sampler."""
    from fazhi_node.main import main as node

    Sampler(Path(sys.argv[1])).install()
    return node(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
