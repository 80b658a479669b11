"""News of the machine, handed to the requests that wait for it. Lives on the loop; the machine's notices are its only
source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from ..notices import Admission, BlockCommitted, Notice


class Waiter:
    """One request that waits until all of its submissions are answered for good."""

    __slots__ = ("_done", "_open", "answers", "ids")

    def __init__(self, ids: Iterable[bytes]) -> None:
        self.ids = frozenset(ids)
        self._open = set(self.ids)
        self._done = asyncio.Event()
        self.answers: dict[bytes, Admission] = {}
        if not self._open:
            self._done.set()

    def tell(self, admission: Admission) -> None:
        """A final answer for one of the submissions."""
        self.answers[admission.submission_id] = admission
        self._open.discard(admission.submission_id)
        if not self._open:
            self._done.set()

    def release(self) -> None:
        """Wait no longer: the node stops."""
        self._done.set()

    async def wait(self, seconds: float) -> None:
        """Until everything is answered, or ``seconds`` have passed."""
        try:
            async with asyncio.timeout(seconds):
                await self._done.wait()
        except TimeoutError:
            pass


class Hub:
    """Waiting requests and event streams of one node."""

    def __init__(self) -> None:
        self._waiters: dict[bytes, list[Waiter]] = {}
        self._block = asyncio.Event()
        self.streams = 0
        self.stopping = False

    def on_notice(self, notice: Notice) -> None:
        """What the machine tells; called on the loop."""
        if isinstance(notice, Admission):
            if notice.final:
                for waiter in self._waiters.pop(notice.submission_id, ()):
                    waiter.tell(notice)
        elif isinstance(notice, BlockCommitted):
            self._wake()

    def waiter(self, ids: Sequence[bytes]) -> Waiter:
        """Wait for final answers on these submissions; :meth:`forget` it afterwards."""
        waiter = Waiter(ids)
        for submission_id in waiter.ids:
            self._waiters.setdefault(submission_id, []).append(waiter)
        return waiter

    def forget(self, waiter: Waiter) -> None:
        """The request is answered, or its client has gone."""
        for submission_id in waiter.ids:
            waiting = self._waiters.get(submission_id)
            if waiting is not None and waiter in waiting:
                waiting.remove(waiter)
                if not waiting:
                    del self._waiters[submission_id]

    def news(self) -> asyncio.Event:
        """Set when the next block is committed, and at the stop."""
        return self._block

    @staticmethod
    async def next_block(news: asyncio.Event, seconds: float) -> bool:
        """Wait for it; False where there was none within ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """Let everybody go who waits."""
        self.stopping = True
        for waiters in list(self._waiters.values()):
            for waiter in waiters:
                waiter.release()
        self._waiters.clear()
        self._wake()

    def _wake(self) -> None:
        event, self._block = self._block, asyncio.Event()
        event.set()
