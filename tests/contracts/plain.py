"""The execution of a block, told plainly: one record after another, every entry read from bytes and written back to
bytes at once, nothing remembered on the way. What ``fazhi_contracts`` does faster must come to the same bytes.

Contract ``identity`` is left out: it has no second form to differ from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations

from fazhi_contracts.calendar import date_of_day, day_of_date, local_day, year_of
from fazhi_contracts.context import BlockContext
from fazhi_contracts.entries import Counter, KeyEntry, LaneEntry, OrgEntry, ParametersEntry
from fazhi_contracts.errors import Refused
from fazhi_contracts.head import CaseHead, event_leaf
from fazhi_contracts.keys import state_key
from fazhi_contracts.lanes import VOID, voided_range
from fazhi_contracts.personal import personal_kind
from fazhi_contracts.procedures.marks import Marks, Spans, StepMark
from fazhi_contracts.procedures.ruleset import Clock, Condition, Guard, RuleSet, Step
from fazhi_contracts.rulebook import CalendarsEntry, ProcedureEntry
from fazhi_contracts.workdays import YearCalendar, weekday_of
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import EncodingError, InvalidSubmission, Parameter
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record import Record, case_id, member_of, records_root
from fazhi_ledger.result import Finding, RecordResult, Result, ResultSigner, record_results_root
from fazhi_ledger.submission import Item

State = dict[bytes, bytes]
Clear = tuple[tuple[str, str | int], ...]
Signers = tuple[ResultSigner, ...]


rules_from = lru_cache(maxsize=64)(RuleSet.decode)  # it takes most of the time otherwise, and is the same every time


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
    args = item.body.args
    assert isinstance(args, tuple)
    other = str(args[2]) if len(args) == 3 else None
    identity = case_id(suite, other or item.body.org, entry.case_key)
    key = state_key("case", identity)
    if key in state:
        head = CaseHead.decode(state[key])
        rules = rules_from(before[state_key("rule-set", head.rule_set_hash)])
        if entry.procedure != head.procedure:
            raise Refused("wrong-procedure", procedure=entry.procedure, expected=head.procedure)
        if entry.step in rules.by_code and rules.by_code[entry.step].initial:
            raise Refused("case-exists", step=entry.step, opened_height=head.opened_height)
    else:
        head, rules = opened(before, state, item, entry, context, other)
    signers = signers_of(before, item)
    number = head.count + 1
    standing = standing_of(before, signers, head.org)
    case = Case(rules, head.marks, parameters, before, standing)
    findings, marks = judge(case, entry, signers, context.time_ms, number)
    data = RecordResult(identity, number, findings).encode()
    frontier = head.frontier.append(suite, event_leaf(suite, item.id(suite), index, data))
    stands_at = head.step if rules.by_code[entry.step].beside else entry.step
    after = replace(head, count=number, frontier=frontier, step=stands_at, marks=marks)
    state[key] = after.encode()
    return data


def standing_of(before: State, signers: Signers, org: str) -> set[str]:
    """What everybody who signs is to a case of ``org``."""
    strangers = [
        signer.org
        for signer in signers
        if signer.org not in (org, member_of(org)) and signer.org.rpartition(".")[0] != org
    ]
    if not strangers:
        return {"own"}
    if any(member_of(signer.org) == member_of(org) for signer in signers):
        raise Refused("wrong-org", org=strangers[0], case_org=org)
    held = [set(OrgEntry.decode(before[state_key("org", member_of(one))]).roles) for one in strangers]
    return {role for role in held[0] if all(role in roles for roles in held)}


def opened(
    before: State, state: State, item: Item, entry: Record, context: BlockContext, other: str | None
) -> tuple[CaseHead, RuleSet]:
    procedure_key = state_key("procedure", entry.procedure)
    if procedure_key not in before:
        raise Refused("unknown-procedure", procedure=entry.procedure)
    dated = ProcedureEntry.decode(before[procedure_key]).rule_sets
    year, month, day = date_of_day(local_day(entry.occurred_at_ms, parameters_in(before).get("utc_offset_min")))
    date = int(f"{year:04}{month:02}{day:02}")
    then = [rule_set_hash for law_from, rule_set_hash in dated if law_from <= date]
    if not then:
        raise Refused("no-rules-then", procedure=entry.procedure, date=date, first=dated[0][0])
    rule_set_hash = then[-1]
    rules = rules_from(before[state_key("rule-set", rule_set_hash)])
    if entry.step not in rules.by_code:
        raise Refused("unknown-step", step=entry.step)
    if not rules.by_code[entry.step].initial or other is not None:
        raise Refused("unknown-case", step=entry.step)
    org, time_ms = item.body.org, context.time_ms
    year = year_of(time_ms, parameters_in(before).get("utc_offset_min"))
    serial_key = state_key("serial", org, entry.procedure, year)
    serial = 1 + (Counter.decode(state[serial_key]).value if serial_key in state else 0)
    state[serial_key] = Counter(serial).encode()
    opening = (org, entry.procedure, serial, year, rule_set_hash, context.height, time_ms)
    return CaseHead(*opening, 0, Frontier.empty(), entry.step, Marks()), rules


# --- the reading of a rule set ---


class NoCalendar(Exception):
    """Of a year."""


@dataclass(frozen=True)
class Case:
    """A case before one more record."""

    rules: RuleSet
    before: Marks
    parameters: Parameters
    state: State
    standing: set[str]

    @property
    def marks(self) -> tuple[StepMark, ...]:
        return self.before.marks

    @property
    def offset(self) -> int:
        return self.parameters.get("utc_offset_min")

    def works(self, day: int) -> bool:
        """Whether people work on that day."""
        year, _, _ = date_of_day(day)
        listed = self.state.get(state_key("calendars"))
        hashes = (
            [] if listed is None else [one for known, one in CalendarsEntry.decode(listed).calendars if known == year]
        )
        if not hashes:
            raise NoCalendar(year)
        calendar = YearCalendar.decode(self.state[state_key("calendar", hashes[-1])])
        number = day - day_of_date(year, 1, 1) + 1
        return number in calendar.makeup_days or (weekday_of(day) < 5 and number not in calendar.holidays)


def judge(case: Case, record: Record, signers: Signers, time_ms: int, number: int) -> tuple[tuple[Finding, ...], Marks]:
    """Findings and the new marks, in the order in which ``spec/ruleset.md`` names them."""
    rules, marks = case.rules, case.marks
    step = next((step for step in rules.steps if step.code == record.step), None)
    if step is None:
        raise Refused("unknown-step", step=record.step)
    if not any(org in case.standing for org in step.signing.orgs):
        raise Refused("wrong-standing", step=step.code, orgs="/".join(step.signing.orgs)[:256])
    for mark in marks if not step.beside else ():
        closes = any(other.code == mark.step and other.terminal for other in rules.steps)
        if closes and mark.step not in step.from_steps:
            raise Refused("case-closed", step=step.code, closed_by=mark.step)
    if step.requires and not any(mark_of(marks, code) for code in step.requires):
        raise Refused("impossible-step", step=step.code, requires="/".join(step.requires)[:256])
    clear = clear_of(step, record)
    findings = judge_recording(step, marks, record, signers)
    sums = summed(case, step, clear)
    for guard in step.guards:
        findings += judge_guard(guard, marks, clear, signers)
    for clock in step.clocks:
        findings += judge_clock(case, clock, clear, record.occurred_at_ms)
    in_order = tuple(mark for mark in marks if not step.beside and not rules.by_code[mark.step].beside)
    findings += judge_times(rules.record_article, in_order, record.occurred_at_ms, time_ms, case.parameters)
    spans, uncounted = paused(case, step, local_day(record.occurred_at_ms, case.offset))
    findings += uncounted
    watched = any(guard.kind == "others-than" and guard.step == step.code for s in rules.steps for guard in s.guards)
    known = mark_of(marks, step.code)
    kept = list(known.signers) if known else []
    for key in sorted(signer.key for signer in signers) if watched else ():
        if key not in kept and len(kept) < 16:
            kept.append(key)
    at = record.occurred_at_ms
    if known is None:
        return tuple(findings), Marks(
            (*marks, StepMark(step.code, 1, number, number, at, at, clear, tuple(sorted(kept)))), spans, sums
        )
    newer = StepMark(
        step.code, known.count + 1, known.first_number, number, known.first_occurred_ms, at, clear, tuple(sorted(kept))
    )
    return tuple(findings), Marks(tuple(newer if mark.step == step.code else mark for mark in marks), spans, sums)


def summed(case: Case, step: Step, clear: Clear) -> tuple[tuple[str, int], ...]:
    """The tallies after the record."""
    sums = dict(case.before.sums)
    for tally in case.rules.tallies:
        numbers = [(name, int(value)) for name, value in clear if isinstance(value, int)]
        up = sum(value for name, value in numbers if (step.code, name) in tally.plus)
        down = sum(value for name, value in numbers if (step.code, name) in tally.minus)
        stands_at = sums.get(tally.code, 0) + up
        if stands_at < down:
            most = 2**63 - 1
            raise Refused("tally-short", tally=tally.code, stands_at=min(stands_at, most), asked=min(down, most))
        if up or down:
            sums[tally.code] = stands_at - down
    return tuple((code, sums[code]) for code in sorted(sums))


def paused(case: Case, step: Step, day: int) -> tuple[Spans, list[Finding]]:
    """The pauses after the step."""
    spans, findings = {code: list(each) for code, each in case.before.spans}, []
    for pause in case.rules.pauses:
        each = spans.get(pause.code, [])
        lasts = bool(each) and each[-1][1] is None
        if step.code in pause.begins and not lasts:
            if len(each) < 8:
                spans[pause.code] = [*each, (day, None)]
            else:
                findings.append(Finding("pause-not-counted", pause.article, "note", (("pause", pause.code),)))
        if step.code in pause.ends and lasts:
            begin = each[-1][0]
            spans[pause.code] = [*each[:-1], (begin, day if day > begin else begin)]
    return tuple((code, tuple(spans[code])) for code in sorted(spans)), findings


def mark_of(marks: tuple[StepMark, ...], step: str | None) -> StepMark | None:
    return next((mark for mark in marks if mark.step == step), None)


def clear_of(step: Step, record: Record) -> Clear:
    for name, value in record.clear:
        known = next((known for known in step.clear if known.name == name), None)
        if known is None:
            raise Refused("unknown-clear-field", step=step.code, field=name)
        words = [term.code for term in known.values]
        sound = value in words if isinstance(value, str) else not words and known.low <= value <= known.high
        if not sound:
            raise Refused("unknown-clear-value", step=step.code, field=name, value=value)
    for known in step.clear:
        if known.required and known.name not in dict(record.clear):
            raise Refused("missing-clear-field", step=step.code, field=known.name)
    return record.clear


def judge_recording(step: Step, marks: tuple[StepMark, ...], record: Record, signers: Signers) -> list[Finding]:
    rule, findings = step.signing, []
    found = sum(1 for signer in signers if set(signer.roles) & set(rule.roles))
    listed = "/".join(rule.roles)[:256]
    if found == 0:
        raise Refused("role-not-allowed", step=step.code, roles=listed)
    if rule.each:
        most = min(len(rule.roles), len(signers))
        ways = permutations(rule.roles, most)
        found = max(sum(map(has_role, chosen, way)) for way in ways for chosen in permutations(signers, most))
    if found < rule.minimum and rule.strict:
        raise Refused("attestation-short", step=step.code, required=rule.minimum, found=found)
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


def has_role(signer: ResultSigner, role: str) -> bool:
    return role in signer.roles


def asked(clause: Guard | Clock, marks: tuple[StepMark, ...], clear: Clear) -> bool:
    if any(holds(one, marks, clear) for one in clause.unless):
        return False
    return not any(not holds(one, marks, clear) for one in clause.only_if)


def judge_guard(guard: Guard, marks: tuple[StepMark, ...], clear: Clear, signers: Signers) -> list[Finding]:
    if not asked(guard, marks, clear):
        return []
    about: tuple[Parameter, ...] = () if guard.step is None else (("step", guard.step),)

    def finding(code: str, *parameters: Parameter) -> list[Finding]:
        confirmed = () if guard.confirmed else (("to_confirm", 1),)
        return [Finding(code, guard.article, guard.severity, (*about, *parameters, *confirmed))]

    mark = mark_of(marks, guard.step)
    if guard.kind == "at-most":
        value, limit = dict(clear).get(guard.field or ""), guard.limit or 0
        over = (("field", guard.field or ""), ("value", value or 0), ("limit", limit))
        return finding("over-limit", *over) if isinstance(value, int) and value > limit else []
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
        word = dict(mark.clear).get(guard.field or "")
        adverse = (("field", guard.field or ""), ("value", word or ""))
        return [] if word in guard.values else finding("outcome-adverse", *adverse)
    if guard.kind == "ended":
        later = [one for one in marks if one.step in guard.by and one.last_number >= mark.last_number]
        return [] if later else finding("not-ended", ("by", "/".join(guard.by)[:256]))
    if guard.kind == "before":
        return finding("after-step")
    return finding("same-signer") if {signer.key for signer in signers} & set(mark.signers) else []


def judge_clock(case: Case, clock: Clock, clear: Clear, at: int) -> list[Finding]:
    start = mark_of(case.marks, clock.start)
    if start is None or not asked(clock, case.marks, clear):
        return []
    confirmed = () if clock.confirmed else (("to_confirm", 1),)
    term = (("start", clock.start), ("amount", clock.amount), ("unit", clock.unit))

    def finding(code: str, *parameters: Parameter) -> list[Finding]:
        return [Finding(code, clock.article, clock.severity, (*term, *parameters, *confirmed))]

    day = local_day(at, case.offset)
    try:
        if clock.unit == "hours":
            return judge_hours(case, clock, start, at, finding)
        end = last_day(case, clock, start)
        if end is None:
            return finding("term-paused") if clock.kind != "within" else []
        early = {"within": False, "not-before": day < end, "lapsed": day <= end}[clock.kind]
        if not early and (clock.kind != "within" or day > end):
            end = rolled(case, end, day) if clock.rolls else end
        first = end + 1 if clock.kind == "lapsed" else end
    except NoCalendar as missing:
        least = last_day(case, replace(clock, unit=clock.unit.replace("working", "calendar")), start)
        if least is not None and clock.kind == "within" and day <= least:
            return []
        first = 0 if least is None else least + (clock.kind == "lapsed")
        if clock.kind != "within" and day < first:
            return finding("too-early", ("early_days", first - day))
        named = (("start", clock.start), ("year", missing.args[0]))
        return [Finding("calendar-missing", clock.article, "note", named)]
    if clock.kind == "within":
        return finding("deadline-exceeded", ("late_days", day - end)) if day > end else []
    return finding("too-early", ("early_days", first - day)) if day < first else []


def owed(case: Case) -> list[tuple[str, str, int | None, int | None]]:
    """The terms that run: what is owed, from what on, on which day at the latest, or which year is not known."""
    found: list[tuple[str, str, int | None, int | None]] = []
    for step in case.rules.steps:
        mark = mark_of(case.marks, step.code)
        closing = [one.step for one in case.marks if case.rules.by_code[one.step].terminal][:1]
        if closing and closing[0] not in step.from_steps and not step.beside:
            continue
        for clock in step.clocks:
            start = mark_of(case.marks, clock.start)
            again = step.repeatable and clock.counted == "last"
            if (
                not clock.owed
                or start is None
                or not (mark is None or (again and mark.last_number < start.last_number))
            ):
                continue
            known = replace(
                clock,
                only_if=tuple(one for one in clock.only_if if one.step is not None),
                unless=tuple(one for one in clock.unless if one.step is not None),
            )
            if asked(known, case.marks, ()):
                found.append((step.code, clock.start, *due_day(case, clock, start)))
    return found


def due_day(case: Case, clock: Clock, start: StepMark) -> tuple[int | None, int | None]:
    """The day on which a term ends, or the year that is missing."""
    if clock.unit == "hours":
        begun = start.first_occurred_ms if clock.counted == "first" else start.last_occurred_ms
        return local_day(begun + (clock.amount + extended(case, clock, start)) * 3_600_000, case.offset), None
    end = None
    try:
        end = last_day(case, clock, start)
        return (end if end is None or not clock.rolls else rolled(case, end, end)), None
    except NoCalendar as missing:
        return end, missing.args[0]


def rolled(case: Case, end: int, day: int) -> int:
    """The first day of work from ``end`` on; without a calendar ``end``, where the event is late by any."""
    moved = end
    try:
        while not case.works(moved):
            moved += 1
    except NoCalendar:
        if day - end <= 15:
            raise
        return end
    return moved


def judge_hours(
    case: Case, clock: Clock, start: StepMark, at: int, finding: Callable[..., list[Finding]]
) -> list[Finding]:
    amount = clock.amount + extended(case, clock, start)
    end = (start.first_occurred_ms if clock.counted == "first" else start.last_occurred_ms) + amount * 3_600_000
    if clock.kind == "within":
        return finding("deadline-exceeded", ("late_minutes", (at - end + 59_999) // 60_000)) if at > end else []
    first = end + 1 if clock.kind == "lapsed" else end
    early = local_day(first, case.offset) - local_day(at, case.offset)
    return finding("too-early", ("early_days", early)) if at < first else []


def extended(case: Case, clock: Clock, start: StepMark) -> int:
    number = start.first_number if clock.counted == "first" else start.last_number
    longer = [mark_of(case.marks, extension.step) for extension in clock.extensions]
    pairs = zip(clock.extensions, longer, strict=True)
    return sum(extension.amount for extension, mark in pairs if mark is not None and mark.last_number > number)


def last_day(case: Case, clock: Clock, start: StepMark) -> int | None:
    """The last day of a term, day by day; None where it never comes, as a pause lasts."""
    begun = start.first_occurred_ms if clock.counted == "first" else start.last_occurred_ms
    day = local_day(begun, case.offset)
    day += sum(shift.days for shift in clock.shifts if dict(start.clear).get(shift.field) == shift.value)
    left = clock.amount + extended(case, clock, start)
    if clock.unit in ("months", "years"):
        year, month, number = date_of_day(day)
        month += left * (12 if clock.unit == "years" else 1)
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
        following = day_of_date(year + month // 12, month % 12 + 1, 1)
        left = min(day_of_date(year, month, 1) + number, following) - 1 - day
    spans = [span for code, each in case.before.spans if code in clock.pauses for span in each]
    while left:
        if any(end is None and begin <= day for begin, end in spans):
            return None
        day += 1
        left_out = any(begin < day <= end for begin, end in spans if end is not None)
        if left_out or (clock.unit == "working-days" and not case.works(day)):
            continue
        left -= 1
    return day


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
        return dict(clear).get(condition.field or "") in condition.values
    mark = mark_of(marks, condition.step)
    if mark is None or condition.field is None:
        return mark is not None
    return dict(mark.clear).get(condition.field) in condition.values


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
    args = item.body.args
    other = args[2:] if isinstance(args, tuple) and len(args) == 3 else ()
    sound = all(isinstance(org, str) and org.isalpha() and org != member_of(item.body.org) for org in other)
    if count == 0 or not sound or encode(args) != encode((count, root, *other)):
        return InvalidSubmission("wrong-records", records=count)
    for index, data in enumerate(item.records):
        try:
            Record.decode(data)
        except EncodingError as error:
            return InvalidSubmission("malformed-record", reason=error.code, record=index)
    for index, data in enumerate(item.records):
        for name, value in Record.decode(data).clear:
            kind = personal_kind(value)
            if kind is not None:
                return InvalidSubmission("looks-personal", record=index, field=name, kind=kind)
    return None
