"""The gate: what is refused before the core sees it (safety.md §2, "Identity", "Round change", "Resources")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fazhi_consensus.errors import InvalidMessage
from fazhi_consensus.limits import MAX_PAYLOAD_BYTES
from fazhi_consensus.messages import (
    BlockReply,
    BlockRequest,
    Claim,
    Commit,
    Message,
    Prepare,
    PrePrepare,
    RoundChange,
)
from fazhi_consensus.verify import Candidate, Verified, screen, verify_message
from fazhi_ledger.errors import InvalidSignature, InvariantBroken

from .kit import BLOCK_A, BLOCK_B, GENESIS, SUITE, A, Assembly, B, block_hash_of


@pytest.fixture(scope="module")
def four() -> Assembly:
    return Assembly(4)


def refused(assembly: Assembly, message: Message, code: str) -> None:
    """The cheap checks refuse it, before any signature is looked at."""
    with pytest.raises(InvalidMessage) as caught:
        screen(assembly.genesis_hash, assembly.validators, message, message.sender)
    assert caught.value.code == code


def forged(assembly: Assembly, message: Message) -> None:
    """The cheap checks pass, a signature does not hold."""
    candidate = screen(assembly.genesis_hash, assembly.validators, message)
    with pytest.raises(InvalidSignature):
        candidate.check(SUITE)


def test_a_prepare_is_never_read_as_a_commit(four: Assembly) -> None:
    prepare = four.vote(Prepare, 2, 0, A)
    four.verify(prepare)
    forged(four, Commit(2, 1, 0, A, prepare.signature))
    forged(four, PrePrepare(Claim(1, 1, 0, A, four.vote(Prepare, 1, 0, A).signature), BLOCK_A))


@pytest.mark.parametrize(
    "change",
    [{"height": 2}, {"round": 1}, {"block_hash": B}, {"sender": 3}],
    ids=lambda change: next(iter(change)),
)
def test_a_vote_binds_height_round_block_and_signer(four: Assembly, change: dict[str, object]) -> None:
    vote = four.vote(Commit, 2, 0, A)
    forged(four, replace(vote, **change))  # type: ignore[arg-type]


def test_a_round_change_binds_every_field(four: Assembly) -> None:
    change = four.round_change(2, 3)
    forged(four, replace(change, new_round=4))
    forged(four, replace(change, height=2))
    forged(four, replace(change, prepared_round=1, prepared_hash=A, prepares=four.proof(1, A)))
    proven = four.round_change(2, 3, (1, A))
    forged(four, replace(proven, prepared_round=None, prepared_hash=None, prepares=()))


def test_a_vote_of_another_chain_is_refused(four: Assembly) -> None:
    elsewhere = Assembly(4, genesis_hash=SUITE.hash(b"another chain"))
    for message in (elsewhere.vote(Prepare, 0, 0, A), elsewhere.round_change(0, 1), elsewhere.pre_prepare(0, BLOCK_A)):
        elsewhere.verify(message)
        forged(four, message)


def test_unsigned_kinds_are_believed_of_their_peer_alone(four: Assembly) -> None:
    for message in (BlockRequest(2, 1, A), BlockReply(2, 1, A, BLOCK_A)):
        four.verify(message, peer=2)
        for peer in (1, None):
            with pytest.raises(InvalidMessage, match="unsigned-for-another"):
                screen(GENESIS, four.validators, message, peer)


def test_a_signer_outside_the_set_is_refused(four: Assembly) -> None:
    five = Assembly(5)
    for message in (five.vote(Prepare, 4, 0, A), five.round_change(4, 1)):
        refused(four, message, "unknown-signer")


def test_only_the_proposer_of_the_round_proposes(four: Assembly) -> None:
    four.verify(four.pre_prepare(0, BLOCK_A))
    for sender in (0, 2, 3):
        refused(four, four.pre_prepare(0, BLOCK_A, sender=sender), "not-the-proposer")


def test_the_block_must_have_the_signed_hash(four: Assembly) -> None:
    proposal = replace(four.pre_prepare(0, BLOCK_A), payload=BLOCK_B)
    change = four.round_change(0, 1, (0, A), BLOCK_B)
    reply = BlockReply(0, 1, A, BLOCK_B)
    for message in (proposal, change, reply):
        with pytest.raises(InvalidMessage, match="block-of-another-hash"):
            four.verify(message, peer=0)
    with pytest.raises(InvalidMessage, match="no-block"):
        four.verify(four.pre_prepare(0, b"no block at all"))


def test_round_0_needs_no_justification_and_takes_none(four: Assembly) -> None:
    refused(four, four.pre_prepare(0, BLOCK_A, four.round_changes((0, 1, 2), 1)), "needless-justification")


def test_a_proposal_above_round_0_shows_q_distinct_round_changes(four: Assembly) -> None:
    """arXiv 2002.03613, Algorithm 4, JustifyPrePrepare. Counted are validators, never signatures."""
    four.verify(four.pre_prepare(1, BLOCK_A, four.round_changes((0, 1, 3), 1)))
    refused(four, four.pre_prepare(1, BLOCK_A), "no-quorum")
    refused(four, four.pre_prepare(1, BLOCK_A, four.round_changes((0, 1), 1)), "no-quorum")
    refused(four, four.pre_prepare(1, BLOCK_A, four.round_changes((0, 1, 1), 1)), "signers-not-distinct")
    refused(four, four.pre_prepare(1, BLOCK_A, four.round_changes((1, 0, 2), 1)), "signers-not-distinct")
    refused(four, four.pre_prepare(1, BLOCK_A, four.round_changes((0, 1, 2, 3), 1)), "no-quorum")
    refused(four, four.pre_prepare(1, BLOCK_A, four.round_changes((0, 1, 2), 2)), "round-change-of-another-round")


def test_receivers_recompute_the_choice(four: Assembly) -> None:
    """Algorithm 4, HighestPrepared; go-ibft#52 took the wrong one."""
    changes = (four.round_change(0, 3, (0, A)), four.round_change(1, 3), four.round_change(2, 3, (1, B)))
    four.verify(four.pre_prepare(3, BLOCK_B, changes))
    refused(four, four.pre_prepare(3, BLOCK_A, changes), "not-the-prepared-block")
    refused(four, four.pre_prepare(3, b"block of my own", changes), "not-the-prepared-block")


def test_each_round_change_proves_its_own_claim(four: Assembly) -> None:
    """sigp/anchor#106 left the PREPAREs out."""
    good = four.round_change(2, 3, (1, A))

    def with_proof(*prepares: Prepare) -> RoundChange:
        return replace(good, prepares=prepares)

    four.verify(good)
    bad: list[tuple[RoundChange, str]] = [
        (with_proof(), "no-quorum"),
        (with_proof(*good.prepares[:2]), "no-quorum"),
        (with_proof(*good.prepares, four.vote(Prepare, 3, 1, A)), "no-quorum"),
        (with_proof(*good.prepares[:2], four.vote(Prepare, 1, 1, A)), "signers-not-distinct"),
        (replace(four.round_change(2, 1, (1, A))), "bad-prepared-round"),
        (replace(four.round_change(2, 3), prepares=good.prepares), "proof-of-nothing"),
        (replace(four.round_change(2, 3), payload=BLOCK_A), "proof-of-nothing"),
    ]
    for change, code in bad:
        refused(four, change, code)
    for other in (four.vote(Prepare, 2, 0, A), four.vote(Prepare, 2, 1, B), four.vote(Prepare, 2, 1, A, height=2)):
        refused(four, with_proof(*good.prepares[:2], other), "prepare-of-another-proposal")


def test_one_bad_nested_signature_spoils_the_message(four: Assembly) -> None:
    """No signature is ignored (CVE-2020-15091): each nested one is checked."""
    bad_prepare = replace(four.proof(0, A)[1], signature=four.vote(Commit, 1, 0, A).signature)
    proven = four.round_change(0, 1, (0, A))
    spoiled = replace(proven, prepares=(proven.prepares[0], bad_prepare, proven.prepares[2]))
    forged(four, spoiled)
    forged(four, four.pre_prepare(1, BLOCK_A, (spoiled, *four.round_changes((1, 2), 1))))
    bad_change = replace(four.round_change(1, 1), signature=four.round_change(1, 2).signature)
    forged(four, four.pre_prepare(1, BLOCK_A, (four.round_change(0, 1), bad_change, four.round_change(2, 1))))


def test_nested_round_changes_carry_no_block_of_their_own(four: Assembly) -> None:
    changes = (four.round_change(0, 1, (0, A), BLOCK_A), *four.round_changes((1, 2), 1))
    refused(four, four.pre_prepare(1, BLOCK_A, changes), "needless-block")


def test_equal_signatures_are_checked_once(four: Assembly) -> None:
    proof = four.proof(0, A)
    changes = tuple(replace(four.round_change(i, 1, (0, A)), prepares=proof) for i in range(3))
    candidate = screen(GENESIS, four.validators, four.pre_prepare(1, BLOCK_A, changes))
    assert len(candidate.equations) == 1 + 3 + 3


def test_cheap_checks_come_before_any_signature(four: Assembly) -> None:
    class Counting(type(SUITE)):  # type: ignore[misc]
        calls = 0

        def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
            self.calls += 1

    suite = Counting()
    bad = four.pre_prepare(1, BLOCK_A, four.round_changes((0, 1), 1))
    with pytest.raises(InvalidMessage):
        verify_message(suite, GENESIS, four.validators, bad, block_hash_of)
    assert suite.calls == 0


def test_a_block_is_hashed_only_after_the_signatures_hold(four: Assembly) -> None:
    def expensive(payload: bytes) -> bytes:
        raise AssertionError("hashed a block that nobody signed")

    proposal = four.pre_prepare(0, BLOCK_A)
    bad = replace(proposal, claim=replace(proposal.claim, signature=bytes(65)))
    with pytest.raises(InvalidSignature):
        verify_message(SUITE, GENESIS, four.validators, bad, expensive)


def test_block_size_is_bounded_on_both_sides(four: Assembly) -> None:
    largest = b"block" + bytes(MAX_PAYLOAD_BYTES - 5)
    screen(GENESIS, four.validators, four.pre_prepare(0, largest))
    refused(four, four.pre_prepare(0, largest + b"\0"), "block-too-large")


def test_verified_is_made_by_the_verifier_only(four: Assembly) -> None:
    with pytest.raises(InvariantBroken):
        Verified(four.vote(Prepare, 0, 0, A), four.validators, "verified")  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 10, 13])
def test_a_proof_of_one_prepare_less_than_a_quorum_is_refused(count: int) -> None:
    """⌈2n/3⌉, not 2f+1: at n = 6 that would be 3, and two such sets can be disjoint (celo-blockchain#117)."""
    assembly = Assembly(count)
    assert assembly.quorum == -(-2 * count // 3)
    assert 2 * assembly.quorum - count > assembly.validators.faulty
    change = assembly.round_change(0, 1, (0, A))
    assembly.verify(change)
    refused(assembly, replace(change, prepares=change.prepares[:-1]), "no-quorum")


def test_the_caller_may_check_the_equations_itself(four: Assembly) -> None:
    candidate: Candidate[Message] = screen(GENESIS, four.validators, four.round_change(0, 1, (0, A), BLOCK_A))
    for equation in candidate.equations:
        SUITE.verify(equation.public_key, equation.message, equation.signature)
    hashes: list[Callable[[bytes], bytes]] = [block_hash_of]
    assert candidate.seal(hashes[0]).message == candidate.message
