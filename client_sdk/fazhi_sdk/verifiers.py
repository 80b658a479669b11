"""Processes of their own that work for an audit: ``python -m fazhi_sdk.audit_checks``, fed through pipes.

Plain processes rather than :mod:`multiprocessing`: that would import the caller's main module again in each of them,
which a script that calls the auditor at its top level does not survive.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Final, cast

from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import InvariantBroken

from .audit_checks import Found, read_frame, write_frame

END_S: Final = 5.0


class Helper:
    """A process that does jobs, one after the other in the order in which they are given."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fazhi-audit")
        self._open: list[Future[Found | None]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fazhi_sdk.audit_checks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    @property
    def waiting(self) -> int:
        """Jobs that are not done yet."""
        self._open = [answer for answer in self._open if not answer.done()]
        return len(self._open)

    def submit(self, job: bytes) -> Future[Found | None]:
        """Do this job. Where the process ends meanwhile the future raises ``InvariantBroken``."""
        answer = self._thread.submit(self._carry_out, job)
        self._open.append(answer)
        return answer

    def _carry_out(self, job: bytes) -> Found | None:
        source, sink = self._process.stdout, self._process.stdin
        if source is None or sink is None:
            raise InvariantBroken("a process without pipes")
        try:
            write_frame(sink, job)
            answer = read_frame(source)
        except OSError as error:
            raise InvariantBroken(f"a process of the audit ended: {error}") from error
        if answer is None:
            raise InvariantBroken("a process of the audit ended")
        return cast("Found | None", decode(answer))

    def close(self) -> None:
        """End the process; jobs that wait are dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)
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
