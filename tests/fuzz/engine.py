"""Runs one target for a while, in a process of its own with bounds on memory and time.

With atheris (Linux on x86-64; ``requirements-fuzz.lock``) libFuzzer chooses by coverage what to go on from, and our
mutations are its mutator. Without it the same mutations start from the samples: number ``n`` of a run follows from
seed, target and n alone.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any, Final

from .mutate import mutated
from .ran import Ran
from .target import Check, Target, Violation

CPU_SECONDS: Final = 5
"""Processor time for one input, a megabyte at most: beyond it the process is ended and the input is a hang."""
GROWTH_BYTES: Final = 256 << 20
"""How far the process may grow, over all inputs, while they are read (to make an input may take more)."""
ADDRESS_ROOM: Final = 1 << 30
"""Further address space: what asks for more at once gets ``MemoryError`` and shows as a crash."""
TOLD_S: Final = 0.5
CRASHED: Final = 77
EXECUTIONS_A_LOOK: Final = 64


def rss_bytes() -> int:
    """Largest size that the process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Meter:
    """Executes inputs and measures them."""

    def __init__(self, target: Target, engine: str, told: Path) -> None:
        self.check = Check(target)
        self.ran = Ran(target.name, engine)
        self._told = told
        self._next_told = 0.0
        for sample in target.samples:
            self.check(sample)
        if self.check.accepted != len(target.samples) and target.refuses:
            raise Violation(f"{target.name}: a sample is refused")
        self.check.accepted = 0
        self._grown = 0

    def __call__(self, data: bytes) -> None:
        """Execute one input; what violates is told and raised."""
        started, size = time.thread_time(), rss_bytes()
        try:
            self.check(data)
            self._grown += rss_bytes() - size
            if self._grown > GROWTH_BYTES:
                raise Violation(f"the process has grown by {self._grown >> 20} MB")
        except BaseException as error:
            self.ran.violation = "".join(traceback.format_exception(error))[-3000:]
            self.ran.found = data.hex()
            self.tell()
            raise
        spent = (time.thread_time() - started) * 1000
        self.ran.runs += 1
        if spent > self.ran.slowest_ms:
            self.ran.slowest_ms, self.ran.slowest_bytes = spent, len(data)
        if self.ran.runs % EXECUTIONS_A_LOOK == 0 and time.monotonic() > self._next_told:
            self.tell()
            self._next_told = time.monotonic() + TOLD_S

    def tell(self) -> None:
        """Write down how far it is, from time to time: libFuzzer ends the process without a word to us."""
        self.ran.accepted = self.check.accepted
        self.ran.peak_mb = round(rss_bytes() / 2**20, 1)
        self._told.write_text(json.dumps(asdict(self.ran)))


def run_target(
    target: Target,
    *,
    seed: int,
    folder: Path,
    seconds: float = 0,
    runs: int = 0,
    coverage: bool = False,
    cpu_seconds: float = CPU_SECONDS,
) -> Ran:
    """Run a target in a child, for ``seconds`` or for a number of runs; ``cpu_seconds`` bounds a single input."""
    folder.mkdir(parents=True, exist_ok=True)
    told, number = folder / "told.json", folder / "number"
    told.write_text(json.dumps(asdict(Ran(target.name, "atheris" if coverage else "own"))))
    number.write_bytes(bytes(8))
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = CRASHED
        try:
            _bound()
            log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if coverage:
                _with_atheris(Meter(target, "atheris", told), seed, seconds, runs, folder)
            else:
                _alone(Meter(target, "own", told), seed, seconds, runs, folder, cpu_seconds)
            status = 0
        except BaseException:  # noqa: BLE001 - told to the parent, which is another process
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    ran = Ran(**json.loads(told.read_text()))
    return _judged(ran, os.waitstatus_to_exitcode(status), target, seed, folder)


def _judged(ran: Ran, code: int, target: Target, seed: int, folder: Path) -> Ran:
    """The end of the child, as the run's violation where there is one."""
    last = int.from_bytes((folder / "number").read_bytes(), "little")
    if ran.engine == "atheris":
        ran.corpus = len(list((folder / "corpus").glob("*")))
        kept = [path for kind in ("crash", "timeout", "oom") for path in folder.glob(f"{kind}-*")]
        if kept and not ran.found:
            ran.found = kept[0].read_bytes().hex()
            ran.violation = f"libFuzzer: {kept[0].name}"
    else:
        ran.corpus = len(target.samples)
        if code and not ran.violation:
            ran.violation = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            ran.found = input_number(target, seed, last).hex()
    if code and not ran.violation:
        tail = (folder / "log").read_text(errors="replace")[-2000:] if (folder / "log").exists() else ""
        ran.violation = f"exit code {code}: {tail}"
    return ran


def _bound() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_ROOM, used + ADDRESS_ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def input_number(target: Target, seed: int, number: int) -> bytes:
    """Input ``number`` of a run without coverage."""
    return mutated(Random(f"{seed}/{target.name}/{number}"), target)


def _alone(meter: Meter, seed: int, seconds: float, runs: int, folder: Path, cpu_seconds: float) -> None:
    """Inputs from the samples; a signal ends the process where one takes too long, wherever it hangs."""
    ended = time.monotonic() + seconds
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with (folder / "number").open("r+b") as file, mmap.mmap(file.fileno(), 8) as counter:
        number = 0
        while (runs and number < runs) or (not runs and time.monotonic() < ended):
            counter[:8] = number.to_bytes(8, "little")
            data = input_number(meter.check.target, seed, number)
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            meter(data)
            number += 1
        signal.setitimer(signal.ITIMER_PROF, 0)
    meter.tell()


def _with_atheris(meter: Meter, seed: int, seconds: float, runs: int, folder: Path) -> None:
    import atheris

    target = meter.check.target
    corpus, samples = folder / "corpus", folder / "samples"
    for place in (corpus, samples):
        place.mkdir(exist_ok=True)
    for number, sample in enumerate(target.samples):
        (samples / str(number)).write_bytes(sample)

    def mutate(data: bytes, max_size: int, chosen: int) -> bytes:
        random = Random(chosen)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, max_size))
        return _from(random, target, data)[:max_size]

    options = [
        sys.argv[0], str(corpus), str(samples), f"-seed={seed & 0x7FFFFFFF or 1}", f"-max_len={1 << 20}",
        f"-timeout={2 * CPU_SECONDS}", "-rss_limit_mb=1024", f"-artifact_prefix={folder}/", "-verbosity=0",
        "-len_control=0",
        *([f"-runs={runs}"] if runs else [f"-max_total_time={max(1, round(seconds))}"]),
    ]  # fmt: skip
    atheris.Setup(options, meter, custom_mutator=mutate, internal_libfuzzer=True)
    atheris.Fuzz()
    meter.tell()


def _from(random: Random, target: Target, data: bytes) -> bytes:
    """A mutation of whatever the corpus gave."""
    import dataclasses

    given: Any = dataclasses.replace(target, samples=[data, *target.samples[:4]] if random.random() < 0.3 else [data])
    return mutated(random, given)
