"""Bounds of the ledger floor. Replicated limits (batch size, lanes, times) are chain parameters, see
:mod:`fazhi_ledger.parameters`."""

from __future__ import annotations

from typing import Final

MAX_DEPTH: Final = 12
"""Deepest nesting of arrays in any canonical value."""
MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Largest canonical value that is decoded without a tighter bound of its own."""
UNCOUNTED_BYTES: Final = 1024
FREE_VALUES: Final = 256
BYTES_PER_VALUE: Final = 16
"""What strangers and peers send holds, above 1024 bytes, at most 256 values and one for each 16 bytes more; the densest
that is well-formed, a round change's proofs, has one for each 23."""
MAX_GENESIS_FILE_BYTES: Final = 4 * 1024 * 1024
MAX_ITEM_BYTES: Final = 4 * 1024 * 1024
MAX_BLOCK_BYTES: Final = 16 * 1024 * 1024
MAX_HEADER_BYTES: Final = 1024
MAX_CERTIFICATE_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 64 * 1024
"""Largest signed submission body."""
MAX_RECORD_BYTES: Final = 8 * 1024
MAX_RESULT_BYTES: Final = 32 * 1024
MAX_RECEIPT_BYTES: Final = 4 * 1024 * 1024
MAX_ARCHIVE_FRAME_BYTES: Final = MAX_BLOCK_BYTES + MAX_CERTIFICATE_BYTES + 64

MAX_VALIDATORS: Final = 128
MAX_SIGNER_KEYS: Final = 16
"""Hard cap of the format; the chain's own, lower, limit is a parameter."""
MAX_RECORDS_PER_ITEM: Final = 10_000
RECORDS_KEPT_DECODED: Final = 4
"""Largest batch whose decoded records an item keeps."""
BATCHES_KEPT_DECODED: Final = 16
"""Larger batches that stay decoded: those seen last, from their admission to their execution."""
MAX_COMMITMENTS: Final = 1024
"""Most commitments (files and fields) that stand under one record."""
MAX_CLEAR_FIELDS: Final = 16
MAX_REFS: Final = 64
MAX_FINDINGS: Final = 64
MAX_ORG_CHARS: Final = 64
MAX_CODE_CHARS: Final = 48
MAX_NAME_CHARS: Final = 64
MAX_TEXT_CHARS: Final = 256
MAX_HANDOVERS: Final = 10_000
"""Most changes of the validator set that one receipt carries."""
MAX_TIME_MS: Final = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: later times cannot be printed."""
MAX_INT: Final = 2**63 - 1
