"""A case as the chain has it: its head, proven in the state under a certified header, and every event that the head
counts, recomputed to the head's root. Pure: a gateway's bytes in, a proven view out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fazhi_contracts.head import CaseHead, event_leaf
from fazhi_contracts.keys import case_state_key
from fazhi_contracts.procedures.deadlines import RunningClock, running_clocks
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.settings import Settings
from fazhi_ledger import merkle
from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import FazhiError, InvalidProof
from fazhi_ledger.header import Header
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.record import Record, case_id
from fazhi_ledger.recording import Recording
from fazhi_ledger.result import Finding, RecordResult, ResultSigner
from fazhi_ledger.stateproof import StateProof, verify_absence, verify_presence
from fazhi_ledger.submission import SubmissionBody, envelope_parts, submission_id

from .errors import BadAnswer, UnknownCase
from .trust import Decided, Fields, Trust, proof_failed


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where an event stands: block, index in the block, record in the submission."""

    height: int
    index: int
    record: int


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as of a certified header. Times are Unix milliseconds.

    ``clocks`` are the deadlines that run, soonest first (none where the rule set is not the genesis' own), without a
    day where that hangs on a calendar of working days;
    ``places`` are the gateway's word on where the events stand, proven only by :meth:`Case.trail`.
    """

    org: str
    procedure: str
    number: str
    case_id: bytes
    head: CaseHead
    as_of_height: int
    as_of_ms: int
    clocks: tuple[RunningClock, ...]
    places: tuple[EventPlace, ...]

    @property
    def step(self) -> str:
        """The step recorded last."""
        return self.head.step

    @property
    def count(self) -> int:
        """How many events the case has."""
        return self.head.count


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a case, proven: what was recorded, by whom, when, and what the chain noted."""

    number: int
    submission_id: bytes
    record_index: int
    height: int
    time_ms: int
    record: Record
    signers: tuple[ResultSigner, ...]
    claimed_time_ms: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """All events of a case as of a certified header: the head counts them, and its root follows from them."""

    view: CaseView
    events: tuple[Event, ...]

    @property
    def findings(self) -> tuple[tuple[int, Finding], ...]:
        """Every irregularity, with the number of its event."""
        return tuple((event.number, finding) for event in self.events for finding in event.findings)


def case_view(
    trust: Trust, fields: Fields, org: str, procedure: str, number: str, case_id: bytes, rules: Sequence[RuleSet]
) -> CaseView:
    """Check a gateway's answer about a case.

    Raises:
        ProofFailed: the head is not proven under a certified header, or is another case's.
    """
    try:
        trust.follow(fields.handovers())
        header = trust.certified(fields.base64("header"), fields.base64("certificate"))
        head_bytes = fields.base64("head")
        proof = StateProof.from_value(decode(fields.base64("proof")))
        verify_presence(trust.suite, header.state_root, case_state_key(case_id), head_bytes, proof)
        head = CaseHead.decode(head_bytes)
        if (head.org, head.procedure) != (org, procedure):
            raise InvalidProof("another-case", org=head.org, procedure=head.procedure)
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    settings = Settings.of(trust.genesis.parameters)
    bound = next((one for one in rules if one.hash(trust.suite) == head.rule_set_hash), None)
    return CaseView(
        org,
        procedure,
        number,
        case_id,
        head,
        header.height,
        header.time_ms,
        () if bound is None else running_clocks(bound, head.marks, settings),
        tuple(
            EventPlace(one.integer("height"), one.integer("index"), one.integer("record"))
            for one in fields.objects("events")
        ),
    )


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


def proven_event(trust: Trust, decided: Decided, fields: Fields) -> tuple[Event, bytes]:
    """An event and its leaf, out of the proof of its submission (``decided`` has checked block and result).

    Raises:
        ProofFailed: the record or its result is not what the submission holds.
    """
    suite = trust.suite
    try:
        envelope, record_bytes, result_bytes = (
            fields.base64("submission"),
            fields.base64("record"),
            fields.base64("record_result"),
        )
        body = SubmissionBody.decode(envelope_parts(envelope)[0])
        index = fields.integer("record_index")
        said, leaf = Recording.of(body), merkle.leaf_hash(suite, record_bytes)
        merkle.verify_inclusion(suite, leaf, index, said.count, fields.hashes("record_proof"), said.root)
        leaf = merkle.leaf_hash(suite, result_bytes)
        proof, root = fields.hashes("record_result_proof"), decided.result.record_results_root
        merkle.verify_inclusion(suite, leaf, index, said.count, proof, root)
        record, result = Record.decode(record_bytes), RecordResult.decode(result_bytes)
        if result.case_id != case_id(suite, said.member, record.case_key):
            raise InvalidProof("record-result-of-another-case")
        item_id = submission_id(suite, envelope_parts(envelope)[0])
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    event = Event(
        result.number,
        item_id,
        index,
        decided.header.height,
        decided.header.time_ms,
        record,
        decided.result.signers,
        body.claimed_time_ms,
        result.findings,
    )
    return event, event_leaf(suite, item_id, index, result_bytes)


def check_trail(trust: Trust, view: CaseView, proven: Sequence[tuple[Event, bytes]], url: str) -> Trail:
    """That these are all events that the head counts, in order: their root is the head's.

    Raises:
        ProofFailed.
    """
    frontier = Frontier.empty()
    for _, leaf in proven:
        frontier = frontier.append(trust.suite, leaf)
    if frontier.size != view.head.count or frontier.root(trust.suite) != view.head.root(trust.suite):
        error = InvalidProof("trail-incomplete", events=frontier.size, counted=view.head.count)
        raise proof_failed(url, error)
    return Trail(view, tuple(event for event, _ in proven))
