"""Signature checks on their way: which question belongs to which answer, and which equations are known to hold.

Only equations that held are remembered. A failure is never: whoever sends a bad signature pays for each attempt with a
bounded queue.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fazhi_ledger.submission import Item
from fazhi_ledger.suites import Suite

from .limits import REMEMBERED_EQUATIONS
from .ports import Job, SignatureCheck, Verifier

Verdicts = Sequence[bool]


@dataclass(slots=True)
class _Question:
    """``positions`` of the jobs with unknown equations among all ``jobs``, and the equations' names."""

    jobs: int
    positions: list[int]
    names: list[list[bytes]]
    answer: Callable[[Verdicts], None]


class Verification:
    """Asks the :class:`~fazhi_node.ports.Verifier` for what is not yet known, and calls back with one verdict a job.

    A question of which everything is known is answered at once, from inside :meth:`ask`.
    """

    def __init__(self, verifier: Verifier, remembered: int = REMEMBERED_EQUATIONS) -> None:
        self._verifier = verifier
        self._limit = remembered
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: dict[int, _Question] = {}
        self._token = 0

    @property
    def waiting(self) -> int:
        """Questions that are not answered yet."""
        return len(self._waiting)

    def ask(self, jobs: Sequence[Job], answer: Callable[[Verdicts], None]) -> None:
        """Call ``answer`` with the verdicts on ``jobs``, now or later."""
        known = self._known
        positions: list[int] = []
        unknown: list[Job] = []
        names: list[list[bytes]] = []
        for position, job in enumerate(jobs):
            named = [_name(check) for check in job]
            rest = [name for name in named if name not in known]
            if rest:
                whole = len(rest) == len(named)
                positions.append(position)
                names.append(rest)
                unknown.append(job if whole else tuple(c for name, c in zip(named, job, strict=True) if name in rest))
        if not unknown:
            answer([True] * len(jobs))
            return
        self._token += 1
        self._waiting[self._token] = _Question(len(jobs), positions, names, answer)
        self._verifier.verify(self._token, unknown)

    def on_verified(self, token: int, verdicts: Verdicts) -> None:
        """The verifier's answer; an unknown token (of before a restart) is ignored."""
        question = self._waiting.pop(token, None)
        if question is None:
            return
        known = self._known
        all_verdicts = [True] * question.jobs
        for position, names, verdict in zip(question.positions, question.names, verdicts, strict=True):
            all_verdicts[position] = verdict
            if verdict:
                for name in names:
                    known[name] = None
        while len(known) > self._limit:
            known.popitem(last=False)
        question.answer(all_verdicts)


def _name(check: SignatureCheck) -> bytes:
    # The key's length, then parts of which the last has one length: no two equations share a name.
    key = check.public_key
    return b"%d " % len(key) + key + check.signature + (check.message_hash or check.suite.hash(check.message))


def item_job(suite: Suite, item: Item) -> Job:
    """All signatures of a submission."""
    message, message_hash = item.message(), item.id(suite)
    pairs = zip(item.body.signer_keys, item.signatures, strict=True)
    return tuple([SignatureCheck(suite, key, message, signature, message_hash) for key, signature in pairs])
