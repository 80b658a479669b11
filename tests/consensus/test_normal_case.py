"""The normal case (arXiv 2002.03613, Algorithm 2; safety.md §2, "Pre-prepare" and "Prepare/commit")."""

from __future__ import annotations

import pytest
from fazhi_consensus.effects import (
    AnswerDecided,
    CertificateGrown,
    Decide,
    Persist,
    RecordEquivocation,
    RequestProposal,
    Send,
    ValidateBlock,
)
from fazhi_consensus.events import BlockValidated, StartHeight
from fazhi_consensus.limits import KEPT_CERTIFICATES, KEPT_VOTE_ROUNDS, MAX_BLOCKS_SERVED
from fazhi_consensus.messages import BlockReply, BlockRequest, Commit, Phase, Prepare, PrePrepare
from fazhi_consensus.replica import Triage
from fazhi_consensus.stages import LEGAL, OPEN, Stage
from fazhi_consensus.timers import Timer
from fazhi_consensus.vote_book import VoteBook

from .kit import BLOCK_A, BLOCK_B, BLOCK_C, GENESIS, SUITE, A, Assembly, B, Bench, C, decisions, of, said_in


def decided_bench(assembly: Assembly) -> Bench:
    """A replica that has decided block A at height 1 in round 0 by the COMMITs of 0, 1 and 2."""
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(*assembly.votes(Prepare, (1, 2), 0, A), *assembly.votes(Commit, (1, 2), 0, A))
    assert decisions(bench.effects) == [(1, BLOCK_A)]
    return bench


def test_the_proposer_of_a_height_is_asked_and_proposes() -> None:
    bench = Bench(Assembly(), 1)
    assert of(bench.effects, RequestProposal) == [RequestProposal(1, 0)]
    effects = bench.propose(BLOCK_A)
    kinds = [type(message) for message in said_in(effects)]
    assert kinds == [PrePrepare, Prepare]  # the proposer prepares its own block, which it has executed
    assert len(of(effects, Persist)) == 1


def test_the_proposer_proposes_once() -> None:
    bench = Bench(Assembly(), 1)
    bench.propose(BLOCK_A)
    assert bench.propose(BLOCK_B) == ()


def test_others_are_not_asked_and_cannot_propose() -> None:
    bench = Bench(Assembly(), 0)
    assert bench.all_of(RequestProposal) == []
    assert bench.propose(BLOCK_A) == ()


def test_prepare_only_after_the_block_was_found_valid() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    effects = bench.hear(assembly.pre_prepare(0, BLOCK_A))
    assert of(effects, ValidateBlock) == [ValidateBlock(1, 0, A, BLOCK_A, fresh=True, proposer=1)]
    assert bench.said == []
    effects = bench.validated()
    assert [type(message) for message in said_in(effects)] == [Prepare]


def test_an_invalid_block_is_never_prepared_nor_committed() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated(ok=False)
    bench.hear(*assembly.votes(Prepare, (1, 2, 3), 0, A))
    assert bench.said == []


def test_a_verdict_that_nobody_asked_for_is_ignored() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.feed(BlockValidated(1, 0, A, True, True))
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.feed(BlockValidated(1, 0, B, True, True))
    bench.feed(BlockValidated(1, 0, A, False, True))
    bench.feed(BlockValidated(2, 0, A, True, True))
    assert bench.said == []


def test_the_first_proposal_wins_and_the_second_is_evidence() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    first, second = assembly.pre_prepare(0, BLOCK_A), assembly.pre_prepare(0, BLOCK_B)
    bench.hear(first)
    effects = bench.hear(second)
    assert of(effects, ValidateBlock) == []
    (evidence,) = of(effects, RecordEquivocation)
    assert (evidence.evidence.first, evidence.evidence.second) == (first.claim, second.claim)
    bench.validated()
    prepares = [message for message in bench.said if isinstance(message, Prepare)]
    assert [vote.block_hash for vote in prepares] == [A]


@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_commit_only_after_q_prepares(count: int) -> None:
    assembly = Assembly(count)
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(*assembly.votes(Prepare, range(1, assembly.quorum - 1), 0, A))
    assert not any(isinstance(message, Commit) for message in bench.said)
    bench.hear(assembly.vote(Prepare, assembly.quorum - 1, 0, A))
    assert isinstance(bench.said[-1], Commit)


def test_prepares_of_another_round_or_block_do_not_count() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(assembly.vote(Prepare, 1, 0, A), assembly.vote(Prepare, 2, 1, A), assembly.vote(Prepare, 3, 0, B))
    assert not any(isinstance(message, Commit) for message in bench.said)


def test_one_validator_counts_once_however_often_it_signs() -> None:
    """SM2 signs the same body differently each time: |signatures| is not |signers| (safety.md §2)."""
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    again = [assembly.vote(Prepare, 1, 0, A) for _ in range(4)]
    assert len({vote.signature for vote in again}) == 4
    bench.hear(*again)
    assert not any(isinstance(message, Commit) for message in bench.said)
    bench.hear(*[assembly.vote(Commit, 1, 0, A) for _ in range(4)])
    assert bench.all_of(Decide) == []


def test_commit_needs_the_proposal_itself() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(*assembly.votes(Prepare, (1, 2, 3), 0, A))
    assert bench.said == []
    bench.hear(assembly.pre_prepare(0, BLOCK_A))  # early PREPAREs were kept and count now
    bench.validated()
    assert [type(message) for message in bench.said] == [Prepare, Commit]


def test_q_commits_decide_with_a_certificate_that_verifies() -> None:
    bench = decided_bench(Assembly())
    (decide,) = bench.all_of(Decide)
    assert decide.certificate.signers == (0, 1, 2)
    decide.certificate.verify_for(SUITE, GENESIS, bench.assembly.validators, 1, A)


def test_commits_of_different_rounds_do_not_add_up() -> None:
    """Design §5: a certificate is of one and the same round, even for the same block."""
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(assembly.vote(Commit, 1, 0, A), assembly.vote(Commit, 2, 1, A), assembly.vote(Commit, 3, 2, A))
    assert bench.all_of(Decide) == []
    bench.hear(assembly.vote(Commit, 2, 0, A), assembly.vote(Commit, 3, 0, A))
    assert decisions(bench.effects) == [(1, BLOCK_A)]


def test_q_commits_of_an_earlier_round_decide_too() -> None:
    """Algorithm 2: of any round."""
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.fire()
    assert bench.round == 1
    bench.hear(*assembly.votes(Commit, (1, 2, 3), 0, A))
    (decide,) = bench.all_of(Decide)
    assert decide.certificate.round == 0


def test_a_decided_block_that_is_missing_is_fetched_from_those_who_committed() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    effects = bench.hear(*assembly.votes(Commit, (1, 2, 3), 0, A))
    assert of(effects, Send) == [Send(i, BlockRequest(0, 1, A)) for i in (1, 2, 3)]
    assert bench.fire(Timer.ROUND) == ()  # it is decided: no round is changed any more
    assert of(bench.fire(Timer.RESEND), Send) == of(effects, Send)  # asked again
    assert bench.hear(BlockReply(2, 1, B, BLOCK_B)) == ()  # another block does not do
    effects = bench.hear(BlockReply(1, 1, A, BLOCK_A))
    assert of(effects, ValidateBlock) == [ValidateBlock(1, 0, A, BLOCK_A, fresh=False, proposer=1)]
    bench.validated()
    assert decisions(bench.effects) == [(1, BLOCK_A)]
    assert bench.said == []


def test_a_decided_block_whose_copy_is_bad_is_fetched_again() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(*assembly.votes(Commit, (1, 2, 3), 0, A))
    bench.hear(BlockReply(1, 1, A, BLOCK_A))
    assert of(bench.validated(ok=False), Send) == []  # not at once: whoever sent it could keep us busy
    assert [send.to for send in of(bench.fire(Timer.RESEND), Send)] == [1, 2, 3]
    bench.hear(assembly.pre_prepare(0, BLOCK_A))  # the proposal brings it as well
    bench.validated()
    assert decisions(bench.effects) == [(1, BLOCK_A)]


def test_commits_that_come_while_the_block_is_fetched_stand_in_the_certificate() -> None:
    assembly = Assembly()
    bench = Bench(assembly, None)
    bench.hear(*assembly.votes(Commit, (1, 2, 3), 0, A))
    bench.hear(assembly.vote(Commit, 0, 0, A))
    for round_ in range(1, KEPT_VOTE_ROUNDS + 2):  # later votes must not push them out
        bench.hear(*assembly.votes(Commit, (1, 2, 3), round_, A))
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    (decide,) = bench.all_of(Decide)
    assert decide.certificate.signers == (0, 1, 2, 3)
    decide.certificate.verify(SUITE, GENESIS, assembly.validators)


def test_a_block_is_served_to_who_asks() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    assert of(bench.hear(BlockRequest(3, 1, A)), Send) == [Send(3, BlockReply(0, 1, A, BLOCK_A))]
    assert bench.hear(BlockRequest(3, 1, B)) == ()


def test_requests_for_a_block_are_answered_within_bounds() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    answers = [len(of(bench.hear(BlockRequest(3, 1, A)), Send)) for _ in range(MAX_BLOCKS_SERVED + 5)]
    assert answers == [1] * MAX_BLOCKS_SERVED + [0] * 5
    assert len(of(bench.hear(BlockRequest(2, 1, A)), Send)) == 1  # others are served all the same


def test_nothing_is_signed_for_a_decided_height() -> None:
    """besu#1734: a ROUND-CHANGE after the decision let two honest validators commit different blocks."""
    assembly = Assembly()
    bench = decided_bench(assembly)
    before = len(bench.log)
    bench.fire(Timer.ROUND)
    bench.fire(Timer.RESEND)
    bench.hear(assembly.pre_prepare(1, BLOCK_B, assembly.round_changes((1, 2, 3), 1)))
    bench.hear(*assembly.round_changes((1, 2, 3), 5))
    bench.hear(assembly.vote(Prepare, 3, 0, B))
    assert len(bench.log) == before
    assert bench.round == 0


def test_who_still_works_on_a_decided_height_is_answered() -> None:
    assembly = Assembly()
    bench = decided_bench(assembly)
    assert bench.hear(assembly.round_change(3, 1)) == (AnswerDecided(3, 1),)
    bench.start(2)
    assert bench.hear(assembly.round_change(3, 1)) == (AnswerDecided(3, 1),)
    assert bench.hear(BlockRequest(2, 1, A)) == (AnswerDecided(2, 1),)
    assert bench.hear(assembly.vote(Commit, 3, 1, B)) == (AnswerDecided(3, 1),)


def test_votes_that_merely_came_late_are_not_answered() -> None:
    """Their senders are on the way to the same decision; the answer holds a whole block."""
    assembly = Assembly()
    bench = decided_bench(assembly)
    assert bench.hear(assembly.vote(Prepare, 3, 0, A), assembly.vote(Commit, 2, 0, A)) == ()


def test_late_commits_are_added_to_the_certificate() -> None:
    assembly = Assembly()
    bench = decided_bench(assembly)
    bench.start(2)
    (grown,) = of(bench.hear(assembly.vote(Commit, 3, 0, A)), CertificateGrown)
    assert grown.certificate.signers == (0, 1, 2, 3)
    grown.certificate.verify_for(SUITE, GENESIS, assembly.validators, 1, A)
    assert bench.hear(assembly.vote(Commit, 3, 0, A)) == ()  # once
    assert bench.replica.certificate(1) == grown.certificate


def test_certificates_are_kept_for_a_few_heights_only() -> None:
    assembly = Assembly(1)
    bench = Bench(assembly, 0)
    for height in range(1, KEPT_CERTIFICATES + 3):
        if height > 1:
            bench.start(height)
        bench.propose(b"block %d" % height, height=height)
    kept = [height for height in range(1, KEPT_CERTIFICATES + 3) if bench.replica.certificate(height) is not None]
    assert kept == list(range(3, KEPT_CERTIFICATES + 3))


def test_one_validator_alone_decides_in_one_step() -> None:
    bench = Bench(Assembly(1), 0)
    effects = bench.propose(BLOCK_A)
    assert isinstance(effects[0], Persist)
    assert decisions(effects) == [(1, BLOCK_A)]


def test_messages_of_the_next_height_wait_for_it() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    votes = assembly.votes(Prepare, (1, 2, 3), 0, B, height=2)
    assert bench.hear(assembly.pre_prepare(0, BLOCK_B, height=2), *votes) == ()
    effects = bench.start(2)
    assert of(effects, ValidateBlock)[0].block_hash == B
    bench.validated()
    assert isinstance(bench.said[-1], Commit)


def test_early_messages_are_bounded_for_each_peer() -> None:
    """One message of each validator and kind: the highest round, of one round the first."""
    assembly = Assembly()
    bench = Bench(assembly, 0)
    for round_ in range(100):
        bench.hear(assembly.vote(Prepare, 3, round_, A, height=2), assembly.vote(Prepare, 3, round_, B, height=2))
    assert len(bench.replica._early) == 1
    held = bench.replica.triage(assembly.vote(Prepare, 3, 99, A, height=2))
    assert held is Triage.NEXT  # the same content with another signature
    kept = next(iter(bench.replica._early.values())).message
    assert isinstance(kept, Prepare)
    assert (kept.round, kept.block_hash) == (99, A)


def test_heights_beyond_the_next_are_not_kept() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    message = assembly.vote(Prepare, 1, 0, A, height=3)
    assert bench.replica.triage(message) is Triage.AHEAD
    assert bench.hear(message) == ()
    assert bench.replica._early == {}


def test_early_messages_verified_under_another_set_are_dropped() -> None:
    assembly, others = Assembly(), Assembly(name="new")
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_B, height=2))
    effects = bench.feed(StartHeight(2, others.validators, None))
    assert of(effects, ValidateBlock) == []


def test_votes_of_one_validator_are_bounded() -> None:
    assembly = Assembly()
    book = VoteBook()
    for round_ in range(50):
        book.add(assembly.vote(Commit, 3, round_, A))
    assert [vote.round for vote in book.of(Phase.COMMIT, 3)] == list(range(50 - KEPT_VOTE_ROUNDS, 50))
    book.add(assembly.vote(Commit, 2, 0, A))  # others are not pushed out
    assert len(book.of(Phase.COMMIT, 2)) == 1


def test_triage_tells_what_is_worth_a_signature_check() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    vote = assembly.vote(Prepare, 1, 0, A)
    assert bench.replica.triage(vote) is Triage.CURRENT
    bench.hear(vote)
    assert bench.replica.triage(assembly.vote(Prepare, 1, 0, A)) is Triage.KNOWN
    assert bench.replica.triage(assembly.vote(Prepare, 1, 0, B)) is Triage.CURRENT  # evidence
    change = assembly.round_change(1, 1)
    bench.hear(change)
    assert bench.replica.triage(change) is Triage.KNOWN
    proposal = assembly.pre_prepare(0, BLOCK_A)
    bench.hear(proposal)
    assert bench.replica.triage(proposal) is Triage.KNOWN


def test_a_prepare_beyond_the_quorum_is_not_worth_a_signature_check() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(assembly.vote(Prepare, 1, 0, A))
    late = assembly.vote(Prepare, 3, 0, A)
    assert bench.replica.triage(late) is Triage.CURRENT
    bench.hear(assembly.vote(Prepare, 2, 0, A))
    assert isinstance(bench.said[-1], Commit)
    assert bench.replica.triage(late) is Triage.KNOWN
    assert bench.replica.triage(assembly.vote(Prepare, 3, 1, A)) is Triage.CURRENT  # of a round still to come
    assert bench.replica.triage(assembly.vote(Prepare, 3, 0, B)) is Triage.CURRENT  # maybe evidence
    assert bench.replica.triage(assembly.vote(Commit, 3, 0, A)) is Triage.CURRENT


def test_a_follower_decides_without_signing() -> None:
    assembly = Assembly()
    bench = Bench(assembly, None)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    (ask,) = bench.all_of(ValidateBlock)
    assert not ask.fresh  # its clock has no say
    bench.validated()
    bench.hear(*assembly.votes(Prepare, (0, 1, 2), 0, A), *assembly.votes(Commit, (0, 1, 2), 0, A))
    assert decisions(bench.effects) == [(1, BLOCK_A)]
    assert bench.log == []
    assert bench.said == []


def test_a_follower_follows_the_rounds() -> None:
    assembly = Assembly()
    bench = Bench(assembly, None)
    bench.hear(*assembly.round_changes((0, 1), 3))
    assert bench.round == 3
    bench.hear(assembly.pre_prepare(4, BLOCK_C, assembly.round_changes((0, 1, 2), 4)))
    bench.validated()
    bench.hear(*assembly.votes(Commit, (0, 1, 2), 4, C))
    assert decisions(bench.effects) == [(1, BLOCK_C)]
    assert bench.log == []


def test_the_set_may_change_at_every_height() -> None:
    assembly, bigger = Assembly(4), Assembly(7)
    bench = decided_bench(assembly)
    bench.assembly = bigger
    bench.start(2)
    bench.hear(bigger.pre_prepare(0, BLOCK_B, height=2))
    bench.validated()
    bench.hear(*bigger.votes(Prepare, (1, 2, 3), 0, B, height=2))
    assert not any(isinstance(message, Commit) and message.height == 2 for message in bench.said)
    bench.hear(bigger.vote(Prepare, 4, 0, B, height=2))  # the fifth: q of 7 is 5
    assert isinstance(bench.said[-1], Commit)


def test_the_table_of_stages_ends_in_decided_and_opens_nothing_again() -> None:
    assert LEGAL[Stage.DECIDED] == frozenset()
    assert LEGAL[Stage.CLOSING] == {Stage.DECIDED}
    assert {stage for stage in Stage if Stage.CLOSING in LEGAL[stage]} == OPEN
