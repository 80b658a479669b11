"""What a node can tell of its chain: plain values of verbatim bytes, for the gateway to put into JSON.

A proof of the state is against the tip's header, so such an answer is only whole as of one moment: ask for cases, keys,
lanes, validators and parameters on the machine's thread, between its events, never while a commit runs. Blocks, record
proofs, history proofs, events and the archive never change once they are there and may be read from any thread. Nothing
here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fazhi_contracts.entries import KeyEntry, MemberEntry
from fazhi_contracts.head import CaseHead
from fazhi_contracts.in_force import decoded_rules
from fazhi_contracts.keys import case_state_key, member_key
from fazhi_contracts.proposals import Proposal
from fazhi_contracts.queries import (
    calendar_bytes,
    case_head,
    epoch_set,
    key_entry,
    lane_entry,
    members,
    parameters,
    proposals,
    rule_set_bytes,
    rules_bytes,
    validator_sets,
)
from fazhi_ledger import merkle, statetree
from fazhi_ledger.archive import write_archive
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import FazhiError, InvariantBroken, Parameter, invariant
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.receipt import Handover
from fazhi_ledger.result import RecordResult, Result
from fazhi_ledger.stateproof import key_hash_of
from fazhi_ledger.submission import Item
from fazhi_ledger.validators import ValidatorSet

from .limits import EVENTS_PAGE, OPEN_BLOCKS
from .proofs import OpenBlock, OpenBlocks, RecordPart
from .storage.chain_layout import EventPlace, Place
from .storage.chain_store import ChainStore


class NotFound(FazhiError):
    """What was asked for is not on this chain (yet): ``unknown-submission``, ``unknown-block``, ``unknown-record``,
    ``unknown-rules``, ``no-checkpoint``."""


class NotHere(FazhiError):
    """``below-base``: this node joined from a snapshot and does not hold what was asked for, or cannot know whether it
    is on the chain. Other members can."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A header and the certificate that shows a quorum's commits for it, both encoded."""

    height: int
    header: bytes
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Committed:
    """Where a submission stands and what it came to; ``records`` are empty where it was refused."""

    submission_id: bytes
    height: int
    index: int
    code: str
    parameters: tuple[Parameter, ...]
    records: tuple[RecordResult, ...]


@dataclass(frozen=True, slots=True)
class BlockAnswer:
    """A block's hash, and the block in its parts, encoded."""

    height: int
    hash: bytes
    header: bytes
    items: tuple[bytes, ...]
    certificate: bytes


@dataclass(frozen=True, slots=True)
class SubmissionProof:
    """What ties a submission, its result and one of its records to a certificate: the node's half of a record receipt
    (``/v1/submissions/{id}/proof``). ``record`` is None where the submission was refused or has no records. Bytes as
    they stand on the chain; proofs are digests from the leaf upwards."""

    checkpoint: Checkpoint
    submission: bytes
    index: int
    submission_proof: tuple[bytes, ...]
    result: bytes
    result_proof: tuple[bytes, ...]
    record: RecordPart | None


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One event of a case: its number and place, and what it came to."""

    place: EventPlace
    submission_id: bytes
    result: RecordResult


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """A case as of the tip, or its absence: ``head`` is None and the proof one of absence. ``proof`` is encoded."""

    checkpoint: Checkpoint
    head: bytes | None
    proof: bytes
    events: tuple[CaseEvent, ...]

    @property
    def decoded_head(self) -> CaseHead | None:
        """The head's decoded form."""
        return None if self.head is None else CaseHead.decode(self.head)


@dataclass(frozen=True, slots=True)
class RulesAnswer:
    """Rules of blocks, the calendars in force under them and the rule sets of one procedure, encoded. Each is known by
    its hash: whoever holds the header needs no proof."""

    rules: bytes
    calendars: tuple[bytes, ...]
    rule_sets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ConsistencyAnswer:
    """That the chain of ``newer`` extends that of ``older``: the log of ``newer.height`` leaves extends the one of
    ``older.height``, and the older header itself is leaf ``older.height`` of it (none where both are the same)."""

    older: Checkpoint
    newer: Checkpoint
    consistency: tuple[bytes, ...]
    inclusion: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """One submission that a block executed. ``(height, index)`` is its cursor."""

    height: int
    index: int
    time_ms: int
    submission_id: bytes
    org: str
    contract: str
    action: str
    code: str
    parameters: tuple[Parameter, ...]
    records: tuple[RecordResult, ...]


class ChainReader:
    """Questions about the chain in a store. Heights and indices are plain integers; bytes are as stored."""

    def __init__(self, store: ChainStore) -> None:
        self._store = store
        self._suite = store.suite
        self._blocks = OpenBlocks(store)

    @property
    def height(self) -> int:
        """Height of the tip."""
        return self._store.tip.height

    @property
    def base(self) -> int:
        """Blocks are here from ``base`` + 1 on; 0 where all are."""
        return self._store.base

    def _not_here(self) -> NotHere:
        return NotHere("below-base", first=self.base + 1)

    def absent(self, code: str) -> FazhiError:
        """What to raise for a submission that was not found: with a base it may stand below."""
        return self._not_here() if self.base else NotFound(code)

    def genesis_file(self) -> bytes:
        """The encoded genesis file."""
        return self._store.genesis_file.encode()

    def parameters(self) -> Parameters:
        """The chain's parameters as of the tip."""
        return parameters(self._store)

    def validators(self) -> tuple[ValidatorSet, ValidatorSet | None]:
        """The set that certifies the next block, and the one that waits to take over."""
        return validator_sets(self._store)

    def members(self) -> tuple[MemberEntry, ...]:
        """Who holds a seat or is about to, and how they are reached."""
        return members(self._store)

    def member_proofs(self) -> tuple[Checkpoint, tuple[tuple[str, bytes, bytes], ...]]:
        """The members as of the tip, (org, entry, proof of the entry), proven under the checkpoint.

        Raises:
            NotFound: ``no-checkpoint``.
        """
        proven = []
        for member in self.members():
            proof = statetree.prove(self._suite, self._store, key_hash_of(self._suite, member_key(member.org)))
            proven.append((member.org, member.encode(), encode(proof.to_value())))
        return self.checkpoint(), tuple(proven)

    def proposals(self) -> tuple[tuple[bytes, Proposal], ...]:
        """What the next block may vote on, oldest first."""
        return proposals(self._store, self.height + 1)

    def key(self, public_key: bytes) -> KeyEntry | None:
        """A registered key, revoked ones included."""
        return key_entry(self._store, public_key)

    def next_seq(self, org: str, public_key: bytes, lane: bytes) -> int:
        """The next seq of a lane in the state at the tip; 0 for a lane never used."""
        entry = lane_entry(self._store, org, public_key, lane)
        return 0 if entry is None else entry.next_seq

    # Blocks

    def checkpoint(self, height: int | None = None) -> Checkpoint:
        """Header and certificate of ``height``, or of the tip.

        Raises:
            NotFound: ``no-checkpoint`` on a chain without a block, ``unknown-block`` above the tip.
            NotHere: below the base, but for the headers that hand over.
        """
        at = self.height if height is None else height
        header, certificate = self._store.header_bytes(at), self._store.certificate(at)
        if header is None or certificate is None:
            if 1 <= at <= self.base:
                raise self._not_here()
            raise NotFound("no-checkpoint") if self.height == 0 else NotFound("unknown-block", height=at)
        return Checkpoint(at, header, certificate.encode())

    def block(self, height: int) -> BlockAnswer:
        """Block ``height``.

        Raises:
            NotFound: ``no-checkpoint``, ``unknown-block``.
            NotHere: the base, or below it.
        """
        if 1 <= height <= self.base:
            raise self._not_here()
        checkpoint = self.checkpoint(height)
        block = self._store.block(height)
        if block is None:
            raise InvariantBroken("a block is stored with its header")
        items = tuple(item.encode() for item in block.items)
        return BlockAnswer(height, block.hash(self._suite), checkpoint.header, items, checkpoint.certificate)

    def blocks(self, first: int, limit: int) -> Iterator[BlockAnswer]:
        """Blocks from ``first`` on, at most ``limit``, one at a time."""
        for height in range(max(1, first), min(self.height, max(1, first) + limit - 1) + 1):
            yield self.block(height)

    def block_and_certificate(self, height: int) -> tuple[bytes, bytes] | None:
        """Block and certificate, encoded, for peers and archives; None above the tip and up to the base."""
        block, certificate = self._store.block_bytes(height), self._store.certificate(height)
        return None if block is None or certificate is None else (block, certificate.encode())

    def archive(self) -> Iterator[bytes]:
        """The whole chain as of this call in the archive's format, piece by piece.

        Raises:
            NotHere: its first blocks are not here.
        """
        if self.base:
            raise self._not_here()

        def pairs(last: int) -> Iterator[tuple[bytes, bytes]]:
            for height in range(1, last + 1):
                pair = self.block_and_certificate(height)
                if pair is not None:
                    yield pair

        return write_archive(self.genesis_file(), pairs(self.height))

    # Submissions

    def committed(self, submission_id: bytes) -> Committed | None:
        """Where a submission stands, if it does."""
        place = self._store.locate(submission_id)
        if place is None:
            return None
        results = self._store.results(place.height)
        invariant(results is not None, "results are stored with their block")
        if results is None:
            return None
        result = Result.decode(results.leaves[place.index])
        records = results.record_results(place.index)
        return Committed(submission_id, place.height, place.index, result.code, result.parameters, records)

    def item(self, submission_id: bytes) -> Item | None:
        """The committed submission itself."""
        place, opened = self._find(submission_id)
        return None if place is None or opened is None else opened.block.items[place.index]

    def is_open(self, submission_id: bytes) -> bool:
        """Whether a proof of that submission takes microseconds: its block is in memory, or it has none."""
        place = self._store.locate(submission_id)
        return place is None or place.height == self.height or self._blocks.is_open(place.height)

    def proof(self, submission_id: bytes, record: int = 0) -> SubmissionProof:
        """Everything that ties a submission, its result and record ``record`` to a certificate; of a submission without
        record results (refused, or of another contract) everything but the record.

        Raises:
            NotFound: ``unknown-submission``, or ``unknown-record`` for an index it has not.
            NotHere: it may stand below the base.
        """
        place, opened = self._find(submission_id)
        if place is None or opened is None:
            raise self.absent("unknown-submission")
        part = opened.record(place.index, record)
        leaf = opened.results.leaves[place.index]
        if part is None and (record or opened.results.packed_records[place.index]):
            count = len(opened.record_results(place.index))
            raise NotFound("unknown-record", record=record, records=count, result=Result.decode(leaf).code)
        return SubmissionProof(
            self.checkpoint(place.height),
            opened.block.items[place.index].envelope(),
            place.index,
            opened.submissions.proof(place.index),
            leaf,
            opened.outcomes.proof(place.index),
            part,
        )

    def record_results(self, submission_id: bytes) -> tuple[bytes, ...]:
        """What each record of a submission came to, encoded; none where it was refused or carries no records.

        Raises:
            NotFound: ``unknown-submission``.
            NotHere: it may stand below the base.
        """
        place, opened = self._find(submission_id)
        if place is None or opened is None:
            raise self.absent("unknown-submission")
        return opened.packed(place.index)

    def _find(self, submission_id: bytes) -> tuple[Place | None, OpenBlock | None]:
        place = self._store.locate(submission_id)
        if place is None:
            return None, None
        opened = self._blocks.get(place.height)
        invariant(opened is not None, "a submission is found where its block is stored")
        return place, opened

    def handovers(self, height: int) -> tuple[Handover, ...]:
        """The changes of the validator set up to block ``height``: none while the genesis' set is in force."""
        found: list[Handover] = []
        while (handover := self._handover(len(found) + 1, height)) is not None:
            found.append(handover)
        return tuple(found)

    def _handover(self, epoch: int, height: int) -> Handover | None:
        """What leads to the set of ``epoch``, where that certifies block ``height`` or one below."""
        successor = epoch_set(self._store, epoch)
        if successor is None or successor.first_height > height:
            return None
        handover = self.checkpoint(successor.first_height - 1)
        return Handover(handover.header, handover.certificate, successor.encode())

    # State

    def case(self, case_id: bytes, first: int = 1, limit: int = EVENTS_PAGE) -> CaseAnswer:
        """A case as of the tip with a proof, or a proof that there is none; events from number ``first`` on.

        Raises:
            NotFound: ``no-checkpoint``.
            NotHere: the first of those events stands below the base.
        """
        checkpoint = self.checkpoint()
        head = case_head(self._store, case_id)
        proof = statetree.prove(self._suite, self._store, key_hash_of(self._suite, case_state_key(case_id)))
        places = self._store.case_events(case_id, first, min(limit, EVENTS_PAGE)) if head is not None else ()
        if head is not None and limit > 0 and first <= head.count and (not places or places[0].number != first):
            raise self._not_here()
        events = tuple(self._case_event(place) for place in places)
        return CaseAnswer(checkpoint, None if head is None else head.encode(), encode(proof.to_value()), events)

    def rules(self, rules_hash: bytes, procedure: str | None = None) -> RulesAnswer:
        """The rules that a header names by that hash, the calendars in force under them, and a procedure's rule sets.

        Raises:
            NotFound: ``unknown-rules``: no block of this chain had them.
        """
        encoded = rules_bytes(self._store, rules_hash)
        if encoded is None:
            raise NotFound("unknown-rules")
        rules = decoded_rules(encoded)
        wanted = None if procedure is None else rules.procedure(procedure)
        found = [calendar_bytes(self._store, digest) for _, digest in rules.calendars_in_force()]
        sets = [rule_set_bytes(self._store, digest) for digest in (wanted.hashes if wanted is not None else ())]
        return RulesAnswer(
            encoded, tuple(one for one in found if one is not None), tuple(one for one in sets if one is not None)
        )

    def _case_event(self, place: EventPlace) -> CaseEvent:
        results = self._store.results(place.height)
        invariant(results is not None, "results are stored with their block")
        if results is None:
            raise NotFound("unknown-block", height=place.height)
        submission_id = Result.decode(results.leaves[place.index]).submission_id
        return CaseEvent(place, submission_id, results.record_results(place.index)[place.record])

    # History

    def consistency(self, older: int, newer: int) -> ConsistencyAnswer:
        """That block ``newer`` continues the chain of block ``older``.

        Raises:
            NotFound: ``no-checkpoint``, ``unknown-block``, ``not-older``.
        """
        if not 1 <= older <= newer:
            raise NotFound("not-older", older=older, newer=newer)
        first, last = self.checkpoint(older), self.checkpoint(newer)
        node = self._store.history_node
        consistency = merkle.consistency_proof_from(self._suite, older, newer, node)
        return ConsistencyAnswer(first, last, consistency, self.history_proof(older, newer))

    def history_proof(self, height: int, under: int) -> tuple[bytes, ...]:
        """The path from leaf ``height`` to the history root in header ``under``; empty where both are one block."""
        if height == under:
            return ()
        return merkle.inclusion_proof_from(self._suite, height, under, self._store.history_node)

    # Events

    def events_after(self, height: int, index: int, limit: int = EVENTS_PAGE) -> tuple[ChainEvent, ...]:
        """Executed submissions behind the cursor ``(height, index)``, oldest first; ``(0, 0)`` is the beginning.

        Raises:
            NotHere: the next one stands below the base.
        """
        self.check_cursor(height, index)
        found: list[ChainEvent] = []
        at, after = (height, index + 1) if height >= 1 else (1, 0)
        while at <= self.height and len(found) < limit:
            found += self._events_of(at, after, limit - len(found))
            at, after = at + 1, 0
        return tuple(found)

    def check_cursor(self, height: int, index: int) -> None:
        """Raise ``NotHere`` where behind the cursor ``(height, index)`` something stands that is not here."""
        if height <= self.base:
            header = self._store.header(height) if height == self.base else None
            if self.base and (header is None or index + 1 < header.submission_count):
                raise self._not_here()

    def _events_of(self, height: int, first: int, limit: int) -> list[ChainEvent]:
        header = self._store.header(height)
        if header is None or header.submission_count <= first:
            return []
        # Streams at the tip all ask for the same blocks; one that comes from far behind must not drive them out.
        opened = (self._blocks.get if height > self.height - OPEN_BLOCKS else self._blocks.read)(height)
        if opened is None:
            return []
        found = []
        for index in range(first, min(len(opened.block.items), first + limit)):
            body, result = opened.block.items[index].body, Result.decode(opened.results.leaves[index])
            found.append(
                ChainEvent(
                    height,
                    index,
                    header.time_ms,
                    result.submission_id,
                    body.org,
                    body.contract,
                    body.action,
                    result.code,
                    result.parameters,
                    opened.record_results(index),
                )
            )
        return found
