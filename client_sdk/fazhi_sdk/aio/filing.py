"""What stands between a draft and the outbox, and how a process gets to know its chain."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.keys import Signer
from fazhi_ledger.limits import MAX_GENESIS_FILE_BYTES
from fazhi_ledger.submission import Item, SubmissionBody, sign_item

from ..drafts import CASES, RECORD, DraftData, can_combine, combine
from ..errors import BadAnswer, InputError, WrongGenesis
from ..files import read_bounded
from ..outbox import Outbox
from ..outbox_rows import Entry, Kept, NewItem, new_draft_id
from ..trust import Trust
from .delivery import Delivery
from .gateways import Answer, Gateways
from .worker import Worker

P = TypeVar("P")


def digest_of(given: str | bytes) -> bytes:
    """A digest, given as bytes or in hexadecimal.

    Raises:
        InputError: ``bad-digest``.
    """
    try:
        digest = bytes.fromhex(given) if isinstance(given, str) else given
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InputError("bad-digest", given=str(given)[:80])
    return digest


async def learn_chain(
    outbox: Outbox, worker: Worker, gateways: Gateways, trusted: bytes, given: str | os.PathLike[str] | bytes | None
) -> Trust:
    """The chain's genesis: as handed over, as the outbox keeps it, or as a gateway serves it; its hash decides.

    Raises:
        WrongGenesis: none of this chain is served.
        NotConnected: nobody answers.
    """
    if given is not None:
        data = given if isinstance(given, bytes) else read_bounded(Path(given), MAX_GENESIS_FILE_BYTES)
        file = genesis_file(data, trusted, "genesis=")
    else:
        kept = await worker.run(outbox.genesis_file)
        if kept is not None:
            return Trust(genesis_file(kept, trusted, "outbox"))

        def check(answer: Answer) -> GenesisFile:
            if answer.status != 200:
                raise BadAnswer("bad-answer", url=answer.url, reason=f"status {answer.status}")
            return genesis_file(answer.body, trusted, answer.url)

        file = await gateways.fetch_genesis(check)
    await worker.run(lambda: outbox.keep_genesis_file(file.encode()))
    return Trust(file)


def genesis_file(data: bytes, trusted: bytes, source: str) -> GenesisFile:
    """The genesis file of these bytes, if it is the one trusted.

    Raises:
        BadAnswer, WrongGenesis.
    """
    try:
        file = GenesisFile.decode(data)
    except FazhiError as error:
        raise BadAnswer("bad-answer", url=source, reason=FazhiError.__str__(error)) from None
    if file.hash() != trusted:
        raise WrongGenesis("wrong-genesis", url=source, found=file.hash().hex(), expected=trusted.hex())
    return file


def new_item(draft: DraftData, signed: dict[bytes, Item] | None = None) -> NewItem:
    """How a draft is filed; ``signed`` takes up what was signed, by id."""

    def build(lane: bytes, seq: int) -> tuple[bytes, Item]:
        item_id, item = draft.at(lane, seq).complete()
        if signed is not None:
            signed[item_id] = item
        return item_id, item

    return NewItem(
        draft.draft_id,
        draft.org,
        draft.signer_keys[0],
        CASES,
        RECORD,
        draft.kept(),
        build,
        draft.place,
    )


@slotted
class Filed:
    """Where a draft has its place in the outbox: ``record`` of ``entry``. ``draft`` is what was filed just now, of
    several drafts where ``combined``, ``kept`` what is kept of it, and ``signed`` what was signed, and verified, just
    now; None where it had been filed before.
    """

    entry: Entry
    record: int
    draft: DraftData | None = None
    kept: tuple[Kept, ...] | None = None
    combined: bool = False
    signed: Item | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Drafts that somebody wants filed; ``together`` where they may stand under one signature."""

    drafts: Sequence[DraftData]
    together: bool = True


def file_drafts(outbox: Outbox, trust: Trust, *calls: Call) -> list[Filed]:
    """File the drafts of one or more calls, signed: all of them durable when this returns, or none filed. Neighbours of
    one call that may stand under one signature do, if it wants them ``together``, and gaps in the lanes of these
    signers are voided first. A draft is filed once, however often it is handed over.

    Raises:
        InputError: ``wrong-chain``.
        SignatureMissing, OutboxDisk: nothing was filed.
    """
    places: dict[tuple[int, int], Filed] = {}
    groups: list[tuple[DraftData, list[tuple[int, int]]]] = []
    first: dict[bytes, tuple[int, int]] = {}
    again: dict[tuple[int, int], tuple[int, int]] = {}
    earlier = outbox.filed_as([draft.draft_id for call in calls for draft in call.drafts])
    for number, call in enumerate(calls):
        fresh: dict[tuple[int, int], DraftData] = {}
        for at, draft in enumerate(call.drafts):
            found = earlier.get(draft.draft_id)
            place = (number, at)
            if found is not None:
                places[place] = Filed(*found)
            elif first.setdefault(draft.draft_id, place) == place:
                fresh[place] = draft
            else:
                again[place] = first[draft.draft_id]
        groups += _grouped(trust, fresh) if call.together else [(draft, [at]) for at, draft in fresh.items()]
    for group, _ in groups:
        if group.genesis_hash != trust.genesis_hash:
            raise InputError("wrong-chain", genesis=group.genesis_hash.hex()[:16])
        group.require_complete()
    _fill_gaps(outbox, trust, [group for group, _ in groups])
    signed: dict[bytes, Item] = {}
    items = [new_item(group, signed) for group, _ in groups]
    entries = outbox.file(items) if items else ()
    for (group, members), item, entry in zip(groups, items, entries, strict=True):
        for record, place in enumerate(members):
            places[place] = Filed(entry, record, group, item.kept, len(members) > 1, signed.get(entry.id or b""))
    places.update((place, places[its_first]) for place, its_first in again.items())
    return [places[number, at] for number, call in enumerate(calls) for at in range(len(call.drafts))]


Filing = tuple[list[Filed], tuple[Entry, ...] | None]
"""Where drafts were filed, and what was due then where nothing was under way."""


class Filer:
    """Files drafts for many callers. Those that come while the disk is busy are filed together: one sync for all."""

    def __init__(self, outbox: Outbox, trust: Trust, worker: Worker, delivery: Delivery) -> None:
        self._outbox = outbox
        self._trust = trust
        self._worker = worker
        self._delivery = delivery
        self._calls: list[tuple[Call, asyncio.Future[Filing]]] = []
        self._busy = False

    async def file(self, drafts: Sequence[DraftData], *, together: bool = True) -> Filing:
        """See :func:`file_drafts`; carried through even if the caller is cancelled."""
        future: asyncio.Future[Filing] = asyncio.get_running_loop().create_future()
        self._calls.append((Call(drafts, together), future))
        if not self._busy:
            self._begin()
        return await future

    def _begin(self) -> None:
        calls, self._calls = self._calls, []
        self._busy = True
        look = self._delivery.look() if self._delivery.idle else None

        def work() -> list[Filing | Exception]:
            filed = self._file([call for call, _ in calls])
            due = None if look is None else look()
            return [one if isinstance(one, Exception) else (one, due) for one in filed]

        job = self._worker.begin(work)
        job.add_done_callback(lambda _: self._done([future for _, future in calls], job))

    def _file(self, calls: Sequence[Call]) -> list[list[Filed] | Exception]:
        """All in one transaction; each on its own where that fails, so that one call's fault is its own."""
        try:
            found = iter(file_drafts(self._outbox, self._trust, *calls))
            return [list(islice(found, len(call.drafts))) for call in calls]
        except Exception as error:  # noqa: BLE001 - handed to whoever called
            if len(calls) == 1:
                return [error]
        return [outcome for call in calls for outcome in self._file([call])]

    def _done(self, futures: Sequence[asyncio.Future[Filing]], job: asyncio.Future[list[Filing | Exception]]) -> None:
        self._busy = False
        broken = None if job.cancelled() else job.exception()
        for at, future in enumerate(futures):
            outcome = (broken or job.result()[at]) if not job.cancelled() else asyncio.CancelledError()
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        if self._calls:
            self._begin()


def _grouped(trust: Trust, drafts: Mapping[P, DraftData]) -> list[tuple[DraftData, list[P]]]:
    """Drafts in order, neighbours that may stand under one signature put together."""
    limit = trust.genesis.parameters.get("max_records_per_item")
    size_limit = trust.genesis.parameters.get("max_item_bytes") // 2
    runs: list[list[P]] = []
    size = 0
    for position, draft in drafts.items():
        last = drafts[runs[-1][-1]] if runs else None
        if last is not None and len(runs[-1]) < limit and can_combine(last, draft):
            size = (size or last.record_size()) + draft.record_size()
            if size <= size_limit:
                runs[-1].append(position)
                continue
        runs.append([position])
        size = 0
    return [
        (drafts[run[0]] if len(run) == 1 else combine([drafts[one] for one in run], new_draft_id()), run)
        for run in runs
    ]


def _fill_gaps(outbox: Outbox, trust: Trust, drafts: Sequence[DraftData]) -> None:
    voids: list[NewItem] = []
    first_signers = {draft.signer_keys[0]: (draft.org, draft) for draft in drafts}
    for key, (org, draft) in first_signers.items():
        signer = next((one for one in draft.signers if one.public_key == key), None)
        if signer is not None:
            voids.extend(void_item(trust, org, signer, lane, seq) for lane, seq in outbox.gaps(org, key))
    if voids:
        outbox.file(voids)


def void_item(trust: Trust, org: str, signer: Signer, lane: bytes, seq: int) -> NewItem:
    """A ``lane.void`` for one place that nothing will use."""
    draft_id = new_draft_id()

    def build(at_lane: bytes, at_seq: int) -> tuple[bytes, Item]:
        body = SubmissionBody(
            trust.genesis_hash,
            org,
            at_lane,
            at_seq,
            draft_id,
            "lane",
            "void",
            (at_seq, at_seq, "lost"),
            (signer.public_key,),
            time.time_ns() // 1_000_000,
        )
        item = sign_item(body, [signer])
        return item.id(trust.suite), item

    return NewItem(draft_id, org, signer.public_key, "lane", "void", (), build, (lane, seq))
