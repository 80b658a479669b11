"""Which cases there are: lists of a chain's cases, asked of its gateways and checked (:mod:`fazhi_sdk.lists`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fazhi_ledger.header import Header

from ..errors import BadAnswer
from ..lists import CaseList, KnownRules, ListedCase, Page, Series, case_page, certified_header, known_rules
from ..trust import Fields
from .gateways import Answer

if TYPE_CHECKING:
    from .chain import Chain

MAX_SERIES_PAGES: Final = 1000
STEP: Final = 100
"""Serials that are passed over where nothing is shown."""


class Lists:
    """The lists of one chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._rules: dict[tuple[bytes, str], KnownRules] = {}

    async def series(self) -> tuple[tuple[Series, int], ...]:
        """What cases there are: organisation, procedure, year, and how many. The word of one gateway: what it leaves
        out is not seen here; that a series has no case is proven by asking for it (:meth:`cases`)."""
        found: dict[Series, int] = {}
        after = ""
        for _ in range(MAX_SERIES_PAGES):
            page, more = await self._chain.gateways.read(f"/v1/series{after}", _series_page)
            found.update(page)
            if not more or not page:
                break
            (org, procedure, year), _ = page[-1]
            after = f"?org={org}&procedure={procedure}&year={year}"
        return tuple(sorted(found.items()))

    async def cases(self, series: Series) -> CaseList:
        """All cases of a series, each proven, and proven to be all. What a gateway leaves out is asked of the others;
        what none of them shows is ``missing``. More gateways are asked for the newest block than may be faulty (as far
        as so many are named), and nothing older than that block counts.

        Raises:
            ProofFailed, NotAuthorised, NotConnected.
        """
        gateways = self._chain.gateways
        several = self._chain.genesis.validator_set().faulty + 1
        newest = max(await gateways.read_several("/v1/checkpoint", self._certified, several), key=_height)
        found: dict[int, ListedCase] = {}
        after, count, as_of = 0, 1, newest
        while after < count:
            page = await self._page(series, after, newest.height)
            found.update({case.head.serial: case for case in page.cases})
            count, as_of = page.count, page.as_of
            shown = max((case.head.serial for case in page.cases), default=0)
            after = shown if shown > after else after + STEP
            await asyncio.sleep(0)
        missing = tuple(serial for serial in range(1, count + 1) if serial not in found)
        return CaseList(series, count, tuple(found[serial] for serial in sorted(found)), missing, as_of)

    async def _page(self, series: Series, after: int, least_height: int) -> Page:
        """The cases behind a serial: by a gateway that leaves nothing out, or, where there is none, by any."""
        org, procedure, year = series
        path = f"/v1/cases?org={org}&procedure={procedure}&year={year}&after={after}"
        trust = self._chain.trust

        def lenient(answer: Answer) -> Page:
            page = case_page(trust, Fields(answer.json(), answer.url), series)
            height = page.as_of.height
            if height < least_height:
                raise BadAnswer("stale-answer", url=answer.url, height=height, newest=least_height)
            return page

        def strict(answer: Answer) -> Page:
            page = lenient(answer)
            serials = [case.head.serial for case in page.cases]
            ends = page.count if page.following is None else after + len(serials)
            if serials != list(range(after + 1, ends + 1)) or (not serials and after < page.count):
                raise BadAnswer("incomplete-list", url=answer.url, after=after, count=page.count)
            return page

        try:
            return await self._chain.gateways.read(path, strict)
        except BadAnswer as error:
            if error.code != "incomplete-list":
                raise
            return await self._chain.gateways.read(path, lenient)

    def _certified(self, answer: Answer) -> Header:
        return certified_header(self._chain.trust, Fields(answer.json(), answer.url))

    async def rules(self, header: Header, procedure: str) -> KnownRules:
        """The rules that a certified header names, with the rule sets of a procedure.

        Raises:
            ProofFailed, NotAuthorised, NotConnected.
        """
        key = (header.rules_hash, procedure)
        if key not in self._rules:
            trust = self._chain.trust

            def check(answer: Answer) -> KnownRules:
                if answer.status != 200:
                    raise BadAnswer("bad-answer", url=answer.url, reason="no rules")
                return known_rules(trust, header, Fields(answer.json(), answer.url), procedure)

            path = f"/v1/rules/{header.rules_hash.hex()}?procedure={procedure}"
            self._rules[key] = await self._chain.gateways.read(path, check)
        return self._rules[key]


def _height(header: Header) -> int:
    return header.height


def _series_page(answer: Answer) -> tuple[list[tuple[Series, int]], bool]:
    value: Any = answer.json()
    fields = Fields(value, answer.url)
    page = [
        ((one.text("org"), one.text("procedure"), one.integer("year")), one.integer("cases"))
        for one in fields.objects("series")
    ]
    return page, fields.value.get("more") is True
