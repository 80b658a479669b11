"""The round change (arXiv 2002.03613, Algorithms 3 and 4; safety.md §2, "Round change" and "Liveness")."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fazhi_consensus.effects import Broadcast, Decide, RequestProposal, Send, SetTimer, ValidateBlock
from fazhi_consensus.events import DecidedBySync, WorkWaiting
from fazhi_consensus.messages import BlockReply, BlockRequest, Commit, Prepare, PrePrepare, RoundChange
from fazhi_consensus.round_change import RoundChangeBook, choice, justification, round_to_join
from fazhi_consensus.stages import Stage
from fazhi_consensus.timers import Timer, TimerPolicy
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import InvariantBroken
from hypothesis import given
from hypothesis import strategies as st

from .kit import (
    BLOCK_A,
    BLOCK_B,
    BLOCK_C,
    TIMERS,
    A,
    Assembly,
    B,
    Bench,
    C,
    block_hash_of,
    of,
    prepared_bench,
    round_timers,
    said_in,
)

# At height 1 with four validators round 0 is proposed by 1, round 1 by 2, round 2 by 3, round 3 by 0.


def last_change(bench: Bench) -> RoundChange:
    changes = [message for message in bench.said if isinstance(message, RoundChange)]
    return changes[-1]


# --- leaving a round ---


def test_the_timer_moves_to_the_next_round_with_a_round_change() -> None:
    """Algorithm 3, upon the timer."""
    bench = Bench(Assembly(), 0)
    effects = bench.fire()
    change = last_change(bench)
    assert (change.new_round, change.prepared, change.prepares, change.payload) == (1, None, (), None)
    assert bench.round == 1
    bench.assembly.verify(change)
    assert len(bench.log) == 1
    assert of(effects, SetTimer)[0].timer is Timer.RESEND


def test_the_round_change_carries_the_prepared_certificate_and_the_block() -> None:
    assembly = Assembly()
    bench = prepared_bench(assembly, 0)
    bench.fire()
    change = last_change(bench)
    assert change.prepared == (0, A)
    assert change.payload == BLOCK_A
    assert {prepare.sender for prepare in change.prepares} == {0, 1, 2}
    assembly.verify(change)


def test_a_timer_of_a_round_that_was_left_means_nothing() -> None:
    bench = Bench(Assembly(), 0)
    bench.fire()
    assert bench.fire(round_=0) == ()
    assert bench.fire(Timer.RESEND, round_=0) == ()
    assert bench.fire(round_=7) == ()


def test_nothing_is_signed_in_a_round_that_was_left() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.fire()
    bench.validated()
    bench.hear(*assembly.votes(Prepare, (1, 2, 3), 0, A))
    assert [type(message) for message in bench.said] == [RoundChange]


def test_the_lock_is_the_highest_prepared_round() -> None:
    assembly = Assembly()
    bench = prepared_bench(assembly, 0)
    changes = (assembly.round_change(1, 1, (0, A)), *assembly.round_changes((2, 3), 1))
    bench.hear(assembly.pre_prepare(1, BLOCK_A, changes))
    bench.hear(*assembly.votes(Prepare, (1, 2), 1, A))
    bench.fire()
    assert last_change(bench).prepared == (1, A)


# --- joining ---


@pytest.mark.parametrize(("count", "faulty"), [(4, 1), (7, 2), (10, 3)])
def test_f_plus_1_higher_rounds_are_joined_at_the_lowest_of_them(count: int, faulty: int) -> None:
    """Algorithm 3, upon F_rc; besu#1822."""
    assembly = Assembly(count)
    bench = Bench(assembly, 0)
    for i in range(faulty):
        bench.hear(assembly.round_change(1 + i, 9 - i))
    assert bench.round == 0  # f may all be lying
    bench.hear(assembly.round_change(1 + faulty, 5))
    assert bench.round == 5
    assert last_change(bench).new_round == 5


def test_the_lowest_of_the_f_plus_1_highest_is_joined_not_the_lowest_of_all() -> None:
    assert round_to_join([1, 4, 9], current=0, faulty=1) == 4
    assert round_to_join([1, 4, 9], current=4, faulty=1) is None
    assert round_to_join([3], current=0, faulty=0) == 3
    assert round_to_join([2**62, 1, 1], current=0, faulty=1) == 1  # one liar drags nobody
    assert round_to_join([], current=0, faulty=0) is None


@given(rounds=st.lists(st.integers(0, 20), max_size=12), current=st.integers(0, 20), faulty=st.integers(0, 4))
def test_a_joined_round_has_f_plus_1_validators_at_or_above_it(rounds: list[int], current: int, faulty: int) -> None:
    joined = round_to_join(rounds, current, faulty)
    if joined is None:
        assert sum(1 for r in rounds if r > current) <= faulty
    else:
        assert joined > current
        assert sum(1 for r in rounds if r >= joined) >= faulty + 1
        assert sum(1 for r in rounds if r > joined) <= faulty


def test_a_justified_proposal_of_a_higher_round_is_joined_and_answered() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    effects = bench.hear(assembly.pre_prepare(2, BLOCK_C, assembly.round_changes((1, 2, 3), 2)))
    assert bench.round == 2
    assert last_change(bench).new_round == 2  # in a round above 0 everybody has said so
    assert of(effects, ValidateBlock)[0].fresh
    bench.validated()
    assert bench.said[-1] == replace(assembly.vote(Prepare, 0, 2, C), signature=bench.said[-1].signature)  # type: ignore[union-attr]


def test_rounds_are_not_capped() -> None:
    """Design §6. A cap that is reached stops the chain for ever."""
    assembly = Assembly()
    bench = Bench(assembly, 0)
    high = 10**12
    bench.hear(*assembly.round_changes((1, 2, 3), high))
    assert bench.round == high
    assert round_timers(bench.effects)[-1] == (high, TIMERS.round_cap_ms)
    bench.fire()
    assert bench.round == high + 1


def test_only_the_highest_round_change_of_each_validator_is_kept() -> None:
    """GHSA-23rh-rrqg-wq82: unbounded memory for rounds."""
    assembly = Assembly()
    book = RoundChangeBook()
    for new_round in (5, 3, 9, 1, 7):
        book.add(assembly.round_change(3, new_round))
    assert book.rounds() == (9,)
    assert book.at(5) == ()
    assert book.count_from(9) == 1
    assert book.count_from(10) == 0


def test_the_book_holds_no_blocks() -> None:
    assembly = Assembly()
    book = RoundChangeBook()
    book.add(assembly.round_change(3, 1, (0, A), BLOCK_A))
    (kept,) = book.at(1)
    assert kept.payload is None
    assert len(kept.prepares) == 3


# --- proposing above round 0 ---


def test_the_new_proposer_waits_for_q_round_changes() -> None:
    """Algorithm 3, upon Q_rc."""
    assembly = Assembly()
    bench = Bench(assembly, 2)
    bench.hear(assembly.round_change(0, 1), assembly.round_change(3, 1))  # f+1: joined, its own makes q
    assert of(bench.effects, RequestProposal) == [RequestProposal(1, 1)]
    bench = Bench(assembly, 2)
    bench.fire()
    bench.hear(assembly.round_change(0, 1))
    assert of(bench.effects, RequestProposal) == []


def test_a_free_proposer_asks_for_a_block_and_shows_its_justification() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 2)
    bench.hear(*assembly.round_changes((0, 3), 1))
    effects = bench.propose(BLOCK_B, round_=1)
    (proposal,) = [message for message in said_in(effects) if isinstance(message, PrePrepare)]
    assert [change.sender for change in proposal.justification] == [0, 2, 3]
    assembly.verify(proposal)


def test_a_free_choice_is_made_once() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 2)
    bench.hear(*assembly.round_changes((0, 3), 1))
    bench.hear(assembly.round_change(1, 1))
    assert len(of(bench.effects, RequestProposal)) == 1
    bench.propose(BLOCK_B, round_=1)
    assert bench.propose(BLOCK_C, round_=1) == ()


def test_the_highest_prepared_block_is_proposed_again_byte_for_byte() -> None:
    """HighestPrepared, Algorithm 4; besu#6613 stalled on re-proposals."""
    assembly = Assembly(silent=0)
    bench = Bench(assembly, 0)
    effects = bench.hear(
        assembly.round_change(1, 3, (0, A), BLOCK_A),
        assembly.round_change(2, 3, (1, B), BLOCK_B),
    )
    assert of(effects, RequestProposal) == []
    (proposal,) = [message for message in said_in(effects) if isinstance(message, PrePrepare)]
    assert (proposal.payload, proposal.block_hash, proposal.round) == (BLOCK_B, B, 3)
    assembly.verify(proposal)
    (ask,) = of(effects, ValidateBlock)
    assert not ask.fresh


def test_a_re_proposal_is_exempt_from_rules_of_the_moment() -> None:
    """Its time was near the clocks when it was first proposed (design §5)."""
    assembly = Assembly(silent=0)
    bench = Bench(assembly, 0)
    changes = (assembly.round_change(1, 1, (0, A)), *assembly.round_changes((2, 3), 1))
    bench.hear(assembly.pre_prepare(1, BLOCK_A, changes))
    (ask,) = bench.all_of(ValidateBlock)
    assert not ask.fresh


def test_a_block_refused_as_fresh_is_asked_about_again_when_proposed_again() -> None:
    assembly = Assembly(silent=0)
    bench = Bench(assembly, 0)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated(ok=False)  # our clock is off
    changes = (assembly.round_change(1, 1, (0, A)), *assembly.round_changes((2, 3), 1))
    bench.hear(assembly.pre_prepare(1, BLOCK_A, changes))
    assert [ask.fresh for ask in bench.all_of(ValidateBlock)] == [True, False]
    bench.validated()
    assert isinstance(bench.said[-1], Prepare)


def test_a_block_found_valid_once_is_not_executed_again() -> None:
    assembly = Assembly()
    bench = prepared_bench(assembly, 0)
    changes = (assembly.round_change(1, 1, (0, A)), *assembly.round_changes((2, 3), 1))
    effects = bench.hear(assembly.pre_prepare(1, BLOCK_A, changes))
    assert of(effects, ValidateBlock) == []
    assert isinstance(said_in(effects)[-1], Prepare)


def test_a_re_proposal_that_differs_in_a_byte_is_not_prepared() -> None:
    """The hash binds every byte, so this cannot be; if the binding ever had a hole, the bytes are compared all the
    same.
    """
    assembly = Assembly()
    bench = prepared_bench(assembly, 0)
    changes = (assembly.round_change(1, 1, (0, A)), *assembly.round_changes((2, 3), 1))
    twin = replace(assembly.pre_prepare(1, BLOCK_A, changes), payload=b"block A with another tail")
    work = bench.replica._current
    assert work is not None
    bench.fire()
    work.on_message(twin)
    assert work.take_entries() == ()
    assert work.stage is Stage.AWAITING


def test_a_missing_block_is_fetched_never_replaced() -> None:
    assembly = Assembly(silent=2)
    bench = Bench(assembly, 2)
    effects = bench.hear(assembly.round_change(0, 1, (0, A)), assembly.round_change(3, 1))  # prepared, no block beside
    assert of(effects, RequestProposal) == []
    assert of(effects, Send) == [Send(i, BlockRequest(2, 1, A)) for i in (0, 1, 3)]
    assert of(bench.fire(Timer.RESEND), Send) == of(effects, Send)  # asked again
    assert bench.hear(BlockReply(1, 1, C, BLOCK_C)) == ()
    effects = bench.hear(BlockReply(1, 1, A, BLOCK_A))
    (proposal,) = [message for message in said_in(effects) if isinstance(message, PrePrepare)]
    assert proposal.payload == BLOCK_A


def test_a_withheld_block_does_not_stop_the_proposer() -> None:
    """A traitor claims a prepared round and keeps its block: q ROUND-CHANGEs without it do as well."""
    assembly = Assembly(silent=2)
    bench = Bench(assembly, 2)
    bench.hear(assembly.round_change(0, 1, (0, A)), assembly.round_change(3, 1))
    bench.hear(assembly.round_change(1, 1))
    assert of(bench.effects, RequestProposal) == [RequestProposal(1, 1)]


def test_justification_prefers_the_highest_prepared_rounds() -> None:
    assembly = Assembly()
    changes = [
        assembly.round_change(0, 5),
        assembly.round_change(1, 5, (1, A)),
        assembly.round_change(2, 5),
        assembly.round_change(3, 5, (4, B)),
    ]
    basis = justification(changes, 3, lambda _: True)
    assert basis is not None
    assert [change.sender for change in basis] == [0, 1, 3]
    assert choice(basis) == (4, B)
    without_b = justification(changes, 3, lambda block_hash: block_hash != B)
    assert without_b is not None
    assert choice(without_b) == (1, A)
    assert justification(changes[:3], 3, lambda _: False) is None


def test_prepares_beside_round_changes_count_as_votes() -> None:
    assembly = Assembly(silent=3)
    bench = Bench(assembly, 3)
    bench.hear(assembly.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(assembly.round_change(1, 1, (0, A), BLOCK_A))  # one: not joined, but its PREPAREs are here now
    bench.hear(assembly.vote(Commit, 1, 0, A))
    work = bench.replica._current
    assert work is not None
    assert len(work._heard.prepares(0, A)) == 4


# --- timers ---


def test_round_timers_are_exponential_and_capped() -> None:
    """arXiv 2002.03613; besu#7642 reached 4,096 s."""
    assert [TIMERS.round_delay_ms(round_) for round_ in range(6)] == [1000, 2000, 4000, 8000, 8000, 8000]
    assert TIMERS.round_delay_ms(10**30) == 8000
    assert [TIMERS.resend_delay_ms(count) for count in range(4)] == [200, 400, 800, 800]


@pytest.mark.parametrize("bad", [(0, 1), (2, 1), (1, 3_600_001)])
def test_timers_out_of_bounds_are_refused(bad: tuple[int, int]) -> None:
    with pytest.raises(InvariantBroken):
        TimerPolicy(round_ms=bad[0], round_cap_ms=bad[1])
    with pytest.raises(InvariantBroken):
        TimerPolicy(resend_ms=bad[0], resend_cap_ms=bad[1])


def test_the_timer_of_round_0_starts_with_work_not_before() -> None:
    """besu#2095."""
    bench = Bench(Assembly(), 0)
    assert round_timers(bench.effects) == []
    assert round_timers(bench.feed(WorkWaiting(1))) == [(0, 1000)]
    assert bench.feed(WorkWaiting(1)) == ()  # it runs already
    assert bench.feed(WorkWaiting(2)) == ()


def test_a_proposal_or_a_vote_shows_that_there_is_work() -> None:
    assembly = Assembly()
    assert round_timers(Bench(assembly, 0).hear(assembly.pre_prepare(0, BLOCK_A))) == [(0, 1000)]
    assert round_timers(Bench(assembly, 0).hear(assembly.vote(Prepare, 1, 0, A))) == [(0, 1000)]
    assert round_timers(Bench(assembly, 0).hear(assembly.round_change(1, 1))) == []  # one liar starts no clocks


def test_a_node_with_work_and_no_proposal_moves_on() -> None:
    bench = Bench(Assembly(), 0)
    bench.feed(WorkWaiting(1))
    bench.fire()
    assert last_change(bench).new_round == 1


def test_timers_above_round_0_start_at_q_round_changes() -> None:
    """PBFT §4.5.2: nobody runs ahead alone."""
    assembly = Assembly()
    bench = Bench(assembly, 0)
    assert round_timers(bench.fire()) == []
    assert round_timers(bench.hear(assembly.round_change(1, 1))) == []
    assert round_timers(bench.hear(assembly.round_change(2, 1))) == [(1, 2000)]


def test_who_is_in_a_later_round_counts_for_the_timer() -> None:
    """Only the highest ROUND-CHANGE of each is kept: counting exact rounds would leave the others waiting for ever."""
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.fire()
    bench.hear(assembly.round_change(1, 1))
    assert round_timers(bench.hear(assembly.round_change(3, 8))) == [(1, 2000)]


def test_round_changes_are_repeated_byte_for_byte_ever_more_slowly() -> None:
    bench = Bench(Assembly(), 0)
    bench.fire()
    first = last_change(bench)
    delays = []
    for _ in range(4):
        effects = bench.fire(Timer.RESEND)
        assert effects[0] == Broadcast(first)
        delays += [e.delay_ms for e in of(effects, SetTimer)]
    assert delays == [400, 800, 800, 800]
    assert len(bench.log) == 1  # said again, not signed again


def test_catch_up_cancels_rounds() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0)
    bench.fire()
    certificate = CommitCertificate(1, 4, A, ((0, b"x"), (1, b"x"), (2, b"x")))
    assert bench.feed(DecidedBySync(1, certificate)) == ()
    assert bench.fire() == ()
    assert bench.fire(Timer.RESEND) == ()
    assert bench.hear(*assembly.votes(Commit, (1, 2, 3), 0, A)) != ()  # answered, not counted
    assert bench.all_of(Decide) == []
    assert bench.replica.certificate(1) == certificate
    bench.start(2)
    assert bench.round == 0


def test_heights_only_rise() -> None:
    bench = Bench(Assembly(), 0)
    bench.start(5)
    for height in (5, 4):
        with pytest.raises(InvariantBroken):
            bench.start(height)


def test_a_seat_without_its_key_is_our_own_fault() -> None:
    assembly = Assembly()
    bench = Bench(assembly, 0, start=False)
    bench.me = 1
    with pytest.raises(InvariantBroken):
        bench.start()


# --- a whole fork that the rules prevent ---


def test_a_decided_block_survives_the_round_change() -> None:
    """One node decides alone and is cut off; the others, locked, can only decide the same block."""
    assembly = Assembly()
    zero, two, three = (prepared_bench(assembly, me) for me in (0, 2, 3))
    zero.hear(*assembly.votes(Commit, (2, 3), 0, A))
    assert [e.payload for e in zero.all_of(Decide)] == [BLOCK_A]
    two.fire()
    three.fire()
    liar = assembly.round_change(1, 1)  # the proposer of round 0 denies everything
    effects = two.hear(last_change(three), liar)
    (proposal,) = [message for message in said_in(effects) if isinstance(message, PrePrepare)]
    assert proposal.payload == BLOCK_A
    three.hear(last_change(two), liar, proposal)
    assert said_in(three.effects)[-1] == three.said[-1]
    assert isinstance(three.said[-1], Prepare)
    assert three.said[-1].block_hash == block_hash_of(BLOCK_A)
