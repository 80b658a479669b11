"""Rules of consensus broken, one at a time: what is said, what is counted, what is remembered, who may speak.

Proposing the prepared block of the lowest round instead of the highest (go-ibft#52) is not among them: it takes two
blocks prepared in two rounds and a third node that decides alone, and one seed in 3,000 found that. The rule is shown
by ``test_receivers_recompute_the_choice`` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from fazhi_consensus import height as height_module
from fazhi_consensus import messages as messages_module
from fazhi_consensus import own_votes as own_votes_module
from fazhi_consensus import replica as replica_module
from fazhi_consensus import verify as verify_module
from fazhi_consensus.effects import Broadcast, Effect, Persist
from fazhi_consensus.height import Height
from fazhi_consensus.messages import PAYLOAD_TYPE, Commit, Phase, Prepare, RoundChange
from fazhi_consensus.outbox import Outbox
from fazhi_consensus.own_votes import OwnVotes
from fazhi_consensus.replica import Replica
from fazhi_consensus.round_change import choice, round_to_join
from fazhi_consensus.stages import OPEN, Proposal, Stage
from fazhi_consensus.testimony import Testimony
from fazhi_consensus.timers import TimerPolicy
from fazhi_consensus.verify import Candidate
from fazhi_ledger import certificate as certificate_module
from fazhi_ledger import dsse
from fazhi_ledger.canonical import decode, encode, pack
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.shape import as_tuple
from fazhi_ledger.validators import ValidatorSet, faulty_of

from tests.simulation.blocks import block_hash_of
from tests.simulation.disk import SimulatedVoteLog


@contextmanager
def quorum_of_2f_plus_1() -> Iterator[None]:
    """At n = 6 two sets of 2f+1 = 3 can be disjoint (celo-blockchain#117)."""
    with patch.object(ValidatorSet, "quorum", property(lambda s: 2 * faulty_of(len(s.validators)) + 1)):
        yield


@contextmanager
def lock_forgotten_at_restart() -> Iterator[None]:
    """The restarted node remembers what it signed, but not what it had prepared."""
    original = OwnVotes.__init__

    def forgetful(self: OwnVotes, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.lock = None

    with patch.object(OwnVotes, "__init__", forgetful):
        yield


@contextmanager
def persist_omitted() -> Iterator[None]:
    """The vote is written but never synced."""
    with patch.object(SimulatedVoteLog, "sync", lambda _: None):
        yield


@contextmanager
def commits_of_mixed_rounds() -> Iterator[None]:
    """COMMITs for one block add up whatever their rounds."""

    def mixed(self: Testimony, round_: int, block_hash: bytes) -> tuple[Commit, ...]:
        found: dict[int, Commit] = {}
        for sender, rounds in sorted(self.votes._votes.get(Phase.COMMIT, {}).items()):
            for vote in rounds.values():
                if isinstance(vote, Commit) and vote.block_hash == block_hash:
                    found[sender] = replace(vote, round=round_)
        return tuple(found.values())

    with patch.object(Testimony, "commits", mixed):
        yield


@contextmanager
def choice_not_recomputed() -> Iterator[None]:
    """Receivers trust the new proposer's choice."""
    with patch.object(verify_module, "choice", lambda _: None):
        yield


@contextmanager
def round_change_unlocked() -> Iterator[None]:
    """ROUND-CHANGE never says what was prepared."""
    original = OwnVotes.round_change

    def denying(self: OwnVotes, new_round: int, payload: bytes | None) -> RoundChange:
        lock, self.lock = self.lock, None
        try:
            return original(self, new_round, None)
        finally:
            self.lock = lock

    with patch.object(OwnVotes, "round_change", denying):
        yield


@contextmanager
def second_proposal_accepted() -> Iterator[None]:
    """A second PRE-PREPARE of a round replaces the first."""
    original = Height._on_pre_prepare

    def latest(self: Height, message: Any) -> None:
        if self.stage in OPEN and self.proposal is not None and message.round == self.round:
            self.proposal = None
            self.stage = Stage.AWAITING
            if self._own is not None:
                self._own.last = None
                self._own.messages.pop(Phase.PREPARE, None)
            self._heard.votes._votes.get(Phase.PRE_PREPARE, {}).clear()
        original(self, message)

    with patch.object(Height, "_on_pre_prepare", latest):
        yield


@contextmanager
def signatures_counted() -> Iterator[None]:
    """Votes are counted by signature: SM2 signs the same body differently each time."""
    original = Testimony.hear_vote
    extra: dict[int, list[Prepare | Commit]] = {}

    def hear(self: Testimony, vote: Any) -> Any:
        extra.setdefault(id(self), []).append(vote)
        return original(self, vote)

    def commits(self: Testimony, round_: int, block_hash: bytes) -> tuple[Commit, ...]:
        found = {v.signature: v for v in extra.get(id(self), []) if isinstance(v, Commit)}
        return tuple(v for v in found.values() if v.round == round_ and v.block_hash == block_hash)

    with patch.object(Testimony, "hear_vote", hear), patch.object(Testimony, "commits", commits):
        yield


# --- what is said ---


@contextmanager
def round_change_after_commit() -> Iterator[None]:
    """Who has decided goes along with the round change of the others, instead of showing the certificate."""
    original = Replica._on_decided_height

    def speak(self: Replica, verified: Any, effects: list[Effect]) -> None:
        message = verified.message
        decided = self._decided.get(message.height)
        if isinstance(message, RoundChange) and decided is not None and self._signer is not None:
            me = decided.validators.index_of_key(self._signer.public_key)
            if me is not None:
                own = OwnVotes(self._genesis_hash, self._signer, message.height, me, decided.validators.quorum)
                effects.append(Broadcast(own.round_change(message.new_round, None)))
                return
        original(self, verified, effects)

    with patch.object(Replica, "_on_decided_height", speak):
        yield


@contextmanager
def sent_before_durable() -> Iterator[None]:
    """The vote leaves first and is written down then."""
    original = Replica._finish

    def late(self: Replica, effects: list[Effect]) -> tuple[Effect, ...]:
        found = original(self, effects)
        return (*found[1:], found[0]) if found and isinstance(found[0], Persist) else found

    with patch.object(Replica, "_finish", late):
        yield


@contextmanager
def prepare_before_execution() -> Iterator[None]:
    """PREPARE for whatever is proposed, unexecuted."""

    def trusting(self: Height) -> bool:
        if self.proposal is None or not self._blocks.has(self.proposal.block_hash):
            return False
        self._blocks._note_valid(self.proposal.block_hash, self.proposal.round, True)
        return True

    with patch.object(Height, "_proposal_is_valid", trusting):
        yield


@contextmanager
def commit_before_quorum() -> Iterator[None]:
    """COMMIT with one PREPARE too few."""
    original = Height._check_prepared

    def early(self: Height) -> None:
        with patch.object(Height, "_quorum", property(lambda height: height.validators.quorum - 1)):
            original(self)

    with patch.object(Height, "_check_prepared", early):
        yield


@contextmanager
def commit_without_block() -> Iterator[None]:
    """The vote log keeps COMMIT but not the block."""
    original = OwnVotes.commit

    def bare(self: OwnVotes, block_hash: bytes, payload: bytes, prepares: tuple[Prepare, ...]) -> Commit:
        vote = original(self, block_hash, payload, prepares)
        self._entries[-1] = replace(self._entries[-1], payload=None)
        return vote

    with patch.object(OwnVotes, "commit", bare):
        yield


@contextmanager
def commit_without_proof() -> Iterator[None]:
    """The vote log keeps COMMIT but not the q PREPAREs."""
    original = OwnVotes.commit

    def bare(self: OwnVotes, block_hash: bytes, payload: bytes, prepares: tuple[Prepare, ...]) -> Commit:
        vote = original(self, block_hash, payload, prepares)
        self._entries[-1] = replace(self._entries[-1], prepares=())
        return vote

    with patch.object(OwnVotes, "commit", bare):
        yield


@contextmanager
def repeats_signed_anew() -> Iterator[None]:
    """A restarted node does not send its votes again byte for byte but signs them once more."""
    original = OwnVotes.repeat

    def again(self: OwnVotes) -> tuple[Any, ...]:
        found: list[Any] = []
        for message in original(self):
            if isinstance(message, Prepare | Commit):
                signature = dsse.sign(self._signer, PAYLOAD_TYPE[message.phase], message.body(self._genesis_hash))
                found.append(replace(message, signature=signature))
            else:
                found.append(message)
        return tuple(found)

    with patch.object(OwnVotes, "repeat", again):
        yield


# --- what a signature binds ---


@contextmanager
def prepare_read_as_commit() -> Iterator[None]:
    """PREPARE and COMMIT are signed under one payload type."""
    with patch.object(dsse, "COMMIT", dsse.PREPARE), patch.dict(PAYLOAD_TYPE, {Phase.COMMIT: dsse.PREPARE}):
        yield


@contextmanager
def _bodies(body: Any) -> Iterator[None]:
    with (
        patch.object(messages_module, "vote_body", body),
        patch.object(own_votes_module, "vote_body", body),
        patch.object(certificate_module, "vote_body", body),
    ):
        yield


@contextmanager
def height_not_signed() -> Iterator[None]:
    """A vote of one height is a vote of any."""
    with _bodies(lambda genesis_hash, _, round_, block_hash: pack((genesis_hash, 0, round_, block_hash))):
        yield


@contextmanager
def round_not_signed() -> Iterator[None]:
    """A vote of one round is a vote of any."""
    with _bodies(lambda genesis_hash, height, _, block_hash: pack((genesis_hash, height, 0, block_hash))):
        yield


@contextmanager
def block_not_signed() -> Iterator[None]:
    """A vote for one block is a vote for any."""
    with _bodies(lambda genesis_hash, height, round_, _: pack((genesis_hash, height, round_))):
        yield


@contextmanager
def signatures_unverified() -> Iterator[None]:
    """Messages of peers are believed."""
    with patch.object(Candidate, "check", lambda *_: None):
        yield


@contextmanager
def round_in_block() -> Iterator[None]:
    """A block proposed again is built again, with the new round in it: another hash (lineth-monorepo#3247)."""
    original = Height._propose

    def rebuilt(self: Height, own: OwnVotes, block_hash: bytes, payload: bytes, basis: Sequence[Any]) -> None:
        if self.round > 0 and choice(basis) is not None:
            parts = as_tuple(decode(payload), "block", length=5)
            payload = encode((*parts[:3], self.round, parts[4]))
            block_hash = block_hash_of(payload)
            self._blocks.built(block_hash, self.round, payload)
        original(self, own, block_hash, payload, tuple(basis))

    with patch.object(Height, "_propose", rebuilt), patch.object(verify_module, "choice", lambda _: None):
        yield


# --- who may speak ---


@contextmanager
def proposer_unchecked() -> Iterator[None]:
    """Whoever speaks first proposes."""
    original = verify_module._screen_pre_prepare

    def anybody(validators: ValidatorSet, message: Any) -> None:
        with patch.object(type(validators), "proposer", lambda *_: message.sender):
            original(validators, message)

    with patch.object(verify_module, "_screen_pre_prepare", anybody):
        yield


@contextmanager
def claims_unproven() -> Iterator[None]:
    """ROUND-CHANGE need not prove what it says was prepared (sigp/anchor#106)."""
    original = verify_module._screen_round_change

    def believing(validators: ValidatorSet, change: RoundChange) -> None:
        if change.prepared is None or change.prepares:
            original(validators, change)

    with patch.object(verify_module, "_screen_round_change", believing):
        yield


@contextmanager
def late_commits_of_any_round() -> Iterator[None]:
    """A late COMMIT of another round is added to the certificate."""

    def loose(vote: Prepare | Commit, certificate: CommitCertificate) -> bool:
        return vote.block_hash == certificate.block_hash

    with patch.object(replica_module, "_certifies", loose):
        yield


# --- liveness ---


@contextmanager
def join_at_f() -> Iterator[None]:
    """f ROUND-CHANGEs are enough to follow: the traitors set the pace."""
    with patch.object(
        height_module,
        "round_to_join",
        lambda rounds, current, faulty: round_to_join(rounds, current, max(0, faulty - 1)),
    ):
        yield


@contextmanager
def join_never() -> Iterator[None]:
    """Nobody follows f+1 others into a higher round."""
    with patch.object(height_module, "round_to_join", lambda *_: None):
        yield


@contextmanager
def timers_uncapped() -> Iterator[None]:
    """Each round is given twice the time of the one before it, for ever (besu#7642)."""
    with patch.object(TimerPolicy, "round_delay_ms", lambda self, round_: self.round_ms << round_):
        yield


@contextmanager
def timer_only_in_round_0() -> Iterator[None]:
    """The timer of a round above 0 waits for its proposal."""
    original = Outbox.round_timer_once

    def once(self: Outbox, round_: int) -> None:
        if round_ == 0:
            original(self, round_)

    with patch.object(Outbox, "round_timer_once", once):
        yield


@contextmanager
def reproposal_judged_as_fresh() -> Iterator[None]:
    """A block proposed again is held against clock and proposer of the moment (besu#6613)."""
    with patch.object(
        height_module, "Proposal", lambda round_, block_hash, *_, **__: Proposal(round_, block_hash, True)
    ):
        yield


@contextmanager
def round_change_said_once() -> Iterator[None]:
    """ROUND-CHANGE is not repeated: what is lost is lost."""
    with patch.object(Outbox, "resend_timer", lambda *_: None):
        yield
