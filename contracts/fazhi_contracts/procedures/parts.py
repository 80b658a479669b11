"""The small parts of a rule set: terms, clear fields, conditions, who signs. Their forms stand in :mod:`.ruleset`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_CODE_CHARS, MAX_INT, MAX_NAME_CHARS, MAX_SIGNER_KEYS, MAX_TEXT_CHARS
from fazhi_ledger.names import NAME, STEP, TOKEN
from fazhi_ledger.shape import as_bool, as_int, as_text, as_tuple

from .vocabulary import OWN

MAX_STEPS: Final = 64
MAX_CHOICES: Final = 32
MAX_CONDITIONS: Final = 4
MAX_ARTICLE_CHARS: Final = 64
"""With the bounds on guards and clocks it keeps the findings of one record well within a result's bound."""


def name_of(value: Value) -> str:
    """What people call a thing."""
    text = as_text(value, "name", MAX_TEXT_CHARS)
    if not text:
        raise EncodingError("bad-shape", what="name", expected="not empty")
    return text


def article_of(value: Value) -> str:
    """An article of law."""
    return as_text(value, "article", MAX_ARTICLE_CHARS)


def step_of(value: Value) -> str:
    """A step's code."""
    return as_text(value, "step", MAX_CODE_CHARS, STEP)


def optional_step(value: Value) -> str | None:
    """A step's code, or nothing."""
    return None if value is None else step_of(value)


def steps_of(value: Value) -> tuple[str, ...]:
    """Codes of steps."""
    return tuple(step_of(code) for code in as_tuple(value, "steps", max_length=MAX_STEPS))


def field_of(value: Value) -> str | None:
    """The name of a clear field, or nothing."""
    return None if value is None else as_text(value, "field", MAX_NAME_CHARS, NAME)


def codes_of(value: Value) -> tuple[str, ...]:
    """Values of a vocabulary, codes of pauses."""
    codes = as_tuple(value, "values", max_length=MAX_CHOICES)
    return tuple(as_text(code, "value", MAX_CODE_CHARS, TOKEN) for code in codes)


def one_of(value: Value, what: str, known: tuple[str, ...]) -> str:
    """A word of a closed list."""
    text = as_text(value, what)
    if text not in known:
        raise EncodingError("bad-shape", what=what, expected=" | ".join(known))
    return text


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
        return cls(as_text(code, "code", MAX_CODE_CHARS, TOKEN), name_of(zh), name_of(en))


@dataclass(frozen=True, slots=True)
class ClearField:
    """A fact that stands on the chain in clear: one of ``values`` (the outcome of a decision, the mode of service), or
    where there are none a whole number from ``low`` to ``high`` (an amount)."""

    name: str
    zh: str
    en: str
    required: bool
    values: tuple[Term, ...]
    low: int = 0
    high: int = 0

    @property
    def codes(self) -> tuple[str, ...]:
        """The vocabulary."""
        return tuple(term.code for term in self.values)

    def to_value(self) -> Value:
        terms = tuple(term.to_value() for term in self.values)
        return (self.name, self.zh, self.en, self.required, terms, self.low, self.high)

    @classmethod
    def from_value(cls, value: Value) -> ClearField:
        name, zh, en, required, values, low, high = as_tuple(value, "clear field", length=7)
        return cls(
            as_text(name, "clear field", MAX_NAME_CHARS, NAME),
            name_of(zh),
            name_of(en),
            as_bool(required, "required"),
            tuple(Term.from_value(term) for term in as_tuple(values, "vocabulary", max_length=MAX_CHOICES)),
            as_int(low, "low", low=-MAX_INT),
            as_int(high, "high", low=-MAX_INT),
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """True where the last recording of ``step`` (None: the record at hand) carries one of ``values`` in ``field``;
    without a field, where ``step`` stands at all."""

    step: str | None
    field: str | None = None
    values: tuple[str, ...] = ()

    def to_value(self) -> Value:
        return (self.step, self.field, self.values)

    @classmethod
    def from_value(cls, value: Value) -> Condition:
        step, name, values = as_tuple(value, "condition", length=3)
        return cls(optional_step(step), field_of(name), codes_of(values))


def conditions_of(value: Value) -> tuple[Condition, ...]:
    """A list of conditions."""
    return tuple(Condition.from_value(one) for one in as_tuple(value, "conditions", max_length=MAX_CONDITIONS))


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs: at least ``minimum`` signers with one of ``roles``, and where ``each`` is set one of each role, no two
    of them the same. Fewer is a finding, or refused where the rule is ``strict``; none at all is always refused.
    ``orgs`` says whose signers they are: those of the organisation whose case it is (``own``), or of another member
    that has one of these roles among the organisations.
    """

    roles: tuple[str, ...]
    minimum: int
    article: str
    confirmed: bool = True
    each: bool = False
    strict: bool = False
    orgs: tuple[str, ...] = (OWN,)

    def to_value(self) -> Value:
        return (self.roles, self.minimum, self.each, self.strict, self.orgs, self.article, self.confirmed)

    @classmethod
    def from_value(cls, value: Value) -> Signing:
        roles, minimum, each, strict, orgs, article, confirmed = as_tuple(value, "signing", length=7)
        return cls(
            _roles_of(roles),
            as_int(minimum, "minimum", low=1, high=MAX_SIGNER_KEYS),
            article_of(article),
            as_bool(confirmed, "confirmed"),
            as_bool(each, "each"),
            as_bool(strict, "strict"),
            _roles_of(orgs),
        )


def _roles_of(value: Value) -> tuple[str, ...]:
    return tuple(as_text(role, "role", MAX_NAME_CHARS, NAME) for role in as_tuple(value, "roles", max_length=8))
