"""The receipts of one submission, verified together: what they share once, and of each only what is its own.

Whoever made a submission holds its records. From them, and from what each came to, the two Merkle trees follow whose
roots the signed body and the result hold: equal roots show all records at once, and each one's proofs are read off the
trees when its file is wanted.

What is accepted here is VALID by ``fazhi_ledger.receipt_steps.check_receipt``, with the same facts; the tests hold the
two against one another. What does not hold here, or is unusual (a chain whose validators have changed), is left to it:
it says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fazhi_ledger import merkle
from fazhi_ledger.canonical import Value
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.limits import MAX_RECEIPT_BYTES, MAX_TEXT_CHARS
from fazhi_ledger.names import ORG
from fazhi_ledger.receipt import Disclosed, Docket, RecordReceipt
from fazhi_ledger.receipt_steps import DisclosedFile, Facts
from fazhi_ledger.record import Opening, Record, case_id, case_key, commitment
from fazhi_ledger.recording import Recording, is_recording
from fazhi_ledger.result import RecordResult
from fazhi_ledger.submission import Item, SubmissionBody, envelope_parts

from .outbox_rows import Kept, Shut
from .trust import Decided, Trust

SHORT: Final = 1024
"""Characters or bytes of a field's value that fit into an opening whatever they are."""
ENCODED_BYTES: Final = 1536
"""What one opening's place and path, or everything of fixed size, take at most in a receipt's JSON."""


@slotted
class Batch:
    """One decided submission with all its records, and what each of them came to (encoded, in their order)."""

    trust: Trust
    decided: Decided
    body: SubmissionBody
    records: tuple[bytes, ...]
    results: tuple[bytes, ...]
    records_tree: merkle.Tree
    results_tree: merkle.Tree
    sound: bool
    """Whether all that its receipts share holds: steps 2, 5 to 7, 10 and 11, and of 4 and 8 the roots. (The places in
    the block and the certificate are what ``decided`` stands for.)"""

    @classmethod
    def of(
        cls, trust: Trust, decided: Decided, records: Sequence[bytes], results: Sequence[bytes], signed: Item | None
    ) -> Batch:
        """The batch; nothing is refused here. ``signed`` is the submission as it was signed, and verified, before.

        Raises:
            EncodingError: the envelope is none.
        """
        suite, item = trust.suite, _item_of(decided, signed)
        records_tree = merkle.Tree(suite, merkle.leaf_hashes(suite, records))
        results_tree = merkle.Tree(suite, merkle.leaf_hashes(suite, results))
        body, result, count = item.body, decided.result, len(records)
        sound = (
            _signed(trust, item, signed)
            and body.genesis_hash == trust.genesis_hash
            and is_recording(body)
            and count == len(results) > 0
            and _says(body, count, records_tree.root)
            and result.ok
            and tuple(signer.key for signer in result.signers) == body.signer_keys
            and result.record_results_root == results_tree.root
            and decided.certified.validators is trust.first_set
            and not decided.handovers
        )
        return cls(trust, decided, body, tuple(records), tuple(results), records_tree, results_tree, sound)

    def facts(self, index: int, kept: Kept | None) -> Facts | None:
        """What the receipt of one record says, verified; None where that needs a closer look."""
        if not self.sound:
            return None
        try:
            record, result = Record.decode(self.records[index]), RecordResult.decode(self.results[index])
            if kept is not None and kept.shut:
                return None
            openings = kept.openings if kept is not None and in_place(record, kept) else ()
            suite, body = self.trust.suite, self.body
            if (
                result.case_id == case_id(suite, Recording.of(body).member, record.case_key)
                and (kept is None or self._is_case(record, kept))
                and self._opened(index, record, openings)
                and self._fits(index, openings)
            ):
                return self._facts(record, result, kept, openings)
        except (FazhiError, TypeError, ValueError):
            pass
        return None

    def _is_case(self, record: Record, kept: Kept) -> bool:
        return (
            record.case_key == case_key(self.trust.suite, kept.org, record.procedure, kept.number)
            and ORG[kept.org]
            and 1 <= len(kept.number) <= MAX_TEXT_CHARS
        )

    def _opened(self, index: int, record: Record, openings: Sequence[Opening]) -> bool:
        """Step 3: what is disclosed is all that the record commits to, each value in its place."""
        if not openings:
            return True
        leaves = commitment_leaves(self.trust, self.body, index, openings)
        return (
            merkle.root_of(self.trust.suite, leaves) == record.commitments_root
            and len({opening.field for opening in openings}) == len(openings)
            and all(map(_is_plain, openings))
        )

    def _fits(self, index: int, openings: Sequence[Opening]) -> bool:
        """Whether the receipt is far from being too large."""
        decided = self.decided
        size = (len(openings) + 4) * ENCODED_BYTES + sum(map(_size, openings))
        size += len(self.trust.file.genesis_bytes) + len(decided.certificate) + len(decided.envelope)
        size += len(decided.result_bytes) + len(self.records[index]) + len(self.results[index])
        size += 64 * (len(decided.envelope_proof) + len(decided.result_proof))
        return size <= MAX_RECEIPT_BYTES // 2

    def _facts(self, record: Record, result: RecordResult, kept: Kept | None, openings: Sequence[Opening]) -> Facts:
        trust, body, certified = self.trust, self.body, self.decided.certified
        header = certified.header
        return Facts(
            genesis=trust.genesis,
            genesis_hash=trust.genesis_hash,
            org=body.org,
            case_member=Recording.of(body).member,
            docket_number=None if kept is None else kept.number,
            record=record,
            number_in_case=result.number,
            record_result=result,
            signers=self.decided.result.signers,
            claimed_time_ms=body.claimed_time_ms,
            block_height=header.height,
            block_time_ms=header.time_ms,
            proposer=header.proposer,
            anchor_height=header.height,
            certified_by=certified.members,
            validators=tuple(seat.member for seat in certified.validators.validators),
            files=tuple(DisclosedFile(one.field, one.file, None) for one in openings if one.is_file),
            fields=tuple(one for one in openings if not one.is_file),
        )

    def receipt(self, index: int, kept: Kept | None) -> RecordReceipt:
        """All bytes of one record's receipt; not verified by this."""
        decided, record = self.decided, self.records[index]
        placed = in_place(Record.decode(record), kept)
        tree = merkle.Tree(self.trust.suite, commitment_leaves(self.trust, self.body, index, placed))
        return RecordReceipt(
            genesis=self.trust.file.genesis_bytes,
            handovers=decided.handovers,
            certificate=decided.certificate,
            anchor=None,
            header=decided.header_bytes,
            submission=decided.envelope,
            submission_index=decided.index,
            submission_proof=decided.envelope_proof,
            result=decided.result_bytes,
            result_proof=decided.result_proof,
            record=record,
            record_index=index,
            record_proof=self.records_tree.proof(index),
            record_result=self.results[index],
            record_result_proof=self.results_tree.proof(index),
            docket=None if kept is None else Docket(kept.org, kept.number),
            openings=disclosed(tree, placed),
        )


def _item_of(decided: Decided, signed: Item | None) -> Item:
    """The submission without its records; what was signed is not decoded again where it is the same."""
    if signed is not None and signed.envelope() == decided.envelope:
        return signed
    return Item(*envelope_parts(decided.envelope))


def _signed(trust: Trust, item: Item, signed: Item | None) -> bool:
    """Whether every key that the body names signed it, and the genesis holds together."""
    try:
        _ = trust.checked
        if signed is None or (signed.body_bytes, signed.signatures) != (item.body_bytes, item.signatures):
            item.verify_signatures(trust.suite)
    except FazhiError:
        return False
    return True


def in_place(record: Record, kept: Kept | None) -> tuple[Opening | Shut, ...]:
    """All that the record commits to; none where what is kept is not the record's."""
    placed = () if kept is None else kept.in_place()
    return placed if len(placed) == record.commitment_count else ()


def commitment_leaves(trust: Trust, body: SubmissionBody, index: int, placed: Sequence[Opening | Shut]) -> list[bytes]:
    """The leaf hashes of a record's commitments; of those that were destroyed the commitment was kept."""
    suite, first = trust.suite, body.signer_keys[0]
    return merkle.leaf_hashes(
        suite,
        [
            commitment(suite, trust.genesis_hash, first, body.draft_id, index, one)
            if isinstance(one, Opening)
            else one.commitment
            for one in placed
        ],
    )


def disclosed(tree: merkle.Tree, placed: Sequence[Opening | Shut]) -> tuple[Disclosed, ...]:
    """Every opening, with its path in the tree of the record's commitments."""
    return tuple(
        Disclosed(place, one.encode(), tree.proof(place))
        for place, one in enumerate(placed)
        if isinstance(one, Opening)
    )


def _is_plain(opening: Opening) -> bool:
    """Whether an opening is read as it was written."""
    value = opening.value
    if value is None or type(value) is int or (type(value) in (str, bytes) and _length(value) <= SHORT):
        return True
    return Opening.decode(opening.encode()) == opening


def _size(opening: Opening) -> int:
    """At least as many bytes as it takes, encoded, beyond its place."""
    return 4 * _length(opening.value) if type(opening.value) in (str, bytes) else len(opening.encode())


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str | bytes) else 0


def _says(body: SubmissionBody, count: int, root: bytes) -> bool:
    """Whether the signed arguments are those of so many records under that root."""
    try:
        said = Recording.of(body)
    except FazhiError:
        return False
    return said.count == count and said.root == root
