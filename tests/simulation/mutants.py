"""Known mistakes, put back into the core one at a time: a simulator that does not catch them proves nothing.

Each is a rule of safety.md §2 broken, most of them as some implementation really broke it. A mutant patches production
code for the time of a ``with`` block and nothing else.

Proposing the prepared block of the lowest round instead of the highest (go-ibft#52) is not among them: it takes two
blocks prepared in two rounds and a third node that decides alone, and one seed in 3,000 found that. The rule is shown
by ``test_receivers_recompute_the_choice`` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from fazhi_consensus import verify as verify_module
from fazhi_consensus.height import Height
from fazhi_consensus.messages import Commit, Phase, Prepare, RoundChange
from fazhi_consensus.own_votes import OwnVotes
from fazhi_consensus.stages import OPEN, Stage
from fazhi_consensus.testimony import Testimony
from fazhi_ledger.validators import ValidatorSet, faulty_of

from .disk import SimulatedVoteLog

Mutant = Callable[[], Any]


@contextmanager
def quorum_of_2f_plus_1() -> Iterator[None]:
    """At n = 6 two sets of 2f+1 = 3 can be disjoint (celo-blockchain#117)."""
    with patch.object(ValidatorSet, "quorum", property(lambda s: 2 * faulty_of(len(s.validators)) + 1)):
        yield


@contextmanager
def lock_forgotten_at_restart() -> Iterator[None]:
    """The restarted node remembers what it signed, but not what it had prepared."""
    original = OwnVotes.__init__

    def forgetful(self: OwnVotes, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.lock = None

    with patch.object(OwnVotes, "__init__", forgetful):
        yield


@contextmanager
def persist_omitted() -> Iterator[None]:
    """The vote is written but never synced."""
    with patch.object(SimulatedVoteLog, "sync", lambda _: None):
        yield


@contextmanager
def commits_of_mixed_rounds() -> Iterator[None]:
    """COMMITs for one block add up whatever their rounds."""

    def mixed(self: Testimony, round_: int, block_hash: bytes) -> tuple[Commit, ...]:
        found: dict[int, Commit] = {}
        for sender, rounds in sorted(self.votes._votes.get(Phase.COMMIT, {}).items()):
            for vote in rounds.values():
                if isinstance(vote, Commit) and vote.block_hash == block_hash:
                    found[sender] = replace(vote, round=round_)
        return tuple(found.values())

    with patch.object(Testimony, "commits", mixed):
        yield


@contextmanager
def choice_not_recomputed() -> Iterator[None]:
    """Receivers trust the new proposer's choice."""
    with patch.object(verify_module, "choice", lambda _: None):
        yield


@contextmanager
def round_change_unlocked() -> Iterator[None]:
    """ROUND-CHANGE never says what was prepared."""
    original = OwnVotes.round_change

    def denying(self: OwnVotes, new_round: int, payload: bytes | None) -> RoundChange:
        lock, self.lock = self.lock, None
        try:
            return original(self, new_round, None)
        finally:
            self.lock = lock

    with patch.object(OwnVotes, "round_change", denying):
        yield


@contextmanager
def second_proposal_accepted() -> Iterator[None]:
    """A second PRE-PREPARE of a round replaces the first."""
    original = Height._on_pre_prepare

    def latest(self: Height, message: Any) -> None:
        if self.stage in OPEN and self.proposal is not None and message.round == self.round:
            self.proposal = None
            self.stage = Stage.AWAITING
            if self._own is not None:
                self._own.last = None
                self._own.messages.pop(Phase.PREPARE, None)
            self._heard.votes._votes.get(Phase.PRE_PREPARE, {}).clear()
        original(self, message)

    with patch.object(Height, "_on_pre_prepare", latest):
        yield


@contextmanager
def signatures_counted() -> Iterator[None]:
    """Votes are counted by signature: SM2 signs the same body differently each time."""
    original = Testimony.hear_vote
    extra: dict[int, list[Prepare | Commit]] = {}

    def hear(self: Testimony, vote: Any) -> Any:
        extra.setdefault(id(self), []).append(vote)
        return original(self, vote)

    def commits(self: Testimony, round_: int, block_hash: bytes) -> tuple[Commit, ...]:
        found = {v.signature: v for v in extra.get(id(self), []) if isinstance(v, Commit)}
        return tuple(v for v in found.values() if v.round == round_ and v.block_hash == block_hash)

    with patch.object(Testimony, "hear_vote", hear), patch.object(Testimony, "commits", commits):
        yield


MUTANTS: dict[str, tuple[Mutant, int | None]] = {
    "quorum-2f+1": (quorum_of_2f_plus_1, 6),
    "lock-forgotten-at-restart": (lock_forgotten_at_restart, None),
    "persist-omitted": (persist_omitted, None),
    "commits-of-mixed-rounds": (commits_of_mixed_rounds, None),
    "choice-not-recomputed": (choice_not_recomputed, None),
    "round-change-unlocked": (round_change_unlocked, None),
    "second-proposal-accepted": (second_proposal_accepted, None),
    "signatures-counted": (signatures_counted, None),
}
"""Name, patch, and the only size at which it is a mistake (None: any)."""
