"""Bounds of the consensus core; the unit is the end of each name. Everything a peer can make grow has its bound here.

What one height holds, n being the number of validators: ``KEPT_VOTE_ROUNDS`` votes for each validator and phase, one
ROUND-CHANGE for each validator (its highest), at most n + 2 blocks, and for the next height one message for each
validator and kind.
"""

from __future__ import annotations

from typing import Final

from fazhi_ledger.limits import MAX_BLOCK_BYTES

MAX_PAYLOAD_BYTES: Final = MAX_BLOCK_BYTES
"""Largest encoded block."""
MAX_SIGNATURE_BYTES: Final = 128
MAX_MESSAGE_BYTES: Final = MAX_PAYLOAD_BYTES + 2 * 1024 * 1024
"""Largest message: a block with q justified ROUND-CHANGEs beside it (0.6 MiB at 86 of 128 validators with 64-byte
signatures).
"""
MAX_RECORD_BYTES: Final = 2 * MAX_MESSAGE_BYTES
"""Largest record of the vote log: what one step signed, with at most two blocks beside it."""
MAX_RECORD_ENTRIES: Final = 256
"""Most bodies signed in one step."""
MAX_EVIDENCE_BYTES: Final = 4096

KEPT_VOTE_ROUNDS: Final = 4
"""Rounds for which one validator's votes of one phase are kept, its highest ones: more votes only push out the same
validator's older ones.
"""
KEPT_OWN_ROUNDS: Final = 64
"""Rounds of this height for which we remember what we signed, to recognise a vote of ours that we did not sign."""
MAX_BLOCKS_SERVED: Final = 8
"""Blocks that one validator is sent on request within one of our rounds: a request is small, its answer is not."""
KEPT_CERTIFICATES: Final = 4
"""Decided heights whose certificates still take late commits."""

MAX_TIMER_MS: Final = 3_600_000
MAX_DOUBLINGS: Final = 32
"""Rounds are not capped; the exponent of their timers is."""
