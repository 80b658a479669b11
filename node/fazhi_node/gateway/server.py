"""uvicorn inside the node's own loop: no signal handlers of its own, no log of its own, bounded connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from ..addresses import split_address
from ..exits import Exit, Stop
from ..texts import Language
from .door import Door
from .protocol import protocol_class

BACKLOG: Final = 1024
KEEP_ALIVE_SECONDS: Final = 20
SHUTDOWN_SECONDS: Final = 2


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers and its listening: signals are the node's, and who comes in is the
    door's business.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def protocol(self) -> asyncio.Protocol:
        """The protocol of one more connection."""
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def bind(address: str) -> socket.socket:
    """A listening socket.

    Raises:
        Stop: ``port-in-use``.
    """
    host, port = split_address(address)
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(target)
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
    except OSError:
        raise Stop(Exit.BUSY, "port-in-use", address=address, setting="http_listen") from None
    bound.setblocking(False)
    return bound


class HttpServer:
    """The gateway's server on a bound socket."""

    def __init__(
        self,
        app: ASGIApp,
        bound: socket.socket,
        tls: tuple[Path, Path] | None,
        max_connections: int,
        client_connections: int,
        language: Language,
    ) -> None:
        key, certificate = tls if tls is not None else (None, None)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=protocol_class(language),
                ws="none",
                lifespan="off",
                loop="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                ssl_keyfile=key,
                ssl_certfile=certificate,
            )
        )
        self._door = Door(bound, max_connections, client_connections)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; returns when connections are accepted."""
        self._task = asyncio.create_task(self._server.serve([]), name="gateway")
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.002)
        if self._task.done():
            await self._task
        self._door.open(self._server.protocol, self._server.config.ssl)

    async def stop(self) -> None:
        """Take no further requests, give those under way a moment, close."""
        self._door.close()
        self._server.should_exit = True
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
