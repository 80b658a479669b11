"""Block headers (spec/header.md).

The round is not in the header: a block re-proposed in a later round keeps its hash (Linea Maru hashed the round into
the block and forked).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Final

from .canonical import Value, decode, encode
from .limits import MAX_HEADER_BYTES, MAX_INT, MAX_ORG_CHARS, MAX_TIME_MS
from .names import ORG
from .shape import as_digest, as_int, as_text, as_tuple, as_version
from .suites import Suite

HEADER_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a block commits to. Roots and hashes are 32 bytes; ``time_ms`` is Unix time in milliseconds, the
    proposer's word.

    ``state_root`` is that after the block; ``history_root`` is the RFC 6962 root over the leaves before it: leaf 0
    the genesis hash, leaf i the header hash of height i, so ``height`` leaves in all. Height 1's parent is the
    genesis hash. ``validators_hash`` names the set that certifies this block, ``next_validators_hash`` the one that
    certifies the next; ``rules_hash`` covers protocol version, parameters, installed rule sets and calendars in the
    state before it.
    """

    genesis_hash: bytes
    height: int
    parent_hash: bytes
    time_ms: int
    proposer: str
    submission_count: int
    submissions_root: bytes
    results_root: bytes
    state_root: bytes
    history_root: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    rules_hash: bytes
    _encoded: list[bytes] = field(init=False, compare=False, repr=False, default_factory=list)

    def to_value(self) -> Value:
        return (HEADER_VERSION, *_values_of(self))

    @classmethod
    def from_value(cls, value: Value) -> Header:
        parts = as_tuple(value, "header", length=len(HEADER_FIELDS) + 1)
        as_version(parts[0], "header", HEADER_VERSION)
        (genesis, height, parent, time_ms, proposer, count, *digests) = parts[1:]
        return cls(
            as_digest(genesis, "genesis hash"),
            as_int(height, "height", low=1, high=MAX_INT - 1),
            as_digest(parent, "parent hash"),
            as_int(time_ms, "time", high=MAX_TIME_MS),
            as_text(proposer, "proposer", MAX_ORG_CHARS, ORG),
            as_int(count, "submission count"),
            *(as_digest(digest, name) for digest, name in zip(digests, HEADER_FIELDS[6:], strict=True)),
        )

    def encode(self) -> bytes:
        """The canonical bytes, worked out once: a header is hashed, sent and stored."""
        if not self._encoded:
            self._encoded.append(encode(self.to_value()))
        return self._encoded[0]

    @classmethod
    def decode(cls, data: bytes) -> Header:
        header = cls.from_value(decode(data, max_bytes=MAX_HEADER_BYTES))
        header._encoded.append(bytes(data))
        return header

    def hash(self, suite: Suite) -> bytes:
        """The block's hash: what votes and certificates name."""
        return suite.tagged_hash("header", self.encode())

    def first_difference(self, other: Header) -> str | None:
        """Name of the first field in which two headers differ."""
        return next((name for name in HEADER_FIELDS if getattr(self, name) != getattr(other, name)), None)


HEADER_FIELDS: Final = tuple(part.name for part in fields(Header) if part.init)
_values_of: Final = attrgetter(*HEADER_FIELDS)
