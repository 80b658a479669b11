"""The rules of a block: what it is executed by beside its items, as one value whose hash stands in the block's header.

::

    rules = [protocol_version, [[parameter, value]…], [[procedure, [[law_from, rule set hash]…]]…],
             [[year, calendar hash]…]]          rules_hash = H("rules", rules)

in the order of the votes where that counts, so that whoever holds the header and these bytes knows which rule set was
in force on which day, and which calendar for which year. The state keeps them under ``["rules", rules_hash]``, those of
earlier blocks too: a case is judged anew, years later, by the rules of each of its events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_NAME_CHARS
from fazhi_ledger.names import NAME
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.shape import as_int, as_text, as_tuple
from fazhi_ledger.suites import Suite

from .admission import parameters_of
from .entries import MAX_PROCEDURES, Counter, decoded_procedures
from .errors import StateCorrupt
from .keys import procedure_key, rules_key, single_key
from .procedures.settings import Settings
from .rulebook import CalendarsEntry, ProcedureEntry, decoded_calendars, decoded_procedure
from .state import Overlay, StateView, read
from .workdays import Workdays, YearCalendar

MAX_RULES_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a block. ``procedures`` are sorted by name."""

    protocol_version: int
    parameters: Parameters
    procedures: tuple[tuple[str, ProcedureEntry], ...]
    calendars: CalendarsEntry

    def encode(self) -> bytes:
        return _encoded(
            self.protocol_version,
            self.parameters,
            tuple([(name, entry.rule_sets) for name, entry in self.procedures]),
            self.calendars.calendars,
        )

    @classmethod
    def decode(cls, data: bytes) -> Rules:
        """Read the canonical bytes.

        Raises:
            EncodingError.
        """
        value = decode(data, max_bytes=MAX_RULES_BYTES)
        version, parameters, procedures, calendars = as_tuple(value, "rules", length=4)
        found = tuple(_procedure(pair) for pair in as_tuple(procedures, "procedures", max_length=MAX_PROCEDURES))
        names = [name for name, _ in found]
        if names != sorted(set(names)):
            raise EncodingError("bad-shape", what="procedures", expected="sorted by name")
        return cls(
            as_int(version, "protocol version", low=1),
            Parameters.from_value(parameters),
            found,
            CalendarsEntry.from_value(calendars),
        )

    def hash(self, suite: Suite) -> bytes:
        """As a header carries it."""
        return suite.tagged_hash("rules", self.encode())

    def procedure(self, name: str) -> ProcedureEntry | None:
        """The rule sets of a procedure."""
        return dict(self.procedures).get(name)

    def calendars_in_force(self) -> tuple[tuple[int, bytes], ...]:
        """Of each year that has one, the hash of the calendar that counts: (year, hash), by year."""
        return tuple(sorted(dict(self.calendars.calendars).items()))

    def settings(self, suite: Suite, calendars: Iterable[YearCalendar]) -> Settings:
        """What rule sets are read by under these rules; of the calendars given those in force are taken."""
        known = {calendar.hash(suite): calendar for calendar in calendars}
        chosen = (known[digest] for _, digest in self.calendars_in_force() if digest in known)
        return Settings.of(self.parameters, Workdays.of(chosen))


@lru_cache(maxsize=16)  # the same for every block until a vote
def _encoded(version: int, parameters: Parameters, procedures: Value, calendars: Value) -> bytes:
    return pack((version, parameters.to_value(), procedures, calendars))


def _procedure(value: Value) -> tuple[str, ProcedureEntry]:
    name, rule_sets = as_tuple(value, "procedure", length=2)
    return as_text(name, "procedure", MAX_NAME_CHARS, NAME), ProcedureEntry.from_value(rule_sets)


decoded_rules = lru_cache(maxsize=16)(Rules.decode)


def rules_of(view: StateView | Overlay) -> Rules:
    """The rules of the block after that state.

    Raises:
        StateCorrupt: the state holds no protocol version, or lists a procedure that has no rule set.
    """
    protocol = read(view, single_key("protocol"), Counter.decode)
    if protocol is None:
        raise StateCorrupt("the state holds no protocol version")
    listed = read(view, single_key("procedures"), decoded_procedures)
    procedures = []
    for name in () if listed is None else listed.names:
        entry = read(view, procedure_key(name), decoded_procedure)
        if entry is None:
            raise StateCorrupt(f"procedure {name} has no rule set")
        procedures.append((name, entry))
    calendars = read(view, single_key("calendars"), decoded_calendars) or CalendarsEntry(())
    return Rules(protocol.value, parameters_of(view), tuple(procedures), calendars)


def keep_rules(state: Overlay, suite: Suite) -> None:
    """Keep the rules of the next block in the state, where they are not the same as those of an earlier one."""
    rules = rules_of(state)
    key = rules_key(rules.hash(suite))
    if state.get(key) is None:
        state.put(key, rules.encode())
