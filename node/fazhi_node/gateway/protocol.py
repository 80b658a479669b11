"""uvicorn's HTTP protocol with bounds that it lacks: size of a request's head, time until it is complete."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

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

    language: ClassVar[Language] = "zh"
    _head_bytes = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None
    _working: RequestResponseCycle | None = None
    """The request that is being answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        self._leave()
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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._working = cycle  # uvicorn's own `cycle` is the request read last, which may wait behind this one
        super()._start_asgi_task(cycle, app)

    def _refuse(self, problem: Problem) -> None:
        """Answer and close. Close alone where an earlier request is under way: it would take this for its answer, which
        says that nothing was recorded.
        """
        working = self._working
        if working is None or working.response_complete:
            self._write(problem)
        elif working is self.cycle and working.more_body and not working.response_started:
            self._write(problem)  # it is its own body that is broken
        self._leave()
        self.transport.close()

    def _leave(self) -> None:
        """Whoever still works on an answer shall not write it to a transport that is closed."""
        self.pipeline.clear()
        if self._working is not None:
            self._working.disconnected = True
            self._working.message_event.set()

    def _write(self, problem: Problem) -> None:
        answer = response(problem, None, self.language)
        lines = [b"HTTP/1.1 %d %s" % (problem.status, HTTPStatus(problem.status).phrase.encode("ascii"))]
        fields = [*answer.raw_headers, *security_headers(), (b"connection", b"close")]
        lines += [name + b": " + value for name, value in fields]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body))

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
            self._leave()
            self.transport.abort()


def protocol_class(language: Language) -> type[Any]:
    """The protocol, speaking ``language`` where no request has been read."""
    return type("Http", (BoundedHttp,), {"language": language})
