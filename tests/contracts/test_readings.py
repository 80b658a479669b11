"""Both readings of random stories agree, and notice where one of them reads something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import plain
from .readings import Told


@given(st.integers(0, 2**64))
def test_random_stories(seed: int) -> None:
    Told().tell(seed)


def test_a_reading_that_counts_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "extended", lambda *_: 1)
    assert Told().tell_all(0, 60).violations > 0
