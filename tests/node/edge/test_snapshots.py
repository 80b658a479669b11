"""``/v1/snapshot`` over ASGI: whole while the chain goes on, one at a time, ended for whoever stands still or is gone,
and whatever happens the view behind it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from fazhi_node.gateway.problems import Problem
from fazhi_node.gateway.snapshots import Snapshots
from fazhi_node.storage import chain_layout as layout
from fazhi_node.storage.chain_store import ChainStore
from fazhi_node.storage.errors import StoreCorrupt, StoreStopped
from fazhi_node.storage.memory import MemoryStore

from tests.node.storage.snapshots import StoredWorld, grown, snapshot_of

WITHIN_S = 30.0
Message = dict[str, Any]


class Watched:
    """A world, the route over it, and every view that was taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float = WITHIN_S, stall_s: float = WITHIN_S) -> None:
        monkeypatch.setattr("fazhi_node.storage.snapshot.PAGE_ENTRIES", 1)  # many pieces
        self.world = grown()
        self.views: list[ChainStore] = []
        view = self.world.store.view

        def watched() -> ChainStore:
            self.views.append(view())
            return self.views[-1]

        monkeypatch.setattr(self.world.store, "view", watched)
        self.route = Snapshots(self.world.store, seconds, stall_s)

    async def free(self) -> None:
        """The route answers again, and no view is open."""
        response = await self.route.answer()
        client = Client()
        await client.read(response)
        assert client.whole
        for view in self.views:
            with pytest.raises(StoreStopped):
                view.block(1)


class Client:
    """Whoever reads: ``taking(number)`` is awaited before each piece is taken, and it stands still before one of them
    where that is said."""

    def __init__(self, taking: Callable[[int], Awaitable[None]] | None = None, *, stands_at: int = -1) -> None:
        self.parts: list[bytes] = []
        self.whole = False
        self.stands, self.gone = asyncio.Event(), asyncio.Event()
        self._taking = taking
        self._stands_at = stands_at

    async def read(self, response: Any) -> None:
        async with asyncio.timeout(WITHIN_S):
            await response({"type": "http"}, self._receive, self._send)

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not any(name == b"content-length" for name, _ in message["headers"])
            return
        if self._taking is not None:
            await self._taking(len(self.parts))
        if len(self.parts) == self._stands_at:
            self.stands.set()
            await asyncio.Event().wait()
        self.parts.append(message["body"])
        self.whole = not message["more_body"]


def test_a_snapshot_is_whole_while_the_chain_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        watched = Watched(monkeypatch)
        expected = snapshot_of(watched.world.store)

        async def taking(number: int) -> None:
            if number % 5 == 1:
                watched.world.lead(f"同时 {number}")

        client = Client(taking)
        await client.read(await watched.route.answer())
        assert client.whole
        assert b"".join(client.parts) == expected
        assert len(client.parts) > 20
        assert watched.world.store.tip.height > len(client.parts) // 5
        await watched.free()

    asyncio.run(scenario())


def test_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        watched = Watched(monkeypatch)

        async def taking(number: int) -> None:
            if number == 3:
                with pytest.raises(Problem, match="too-many-snapshots") as caught:
                    await watched.route.answer()
                assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "30"})

        client = Client(taking)
        await client.read(await watched.route.answer())
        assert client.whole
        await watched.free()

    asyncio.run(scenario())


def test_a_client_that_leaves_is_let_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        watched, client = Watched(monkeypatch), Client(stands_at=4)
        reading = asyncio.ensure_future(client.read(await watched.route.answer()))
        await asyncio.wait_for(client.stands.wait(), WITHIN_S)
        client.gone.set()
        await reading
        assert not client.whole
        assert len(client.parts) == 4
        await watched.free()

    asyncio.run(scenario())


@pytest.mark.parametrize(("seconds", "stall_s"), [(WITHIN_S, 0.05), (0.2, WITHIN_S)])
def test_who_stands_still_or_takes_too_long_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, seconds: float, stall_s: float
) -> None:
    """And gets no end of the body, so that what it has is not taken for whole. The connection breaks: uvicorn closes
    one whose answer was not finished."""

    async def scenario() -> None:
        watched, client = Watched(monkeypatch, seconds, stall_s), Client(stands_at=4)
        await client.read(await watched.route.answer())
        assert not client.whole
        watched.route._seconds = watched.route._stall_s = WITHIN_S
        await watched.free()

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_gives_up_its_view(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        watched, client = Watched(monkeypatch), Client(stands_at=4)
        task = asyncio.ensure_future(client.read(await watched.route.answer()))
        await asyncio.wait_for(client.stands.wait(), WITHIN_S)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await watched.free()

    asyncio.run(scenario())


def test_a_node_that_stops_breaks_off_without_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        watched = Watched(monkeypatch)

        async def taking(number: int) -> None:
            if number == 4:
                watched.world.store.close()

        client = Client(taking)
        await client.read(await watched.route.answer())
        assert not client.whole

    asyncio.run(scenario())


def test_damage_that_is_read_on_the_way_is_the_nodes_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        watched = Watched(monkeypatch)
        store = watched.world.store._store
        key = next(key for key, _ in watched.world.store.walk(layout.STATE))
        store.write([(key, b"damaged")])
        client = Client()
        response = await watched.route.answer()
        with pytest.raises(StoreCorrupt):
            await client.read(response)
        assert not client.whole
        with pytest.raises(StoreStopped):
            watched.views[0].block(1)
        assert not watched.route._under_way

    asyncio.run(scenario())


def test_there_is_no_snapshot_of_no_block() -> None:
    async def scenario() -> None:
        world = StoredWorld(MemoryStore())
        route = Snapshots(world.store)
        for _ in range(2):
            with pytest.raises(Problem, match="no-checkpoint") as caught:
                await route.answer()
            assert caught.value.status == 404

    asyncio.run(scenario())
