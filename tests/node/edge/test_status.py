"""The line of ``fazhi-node status``: what a person is told of a node's part."""

from __future__ import annotations

import pytest
from fazhi_node.local import _line
from fazhi_node.progress import FORMER, JOINING, LEAVING, NO_SEAT, SEATED


@pytest.mark.parametrize(
    ("seat", "voting", "part"),
    [
        (SEATED, True, "validator"),
        (SEATED, False, "validator, not signing now"),
        (LEAVING, True, "validator for the last time"),
        (LEAVING, False, "validator, not signing now"),
        (JOINING, False, "follower, seated from the next height on"),
        (FORMER, False, "follower: voted out, signs nothing"),
        (NO_SEAT, False, "follower: no member yet"),
    ],
)
def test_a_validator_that_does_not_sign_is_called_so(seat: str, voting: bool, part: str) -> None:
    found = {
        "org": "zfj", "height": 7, "time_ms": 0, "peers": [], "ready": True, "seat": seat, "voting": voting,
        "round": 0, "mempool": 0,
    }  # fmt: skip
    assert f" {part} " in _line(found, 0, "en").replace("·", " ")
    assert ("(此刻不签票)" in _line(found, 0, "zh")) is (not voting and seat in (SEATED, LEAVING))
