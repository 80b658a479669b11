"""The simulated application: blocks that say on what they build, who built them, and whether they are valid at all."""

from __future__ import annotations

import hashlib

from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.shape import as_bool, as_digest, as_int, as_tuple


def build_block(height: int, parent: bytes, proposer: int, nonce: int, valid: bool = True) -> bytes:
    """An encoded block."""
    return encode((height, parent, proposer, nonce, valid))


def block_hash_of(payload: bytes) -> bytes:
    """The hash of an encoded block; it binds every byte."""
    as_tuple(decode(payload), "block", length=5)
    return hashlib.sha256(b"block" + payload).digest()


def check_block(payload: bytes, height: int, parent: bytes, proposer: int | None) -> None:
    """Raise :class:`InvalidBlock` unless the block may follow ``parent``; ``proposer`` is who must have built it, if
    that matters.
    """
    at, before, builder, _, valid = as_tuple(decode(payload), "block", length=5)
    if as_int(at, "height") != height or as_digest(before, "parent") != parent or not as_bool(valid, "valid"):
        raise InvalidBlock("bad-block", height=height)
    if proposer is not None and as_int(builder, "proposer") != proposer:
        raise InvalidBlock("bad-proposer", height=height)
