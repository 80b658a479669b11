"""Commit certificates: what shows, to anyone and offline, that the validators decided a block (spec/certificate.md).

A certificate is q or more COMMIT signatures by distinct validators over ``[genesis_hash, height, round,
block_hash]``, all of one and the same round: commits of different rounds do not add up, even for the same block.
Every signature in it must be valid; none is ignored (CVE-2020-15091 counted signatures that were never checked), each
is bound to its validator's index, and signers are counted, not signatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from . import dsse
from .canonical import Value, decode, encode, pack
from .errors import InvalidCertificate, InvalidSignature
from .limits import MAX_CERTIFICATE_BYTES, MAX_VALIDATORS
from .shape import as_bytes, as_digest, as_int, as_text, as_tuple
from .suites import Suite
from .validators import ValidatorSet

PBFT: Final = "pbft"
"""The kind of this engine's certificates; another engine's may stand beside under a name of its own."""


def vote_body(genesis_hash: bytes, height: int, round_: int, block_hash: bytes) -> bytes:
    """``[genesis_hash, height, round, block_hash]``: signed by PRE-PREPARE, PREPARE and COMMIT, each under its own
    payload type."""
    return pack((genesis_hash, height, round_, block_hash))


@dataclass(frozen=True, slots=True)
class CommitCertificate:
    """``[kind, height, round, block_hash, [[validator index, signature]…]]``, indices strictly increasing.

    Raises:
        InvalidCertificate: ``unknown-certificate-kind`` or ``unordered-signers``.
    """

    height: int
    round: int
    block_hash: bytes
    signatures: tuple[tuple[int, bytes], ...]
    kind: str = PBFT

    def __post_init__(self) -> None:
        if self.kind != PBFT:
            raise InvalidCertificate("unknown-certificate-kind", kind=self.kind)
        if any(a[0] >= b[0] for a, b in zip(self.signatures, self.signatures[1:], strict=False)):
            raise InvalidCertificate("unordered-signers")

    @property
    def signers(self) -> tuple[int, ...]:
        """Indices of the validators that signed."""
        return tuple(index for index, _ in self.signatures)

    def to_value(self) -> Value:
        return (self.kind, self.height, self.round, self.block_hash, self.signatures)

    @classmethod
    def from_value(cls, value: Value) -> CommitCertificate:
        kind, height, round_, block_hash, entries = as_tuple(value, "certificate", length=5)
        signatures = []
        for entry in as_tuple(entries, "signatures", max_length=MAX_VALIDATORS):
            index, signature = as_tuple(entry, "signature", length=2)
            signatures.append((as_int(index, "signer"), as_bytes(signature, "signature", max_length=256)))
        return cls(
            as_int(height, "height", low=1),
            as_int(round_, "round"),
            as_digest(block_hash, "block hash"),
            tuple(signatures),
            as_text(kind, "certificate kind", 16),
        )

    def encode(self) -> bytes:
        return encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> CommitCertificate:
        return cls.from_value(decode(data, max_bytes=MAX_CERTIFICATE_BYTES))

    def check_signers(self, validators: ValidatorSet) -> None:
        """The cheap half of :meth:`verify`: a quorum of known, distinct validators, before any signature is looked at.

        Raises:
            InvalidCertificate: ``unknown-signer`` or ``no-quorum``.
        """
        for index in self.signers:
            if index >= len(validators):
                raise InvalidCertificate("unknown-signer", signer=index, validators=len(validators))
        if len(self.signatures) < validators.quorum:
            raise InvalidCertificate("no-quorum", signers=len(self.signatures), quorum=validators.quorum)

    def signed_message(self, genesis_hash: bytes) -> bytes:
        """The message that every signature in the certificate is over."""
        return dsse.pae(dsse.COMMIT, vote_body(genesis_hash, self.height, self.round, self.block_hash))

    def verify(self, suite: Suite, genesis_hash: bytes, validators: ValidatorSet) -> None:
        """Raise unless a quorum of ``validators`` signed COMMIT for this block, in one round, and every signature is
        valid.

        Raises:
            InvalidCertificate: ``unknown-signer``, ``no-quorum`` or ``bad-commit-signature``.
        """
        self.check_signers(validators)
        message = self.signed_message(genesis_hash)
        for index, signature in self.signatures:
            try:
                suite.verify(validators.validators[index].key, message, signature)
            except InvalidSignature as error:
                member = validators.validators[index].member
                raise InvalidCertificate("bad-commit-signature", member=member, reason=error.code) from None

    def verify_for(
        self, suite: Suite, genesis_hash: bytes, validators: ValidatorSet, height: int, block_hash: bytes
    ) -> None:
        """:meth:`verify`, and that the certificate is for that very block.

        Raises:
            InvalidCertificate: also ``certificate-of-another-block``.
        """
        if self.height != height or self.block_hash != block_hash:
            raise InvalidCertificate("certificate-of-another-block", height=height, certified_height=self.height)
        self.verify(suite, genesis_hash, validators)
