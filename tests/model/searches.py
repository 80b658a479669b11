"""The searches: which bounds, which rule is broken, and what TLC must answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from . import tlc

SAFE: Final = ("Agreement", "OneCertificate", "OneVote", "LockKept", "NothingForgotten")
FORK: Final = ("Agreement", "OneCertificate")
LIMIT_S: Final = 1800
"""Of one search."""


@dataclass(frozen=True)
class Search:
    """One run of TLC over ``Bounded``. ``mutant`` names the rule that is broken: a counter-example must be found."""

    name: str
    mutant: str = "none"
    max_height: int = 2
    max_round: int = 2
    free: bool = True
    scenarios: str = "OneEach"
    symmetry: str | None = "MembersAlike"
    narrowed: str | None = None

    def config(self) -> str:
        """TLC's configuration."""
        members = "\n".join(f"    {name} = {name}" for name in ("A", "B", "m1", "m2", "m3", "m4", "m5", "m6"))
        lines = [
            "SPECIFICATION Sequential",
            f"CONSTANTS\n{members}",
            "    Values = {A, B}",
            f"    MaxHeight = {self.max_height}",
            f"    MaxRound = {self.max_round}",
            f"    Free = {'TRUE' if self.free else 'FALSE'}",
            f'    Mutant = "{self.mutant}"',
            f"    Scenarios <- {self.scenarios}",
            "INVARIANTS " + " ".join(SAFE if self.mutant == "none" else FORK),
        ]
        if self.symmetry is not None:
            lines.append(f"SYMMETRY {self.symmetry}")
        if self.narrowed is not None:
            lines.append(f"CONSTRAINT {self.narrowed}")
        return "\n".join(lines) + "\n"

    def run(self) -> tlc.Answer:
        """Let TLC search."""
        return tlc.run("Bounded", self.config(), "-workers", "2", "-deadlock", limit_s=LIMIT_S)


EXHAUSTIVE: Final = (
    Search("all-proposers-faulty"),
    Search("proposers-take-turns", free=False, max_round=1, scenarios="Anyone", symmetry="ValuesAlike"),
)

BROKEN: Final = (
    Search("lock-forgotten", "lock-forgotten", max_height=1, max_round=1),
    Search("votes-forgotten", "votes-forgotten", max_height=1, max_round=0),
    Search("choice-not-recomputed", "choice-not-recomputed", max_height=1, max_round=1),
    Search("claims-not-proven", "claims-not-proven", max_height=1),
    Search("retired-keys-count", "retired-keys-count", max_round=0),
    Search(
        "quorum-2f+1",
        "quorum-2f+1",
        max_height=1,
        max_round=1,
        scenarios="NobodyOfSix",
        symmetry="ValuesAlike",
        narrowed="Halves",
    ),
    Search(
        "commits-of-mixed-rounds",
        "commits-of-mixed-rounds",
        max_height=1,
        max_round=3,
        symmetry=None,
        narrowed="FourRounds",
    ),
)
