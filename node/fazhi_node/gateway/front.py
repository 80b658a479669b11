"""The gateway of a node: a front of a few lean routes, and FastAPI behind it.

The lean routes carry the load (submit) or are asked by machines every second (health). FastAPI's import takes half a
second of CPU: it comes, on a worker thread, with the first request that needs it, so that a node is ready without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..private_files import read_tokens
from . import health
from .context import Context
from .shell import Shell, Tokens
from .submit import SUBMIT_PATH, SubmitRoute

if TYPE_CHECKING:
    from ..service import Service
    from ..storage.chain_store import ChainStore

Route = Callable[[Request], Awaitable[Response]]


class Front:
    """ASGI: ``routes`` by method and path; everything else goes to the application that ``build`` makes once, on a
    thread.
    """

    def __init__(self, routes: Mapping[tuple[str, str], Route], build: Callable[[], ASGIApp]) -> None:
        self._routes = routes
        self._build = build
        self._app: ASGIApp | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"]))
        if route is not None:
            response = await route(Request(scope, receive))
            await response(scope, receive, send)
            return
        if self._app is None:
            async with self._building:
                if self._app is None:
                    self._app = await asyncio.to_thread(self._build)
        await self._app(scope, receive, send)


def make_gateway(service: Service, chain: ChainStore) -> Shell:
    """The whole gateway of one node."""
    # uvicorn's words about broken requests are not the node's log; what is our fault is told to `request_failed`.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).disabled = True
    prepared, config, machine = service.prepared, service.prepared.config, service.machine
    context = Context(
        chain=chain,
        reader=machine.reader,
        hub=service.hub,
        status=service.status,
        pending=lambda submission_id: machine.mempool.find(submission_id) is not None,
        language=config.lang,
        event_streams=config.event_streams,
    )
    submit = SubmitRoute(
        service,
        service.hub,
        machine.reader,
        config.lang,
        body_bytes=config.http_body_bytes,
        body_seconds=config.http_body_seconds,
        wait_ms=config.http_wait_ms,
        items=config.http_items,
    )

    def build() -> ASGIApp:
        from .app import make_app

        return make_app(context, submit, service.request_failed)

    routes = lean_routes(context, submit)
    shell = Shell(
        Front(routes, build),
        tokens=None if config.open_reads else Tokens(read_tokens(config.path(prepared.home, "read_tokens"))),
        concurrency=config.http_concurrency,
        language=config.lang,
        fatal=service.request_failed,
    )
    if config.metrics:
        routes["GET", "/metrics"] = health.metrics_route(context, service, shell)
    return shell


def lean_routes(context: Context, submit: SubmitRoute) -> dict[tuple[str, str], Route]:
    """What is answered without FastAPI."""

    def plain(function: Callable[[Context], Response]) -> Route:
        async def answer(_: Request) -> Response:
            return function(context)

        return answer

    return {
        ("POST", SUBMIT_PATH): submit.answer,
        ("GET", "/healthz"): plain(health.healthz),
        ("GET", "/readyz"): plain(health.readyz),
        ("GET", "/v1/status"): plain(health.status),
        ("GET", "/v1/genesis"): plain(health.genesis),
    }
