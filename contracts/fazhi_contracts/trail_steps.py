"""The numbered verification of a trail file (spec/trail.md, "Verification"; the numbers here are the numbers there).
The verdict on the case is its last step.

The verifier trusts one thing: the genesis hash that its user gives it. What it shows of signers is what they signed
(every signature is checked) and what the certified result says of them: their organisation and roles as the chain knew
them when it executed the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from fazhi_ledger import merkle
from fazhi_ledger.canonical import decode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import InvalidReceipt
from fazhi_ledger.genesis import PROTOCOL_VERSION, Genesis, genesis_hash_of, rule_set_hash
from fazhi_ledger.header import Header
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.receipt import Docket
from fazhi_ledger.receipt_steps import (
    FAILED,
    HandoverParts,
    Report,
    carried_out,
    certifying_set,
    check_genesis,
    decoded_genesis,
    decoded_handover,
)
from fazhi_ledger.record import Record, case_id, case_key
from fazhi_ledger.recording import Recording, is_recording
from fazhi_ledger.result import Finding, RecordResult, Result, ResultSigner
from fazhi_ledger.stateproof import StateProof, verify_presence
from fazhi_ledger.submission import Item, envelope_parts, submission_id
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .head import CaseHead, event_leaf
from .identity import is_own
from .in_force import Rules
from .keys import case_state_key
from .procedures.ruleset import RuleSet
from .procedures.settings import Settings
from .procedures.verdict import CaseEvent, Verdict, verdict_on
from .procedures.vocabulary import OWN
from .rulebook import date_number
from .trail import CaseTrail
from .workdays import YearCalendar

STEPS: Final = (
    "format",
    "genesis",
    "membership",
    "certificate",
    "head",
    "rules",
    "history",
    "submissions",
    "events",
    "replay",
)
"""Names of steps 1 to 10, in order."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a case, proven: what was recorded, by whom, when, and what the chain noted. Times are Unix
    milliseconds; ``org`` submitted it."""

    number: int
    submission_id: bytes
    record_index: int
    height: int
    time_ms: int
    record: Record
    signers: tuple[ResultSigner, ...]
    claimed_time_ms: int
    findings: tuple[Finding, ...]
    org: str


@dataclass(frozen=True, slots=True)
class TrailFacts:
    """What a valid trail says. ``file_root`` is the root over the events up to and with the one that decided (with
    ``verdict.frozen`` its number), None where none did; ``root`` that over all of them."""

    genesis: Genesis
    genesis_hash: bytes
    docket: Docket
    case_id: bytes
    header: Header
    head: CaseHead
    rules: RuleSet
    settings: Settings
    events: tuple[Event, ...]
    verdict: Verdict
    root: bytes
    file_root: bytes | None
    certified_by: tuple[str, ...]
    validators: tuple[str, ...]


TrailReport = Report[TrailFacts]


def check_trail(data: bytes, genesis_hash: bytes) -> TrailReport:
    """Carry out all steps on a trail's JSON bytes. It never raises: any exception is a failed step, and a failed step
    is INVALID."""
    check = _Check(data, genesis_hash)
    steps: dict[str, Callable[[], str]] = {
        "format": check.check_format,
        "genesis": check.check_genesis,
        "membership": check.check_membership,
        "certificate": check.check_certificate,
        "head": check.check_head,
        "rules": check.check_rules,
        "history": check.check_history,
        "submissions": check.check_submissions,
        "events": check.check_events,
        "replay": check.check_replay,
    }
    outcomes = carried_out([(name, steps[name]) for name in STEPS])
    done = all(outcome.status != FAILED for outcome in outcomes)
    return Report(outcomes, check.facts() if done else None)


@dataclass(frozen=True, slots=True)
class _Submission:
    """A submission of the file, taken apart."""

    item: Item
    id: bytes
    recording: Recording
    result: Result


@dataclass(slots=True)
class _Check:
    """The values that the steps hand on."""

    data: bytes
    genesis_hash: bytes
    suite: Suite = field(init=False)
    trail: CaseTrail = field(init=False)
    genesis: Genesis = field(init=False)
    header: Header = field(init=False)
    certificate: CommitCertificate = field(init=False)
    handovers: tuple[HandoverParts, ...] = field(init=False)
    head: CaseHead = field(init=False)
    head_proof: StateProof = field(init=False)
    rules: dict[bytes, Rules] = field(init=False)
    rule_set: RuleSet = field(init=False)
    calendars: dict[bytes, YearCalendar] = field(init=False)
    headers: tuple[Header, ...] = field(init=False)
    submissions: tuple[_Submission, ...] = field(init=False)
    records: tuple[tuple[Record, RecordResult], ...] = field(init=False)
    validators: ValidatorSet = field(init=False)
    identity: bytes = field(init=False)
    leaves: list[bytes] = field(init=False)
    settings: dict[bytes, Settings] = field(init=False)
    verdict: Verdict = field(init=False)

    def check_format(self) -> str:
        """(1) The file is one strict JSON object with exactly the known fields, each part decodes canonically, and all
        stand in their order, each with a use."""
        trail = self.trail = CaseTrail.from_json(self.data)
        self.genesis = decoded_genesis(trail.genesis)
        self.suite = suite = self.genesis.suite
        self.header, self.certificate = Header.decode(trail.header), CommitCertificate.decode(trail.certificate)
        self.handovers = tuple(map(decoded_handover, trail.handovers))
        self.head, self.head_proof = CaseHead.decode(trail.head), StateProof.from_value(decode(trail.head_proof))
        self.rules = {suite.tagged_hash("rules", one): Rules.decode(one) for one in trail.rules}
        self.rule_set = RuleSet.decode(trail.rule_set)
        self.calendars = {suite.tagged_hash("calendar", one): YearCalendar.decode(one) for one in trail.calendars}
        self.headers = tuple(Header.decode(block.header) for block in trail.blocks)
        self.submissions = tuple(_submission(suite, one.submission, one.result) for one in trail.submissions)
        self.records = tuple(
            (Record.decode(event.record), RecordResult.decode(event.record_result)) for event in trail.events
        )
        _check_rising("blocks", [(header.height,) for header in self.headers])
        _check_rising("submissions", [(one.block, one.index) for one in trail.submissions])
        _check_rising("events", [(event.submission, event.record_index) for event in trail.events])
        _check_used("submissions", len(trail.submissions), [event.submission for event in trail.events])
        _check_used("blocks", len(trail.blocks), [submission.block for submission in trail.submissions])
        for name, hashes, count in (
            ("rules", list(self.rules), len(trail.rules)),
            ("calendars", list(self.calendars), len(trail.calendars)),
        ):
            if len(hashes) != count or hashes != sorted(hashes):
                raise InvalidReceipt("trail-out-of-order", what=name)
        return ""

    def check_genesis(self) -> str:
        """(2) The genesis in the file is the one whose hash the user gave; headers and submissions name it too."""
        if genesis_hash_of(self.suite, self.trail.genesis) != self.genesis_hash:
            raise InvalidReceipt("another-genesis")
        check_genesis(self.trail.genesis)
        for header in (self.header, *self.headers):
            if header.genesis_hash != self.genesis_hash:
                raise InvalidReceipt("another-chain", where="header")
        if any(one.item.body.genesis_hash != self.genesis_hash for one in self.submissions):
            raise InvalidReceipt("another-chain", where="submission")
        return ""

    def check_membership(self) -> str:
        """(3) The certifying set follows from the genesis by hand-overs, each certified by the set before it."""
        self.validators = certifying_set(self.suite, self.genesis, self.genesis_hash, self.handovers, self.header)
        return ""

    def check_certificate(self) -> str:
        """(4) A quorum of that set signed COMMIT for the header, all in one round."""
        block_hash = self.header.hash(self.suite)
        self.certificate.verify_for(self.suite, self.genesis_hash, self.validators, self.header.height, block_hash)
        return ""

    def check_head(self) -> str:
        """(5) The head stands in the state under that header, for the case of the docket number."""
        docket, head = self.trail.docket, self.head
        key = case_key(self.suite, docket.org, head.procedure, docket.number)
        self.identity = case_id(self.suite, docket.org, key)
        state_key = case_state_key(self.identity)
        verify_presence(self.suite, self.header.state_root, state_key, self.trail.head, self.head_proof)
        if head.org != docket.org:
            raise InvalidReceipt("another-case", org=head.org, procedure=head.procedure)
        return ""

    def check_rules(self) -> str:
        """(6) The rules are those that the headers name, and all of them; the rule set is the one that the head names,
        and that was in force on the day on which the case was opened; the calendars are all that were in force under
        any of the rules."""
        named = {header.rules_hash for header in (self.header, *self.headers)}
        if named != self.rules.keys():
            raise InvalidReceipt("rules-of-another-block")
        for rules in self.rules.values():
            if rules.protocol_version != PROTOCOL_VERSION:
                raise InvalidReceipt("other-protocol", found=rules.protocol_version, known=PROTOCOL_VERSION)
        digest = rule_set_hash(self.suite, self.trail.rule_set)
        if digest != self.head.rule_set_hash or self.rule_set.procedure != self.head.procedure:
            raise InvalidReceipt("another-rule-set")
        in_force = {digest for rules in self.rules.values() for _, digest in rules.calendars_in_force()}
        if in_force != self.calendars.keys():
            raise InvalidReceipt("other-calendars")
        calendars = tuple(self.calendars.values())
        self.settings = {digest: rules.settings(self.suite, calendars) for digest, rules in self.rules.items()}
        return ""

    def check_history(self) -> str:
        """(7) Every block is in the history of the certified one, or is it."""
        for header, block in zip(self.headers, self.trail.blocks, strict=True):
            if header.height == self.header.height:
                if block.history_proof or header != self.header:
                    raise InvalidReceipt("root-mismatch")
                continue
            leaf, certified = merkle.leaf_hash(self.suite, header.hash(self.suite)), self.header
            merkle.verify_inclusion(
                self.suite, leaf, header.height, certified.height, block.history_proof, certified.history_root
            )
        return ""

    def check_submissions(self) -> str:
        """(8) Every submission and its result stand at one place of its block; every key that it names signed it; the
        result is OK and knew the signing keys, in that order."""
        suite = self.suite
        for part, one in zip(self.trail.submissions, self.submissions, strict=True):
            header = self.headers[part.block]
            for data, proof, root in (
                (part.submission, part.submission_proof, header.submissions_root),
                (part.result, part.result_proof, header.results_root),
            ):
                leaf = merkle.leaf_hash(suite, data)
                merkle.verify_inclusion(suite, leaf, part.index, header.submission_count, proof, root)
            one.item.verify_signatures(suite)
            if one.result.submission_id != one.id:
                raise InvalidReceipt("result-of-another-submission")
            if not one.result.ok:
                raise InvalidReceipt("submission-was-refused", refusal=one.result.code)
            if tuple(signer.key for signer in one.result.signers) != one.item.body.signer_keys:
                raise InvalidReceipt("result-of-other-signers")
        return ""

    def check_events(self) -> str:
        """(9) Every record and its result stand under their submission, for this case; they are numbered from 1, and
        their root and number are the head's: these are all."""
        suite, self.leaves = self.suite, []
        for number, (part, (record, result)) in enumerate(zip(self.trail.events, self.records, strict=True), 1):
            one = self.submissions[part.submission]
            said = one.recording
            for data, proof, root in (
                (part.record, part.record_proof, said.root),
                (part.record_result, part.record_result_proof, one.result.record_results_root),
            ):
                leaf = merkle.leaf_hash(suite, data)
                merkle.verify_inclusion(suite, leaf, part.record_index, said.count, proof, root)
            if result.case_id != self.identity or case_id(suite, said.member, record.case_key) != self.identity:
                raise InvalidReceipt("record-result-of-another-case")
            if result.number != number:
                raise InvalidReceipt("trail-out-of-order", what="events")
            self.leaves.append(event_leaf(suite, one.id, part.record_index, part.record_result))
        frontier = Frontier.empty().append_many(suite, self.leaves)
        if frontier.size != self.head.count or frontier.root(suite) != self.head.root(suite):
            raise InvalidReceipt("trail-incomplete", events=frontier.size, counted=self.head.count)
        return ""

    def check_replay(self) -> str:
        """(10) The rule set, read over the events again, comes to the findings that the chain recorded and to what the
        head remembers."""
        rules, head, header = self.rule_set, self.head, self.header
        opened = self.rules[self.headers[0].rules_hash].procedure(head.procedure)
        offset = self.settings[self.headers[0].rules_hash].utc_offset_min
        if opened is None or opened.on(date_number(self.records[0][0].occurred_at_ms, offset)) != head.rule_set_hash:
            raise InvalidReceipt("another-rule-set")
        events = [self._case_event(event) for event in self._events()]
        self.verdict = verdict_on(rules, events, header.time_ms, self.settings[header.rules_hash])
        if self.verdict.marks != head.marks:
            raise InvalidReceipt("another-memory")
        return ""

    def _events(self) -> tuple[Event, ...]:
        found = []
        for part, (record, result) in zip(self.trail.events, self.records, strict=True):
            one = self.submissions[part.submission]
            header = self.headers[self.trail.submissions[part.submission].block]
            found.append(
                Event(
                    result.number,
                    one.id,
                    part.record_index,
                    header.height,
                    header.time_ms,
                    record,
                    one.result.signers,
                    one.item.body.claimed_time_ms,
                    result.findings,
                    one.item.body.org,
                )
            )
        return tuple(found)

    def _case_event(self, event: Event) -> CaseEvent:
        block = self.trail.submissions[self.trail.events[event.number - 1].submission].block
        record = event.record
        return CaseEvent(
            event.number,
            record.step,
            record.clear,
            record.occurred_at_ms,
            record.commitment_count,
            event.signers,
            event.time_ms,
            self.settings[self.headers[block].rules_hash],
            standing_of(self.rule_set, record.step, self.head.org, event.signers),
            event.findings,
        )

    def facts(self) -> TrailFacts:
        members, frozen = self.validators.validators, self.verdict.frozen
        file = None if frozen is None else Frontier.empty().append_many(self.suite, self.leaves[:frozen])
        return TrailFacts(
            self.genesis,
            self.genesis_hash,
            self.trail.docket,
            self.identity,
            self.header,
            self.head,
            self.rule_set,
            self.settings[self.header.rules_hash],
            self._events(),
            self.verdict,
            self.head.root(self.suite),
            None if file is None else file.root(self.suite),
            tuple(members[index].member for index in self.certificate.signers),
            tuple(seat.member for seat in members),
        )


def standing_of(rules: RuleSet, step: str, org: str, signers: Sequence[ResultSigner]) -> tuple[str, ...]:
    """What the signers of a record that stands on the chain are to a case of ``org``: its own, or of another member
    whose role there, as the chain has found, is one that may record the step."""
    if all(is_own(signer.org, org) for signer in signers):
        return (OWN,)
    known = rules.step(step)
    return () if known is None else tuple(word for word in known.signing.orgs if word != OWN)


def _submission(suite: Suite, envelope: bytes, result: bytes) -> _Submission:
    item = Item(*envelope_parts(envelope))
    if not is_recording(item.body):
        raise InvalidReceipt("not-a-record-submission")
    return _Submission(item, submission_id(suite, item.body_bytes), Recording.of(item.body), Result.decode(result))


def _check_rising(what: str, places: Sequence[tuple[int, ...]]) -> None:
    if any(later <= earlier for earlier, later in pairwise(places)):
        raise InvalidReceipt("trail-out-of-order", what=what)


def _check_used(what: str, count: int, used: Sequence[int]) -> None:
    """Every one of them is named, and nothing beyond."""
    if set(used) != set(range(count)) or not count:
        raise InvalidReceipt("trail-out-of-order", what=what)
