"""``fazhi supervise``: every term that runs in every case, by agency and step, with how urgent it is.

Each case is proven, and that none is left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from fazhi_contracts.calendar import date_of_day
from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.genesis import Genesis
from fazhi_ledger.messages import printable
from fazhi_ledger.record import case_id, case_key

from . import connection, labels, terminal
from .case_filing import moment
from .exits import Exit, Misuse
from .inputs import read_file
from .language import Language, choose
from .parser import Parser
from .supervise_texts import SUPERVISE, SUPERVISE_HELP

if TYPE_CHECKING:
    from fazhi_contracts.procedures.ruleset import RuleSet
    from fazhi_sdk.lists import CaseList, KnownRules, ListedCase, Survey
    from fazhi_sdk.supervision import Term

FORMAT: Final = "fazhi-supervision/1"
MAX_NUMBERS_BYTES: Final = 16 * 1024 * 1024
ID_DIGITS: Final = 8
COLUMNS: Final = ("colour", "case", "step", "start", "due", "state", "article")
STYLES: Final = {"red": "bad", "orange": "doubt", "yellow": "doubt", "green": "good", "grey": "faint"}
"""How a line is painted on a terminal; of other colours not at all."""


def configure(parser: Parser) -> None:
    """Declare the options."""
    declare_scope(parser)
    parser.option("--overdue", action="store_true", help=help_text("overdue", parser))
    parser.option("--within", type=int, metavar="DAYS", help=help_text("within", parser))
    parser.option("--numbers", metavar="FILE", help=help_text("numbers", parser))
    connection.declare(parser)
    parser.set_defaults(run=run)


def declare_scope(parser: Parser) -> None:
    """Declare which cases are meant, as of when, and how they are told."""
    parser.option("--agency", metavar="ORG", help=help_text("agency", parser))
    parser.option("--procedure", metavar="NAME", help=help_text("procedure", parser))
    parser.option("--year", type=int, metavar="YEAR", help=help_text("year", parser))
    parser.option("--at", metavar="TIME", help=help_text("at", parser))
    parser.option("--json", action="store_true", help=parser.text("json"))


def help_text(code: str, parser: Parser) -> str:
    """A line of help."""
    return choose(SUPERVISE_HELP[code], parser.language)


def text(code: str, language: Language, **values: str | int) -> str:
    """A sentence; parameters are escaped."""
    return ledger_messages.sentence((SUPERVISE,), code, values.items(), language)


def at_ms(options: argparse.Namespace) -> int:
    """The time to reckon by, Unix milliseconds.

    Raises:
        Misuse: ``bad-moment``.
    """
    return time.time_ns() // 1_000_000 if options.at is None else int(moment(options.at).timestamp() * 1000)


class Watch:
    """What a survey comes to: the terms that are wanted, and the rules that they were read by."""

    def __init__(self, options: argparse.Namespace, genesis: Genesis, language: Language) -> None:
        self.at_ms = at_ms(options)
        self.genesis = genesis
        self.language = language
        self.terms: list[Term] = []
        self.rules: dict[bytes, RuleSet] = {}
        self.offset = genesis.parameters.get("utc_offset_min")
        self._numbers = _numbers(options)
        self._dockets: dict[tuple[str, str], dict[bytes, str]] = {}  # by organisation and procedure
        self._within = 0 if options.overdue and options.within is None else options.within
        self._overdue = bool(options.overdue)

    def see(self, case: ListedCase, known: KnownRules) -> None:
        """Take up the terms of a case."""
        from fazhi_sdk.supervision import terms_of

        self.rules.update(known.rule_sets)
        self.offset = known.settings.utc_offset_min
        self.terms += [term for term in terms_of(case, known, self.at_ms) if self._wanted(term)]

    def _wanted(self, term: Term) -> bool:
        if self._overdue or self._within is not None:
            late = term.state == "overdue"
            soon = not self._overdue and term.days_left is not None and term.days_left <= (self._within or 0)
            return late or soon
        return True

    def ordered(self) -> list[Term]:
        """By agency, what ends first before the others."""
        last = 1 << 60
        return sorted(
            self.terms,
            key=lambda one: (one.case.head.org, last if one.clock.due_ms is None else one.clock.due_ms),
        )

    def docket(self, case: ListedCase) -> str | None:
        """The docket number of a case, where it stands in the list that was given."""
        suite, org, procedure = self.genesis.suite, case.head.org, case.head.procedure
        if (org, procedure) not in self._dockets:
            self._dockets[org, procedure] = {
                case_id(suite, org, case_key(suite, org, procedure, number)): number for number in self._numbers
            }
        return self._dockets[org, procedure].get(case.case_id)

    def step(self, term: Term, code: str) -> str:
        """The name of a step."""
        return labels.step_label(self.rules.get(term.case.head.rule_set_hash), code, self.language)


def run(options: argparse.Namespace, language: Language) -> int:
    """Go through the cases and tell their terms."""
    with connection.connected(options) as chain:
        watch = Watch(options, chain.genesis, language)
        found = chain.survey(watch.see, options.agency, options.procedure, options.year)
    titles = procedure_titles(watch.rules.values(), language)
    complete = not any(listed.missing for listed in found.lists)
    prose = sys.stdout
    if options.json:
        print(terminal.json_text(_document(watch, found)))
        prose = sys.stderr
    for line in _lines(watch, found, titles):
        print(line, file=prose)
    return Exit.OK if complete else Exit.NOT_VALID


def procedure_titles(rule_sets: Iterable[RuleSet], language: Language) -> dict[str, str]:
    """Names of procedures, each by its rule set of the newest law."""
    ordered = sorted(rule_sets, key=lambda rules: rules.law_from)
    return {rules.procedure: printable(choose((rules.title_zh, rules.title_en), language)) for rules in ordered}


def _numbers(options: argparse.Namespace) -> list[str]:
    from fazhi_sdk import docket_number

    if options.numbers is None:
        return []
    try:
        listed = read_file(options.numbers, MAX_NUMBERS_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Misuse("input-unreadable", path=options.numbers, reason="UTF-8") from None
    return [docket_number(line) for line in listed if line.strip()]


def series_lines(found: Survey, genesis: Genesis, titles: dict[str, str], language: Language) -> Iterator[str]:
    """Which cases were gone through, and which are missing."""
    if not found.lists:
        yield "  " + text("no-cases", language)
    for listed in found.lists:
        org, procedure, year = listed.series
        title, name = titles.get(procedure, procedure), labels.organisation(genesis, org, language)
        yield "  " + text("series", language, org=name, procedure=title, year=year, count=listed.count)
        if listed.missing:
            yield "    " + terminal.paint(text("missing", language, serials=_runs(listed.missing)), "bad", sys.stdout)


def limits_lines(found: Survey, language: Language) -> Iterator[str]:
    """What is proven, and what is not."""
    complete = not any(listed.missing for listed in found.lists)
    for code in ("proven" if complete else "incomplete", "not-proven"):
        yield "  " + text(code, language)


def _runs(serials: Sequence[int]) -> str:
    """``3, 7–9``."""
    runs: list[list[int]] = []
    for serial in serials:
        if runs and serial == runs[-1][1] + 1:
            runs[-1][1] = serial
        else:
            runs.append([serial, serial])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def _lines(watch: Watch, found: Survey, titles: dict[str, str]) -> Iterator[str]:
    language = watch.language
    recorded, at = (labels.moment(ms, watch.offset) for ms in (found.as_of.time_ms, watch.at_ms))
    yield text("as-of", language, height=terminal.number(found.as_of.height), recorded=recorded, at=at)
    yield from series_lines(found, watch.genesis, titles, language)
    terms = watch.ordered()
    if not terms:
        yield "  " + text("no-terms", language)
    heads = tuple(text(f"column-{name}", language) for name in COLUMNS)
    for org, of_org in groupby(terms, key=lambda one: one.case.head.org):
        yield labels.organisation(watch.genesis, org, language)
        listed = list(of_org)
        first, *others = terminal.table([heads, *(_row(term, watch) for term in listed)])
        yield first
        for line, term in zip(others, listed, strict=True):
            style = STYLES.get(term.colour[0])
            yield line if style is None else terminal.paint(line, style, sys.stdout)
    for name, states in _totals(watch).items():
        other = sum(states.values()) - states["overdue"] - states["due"]
        counts = {"overdue": states["overdue"], "due": states["due"], "other": other}
        yield "  " + text("totals", language, org=name[0], step=name[1], **counts)
    yield "  " + text("default-colours", language)
    if any(watch.docket(term.case) is None for term in terms):
        yield "  " + text("by-number", language)
    yield from limits_lines(found, language)


def _row(term: Term, watch: Watch) -> tuple[str, ...]:
    language, clock, head = watch.language, term.clock, term.case.head
    number = watch.docket(term.case)
    if number is None:
        shown = term.case.case_id.hex()[:ID_DIGITS]
        number = text("case", language, year=head.year, serial=head.serial, id=shown)
    return (
        printable(choose(term.colour[1:], language)),
        number,
        watch.step(term, clock.step),
        watch.step(term, clock.start),
        "–" if clock.due_day is None else "{:04d}-{:02d}-{:02d}".format(*date_of_day(clock.due_day)),
        _state(term, language),
        printable(clock.article) + ("" if clock.confirmed else text("to-confirm", language)),
    )


def _state(term: Term, language: Language) -> str:
    if term.state == "no-calendar":
        return text("no-calendar", language, year=term.clock.missing_year or 0)
    if term.days_left is None:
        return text("paused", language)
    if term.state == "overdue":
        return text("late", language, days=max(-term.days_left, 0))
    state = text("left", language, days=term.days_left) if term.days_left else text("today", language)
    if term.clock.missing_year is not None:  # the last day may roll on, and nobody can tell
        state += text("may-roll", language, year=term.clock.missing_year)
    return state


def _totals(watch: Watch) -> dict[tuple[str, str], Counter[str]]:
    """By agency and step: how many terms of which state."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for term in watch.ordered():
        name = labels.organisation(watch.genesis, term.case.head.org, watch.language)
        found.setdefault((name, watch.step(term, term.clock.step)), Counter())[term.state] += 1
    return found


def lists_json(lists: Sequence[CaseList]) -> list[dict[str, Any]]:
    """Which cases were gone through."""
    return [
        {
            "org": listed.series[0],
            "procedure": listed.series[1],
            "year": listed.series[2],
            "cases": listed.count,
            "missing": list(listed.missing),
            "as_of_height": listed.as_of.height,
        }
        for listed in lists
    ]


def _document(watch: Watch, found: Survey) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "as_of_height": found.as_of.height,
        "as_of_ms": found.as_of.time_ms,
        "at_ms": watch.at_ms,
        "series": lists_json(found.lists),
        "terms": [_term_json(term, watch) for term in watch.ordered()],
    }


def _term_json(term: Term, watch: Watch) -> dict[str, Any]:
    clock, head = term.clock, term.case.head
    return {
        "org": head.org,
        "procedure": head.procedure,
        "year": head.year,
        "serial": head.serial,
        "case_id": term.case.case_id.hex(),
        "number": watch.docket(term.case),
        "step": clock.step,
        "start": clock.start,
        "amount": clock.amount,
        "unit": clock.unit,
        "due_ms": clock.due_ms,
        "days_left": term.days_left,
        "elapsed_percent": term.elapsed_percent,
        "state": term.state,
        "missing_year": clock.missing_year,
        "colour": term.colour[0],
        "article": clock.article,
        "confirmed": clock.confirmed,
    }
