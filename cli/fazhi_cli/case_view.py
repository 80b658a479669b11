"""A case as the chain has it, proven: its head and running deadlines, or every one of its events."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fazhi_contracts.attestation import attestations
from fazhi_contracts.messages import term_in_words
from fazhi_contracts.procedures.deadlines import RunningClock, running_clocks
from fazhi_ledger.genesis import Genesis

from . import connection, labels, terminal
from .attest_texts import attestation_lines
from .case_filing import text
from .exits import Exit
from .language import Language, choose
from .verdict_text import say

if TYPE_CHECKING:
    from fazhi_contracts.head import CaseHead
    from fazhi_contracts.procedures.ruleset import RuleSet
    from fazhi_ledger.header import Header
    from fazhi_sdk import CaseView, Event, Trail

VIEW_FORMAT = "fazhi-case/1"
TRAIL_FORMAT = "fazhi-trail/1"


def show(options: argparse.Namespace, language: Language) -> int:
    """Print the head of a case and its running deadlines."""
    with connection.connected(options) as chain:
        view = chain.case(options.procedure, options.number, org=options.org).show()
        genesis = chain.genesis
    if options.json:
        print(terminal.json_text(_shown_json(_Shown.of_view(view))))
        return Exit.OK
    for line in _view_lines(view, genesis, language):
        print(line)
    return Exit.OK


def trail(options: argparse.Namespace, language: Language) -> int:
    """Print every event of a case; their being all is proven."""
    with connection.connected(options) as chain:
        found = chain.case(options.procedure, options.number, org=options.org).trail()
    if options.out is not None:
        path = found.save(options.out)
        print(say("saved", language, path=str(path), events=len(found.events)), file=sys.stderr)
    if options.json:
        events = [_event_json(event) for event in found.events]
        document = {**_shown_json(_Shown.of_trail(found)), "format": TRAIL_FORMAT, "events": events}
        document["attestations"] = [asdict(one) for one in attestations(found.events)]
        print(terminal.json_text(document))
    elif options.out is None:
        for line in trail_lines(found, language):
            print(line)
    return Exit.OK


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a view and a trail have in common."""

    org: str
    number: str
    case_id: bytes
    head: CaseHead
    header: Header
    rules: RuleSet
    clocks: tuple[RunningClock, ...]

    @classmethod
    def of_view(cls, view: CaseView) -> _Shown:
        return cls(view.org, view.number, view.case_id, view.head, view.proven.header, view.rules, view.clocks)

    @classmethod
    def of_trail(cls, found: Trail) -> _Shown:
        facts, docket = found.facts, found.facts.docket
        clocks = running_clocks(facts.rules, facts.head.marks, facts.settings)
        return cls(docket.org, docket.number, facts.case_id, facts.head, facts.header, facts.rules, clocks)


def _view_lines(view: CaseView, genesis: Genesis, language: Language) -> Iterator[str]:
    offset, rules, shown = genesis.parameters.get("utc_offset_min"), view.rules, _Shown.of_view(view)
    yield _title(shown, genesis, language)
    step = labels.step_label(rules, view.step, language)
    yield "  " + text("head", language, step=step, count=view.count, year=view.head.year, serial=view.head.serial)
    yield "  " + _as_of(shown, offset, language)
    for clock in view.clocks:
        yield "  " + clock_line(clock, rules, offset, language)


def clock_line(clock: RunningClock, rules: RuleSet, offset: int, language: Language) -> str:
    """A term that runs, and when it ends; ``offset`` in minutes east of Greenwich."""
    named: dict[str, str | int] = {
        "step": labels.step_label(rules, clock.step, language),
        "start": labels.step_label(rules, clock.start, language),
        "term": term_in_words(clock.amount, clock.unit, language),
        "article": clock.article,
    }
    if clock.missing_year is not None:  # it ends on ``due_ms`` at the earliest
        return text("clock-no-calendar", language, year=clock.missing_year, **named)
    if clock.due_ms is not None:
        return text("clock", language, due=labels.moment(clock.due_ms, offset), **named)
    return text("clock-paused", language, **named)


def trail_lines(found: Trail, language: Language) -> Iterator[str]:
    """The trail as a table, findings below it."""
    facts, shown = found.facts, _Shown.of_trail(found)
    rules, genesis, offset = facts.rules, facts.genesis, facts.settings.utc_offset_min
    yield _title(shown, genesis, language)
    heads = [text(f"column-{name}", language) for name in ("number", "step", "occurred", "recorded", "height", "who")]
    rows = [heads]
    rows += [
        [
            str(event.number),
            labels.step_label(rules, event.record.step, language),
            labels.moment(event.record.occurred_at_ms, offset),
            labels.moment(event.time_ms, offset),
            terminal.number(event.height),
            _signers(event, language),
        ]
        for event in found.events
    ]
    yield from terminal.table(rows)
    findings = found.findings
    yield "  " + text("findings" if findings else "no-findings", language, count=len(findings))
    for number, finding in findings:
        yield f"    {number}  {labels.finding(finding, language, rules)}"
    yield from ("  " + line for line in attestation_lines(found.events, genesis, language))
    yield "  " + text("complete", language, count=facts.head.count) + _as_of(shown, offset, language)


def _title(view: _Shown, genesis: Genesis, language: Language) -> str:
    title = choose((view.rules.title_zh, view.rules.title_en), language)
    return text(
        "title", language, number=view.number, title=title, org=labels.organisation(genesis, view.org, language)
    )


def _as_of(view: _Shown, offset: int, language: Language) -> str:
    height = terminal.number(view.header.height)
    return text("as-of", language, height=height, time=labels.moment(view.header.time_ms, offset))


def _signers(event: Event, language: Language) -> str:
    return labels.joined(
        (f"{labels.roles(signer.roles, language)} {labels.key(signer.key)}" for signer in event.signers), language
    )


def _shown_json(view: _Shown) -> dict[str, Any]:
    return {
        "format": VIEW_FORMAT,
        "org": view.org,
        "procedure": view.head.procedure,
        "number": view.number,
        "case_id": view.case_id.hex(),
        "step": view.head.step,
        "count": view.head.count,
        "year": view.head.year,
        "serial": view.head.serial,
        "opened_height": view.head.opened_height,
        "as_of_height": view.header.height,
        "as_of_ms": view.header.time_ms,
        "deadlines": [
            {
                "step": clock.step,
                "start": clock.start,
                "amount": clock.amount,
                "unit": clock.unit,
                "due_ms": clock.due_ms,
                "missing_year": clock.missing_year,
            }
            for clock in view.clocks
        ],
    }


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "submission_id": event.submission_id.hex(),
        "record_index": event.record_index,
        "step": event.record.step,
        "height": event.height,
        "time_ms": event.time_ms,
        "occurred_at_ms": event.record.occurred_at_ms,
        "claimed_time_ms": event.claimed_time_ms,
        "clear": dict(event.record.clear),
        "signers": [{"key": one.key.hex(), "org": one.org, "roles": list(one.roles)} for one in event.signers],
        "findings": [
            {"code": one.code, "clause": one.clause, "severity": one.severity, "parameters": dict(one.parameters)}
            for one in event.findings
        ],
    }
