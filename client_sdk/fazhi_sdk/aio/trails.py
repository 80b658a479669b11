"""Gathering all that a trail file holds, from several gateways, each piece checked as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fazhi_contracts.trail import TrailEvent
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.submission import Item

from ..cases import (
    CaseView,
    EventPlace,
    ProvenBlock,
    Trail,
    TrailParts,
    all_events,
    one_event,
    places_of,
    proven_block,
    trail_of,
)
from ..errors import BadAnswer
from ..lists import KnownRules
from ..trust import Decided, Fields
from .gateways import Answer

if TYPE_CHECKING:
    from .chain import Chain

K = TypeVar("K")
V = TypeVar("V")

MAX_TRAIL_READS: Final = 8
"""Proofs of a trail that are fetched at a time."""
FEW_RECORDS: Final = 4
"""Of one submission, up to which they are asked for one by one."""

Gathered = tuple[Decided, dict[int, TrailEvent]]


class TrailReader:
    """Reads the trail of one case as of a view of it."""

    def __init__(self, chain: Chain, view: CaseView) -> None:
        self._chain = chain
        self._view = view
        self._limit = asyncio.Semaphore(MAX_TRAIL_READS)

    async def read(self) -> Trail:
        """Everything, put together and verified.

        Raises:
            ProofFailed, NotAuthorised, NotConnected.
        """
        places = await self._places()
        records: dict[bytes, list[EventPlace]] = {}
        for place in places:
            records.setdefault(place.submission, []).append(place)
        gathered = await self._each(records, lambda item_id: self._submission(item_id, records[item_id]))
        heights = sorted({decided.header.height for decided, _ in gathered.values()})
        blocks = await self._each(heights, self._block)
        headers = [self._view.proven.header, *(block.header for block in blocks.values())]
        named = {header.rules_hash: header for header in headers}
        rules = await self._each(named, lambda digest: self._rules(named[digest]))
        parts = TrailParts(
            places,
            blocks,
            {item_id: decided for item_id, (decided, _) in gathered.items()},
            {item_id: events for item_id, (_, events) in gathered.items()},
            rules,
        )
        return await asyncio.to_thread(trail_of, self._chain.trust, self._view, parts)

    async def _each(self, keys: Iterable[K], read: Callable[[K], Awaitable[V]]) -> dict[K, V]:
        """Read for each key, a few at a time."""

        async def one(key: K) -> V:
            async with self._limit:
                return await read(key)

        listed = list(keys)
        tasks = [asyncio.ensure_future(one(key)) for key in listed]
        try:
            return dict(zip(listed, await asyncio.gather(*tasks), strict=True))
        finally:
            for task in tasks:  # where one has failed
                task.cancel()

    async def _places(self) -> Sequence[EventPlace]:
        """Where all the events stand that the head counts."""
        places, count = list(self._view.places), self._view.count
        while len(places) < count:
            first = len(places) + 1

            def check(answer: Answer, first: int = first) -> tuple[EventPlace, ...]:
                found = places_of(Fields(answer.json(), answer.url)) if answer.status == 200 else ()
                if not found or found[0].number != first:
                    raise BadAnswer("bad-answer", url=answer.url, reason=f"no event {first}")
                return found

            path = f"/v1/cases/{self._view.case_id.hex()}?first={first}"
            places += await self._chain.gateways.read(path, check)
        return places[:count]

    async def _block(self, height: int) -> ProvenBlock:
        anchor = self._view.proven.header
        if height == anchor.height:
            return ProvenBlock(anchor, ())

        def check(answer: Answer) -> ProvenBlock:
            return proven_block(self._chain.trust, Fields(answer.json(), answer.url), anchor, height)

        return await self._chain.gateways.read(f"/v1/consistency?from={height}&to={anchor.height}", check)

    async def _rules(self, header: Any) -> KnownRules:
        return await self._chain.lists.rules(header, self._view.procedure)

    async def _submission(self, item_id: bytes, places: Sequence[EventPlace]) -> Gathered:
        """A submission's proof, and those of its records that are events of the case."""
        if len(places) > FEW_RECORDS:
            item = await self._item(item_id, places[0].height)
            decided, whole = await self._proof(item_id, "records=all", item)
            if whole is not None:
                return decided, whole
        found: dict[int, TrailEvent] = {}
        for place in places:
            decided, event = await self._proof(item_id, f"record={place.record}", None)
            found.update(event or {})
        return decided, found

    async def _proof(
        self, item_id: bytes, query: str, item: Item | None
    ) -> tuple[Decided, dict[int, TrailEvent] | None]:
        trust = self._chain.trust

        def check(answer: Answer) -> tuple[Decided, dict[int, TrailEvent] | None]:
            fields = Fields(answer.json(), answer.url)
            decided = trust.decided(fields, item_id)
            if item is None:
                return decided, one_event(trust, decided, fields)
            return decided, all_events(trust, decided, fields, item)

        return await self._chain.gateways.read(f"/v1/submissions/{item_id.hex()}/proof?{query}", check)

    async def _item(self, item_id: bytes, height: int) -> Item:
        """A whole submission, with its records."""

        def check(answer: Answer) -> Item:
            value: Any = answer.json()
            items = value.get("items") if answer.status == 200 and isinstance(value, dict) else None
            if not isinstance(items, list):
                raise BadAnswer("bad-answer", url=answer.url, reason=f"no block {height}")
            try:
                for one in items:
                    item = Item.decode(Fields({"item": one}, answer.url).base64("item"))
                    if item.id(self._chain.trust.suite) == item_id:
                        return item
            except EncodingError as error:
                raise BadAnswer("bad-answer", url=answer.url, reason=error.code) from None
            raise BadAnswer("bad-answer", url=answer.url, reason=f"no such item at {height}")

        return await self._chain.gateways.read(f"/v1/blocks/{height}", check)
