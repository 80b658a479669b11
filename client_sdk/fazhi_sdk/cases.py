"""A case as the chain has it: its head, proven in the state under a certified header, the rule set that it follows, and
every event that the head counts, recomputed to the head's root. Pure: a gateway's bytes in, a proven view out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fazhi_contracts.head import CaseHead
from fazhi_contracts.keys import case_state_key
from fazhi_contracts.procedures.clauses import Colour
from fazhi_contracts.procedures.colours import colour_of
from fazhi_contracts.procedures.deadlines import RunningClock, running_clocks
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.verdict import Verdict
from fazhi_contracts.trail import MAX_TRAIL_BYTES, CaseTrail, TrailBlock, TrailEvent, TrailSubmission
from fazhi_contracts.trail_steps import Event, TrailFacts, check_trail
from fazhi_ledger import merkle
from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import FazhiError, InvalidProof
from fazhi_ledger.header import Header
from fazhi_ledger.receipt import Docket, Handover
from fazhi_ledger.recording import Recording
from fazhi_ledger.result import Finding
from fazhi_ledger.stateproof import StateProof, verify_absence, verify_presence
from fazhi_ledger.submission import Item, SubmissionBody, envelope_parts

from .errors import BadAnswer, UnknownCase
from .files import read_bounded, write_atomically
from .lists import KnownRules
from .trust import Decided, Fields, Trust, proof_failed

__all__ = [
    "CaseView",
    "Event",
    "EventPlace",
    "ProvenHead",
    "Trail",
    "case_view",
    "check_absence",
    "proven_head",
    "trail_of",
]


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where an event stands: block, submission, record in the submission; its ``number`` in the case."""

    number: int
    height: int
    submission: bytes
    record: int


@dataclass(frozen=True, slots=True)
class ProvenHead:
    """A case's head, proven under a certified header, and the bytes that show it."""

    header: Header
    certificate: bytes
    handovers: tuple[Handover, ...]
    head: CaseHead
    head_bytes: bytes
    proof: bytes
    places: tuple[EventPlace, ...]


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as of a certified header. Times are Unix milliseconds.

    ``rules`` is the rule set that the case follows; ``clocks`` are the deadlines that run, soonest first, by the
    calendars that the members have voted, without a day where that hangs on one that they have not; ``colour`` is how
    the rule set says that the case stands. ``places`` are the gateway's word on where the first of the events stand,
    proven only by :meth:`Case.trail`.
    """

    org: str
    procedure: str
    number: str
    case_id: bytes
    proven: ProvenHead
    rules: RuleSet
    clocks: tuple[RunningClock, ...]
    colour: Colour | None

    @property
    def head(self) -> CaseHead:
        """What the state holds of the case."""
        return self.proven.head

    @property
    def as_of_height(self) -> int:
        """The height of the header as of which it is shown."""
        return self.proven.header.height

    @property
    def as_of_ms(self) -> int:
        """Its time."""
        return self.proven.header.time_ms

    @property
    def places(self) -> tuple[EventPlace, ...]:
        """Where the first of its events stand."""
        return self.proven.places

    @property
    def step(self) -> str:
        """The step recorded last."""
        return self.head.step

    @property
    def count(self) -> int:
        """How many events the case has."""
        return self.head.count


@dataclass(frozen=True, slots=True)
class Trail:
    """All events of a case as of a certified header, verified down to the verdict. ``data`` is the trail file's
    content, which shows all of it offline."""

    data: bytes
    facts: TrailFacts

    @classmethod
    def load(cls, path: str | os.PathLike[str], genesis_hash: str | bytes) -> Trail:
        """Read a trail file and verify it under the genesis hash that you were given.

        Raises:
            InvalidReceipt: with the code of the step that failed and its number.
        """
        data = read_bounded(path, MAX_TRAIL_BYTES)
        trusted = bytes.fromhex(genesis_hash) if isinstance(genesis_hash, str) else genesis_hash
        return cls(data, check_trail(data, trusted).require_valid())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all; it is on disk when this returns."""
        write_atomically(path, self.data)
        return Path(path)

    @property
    def events(self) -> tuple[Event, ...]:
        """In the order of recording."""
        return self.facts.events

    @property
    def verdict(self) -> Verdict:
        """The case, clause by clause."""
        return self.facts.verdict

    @property
    def findings(self) -> tuple[tuple[int, Finding], ...]:
        """Every irregularity, with the number of its event."""
        return tuple((event.number, finding) for event in self.events for finding in event.findings)


def proven_head(trust: Trust, fields: Fields, org: str, procedure: str, case_id: bytes) -> ProvenHead:
    """Check a gateway's answer about a case.

    Raises:
        ProofFailed: the head is not proven under a certified header, or is another case's.
    """
    try:
        handovers = fields.handovers()
        trust.follow(handovers)
        certificate = fields.base64("certificate")
        header = trust.certified(fields.base64("header"), certificate)
        head_bytes, proof_bytes = fields.base64("head"), fields.base64("proof")
        proof = StateProof.from_value(decode(proof_bytes))
        verify_presence(trust.suite, header.state_root, case_state_key(case_id), head_bytes, proof)
        head = CaseHead.decode(head_bytes)
        if (head.org, head.procedure) != (org, procedure):
            raise InvalidProof("another-case", org=head.org, procedure=head.procedure)
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    return ProvenHead(header, certificate, handovers, head, head_bytes, proof_bytes, places_of(fields))


def places_of(fields: Fields) -> tuple[EventPlace, ...]:
    """A gateway's word on where events stand."""
    return tuple(
        EventPlace(one.integer("number"), one.integer("height"), one.digest("submission"), one.integer("record"))
        for one in fields.objects("events")
    )


def case_view(proven: ProvenHead, number: str, case_id: bytes, known: KnownRules) -> CaseView:
    """The case by the rules that the header names.

    Raises:
        BadAnswer: the rules do not hold the rule set that the case follows.
    """
    head = proven.head
    rules = known.rule_sets.get(head.rule_set_hash)
    if rules is None:
        raise BadAnswer("bad-answer", url="", reason=f"no rule set {head.rule_set_hash.hex()[:16]}")
    clocks = running_clocks(rules, head.marks, known.settings)
    colour = colour_of(rules, head.marks, known.settings, proven.header.time_ms)
    return CaseView(head.org, head.procedure, number, case_id, proven, rules, clocks, colour)


def check_absence(trust: Trust, fields: Fields, number: str, case_id: bytes) -> UnknownCase:
    """Check a gateway's proof that there is no such case; the error to raise.

    Raises:
        ProofFailed: absence is not shown.
    """
    try:
        trust.follow(fields.handovers())
        header: Header = trust.certified(fields.base64("header"), fields.base64("certificate"))
        proof = StateProof.from_value(decode(fields.base64("proof")))
        verify_absence(trust.suite, header.state_root, case_state_key(case_id), proof)
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    return UnknownCase("unknown-case", number=number, height=header.height)


# --- what a trail is made of ---


@dataclass(frozen=True, slots=True)
class ProvenBlock:
    """The header of a block in the history of another."""

    header: Header
    history_proof: tuple[bytes, ...]


def proven_block(trust: Trust, fields: Fields, anchor: Header, height: int) -> ProvenBlock:
    """Check a gateway's proof that a block is in the history of ``anchor``.

    Raises:
        ProofFailed.
    """
    try:
        encoded, proof = fields.base64("from_header"), fields.hashes("inclusion")
        header = Header.decode(encoded)
        if header.height != height:
            raise InvalidProof("another-block", height=header.height)
        leaf = merkle.leaf_hash(trust.suite, header.hash(trust.suite))
        merkle.verify_inclusion(trust.suite, leaf, height, anchor.height, proof, anchor.history_root)
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    return ProvenBlock(header, proof)


def one_event(trust: Trust, decided: Decided, fields: Fields) -> dict[int, TrailEvent]:
    """The record that stands beside the proof of its submission (``decided`` has checked block and result).

    Raises:
        ProofFailed: the record or its result is not what the submission holds.
    """
    suite, index = trust.suite, fields.integer("record_index")
    record, record_proof = fields.base64("record"), fields.hashes("record_proof")
    result, result_proof = fields.base64("record_result"), fields.hashes("record_result_proof")
    try:
        said = Recording.of(SubmissionBody.decode(envelope_parts(decided.envelope)[0]))
        leaf = merkle.leaf_hash(suite, record)
        merkle.verify_inclusion(suite, leaf, index, said.count, record_proof, said.root)
        leaf = merkle.leaf_hash(suite, result)
        merkle.verify_inclusion(suite, leaf, index, said.count, result_proof, decided.result.record_results_root)
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    return {index: TrailEvent(0, index, record, record_proof, result, result_proof)}


def all_events(trust: Trust, decided: Decided, fields: Fields, item: Item) -> dict[int, TrailEvent] | None:
    """All records of a submission, out of its whole item and of what they came to; None where there are too many for
    one answer.

    Raises:
        ProofFailed: they are not what the submission holds.
    """
    results = fields.base64s("record_results")
    if results is None:
        return None
    suite = trust.suite
    records_tree = merkle.Tree(suite, merkle.leaf_hashes(suite, item.records))
    results_tree = merkle.Tree(suite, merkle.leaf_hashes(suite, results))
    try:
        said = Recording.of(item.body)
        if (len(item.records), records_tree.root) != (said.count, said.root) or len(results) != said.count:
            raise InvalidProof("root-mismatch", what="records")
        if results_tree.root != decided.result.record_results_root:
            raise InvalidProof("root-mismatch", what="record results")
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    return {
        index: TrailEvent(0, index, record, records_tree.proof(index), result, results_tree.proof(index))
        for index, (record, result) in enumerate(zip(item.records, results, strict=True))
    }


@dataclass(frozen=True, slots=True)
class TrailParts:
    """What was gathered of a case: its blocks by height, its submissions and their records by id, the rules by hash."""

    places: Sequence[EventPlace]
    blocks: Mapping[int, ProvenBlock]
    decided: Mapping[bytes, Decided]
    events: Mapping[bytes, Mapping[int, TrailEvent]]
    rules: Mapping[bytes, KnownRules]


def trail_of(trust: Trust, view: CaseView, parts: TrailParts) -> Trail:
    """Put the file together, and verify it as anybody will who gets it.

    Raises:
        ProofFailed: what the gateways gave does not add up.
    """
    suite, anchor = trust.suite, view.proven.header
    heights = {height: place for place, height in enumerate(sorted(parts.blocks))}
    named = {one.submission: parts.decided[one.submission] for one in parts.places}
    in_order = sorted(named.items(), key=lambda pair: (pair[1].header.height, pair[1].index))
    ids = {item_id: place for place, (item_id, _) in enumerate(in_order)}
    rules = sorted(parts.rules.items())
    calendars = {one.hash(suite): one.encode() for known in parts.rules.values() for one in known.calendars}
    trail = CaseTrail(
        trust.file.genesis_bytes,
        view.proven.handovers,
        anchor.encode(),
        view.proven.certificate,
        Docket(view.org, view.number),
        view.proven.head_bytes,
        view.proven.proof,
        tuple(known.rules.encode() for _, known in rules),
        view.rules.encode(),
        tuple(data for _, data in sorted(calendars.items())),
        tuple(TrailBlock(parts.blocks[one].header.encode(), parts.blocks[one].history_proof) for one in heights),
        tuple(_submission(decided, heights) for _, decided in in_order),
        tuple(_event(parts, place, ids) for place in parts.places),
    )
    data = trail.to_json()
    try:
        return Trail(data, check_trail(data, trust.genesis_hash).require_valid())
    except FazhiError as error:
        raise proof_failed("", error) from error


def _submission(decided: Decided, heights: Mapping[int, int]) -> TrailSubmission:
    return TrailSubmission(
        heights[decided.header.height],
        decided.index,
        decided.envelope,
        decided.envelope_proof,
        decided.result_bytes,
        decided.result_proof,
    )


def _event(parts: TrailParts, place: EventPlace, ids: Mapping[bytes, int]) -> TrailEvent:
    found = parts.events[place.submission][place.record]
    return TrailEvent(
        ids[place.submission],
        found.record_index,
        found.record,
        found.record_proof,
        found.record_result,
        found.record_result_proof,
    )
