"""A slice of the twins campaign (``make twins`` runs all of it). That it would find a mistake is shown in
tests/mutants."""

from __future__ import annotations

import pytest

from .twins import SEATS, TURNS, all_leaders, enumerate_partitions, play_seeds
from .twins_cast import Cast, State
from .twins_stage import Stage, within


def test_the_enumeration_is_whole() -> None:
    assert len(set(all_leaders())) == 4**3
    cuts = {tuple(within(groups)(0, actor, 0) for actor in range(SEATS + 1)) for groups in range(16)}
    assert len(cuts) == 16
    assert (16 * 4) ** TURNS == 262_144


@pytest.mark.parametrize("shameless", [True, False])
def test_one_row_of_leaders_keeps_every_promise(shameless: bool) -> None:
    tally = enumerate_partitions((0, 2, 0), shameless, partitions=8)
    assert tally.enumerated == 8**3
    assert not tally.violations, "\n".join(tally.shown)


def test_sampled_scenarios_keep_every_promise() -> None:
    tally = play_seeds(0, 60)
    assert not tally.violations, "\n".join(tally.shown)
    assert tally.healed == 60


def test_twins_that_obey_the_rule_of_amnesia_fall_silent() -> None:
    heights = {}
    for shameless in (True, False):
        cast = Cast(SEATS, 1, (0, 0, 0), shameless)
        stage = Stage(cast)
        states = tuple(State.first(cast, actor) for actor in range(SEATS + 1))
        states = stage.turn(states, within(0))
        heights[shameless] = [len(state.chain) - 1 for state in states]
    assert max(heights[True][1:4]) == 1
    assert heights[True] != heights[False]
