"""The state tree's pages: the root and the pages are functions of the set alone, each page is read and written once."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest
from fazhi_ledger import statetree
from fazhi_ledger.errors import EncodingError, InvalidProof, InvariantBroken
from fazhi_ledger.statetree import EMPTY, MemoryPages, check_page, prove, root_of_tree, update
from fazhi_ledger.suites import Ed25519Sha256
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.statetree_model import (
    BLOCKS,
    PAIRS,
    SEEDS,
    SUITE,
    ZERO,
    built,
    key_hashes,
    naive_paths,
    naive_root,
    near,
    refused,
    sha256,
)

KEY = SEEDS[0]
VALUE, OTHER_VALUE = sha256(b"value"), sha256(b"other value")


class CountingPages(MemoryPages):
    def __init__(self) -> None:
        super().__init__()
        self.read: list[bytes] = []

    def get_page(self, path: bytes) -> bytes | None:
        self.read.append(path)
        return super().get_page(path)


def random_pairs(count: int, seed: int) -> dict[bytes, bytes]:
    source = random.Random(seed)
    return {source.randbytes(32): source.randbytes(32) for _ in range(count)}


# The definition


def test_small_trees_by_hand() -> None:
    """Reference: the digests as stateproof.py states them."""
    assert root_of_tree(SUITE, MemoryPages()) == EMPTY == bytes(32)
    zero, one = ZERO, b"\x80" + bytes(31)
    leaf = sha256(b"\x11" + zero + VALUE)
    assert root_of_tree(SUITE, built({zero: VALUE})) == leaf
    other = sha256(b"\x11" + one + OTHER_VALUE)
    assert root_of_tree(SUITE, built({zero: VALUE, one: OTHER_VALUE})) == sha256(b"\x12" + leaf + other)
    last = bytes(31) + b"\x01"
    root = sha256(b"\x12" + leaf + sha256(b"\x11" + last + VALUE))
    for _ in range(255):
        root = sha256(b"\x12" + root + bytes(32))
    deep = built({zero: VALUE, last: VALUE})
    assert root_of_tree(SUITE, deep) == root
    assert len(deep.pages) == 64


def test_known_roots() -> None:
    """Frozen so that no change of the code changes a chain. Made by the model in ``statetree_model.py``."""
    pairs = {sha256(b"k%d" % number): sha256(b"v%d" % number) for number in range(1000)}
    assert naive_root(pairs).hex() == root_of_tree(SUITE, built(pairs)).hex() == KNOWN_ROOT_1000
    pair = {ZERO: VALUE, near(ZERO, 250, ZERO): OTHER_VALUE}
    assert naive_root(pair).hex() == root_of_tree(SUITE, built(pair)).hex() == KNOWN_ROOT_250


KNOWN_ROOT_1000 = "2c7e7f27872f6081563dc84b23efff2c0e5e1d1bc77ed4926238c5413e637c39"
KNOWN_ROOT_250 = "30600ec882433d37c765ab9d63b9c6b6f4bd711f7dc1fa8250a7c448bd4fded2"


def test_all_hashing_goes_through_the_suite() -> None:
    class Sha3(Ed25519Sha256):
        def hash(self, data: bytes) -> bytes:
            return hashlib.sha3_256(data).digest()

        def tagged_hash(self, tag: str, data: bytes) -> bytes:
            return self.hash(b"fazhi/" + tag.encode() + b"\0" + data)

    other = Sha3()
    assert statetree.key_hash_of(other, b"k") == hashlib.sha3_256(b"fazhi/state-key\0k").digest()
    assert statetree.value_hash_of(other, b"v") == hashlib.sha3_256(b"fazhi/state-value\0v").digest()
    change = update(other, MemoryPages(), {statetree.key_hash_of(other, b"k"): statetree.value_hash_of(other, b"v")})
    leaf = b"\x11" + statetree.key_hash_of(other, b"k") + statetree.value_hash_of(other, b"v")
    assert change.root == hashlib.sha3_256(leaf).digest()


@given(pairs=PAIRS)
def test_root_and_pages_are_those_of_the_definition(pairs: dict[bytes, bytes]) -> None:
    pages = built(pairs)
    assert root_of_tree(SUITE, pages) == naive_root(pairs)
    assert set(pages.pages) == naive_paths(pairs) if pairs else not pages.pages
    for path, page in pages.pages.items():
        check_page(SUITE, path, page)


@given(blocks=BLOCKS)
def test_root_is_a_function_of_the_set_alone(blocks: list[dict[bytes, bytes | None]]) -> None:
    """After any program of inserts, updates and deletes, root and pages are those of a fresh build, and of the model.

    Each page on the way is read once, none is written as it was, and the update says the root that the pages have.
    """
    pages = CountingPages()
    pairs: dict[bytes, bytes] = {}
    for block in blocks:
        pages.read.clear()
        before = dict(pages.pages)
        change = update(SUITE, pages, block)
        assert len(pages.read) <= len(set(pages.read)) + (0 if change.pages else 1)  # a root unchanged is read again
        for path, page in change.pages.items():
            assert before.get(path) != page
        pages.apply(change)
        for key, value in block.items():
            pairs.pop(key, None)
            if value is not None:
                pairs[key] = value
        assert change.root == root_of_tree(SUITE, pages) == naive_root(pairs)
        assert pages.pages == built(dict(reversed(pairs.items()))).pages
    pages.apply(update(SUITE, pages, dict.fromkeys(pairs)))
    assert pages.pages == {}


@given(pairs=PAIRS, cut=st.integers(0, 14))
def test_one_block_or_many_is_the_same(pairs: dict[bytes, bytes], cut: int) -> None:
    first = dict(list(pairs.items())[:cut])
    pages = built(first)
    pages.apply(update(SUITE, pages, pairs))
    assert pages.pages == built(pairs).pages
    one_by_one = MemoryPages()
    for key, value in pairs.items():
        one_by_one.apply(update(SUITE, one_by_one, {key: value}))
    assert one_by_one.pages == pages.pages


@given(pairs=PAIRS, absent=key_hashes())
def test_what_changes_nothing_writes_nothing(pairs: dict[bytes, bytes], absent: bytes) -> None:
    """Setting what is there, removing what is not, and no change at all."""
    pages = built(pairs)
    same: dict[bytes, bytes | None] = dict(pairs)
    same.setdefault(absent, None)
    for changes in (same, {}, {key: None for key in same if key not in pairs}):
        change = update(SUITE, pages, changes)
        assert change.pages == {}
        assert change.root == naive_root(pairs)


@given(pairs=PAIRS, seed=st.integers(0, 1000))
def test_order_of_the_changes_does_not_matter(pairs: dict[bytes, bytes], seed: int) -> None:
    """Not even for the order in which pages are written: replicas must not differ in anything."""
    items = list(pairs.items())
    random.Random(seed).shuffle(items)
    one, other = update(SUITE, MemoryPages(), pairs), update(SUITE, MemoryPages(), dict(items))
    assert one.root == other.root
    assert list(one.pages.items()) == list(other.pages.items())


def test_larger_trees_agree_with_the_model() -> None:
    pairs = random_pairs(3000, seed=1)
    pages = built(pairs)
    assert root_of_tree(SUITE, pages) == naive_root(pairs)
    assert set(pages.pages) == naive_paths(pairs)
    removed = list(pairs)[::3]
    added = random_pairs(500, seed=2)
    changed = dict.fromkeys(list(pairs)[1::3], VALUE)
    pages.apply(update(SUITE, pages, {**dict.fromkeys(removed), **added, **changed}))
    for key in removed:
        del pairs[key]
    pairs |= added | changed
    assert root_of_tree(SUITE, pages) == naive_root(pairs)
    assert pages.pages == built(pairs).pages


def test_a_neighbour_of_250_bits_leaves_no_page_behind() -> None:
    """Deletes collapse: a long chain of pages goes with the leaf that made it. Reference: design.md §3, state tree."""
    for shared in (3, 4, 5, 64, 127, 250, 255):
        pairs = {KEY: VALUE, near(KEY, 1, KEY): OTHER_VALUE}
        pages = built(pairs)
        before = dict(pages.pages)
        neighbour = near(KEY, shared, OTHER_VALUE)
        change = update(SUITE, pages, {neighbour: VALUE})
        assert len(change.pages) == shared // 4 + 1
        pages.apply(change)
        pages.apply(update(SUITE, pages, {neighbour: None}))
        assert pages.pages == before


def test_replacing_a_leaf_by_its_neighbour_in_one_block() -> None:
    """The slot's leaf goes while others come into the same slot."""
    for shared in (4, 9, 250, 255):
        neighbour = near(KEY, shared, OTHER_VALUE)
        pages = built({KEY: VALUE})
        change = update(SUITE, pages, {KEY: None, neighbour: VALUE})
        assert change.root == naive_root({neighbour: VALUE})
        pages.apply(change)
        assert pages.pages == built({neighbour: VALUE}).pages


def test_update_refuses_what_is_no_hash() -> None:
    """Our own fault, so the node stops. Reference: style.md §3, rule 11."""
    for key, value in ((KEY[:31], VALUE), (KEY + b"\0", VALUE), (KEY, VALUE[:31]), (KEY, b""), (b"", None)):
        with pytest.raises(InvariantBroken):
            update(SUITE, MemoryPages(), {key: value})
    with pytest.raises(InvariantBroken):
        prove(SUITE, MemoryPages(), KEY[:31])


# The bytes of a page


def page_of(pairs: dict[bytes, bytes], path: bytes = b"") -> bytes:
    return built(pairs).pages[path]


def test_page_bytes_by_hand() -> None:
    """Reference: the head of statetree.py."""
    first, second = b"\x10" + bytes(31), b"\x20" + bytes(31)
    assert page_of({first: VALUE}) == bytes((1, 0b00_01_00_00, 0, 0, 0)) + first + VALUE
    quarter = sha256(b"\x12" + sha256(b"\x11" + first + VALUE) + sha256(b"\x11" + second + VALUE))
    assert (
        page_of({first: VALUE, second: VALUE})
        == bytes((1, 0b00_01_01_00, 0, 0, 0)) + quarter + first + VALUE + second + VALUE
    )
    third = b"\x11" + bytes(31)
    child = page_of({first: VALUE, third: VALUE}, b"\x01")
    assert child[:5] == bytes((1, 0b01_01_00_00, 0, 0, 0))
    child_root = child[5:37]
    for _ in range(2):
        child_root = sha256(b"\x12" + child_root + ZERO)
    inner = sha256(b"\x12" + ZERO + child_root)
    assert page_of({first: VALUE, third: VALUE}) == (
        bytes((1, 0b00_10_00_00, 0, 0, 0)) + sha256(b"\x12" + inner + ZERO) + child_root
    )


TWO_LEAVES = page_of({b"\x10" + bytes(31): VALUE, b"\x90" + bytes(31): VALUE})
DEEP = built({ZERO: VALUE, bytes(31) + b"\x01": VALUE}).pages


def with_kinds(page: bytes, kinds: tuple[int, int, int, int]) -> bytes:
    return page[:1] + bytes(kinds) + page[5:]


@pytest.mark.parametrize(
    ("what", "path", "page"),
    [
        ("format", b"", b""),
        ("format", b"", TWO_LEAVES[:4]),
        ("format", b"", b"\0" + TWO_LEAVES[1:]),
        ("format", b"", b"\2" + TWO_LEAVES[1:]),
        ("kind", b"", with_kinds(TWO_LEAVES, (0b00_01_00_11, 0, 0b00_01_00_00, 0))),
        ("length", b"", TWO_LEAVES[:-1]),
        ("length", b"", TWO_LEAVES + b"\0"),
        ("length", b"", with_kinds(TWO_LEAVES, (0b00_01_00_00, 0, 0, 0))),
        ("a leaf of another path", b"", with_kinds(TWO_LEAVES, (0b01_00_00_00, 0, 0b00_01_00_00, 0))),
        ("a leaf of another path", b"\x01", TWO_LEAVES),
        ("a leaf of another path", b"\x00" * 63, TWO_LEAVES),
        ("too few leaves", b"", bytes((1, 0, 0, 0, 0))),
        ("too few leaves", b"\x01", bytes((1, 0, 0, 0, 0))),
        ("too few leaves", b"\x01", page_of({b"\x10" + bytes(31): VALUE})[:1] + b"\x40\0\0\0\x10" + bytes(31) + VALUE),
        ("an empty child", b"", bytes((1, 0b10_00_00_00, 0, 0, 0)) + VALUE + ZERO),
        ("a child below the last bit", bytes(63), bytes((1, 0b10_00_00_00, 0, 0, 0)) + VALUE + VALUE),
        ("a quarter's digest", b"", bytes((1, 0b10_00_00_00, 0, 0, 0)) + VALUE + VALUE),
    ],
)
def test_page_of_another_form_is_refused(what: str, path: bytes, page: bytes) -> None:
    """One page, one encoding. Reference: safety.md §3 (one strict decoder)."""
    with pytest.raises(EncodingError) as caught:
        check_page(SUITE, path, page)
    assert caught.value.code == "bad-page"
    assert caught.value.parameters == (("what", what),)


def test_deepest_page() -> None:
    """Two keys that differ in the last bit only: 64 pages, the last with two leaves."""
    levels = check_page(SUITE, bytes(63), DEEP[bytes(63)])
    assert levels[0][:2] == [ZERO + VALUE, bytes(31) + b"\x01" + VALUE]
    refused(EncodingError, "bad-page", check_page, SUITE, bytes(62) + b"\x01", DEEP[bytes(63)])


@given(pairs=PAIRS, others=PAIRS)
def test_many_proofs_at_once_are_the_same(pairs: dict[bytes, bytes], others: dict[bytes, bytes]) -> None:
    """Of what is there and of what is not; and a page that was checked is not asked for again."""
    pages, seen = built(pairs), statetree.Seen()
    wanted = [*pairs, *others]
    alone = [prove(SUITE, pages, key) for key in wanted]
    assert [prove(SUITE, pages, key, seen) for key in wanted] == alone
    assert seen.keys() <= pages.pages.keys()
    if pairs:
        assert [prove(SUITE, MemoryPages(), key, seen) for key in wanted] == alone


@given(pairs=PAIRS.filter(len), data=st.data())
def test_damage_never_reaches_a_verifier(pairs: dict[bytes, bytes], data: st.DataObject) -> None:
    """Any changed byte of a page on the way stops the prover, or gives no other proof that fits the header's root.

    Reference: safety.md §1, Yeti 2022 (recompute from stored bytes before it is signed or served).
    """
    key = data.draw(st.sampled_from(sorted(pairs)))
    pages = built(pairs)
    root = naive_root(pairs)
    nibbles = bytes(int(digit, 16) for digit in key.hex())
    path = data.draw(st.sampled_from([path for path in pages.pages if nibbles.startswith(path)]))
    undamaged = prove(SUITE, pages, key)
    page = bytearray(pages.pages[path])
    at = data.draw(st.integers(0, len(page) - 1))
    page[at] ^= data.draw(st.integers(1, 255))
    pages.pages[path] = bytes(page)
    try:
        proof = prove(SUITE, pages, key)
    except InvariantBroken:
        return
    assert not path  # every other page is held against its parent
    if proof == undamaged:  # a tree of one leaf: the value hash is no part of the proof
        return
    with pytest.raises(InvalidProof):
        statetree.verify_presence_of_hashes(SUITE, root, key, pairs[key], proof)


def test_missing_or_damaged_page_stops_the_node() -> None:
    """A store that lost a page must not make up an empty subtree. Reference: safety.md §1, Mammoth2024h1."""
    neighbour = near(KEY, 40, KEY)
    calls: list[Callable[[MemoryPages], object]] = [
        lambda pages: update(SUITE, pages, {neighbour: None}),
        lambda pages: prove(SUITE, pages, KEY),
    ]
    for call in calls:
        for path in built({KEY: VALUE, neighbour: VALUE}).pages:
            pages = built({KEY: VALUE, neighbour: VALUE})
            pages.pages[path] += b"\0"
            with pytest.raises(InvariantBroken):
                call(pages)
            del pages.pages[path]
            if path:
                with pytest.raises(InvariantBroken):
                    call(pages)


def test_a_page_of_another_place_is_noticed_by_the_prover() -> None:
    """A misdirected write: a well-formed page of an older state. Reference: safety.md §4, campaign 1."""
    pages = built({KEY: VALUE, near(KEY, 40, KEY): VALUE})
    older = built({KEY: OTHER_VALUE, near(KEY, 40, KEY): VALUE})
    path = max(pages.pages, key=len)
    pages.pages[path] = older.pages[path]
    with pytest.raises(InvariantBroken, match="parent"):
        prove(SUITE, pages, KEY)
