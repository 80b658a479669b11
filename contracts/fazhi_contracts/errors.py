"""Errors of the application, by whose fault they are.

* :class:`Refused`: the caller's; never leaves :func:`~fazhi_contracts.execution.execute_block`, which turns it into a
  replicated result.
* ``InvalidSubmission``, ``InvalidBlock`` (ledger): a peer's; the item or block must not stand.
* :class:`StateCorrupt`: ours; state that this code wrote cannot be read again. The node must stop.

Sentences for every code are in :mod:`fazhi_contracts.messages`.
"""

from __future__ import annotations

from fazhi_ledger.errors import FazhiError, InvariantBroken


class Refused(FazhiError):
    """A contract's refusal: the submission uses its seq and changes nothing else."""


class BadRuleSet(FazhiError):
    """A rule set that does not hold together: ``bad-rule-set`` with ``place`` and ``what``."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__("bad-rule-set", place=place, what=what)


class StateCorrupt(InvariantBroken):
    """An entry of the state that cannot be decoded, or one that must exist and does not."""
