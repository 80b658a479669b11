"""A verdict as text, for a judge: what it came to, then the steps one by one with their clauses, then what is owed, and
what is not proven. All that comes out of files is shown through :func:`printable`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from fazhi_contracts.messages import SEVERITIES, TRAIL, explain
from fazhi_contracts.procedures import verdict as outcomes
from fazhi_contracts.procedures.clauses import Clock, Guard
from fazhi_contracts.procedures.ruleset import Step
from fazhi_contracts.procedures.verdict import CaseEvent, Clause, StepVerdict
from fazhi_contracts.procedures.vocabulary import AT_MOST
from fazhi_contracts.trail_steps import TrailFacts, TrailReport
from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.messages import printable
from fazhi_ledger.receipt_steps import StepOutcome
from fazhi_ledger.record import member_of

from . import labels, terminal
from .attest_texts import attestation_lines
from .language import Language, choose
from .messages import VERIFY
from .rules_words import Words
from .verdict_texts import STEPS, VERDICT

WRAP_COLUMNS: Final = 100
_STYLES: Final = {outcomes.BREACHED: "bad", outcomes.NOT_JUDGED: "doubt", outcomes.MET: "good"}


def say(code: str, language: Language, **values: str | int) -> str:
    """A sentence of the verdict's table."""
    return choose(VERDICT[code], language).format(**values)


def step_name(step: StepOutcome, language: Language) -> str:
    """The name of a step of the verification."""
    return choose(STEPS[step.name], language)


def reason(step: StepOutcome, language: Language) -> str:
    """Why a step of the verification did not pass; nothing where it passed."""
    if not step.code:
        return ""
    return ledger_messages.sentence((TRAIL, ledger_messages.MESSAGES), step.code, step.parameters, language)


def summary(report: TrailReport, language: Language) -> str:
    """Whether the file holds, in one line."""
    failed = report.failed
    if failed is None:
        return choose(VERIFY["valid"], language)
    where = ledger_messages.sentence(
        (VERIFY,), "failed-at", (("number", failed.number), ("step", step_name(failed, language))), language
    )
    return f"{choose(VERIFY['invalid'], language)}  {where}{reason(failed, language)}"


def invalid_lines(report: TrailReport, genesis_hash: bytes, language: Language, stream: TextIO) -> Iterator[str]:
    """What is said of a file that does not hold: nothing of what it claims."""
    yield terminal.paint(summary(report, language), "bad", stream)
    yield ""
    yield from verification(report, language)
    yield "  " + say("genesis", language, hash=genesis_hash.hex())


def verification(report: TrailReport, language: Language) -> Iterator[str]:
    """The steps of the verification, as a table."""
    rows = []
    for step in report.steps:
        name = f"{step.number:2d} {step_name(step, language)}"
        if step.code == "not-reached":
            rows.append((name, choose(VERIFY["not-reached"], language), ""))
        else:
            status = choose(ledger_messages.MESSAGES[step.status], language)
            rows.append((name, status, reason(step, language)))
    yield from terminal.table(rows)


def outside_parties(facts: TrailFacts) -> tuple[str, ...]:
    """The certifying members that have no part in the case: not the one whose it is, nor one that has recorded a step
    of its procedure (the agency whose act is under review). Steps beside it, an attestation or a supervisor's notice,
    make nobody a party."""
    own = {member_of(facts.docket.org)}
    for event in facts.events:
        if event.record.step not in facts.rules.beside:
            own.update(member_of(org) for org in (event.org, *(one.org for one in event.signers)))
    return tuple(org for org in facts.certified_by if org not in own)


def severities(clauses: Iterable[Clause]) -> Counter[str]:
    """How many clauses of each severity."""
    return Counter(clause.severity for clause in clauses)


@dataclass(frozen=True, slots=True)
class Telling:
    """Tells a verdict; with ``whole`` every clause that does not apply, too."""

    facts: TrailFacts
    language: Language
    whole: bool
    stream: TextIO

    @property
    def _offset(self) -> int:
        return self.facts.settings.utc_offset_min

    @property
    def _words(self) -> Words:
        return Words(self.facts.rules, self.language)

    def lines(self, report: TrailReport, genesis_hash: bytes) -> Iterator[str]:
        """The whole text."""
        yield f"{terminal.paint(choose(VERIFY['valid'], self.language), 'good', self.stream)}  {self.conclusion()}"
        yield from ("  " + line for line in self._head())
        for step in self.facts.verdict.steps:
            yield ""
            yield from self._step(step)
        yield ""
        yield from self._owed()
        yield ""
        yield from verification(report, self.language)
        for line in terminal.wrap(self._say("not-proven"), WRAP_COLUMNS):
            yield "  " + line
        yield "  " + self._say("genesis", hash=genesis_hash.hex())

    def conclusion(self) -> str:
        """``违反 2 项(严重 1、不规范 1);符合 86 项;另有 6 项义务无法依链上事实判断``."""
        verdict, parts = self.facts.verdict, []
        breached = verdict.of(outcomes.BREACHED)
        if breached:
            found = severities(breached)
            worst = [one for one in reversed(tuple(SEVERITIES)) if found[one]]
            listed = labels.joined(
                (f"{choose(SEVERITIES[one], self.language)} {found[one]}" for one in worst), self.language
            )
            parts.append(self._say("count-breached", count=len(breached), severities=listed))
        else:
            parts.append(self._say("count-clean"))
        for outcome in outcomes.OUTCOMES[1:]:
            count = len(verdict.of(outcome))
            if count:
                parts.append(self._say(f"count-{outcome}", count=count))
        if self.facts.rules.unjudged:
            parts.append(self._say("count-unjudged", count=len(self.facts.rules.unjudged)))
        return self._say("conclusion", parts=choose((";", "; "), self.language).join(parts))

    def _head(self) -> Iterator[str]:
        facts, rules = self.facts, self.facts.rules
        day = str(rules.law_from)
        title = printable(choose((rules.title_zh, rules.title_en), self.language))
        yield self._say("case", number=printable(facts.docket.number), title=title, org=self._org(facts.docket.org))
        yield self._say(
            "rule-set",
            procedure=rules.procedure,
            number=rules.number,
            day=f"{day[:4]}-{day[4:6]}-{day[6:]}",
            hash=facts.head.rule_set_hash.hex(),
        )
        height = terminal.number(facts.header.height)
        yield self._say("as-of", height=height, time=labels.moment(facts.header.time_ms, self._offset))
        yield self._members()
        yield self._say("whole", count=facts.head.count, root=facts.root.hex())
        frozen = facts.verdict.frozen
        if frozen is None or facts.file_root is None:
            yield self._say("not-frozen")
        else:
            yield self._say(
                "frozen",
                number=frozen,
                step=self._words.step(facts.events[frozen - 1].record.step),
                root=facts.file_root.hex(),
                outside=facts.head.count - frozen,
            )
        yield from attestation_lines(facts.events, facts.genesis, self.language)
        colour = facts.verdict.colour
        if colour is not None:
            yield self._say("colour", colour=printable(choose((colour.zh, colour.en), self.language)))
        for tally in rules.tallies:
            name = printable(choose((tally.zh, tally.en), self.language))
            yield self._say("tally", tally=name, total=dict(facts.head.marks.sums).get(tally.code, 0))

    def _members(self) -> str:
        facts = self.facts

        def names(orgs: Sequence[str]) -> str:
            return labels.joined(map(self._org, orgs), self.language)

        others = outside_parties(facts)
        return self._say(
            "members",
            members=labels.joined(
                (labels.member_and_roles(facts.genesis, org, self.language) for org in facts.certified_by),
                self.language,
            ),
            signed=len(facts.certified_by),
            all=len(facts.validators),
            others=names(others) if others else self._say("nobody"),
        )

    def _step(self, step: StepVerdict) -> Iterator[str]:
        event = step.event
        signers = labels.joined(
            (
                self._say(
                    "signer",
                    roles=labels.roles(one.roles, self.language),
                    key=labels.key(one.key),
                    org=self._org(one.org),
                )
                for one in event.signers
            ),
            self.language,
        )
        occurred = labels.moment(event.occurred_at_ms, self._offset)[:16]
        line = self._say(
            "step", number=event.number, step=self._words.step(event.step), occurred=occurred, signers=signers
        )
        if step.entered_later:
            line += f" · {self._say('entered-later')}"
        if step.outside:
            line += f" · {self._say('outside')}"
        yield terminal.paint(line, "title", self.stream)
        yield from self._clauses(step.clauses, event)

    def _clauses(self, clauses: Sequence[Clause], event: CaseEvent | None = None) -> Iterator[str]:
        order = outcomes.OUTCOMES if self.whole else outcomes.OUTCOMES[:-1]
        for outcome in order:
            for clause in clauses:
                if clause.outcome == outcome:
                    yield from self._clause(clause, event)
        left_out = sum(clause.outcome == outcomes.NOT_APPLICABLE for clause in clauses)
        if left_out and not self.whole:
            yield "      " + terminal.paint(self._say("left-out", count=left_out), "faint", self.stream)

    def _clause(self, clause: Clause, event: CaseEvent | None) -> Iterator[str]:
        word = terminal.pad(self._say(clause.outcome), 8)
        said = [self._what(clause), *self._facts_of(clause, event)]
        style = _STYLES.get(clause.outcome)
        shown = word if style is None else terminal.paint(word, style, self.stream)
        first, *rest = terminal.wrap(f"{clause.number}  {' · '.join(said)}", WRAP_COLUMNS)
        yield f"      {shown}  {first}"
        for line in rest:
            yield " " * 18 + line
        for finding in clause.findings:
            parameters = labels.named_steps(finding.parameters, self.facts.rules, self.language)
            for line in terminal.wrap(printable(explain(finding.code, parameters, self.language)), WRAP_COLUMNS):
                yield " " * 18 + line

    def _what(self, clause: Clause) -> str:
        """What the clause asks, with its article."""
        step, words = self.facts.rules.by_code[clause.step], self._words
        match clause.subject:
            case Guard() as guard:
                return words.guard(step, guard)
            case Clock() as clock:
                return words.clock(step, clock)
        return self._plain(clause, step)

    def _plain(self, clause: Clause, step: Step) -> str:
        words, article = self._words, printable(clause.article)
        by_article = f"({article})" if self.language == "zh" else f" ({article})"
        match clause.kind:
            case outcomes.SIGNERS:
                return words.signing(step)
            case outcomes.PLACE:
                return words.place(step) + by_article
            case outcomes.DOCUMENTS:
                return words.documents(step) + by_article
            case outcomes.ONCE:
                return self._say("once") + by_article
        return self._say(clause.kind, article=article)

    def _facts_of(self, clause: Clause, event: CaseEvent | None) -> Iterator[str]:
        """What the outcome rests on."""
        if clause.kind == outcomes.PROMPT and clause.outcome == outcomes.MET and event is not None:
            spans = (max(0, event.time_ms - event.occurred_at_ms), event.settings.late_record_ms)
            late, limit = (ledger_messages.duration(span_ms, self.language) for span_ms in spans)
            yield self._say("recorded-within", late=late, limit=limit)
        term = clause.term
        if term is not None and clause.outcome != outcomes.NOT_APPLICABLE:
            if term.missing_year is not None:
                settled = clause.outcome in (outcomes.MET, outcomes.BREACHED)
                yield self._say("any-calendar" if settled else "no-calendar", year=term.missing_year)
            elif term.due_ms is not None:
                yield self._say("due", time=labels.moment(term.due_ms, self._offset)[:16])
            else:
                yield self._say("due-paused")
        if clause.outcome == outcomes.NOT_JUDGED:
            if isinstance(clause.subject, Guard) and clause.subject.kind == AT_MOST:
                yield self._say("no-figure")
            elif any(finding.code == "deadline-exceeded" for finding in clause.findings):
                yield self._say("own-fact")

    def _owed(self) -> Iterator[str]:
        owed = self.facts.verdict.owed
        running = [clause for clause in owed if clause.outcome != outcomes.NOT_APPLICABLE]
        yield terminal.paint(self._say("owed" if running else "nothing-owed"), "title", self.stream)
        yield from self._clauses(owed)
        if self.facts.rules.unjudged:
            yield terminal.paint(self._say("unjudged"), "title", self.stream)
            for duty in self.facts.rules.unjudged:
                yield f"      {terminal.pad(self._say(outcomes.NOT_JUDGED), 8)}  {self._words.duty(duty)}"

    def _org(self, org: str) -> str:
        return labels.organisation(self.facts.genesis, org, self.language)

    def _say(self, code: str, **values: str | int) -> str:
        return say(code, self.language, **values)
