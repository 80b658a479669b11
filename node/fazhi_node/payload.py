"""Payloads: blocks as bytes, bound to their hash.

Consensus votes on a hash, so the hash must bind every byte of a payload: two payloads of one hash would let a faulty
proposer give some validators a block that can be validated and others one that cannot. The header commits to bodies
and signatures (``submissions_root``); each body commits to the records that travel beside it (count and root in its
arguments). Strict decoding leaves no other freedom.
"""

from __future__ import annotations

from typing import Final

from fazhi_ledger.block import Block
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.record import records_root
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import Suite

REMEMBERED_PAYLOADS: Final = 4

RECORDING: Final = ("cases", "record")
"""The one contract and action whose submissions carry records."""


def check_records_bound(suite: Suite, item: Item) -> None:
    """Raise unless the signed body says exactly which records travel beside it.

    Raises:
        InvalidBlock: ``unbound-records``.
    """
    body = item.body
    if (body.contract, body.action) != RECORDING:
        if item.records:
            raise InvalidBlock("unbound-records", contract=body.contract, action=body.action)
        return
    if body.args != (len(item.records), records_root(suite, item.records)):
        raise InvalidBlock("unbound-records", contract=body.contract, action=body.action)


def decode_payload(suite: Suite, payload: bytes) -> tuple[Block, bytes]:
    """The block that ``payload`` encodes, and its hash, which binds every byte of it.

    Raises:
        EncodingError: not the canonical encoding of a block.
        InvalidBlock: the items are not those that the header commits to, or an item's records not those of its body.
    """
    block = Block.decode(payload)
    block.check_body(suite)
    for item in block.items:
        check_records_bound(suite, item)
    return block, block.hash(suite)


class PayloadCache:
    """The payloads decoded last: a proposal is looked at when it arrives, is validated and is decided."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._decoded: dict[bytes, tuple[Block, bytes]] = {}

    def decode(self, payload: bytes) -> tuple[Block, bytes]:
        """See :func:`decode_payload`; failures are not remembered."""
        found = self._decoded.get(payload)
        if found is None:
            found = decode_payload(self._suite, payload)
            self.keep(payload, *found)
        return found

    def keep(self, payload: bytes, block: Block, block_hash: bytes) -> None:
        """Remember what ``payload`` encodes."""
        self._decoded[payload] = (block, block_hash)
        while len(self._decoded) > REMEMBERED_PAYLOADS:
            del self._decoded[next(iter(self._decoded))]

    def hash_of(self, payload: bytes) -> bytes:
        """The hash of a payload."""
        return self.decode(payload)[1]
