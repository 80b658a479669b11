"""Signers and key files.

A :class:`Signer` is all that the rest of the house knows of a secret key: a file's key here, a token or an HSM
elsewhere. Key files are encrypted PKCS#8 (RFC 5958) in PEM, readable by openssl. This module turns bytes into keys
and keys into bytes; reading files is done above.
"""

from __future__ import annotations

from typing import Protocol

from .errors import InvalidKey
from .suites import ED25519_SHA256, Suite


class Signer(Protocol):
    """Something that signs with one key."""

    @property
    def public_key(self) -> bytes:
        """The public key, as the suite encodes it."""

    def sign(self, message: bytes) -> bytes:
        """A signature over ``message``."""


class SoftwareSigner:
    """A signer that holds its secret key in memory."""

    __slots__ = ("_secret", "_sign", "_suite", "public_key")

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self._suite = suite
        self._secret = secret
        self._sign = suite.signing(secret)
        self.public_key: bytes = suite.public_key_of(secret)

    @classmethod
    def generate(cls, suite: Suite) -> SoftwareSigner:
        """A signer with a new key."""
        return cls(suite, suite.generate_secret())

    def __repr__(self) -> str:
        return f"SoftwareSigner({self.public_key.hex()[:16]}…)"

    def sign(self, message: bytes) -> bytes:
        return self._sign(message)

    def to_pem(self, passphrase: bytes | None) -> bytes:
        """The key as PKCS#8 PEM, encrypted under ``passphrase``; in the clear only where it is None (devices of a
        test network).

        Raises:
            InvalidKey: ``empty-passphrase``, or ``no-key-file`` where the suite has no such format yet.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            KeySerializationEncryption,
            NoEncryption,
            PrivateFormat,
        )

        if self._suite.name != ED25519_SHA256.name:
            raise InvalidKey("no-key-file", suite=self._suite.name)
        if passphrase == b"":
            raise InvalidKey("empty-passphrase")
        encryption: KeySerializationEncryption = (
            NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        )
        return Ed25519PrivateKey.from_private_bytes(self._secret).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, encryption
        )

    @classmethod
    def from_pem(cls, suite: Suite, pem: bytes, passphrase: bytes | None) -> SoftwareSigner:
        """The signer of a key file.

        Raises:
            InvalidKey: ``needs-passphrase``, ``wrong-passphrase``, ``not-encrypted`` (a passphrase was given for a
                clear key),
                ``malformed-key-file`` or ``wrong-key-type``.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            load_pem_private_key,
        )

        encrypted = b"ENCRYPTED" in pem
        if encrypted and not passphrase:
            raise InvalidKey("needs-passphrase")
        if not encrypted and passphrase is not None:
            raise InvalidKey("not-encrypted")
        try:
            key = load_pem_private_key(pem, passphrase)
        except UnsupportedAlgorithm:
            raise InvalidKey("wrong-key-type", expected=suite.name) from None
        except (TypeError, ValueError):
            raise InvalidKey("wrong-passphrase" if encrypted else "malformed-key-file") from None
        if not isinstance(key, Ed25519PrivateKey) or suite.name != ED25519_SHA256.name:
            raise InvalidKey("wrong-key-type", expected=suite.name)
        return cls(suite, key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
