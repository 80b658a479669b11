"""uvicorn's HTTP protocol with bounds that it lacks: connections, size of a request's head, time until it is
complete.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 32 * 1024
"""Request line and headers. The check runs after each read, so that at most one read's worth more is held."""
HEAD_SECONDS: Final = 15.0


class BoundedHttp(HttpToolsProtocol):
    """One connection. A head that is too long or too slow ends it: a client that trickles bytes holds nothing for
    long.
    """

    max_connections: ClassVar[int] = 1024
    _head_bytes = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._end_head()
            self.send_400_response("Request head too large.")

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        self._begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _begin_head(self) -> None:
        self._in_head = True
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.abort()


def protocol_class(max_connections: int) -> type[Any]:
    """The protocol with its own bound on connections."""
    return type("Http", (BoundedHttp,), {"max_connections": max_connections})
