"""State transfer: how a node that is behind gets decided blocks from one peer at a time.

A node asks one peer for a bounded range, checks everything itself and turns to another peer when the first is slow or
lies. While a block is executed the signatures of the next are under check and the range after it is on its way, all
within bounds. Each block is a question of its own to the verifier: the node hears others between two blocks.

Order of the checks, per block: it follows the tip (height, parent, validator set), its body is what its header commits
to, its certificate is a quorum's of the validator set it must have; only then are item signatures looked at and the
block executed. Up to the certificate, a failure is the peer's fault. After it a quorum has vouched for the block: a
failure then is ours, or more than f members are faulty, and the node stops. A block that does not follow one under
check waits for that one's verdict: only right behind the tip is it certain whose fault it is.

A delivered block may meet the node's own decision of the same height (SmartBFT #484, #553): whoever is second finds
the tip moved on, and does nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .frames import Blocks, GetBlocks, Message, StatusMessage
from .limits import SYNC_BLOCKS, SYNC_BYTES, SYNC_CHECKING_BYTES, SYNC_GRACE_MS, SYNC_TIMEOUT_MS
from .notices import OwnFault
from .payload import decode_payload
from .peers import SYNC_TIMEOUT, PeerMisbehaved, PeerTable, hostile_input
from .ports import Job, SignatureCheck
from .verification import Verdicts, Verification, item_job

UNASKED: Final = 0
"""The height of a block that came unasked, until it is decoded."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A decoded block with its certificate, as a peer gave it."""

    org: str
    block: Block
    block_hash: bytes
    payload: bytes
    certificate: CommitCertificate


class SyncHost(Protocol):
    """What state transfer needs of the machine."""

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
    def tip_hash(self) -> bytes:
        """Hash of the tip's header (the genesis hash at height 0)."""

    @property
    def tip_since_ms(self) -> int:
        """Since when (monotonic) the tip stands."""

    @property
    def validators(self) -> ValidatorSet:
        """Who certifies the block after the tip."""

    @property
    def voting(self) -> bool:
        """Whether this node takes part in the decision of the next block."""

    def now_ms(self) -> int:
        """Monotonic time."""

    def send(self, org: str, message: Message) -> None:
        """Queue a message for a peer."""

    def peer_fault(self, org: str, error: FazhiError, *, ban: bool) -> None:
        """Count and report what a peer did."""

    def commit_delivered(self, delivered: Delivered) -> None:
        """Execute and store the block after the tip, whose certificate and signatures hold."""

    def own_decision(self, height: int) -> bytes | None:
        """Hash of the decided block of that height, where it is kept."""


@dataclass(frozen=True, slots=True)
class _Asked:
    org: str
    request: int
    first: int
    count: int
    deadline_ms: int


@dataclass(slots=True)
class _Arrived:
    """A block as a peer gave it: decoded when its turn is near."""

    org: str
    height: int
    block: bytes
    certificate: bytes
    delivered: Delivered | None = None


@dataclass(slots=True)
class _Checking:
    """A block whose signatures are under check, or were found to hold or not."""

    delivered: Delivered
    verdicts: Verdicts | None = None


class Sync:
    """The asking side of state transfer. One request at a time."""

    def __init__(self, host: SyncHost, peers: PeerTable, verification: Verification) -> None:
        self._host = host
        self._peers = peers
        self._verification = verification
        self._asked: _Asked | None = None
        self._request = 0
        self._arrived: deque[_Arrived] = deque()
        self._arrived_bytes = 0
        self._checking: deque[_Checking] = deque()
        self._checking_bytes = 0
        self._going = False

    @property
    def busy(self) -> bool:
        """Whether blocks are asked for or under check."""
        return self._asked is not None or bool(self._arrived) or bool(self._checking)

    def on_status(self, org: str, status: StatusMessage) -> None:
        """A peer says how far it is.

        Raises:
            PeerMisbehaved: another chain, or a height below the one it claimed before.
        """
        if status.genesis_hash != self._host.genesis_hash:
            raise PeerMisbehaved("other-chain", ban=True)
        self._peers.claim(org, status.height, status.tip_hash, self._host.now_ms())
        self.poke()

    def poke(self) -> None:
        """Ask for blocks if some peer claims more than we have, there is room for them and patience is over."""
        now_ms = self._host.now_ms()
        if self._asked is not None and now_ms < self._peers.get(self._asked.org).banned_until_ms:
            self._asked = None  # a liar's answer is not waited for
        if self._asked is not None and now_ms >= self._asked.deadline_ms:
            self._give_up_on_peer(self._asked)
        if self._asked is not None or self._full:
            return
        first = self._last_height + 1
        sources = self._peers.sources(first, now_ms)
        if not sources:
            return
        # A validator that is one block behind is usually about to decide it by itself.
        ahead = self._peers.sources(first + 1, now_ms)
        if self._host.voting and not ahead and now_ms - self._host.tip_since_ms < SYNC_GRACE_MS:
            return
        peer = (ahead or sources)[0]
        self._request += 1
        self._asked = _Asked(peer.org, self._request, first, SYNC_BLOCKS, now_ms + SYNC_TIMEOUT_MS)
        peer.asked_ms = now_ms
        self._host.send(peer.org, GetBlocks(self._request, first, SYNC_BLOCKS))

    @property
    def _full(self) -> bool:
        """Whether half an answer waits to be looked at: time enough for the next one to arrive."""
        return len(self._arrived) > SYNC_BLOCKS // 2 or self._arrived_bytes > SYNC_BYTES // 2

    @property
    def _last_height(self) -> int:
        """The height up to which blocks are here."""
        if self._arrived:
            return max(self._arrived[-1].height, self._host.height)
        return self._tail()[0]

    def _tail(self) -> tuple[int, bytes]:
        """Height and hash of what the next arrived block has to follow: the last one under check, or the tip."""
        if self._checking:
            last = self._checking[-1].delivered
            if last.block.header.height > self._host.height:
                return last.block.header.height, last.block_hash
        return self._host.height, self._host.tip_hash

    def _give_up_on_peer(self, asked: _Asked) -> None:
        self._asked = None
        self._peers.get(asked.org).failures += 1
        self._host.peer_fault(asked.org, PeerMisbehaved(SYNC_TIMEOUT, first=asked.first), ban=False)

    def on_peer_lost(self, org: str) -> None:
        """An answer of that peer will not come."""
        if self._asked is not None and self._asked.org == org:
            self._asked = None
            self._peers.get(org).failures += 1
            self.poke()

    def on_blocks(self, org: str, message: Blocks) -> None:
        """Blocks arrive, asked for or not (an unasked one is taken only where it comes next and nothing is under way).

        Raises:
            FazhiError: the peer sent what is no decided block, or not what was asked for.
        """
        asked = self._asked
        if message.request == 0:
            self._on_unasked(org, message)
            return
        if asked is None or (asked.org, asked.request) != (org, message.request):
            return  # the answer to a question we gave up
        self._asked = None
        if not message.blocks:
            raise PeerMisbehaved("claimed-height-not-served", ban=True, first=asked.first)
        if len(message.blocks) > asked.count:
            raise PeerMisbehaved("more-blocks-than-asked", ban=True, count=len(message.blocks))
        for offset, pair in enumerate(message.blocks):
            self._arrive(_Arrived(org, asked.first + offset, *pair))
        self._go()

    def _on_unasked(self, org: str, message: Blocks) -> None:
        if self._arrived or self._checking or len(message.blocks) != 1:
            return
        if self._host.now_ms() < self._peers.get(org).banned_until_ms:
            return
        arrived = _Arrived(org, UNASKED, *message.blocks[0])
        # To decode a block takes far longer than to send it: only the one that comes next is worth it.
        if self._certificate(arrived).height == self._host.height + 1:
            arrived.delivered = self._decode(arrived)
            arrived.height = arrived.delivered.block.header.height
            self._arrive(arrived)
            self._go()

    def _arrive(self, arrived: _Arrived) -> None:
        self._arrived.append(arrived)
        self._arrived_bytes += len(arrived.block)

    @staticmethod
    def _certificate(arrived: _Arrived) -> CommitCertificate:
        try:
            with hostile_input:
                return CommitCertificate.decode(arrived.certificate)
        except FazhiError as error:
            raise PeerMisbehaved("bad-block", ban=True, reason=error.code) from None

    def _decode(self, arrived: _Arrived) -> Delivered:
        certificate = self._certificate(arrived)
        try:
            with hostile_input:
                block, block_hash = decode_payload(self._host.suite, arrived.block)
        except FazhiError as error:
            raise PeerMisbehaved("bad-block", ban=True, reason=error.code) from None
        height = block.header.height
        if certificate.height != height or certificate.block_hash != block_hash:
            raise PeerMisbehaved("certificate-of-another-block", ban=True, height=height)
        if arrived.height not in (UNASKED, height):
            raise PeerMisbehaved("block-of-another-height", ban=True, expected=arrived.height)
        return Delivered(arrived.org, block, block_hash, arrived.block, certificate)

    def _go(self) -> None:
        """Go on as far as what is here and known allows: begin checks, commit what holds, ask for more."""
        if self._going:
            return  # an answer that was known at once; whoever asked goes on
        self._going = True
        try:
            while True:
                self._begin_checks()
                verdicts = self._checking[0].verdicts if self._checking else None
                if verdicts is None:
                    break
                delivered = self._checking.popleft().delivered
                self._checking_bytes -= len(delivered.payload)
                self._settle(delivered, verdicts)
        finally:
            self._going = False
        self.poke()

    def _begin_checks(self) -> None:
        """Look at the next blocks, so far ahead of the tip as there is room."""
        while self._arrived and len(self._checking) < SYNC_BLOCKS and self._checking_bytes < SYNC_CHECKING_BYTES:
            arrived = self._arrived[0]
            if arrived.height <= self._host.height:  # our own decision has overtaken it
                self._drop_first()
                continue
            try:
                delivered = arrived.delivered = arrived.delivered or self._decode(arrived)
            except FazhiError as error:
                self._forget_arrived()
                self._host.peer_fault(arrived.org, error, ban=True)
                return
            try:
                self._check_link(delivered)
            except FazhiError as error:
                if self._checking:
                    return
                self._forget_arrived()
                self._host.peer_fault(arrived.org, error, ban=True)
                return
            self._drop_first()
            self._check(delivered)

    def _drop_first(self) -> None:
        self._arrived_bytes -= len(self._arrived.popleft().block)

    def _forget_arrived(self) -> None:
        """What has arrived, and what is on its way, cannot be built upon."""
        self._arrived.clear()
        self._arrived_bytes = 0
        self._asked = None

    def _check_link(self, delivered: Delivered) -> None:
        """Raise ``FazhiError`` unless the block follows what stands before it, and the quorum is one of the set that
        stands at the tip (behind a hand-over it is not, until the blocks before it are executed: what the block says of
        itself does not count, for retired keys may have signed it)."""
        header, validators = delivered.block.header, self._host.validators
        height, parent = self._tail()
        for field, right in (
            ("genesis_hash", header.genesis_hash == self._host.genesis_hash),
            ("height", header.height == height + 1),
            ("parent_hash", header.parent_hash == parent),
            ("validators_hash", header.validators_hash == validators.hash(self._host.suite) == self._expected()),
        ):
            if not right:
                raise PeerMisbehaved("bad-block", field=field, height=header.height)
        delivered.certificate.check_signers(validators)

    def _expected(self) -> bytes:
        """Hash of the set that certifies the next arrived block, by the header before it or at the tip."""
        if self._checking:
            last = self._checking[-1].delivered.block.header
            if last.height > self._host.height:
                return last.next_validators_hash
        return self._host.validators.hash(self._host.suite)

    def _check(self, delivered: Delivered) -> None:
        """Ask for the verdicts on the certificate and on every submission, as one question."""
        entry = _Checking(delivered)
        self._checking.append(entry)
        self._checking_bytes += len(delivered.payload)
        suite = self._host.suite
        jobs = [
            self._certificate_job(delivered.certificate, self._host.validators),
            *(item_job(suite, item) for item in delivered.block.items),
        ]

        def checked(verdicts: Verdicts) -> None:
            entry.verdicts = verdicts
            self._go()

        self._verification.ask(jobs, checked)

    def _certificate_job(self, certificate: CommitCertificate, validators: ValidatorSet) -> Job:
        message = certificate.signed_message(self._host.genesis_hash)
        return tuple(
            SignatureCheck(self._host.suite, validators.validators[index].key, message, signature)
            for index, signature in certificate.signatures
        )

    def _settle(self, delivered: Delivered, verdicts: Verdicts) -> None:
        certified, *items_hold = verdicts
        height = delivered.block.header.height
        if not certified:
            self._forget_arrived()
            self._checking.clear()
            self._checking_bytes = 0
            self._host.peer_fault(delivered.org, PeerMisbehaved("bad-certificate", height=height), ban=True)
            return
        if not all(items_hold):
            raise OwnFault("certified-block-with-bad-signature", f"height {height}")
        if height == self._host.height + 1 and delivered.block.header.parent_hash == self._host.tip_hash:
            self._host.commit_delivered(delivered)
            self._peers.get(delivered.org).failures = 0
            return
        # Our own decision came first. It must be the same block: both are certified.
        decided = self._host.own_decision(height)
        if height > self._host.height or (decided is not None and decided != delivered.block_hash):
            raise OwnFault("fork", f"two certified blocks at height {height}")
