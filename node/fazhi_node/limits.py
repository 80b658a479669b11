"""Bounds of one node: what it holds, sends and waits for. None is replicated; a chain's own limits are its parameters.

Units are the end of each name. Everything a peer or a client can make grow has its bound here.
"""

from __future__ import annotations

from typing import Final

# Peer frames
MAX_FRAME_BYTES: Final = 20 * 1024 * 1024
"""Largest frame: one block of the largest size with its certificate and the justifications of a round change."""
MAX_FRAME_MESSAGES: Final = 1024
MAX_FRAME_DEPTH: Final = 6
MAX_CONSENSUS_MESSAGE_BYTES: Final = 18 * 1024 * 1024
MAX_GOSSIP_BYTES: Final = 2 * 1024 * 1024
"""Items are coalesced up to this many bytes a message (a single larger item goes alone)."""
MAX_GOSSIP_ITEMS: Final = 512
MAX_PEER_CHECKING_MESSAGES: Final = 256
"""Consensus messages of one peer whose signatures are being verified; more are dropped (the sender repeats what
matters).
"""
MAX_PEER_CHECKING_BYTES: Final = 64 * 1024 * 1024

PATIENCE: Final = 4_000
"""What a peer may send at once before it is not heard for a while: a message takes one, ``REFUSED_ITEMS`` refused items
take one, a fault takes ``FAULT_COST``, a stream ``STREAM_COST``. An honest validator sends some three messages a block.
"""
PATIENCE_PER_S: Final = 1_000
"""What comes back of it each second."""
FAULT_COST: Final = 60
FAULT_BYTES: Final = 1024
"""Of a consensus message that is a fault so many bytes take one more: a large one may have been decoded to find out."""
PROPOSALS_DECODED: Final = 2
"""Different proposals of one round that are decoded: the second proves its proposer's guilt."""
PROPOSAL_DECODED_TIMES: Final = 4
"""How often each of them is, where it was not kept: after a reconnection it is said again."""
STREAM_COST: Final = 60
"""What a stream takes that the peer opens: it costs us half a millisecond and more. An honest peer opens some ten a
second at most, where each breaks at once.
"""
REFUSED_ITEMS: Final = 4
MUTE_MS: Final = 5_000
"""How long a peer is not heard that went beyond it, doubled each time up to ``BAN_MAX_MS``."""
HELD_MS: Final = 60_000
"""After a while in which nothing of a peer was read, as much is borne at once as comes back in that while, or in this:
it had to hold its messages, some 20,000 frames at most.
"""
FORGIVE_MS: Final = 3_600_000
"""Who went beyond it, or was banned, and did not for so long after, is treated as if it were the first time."""

# Admission
MAX_SUBMIT_ITEMS: Final = 2048
"""Items in one call of ``submit``."""
MAX_CLIENT_CHECKING_ITEMS: Final = 4096
"""Items of one client (or peer) whose signatures are being verified."""
MAX_CHECKING_ITEMS: Final = 16_384
MAX_CHECKING_BYTES: Final = 64 * 1024 * 1024
BUSY_RETRY_MS: Final = 500

# Mempool
MEMPOOL_ITEMS: Final = 20_000
MEMPOOL_BYTES: Final = 128 * 1024 * 1024
MEMPOOL_KEY_ITEMS: Final = 5_000
REGOSSIP_MS: Final = 2_000
"""Items that wait longer are sent to everyone again, and again after twice that, and so on."""
BUSY_REGOSSIP_MS: Final = 10_000
"""While full blocks keep coming, only what waits so long is sent again."""
REGOSSIP_ITEMS: Final = 512
GOSSIP_DELAY_MS: Final = 5
"""Under load items for everyone are gathered for so long."""
QUARANTINE_ITEMS: Final = 1024
REMEMBERED_EQUATIONS: Final = 65_536
"""Signature equations known to hold, most recent last."""

# Blocks
CUT_DELAY_MS: Final = 4
"""Under load a proposer waits this long for more, unless the block is full enough."""
CUT_LOAD_ITEMS: Final = 16
"""A parent of at least this many submissions means load."""
LISTEN_MS: Final = 5_000
"""How long after its start a node waits to hear how far others are, before it proposes."""
LISTEN_AGAIN_MS: Final = 20
PROPOSAL_WORK: Final = 3_000
"""Items and records of one proposal of ours: what a slow machine executes well within the first round's timer. A larger
single batch stands in a block of its own."""
CANDIDATES: Final = 8
"""Executed but undecided blocks that are kept for their decision."""
REBUILD_ATTEMPTS: Final = 8

# Peers and state transfer
LOG_EVERY_S: Final = 10
"""What one peer does wrong again and again is logged this often."""
STATUS_PERIOD_MS: Final = 1_000
STATUS_DELAY_MS: Final = 50
"""A new height is told with the next broadcast, or by itself after this."""
PEER_SILENT_MS: Final = 5_000
"""A connected peer that said nothing for so long counts as missing."""
SYNC_GRACE_MS: Final = 300
"""How long a validator one block behind waits for its own decision before it asks."""
SYNC_TIMEOUT_MS: Final = 3_000
SYNC_BLOCKS: Final = 64
"""Blocks asked for in one request."""
SYNC_BYTES: Final = 4 * 1024 * 1024
"""Bytes after which an answer ends (one block at least)."""
SYNC_CHECKING_BYTES: Final = 256 * 1024
"""Bytes of blocks under check, from which on no further one is looked at (nor from ``SYNC_BLOCKS`` blocks on)."""
SYNC_SERVED_PER_S: Final = 40
"""Requests of one peer that are answered within a second."""
BAN_MS: Final = 30_000
BAN_MAX_MS: Final = 3_600_000
VOUCH_MS: Final = 100
"""Least time between two answers to one peer that asks how far we are."""
DECIDED_ANSWER_MS: Final = 500
"""Least time between two unasked answers to one peer about decided heights."""

# Snapshots
SNAPSHOT_S: Final = 3_600.0
"""How long one may be read at most: so long its view keeps on the disk what is replaced meanwhile."""
SNAPSHOT_STALL_S: Final = 60.0
"""How long its reader may take nothing of it."""

# Progress
STALLED_MS: Final = 15_000
"""Work waited so long without a decision: the chain is stalled, and readiness says so."""
OPEN_BLOCKS: Final = 4
"""Blocks that are kept decoded, with their trees, for the proofs that are asked for right after a decision."""
OPEN_BLOCK_BYTES: Final = 8 * 1024 * 1024
"""Bytes of their submissions; decoded they take a few times as much."""
OPEN_BATCHES: Final = 4
"""Items of an open block whose records' trees are kept."""
CASES_PAGE: Final = 100
"""Most cases that one query lists, each with its head and proof: they take the loop about two hundredths of a
second."""
SERIES_PAGE: Final = 1000
"""Most series of cases that one query names."""
PROPOSALS_PAGE: Final = 100
"""Most proposals that one query lists; a rule set's holds the whole of it."""
EVENTS_PAGE: Final = 1000
"""Most events, blocks or results that one query answers."""
