"""The Merkle log against RFC 6962 §2.1: known answers, the RFC's own text as model, and what must fail."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from fazhi_ledger import canonical, merkle
from fazhi_ledger.errors import EncodingError, InvalidProof
from fazhi_ledger.limits import MAX_INT
from fazhi_ledger.merkle import Frontier, Tree
from fazhi_ledger.suites import ED25519_SHA256, Ed25519Sha256
from hypothesis import given
from hypothesis import strategies as st

SUITE = ED25519_SHA256
EMPTY_ROOT = hashlib.sha256(b"").digest()

# The model: RFC 6962 §2.1, word for word, over hashlib.


def largest_power_below(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def mth(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def leaves_of(count: int, salt: int = 0) -> list[bytes]:
    return [merkle.leaf_hash(SUITE, bytes([salt]) + index.to_bytes(4, "big")) for index in range(count)]


LEAVES = leaves_of(140)
ROOTS = [mth(LEAVES[:size]) for size in range(len(LEAVES) + 1)]


def stored(leaves: Sequence[bytes]) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    nodes: dict[tuple[int, int], bytes] = {}
    frontier = Frontier.empty()
    for leaf in leaves:
        frontier, finished = frontier.append_nodes(SUITE, leaf)
        for level, index, digest in finished:
            assert (level, index) not in nodes
            nodes[level, index] = digest
    return frontier, nodes


def node_source(nodes: dict[tuple[int, int], bytes]) -> Callable[[int, int], bytes]:
    return lambda level, index: nodes[level, index]


def refused(code: str, call: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(InvalidProof) as caught:
        call(*arguments)
    assert caught.value.code == code


# Known answers


CT_ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_NODE_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
CT_NODE_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
CT_NODE_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
CT_NODE_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
CT_NODE_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
CT_NODE_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
CT_LEAVES = [merkle.leaf_hash(SUITE, entry) for entry in CT_ENTRIES]


def hexes(proof: Sequence[bytes]) -> list[str]:
    return [digest.hex() for digest in proof]


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_certificate_transparency_reference(size: int) -> None:
    """Reference: the test data of google/certificate-transparency, ``cpp/merkletree/merkle_tree_test.cc``."""
    assert merkle.root_of(SUITE, CT_LEAVES[:size]).hex() == CT_ROOTS[size]


def test_proofs_of_the_certificate_transparency_reference() -> None:
    """Reference: the same file, ``kSHA256Paths`` and ``kSHA256Proofs``."""
    assert merkle.inclusion_proof(SUITE, CT_LEAVES[:1], 0) == ()
    assert hexes(merkle.inclusion_proof(SUITE, CT_LEAVES, 0)) == [CT_NODE_1, CT_NODE_2_3, CT_NODE_4_7]
    assert hexes(merkle.inclusion_proof(SUITE, CT_LEAVES, 5)) == [CT_NODE_4, CT_NODE_6_7, CT_ROOTS[4]]
    assert hexes(merkle.inclusion_proof(SUITE, CT_LEAVES[:3], 2)) == [CT_ROOTS[2]]
    assert merkle.consistency_proof(SUITE, CT_LEAVES[:1], 1) == ()
    assert hexes(merkle.consistency_proof(SUITE, CT_LEAVES, 1)) == [CT_NODE_1, CT_NODE_2_3, CT_NODE_4_7]
    assert hexes(merkle.consistency_proof(SUITE, CT_LEAVES, 6)) == [CT_NODE_4_5, CT_NODE_6_7, CT_ROOTS[4]]
    assert hexes(merkle.consistency_proof(SUITE, CT_LEAVES[:5], 2)) == [CT_NODE_2_3, CT_NODE_4]


# The model


@pytest.mark.parametrize("size", [*range(40), 63, 64, 65, 127, 128, 129])
def test_every_proof_is_the_papers_and_verifies(size: int) -> None:
    """All indices and all old sizes. Reference: RFC 6962 §2.1, §2.1.1, §2.1.2."""
    leaves, root = LEAVES[:size], ROOTS[size]
    tree = Tree(SUITE, leaves)
    assert merkle.root_of(SUITE, leaves) == tree.root == root
    frontier, nodes = stored(leaves)
    assert frontier.root(SUITE) == root
    for index in range(size):
        proof = tree.proof(index)
        assert list(proof) == path(index, leaves)
        assert merkle.inclusion_proof_from(SUITE, index, size, node_source(nodes)) == proof
        merkle.verify_inclusion(SUITE, leaves[index], index, size, proof, root)
    for old in range(size + 1):
        proof = tree.consistency_proof(old)
        assert list(proof) == (subproof(old, leaves, True) if old else [])
        assert merkle.consistency_proof_from(SUITE, old, size, node_source(nodes)) == proof
        merkle.verify_consistency(SUITE, old, ROOTS[old], size, root, proof)


@given(count=st.integers(0, 700), salt=st.integers(0, 255), data=st.data())
def test_any_log_agrees_with_the_model(count: int, salt: int, data: st.DataObject) -> None:
    leaves = leaves_of(count, salt)
    root = mth(leaves)
    assert merkle.root_of(SUITE, leaves) == root
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, count), max_size=4))), count]
    frontier = Frontier.empty()
    for start, stop in pairwise(cuts):
        frontier = frontier.append_many(SUITE, leaves[start:stop])
        assert frontier.root(SUITE) == mth(leaves[:stop])
    if not count:
        return
    index = data.draw(st.integers(0, count - 1))
    old = data.draw(st.integers(1, count))
    assert list(merkle.inclusion_proof(SUITE, leaves, index)) == path(index, leaves)
    proof = merkle.consistency_proof(SUITE, leaves, old)
    assert list(proof) == subproof(old, leaves, True)
    merkle.verify_consistency(SUITE, old, mth(leaves[:old]), count, root, proof)


@given(st.lists(st.binary(max_size=90), max_size=9))
def test_root_of_entries_is_the_root_of_their_leaves(entries: list[bytes]) -> None:
    leaves = [merkle.leaf_hash(SUITE, entry) for entry in entries]
    assert merkle.leaf_hashes(SUITE, entries) == leaves
    assert merkle.root_of_entries(SUITE, entries) == merkle.root_of(SUITE, leaves) == mth(leaves)


def test_frontier_is_the_same_however_it_was_made() -> None:
    one_by_one = Frontier.empty()
    for size, leaf in enumerate(LEAVES):
        assert Frontier.empty().append_many(SUITE, LEAVES[:size]) == one_by_one
        assert one_by_one.append(SUITE, leaf) == one_by_one.append_nodes(SUITE, leaf)[0]
        one_by_one = one_by_one.append(SUITE, leaf)
        assert one_by_one.size == size + 1
        assert one_by_one.root(SUITE) == ROOTS[size + 1]


def test_append_nodes_reports_every_complete_subtree_once() -> None:
    """What is stored is what later proofs read; :func:`stored` refuses a second report."""
    _, nodes = stored(LEAVES)
    expected = {
        (level, index): mth(LEAVES[index << level : (index + 1) << level])
        for level in range(8)
        for index in range(len(LEAVES) >> level)
    }
    assert nodes == expected


def test_stored_nodes_of_a_grown_log_prove_any_older_size() -> None:
    _, nodes = stored(LEAVES)
    for size in (1, 2, 3, 21, 64, 100, 139):
        for index in range(size):
            assert list(merkle.inclusion_proof_from(SUITE, index, size, node_source(nodes))) == path(
                index, LEAVES[:size]
            )
        for old in range(1, size + 1):
            assert list(merkle.consistency_proof_from(SUITE, old, size, node_source(nodes))) == subproof(
                old, LEAVES[:size], True
            )


def test_large_indices_need_no_large_log() -> None:
    """A log of 2^62 + 3 leaves of which no leaf is in memory: positions are arithmetic."""
    asked: list[tuple[int, int]] = []

    def node(level: int, index: int) -> bytes:
        asked.append((level, index))
        return hashlib.sha256(f"{level} {index}".encode()).digest()

    size = 2**62 + 3
    index = size - 2
    proof = merkle.inclusion_proof_from(SUITE, index, size, node)
    assert asked == [(0, 2**62), (0, 2**62 + 2), (62, 0)]
    root = merkle.node_hash(
        SUITE,
        node(62, 0),
        merkle.node_hash(SUITE, merkle.node_hash(SUITE, node(0, 2**62), node(0, index)), node(0, index + 1)),
    )
    merkle.verify_inclusion(SUITE, node(0, index), index, size, proof, root)


def test_all_hashing_goes_through_the_suite() -> None:
    class Sha3(Ed25519Sha256):
        def hash(self, data: bytes) -> bytes:
            return hashlib.sha3_256(data).digest()

    other = Sha3()
    leaves = [merkle.leaf_hash(other, bytes([number])) for number in range(3)]
    assert leaves[0] == hashlib.sha3_256(b"\0\0").digest()
    node = hashlib.sha3_256(b"\1" + leaves[0] + leaves[1]).digest()
    root = hashlib.sha3_256(b"\1" + node + leaves[2]).digest()
    assert merkle.root_of(other, leaves) == Tree(other, leaves).root == root
    assert Frontier.empty().append_many(other, leaves).root(other) == root
    assert Frontier.empty().root(other) == merkle.root_of(other, []) == hashlib.sha3_256(b"").digest()
    merkle.verify_inclusion(other, leaves[2], 2, 3, (node,), root)


# What must be refused


def test_leaf_is_not_a_node() -> None:
    """An entry that spells the two children of a node must not stand for that node.

    Reference: RFC 6962 §2.1 ("domain separation is required to give second preimage resistance"); safety.md §3.
    """
    left, right = merkle.node_hash(SUITE, *LEAVES[:2]), merkle.node_hash(SUITE, *LEAVES[2:4])
    root = ROOTS[4]
    forged = merkle.leaf_hash(SUITE, LEAVES[0] + LEAVES[1])
    assert forged != left
    refused("root-mismatch", merkle.verify_inclusion, SUITE, forged, 0, 2, (right,), root)
    whole = merkle.leaf_hash(SUITE, left + right)
    refused("root-mismatch", merkle.verify_inclusion, SUITE, whole, 0, 1, (), root)


def test_node_is_not_a_leaf_of_the_signed_size() -> None:
    """An interior digest shown as a leaf digest needs a shorter proof than the size allows. Reference: safety.md §3."""
    left, right = merkle.node_hash(SUITE, *LEAVES[:2]), merkle.node_hash(SUITE, *LEAVES[2:4])
    refused("proof-length", merkle.verify_inclusion, SUITE, left, 0, 4, (right,), ROOTS[4])


@pytest.mark.parametrize("size", [1, 3, 5, 6, 7, 13])
def test_last_leaf_is_not_doubled(size: int) -> None:
    """A list and the same list with its end repeated have different roots. Reference: CVE-2012-2459 (Bitcoin)."""
    leaves = LEAVES[:size]
    for repeated in range(1, size + 1):
        assert merkle.root_of(SUITE, leaves + leaves[-repeated:]) != merkle.root_of(SUITE, leaves)


def test_index_must_be_below_size() -> None:
    """In a tree that doubles its last leaf, index = size is provable. Reference: CVE-2012-2459; safety.md §3."""
    proof = merkle.inclusion_proof(SUITE, LEAVES[:3], 2)
    for index in (3, 4, -1, True):
        refused("index-out-of-range", merkle.verify_inclusion, SUITE, LEAVES[2], index, 3, proof, ROOTS[3])
    refused("index-out-of-range", merkle.verify_inclusion, SUITE, LEAVES[0], 0, 0, (), EMPTY_ROOT)
    for size in (-1, MAX_INT + 1, True):
        refused("size-out-of-range", merkle.verify_inclusion, SUITE, LEAVES[0], 0, size, (), LEAVES[0])
    refused("index-out-of-range", merkle.inclusion_proof, SUITE, LEAVES[:3], 3)
    refused("index-out-of-range", Tree(SUITE, LEAVES[:3]).proof, -1)
    refused("index-out-of-range", merkle.inclusion_proof_from, SUITE, 3, 3, lambda _level, _index: b"")


def test_proof_length_is_computed() -> None:
    """Every other length is refused, whatever the digests. Reference: safety.md §3 (length from index and size)."""
    for size in range(1, 34):
        tree = Tree(SUITE, LEAVES[:size])
        for index in range(size):
            proof = tree.proof(index)
            for length in set(range(9)) - {len(proof)}:
                other = (*proof, *LEAVES)[:length]
                refused("proof-length", merkle.verify_inclusion, SUITE, LEAVES[index], index, size, other, ROOTS[size])


def test_proof_of_one_place_is_none_of_another() -> None:
    for size in (2, 5, 8, 13):
        tree = Tree(SUITE, LEAVES[:size])
        for index in range(size):
            for other in range(size):
                if other != index:
                    with pytest.raises(InvalidProof):
                        merkle.verify_inclusion(SUITE, LEAVES[index], other, size, tree.proof(index), ROOTS[size])
                    with pytest.raises(InvalidProof):
                        merkle.verify_inclusion(SUITE, LEAVES[other], index, size, tree.proof(index), ROOTS[size])


def test_a_proof_does_not_prove_the_size() -> None:
    """Not a fault but a limit that callers must know: the path of leaf 0 is the same in logs of 5 to 8 leaves.

    Hence the size is always bound in something signed. Reference: design.md §3, Merkle log.
    """
    proof = merkle.inclusion_proof(SUITE, LEAVES[:5], 0)
    merkle.verify_inclusion(SUITE, LEAVES[0], 0, 8, proof, ROOTS[5])
    refused("proof-length", merkle.verify_inclusion, SUITE, LEAVES[0], 0, 4, proof, ROOTS[5])


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(33), bytes(64), bytearray(32), "0" * 32, None, 0])
def test_digests_have_exactly_32_bytes(bad: object) -> None:
    """A longer sibling shifts the boundary of two children. Reference: ICS-23 "Dragonberry"; safety.md §3."""
    leaf, root = LEAVES[1], ROOTS[3]
    proof = merkle.inclusion_proof(SUITE, LEAVES[:3], 1)
    refused("hash-length", merkle.verify_inclusion, SUITE, bad, 1, 3, proof, root)
    refused("hash-length", merkle.verify_inclusion, SUITE, leaf, 1, 3, (bad, proof[1]), root)
    refused("hash-length", merkle.verify_inclusion, SUITE, leaf, 1, 3, proof, bad)
    steps = merkle.consistency_proof(SUITE, LEAVES[:3], 2)
    refused("hash-length", merkle.verify_consistency, SUITE, 2, bad, 3, root, steps)
    refused("hash-length", merkle.verify_consistency, SUITE, 2, ROOTS[2], 3, bad, steps)
    refused("hash-length", merkle.verify_consistency, SUITE, 2, ROOTS[2], 3, root, (bad,))


def test_siblings_cannot_trade_bytes() -> None:
    """The same preimage cut elsewhere (31 + 33 bytes) is refused. Reference: ICS-23 "Dragonberry"; safety.md §3."""
    left, right = LEAVES[0], LEAVES[1]
    assert merkle.node_hash(SUITE, left[:31], left[31:] + right) == ROOTS[2]
    refused("hash-length", merkle.verify_inclusion, SUITE, left[:31], 0, 2, (left[31:] + right,), ROOTS[2])


def flips(digest: bytes) -> list[bytes]:
    return [digest[:at] + bytes([digest[at] ^ 1 << bit]) + digest[at + 1 :] for at in range(32) for bit in range(8)]


def test_every_bit_of_an_inclusion_proof_counts() -> None:
    """Reference: safety.md §1, Yeti 2022 (one bit flipped in a leaf hash) and §4, campaign 8."""
    size, index = 7, 4
    root, proof = ROOTS[size], merkle.inclusion_proof(SUITE, LEAVES[:size], index)
    for flipped in flips(LEAVES[index]):
        refused("root-mismatch", merkle.verify_inclusion, SUITE, flipped, index, size, proof, root)
    for flipped in flips(root):
        refused("root-mismatch", merkle.verify_inclusion, SUITE, LEAVES[index], index, size, proof, flipped)
    for at, sibling in enumerate(proof):
        for flipped in flips(sibling):
            other = (*proof[:at], flipped, *proof[at + 1 :])
            refused(
                "root-mismatch",
                merkle.verify_inclusion,
                SUITE,
                LEAVES[index],
                index,
                size,
                other,
                root,
            )


@given(size=st.integers(2, 140), data=st.data())
def test_mutated_proofs_are_refused(size: int, data: st.DataObject) -> None:
    """Any change of length, order, place or content. Reference: safety.md §4, campaign 8."""
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size - 1))

    def included(proof: tuple[bytes, ...]) -> None:
        merkle.verify_inclusion(SUITE, LEAVES[index], index, size, proof, ROOTS[size])

    def extended(proof: tuple[bytes, ...]) -> None:
        merkle.verify_consistency(SUITE, old, ROOTS[old], size, ROOTS[size], proof)

    tree = Tree(SUITE, LEAVES[:size])
    for proof, verify in ((tree.proof(index), included), (tree.consistency_proof(old), extended)):
        verify(proof)
        at = data.draw(st.integers(0, len(proof) - 1))
        to = data.draw(st.integers(0, len(proof) - 1))
        mask = data.draw(st.integers(1, 255))
        byte = data.draw(st.integers(0, 31))
        sibling = proof[at]
        changed = sibling[:byte] + bytes([sibling[byte] ^ mask]) + sibling[byte + 1 :]
        swapped = list(proof)
        swapped[at], swapped[to] = swapped[to], swapped[at]
        mutants = [
            (*proof[:at], changed, *proof[at + 1 :]),
            (*proof[:at], *proof[at + 1 :]),
            (*proof[: at + 1], *proof[at:]),
            (*proof, EMPTY_ROOT),
            (ROOTS[old], *proof),
            tuple(swapped),
            tuple(reversed(proof)),
        ]
        for mutant in mutants:
            if mutant != proof:
                with pytest.raises(InvalidProof):
                    verify(mutant)


def test_consistency_every_pair_refuses_another_history() -> None:
    """A log that rewrote one early leaf does not extend the old one. Reference: RFC 6962 §2.1.2, §7.3."""
    for new in range(2, 20):
        for old in range(1, new):
            for rewritten in {0, old // 2, old - 1}:
                fork = list(LEAVES[:new])
                fork[rewritten] = EMPTY_ROOT
                proof = merkle.consistency_proof(SUITE, fork, old)
                with pytest.raises(InvalidProof):
                    merkle.verify_consistency(SUITE, old, ROOTS[old], new, mth(fork), proof)


def test_consistency_both_roots_are_checked() -> None:
    """A proof that fits the new root alone, or the old root alone, shows nothing. Reference: RFC 6962 §2.1.2."""
    for new in range(2, 20):
        for old in range(1, new):
            proof = merkle.consistency_proof(SUITE, LEAVES[:new], old)
            with pytest.raises(InvalidProof) as caught:
                merkle.verify_consistency(SUITE, old, ROOTS[old], new, EMPTY_ROOT, proof)
            assert caught.value.parameters == (("what", "new"),)
            with pytest.raises(InvalidProof):
                merkle.verify_consistency(SUITE, old, EMPTY_ROOT, new, ROOTS[new], proof)


def test_consistency_of_the_empty_log() -> None:
    """Every log extends the empty one: by an empty proof, and only under the root H(""). Reference: RFC 6962 §2.1."""
    merkle.verify_consistency(SUITE, 0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    merkle.verify_consistency(SUITE, 0, EMPTY_ROOT, 5, ROOTS[5], ())
    refused("root-mismatch", merkle.verify_consistency, SUITE, 0, ROOTS[5], 5, ROOTS[5], ())
    refused("root-mismatch", merkle.verify_consistency, SUITE, 0, ROOTS[5], 0, ROOTS[5], ())
    refused("proof-length", merkle.verify_consistency, SUITE, 0, EMPTY_ROOT, 5, ROOTS[5], (LEAVES[0],))


def test_consistency_of_one_size_is_equality() -> None:
    """Reference: RFC 6962 §2.1.2, SUBPROOF(m, D[m], true) = {}."""
    merkle.verify_consistency(SUITE, 5, ROOTS[5], 5, ROOTS[5], ())
    refused("root-mismatch", merkle.verify_consistency, SUITE, 5, ROOTS[5], 5, mth(leaves_of(5, 1)), ())
    refused("proof-length", merkle.verify_consistency, SUITE, 5, ROOTS[5], 5, ROOTS[5], (ROOTS[5],))


def test_consistency_sizes_do_not_shrink() -> None:
    """A checkpoint never goes back. Reference: safety.md §2, state transfer (CVE-2025-24371)."""
    proof = merkle.consistency_proof(SUITE, LEAVES[:8], 5)
    refused("size-out-of-range", merkle.verify_consistency, SUITE, 8, ROOTS[8], 5, ROOTS[5], proof)
    for old, new in ((-1, 5), (5, MAX_INT + 1), (True, 5)):
        refused("size-out-of-range", merkle.verify_consistency, SUITE, old, ROOTS[1], new, ROOTS[5], ())
    refused("size-out-of-range", merkle.consistency_proof, SUITE, LEAVES[:4], 5)
    refused("size-out-of-range", merkle.consistency_proof_from, SUITE, 5, 4, lambda _level, _index: b"")


def test_consistency_prover_does_not_choose_the_start() -> None:
    """For an old size that is a power of two the path starts from the old root, never from the proof.

    Reference: RFC 6962 §2.1.2 (the old root is left out where the verifier has it).
    """
    proof = merkle.consistency_proof(SUITE, LEAVES[:7], 4)
    refused(
        "proof-length",
        merkle.verify_consistency,
        SUITE,
        4,
        ROOTS[4],
        7,
        ROOTS[7],
        (ROOTS[4], *proof),
    )


# The frontier's encoding


@given(count=st.integers(0, 140))
def test_frontier_survives_encoding(count: int) -> None:
    frontier = Frontier.empty().append_many(SUITE, LEAVES[:count])
    data = canonical.encode(frontier.to_value())
    assert Frontier.from_value(canonical.decode(data)) == frontier


@pytest.mark.parametrize(
    "value",
    [
        None,
        (),
        (0,),
        (0, (), ()),
        (0, None),
        (1, ()),
        (0, (EMPTY_ROOT,)),
        (3, (EMPTY_ROOT,)),
        (4, (EMPTY_ROOT, EMPTY_ROOT)),
        (1, (EMPTY_ROOT[:31],)),
        (1, (EMPTY_ROOT + b"\0",)),
        (1, ("0" * 32,)),
        (True, (EMPTY_ROOT,)),
        (-1, (EMPTY_ROOT,) * 64),
        (2**64 - 1, (EMPTY_ROOT,) * 64),
    ],
)
def test_frontier_of_another_shape_is_refused(value: canonical.Value) -> None:
    """One peak for each bit of the size, 32 bytes each. Reference: seams of the ledger; safety.md §3 (fixed shapes)."""
    with pytest.raises(EncodingError):
        Frontier.from_value(value)


def test_frontier_checks_itself() -> None:
    with pytest.raises(EncodingError):
        Frontier(2, (EMPTY_ROOT, EMPTY_ROOT))
    with pytest.raises(EncodingError):
        Frontier(1, (b"short",))
    full = Frontier(MAX_INT, (EMPTY_ROOT,) * 63)
    with pytest.raises(EncodingError):
        full.append(SUITE, EMPTY_ROOT)
    for append in (full.append, Frontier.empty().append):
        with pytest.raises(EncodingError):
            append(SUITE, b"short")
