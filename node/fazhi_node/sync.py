"""State transfer: how a node that is behind gets decided blocks from one peer at a time.

A node asks one peer for a bounded range, checks everything itself and turns to another peer when the first is slow or
lies. Order of the checks, per block: it follows the tip (height, parent, validator set), its body is what its header
commits to, its certificate is a quorum's of the validator set it must have; only then are item signatures looked at
and the block executed. Up to the certificate, a failure is the peer's fault. After it a quorum has vouched for the
block: a failure then is ours, or more than f members are faulty, and the node stops.

A delivered block may meet the node's own decision of the same height (SmartBFT #484, #553): whoever is second finds
the tip moved on, and does nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .frames import Blocks, GetBlocks, Message, StatusMessage
from .limits import SYNC_BLOCKS, SYNC_GRACE_MS, SYNC_TIMEOUT_MS
from .notices import OwnFault
from .payload import decode_payload
from .peers import PeerMisbehaved, PeerTable, hostile_input
from .ports import Job, SignatureCheck
from .verification import Verdicts, Verification, item_job


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


class Sync:
    """The asking side of state transfer. One request and one chunk under check at a time."""

    def __init__(self, host: SyncHost, peers: PeerTable, verification: Verification) -> None:
        self._host = host
        self._peers = peers
        self._verification = verification
        self._asked: _Asked | None = None
        self._request = 0
        self._chunk: deque[Delivered] = deque()
        self._checking = False

    @property
    def busy(self) -> bool:
        """Whether blocks are asked for or under check."""
        return self._asked is not None or bool(self._chunk)

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
        """Ask for blocks if some peer claims more than we have, nothing is under way and patience is over."""
        now_ms = self._host.now_ms()
        if self._asked is not None and now_ms >= self._asked.deadline_ms:
            self._give_up_on_peer(self._asked)
        if self.busy:
            return
        first = self._host.height + 1
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

    def _give_up_on_peer(self, asked: _Asked) -> None:
        self._asked = None
        self._peers.get(asked.org).failures += 1
        self._host.peer_fault(asked.org, PeerMisbehaved("sync-timeout", first=asked.first), ban=False)

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
            if self._chunk or self._checking or len(message.blocks) != 1:
                return
        else:
            if asked is None or (asked.org, asked.request) != (org, message.request):
                return  # the answer to a question we gave up
            self._asked = None
            if not message.blocks:
                raise PeerMisbehaved("claimed-height-not-served", ban=True, first=asked.first)
            if len(message.blocks) > asked.count:
                raise PeerMisbehaved("more-blocks-than-asked", ban=True, count=len(message.blocks))
        chunk = [self._decode(org, *pair) for pair in message.blocks]
        if message.request == 0 and chunk[0].block.header.height != self._host.height + 1:
            return
        for offset, delivered in enumerate(chunk):
            expected = delivered.block.header.height if asked is None or message.request == 0 else asked.first + offset
            if delivered.block.header.height != expected:
                raise PeerMisbehaved("block-of-another-height", ban=True, expected=expected)
        self._chunk.extend(chunk)
        self._advance()

    def _decode(self, org: str, block_bytes: bytes, certificate_bytes: bytes) -> Delivered:
        try:
            with hostile_input:
                block, block_hash = decode_payload(self._host.suite, block_bytes)
                certificate = CommitCertificate.decode(certificate_bytes)
        except FazhiError as error:
            raise PeerMisbehaved("bad-block", ban=True, reason=error.code) from None
        if certificate.height != block.header.height or certificate.block_hash != block_hash:
            raise PeerMisbehaved("certificate-of-another-block", ban=True, height=block.header.height)
        return Delivered(org, block, block_hash, block_bytes, certificate)

    def _advance(self) -> None:
        """Check the next blocks that the current validator set certifies, as one question to the verifier."""
        if self._checking:
            return
        self._skip_decided()
        batch: list[Delivered] = []
        jobs: list[Job] = []
        validators = self._host.validators
        set_hash = validators.hash(self._host.suite)
        height, parent = self._host.height, self._host.tip_hash
        for delivered in self._chunk:
            header = delivered.block.header
            if batch and header.validators_hash != set_hash:
                break  # a hand-over: the blocks behind it are checked once it is executed
            self._check_link(delivered, height + 1, parent, set_hash, validators)
            height, parent = header.height, delivered.block_hash
            batch.append(delivered)
            jobs.append(self._certificate_job(delivered.certificate, validators))
            jobs.extend(item_job(self._host.suite, item) for item in delivered.block.items)
        if not batch:
            self.poke()
            return
        self._checking = True
        self._verification.ask(jobs, lambda verdicts: self._on_checked(batch, verdicts))

    def _skip_decided(self) -> None:
        """Drop what our own decision has overtaken."""
        while self._chunk and self._chunk[0].block.header.height <= self._host.height:
            self._chunk.popleft()

    def _check_link(
        self, delivered: Delivered, height: int, parent: bytes, set_hash: bytes, validators: ValidatorSet
    ) -> None:
        header = delivered.block.header
        wrong = ""
        if header.genesis_hash != self._host.genesis_hash:
            wrong = "genesis_hash"
        elif header.height != height:
            wrong = "height"
        elif header.parent_hash != parent:
            wrong = "parent_hash"
        elif header.validators_hash != set_hash:
            wrong = "validators_hash"
        try:
            if wrong:
                raise PeerMisbehaved("bad-block", field=wrong, height=header.height)
            delivered.certificate.check_signers(validators)
        except FazhiError as error:
            self._chunk.clear()
            raise PeerMisbehaved(error.code, ban=True, **dict(error.parameters)) from None

    def _certificate_job(self, certificate: CommitCertificate, validators: ValidatorSet) -> Job:
        message = certificate.signed_message(self._host.genesis_hash)
        return tuple(
            SignatureCheck(self._host.suite, validators.validators[index].key, message, signature)
            for index, signature in certificate.signatures
        )

    def _on_checked(self, batch: Sequence[Delivered], verdicts: Verdicts) -> None:
        self._checking = False
        position = 0
        for delivered in batch:
            first_item, position = position + 1, position + 1 + len(delivered.block.items)
            certified, items_hold = verdicts[first_item - 1], all(verdicts[first_item:position])
            if not certified:
                self._chunk.clear()
                error = PeerMisbehaved("bad-certificate", height=delivered.block.header.height)
                self._host.peer_fault(delivered.org, error, ban=True)
                break
            if not items_hold:
                raise OwnFault("certified-block-with-bad-signature", f"height {delivered.block.header.height}")
            if self._chunk and self._chunk[0] is delivered:
                self._chunk.popleft()
            self._commit(delivered)
        try:
            self._advance()
        except FazhiError as error:
            self._host.peer_fault(batch[0].org, error, ban=True)
            self.poke()

    def _commit(self, delivered: Delivered) -> None:
        height = delivered.block.header.height
        if height == self._host.height + 1 and delivered.block.header.parent_hash == self._host.tip_hash:
            self._host.commit_delivered(delivered)
            self._peers.get(delivered.org).failures = 0
            return
        # Our own decision came first. It must be the same block: both are certified.
        decided = self._host.own_decision(height)
        if height > self._host.height or (decided is not None and decided != delivered.block_hash):
            raise OwnFault("fork", f"two certified blocks at height {height}")
