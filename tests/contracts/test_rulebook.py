"""Rule sets and calendars by vote: what is refused, what a case follows, what the header's hash covers."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from fazhi_contracts.builtin import load_builtin_versions
from fazhi_contracts.in_force import Rules
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.ruleset import MAX_RULE_SET_BYTES, RuleSet
from fazhi_contracts.queries import installed_rule_sets, rules_bytes, rules_hash
from fazhi_contracts.rulebook import CalendarsEntry, ProcedureEntry, calendar_in_force, workdays_of
from fazhi_contracts.workdays import YearCalendar
from fazhi_ledger.canonical import pack
from fazhi_ledger.errors import EncodingError

from .builders import DAY_MS, START_MS, SUITE, World, make_genesis_file, make_record, penalty
from .drawn import draw_calendar
from .test_ruleset import small
from .voting import pass_it, proposal

NEW_YEAR_MS = START_MS - 16 * 3_600_000  # 2026-01-01, midnight in Beijing


def small_rules(number: int = 1, law_from: int = 20200229) -> RuleSet:
    return replace(compile_rule_set(small()), number=number, law_from=law_from)


def install(world: World, rules: RuleSet) -> bytes:
    pass_it(world, "rules.install", (rules.encode(),))
    return rules.hash(SUITE)


def refusal(world: World, kind: str, data: object) -> tuple[str, dict[str, str | int]]:
    return world.refused(proposal(world, "sfj", kind, (data,)))  # type: ignore[arg-type]


def test_an_invented_procedure_comes_by_vote_and_is_followed() -> None:
    world = World()
    case = replace(world.case(), procedure="small")
    opening = make_record(case, "OPEN", world.now_ms)
    assert world.refused(world.by("officer-1").records(opening))[0] == "unknown-procedure"
    before = rules_hash(world.state.view, SUITE)
    digest = install(world, small_rules())
    assert rules_hash(world.state.view, SUITE) != before
    assert installed_rule_sets(world.state.view, "small") == (digest,)
    world.do(world.by("officer-1").records(opening))
    assert world.head(case).rule_set_hash == digest


def test_a_case_follows_the_law_of_the_day_on_which_it_was_opened_and_keeps_it() -> None:
    world = World(late_record_ms=366 * DAY_MS)
    old, new = install(world, small_rules()), install(world, small_rules(2, 20260101))
    for at_ms, expected in ((NEW_YEAR_MS - 1, old), (NEW_YEAR_MS, new)):
        case = replace(world.case(str(at_ms)), procedure="small")
        world.do(world.by("officer-1").records(make_record(case, "OPEN", at_ms)))
        assert world.head(case).rule_set_hash == expected
        world.do(
            world.by("officer-1", "officer-2").records(make_record(case, "WORK", at_ms + DAY_MS, {"mode": "fast"}))
        )
        assert world.head(case).rule_set_hash == expected


def test_penalty_cases_opened_before_and_after_the_law_of_2021_are_judged_by_different_law() -> None:
    then, now = load_builtin_versions("penalty")
    world = World(make_genesis_file([("penalty", rules.encode()) for rules in (then, now)]))
    midnight_ms = 1_626_278_400_000  # 2021-07-15 00:00 in Beijing
    found = []
    for at_ms, rules in ((midnight_ms - 1, then), (midnight_ms, now)):
        case = world.case(str(at_ms))
        world.do(world.by("officer-1").record(case, "LEAD", at=at_ms))
        assert world.head(case).rule_set_hash == rules.hash(SUITE)
        world.do(world.by("head").record(case, "FILED", at=at_ms + 1))
        decided = world.do(world.by("head").record(case, "DECIDED", at=at_ms + 181 * DAY_MS))
        found.append([finding.clause for finding in decided if finding.code == "deadline-exceeded"])
    assert found == [[], ["行政处罚法 60"]]


def test_a_batch_of_openings_on_both_sides_of_the_day() -> None:
    world = World(late_record_ms=366 * DAY_MS)
    old, new = install(world, small_rules()), install(world, small_rules(2, 20260101))
    cases = [replace(world.case(f"{number}"), procedure="small") for number in range(6)]
    times = [NEW_YEAR_MS + offset for offset in (-2, -1, 0, 1, -3, 2)]
    records = [make_record(case, "OPEN", at_ms) for case, at_ms in zip(cases, times, strict=True)]
    world.do(world.by("officer-1").records(*records))
    found = [world.head(case).rule_set_hash for case in cases]
    assert found == [old, old, new, new, old, new]
    assert [world.head(case).serial for case in cases] == [1, 2, 3, 4, 5, 6]


def test_no_rule_set_states_the_law_of_that_day() -> None:
    world = World(late_record_ms=366 * DAY_MS)
    install(world, small_rules(1, 20260101))
    case = replace(world.case(), procedure="small")
    code, named = world.refused(world.by("officer-1").records(make_record(case, "OPEN", NEW_YEAR_MS - 1)))
    assert (code, named["date"], named["first"]) == ("no-rules-then", 20251231, 20260101)


def test_a_later_rule_set_of_the_same_day_stands_in_the_place_of_the_earlier() -> None:
    world = World()
    install(world, small_rules())
    later = install(world, small_rules(2))
    install(world, small_rules(3, 20190101))  # of an earlier law, though voted last
    case = replace(world.case(), procedure="small")
    world.do(world.by("officer-1").records(make_record(case, "OPEN", world.now_ms)))
    assert world.head(case).rule_set_hash == later


def test_rule_sets_that_cannot_be_installed() -> None:
    world = World()
    assert refusal(world, "rules.install", penalty().encode())[0] == "rule-set-known"
    assert refusal(world, "rules.install", b"\x91\x01")[0] == "rule-set-unsound"
    assert refusal(world, "rules.install", b"x" * MAX_RULE_SET_BYTES)[0] == "rule-set-unsound"
    assert refusal(world, "rules.install", b"x" * (MAX_RULE_SET_BYTES + 1))[0] == "bad-args"
    assert refusal(world, "rules.install", 7)[0] == "bad-args"


def test_a_refusal_is_the_same_whatever_python_and_whatever_library_of_msgpack_a_node_has() -> None:
    """A face of Unicode 15 is written as itself by Python 3.12 and as an escape by 3.11; libraries name their own
    exceptions, and differ in how deep they read."""
    world = World()
    value = small_rules().to_value()
    assert isinstance(value, tuple)
    unsound = pack((*value[:10], (("\U0001fae8", "shaking", "某法 7"),) * 2, value[11]))
    assert refusal(world, "rules.install", unsound) == ("rule-set-unsound", {"place": "unjudged"})
    for data in (b"\xc1", b"\x91" * 600 + b"\x01", b"\x91" * 2000, b"\x92\x01"):
        assert refusal(world, "rules.install", data) == ("rule-set-unsound", {"place": "rule set"})
        assert refusal(world, "calendar.set", data) == ("bad-args", {"what": "calendar"})


def test_calendars_come_by_vote_and_are_replaced_by_vote() -> None:
    world = World()
    first, second = draw_calendar(Random(1), 2026), draw_calendar(Random(2), 2026)
    assert calendar_in_force(world.state.view, 2026) is None
    before = rules_hash(world.state.view, SUITE)
    pass_it(world, "calendar.set", (first.encode(),))
    assert rules_hash(world.state.view, SUITE) != before
    assert calendar_in_force(world.state.view, 2026) == first
    assert refusal(world, "calendar.set", first.encode()) == ("calendar-known", {"year": 2026})
    pass_it(world, "calendar.set", (second.encode(),))
    assert calendar_in_force(world.state.view, 2026) == second
    pass_it(world, "calendar.set", (first.encode(),))  # and back
    assert calendar_in_force(world.state.view, 2026) == first
    assert workdays_of(world.state.view).on_or_after(first.working_days[0]) == first.working_days[0]


def test_a_header_tells_by_which_calendar_its_block_was_judged_long_after() -> None:
    """Of two calendars of one year in force in turn, a set of hashes would not tell which counted when."""
    world = World()
    calendars = draw_calendar(Random(1), 2026), draw_calendar(Random(2), 2026)
    headers = [world.block().block.header]
    for place in (0, 1, 0):
        pass_it(world, "calendar.set", (calendars[place].encode(),))
        headers.append(world.block().block.header)
    found = []
    for header in headers:
        data = rules_bytes(world.state.view, header.rules_hash)
        assert data is not None
        rules = Rules.decode(data)
        assert (rules.encode(), rules.hash(SUITE)) == (data, header.rules_hash)
        assert rules.procedure("penalty") == ProcedureEntry(((penalty().law_from, penalty().hash(SUITE)),))
        assert rules.procedure("nothing") is None
        found.append([digest for _, digest in rules.calendars_in_force()])
    first, second = (calendar.hash(SUITE) for calendar in calendars)
    assert found == [[], [first], [second], [first]]
    assert len({header.rules_hash for header in headers}) == 4
    day = calendars[0].working_days[0]
    data = rules_bytes(world.state.view, headers[1].rules_hash)
    assert data is not None
    settings = Rules.decode(data).settings(SUITE, calendars)
    assert settings.workdays.on_or_after(day) == day


@pytest.mark.parametrize("data", [b"", b"\xc0", YearCalendar(2026, "x", (), ()).encode()[:-1], 7, None, b"x" * 2049])
def test_calendars_that_are_none(data: object) -> None:
    assert refusal(World(), "calendar.set", data)[0] == "bad-args"


def test_entries_find_by_day_and_by_year() -> None:
    entry = ProcedureEntry(()).with_rule_set(20210715, b"b" * 32).with_rule_set(20200101, b"a" * 32)
    entry = entry.with_rule_set(20210715, b"c" * 32)
    assert [entry.on(date) for date in (20191231, 20200101, 20210714, 20210715, 99991231)] == [
        None, b"a" * 32, b"a" * 32, b"c" * 32, b"c" * 32,
    ]  # fmt: skip
    assert ProcedureEntry.decode(entry.encode()) == entry
    calendars = CalendarsEntry(()).with_calendar(2026, b"a" * 32).with_calendar(2025, b"b" * 32)
    calendars = calendars.with_calendar(2025, b"c" * 32)
    assert [calendars.of(year) for year in (2024, 2025, 2026, 2027)] == [None, b"c" * 32, b"a" * 32, None]
    assert CalendarsEntry.decode(calendars.encode()) == calendars
    with pytest.raises(EncodingError):
        CalendarsEntry.decode(CalendarsEntry(calendars.calendars[::-1]).encode())
