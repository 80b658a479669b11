"""Proofs of presence and absence: what is so can be proven, nothing else can, and in one way only."""

from __future__ import annotations

from typing import Any

import pytest
from fazhi_ledger import canonical, merkle
from fazhi_ledger.errors import EncodingError, FazhiError, InvalidProof
from fazhi_ledger.statetree import (
    EMPTY,
    MemoryPages,
    StateProof,
    key_hash_of,
    prove,
    root_of_tree,
    update,
    value_hash_of,
    verify_absence,
    verify_absence_of_hash,
    verify_presence,
    verify_presence_of_hashes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.statetree_model import (
    PAIRS,
    SEEDS,
    SUITE,
    ZERO,
    bit,
    built,
    key_hashes,
    naive_root,
    naive_siblings,
    near,
    refused,
    sha256,
)

KEY, OTHER = SEEDS[0], SEEDS[1]
VALUE, OTHER_VALUE = sha256(b"value"), sha256(b"other value")


def leaf_of(key: bytes, value: bytes) -> bytes:
    return sha256(b"\x11" + key + value)


def node_of(key: bytes, depth: int, digest: bytes, sibling: bytes) -> bytes:
    """The node at ``depth`` above a digest on the key's path."""
    return sha256(b"\x12" + (sibling + digest if bit(key, depth) else digest + sibling))


def shows(root: bytes, key: bytes, value: bytes | None, proof: StateProof) -> bool:
    try:
        if value is None:
            verify_absence_of_hash(SUITE, root, key, proof)
        else:
            verify_presence_of_hashes(SUITE, root, key, value, proof)
    except InvalidProof:
        return False
    return True


# What is so can be proven, and only that


def test_keys_and_values_as_stored() -> None:
    pages = MemoryPages()
    state = {b"case 1": b"open", b"case 2": b"closed", b"case 3": b""}
    change = update(SUITE, pages, {key_hash_of(SUITE, key): value_hash_of(SUITE, state[key]) for key in state})
    pages.apply(change)
    for key, value in state.items():
        proof = prove(SUITE, pages, key_hash_of(SUITE, key))
        verify_presence(SUITE, change.root, key, value, proof)
        refused(InvalidProof, "root-mismatch", verify_presence, SUITE, change.root, key, value + b"!", proof)
        with pytest.raises(InvalidProof):
            verify_absence(SUITE, change.root, key, proof)
    proof = prove(SUITE, pages, key_hash_of(SUITE, b"case 4"))
    verify_absence(SUITE, change.root, b"case 4", proof)
    with pytest.raises(InvalidProof):
        verify_presence(SUITE, change.root, b"case 4", b"open", proof)
    assert key_hash_of(SUITE, b"x") == sha256(b"fazhi/state-key\0x")
    assert value_hash_of(SUITE, b"x") == sha256(b"fazhi/state-value\0x")


@given(pairs=PAIRS, others=st.lists(key_hashes(), max_size=10))
def test_every_key_proves_its_presence_or_its_absence_and_not_the_other(
    pairs: dict[bytes, bytes], others: list[bytes]
) -> None:
    pages = built(pairs)
    root = naive_root(pairs)
    near_misses = [near(key, 255, key) for key in pairs]
    for key in [*pairs, *others, *near_misses]:
        proof = prove(SUITE, pages, key)
        assert list(proof.siblings) == naive_siblings(pairs, key)
        assert StateProof.from_value(canonical.decode(canonical.encode(proof.to_value()))) == proof
        if key in pairs:
            assert proof.terminal is None
            assert shows(root, key, pairs[key], proof)
            assert not shows(root, key, OTHER_VALUE, proof)
            assert not shows(root, key, None, proof)
        else:
            assert shows(root, key, None, proof)
            assert not shows(root, key, VALUE, proof)
            if proof.terminal is not None:
                assert pairs[proof.terminal[0]] == proof.terminal[1]


@given(pairs=PAIRS, keys=st.tuples(key_hashes(), key_hashes()))
def test_a_proof_serves_one_key_only(pairs: dict[bytes, bytes], keys: tuple[bytes, bytes]) -> None:
    """The proof of one key shows of another nothing that is not so."""
    pages = built(pairs)
    root = naive_root(pairs)
    one, other = keys
    proof = prove(SUITE, pages, one)
    if shows(root, other, None, proof):
        assert other not in pairs
    for value in (*pairs.values(), VALUE):
        if shows(root, other, value, proof):
            assert pairs.get(other) == value


def single_byte_mutants(proof: StateProof, mask: int) -> list[tuple[Any, Any]]:
    def changed(digest: bytes) -> list[bytes]:
        return [digest[:at] + bytes([digest[at] ^ mask]) + digest[at + 1 :] for at in range(32)]

    siblings, terminal = proof.siblings, proof.terminal
    mutants: list[tuple[Any, Any]] = []
    for depth in range(len(siblings)):
        mutants += [((*siblings[:depth], new, *siblings[depth + 1 :]), terminal) for new in changed(siblings[depth])]
    if terminal is not None:
        mutants += [(siblings, (new, terminal[1])) for new in changed(terminal[0])]
        mutants += [(siblings, (terminal[0], new)) for new in changed(terminal[1])]
    return mutants


def structural_mutants(proof: StateProof, pairs: dict[bytes, bytes]) -> list[tuple[Any, Any]]:
    siblings, terminal = proof.siblings, proof.terminal
    mutants: list[tuple[Any, Any]] = [
        (siblings[1:], terminal),
        (siblings[:-1], terminal),
        (tuple(reversed(siblings)), terminal),
        ((*siblings, EMPTY), terminal),
        ((*siblings, VALUE), terminal),
        ((EMPTY, *siblings), terminal),
        ((*siblings, *siblings[-1:]), terminal),
        (tuple(sibling for sibling in siblings if sibling != EMPTY), terminal),
        (siblings[:-1] + tuple(sibling[:31] for sibling in siblings[-1:]), terminal),
        (siblings[:-1] + tuple(sibling + b"\0" for sibling in siblings[-1:]), terminal),
        (siblings, None if terminal is not None else (KEY, VALUE)),
        (siblings, (ZERO, ZERO)),
        (siblings, ()),
    ]
    mutants += [((*siblings[:at], *siblings[at + 1 :]), terminal) for at in range(len(siblings))]
    mutants += [(siblings, pair) for pair in sorted(pairs.items())]
    mutants += [(siblings[:-1], pair) for pair in sorted(pairs.items())]
    if terminal is not None:
        mutants += [(siblings, terminal[::-1]), (siblings, terminal[:1]), (siblings, (*terminal, VALUE))]
        mutants += [(siblings, (terminal[0][:31], terminal[1])), (siblings, (terminal[0], terminal[1] + b"\0"))]
    return [mutant for mutant in mutants if mutant != (siblings, terminal)]


@settings(max_examples=25)
@given(pairs=PAIRS, key=key_hashes(), mask=st.integers(1, 255))
def test_every_mutated_proof_is_refused(pairs: dict[bytes, bytes], key: bytes, mask: int) -> None:
    """Every byte, every change of structure, of presence and of absence. Reference: safety.md §4, campaign 8."""
    pages = built(pairs)
    root = naive_root(pairs)
    for chosen in (key, *sorted(pairs)[:1]):
        proof = prove(SUITE, pages, chosen)
        value = pairs.get(chosen)
        assert shows(root, chosen, value, proof)
        for siblings, terminal in [*single_byte_mutants(proof, mask), *structural_mutants(proof, pairs)]:
            try:
                mutant = StateProof(siblings, terminal)
            except InvalidProof:
                continue
            assert not shows(root, chosen, value, mutant)


def test_every_bit_of_key_value_and_root_counts() -> None:
    """A proof is bound to each of them. Reference: safety.md §4, campaign 8."""
    pairs = {KEY: VALUE, near(KEY, 9, OTHER): VALUE, OTHER: OTHER_VALUE}
    root = naive_root(pairs)
    proof = prove(SUITE, built(pairs), KEY)
    for at in range(256):
        mask = 1 << at
        key, value, other_root = (
            (int.from_bytes(digest, "big") ^ mask).to_bytes(32, "big") for digest in (KEY, VALUE, root)
        )
        refused(InvalidProof, "root-mismatch", verify_presence_of_hashes, SUITE, root, key, VALUE, proof)
        refused(InvalidProof, "root-mismatch", verify_presence_of_hashes, SUITE, root, KEY, value, proof)
        refused(InvalidProof, "root-mismatch", verify_presence_of_hashes, SUITE, other_root, KEY, VALUE, proof)


# What must be refused, rule by rule. Where a root is forged by hand, the hashes do fit: the rule alone refuses.


def test_absence_is_not_shown_by_the_key_itself() -> None:
    """The leaf shown must be of another key. Reference: ICS-23 non-existence proofs; safety.md §3."""
    refused(
        InvalidProof,
        "terminal-is-the-key",
        verify_absence_of_hash,
        SUITE,
        leaf_of(KEY, VALUE),
        KEY,
        StateProof((), (KEY, VALUE)),
    )
    pairs = {KEY: VALUE, OTHER: VALUE}
    proof = prove(SUITE, built(pairs), KEY)
    own = StateProof(proof.siblings, (KEY, VALUE))
    refused(InvalidProof, "terminal-is-the-key", verify_absence_of_hash, SUITE, naive_root(pairs), KEY, own)


def test_absence_is_not_shown_by_a_leaf_from_elsewhere() -> None:
    """The leaf shown must share the path: the prover chooses no prefix.

    Reference: ICS-23 "Dragonberry" (prefix chosen by the prover); safety.md §3.
    """
    for depth in (1, 2, 7, 8, 9, 100, 255):
        stranger = near(KEY, depth - 1, KEY)  # leaves the path one bit too early
        root = leaf_of(stranger, VALUE)
        for level in reversed(range(depth)):
            root = node_of(KEY, level, root, OTHER_VALUE)
        proof = StateProof((OTHER_VALUE,) * depth, (stranger, VALUE))
        refused(InvalidProof, "terminal-elsewhere", verify_absence_of_hash, SUITE, root, KEY, proof)
        neighbour = near(KEY, depth, KEY)
        root = leaf_of(neighbour, VALUE)
        for level in reversed(range(depth)):
            root = node_of(KEY, level, root, OTHER_VALUE)
        verify_absence_of_hash(SUITE, root, KEY, StateProof((OTHER_VALUE,) * depth, (neighbour, VALUE)))


def test_absence_is_not_shown_by_an_empty_place_above_the_leaf() -> None:
    """A shorter path that ends in nothing does not hash to the root. Reference: safety.md §3 (test absence hardest)."""
    pairs = {KEY: VALUE, near(KEY, 20, OTHER): VALUE, OTHER: VALUE}
    proof = prove(SUITE, built(pairs), KEY)
    for length in range(len(proof.siblings) + 1):
        siblings = proof.siblings[:length]
        with pytest.raises(InvalidProof):
            verify_absence_of_hash(SUITE, naive_root(pairs), KEY, StateProof(siblings, None))


def test_presence_carries_no_terminal() -> None:
    """Both halves set, one of them never hashed. Reference: BNB bridge / IAVL 2022; safety.md §3."""
    pairs = {KEY: VALUE, OTHER: VALUE}
    proof = prove(SUITE, built(pairs), KEY)
    for terminal in ((OTHER, VALUE), (KEY, VALUE), (ZERO, ZERO)):
        spliced = StateProof(proof.siblings, terminal)
        refused(
            InvalidProof,
            "unexpected-terminal",
            verify_presence_of_hashes,
            SUITE,
            naive_root(pairs),
            KEY,
            VALUE,
            spliced,
        )


def test_last_sibling_is_not_empty() -> None:
    """A leaf beside nothing stands one level higher; so does nothing beside nothing. One set, one root, one proof.

    Reference: design.md §3, state tree ("the root is a function of the key-value set alone").
    """
    for siblings in ((EMPTY,), (VALUE, EMPTY), (EMPTY,) * 256):
        for terminal in (None, (OTHER, VALUE)):
            refused(InvalidProof, "empty-last-sibling", StateProof, siblings, terminal)
            refused(InvalidProof, "empty-last-sibling", StateProof.from_value, (siblings, terminal))


def test_depth_is_capped() -> None:
    """Reference: safety.md §3 (cap depth)."""
    refused(InvalidProof, "proof-too-deep", StateProof, (VALUE,) * 257, None)
    refused(InvalidProof, "proof-too-deep", StateProof, [VALUE], None)
    refused(EncodingError, "bad-shape", StateProof.from_value, ((VALUE,) * 257, None))
    # 256 siblings lead to a leaf that differs from another in the last bit, never to an absent key.
    root = EMPTY
    for level in reversed(range(256)):
        root = node_of(KEY, level, root, VALUE)
    proof = StateProof((VALUE,) * 256, None)
    refused(InvalidProof, "proof-too-deep", verify_absence_of_hash, SUITE, root, KEY, proof)
    deep = {KEY: VALUE, near(KEY, 255, KEY): VALUE}
    proof = prove(SUITE, built(deep), KEY)
    assert len(proof.siblings) == 256
    verify_presence_of_hashes(SUITE, naive_root(deep), KEY, VALUE, proof)


def test_leaf_is_not_a_node() -> None:
    """The two digests of a leaf are no children, the two children of a node no leaf.

    Reference: RFC 6962 §2.1, prefixes; safety.md §3 (leaf/node confusion).
    """
    root = leaf_of(KEY, VALUE)
    for side in (KEY, VALUE):
        with pytest.raises(InvalidProof):
            verify_absence_of_hash(SUITE, root, ZERO, StateProof((side,), None))
    left, right = leaf_of(ZERO, VALUE), leaf_of(b"\x80" + bytes(31), VALUE)
    root = root_of_tree(SUITE, built({ZERO: VALUE, b"\x80" + bytes(31): VALUE}))
    refused(InvalidProof, "root-mismatch", verify_presence_of_hashes, SUITE, root, left, right, StateProof((), None))
    refused(InvalidProof, "root-mismatch", verify_absence_of_hash, SUITE, root, KEY, StateProof((), (left, right)))


def test_state_tree_and_log_share_no_preimage() -> None:
    """A path of the log is none of the tree, nor the other way round. Reference: design.md §3 ("prefixes distinct")."""
    digests = [
        merkle.leaf_hash(SUITE, KEY + VALUE),
        merkle.node_hash(SUITE, KEY, VALUE),
        leaf_of(KEY, VALUE),
        sha256(b"\x12" + KEY + VALUE),
        sha256(KEY + VALUE),
    ]
    assert len(set(digests)) == len(digests)
    log_root = merkle.node_hash(SUITE, leaf_of(ZERO, VALUE), OTHER_VALUE)
    refused(
        InvalidProof,
        "root-mismatch",
        verify_presence_of_hashes,
        SUITE,
        log_root,
        ZERO,
        VALUE,
        StateProof((OTHER_VALUE,), None),
    )


def test_empty_tree_shows_absence_only() -> None:
    """Its root is 32 zero bytes, its only proof is empty. Reference: safety.md §3 (empty lists never pass)."""
    nothing = StateProof((), None)
    assert prove(SUITE, MemoryPages(), KEY) == nothing
    verify_absence_of_hash(SUITE, EMPTY, KEY, nothing)
    refused(InvalidProof, "root-mismatch", verify_presence_of_hashes, SUITE, EMPTY, KEY, VALUE, nothing)
    refused(InvalidProof, "root-mismatch", verify_absence_of_hash, SUITE, leaf_of(KEY, VALUE), KEY, nothing)
    refused(InvalidProof, "root-mismatch", verify_absence_of_hash, SUITE, leaf_of(KEY, VALUE), OTHER, nothing)


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(33), bytes(64), bytearray(32), "0" * 32, None, 0])
def test_hashes_have_exactly_32_bytes(bad: Any) -> None:
    """Reference: ICS-23 "Dragonberry" (a part of another length moves the boundary); safety.md §3."""
    nothing = StateProof((), None)
    refused(InvalidProof, "hash-length", verify_presence_of_hashes, SUITE, bad, KEY, VALUE, nothing)
    refused(InvalidProof, "hash-length", verify_presence_of_hashes, SUITE, EMPTY, bad, VALUE, nothing)
    refused(InvalidProof, "hash-length", verify_presence_of_hashes, SUITE, EMPTY, KEY, bad, nothing)
    refused(InvalidProof, "hash-length", verify_absence_of_hash, SUITE, bad, KEY, nothing)
    refused(InvalidProof, "hash-length", verify_absence_of_hash, SUITE, EMPTY, bad, nothing)
    refused(InvalidProof, "hash-length", StateProof, (bad,), None)
    refused(InvalidProof, "hash-length", StateProof, (), (bad, VALUE))
    refused(InvalidProof, "hash-length", StateProof, (), (KEY, bad))


@pytest.mark.parametrize(
    "value",
    [
        None,
        (),
        ((),),
        ((), None, None),
        (None, None),
        (b"", None),
        ((), ()),
        ((), (KEY,)),
        ((), (KEY, VALUE, VALUE)),
        ((), (KEY, None)),
        ((), KEY),
        ((), False),
        ((KEY[:31],), None),
        ((KEY + b"\0",), None),
        ((None,), None),
        (("0" * 32,), None),
        (((KEY,),), None),
        ((KEY,), (KEY, VALUE), b"\x12"),
    ],
)
def test_proof_has_one_shape(value: canonical.Value) -> None:
    """No field for a prefix, a side or a hash. Reference: ICS-23 "Dragonberry"; safety.md §3 (fixed shape)."""
    with pytest.raises(FazhiError):
        StateProof.from_value(value)
