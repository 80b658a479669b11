"""Guilt is shown by signed bodies, holds for anyone, and touches nobody honest (design §6, "Guilt")."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fazhi_consensus.effects import RecordEquivocation
from fazhi_consensus.errors import InvalidEvidence
from fazhi_consensus.evidence import Evidence, Guilt, contradiction, verify_evidence
from fazhi_consensus.limits import MAX_EVIDENCE_BYTES
from fazhi_consensus.messages import Claim, Commit, Prepare, RoundChange, Signed
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import EncodingError
from hypothesis import given
from hypothesis import strategies as st

from .kit import BLOCK_A, GENESIS, SUITE, A, Assembly, B, Bench, of

FOUR = Assembly(4)


def guilty_pairs() -> list[tuple[Signed, Signed, Guilt]]:
    double, forgot = Guilt.DOUBLE_VOTE, Guilt.FORGOTTEN_LOCK
    kinds: tuple[type[Claim], type[Prepare], type[Commit]] = (Claim, Prepare, Commit)
    votes = [(FOUR.vote(kind, 3, 2, A), FOUR.vote(kind, 3, 2, B), double) for kind in kinds]
    return [
        *votes,
        (FOUR.round_change(3, 2).bare(), FOUR.round_change(3, 2, (1, A)).bare(), double),
        (FOUR.round_change(3, 2, (1, A)).bare(), FOUR.round_change(3, 2, (1, B)).bare(), double),
        (FOUR.vote(Commit, 3, 1, A), FOUR.round_change(3, 2).bare(), forgot),
        (FOUR.round_change(3, 4, (1, A)).bare(), FOUR.vote(Commit, 3, 3, A), forgot),
    ]


def innocent_pairs() -> list[tuple[Signed, Signed]]:
    return [
        (FOUR.vote(Prepare, 3, 2, A), FOUR.vote(Prepare, 3, 2, A)),  # signed twice, said once
        (FOUR.vote(Prepare, 3, 2, A), FOUR.vote(Prepare, 3, 1, B)),
        (FOUR.vote(Prepare, 3, 2, A), FOUR.vote(Commit, 3, 2, B)),
        (FOUR.vote(Prepare, 3, 2, A), FOUR.vote(Prepare, 2, 2, B)),
        (FOUR.vote(Prepare, 3, 2, A), FOUR.vote(Prepare, 3, 2, B, height=2)),
        (FOUR.round_change(3, 2), FOUR.round_change(3, 3, (2, A))),
        (FOUR.vote(Commit, 3, 1, A), FOUR.round_change(3, 2, (1, A))),
        (FOUR.vote(Commit, 3, 1, A), FOUR.round_change(3, 4, (3, B))),
        (FOUR.vote(Commit, 3, 2, A), FOUR.round_change(3, 2)),  # it entered round 2, then committed in it
        (FOUR.vote(Commit, 3, 1, A), FOUR.round_change(3, 2, height=2)),
        (FOUR.vote(Prepare, 3, 1, A), FOUR.round_change(3, 2)),  # prepared by nobody else
    ]


@pytest.mark.parametrize(("first", "second", "guilt"), guilty_pairs())
def test_a_contradiction_convicts_its_signer_before_anyone(first: Signed, second: Signed, guilt: Guilt) -> None:
    for pair in ((first, second), (second, first)):
        evidence = Evidence.decode(Evidence(*pair).encode())
        assert evidence.guilt is guilt
        assert verify_evidence(SUITE, GENESIS, FOUR.validators, evidence) == 3


@pytest.mark.parametrize(("first", "second"), innocent_pairs())
def test_an_honest_history_convicts_nobody(first: Signed, second: Signed) -> None:
    for pair in ((first, second), (second, first)):
        assert contradiction(*pair) is None
        with pytest.raises(InvalidEvidence, match="no-contradiction"):
            Evidence(*pair)


def test_evidence_with_a_forged_signature_convicts_nobody() -> None:
    real, forged = FOUR.vote(Commit, 3, 2, A), replace(FOUR.vote(Commit, 2, 2, B), sender=3)
    with pytest.raises(InvalidEvidence, match="bad-signature"):
        verify_evidence(SUITE, GENESIS, FOUR.validators, Evidence(real, forged))
    prepare = FOUR.vote(Prepare, 3, 2, B)
    turned = Commit(3, 1, 2, B, prepare.signature)  # a PREPARE is never read as a COMMIT
    with pytest.raises(InvalidEvidence, match="bad-signature"):
        verify_evidence(SUITE, GENESIS, FOUR.validators, Evidence(real, turned))


def test_evidence_of_another_chain_or_seat_convicts_nobody() -> None:
    evidence = Evidence(FOUR.vote(Commit, 3, 2, A), FOUR.vote(Commit, 3, 2, B))
    with pytest.raises(InvalidEvidence, match="bad-signature"):
        verify_evidence(SUITE, SUITE.hash(b"another chain"), FOUR.validators, evidence)
    with pytest.raises(InvalidEvidence, match="unknown-signer"):
        verify_evidence(SUITE, GENESIS, Assembly(3).validators, evidence)


@pytest.mark.parametrize(("first", "second", "guilt"), guilty_pairs()[1:])
def test_the_replica_records_what_it_hears(first: Signed, second: Signed, guilt: Guilt) -> None:
    """A ROUND-CHANGE is heard with its proof. Claims: test_the_first_proposal_wins_and_the_second_is_evidence."""
    bench = Bench(FOUR, 0)
    for signed in (first, second):
        proof = FOUR.proof(*signed.prepared) if isinstance(signed, RoundChange) and signed.prepared else ()
        message = replace(signed, prepares=proof) if isinstance(signed, RoundChange) else signed
        assert not isinstance(message, Claim)
        bench.hear(message)  # type: ignore[arg-type]
    recorded = [effect.evidence for effect in of(bench.effects, RecordEquivocation)]
    of_three = [evidence for evidence in recorded if evidence.accused == 3]
    assert [evidence.guilt for evidence in of_three] == [guilt]
    verify_evidence(SUITE, GENESIS, FOUR.validators, of_three[0])


def test_evidence_is_recorded_once_for_each_validator_and_height() -> None:
    bench = Bench(FOUR, 0)
    bench.hear(*[FOUR.vote(Prepare, 3, r, b) for r in range(10) for b in (A, B)])
    assert len(bench.all_of(RecordEquivocation)) == 1


def test_a_contradiction_is_no_vote() -> None:
    bench = Bench(FOUR, 0)
    bench.hear(FOUR.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(FOUR.vote(Prepare, 3, 0, B), FOUR.vote(Prepare, 3, 0, A), FOUR.vote(Prepare, 1, 0, A))
    assert not any(isinstance(message, Commit) for message in bench.said)


@given(st.binary(max_size=200))
def test_the_decoder_of_evidence_takes_no_garbage(data: bytes) -> None:
    with pytest.raises((EncodingError, InvalidEvidence)):
        Evidence.decode(data)


def test_evidence_is_bounded() -> None:
    vote = (3, 3, 1, 2, A, b"x" * 64)
    with pytest.raises(EncodingError):
        Evidence.decode(encode((1, vote, (3, 3, 1, 2, B, b"x" * MAX_EVIDENCE_BYTES))))
    with pytest.raises(EncodingError):
        Evidence.decode(encode((1, vote, (9, 3, 1, 2, B, b"x"))))
    with pytest.raises(EncodingError):
        Evidence.decode(encode((2, vote, vote)))
    with pytest.raises(EncodingError):
        Evidence.decode(encode((1, (), ())))
    assert Evidence.decode(encode((1, vote, (3, 3, 1, 2, B, b"x")))).accused == 3
