"""The only place that signs: what one validator has said at one height, and what it may still say.

Three promises are kept here and nowhere else: no two bodies of one (height, round, phase) with different contents;
nothing in a round after a later one was entered; every ROUND-CHANGE carries the highest round in which we hold q
PREPAREs (the lock). A broken promise is our own fault and stops the node
(:class:`~fazhi_ledger.errors.InvariantBroken`); no message of a peer can bring it about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fazhi_ledger import dsse
from fazhi_ledger.certificate import vote_body
from fazhi_ledger.errors import invariant
from fazhi_ledger.keys import Signer

from .errors import InvalidVoteRecord
from .evidence import contradiction
from .limits import KEPT_OWN_ROUNDS
from .messages import PAYLOAD_TYPE, Claim, Commit, Phase, Prepare, PrePrepare, RoundChange, Signed, round_change_body
from .records import Entry, OwnMessage

NEXT: Final[Mapping[Phase | None, frozenset[Phase]]] = {
    None: frozenset({Phase.PRE_PREPARE, Phase.PREPARE}),
    Phase.ROUND_CHANGE: frozenset({Phase.PRE_PREPARE, Phase.PREPARE}),
    Phase.PRE_PREPARE: frozenset({Phase.PREPARE}),
    Phase.PREPARE: frozenset({Phase.COMMIT}),
    Phase.COMMIT: frozenset(),
}
"""What may be signed in a round after what was signed last in it (None: nothing yet). ROUND-CHANGE enters a higher
round, and only so.
"""


@dataclass(frozen=True, slots=True)
class Lock:
    """A prepared certificate: the COMMIT that we signed, and the q PREPAREs of the same (round, block) that let us sign
    it.
    """

    commit: Commit
    prepares: tuple[Prepare, ...]

    @property
    def prepared(self) -> tuple[int, bytes]:
        """(round, block hash)."""
        return self.commit.round, self.commit.block_hash


class OwnVotes:
    """The signed bodies of one validator at one height.

    Made from the entries of the vote log (none at a height not worked on before), it resumes in the highest round
    signed, with the lock. Restarting with the highest (height, round, phase) alone would forget the lock and fork the
    chain without a traitor (safety.md §2, "Crash").

    Raises:
        InvalidVoteRecord: ``record-of-another-seat``, ``block-not-kept``, ``proof-not-kept`` or
        ``rounds-out-of-order``.
    """

    __slots__ = (
        "_entries",
        "_genesis_hash",
        "_height",
        "_history",
        "_kept_blocks",
        "_me",
        "_signer",
        "blocks",
        "last",
        "lock",
        "messages",
        "round",
    )

    def __init__(
        self, genesis_hash: bytes, signer: Signer, height: int, me: int, quorum: int, entries: Sequence[Entry] = ()
    ) -> None:
        self._genesis_hash = genesis_hash
        self._signer = signer
        self._height = height
        self._me = me
        self._entries: list[Entry] = []
        self._kept_blocks: set[bytes] = set()
        self._history: dict[tuple[int, Phase], Signed] = {}
        self.round = 0
        """The highest round in which something was signed."""
        self.last: Phase | None = None
        """What was signed last in that round."""
        self.lock: Lock | None = None
        self.messages: dict[Phase, OwnMessage] = {}
        """What was signed in that round, by phase, as it was or will be sent."""
        self.blocks: dict[bytes, bytes] = {}
        """Blocks found in the log, by hash."""
        for entry in entries:
            self._restore(entry, quorum)
        self._kept_blocks.update(self.blocks)

    # --- what was said ---

    def signed(self, phase: Phase, round_: int) -> bool:
        """Whether a body of that phase was signed in ``round_``, the current or a later one."""
        return round_ == self.round and phase in self.messages

    def knows(self, signed: Signed) -> bool:
        """Whether a body that verifies with our key is one of ours. Rounds too long ago to remember count as known."""
        mine = self._history.get((signed.round, signed.phase))
        if mine is None:
            return signed.round < self.round - KEPT_OWN_ROUNDS
        return contradiction(mine, signed) is None

    def repeat(self) -> tuple[OwnMessage, ...]:
        """Everything to be sent again after a restart, byte for byte: the last ROUND-CHANGE, the COMMIT of the lock,
        the current round.
        """
        found = [
            self.messages[phase]
            for phase in (Phase.ROUND_CHANGE, Phase.PRE_PREPARE, Phase.PREPARE)
            if phase in self.messages
        ]
        if self.lock is not None:
            found.append(self.lock.commit)
        return tuple(found)

    def take_entries(self) -> tuple[Entry, ...]:
        """What was signed since the last call: it must be durable before anything leaves."""
        entries = tuple(self._entries)
        self._entries.clear()
        return entries

    # --- what is said now ---

    def pre_prepare(
        self, round_: int, block_hash: bytes, payload: bytes, justification: tuple[RoundChange, ...]
    ) -> PrePrepare:
        """Sign PRE-PREPARE."""
        signature = self._sign(
            Phase.PRE_PREPARE, round_, vote_body(self._genesis_hash, self._height, round_, block_hash)
        )
        claim = Claim(self._me, self._height, round_, block_hash, signature)
        message = PrePrepare(claim, payload, justification)
        self._kept_blocks.add(block_hash)
        self._keep(message, claim, Entry(message))
        return message

    def prepare(self, round_: int, block_hash: bytes) -> Prepare:
        """Sign PREPARE."""
        signature = self._sign(Phase.PREPARE, round_, vote_body(self._genesis_hash, self._height, round_, block_hash))
        vote = Prepare(self._me, self._height, round_, block_hash, signature)
        self._keep(vote, vote, Entry(vote))
        return vote

    def commit(self, block_hash: bytes, payload: bytes, prepares: tuple[Prepare, ...]) -> Commit:
        """Sign COMMIT and take the lock: the entry holds the q PREPAREs, and the block unless an earlier entry does."""
        round_ = self.round
        invariant(
            all(p.round == round_ and p.block_hash == block_hash for p in prepares), "q PREPAREs of this proposal"
        )
        signature = self._sign(Phase.COMMIT, round_, vote_body(self._genesis_hash, self._height, round_, block_hash))
        vote = Commit(self._me, self._height, round_, block_hash, signature)
        self.lock = Lock(vote, prepares)
        self._keep(vote, vote, Entry(vote, prepares, None if block_hash in self._kept_blocks else payload))
        self._kept_blocks.add(block_hash)
        return vote

    def round_change(self, new_round: int, payload: bytes | None) -> RoundChange:
        """Sign ROUND-CHANGE to a higher round, with what we are locked on; ``payload`` is the block of the lock."""
        prepared = None if self.lock is None else self.lock.prepared
        prepared_round, prepared_hash = prepared or (None, None)
        invariant((prepared is None) == (payload is None), "the block of the lock goes with the ROUND-CHANGE")
        body = round_change_body(self._genesis_hash, self._height, new_round, prepared)
        signature = self._sign(Phase.ROUND_CHANGE, new_round, body)
        prepares = () if self.lock is None else self.lock.prepares
        change = RoundChange(
            self._me, self._height, new_round, prepared_round, prepared_hash, signature, prepares, payload
        )
        self._keep(change, change.bare(), Entry(change.bare()))
        return change

    def _sign(self, phase: Phase, round_: int, body: bytes) -> bytes:
        """Check that this may be said at all, then sign it."""
        self._enter(phase, round_)
        return dsse.sign(self._signer, PAYLOAD_TYPE[phase], body)

    def _enter(self, phase: Phase, round_: int) -> None:
        if phase is Phase.ROUND_CHANGE:
            invariant(round_ > self.round, "ROUND-CHANGE only to a higher round")
        else:
            invariant(round_ >= self.round, "nothing is signed in a round that was left")
            last = self.last if round_ == self.round else None
            invariant(phase in NEXT[last], "one body for each height, round and phase, in their order")
        if round_ > self.round:
            self.round = round_
            self.messages.clear()
        self.last = phase

    def _keep(self, message: OwnMessage, body: Signed, entry: Entry) -> None:
        self._remember(message, body)
        self._entries.append(entry)

    def _remember(self, message: OwnMessage, body: Signed) -> None:
        self.messages[body.phase] = message
        self._history[body.round, body.phase] = body
        oldest = next(iter(self._history))
        if oldest[0] < self.round - KEPT_OWN_ROUNDS:
            del self._history[oldest]

    # --- restoring ---

    def _restore(self, entry: Entry, quorum: int) -> None:
        message = entry.message
        if message.sender != self._me:
            raise InvalidVoteRecord("record-of-another-seat", seat=message.sender, me=self._me)
        if message.round < self.round:
            raise InvalidVoteRecord("rounds-out-of-order", round=message.round, after=self.round)
        body: Signed = message.claim if isinstance(message, PrePrepare) else message
        self._enter(body.phase, message.round)
        match message:
            case PrePrepare():
                self.blocks[message.block_hash] = message.payload
            case Commit():
                if entry.payload is not None:
                    self.blocks[message.block_hash] = entry.payload
                if message.block_hash not in self.blocks:
                    raise InvalidVoteRecord("block-not-kept", height=message.height, round=message.round)
                if len({prepare.sender for prepare in entry.prepares}) < quorum:
                    raise InvalidVoteRecord("proof-not-kept", height=message.height, round=message.round)
                self.lock = Lock(message, entry.prepares)
            case RoundChange():
                message = self._with_proof(message)
            case Prepare():
                pass
        self._remember(message, body)

    def _with_proof(self, change: RoundChange) -> RoundChange:
        """The ROUND-CHANGE with the proof and the block that the entry of the lock kept for it: what was sent, byte for
        byte.
        """
        if change.prepared != (None if self.lock is None else self.lock.prepared):
            raise InvalidVoteRecord("proof-not-kept", height=change.height, round=change.new_round)
        if self.lock is None:
            return change
        return replace(change, prepares=self.lock.prepares, payload=self.blocks[self.lock.commit.block_hash])
