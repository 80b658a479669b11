"""One height: the normal case of PBFT and QBFT's round change as one synchronous machine (arXiv 2002.03613, Algorithms
1 to 4).

What happens to it comes as method calls, what it wants done is collected as effects; :class:`.replica.Replica` gives it
the right calls and puts what was signed before everything else. Rules cite their source at the branch.
"""

from __future__ import annotations

from collections.abc import Sequence

from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import invariant
from fazhi_ledger.keys import Signer

from .blocks import Blocks
from .effects import Broadcast, Decide, Effect, OwnVoteUnknown, RecordEquivocation, RequestProposal, ValidateBlock
from .events import BlockValidated, ProposalReady, StartHeight, TimerFired
from .evidence import Evidence
from .limits import MAX_PAYLOAD_BYTES
from .messages import (
    BlockReply,
    BlockRequest,
    Commit,
    Message,
    Phase,
    Prepare,
    PrePrepare,
    RoundChange,
    Signed,
    Vote,
)
from .outbox import Outbox
from .own_votes import OwnVotes
from .records import Entry
from .round_change import choice, justification, missing_blocks, round_to_join
from .stages import LEGAL, OPEN, Proposal, Stage
from .testimony import Testimony
from .timers import Timer, TimerPolicy


class Height:
    """The work on one height. ``entries`` are what the vote log holds of it."""

    def __init__(
        self,
        genesis_hash: bytes,
        signer: Signer | None,
        timers: TimerPolicy,
        start: StartHeight,
        entries: Sequence[Entry],
    ) -> None:
        self.height = start.height
        self.validators = start.validators
        self.round = 0
        self.stage = Stage.AWAITING
        self.proposal: Proposal | None = None
        self.certificate: CommitCertificate | None = None
        self._out = Outbox(start.height, start.me, timers)
        self._own: OwnVotes | None = None
        if start.me is not None:
            invariant(signer is not None, "a validator has a signer")
            if signer is not None:
                self._own = OwnVotes(genesis_hash, signer, start.height, start.me, self._quorum, entries)
        self._heard = Testimony()
        self._blocks = Blocks({}, ())
        self._committed: dict[int, Commit] = {}
        self._asked: tuple[RoundChange, ...] | None = None
        self._recent: tuple[bytes, ...] = ()

    # --- seen from outside ---

    @property
    def _quorum(self) -> int:
        return self.validators.quorum

    @property
    def prepared(self) -> tuple[int, bytes] | None:
        """(round, block hash) of our prepared certificate."""
        return None if self._own is None or self._own.lock is None else self._own.lock.prepared

    @property
    def signs(self) -> bool:
        """Whether we may still sign at this height."""
        return self._signing is not None

    @property
    def decided(self) -> bool:
        """Whether nothing is left to do at this height."""
        return self.stage is Stage.DECIDED

    def holds(self, message: Message) -> bool:
        """Whether a message would tell us nothing new, judged before its signatures are checked."""
        match message:
            case Prepare() | Commit():
                return self._heard.votes.holds(message) or self._is_past(message)
            case RoundChange():
                kept = self._heard.changes.of(message.sender)
                repeated = kept is not None and kept.same_content(message)
                return repeated and (message.prepared_hash is None or self._blocks.has(message.prepared_hash))
            case PrePrepare():
                return self._heard.votes.holds(message.claim) and self._blocks.has(message.block_hash)
            case BlockReply(block_hash=block_hash):
                return self._blocks.has(block_hash) or block_hash not in self._wanted
            case _:
                return False

    def _is_past(self, vote: Prepare | Commit) -> bool:
        """One more PREPARE for a block of which the quorum of PREPAREs is here and our COMMIT is out."""
        if not isinstance(vote, Prepare) or self.stage not in (Stage.COMMITTING, Stage.CLOSING):
            return False
        return self.proposal is not None and (vote.round, vote.block_hash) == (self.round, self.proposal.block_hash)

    def take_effects(self) -> list[Effect]:
        """The effects since the last call."""
        return self._out.take()

    def take_entries(self) -> tuple[Entry, ...]:
        """What was signed since the last call."""
        return () if self._own is None else self._own.take_entries()

    # --- beginning and end ---

    def begin(self) -> None:
        """Start: propose where it is our turn, or go on from what was signed before a crash."""
        if self._own is not None and self._own.last is not None:
            self._resume(self._own)
        elif self._my_turn:
            self._out.emit(RequestProposal(self.height, 0))

    def close_by_sync(self, certificate: CommitCertificate) -> None:
        """The decision came by state transfer: rounds are cancelled, nothing more is signed (besu#1734)."""
        self.certificate = certificate
        self._move(Stage.DECIDED)

    def _resume(self, own: OwnVotes) -> None:
        """Resume in the highest round signed, with the lock, and say again what was said, byte for byte."""
        self.round = own.round
        # For what we signed PREPARE or COMMIT, we found the block valid; the block of a PREPARE may not be in the log.
        votes = [message for message in own.repeat() if isinstance(message, Prepare | Commit)]
        self._blocks = Blocks(own.blocks, [vote.block_hash for vote in votes])
        for phase in (Phase.PRE_PREPARE, Phase.PREPARE):
            said = own.messages.get(phase)
            if isinstance(said, PrePrepare | Prepare):
                self.proposal = Proposal(self.round, said.block_hash, fresh=False)
                self._recent = (said.block_hash,)
        for prepare in () if own.lock is None else own.lock.prepares:
            self._note(prepare)
        for message in own.repeat():
            self._out.emit(Broadcast(message))
            if isinstance(message, RoundChange):
                self._note_change(message)
            else:
                self._note(message.claim if isinstance(message, PrePrepare) else message)
        self._resume_proposal(own)
        if not self._open:
            return
        if self.round == 0:
            self._out.round_timer(self.round)
        else:
            self._out.resend_timer(self.round)
            self._settle()

    def _resume_proposal(self, own: OwnVotes) -> None:
        """Stand where the votes of the current round left us: bound to its proposal, not free to take another."""
        if self.proposal is None:
            return
        self._move(Stage.VALIDATING)
        if own.signed(Phase.COMMIT, self.round):
            self._move(Stage.PREPARING)
            self._move(Stage.COMMITTING)
            self._check_committed(self.round, self.proposal.block_hash)
        elif self._blocks.has(self.proposal.block_hash):
            self._validate()

    # --- events ---

    def on_work(self) -> None:
        """The timer of round 0 runs from when there is something to propose, not before (besu#2095)."""
        if self.round == 0 and self._open:
            self._out.round_timer_once(self.round)

    def on_timer(self, event: TimerFired) -> None:
        """A timer is due; one of a round that was left is late and means nothing."""
        if event.round != self.round:
            return
        if event.timer is Timer.RESEND:
            self._repeat()
        elif self._signing is not None:
            # Algorithm 3: the timer expired, r_i := r_i + 1. Never once q COMMITs are known (besu#1734).
            self._enter_round(self.round + 1)
            self._settle()

    def on_message(self, message: Message) -> None:
        """A verified message of this height."""
        match message:
            case PrePrepare():
                self._on_pre_prepare(message)
            case Prepare() | Commit():
                self._on_vote(message)
            case RoundChange():
                self._on_round_change(message)
            case BlockRequest(sender, _, block_hash):
                payload = self._blocks.get(block_hash)
                if payload is not None:
                    self._out.serve_block(sender, block_hash, payload)
            case BlockReply(_, _, block_hash, payload):
                self._on_block(block_hash, payload)

    def on_proposal(self, event: ProposalReady) -> None:
        """The block that we asked for; late where the round was left, or where we have proposed already."""
        own = self._signing
        if own is None or event.round != self.round or self.stage is not Stage.AWAITING:
            return
        if not self._my_turn or (self.round > 0 and self._asked is None):
            return
        invariant(len(event.payload) <= MAX_PAYLOAD_BYTES, "a block of ours is within its bound")
        self._blocks.built(event.block_hash, event.round, event.payload)
        self._propose(own, event.block_hash, event.payload, self._asked or ())

    def on_validated(self, event: BlockValidated) -> None:
        """The verdict on a block."""
        if not self._blocks.answered(event.block_hash, event.round, event.fresh, event.ok):
            return
        if self.stage is Stage.CLOSING:
            self._close()
        elif event.ok and self.stage is Stage.VALIDATING and self._proposal_is_valid():
            self._prepare()

    # --- the normal case: Algorithm 2 ---

    def _on_pre_prepare(self, message: PrePrepare) -> None:
        self._note(message.claim)
        for change in message.justification:
            self._note_change(change)
        self._offer(message.block_hash, message.payload)
        if not self._open:
            return
        # q ROUND-CHANGEs for a higher round stand beside it, so f+1 do: this joins that round.
        self._settle()
        if message.round != self.round or not self._open:
            return
        if self.proposal is not None or not self._heard.votes.holds(message.claim):
            return  # the first PRE-PREPARE of a round wins; a second is evidence at most (noted above)
        if not self._blocks.put(message.block_hash, message.payload):
            return  # a re-proposal must be byte-identical to the block that we hold
        self._accept(message)

    def _accept(self, message: PrePrepare) -> None:
        """Algorithm 2: a justified PRE-PREPARE sets the timer and, once valid, is answered by PREPARE."""
        fresh = message.round == 0 or choice(message.justification) is None
        self.proposal = Proposal(message.round, message.block_hash, fresh)
        self._recent = (*self._recent[-1:], message.block_hash)
        self._move(Stage.VALIDATING)
        self._out.round_timer(self.round)
        self._validate()

    def _validate(self) -> None:
        """PREPARE only what was executed and is valid; a re-proposal is exempt from rules of the moment (design §5)."""
        if self._proposal_is_valid():
            self._prepare()
        elif self.proposal is not None:
            # A follower has no say in whether a proposal came in time.
            fresh = self.proposal.fresh and self._out.seat is not None
            self._ask_validation(self.proposal.round, self.proposal.block_hash, fresh)

    def _proposal_is_valid(self) -> bool:
        if self.proposal is None or not self._blocks.has(self.proposal.block_hash):
            return False
        if self.proposal.fresh and self._out.seat is not None:
            return self._blocks.is_fresh(self.proposal.block_hash, self.proposal.round)
        return self._blocks.is_valid(self.proposal.block_hash)

    def _prepare(self) -> None:
        self._move(Stage.PREPARING)
        own = self._signing
        if own is not None and self.proposal is not None and not own.signed(Phase.PREPARE, self.round):
            vote = own.prepare(self.round, self.proposal.block_hash)
            self._out.emit(Broadcast(vote))
            self._note(vote)
        self._check_prepared()

    def _check_prepared(self) -> None:
        """Algorithm 2: COMMIT only with q PREPAREs of this (height, round, block), from distinct validators."""
        if self.stage is not Stage.PREPARING or self.proposal is None:
            return
        block_hash = self.proposal.block_hash
        prepares = self._heard.prepares(self.round, block_hash)
        payload = self._blocks.get(block_hash)
        if len(prepares) < self._quorum or payload is None:
            return
        self._move(Stage.COMMITTING)
        own = self._signing
        if own is not None:
            vote = own.commit(block_hash, payload, prepares[: self._quorum])
            self._out.emit(Broadcast(vote))
            self._note(vote)
        self._check_committed(self.round, block_hash)

    def _on_vote(self, vote: Prepare | Commit) -> None:
        self._note(vote)
        if self.stage is Stage.CLOSING and isinstance(vote, Commit):
            self._complete(vote)
        if not self._open:
            return
        if self.round == 0 and vote.round == 0:
            self._out.round_timer_once(self.round)  # somebody has a proposal: ours is due
        if isinstance(vote, Commit):
            self._check_committed(vote.round, vote.block_hash)
        elif vote.round == self.round:
            self._check_prepared()

    def _check_committed(self, round_: int, block_hash: bytes) -> None:
        """Algorithm 2: q COMMITs of one and the same round, whichever it is, decide."""
        commits = self._heard.commits(round_, block_hash)
        if self._open and len(commits) >= self._quorum:
            self._committed = {vote.sender: vote for vote in commits}
            self._move(Stage.CLOSING)
            self._close()

    def _complete(self, late: Commit) -> None:
        """One more COMMIT of the round that decided, while its block is on the way."""
        decided = next(iter(self._committed.values()))
        if (late.round, late.block_hash) == (decided.round, decided.block_hash):
            self._committed.setdefault(late.sender, late)

    def _close(self) -> None:
        """Decide once the block is here and valid; a missing one is fetched from those that committed it."""
        commits = [vote for _, vote in sorted(self._committed.items())]
        round_, block_hash = commits[0].round, commits[0].block_hash
        payload = self._blocks.get(block_hash)
        if payload is None:
            self._out.ask_for_block(block_hash, [vote.sender for vote in commits])
            self._out.resend_timer(self.round)
        elif not self._blocks.is_valid(block_hash):
            self._ask_validation(round_, block_hash, fresh=False)
        else:
            signatures = tuple((vote.sender, vote.signature) for vote in commits)
            self.certificate = CommitCertificate(self.height, round_, block_hash, signatures)
            self._move(Stage.DECIDED)
            self._out.emit(Decide(self.height, payload, self.certificate))

    # --- the round change: Algorithm 3 ---

    def _on_round_change(self, change: RoundChange) -> None:
        self._note_change(change)
        if change.prepared_hash is not None and change.payload is not None:
            if change.prepared_hash in self._heard.changes.prepared_hashes():
                self._blocks.put(change.prepared_hash, change.payload)
            self._offer(change.prepared_hash, change.payload)
        if self._open:
            self._settle()

    def _enter_round(self, round_: int) -> None:
        """Leave the current round for a higher one, for good, and say so with what we are locked on."""
        invariant(round_ > self.round, "rounds only rise")
        self._move(Stage.AWAITING)
        self.round = round_
        self.proposal = None
        self._asked = None
        self._out.new_round()
        own = self._signing
        if own is not None:
            payload = None if own.lock is None else self._blocks.get(own.lock.commit.block_hash)
            change = own.round_change(round_, payload)
            self._out.emit(Broadcast(change))
            self._note_change(change)
            self._out.resend_timer(self.round)
        self._blocks.keep_only(self._wanted)

    def _settle(self) -> None:
        """Apply the rules that depend on which ROUND-CHANGEs are here."""
        # Algorithm 3, upon F_rc: f+1 validators are in higher rounds: join the lowest of the f+1 (besu#1822).
        while (target := round_to_join(self._heard.changes.rounds(), self.round, self.validators.faulty)) is not None:
            self._enter_round(target)
        # The timer of a round above 0 starts once q validators are in it or beyond (PBFT, OSDI'99, §4.5.2).
        if self.round > 0 and self._heard.changes.count_from(self.round) >= self._quorum:
            self._out.round_timer_once(self.round)
        self._propose_if_due()

    def _propose_if_due(self) -> None:
        """Algorithm 3, upon Q_rc: the proposer of a round above 0 proposes what q ROUND-CHANGEs for it prescribe."""
        own = self._signing
        if own is None or self.round == 0 or not self._my_turn:
            return
        if self._asked is not None or self.stage is not Stage.AWAITING:
            return
        changes = self._heard.changes.at(self.round)
        basis = justification(changes, self._quorum, self._blocks.has)
        if basis is None:
            if len(changes) >= self._quorum:
                for block_hash, holders in missing_blocks(changes, self._blocks.has):
                    self._out.ask_for_block(block_hash, holders)
            return
        chosen = choice(basis)
        if chosen is None:
            self._asked = basis
            self._out.emit(RequestProposal(self.height, self.round))
            return
        payload = self._blocks.get(chosen[1])
        if payload is not None:  # so it is: the basis is made of usable ROUND-CHANGEs
            self._propose(own, chosen[1], payload, basis)

    def _propose(self, own: OwnVotes, block_hash: bytes, payload: bytes, basis: tuple[RoundChange, ...]) -> None:
        message = own.pre_prepare(self.round, block_hash, payload, basis)
        self._out.emit(Broadcast(message))
        self._note(message.claim)
        self._accept(message)

    def _repeat(self) -> None:
        """Say the latest ROUND-CHANGE, or ask for the missing block, again: messages get lost and peers restart."""
        own = self._signing
        self._out.ask_again()
        if self.stage is Stage.CLOSING:
            self._close()
        elif own is not None and self.round > 0 and not self.decided:
            self._out.emit(Broadcast(own.messages[Phase.ROUND_CHANGE]))
            self._out.resend_timer(self.round)
            self._propose_if_due()

    # --- shared steps ---

    @property
    def _open(self) -> bool:
        """Whether the height is undecided as far as we know: only then is anything signed."""
        return self.stage in OPEN

    @property
    def _signing(self) -> OwnVotes | None:
        """What we sign with, where we may sign."""
        return self._own if self._out.seat is not None and self._open else None

    @property
    def _my_turn(self) -> bool:
        return self._out.seat == self.validators.proposer(self.height, self.round)

    def _move(self, stage: Stage) -> None:
        invariant(stage in LEGAL[self.stage], f"{self.stage.value} to {stage.value}")
        self.stage = stage

    def _note(self, vote: Vote) -> None:
        """File a vote."""
        self._recognise(vote)
        self._record(self._heard.hear_vote(vote))

    def _note_change(self, change: RoundChange) -> None:
        """File a ROUND-CHANGE and the PREPAREs that prove it; it may replace one whose block is now done with."""
        self._recognise(change)
        for prepare in change.prepares:
            self._note(prepare)
        self._record(self._heard.hear_change(change))
        self._blocks.keep_only(self._wanted)

    def _record(self, evidence: Evidence | None) -> None:
        if evidence is not None:
            self._out.emit(RecordEquivocation(evidence))

    def _recognise(self, signed: Signed) -> None:
        """A vote with our key that we do not know convicts us of amnesia (design §6): from here on we sign nothing."""
        if self._out.seat is None or self._own is None or signed.sender != self._out.seat or self._own.knows(signed):
            return
        self._out.seat = None
        self._out.emit(OwnVoteUnknown(self.height, signed.bare() if isinstance(signed, RoundChange) else signed))

    def _ask_validation(self, round_: int, block_hash: bytes, fresh: bool) -> None:
        payload = self._blocks.get(block_hash)
        if payload is None:
            return
        proposer = self.validators.proposer(self.height, round_)
        request = ValidateBlock(self.height, round_, block_hash, payload, fresh, proposer)
        if not self._blocks.asked(request):
            self._out.emit(request)

    def _on_block(self, block_hash: bytes, payload: bytes) -> None:
        if block_hash in self._heard.changes.prepared_hashes():
            self._blocks.put(block_hash, payload)
        self._offer(block_hash, payload)
        if self._open:
            self._propose_if_due()

    def _offer(self, block_hash: bytes, payload: bytes) -> None:
        """Take a block that we lack: of a decision, or of the proposal for which we signed PREPARE before a restart."""
        if self._blocks.has(block_hash):
            return
        if self.stage is Stage.CLOSING and block_hash in {vote.block_hash for vote in self._committed.values()}:
            self._blocks.put(block_hash, payload)
            self._close()
        elif self.proposal is not None and self.proposal.block_hash == block_hash and self.stage is Stage.VALIDATING:
            self._blocks.put(block_hash, payload)
            self._validate()

    @property
    def _wanted(self) -> set[bytes]:
        """The blocks of the lock, of kept ROUND-CHANGEs, of the last two proposals and of the decision."""
        wanted = {*self._heard.changes.prepared_hashes(), *self._recent}
        if self.prepared is not None:
            wanted.add(self.prepared[1])
        wanted.update(vote.block_hash for vote in self._committed.values())
        return wanted
