"""Bounds of the storage. Units are the end of each name."""

from __future__ import annotations

from typing import Final

MAX_FORMAT_BYTES: Final = 4096

# LevelDB
WRITE_BUFFER_BYTES: Final = 32 * 1024 * 1024
"""Also what has to be replayed at a start. The larger, the less is written over again; but two of them may be in memory
beside the tables that are being merged, each about as large."""
TABLE_BYTES: Final = 8 * 1024 * 1024
MAX_LEVELDB_LOG_BYTES: Final = 96 * 1024 * 1024
"""A log ends with its write buffer, and the largest batch after it."""
BLOCK_CACHE_BYTES: Final = 32 * 1024 * 1024
OPEN_FILES: Final = 256
BLOOM_BITS: Final = 10

# SQLite
SQLITE_PAGE_BYTES: Final = 8192
SQLITE_CACHE_KIB: Final = 32 * 1024
CHECKPOINT_PAGES: Final = 4000
WAL_KEPT_BYTES: Final = 64 * 1024 * 1024
BUSY_SECONDS: Final = 10.0

# Caches of the chain store
STATE_CACHE_ENTRIES: Final = 65_536
STATE_CACHE_BYTES: Final = 32 * 1024 * 1024
PAGE_CACHE_ENTRIES: Final = 65_536
PAGE_CACHE_BYTES: Final = 64 * 1024 * 1024
HASH_CACHE_ENTRIES: Final = 4096
HASH_CACHE_BYTES: Final = 4 * 1024 * 1024
RESULTS_KEPT: Final = 4
"""Blocks whose results are kept decoded."""
LATE_CERTIFICATES: Final = 64
"""Grown certificates that wait for the next block's batch."""
SCAN_ROWS: Final = 64
SCAN_BYTES: Final = 256 * 1024
"""Pairs of a scan that are read at once, and bytes from which on there are no more of them."""

# Vote log
GUARD_EVERY_MS: Final = 1000
"""How often, at most, decided heights are noted in the guard: a restored copy of the data that lacks older votes is
noticed. Each note is one more sync, which on a busy machine costs a turn of the scheduler."""
PREALLOCATED_BYTES: Final = 4 * 1024 * 1024
"""Zeros written ahead: a vote then changes no length, and its fdatasync writes no journal."""
ROTATE_BYTES: Final = 3 * 1024 * 1024
"""Forgotten bytes after which the log is written anew."""
MAX_VOTE_BYTES: Final = 64 * 1024 * 1024
MAX_VOTE_LOG_BYTES: Final = 1024 * 1024 * 1024
