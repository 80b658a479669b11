"""Overlays and entries of the state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fazhi_contracts.entries import (
    Counter,
    KeyEntry,
    LaneEntry,
    OrgEntry,
    ParametersEntry,
    ProceduresEntry,
)
from fazhi_contracts.errors import StateCorrupt
from fazhi_contracts.head import CaseHead
from fazhi_contracts.procedures.marks import Marks, StepMark
from fazhi_contracts.rulebook import CalendarsEntry, ProcedureEntry
from fazhi_contracts.state import Entry, MemoryState, Overlay
from fazhi_contracts.workdays import YearCalendar
from fazhi_ledger.canonical import Value, decode, encode
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.parameters import Parameters
from hypothesis import given
from hypothesis import strategies as st

from .builders import SUITE

HEAD = CaseHead(
    "zfj",
    "penalty",
    3,
    2026,
    b"r" * 32,
    7,
    1000,
    2,
    Frontier.empty().append(SUITE, b"a" * 32).append(SUITE, b"b" * 32),
    "FILED",
    Marks(
        (
            StepMark("LEAD", 1, 1, 1, 5, 5, (("outcome", "penalty"),), ()),
            StepMark("FILED", 1, 2, 2, 6, 6, (), (b"k" * 32,)),
        )
    ),
)
ENTRIES: list[tuple[Entry, Callable[[bytes], Entry]]] = [
    (OrgEntry("zfj", "执法局", "Bureau", None, ("enforcement",), 0), OrgEntry.decode),
    (OrgEntry("zfj.a", "中队", "Squad", "zfj", (), 9), OrgEntry.decode),
    (KeyEntry("zfj", ("head", "officer"), 1), KeyEntry.decode),
    (KeyEntry("zfj", ("officer",), 1, 2), KeyEntry.decode),
    (LaneEntry(1), LaneEntry.decode),
    (LaneEntry(900, 12), LaneEntry.decode),
    (Counter(1), Counter.decode),
    (ProcedureEntry(((20210715, b"a" * 32), (20260101, b"b" * 32))), ProcedureEntry.decode),
    (CalendarsEntry(((2025, b"a" * 32), (2025, b"b" * 32), (2026, b"c" * 32))), CalendarsEntry.decode),
    (YearCalendar(2026, "国办发明电〔2025〕7号", (1, 2), (4,)), YearCalendar.decode),
    (ProceduresEntry(("penalty", "review")), ProceduresEntry.decode),
    (ParametersEntry(Parameters.defaults()), ParametersEntry.decode),
    (HEAD, CaseHead.decode),
]


@pytest.mark.parametrize(("entry", "read"), ENTRIES)
def test_entries_read_back(entry: Entry, read: Callable[[bytes], Entry]) -> None:
    assert read(entry.encode()) == entry
    assert encode(decode(entry.encode())) == entry.encode()


@pytest.mark.parametrize(("entry", "read"), ENTRIES)
def test_entries_are_strict(entry: Entry, read: Callable[[bytes], Entry]) -> None:
    """Another version, one part more or less, a part of the wrong type: nothing but the written form is read."""
    parts = decode(entry.encode())
    assert isinstance(parts, tuple)
    wrong: list[Value] = [(2, *parts[1:]), parts[:-1], (*parts, 0), ()]
    wrong += [(*parts[:i], "\x00", *parts[i + 1 :]) for i in range(1, len(parts)) if not isinstance(parts[i], str)]
    wrong += [(*parts[:i], -7, *parts[i + 1 :]) for i in range(1, len(parts))]
    for value in wrong:
        with pytest.raises(EncodingError):
            read(encode(value))
    with pytest.raises(EncodingError):
        read(entry.encode() + b"\x00")
    with pytest.raises(EncodingError):
        read(entry.encode()[:-1])


@given(st.data())
def test_a_damaged_head_never_passes_as_another_error(data: st.DataObject) -> None:
    encoded = bytearray(HEAD.encode())
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    try:
        head = CaseHead.decode(bytes(encoded))
    except EncodingError:
        return
    assert head.encode() == bytes(encoded)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, -1, 1969, 10_001, 2**62, 2**63 - 1, 2**63]),
    st.sampled_from(["", "zfj", "penalty", "LEAD", "fast", "x" * 65, "\u6848"]),
    st.sampled_from([b"", b"r" * 32, b"r" * 31]),
)
VALUES: st.SearchStrategy[Value] = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple))


def altered(value: Value, data: st.DataObject) -> Value:
    """The value with one part of it, at any depth, replaced, left out or doubled."""
    if isinstance(value, tuple) and value and data.draw(st.integers(0, 3)):
        place = data.draw(st.integers(0, len(value) - 1))
        part: tuple[Value, ...] = data.draw(st.sampled_from([(), (value[place],) * 2, (altered(value[place], data),)]))
        return (*value[:place], *part, *value[place + 1 :])
    return data.draw(VALUES)


@given(st.data())
def test_at_a_glance_a_head_is_read_as_with_care(data: st.DataObject) -> None:
    encoded = encode(altered(decode(HEAD.encode()), data))
    try:
        careful: CaseHead | tuple[object, ...] = CaseHead.decode_carefully(encoded)
    except EncodingError as error:
        careful = (error.code, error.parameters)
    try:
        head: CaseHead | tuple[object, ...] = CaseHead.decode(encoded)
    except EncodingError as error:
        head = (error.code, error.parameters)
    assert repr(head) == repr(careful)  # to == True is 1


def test_head_binds_count_and_events() -> None:
    parts = decode(HEAD.encode())
    assert isinstance(parts, tuple)
    with pytest.raises(EncodingError, match="bad-case-head"):
        CaseHead.decode(encode((*parts[:8], 3, *parts[9:])))


def test_overlay_reads_through_and_writes_aside() -> None:
    base = MemoryState({b"a": b"1", b"b": b"2"})
    overlay = Overlay(base)
    overlay.put(b"a", b"9")
    overlay.delete(b"b")
    overlay.put(b"c", b"3")
    assert [overlay.get(key) for key in (b"a", b"b", b"c", b"d")] == [b"9", None, b"3", None]
    assert base.entries == {b"a": b"1", b"b": b"2"}
    assert overlay.changes() == {b"a": b"9", b"b": None, b"c": b"3"}
    base.apply(overlay.changes())
    assert base.entries == {b"a": b"9", b"c": b"3"}


def test_changes_are_sorted_and_delete_only_what_was_there() -> None:
    overlay = Overlay(MemoryState({b"z": b"1"}))
    overlay.put(b"z", b"2")
    overlay.put(b"y", b"1")
    overlay.delete(b"y")
    overlay.delete(b"never")
    overlay.put(b"a", b"1")
    assert list(overlay.changes().items()) == [(b"a", b"1"), (b"z", b"2")]


def test_the_state_before_a_block_stays_as_it_is_while_the_block_writes() -> None:
    before = Overlay(MemoryState({b"n": Counter(1).encode()}))
    block = Overlay(before)
    assert block.load(b"n", Counter.decode) == Counter(1)
    block.store_all(((b"n", Counter(2)), (b"m", Counter(7))))
    assert block.load(b"n", Counter.decode) == Counter(2)
    assert before.load(b"n", Counter.decode) == Counter(1)
    assert before.load(b"m", Counter.decode) is None
    assert before.changes() == {}
    assert block.changes() == {b"m": Counter(7).encode(), b"n": Counter(2).encode()}


def test_typed_and_raw_access_agree() -> None:
    overlay = Overlay(Overlay(MemoryState()))
    overlay.put(b"n", Counter(5).encode())
    assert overlay.load(b"n", Counter.decode) == Counter(5)
    overlay.store(b"n", Counter(6))
    assert overlay.get(b"n") == Counter(6).encode()
    overlay.delete(b"n")
    assert overlay.load(b"n", Counter.decode) is None


def test_unreadable_state_is_our_fault() -> None:
    with pytest.raises(StateCorrupt):
        Overlay(MemoryState({b"n": b"\xc1"})).load(b"n", Counter.decode)
