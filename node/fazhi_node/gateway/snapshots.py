"""``GET /v1/snapshot``: the state of one moment, streamed while the chain goes on.

A view of the store stands still for as long as the answer lasts, and what is replaced meanwhile stays on the disk: so
there is one at a time, it ends after a while whatever the client does, and at once when the client is gone. An answer
that ended early lacks the closing frame and breaks the connection, so that nobody takes it for whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..limits import SNAPSHOT_S, SNAPSHOT_STALL_S
from ..storage.chain_store import ChainStore
from ..storage.errors import StoreStopped
from ..storage.snapshot import NoSnapshot, write_snapshot
from .problems import Problem, busy

RETRY_S = 30


class Snapshots:
    """The route's side of one node."""

    def __init__(self, chain: ChainStore, seconds: float = SNAPSHOT_S, stall_s: float = SNAPSHOT_STALL_S) -> None:
        self._chain = chain
        self._seconds = seconds
        self._stall_s = stall_s
        self._under_way = False

    async def answer(self) -> Response:
        """The answer to one request.

        Raises:
            Problem: ``too-many-snapshots``, ``no-checkpoint``.
        """
        if self._under_way:
            raise busy("too-many-snapshots", RETRY_S)
        self._under_way = True
        view: ChainStore | None = None
        try:
            view = await asyncio.to_thread(self._chain.view)
            return _Stream(write_snapshot(view), self._ended(view), self._seconds, self._stall_s)
        except BaseException as error:
            self._ended(view)()
            if isinstance(error, NoSnapshot):
                raise Problem(404, error.code) from None
            raise

    def _ended(self, view: ChainStore | None) -> Callable[[], None]:
        def ended() -> None:
            self._under_way = False
            if view is not None:
                view.close()

        return ended


class _Stream(Response):
    """Pieces, each made on a thread when the one before has been taken."""

    def __init__(self, pieces: Iterator[bytes], ended: Callable[[], None], seconds: float, stall_s: float) -> None:
        super().__init__(media_type="application/octet-stream")
        del self.headers["content-length"]
        self._pieces = pieces
        self._ended = ended
        self._seconds = seconds
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            done, _ = await asyncio.wait((sending, gone), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            # The thread may be about a piece: the view is closed behind it, whoever waits or does not.
            await asyncio.gather(sending, gone, return_exceptions=True)
            await asyncio.to_thread(self._ended)
        if sending in done:
            with suppress(StoreStopped, TimeoutError):  # the node stops; the client stood still
                sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while (piece := await asyncio.to_thread(next, self._pieces, None)) is not None:
            async with asyncio.timeout(self._stall_s):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
