"""The execution of a block, told plainly: one record after another, every entry read from bytes and written back to
bytes at once, nothing remembered on the way. What ``fazhi_contracts`` does faster must come to the same bytes.

Contract ``identity`` is left out: it has no second form to differ from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fazhi_contracts.calendar import local_day, year_of
from fazhi_contracts.context import BlockContext
from fazhi_contracts.entries import Counter, KeyEntry, LaneEntry, ParametersEntry, ProcedureEntry
from fazhi_contracts.errors import Refused
from fazhi_contracts.head import CaseHead, event_leaf
from fazhi_contracts.keys import state_key
from fazhi_contracts.lanes import VOID, voided_range
from fazhi_contracts.procedures.marks import Marks, StepMark
from fazhi_contracts.procedures.ruleset import Clock, Condition, Guard, RuleSet, Step
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import EncodingError, InvalidSubmission, Parameter
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record import Record, case_id, member_of, records_root
from fazhi_ledger.result import Finding, RecordResult, Result, ResultSigner, record_results_root
from fazhi_ledger.submission import Item

State = dict[bytes, bytes]
Clear = tuple[tuple[str, str], ...]
Signers = tuple[ResultSigner, ...]


def parameters_in(state: State) -> Parameters:
    return ParametersEntry.decode(state[state_key("parameters")]).parameters


def execute(before: State, items: Sequence[Item], context: BlockContext) -> tuple[list[Result], State]:
    """The results of sound items, and the state after them."""
    after = dict(before)
    results = []
    for item in items:
        body, suite = item.body, context.suite
        lane_key = state_key("lane", body.org, body.signer_keys[0], body.lane)
        if lane_key not in after:
            count_key = state_key("lanes", body.signer_keys[0])
            lanes = Counter.decode(after[count_key]).value if count_key in after else 0
            after[count_key] = Counter(lanes + 1).encode()
        voided = LaneEntry.decode(after[lane_key]).voided if lane_key in after else 0
        following, code = body.seq + 1, "OK"
        found: tuple[Parameter, ...] = ()
        encoded: tuple[bytes, ...] = ()
        try:
            if (body.contract, body.action) == ("cases", "record"):
                whole = dict(after)
                encoded = record_all(before, whole, item, context)
                after = whole
            elif (body.contract, body.action) == VOID:
                first, last, reason = voided_range(body, parameters_in(before))
                found = (("finding", "lane-voided"), ("first", first), ("last", last), ("reason", reason))
                following, voided = last + 1, voided + last - first + 1
            else:
                raise Refused("unknown-action", contract=body.contract, action=body.action)
        except Refused as refusal:
            code, found = refusal.code, refusal.parameters
        after[lane_key] = LaneEntry(following, voided).encode()
        signers = signers_of(before, item)
        results.append(Result(item.id(suite), code, found, signers, record_results_root(suite, encoded)))
    return results, after


def signers_of(before: State, item: Item) -> Signers:
    entries = [KeyEntry.decode(before[state_key("key", key)]) for key in item.body.signer_keys]
    return tuple(
        ResultSigner(key, entry.org, entry.roles) for key, entry in zip(item.body.signer_keys, entries, strict=True)
    )


def record_all(before: State, state: State, item: Item, context: BlockContext) -> tuple[bytes, ...]:
    encoded = []
    for index, data in enumerate(item.records):
        try:
            encoded.append(record_one(before, state, item, index, Record.decode(data), context))
        except Refused as refusal:
            raise Refused(refusal.code, record=index, **dict(refusal.parameters)) from None
    return tuple(encoded)


def record_one(before: State, state: State, item: Item, index: int, entry: Record, context: BlockContext) -> bytes:
    suite, parameters = context.suite, parameters_in(before)
    identity = case_id(suite, item.body.org, entry.case_key)
    key = state_key("case", identity)
    if key in state:
        head = CaseHead.decode(state[key])
        rules = RuleSet.decode(before[state_key("rule-set", head.rule_set_hash)])
        if entry.procedure != head.procedure:
            raise Refused("wrong-procedure", procedure=entry.procedure, expected=head.procedure)
        if entry.step in rules.by_code and rules.by_code[entry.step].initial:
            raise Refused("case-exists", step=entry.step, opened_height=head.opened_height)
    else:
        head, rules = opened(before, state, item, entry, context)
    signers = signers_of(before, item)
    for signer in signers:
        within = signer.org == head.org or signer.org.rpartition(".")[0] == head.org
        if not within and signer.org != member_of(head.org):
            raise Refused("wrong-org", org=signer.org, case_org=head.org)
    number = head.count + 1
    findings, marks = judge(rules, head.marks.marks, entry, signers, context.time_ms, number, parameters)
    data = RecordResult(identity, number, findings).encode()
    frontier = head.frontier.append(suite, event_leaf(suite, item.id(suite), index, data))
    after = replace(head, count=number, frontier=frontier, step=entry.step, marks=Marks(marks))
    state[key] = after.encode()
    return data


def opened(before: State, state: State, item: Item, entry: Record, context: BlockContext) -> tuple[CaseHead, RuleSet]:
    procedure_key = state_key("procedure", entry.procedure)
    if procedure_key not in before:
        raise Refused("unknown-procedure", procedure=entry.procedure)
    rule_set_hash = ProcedureEntry.decode(before[procedure_key]).rule_set_hashes[-1]
    rules = RuleSet.decode(before[state_key("rule-set", rule_set_hash)])
    if entry.step not in rules.by_code:
        raise Refused("unknown-step", step=entry.step)
    if not rules.by_code[entry.step].initial:
        raise Refused("unknown-case", step=entry.step)
    org, time_ms = item.body.org, context.time_ms
    year = year_of(time_ms, parameters_in(before).get("utc_offset_min"))
    serial_key = state_key("serial", org, entry.procedure, year)
    serial = 1 + (Counter.decode(state[serial_key]).value if serial_key in state else 0)
    state[serial_key] = Counter(serial).encode()
    opening = (org, entry.procedure, serial, year, rule_set_hash, context.height, time_ms)
    return CaseHead(*opening, 0, Frontier.empty(), entry.step, Marks()), rules


# --- the reading of a rule set ---


def judge(
    rules: RuleSet,
    marks: tuple[StepMark, ...],
    record: Record,
    signers: Signers,
    time_ms: int,
    number: int,
    parameters: Parameters,
) -> tuple[tuple[Finding, ...], tuple[StepMark, ...]]:
    """Findings and the new marks, in the order in which ``spec/ruleset.md`` names them."""
    step = next((step for step in rules.steps if step.code == record.step), None)
    if step is None:
        raise Refused("unknown-step", step=record.step)
    for mark in marks:
        if any(other.code == mark.step and other.terminal for other in rules.steps):
            raise Refused("case-closed", step=step.code, closed_by=mark.step)
    if step.requires and not any(mark_of(marks, code) for code in step.requires):
        raise Refused("impossible-step", step=step.code, requires="/".join(step.requires)[:256])
    clear = clear_of(step, record)
    findings = judge_recording(step, marks, record, signers)
    for guard in step.guards:
        findings += judge_guard(guard, marks, clear, signers)
    for clock in step.clocks:
        findings += judge_clock(clock, marks, clear, record.occurred_at_ms, parameters)
    findings += judge_times(rules.record_article, marks, record.occurred_at_ms, time_ms, parameters)
    watched = any(guard.kind == "others-than" and guard.step == step.code for s in rules.steps for guard in s.guards)
    kept = tuple(sorted(signer.key for signer in signers)) if watched else ()
    known = mark_of(marks, step.code)
    at = record.occurred_at_ms
    if known is None:
        return tuple(findings), (*marks, StepMark(step.code, 1, number, number, at, at, clear, kept))
    newer = StepMark(step.code, known.count + 1, known.first_number, number, known.first_occurred_ms, at, clear, kept)
    return tuple(findings), tuple(newer if mark.step == step.code else mark for mark in marks)


def mark_of(marks: tuple[StepMark, ...], step: str | None) -> StepMark | None:
    return next((mark for mark in marks if mark.step == step), None)


def clear_of(step: Step, record: Record) -> Clear:
    accepted: list[tuple[str, str]] = []
    for name, value in record.clear:
        known = next((known for known in step.clear if known.name == name), None)
        if known is None:
            raise Refused("unknown-clear-field", step=step.code, field=name)
        if not isinstance(value, str) or value not in [term.code for term in known.values]:
            raise Refused("unknown-clear-value", step=step.code, field=name, value=value)
        accepted.append((name, value))
    for known in step.clear:
        if known.required and known.name not in dict(accepted):
            raise Refused("missing-clear-field", step=step.code, field=known.name)
    return tuple(accepted)


def judge_recording(step: Step, marks: tuple[StepMark, ...], record: Record, signers: Signers) -> list[Finding]:
    rule, findings = step.signing, []
    found = sum(1 for signer in signers if set(signer.roles) & set(rule.roles))
    listed = "/".join(rule.roles)[:256]
    if found == 0:
        raise Refused("role-not-allowed", step=step.code, roles=listed)
    if found < rule.minimum:
        confirmed = () if rule.confirmed else (("to_confirm", 1),)
        parameters = (("roles", listed), ("required", rule.minimum), ("found", found), *confirmed)
        findings.append(Finding("signers-short", rule.article, "irregular", parameters))
    mark = mark_of(marks, step.code)
    if mark is not None and not step.repeatable:
        again = (("step", step.code), ("first", mark.first_number))
        findings.append(Finding("step-repeated", step.article, "irregular", again))
    if step.from_steps and not any(mark_of(marks, code) for code in step.from_steps):
        expected = "/".join(step.from_steps)[:256]
        findings.append(Finding("step-skipped", step.article, "irregular", (("expected", expected),)))
    if record.commitment_count < step.documents_min:
        short = (("required", step.documents_min), ("found", record.commitment_count))
        findings.append(Finding("documents-short", step.article, "irregular", short))
    return findings


def judge_guard(guard: Guard, marks: tuple[StepMark, ...], clear: Clear, signers: Signers) -> list[Finding]:
    if guard.only_if is not None and not holds(guard.only_if, marks, clear):
        return []
    if guard.unless is not None and holds(guard.unless, marks, clear):
        return []

    def finding(code: str, *parameters: Parameter) -> list[Finding]:
        confirmed = () if guard.confirmed else (("to_confirm", 1),)
        return [Finding(code, guard.article, guard.severity, (("step", guard.step), *parameters, *confirmed))]

    mark = mark_of(marks, guard.step)
    if guard.kind == "done":
        since = mark_of(marks, guard.since)
        if mark is None:
            return finding("step-missing")
        if since is not None and mark.last_number < since.last_number:
            return finding("step-outdated", ("since", since.step))
        return []
    if mark is None:
        return []
    if guard.kind == "outcome":
        value = dict(mark.clear).get(guard.field or "")
        if value not in guard.values:
            return finding("outcome-adverse", ("field", guard.field or ""), ("value", value or ""))
        return []
    return finding("same-signer") if {signer.key for signer in signers} & set(mark.signers) else []


def judge_clock(
    clock: Clock, marks: tuple[StepMark, ...], clear: Clear, at: int, parameters: Parameters
) -> list[Finding]:
    mark = mark_of(marks, clock.start)
    if mark is None or (clock.only_if is not None and not holds(clock.only_if, marks, clear)):
        return []
    offset = parameters.get("utc_offset_min")
    start = mark.first_occurred_ms if clock.counted == "first" else mark.last_occurred_ms
    due = local_day(start, offset) + clock.days
    due += sum(shift.days for shift in clock.shifts if dict(mark.clear).get(shift.field) == shift.value)
    late = local_day(at, offset) - due
    if late <= 0:
        return []
    confirmed = () if clock.confirmed else (("to_confirm", 1),)
    exceeded = (("start", clock.start), ("days", clock.days), ("late_days", late), *confirmed)
    return [Finding("deadline-exceeded", clock.article, clock.severity, exceeded)]


def judge_times(
    article: str, marks: tuple[StepMark, ...], at: int, time_ms: int, parameters: Parameters
) -> list[Finding]:
    findings = []
    latest = max(marks, key=lambda mark: mark.last_number, default=None)
    if latest is not None and at < latest.last_occurred_ms:
        before = (("previous", latest.step), ("earlier_ms", latest.last_occurred_ms - at))
        findings.append(Finding("occurred-before-previous", article, "irregular", before))
    if at > time_ms + parameters.get("max_clock_skew_ms"):
        findings.append(Finding("occurred-in-future", article, "irregular", (("ahead_ms", at - time_ms),)))
    limit = parameters.get("late_record_ms")
    if time_ms - at > limit:
        late = (("late_ms", time_ms - at), ("limit_ms", limit))
        findings.append(Finding("recorded-late", article, "note", late))
    return findings


def holds(condition: Condition, marks: tuple[StepMark, ...], clear: Clear) -> bool:
    if condition.step is None:
        return dict(clear).get(condition.field) in condition.values
    mark = mark_of(marks, condition.step)
    return mark is not None and dict(mark.clear).get(condition.field) in condition.values


# --- what makes an item invalid ---


def invalidity(before: State, item: Item, context: BlockContext) -> InvalidSubmission | None:
    """The first of the things that may be wrong with an item, its lane and signatures aside."""
    body, parameters = item.body, parameters_in(before)
    limit = parameters.get
    size = len(item.body_bytes) + sum(len(part) for part in (*item.signatures, *item.records))
    if body.genesis_hash != context.genesis_hash:
        return InvalidSubmission("wrong-genesis")
    if size > limit("max_item_bytes") or size > limit("max_block_bytes"):
        largest = min(limit("max_item_bytes"), limit("max_block_bytes"))
        return InvalidSubmission("item-too-large", bytes=size, limit=largest)
    if len(body.signer_keys) > limit("max_signer_keys"):
        return InvalidSubmission("too-many-signers", signers=len(body.signer_keys), limit=limit("max_signer_keys"))
    until = body.valid_until_ms
    if until is not None and context.time_ms > until:
        return InvalidSubmission("expired", valid_until_ms=until, time_ms=context.time_ms)
    if until is not None and until - body.claimed_time_ms > limit("max_validity_ms"):
        validity = until - body.claimed_time_ms
        return InvalidSubmission("validity-too-long", validity_ms=validity, limit_ms=limit("max_validity_ms"))
    if body.not_before is not None and body.not_before[0] >= context.height:
        return InvalidSubmission("not-before-ahead", not_before=body.not_before[0], next_height=context.height)
    if body.not_before is not None and context.header_hash_at(body.not_before[0]) != body.not_before[1]:
        return InvalidSubmission("not-before-mismatch", not_before=body.not_before[0])
    for position, key in enumerate(body.signer_keys):
        if state_key("key", key) not in before:
            return InvalidSubmission("unknown-key", position=position)
        revoked = KeyEntry.decode(before[state_key("key", key)]).revoked_height
        if revoked is not None:
            return InvalidSubmission("revoked-key", position=position, revoked_height=revoked)
    first = KeyEntry.decode(before[state_key("key", body.signer_keys[0])])
    if first.org != body.org:
        return InvalidSubmission("key-not-of-org", org=body.org, key_org=first.org)
    return wrong_records(item, limit("max_records_per_item"), context)


def wrong_records(item: Item, limit: int, context: BlockContext) -> InvalidSubmission | None:
    count = len(item.records)
    if (item.body.contract, item.body.action) != ("cases", "record"):
        return InvalidSubmission("unexpected-records", records=count) if count else None
    if count > limit:
        return InvalidSubmission("too-many-records", records=count, limit=limit)
    root = records_root(context.suite, item.records)
    if count == 0 or encode(item.body.args) != encode((count, root)):
        return InvalidSubmission("wrong-records", records=count)
    for index, data in enumerate(item.records):
        try:
            Record.decode(data)
        except EncodingError as error:
            return InvalidSubmission("malformed-record", reason=error.code, record=index)
    return None
