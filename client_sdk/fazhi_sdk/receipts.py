"""Receipts: made of the node's proof and the outbox's openings, and verified before anybody sees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from fazhi_ledger import merkle
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.limits import MAX_RECEIPT_BYTES
from fazhi_ledger.receipt import Disclosed, Docket, RecordReceipt
from fazhi_ledger.receipt_steps import Facts, PresentedFile, check_receipt, digest_algorithms
from fazhi_ledger.record import Opening, Record
from fazhi_ledger.result import Finding
from fazhi_ledger.submission import SubmissionBody, envelope_parts, submission_id

from .errors import InputError, ReceiptFailed
from .files import read_bounded, write_atomically
from .outbox_rows import Kept
from .receipt_batch import Batch, commitment_leaves, disclosed, in_place
from .sealing import Progress, seal
from .trust import Fields, Trust


class Receipt:
    """A verified receipt of one record. ``facts`` is what it says, decoded from bytes that the proofs bind.

    ``data`` is the file's content, or what makes it when it is first asked for.
    """

    __slots__ = ("_data", "facts")

    pending = False

    def __init__(self, data: bytes | Callable[[], bytes], facts: Facts) -> None:
        self._data = data
        self.facts = facts

    @property
    def data(self) -> bytes:
        """The file's content."""
        if not isinstance(self._data, bytes):
            self._data = self._data()
        return self._data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Receipt) and (self.data, self.facts) == (other.data, other.facts)

    def __hash__(self) -> int:
        return hash(self.data)

    def __reduce__(self) -> tuple[type[Receipt], tuple[bytes, Facts]]:
        return Receipt, (self.data, self.facts)

    def __repr__(self) -> str:
        facts = self.facts
        return f"<Receipt {facts.docket_number or facts.record.case_key.hex()[:16]} {facts.record.step} @{self.height}>"

    @classmethod
    def load(cls, path: str | os.PathLike[str], genesis_hash: str | bytes) -> Receipt:
        """Read a receipt file and verify it under the genesis hash that you were given.

        Raises:
            InvalidReceipt: with the code of the step that failed and its number.
        """
        data = read_bounded(path, MAX_RECEIPT_BYTES)
        trusted = bytes.fromhex(genesis_hash) if isinstance(genesis_hash, str) else genesis_hash
        return cls(data, check_receipt(data, trusted).require_valid())

    @property
    def id(self) -> bytes:
        """The submission's id."""
        body, _ = envelope_parts(RecordReceipt.from_json(self.data).submission)
        return submission_id(self.facts.genesis.suite, body)

    @property
    def height(self) -> int:
        """The height of the block that holds the record."""
        return self.facts.block_height

    @property
    def number_in_case(self) -> int:
        """Which event of its case it is, from 1."""
        return self.facts.number_in_case

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Irregularities that the chain noted; none is good."""
        return self.facts.record_result.findings

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all; it is on disk when this returns."""
        write_atomically(path, self.data)
        return Path(path)

    def check_file(self, path: str | os.PathLike[str], progress: Progress | None = None) -> None:
        """Seal the file again and compare.

        Raises:
            InvalidReceipt: ``file-does-not-match``.
        """
        value = seal(path, algorithms=digest_algorithms(self.data), progress=progress)
        presented = PresentedFile(Path(path).name, dict(value.digests), value.length)
        check_receipt(self.data, self.facts.genesis_hash, [presented]).require_valid()

    def disclosing(self, fields: Collection[str], *, docket: bool = True) -> Receipt:
        """A receipt that opens only these fields (``file.1``, ``place``), and the docket number or not: the rest stays
        shut.

        Raises:
            InputError: ``bad-field`` for a field that this receipt does not open.
        """
        whole = RecordReceipt.from_json(self.data)
        opened = {Opening.decode(item.opening).field: item for item in whole.openings}
        for name in fields:
            if name not in opened:
                raise InputError("bad-field", field=name, reason="this receipt does not open it")
        kept = tuple(item for name, item in opened.items() if name in fields)
        data = replace(whole, openings=kept, docket=whole.docket if docket else None).to_json()
        return Receipt(data, check_receipt(data, self.facts.genesis_hash).require_valid())


def receipt_of(batch: Batch, index: int, kept: Kept | None) -> Receipt:
    """The receipt of one record of a submission, from its proof and what the outbox keeps; verified.

    Without ``kept`` (another outbox made the record) it discloses nothing.

    Raises:
        ReceiptFailed: naming the step that does not hold.
    """
    facts = batch.facts(index, kept)
    if facts is not None:
        return Receipt(lambda: batch.receipt(index, kept).to_json(), facts)
    try:
        data = batch.receipt(index, kept).to_json()
        facts = check_receipt(data, batch.trust.genesis_hash, (), batch.trust.checked).require_valid()
    except FazhiError as error:
        raise ReceiptFailed("receipt-failed", reason=FazhiError.__str__(error)) from error
    return Receipt(data, facts)


def build_receipt(trust: Trust, fields: Fields, kept: Kept | None) -> Receipt:
    """The receipt of one record, from the proof that a gateway served and what the outbox keeps; verified.

    Without ``kept`` (another outbox made the record) it discloses nothing.

    Raises:
        ReceiptFailed: naming the step that does not hold.
    """
    submission, record = fields.base64("submission"), fields.base64("record")
    index = fields.integer("record_index")
    try:
        disclosed = () if kept is None else _disclosed(trust, submission, record, index, kept)
        receipt = RecordReceipt(
            genesis=trust.file.genesis_bytes,
            handovers=fields.handovers(),
            certificate=fields.base64("certificate"),
            anchor=None,
            header=fields.base64("header"),
            submission=submission,
            submission_index=fields.integer("submission_index"),
            submission_proof=fields.hashes("submission_proof"),
            result=fields.base64("result"),
            result_proof=fields.hashes("result_proof"),
            record=record,
            record_index=index,
            record_proof=fields.hashes("record_proof"),
            record_result=fields.base64("record_result"),
            record_result_proof=fields.hashes("record_result_proof"),
            docket=None if kept is None else Docket(kept.org, kept.number),
            openings=disclosed,
        )
        data = receipt.to_json()
        facts = check_receipt(data, trust.genesis_hash, (), trust.checked).require_valid()
    except FazhiError as error:
        raise ReceiptFailed("receipt-failed", reason=FazhiError.__str__(error)) from error
    return Receipt(data, facts)


def _disclosed(trust: Trust, submission: bytes, record: bytes, index: int, kept: Kept) -> tuple[Disclosed, ...]:
    """Every opening with its path; nothing where the openings are not the record's."""
    body = SubmissionBody.decode(envelope_parts(submission)[0])
    placed = in_place(Record.decode(record), kept)
    leaves = commitment_leaves(trust, body, index, placed)
    return disclosed(merkle.Tree(trust.suite, leaves), placed)
