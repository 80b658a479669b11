"""Cryptographic suites: one hash and one signature algorithm behind one interface, fixed for a chain in its genesis.

``ed25519-sha256`` follows RFC 8032 with the verdicts of the strictest libraries: a non-canonical or low-order A or R
is refused before the library sees it, so that every library gives one verdict (C2SP/CCTV's 914 vectors split four
libraries 577 times otherwise; one verdict per signature is what keeps a chain from forking). A public key must
moreover have prime order; that is checked once, where the key is registered.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Final, Protocol

from .errors import InvalidKey, InvalidSignature

DIGEST_BYTES: Final = 32


class Suite(Protocol):
    """Hashing and signing of one chain. Digests are 32 bytes in every suite."""

    @property
    def name(self) -> str:
        """Name of the suite as the genesis states it."""

    @property
    def hash_name(self) -> str:
        """Name of the hash, as it stands beside a file's digest."""

    @property
    def public_key_bytes(self) -> int:
        """Length of a public key."""

    @property
    def signature_bytes(self) -> int:
        """Length of a signature."""

    def hash(self, data: bytes) -> bytes:
        """The digest of ``data``."""

    def tagged_hash(self, tag: str, data: bytes) -> bytes:
        """The digest of ``"fazhi/" tag 0x00 data``: one tag per kind of object, so that no two kinds ever share a
        preimage."""

    def check_public_key(self, public_key: bytes) -> None:
        """Raise :class:`InvalidKey` unless the key may be registered (a point of prime order, canonically encoded)."""

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Raise :class:`InvalidSignature` unless ``signature`` over ``message`` is valid under ``public_key``."""

    def generate_secret(self) -> bytes:
        """A new secret key from the system's randomness."""

    def public_key_of(self, secret: bytes) -> bytes:
        """The public key of a secret key."""

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """A signature over ``message``."""

    def signing(self, secret: bytes) -> Callable[[bytes], bytes]:
        """:meth:`sign` with one secret key, made ready once for many messages."""


_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493

# The y coordinates of the eight points of low order (RFC 7748 §7; the same list as libsodium's has_small_order), with
# and without the sign bit. Encodings with y >= p are refused as non-canonical, so that only y < p need to be listed.
_LOW_ORDER_Y: Final = (
    0,
    1,
    _P - 1,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
)
_LOW_ORDER: Final = frozenset((y | sign << 255).to_bytes(32, "little") for y in _LOW_ORDER_Y for sign in (0, 1))
_HIGH_BYTES: Final = frozenset({0x7F, 0xFF})
_SUSPECT_BYTES: Final = _HIGH_BYTES.union(encoded[31] for encoded in _LOW_ORDER)
"""The last byte of any point that could be refused: one point in 32 has it."""


def _check_point(encoded: bytes) -> str | None:
    """The reason to refuse an encoded point, or nothing: cheap byte comparisons, no arithmetic on the curve."""
    if encoded[31] not in _SUSPECT_BYTES:
        return None
    if encoded in _LOW_ORDER:
        return "low-order"
    # y >= p needs a last byte of 7f or ff: the comparison of integers is rarely reached.
    if encoded[31] in _HIGH_BYTES and (int.from_bytes(encoded, "little") & ((1 << 255) - 1)) >= _P:
        return "non-canonical"
    return None


def _after(prefix: bytes) -> Callable[[bytes], bytes]:
    """SHA-256 of ``prefix`` and what is given: to copy the state after the prefix is cheaper than to begin."""
    copy = hashlib.sha256(prefix).copy

    def hash_(data: bytes) -> bytes:
        state = copy()
        state.update(data)
        return state.digest()

    return hash_


_TAGGED: Final[dict[str, Callable[[bytes], bytes]]] = {}
_PREFIXED: Final[dict[bytes, Callable[[bytes], bytes]]] = {}
"""By tag and by prefix: there are as many as kinds of objects."""


class Ed25519Sha256:
    """Ed25519 (RFC 8032) over SHA-256 digests (FIPS 180-4)."""

    name: Final = "ed25519-sha256"
    hash_name: Final = "sha256"
    public_key_bytes: Final = 32
    signature_bytes: Final = 64

    def hash(self, data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def tagged_hash(self, tag: str, data: bytes) -> bytes:
        hash_ = _TAGGED.get(tag)
        if hash_ is None:
            hash_ = _TAGGED[tag] = _after(b"fazhi/" + tag.encode("ascii") + b"\0")
        return hash_(data)

    def check_public_key(self, public_key: bytes) -> None:
        from nacl.bindings import crypto_core_ed25519_is_valid_point

        if len(public_key) != 32:
            raise InvalidKey("bad-key-length", bytes=len(public_key))
        reason = _check_point(public_key)
        if reason is not None:
            raise InvalidKey("weak-key", reason=reason)
        # libsodium: on the curve, canonical, not of small order, and on the main subgroup.
        if not crypto_core_ed25519_is_valid_point(public_key):
            raise InvalidKey("weak-key", reason="not of prime order")

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        if len(public_key) != 32 or len(signature) != 64:
            raise InvalidSignature("bad-signature-length")
        if _check_point(public_key) is not None or (
            signature[31] in _SUSPECT_BYTES and _check_point(signature[:32]) is not None
        ):
            raise InvalidSignature("weak-point")
        if signature[63] >= 0x10 and int.from_bytes(signature[32:], "little") >= _L:  # L is little above 2^252
            raise InvalidSignature("bad-scalar")
        open_, refusal = _opener()
        try:
            open_(signature + message, public_key)
        except refusal:
            raise InvalidSignature("bad-signature") from None

    def generate_secret(self) -> bytes:
        from secrets import token_bytes

        return token_bytes(32)

    def public_key_of(self, secret: bytes) -> bytes:
        from nacl.bindings import crypto_sign_seed_keypair

        if len(secret) != 32:
            raise InvalidKey("bad-secret-length", bytes=len(secret))
        public_key: bytes = crypto_sign_seed_keypair(secret)[0]
        return public_key

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return self.signing(secret)(message)

    def signing(self, secret: bytes) -> Callable[[bytes], bytes]:
        from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

        if len(secret) != 32:
            raise InvalidKey("bad-secret-length", bytes=len(secret))
        # Half of what a signature costs. Derived here and held by the closure alone: signing under another public key
        # than the secret's own would give the secret away.
        expanded: bytes = crypto_sign_seed_keypair(secret)[1]

        def sign(message: bytes) -> bytes:
            signed: bytes = crypto_sign(message, expanded)
            return signed[:64]

        return sign


@functools.cache
def _opener() -> tuple[Callable[[bytes, bytes], object], type[Exception]]:
    """PyNaCl's check of a signature, and what it raises: imported when a first signature is looked at, since that takes
    its time, and found again at once."""
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    return crypto_sign_open, BadSignatureError


ED25519_SHA256: Final[Suite] = Ed25519Sha256()
_SUITES: Final[dict[str, Suite]] = {ED25519_SHA256.name: ED25519_SHA256}


def prefixed(suite: Suite, prefix: bytes) -> Callable[[bytes], bytes]:
    """The suite's digest of ``prefix ‖ data`` as a function of ``data``, for hashing many."""
    if type(suite) is Ed25519Sha256:
        found = _PREFIXED.get(prefix)
        if found is None:
            found = _PREFIXED[prefix] = _after(prefix)
        return found
    hash_ = suite.hash
    return lambda data: hash_(prefix + data)


def suite_named(name: str) -> Suite:
    """The suite of that name.

    Raises:
        InvalidKey: ``unknown-suite``.
    """
    suite = _SUITES.get(name)
    if suite is None:
        raise InvalidKey("unknown-suite", suite=name)
    return suite
