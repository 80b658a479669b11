"""Reading a rule set over a case: given what the case remembers and one more record, either a refusal, or findings and
the new memory.

The same function runs in every node, in the auditor and offline in the verifier of a trail. A breach that a bureau
could honestly have to record is a finding; only what cannot be is refused (design §7).
"""

from __future__ import annotations

from functools import lru_cache
from operator import gt

from fazhi_ledger.limits import MAX_INT, MAX_SIGNER_KEYS
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import Finding, ResultSigner

from ..calendar import local_day
from ..errors import Refused
from .clauses import Added
from .deadlines import MarksByStep
from .judging import IRREGULAR, NOTE, broken, counts, finding, judge_clock, listed
from .marks import MAX_SPANS, NO_CLEAR, NO_SIGNERS, Clear, Marks, Span, StepMark, Sums
from .ruleset import RuleSet, Step
from .settings import Settings
from .vocabulary import OWN, WITHIN

Reading = list[tuple[bool, int]]
"""What the clauses of one step came to: (whether it was asked for, how many findings there were after it), first for
signers, repetition, place and documents together, then for each guard, then for each clock. What is found after that
is about the recording itself, or about pauses."""


class Judge:
    """Judges the records of one submission in one case, one after another, in a block of ``time_ms``, and remembers
    what the case remembers of them.

    ``standing`` is what the signers are to the case: of its own organisation, or of another that has these roles.
    """

    __slots__ = (
        "_by_step",
        "_last_step",
        "_latest",
        "_settings",
        "_short",
        "_signers",
        "_spans",
        "_standing",
        "_sums",
        "_time_ms",
        "rules",
    )

    def __init__(
        self,
        rules: RuleSet,
        marks: Marks,
        signers: tuple[ResultSigner, ...],
        time_ms: int,
        settings: Settings,
        standing: tuple[str, ...] = (OWN,),
    ) -> None:
        self.rules = rules
        self._by_step = marks.by_step()
        self._spans = marks.spans
        self._sums = marks.sums
        in_order = [mark for mark in marks.marks if mark.step not in rules.beside] if rules.beside else marks.marks
        self._latest = max(in_order, key=lambda mark: mark.last_number) if in_order else None
        self._signers = signers
        self._standing = standing
        self._time_ms = time_ms
        self._settings = settings
        self._last_step: Step | None = None
        self._short: Finding | None = None  # of the step last judged: the signers are the same for all records

    def marks(self) -> Marks:
        """What the case remembers."""
        return Marks(tuple(self._by_step.values()), self._spans, self._sums)

    def judge(self, run: RecordRun, place: int, number: int, reading: Reading | None = None) -> tuple[Finding, ...]:
        """Judge the record at that place of a run, the ``number``-th event of the case, and remember it unless it is
        refused. Where a ``reading`` is given it gets what each clause came to.

        Raises:
            Refused: ``unknown-step``, ``wrong-standing``, ``case-closed``, ``impossible-step``, ``role-not-allowed``,
                ``attestation-short``,
                ``unknown-clear-field``, ``unknown-clear-value``, ``missing-clear-field``, ``tally-short`` or
                ``tally-full``.
        """
        rules, marks = self.rules, self._by_step
        step, occurred_at_ms = rules.by_code.get(run.step), run.occurred_at_ms[place]
        if step is None:
            raise Refused("unknown-step", step=run.step)
        if step.signing.orgs != self._standing and set(step.signing.orgs).isdisjoint(self._standing):
            raise Refused("wrong-standing", step=step.code, orgs=listed(step.signing.orgs))
        closed_by = rules.closed_by(marks)
        if closed_by is not None and closed_by not in step.from_steps and not step.beside:
            raise Refused("case-closed", step=step.code, closed_by=closed_by)
        if step.requires and _none_of(step.requires, marks):
            raise Refused("impossible-step", step=step.code, requires=listed(step.requires))
        clear = _check_clear(step, run) if run.clear or step.required_clear else NO_CLEAR
        if step is not self._last_step:
            self._short = self._signers_short(step)
            self._last_step = step
        if step.code in rules.tallied:
            self._sums = _counted(rules, self._sums, step, clear)
        findings: list[Finding] = []
        if self._short is not None:
            findings.append(self._short)
        _judge_place(step, marks, run.commitment_counts[place], findings)
        self._judge_clauses(step, clear, occurred_at_ms, findings, reading)
        previous = None if step.beside else self._latest
        _judge_times(rules, previous, occurred_at_ms, self._time_ms, self._settings, findings)
        if step.code in rules.pausing:
            self._pause(step, occurred_at_ms, findings)
        self._remember(step.code, number, occurred_at_ms, clear)
        return tuple(findings)

    def _judge_clauses(
        self, step: Step, clear: Clear, occurred_at_ms: int, findings: list[Finding], reading: Reading | None
    ) -> None:
        """The guards and clocks of a step."""
        marks = self._by_step
        if reading is not None:
            reading.append((True, len(findings)))
        for guard in step.guards:
            asked = counts(guard, marks, clear)
            if asked and (found := broken(guard, marks, clear, self._signers)) is not None:
                findings.append(found)
            if reading is not None:
                reading.append((asked, len(findings)))
        for clock in step.clocks:
            asked = clock.start in marks and counts(clock, marks, clear)
            if asked:
                judge_clock(clock, marks, self._spans, occurred_at_ms, self._settings, findings)
            if reading is not None:
                reading.append((asked, len(findings)))

    def repeat(self, run: RecordRun, place: int, end: int) -> bool:
        """Whether the records of a run from ``place`` up to ``end``, of this case like the two before them, come to the
        same findings as the last of those. Then they are remembered as well, and need not be judged.

        From the second on, records of a run find the same steps recorded, in the same order and with the same clear
        fields and signers. What may still differ are times and commitments: they must call for no finding at all.
        """
        step = self.rules.by_code[run.step]
        if step.beside or step.code in self.rules.tallied:
            return False
        mark = self._by_step[run.step]
        times = run.occurred_at_ms[place - 2 : end]
        if any(map(gt, times, times[1:])):  # one that occurred before its previous
            return False
        if not self._is_usual(run, step, place - 2, end) or self._clocks_find(step, times):
            return False
        more = end - place
        self._by_step[run.step] = self._latest = StepMark(
            mark.step,
            mark.count + more,
            mark.first_number,
            mark.last_number + more,
            mark.first_occurred_ms,
            times[-1],
            mark.clear,
            mark.signers,
        )
        return True

    def _clocks_find(self, step: Step, times: tuple[int, ...]) -> bool:
        """Whether one of the step's clocks may call for a finding between the first and the last of these times."""
        found: list[Finding] = []
        for clock in step.clocks:
            if clock.start in self._by_step:
                at_ms = times[-1] if clock.kind == WITHIN else times[0]
                judge_clock(clock, self._by_step, self._spans, at_ms, self._settings, found)
        return bool(found)

    def opens_alike(self, run: RecordRun) -> bool:
        """Whether the records of a run, each the first of a case of its own, come to the same findings as the first of
        them, which was judged."""
        return self._is_usual(run, self.rules.by_code[run.step], 0, len(run))

    def _is_usual(self, run: RecordRun, step: Step, begin: int, end: int) -> bool:
        """Whether neither the times of these records nor their commitments call for a finding, each by itself."""
        settings, times = self._settings, run.occurred_at_ms[begin:end]
        return (
            min(run.commitment_counts[begin:end]) >= step.documents_min
            and min(times) >= self._time_ms - settings.late_record_ms
            and max(times) <= self._time_ms + settings.max_clock_skew_ms
        )

    def _pause(self, step: Step, occurred_at_ms: int, findings: list[Finding]) -> None:
        """Begin or end the pauses that this step begins or ends."""
        day = local_day(occurred_at_ms, self._settings.utc_offset_min)
        spans = dict(self._spans)
        for pause in self.rules.pauses:
            kept = spans.get(pause.code, ())
            lasting = bool(kept) and kept[-1][1] is None
            if step.code in pause.begins and not lasting:
                if len(kept) == MAX_SPANS:
                    findings.append(finding("pause-not-counted", pause.article, NOTE, pause=pause.code, most=MAX_SPANS))
                else:
                    opened: Span = (day, None)
                    spans[pause.code] = (*kept, opened)
            elif step.code in pause.ends and lasting:
                begin = kept[-1][0]
                spans[pause.code] = (*kept[:-1], (begin, max(begin, day)))
        self._spans = tuple(sorted(spans.items()))

    def _remember(self, step: str, number: int, occurred_at_ms: int, clear: Clear) -> None:
        known = self._by_step.get(step)
        signers = NO_SIGNERS
        if step in self.rules.watched:
            signers = _who_signed(NO_SIGNERS if known is None else known.signers, self._signers)
        if known is None:
            mark = StepMark(step, 1, number, number, occurred_at_ms, occurred_at_ms, clear, signers)
        else:
            first, first_ms = known.first_number, known.first_occurred_ms
            mark = StepMark(step, known.count + 1, first, number, first_ms, occurred_at_ms, clear, signers)
        self._by_step[step] = mark
        if step not in self.rules.beside:
            self._latest = mark

    def _signers_short(self, step: Step) -> Finding | None:
        """The finding that too few have signed the step."""
        rule = step.signing
        found = 0
        for signer in self._signers:
            for role in signer.roles:
                if role in rule.roles:
                    found += 1
                    break
        if found and rule.each:
            found = _shared_out(rule.roles, self._signers)
        if found == 0:
            raise Refused("role-not-allowed", step=step.code, roles=listed(rule.roles))
        if found >= rule.minimum:
            return None
        if rule.strict:
            raise Refused("attestation-short", step=step.code, required=rule.minimum, found=found)
        return finding(
            "signers-short",
            rule.article,
            IRREGULAR,
            rule.confirmed,
            roles=listed(rule.roles),
            required=rule.minimum,
            found=found,
        )


def _who_signed(before: tuple[bytes, ...], signers: tuple[ResultSigner, ...]) -> tuple[bytes, ...]:
    """Everybody who has signed a step so far, sorted. Of more than a mark can keep those who signed it first."""
    new = sorted({signer.key for signer in signers}.difference(before))
    return tuple(sorted((*before, *new[: MAX_SIGNER_KEYS - len(before)]))) if new else before


def _shared_out(roles: tuple[str, ...], signers: tuple[ResultSigner, ...]) -> int:
    """How many of the roles can be filled by signers, each by another one: the size of the largest matching, found by
    augmenting paths, since where many may fill many there are too many ways to try for a block."""
    fills: dict[int, str] = {}  # by the place of the signer

    def find_for(role: str, tried: set[int]) -> bool:
        for place, signer in enumerate(signers):
            if role in signer.roles and place not in tried:
                tried.add(place)
                if place not in fills or find_for(fills[place], tried):
                    fills[place] = role
                    return True
        return False

    return sum(find_for(role, set()) for role in roles)


def _counted(rules: RuleSet, sums: Sums, step: Step, clear: Clear) -> Sums:
    """The tallies with a record of that step."""
    totals = dict(sums)
    for tally in rules.tallies:
        before = totals.get(tally.code, 0)
        more = _stated(tally.plus, step, clear)
        less = _stated(tally.minus, step, clear)
        total = before + more - less
        if total < 0:
            # Several numbers of one record may come to more than a result can carry.
            stands_at, asked = min(before + more, MAX_INT), min(less, MAX_INT)
            raise Refused("tally-short", tally=tally.code, stands_at=stands_at, asked=asked)
        if total > MAX_INT:
            raise Refused("tally-full", tally=tally.code, stands_at=before, limit=MAX_INT)
        if more or less:
            totals[tally.code] = total
    return tuple(sorted(totals.items()))


def _stated(numbers: tuple[Added, ...], step: Step, clear: Clear) -> int:
    """The sum of the numbers that the record states."""
    values = [value for name, value in clear if (step.code, name) in numbers]
    return sum(value for value in values if isinstance(value, int))


def _none_of(steps: tuple[str, ...], marks: MarksByStep) -> bool:
    """Whether none of these steps was recorded."""
    return marks.keys().isdisjoint(steps)


def _check_clear(step: Step, run: RecordRun) -> Clear:
    """The records' clear fields, all of them such as the step has."""
    accepted: list[tuple[str, str | int]] = []
    for name, value in run.clear:
        known = step.by_name.get(name)
        if known is None:
            raise Refused("unknown-clear-field", step=step.code, field=name)
        if isinstance(value, str):
            sound = value in known.codes
        else:
            sound = not known.values and known.low <= value <= known.high
        if not sound:
            raise Refused("unknown-clear-value", step=step.code, field=name, value=value)
        accepted.append((name, value))
    for required in step.required_clear:
        if all(required != name for name, _ in accepted):
            raise Refused("missing-clear-field", step=step.code, field=required)
    return tuple(accepted)


def _judge_place(step: Step, marks: MarksByStep, documents: int, findings: list[Finding]) -> None:
    """Breaches of the procedure's order, and documents that are missing."""
    if not step.repeatable and step.code in marks:
        first = marks[step.code].first_number
        findings.append(finding("step-repeated", step.article, IRREGULAR, step=step.code, first=first))
    if step.from_steps and _none_of(step.from_steps, marks):
        findings.append(_step_skipped(step.article, step.from_steps))
    if documents < step.documents_min:
        required = step.documents_min
        findings.append(finding("documents-short", step.article, IRREGULAR, required=required, found=documents))


@lru_cache(maxsize=256)  # by the rule set alone, and the same in every record of a batch that has skipped a step
def _step_skipped(article: str, from_steps: tuple[str, ...]) -> Finding:
    return finding("step-skipped", article, IRREGULAR, expected=listed(from_steps))


def _judge_times(
    rules: RuleSet,
    latest: StepMark | None,
    occurred_at_ms: int,
    time_ms: int,
    settings: Settings,
    findings: list[Finding],
) -> None:
    """Breaches of the recording itself: out of order, late, or of something that has not happened yet."""
    if latest is not None and occurred_at_ms < latest.last_occurred_ms:
        findings.append(
            finding(
                "occurred-before-previous",
                rules.record_article,
                IRREGULAR,
                previous=latest.step,
                earlier_ms=latest.last_occurred_ms - occurred_at_ms,
            )
        )
    if occurred_at_ms > time_ms + settings.max_clock_skew_ms:
        findings.append(
            finding("occurred-in-future", rules.record_article, IRREGULAR, ahead_ms=occurred_at_ms - time_ms)
        )
    if time_ms - occurred_at_ms > settings.late_record_ms:
        findings.append(
            finding(
                "recorded-late",
                rules.record_article,
                NOTE,
                late_ms=time_ms - occurred_at_ms,
                limit_ms=settings.late_record_ms,
            )
        )
