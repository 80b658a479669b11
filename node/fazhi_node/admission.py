"""Admission: from bytes a client or a peer sent to a verified item in the mempool.

Cheap checks come first (size, form, chain, place in its lane, what the state says of its keys), signatures last and
off this thread. Until they hold, an item reserves nothing: a stranger's bad signature under a lane's next seq neither
takes that seq nor answers for it. Items under check are bounded per client and in all; one bad item never harms the
others beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from fazhi_ledger.errors import FazhiError, InvalidSubmission
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import Suite

from .limits import (
    BUSY_RETRY_MS,
    MAX_CHECKING_BYTES,
    MAX_CHECKING_ITEMS,
    MAX_CLIENT_CHECKING_ITEMS,
    MAX_SUBMIT_ITEMS,
)
from .mempool import Entry, LaneKey, Mempool, Refusal
from .notices import BUSY, COMMITTED, INVALID, PENDING, Admission
from .peers import PeerMisbehaved
from .queries import ChainReader
from .verification import Verdicts, Verification, item_job

ALREADY_PENDING: Final = "already-pending"
BELOW_BASE: Final = "below-base"

Checked = Callable[[list[Admission]], None]
"""Called once, with one answer an item, when the signatures of all items of a call have been looked at."""


class AdmissionHost(Protocol):
    """What admission needs of the machine."""

    @property
    def suite(self) -> Suite:
        """The chain's suite."""

    @property
    def genesis_hash(self) -> bytes:
        """The chain's genesis hash."""

    @property
    def height(self) -> int:
        """Height of the tip."""

    @property
    def reader(self) -> ChainReader:
        """Questions about the chain."""

    def now_ms(self) -> int:
        """Monotonic time."""

    def check_item(self, item: Item) -> None:
        """Raise ``InvalidSubmission`` where the item could not stand in the next block, whatever its signatures and
        lane.
        """

    def lane_position(self, lane: LaneKey, item: Item) -> int:
        """Next seq of ``lane``, which is the item's, in the committed state."""

    def committed(self, submission_id: bytes) -> Admission | None:
        """Where the submission of that id stands, if it does."""

    def is_quarantined(self, submission_id: bytes) -> bool:
        """Whether executing that item failed in an unexpected way."""

    def admitted(self, local: Sequence[Entry]) -> None:
        """Items have entered the mempool; ``local`` are those from clients of this node."""

    def peer_fault(self, org: str, error: FazhiError, *, ban: bool) -> None:
        """A peer sent what no honest one sends."""

    def refused(self, admission: Admission) -> None:
        """An item that was answered ``pending`` turned out otherwise."""


@dataclass(slots=True)
class _Call:
    """One call of submit: its answers, filled in as checks come back."""

    answers: list[Admission]
    open: int
    done: Checked | None

    def answer(self, position: int, admission: Admission) -> None:
        self.answers[position] = admission
        self.open -= 1
        self.finish()

    def finish(self) -> None:
        if self.open == 0 and self.done is not None:
            done, self.done = self.done, None
            done(list(self.answers))


@dataclass(slots=True, eq=False)
class _Candidate:
    """An item under check, and everybody who waits for the answer."""

    entry: Entry
    client: str
    peer: str | None
    """The member that sent it; None for a client of this node."""
    height: int
    """The tip against which it was examined."""
    next_seq: int
    waiting: list[tuple[_Call, int]] = field(default_factory=list)


class AdmissionDesk:
    """Takes items in. One desk a machine."""

    def __init__(self, host: AdmissionHost, mempool: Mempool, verification: Verification) -> None:
        self._host = host
        self._mempool = mempool
        self._verification = verification
        self._checking: dict[bytes, _Candidate] = {}
        self._checking_bytes = 0
        self._per_client: dict[str, int] = {}

    @property
    def checking(self) -> int:
        """Items whose signatures are being verified."""
        return len(self._checking)

    def submit(self, items: Sequence[bytes], client: str, done: Checked | None) -> list[Admission]:
        """Take a client's items; see ``Machine.submit``."""
        if len(items) > MAX_SUBMIT_ITEMS:
            answers = [_busy(b"", "too-many-items")] * len(items)
            if done is not None:
                done(list(answers))
            return answers
        call = _Call([], 0, done)
        fresh: list[_Candidate] = []
        for position, data in enumerate(items):
            outcome = self._examine(data, client, None)
            if isinstance(outcome, Admission):
                call.answers.append(outcome)
                continue
            if data not in self._checking:
                self._enter(outcome)
                fresh.append(outcome)
            outcome.waiting.append((call, position))
            outcome.peer = None  # ours to spread now, whoever sent it first
            call.answers.append(Admission(outcome.entry.submission_id, PENDING))
            call.open += 1
        first_answers = list(call.answers)
        call.finish()
        self._verify(fresh)
        return first_answers

    def on_gossip(self, org: str, items: Sequence[bytes]) -> int:
        """Take items that a peer has admitted; answers how many were decoded for nothing.

        Raises:
            PeerMisbehaved: an item that no honest node admits. A bad signature is reported later, to the host.
        """
        fresh: list[_Candidate] = []
        refused = 0
        try:
            for data in items:
                if data in self._checking:
                    continue
                outcome = self._examine(data, "peer:" + org, org)
                if isinstance(outcome, _Candidate):
                    self._enter(outcome)
                    fresh.append(outcome)
                elif outcome.code in ("malformed-item", "wrong-genesis"):
                    raise PeerMisbehaved("bad-gossip", reason=outcome.code)
                else:
                    refused += outcome.code != ALREADY_PENDING
        finally:
            self._verify(fresh)
        return refused

    def _examine(self, data: bytes, client: str, peer: str | None) -> Admission | _Candidate:
        """Everything but the signatures: an answer, or a candidate whose signatures are to be verified."""
        waiting = self._mempool.find_data(data)
        if waiting is not None:
            return Admission(waiting.submission_id, PENDING, ALREADY_PENDING, checked=True)
        if data in self._checking:
            return self._checking[data]
        host = self._host
        try:
            item = Item.decode(data)
        except Exception as error:  # noqa: BLE001 - whatever the reading of a stranger's bytes raises is laid to them
            reason = error.code if isinstance(error, FazhiError) else "unexpected-error"
            return Admission(b"", INVALID, "malformed-item", (("reason", reason),))
        submission_id = item.id(host.suite)
        if item.body.genesis_hash != host.genesis_hash:
            return Admission(submission_id, INVALID, "wrong-genesis")
        entry = Entry(item, data, submission_id, host.now_ms())
        next_seq = host.lane_position(entry.lane, item)
        answer = self._known(entry, next_seq) or self._check_state(entry, next_seq) or self._check_room(entry, client)
        return answer or _Candidate(entry, client, peer, host.height, next_seq)

    def _known(self, entry: Entry, next_seq: int) -> Admission | None:
        submission_id = entry.submission_id
        if self._mempool.find(submission_id) is not None:
            return Admission(submission_id, PENDING, ALREADY_PENDING, checked=True)
        if self._host.is_quarantined(submission_id):
            return Admission(submission_id, INVALID, "quarantined")
        # What stands in a block has used its seq: only then is the store worth asking.
        if entry.seq >= next_seq:
            return None
        found, base = self._host.committed(submission_id), self._host.reader.base
        if found is None and base:  # by it or by another, in a block that is not here: others know
            return replace(_busy(submission_id, BELOW_BASE), parameters=(("first", base + 1),))
        return found

    def _check_state(self, entry: Entry, next_seq: int) -> Admission | None:
        """What lane, mempool and state say. A used seq comes first: what has become of its keys since is no matter."""
        refusal = self._mempool.check(entry, next_seq)
        if refusal is not None:
            return _refused(entry.submission_id, refusal)
        try:
            self._host.check_item(entry.item)
        except InvalidSubmission as error:
            return Admission(entry.submission_id, INVALID, error.code, error.parameters)
        return None

    def _check_room(self, entry: Entry, client: str) -> Admission | None:
        if self._per_client.get(client, 0) >= MAX_CLIENT_CHECKING_ITEMS:
            return _busy(entry.submission_id, "client-too-fast")
        full = self._checking_bytes + len(entry.data) > MAX_CHECKING_BYTES
        if full or len(self._checking) >= MAX_CHECKING_ITEMS:
            return _busy(entry.submission_id, "too-many-checks")
        return None

    def _enter(self, candidate: _Candidate) -> None:
        data = candidate.entry.data
        self._checking[data] = candidate
        self._checking_bytes += len(data)
        self._per_client[candidate.client] = self._per_client.get(candidate.client, 0) + 1

    def _leave(self, candidate: _Candidate) -> None:
        data = candidate.entry.data
        del self._checking[data]
        self._checking_bytes -= len(data)
        left = self._per_client[candidate.client] - 1
        if left:
            self._per_client[candidate.client] = left
        else:
            del self._per_client[candidate.client]

    def _verify(self, candidates: list[_Candidate]) -> None:
        if candidates:
            jobs = [item_job(self._host.suite, candidate.entry.item) for candidate in candidates]
            self._verification.ask(jobs, lambda verdicts: self._on_verified(candidates, verdicts))

    def _on_verified(self, candidates: list[_Candidate], verdicts: Verdicts) -> None:
        local: list[Entry] = []
        for candidate, verdict in zip(candidates, verdicts, strict=True):
            self._leave(candidate)
            submission_id = candidate.entry.submission_id
            if verdict:
                admission = self._admit(candidate)
                if admission.status == PENDING and candidate.peer is None:
                    local.append(candidate.entry)
            else:
                admission = Admission(submission_id, INVALID, "bad-submission-signature", checked=True)
                if candidate.peer is not None:
                    error = PeerMisbehaved("bad-gossip", reason=admission.code)
                    self._host.peer_fault(candidate.peer, error, ban=False)
            for call, position in candidate.waiting:
                call.answer(position, admission)
            # Somebody else's bad signature under the same body must not answer for the good one; and a commit was told.
            if admission.status not in (PENDING, COMMITTED) and self._mempool.find(submission_id) is None:
                self._host.refused(admission)
        self._host.admitted(local)

    def _admit(self, candidate: _Candidate) -> Admission:
        """The signatures hold; the state may have moved on meanwhile."""
        entry, next_seq = candidate.entry, candidate.next_seq
        if candidate.height != self._host.height:
            next_seq = self._host.lane_position(entry.lane, entry.item)
            known = self._known(entry, next_seq)
            if known is not None:
                return known
        refusal = self._mempool.check(entry, next_seq)
        if refusal is not None:
            return _refused(entry.submission_id, refusal)
        for displaced in self._mempool.admit(entry, next_seq):
            self._host.refused(_busy(displaced.submission_id, "mempool-full"))
        return Admission(entry.submission_id, PENDING, checked=True)


def _busy(submission_id: bytes, code: str) -> Admission:
    return Admission(submission_id, BUSY, code, retry_after_ms=BUSY_RETRY_MS)


def _refused(submission_id: bytes, refusal: Refusal) -> Admission:
    retry_ms = BUSY_RETRY_MS if refusal.status == BUSY else 0
    return Admission(
        submission_id, refusal.status, refusal.code, refusal.parameters, checked=True, retry_after_ms=retry_ms
    )
