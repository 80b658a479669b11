"""Processes of their own that work for an audit: ``python -m fazhi_sdk.audit_checks``, fed through pipes.

Plain processes rather than :mod:`multiprocessing`: that would import the caller's main module again in each of them,
which a script that calls the auditor at its top level does not survive.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Final, cast

from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import InvariantBroken

from .audit_checks import Found, read_frame, write_frame

END_S: Final = 5.0
PIPE_BYTES: Final = 1 << 20
"""Room for the jobs that wait, where the system allows it: while a process does one job the next is in its pipe."""


class Helper:
    """A process that does jobs, one after the other in the order in which they are given.

    One thread writes jobs and one reads answers: a process that had to wait between two jobs until this one's
    interpreter finds time for it would be idle meanwhile.
    """

    def __init__(self) -> None:
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="fazhi-audit-jobs")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="fazhi-audit-answers")
        self._open: list[Future[Found | None]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fazhi_sdk.audit_checks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # the system's bound, or the user's share of such room: slower, no more
                if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def waiting(self) -> int:
        """Jobs that are not done yet."""
        self._open = [answer for answer in self._open if not answer.done()]
        return len(self._open)

    def submit(self, job: bytes) -> Future[Found | None]:
        """Do this job. Where the process ends meanwhile the future raises ``InvariantBroken``."""
        self._writing.submit(self._write, job)
        answer = self._reading.submit(self._read)
        self._open.append(answer)
        return answer

    def _write(self, job: bytes) -> None:
        sink = self._process.stdin
        if sink is not None:
            write_frame(sink, job)  # where it fails the process has ended, and no answer comes

    def _read(self) -> Found | None:
        source = self._process.stdout
        try:
            answer = None if source is None else read_frame(source)
        except OSError as error:
            raise InvariantBroken(f"a process of the audit ended: {error}") from error
        if answer is None:
            raise InvariantBroken("a process of the audit ended")
        return cast("Found | None", decode(answer))

    def close(self) -> None:
        """End the process; jobs that wait are dropped."""
        for threads in (self._writing, self._reading):
            threads.shutdown(wait=False, cancel_futures=True)
        self._process.kill()
        self._process.wait(END_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        return  # what was left to write has no reader any more
