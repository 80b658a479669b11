"""From the proof of a decided submission to the verified receipts of its records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from fazhi_ledger.errors import FazhiError
from fazhi_ledger.submission import Item

from .. import errors
from ..errors import ReceiptFailed, SdkError
from ..outbox import Outbox
from ..outbox_rows import Entry, Kept
from ..receipt_batch import Batch
from ..receipts import Receipt, build_receipt, receipt_of
from ..trust import Decided, Fields, Trust
from .delivery import AT_A_TIME, Delivery
from .worker import Worker

MAX_FETCHED: Final = 8
"""Proofs that are fetched at a time."""


class Receipting:
    """Makes the receipts of one chain's submissions."""

    def __init__(self, trust: Trust, outbox: Outbox, worker: Worker, delivery: Delivery) -> None:
        self._trust = trust
        self._outbox = outbox
        self._worker = worker
        self._delivery = delivery
        self._limit = asyncio.Semaphore(MAX_FETCHED)

    def ready(
        self, proof: tuple[Decided, Fields] | None, kept: Sequence[Kept] | None, signed: Item | None
    ) -> Receipt | SdkError | None:
        """The receipt of a submission of one record where all that it is made of is at hand; else None."""
        if proof is None or not kept or signed is None or len(signed.records) != 1:
            return None
        try:
            return receipt_of(self._single(proof, signed.records, signed), 0, kept[0])
        except SdkError as error:
            return error

    async def receipts(
        self,
        entry: Entry,
        records: Sequence[int],
        proof: tuple[Decided, Fields] | None = None,
        kept: Sequence[Kept] | None = None,
        signed: Item | None = None,
    ) -> list[Receipt | SdkError]:
        """The verified receipts of some records of a committed submission, in their order, or what stands between.

        ``proof`` (of its first record) and what is ``kept`` of it are looked up where they are not at hand; ``signed``
        is the submission as this process has signed and verified it.
        """
        if kept is None:
            kept = await self._worker.run(lambda: self._outbox.kept(entry.draft_id))
        try:
            batch = await self._batch(entry, records, proof, signed)
        except SdkError as error:  # the receipt is missing, not what it is of
            error.outcome = errors.Outcome.RECORDED
            return [error] * len(records)
        found: list[Receipt | SdkError] = []
        for record in records:
            mine = kept[record] if record < len(kept) else None
            try:
                if batch is None:
                    fields = proof[1] if proof is not None and record == 0 else await self._proof(entry, record)
                    found.append(build_receipt(self._trust, fields, mine))
                else:
                    found.append(receipt_of(batch, record, mine))
                    if len(found) % AT_A_TIME == 0:
                        await asyncio.sleep(0)
            except SdkError as error:
                found.append(error)
        return found

    async def _batch(
        self, entry: Entry, records: Sequence[int], proof: tuple[Decided, Fields] | None, signed: Item | None
    ) -> Batch | None:
        """The submission with all its records; None where they are better asked for one by one: a single one of many,
        records that are not at hand, a gateway that does not tell what all came to.
        """
        item = signed if signed is not None or entry.item is None else Item.decode(entry.item)
        if item is None or (len(item.records) > 1 == len(records)):
            return None
        async with self._limit:
            if len(item.records) == 1:
                proof = proof or await self._delivery.proof(entry.id or b"", 0)
                return self._single(proof, item.records, signed)
            decided, results = await self._delivery.proof_of_all(entry.id or b"")
        return None if results is None else self._made(decided, item.records, results, signed)

    def _single(self, proof: tuple[Decided, Fields], records: Sequence[bytes], signed: Item | None) -> Batch:
        return self._made(proof[0], records, [proof[1].base64("record_result")], signed)

    def _made(self, decided: Decided, records: Sequence[bytes], results: Sequence[bytes], signed: Item | None) -> Batch:
        try:
            return Batch.of(self._trust, decided, records, results, signed)
        except FazhiError as error:
            raise ReceiptFailed("receipt-failed", reason=FazhiError.__str__(error)) from error

    async def _proof(self, entry: Entry, record: int) -> Fields:
        try:
            async with self._limit:
                return (await self._delivery.proof(entry.id or b"", record))[1]
        except SdkError as error:
            error.outcome = errors.Outcome.RECORDED
            raise
