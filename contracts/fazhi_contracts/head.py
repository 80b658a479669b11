"""The head of a case: everything that the state holds of it, under one key and so one write of the tree for each
touched case.

The root over the case's events is kept as a frontier (the right edge of an RFC 6962 log), from which the root follows
and to which the next event can be appended without reading the earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fazhi_ledger import merkle
from fazhi_ledger.canonical import Value, bytes_header, decode, pack, pack_numbers, parts_of
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_CODE_CHARS, MAX_INT, MAX_NAME_CHARS, MAX_ORG_CHARS, MAX_TIME_MS
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.names import NAME, ORG, STEP
from fazhi_ledger.shape import as_digest, as_int, as_text, as_tuple, as_version
from fazhi_ledger.suites import DIGEST_BYTES, Suite

from .procedures.marks import Marks, StepMark
from .procedures.ruleset import MAX_STEPS

HEAD_VERSION: Final = 1
EVENT_VERSION: Final = 1
MAX_HEAD_BYTES: Final = 64 * 1024


@slotted
class CaseHead:
    """``[version, org, procedure, serial, year, rule_set_hash, opened_height, opened_time_ms, count, frontier, step,
    marks]``.

    ``serial`` is dense within (org, procedure, year of recording in the chain's offset); ``opened_time_ms`` is the
    time of the block that opened the case; ``count`` is the number of events; ``step`` is the step recorded last.

    Raises:
        EncodingError: ``bad-case-head`` where count and frontier differ.
    """

    org: str
    procedure: str
    serial: int
    year: int
    rule_set_hash: bytes
    opened_height: int
    opened_time_ms: int
    count: int
    frontier: Frontier
    step: str
    marks: Marks

    def __post_init__(self) -> None:
        if self.frontier.size != self.count:
            raise EncodingError("bad-case-head", count=self.count, events=self.frontier.size)

    def root(self, suite: Suite) -> bytes:
        """The RFC 6962 root over the case's events."""
        return self.frontier.root(suite)

    def encode(self) -> bytes:
        return pack(
            (
                HEAD_VERSION,
                self.org,
                self.procedure,
                self.serial,
                self.year,
                self.rule_set_hash,
                self.opened_height,
                self.opened_time_ms,
                self.count,
                self.frontier.to_value(),
                self.step,
                self.marks.to_value(),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> CaseHead:
        return _head_at_a_glance(data) or cls.decode_carefully(data)

    @classmethod
    def decode_carefully(cls, data: bytes) -> CaseHead:
        """:meth:`decode`, which says what is wrong."""
        parts: tuple[Value, ...] = as_tuple(decode(data, max_bytes=MAX_HEAD_BYTES), "case head", length=12)
        as_version(parts[0], "case head", HEAD_VERSION)
        _, org, procedure, serial, year, rules, height, time_ms, count, frontier, step, marks = parts
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_text(procedure, "procedure", MAX_NAME_CHARS, NAME),
            as_int(serial, "serial", low=1),
            as_int(year, "year", low=1969, high=10_000),
            as_digest(rules, "rule set hash"),
            as_int(height, "opened height", low=1),
            as_int(time_ms, "opened time", high=MAX_TIME_MS),
            as_int(count, "count", low=1),
            Frontier.from_value(frontier),
            as_text(step, "step", MAX_CODE_CHARS, STEP),
            Marks.from_value(marks),
        )


def opened_heads(
    head: CaseHead, serials: Sequence[int], leaves: Sequence[bytes], occurred_at_ms: Sequence[int]
) -> list[bytes]:
    """The bytes of heads of cases that have been opened like that of ``head``, which has one event: as many as there
    are serials, each with that leaf of its log and that time of its event."""
    (mark,) = head.marks.marks
    before = _HEAD + pack(head.org) + pack(head.procedure)
    since = pack(head.year) + pack(head.rule_set_hash) + pack(head.opened_height) + pack(head.opened_time_ms)
    log = since + pack(head.count) + _LOG_OF_ONE
    once = pack(head.step) + _MARKS_OF_ONE + pack(mark.step) + pack(mark.count)
    once += pack(mark.first_number) + pack(mark.last_number)
    after = pack(mark.clear) + pack(mark.signers) + _NO_SPANS_NO_SUMS
    return [
        before + serial + log + leaf + once + at_ms + at_ms + after
        for serial, leaf, at_ms in zip(map(pack, serials), map(pack, leaves), map(pack, occurred_at_ms), strict=True)
    ]


_LOG_OF_ONE: Final = b"\x92\x01\x91"  # [1, [peak]], up to the peak
_MARKS_OF_ONE: Final = b"\x93\x91\x98"  # [[mark], up to what the mark holds
_NO_SPANS_NO_SUMS: Final = b"\x90\x90"

_HEAD: Final = b"\x9c\x01"  # an array of twelve, the first of which is HEAD_VERSION


def _head_at_a_glance(data: bytes) -> CaseHead | None:
    """What :meth:`CaseHead.decode` gives, or nothing where that needs a closer look: at half the price."""
    parts = parts_of(data, _HEAD)
    if parts is None:
        return None
    _, org, procedure, serial, year, rules, height, time_ms, count, frontier, step, marks = parts
    try:
        size, peaks = frontier
        steps, spans, sums = marks
        if (
            type(serial) is type(year) is type(height) is type(time_ms) is type(count) is type(size) is int
            and type(frontier) is type(peaks) is type(marks) is type(steps) is tuple
            and type(rules) is bytes
            and len(rules) == DIGEST_BYTES
            and 1 <= serial <= MAX_INT
            and 1969 <= year <= 10_000
            and 1 <= height <= MAX_INT
            and 0 <= time_ms <= MAX_TIME_MS
            and 1 <= count == size
            and len(steps) <= MAX_STEPS
            and spans == sums == ()
            and ORG[org]
            and NAME[procedure]
            and STEP[step]
        ):
            kept = Marks(tuple([StepMark.from_value(mark) for mark in steps]))
            log = Frontier(size, peaks)
            return CaseHead(org, procedure, serial, year, rules, height, time_ms, count, log, step, kept)
    except (TypeError, ValueError, EncodingError):
        pass
    return None


def around_serial(head: CaseHead) -> tuple[bytes, bytes]:
    """What stands before a head's serial and right after it: so the head of another case of the same organisation,
    procedure and year is told by its first bytes."""
    return _HEAD + pack(head.org) + pack(head.procedure), pack(head.year)


def event_bytes(submission_id: bytes, record_index: int, record_result: bytes) -> bytes:
    """An event of a case: ``canonical [version, submission_id, record index, record result bytes]``.

    The submission's body binds the record itself through its records root.
    """
    return pack((EVENT_VERSION, submission_id, record_index, record_result))


def event_leaves(suite: Suite, submission_id: bytes, first: int, record_results: Sequence[bytes]) -> list[bytes]:
    """:func:`event_leaf` of these record results, the first being that of record ``first`` of its submission."""
    if len(record_results) == 1:
        return [event_leaf(suite, submission_id, first, record_results[0])]
    before = _EVENT_HEAD + pack(submission_id)
    places = pack_numbers(first, len(record_results))
    headers = {size: bytes_header(size) for size in sorted(set(map(len, record_results)))}
    events = [
        b"%b%b%b%b" % (before, place, headers[len(data)], data)
        for place, data in zip(places, record_results, strict=True)
    ]
    return merkle.leaf_hashes(suite, events)


_EVENT_HEAD: Final = b"\x94\x01"  # an array of four, the first of which is EVENT_VERSION


def event_leaf(suite: Suite, submission_id: bytes, record_index: int, record_result: bytes) -> bytes:
    """The leaf hash of an event in its case's log."""
    return merkle.leaf_hash(suite, event_bytes(submission_id, record_index, record_result))
