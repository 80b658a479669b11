"""Validator sets in the state: the one that certifies the next block, and at most one that waits (design §5, Epochs).

A vote executed at h writes the waiting set with ``first_height`` h + 2. Header h + 1 names it as
``next_validators_hash``; once block h + 1 is executed it becomes the current one, so that the state after h + 1 names
who certifies h + 2.
"""

from __future__ import annotations

from functools import lru_cache

from fazhi_ledger.validators import ValidatorSet

from .errors import StateCorrupt
from .keys import single_key
from .state import Overlay, StateView, read

_decoded_set = lru_cache(maxsize=8)(ValidatorSet.decode)


def current_set(view: StateView | Overlay) -> ValidatorSet:
    """The set that certifies the block after that state.

    Raises:
        StateCorrupt: there is none.
    """
    current = read(view, single_key("validators"), _decoded_set)
    if current is None:
        raise StateCorrupt("the state holds no validator set")
    return current


def pending_set(view: StateView | Overlay) -> ValidatorSet | None:
    """The set that waits to take over."""
    return read(view, single_key("validators-pending"), _decoded_set)


def newest_set(view: StateView | Overlay) -> ValidatorSet:
    """The set that waits to take over, or the current one where none does."""
    return pending_set(view) or current_set(view)


def sets_for(view: StateView | Overlay, height: int) -> tuple[ValidatorSet, ValidatorSet]:
    """The sets that certify ``height`` and ``height + 1``, read in the state after ``height - 1``."""
    current, pending = current_set(view), pending_set(view)
    if pending is not None and pending.first_height == height + 1:
        return current, pending
    return current, current


def advance(state: Overlay, height: int) -> None:
    """After block ``height``: a set that certifies from ``height + 1`` on becomes the current one."""
    pending = pending_set(state)
    if pending is not None and pending.first_height == height + 1:
        state.put(single_key("validators"), pending.encode())
        state.delete(single_key("validators-pending"))
