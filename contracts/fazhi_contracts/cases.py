"""Contract ``cases``: records of what happened in a case, judged by the rule set that the case is bound to.

``record [record_count, records_root]`` carries its records beside the signed body. A batch is atomic: if one record is
refused, so is all of it, and the refusal names the record. A record whose step is an initial one of its procedure
opens a case and claims its id, which no other member can claim (:func:`fazhi_ledger.record.case_id`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fazhi_ledger import merkle
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.record import Record, case_id, member_of
from fazhi_ledger.result import RecordResult

from .calendar import year_of
from .context import Call, Effect
from .entries import Counter, ProcedureEntry
from .errors import Refused, StateCorrupt
from .head import CaseHead, event_bytes
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


@dataclass(slots=True)
class _Case:
    """A case while a batch records in it: read at its first record, written after the last."""

    identity: bytes
    key: bytes
    head: CaseHead  # as it stood before the batch
    judge: Judge
    events: list[bytes] = field(default_factory=list)
    """Leaf hashes of the events that the batch adds."""

    def head_after(self, call: Call) -> CaseHead:
        """The head with the events of the batch."""
        head, latest = self.head, self.judge.memory.latest
        frontier, suite, events = head.frontier, call.context.suite, self.events
        frontier = frontier.append(suite, events[0]) if len(events) == 1 else frontier.append_many(suite, events)
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
            head.step if latest is None else latest.step,
            self.judge.memory.marks(),
        )


class _Batch:
    """The records of one item, one after another, and what they come to together."""

    __slots__ = ("_call", "_cases", "_encoded", "_results", "_serials")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._cases: dict[bytes, _Case] = {}  # by the key that its records carry
        self._serials: dict[bytes, int] = {}  # the last one given out, by the key of its counter
        self._results: list[RecordResult] = []
        self._encoded: list[bytes] = []

    def record(self, index: int, entry: Record) -> None:
        """Take up one record.

        Raises:
            Refused: and then nothing of the batch is to be kept.
        """
        call = self._call
        case = self._cases.get(entry.case_key)
        if case is None:
            case = self._cases[entry.case_key] = self._first_touched(entry)
        else:
            _check_continues(case.head, case.judge.rules, entry)
        number = case.head.count + len(case.events) + 1
        findings = case.judge.judge(entry, number)
        result = RecordResult(case.identity, number, findings)
        data = result.encode()
        event = event_bytes(call.admitted.submission_id, index, data)
        case.events.append(merkle.leaf_hash(call.context.suite, event))
        self._results.append(result)
        self._encoded.append(data)

    def effect(self) -> Effect:
        """What all of it came to."""
        writes: list[tuple[bytes, Entry]] = [(case.key, case.head_after(self._call)) for case in self._cases.values()]
        for counter_key, serial in self._serials.items():
            writes.append((counter_key, Counter(serial)))
        return Effect(
            writes=tuple(writes), record_results=tuple(self._results), record_result_bytes=tuple(self._encoded)
        )

    def _first_touched(self, entry: Record) -> _Case:
        """The case of the batch's first record with that case key."""
        call = self._call
        identity = case_id(call.context.suite, call.body.org, entry.case_key)
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
        call = self._call
        installed = call.base.load(procedure_key(entry.procedure), ProcedureEntry.decode)
        if installed is None:
            raise Refused("unknown-procedure", procedure=entry.procedure)
        rule_set_hash = installed.rule_set_hashes[-1]
        rules = bound_rule_set(call.base, rule_set_hash)
        step = rules.step(entry.step)
        if step is None:
            raise Refused("unknown-step", step=entry.step)
        if not step.initial:
            raise Refused("unknown-case", step=entry.step)
        org, context = call.body.org, call.context
        year = year_of(context.time_ms, call.settings.utc_offset_min)
        serial = self._next_serial(serial_key(org, entry.procedure, year))
        height, time_ms = context.height, context.time_ms
        opening = (org, entry.procedure, serial, year, rule_set_hash, height, time_ms)
        return CaseHead(*opening, 0, _NO_EVENTS, entry.step, _NO_MARKS), rules

    def _next_serial(self, counter_key: bytes) -> int:
        last = self._serials.get(counter_key)
        if last is None:
            counter = self._call.state.load(counter_key, Counter.decode)
            last = 0 if counter is None else counter.value
        self._serials[counter_key] = last + 1
        return last + 1


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
