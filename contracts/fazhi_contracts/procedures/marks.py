"""What a case remembers of its steps:

enough for guards and clocks, no more than one mark a step of its rule set, and the pauses.
"""

from __future__ import annotations

from typing import Any, Final

from fazhi_ledger.canonical import Value
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_CLEAR_FIELDS, MAX_CODE_CHARS, MAX_INT, MAX_NAME_CHARS, MAX_SIGNER_KEYS, MAX_TIME_MS
from fazhi_ledger.names import NAME, STEP, TOKEN
from fazhi_ledger.shape import as_bytes, as_int, as_text, as_tuple

from .clauses import MAX_PAUSES, MAX_TALLIES
from .parts import MAX_STEPS

Clear = tuple[tuple[str, str | int], ...]
"""Clear fields of a record that its rule set has accepted, sorted by name: values of the vocabulary, or numbers."""

MAX_KEY_BYTES: Final = 128
MAX_SPANS: Final = 8
"""Of one pause in one case. What begins after that is not left out, and a finding says so."""
MIN_DAY: Final = -1
"""The first moments of 1970 are still 1969 where the chain's offset lies west of Greenwich."""
MAX_DAY: Final = MAX_TIME_MS // 86_400_000 + 1

NO_CLEAR: Final[Clear] = ()
NO_SIGNERS: Final[tuple[bytes, ...]] = ()


@slotted
class StepMark:
    """``[step, count, first_number, last_number, first_occurred_ms, last_occurred_ms, clear, [signer key…]]``.

    Numbers are those of the events in the case, from 1, in the order of recording. ``clear`` is that of the last
    recording. The signers are those of all of them, of more than 16 the first, and are kept only where a guard of the
    rule set asks for them.
    """

    step: str
    count: int
    first_number: int
    last_number: int
    first_occurred_ms: int
    last_occurred_ms: int
    clear: Clear
    signers: tuple[bytes, ...]

    def to_value(self) -> Value:
        return (
            self.step,
            self.count,
            self.first_number,
            self.last_number,
            self.first_occurred_ms,
            self.last_occurred_ms,
            self.clear,
            self.signers,
        )

    @classmethod
    def from_value(cls, value: Value) -> StepMark:
        return _mark_at_a_glance(value) or cls.from_value_carefully(value)

    @classmethod
    def from_value_carefully(cls, value: Value) -> StepMark:
        """:meth:`from_value`, which says what is wrong."""
        step, count, first, last, first_ms, last_ms, clear, signers = as_tuple(value, "step mark", length=8)
        return cls(
            as_text(step, "step", MAX_CODE_CHARS, STEP),
            as_int(count, "count", low=1),
            as_int(first, "first number", low=1),
            as_int(last, "last number", low=1),
            as_int(first_ms, "first occurred", high=MAX_TIME_MS),
            as_int(last_ms, "last occurred", high=MAX_TIME_MS),
            tuple(_clear_from_value(pair) for pair in as_tuple(clear, "clear", max_length=MAX_CLEAR_FIELDS)),
            tuple(
                as_bytes(key, "signer", max_length=MAX_KEY_BYTES)
                for key in as_tuple(signers, "signers", max_length=MAX_SIGNER_KEYS)
            ),
        )


def _mark_at_a_glance(value: Any) -> StepMark | None:
    """What :meth:`StepMark.from_value` gives, or nothing where that needs a closer look."""
    try:
        step, count, first, last, first_ms, last_ms, clear, signers = value
        if (
            type(value) is tuple
            and type(count) is type(first) is type(last) is type(first_ms) is type(last_ms) is int
            and 1 <= count <= MAX_INT
            and 1 <= first <= MAX_INT
            and 1 <= last <= MAX_INT
            and 0 <= first_ms <= MAX_TIME_MS
            and 0 <= last_ms <= MAX_TIME_MS
            and STEP[step]
            and (clear == () or _are_clear(clear))
            and (signers == () or _are_signers(signers))
        ):
            return StepMark(step, count, first, last, first_ms, last_ms, clear, signers)
    except (TypeError, ValueError, EncodingError):
        pass
    return None


def _are_clear(value: Any) -> bool:
    return all(_clear_from_value(pair) for pair in as_tuple(value, "clear", max_length=MAX_CLEAR_FIELDS))


def _are_signers(value: Any) -> bool:
    return (
        type(value) is tuple
        and len(value) <= MAX_SIGNER_KEYS
        and all(type(key) is bytes and len(key) <= MAX_KEY_BYTES for key in value)
    )


def _clear_from_value(pair: Value) -> tuple[str, str | int]:
    name, value = as_tuple(pair, "clear field", length=2)
    checked = as_text(name, "clear field", MAX_NAME_CHARS, NAME)
    if isinstance(value, str):
        return checked, as_text(value, "clear value", MAX_CODE_CHARS, TOKEN)
    return checked, as_int(value, "clear value", low=-MAX_INT)


Span = tuple[int, int | None]
"""From the day on which a pause began to that on which it ended, counted from 1970-01-01; None while it lasts."""

Spans = tuple[tuple[str, tuple[Span, ...]], ...]
"""By the code of the pause, sorted: how often it was, in the order of recording."""


Sums = tuple[tuple[str, int], ...]
"""By the code of the tally, sorted; those of which something was counted."""


@slotted
class Marks:
    """``[[mark…], [[pause, [[begin, end | nil]…]]…], [[tally, sum]…]]``: the marks of a case in the order in which its
    steps were first recorded, the pauses that its clocks leave out, and its tallies."""

    marks: tuple[StepMark, ...] = ()
    spans: Spans = ()
    sums: Sums = ()

    def by_step(self) -> dict[str, StepMark]:
        """The marks by their steps, in the same order."""
        return {mark.step: mark for mark in self.marks}

    def to_value(self) -> Value:
        return (tuple(mark.to_value() for mark in self.marks), self.spans, self.sums)

    @classmethod
    def from_value(cls, value: Value) -> Marks:
        marks, spans, sums = as_tuple(value, "marks", length=3)
        return cls(
            tuple(StepMark.from_value(mark) for mark in as_tuple(marks, "marks", max_length=MAX_STEPS)),
            tuple(_pause_from_value(pause) for pause in as_tuple(spans, "pauses", max_length=MAX_PAUSES))
            if spans
            else (),
            tuple(_sum_from_value(one) for one in as_tuple(sums, "tallies", max_length=MAX_TALLIES)) if sums else (),
        )


def _pause_from_value(value: Value) -> tuple[str, tuple[Span, ...]]:
    code, spans = as_tuple(value, "pause", length=2)
    return (
        as_text(code, "pause", MAX_CODE_CHARS, TOKEN),
        tuple(_span_from_value(span) for span in as_tuple(spans, "spans", max_length=MAX_SPANS)),
    )


def _sum_from_value(value: Value) -> tuple[str, int]:
    code, total = as_tuple(value, "tally", length=2)
    return as_text(code, "tally", MAX_CODE_CHARS, TOKEN), as_int(total, "sum")


def _span_from_value(value: Value) -> Span:
    begin, end = as_tuple(value, "span", length=2)
    first = as_int(begin, "begin", low=MIN_DAY, high=MAX_DAY)
    return first, None if end is None else as_int(end, "end", low=first, high=MAX_DAY)
