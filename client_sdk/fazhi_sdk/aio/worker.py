"""One thread for the outbox's disk: in order, and off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """Runs functions one after another in a thread of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fazhi-outbox")

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises. Its place in the order is taken, and it is carried through, even if the
        caller is cancelled."""
        return await asyncio.shield(self.begin(work))

    def begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Take the place in the order now, and wait later. Answers come in that order, too: whoever goes on from one
        does so before anybody goes on from a later one.
        """
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for what has begun, then end the thread."""
        self._pool.shutdown(wait=True)
