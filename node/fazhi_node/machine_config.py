"""What makes a node this node: the machine's settings."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from fazhi_consensus.timers import TimerPolicy
from fazhi_ledger.keys import Signer

from .frames import NONCE_BYTES
from .limits import MEMPOOL_BYTES, MEMPOOL_ITEMS, MEMPOOL_KEY_ITEMS


def _new_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """``signer`` is the member's ledger key, None for a node that only follows; ``nonce`` tells this process from all
    before it (a simulation gives its own)."""

    org: str
    signer: Signer | None
    timers: TimerPolicy = field(default_factory=TimerPolicy)
    mempool_items: int = MEMPOOL_ITEMS
    mempool_bytes: int = MEMPOOL_BYTES
    mempool_key_items: int = MEMPOOL_KEY_ITEMS
    nonce: bytes = field(default_factory=_new_nonce)
