"""A second suite, of other sizes and another hash, that proves the seam: nothing outside the suite may assume Ed25519
or SHA-256.

Its signatures are keyed hashes with the public key as the key, so anyone can forge them; it is a test's suite and
nothing else.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from functools import partial
from typing import Final

from fazhi_ledger.errors import InvalidKey, InvalidSignature


class ToySuite:
    """BLAKE2s digests; 33-byte keys; 65-byte signatures that differ each time, as SM2's and ECDSA's do."""

    name: Final = "toy-blake2s"
    hash_name: Final = "blake2s"
    public_key_bytes: Final = 33
    signature_bytes: Final = 65

    def __init__(self) -> None:
        self._nonces = itertools.count()

    def hash(self, data: bytes) -> bytes:
        return hashlib.blake2s(data).digest()

    def tagged_hash(self, tag: str, data: bytes) -> bytes:
        return self.hash(b"fazhi/" + tag.encode("ascii") + b"\0" + data)

    def check_public_key(self, public_key: bytes) -> None:
        if len(public_key) != 33:
            raise InvalidKey("bad-key-length", bytes=len(public_key))

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        if len(signature) != 65 or signature[33:] != self._tag(public_key, signature[:33], message):
            raise InvalidSignature("bad-signature")

    def generate_secret(self) -> bytes:
        return self.hash(b"secret %d" % next(self._nonces))

    def public_key_of(self, secret: bytes) -> bytes:
        return b"\x02" + self.hash(secret)

    def sign(self, secret: bytes, message: bytes) -> bytes:
        nonce = (next(self._nonces)).to_bytes(33, "big")
        return nonce + self._tag(self.public_key_of(secret), nonce, message)

    def signing(self, secret: bytes) -> Callable[[bytes], bytes]:
        return partial(self.sign, secret)

    def _tag(self, public_key: bytes, nonce: bytes, message: bytes) -> bytes:
        return self.hash(public_key + nonce + message)
