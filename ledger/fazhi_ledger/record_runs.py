"""Runs of records: what a batch holds, read many records at a time.

Most records of a batch are like their neighbours: the same step of the same procedure with the same clear fields. Such
a run is read once, and of each further record only what may differ: case, time, commitments. Execution, too, does once
what it would do the same way for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final

from .canonical import pack
from .datatypes import slotted
from .errors import EncodingError
from .limits import MAX_TIME_MS
from .record import Record

Clear = tuple[tuple[str, str | int], ...]

_LEAST_TIME_MS: Final = 2**32
"""From here on (February 1970) a time takes nine bytes, and no fewer would be canonical."""
_LEAST_LONG_COUNT: Final = 128
"""Below it a count is one byte, its value."""


@slotted
class RecordRun:
    """Records of one submission that stand behind one another, the first at place ``first``: one case key, time (Unix
    milliseconds) and number of commitments for each of them, and what all of them have in common.
    """

    first: int
    procedure: str
    step: str
    clear: Clear
    case_keys: tuple[bytes, ...]
    occurred_at_ms: tuple[int, ...]
    commitment_counts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.case_keys)

    @classmethod
    def of(cls, record: Record, first: int = 0) -> RecordRun:
        """The run of this record alone."""
        return cls(
            first,
            record.procedure,
            record.step,
            record.clear,
            (record.case_key,),
            (record.occurred_at_ms,),
            (record.commitment_count,),
        )


def runs_of(records: Sequence[bytes]) -> tuple[RecordRun, ...]:
    """The records, decoded: what :meth:`Record.decode` says of each, in runs.

    Raises:
        EncodingError: of the first that is malformed, with its place as parameter ``record``.
    """
    if len(records) == 1:  # as nearly always
        return (RecordRun.of(_decoded(records, 0)),)
    return tuple(_runs(records))


def _decoded(records: Sequence[bytes], place: int) -> Record:
    try:
        return Record.decode(records[place])
    except EncodingError as error:
        raise EncodingError(error.code, record=place) from None


def _runs(records: Sequence[bytes]) -> Iterator[RecordRun]:
    first, count = 0, len(records)
    while first < count:
        record = _decoded(records, first)
        run = None
        if first + 1 < count and len(records[first + 1]) == len(records[first]):
            run = _alike(records, first, record)
        if run is None:
            run = RecordRun.of(record, first)
        yield run
        first += len(run)


@lru_cache(maxsize=256)
def _layout(before_key: int, before_time: int, size: int) -> Struct:
    """Of a record whose time takes nine bytes and whose count of commitments one: bytes up to the case key, that, bytes
    up to the time, that, bytes up to the count, that, bytes up to the root, that, and the rest."""
    rest = size - before_key - 32 - before_time - 8 - 2 - 2 - 32
    return Struct(f">{before_key}s32s{before_time}sQcB2s32s{rest}s")


def _alike(records: Sequence[bytes], first: int, record: Record) -> RecordRun | None:
    """The run that begins with ``record``, which stands at place ``first``; nothing where its own bytes are unusual.

    A record that differs from one that is sound in nothing but 32 bytes of a digest, a time that takes nine bytes in
    either, and a count that takes one, is sound.
    """
    if record.occurred_at_ms < _LEAST_TIME_MS or record.commitment_count >= _LEAST_LONG_COUNT:
        return None
    layout = _layout(4 + len(pack(record.procedure)), len(pack(record.step)) + 1, len(records[first]))
    unpack, size = layout.unpack, layout.size
    head, _, step, _, pair, _, root, _, tail = unpack(records[first])
    keys: list[bytes] = []
    times: list[int] = []
    counts: list[int] = []
    for place in range(first, len(records)):
        data = records[place]
        if len(data) != size:
            break
        its_head, key, its_step, time_ms, its_pair, count, its_root, _, its_tail = unpack(data)
        if (
            its_head != head
            or its_step != step
            or its_pair != pair
            or its_root != root
            or its_tail != tail
            or not _LEAST_TIME_MS <= time_ms <= MAX_TIME_MS
            or count >= _LEAST_LONG_COUNT
        ):
            break
        keys.append(key)
        times.append(time_ms)
        counts.append(count)
    return RecordRun(first, record.procedure, record.step, record.clear, tuple(keys), tuple(times), tuple(counts))
