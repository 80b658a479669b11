"""Rule sets: what the law asks of a procedure, as data that is hashed, voted on and put on the chain (spec/ruleset.md).

::

    rule set  = [version, procedure, number, title_zh, title_en, law_from, record_article, [pause…], [tally…],
                 [colour…], [unjudged…], [step…]]
    pause     = [code, zh, en, article, [begins…], [ends…]]
    tally     = [code, zh, en, article, [[step, field]…], [[step, field]…]]                  plus, minus
    unjudged  = [zh, en, article]
    colour    = [code, zh, en, closed, overdue, elapsed_percent | nil, term | nil, [only_if…], [unless…]]
    step      = [code, zh, en, article, initial, terminal, repeatable, beside, decides, signing, [from…], [requires…],
                 [document…], documents_min, [clear field…], [guard…], [clock…]]
    signing   = [[role…], minimum, each, strict, [org…], article, confirmed]
    document  = [code, zh, en]
    clear     = [name, zh, en, required, [[code, zh, en]…], low, high]
    guard     = [kind, step | nil, since | nil, field | nil, [value…], [by…], limit | nil,
                 [only_if…], [unless…], article, severity, confirmed]
    clock     = [kind, start, counted, amount, unit, rolls, owed, [[field, value, days]…], [[step, amount]…], [pause…],
                 [only_if…], [unless…], article, severity, confirmed]
    condition = [step | nil, field | nil, [value…]]

``from`` are the steps of which one is expected to stand before (else a finding), ``requires`` those of which one must
(else the step is impossible and refused). Once a terminal step stands, only steps that come ``from`` it are recorded.
A step ``beside`` the procedure (a notice of the supervisor, an attestation) has no place in its order: it may be
recorded at any time, and the case stands where it stood. A step that ``decides`` freezes the case file: what was
recorded by then is what it was decided on.
``confirmed`` false marks a figure held but not yet confirmed in the text of the law: findings that rest on it say so. A
guard or clock counts where every ``only_if`` holds and no ``unless`` does.

Guards, each a finding where it does not hold:

* ``done``: ``step`` stands in the case; with ``since``, its last recording comes after the last one of ``since``;
* ``outcome``: where ``step`` stands, its last recording's ``field`` is one of the values;
* ``others-than``: nobody who has signed ``step`` signs this one (of more than 16 the first are remembered);
* ``ended``: where ``step`` stands, one of ``by`` was recorded after its last recording (a seizure was released);
* ``before``: ``step`` does not stand yet (evidence comes before the decision);
* ``at-most``: the record's own number ``field`` is at most ``limit``.

Clocks run from the event of ``start``, its ``first`` or ``last`` recording; the day of the start is not counted
(民法典 201). ``within``: the step falls on the last day of the term at the latest. ``not-before``: on that day at the
earliest. ``lapsed``: after it, when the term has run out. Units: ``hours`` (from the very start), ``calendar-days``,
``working-days`` (of the calendars that the members voted; a year that is missing is a finding, and the clock is not
judged), ``months`` and ``years`` (to the day of the same number, or the month's last: 民法典 202). ``rolls``: a term
that would end on a day without work ends on the next working day (民法典 203).

``owed`` false is a term that somebody may let pass (a party's, to ask for a hearing): it judges the step, and is no
deadline. Shifts move the start by calendar days where it carries that clear value (service by announcement counts as
effected 30 days on). Extensions lengthen the term once that step was recorded after the start. Pauses are times left
out: no day after that of a pause's beginning up to that of its end counts, and while one lasts the term does not end.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.genesis import rule_set_hash
from fazhi_ledger.limits import MAX_NAME_CHARS
from fazhi_ledger.names import NAME
from fazhi_ledger.shape import as_bool, as_int, as_text, as_tuple, as_version
from fazhi_ledger.suites import Suite

from ..errors import BadRuleSet
from .check import check_rule_set
from .clauses import (
    MAX_COLOURS,
    MAX_PAUSES,
    MAX_TALLIES,
    MAX_UNJUDGED,
    Clock,
    Colour,
    Extension,
    Guard,
    Pause,
    Shift,
    Tally,
    Unjudged,
)
from .parts import (
    MAX_CHOICES,
    MAX_STEPS,
    ClearField,
    Condition,
    Signing,
    Term,
    article_of,
    name_of,
    step_of,
    steps_of,
)
from .vocabulary import OTHERS_THAN

__all__ = [
    "MAX_STEPS",
    "ClearField",
    "Clock",
    "Colour",
    "Condition",
    "Extension",
    "Guard",
    "Pause",
    "RuleSet",
    "Shift",
    "Signing",
    "Step",
    "Tally",
    "Term",
    "Unjudged",
    "decoded_rule_set",
]

RULE_SET_VERSION: Final = 3
MAX_RULE_SET_BYTES: Final = 48 * 1024
"""A proposal holds it whole, and is an entry of the state with its votes beside it."""
MAX_GUARDS: Final = 24
MAX_CLOCKS: Final = 8
MAX_CLEAR_PER_STEP: Final = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a procedure."""

    code: str
    zh: str
    en: str
    article: str
    signing: Signing
    initial: bool = False
    terminal: bool = False
    repeatable: bool = False
    beside: bool = False
    decides: bool = False
    from_steps: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    documents: tuple[Term, ...] = ()
    documents_min: int = 0
    clear: tuple[ClearField, ...] = ()
    guards: tuple[Guard, ...] = ()
    clocks: tuple[Clock, ...] = ()
    by_name: dict[str, ClearField] = field(init=False, compare=False, repr=False)
    """Its clear fields."""
    required_clear: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {known.name: known for known in self.clear})
        object.__setattr__(self, "required_clear", tuple(known.name for known in self.clear if known.required))

    def clear_field(self, name: str) -> ClearField | None:
        """The clear field of that name."""
        return self.by_name.get(name)

    def to_value(self) -> Value:
        return (
            self.code,
            self.zh,
            self.en,
            self.article,
            self.initial,
            self.terminal,
            self.repeatable,
            self.beside,
            self.decides,
            self.signing.to_value(),
            self.from_steps,
            self.requires,
            tuple(document.to_value() for document in self.documents),
            self.documents_min,
            tuple(known.to_value() for known in self.clear),
            tuple(guard.to_value() for guard in self.guards),
            tuple(clock.to_value() for clock in self.clocks),
        )

    @classmethod
    def from_value(cls, value: Value) -> Step:
        parts = as_tuple(value, "step", length=17)
        code, zh, en, article, initial, terminal, repeatable, beside, decides = parts[:9]
        signing, from_steps, requires, documents, documents_min, clear, guards, clocks = parts[9:]
        return cls(
            step_of(code),
            name_of(zh),
            name_of(en),
            article_of(article),
            Signing.from_value(signing),
            as_bool(initial, "initial"),
            as_bool(terminal, "terminal"),
            as_bool(repeatable, "repeatable"),
            as_bool(beside, "beside"),
            as_bool(decides, "decides"),
            steps_of(from_steps),
            steps_of(requires),
            tuple(Term.from_value(document) for document in as_tuple(documents, "documents", max_length=MAX_CHOICES)),
            as_int(documents_min, "documents_min", high=MAX_CHOICES),
            tuple(
                ClearField.from_value(known) for known in as_tuple(clear, "clear fields", max_length=MAX_CLEAR_PER_STEP)
            ),
            tuple(Guard.from_value(guard) for guard in as_tuple(guards, "guards", max_length=MAX_GUARDS)),
            tuple(Clock.from_value(clock) for clock in as_tuple(clocks, "clocks", max_length=MAX_CLOCKS)),
        )


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A procedure in one version. ``law_from`` is the day (YYYYMMDD) from which the law that it states is in force.

    ``record_article`` is the duty to record the whole process: the clause of findings about the recording itself.

    Raises:
        BadRuleSet: steps that contradict each other; see :mod:`.check`.
    """

    procedure: str
    number: int
    title_zh: str
    title_en: str
    law_from: int
    record_article: str
    pauses: tuple[Pause, ...]
    steps: tuple[Step, ...]
    tallies: tuple[Tally, ...] = ()
    colours: tuple[Colour, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    by_code: dict[str, Step] = field(init=False, compare=False, repr=False)
    watched: frozenset[str] = field(init=False, compare=False, repr=False)
    """Steps whose signers a guard compares with: only those are remembered."""
    terminal: frozenset[str] = field(init=False, compare=False, repr=False)
    """Steps that close a case."""
    pausing: frozenset[str] = field(init=False, compare=False, repr=False)
    """Steps that begin or end a pause."""
    beside: frozenset[str] = field(init=False, compare=False, repr=False)
    """Steps beside the procedure's order."""
    tallied: frozenset[str] = field(init=False, compare=False, repr=False)
    """Steps with a number that a tally counts."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_code", {step.code: step for step in self.steps})
        watched = (guard.step for step in self.steps for guard in step.guards if guard.kind == OTHERS_THAN)
        object.__setattr__(self, "watched", frozenset(watched))
        object.__setattr__(self, "terminal", frozenset(step.code for step in self.steps if step.terminal))
        pausing = (code for pause in self.pauses for code in (*pause.begins, *pause.ends))
        object.__setattr__(self, "pausing", frozenset(pausing))
        object.__setattr__(self, "beside", frozenset(step.code for step in self.steps if step.beside))
        tallied = (step for tally in self.tallies for step, _ in (*tally.plus, *tally.minus))
        object.__setattr__(self, "tallied", frozenset(tallied))
        check_rule_set(self)

    def step(self, code: str) -> Step | None:
        """The step of that code."""
        return self.by_code.get(code)

    def closed_by(self, recorded: Collection[str]) -> str | None:
        """The step that has closed a case in which these steps stand, in the order in which they were recorded. Only a
        step that names it among those which it comes from may still be recorded."""
        if self.terminal.isdisjoint(recorded):
            return None
        return next(code for code in recorded if code in self.terminal)

    def to_value(self) -> Value:
        return (
            RULE_SET_VERSION,
            self.procedure,
            self.number,
            self.title_zh,
            self.title_en,
            self.law_from,
            self.record_article,
            tuple(pause.to_value() for pause in self.pauses),
            tuple(tally.to_value() for tally in self.tallies),
            tuple(colour.to_value() for colour in self.colours),
            tuple(duty.to_value() for duty in self.unjudged),
            tuple(step.to_value() for step in self.steps),
        )

    @classmethod
    def from_value(cls, value: Value) -> RuleSet:
        parts = as_tuple(value, "rule set", length=12)
        as_version(parts[0], "rule set", RULE_SET_VERSION)
        _, procedure, number, title_zh, title_en, law_from, record_article = parts[:7]
        pauses, tallies, colours, unjudged, steps = parts[7:]
        return cls(
            as_text(procedure, "procedure", MAX_NAME_CHARS, NAME),
            as_int(number, "number", low=1),
            name_of(title_zh),
            name_of(title_en),
            as_int(law_from, "law_from", low=1949_01_01, high=9999_12_31),
            article_of(record_article),
            tuple(Pause.from_value(pause) for pause in as_tuple(pauses, "pauses", max_length=MAX_PAUSES)),
            tuple(Step.from_value(step) for step in as_tuple(steps, "steps", max_length=MAX_STEPS)),
            tuple(Tally.from_value(tally) for tally in as_tuple(tallies, "tallies", max_length=MAX_TALLIES)),
            tuple(Colour.from_value(colour) for colour in as_tuple(colours, "colours", max_length=MAX_COLOURS)),
            tuple(Unjudged.from_value(duty) for duty in as_tuple(unjudged, "unjudged", max_length=MAX_UNJUDGED)),
        )

    def encode(self) -> bytes:
        """The canonical bytes: what is hashed, voted on and executed.

        Raises:
            BadRuleSet: larger than ``MAX_RULE_SET_BYTES``.
        """
        data = pack(self.to_value())
        if len(data) > MAX_RULE_SET_BYTES:
            raise BadRuleSet("rule set", f"{len(data)} bytes, at most {MAX_RULE_SET_BYTES} allowed")
        return data

    @classmethod
    def decode(cls, data: bytes) -> RuleSet:
        return cls.from_value(decode(data, max_bytes=MAX_RULE_SET_BYTES))

    def hash(self, suite: Suite) -> bytes:
        """The hash that names this rule set on the chain."""
        return rule_set_hash(suite, self.encode())


@lru_cache(maxsize=64)
def decoded_rule_set(data: bytes) -> RuleSet:
    """:meth:`RuleSet.decode`, remembered: rule sets are few and read by every record."""
    return RuleSet.decode(data)
