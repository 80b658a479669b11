"""Contract ``cases``: records of what happened in a case, judged by the rule set that the case is bound to.

``record [record_count, records_root]`` carries its records beside the signed body. A batch is atomic: if one record is
refused, so is all of it, and the refusal names the record. A record whose step is an initial one of its procedure
opens a case and claims its id, which no other member can claim (:func:`fazhi_ledger.record.case_id`).
"""

from __future__ import annotations

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
from .procedures.interpreter import judge
from .procedures.marks import Marks
from .procedures.ruleset import RuleSet, decoded_rule_set
from .state import Overlay, StateView, load_entry


def record(call: Call) -> Effect:
    """Record every record of the batch, or none.

    Raises:
        Refused: ``unknown-procedure``, ``unknown-case``, ``case-exists``, ``wrong-procedure``, ``wrong-org``, or what
            :func:`~fazhi_contracts.procedures.interpreter.judge` refuses; with the ``record``'s index.
    """
    results: list[RecordResult] = []
    encoded: list[bytes] = []
    for index, entry in enumerate(call.admitted.records):
        try:
            result = _record_one(call, index, entry, encoded)
        except Refused as refusal:
            raise Refused(refusal.code, record=index, **dict(refusal.parameters)) from None
        results.append(result)
    return Effect(record_results=tuple(results), record_result_bytes=tuple(encoded))


def _record_one(call: Call, index: int, entry: Record, encoded: list[bytes]) -> RecordResult:
    identity = case_id(call.context.suite, call.body.org, entry.case_key)
    key = case_state_key(identity)
    head = call.state.load(key, CaseHead.decode)
    if head is None:
        head, rules = _open(call, entry)
    else:
        rules = bound_rule_set(call.base, head.rule_set_hash)
        _check_continues(head, rules, entry)
    _check_writers(call, head.org)
    number = head.count + 1
    verdict = judge(rules, head.marks, entry, call.admitted.signers, call.context.time_ms, number, call.settings)
    result = RecordResult(identity, number, verdict.findings)
    data = result.encode()
    encoded.append(data)
    suite = call.context.suite
    leaf = merkle.leaf_hash(suite, event_bytes(call.admitted.submission_id, index, data))
    call.state.store(
        key,
        CaseHead(
            head.org,
            head.procedure,
            head.serial,
            head.year,
            head.rule_set_hash,
            head.opened_height,
            head.opened_time_ms,
            number,
            head.frontier.append(suite, leaf),
            entry.step,
            verdict.marks,
        ),
    )
    return result


def _open(call: Call, entry: Record) -> tuple[CaseHead, RuleSet]:
    """The head of a case that this record opens, before its first event, and the rule set that the case is bound to."""
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
    org = call.body.org
    year = year_of(call.context.time_ms, call.settings.utc_offset_min)
    counter_key = serial_key(org, entry.procedure, year)
    counter = call.state.load(counter_key, Counter.decode)
    serial = 1 if counter is None else counter.value + 1
    call.state.store(counter_key, Counter(serial))
    head = CaseHead(
        org,
        entry.procedure,
        serial,
        year,
        rule_set_hash,
        call.context.height,
        call.context.time_ms,
        0,
        Frontier.empty(),
        entry.step,
        Marks(),
    )
    return head, rules


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
        if not is_within(signer.org, org) and signer.org != member_of(org):
            raise Refused("wrong-org", org=signer.org, case_org=org)


def bound_rule_set(view: StateView | Overlay, rule_set_hash: bytes) -> RuleSet:
    """The rule set of that hash.

    Raises:
        StateCorrupt: it is not installed; a case is only ever bound to one that is, and none is ever removed.
    """
    key = rule_set_key(rule_set_hash)
    rules = view.load(key, decoded_rule_set) if isinstance(view, Overlay) else load_entry(view, key, decoded_rule_set)
    if rules is None:
        raise StateCorrupt(f"rule set {rule_set_hash.hex()} is not in the state")
    return rules
