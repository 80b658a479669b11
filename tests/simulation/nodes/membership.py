"""A change of the members while everything else goes wrong: a seat is given up, or gets another key, by a vote that is
submitted like any other item.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fazhi_contracts.membership import seat_roles
from fazhi_ledger.canonical import Value
from fazhi_ledger.genesis import prove_possession
from fazhi_ledger.keys import SoftwareSigner

from .clients import Sent
from .genesis import org_of, signer_of

if TYPE_CHECKING:
    from .run import Run

POLL_MS = 700
NEVER = 1_000_000
"""The height after which no vote is taken."""


def second_key(run: Run, index: int) -> SoftwareSigner:
    """The key that a member will sign with after its key was replaced."""
    return signer_of(run.suite, f"{org_of(index)} second")


class Ballot:
    """One proposal, and the votes of all members but the one concerned."""

    def __init__(self, run: Run, kind: str, target: int) -> None:
        self.run = run
        self.rng = random.Random(f"{run.plan.seed} ballot")
        self.target = target
        org = org_of(target)
        args: Value = (org,)
        if kind == "replace-key":
            signer = second_key(run, target)
            proof = prove_possession(signer, run.genesis_file.hash(), org, seat_roles(()))
            args = (org, signer.public_key, proof)
        name = "validator.remove" if kind == "remove" else "validator.replace_key"
        self._voters = [index for index in range(run.plan.size) if index != target]
        first = self.rng.choice(self._voters)
        self._proposal = self._item(first, "propose", (name, args, NEVER))
        self._poll()

    def _item(self, member: int, action: str, args: Value) -> Sent:
        signer = signer_of(self.run.suite, org_of(member))
        load = self.run.load
        return load.sign(org_of(member), [signer], self.rng.randbytes(16), 0, "governance", action, args)

    def _poll(self) -> None:
        """The proposal until it stands, then the votes; clients send again what gets lost."""
        run = self.run
        if run.ledger.holds(self._proposal.submission_id):
            for member in self._voters:
                vote = self._item(member, "vote", (self._proposal.submission_id, True))
                run.load.send(self.rng.choice(run.nodes), [vote])
            return
        run.load.send(self.rng.choice(run.nodes), [self._proposal])
        run.timeline.at(POLL_MS, self._poll)
