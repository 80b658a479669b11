"""Payloads: blocks as bytes, bound to their hash.

Consensus votes on a hash, so the hash must bind every byte of a payload: two payloads of one hash would let a faulty
proposer give some validators a block that can be validated and others one that cannot. The header commits to bodies
and signatures (``submissions_root``); each body commits to the records that travel beside it (count and root in its
arguments). Strict decoding leaves no other freedom.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fazhi_ledger.block import Block, block_parts
from fazhi_ledger.errors import EncodingError, InvalidBlock
from fazhi_ledger.header import Header
from fazhi_ledger.limits import MAX_HEADER_BYTES
from fazhi_ledger.record import records_root
from fazhi_ledger.recording import Recording, is_recording
from fazhi_ledger.shape import as_bytes, as_tuple
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import Suite

REMEMBERED_PAYLOADS: Final = 4


def check_records_bound(suite: Suite, item: Item) -> None:
    """Raise unless the signed body says exactly which records travel beside it.

    Raises:
        InvalidBlock: ``unbound-records``.
    """
    body = item.body
    if not is_recording(body):
        if item.records:
            raise InvalidBlock("unbound-records", contract=body.contract, action=body.action)
        return
    try:
        said = Recording.of(body)
    except EncodingError:
        raise InvalidBlock("unbound-records", contract=body.contract, action=body.action) from None
    if (said.count, said.root) != (len(item.records), records_root(suite, item.records)):
        raise InvalidBlock("unbound-records", contract=body.contract, action=body.action)


KnownItem = Callable[[bytes], Item | None]
"""The decoded item of exactly these bytes, where it is known."""


def decode_payload(suite: Suite, payload: bytes, known: KnownItem | None = None) -> tuple[Block, bytes]:
    """The block that ``payload`` encodes, and its hash, which binds every byte of it.

    Most items of a proposal wait here already: ``known`` saves decoding them again.

    Raises:
        EncodingError: not the canonical encoding of a block.
        InvalidBlock: the items are not those that the header commits to, or an item's records not those of its body.
    """
    header, parts = as_tuple(block_parts(payload), "block", length=2)
    items = []
    for part in as_tuple(parts, "items"):
        data = as_bytes(part, "item")
        item = None if known is None else known(data)
        if item is None:
            item = Item.decode(data)
            check_records_bound(suite, item)
        items.append(item)
    block = Block(Header.decode(as_bytes(header, "header", max_length=MAX_HEADER_BYTES)), tuple(items))
    block.check_body(suite)
    return block, block.hash(suite)


class PayloadCache:
    """The payloads decoded last: a proposal is looked at when it arrives, is validated and is decided.

    What has merely arrived keeps one place of its own, so that no number of blocks that nobody asked for pushes out one
    that is at work.
    """

    def __init__(self, suite: Suite, known: KnownItem | None = None) -> None:
        self._suite = suite
        self._known = known
        self._decoded: dict[bytes, tuple[Block, bytes]] = {}
        self._arrived: tuple[bytes, tuple[Block, bytes]] | None = None

    def decode(self, payload: bytes) -> tuple[Block, bytes]:
        """See :func:`decode_payload`; failures are not remembered."""
        found = self._find(payload)
        if payload not in self._decoded:
            self.keep(payload, *found)
        return found

    def _find(self, payload: bytes) -> tuple[Block, bytes]:
        found = self._decoded.get(payload)
        if found is None and self._arrived is not None and self._arrived[0] == payload:
            found = self._arrived[1]
        return decode_payload(self._suite, payload, self._known) if found is None else found

    def keep(self, payload: bytes, block: Block, block_hash: bytes) -> None:
        """Remember what ``payload`` encodes."""
        self._decoded[payload] = (block, block_hash)
        while len(self._decoded) > REMEMBERED_PAYLOADS:
            del self._decoded[next(iter(self._decoded))]

    def hash_of(self, payload: bytes) -> bytes:
        """The hash of a payload that has just arrived."""
        self._arrived = payload, self._find(payload)
        return self._arrived[1][1]
