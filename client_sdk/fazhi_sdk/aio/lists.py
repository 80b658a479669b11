"""Which cases there are: lists of a chain's cases, asked of its gateways and checked (:mod:`fazhi_sdk.lists`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fazhi_contracts.calendar import year_of
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_ledger.header import Header
from fazhi_ledger.names import ORG
from fazhi_ledger.record import member_of

from ..errors import BadAnswer
from ..lists import (
    CaseList,
    KnownRules,
    ListedCase,
    Page,
    Series,
    Survey,
    case_page,
    certified_header,
    installed_rule_sets,
    known_rules,
)
from ..trust import Fields
from .gateways import Answer

if TYPE_CHECKING:
    from .chain import Chain

See = Callable[[ListedCase, KnownRules], None]

MAX_SERIES_PAGES: Final = 1000
MAX_SERIES_OF_PAGE: Final = 1000
MAX_NAMED_EMPTY: Final = 100
"""Series that a gateway names and that turn out to have no case (it was ahead, or they were made up)."""
STEP: Final = 100
"""Serials that are passed over where nothing is shown."""


class Lists:
    """The lists of one chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._rules: dict[tuple[bytes, str | None], KnownRules] = {}

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
        what none of them shows is ``missing``.

        Raises:
            ProofFailed, NotAuthorised, NotConnected.
        """
        found: list[ListedCase] = []
        listed = await self._visit(series, await self.newest(), found.append)
        return replace(listed, cases=tuple(found))

    async def newest(self) -> Header:
        """The newest certified block that any of more gateways shows than may be faulty (as far as so many are
        named)."""
        several = self._chain.genesis.validator_set().faulty + 1
        return max(await self._chain.gateways.read_several("/v1/checkpoint", self._certified, several), key=_height)

    async def survey(
        self, see: See, org: str | None = None, procedure: str | None = None, year: int | None = None
    ) -> Survey:
        """Go through every case, or through those of an organisation and its units, of a procedure, or recorded in a
        year, one by one: ``see`` gets each once, proven, with the rules that it is judged by. Nothing is kept of them
        here.

        Of every member, in every procedure and year, the cases are proven to be all; of units those series are gone
        through that a gateway names.

        Raises:
            BadAnswer: a gateway names series in plenty that have no cases.
            ProofFailed, NotAuthorised, NotConnected.
        """
        newest = await self.newest()
        lists, empty = [], 0
        members, named = await self._all_series(newest, org, procedure)
        for series in sorted(members | named):
            if year not in (None, series[2]):
                continue
            known = await self.rules(newest, series[1])

            def seen(case: ListedCase, known: KnownRules = known) -> None:
                see(case, known)

            listed = await self._visit(series, newest, seen)
            if listed.count:
                lists.append(listed)
            empty += not listed.count and series not in members
            if empty > MAX_NAMED_EMPTY:
                raise BadAnswer("bad-answer", url="", reason="series without cases")
        return Survey(newest, tuple(lists))

    async def _all_series(
        self, newest: Header, org: str | None, procedure: str | None
    ) -> tuple[set[Series], set[Series]]:  # fmt: skip
        """All that members may have, those of the genesis too if they have left since; and what a gateway names, as far
        as there may be such a series."""
        trust, genesis = self._chain.trust, self._chain.genesis
        rules = (await self.rules(newest)).rules
        offset = rules.parameters.get("utc_offset_min")
        first, last = year_of(genesis.time_ms, offset), year_of(newest.time_ms, offset)
        members = {seat.member for seat in trust.newest_set.validators} | {one.org for one in genesis.members}
        members |= set() if org is None else {org}
        procedures = {name for name, _ in rules.procedures}

        def wanted(one: Series) -> bool:
            return (org is None or one[0] == org or member_of(one[0]) == org) and procedure in (None, one[1])

        own = {(one, name, year) for one in members for name in procedures for year in range(first, last + 1)}
        named = {
            one
            for one, _ in await self.series()
            # A year more on either side: the members may have voted another offset since.
            if ORG[one[0]] and one[1] in procedures and first - 1 <= one[2] <= last + 1
        }
        return set(filter(wanted, own)), set(filter(wanted, named))

    async def _visit(self, series: Series, newest: Header, see: Callable[[ListedCase], None]) -> CaseList:
        """Show each case of a series once, in pages none of which is older than ``newest``."""
        found: set[int] = set()
        after, count, as_of = 0, 1, newest
        while after < count:
            page = await self._page(series, after, newest.height)
            for case in page.cases:
                if case.head.serial not in found:
                    found.add(case.head.serial)
                    see(case)
            count, as_of = page.count, page.as_of
            shown = max((case.head.serial for case in page.cases), default=0)
            after = shown if shown > after else after + STEP
            await asyncio.sleep(0)
        missing = tuple(serial for serial in range(1, count + 1) if serial not in found)
        return CaseList(series, count, (), missing, as_of)

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

    async def installed(self, procedure: str) -> tuple[RuleSet, ...]:
        """The rule sets of a procedure as of the newest block that the nearest gateway shows, proven; none where none
        is installed.

        Raises:
            ProofFailed, NotAuthorised, NotConnected.
        """
        trust = self._chain.trust
        return await self._chain.gateways.read(
            f"/v1/procedures/{procedure}",
            lambda answer: installed_rule_sets(trust, Fields(answer.json(), answer.url), procedure),
        )

    async def rules(self, header: Header, procedure: str | None = None) -> KnownRules:
        """The rules that a certified header names, with the rule sets of a procedure where one is named.

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

            path = f"/v1/rules/{header.rules_hash.hex()}{'' if procedure is None else f'?procedure={procedure}'}"
            self._rules[key] = await self._chain.gateways.read(path, check)
        return self._rules[key]


def _height(header: Header) -> int:
    return header.height


def _series_page(answer: Answer) -> tuple[list[tuple[Series, int]], bool]:
    value: Any = answer.json()
    fields = Fields(value, answer.url)
    listed = fields.objects("series")
    if len(listed) > MAX_SERIES_OF_PAGE:
        raise BadAnswer("bad-answer", url=answer.url, reason=f"more than {MAX_SERIES_OF_PAGE} series")
    page = [((one.text("org"), one.text("procedure"), one.integer("year")), one.integer("cases")) for one in listed]
    return page, fields.value.get("more") is True
