"""A rule set in words: every clause of it as one line, in either language.

What two versions differ in is told by these lines alone, so nothing that a rule set says may be missing from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fazhi_contracts.messages import SEVERITIES, term_in_words
from fazhi_contracts.procedures.clauses import Clock, Colour, Guard, Pause, Tally, Unjudged
from fazhi_contracts.procedures.parts import ClearField, Condition
from fazhi_contracts.procedures.ruleset import RuleSet, Step
from fazhi_contracts.procedures.vocabulary import FIRST, OWN, WITHIN
from fazhi_ledger.messages import printable

from . import labels
from .language import Language, Pair, choose
from .rules_texts import ORGS, WORDS


@dataclass(frozen=True, slots=True)
class Words:
    """Says what a rule set says, in one language."""

    rules: RuleSet
    language: Language

    # -- the rule set itself ------------------------------------------------------------------------

    def title(self) -> str:
        """``行政处罚程序 penalty``."""
        rules = self.rules
        return f"{self._name(rules.title_zh, rules.title_en)} {rules.procedure}"

    def head(self) -> Iterator[str]:
        """What concerns no step."""
        rules = self.rules
        day = str(rules.law_from)
        yield self._say("law", day=f"{day[:4]}-{day[4:6]}-{day[6:]}", number=rules.number)
        yield self._say("record-article", article=printable(rules.record_article))

    def pause(self, pause: Pause) -> str:
        """One pause."""
        return self._say(
            "pause",
            pause=self._term(pause.code, pause.zh, pause.en),
            begins=self.steps(pause.begins),
            ends=self.steps(pause.ends),
            article=printable(pause.article),
        )

    def tally(self, tally: Tally) -> str:
        """One tally."""

        def numbers(of: Iterable[tuple[str, str]]) -> str:
            parts = (self._say("number-of", step=self.step(code), field=self.field(code, name)) for code, name in of)
            return labels.joined(parts, self.language) or self._say("none")

        return self._say(
            "tally",
            tally=self._term(tally.code, tally.zh, tally.en),
            plus=numbers(tally.plus),
            minus=numbers(tally.minus),
            article=printable(tally.article),
        )

    def colour(self, colour: Colour) -> str:
        """One colour."""
        term = self._say("any-step") if colour.term is None else self.step(colour.term)
        holds = [self._say("closed")] if colour.closed else []
        holds += [self._say("overdue", term=term)] if colour.overdue else []
        if colour.elapsed_percent is not None:
            holds.append(self._say("elapsed", term=term, percent=colour.elapsed_percent))
        holds += self._conditions(colour.only_if, colour.unless)
        conditions = labels.joined(holds, self.language) or self._say("otherwise")
        return self._say("colour", colour=self._term(colour.code, colour.zh, colour.en), conditions=conditions)

    def duty(self, duty: Unjudged) -> str:
        """One duty that the chain cannot judge."""
        named = self._name(duty.zh, duty.en)
        return (
            f"{named}({printable(duty.article)})" if self.language == "zh" else f"{named} ({printable(duty.article)})"
        )

    def apart(self) -> Iterator[tuple[str, list[str]]]:
        """Headings of ``WORDS`` and the lines below each, but for the steps."""
        rules = self.rules
        if rules.pauses:
            yield "pauses", [self.pause(one) for one in rules.pauses]
        if rules.tallies:
            yield "tallies", [self.tally(one) for one in rules.tallies]
        if rules.colours:
            yield "colours", [self.colour(one) for one in rules.colours]
        if rules.unjudged:
            yield "unjudged", [self.duty(one) for one in rules.unjudged]

    # -- a step -------------------------------------------------------------------------------------

    def clauses(self, step: Step) -> Iterator[str]:
        """Every clause of a step, in the order in which people ask for them."""
        yield self._say("basis", article=printable(step.article))
        for name in ("initial", "terminal", "repeatable", "beside", "decides"):
            if getattr(step, name):
                yield self._say(name)
        yield self.signing(step)
        if step.from_steps:
            yield self.place(step)
        if step.requires:
            yield self._say("requires", steps=self.steps(step.requires))
        if step.documents or step.documents_min:
            yield self.documents(step)
        for known in step.clear:
            yield self._clear(known)
        for guard in step.guards:
            yield self.guard(step, guard)
        for clock in step.clocks:
            yield self.clock(step, clock)

    def step(self, code: str) -> str:
        """``立案 FILED``."""
        return printable(labels.step_label(self.rules, code, self.language))

    def steps(self, codes: Iterable[str]) -> str:
        """Several of them."""
        return labels.joined(map(self.step, codes), self.language)

    def field(self, step: str | Step, name: str) -> str:
        """``处罚种类 kind`` of a step."""
        owner = self.rules.step(step) if isinstance(step, str) else step
        known = None if owner is None else owner.clear_field(name)
        return name if known is None else self._term(name, known.zh, known.en)

    def _values(self, step: str | Step, name: str, values: Iterable[str]) -> str:
        owner = self.rules.step(step) if isinstance(step, str) else step
        known = None if owner is None else owner.clear_field(name)
        terms = {} if known is None else {term.code: self._term(term.code, term.zh, term.en) for term in known.values}
        return self._say("or").join(terms.get(value, value) for value in values)

    def place(self, step: Step) -> str:
        """What is expected before it."""
        return self._say("after", steps=self.steps(step.from_steps) or self._say("none"))

    def documents(self, step: Step) -> str:
        """What is laid down with it."""
        if not step.documents:
            return self._say("documents-min", minimum=step.documents_min)
        documents = (self._term(term.code, term.zh, term.en) for term in step.documents)
        kind = "documents" if step.documents_min else "documents-optional"
        return self._say(kind, documents=labels.joined(documents, self.language), minimum=step.documents_min)

    def signing(self, step: Step) -> str:
        """Who signs."""
        signing = step.signing
        names = ((role, labels.roles((role,), self.language)) for role in signing.roles)
        roles = labels.joined((_once(name, role) for role, name in names), self.language)
        article = self._confirmed(printable(signing.article), signing.confirmed)
        kind = "signed-each" if signing.each else "signed"
        said = self._say(kind, roles=roles, minimum=signing.minimum, article=article)
        if signing.strict:
            said += self._stop() + self._say("strict")
        if signing.orgs == (OWN,):
            return said
        orgs = labels.joined((choose(ORGS.get(org, (org, org)), self.language) for org in signing.orgs), self.language)
        return said + self._stop() + self._say("orgs", orgs=orgs)

    def _clear(self, known: ClearField) -> str:
        values = labels.joined((self._term(term.code, term.zh, term.en) for term in known.values), self.language)
        return self._say(
            "clear-required" if known.required else "clear",
            field=self._term(known.name, known.zh, known.en),
            values=values or f"{known.low} … {known.high}",
        )

    def guard(self, step: Step, guard: Guard) -> str:
        """One guard."""
        target = guard.step or ""
        name = guard.field or ""
        said = self._say(
            "done-since" if guard.since is not None else guard.kind,
            step=self.step(target),
            since=self.step(guard.since or ""),
            field=self.field(target or step, name),
            values=self._values(target, name, guard.values),
            by=self.steps(guard.by),
            limit=guard.limit or 0,
        )
        return self._with_terms(said, self._conditions(guard.only_if, guard.unless, step), guard)

    def clock(self, step: Step, clock: Clock) -> str:
        """One clock."""
        said = self._say(
            clock.kind, start=self.step(clock.start), term=term_in_words(clock.amount, clock.unit, self.language)
        )
        terms = [self._say("counted-last")] if clock.counted != FIRST else []
        terms += [self._say("rolls")] if clock.rolls else []
        terms += [self._say("may-lapse")] if clock.kind == WITHIN and not clock.owed else []
        for shift in clock.shifts:
            value = self._values(clock.start, shift.field, (shift.value,))
            terms.append(self._say("shift", field=self.field(clock.start, shift.field), value=value, days=shift.days))
        for extension in clock.extensions:
            longer = term_in_words(extension.amount, clock.unit, self.language)
            terms.append(self._say("extension", step=self.step(extension.step), term=longer))
        if clock.pauses:
            named = {pause.code: self._term(pause.code, pause.zh, pause.en) for pause in self.rules.pauses}
            pauses = labels.joined((named[code] for code in clock.pauses), self.language)
            terms.append(self._say("left-out", pauses=pauses))
        return self._with_terms(said, [*terms, *self._conditions(clock.only_if, clock.unless, step)], clock)

    def _with_terms(self, said: str, terms: list[str], clause: Guard | Clock) -> str:
        severity = choose(SEVERITIES[clause.severity], self.language)
        source = self._say(
            "source", severity=severity, article=self._confirmed(printable(clause.article), clause.confirmed)
        )
        return self._stop().join((said, *terms)) + (f"({source})" if self.language == "zh" else f" ({source})")

    def _conditions(
        self, only_if: Iterable[Condition], unless: Iterable[Condition], own: Step | None = None
    ) -> list[str]:
        return [self._say("only-if", condition=self._condition(one, own)) for one in only_if] + [
            self._say("unless", condition=self._condition(one, own)) for one in unless
        ]

    def _condition(self, one: Condition, own: Step | None) -> str:
        if one.field is None:
            return self._say("stands", step=self.step(one.step or ""))
        owner: str | Step = one.step or own or ""
        values = self._values(owner, one.field, one.values)
        field = self.field(owner, one.field)
        if one.step is None:
            return self._say("own-field-is", field=field, values=values)
        return self._say("field-is", step=self.step(one.step), field=field, values=values)

    def _confirmed(self, article: str, confirmed: bool) -> str:
        return article if confirmed else article + self._stop() + self._say("to-confirm")

    def _term(self, code: str, zh: str, en: str) -> str:
        return _once(self._name(zh, en), code)

    def _name(self, zh: str, en: str) -> str:
        return printable(choose((zh, en), self.language))

    def _stop(self) -> str:
        return choose((",", ", "), self.language)

    def _say(self, code: str, **values: str | int) -> str:
        return choose(WORDS[code], self.language).format(**values)


def _once(name: str, code: str) -> str:
    """A name and its code, which in English is often the same word."""
    return name if name == code else f"{name} {code}"


Section = Callable[[Words], list[str]]


def in_both(rules: RuleSet, section: Section) -> list[Pair]:
    """The lines of a section in both languages, side by side: they are as many in either."""
    return list(zip(section(Words(rules, "zh")), section(Words(rules, "en")), strict=True))
