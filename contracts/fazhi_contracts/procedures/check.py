"""Checks of a rule set as a whole:

what no single part can say of itself. Each raises :class:`BadRuleSet` naming the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from fazhi_ledger.result import SEVERITIES

from ..calendar import date_of_day, day_of_date
from ..errors import BadRuleSet, Faults
from .vocabulary import (
    AT_MOST,
    CALENDAR_DAYS,
    CLOCK_KINDS,
    COUNTED,
    DONE,
    ENDED,
    GUARD_KINDS,
    HOURS,
    MONTHS,
    OUTCOME,
    OWN,
    UNITS,
    WITHIN,
    WORKING_DAYS,
    YEARS,
)

if TYPE_CHECKING:
    from .clauses import Clock, Colour, Guard, Pause, Tally
    from .parts import ClearField, Condition
    from .ruleset import RuleSet, Step


_MOST_AMOUNT: Final = {HOURS: 8784, CALENDAR_DAYS: 36_500, WORKING_DAYS: 750, MONTHS: 1200, YEARS: 100}
"""A century at the most; hours and working days within what a few calendars tell."""

MAX_WATCHED: Final = 8
"""Steps whose signers a case remembers: with the other bounds it keeps a case's head within its own."""


def check_rule_set(rules: RuleSet) -> None:
    """Raise unless every reference resolves, every step can be reached, and every finding has an article."""
    faults = Faults()
    with faults:
        _check_text("rule set", "record_article", rules.record_article)
        _check_date(rules.law_from)
    with faults:
        _check_steps(rules)
    with faults:
        _distinct("pauses", "pause", (pause.code for pause in rules.pauses))
    for pause in rules.pauses:
        with faults:
            _check_pause(rules, pause)
    for step in rules.steps:
        _check_step(rules, step, faults)
    with faults:
        _distinct("tallies", "tally", (tally.code for tally in rules.tallies))
    for tally in rules.tallies:
        with faults:
            _check_tally(rules, tally)
    for colour in rules.colours:
        with faults:
            _check_colour(rules, colour)
    with faults:
        _distinct("unjudged", "duty", (duty.zh for duty in rules.unjudged))
        for duty in rules.unjudged:
            _check_text("unjudged", "article", duty.article)
    with faults:
        if len(rules.watched) > MAX_WATCHED:
            raise BadRuleSet("guards", f"at most {MAX_WATCHED} steps may have their signers remembered")
    _check_reachable(rules, faults)
    faults.raise_first()


def _check_steps(rules: RuleSet) -> None:
    """The steps together."""
    _distinct("steps", "step", [step.code for step in rules.steps])
    if not any(step.initial for step in rules.steps):
        raise BadRuleSet("steps", "no step is initial: no case could be opened")
    if not any(step.terminal for step in rules.steps):
        raise BadRuleSet("steps", "no step is terminal: no case could be closed")


def _check_step(rules: RuleSet, step: Step, faults: Faults) -> None:
    """A step, each part of it by itself."""
    place = step.code
    with faults:
        _check_text(place, "article", step.article)
    for name, codes in (("from", step.from_steps), ("requires", step.requires)):
        with faults:
            _distinct(f"{place}.{name}", "step", codes)
        for code in codes:
            with faults:
                _known_step(rules, f"{place}.{name}", code)
                if code == step.code:
                    raise BadRuleSet(f"{place}.{name}", "a step cannot come before itself")
    with faults:
        _check_standing(step)
    with faults:
        _check_signing(step)
    with faults:
        _distinct(f"{place}.documents", "document", (document.code for document in step.documents))
    with faults:
        _distinct(f"{place}.clear", "clear field", (known.name for known in step.clear))
    for known in step.clear:
        with faults:
            _check_clear(f"{place}.clear.{known.name}", known)
    for number, guard in enumerate(step.guards):
        with faults:
            _check_guard(rules, step, guard, f"{place}.guards[{number}]")
    for number, clock in enumerate(step.clocks):
        with faults:
            _check_clock(rules, step, clock, f"{place}.clocks[{number}]")


def _check_standing(step: Step) -> None:
    """Where a step stands in the procedure."""
    place = step.code
    if step.initial and (step.from_steps or step.requires or step.guards or step.clocks):
        raise BadRuleSet(place, "an initial step opens a case: nothing comes before it")
    if step.initial and (step.terminal or step.repeatable):
        raise BadRuleSet(place, "an initial step neither repeats nor closes a case")
    if step.beside and (step.initial or step.terminal or step.decides or step.from_steps):
        raise BadRuleSet(place, "a step beside the procedure neither opens, closes nor decides, and comes from nowhere")
    if not step.initial and not step.beside and not step.from_steps:
        raise BadRuleSet(place, "a step that is not initial names the steps it comes from")


def _check_signing(step: Step) -> None:
    place = f"{step.code}.sign"
    if not step.signing.roles:
        raise BadRuleSet(place, "at least one role signs a step")
    if list(step.signing.roles) != sorted(set(step.signing.roles)):
        raise BadRuleSet(place, "roles are sorted and distinct")
    _check_text(place, "article", step.signing.article)
    if step.signing.each and step.signing.minimum != len(step.signing.roles):
        raise BadRuleSet(place, "one signer of each role: as many as there are roles are the minimum")
    if not step.signing.orgs:
        raise BadRuleSet(place, "at least one organisation's signers record a step")
    if list(step.signing.orgs) != sorted(set(step.signing.orgs)):
        raise BadRuleSet(place, "orgs are sorted and distinct")
    if step.initial and step.signing.orgs != (OWN,):
        raise BadRuleSet(place, "a case is opened by the organisation whose it is")


def _check_clear(place: str, known: ClearField) -> None:
    _distinct(place, "value", known.codes)
    if known.values and (known.low or known.high):
        raise BadRuleSet(place, "a vocabulary has no range")
    if not known.values and known.low >= known.high:
        raise BadRuleSet(place, "needs values, or a range of whole numbers")


def _check_pause(rules: RuleSet, pause: Pause) -> None:
    place = f"pauses.{pause.code}"
    _check_text(place, "article", pause.article)
    for name, codes in (("begins", pause.begins), ("ends", pause.ends)):
        if not codes:
            raise BadRuleSet(place, f"{name} names no step")
        _distinct(f"{place}.{name}", "step", codes)
        for code in codes:
            if _known_step(rules, f"{place}.{name}", code).initial:
                raise BadRuleSet(f"{place}.{name}", "nothing runs yet when a case is opened")
    if not set(pause.begins).isdisjoint(pause.ends):
        raise BadRuleSet(place, "a step cannot both begin and end it")


def _check_tally(rules: RuleSet, tally: Tally) -> None:
    place = f"tallies.{tally.code}"
    _check_text(place, "article", tally.article)
    if not tally.plus:
        raise BadRuleSet(place, "nothing is ever added")
    _distinct(place, "number", (f"{step}.{name}" for step, name in (*tally.plus, *tally.minus)))
    for code, name in (*tally.plus, *tally.minus):
        step = _known_step(rules, place, code)
        known = _known_field(step, name, place)
        if step.initial:
            raise BadRuleSet(place, "nothing is counted when a case is opened")
        if known.values or known.low < 0:
            raise BadRuleSet(place, f"{code}.{name} is no number from 0 on")


def _check_colour(rules: RuleSet, colour: Colour) -> None:
    place = f"colours.{colour.code}"
    if any((other.zh, other.en) != (colour.zh, colour.en) for other in rules.colours if other.code == colour.code):
        raise BadRuleSet(place, "a colour that holds in several ways has the same names in each")
    for condition in (*colour.only_if, *colour.unless):
        if condition.step is None:
            raise BadRuleSet(place, "a condition names a step")
        _check_condition(_known_step(rules, place, condition.step), condition, place)
    if colour.term is None:
        return
    if not colour.overdue and colour.elapsed_percent is None:
        raise BadRuleSet(place, "'term' belongs to 'overdue' and 'elapsed_percent'")
    if not any(clock.owed for clock in _known_step(rules, place, colour.term).clocks):
        raise BadRuleSet(place, f"no term is owed for {colour.term}")


def _check_guard(rules: RuleSet, step: Step, guard: Guard, place: str) -> None:
    _check_one_of(place, "kind", guard.kind, GUARD_KINDS)
    _check_text(place, "article", guard.article)
    _check_one_of(place, "severity", guard.severity, SEVERITIES)
    if guard.kind == AT_MOST:
        _check_at_most(step, guard, place)
    else:
        _check_other_step(rules, step, guard, place)
    if bool(guard.by) is not (guard.kind == ENDED):
        raise BadRuleSet(place, "'ended' names the steps 'by' which, and no other kind does")
    for code in guard.by:
        _known_step(rules, place, code)
    _check_conditions(rules, step, (*guard.only_if, *guard.unless), place)


def _check_at_most(step: Step, guard: Guard, place: str) -> None:
    """A guard over a number of the record itself."""
    if guard.step is not None or guard.since is not None or guard.values:
        raise BadRuleSet(place, "'at-most' has a field and a limit, nothing else")
    if guard.field is None or guard.limit is None:
        raise BadRuleSet(place, "'at-most' needs a field and a limit")
    known = _known_field(step, guard.field, place)
    if known.values:
        raise BadRuleSet(place, f"{guard.field} is no number")
    if not known.low <= guard.limit < known.high:
        raise BadRuleSet(place, f"limit {guard.limit} lies outside the range of {guard.field}")


def _check_other_step(rules: RuleSet, step: Step, guard: Guard, place: str) -> None:
    """A guard over another step."""
    if guard.limit is not None:
        raise BadRuleSet(place, f"'limit' does not belong to {guard.kind!r}")
    if guard.step is None:
        raise BadRuleSet(place, "step is missing")
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


def _check_clock(rules: RuleSet, step: Step, clock: Clock, place: str) -> None:
    _check_one_of(place, "kind", clock.kind, CLOCK_KINDS)
    _check_one_of(place, "counted", clock.counted, COUNTED)
    _check_one_of(place, "unit", clock.unit, UNITS)
    _check_text(place, "article", clock.article)
    _check_one_of(place, "severity", clock.severity, SEVERITIES)
    start = _known_step(rules, place, clock.start)
    if clock.start == step.code:
        raise BadRuleSet(place, "a clock starts with another step")
    if clock.unit == HOURS and (clock.rolls or clock.shifts or clock.pauses):
        raise BadRuleSet(place, "hours neither roll nor shift nor pause")
    if clock.rolls and clock.unit == WORKING_DAYS:
        raise BadRuleSet(place, "a term in working days ends on one: it does not roll")
    if clock.owed and clock.kind != WITHIN:
        raise BadRuleSet(place, "only what is due within a term can be owed")
    most = _MOST_AMOUNT[clock.unit]
    if clock.amount + sum(extension.amount for extension in clock.extensions) > most:
        raise BadRuleSet(place, f"more than {most} {clock.unit}")
    for shift in clock.shifts:
        _known_values(start, shift.field, (shift.value,), place)
    _distinct(place, "extension", (extension.step for extension in clock.extensions))
    for extension in clock.extensions:
        _known_step(rules, place, extension.step)
    _distinct(place, "pause", clock.pauses)
    for code in clock.pauses:
        if all(pause.code != code for pause in rules.pauses):
            raise BadRuleSet(place, f"unknown pause {code}")
    _check_conditions(rules, step, (*clock.only_if, *clock.unless), place)


def _check_conditions(rules: RuleSet, step: Step, conditions: Iterable[Condition], place: str) -> None:
    for condition in conditions:
        if condition.step == step.code:
            raise BadRuleSet(place, "a condition on the step's own record names no step")
        _check_condition(
            step if condition.step is None else _known_step(rules, place, condition.step), condition, place
        )


def _check_condition(target: Step, condition: Condition, place: str) -> None:
    if condition.field is None:
        if condition.step is None or condition.values:
            raise BadRuleSet(place, "a condition without a field names a step, and no values")
    elif not condition.values:
        raise BadRuleSet(place, "a condition needs values")
    else:
        _known_values(target, condition.field, condition.values, place)


def _check_reachable(rules: RuleSet, faults: Faults) -> None:
    reached = {step.code for step in rules.steps if step.initial or step.beside}
    for _ in rules.steps:
        reached |= {step.code for step in rules.steps if any(code in reached for code in step.from_steps)}
    for step in rules.steps:
        with faults:
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


def _known_field(step: Step, name: str, place: str) -> ClearField:
    known = step.clear_field(name)
    if known is None:
        raise BadRuleSet(place, f"step {step.code} has no clear field {name}")
    return known


def _known_values(step: Step, name: str, values: tuple[str, ...], place: str) -> None:
    codes = frozenset(_known_field(step, name, place).codes)
    for value in values:
        if value not in codes:
            raise BadRuleSet(place, f"{step.code}.{name} has no value {value}")
