"""Receipts verified together: every one of them is VALID by the full check and says the same, and nothing that the full
check refuses is taken."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from fazhi_contracts.chain import MemoryChain, build_block
from fazhi_ledger import merkle
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.receipt import RecordReceipt
from fazhi_ledger.receipt_steps import check_receipt
from fazhi_ledger.record import Opening, commitment
from fazhi_ledger.submission import Item
from fazhi_sdk.drafts import DraftData, RecordDraft, combine, openings_of
from fazhi_sdk.errors import ReceiptFailed
from fazhi_sdk.outbox_rows import Kept, Shut, new_draft_id
from fazhi_sdk.receipt_batch import Batch
from fazhi_sdk.receipts import Receipt, build_receipt, receipt_of
from fazhi_sdk.trust import Fields, Trust
from hypothesis import given
from hypothesis import strategies as st

from .chains import HEAD, OFFICER, ORGS, certificate_of, genesis_file
from .parts import NOW_MS, SUITE, file_value

LANE = b"l" * 16


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Block:
    """One certified block of submissions of 1, 2 and 7 records, and a refused one: what a gateway says of each, and
    what the outbox keeps."""

    def __init__(self) -> None:
        file = genesis_file()
        self.genesis_file = file
        self.trust = Trust(file)
        records = iter(self._drafts(file.hash()))
        drafts = [combine([next(records) for _ in range(count)], new_draft_id()) for count in (1, 2, 7)]
        drafts.append(dataclasses.replace(drafts[0], draft_id=new_draft_id()))  # the case exists
        signed = [draft.at(LANE, seq) for seq, draft in enumerate(drafts)]
        self.items: list[Item] = [draft.complete()[1] for draft in signed]
        self.kept: list[tuple[Kept, ...]] = [draft.kept() for draft in signed]
        executed = build_block(MemoryChain(file).state, ORGS[1], NOW_MS + 1, self.items)
        certificate = certificate_of(file.hash(), 1, executed.block_hash)
        places = merkle.Tree(SUITE, [item.leaf(SUITE) for item in self.items])
        outcomes = merkle.Tree(SUITE, merkle.leaf_hashes(SUITE, executed.result_leaves))
        self.results = [outcome.record_result_bytes for outcome in executed.outcomes]
        self.fields: list[dict[str, Any]] = [
            {
                "header": b64(executed.block.header.encode()),
                "certificate": b64(certificate),
                "handovers": [],
                "submission": b64(item.envelope()),
                "submission_index": at,
                "submission_proof": [one.hex() for one in places.proof(at)],
                "result": b64(executed.result_leaves[at]),
                "result_proof": [one.hex() for one in outcomes.proof(at)],
            }
            for at, item in enumerate(self.items)
        ]

    def _drafts(self, genesis_hash: bytes) -> list[DraftData]:
        """One record each: files and fields of every kind, or nothing at all."""
        values: list[dict[str, Any]] = [
            {"place": "环城路", "n": 7},
            {},
            {"note": "长" * 2000, "raw": b"\x00" * 1500},
            {"list": (1, ("a", b"b"), None), "flag": True},
        ]
        keys: tuple[SoftwareSigner, ...] = (OFFICER, HEAD)
        public = tuple(key.public_key for key in keys)
        found = []
        for number in range(10):
            files = [file_value(b"%d %d" % (number, n)) for n in range(number % 3)]
            openings = openings_of(files, values[number % 4])
            record = RecordDraft("zfj", "penalty", f"桐\n2026-{number}", "LEAD", NOW_MS, (), (), openings)
            draft = DraftData(SUITE.name, genesis_hash, "zfj", new_draft_id(), NOW_MS, (record,), public, signers=keys)
            found.append(draft)
        return found

    def batch(self, at: int, signed: Item | None = None, results: Sequence[bytes] | None = None) -> Batch:
        fields = Fields(self.fields[at], "http://node")
        decided = self.trust.decided(fields, self.items[at].id(SUITE))
        return Batch.of(
            self.trust, decided, self.items[at].records, self.results[at] if results is None else results, signed
        )

    def one_by_one(self, at: int, record: int, kept: Kept | None) -> Receipt:
        """The receipt as it is made of the proof of a single record."""
        trees = [merkle.Tree(SUITE, merkle.leaf_hashes(SUITE, x)) for x in (self.items[at].records, self.results[at])]
        part = {
            "record": b64(self.items[at].records[record]),
            "record_index": record,
            "record_proof": [one.hex() for one in trees[0].proof(record)],
            "record_result": b64(self.results[at][record]),
            "record_result_proof": [one.hex() for one in trees[1].proof(record)],
        }
        return build_receipt(self.trust, Fields({**self.fields[at], **part}, "http://node"), kept)


@cache
def block() -> Block:
    return Block()


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("disclosing", ["all", "nothing", "forgotten"])
def test_each_is_valid_and_the_same_as_one_by_one(at: int, known: bool, disclosing: str) -> None:
    batch = block().batch(at, block().items[at] if known else None)
    assert batch.sound
    for record, whole in enumerate(block().kept[at]):
        kept = {"all": whole, "nothing": None, "forgotten": dataclasses.replace(whole, openings=())}[disclosing]
        facts = batch.facts(record, kept)
        receipt = receipt_of(batch, record, kept)
        assert facts == receipt.facts == check_receipt(receipt.data, block().trust.genesis_hash).facts
        assert receipt == block().one_by_one(at, record, kept)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_what_was_destroyed_is_not_opened_and_the_rest_is(at: int) -> None:
    batch = block().batch(at, None)
    for record, whole in enumerate(block().kept[at]):
        key, draft_id, chain = batch.body.signer_keys[0], batch.body.draft_id, block().trust.genesis_hash
        leaves = [commitment(SUITE, chain, key, draft_id, record, one) for one in whole.openings]
        for place, gone in enumerate(whole.openings):
            rest = tuple(one for one in whole.openings if one != gone)
            kept = dataclasses.replace(whole, openings=rest, shut=((place, Shut(gone.field, leaves[place])),))
            receipt = receipt_of(batch, record, kept)
            assert receipt == block().one_by_one(at, record, kept)
            shown = [one.field for one in receipt.facts.files] + [one.field for one in receipt.facts.fields]
            assert sorted(shown) == sorted(one.field for one in rest)


def test_a_refused_submission_has_no_receipt() -> None:
    batch = block().batch(3, results=[b""])
    assert not batch.sound
    with pytest.raises(ReceiptFailed):
        receipt_of(batch, 0, block().kept[3][0])


def test_a_signature_is_looked_at_unless_it_is_the_one_looked_at_before() -> None:
    item = block().items[1]
    forged = Item(item.body_bytes, (item.signatures[1], item.signatures[0]), item.records)
    decided = dataclasses.replace(block().batch(1).decided, envelope=forged.envelope())
    for signed in (None, item):
        batch = Batch.of(block().trust, decided, item.records, block().results[1], signed)
        assert not batch.sound
        with pytest.raises(ReceiptFailed, match="signature"):
            receipt_of(batch, 0, None)


@given(st.data())
def test_nothing_is_taken_that_the_full_check_refuses(data: st.DataObject) -> None:
    """Bytes altered anywhere: what is accepted all the same is valid by the full check, with the same facts."""
    at = data.draw(st.sampled_from([0, 1, 2]))
    batch = block().batch(at)
    record = data.draw(st.integers(0, len(batch.records) - 1))
    kept = block().kept[at][record]
    records, results, decided = list(batch.records), list(batch.results), batch.decided
    what = data.draw(st.sampled_from(["record", "result", "envelope", "order", "opening", "docket", "trust", "count"]))
    if what == "record":
        records[record] = _altered(data, records[record])
    elif what == "result":
        results[record] = _altered(data, results[record])
    elif what == "envelope":
        decided = dataclasses.replace(decided, envelope=_altered(data, decided.envelope))
    elif what == "order":
        results = data.draw(st.permutations(results))
    elif what == "count":
        results = results[: data.draw(st.integers(0, len(results)))]
    elif what == "opening" and kept.openings:
        place = data.draw(st.integers(0, len(kept.openings) - 1))
        openings = list(kept.openings)
        openings[place] = Opening(openings[place].field, _altered(data, openings[place].salt), openings[place].value)
        kept = dataclasses.replace(kept, openings=tuple(openings))
    elif what == "docket":
        kept = dataclasses.replace(kept, number=data.draw(st.text(max_size=300)))
    else:
        kept = dataclasses.replace(kept, org=data.draw(st.sampled_from(["zfj", "fy", "Zfj", ""])))
    try:
        altered = Batch.of(block().trust, decided, records, results, None)
        receipt = receipt_of(altered, record, kept)
    except Exception:  # noqa: BLE001 - what matters is what is accepted
        return
    report = check_receipt(receipt.data, block().trust.genesis_hash)
    assert report.facts == receipt.facts


def _altered(data: st.DataObject, original: bytes) -> bytes:
    place = data.draw(st.integers(0, len(original) - 1))
    return original[:place] + bytes([data.draw(st.integers(0, 255))]) + original[place + 1 :]


def test_a_file_is_made_when_it_is_asked_for() -> None:
    batch, kept = block().batch(2), block().kept[2][3]
    receipt = receipt_of(batch, 3, kept)
    data = receipt.data
    assert receipt.data is data
    whole = RecordReceipt.from_json(data)
    assert whole.to_json() == data
    assert whole.record_index == 3
