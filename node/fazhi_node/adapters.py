"""The real ports of the machine: the loop's clock and timers, and signature checks on threads. (Network:
:mod:`fazhi_node.transport`.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from fazhi_ledger.errors import InvalidSignature

from .ports import Job

INLINE_EQUATIONS: Final = 3
"""So few are checked on the loop: a hop to a thread and back costs as much, and votes must not queue behind a flood
of submissions.
"""
CHUNK_EQUATIONS: Final = 32
"""About 2 ms of work: long enough to be worth the hop, short enough to share the cores fairly."""
PRESSURE_EQUATIONS: Final = 8192
"""Above this backlog peers' streams are not read on."""


class LoopClock:
    """Wall clock, monotonic clock and named timers on the running loop (:class:`~fazhi_node.ports.Clock`)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_timer: Callable[[str], None]) -> None:
        self._loop = loop
        self._on_timer = on_timer
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def set_timer(self, name: str, delay_ms: int) -> None:
        self.cancel(name)
        self._timers[name] = self._loop.call_later(max(delay_ms, 0) / 1000, self._fire, name)

    def cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def stop(self) -> None:
        """Forget every timer."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _fire(self, name: str) -> None:
        self._timers.pop(name, None)
        self._on_timer(name)


@dataclass(slots=True)
class _Asked:
    verdicts: list[bool]
    open: int


class ThreadVerifier:
    """Signature checks on a pool of threads (:class:`~fazhi_node.ports.Verifier`); libsodium releases the
    interpreter's lock.

    A job's equations stay together. Answers reach ``on_verified`` on the loop, never from inside :meth:`verify`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: int,
        on_verified: Callable[[int, Sequence[bool]], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._on_verified = on_verified
        self._on_failure = on_failure
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._asked: dict[int, _Asked] = {}
        self._relief = asyncio.Event()
        self._relief.set()
        self._stopped = False
        self.backlog = 0
        """Equations handed to the threads and not answered yet."""

    def verify(self, token: int, jobs: Sequence[Job]) -> None:
        if sum(len(job) for job in jobs) <= INLINE_EQUATIONS:
            self._loop.call_soon(self._check_here, token, tuple(jobs))
            return
        chunks = _chunks(jobs)
        self._asked[token] = _Asked([False] * len(jobs), len(chunks))
        for start, chunk, equations in chunks:
            self._add_backlog(equations)
            future = self._pool.submit(check_jobs, chunk)
            future.add_done_callback(self._relay(token, start, equations))

    async def gate(self) -> None:
        """Wait while the threads are far behind."""
        await self._relief.wait()

    def stop(self) -> None:
        """Answer nothing more; returns without waiting for what is being checked."""
        self._stopped = True
        self._relief.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check_here(self, token: int, jobs: tuple[Job, ...]) -> None:
        if not self._stopped:
            self._on_verified(token, check_jobs(jobs))

    def _relay(self, token: int, start: int, equations: int) -> Callable[[Future[list[bool]]], None]:
        def done(future: Future[list[bool]]) -> None:
            if not self._stopped:
                self._loop.call_soon_threadsafe(self._chunk_done, token, start, equations, future)

        return done

    def _chunk_done(self, token: int, start: int, equations: int, future: Future[list[bool]]) -> None:
        self._add_backlog(-equations)
        if self._stopped or future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._on_failure(error)
            return
        verdicts = future.result()
        asked = self._asked[token]
        asked.verdicts[start : start + len(verdicts)] = verdicts
        asked.open -= 1
        if asked.open == 0:
            del self._asked[token]
            self._on_verified(token, asked.verdicts)

    def _add_backlog(self, equations: int) -> None:
        self.backlog += equations
        if self.backlog > PRESSURE_EQUATIONS:
            self._relief.clear()
        else:
            self._relief.set()


def check_jobs(jobs: Sequence[Job]) -> list[bool]:
    """One verdict a job; anything but a sound signature counts as failed."""
    return [_holds(job) for job in jobs]


def _holds(job: Job) -> bool:
    try:
        for check in job:
            check.run()
    except InvalidSignature:
        return False
    except Exception:  # noqa: BLE001 - the port's promise: a job that raises anything else counts as failed
        return False
    return True


def _chunks(jobs: Sequence[Job]) -> list[tuple[int, Sequence[Job], int]]:
    """``(index of the first job, jobs, equations)`` of each chunk; a single job larger than a chunk goes alone."""
    chunks: list[tuple[int, Sequence[Job], int]] = []
    start, equations = 0, 0
    for index, job in enumerate(jobs):
        if index > start and equations + len(job) > CHUNK_EQUATIONS:
            chunks.append((start, jobs[start:index], equations))
            start, equations = index, 0
        equations += len(job)
    chunks.append((start, jobs[start:], equations))
    return chunks
