"""Votes by phase and validator, so that validators are counted, never signatures.

Of one validator the first vote for a (phase, round) counts and a second with another content is a contradiction
(evidence, never a vote): python-tuf CVE-2020-6174 and go-tuf GHSA-3633-5h82-39pq counted one signer twice. Only a
validator's ``KEPT_VOTE_ROUNDS`` highest rounds are kept; an honest one only moves up, so a faulty one only pushes out
its own votes.
"""

from __future__ import annotations

from typing import TypeVar

from .limits import KEPT_VOTE_ROUNDS
from .messages import Phase, Vote

V = TypeVar("V", bound=Vote)

_Rounds = dict[int, Vote]


class VoteBook:
    """The votes of one height. They come in any order, also before their proposal or their round."""

    __slots__ = ("_votes",)

    def __init__(self) -> None:
        self._votes: dict[Phase, dict[int, _Rounds]] = {}

    def add(self, vote: Vote) -> Vote | None:
        """Keep ``vote``; returns the earlier vote of the same validator, phase and round where that has another
        content.
        """
        rounds = self._votes.setdefault(vote.phase, {}).setdefault(vote.sender, {})
        before = rounds.get(vote.round)
        if before is not None:
            return None if before.same_content(vote) else before
        rounds[vote.round] = vote
        if len(rounds) > KEPT_VOTE_ROUNDS:
            del rounds[min(rounds)]
        return None

    def holds(self, vote: Vote) -> bool:
        """Whether a vote of the same content is kept."""
        before = self._rounds(vote.phase, vote.sender).get(vote.round)
        return before is not None and before.same_content(vote)

    def matching(self, kind: type[V], round_: int, block_hash: bytes) -> tuple[V, ...]:
        """The votes of one kind for that block in that one round, in order of validators, one for each.

        COMMITs of different rounds do not add up, even for the same block (design §5): a certificate is of one round.
        """
        found = []
        for _, rounds in sorted(self._votes.get(kind.phase, {}).items()):
            vote = rounds.get(round_)
            if isinstance(vote, kind) and vote.block_hash == block_hash:
                found.append(vote)
        return tuple(found)

    def of(self, phase: Phase, sender: int) -> tuple[Vote, ...]:
        """The kept votes of one validator and phase, lowest round first."""
        return tuple(vote for _, vote in sorted(self._rounds(phase, sender).items()))

    def _rounds(self, phase: Phase, sender: int) -> _Rounds:
        return self._votes.get(phase, {}).get(sender, {})
