"""Contract ``cases``: records of what happened in a case, judged by the rule set that the case is bound to.

``record [record_count, records_root]`` carries its records beside the signed body. A batch is atomic: if one record is
refused, so is all of it, and the refusal names the record. A record whose step is an initial one of its procedure
opens a case and claims its id, which no other member can claim (:func:`fazhi_ledger.record.case_id`).

``record [record_count, records_root, member]`` records in cases of another member what is that organisation's to say:
a supervisor's notice, a notary's attestation, a court's ruling. Rule sets tell which steps these are, and whose.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final

from fazhi_ledger.merkle import Frontier
from fazhi_ledger.record import case_id, member_of
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.recording import Recording
from fazhi_ledger.result import ResultRun, encode_firsts
from fazhi_ledger.suites import Suite

from .calendar import year_of
from .context import Call, Effect
from .entries import Counter, OrgEntry
from .errors import Refused
from .head import CaseHead, event_leaves, opened_heads
from .identity import is_own
from .keys import case_state_key, org_key, procedure_key, serial_key
from .procedures.interpreter import Judge
from .procedures.marks import Marks
from .procedures.ruleset import RuleSet
from .procedures.vocabulary import OWN
from .rulebook import ProcedureEntry, bound_rule_set, date_number, decoded_procedure
from .state import Entry

_NO_EVENTS: Final = Frontier.empty()
_NO_MARKS: Final = Marks()


def record(call: Call) -> Effect:
    """Record every record of the batch, or none.

    Raises:
        Refused: ``unknown-procedure``, ``unknown-case``, ``case-exists``, ``wrong-procedure``, ``wrong-org``, or what
            :func:`~fazhi_contracts.procedures.interpreter.Judge` refuses; with the ``record``'s index.
    """
    batch = _Batch(call)
    try:
        for run in call.admitted.runs:
            batch.record(run)
    except Refused as refusal:
        raise Refused(refusal.code, record=batch.at, **dict(refusal.parameters)) from None
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

    rule_sets: ProcedureEntry
    year: int
    serial_key: bytes
    serial: int  # the last one given out


class _Batch:
    """The records of one item, one run after another, and what they come to together. ``at`` is the place of the record
    taken up last."""

    __slots__ = (
        "_call",
        "_cases",
        "_encoded",
        "_member",
        "_new_cases",
        "_opened",
        "_org",
        "_results",
        "_standings",
        "_suite",
        "at",
    )

    def __init__(self, call: Call) -> None:
        self._call = call
        self._suite = call.context.suite
        self._org = call.body.org
        self._member = Recording.of(call.body).member  # whose cases
        self._standings: dict[str, tuple[str, ...]] = {}  # of the signers, by the organisation whose case it is
        self._cases: dict[bytes, _Case] = {}  # by the key that its records carry
        self._opened: dict[bytes, bytes] = {}  # heads of cases opened together, by their keys in the state
        self._new_cases: dict[str, _NewCases] = {}  # by procedure
        self._results: list[ResultRun] = []
        self._encoded: list[bytes] = []
        self.at = 0

    def record(self, run: RecordRun) -> None:
        """Take up the records of a run.

        Raises:
            Refused: and then nothing of the batch is to be kept.
        """
        keys = run.case_keys
        if keys.count(keys[0]) == len(keys):
            self._record_in_case(run, 0, len(keys))
            return
        begin = 0
        if self._opens_only(run):
            self._record_in_case(run, 0, 1)
            begin = 1 + self._open_like_first(run)
        for _, same in groupby(keys[begin:]):
            end = begin + len(list(same))
            self._record_in_case(run, begin, end)
            begin = end

    def _record_in_case(self, run: RecordRun, begin: int, end: int) -> None:
        """Take up the records from place ``begin`` up to ``end`` of the run, all of the same case."""
        case_key = run.case_keys[begin]
        case = self._cases.get(case_key)
        place, both = begin, begin + 2  # two are judged by themselves; then the others may come to the same
        while place < end:
            self.at = run.first + place
            if case is None:
                case = self._cases[case_key] = self._first_touched(run, begin)
            else:
                _check_continues(case.head, case.judge.rules, run)
            number = case.head.count + len(case.events) + 1
            if place == both and case.judge.repeat(run, place, end):
                self._keep(case, ResultRun(case.identity, number, end - place, self._results[-1].findings))
                break
            self._keep(case, ResultRun(case.identity, number, 1, case.judge.judge(run, place, number)))
            place += 1
        if case is not None and run.step not in case.judge.rules.beside:
            case.step = run.step

    def _keep(self, case: _Case, results: ResultRun) -> None:
        """The results of the records from ``at`` on."""
        encoded = results.encode()
        case.events += event_leaves(self._suite, self._call.admitted.submission_id, self.at, encoded)
        self._results.append(results)
        self._encoded += encoded

    def _opens_only(self, run: RecordRun) -> bool:
        """Whether each record of the run is the batch's first of a case that may be new."""
        keys = set(run.case_keys)
        return len(keys) == len(run) and self._cases.keys().isdisjoint(keys)

    def _open_like_first(self, run: RecordRun) -> int:
        """Take up all records of the run but the first, which was taken up, where each does the same: open a case, with
        the same findings. How many they are; none where one of them does anything else.
        """
        first, call, suite = self._cases[run.case_keys[0]], self._call, self._suite
        if first.head.count or not first.judge.opens_alike(run):
            return 0
        identities = [case_id(suite, self._member, key) for key in run.case_keys[1:]]
        state_keys = [case_state_key(identity) for identity in identities]
        if not self._opened.keys().isdisjoint(state_keys) or any(call.state.get(key) is not None for key in state_keys):
            return 0
        findings = self._results[-1].findings
        results = [ResultRun(identity, 1, 1, findings) for identity in identities]
        encoded = encode_firsts(identities, findings)
        leaves = event_leaves(suite, call.admitted.submission_id, run.first + 1, encoded)
        new = self._new_cases[run.procedure]
        times = run.occurred_at_ms[1:]
        if {self._in_force(new, min(times)), self._in_force(new, max(times))} != {first.head.rule_set_hash}:
            return 0
        serials = range(new.serial + 1, new.serial + 1 + len(results))
        new.serial += len(results)
        heads = opened_heads(first.head_after(suite), serials, leaves, run.occurred_at_ms[1:])
        self._opened.update(zip(state_keys, heads, strict=True))
        self._results += results
        self._encoded += encoded
        return len(results)

    def effect(self) -> Effect:
        """What all of it came to."""
        writes: list[tuple[bytes, Entry]] = [(case.key, case.head_after(self._suite)) for case in self._cases.values()]
        writes.extend((new.serial_key, Counter(new.serial)) for new in self._new_cases.values())
        return Effect(
            writes=tuple(writes),
            encoded=tuple(self._opened.items()),
            result_runs=tuple(self._results),
            record_result_bytes=tuple(self._encoded),
        )

    def _first_touched(self, run: RecordRun, place: int) -> _Case:
        """The case of the batch's first record with that case key."""
        call = self._call
        identity = case_id(self._suite, self._member, run.case_keys[place])
        key = case_state_key(identity)
        opened = self._opened.get(key)
        head = call.state.load(key, CaseHead.decode) if opened is None else CaseHead.decode(opened)
        if head is None:
            head, rules = self._open(run, place)
        else:
            rules = bound_rule_set(call.base, head.rule_set_hash)
            _check_continues(head, rules, run)
        standing = self._standings.get(head.org)
        if standing is None:
            standing = self._standings[head.org] = _standing(call, head.org)
        judge = Judge(rules, head.marks, call.admitted.signers, call.context.time_ms, call.settings, standing)
        return _Case(identity, key, head, judge)

    def _in_force(self, new: _NewCases, occurred_at_ms: int) -> bytes | None:
        """The hash of the rule set that states the law of that time."""
        return new.rule_sets.on(date_number(occurred_at_ms, self._call.settings.utc_offset_min))

    def _open(self, entry: RecordRun, place: int) -> tuple[CaseHead, RuleSet]:
        """The head of a case that the record at that place opens, before its first event, and the rule set that the
        case is bound to."""
        new = self._new_cases.get(entry.procedure)
        if new is None:
            new = self._new_cases[entry.procedure] = self._procedure(entry.procedure)
        occurred_at_ms = entry.occurred_at_ms[place]
        rule_set_hash = self._in_force(new, occurred_at_ms)
        if rule_set_hash is None:
            date = date_number(occurred_at_ms, self._call.settings.utc_offset_min)
            raise Refused("no-rules-then", procedure=entry.procedure, date=date, first=new.rule_sets.rule_sets[0][0])
        rules = bound_rule_set(self._call.base, rule_set_hash)
        step = rules.step(entry.step)
        if step is None:
            raise Refused("unknown-step", step=entry.step)
        if not step.initial or self._member != member_of(self._org):
            raise Refused("unknown-case", step=entry.step)
        new.serial += 1
        context = self._call.context
        head = CaseHead(
            self._org,
            entry.procedure,
            new.serial,
            new.year,
            rule_set_hash,
            context.height,
            context.time_ms,
            0,
            _NO_EVENTS,
            entry.step,
            _NO_MARKS,
        )
        return head, rules

    def _procedure(self, procedure: str) -> _NewCases:
        """What cases are opened by: the rule sets installed, and the serials of the organisation and year."""
        call = self._call
        installed = call.base.load(procedure_key(procedure), decoded_procedure)
        if installed is None:
            raise Refused("unknown-procedure", procedure=procedure)
        year = year_of(call.context.time_ms, call.settings.utc_offset_min)
        counter_key = serial_key(self._org, procedure, year)
        counter = call.state.load(counter_key, Counter.decode)
        serial = 0 if counter is None else counter.value
        return _NewCases(installed, year, counter_key, serial)


def _check_continues(head: CaseHead, rules: RuleSet, entry: RecordRun) -> None:
    if entry.procedure != head.procedure:
        raise Refused("wrong-procedure", procedure=entry.procedure, expected=head.procedure)
    step = rules.step(entry.step)
    if step is not None and step.initial:
        raise Refused("case-exists", step=entry.step, opened_height=head.opened_height)


def _standing(call: Call, org: str) -> tuple[str, ...]:
    """What the signers are to a case of ``org``: its own, who belong to it, to a unit of it or to the member above it;
    or what all of their organisations are among the members, none of them the case's.

    Raises:
        Refused: ``wrong-org``: some are of the case's member and some are not, or of another unit of it.
    """
    signers, member = call.admitted.signers, member_of(org)
    strangers = [signer.org for signer in signers if not is_own(signer.org, org)]
    if not strangers:
        return (OWN,)
    others = {member_of(signer.org) for signer in signers}
    if member in others:
        raise Refused("wrong-org", org=strangers[0], case_org=org)
    entries = [call.base.load(org_key(other), OrgEntry.decode) for other in sorted(others)]
    roles = [set() if entry is None else set(entry.roles) for entry in entries]
    return tuple(sorted(set.intersection(*roles) - {OWN}))
