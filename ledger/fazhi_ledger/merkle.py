"""The Merkle log: RFC 6962 §2.1 exactly, over the suite's hash.

::

    MTH({})      = H("")
    MTH({d0})    = H(0x00 ‖ d0)                                   a leaf
    MTH(D[n])    = H(0x01 ‖ MTH(D[0:k]) ‖ MTH(D[k:n]))            k: the largest power of two below n

The two prefixes keep a node from being shown as a leaf, and no leaf is ever doubled, so that a root belongs to one
list only. Leaves are digests (:func:`leaf_hash`) everywhere but in that one function. A proof carries neither its
length nor its directions: both follow from (index, size), and the size itself must come from something signed.

Levels count from the leaves: the node (level, i) covers the leaves i·2^level … (i+1)·2^level − 1. It is *complete*
when all of them exist, and never changes again; only the last node of a level can be incomplete. A level of odd
length hands its last node up as it is, which is the same tree as the RFC's recursion, built without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .canonical import Value
from .errors import EncodingError, InvalidProof
from .limits import MAX_INT
from .shape import as_bytes, as_int, as_tuple
from .suites import DIGEST_BYTES, Suite, prefixed

Hash = Callable[[bytes], bytes]
NodeSource = Callable[[int, int], bytes]
"""``node(level, index)``: the stored digest of a complete subtree."""

MAX_LEVELS = MAX_INT.bit_length()
_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(suite: Suite, data: bytes) -> bytes:
    """The leaf digest H(0x00 ‖ data) of one entry (RFC 6962 §2.1)."""
    return suite.hash(_LEAF + data)


def leaf_hashes(suite: Suite, entries: Iterable[bytes]) -> list[bytes]:
    """The leaf digests of many entries, in their order."""
    return list(map(prefixed(suite, _LEAF), entries))


def node_hash(suite: Suite, left: bytes, right: bytes) -> bytes:
    """The digest H(0x01 ‖ left ‖ right) of an interior node (RFC 6962 §2.1)."""
    return suite.hash(_NODE + left + right)


def _parents(hash_node: Hash, level: Sequence[bytes]) -> list[bytes]:
    """The level above: pairs hashed, a last odd node handed up as it is."""
    pairs = iter(level)
    above = [hash_node(left + right) for left, right in zip(pairs, pairs, strict=False)]
    if len(level) & 1:
        above.append(level[-1])
    return above


def root_of(suite: Suite, leaf_hashes: Sequence[bytes]) -> bytes:
    """The root of the log that holds these leaves, in this order; H("") when there is none (RFC 6962 §2.1)."""
    if len(leaf_hashes) < 2:
        return leaf_hashes[0] if leaf_hashes else suite.hash(b"")
    hash_node = prefixed(suite, _NODE)
    level = leaf_hashes
    while len(level) > 1:
        level = _parents(hash_node, level)
    return level[0]


def root_of_entries(suite: Suite, entries: Sequence[bytes]) -> bytes:
    """:func:`root_of` the entries' leaf digests. A single entry's digest is the root: most batches hold one record."""
    if len(entries) == 1:
        return leaf_hash(suite, entries[0])
    return root_of(suite, leaf_hashes(suite, entries))


class Tree:
    """A log with every level kept: each proof is then a few look-ups and no hashing.

    Building it costs what :func:`root_of` costs, so it is the cheap way to serve many proofs of one block. It is not
    to be altered after it has been built.
    """

    __slots__ = ("_levels", "root", "size")

    def __init__(self, suite: Suite, leaf_hashes: Iterable[bytes]) -> None:
        level = list(leaf_hashes)
        self.size = len(level)
        self._levels = [level]
        hash_node = prefixed(suite, _NODE)
        while len(level) > 1:
            level = _parents(hash_node, level)
            self._levels.append(level)
        self.root = level[0] if level else suite.hash(b"")

    def _node(self, level: int, index: int) -> bytes:
        return self._levels[level][index]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The inclusion proof of leaf ``index``; see :func:`inclusion_proof`."""
        _check_index(index, self.size)
        return _siblings(0, index, self.size, self._node, self._node)

    def consistency_proof(self, old_size: int) -> tuple[bytes, ...]:
        """The proof that the first ``old_size`` leaves are a prefix; see :func:`consistency_proof`."""
        return _consistency(old_size, self.size, self._node, self._node)


def inclusion_proof(suite: Suite, leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of leaf ``index``, from the leaf's sibling upwards (RFC 6962 §2.1.1).

    It hashes the whole log; :class:`Tree` serves many proofs at that price.

    Raises:
        InvalidProof: ``index-out-of-range``.
    """
    _check_index(index, len(leaf_hashes))
    return Tree(suite, leaf_hashes).proof(index)


def consistency_proof(suite: Suite, leaf_hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """The proof that the log of the first ``old_size`` leaves is a prefix of this one (RFC 6962 §2.1.2).

    It is empty for ``old_size`` 0 (every log extends the empty one) and for the whole size.

    Raises:
        InvalidProof: ``size-out-of-range``.
    """
    _check_sizes(old_size, len(leaf_hashes))
    return Tree(suite, leaf_hashes).consistency_proof(old_size)


def inclusion_proof_from(suite: Suite, index: int, size: int, node: NodeSource) -> tuple[bytes, ...]:
    """:func:`inclusion_proof` for a log of ``size`` leaves of which only complete subtrees are stored.

    ``node(level, i)`` is asked for complete subtrees only, about log2(size) times, and may hold a log that has grown
    beyond ``size`` since.

    Raises:
        InvalidProof: ``index-out-of-range``, ``size-out-of-range``.
    """
    _check_index(index, size)
    return _siblings(0, index, size, node, _last_node(suite, size, node))


def consistency_proof_from(suite: Suite, old_size: int, new_size: int, node: NodeSource) -> tuple[bytes, ...]:
    """:func:`consistency_proof` between two sizes of a log of which only complete subtrees are stored.

    Raises:
        InvalidProof: ``size-out-of-range``.
    """
    return _consistency(old_size, new_size, node, _last_node(suite, new_size, node))


def _last_node(suite: Suite, size: int, node: NodeSource) -> NodeSource:
    """The last node of a level in a log of ``size`` leaves, folded from the complete subtrees below it."""

    def last(level: int, index: int) -> bytes:
        begin = index << level
        low = _trailing_zeros(size - begin)
        digest = node(low, (size >> low) - 1)
        end = size - (1 << low)
        while end > begin:
            low = _trailing_zeros(end - begin)
            digest = node_hash(suite, node(low, (end >> low) - 1), digest)
            end -= 1 << low
        return digest

    return last


def _siblings(level: int, index: int, size: int, node: NodeSource, last: NodeSource) -> tuple[bytes, ...]:
    """The siblings met from node (level, index) up to the root; a node handed up alone has none on its level."""
    proof = []
    last_index = (size - 1) >> level
    while last_index:
        sibling = index ^ 1
        if sibling < last_index:
            proof.append(node(level, sibling))
        elif sibling == last_index:
            proof.append(last(level, sibling))
        index >>= 1
        last_index >>= 1
        level += 1
    return tuple(proof)


def _consistency(old_size: int, new_size: int, node: NodeSource, last: NodeSource) -> tuple[bytes, ...]:
    """The largest complete subtree that ends the old log (unless it is all of it), then that node's audit path."""
    _check_sizes(old_size, new_size)
    if old_size in (0, new_size):
        return ()
    level = _trailing_zeros(old_size)
    index = (old_size >> level) - 1
    path = _siblings(level, index, new_size, node, last)
    return (node(level, index), *path) if index else path


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def verify_inclusion(suite: Suite, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the digest ``leaf`` stands at ``index`` in the log of that size and root (RFC 6962 §2.1.1).

    Index, size and root must come from something signed or be compared with it. The proof's length and directions are
    computed, never taken from the prover.

    Raises:
        InvalidProof: ``index-out-of-range``, ``size-out-of-range``, ``proof-length``, ``hash-length``,
            ``root-mismatch``.
    """
    _check_index(index, size)
    inner = (index ^ (size - 1)).bit_length()
    _check_length(proof, inner + (index >> inner).bit_count())
    _check_digests((leaf, root, *proof))
    digest = _climb_inner(suite, leaf, proof[:inner], index)
    if _climb_border(suite, digest, proof[inner:]) != root:
        raise InvalidProof("root-mismatch", what="root")


def verify_consistency(
    suite: Suite, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the log (old_size, old_root) is a prefix of (new_size, new_root) (RFC 6962 §2.1.2).

    The empty log is a prefix of every log, by an empty proof and only with the root H(""); a log is a prefix of
    itself by an empty proof.

    Raises:
        InvalidProof: ``size-out-of-range`` (also when the old log is the longer), ``proof-length``, ``hash-length``,
            ``root-mismatch`` (``what`` says of which root).
    """
    _check_sizes(old_size, new_size)
    _check_digests((old_root, new_root, *proof))
    empty_root = suite.hash(b"")
    for what, size, root in (("old", old_size, old_root), ("new", new_size, new_root)):
        if size == 0 and root != empty_root:
            raise InvalidProof("root-mismatch", what=what)
    if old_size in (0, new_size):
        _check_length(proof, 0)
        if old_size == new_size and old_root != new_root:
            raise InvalidProof("root-mismatch", what="new")
        return
    level = _trailing_zeros(old_size)
    index = (old_size >> level) - 1
    inner = (index ^ ((new_size - 1) >> level)).bit_length()
    # A power of two is one complete subtree: the old root itself is where the path starts. Otherwise the proof brings
    # the start along.
    first = 1 if index else 0
    _check_length(proof, first + inner + (index >> inner).bit_count())
    start = proof[0] if index else old_root
    path, border = proof[first : first + inner], proof[first + inner :]
    # In the old log, only the left siblings existed.
    left = [sibling for position, sibling in enumerate(path) if index >> position & 1]
    if _climb_border(suite, _climb_border(suite, start, left), border) != old_root:
        raise InvalidProof("root-mismatch", what="old")
    if _climb_border(suite, _climb_inner(suite, start, path, index), border) != new_root:
        raise InvalidProof("root-mismatch", what="new")


def _climb_inner(suite: Suite, digest: bytes, siblings: Sequence[bytes], index: int) -> bytes:
    """Fold siblings whose side is the bit of ``index`` on their level."""
    for sibling in siblings:
        digest = node_hash(suite, sibling, digest) if index & 1 else node_hash(suite, digest, sibling)
        index >>= 1
    return digest


def _climb_border(suite: Suite, digest: bytes, siblings: Sequence[bytes]) -> bytes:
    """Fold siblings that all stand on the left."""
    for sibling in siblings:
        digest = node_hash(suite, sibling, digest)
    return digest


def _check_index(index: int, size: int) -> None:
    if type(size) is not int or not 0 <= size <= MAX_INT:
        raise InvalidProof("size-out-of-range")
    if type(index) is not int or not 0 <= index < size:
        raise InvalidProof("index-out-of-range")


def _check_sizes(old_size: int, new_size: int) -> None:
    if type(new_size) is not int or not 0 <= new_size <= MAX_INT:
        raise InvalidProof("size-out-of-range", what="new")
    if type(old_size) is not int or not 0 <= old_size <= new_size:
        raise InvalidProof("size-out-of-range", what="old")


def _check_length(proof: Sequence[bytes], expected: int) -> None:
    if len(proof) != expected:
        raise InvalidProof("proof-length", expected=expected, found=len(proof))


def _check_digests(digests: tuple[bytes, ...]) -> None:
    for digest in digests:
        if type(digest) is not bytes or len(digest) != DIGEST_BYTES:
            raise InvalidProof("hash-length", expected=DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a log: all that is needed to append to it and to know its root.

    ``size`` is the number of leaves; ``peaks`` are the digests of the complete subtrees that make it up, largest
    first, one for each bit set in ``size``. Immutable: appending gives a new frontier.

    Raises:
        EncodingError: ``bad-frontier`` when size and peaks do not belong together.
    """

    size: int
    peaks: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_INT or len(self.peaks) != self.size.bit_count():
            raise EncodingError("bad-frontier", what="peaks", expected=self.size.bit_count(), found=len(self.peaks))
        for peak in self.peaks:
            if type(peak) is not bytes or len(peak) != DIGEST_BYTES:
                raise EncodingError("bad-frontier", what="digest")

    @classmethod
    def empty(cls) -> Frontier:
        """The frontier of the log without leaves."""
        return cls(0, ())

    @classmethod
    def _grown(cls, size: int, peaks: tuple[bytes, ...]) -> Frontier:
        """A frontier whose peaks were checked before or hashed here, all but the last: that may be a leaf."""
        if size > MAX_INT:
            raise EncodingError("bad-frontier", what="size")
        if peaks and (type(peaks[-1]) is not bytes or len(peaks[-1]) != DIGEST_BYTES):
            raise EncodingError("bad-frontier", what="digest")
        grown = cls.__new__(cls)
        object.__setattr__(grown, "size", size)
        object.__setattr__(grown, "peaks", peaks)
        return grown

    def append(self, suite: Suite, leaf: bytes) -> Frontier:
        """The frontier with one more leaf (a leaf digest)."""
        return self.append_many(suite, (leaf,))

    def append_nodes(self, suite: Suite, leaf: bytes) -> tuple[Frontier, tuple[tuple[int, int, bytes], ...]]:
        """:meth:`append`, and (level, index, digest) of every complete subtree finished by the leaf, itself first.

        Stored under (level, index), they are what :func:`inclusion_proof_from` and :func:`consistency_proof_from` ask
        for.
        """
        kept = len(self.peaks)
        carry = leaf
        finished = [(0, self.size, leaf)]
        for level in range(1, _trailing_zeros(~self.size) + 1):
            kept -= 1
            carry = node_hash(suite, self.peaks[kept], carry)
            finished.append((level, self.size >> level, carry))
        return Frontier(self.size + 1, (*self.peaks[:kept], carry)), tuple(finished)

    def append_many(self, suite: Suite, leaf_hashes: Sequence[bytes]) -> Frontier:
        """The frontier with these leaves appended in order."""
        if len(leaf_hashes) == 1 and not self.size & 1:  # as with each new case: nothing is finished, nothing hashed
            return Frontier._grown(self.size + 1, (*self.peaks, leaf_hashes[0]))
        hash_node = prefixed(suite, _NODE)
        peaks = list(self.peaks)
        level, rest = list(leaf_hashes), self.size
        left: list[bytes] = []  # what stays, smallest first
        while level:
            if rest & 1:  # the peak of this level stands before what is new on it
                level.insert(0, peaks.pop())
            if len(level) & 1:
                left.append(level.pop())
            level = _parents(hash_node, level)
            rest >>= 1
        left.reverse()
        return Frontier._grown(self.size + len(leaf_hashes), (*peaks, *left))

    def root(self, suite: Suite) -> bytes:
        """The root of the log, as :func:`root_of` would give it."""
        if not self.peaks:
            return suite.hash(b"")
        return _climb_border(suite, self.peaks[-1], self.peaks[-2::-1])

    def to_value(self) -> Value:
        """``[size, [peak…]]`` for the canonical encoding."""
        return (self.size, self.peaks)

    @classmethod
    def from_value(cls, value: Value) -> Frontier:
        """The frontier of a decoded ``[size, [peak…]]``.

        Raises:
            EncodingError: ``bad-shape``, or ``bad-frontier`` when size and peaks do not belong together.
        """
        size, peaks = as_tuple(value, "frontier", length=2)
        digests = as_tuple(peaks, "frontier peaks", max_length=MAX_LEVELS)
        return cls(
            as_int(size, "frontier size"),
            tuple(as_bytes(peak, "frontier peak", length=DIGEST_BYTES) for peak in digests),
        )
