"""The state tree as a verifier sees it: digests, and proofs of presence and absence.

The tree is a map from 32-byte key hashes to 32-byte value hashes, a binary trie over the bits of the key hash, most
significant first, in which a subtree hashes to

::

    no leaf         32 zero bytes
    one leaf        H(0x11 ‖ key_hash ‖ value_hash)        whatever the depth: the leaf stands as high as it can
    more leaves     H(0x12 ‖ left ‖ right)                 the half whose next key bit is 0, the half whose bit is 1

so that the root is a function of the set of pairs alone, however it came about. 0x11 and 0x12 are the tree's own: no
preimage here is also one of the Merkle log (0x00, 0x01; RFC 6962 §2.1), and a leaf is never also a node.

A proof is the siblings on the way from the root down to where the key's path ends, and, where it ends at *another*
key's leaf, that leaf. Everything else (sides, depth of each sibling, prefixes, hash) is computed by the verifier: a
prover that may choose any of it forges (ICS-23 "Dragonberry", BNB bridge 2022; ``safety.md`` §3). There is at most
one proof of each fact.
"""

from __future__ import annotations

from dataclasses import dataclass

from .canonical import Value
from .errors import InvalidProof
from .shape import as_bytes, as_tuple
from .suites import DIGEST_BYTES, Suite

EMPTY = bytes(DIGEST_BYTES)
"""The digest of a subtree without leaves, and so the root of the empty tree."""
MAX_DEPTH_BITS = 8 * DIGEST_BYTES
"""Bits of a key hash: the deepest a leaf can stand."""
LEAF_PREFIX = b"\x11"
NODE_PREFIX = b"\x12"


def key_hash_of(suite: Suite, key: bytes) -> bytes:
    """The place of a state key in the tree."""
    return suite.tagged_hash("state-key", key)


def value_hash_of(suite: Suite, value: bytes) -> bytes:
    """What the tree holds of a state value."""
    return suite.tagged_hash("state-value", value)


@dataclass(frozen=True, slots=True)
class StateProof:
    """What leads from a root to a key's place.

    ``siblings`` are the digests beside the path, from the root downwards, 32 bytes each (:data:`EMPTY` for a subtree
    without leaves), at most 256. ``terminal`` is ``(key_hash, value_hash)`` of the one leaf that stands where the path
    of an absent key ends, or nothing: for a present key, and for a path that ends in an empty subtree.

    Raises:
        InvalidProof: ``proof-too-deep``, ``hash-length``, ``empty-last-sibling``: a leaf, or an empty place, beside an
            empty subtree would have stood one level higher.
    """

    siblings: tuple[bytes, ...]
    terminal: tuple[bytes, bytes] | None

    def __post_init__(self) -> None:
        if type(self.siblings) is not tuple or len(self.siblings) > MAX_DEPTH_BITS:
            raise InvalidProof("proof-too-deep", limit=MAX_DEPTH_BITS)
        for digest in self.siblings:
            _check_digest(digest, "sibling")
        if self.siblings and self.siblings[-1] == EMPTY:
            raise InvalidProof("empty-last-sibling", depth=len(self.siblings))
        if self.terminal is not None:
            if type(self.terminal) is not tuple or len(self.terminal) != 2:
                raise InvalidProof("hash-length", what="terminal")
            for digest in self.terminal:
                _check_digest(digest, "terminal")

    def to_value(self) -> Value:
        """``[[sibling…], [key_hash, value_hash] | nil]`` for the canonical encoding."""
        return (self.siblings, self.terminal)

    @classmethod
    def from_value(cls, value: Value) -> StateProof:
        """The proof of a decoded value.

        Raises:
            EncodingError: ``bad-shape``.
            InvalidProof: as the constructor.
        """
        siblings, terminal = as_tuple(value, "state proof", length=2)
        digests = tuple(
            as_bytes(sibling, "sibling", length=DIGEST_BYTES)
            for sibling in as_tuple(siblings, "siblings", max_length=MAX_DEPTH_BITS)
        )
        if terminal is None:
            return cls(digests, None)
        key_hash, value_hash = as_tuple(terminal, "terminal", length=2)
        return cls(
            digests,
            (
                as_bytes(key_hash, "terminal key", length=DIGEST_BYTES),
                as_bytes(value_hash, "terminal value", length=DIGEST_BYTES),
            ),
        )


def verify_presence(suite: Suite, root: bytes, key: bytes, value: bytes, proof: StateProof) -> None:
    """Check that the state under ``root`` maps ``key`` to ``value`` (both as stored, not hashed).

    Raises:
        InvalidProof: ``hash-length``, ``unexpected-terminal``, ``root-mismatch``.
    """
    verify_presence_of_hashes(suite, root, key_hash_of(suite, key), value_hash_of(suite, value), proof)


def verify_presence_of_hashes(suite: Suite, root: bytes, key_hash: bytes, value_hash: bytes, proof: StateProof) -> None:
    """:func:`verify_presence` for a verifier that holds the hashes only."""
    _check_digest(root, "root")
    _check_digest(key_hash, "key")
    _check_digest(value_hash, "value")
    if proof.terminal is not None:
        raise InvalidProof("unexpected-terminal")
    _climb(suite, root, key_hash, suite.hash(LEAF_PREFIX + key_hash + value_hash), proof)


def verify_absence(suite: Suite, root: bytes, key: bytes, proof: StateProof) -> None:
    """Check that the state under ``root`` holds nothing under ``key`` (as stored, not hashed).

    Raises:
        InvalidProof: ``hash-length``, ``terminal-is-the-key`` (the leaf shown is the very key), ``terminal-elsewhere``
            (the leaf shown does not share the path), ``proof-too-deep``, ``root-mismatch``.
    """
    verify_absence_of_hash(suite, root, key_hash_of(suite, key), proof)


def verify_absence_of_hash(suite: Suite, root: bytes, key_hash: bytes, proof: StateProof) -> None:
    """:func:`verify_absence` for a verifier that holds the key's hash only."""
    _check_digest(root, "root")
    _check_digest(key_hash, "key")
    depth = len(proof.siblings)
    if depth == MAX_DEPTH_BITS:
        # Beside the last bit there is room for one other leaf only, and a leaf alone stands higher.
        raise InvalidProof("proof-too-deep", limit=MAX_DEPTH_BITS - 1)
    if proof.terminal is None:
        _climb(suite, root, key_hash, EMPTY, proof)
        return
    other_key, other_value = proof.terminal
    if other_key == key_hash:
        raise InvalidProof("terminal-is-the-key")
    if (int.from_bytes(other_key, "big") ^ int.from_bytes(key_hash, "big")) >> (MAX_DEPTH_BITS - depth):
        raise InvalidProof("terminal-elsewhere", depth=depth)
    _climb(suite, root, key_hash, suite.hash(LEAF_PREFIX + other_key + other_value), proof)


def _climb(suite: Suite, root: bytes, key_hash: bytes, digest: bytes, proof: StateProof) -> None:
    """Fold the siblings, deepest first, on the sides that the key's bits say; the result must be the root."""
    hash_ = suite.hash
    path = int.from_bytes(key_hash, "big") >> (MAX_DEPTH_BITS - len(proof.siblings))
    for sibling in reversed(proof.siblings):
        digest = hash_(NODE_PREFIX + sibling + digest) if path & 1 else hash_(NODE_PREFIX + digest + sibling)
        path >>= 1
    if digest != root:
        raise InvalidProof("root-mismatch", what="root")


def _check_digest(digest: bytes, what: str) -> None:
    if type(digest) is not bytes or len(digest) != DIGEST_BYTES:
        raise InvalidProof("hash-length", what=what)
