"""Checks of a rule set as a whole:

what no single part can say of itself. Each raises :class:`BadRuleSet` naming the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from fazhi_ledger.result import SEVERITIES

from ..calendar import date_of_day, day_of_date
from ..errors import BadRuleSet
from .vocabulary import CLOCK_KINDS, COUNTED, DONE, GUARD_KINDS, OUTCOME

if TYPE_CHECKING:
    from .ruleset import Clock, Condition, Guard, RuleSet, Step


MAX_WATCHED: Final = 8
"""Steps whose signers a case remembers: with the other bounds it keeps a case's head within its own."""


def check_rule_set(rules: RuleSet) -> None:
    """Raise unless every reference resolves, every step can be reached, and every finding has an article."""
    _check_text("rule set", "record_article", rules.record_article)
    _check_date(rules.law_from)
    codes = [step.code for step in rules.steps]
    _distinct("steps", "step", codes)
    if not any(step.initial for step in rules.steps):
        raise BadRuleSet("steps", "no step is initial: no case could be opened")
    if not any(step.terminal for step in rules.steps):
        raise BadRuleSet("steps", "no step is terminal: no case could be closed")
    for step in rules.steps:
        _check_step(rules, step)
    if len(rules.watched) > MAX_WATCHED:
        raise BadRuleSet("guards", f"at most {MAX_WATCHED} steps may have their signers remembered")
    _check_reachable(rules)


def _check_step(rules: RuleSet, step: Step) -> None:
    place = step.code
    _check_text(place, "article", step.article)
    for name, codes in (("from", step.from_steps), ("requires", step.requires)):
        _distinct(f"{place}.{name}", "step", codes)
        for code in codes:
            _known_step(rules, f"{place}.{name}", code)
            if code == step.code:
                raise BadRuleSet(f"{place}.{name}", "a step cannot come before itself")
    if step.initial and (step.from_steps or step.requires or step.guards or step.clocks):
        raise BadRuleSet(place, "an initial step opens a case: nothing comes before it")
    if step.initial and (step.terminal or step.repeatable):
        raise BadRuleSet(place, "an initial step neither repeats nor closes a case")
    if not step.initial and not step.from_steps:
        raise BadRuleSet(place, "a step that is not initial names the steps it comes from")
    _check_signing(step)
    _distinct(f"{place}.documents", "document", (document.code for document in step.documents))
    _distinct(f"{place}.clear", "clear field", (known.name for known in step.clear))
    for known in step.clear:
        if not known.values:
            raise BadRuleSet(f"{place}.clear.{known.name}", "a vocabulary needs values")
        _distinct(f"{place}.clear.{known.name}", "value", known.codes)
    for number, guard in enumerate(step.guards):
        _check_guard(rules, step, guard, f"{place}.guards[{number}]")
    for number, clock in enumerate(step.clocks):
        _check_clock(rules, step, clock, f"{place}.clocks[{number}]")


def _check_signing(step: Step) -> None:
    place = f"{step.code}.sign"
    if not step.signing.roles:
        raise BadRuleSet(place, "at least one role signs a step")
    if list(step.signing.roles) != sorted(set(step.signing.roles)):
        raise BadRuleSet(place, "roles are sorted and distinct")
    _check_text(place, "article", step.signing.article)


def _check_guard(rules: RuleSet, step: Step, guard: Guard, place: str) -> None:
    _check_one_of(place, "kind", guard.kind, GUARD_KINDS)
    _check_text(place, "article", guard.article)
    _check_one_of(place, "severity", guard.severity, SEVERITIES)
    target = _known_step(rules, place, guard.step)
    if guard.step == step.code:
        raise BadRuleSet(place, "a guard looks at another step")
    if guard.since is not None:
        if guard.kind != DONE:
            raise BadRuleSet(place, "'since' belongs to 'done'")
        _known_step(rules, place, guard.since)
        if guard.since == guard.step:
            raise BadRuleSet(place, "'since' names another step")
    if guard.kind == OUTCOME:
        if guard.field is None or not guard.values:
            raise BadRuleSet(place, "'outcome' needs a field and values")
        _known_values(target, guard.field, guard.values, place)
    elif guard.field is not None or guard.values:
        raise BadRuleSet(place, f"field and values do not belong to {guard.kind!r}")
    for condition in (guard.only_if, guard.unless):
        _check_condition(rules, step, condition, place)


def _check_clock(rules: RuleSet, step: Step, clock: Clock, place: str) -> None:
    _check_one_of(place, "kind", clock.kind, CLOCK_KINDS)
    _check_one_of(place, "counted", clock.counted, COUNTED)
    _check_text(place, "article", clock.article)
    _check_one_of(place, "severity", clock.severity, SEVERITIES)
    start = _known_step(rules, place, clock.start)
    if clock.start == step.code:
        raise BadRuleSet(place, "a clock starts with another step")
    for shift in clock.shifts:
        _known_values(start, shift.field, (shift.value,), place)
    _check_condition(rules, step, clock.only_if, place)


def _check_condition(rules: RuleSet, step: Step, condition: Condition | None, place: str) -> None:
    if condition is None:
        return
    target = step if condition.step is None else _known_step(rules, place, condition.step)
    if condition.step == step.code:
        raise BadRuleSet(place, "a condition on the step's own record names no step")
    if not condition.values:
        raise BadRuleSet(place, "a condition needs values")
    _known_values(target, condition.field, condition.values, place)


def _check_reachable(rules: RuleSet) -> None:
    reached = {step.code for step in rules.steps if step.initial}
    for _ in rules.steps:
        reached |= {step.code for step in rules.steps if any(code in reached for code in step.from_steps)}
    for step in rules.steps:
        if step.code not in reached:
            raise BadRuleSet(step.code, "no way leads to this step")


def _check_date(number: int) -> None:
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    if not 1 <= month <= 12 or date_of_day(day_of_date(year, month, day)) != (year, month, day):
        raise BadRuleSet("law_from", f"{number} is no date YYYYMMDD")


def _check_text(place: str, name: str, text: str) -> None:
    if not text.strip():
        raise BadRuleSet(place, f"{name} is empty")


def _check_one_of(place: str, name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadRuleSet(place, f"{name} is one of {', '.join(known)}")


def _distinct(place: str, what: str, codes: Iterable[str]) -> None:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise BadRuleSet(place, f"{what} {code} stands twice")
        seen.add(code)


def _known_step(rules: RuleSet, place: str, code: str) -> Step:
    step = rules.by_code.get(code)
    if step is None:
        raise BadRuleSet(place, f"unknown step {code}")
    return step


def _known_values(step: Step, name: str, values: tuple[str, ...], place: str) -> None:
    known = step.clear_field(name)
    if known is None:
        raise BadRuleSet(place, f"step {step.code} has no clear field {name}")
    for value in values:
        if value not in known.codes:
            raise BadRuleSet(place, f"{step.code}.{name} has no value {value}")
