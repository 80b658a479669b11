"""Entries of the state, each with strict encode and decode. Every entry starts with its version.

A case's entry is in :mod:`fazhi_contracts.head`; validator sets and parameters are the ledger's own types.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.genesis import roles_from_value
from fazhi_ledger.limits import MAX_NAME_CHARS, MAX_ORG_CHARS, MAX_TEXT_CHARS
from fazhi_ledger.names import NAME, ORG
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.shape import as_bytes, as_int, as_text, as_tuple, as_version

ENTRY_VERSION: Final = 1
MAX_ENTRY_BYTES: Final = 64 * 1024
MAX_PROCEDURES: Final = 256

MEMBER_ROLE: Final = "member"
"""The role of a member's ledger key: it alone registers and revokes officers. No officer may have it."""


def decode_entry(data: bytes, what: str, length: int) -> tuple[Value, ...]:
    """The parts of an entry of that many parts, its version aside."""
    parts = as_tuple(decode(data, max_bytes=MAX_ENTRY_BYTES), what, length=length + 1)
    as_version(parts[0], what, ENTRY_VERSION)
    return parts[1:]


@dataclass(frozen=True, slots=True)
class OrgEntry:
    """An organisation: ``[version, org, name_zh, name_en, parent | nil, roles, registered_height]``."""

    org: str
    name_zh: str
    name_en: str
    parent: str | None
    roles: tuple[str, ...]
    registered_height: int

    def encode(self) -> bytes:
        return pack(
            (ENTRY_VERSION, self.org, self.name_zh, self.name_en, self.parent, self.roles, self.registered_height)
        )

    @classmethod
    def decode(cls, data: bytes) -> OrgEntry:
        org, name_zh, name_en, parent, roles, height = decode_entry(data, "org entry", 6)
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_text(name_zh, "name", MAX_TEXT_CHARS),
            as_text(name_en, "name", MAX_TEXT_CHARS),
            None if parent is None else as_text(parent, "parent", MAX_ORG_CHARS, ORG),
            roles_from_value(roles),
            as_int(height, "registered height"),
        )


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key: ``[version, org, roles, registered_height, revoked_height | nil]``.

    A key registered by block h signs from h + 1 on; one revoked by block h signs last in h.
    """

    org: str
    roles: tuple[str, ...]
    registered_height: int
    revoked_height: int | None = None

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.org, self.roles, self.registered_height, self.revoked_height))

    @classmethod
    def decode(cls, data: bytes) -> KeyEntry:
        org, roles, registered, revoked = decode_entry(data, "key entry", 4)
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            roles_from_value(roles),
            as_int(registered, "registered height"),
            None if revoked is None else as_int(revoked, "revoked height"),
        )


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """How a member is reached: ``[version, org, certificate DER, p2p_address, gateway_url, left_height | nil]``.

    ``left_height`` is where a vote last removed it: no key of its organisation registered at or below that height signs
    anything afterwards, even where the organisation comes back.
    """

    org: str
    certificate: bytes
    p2p_address: str
    gateway_url: str
    left_height: int | None = None

    def encode(self) -> bytes:
        return pack(
            (ENTRY_VERSION, self.org, self.certificate, self.p2p_address, self.gateway_url, self.left_height)
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> MemberEntry:
        org, certificate, p2p_address, gateway_url, left = decode_entry(data, "member entry", 5)
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_bytes(certificate, "certificate"),
            as_text(p2p_address, "p2p address"),
            as_text(gateway_url, "gateway url"),
            None if left is None else as_int(left, "left height", low=1),
        )


@slotted
class LaneEntry:
    """A lane: ``[version, next_seq, voided]``; ``voided`` counts the seqs that ``lane.void`` gave up."""

    next_seq: int
    voided: int = 0

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.next_seq, self.voided))

    @classmethod
    def decode(cls, data: bytes) -> LaneEntry:
        next_seq, voided = decode_entry(data, "lane entry", 2)
        return cls(as_int(next_seq, "next seq", low=1), as_int(voided, "voided"))


@slotted
class Counter:
    """A number that counts up: ``[version, value]``. Lanes of a key, serials of a year, the protocol version."""

    value: int

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.value))

    @classmethod
    def decode(cls, data: bytes) -> Counter:
        (value,) = decode_entry(data, "counter", 1)
        return cls(as_int(value, "counter", low=1))


@dataclass(frozen=True, slots=True)
class ProceduresEntry:
    """Names of all procedures with a rule set, sorted: ``[version, [name…]]``."""

    names: tuple[str, ...]

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.names))

    @classmethod
    def decode(cls, data: bytes) -> ProceduresEntry:
        (names,) = decode_entry(data, "procedures entry", 1)
        return cls(
            tuple(
                as_text(name, "procedure", MAX_NAME_CHARS, NAME)
                for name in as_tuple(names, "procedures", max_length=MAX_PROCEDURES)
            )
        )


@dataclass(frozen=True, slots=True)
class ParametersEntry:
    """The chain's parameters: ``[version, [[name, value]…]]``."""

    parameters: Parameters

    def encode(self) -> bytes:
        return pack((ENTRY_VERSION, self.parameters.to_value()))

    @classmethod
    def decode(cls, data: bytes) -> ParametersEntry:
        (pairs,) = decode_entry(data, "parameters entry", 1)
        return cls(Parameters.from_value(pairs))


# Entries that few bytes make and every block reads. Equal bytes share one entry; none is ever changed.
decoded_key = lru_cache(maxsize=4096)(KeyEntry.decode)
decoded_member = lru_cache(maxsize=256)(MemberEntry.decode)
decoded_procedures = lru_cache(maxsize=16)(ProceduresEntry.decode)
decoded_parameters = lru_cache(maxsize=16)(ParametersEntry.decode)
