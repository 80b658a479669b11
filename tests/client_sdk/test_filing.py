"""Filing for many callers at once, and telling those who wait: one sync for all, each one's fault its own, and nobody
waits for what has been told already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from fazhi_ledger.submission import Item
from fazhi_sdk.aio.delivery import Delivery, Outcome
from fazhi_sdk.aio.filing import Call, Filer, Filing, file_drafts
from fazhi_sdk.aio.gateways import Gateways
from fazhi_sdk.aio.worker import Worker
from fazhi_sdk.drafts import DraftData
from fazhi_sdk.errors import InputError
from fazhi_sdk.outbox import Outbox
from fazhi_sdk.outbox_rows import COMMITTED, Entry, NewItem
from fazhi_sdk.trust import Decided, Trust

from . import chains
from .parts import draft, new_item, signer

FILE = chains.genesis_file()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", FILE.hash()) as box:
        yield box


def on_this_chain(number: str, seed: int = 1) -> DraftData:
    return replace(draft(signer(seed), number), genesis_hash=FILE.hash())


def delivery_of(outbox: Outbox, worker: Worker) -> Delivery:
    return Delivery(outbox, Gateways(["http://127.0.0.1:9"], None, 1), Trust(FILE), worker)


@pytest.mark.parametrize("together", [True, False])
def test_a_draft_handed_over_again_meanwhile_is_filed_once(outbox: Outbox, together: bool) -> None:
    """Within one call, and in another that comes while the disk is busy: it must not stand on the chain twice."""
    one, two, three = (on_this_chain(number) for number in "abc")
    calls = [Call([one, one, two], together), Call([two, one, three], together)]
    places = file_drafts(outbox, Trust(FILE), *calls)
    filed = [Item.decode(entry.item) for entry in outbox.due() if entry.item is not None]
    records = [record for item in filed for record in item.records]
    assert len(records) == 3
    kept = [outbox.kept(place.entry.draft_id)[place.record].number for place in places]
    assert kept == ["a", "a", "b", "b", "a", "c"]


def test_calls_that_come_meanwhile_are_filed_together_and_fail_apart(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions: list[int] = []
    file = outbox.file

    def counted(items: Sequence[NewItem]) -> tuple[Entry, ...]:
        transactions.append(len(items))
        return file(items)

    monkeypatch.setattr(outbox, "file", counted)
    foreign = draft(number="of another chain")
    good = [on_this_chain(f"n{number}", number % 3) for number in range(6)]
    unsigned = replace(on_this_chain("unsigned"), signers=())

    async def run(*calls: Sequence[DraftData]) -> list[Filing | BaseException]:
        worker = Worker()
        try:
            filer = Filer(outbox, Trust(FILE), worker, delivery_of(outbox, worker))
            return await asyncio.gather(*(filer.file(drafts) for drafts in calls), return_exceptions=True)
        finally:
            worker.close()

    answers = asyncio.run(run([good[0]], [good[1]], [good[2], good[3]], [good[4]]))
    assert transactions == [1, 4]
    assert [len(cast(Filing, one)[0]) for one in answers] == [1, 1, 2, 1]
    again, wrong, lone, last = asyncio.run(run([good[0], good[5]], [foreign], [unsigned], [good[1], good[1]]))
    assert isinstance(wrong, InputError)
    assert isinstance(lone, Exception)
    for outcome, numbers in ((again, ["n0", "n5"]), (last, ["n1", "n1"])):
        places = cast(Filing, outcome)[0]
        assert [outbox.kept(place.entry.draft_id)[place.record].number for place in places] == numbers
    entries = outbox.due()
    assert len(entries) == 6
    assert len({(entry.lane, entry.seq) for entry in entries}) == 6


def test_what_was_told_while_its_note_waits_is_told_again(outbox: Outbox) -> None:
    """Somebody reads the outbox, then the proof comes and is told, then the note is written: nobody waits in vain."""
    (entry,) = outbox.file([new_item(on_this_chain("n"))])
    assert entry.id is not None
    decided = cast(Decided, object())
    proven = Outcome(replace(entry, status=COMMITTED, code="OK", height=7, position=0), decided)

    class Held(Worker):
        """Carries nothing out until it is let."""

        held: list[tuple[Callable[[], Any], asyncio.Future[Any]]]

        def begin(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self.held.append((work, future))
            return future

    async def run() -> None:
        worker = Held()
        worker.held = []
        delivery = delivery_of(outbox, worker)
        settling = asyncio.create_task(delivery._settle_proven([proven]))
        while not worker.held:  # noqa: ASYNC110 - until the task has begun
            await asyncio.sleep(0)
        told = await delivery.wait([entry], 30, ())
        outcome = told[entry.id or b""]
        assert isinstance(outcome, Outcome)
        assert (outcome.entry.status, outcome.entry.height, outcome.decided) == (COMMITTED, 7, decided)
        ((work, future),) = worker.held
        future.set_result(work())
        await settling
        kept = outbox.entry(entry.id or b"")
        assert kept is not None
        assert (kept.status, kept.height) == (COMMITTED, 7)
        worker.close()

    asyncio.run(run())
