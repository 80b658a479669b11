"""The state tree as a node keeps it: pages, the update of a whole block, and the making of proofs.

What the tree *is* (digests, proofs, their verification) stands in :mod:`fazhi_ledger.stateproof` and is offered here
too. A *page* holds four levels of it: the 16 subtrees four bits further down, one to each slot. A slot is empty, or a
leaf, or the digest of a child page. A page's path is the key bits above it, one byte to each group of four, 0 to 15;
the root page's path is empty. Which pages there are follows from the set of leaves alone:

- the page of a path is there exactly when at least two leaves stand under it; a single leaf stands in the slot of the
  page above, and nothing stands below it;
- the root page has no page above: it is there as soon as there is one leaf, and holds a single leaf in the slot of the
  leaf's first four bits.

Pages are addressed by path, not by digest, so that an update overwrites in place, needs no collection of garbage, and
reads and writes each page once (``peers.md``, "What an operation costs").

A page's bytes: the format (1); for each quarter of four slots one byte of kinds, two bits a slot, the first slot
highest (0 empty, 1 leaf, 2 child); then the quarters, each being its own digest if it has at least two leaves, followed
by what its slots hold, in order: key hash and value hash of a leaf, digest of a child. One page has one encoding. The
digests of the quarters are kept only to spare hashing: a changed slot costs 6 hashes a page rather than 15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from .errors import EncodingError, InvariantBroken, invariant
from .stateproof import (
    EMPTY,
    LEAF_PREFIX,
    MAX_DEPTH_BITS,
    NODE_PREFIX,
    StateProof,
    key_hash_of,
    value_hash_of,
    verify_absence,
    verify_absence_of_hash,
    verify_presence,
    verify_presence_of_hashes,
)
from .suites import DIGEST_BYTES, Suite

__all__ = [
    "EMPTY",
    "MemoryPages",
    "PageSource",
    "StateProof",
    "TreeUpdate",
    "check_page",
    "find",
    "key_hash_of",
    "prove",
    "root_of_tree",
    "update",
    "value_hash_of",
    "verify_absence",
    "verify_absence_of_hash",
    "verify_presence",
    "verify_presence_of_hashes",
]

PAGE_FORMAT = 1
PATH_MAX = MAX_DEPTH_BITS // 4 - 1
"""Longest path of a page: the slots of a page there are told apart by the last four bits of a key."""

_LEAF_BYTES = 2 * DIGEST_BYTES
_HEAD_BYTES = 5
_NIBBLES = tuple(bytes((nibble,)) for nibble in range(16))

Node = bytes
"""A subtree, told by its length: b"" without leaves, 64 bytes (key hash ‖ value hash) with one, else its digest.

A leaf is hashed only where it ends up, beside another subtree: so a subtree that shrinks to one leaf collapses by
itself.
"""


class PageSource(Protocol):
    """Where pages are read from. A page that was once written must come back as it was."""

    def get_page(self, path: bytes) -> bytes | None:
        """The page of that path (key bits above it, four to a byte), or nothing if there is none."""


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """What a set of changes makes of the tree: the new root, and the pages to write (bytes) or to delete (``None``).

    Pages that stay as they are do not appear. The order of ``pages`` follows from the changes alone.
    """

    root: bytes
    pages: dict[bytes, bytes | None]


class MemoryPages:
    """Pages in a dictionary: for tests, tools and auditors."""

    def __init__(self) -> None:
        self.pages: dict[bytes, bytes] = {}

    def get_page(self, path: bytes) -> bytes | None:
        return self.pages.get(path)

    def apply(self, update: TreeUpdate) -> None:
        """Write and delete what the update says."""
        for path, page in update.pages.items():
            if page is None:
                del self.pages[path]
            else:
                self.pages[path] = page


# --- pages ---


_Layout = tuple[int, int, Callable[[bytes], tuple[bytes, ...]]]
"""What one byte of kinds says of its quarter: bytes of the whole, bytes of its node, and how to part the whole.

A quarter's bytes begin with its node in every case: with nothing, with its one leaf, or with its digest. The parts are
that digest (or b"") and the four slots.
"""


def _layout(kinds: int) -> _Layout | None:
    """The layout of a quarter, or nothing if there is no such kind of slot."""
    pairs = [kinds >> shift & 3 for shift in (6, 4, 2, 0)]
    if 3 in pairs:
        return None
    lengths = [(0, _LEAF_BYTES, DIGEST_BYTES)[pair] for pair in pairs]
    several = sum(pairs) > 1  # two leaves, or a child, which has two by itself
    quarter = Struct("".join(f"{length}s" for length in (DIGEST_BYTES if several else 0, *lengths)))
    return quarter.size, DIGEST_BYTES if several else sum(lengths), quarter.unpack


_LAYOUTS = tuple(_layout(kinds) for kinds in range(256))
_KINDS = {
    tuple(map(len, layout[2](bytes(layout[0]))[1:])): kinds
    for kinds, layout in enumerate(_LAYOUTS)
    if layout is not None
}


def _split(page: bytes) -> tuple[list[bytes], list[Node]]:
    """The four quarters of a page, unopened, and the node that each says it is.

    Raises:
        EncodingError: ``bad-page``.
    """
    if len(page) < _HEAD_BYTES or page[0] != PAGE_FORMAT:
        raise EncodingError("bad-page", what="format")
    quarters: list[bytes] = []
    nodes: list[Node] = []
    start = _HEAD_BYTES
    for kinds in page[1:_HEAD_BYTES]:
        layout = _LAYOUTS[kinds]
        if layout is None:
            raise EncodingError("bad-page", what="kind")
        size, node_bytes, _ = layout
        quarter = page[start : start + size]
        quarters.append(quarter)
        nodes.append(quarter[:node_bytes])
        start += size
    if start != len(page):
        raise EncodingError("bad-page", what="length")
    return quarters, nodes


def _part(kinds: int, quarter: bytes) -> list[Node]:
    """The four slots of a quarter."""
    layout = _LAYOUTS[kinds]
    if layout is None:
        raise InvariantBroken("the kinds of a page that was split are known")
    return list(layout[2](quarter)[1:])


def _pair(hash_: Callable[[bytes], bytes], left: Node, right: Node) -> Node:
    """The node of two halves."""
    if left and right:
        if len(left) == _LEAF_BYTES:
            left = hash_(LEAF_PREFIX + left)
        if len(right) == _LEAF_BYTES:
            right = hash_(LEAF_PREFIX + right)
        return hash_(NODE_PREFIX + left + right)
    if len(left) == DIGEST_BYTES:
        return hash_(NODE_PREFIX + left + EMPTY)
    if len(right) == DIGEST_BYTES:
        return hash_(NODE_PREFIX + EMPTY + right)
    return left or right


def _digest(suite: Suite, node: Node) -> bytes:
    """The digest of a subtree."""
    return suite.hash(LEAF_PREFIX + node) if len(node) == _LEAF_BYTES else node or EMPTY


def check_page(suite: Suite, path: bytes, page: bytes) -> list[list[Node]]:
    """The five levels of the page of that path, from its 16 slots up to the one node that it is as a whole.

    This is the strict decoder. Reading a page in order to change it checks no more than its form.

    Raises:
        EncodingError: ``bad-page`` for an unknown format or kind, a wrong length, a leaf that does not belong under
            the path, an empty child, a child below the last bit, a quarter's digest that does not match, or a page
            that should not be there.
    """
    quarters, nodes = _split(page)
    slots = [slot for kinds, quarter in zip(page[1:], quarters, strict=False) for slot in _part(kinds, quarter)]
    leaves = children = 0
    for nibble, node in enumerate(slots):
        if len(node) == _LEAF_BYTES:
            leaves += 1
            place = path + _NIBBLES[nibble]
            if node.hex()[: len(place)] != place.hex()[1::2]:
                raise EncodingError("bad-page", what="a leaf of another path")
        elif node:
            children += 1
            if node == EMPTY:
                raise EncodingError("bad-page", what="an empty child")
    if children and len(path) == PATH_MAX:
        raise EncodingError("bad-page", what="a child below the last bit")
    if not children and leaves < (2 if path else 1):
        raise EncodingError("bad-page", what="too few leaves")
    levels = [slots]
    while len(levels[-1]) > 1:
        halves = iter(levels[-1])
        levels.append([_pair(suite.hash, left, right) for left, right in zip(halves, halves, strict=True)])
    if levels[2] != nodes:
        raise EncodingError("bad-page", what="a quarter's digest")
    return levels


class _Page:
    """A page under change: quarters are parted when a slot of theirs is first asked for."""

    __slots__ = ("kinds", "nodes", "opened", "quarters")

    def __init__(self, page: bytes | None) -> None:
        self.opened: list[list[Node] | None] = [None, None, None, None]
        if page is None:
            self.kinds = bytearray(4)
            self.quarters = [b"", b"", b"", b""]
            self.nodes = [b"", b"", b"", b""]
        else:
            self.quarters, self.nodes = _split(page)
            self.kinds = bytearray(page[1:_HEAD_BYTES])

    def slots(self, number: int) -> list[Node]:
        """The four slots of a quarter; what is put there counts after :meth:`close`."""
        slots = self.opened[number]
        if slots is None:
            slots = self.opened[number] = _part(self.kinds[number], self.quarters[number])
        return slots

    def close(self, hash_: Callable[[bytes], bytes]) -> Node:
        """Take up what was put into the slots; the node that the page is as a whole."""
        nodes = self.nodes
        for number, slots in enumerate(self.opened):
            if slots is not None:
                first, second, third, fourth = slots
                node = _pair(hash_, _pair(hash_, first, second), _pair(hash_, third, fourth))
                nodes[number] = node
                self.kinds[number] = _KINDS[len(first), len(second), len(third), len(fourth)]
                held = b"".join(slots)
                self.quarters[number] = node + held if len(node) == DIGEST_BYTES else held
        return _pair(hash_, _pair(hash_, nodes[0], nodes[1]), _pair(hash_, nodes[2], nodes[3]))

    def encode(self) -> bytes:
        """The page's bytes."""
        return b"".join((_FORMAT, self.kinds, *self.quarters))


_FORMAT = bytes((PAGE_FORMAT,))


def root_of_tree(suite: Suite, source: PageSource) -> bytes:
    """The root of the tree, from its root page alone; 32 zero bytes for the empty tree.

    Raises:
        InvariantBroken: the root page is damaged.
    """
    return _digest(suite, _read(b"", source.get_page(b"")).close(suite.hash))


def _read(path: bytes, page: bytes | None) -> _Page:
    """A stored page. One that is not of ours stops the node: our own disk gave it to us."""
    invariant(page is not None or not path, "state page is missing")
    try:
        return _Page(page)
    except EncodingError as error:
        raise InvariantBroken(f"state page {path.hex()} is damaged: {error}") from error


# --- update ---

Change = tuple[bytes, Node]
"""A key hash and the leaf to stand there, or b"" for none."""


def update(suite: Suite, source: PageSource, changes: Mapping[bytes, bytes | None]) -> TreeUpdate:
    """What the tree of ``source`` becomes when each key hash is set to its value hash, or removed (``None``).

    One pass over the changes in the order of their keys; each page on the way is read once and, if it differs, written
    once. Removing what is not there, or setting what stands there already, changes nothing and writes nothing.

    Raises:
        InvariantBroken: a hash is not 32 bytes long, or a page is missing or damaged.
    """
    ordered: list[Change] = []
    for key_hash in sorted(changes):
        value_hash = changes[key_hash]
        leaf = b"" if value_hash is None else key_hash + value_hash
        invariant(len(key_hash) == DIGEST_BYTES and len(leaf) in (0, _LEAF_BYTES), "hashes are 32 bytes long")
        ordered.append((key_hash, leaf))
    writer = _Writer(suite.hash, source)
    root = writer.change_page(b"", ordered)
    if root is None:
        return TreeUpdate(root_of_tree(suite, source), {})
    return TreeUpdate(_digest(suite, root), writer.pages)


class _Writer:
    """One update under way: reads pages, collects those to write."""

    __slots__ = ("get_page", "hash", "pages")

    def __init__(self, hash_: Callable[[bytes], bytes], source: PageSource) -> None:
        self.hash = hash_
        self.get_page = source.get_page
        self.pages: dict[bytes, bytes | None] = {}

    def change_page(self, path: bytes, changes: Sequence[Change]) -> Node | None:
        """Apply changes, all under ``path``, to a stored page; the node that it then is, or nothing if it stays."""
        page = _read(path, self.get_page(path))
        changed = False
        for nibble, group in _grouped(changes, len(path)):
            slots = page.slots(nibble >> 2)
            old = slots[nibble & 3]
            new: Node | None
            if len(old) == DIGEST_BYTES:
                new = self.change_page(path + _NIBBLES[nibble], group)
            else:
                new = self.change_slot(path + _NIBBLES[nibble], old, group)
            if new is not None and new != old:
                slots[nibble & 3] = new
                changed = True
        return self.write(path, page) if changed else None

    def change_slot(self, below: bytes, old: Node, changes: Sequence[Change]) -> Node:
        """Apply changes to a slot that holds at most one leaf."""
        if len(changes) == 1 and (not old or old.startswith(changes[0][0])):
            return changes[0][1]
        leaves = dict(changes)
        if old:
            leaves.setdefault(old[:DIGEST_BYTES], old)
        return self.build(below, sorted((key, leaf) for key, leaf in leaves.items() if leaf))

    def build(self, path: bytes, leaves: Sequence[Change]) -> Node:
        """The subtree of these leaves where no page stood before: its pages are noted, its node returned."""
        if len(leaves) < 2:
            return leaves[0][1] if leaves else b""
        page = _Page(None)
        for nibble, group in _grouped(leaves, len(path)):
            page.slots(nibble >> 2)[nibble & 3] = self.build(path + _NIBBLES[nibble], group)
        return self.write(path, page)

    def write(self, path: bytes, page: _Page) -> Node:
        """Note the page as it is now, or that it is no more; the node that it is."""
        node = page.close(self.hash)
        there = len(node) == DIGEST_BYTES if path else bool(node)
        self.pages[path] = page.encode() if there else None
        return node


def _grouped(changes: Sequence[Change], depth: int) -> list[tuple[int, Sequence[Change]]]:
    """Sorted changes by the four key bits at ``depth`` (counted in fours), in order."""
    byte, shift = depth >> 1, 0 if depth & 1 else 4
    if len(changes) == 1:
        return [(changes[0][0][byte] >> shift & 15, changes)]
    groups: list[tuple[int, Sequence[Change]]] = []
    start = 0
    current = changes[0][0][byte] >> shift & 15 if changes else 0
    for position, (key, _) in enumerate(changes):
        nibble = key[byte] >> shift & 15
        if nibble != current:
            groups.append((current, changes[start:position]))
            current, start = nibble, position
    if changes:
        groups.append((current, changes[start:]))
    return groups


# --- looking up ---


def find(source: PageSource, key_hash: bytes) -> bytes | None:
    """The value hash that stands under a key hash, nothing where none does. Pages are taken for what they say.

    Raises:
        InvariantBroken: the key hash is not 32 bytes long, or a page is missing or damaged.
    """
    invariant(len(key_hash) == DIGEST_BYTES, "a key hash is 32 bytes")
    path = b""
    while True:
        nibble = key_hash[len(path) >> 1] >> (0 if len(path) & 1 else 4) & 15
        slot = _read(path, source.get_page(path)).slots(nibble >> 2)[nibble & 3]
        if len(slot) != DIGEST_BYTES:
            return slot[DIGEST_BYTES:] if slot.startswith(key_hash) else None
        path += _NIBBLES[nibble]


# --- proofs ---


Seen = dict[bytes, list[list[Node]]]
"""Pages that were checked, taken apart, by their paths."""


def prove(suite: Suite, source: PageSource, key_hash: bytes, seen: Seen | None = None) -> StateProof:
    """The proof of what stands under a key hash: of presence if a leaf does, else of absence. Whoever asks for many of
    one and the same state hands in the same ``seen``, empty at first: a page that several need is checked once.

    Every page on the way is hashed and compared with the slot above it, so that a damaged store shows here and never
    in a verifier's hands; the root page's digest is for the caller to compare with the header's state root.

    Raises:
        InvariantBroken: the key hash is not 32 bytes long, or a page is missing, damaged, or not the one that
            its parent names.
    """
    invariant(len(key_hash) == DIGEST_BYTES, "a key hash is 32 bytes")
    siblings: list[bytes] = []
    path = b""
    expected: Node | None = None
    seen = {} if seen is None else seen
    while True:
        if path not in seen:
            page = source.get_page(path)
            if page is None:
                invariant(not path, f"state page {path.hex()} is missing")
                return StateProof((), None)
            seen[path] = _checked(suite, path, page)
        levels = seen[path]
        node = levels[-1][0]
        invariant(expected is None or node == expected, f"state page {path.hex()} is not the one its parent names")
        depth = len(path)
        nibble = key_hash[depth >> 1] >> (0 if depth & 1 else 4) & 15
        for shift in (3, 2, 1, 0):
            if len(node) != DIGEST_BYTES:
                break
            level = levels[shift]
            siblings.append(_digest(suite, level[nibble >> shift ^ 1]))
            node = level[nibble >> shift]
        if len(node) != DIGEST_BYTES:
            return StateProof(tuple(siblings), _terminal(node, key_hash))
        path += _NIBBLES[nibble]
        expected = node


def _terminal(node: Node, key_hash: bytes) -> tuple[bytes, bytes] | None:
    """The leaf that a proof must show: that of another key, where the path ends."""
    if not node or node.startswith(key_hash):
        return None
    return node[:DIGEST_BYTES], node[DIGEST_BYTES:]


def _checked(suite: Suite, path: bytes, page: bytes) -> list[list[Node]]:
    try:
        return check_page(suite, path, page)
    except EncodingError as error:
        raise InvariantBroken(f"state page {path.hex()} is damaged: {error}") from error
