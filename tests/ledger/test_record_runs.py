"""Runs of records say of each record what decoding it says, and come to the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fazhi_ledger import limits, record_runs
from fazhi_ledger.canonical import decode, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.record import Record
from fazhi_ledger.record_runs import RecordRun, runs_of
from fazhi_ledger.result import Finding, RecordResult, ResultRun, encode_firsts
from hypothesis import given
from hypothesis import strategies as st

from .test_at_a_glance import ODDITIES, SPELLINGS, digests, swapped

TIMES = st.sampled_from((0, 127, 2**32 - 1, 2**32, 2**32 + 1, limits.MAX_TIME_MS)) | st.integers(0, limits.MAX_TIME_MS)
COUNTS = st.sampled_from((0, 1, 127, 128, 255, 256, limits.MAX_COMMITMENTS))
CLEAR = st.sampled_from(((), (), (("mode", "fast"),), (("mode", "slow"),), (("a", 7), ("b", "x"))))
REFS = st.sampled_from(((), (), (bytes(32),), (b"r" * 32,), (bytes(32),) * 40))
records = st.builds(
    Record,
    st.sampled_from(("penalty", "review", "p" * 31, "p" * 32)),
    digests,
    st.sampled_from(("INVEST", "DEFEND", "LEAD", "S" * 31, "S" * 32)),
    TIMES,
    COUNTS,
    digests,
    CLEAR,
    REFS,
)


@st.composite
def batches(draw: st.DrawFn) -> list[Record]:
    """Runs of records that are alike, one after another."""
    batch: list[Record] = []
    for record in draw(st.lists(records, min_size=1, max_size=4)):
        batch.append(record)
        for _ in range(draw(st.integers(0, 5))):
            change: dict[str, Any] = {"commitments_root": draw(digests)}
            if draw(st.booleans()):
                change["occurred_at_ms"] = draw(TIMES)
            if draw(st.booleans()):
                change["commitment_count"] = draw(COUNTS)
            if draw(st.booleans()):
                change["case_key"] = draw(digests)
            batch.append(replace(batch[-1], **change))
    return batch


def one_by_one(batch: list[bytes]) -> list[RecordRun] | tuple[str, Any]:
    found = []
    for place, data in enumerate(batch):
        try:
            found.append(RecordRun.of(Record.decode(data), place))
        except EncodingError as error:
            return error.code, (("record", place),)
    return found


def in_runs(batch: list[bytes]) -> list[RecordRun] | tuple[str, Any]:
    try:
        runs = runs_of(batch)
    except EncodingError as error:
        return error.code, error.parameters
    return [
        RecordRun(run.first + place, run.procedure, run.step, run.clear, (key,), (time_ms,), (count,))
        for run in runs
        for place, (key, time_ms, count) in enumerate(
            zip(run.case_keys, run.occurred_at_ms, run.commitment_counts, strict=True)
        )
    ]


def agree(batch: list[bytes]) -> None:
    expected, found = one_by_one(batch), in_runs(batch)
    assert (found, repr(found)) == (expected, repr(expected))  # to == True is 1


@given(batches())
def test_what_is_well_formed(batch: list[Record]) -> None:
    agree([record.encode() for record in batch])


@given(batches(), st.data())
def test_what_is_out_of_place(batch: list[Record], data: st.DataObject) -> None:
    encoded = [record.encode() for record in batch]
    place = data.draw(st.integers(0, len(batch) - 1))
    sound, value = encoded[place], decode(encoded[place])
    for _ in range(4):
        path = data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=2))
        encoded[place] = pack(swapped(value, path, data.draw(st.sampled_from(ODDITIES))))
        agree(encoded)
        start = data.draw(st.integers(0, len(sound)))
        end = start + data.draw(st.integers(0, 2))
        odd = data.draw(st.sampled_from(SPELLINGS) | st.binary(max_size=2))
        encoded[place] = sound[:start] + odd + sound[end:]
        agree(encoded)


def test_every_byte_otherwise() -> None:
    """Of the last of three records that are alike."""
    record = Record("penalty", bytes(32), "INVEST", 2**40, 5, bytes(32), (("mode", "fast"),), (bytes(32),)).encode()
    for place in range(len(record)):
        for byte in range(256):
            agree([record, record, record[:place] + bytes([byte]) + record[place + 1 :]])


def test_bytes_that_move_from_one_record_to_the_next() -> None:
    record = Record("penalty", bytes(32), "INVEST", 2**40, 5, bytes(32)).encode()
    agree([record, record + record[:1], record[1:]])
    agree([record, record[:-1], record[-1:] + record])


def test_a_batch_that_is_alike_is_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record("penalty", bytes(32), "INVEST", 2**40, 5, bytes(32))
    batch = [replace(record, case_key=bytes([n]) * 32, occurred_at_ms=2**40 + n).encode() for n in range(200)]
    decoded: list[bytes] = []
    whole = Record.decode

    class Counting:
        @staticmethod
        def decode(data: bytes) -> Record:
            decoded.append(data)
            return whole(data)

    monkeypatch.setattr(record_runs, "Record", Counting)
    (run,) = runs_of(batch)
    assert len(run) == 200
    assert len(decoded) == 1
    assert runs_of(()) == ()


findings = st.lists(
    st.builds(
        Finding,
        st.sampled_from(("late", "signers-short")),
        st.text("某法 3", max_size=9),
        st.sampled_from(("note", "grave")),
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(-9, 2**40) | st.text(max_size=5)), max_size=2).map(
            tuple
        ),
    ),
    max_size=3,
).map(tuple)


@given(digests, st.sampled_from((1, 2, 100, 127, 128, 250, 65_530, 2**32 - 3)), st.integers(1, 12), findings)
def test_results_in_runs(case_id: bytes, first: int, count: int, found: tuple[Finding, ...]) -> None:
    run = ResultRun(case_id, first, count, found)
    plain = [RecordResult(case_id, number, found) for number in range(first, first + count)]
    assert list(run.results()) == plain
    assert run.encode() == [result.encode() for result in plain]


@given(st.lists(digests, max_size=5), findings)
def test_first_results(case_ids: list[bytes], found: tuple[Finding, ...]) -> None:
    assert encode_firsts(case_ids, found) == [RecordResult(case_id, 1, found).encode() for case_id in case_ids]
