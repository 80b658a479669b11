"""Random stories of cases, read twice: as the nodes read them, and plainly (:mod:`tests.contracts.plain`).

python -m tests.contracts.readings --stories 100000 --jobs 2     the last line is JSON; exit 1 on a disagreement
python -m tests.contracts.readings --seed 17                     one story, told event by event

Half of the stories follow a rule set that was drawn, half a built-in one; calendars of some years are drawn, too.
After every event both readings must have refused it with the same code and parameters, or have come to the same
findings, the same memory of the case, and the same terms that run.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Final

from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_versions
from fazhi_contracts.calendar import MINUTE_MS, day_of_date
from fazhi_contracts.errors import Refused
from fazhi_contracts.keys import state_key
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.deadlines import running_clocks
from fazhi_contracts.procedures.interpreter import Judge
from fazhi_contracts.procedures.marks import Marks
from fazhi_contracts.procedures.parts import ClearField
from fazhi_contracts.procedures.ruleset import RuleSet, Step
from fazhi_contracts.procedures.settings import Settings
from fazhi_contracts.rulebook import CalendarsEntry
from fazhi_contracts.workdays import Workdays, YearCalendar
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record import Record
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import ResultSigner

from tests.campaign import Progress, conclude, workers

from . import plain
from .drawn import draw_calendar, draw_rules

DAY_MS: Final = 86_400_000
YEARS: Final = (2024, 2025, 2026, 2027)
BEGIN_MS: Final = day_of_date(2024, 11, 1) * DAY_MS
CHUNK: Final = 250
STORIES: Final = 100_000


class Disagreement(AssertionError):
    """The two readings differ; the text says where."""


@cache
def built_in() -> tuple[RuleSet, ...]:
    """All versions of all procedures that come with the software."""
    return tuple(rules for name in BUILTIN_PROCEDURES for rules in load_builtin_versions(name))


@dataclass(frozen=True)
class Event:
    """One record, and who signs it when."""

    record: Record
    signers: tuple[ResultSigner, ...]
    standing: tuple[str, ...]
    time_ms: int


Outcome = tuple[object, Marks]
"""What was refused, or what was found; and what the case remembers afterwards."""


@dataclass
class Told:
    """What stories came to; ``lines`` say it of each event."""

    stories: int = 0
    events: int = 0
    refused: int = 0
    findings: int = 0
    violations: int = 0
    lines: list[str] = field(default_factory=list)

    def tell(self, seed: int) -> None:
        """Tell the story of that seed.

        Raises:
            Disagreement: naming the event.
        """
        rng = Random(seed)
        rules = rng.choice(built_in()) if rng.random() < 0.5 else compile_rule_set(draw_rules(rng, "drawn"))
        calendars = [draw_calendar(rng, year) for year in YEARS if rng.random() < 0.85]
        parameters = Parameters.defaults()
        settings, state = Settings.of(parameters, Workdays.of(calendars)), state_of(calendars)
        marks, number, now_ms = Marks(), 1, BEGIN_MS + rng.randrange(600) * DAY_MS
        self.stories += 1
        for _ in range(rng.randrange(4, 26)):
            now_ms += rng.choice((MINUTE_MS, DAY_MS, rng.randrange(20 * DAY_MS)))
            event = drawn_event(rng, rules, marks, now_ms)
            case = plain.Case(rules, marks, parameters, state, set(event.standing))
            found, after = read(rules, marks, event, settings, number)
            where = f"seed {seed}, event {number} {event.record.step}"
            self._compare(where, (found, after), read_plainly(case, event, number))
            if isinstance(found, str):
                self.refused += 1
                continue
            marks, number = after, number + 1
            clocks = running_clocks(rules, marks, settings)
            ours = [(one.step, one.start, one.due_day, one.missing_year) for one in clocks]
            theirs = plain.owed(plain.Case(rules, marks, parameters, state, set()))
            self._compare(f"{where}, terms", sorted(map(repr, ours)), sorted(map(repr, theirs)))

    def _compare(self, where: str, ours: object, theirs: object) -> None:
        self.events += 1
        self.lines.append(f"{where}: {ours}")
        if ours != theirs:
            raise Disagreement(f"{where}:\n  ours  {ours}\n  plain {theirs}")

    def tell_all(self, first: int, count: int) -> Told:
        """The stories of these seeds, one after another; what they disagree on is printed."""
        for seed in range(first, first + count):
            self.lines.clear()
            try:
                self.tell(seed)
            except (Disagreement, ArithmeticError, LookupError, TypeError, ValueError, FazhiError):
                self.violations += 1
                print(f"seed {seed}:\n{traceback.format_exc()}", file=sys.stderr)
        return self

    def add(self, other: Told) -> None:
        """The sum."""
        self.stories += other.stories
        self.events += other.events
        self.refused += other.refused
        self.findings += other.findings
        self.violations += other.violations

    def line(self) -> dict[str, int]:
        """What the campaign's last line counts."""
        return {
            "runs": self.stories,
            "events": self.events,
            "refused": self.refused,
            "violations": self.violations,
        }


def read(rules: RuleSet, marks: Marks, event: Event, settings: Settings, number: int) -> Outcome:
    """As the nodes read an event."""
    judge = Judge(rules, marks, event.signers, event.time_ms, settings, event.standing)
    try:
        return judge.judge(RecordRun.of(event.record), 0, number), judge.marks()
    except Refused as refusal:
        return str((refusal.code, refusal.parameters)), judge.marks()


def read_plainly(case: plain.Case, event: Event, number: int) -> Outcome:
    """As :mod:`tests.contracts.plain` does."""
    try:
        return plain.judge(case, event.record, event.signers, event.time_ms, number)
    except Refused as refusal:
        return str((refusal.code, refusal.parameters)), case.before


def state_of(calendars: list[YearCalendar]) -> plain.State:
    """The part of a chain's state that says which days are worked."""
    hashes = {calendar.year: bytes([calendar.year % 256]) * 32 for calendar in calendars}
    state = {state_key("calendar", hashes[calendar.year]): calendar.encode() for calendar in calendars}
    return state | {state_key("calendars"): CalendarsEntry(tuple(hashes.items())).encode()}


def drawn_event(rng: Random, rules: RuleSet, marks: Marks, now_ms: int) -> Event:
    """Mostly a step that may follow, as it should be; now and then anything."""
    recorded = {mark.step for mark in marks.marks}
    following = [
        step
        for step in rules.steps
        if step.beside or (step.initial and not recorded) or recorded & set(step.from_steps)
    ]
    step = rng.choice(following if following and rng.random() < 0.9 else list(rules.steps))
    at_ms = max(0, now_ms - rng.choice((0, 0, 0, MINUTE_MS, DAY_MS, rng.randrange(90 * DAY_MS), -30_000)))
    clear = sorted(drawn_clear(rng, step).items())
    record = Record(rules.procedure, bytes(32), step.code, at_ms, rng.choice((0, 1, 1, 3)), bytes(32), tuple(clear))
    return Event(record, drawn_signers(rng, step), drawn_standing(rng, step), now_ms)


def drawn_clear(rng: Random, step: Step) -> dict[str, str | int]:
    """Clear fields of a record; required ones are seldom left out."""
    found: dict[str, str | int] = {}
    for known in step.clear:
        if rng.random() < (0.97 if known.required else 0.5):
            found[known.name] = drawn_value(rng, known)
    if rng.random() < 0.02:
        found["nonsense"] = 7
    return found


def drawn_value(rng: Random, known: ClearField) -> str | int:
    """A value of the field, now and then one that it does not have."""
    if rng.random() < 0.02:
        return "nonsense"
    if known.values:
        return rng.choice(known.codes)
    return rng.choice((known.low, known.high, known.high + 1, rng.randint(known.low, min(known.high, known.low + 500))))


def drawn_signers(rng: Random, step: Step) -> tuple[ResultSigner, ...]:
    """One to three of five people, each with one or two roles, mostly with those that the step asks for."""
    names = rng.sample(range(5), rng.choice((1, 1, 2, 2, 3)))
    roles = (*step.signing.roles, *step.signing.roles, *step.signing.roles, "stranger")
    return tuple(
        ResultSigner(bytes([name]) * 32, "org", tuple(sorted(set(rng.choices(roles, k=rng.choice((1, 1, 2)))))))
        for name in names
    )


def drawn_standing(rng: Random, step: Step) -> tuple[str, ...]:
    """What the signers are to the case."""
    return rng.choice(((rng.choice(step.signing.orgs),),) * 9 + (("court", "notary"),))


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.contracts.readings", description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=int, default=STORIES, help="how many stories, from seed 0 on")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--seed", type=int, help="tell one story")
    chosen = parser.parse_args()
    total, say = Told(), Progress()

    def work() -> None:
        if chosen.seed is not None:
            total.tell_all(chosen.seed, 1)
            print("\n".join(total.lines))
            return
        starts = range(0, chosen.stories, CHUNK)
        with workers(chosen.jobs) as pool:
            told = [pool.submit(Told().tell_all, first, min(CHUNK, chosen.stories - first)) for first in starts]
            for one in told:
                total.add(one.result())
                say(f"{total.stories} of {chosen.stories} stories, {total.violations} disagreements")

    return conclude("readings", work, total.line)


if __name__ == "__main__":
    sys.exit(main())
