"""The genesis: what a chain starts from, and the one thing that a verifier must be given out of band (its hash).

The genesis names rule sets and TLS certificates by their hashes; the genesis *file* that members exchange carries
them beside it. A receipt carries only the genesis itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from . import dsse
from .canonical import Value, decode, encode
from .errors import EncodingError, FazhiError, InvalidGenesis
from .keys import Signer
from .limits import (
    MAX_GENESIS_FILE_BYTES,
    MAX_NAME_CHARS,
    MAX_ORG_CHARS,
    MAX_TEXT_CHARS,
    MAX_TIME_MS,
    MAX_VALIDATORS,
)
from .names import NAME, ORG
from .parameters import Parameters
from .shape import as_bytes, as_digest, as_int, as_text, as_tuple, as_version
from .suites import Suite, suite_named
from .validators import Validator, ValidatorSet

GENESIS_VERSION: Final = 1
PROTOCOL_VERSION: Final = 4
"""How blocks are executed. 1 and 2 were those of builds before the first release: the state of the one knew no members'
certificates, the rule sets of the other no working days. Those chains are refused, not misread."""
ENGINE: Final = "pbft"
MAX_OFFICERS: Final = 10_000
MAX_ROLES: Final = 16


def possession_body(genesis_hash: bytes | None, org: str, key: bytes, roles: tuple[str, ...]) -> bytes:
    """What a key signs to prove that its holder asks for this very registration; in a genesis there is no hash yet."""
    return encode((genesis_hash, org, key, roles))


def prove_possession(signer: Signer, genesis_hash: bytes | None, org: str, roles: tuple[str, ...]) -> bytes:
    """The signature over :func:`possession_body` by the key itself."""
    return dsse.sign(signer, dsse.POSSESSION, possession_body(genesis_hash, org, signer.public_key, roles))


def verify_possession(
    suite: Suite, genesis_hash: bytes | None, org: str, key: bytes, roles: tuple[str, ...], proof: bytes
) -> None:
    """Raise :class:`InvalidKey` for a key that must not be registered, :class:`InvalidSignature` for one that did not
    ask for it."""
    suite.check_public_key(key)
    dsse.verify(suite, key, dsse.POSSESSION, possession_body(genesis_hash, org, key, roles), proof)


def tls_fingerprint(certificate_der: bytes) -> bytes:
    """SHA-256 of a TLS certificate's DER: what pins a connection to a member (TLS has its own algorithms, whatever
    the suite)."""
    return hashlib.sha256(certificate_der).digest()


def roles_from_value(value: Value) -> tuple[str, ...]:
    """Role names, sorted and distinct."""
    roles = tuple(as_text(r, "role", MAX_NAME_CHARS, NAME) for r in as_tuple(value, "roles", max_length=MAX_ROLES))
    if list(roles) != sorted(set(roles)):
        raise EncodingError("bad-shape", what="roles", expected="sorted and distinct")
    return roles


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation that runs a validator. Addresses are where it was reached when the chain began; operators may
    override them."""

    org: str
    name_zh: str
    name_en: str
    roles: tuple[str, ...]
    key: bytes
    tls_fingerprint: bytes
    p2p_address: str
    gateway_url: str
    possession: bytes

    def to_value(self) -> Value:
        return (
            self.org,
            self.name_zh,
            self.name_en,
            self.roles,
            self.key,
            self.tls_fingerprint,
            self.p2p_address,
            self.gateway_url,
            self.possession,
        )

    @classmethod
    def from_value(cls, value: Value) -> Member:
        org, name_zh, name_en, roles, key, fingerprint, p2p, url, possession = as_tuple(value, "member", length=9)
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_text(name_zh, "name_zh", MAX_TEXT_CHARS),
            as_text(name_en, "name_en", MAX_TEXT_CHARS),
            roles_from_value(roles),
            as_bytes(key, "key", max_length=128),
            as_digest(fingerprint, "TLS fingerprint"),
            as_text(p2p, "p2p address"),
            as_text(url, "gateway url"),
            as_bytes(possession, "possession", max_length=256),
        )


@dataclass(frozen=True, slots=True)
class Officer:
    """A person's or device's signing key, known only by its key: ``[org, key, [role…], proof of possession]``."""

    org: str
    key: bytes
    roles: tuple[str, ...]
    possession: bytes

    def to_value(self) -> Value:
        return (self.org, self.key, self.roles, self.possession)

    @classmethod
    def from_value(cls, value: Value) -> Officer:
        org, key, roles, possession = as_tuple(value, "officer", length=4)
        return cls(
            as_text(org, "org", MAX_ORG_CHARS, ORG),
            as_bytes(key, "key", max_length=128),
            roles_from_value(roles),
            as_bytes(possession, "possession", max_length=256),
        )


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The chain that this one succeeds: ``[genesis_hash, height, header_hash, state_root]``."""

    genesis_hash: bytes
    height: int
    header_hash: bytes
    state_root: bytes

    def to_value(self) -> Value:
        return (self.genesis_hash, self.height, self.header_hash, self.state_root)

    @classmethod
    def from_value(cls, value: Value) -> Predecessor:
        genesis, height, header, root = as_tuple(value, "predecessor", length=4)
        return cls(
            as_digest(genesis, "genesis hash"),
            as_int(height, "height", low=1),
            as_digest(header, "header hash"),
            as_digest(root, "state root"),
        )


@dataclass(frozen=True, slots=True)
class Genesis:
    """``[version, name, suite, time_ms, parameters, protocol_version, engine, members, officers, rule sets,
    predecessor | nil]``.

    ``rule_sets`` are ``[[procedure, hash]…]``, sorted; a procedure stands there once for each version of its law.
    :meth:`check` looks at what holds between the parts.
    """

    name: str
    suite_name: str
    time_ms: int
    parameters: Parameters
    members: tuple[Member, ...]
    officers: tuple[Officer, ...]
    rule_sets: tuple[tuple[str, bytes], ...]
    predecessor: Predecessor | None = None
    protocol_version: int = PROTOCOL_VERSION
    engine: str = ENGINE

    @property
    def suite(self) -> Suite:
        """The suite that the chain uses."""
        return suite_named(self.suite_name)

    def to_value(self) -> Value:
        return (
            GENESIS_VERSION,
            self.name,
            self.suite_name,
            self.time_ms,
            self.parameters.to_value(),
            self.protocol_version,
            self.engine,
            tuple(member.to_value() for member in self.members),
            tuple(officer.to_value() for officer in self.officers),
            self.rule_sets,
            None if self.predecessor is None else self.predecessor.to_value(),
        )

    @classmethod
    def from_value(cls, value: Value) -> Genesis:
        parts = as_tuple(value, "genesis", length=11)
        as_version(parts[0], "genesis", GENESIS_VERSION)
        _, name, suite, time_ms, parameters, protocol, engine, members, officers, rule_sets, predecessor = parts
        pairs = []
        for pair in as_tuple(rule_sets, "rule sets", max_length=256):
            procedure, digest = as_tuple(pair, "rule set", length=2)
            pairs.append((as_text(procedure, "procedure", MAX_NAME_CHARS, NAME), as_digest(digest, "rule set hash")))
        return cls(
            as_text(name, "name"),
            as_text(suite, "suite", 64),
            as_int(time_ms, "time", high=MAX_TIME_MS),
            Parameters.from_value(parameters),
            tuple(Member.from_value(m) for m in as_tuple(members, "members", max_length=MAX_VALIDATORS)),
            tuple(Officer.from_value(o) for o in as_tuple(officers, "officers", max_length=MAX_OFFICERS)),
            tuple(pairs),
            None if predecessor is None else Predecessor.from_value(predecessor),
            as_int(protocol, "protocol version", low=1),
            as_text(engine, "engine", 16),
        )

    def encode(self) -> bytes:
        return encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Genesis:
        return cls.from_value(decode(data, max_bytes=MAX_GENESIS_FILE_BYTES))

    def hash(self) -> bytes:
        """The genesis hash: the trust root of everything on the chain."""
        return genesis_hash_of(self.suite, self.encode())

    def validator_set(self) -> ValidatorSet:
        """Epoch 0: the members in the order of the genesis."""
        return ValidatorSet(0, 1, tuple(Validator(member.org, member.key) for member in self.members))

    def member(self, org: str) -> Member | None:
        """The member of that organisation id."""
        return next((member for member in self.members if member.org == org), None)

    def check(self) -> None:
        """Raise unless the parts hold together: known engine and protocol, seats and keys distinct, every possession
        proven.

        Raises:
            InvalidGenesis: naming what does not hold and whose it is.
        """
        suite = self.suite
        if self.engine != ENGINE:
            raise InvalidGenesis("unknown-engine", engine=self.engine)
        if self.protocol_version != PROTOCOL_VERSION:
            raise InvalidGenesis("other-protocol", found=self.protocol_version, known=PROTOCOL_VERSION)
        if list(self.rule_sets) != sorted(set(self.rule_sets)):
            raise InvalidGenesis("unsorted-rule-sets")
        self.validator_set()
        orgs = {member.org for member in self.members}
        keys = [member.key for member in self.members] + [officer.key for officer in self.officers]
        if len(set(keys)) != len(keys):
            raise InvalidGenesis("key-stands-twice")
        for member in self.members:
            if "." in member.org:
                raise InvalidGenesis("member-is-a-unit", org=member.org)
            self._check_possession(suite, member.org, member.key, member.roles, member.possession)
        for officer in self.officers:
            if officer.org not in orgs:
                raise InvalidGenesis("officer-of-unknown-org", org=officer.org)
            self._check_possession(suite, officer.org, officer.key, officer.roles, officer.possession)

    @staticmethod
    def _check_possession(suite: Suite, org: str, key: bytes, roles: tuple[str, ...], proof: bytes) -> None:
        try:
            verify_possession(suite, None, org, key, roles, proof)
        except FazhiError as error:
            raise InvalidGenesis("possession-not-proven", org=org, key=key.hex(), reason=error.code) from None


def genesis_hash_of(suite: Suite, genesis_bytes: bytes) -> bytes:
    """The hash of an encoded genesis."""
    return suite.tagged_hash("genesis", genesis_bytes)


def rule_set_hash(suite: Suite, rule_set_bytes: bytes) -> bytes:
    """The hash by which genesis, state and receipts name a compiled rule set."""
    return suite.tagged_hash("rule-set", rule_set_bytes)


@dataclass(frozen=True, slots=True)
class GenesisFile:
    """``[genesis bytes, [rule set bytes…], [certificate DER…]]``: what members exchange; rule sets and certificates
    in the genesis' order."""

    genesis_bytes: bytes
    rule_sets: tuple[bytes, ...]
    certificates: tuple[bytes, ...]

    def encode(self) -> bytes:
        return encode((self.genesis_bytes, self.rule_sets, self.certificates))

    @classmethod
    def decode(cls, data: bytes) -> GenesisFile:
        """Decode and :meth:`check`."""
        genesis, rule_sets, certificates = as_tuple(
            decode(data, max_bytes=MAX_GENESIS_FILE_BYTES), "genesis file", length=3
        )
        file = cls(
            as_bytes(genesis, "genesis"),
            tuple(as_bytes(r, "rule set") for r in as_tuple(rule_sets, "rule sets", max_length=256)),
            tuple(
                as_bytes(c, "certificate") for c in as_tuple(certificates, "certificates", max_length=MAX_VALIDATORS)
            ),
        )
        file.check()
        return file

    @property
    def genesis(self) -> Genesis:
        """The decoded genesis."""
        return Genesis.decode(self.genesis_bytes)

    def hash(self) -> bytes:
        """The genesis hash."""
        return genesis_hash_of(self.genesis.suite, self.genesis_bytes)

    def check(self) -> None:
        """Raise unless genesis, rule sets and certificates belong together.

        Raises:
            InvalidGenesis: see :meth:`Genesis.check`; ``wrong-rule-set``, ``wrong-certificate``.
        """
        genesis = self.genesis
        genesis.check()
        suite = genesis.suite
        if tuple(rule_set_hash(suite, data) for data in self.rule_sets) != tuple(h for _, h in genesis.rule_sets):
            raise InvalidGenesis("wrong-rule-set")
        expected = tuple(member.tls_fingerprint for member in genesis.members)
        if tuple(tls_fingerprint(der) for der in self.certificates) != expected:
            raise InvalidGenesis("wrong-certificate")
