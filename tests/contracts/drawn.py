"""Rule sets and calendars drawn by a seed: every word that a record is judged by, in any combination that a rule set
may have. (Colours judge nothing, and are not drawn.)"""

from __future__ import annotations

from random import Random
from typing import Any

from fazhi_contracts.calendar import day_of_date
from fazhi_contracts.workdays import YearCalendar, weekday_of

Document = dict[str, Any]

STEPS = ("OPEN", "ASK", "ANSWER", "HALT", "GO", "LONGER", "NOTE", "DONE")
"""``HALT`` begins pauses and ``GO`` ends them; ``NOTE`` stands beside the procedure; ``DONE`` closes."""
BESIDE = "NOTE"
FREE = STEPS[1:-1]
UNITS = ("hours", "calendar-days", "calendar-days", "working-days", "working-days", "months", "years")
MOST = {"hours": 100, "calendar-days": 30, "working-days": 9, "months": 2, "years": 1}


def draw_rules(rng: Random, procedure: str) -> Document:
    """A procedure with every step but the first and the last repeatable, and clauses all over."""
    return {
        "procedure": procedure,
        "number": 1,
        "title": {"zh": "抽签程序", "en": "a procedure that was drawn"},
        "law_from": "2020-01-01",
        "record_article": "某法 1",
        "tallies": [
            _tally("pot", ("ASK", "GO"), ("ANSWER",)),
            _tally("jar", ("ANSWER", "NOTE"), ("LONGER", "ASK")),
        ],
        "pauses": [_pause("rest", ["HALT"], ["GO"]), _pause("trip", ["HALT", "ASK"], ["GO", "ANSWER"])],
        "steps": [_step(rng, code) for code in STEPS],
    }


def _tally(code: str, plus: tuple[str, ...], minus: tuple[str, ...]) -> Document:
    numbers = {
        name: [{"step": step, "field": "pieces"} for step in steps]
        for name, steps in (("plus", plus), ("minus", minus))
    }
    return {"code": code, "zh": "数", "en": code, "article": "某法 8", **numbers}


def _pause(code: str, begins: list[str], ends: list[str]) -> Document:
    return {"code": code, "zh": "停", "en": "pause", "article": "某法 9", "begins": begins, "ends": ends}


def _step(rng: Random, code: str) -> Document:
    step: Document = {"code": code, "zh": "步", "en": "step", "article": "某法 2"}
    step["sign"] = {"roles": ["head", "officer"], "minimum": rng.choice((1, 1, 2)), "article": "某法 3"}
    if rng.random() < 0.3:
        step["sign"] |= {"minimum": 2, "each": True, "strict": rng.random() < 0.5}
    if code == "OPEN":
        return {**step, "initial": True}
    step["sign"]["orgs"] = rng.choice((["own"], ["own"], ["own", "supervisor"], ["notary", "supervisor"]))
    others = [other for other in STEPS if other != code]
    step["beside"] = code == BESIDE
    if not step["beside"]:
        step["from"] = sorted({"OPEN", *rng.sample(others[:-1], rng.randrange(2))})
    step["repeatable"] = code in FREE
    step["terminal"] = code == "DONE"
    step["clear"] = [
        {
            "name": "mode",
            "zh": "方式",
            "en": "mode",
            "values": [{"code": word, "zh": "词", "en": word} for word in ("fast", "slow")],
        },
        {"name": "amount", "zh": "数额", "en": "amount", "low": -5, "high": 500},
        {"name": "pieces", "zh": "件数", "en": "pieces", "high": 50},
    ]
    step["guards"] = [_guard(rng, others[1:]) for _ in range(rng.randrange(4))]
    step["clocks"] = [_clock(rng, others) for _ in range(rng.randrange(4))]
    return step


def _clause(rng: Random, others: list[str]) -> Document:
    clause: Document = {
        "article": f"某法 {rng.randrange(99)}",
        "severity": rng.choice(("note", "irregular", "grave")),
        "to_confirm": rng.random() < 0.2,
    }
    for name in ("only_if", "unless"):
        if rng.random() < 0.2:
            clause[name] = [_condition(rng, others) for _ in range(rng.choice((1, 1, 2)))]
    return clause


def _condition(rng: Random, others: list[str]) -> Document:
    words = {"field": "mode", "values": [rng.choice(("fast", "slow"))]}
    step = rng.choice([other for other in others if other not in ("OPEN", "DONE")])
    match rng.randrange(3):
        case 0:
            return words
        case 1:
            return {"step": step}
        case _:
            return {"step": step, **words}


def _guard(rng: Random, others: list[str]) -> Document:
    guard = _clause(rng, others)
    step, another = rng.sample([other for other in others if other != "DONE"], 2)
    match rng.choice(("done", "outcome", "others-than", "ended", "before", "at-most")):
        case "done":
            return {**guard, "kind": "done", "step": step, **({"since": another} if rng.random() < 0.5 else {})}
        case "outcome":
            return {**guard, "kind": "outcome", "step": step, "field": "mode", "values": ["fast"]}
        case "ended":
            return {**guard, "kind": "ended", "step": step, "by": [another]}
        case "at-most":
            return {**guard, "kind": "at-most", "field": "amount", "limit": rng.randrange(-2, 300)}
        case kind:
            return {**guard, "kind": kind, "step": step}


def _clock(rng: Random, others: list[str]) -> Document:
    unit = rng.choice(UNITS)
    start = rng.choice([other for other in others if other != "DONE"])
    clock = _clause(rng, others) | {
        "kind": rng.choice(("within", "within", "not-before", "lapsed")),
        "start": start,
        "counted": rng.choice(("first", "last")),
        "amount": rng.randrange(1, MOST[unit] + 1),
        "unit": unit,
    }
    if rng.random() < 0.3:
        clock["extensions"] = [{"step": "LONGER", "amount": rng.randrange(1, MOST[unit] + 1)}]
    if unit == "hours":
        return clock
    if unit != "working-days" and rng.random() < 0.7:
        clock["rolls"] = rng.random() < 0.7
    if start != "OPEN" and rng.random() < 0.3:
        clock["shifts"] = [{"field": "mode", "value": "slow", "days": rng.randrange(1, 31)}]
    clock["pauses"] = rng.sample(("rest", "trip"), rng.randrange(3))
    return clock


def draw_calendar(rng: Random, year: int) -> YearCalendar:
    """A year with rests and make-up days anywhere."""
    first = day_of_date(year, 1, 1)
    days = range(1, day_of_date(year + 1, 1, 1) - first + 1)
    begins = rng.sample(days, 7)
    rests = {number for begin in begins for number in range(begin, begin + rng.randrange(1, 9))}
    working = [number for number in days if weekday_of(first + number - 1) < 5]
    weekends = [number for number in days if weekday_of(first + number - 1) >= 5]
    holidays = tuple(number for number in working if number in rests)
    return YearCalendar(year, f"抽签 {year}", holidays, tuple(sorted(rng.sample(weekends, 7))))
