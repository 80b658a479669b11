"""From a parsed TOML document to a rule set. Reading the file and parsing TOML are done above; nodes never do it.

Every error names the place in the document and what to do. Keys that are not known are errors: a mistyped guard must
not vanish.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fazhi_ledger.errors import EncodingError

from ..errors import BadRuleSet
from .ruleset import ClearField, Clock, Condition, Guard, RuleSet, Shift, Signing, Step, Term
from .vocabulary import CALENDAR_DAYS, FIRST


def compile_rule_set(document: Mapping[str, Any]) -> RuleSet:
    """The rule set that a TOML document describes (``rulesets/penalty.toml`` shows every key).

    Raises:
        BadRuleSet: with ``place`` and ``what``.
    """
    top = _Table(document, "rule set")
    procedure = top.text("procedure")
    number = top.integer("number")
    title = top.table("title")
    law_from = top.date("law_from")
    record_article = top.text("record_article")
    steps = tuple(_step(table) for table in top.tables("steps"))
    title_zh, title_en = title.text("zh"), title.text("en")
    title.done()
    top.done()
    rules = RuleSet(procedure, number, title_zh, title_en, law_from, record_article, steps)
    try:
        # Lengths, grammars and bounds are the decoder's: what it would not read back must not be made.
        decoded = RuleSet.decode(rules.encode())
    except EncodingError as error:
        raise BadRuleSet("rule set", str(error)) from None
    if decoded != rules:
        raise BadRuleSet("rule set", "does not read back as written")
    return rules


def _step(table: _Table) -> Step:
    step = Step(
        table.text("code"),
        table.text("zh"),
        table.text("en"),
        table.text("article"),
        _signing(table),
        table.flag("initial"),
        table.flag("terminal"),
        table.flag("repeatable"),
        table.texts("from"),
        table.texts("requires"),
        tuple(_term(document) for document in table.tables("documents")),
        table.integer("documents_min", 0),
        tuple(_clear(known) for known in table.tables("clear")),
        tuple(_guard(guard) for guard in table.tables("guards")),
        tuple(_clock(clock) for clock in table.tables("clocks")),
    )
    table.done()
    return step


def _signing(table: _Table) -> Signing:
    sign = table.table("sign")
    roles = tuple(sorted(sign.texts("roles")))
    signing = Signing(roles, sign.integer("minimum", 1), sign.text("article"), not sign.flag("to_confirm"))
    sign.done()
    return signing


def _term(table: _Table) -> Term:
    term = Term(table.text("code"), table.text("zh"), table.text("en"))
    table.done()
    return term


def _clear(table: _Table) -> ClearField:
    known = ClearField(
        table.text("name"),
        table.text("zh"),
        table.text("en"),
        table.flag("required"),
        tuple(_term(value) for value in table.tables("values")),
    )
    table.done()
    return known


def _condition(table: _Table | None) -> Condition | None:
    if table is None:
        return None
    condition = Condition(table.optional_text("step"), table.text("field"), table.texts("values"))
    table.done()
    return condition


def _guard(table: _Table) -> Guard:
    guard = Guard(
        table.text("kind"),
        table.text("step"),
        table.text("article"),
        table.text("severity"),
        table.optional_text("since"),
        table.optional_text("field"),
        table.texts("values"),
        _condition(table.optional_table("only_if")),
        _condition(table.optional_table("unless")),
        not table.flag("to_confirm"),
    )
    table.done()
    return guard


def _clock(table: _Table) -> Clock:
    clock = Clock(
        table.optional_text("kind") or CALENDAR_DAYS,
        table.text("start"),
        table.integer("days"),
        table.text("article"),
        table.text("severity"),
        table.optional_text("counted") or FIRST,
        tuple(_shift(shift) for shift in table.tables("shifts")),
        _condition(table.optional_table("only_if")),
        not table.flag("to_confirm"),
    )
    table.done()
    return clock


def _shift(table: _Table) -> Shift:
    shift = Shift(table.text("field"), table.text("value"), table.integer("days"))
    table.done()
    return shift


class _Table:
    """A TOML table that remembers where it stands and which of its keys were read."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise BadRuleSet(place, "a table is expected here")
        self._values: Mapping[str, object] = value
        self._place = place
        self._read: set[str] = set()

    def _take(self, name: str) -> object:
        self._read.add(name)
        return self._values.get(name)

    def _fault(self, name: str, what: str) -> BadRuleSet:
        return BadRuleSet(f"{self._place}.{name}", what)

    def done(self) -> None:
        """Raise for a key that nothing has read."""
        for name in sorted(self._values, key=str):
            if name not in self._read:
                raise self._fault(str(name), "unknown key")

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or not value:
            raise self._fault(name, "text is expected here" if name in self._values else "is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if name in self._values else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
            raise self._fault(name, "a list of texts is expected here")
        return tuple(value)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self._take(name)
        if value is None and default is not None:
            return default
        if type(value) is not int:
            raise self._fault(name, "a whole number is expected here" if name in self._values else "is missing")
        return value

    def flag(self, name: str) -> bool:
        value = self._take(name)
        if value is None:
            return False
        if type(value) is not bool:
            raise self._fault(name, "true or false is expected here")
        return value

    def date(self, name: str) -> int:
        """A date written as the text ``YYYY-MM-DD``, as the number YYYYMMDD."""
        value = self.text(name)
        parts = value.split("-")
        if [len(part) for part in parts] != [4, 2, 2] or not all(part.isascii() and part.isdigit() for part in parts):
            raise self._fault(name, 'a date as text, "YYYY-MM-DD", is expected here')
        return int("".join(parts))

    def table(self, name: str) -> _Table:
        if name not in self._values:
            raise self._fault(name, "is missing")
        return _Table(self._take(name), f"{self._place}.{name}")

    def optional_table(self, name: str) -> _Table | None:
        return self.table(name) if name in self._values else None

    def tables(self, name: str) -> tuple[_Table, ...]:
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._fault(name, "a list of tables is expected here")
        return tuple(_Table(part, f"{self._place}.{name}[{number}]") for number, part in enumerate(value))
