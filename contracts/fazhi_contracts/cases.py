"""Contract ``cases``: records of what happened in a case, judged by the rule set that the case is bound to.

``record [record_count, records_root]`` carries its records beside the signed body. A batch is atomic: if one record is
refused, so is all of it, and the refusal names the record. A record whose step is an initial one of its procedure
opens a case and claims its id, which no other member can claim (:func:`fazhi_ledger.record.case_id`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fazhi_ledger.merkle import Frontier
from fazhi_ledger.record import Record, case_id, member_of
from fazhi_ledger.result import RecordResult
from fazhi_ledger.suites import Suite

from .calendar import year_of
from .context import Call, Effect
from .entries import Counter, decoded_procedure
from .errors import Refused, StateCorrupt
from .head import CaseHead, event_leaf
from .identity import is_within
from .keys import case_state_key, procedure_key, rule_set_key, serial_key
from .procedures.interpreter import Judge
from .procedures.marks import Marks
from .procedures.ruleset import RuleSet, decoded_rule_set
from .state import Entry, Overlay, StateView, read

_NO_EVENTS: Final = Frontier.empty()
_NO_MARKS: Final = Marks()


def record(call: Call) -> Effect:
    """Record every record of the batch, or none.

    Raises:
        Refused: ``unknown-procedure``, ``unknown-case``, ``case-exists``, ``wrong-procedure``, ``wrong-org``, or what
            :func:`~fazhi_contracts.procedures.interpreter.Judge` refuses; with the ``record``'s index.
    """
    batch = _Batch(call)
    for index, entry in enumerate(call.admitted.records):
        try:
            batch.record(index, entry)
        except Refused as refusal:
            raise Refused(refusal.code, record=index, **dict(refusal.parameters)) from None
    return batch.effect()


class _Case:
    """A case while a batch records in it: read at its first record, written after the last. ``head`` is as it stood
    before; ``events`` are the leaf hashes of those that the batch adds, ``step`` is that of the last.
    """

    __slots__ = ("events", "head", "identity", "judge", "key", "step")

    def __init__(self, identity: bytes, key: bytes, head: CaseHead, judge: Judge) -> None:
        self.identity = identity
        self.key = key
        self.head = head
        self.judge = judge
        self.events: list[bytes] = []
        self.step = head.step

    def head_after(self, suite: Suite) -> CaseHead:
        """The head with the events of the batch."""
        head = self.head
        frontier = head.frontier.append_many(suite, self.events)
        return CaseHead(
            head.org,
            head.procedure,
            head.serial,
            head.year,
            head.rule_set_hash,
            head.opened_height,
            head.opened_time_ms,
            frontier.size,
            frontier,
            self.step,
            self.judge.marks(),
        )


@dataclass(slots=True)
class _NewCases:
    """What the new cases of one procedure share within a batch."""

    rule_set_hash: bytes
    rules: RuleSet
    year: int
    serial_key: bytes
    serial: int  # the last one given out


class _Batch:
    """The records of one item, one after another, and what they come to together."""

    __slots__ = ("_call", "_cases", "_encoded", "_new_cases", "_org", "_results", "_submission_id", "_suite")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._suite = call.context.suite
        self._submission_id = call.admitted.submission_id
        self._org = call.body.org
        self._cases: dict[bytes, _Case] = {}  # by the key that its records carry
        self._new_cases: dict[str, _NewCases] = {}  # by procedure
        self._results: list[RecordResult] = []
        self._encoded: list[bytes] = []

    def record(self, index: int, entry: Record) -> None:
        """Take up one record.

        Raises:
            Refused: and then nothing of the batch is to be kept.
        """
        case = self._cases.get(entry.case_key)
        if case is None:
            case = self._cases[entry.case_key] = self._first_touched(entry)
        else:
            _check_continues(case.head, case.judge.rules, entry)
        number = case.head.count + len(case.events) + 1
        findings = case.judge.judge(entry, number)
        result = RecordResult(case.identity, number, findings)
        data = result.encode()
        case.events.append(event_leaf(self._suite, self._submission_id, index, data))
        case.step = entry.step
        self._results.append(result)
        self._encoded.append(data)

    def effect(self) -> Effect:
        """What all of it came to."""
        writes: list[tuple[bytes, Entry]] = [(case.key, case.head_after(self._suite)) for case in self._cases.values()]
        writes.extend((new.serial_key, Counter(new.serial)) for new in self._new_cases.values())
        return Effect(
            writes=tuple(writes), record_results=tuple(self._results), record_result_bytes=tuple(self._encoded)
        )

    def _first_touched(self, entry: Record) -> _Case:
        """The case of the batch's first record with that case key."""
        call = self._call
        identity = case_id(self._suite, self._org, entry.case_key)
        key = case_state_key(identity)
        head = call.state.load(key, CaseHead.decode)
        if head is None:
            head, rules = self._opened(entry)
        else:
            rules = bound_rule_set(call.base, head.rule_set_hash)
            _check_continues(head, rules, entry)
        _check_writers(call, head.org)
        judge = Judge(rules, head.marks, call.admitted.signers, call.context.time_ms, call.settings)
        return _Case(identity, key, head, judge)

    def _opened(self, entry: Record) -> tuple[CaseHead, RuleSet]:
        """The head of a case that this record opens, before its first event, and the rule set that the case is bound
        to."""
        new = self._new_cases.get(entry.procedure)
        if new is None:
            new = self._new_cases[entry.procedure] = self._procedure(entry.procedure)
        step = new.rules.step(entry.step)
        if step is None:
            raise Refused("unknown-step", step=entry.step)
        if not step.initial:
            raise Refused("unknown-case", step=entry.step)
        new.serial += 1
        context = self._call.context
        head = CaseHead(
            self._org,
            entry.procedure,
            new.serial,
            new.year,
            new.rule_set_hash,
            context.height,
            context.time_ms,
            0,
            _NO_EVENTS,
            entry.step,
            _NO_MARKS,
        )
        return head, new.rules

    def _procedure(self, procedure: str) -> _NewCases:
        """What cases are opened by: the rule set installed last, and the serials of the organisation and year."""
        call = self._call
        installed = call.base.load(procedure_key(procedure), decoded_procedure)
        if installed is None:
            raise Refused("unknown-procedure", procedure=procedure)
        rule_set_hash = installed.rule_set_hashes[-1]
        year = year_of(call.context.time_ms, call.settings.utc_offset_min)
        counter_key = serial_key(self._org, procedure, year)
        counter = call.state.load(counter_key, Counter.decode)
        serial = 0 if counter is None else counter.value
        return _NewCases(rule_set_hash, bound_rule_set(call.base, rule_set_hash), year, counter_key, serial)


def _check_continues(head: CaseHead, rules: RuleSet, entry: Record) -> None:
    if entry.procedure != head.procedure:
        raise Refused("wrong-procedure", procedure=entry.procedure, expected=head.procedure)
    step = rules.step(entry.step)
    if step is not None and step.initial:
        raise Refused("case-exists", step=entry.step, opened_height=head.opened_height)


def _check_writers(call: Call, org: str) -> None:
    """Every signer belongs to the case's organisation, to a unit of it, or to the member above it.

    What other organisations have to say is no event of this contract.
    """
    for signer in call.admitted.signers:
        if signer.org != org and not is_within(signer.org, org) and signer.org != member_of(org):
            raise Refused("wrong-org", org=signer.org, case_org=org)


def bound_rule_set(view: StateView | Overlay, rule_set_hash: bytes) -> RuleSet:
    """The rule set of that hash.

    Raises:
        StateCorrupt: it is not installed; a case is only ever bound to one that is, and none is ever removed.
    """
    rules = read(view, rule_set_key(rule_set_hash), decoded_rule_set)
    if rules is None:
        raise StateCorrupt(f"rule set {rule_set_hash.hex()} is not in the state")
    return rules
