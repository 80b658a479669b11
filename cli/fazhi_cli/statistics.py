"""``fazhi statistics``: figures of agencies and a period, counted over cases each of which is proven, none left out."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from fazhi_contracts.calendar import local_day
from fazhi_ledger.messages import printable

from . import connection, labels, terminal
from .exits import Exit, Misuse
from .language import Language, choose
from .parser import Parser
from .supervise import at_ms, declare_scope, help_text, limits_lines, lists_json, procedure_titles, series_lines, text

if TYPE_CHECKING:
    from fazhi_contracts.procedures.ruleset import RuleSet
    from fazhi_ledger.genesis import Genesis
    from fazhi_sdk.lists import KnownRules, ListedCase, Survey
    from fazhi_sdk.statistics import Figures

FORMAT: Final = "fazhi-statistics/1"
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EPOCH: Final = date(1970, 1, 1)


def configure(parser: Parser) -> None:
    """Declare the options."""
    declare_scope(parser)
    parser.option("--from", dest="begin", metavar="DATE", help=help_text("from", parser))
    parser.option("--to", dest="end", metavar="DATE", help=help_text("to", parser))
    connection.declare(parser)
    parser.set_defaults(run=run)


def _day(given: str | None) -> int | None:
    """Days since 1970-01-01.

    Raises:
        Misuse: ``bad-date``.
    """
    if given is None:
        return None
    try:
        if _DATE.fullmatch(given) is None:
            raise ValueError(given)
        return (date.fromisoformat(given) - _EPOCH).days
    except ValueError:
        raise Misuse("bad-date", value=given[:80]) from None


class Count:
    """The figures of each organisation and procedure, of cases opened from one day to another."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.begin, self.end = _day(options.begin), _day(options.end)
        self.at_ms = at_ms(options)
        self.figures: dict[tuple[str, str], Figures] = {}
        self.rules: dict[bytes, RuleSet] = {}
        self.offset = 0

    def see(self, case: ListedCase, known: KnownRules) -> None:
        """Count a case, where it was opened in the period."""
        from fazhi_sdk.statistics import Figures

        head = case.head
        self.offset = known.settings.utc_offset_min
        self.rules.update(known.rule_sets)
        opened = local_day(head.opened_time_ms, self.offset)
        if (self.begin is None or self.begin <= opened) and (self.end is None or opened <= self.end):
            self.figures.setdefault((head.org, head.procedure), Figures()).count(case, known, self.at_ms)

    def versions(self, procedure: str) -> list[RuleSet]:
        """The rule sets of a procedure, the one of the newest law first: a step's name is that of the first with it."""
        found = (rules for rules in self.rules.values() if rules.procedure == procedure)
        return sorted(found, key=lambda rules: rules.law_from, reverse=True)


def run(options: argparse.Namespace, language: Language) -> int:
    """Go through the cases and tell the figures."""
    count = Count(options)
    with connection.connected(options) as chain:
        found = chain.survey(count.see, options.agency, options.procedure, options.year)
        titles, genesis = procedure_titles(count.rules.values(), language), chain.genesis
    complete = not any(listed.missing for listed in found.lists)
    prose = sys.stdout
    if options.json:
        print(terminal.json_text(_document(count, found, options)))
        prose = sys.stderr
    for line in _lines(count, found, options, genesis, titles, language):
        print(line, file=prose)
    return Exit.OK if complete else Exit.NOT_VALID


def _lines(
    count: Count, found: Survey, options: argparse.Namespace, genesis: Genesis, titles: dict[str, str],
    language: Language,
) -> Iterator[str]:  # fmt: skip
    yield text(
        "period",
        language,
        begin=options.begin or text("always", language),
        end=options.end or text("now", language),
        height=terminal.number(found.as_of.height),
        recorded=labels.moment(found.as_of.time_ms, genesis.parameters.get("utc_offset_min")),
    )
    yield from series_lines(found, genesis, titles, language)
    for (org, procedure), figures in sorted(count.figures.items()):
        versions = count.versions(procedure)
        name, title = labels.organisation(genesis, org, language), titles.get(procedure, procedure)
        yield text("figures", language, org=name, procedure=title, opened=figures.opened)
        state = {"closed": figures.closed, "open": figures.opened - figures.closed, "overdue": figures.overdue}
        yield "  " + text("figures-state", language, terms=figures.overdue_terms, **state)
        ordered = dict.fromkeys(step.code for rules in versions for step in rules.steps)
        steps = [f"{_label(versions, code, language)} {figures.steps[code]}" for code in ordered if figures.steps[code]]
        yield "  " + text("figures-steps", language, records=figures.records, steps=labels.joined(steps, language))
        if figures.decisions:
            decisions = labels.joined(_decisions(figures, versions, language), language)
            yield "  " + text("figures-decisions", language, decisions=decisions)
    yield from limits_lines(found, language)
    yield "  " + text("no-findings-counted", language)


def _label(versions: Sequence[RuleSet], code: str, language: Language) -> str:
    """A step's name by the first rule set that has it."""
    rules = next((one for one in versions if one.step(code) is not None), None)
    return printable(labels.step_label(rules, code, language))


def _decisions(figures: Figures, versions: Sequence[RuleSet], language: Language) -> Iterator[str]:
    for (code, name, value), number in sorted(figures.decisions.items()):
        fields = (step.clear_field(name) for rules in versions if (step := rules.step(code)) is not None)
        terms = (term for known in fields if known is not None for term in known.values if term.code == value)
        term = next(terms, None)
        shown = value if term is None else printable(choose((term.zh, term.en), language))
        yield f"{_label(versions, code, language)} {shown} {number}"


def _document(count: Count, found: Survey, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "as_of_height": found.as_of.height,
        "as_of_ms": found.as_of.time_ms,
        "at_ms": count.at_ms,
        "from": options.begin,
        "to": options.end,
        "series": lists_json(found.lists),
        "figures": [
            {
                "org": org,
                "procedure": procedure,
                "opened": figures.opened,
                "closed": figures.closed,
                "overdue": figures.overdue,
                "overdue_terms": figures.overdue_terms,
                "records": figures.records,
                "steps": dict(sorted(figures.steps.items())),
                "decisions": [
                    {"step": step, "field": name, "value": value, "cases": number}
                    for (step, name, value), number in sorted(figures.decisions.items())
                ],
            }
            for (org, procedure), figures in sorted(count.figures.items())
        ],
    }
