"""What a crash leaves, and what a restarted node may still say (safety.md §2, "Crash"; design §6, "Durable before it
leaves").

The tables below cut the power at every place between deciding to speak and having spoken: *failed and not persisted*,
*failed but persisted*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fazhi_consensus.effects import Broadcast, Effect, OwnVoteUnknown, Persist, RequestProposal, Send, ValidateBlock
from fazhi_consensus.errors import InvalidVoteRecord
from fazhi_consensus.events import StartHeight
from fazhi_consensus.limits import KEPT_OWN_ROUNDS
from fazhi_consensus.messages import Commit, Message, Prepare, PrePrepare, RoundChange
from fazhi_consensus.own_votes import OwnVotes
from fazhi_consensus.records import Entry, decode_record, encode_record
from fazhi_consensus.replica import Replica
from fazhi_consensus.stages import Stage
from fazhi_consensus.timers import Timer
from fazhi_consensus.wire import encode_message
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import InvariantBroken

from .kit import (
    BLOCK_A,
    BLOCK_B,
    BLOCK_C,
    GENESIS,
    A,
    Assembly,
    B,
    Bench,
    C,
    decisions,
    of,
    prepared_bench,
    round_timers,
    said_in,
)

ASSEMBLY = Assembly()


def proposing() -> tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]:
    return Bench(ASSEMBLY, 1), lambda bench: bench.propose(BLOCK_A)


def preparing() -> tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]:
    bench = Bench(ASSEMBLY, 0)
    bench.hear(ASSEMBLY.pre_prepare(0, BLOCK_A))
    return bench, lambda bench: bench.validated()


def committing() -> tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]:
    bench = Bench(ASSEMBLY, 0)
    bench.hear(ASSEMBLY.pre_prepare(0, BLOCK_A))
    bench.validated()
    bench.hear(ASSEMBLY.vote(Prepare, 1, 0, A))
    return bench, lambda bench: bench.hear(ASSEMBLY.vote(Prepare, 2, 0, A))


def changing_round() -> tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]:
    return prepared_bench(ASSEMBLY, 0), lambda bench: bench.fire()


def proposing_again() -> tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]:
    assembly = Assembly(silent=2)
    bench = Bench(assembly, 2)
    bench.hear(assembly.round_change(0, 1, (0, A), BLOCK_A))
    return bench, lambda bench: bench.hear(assembly.round_change(3, 1))


SITUATIONS = [proposing, preparing, committing, changing_round, proposing_again]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_signed_body_is_durable_before_it_leaves(
    situation: Callable[[], tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]],
) -> None:
    bench, act = situation()
    effects = act(bench)
    assert isinstance(effects[0], Persist)
    kept = [entry.message for entry in decode_record(GENESIS, effects[0].record)]
    said = [message.bare() if isinstance(message, RoundChange) else message for message in said_in(effects)]
    assert kept == said
    assert kept


@pytest.mark.parametrize("situation", SITUATIONS)
def test_failed_and_not_persisted(
    situation: Callable[[], tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]],
) -> None:
    """The record was lost and nothing had left: the node is where it was before, and may say something else."""
    bench, act = situation()
    before = len(bench.log)
    act(bench)
    again = bench.restarted(lost=len(bench.log) - before)
    spoken = {encode_message(message) for message in bench.said[: len(said_before(bench, before))]}
    assert all(encode_message(message) in spoken for message in again.said)


def said_before(bench: Bench, records: int) -> list[Message]:
    """What had been broadcast when the log had that many records."""
    found: list[Message] = []
    seen = 0
    for effect in bench.effects:
        seen += isinstance(effect, Persist)
        if seen > records:
            break
        if isinstance(effect, Broadcast):
            found.append(effect.message)
    return found


@pytest.mark.parametrize("situation", SITUATIONS)
def test_failed_but_persisted(situation: Callable[[], tuple[Bench, Callable[[Bench], tuple[Effect, ...]]]]) -> None:
    """The record is there, whether or not the message left: it is sent, byte for byte, and nothing else is signed."""
    bench, act = situation()
    effects = act(bench)
    again = bench.restarted()
    repeated = [encode_message(message) for message in again.said]
    for message in said_in(effects):
        assert encode_message(message) in repeated
    assert again.log == bench.log
    assert again.round == bench.round
    assert again.replica.status == replace(bench.replica.status, stage=again.replica.status.stage)  # type: ignore[type-var, union-attr]


def test_the_record_of_a_commit_holds_its_block_and_q_prepares() -> None:
    bench, act = committing()
    record = of(act(bench), Persist)[0].record
    (entry,) = decode_record(GENESIS, record)
    assert isinstance(entry.message, Commit)
    assert entry.payload == BLOCK_A
    assert {prepare.sender for prepare in entry.prepares} == {0, 1, 2}


def test_a_block_stands_in_the_log_once() -> None:
    bench = Bench(ASSEMBLY, 1)
    bench.propose(BLOCK_A)
    bench.hear(*ASSEMBLY.votes(Prepare, (0, 2), 0, A))
    assert isinstance(bench.said[-1], Commit)
    assert sum(record.count(BLOCK_A) for record in bench.log) == 1
    again = bench.restarted()
    assert again.replica.status is not None
    assert again.replica.status.prepared_round == 0


def test_a_restart_keeps_the_lock() -> None:
    """Restarting with the highest (height, round, phase) alone forgets it and forks without a traitor."""
    again = prepared_bench(ASSEMBLY, 0).restarted()
    assert again.replica.status is not None
    assert (again.replica.status.stage, again.replica.status.prepared_round) == (Stage.COMMITTING, 0)
    again.fire()
    change = again.said[-1]
    assert isinstance(change, RoundChange)
    assert (change.prepared, change.payload) == ((0, A), BLOCK_A)
    ASSEMBLY.verify(change)


def test_a_restart_after_the_round_change_keeps_the_lock_too() -> None:
    bench = prepared_bench(ASSEMBLY, 0)
    bench.fire()
    bench.fire()
    again = bench.restarted()
    assert again.round == 2
    repeated = [message for message in again.said if isinstance(message, RoundChange)]
    assert [encode_message(message) for message in repeated] == [encode_message(bench.said[-1])]
    assert any(isinstance(message, Commit) for message in again.said)
    again.fire()
    change = again.said[-1]
    assert isinstance(change, RoundChange)
    assert (change.new_round, change.prepared, change.payload) == (3, (0, A), BLOCK_A)
    ASSEMBLY.verify(change)


def test_the_lock_moves_up_over_restarts() -> None:
    bench = prepared_bench(ASSEMBLY, 0).restarted()
    changes = (ASSEMBLY.round_change(1, 1, (0, A)), *ASSEMBLY.round_changes((2, 3), 1))
    bench.hear(ASSEMBLY.pre_prepare(1, BLOCK_A, changes))
    bench.hear(*ASSEMBLY.votes(Prepare, (1, 2), 1, A))
    again = bench.restarted().restarted()
    again.fire()
    change = again.said[-1]
    assert isinstance(change, RoundChange)
    assert change.prepared == (1, A)


def test_a_restarted_node_takes_no_second_proposal() -> None:
    bench, act = preparing()
    act(bench)
    again = bench.restarted()
    again.hear(ASSEMBLY.pre_prepare(0, BLOCK_B))
    again.hear(*ASSEMBLY.votes(Prepare, (1, 2, 3), 0, B))
    assert of(again.effects, ValidateBlock) == []
    assert [type(message) for message in again.said] == [Prepare]  # the old one, again


def test_a_restarted_node_goes_on_with_the_proposal_it_prepared() -> None:
    """The block of a PREPARE is not in the log: it is taken from the proposal, when that comes again."""
    bench, act = preparing()
    act(bench)
    again = bench.restarted()
    again.hear(*ASSEMBLY.votes(Prepare, (1, 2), 0, A))
    again.hear(ASSEMBLY.pre_prepare(0, BLOCK_A))
    (ask,) = again.all_of(ValidateBlock)
    assert not ask.fresh  # it was near the clock when PREPARE was signed
    again.validated()
    assert isinstance(again.said[-1], Commit)


def test_a_restarted_proposer_proposes_the_same_again() -> None:
    bench = Bench(ASSEMBLY, 1)
    bench.propose(BLOCK_A)
    again = bench.restarted()
    assert of(again.effects, RequestProposal) == []
    assert again.propose(BLOCK_B) == ()
    assert [encode_message(m) for m in again.said] == [encode_message(m) for m in bench.said]


def test_a_proposer_that_lost_its_record_may_propose_anew() -> None:
    bench = Bench(ASSEMBLY, 1)
    bench.propose(BLOCK_A)
    again = bench.restarted(lost=1)
    assert of(again.effects, RequestProposal) == [RequestProposal(1, 0)]
    assert again.propose(BLOCK_B) != ()


def test_a_restarted_proposer_of_a_higher_round_repeats_its_justification() -> None:
    bench, act = proposing_again()
    act(bench)
    again = bench.restarted()
    (proposal,) = [message for message in again.said if isinstance(message, PrePrepare)]
    assert (proposal.round, proposal.payload, len(proposal.justification)) == (1, BLOCK_A, 3)
    ASSEMBLY.verify(proposal)
    (ask,) = again.all_of(ValidateBlock)  # it was proposed because it was prepared, not because we executed it
    assert not ask.fresh
    again.validated()
    assert isinstance(again.said[-1], Prepare)


def test_the_timers_of_a_restarted_node() -> None:
    at_0 = prepared_bench(ASSEMBLY, 0).restarted()
    assert round_timers(at_0.effects) == [(0, 1000)]
    bench = Bench(ASSEMBLY, 0)
    bench.fire()
    at_1 = bench.restarted()
    assert round_timers(at_1.effects) == []  # until q validators are there again
    assert at_1.fire(Timer.RESEND)[0] == Broadcast(bench.said[-1])


def test_a_decision_after_a_restart() -> None:
    again = prepared_bench(ASSEMBLY, 0).restarted()
    again.hear(*ASSEMBLY.votes(Commit, (1, 2), 0, A))
    assert decisions(again.effects) == [(1, BLOCK_A)]


def test_one_validator_alone_decides_after_a_restart() -> None:
    bench = Bench(Assembly(1), 0)
    bench.propose(BLOCK_A)
    assert decisions(bench.restarted().effects) == [(1, BLOCK_A)]


def test_a_power_cut_of_all_heals_by_itself() -> None:
    """Everybody had prepared, nobody heard a COMMIT, all lost power: they repeat themselves and decide."""
    benches = [prepared_bench(ASSEMBLY, me).restarted() for me in (0, 2, 3)]
    for bench in benches:
        for other in benches:
            if other is not bench:
                bench.hear(*other.said)
    assert all(decisions(bench.effects) == [(1, BLOCK_A)] for bench in benches)


def test_records_of_decided_heights_are_not_needed() -> None:
    bench = prepared_bench(ASSEMBLY, 0)
    replica = Replica(GENESIS, ASSEMBLY.signers[0])
    replica.restore(bench.log)
    assert replica.step(StartHeight(2, ASSEMBLY.validators, 0)) == ()


def test_a_height_below_the_vote_log_is_not_signed_for() -> None:
    """We signed for height 2, so height 1 was decided: if the store lost that, a second vote would be treason."""
    bench = prepared_bench(ASSEMBLY, 0)
    bench.hear(*ASSEMBLY.votes(Commit, (1, 2), 0, A))
    bench.start(2)
    bench.hear(ASSEMBLY.pre_prepare(0, BLOCK_C, height=2))
    bench.validated()
    newest = bench.log[-1:]
    again = Bench(ASSEMBLY, 0, newest)
    assert not again.signs()
    again.hear(ASSEMBLY.pre_prepare(0, BLOCK_B))
    again.validated()
    again.hear(*ASSEMBLY.votes(Commit, (1, 2, 3), 0, B))
    assert decisions(again.effects) == [(1, BLOCK_B)]  # it follows
    assert again.said == []
    again.start(2)
    assert again.signs()
    assert [type(message) for message in again.said] == [Prepare]


def test_without_a_seat_nothing_is_repeated() -> None:
    bench = prepared_bench(ASSEMBLY, 0)
    replica = Replica(GENESIS, None)
    replica.restore(bench.log)
    assert replica.step(StartHeight(1, ASSEMBLY.validators, None)) == ()


def test_a_vote_of_ours_that_we_do_not_know_convicts_us() -> None:
    """Design §6, "Amnesia": a wiped disk or a copied key shows itself, and nothing more is signed at this height."""
    forgotten = prepared_bench(ASSEMBLY, 0)
    wiped = Bench(ASSEMBLY, 0)
    effects = wiped.hear(forgotten.said[-1])
    assert [type(effect) for effect in effects] == [OwnVoteUnknown]
    wiped.hear(ASSEMBLY.pre_prepare(0, BLOCK_B))
    wiped.validated()
    wiped.fire()
    assert wiped.said == []
    assert not wiped.signs()


def test_a_vote_of_ours_inside_another_message_convicts_us_too() -> None:
    wiped = Bench(ASSEMBLY, 0)
    effects = wiped.hear(ASSEMBLY.round_change(2, 1, (0, A), BLOCK_A))  # among its PREPAREs is one of ours
    assert [type(effect) for effect in effects] == [OwnVoteUnknown]


def test_our_own_votes_do_not_convict_us() -> None:
    bench = prepared_bench(ASSEMBLY, 0)
    bench.fire()
    for again in (bench, bench.restarted()):
        again.hear(*bench.said)
        assert of(again.effects, OwnVoteUnknown) == []


def test_rounds_too_long_ago_to_remember_convict_nobody() -> None:
    bench = prepared_bench(ASSEMBLY, 0)
    old = bench.said[-1]
    bench.hear(*ASSEMBLY.round_changes((1, 2), KEPT_OWN_ROUNDS + 5))
    bench.hear(old)
    assert of(bench.effects, OwnVoteUnknown) == []


# --- a vote log that must not be used ---


def entries_of(bench: Bench) -> list[Entry]:
    return [entry for record in bench.log for entry in decode_record(GENESIS, record)]


def refused(entries: list[Entry], code: str, me: int = 0) -> None:
    records = [encode_record(GENESIS, (entry,)) for entry in entries]
    with pytest.raises(InvalidVoteRecord) as caught:
        Bench(ASSEMBLY, me, records)
    assert caught.value.code == code


def test_a_record_of_another_chain_is_refused() -> None:
    replica = Replica(ASSEMBLY.validators.validators[0].key[:32], ASSEMBLY.signers[0])
    with pytest.raises(InvalidVoteRecord, match="record-of-another-chain"):
        replica.restore(prepared_bench(ASSEMBLY, 0).log)


@pytest.mark.parametrize(
    "bad", [b"", b"\xc0", encode((1, GENESIS)), encode((2, GENESIS, ())), encode((1, GENESIS, ((),)))]
)
def test_a_malformed_record_is_refused(bad: bytes) -> None:
    with pytest.raises(InvalidVoteRecord, match="malformed-record"):
        Replica(GENESIS, ASSEMBLY.signers[0]).restore([bad])


def test_a_log_that_does_not_hold_together_is_refused() -> None:
    bench = prepared_bench(ASSEMBLY, 0)
    bench.fire()
    prepare, commit, change = entries_of(bench)
    refused([prepare, commit, change], "record-of-another-seat", me=1)
    refused([prepare, replace(commit, payload=None)], "block-not-kept")
    refused([prepare, replace(commit, prepares=commit.prepares[:2])], "proof-not-kept")
    refused([prepare, change], "proof-not-kept")
    refused([prepare, commit, change, prepare], "rounds-out-of-order")


def test_a_log_with_two_bodies_for_one_place_is_our_own_fault() -> None:
    bench = prepared_bench(ASSEMBLY, 0)
    prepare, commit = entries_of(bench)
    records = [encode_record(GENESIS, (entry,)) for entry in (prepare, commit, commit)]
    with pytest.raises(InvariantBroken):
        Bench(ASSEMBLY, 0, records)


def test_restore_comes_before_the_first_height() -> None:
    bench = Bench(ASSEMBLY, 0)
    with pytest.raises(InvariantBroken):
        bench.replica.restore([])


# --- the place that signs keeps its promises by itself ---


def own_votes() -> OwnVotes:
    return OwnVotes(GENESIS, ASSEMBLY.signers[0], 1, 0, ASSEMBLY.quorum)


def test_no_second_body_for_one_place_whoever_asks() -> None:
    own = own_votes()
    own.pre_prepare(0, A, BLOCK_A, ())
    with pytest.raises(InvariantBroken):
        own.pre_prepare(0, B, BLOCK_B, ())
    own.prepare(0, A)
    with pytest.raises(InvariantBroken):
        own.prepare(0, B)
    own.commit(A, BLOCK_A, ASSEMBLY.proof(0, A))
    with pytest.raises(InvariantBroken):
        own.commit(A, BLOCK_A, ASSEMBLY.proof(0, A))
    own.round_change(1, BLOCK_A)
    with pytest.raises(InvariantBroken):
        own.round_change(1, BLOCK_A)


def test_no_body_out_of_order_whoever_asks() -> None:
    own = own_votes()
    with pytest.raises(InvariantBroken):
        own.commit(A, BLOCK_A, ASSEMBLY.proof(0, A))  # before PREPARE
    own.round_change(3, None)
    for round_ in (0, 2):
        with pytest.raises(InvariantBroken):
            own.prepare(round_, A)
    with pytest.raises(InvariantBroken):
        own.round_change(2, None)
    own.prepare(3, C)
    with pytest.raises(InvariantBroken):
        own.commit(C, BLOCK_C, ASSEMBLY.proof(2, C))  # PREPAREs of another round
    with pytest.raises(InvariantBroken):
        own.pre_prepare(3, C, BLOCK_C, ())


def test_what_was_sent_to_one_is_not_signed_anew() -> None:
    """A block that is served again and again needs no signature."""
    bench = prepared_bench(ASSEMBLY, 0)
    assert not any(isinstance(effect, Persist) for effect in bench.hear(*[ASSEMBLY.round_change(1, 1)]))
    assert of(bench.effects, Send) == []
