"""Who signed a block, beside a receipt of something in it: what each of these members is, and whether it is a party
(spec/receipt.md, "Who signed the block").
"""

from __future__ import annotations

from dataclasses import dataclass

from .receipt_steps import Facts
from .record import member_of


@dataclass(frozen=True, slots=True)
class BlockSigner:
    """A member whose signature is in the certificate. ``roles`` are those that the genesis gives its organisation; None
    for one that was voted in later: a receipt does not show of which roles it is, nor whether others were voted since.
    """

    org: str
    roles: tuple[str, ...] | None
    is_party: bool


def parties(facts: Facts) -> frozenset[str]:
    """The members whose own affair the record is: the one whose case it is, the one that submitted it, and those whose
    people signed it."""
    return frozenset({facts.case_member, member_of(facts.org), *(member_of(one.org) for one in facts.signers)})


def block_signers(facts: Facts) -> tuple[BlockSigner, ...]:
    """The members that signed the certificate of a valid receipt, in the order of their seats."""
    own, found = parties(facts), []
    for org in facts.certified_by:
        named = facts.genesis.member(org)
        found.append(BlockSigner(org, None if named is None else named.roles, org in own))
    return tuple(found)
