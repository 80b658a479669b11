"""``GET /v1/events``: every executed submission as a server-sent event, from a cursor on, without a gap and without a
queue.

A stream reads the chain itself at the pace of its client; the machine only says that there is a new block. So a slow
or vanished client costs one suspended task, and a client that comes back with its last id misses nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import Response, StreamingResponse

from ..limits import EVENTS_PAGE
from ..queries import ChainEvent
from .context import Context, records_json
from .problems import Problem, busy

PING_SECONDS: Final = 15.0
PAGE: Final = EVENTS_PAGE
CURSOR: Final = r"^\d{1,18}\.\d{1,9}$"
_LAST_INDEX: Final = 10**9


def event_routes(context: Context) -> APIRouter:
    """The stream of events."""
    router = APIRouter(tags=["events"])

    @router.get(
        "/v1/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def events(
        cursor: Annotated[str | None, Query(pattern=CURSOR, description="height.index: what comes behind it")] = None,
        last_event_id: Annotated[str | None, Header(description="the same, as browsers send it")] = None,
    ) -> Response:
        """Submissions as blocks execute them; from now on, or from behind a cursor (``0.0``: from the beginning)."""
        given = last_event_id if last_event_id else cursor
        if given is not None and re.fullmatch(CURSOR, given, re.ASCII) is None:
            raise Problem(400, "bad-parameter", {"name": "Last-Event-ID", "reason": "height.index"})
        start = (context.reader.height, _LAST_INDEX)
        if given is not None:
            height, index = given.split(".")
            start = (int(height), int(index))
        context.reader.check_cursor(*start)
        if context.hub.streams >= context.event_streams:
            raise busy("too-many-streams", 30, limit=context.event_streams)
        return StreamingResponse(
            _stream(context, start), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    return router


async def _stream(context: Context, cursor: tuple[int, int]) -> AsyncIterator[bytes]:
    hub = context.hub
    if hub.streams >= context.event_streams:  # others came in between the question and this
        return
    hub.streams += 1
    try:
        yield b": ok\n\n"
        while not hub.stopping:
            news = hub.news()  # taken before the chain is read: a block that comes meanwhile is not overlooked
            found = await asyncio.to_thread(context.reader.events_after, *cursor, PAGE)
            for event in found:
                cursor = (event.height, event.index)
                yield _format(event)
            if not found and not await hub.next_block(news, PING_SECONDS):
                yield KEEPALIVE_COMMENT
    finally:
        hub.streams -= 1


def _format(event: ChainEvent) -> bytes:
    data = {
        "height": event.height,
        "index": event.index,
        "time_ms": event.time_ms,
        "id": event.submission_id.hex(),
        "org": event.org,
        "contract": event.contract,
        "action": event.action,
        "code": event.code,
        "parameters": dict(event.parameters),
        "records": records_json(event.records),
    }
    text = json.dumps(data, ensure_ascii=False)
    return format_sse_event(data_str=text, event="submission", id=f"{event.height}.{event.index}")
