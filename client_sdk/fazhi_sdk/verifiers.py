"""Processes of their own that work for an audit: ``python -m fazhi_sdk.audit_checks``, fed through pipes.

Plain processes rather than :mod:`multiprocessing`: that would import the caller's main module again in each of them,
which a script that calls the auditor at its top level does not survive.
"""

from __future__ import annotations

import queue
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Final, cast

from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import InvariantBroken

from .audit_checks import Found, read_frame, write_frame

END_S: Final = 5.0


class Helpers:
    """Processes that do jobs; each job is handed to one that is idle, so that one process does them in order."""

    def __init__(self, processes: int) -> None:
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="fazhi-audit")
        self._open: list[Future[Found | None]] = []
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._all = [
            subprocess.Popen(
                [sys.executable, "-m", "fazhi_sdk.audit_checks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(processes)
        ]
        for process in self._all:
            self._idle.put(process)

    @property
    def waiting(self) -> int:
        """Jobs that are not answered yet."""
        self._open = [answer for answer in self._open if not answer.done()]
        return len(self._open)

    def submit(self, job: bytes) -> Future[Found | None]:
        """Do this job in some process. Where a process ends meanwhile the future raises ``InvariantBroken``."""
        answer = self._threads.submit(self._carry_out, job)
        self._open.append(answer)
        return answer

    def _carry_out(self, job: bytes) -> Found | None:
        process = self._idle.get()
        try:
            if process.stdin is None or process.stdout is None:
                raise InvariantBroken("a process without pipes")
            write_frame(process.stdin, job)
            answer = read_frame(process.stdout)
        except OSError as error:
            raise InvariantBroken(f"a process of the audit ended: {error}") from error
        finally:
            self._idle.put(process)
        if answer is None:
            raise InvariantBroken("a process of the audit ended")
        return cast("Found | None", decode(answer))

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
