"""Records of the vote log: everything that one step signed, with what a restart needs to go on from it.

``[version, genesis_hash, [[message, [[sender, signature]…], block | nil]…]]``. A COMMIT stands with its q PREPAREs and
its block; a ROUND-CHANGE as the signed body alone, since its proof is that of the COMMIT; a PRE-PREPARE whole. A block
that already stands in an earlier entry of the same height is not written again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fazhi_ledger.canonical import decode, pack
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_VALIDATORS
from fazhi_ledger.shape import as_bytes, as_digest, as_tuple, as_version

from .errors import InvalidVoteRecord
from .limits import MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES, MAX_RECORD_BYTES, MAX_RECORD_ENTRIES
from .messages import Commit, Message, Prepare, PrePrepare, RoundChange, pairs_of, prepares_of
from .wire import decode_message, decode_pairs, encode_message

RECORD_VERSION: Final = 1

OwnMessage = PrePrepare | Prepare | Commit | RoundChange


@dataclass(frozen=True, slots=True)
class Entry:
    """One body that we signed. ``prepares`` and ``payload`` stand beside a COMMIT; the payload is None where an earlier
    entry has it.
    """

    message: OwnMessage
    prepares: tuple[Prepare, ...] = ()
    payload: bytes | None = None


def encode_record(genesis_hash: bytes, entries: tuple[Entry, ...]) -> bytes:
    """One record: the entries of one step, in the order in which they were signed."""
    values = tuple((encode_message(entry.message), pairs_of(entry.prepares), entry.payload) for entry in entries)
    return pack((RECORD_VERSION, genesis_hash, values))


def decode_record(genesis_hash: bytes, data: bytes) -> tuple[Entry, ...]:
    """The entries of a record.

    Raises:
        InvalidVoteRecord: ``malformed-record``, or ``record-of-another-chain``.
    """
    try:
        version, chain, values = as_tuple(decode(data, max_bytes=MAX_RECORD_BYTES), "record", length=3)
        as_version(version, "record", RECORD_VERSION)
        if as_digest(chain, "genesis hash") != genesis_hash:
            raise InvalidVoteRecord("record-of-another-chain")
        entries = []
        for value in as_tuple(values, "entries", max_length=MAX_RECORD_ENTRIES):
            message, pairs, payload = as_tuple(value, "entry", length=3)
            entries.append(
                _entry(
                    decode_message(as_bytes(message, "message", max_length=MAX_MESSAGE_BYTES), MAX_VALIDATORS),
                    decode_pairs(pairs, MAX_VALIDATORS),
                    None if payload is None else as_bytes(payload, "block", max_length=MAX_PAYLOAD_BYTES),
                )
            )
    except EncodingError as error:
        raise InvalidVoteRecord("malformed-record", reason=error.code) from None
    return tuple(entries)


def _entry(message: Message, pairs: tuple[tuple[int, bytes], ...], payload: bytes | None) -> Entry:
    match message:
        case Commit():
            return Entry(message, prepares_of(message.round, message.block_hash, message.height, pairs), payload)
        case PrePrepare() | Prepare() | RoundChange() if not pairs and payload is None:
            return Entry(message)
        case _:
            raise InvalidVoteRecord("malformed-record", reason="not an entry of ours")
