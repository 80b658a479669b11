"""A slice of ``make model``: the model holds within small bounds, and finds the mistakes it is known to find soon."""

from __future__ import annotations

from dataclasses import replace

import pytest

from . import tlc
from .searches import BROKEN, EXHAUSTIVE, Search

SOON = ("lock-forgotten", "retired-keys-count", "quorum-2f+1")

pytestmark = pytest.mark.skipif(tlc.missing() is not None, reason=str(tlc.missing()))


def test_the_model_agrees_within_small_bounds() -> None:
    answer = replace(EXHAUSTIVE[0], max_height=1, max_round=1).run()
    assert answer.holds, answer.output
    assert answer.distinct > 500  # it did search


@pytest.mark.parametrize("search", [search for search in BROKEN if search.name in SOON], ids=lambda search: search.name)
def test_a_broken_rule_gives_a_counter_example(search: Search) -> None:
    assert search.run().broken == "OneCertificate"


def test_a_mistake_in_a_module_is_no_verdict() -> None:
    with pytest.raises(tlc.NoAnswer):
        replace(EXHAUSTIVE[0], scenarios="Nonsense").run()
