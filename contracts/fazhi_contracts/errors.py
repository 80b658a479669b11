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
    """A rule set that does not hold together: ``bad-rule-set`` with ``place`` and ``what``. ``others`` are further
    faults that were found beside it."""

    def __init__(self, place: str, what: str, others: tuple[BadRuleSet, ...] = ()) -> None:
        super().__init__("bad-rule-set", place=place, what=what)
        self.place = place
        self.what = what
        self.others = others


class Faults:
    """Collects what is wrong with the parts of a rule set: each part is read or checked ``with`` it, and a fault in one
    does not hide those of the others. ``raise_first`` at the end raises the first, with the others behind it.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[BadRuleSet] = []

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, BadRuleSet):
            return False
        self._found += (error, *error.others)
        return True

    def raise_first(self) -> None:
        """Raise the first fault, if there is one."""
        if self._found:
            first = self._found[0]
            raise BadRuleSet(first.place, first.what, tuple(self._found[1:]))


class StateCorrupt(InvariantBroken):
    """An entry of the state that cannot be decoded, or one that must exist and does not."""
