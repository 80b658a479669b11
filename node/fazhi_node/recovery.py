"""How a node that may have forgotten its votes comes to sign again by itself (design §6, "Amnesia"; docs/adr/0008).

While the vote log is amnesiac the node follows and signs nothing. It asks every member, with a number drawn at its
start, how far that member is; who is amnesiac itself vouches for nothing. Let t be our own durable tip and S the set
that certifies block t + 2, which is known at t. As soon as q members of S other than ourselves have answered, each with
a height of at most t, we sign again from t + 3 on.

Why no second vote can come of it. Our key may have voted at height h only where we held the certified block h − 1, so
let us suppose that block t + 2 was certified before our start: q members of S had signed COMMIT at t + 2. Two quorums
share at least f + 1 members, so one of those who answered is honest and signed that COMMIT, with the key by which S
knows it. An honest node signs at t + 2 only when block t + 1 is durable with it, and its answer came after our start:
it would have said t + 1 or more. So t + 2 was not certified, and the highest height for which our key can have voted is
t + 2.

A height in an answer is only a claim, and none has to be believed: one that is too high (10⁹, of a liar) is never
reached and counts for nobody, one that is too low is that of one of f liars, which the quorum outweighs. Whoever
answers honestly names a height that it has, so that we reach it by state transfer, and with at most f members faulty,
amnesiac ones among them, q honest answers come.

A vote that turns up with our key and is not in our log, in a message or in the certificate of a block that we missed,
convicts us likewise, once. After a conviction has been healed, votes of an earlier life of ours all lie below the
height from which on we sign: a second such vote shows that another process signs with our key *now*. Then nothing heals
by itself any more; see ``fazhi-node votes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fazhi_consensus.messages import Phase
from fazhi_contracts.queries import epoch_set
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import Parameter
from fazhi_ledger.keys import Signer
from fazhi_ledger.validators import ValidatorSet

from .frames import Vouch, VouchRequest
from .notebook import Notebook
from .notices import Alarm, AmnesiaEnded, Notice
from .storage.chain_store import ChainStore
from .storage.port import VoteLog

UNKNOWN_VOTE_NOTE: Final = "own-vote-unknown"
"""In the notebook from the first conviction by a vote that our log does not know; it stays."""
KEY_ELSEWHERE_NOTE: Final = "key-used-elsewhere"
"""In the notebook from the second: the node signs nothing until an operator has removed the note."""
FIRST_AFTER: Final = 3
"""How far above the tip the first height lies for which an amnesiac validator signs again."""


def settle_votes(chain: ChainStore, key: bytes, votes: VoteLog) -> bool:
    """Before a start: whether ``votes``, the log of ``key``, is made amnesiac here because of the chain's base.

    Blocks up to the base are not looked at for commits of our key that our log does not know, which is how data and
    guard are convicted that were put back together (:meth:`Recovery.check_certificate`). Where the log does not itself
    say that the base is decided, a key that had a seat up to there may so have signed what it does not know. A key that
    had none has signed nothing so far; blocks above the base come one by one, and are looked at.
    """
    if votes.amnesiac or votes.floor > chain.base:
        return False
    seats, epoch = chain.genesis.validator_set(), 1
    had_seat = seats.index_of_key(key) is not None
    while (following := epoch_set(chain, epoch)) is not None and following.first_height <= chain.base:
        had_seat = had_seat or following.index_of_key(key) is not None
        epoch += 1
    if not had_seat:
        votes.truncate_below(chain.base + 1)
        return False
    votes.begin_amnesia()
    return True


class Recovery:
    """The amnesia of one node: how it is convicted, what it asks, what it says to others who ask.

    ``signer`` holds the key that it signs with (another one after a vote), None for a node that only follows; ``nonce``
    16 bytes that no earlier process of this node has used.
    """

    def __init__(
        self,
        me: str,
        signer: Signer | None,
        vote_log: VoteLog | None,
        notebook: Notebook,
        nonce: bytes,
        notify: Callable[[Notice], None],
    ) -> None:
        self._me = me
        self._signer = signer
        self._log = vote_log
        self._notebook = notebook
        self._notify = notify
        self._request = VouchRequest(nonce)
        self._claims: dict[str, tuple[bytes, int]] = {}
        self.silenced = notebook.find(KEY_ELSEWHERE_NOTE) is not None
        """Whether only an operator can let this node sign again."""

    @property
    def _key(self) -> bytes | None:
        return None if self._signer is None else self._signer.public_key

    @property
    def amnesiac(self) -> bool:
        """Whether this node has a key but must not sign with it."""
        return self._key is not None and (self.silenced or (self._log is not None and self._log.amnesiac))

    @property
    def _healing(self) -> VoteLog | None:
        """The amnesiac log of a node that has a key to sign with."""
        return self._log if self._log is not None and self._key is not None and self._log.amnesiac else None

    def check_certificate(self, certificate: CommitCertificate, seats: ValidatorSet) -> None:
        """Convict ourselves if a block that others decided carries a COMMIT of ours that our log does not hold: then
        data and guard were put back together, which neither can tell by itself. ``seats`` certified the block."""
        log = self._log
        if log is None or self._key is None or self.amnesiac or certificate.height < log.floor:
            return
        seat = seats.index_of_key(self._key)
        mine = None if seat is None else dict(certificate.signatures).get(seat)
        kept = (record for height, record in log.records() if height == certificate.height)
        if mine is not None and not any(mine in record for record in kept):
            self.convict(certificate.height, Phase.COMMIT)

    def convict(self, height: int, phase: Phase) -> None:
        """A vote signed with our key is not in our log. Durable when it returns; nothing is signed after it."""
        what: tuple[Parameter, ...] = (("height", height), ("phase", phase.name.lower()))
        if self._log is not None:
            self._log.begin_amnesia()
        if self._notebook.find(UNKNOWN_VOTE_NOTE) is None:
            self._notebook.keep(UNKNOWN_VOTE_NOTE, str(height).encode("ascii"))
            self._notify(Alarm("own-vote-unknown", what))
        else:
            self._notebook.keep(KEY_ELSEWHERE_NOTE, str(height).encode("ascii"))
            self.silenced = True
            self._notify(Alarm("key-used-elsewhere", what))

    # Asking

    def request(self, org: str, seats: ValidatorSet) -> VouchRequest | None:
        """What to ask a member, None where there is nothing to ask it. One whose key was replaced since it answered is
        asked again, for ``seats``, which certify the block two above our tip, know it by the other one."""
        if self._healing is None:
            return None
        seat, claim = seats.index_of_member(org), self._claims.get(org)
        heard = claim is not None and (seat is None or claim[0] == seats.validators[seat].key)
        return None if heard else self._request

    def on_vouch(self, org: str, vouch: Vouch) -> None:
        """A member's answer. Of several the lowest counts: each says where the member was after our start."""
        if vouch.nonce != self._request.nonce or vouch.height is None or self._healing is None:
            return
        key, height = self._claims.get(org, (vouch.key, vouch.height))
        self._claims[org] = vouch.key, min(height, vouch.height) if key == vouch.key else vouch.height

    def missing(self, tip: int, seats: ValidatorSet) -> tuple[str, ...]:
        """The members of ``seats`` that have not vouched for the chain up to ``tip``, ourselves excepted."""
        return tuple(
            seat.member
            for seat in seats.validators
            if seat.member != self._me and not self._vouched(seat.member, seat.key, tip)
        )

    def _vouched(self, member: str, key: bytes, tip: int) -> bool:
        claim = self._claims.get(member)
        return claim is not None and claim[0] == key and claim[1] <= tip

    def conclude(self, tip: int, seats: ValidatorSet) -> None:
        """End the amnesia if enough members have vouched; ``seats`` certify the block two above ``tip``."""
        log = self._healing
        if log is None or not self._claims or self.silenced:
            return
        others = sum(seat.member != self._me for seat in seats.validators)
        if others - len(self.missing(tip, seats)) >= seats.quorum:
            log.end_amnesia(tip + FIRST_AFTER)
            self._claims.clear()
            self._notify(AmnesiaEnded(tip, log.floor))

    # Answering

    def answer(self, request: VouchRequest, tip: int) -> Vouch | None:
        """What to say to a member that asks; None from a node that has no votes to know of.

        The height is our tip, or the last one that the vote log calls decided where the chain was lost: we voted for
        the height after it at most.
        """
        key = self._key
        if self._log is None or key is None:
            return None
        return Vouch(request.nonce, key, None if self.amnesiac else max(tip, self._log.floor - 1))
