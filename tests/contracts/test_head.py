"""Heads and events of cases made many at a time are those made one by one."""

from __future__ import annotations

from dataclasses import replace

from fazhi_contracts.head import CaseHead, event_leaf, event_leaves, opened_heads
from fazhi_contracts.procedures.marks import Clear, Marks, StepMark
from fazhi_ledger.limits import MAX_INT, MAX_TIME_MS
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.suites import ED25519_SHA256
from hypothesis import given
from hypothesis import strategies as st

SUITE = ED25519_SHA256
digests = st.binary(min_size=32, max_size=32)
times = st.sampled_from((0, 127, 128, 2**32 - 1, 2**32)) | st.integers(0, MAX_TIME_MS)
numbers = st.sampled_from((1, 127, 128, 255, 256, 65_535, 65_536)) | st.integers(1, MAX_INT - 9)


@given(digests, numbers, st.lists(st.binary(max_size=300), max_size=9))
def test_events(submission_id: bytes, first: int, results: list[bytes]) -> None:
    assert event_leaves(SUITE, submission_id, first, results) == [
        event_leaf(SUITE, submission_id, first + place, data) for place, data in enumerate(results)
    ]


@given(
    st.lists(st.tuples(digests, times), min_size=1, max_size=5),
    st.tuples(numbers, numbers, numbers, times),
    st.sampled_from(((), (("mode", "fast"),), (("a", "x"), ("b", "y")))),
    st.lists(digests, max_size=2).map(tuple),
)
def test_opened_heads(
    cases: list[tuple[bytes, int]], opening: tuple[int, int, int, int], clear: Clear, signers: tuple[bytes, ...]
) -> None:
    serial, year, height, opened_ms = opening
    heads = []
    for place, (leaf, at_ms) in enumerate(cases):
        marks = Marks((StepMark("LEAD", 1, 1, 1, at_ms, at_ms, clear, signers),))
        log = Frontier(1, (leaf,))
        heads.append(
            CaseHead("zfj.a", "penalty", serial + place, year, bytes(32), height, opened_ms, 1, log, "LEAD", marks)
        )
    leaves, at = [leaf for leaf, _ in cases], [at_ms for _, at_ms in cases]
    serials = range(serial, serial + len(cases))
    model = replace(heads[0], serial=7)
    assert opened_heads(model, serials, leaves, at) == [head.encode() for head in heads]
