"""What is due in a case, how urgent, and what cases come to in figures: out of heads alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fazhi_contracts.builtin import load_builtin_rule_set
from fazhi_contracts.in_force import rules_of
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.workdays import YearCalendar
from fazhi_sdk.errors import ProofFailed
from fazhi_sdk.lists import KnownRules, ListedCase
from fazhi_sdk.statistics import Figures
from fazhi_sdk.supervision import terms_of

from tests.contracts.builders import DAY_MS, SUITE, Docket, World, make_genesis_file
from tests.contracts.voting import with_calendar

CALENDAR = YearCalendar(2026, "国办发明电〔2025〕7号", (1, 2), (4,))
"""What :func:`with_calendar` has voted."""
OFFICERS = {
    "officer-1": ("zfj", ("agent", "officer")),
    "head": ("zfj", ("head",)),
    "mediator": ("sfj", ("mediator", "officer")),
}


def known(world: World, rules: RuleSet, calendars: Sequence[YearCalendar] = ()) -> KnownRules:
    in_force = rules_of(world.state.view)
    return KnownRules(in_force, in_force.settings(SUITE, calendars), {rules.hash(SUITE): rules}, tuple(calendars))


def listed(world: World, case: Docket) -> ListedCase:
    header = world.build().block.header  # any: which block it is proven under changes nothing of the terms
    return ListedCase(case.id, world.head(case), header)


def filed() -> tuple[World, ListedCase, KnownRules]:
    """A penalty case that was filed now: to be decided within 90 days."""
    world = World()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    world.do(world.by("head").record(case, "FILED"))
    return world, listed(world, case), known(world, load_builtin_rule_set("penalty"))


@pytest.mark.parametrize(
    ("days", "state", "left", "colour"),
    [
        (0, "due", 90, "green"),
        (44, "due", 46, "green"),
        (45, "due", 45, "yellow"),
        (71, "due", 19, "yellow"),
        (72, "due", 18, "orange"),
        (90, "due", 0, "orange"),
        (91, "no-calendar", -1, "orange"),  # the last day may be one of rest
        (105, "no-calendar", -15, "orange"),
        (106, "overdue", -16, "red"),
        (400, "overdue", -310, "red"),
    ],
)
def test_a_term_is_as_urgent_as_its_share_has_passed(days: int, state: str, left: int, colour: str) -> None:
    world, case, rules = filed()
    (term,) = [one for one in terms_of(case, rules, world.now_ms + days * DAY_MS) if one.clock.step == "DECIDED"]
    assert (term.state, term.days_left, term.colour[0]) == (state, left, colour)


def test_without_a_calendar_no_day_is_named() -> None:
    """And with one it is: filing a case is due within fifteen working days."""
    world = World()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    penalty = load_builtin_rule_set("penalty")
    (term,) = terms_of(listed(world, case), known(world, penalty), world.now_ms)
    assert (term.clock.step, term.state, term.days_left, term.colour[0]) == ("FILED", "no-calendar", None, "grey")
    assert term.clock.missing_year == 2026
    with_calendar(world)
    (term,) = terms_of(listed(world, case), known(world, penalty, [CALENDAR]), world.now_ms)
    assert (term.state, term.days_left, term.colour[0]) == ("due", 21, "green"), "on 22 January"


def test_a_pause_leaves_the_end_open() -> None:
    world = with_calendar(World())
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    world.do(world.by("head").record(case, "FILED"))
    for step in ("INVEST", "INVEND", "NOTICE", "HEARREQ"):
        world.do(world.by("officer-1", "officer-2").record(case, step))
    rules = known(world, load_builtin_rule_set("penalty"))
    states = {
        one.clock.step: (one.state, one.days_left, one.colour[0])
        for one in terms_of(listed(world, case), rules, world.now_ms + 400 * DAY_MS)
    }
    assert states["DECIDED"] == ("paused", None, "grey")


def test_colours_of_the_rule_set_come_first() -> None:
    mediation = load_builtin_rule_set("mediation")
    world = World(make_genesis_file(rule_sets=[("mediation", mediation.encode())], officers=OFFICERS))
    world.knows("mediator", "sfj")
    case = Docket("调1", "sfj", "mediation")
    world.do(world.by("mediator").record(case, "APPLY", clear=_first_values(mediation, "APPLY")))
    colours = {term.colour[0] for term in terms_of(listed(world, case), known(world, mediation), world.now_ms)}
    assert colours <= {one.code for one in mediation.colours}
    assert "green" not in colours


def _first_values(rules: RuleSet, step: str) -> dict[str, str | int]:
    """Something for every clear field that must be given."""
    return {one.name: one.codes[0] if one.codes else one.low for one in rules.by_code[step].clear if one.required}


def test_a_case_of_unknown_rules_is_no_guess() -> None:
    world, case, rules = filed()
    unknown = KnownRules(rules.rules, rules.settings, {}, ())
    with pytest.raises(ProofFailed):
        list(terms_of(case, unknown, world.now_ms))


def test_figures_count_what_the_heads_hold() -> None:
    world, case, rules = filed()
    figures = Figures()
    for days in (0, 400):
        figures.count(case, rules, world.now_ms + days * DAY_MS)
    assert (figures.opened, figures.closed, figures.records) == (2, 0, 4)
    assert (figures.overdue, figures.overdue_terms) == (1, 1)
    assert dict(figures.steps) == {"LEAD": 2, "FILED": 2}
    assert figures.decisions == {}
