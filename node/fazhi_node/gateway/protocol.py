"""uvicorn's HTTP protocol with bounds that it lacks: connections, size of a request's head, time until it is
complete.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..texts import Language
from .problems import Problem, response
from .shell import security_headers

MAX_HEAD_BYTES: Final = 32 * 1024
"""Request line and headers. The check runs after each read, so that at most one read's worth more is held."""
HEAD_SECONDS: Final = 15.0


class BoundedHttp(HttpToolsProtocol):
    """One connection. A head that is too long or too slow ends it: a client that trickles bytes holds nothing for
    long.
    """

    max_connections: ClassVar[int] = 1024
    language: ClassVar[Language] = "zh"
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
            self._refuse(Problem(431, "head-too-large", {"limit": MAX_HEAD_BYTES}))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Called where the bytes are no HTTP: the answer is a problem like every other."""
        self._refuse(Problem(400, "bad-http"))

    def _refuse(self, problem: Problem) -> None:
        answer = response(problem, None, self.language)
        lines = [b"HTTP/1.1 %d %s" % (problem.status, HTTPStatus(problem.status).phrase.encode("ascii"))]
        fields = [*answer.raw_headers, *security_headers(), (b"connection", b"close")]
        lines += [name + b": " + value for name, value in fields]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body))
        self.transport.close()

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


def protocol_class(max_connections: int, language: Language) -> type[Any]:
    """The protocol with its own bound on connections, speaking ``language`` where no request has been read."""
    return type("Http", (BoundedHttp,), {"max_connections": max_connections, "language": language})
