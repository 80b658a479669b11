"""A slice of the mutants, each with the hunter that sees it soonest (``make mutants`` runs all, and every hunter)."""

from __future__ import annotations

import re

import pytest

from tests.simulation.checkers import Violation
from tests.simulation.world import run_seed

from .campaigns import CAMPAIGNS, hunt
from .catalogue import CATALOGUE
from .season import STUMBLE, Catch, clean

SOON = {
    "quorum-2f+1": "core, n = 6",
    "signatures-counted": "twins",
    "commits-of-mixed-rounds": "twins",
    "commit-before-quorum": "core",
    "prepare-read-as-commit": "twins",
    "round-in-block": "twins",
    "second-proposal-accepted": "twins",
    "round-change-unlocked": "twins",
    "persist-omitted": "core",
    "sent-before-durable": "core",
    "lock-forgotten-at-restart": "core",
    "round-change-said-once": "core",
    "timers-uncapped": "long loss",
    "directory-not-synced": "power cuts",
    "errors-swallowed": "disk errors",
    "guard-ignored": "restored backups",
    "decision-not-synced": "node schedules",
    "lane-unchecked": "hostile proposals",
    "transfer-uncertified": "hostile transfer",
    "revoked-keys-accepted": "execution",
    "longer-encodings-accepted": "receipts",
    "first-day-counted": "readings",
    "calendar-guessed": "readings",
    "done-at-any-time": "readings",
    "anybody-records": "readings",
    "account-overdrawn": "readings",
}


@pytest.mark.parametrize("mutant", SOON)
def test_a_broken_rule_is_noticed(mutant: str) -> None:
    hunter = SOON[mutant]
    assert hunter in CATALOGUE[mutant].hunters
    with CATALOGUE[mutant].broken():
        found = hunt(hunter)
    assert found is not None
    assert STUMBLE.search(found[1]) is None, "the patch breaks more than its rule"


def test_a_quorum_of_2f_plus_1_forks_the_chain_of_six() -> None:
    """The outcome alone is looked at: two blocks at one height, and no traitor is needed."""
    with CATALOGUE["quorum-2f+1"].broken(), pytest.raises(Violation, match="FORK"):
        _ = [run_seed(seed, 6, outcome_only=True) for seed in range(100)]


@pytest.mark.parametrize("hunter", sorted(set(SOON.values())))
def test_nothing_is_seen_where_nothing_is_broken(hunter: str) -> None:
    assert clean(hunter, 4) is None


def test_a_patch_that_stumbles_is_not_caught() -> None:
    said = {"AssertionError: a vote is lost": True, "IndexError: tuple index out of range": False, None: False}
    said |= {"Violation: seed 3: AttributeError: no such thing": False, "StepOutcome(what='IndexError')": False}
    assert {text: Catch("core", 0, text).counts for text in said} == said


def test_every_mutant_has_a_rule_and_hunters() -> None:
    assert len(CATALOGUE) >= 25
    for name, mutant in CATALOGUE.items():
        assert re.match(r"(0\.\d|2|3|ruleset\.md) ", mutant.rule), name
        assert all(hunter in CAMPAIGNS or hunter.startswith("tests/") for hunter in mutant.hunters), name
