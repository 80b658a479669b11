"""Verifying many signatures in processes of their own: ``python -m fazhi_sdk.verifiers``, fed through pipes.

Plain processes rather than :mod:`multiprocessing`: that would import the caller's main module again in each of them,
which a script that calls the auditor at its top level does not survive.

A job is four bytes of length and the canonical ``[suite, [[public key, message, signature]…]]``; its answer is the
length and ``[position, reason]`` of the first signature that does not verify, or nil.
"""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import FazhiError, InvariantBroken
from fazhi_ledger.shape import as_bytes, as_int, as_text, as_tuple
from fazhi_ledger.suites import suite_named

Check = tuple[bytes, bytes, bytes]
"""Public key, message, signature."""
Bad = tuple[int, str] | None
"""Position and reason of the first signature that does not verify."""

END_S: Final = 5.0


def verify_all(suite_name: str, checks: Sequence[Check]) -> Bad:
    """Position and reason of the first signature that does not verify."""
    suite = suite_named(suite_name)
    for position, (key, message, signature) in enumerate(checks):
        try:
            suite.verify(key, message, signature)
        except FazhiError as error:
            return position, error.code
    return None


class VerifierPool:
    """Processes that verify; each job is handed to one that is idle."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="fazhi-verify")
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._all = [
            subprocess.Popen(
                [sys.executable, "-m", "fazhi_sdk.verifiers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(processes)
        ]
        for process in self._all:
            self._idle.put(process)

    def submit(self, suite_name: str, checks: Sequence[Check]) -> Future[Bad]:
        """Verify these in some process."""
        return self._threads.submit(self._carry_out, suite_name, checks)

    def _carry_out(self, suite_name: str, checks: Sequence[Check]) -> Bad:
        process = self._idle.get()
        try:
            if process.stdin is None or process.stdout is None:
                raise InvariantBroken("a verifier without pipes")
            _write(process.stdin, (suite_name, tuple(checks)))
            answer = _read(process.stdout)
        except OSError as error:
            raise InvariantBroken(f"a verifier process ended: {error}") from error
        finally:
            self._idle.put(process)
        if answer is None:
            raise InvariantBroken("a verifier process ended")
        (found,) = as_tuple(answer, "answer", length=1)
        if found is None:
            return None
        position, reason = as_tuple(found, "answer", length=2)
        return as_int(position, "position"), as_text(reason, "reason")

    def close(self) -> None:
        """End the processes; jobs that wait are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._all:
            process.kill()
        for process in self._all:
            process.wait(END_S)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        return  # what was left to write has no reader any more


def _write(stream: IO[bytes], value: Value) -> None:
    data = pack(value)
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def _read(stream: IO[bytes]) -> Value:
    length = int.from_bytes(stream.read(4), "big")
    return decode(stream.read(length)) if length else None


def main() -> None:
    """Verify jobs from standard input until it ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (job := _read(source)) is not None:
        suite_name, checks = as_tuple(job, "job", length=2)
        given: list[Check] = []
        for check in as_tuple(checks, "checks"):
            key, message, signature = as_tuple(check, "check", length=3)
            given.append((as_bytes(key, "key"), as_bytes(message, "message"), as_bytes(signature, "signature")))
        _write(sink, (verify_all(as_text(suite_name, "suite"), given),))


if __name__ == "__main__":
    main()
