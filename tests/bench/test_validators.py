"""The cost curve counts what consensus sends, on every link."""

from __future__ import annotations

from bench.validators import point


def test_every_vote_goes_to_every_other_validator_once() -> None:
    found = point(4, blocks=2)
    # a PRE-PREPARE, four PREPAREs and four COMMITs, each on three links
    assert found["consensus_messages_per_block"] == (1 + 4 + 4) * 3
    assert found["may_fail"] == 1
