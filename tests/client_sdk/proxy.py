"""A gateway between client and node that can be cut off, and can lie."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

Meddle = Callable[[str, int, bytes], tuple[int, bytes] | None]
"""(method and path, status, body) -> another answer, or None for the true one."""


class Proxy:
    """Plain HTTP on loopback in front of one node. ``open`` False drops every connection; ``before`` may answer without
    asking the node; ``meddle`` may change what the node answered."""

    def __init__(self, target: str, token: str) -> None:
        self.open = True
        self.meddle: Meddle | None = None
        self.before: Callable[[str, bytes], tuple[int, bytes] | None] | None = None
        self.seen: list[str] = []
        self.headers: dict[str, str] = {}
        self.url = ""
        self._target = target
        self._token = token
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with aiohttp.ClientSession() as self._session:
            runner = web.AppRunner(_app(self._answer))
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            self.url = f"http://127.0.0.1:{port}"
            self._ready.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        self.seen.append(name)
        if not self.open:
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=503)
        body = await request.read()
        made = self.before(name, body) if self.before is not None else None
        if made is None:
            async with self._session.request(
                request.method,
                self._target + request.path_qs,
                data=body,
                headers={
                    "Authorization": f"Bearer {self._token}",
                    "Content-Type": request.headers.get("Content-Type", ""),
                },
                ssl=False,
            ) as answer:
                made = answer.status, await answer.read()
        if self.meddle is not None:
            made = self.meddle(name, *made) or made
        return web.Response(status=made[0], body=made[1], content_type="application/json", headers=self.headers)

    def close(self) -> None:
        """End the server."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


def _app(handler: Any) -> web.Application:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{tail:.*}", handler)
    return app
