"""What the validators were heard to say at one height, and what of it convicts them."""

from __future__ import annotations

from .evidence import Evidence, contradiction
from .messages import Commit, Phase, Prepare, RoundChange, Signed, Vote
from .round_change import RoundChangeBook
from .vote_book import VoteBook


class Testimony:
    """Votes and ROUND-CHANGEs of all validators, bounded; each new one is held against what its signer said before."""

    __slots__ = ("_accused", "changes", "votes")

    def __init__(self) -> None:
        self.votes = VoteBook()
        self.changes = RoundChangeBook()
        self._accused: set[int] = set()

    def hear_vote(self, vote: Vote) -> Evidence | None:
        """File a vote; returns evidence against its signer, if this is the first."""
        before = self.votes.add(vote)
        change = self.changes.of(vote.sender)
        return self._accuse(vote, [said for said in (before, change) if said is not None])

    def hear_change(self, change: RoundChange) -> Evidence | None:
        """File a ROUND-CHANGE; the PREPAREs beside it are votes of their own, heard one by one."""
        before = self.changes.add(change)
        said: list[Signed] = [] if before is None else [before]
        said += self.votes.of(Phase.COMMIT, change.sender)
        return self._accuse(change, said)

    def prepares(self, round_: int, block_hash: bytes) -> tuple[Prepare, ...]:
        """PREPAREs of that round for that block, one for each validator, in order."""
        return self.votes.matching(Prepare, round_, block_hash)

    def commits(self, round_: int, block_hash: bytes) -> tuple[Commit, ...]:
        """COMMITs of that one round for that block, one for each validator, in order."""
        return self.votes.matching(Commit, round_, block_hash)

    def _accuse(self, now: Signed, said: list[Signed]) -> Evidence | None:
        """Evidence once for each validator and height: more would only fill the disk."""
        for before in said:
            if now.sender not in self._accused and contradiction(before, now) is not None:
                self._accused.add(now.sender)
                return Evidence(_bare(before), _bare(now))
        return None


def _bare(signed: Signed) -> Signed:
    return signed.bare() if isinstance(signed, RoundChange) else signed
