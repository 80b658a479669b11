"""Rule sets: what the law asks of a procedure, as data that is hashed, voted on and put on the chain (spec/ruleset.md).

::

    rule set  = [version, procedure, number, title_zh, title_en, law_from, record_article, [step…]]
    step      = [code, zh, en, article, initial, terminal, repeatable, signing, [from…], [requires…],
                 [document…], documents_min, [clear field…], [guard…], [clock…]]
    signing   = [[role…], minimum, article, confirmed]
    document  = [code, zh, en]
    clear     = [name, zh, en, required, [[code, zh, en]…]]
    guard     = [kind, step, since | nil, field | nil, [value…], only_if | nil, unless | nil,
                 article, severity, confirmed]
    clock     = [kind, start, counted, days, [[field, value, days]…], only_if | nil, article, severity, confirmed]
    condition = [step | nil, field, [value…]]

``from`` are the steps of which one is expected to stand before (else a finding), ``requires`` those of which one must
(else the step is impossible and refused). ``confirmed`` false marks a figure held but not yet confirmed in the text of
the law: findings that rest on it say so.

Guards, each a finding where it does not hold:

* ``done``: ``step`` stands in the case; with ``since``, its last recording comes after the last one of ``since``;
* ``outcome``: where ``step`` stands, its last recording's ``field`` is one of the values;
* ``others-than``: nobody who signed the last recording of ``step`` signs this one.

Clocks: ``calendar-days``: the event falls at most ``days`` calendar days after that of ``start`` (its ``first`` or
``last`` recording); the day of the start is not counted (民法典 201). Shifts move the start where it carries that clear
value (service by announcement counts as effected 30 days on). No clock of this vocabulary knows working days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.genesis import rule_set_hash
from fazhi_ledger.limits import MAX_CODE_CHARS, MAX_NAME_CHARS, MAX_SIGNER_KEYS, MAX_TEXT_CHARS
from fazhi_ledger.names import NAME, STEP, TOKEN
from fazhi_ledger.result import SEVERITIES
from fazhi_ledger.shape import as_bool, as_int, as_text, as_tuple, as_version
from fazhi_ledger.suites import Suite

from ..errors import BadRuleSet
from .check import check_rule_set
from .vocabulary import CLOCK_KINDS, COUNTED, FIRST, GUARD_KINDS, OTHERS_THAN

RULE_SET_VERSION: Final = 1
MAX_RULE_SET_BYTES: Final = 64 * 1024
MAX_STEPS: Final = 48
MAX_GUARDS: Final = 24
MAX_CLOCKS: Final = 8
MAX_CHOICES: Final = 32
MAX_CLEAR_PER_STEP: Final = 8
MAX_ARTICLE_CHARS: Final = 64
"""With the bounds on guards and clocks it keeps the findings of one record well within a result's bound."""
MAX_DAYS: Final = 36_500


@dataclass(frozen=True, slots=True)
class Term:
    """A code with its Chinese and English name: a document, or one value of a clear field."""

    code: str
    zh: str
    en: str

    def to_value(self) -> Value:
        return (self.code, self.zh, self.en)

    @classmethod
    def from_value(cls, value: Value) -> Term:
        code, zh, en = as_tuple(value, "term", length=3)
        return cls(as_text(code, "code", MAX_CODE_CHARS, TOKEN), _name(zh), _name(en))


@dataclass(frozen=True, slots=True)
class ClearField:
    """A fact that stands on the chain in clear, out of a vocabulary: the outcome of a decision, the mode of service."""

    name: str
    zh: str
    en: str
    required: bool
    values: tuple[Term, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The vocabulary."""
        return tuple(term.code for term in self.values)

    def to_value(self) -> Value:
        return (self.name, self.zh, self.en, self.required, tuple(term.to_value() for term in self.values))

    @classmethod
    def from_value(cls, value: Value) -> ClearField:
        name, zh, en, required, values = as_tuple(value, "clear field", length=5)
        return cls(
            as_text(name, "clear field", MAX_NAME_CHARS, NAME),
            _name(zh),
            _name(en),
            as_bool(required, "required"),
            tuple(Term.from_value(term) for term in as_tuple(values, "vocabulary", max_length=MAX_CHOICES)),
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """True where the last recording of ``step`` (None: the record at hand) carries one of ``values`` in ``field``."""

    step: str | None
    field: str
    values: tuple[str, ...]

    def to_value(self) -> Value:
        return (self.step, self.field, self.values)

    @classmethod
    def from_value(cls, value: Value) -> Condition:
        step, name, values = as_tuple(value, "condition", length=3)
        return cls(_optional_step(step), as_text(name, "field", MAX_NAME_CHARS, NAME), _codes(values))


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs: at least ``minimum`` signers with one of ``roles``. Fewer is a finding, none at all is refused."""

    roles: tuple[str, ...]
    minimum: int
    article: str
    confirmed: bool = True

    def to_value(self) -> Value:
        return (self.roles, self.minimum, self.article, self.confirmed)

    @classmethod
    def from_value(cls, value: Value) -> Signing:
        roles, minimum, article, confirmed = as_tuple(value, "signing", length=4)
        return cls(
            tuple(as_text(role, "role", MAX_NAME_CHARS, NAME) for role in as_tuple(roles, "roles", max_length=8)),
            as_int(minimum, "minimum", low=1, high=MAX_SIGNER_KEYS),
            _article(article),
            as_bool(confirmed, "confirmed"),
        )


@dataclass(frozen=True, slots=True)
class Guard:
    """Something that the law asks before a step; see the module's text for the kinds."""

    kind: str
    step: str
    article: str
    severity: str
    since: str | None = None
    field: str | None = None
    values: tuple[str, ...] = ()
    only_if: Condition | None = None
    unless: Condition | None = None
    confirmed: bool = True

    def to_value(self) -> Value:
        return (
            self.kind,
            self.step,
            self.since,
            self.field,
            self.values,
            None if self.only_if is None else self.only_if.to_value(),
            None if self.unless is None else self.unless.to_value(),
            self.article,
            self.severity,
            self.confirmed,
        )

    @classmethod
    def from_value(cls, value: Value) -> Guard:
        kind, step, since, name, values, only_if, unless, article, severity, confirmed = as_tuple(
            value, "guard", length=10
        )
        return cls(
            _one_of(kind, "guard kind", GUARD_KINDS),
            _step(step),
            _article(article),
            _one_of(severity, "severity", SEVERITIES),
            _optional_step(since),
            None if name is None else as_text(name, "field", MAX_NAME_CHARS, NAME),
            _codes(values),
            None if only_if is None else Condition.from_value(only_if),
            None if unless is None else Condition.from_value(unless),
            as_bool(confirmed, "confirmed"),
        )


@dataclass(frozen=True, slots=True)
class Shift:
    """Days added to a clock's start where the starting event carries ``value`` in ``field``."""

    field: str
    value: str
    days: int

    def to_value(self) -> Value:
        return (self.field, self.value, self.days)

    @classmethod
    def from_value(cls, value: Value) -> Shift:
        name, code, days = as_tuple(value, "shift", length=3)
        return cls(
            as_text(name, "field", MAX_NAME_CHARS, NAME),
            as_text(code, "value", MAX_CODE_CHARS, TOKEN),
            as_int(days, "days", low=1, high=MAX_DAYS),
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline of the step that holds it; see the module's text."""

    kind: str
    start: str
    days: int
    article: str
    severity: str
    counted: str = FIRST
    shifts: tuple[Shift, ...] = ()
    only_if: Condition | None = None
    confirmed: bool = True

    def to_value(self) -> Value:
        return (
            self.kind,
            self.start,
            self.counted,
            self.days,
            tuple(shift.to_value() for shift in self.shifts),
            None if self.only_if is None else self.only_if.to_value(),
            self.article,
            self.severity,
            self.confirmed,
        )

    @classmethod
    def from_value(cls, value: Value) -> Clock:
        kind, start, counted, days, shifts, only_if, article, severity, confirmed = as_tuple(value, "clock", length=9)
        return cls(
            _one_of(kind, "clock kind", CLOCK_KINDS),
            _step(start),
            as_int(days, "days", low=1, high=MAX_DAYS),
            _article(article),
            _one_of(severity, "severity", SEVERITIES),
            _one_of(counted, "counted", COUNTED),
            tuple(Shift.from_value(shift) for shift in as_tuple(shifts, "shifts", max_length=MAX_CHOICES)),
            None if only_if is None else Condition.from_value(only_if),
            as_bool(confirmed, "confirmed"),
        )


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
    from_steps: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    documents: tuple[Term, ...] = ()
    documents_min: int = 0
    clear: tuple[ClearField, ...] = ()
    guards: tuple[Guard, ...] = ()
    clocks: tuple[Clock, ...] = ()
    vocabulary: dict[str, frozenset[str]] = field(init=False, compare=False, repr=False)
    """The values of each clear field, by its name."""
    required_clear: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", {known.name: frozenset(known.codes) for known in self.clear})
        object.__setattr__(self, "required_clear", tuple(known.name for known in self.clear if known.required))

    def clear_field(self, name: str) -> ClearField | None:
        """The clear field of that name."""
        return next((known for known in self.clear if known.name == name), None)

    def to_value(self) -> Value:
        return (
            self.code,
            self.zh,
            self.en,
            self.article,
            self.initial,
            self.terminal,
            self.repeatable,
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
        parts = as_tuple(value, "step", length=15)
        code, zh, en, article, initial, terminal, repeatable, signing, from_steps, requires = parts[:10]
        documents, documents_min, clear, guards, clocks = parts[10:]
        return cls(
            _step(code),
            _name(zh),
            _name(en),
            _article(article),
            Signing.from_value(signing),
            as_bool(initial, "initial"),
            as_bool(terminal, "terminal"),
            as_bool(repeatable, "repeatable"),
            _steps(from_steps),
            _steps(requires),
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
    steps: tuple[Step, ...]
    by_code: dict[str, Step] = field(init=False, compare=False, repr=False)
    watched: frozenset[str] = field(init=False, compare=False, repr=False)
    """Steps whose last signers a guard compares with: only those are remembered."""
    terminal: frozenset[str] = field(init=False, compare=False, repr=False)
    """Steps that close a case."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_code", {step.code: step for step in self.steps})
        watched = (guard.step for step in self.steps for guard in step.guards if guard.kind == OTHERS_THAN)
        object.__setattr__(self, "watched", frozenset(watched))
        object.__setattr__(self, "terminal", frozenset(step.code for step in self.steps if step.terminal))
        check_rule_set(self)

    def step(self, code: str) -> Step | None:
        """The step of that code."""
        return self.by_code.get(code)

    def to_value(self) -> Value:
        return (
            RULE_SET_VERSION,
            self.procedure,
            self.number,
            self.title_zh,
            self.title_en,
            self.law_from,
            self.record_article,
            tuple(step.to_value() for step in self.steps),
        )

    @classmethod
    def from_value(cls, value: Value) -> RuleSet:
        parts = as_tuple(value, "rule set", length=8)
        as_version(parts[0], "rule set", RULE_SET_VERSION)
        _, procedure, number, title_zh, title_en, law_from, record_article, steps = parts
        return cls(
            as_text(procedure, "procedure", MAX_NAME_CHARS, NAME),
            as_int(number, "number", low=1),
            _name(title_zh),
            _name(title_en),
            as_int(law_from, "law_from", low=1949_01_01, high=9999_12_31),
            _article(record_article),
            tuple(Step.from_value(step) for step in as_tuple(steps, "steps", max_length=MAX_STEPS)),
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


def _name(value: Value) -> str:
    text = as_text(value, "name", MAX_TEXT_CHARS)
    if not text:
        raise EncodingError("bad-shape", what="name", expected="not empty")
    return text


def _article(value: Value) -> str:
    return as_text(value, "article", MAX_ARTICLE_CHARS)


def _step(value: Value) -> str:
    return as_text(value, "step", MAX_CODE_CHARS, STEP)


def _optional_step(value: Value) -> str | None:
    return None if value is None else _step(value)


def _steps(value: Value) -> tuple[str, ...]:
    return tuple(_step(code) for code in as_tuple(value, "steps", max_length=MAX_STEPS))


def _codes(value: Value) -> tuple[str, ...]:
    codes = as_tuple(value, "values", max_length=MAX_CHOICES)
    return tuple(as_text(code, "value", MAX_CODE_CHARS, TOKEN) for code in codes)


def _one_of(value: Value, what: str, known: tuple[str, ...]) -> str:
    text = as_text(value, what)
    if text not in known:
        raise EncodingError("bad-shape", what=what, expected=" | ".join(known))
    return text
