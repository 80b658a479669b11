"""Every way in which a history can be wrong is seen, and a right one is left alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .history import Acknowledged, Event, History, LaneRead, Read, Submitted

LANE = b"lane"
A, B = b"A", b"B"


def acknowledged(item: bytes, place: tuple[int, int], seq: int = 0, at: float = 1.0, draft: bytes = b"") -> Event:
    return Acknowledged(at, item, draft or b"draft " + item, place, LANE, seq)


def read(item: bytes, height: int, place: tuple[int, int] | None, gateway: str = "x", asked: float = 2.0) -> Event:
    return Read(asked, gateway, height, item, place)


def violations(events: Sequence[Event]) -> list[str]:
    history = History()
    for event in events:
        history.take(event)
    return history.violations


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([acknowledged(A, (3, 0)), read(A, 3, (3, 0)), read(A, 5, (3, 0), "y")], id="all agree"),
        pytest.param([acknowledged(A, (3, 0)), read(A, 2, None)], id="a gateway that is behind"),
        pytest.param([read(A, 3, None, asked=0.5), acknowledged(A, (3, 0))], id="asked before anybody was told"),
        pytest.param([acknowledged(A, (3, 0)), read(A, 3, None, asked=0.5)], id="asked before it was told"),
        pytest.param([read(A, 5, None, "x"), read(A, 3, None, "y")], id="gateways at different heights"),
        pytest.param([LaneRead(2.0, "x", 3, LANE, 0), LaneRead(2.1, "x", 4, LANE, 2)], id="a lane goes on"),
    ],
)
def test_what_may_be(events: list[Event]) -> None:
    assert violations(events) == []


@pytest.mark.parametrize(
    ("what", "events"),
    [
        ("backwards: x told height 5", [read(A, 5, None), read(B, 4, None)]),
        ("moved", [acknowledged(A, (3, 0)), read(A, 3, (3, 1))]),
        ("moved", [read(A, 3, (3, 0), "x"), read(A, 4, (4, 0), "y")]),
        ("missing: x at height 3", [acknowledged(A, (3, 0)), read(A, 3, None)]),
        ("missing: y at height 4", [read(A, 3, (3, 0), "x", asked=1.0), read(A, 4, None, "y")]),
        ("backwards: x told where", [read(A, 3, (3, 0)), read(A, 3, None)]),
        ("backwards: x told next seq 2", [LaneRead(2.0, "x", 3, LANE, 2), LaneRead(2.1, "x", 4, LANE, 1)]),
        ("missing: x at height 4 has seq 1", [acknowledged(A, (4, 0), seq=1), LaneRead(2.0, "x", 4, LANE, 1)]),
        ("doubled: draft", [acknowledged(A, (3, 0), draft=b"d"), acknowledged(B, (4, 0), draft=b"d")]),
    ],
)
def test_what_must_not_be(what: str, events: list[Event]) -> None:
    found = violations(events)
    assert found
    assert found[0].startswith(what)


def compared(chain: list[list[tuple[bytes, bytes]]]) -> tuple[tuple[int, int], list[str]]:
    history = History()
    for item in (A, B):
        history.take(Submitted(b"draft " + item))
    history.take(acknowledged(A, (1, 0)))
    return history.compare({"x": chain}), history.violations


def test_a_chain_that_holds_what_was_acknowledged() -> None:
    assert compared([[(A, b"draft A")], [(B, b"draft B")]]) == ((0, 0), [])
    assert compared([[(A, b"draft A")]]) == ((0, 0), [])  # B was not acknowledged


@pytest.mark.parametrize(
    ("counts", "what", "chain"),
    [
        ((1, 0), "lost", [[(B, b"draft B")]]),
        ((1, 0), "lost", [[(B, b"draft B")], [(A, b"draft A")]]),
        ((0, 2), "doubled", [[(A, b"draft A")], [(A, b"draft A")]]),
        ((0, 1), "doubled", [[(A, b"draft A")], [(b"C", b"draft A")]]),
        ((0, 0), "foreign", [[(A, b"draft A")], [(b"C", b"draft C")]]),
    ],
)
def test_a_chain_that_does_not(counts: tuple[int, int], what: str, chain: list[list[tuple[bytes, bytes]]]) -> None:
    found, said = compared(chain)
    assert found == counts
    assert said
    assert said[0].startswith(what)
