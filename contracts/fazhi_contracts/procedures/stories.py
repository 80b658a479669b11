"""Stories of cases, as a lawyer would write them down, played against a rule set: what each event comes to, and which
terms run. For whoever writes a rule set; the reading is the one that nodes do.

::

    # 国庆期间要求听证
    程序 penalty
    日历 2025 休 10-01 10-02 10-03 10-06 10-07 10-08 班 09-28 10-11

    2025-09-26 10:00  NOTICE 事先告知  officer:甲  hearing=offered
    2025-10-13 09:00  HEARREQ 要求听证  officer:甲  recorded=2025-10-14T09:00
        发现 deadline-exceeded late_days=3
    期限 DECIDED 2025-12-15

A line is empty, a comment (``#``), a heading, an event, or what is expected of the event before it. Words may stand in
Chinese or English:

* ``程序 | procedure NAME``; ``日历 | calendar YEAR 休 | off MM-DD… 班 | work MM-DD…``;
* an event: day, time, step, then in any order signers (``role:name``, and where they are of another organisation than
  the case's ``role:name@role-of-that-organisation``), clear fields (``name=value``), the number of documents
  (``documents=N``, one where it is not said), the time of recording (``recorded=…``, else as it occurred); any other
  word is for the reader;
* ``发现 | finding CODE [name=value…]``, one line each, or ``发现 无 | finding none`` (which is also what is expected
  where nothing is said); ``拒绝 | refused CODE``;
* ``余额 | tally CODE NUMBER``: what a tally stands at after the event;
* ``颜色 | colour CODE [DAY]``: the case's colour after the event, at its time or at noon of that day;
* ``结论 | verdict [DAY] 无违反 | clean``, or ``违反 | breached ARTICLE; ARTICLE…``, or ``不能判断 | open ARTICLE; …``:
  all the articles whose clauses are breached, and all that the chain has no calendar or figure to judge by, after the
  event, at its time of recording or at noon of that day. A story best ends with it;
* ``期限 | due STEP DAY``: after the event the step is owed by that day; ``中止 | paused`` instead of the day while a
  pause lasts, ``无 | none`` where nothing of the kind is owed.

Times are those of the chain's offset, eight hours east of Greenwich.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fazhi_ledger.errors import FazhiError
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import Finding, ResultSigner

from ..calendar import date_of_day
from ..errors import Refused
from ..workdays import Workdays
from .clauses import Colour
from .colours import colour_of
from .deadlines import RunningClock, running_clocks
from .interpreter import Judge
from .marks import Marks, Sums
from .ruleset import RuleSet
from .settings import Settings
from .story_reading import BadStory, Concluded, Due, Expected, Stands, Story, StoryEvent, read_story
from .verdict import BREACHED, NOT_JUDGED, CaseEvent, Verdict, verdict_on

__all__ = ["BadStory", "Story", "StoryBroken", "StoryEvent", "Told", "check_story", "play", "read_story"]


class StoryBroken(FazhiError):
    """A story whose case comes to something else than it says: ``story-broken`` with ``line`` and ``what``."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__("story-broken", line=line, what=what)


@dataclass(frozen=True, slots=True)
class Told:
    """What an event came to: its findings, or the code that it was refused with; and after it the terms that run, the
    tallies, and the colours and verdicts at the times that the story asks for."""

    event: StoryEvent
    findings: tuple[Finding, ...]
    refused: str | None
    clocks: tuple[RunningClock, ...]
    sums: Sums
    colours: tuple[tuple[int, str | None], ...]
    verdicts: tuple[Verdict, ...] = ()


def play(story: Story, rules: RuleSet) -> tuple[Told, ...]:
    """What each event comes to, under a chain's default parameters. A refused event leaves no mark."""
    settings = Settings.of(Parameters.defaults(), Workdays.of(story.calendars))
    marks, told, count = Marks(), [], 0
    accepted: list[CaseEvent] = []
    for event in story.events:
        judge = Judge(rules, marks, _signers(event), event.recorded_at_ms, settings, (event.standing,))
        run = RecordRun(
            0, rules.procedure, event.step, event.clear, (b"",), (event.occurred_at_ms,), (event.documents,)
        )
        findings: tuple[Finding, ...] = ()
        refused = None
        try:
            findings = judge.judge(run, 0, count + 1)
        except Refused as refusal:
            refused = refusal.code
        else:
            marks, count = judge.marks(), count + 1
            accepted.append(_case_event(event, count, settings, findings))
        times = [one.at_ms for one in event.stands if one.at_ms is not None]
        colours = tuple((at_ms, _code(colour_of(rules, marks, settings, at_ms))) for at_ms in times)
        asked_for = dict.fromkeys(one.at_ms for one in event.concluded)
        verdicts = tuple(verdict_on(rules, accepted, at_ms, settings) for at_ms in asked_for)
        running = running_clocks(rules, marks, settings)
        told.append(Told(event, findings, refused, running, marks.sums, colours, verdicts))
    return tuple(told)


def _case_event(event: StoryEvent, number: int, settings: Settings, findings: tuple[Finding, ...]) -> CaseEvent:
    return CaseEvent(
        number,
        event.step,
        event.clear,
        event.occurred_at_ms,
        event.documents,
        _signers(event),
        event.recorded_at_ms,
        settings,
        (event.standing,),
        findings,
    )


def _code(colour: Colour | None) -> str | None:
    return None if colour is None else colour.code


def _signers(event: StoryEvent) -> tuple[ResultSigner, ...]:
    roles: dict[str, set[str]] = {}
    for role, name in event.signers:
        roles.setdefault(name, set()).add(role)
    return tuple(ResultSigner(name.encode("utf-8"), "story", tuple(sorted(held))) for name, held in roles.items())


def check_story(told: Iterable[Told]) -> None:
    """Hold what a story came to against what it says.

    Raises:
        StoryBroken: naming the first line that does not hold.
    """
    for one in told:
        event = one.event
        if one.refused != event.refused:
            raise StoryBroken(event.line, f"refused: {one.refused or 'no'}, the story says {event.refused or 'no'}")
        found = list(one.findings)
        for expected in event.findings:
            finding = next((finding for finding in found if _is(finding, expected)), None)
            if finding is None:
                raise StoryBroken(event.line, f"no finding {_said(expected)} among {_listed(found)}")
            found.remove(finding)
        if found:
            raise StoryBroken(event.line, f"findings that the story does not say: {_listed(found)}")
        for due in event.due:
            _check_due(due, one.clocks)
        for stands in event.stands:
            _check_stands(stands, one)
        for verdict in one.verdicts:
            _check_concluded(verdict, [said for said in event.concluded if said.at_ms == verdict.as_of_ms])


def _is(finding: Finding, expected: Expected) -> bool:
    return finding.code == expected.code and set(expected.parameters) <= set(finding.parameters)


def _said(expected: Expected) -> str:
    return " ".join((expected.code, *(f"{name}={value}" for name, value in expected.parameters)))


def _listed(findings: Sequence[Finding]) -> str:
    return "; ".join(_said(Expected(finding.code, finding.parameters)) for finding in findings) or "none"


def _check_due(due: Due, clocks: Sequence[RunningClock]) -> None:
    ends: list[int | str] = [
        ("paused" if clock.missing_year is None else f"calendar of {clock.missing_year} is missing")
        if clock.due_day is None
        else clock.due_day
        for clock in clocks
        if clock.step == due.step
    ]
    if due.ends in ends or (due.ends == "none" and not ends):
        return
    said = ", ".join(_date(end) for end in ends) or "none"
    raise StoryBroken(due.line, f"the term of {due.step} ends: {said}, the story says {_date(due.ends)}")


def _check_stands(stands: Stands, told: Told) -> None:
    if stands.total is not None:
        total = dict(told.sums).get(stands.code, 0)
        if total != stands.total:
            raise StoryBroken(stands.line, f"{stands.code} stands at {total}, the story says {stands.total}")
        return
    colour = next(code for at_ms, code in told.colours if at_ms == stands.at_ms)
    if colour != stands.code:
        raise StoryBroken(stands.line, f"the case's colour is {colour or 'none'}, the story says {stands.code}")


def _check_concluded(verdict: Verdict, said: Sequence[Concluded]) -> None:
    for outcome, word in ((BREACHED, "breached"), (NOT_JUDGED, "not judged")):
        expected = {article for one in said if one.outcome == outcome for article in one.articles}
        found = verdict.articles(outcome)
        if set(found) != expected:
            listed = "; ".join(f"{clause.number} {clause.article}" for clause in verdict.of(outcome)) or "none"
            raise StoryBroken(said[0].line, f"{word}: {listed}, the story says {'; '.join(sorted(expected)) or 'none'}")


def _date(end: int | str) -> str:
    if isinstance(end, str):
        return end
    year, month, day = date_of_day(end)
    return f"{year}-{month:02}-{day:02}"
