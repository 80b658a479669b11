"""Records that are alike are judged together; what one of them does differently shows all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from fazhi_ledger.record import Record

from . import plain
from .builders import DAY_MS, Docket, World, make_record
from .scenarios import mixed_world
from .test_plain import entries_of

HOUR_MS = 3_600_000


def executed_plainly(world: World, *batches: Sequence[Record]) -> list[str]:
    """The codes of a block of these batches, which comes to what the plain telling says of it."""
    hand, height = world.by("officer-1", "officer-2"), world.state.height
    items = [hand.in_lane(f"{height} {number}", 0).records(*batch) for number, batch in enumerate(batches)]
    before, context = entries_of(world), world.context()
    results, after = plain.execute(before, items, context)
    executed = world.block(*items)
    assert [outcome.result for outcome in executed.outcomes] == results
    assert entries_of(world) == after
    return world.codes(executed)


def investigations(case: Docket, times: Sequence[int], documents: Sequence[int] = ()) -> list[Record]:
    counts = documents or [1] * len(times)
    return [make_record(case, "INVEST", at, documents=count) for at, count in zip(times, counts, strict=True)]


@pytest.mark.parametrize("odd", range(6))
@pytest.mark.parametrize("change", ["early", "late", "ahead", "no document", "many documents"])
def test_one_that_calls_for_a_finding(odd: int, change: str) -> None:
    world = mixed_world(Random(0))
    case, now = world.case("1"), world.now_ms
    times, documents = [now - HOUR_MS + n for n in range(6)], [1] * 6
    if "document" in change:
        documents[odd] = 0 if change == "no document" else 200
    else:
        times[odd] = {"early": now - 2 * HOUR_MS, "late": now - 40 * DAY_MS, "ahead": now + DAY_MS}[change]
    batch = [make_record(case, "LEAD", now - DAY_MS), *investigations(case, times, documents)]
    assert executed_plainly(world, batch) == ["OK"]


@pytest.mark.parametrize("days", range(6))
def test_a_deadline_that_passes_meanwhile(days: int) -> None:
    """Two days from the opening to any of the works that follow it; the last are recorded after it."""
    world = mixed_world(Random(0))
    case, now = Docket("1", "zfj", "loops"), world.now_ms
    opening = make_record(case, "OPEN", now - days * DAY_MS)
    works = [make_record(case, "WORK", now - (20 - 2 * n) * HOUR_MS, {"mode": "fast"}) for n in range(6)]
    assert executed_plainly(world, [opening, *works]) == ["OK"]
    assert executed_plainly(world, [make_record(case, "WORK", now, {"mode": "slow"})] * 4) == ["OK"]


def test_a_run_over_the_end_of_a_case() -> None:
    world = mixed_world(Random(0))
    case, now = Docket("1", "zfj", "small"), world.now_ms
    start = [make_record(case, "OPEN", now), make_record(case, "WORK", now, {"mode": "fast"})]
    ends = [make_record(case, "DONE", now)] * 3
    assert executed_plainly(world, [*start, *ends], start) == ["case-closed", "OK"]
    assert executed_plainly(world, ends) == ["case-closed"]


def openings(world: World, *numbers: str, refs: tuple[bytes, ...] = ()) -> list[Record]:
    return [replace(make_record(world.case(number), "LEAD", world.now_ms), refs=refs) for number in numbers]


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        (("a", "b", "c"), "OK"),
        (("a", "b", "a"), "case-exists"),
        (("a", "b", "old"), "case-exists"),
        (("old", "b", "c"), "case-exists"),
        (("a", "b", "c", "|", "d", "b"), "case-exists"),
        (("a", "|", "b", "c", "a"), "case-exists"),
        (("a", "b", "c", "|", "d", "e"), "OK"),
    ],
)
def test_openings(batch: Sequence[str], code: str) -> None:
    """Of two runs, which differ in what they refer to, and of cases that are there already."""
    world = mixed_world(Random(0))
    executed_plainly(world, openings(world, "old"))
    before, _, after = " ".join(batch).partition("|")
    records = openings(world, *before.split()) + openings(world, *after.split(), refs=(bytes(32),))
    assert executed_plainly(world, records, openings(world, "c")) == [code, "case-exists" if code == "OK" else "OK"]


def test_openings_that_go_on_in_the_same_batch() -> None:
    world = mixed_world(Random(0))
    records = openings(world, "a", "b", "c", "d")
    further = [make_record(world.case(number), "INVEST", world.now_ms) for number in ("b", "d", "d", "d", "b")]
    assert executed_plainly(world, records + further, further) == ["OK", "OK"]


def test_a_step_of_an_old_case_opens_no_new_one() -> None:
    world = mixed_world(Random(0))
    executed_plainly(world, openings(world, "old"))
    records = [make_record(world.case(number), "INVEST", world.now_ms) for number in ("old", "a", "b")]
    assert executed_plainly(world, records) == ["unknown-case"]
