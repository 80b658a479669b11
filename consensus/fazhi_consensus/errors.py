"""Named errors of the consensus core, by whose fault it is."""

from __future__ import annotations

from fazhi_ledger.errors import FazhiError


class InvalidMessage(FazhiError):
    """A peer's fault: a message that no honest validator sends. It is dropped; the state is untouched."""


class InvalidEvidence(FazhiError):
    """A claim of guilt that does not show guilt."""


class InvalidVoteRecord(FazhiError):
    """Our own vote log does not hold together, or belongs to another chain or seat: the node stops."""
