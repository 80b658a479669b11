"""What this node knows of each member it hears: how far it claims to be, when it was last heard, what it did wrong.

Every count here is bounded per peer. A claim is only a claim: heights choose whom to ask, never what to believe.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from fazhi_ledger.errors import FazhiError, Parameter

from .limits import (
    BAN_MAX_MS,
    BAN_MS,
    DECIDED_ANSWER_MS,
    FAULT_COST,
    FORGIVE_MS,
    HELD_MS,
    MAX_PEER_CHECKING_BYTES,
    MAX_PEER_CHECKING_MESSAGES,
    MUTE_MS,
    PATIENCE,
    PATIENCE_PER_S,
    PEER_SILENT_MS,
    SYNC_SERVED_PER_S,
    VOUCH_MS,
)
from .notices import PeerFault

SYNC_TIMEOUT: Final = "sync-timeout"
FLOODING: Final = "flooding"


class PeerMisbehaved(FazhiError):
    """A peer sent what no honest node sends: drop it, count it, report it. ``ban`` keeps us from asking that peer for
    a while.
    """

    def __init__(self, code: str, *, ban: bool = False, **parameters: str | int) -> None:
        super().__init__(code, **parameters)
        self.ban = ban


class _HostileInput:
    """Around the reading of bytes from outside: whatever unexpected it raises is laid to the sender, and does not stop
    us.

    Only for code that changes nothing of ours. (A class, for it stands around every message: ``contextmanager`` costs
    six times as much.)
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, FazhiError):
            raise PeerMisbehaved("unexpected-error", error=type(error).__name__, detail=str(error)[:200]) from error


hostile_input: Final = _HostileInput()


@dataclass(slots=True)
class Peer:
    """One member, as seen from here. Times are monotonic milliseconds."""

    org: str
    connected: bool = False
    height: int | None = None
    tip_hash: bytes = b""
    heard_ms: int = 0
    banned_until_ms: int = 0
    bans: int = 0
    failures: int = 0
    asked_ms: int = 0
    checking_messages: int = 0
    checking_bytes: int = 0
    dropped: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    served: int = 0
    served_since_ms: int = 0
    answered_ms: int = -DECIDED_ANSWER_MS
    vouched_ms: int = -VOUCH_MS
    patience: int = PATIENCE * 1000
    """Thousandths, so that nothing is lost in rounding."""
    patience_ms: int = 0
    muted_until_ms: int = 0
    mutes: int = 0

    def bears(self, cost: int, now_ms: int) -> bool:
        """Whether there is patience left for so much more; takes it. After a while in which nothing was read (we stood
        still, or it was muted) all comes at once that an honest peer said meanwhile: that is no flood.
        """
        elapsed_ms = now_ms - self.patience_ms
        usual = min(PATIENCE * 1000, self.patience + elapsed_ms * PATIENCE_PER_S)
        held = min(elapsed_ms, HELD_MS) * PATIENCE_PER_S
        self.patience = max(self.patience, usual, held) - cost * 1000
        self.patience_ms = now_ms
        return self.patience >= 0

    def reserve(self, size: int) -> bool:
        """Take room for a message whose signatures are to be checked; False, and counted as dropped, where there is
        none.
        """
        if self.checking_messages >= MAX_PEER_CHECKING_MESSAGES or self.checking_bytes + size > MAX_PEER_CHECKING_BYTES:
            self.dropped += 1
            return False
        self.checking_messages += 1
        self.checking_bytes += size
        return True

    def release(self, size: int) -> None:
        """Give back what :meth:`reserve` took."""
        self.checking_messages -= 1
        self.checking_bytes -= size

    def may_be_served(self, now_ms: int) -> bool:
        """Whether a further request of this peer is answered; counts it."""
        if now_ms - self.served_since_ms >= 1000:
            self.served_since_ms, self.served = now_ms, 0
        self.served += 1
        return self.served <= SYNC_SERVED_PER_S

    def may_be_told(self, now_ms: int) -> bool:
        """Whether something large may be sent unasked again; counts it."""
        if now_ms - self.answered_ms < DECIDED_ANSWER_MS:
            return False
        self.answered_ms = now_ms
        return True

    def may_be_vouched(self, now_ms: int) -> bool:
        """Whether this peer's question how far we are is answered again; counts it."""
        if now_ms - self.vouched_ms < VOUCH_MS:
            return False
        self.vouched_ms = now_ms
        return True


class PeerTable:
    """All members this node has met since it started; each name was proven by the channel."""

    def __init__(self, me: str, report: Callable[[PeerFault], None]) -> None:
        self._me = me
        self._report = report
        self._peers: dict[str, Peer] = {}

    def get(self, org: str) -> Peer:
        """The entry of a member."""
        peer = self._peers.get(org)
        if peer is None:
            peer = self._peers[org] = Peer(org)
        return peer

    def all(self) -> list[Peer]:
        """Every entry, by name."""
        return [self._peers[org] for org in sorted(self._peers)]

    def connected(self, org: str, now_ms: int) -> Peer:
        """A connection to the member is up. What an earlier connection claimed is forgotten: the member may have been
        restored.
        """
        peer = self.get(org)
        peer.connected = True
        peer.height = None
        peer.heard_ms = now_ms
        return peer

    def lost(self, org: str) -> None:
        """The connection to the member is gone, and what it claimed with it: its next process may know less, and its
        first frames come before our own way to it is up again."""
        peer = self.get(org)
        peer.connected = False
        peer.height = None

    def present(self, org: str, now_ms: int) -> bool:
        """Whether the member is connected and was heard lately."""
        if org == self._me:
            return True
        peer = self._peers.get(org)
        return peer is not None and peer.connected and now_ms - peer.heard_ms <= PEER_SILENT_MS

    def fault(self, org: str, code: str, parameters: tuple[Parameter, ...], ban: bool, now_ms: int) -> None:
        """Count and report a fault; with ``ban`` the peer is not asked for twice as long as the last time, where that
        is not long ago."""
        peer = self.get(org)
        peer.faults[code] = peer.faults.get(code, 0) + 1
        if code != SYNC_TIMEOUT:  # to be slow is no abuse
            self.spend(org, FAULT_COST, now_ms)
        banned_ms = 0
        if ban:
            if now_ms >= peer.banned_until_ms + FORGIVE_MS:
                peer.bans = 0
            banned_ms = min(BAN_MAX_MS, BAN_MS << min(peer.bans, 16))
            peer.bans += 1
            peer.banned_until_ms = now_ms + banned_ms
            peer.height = None
        self._report(PeerFault(org, code, parameters, banned_ms))

    def spend(self, org: str, cost: int, now_ms: int) -> None:
        """Take of the patience with a peer; one that used it up is reported, and not heard for twice as long as the
        last time, where that is not long ago.
        """
        peer = self.get(org)
        if now_ms < peer.muted_until_ms or peer.bears(cost, now_ms):
            return
        if now_ms >= peer.muted_until_ms + FORGIVE_MS:
            peer.mutes = 0
        muted_ms = min(BAN_MAX_MS, MUTE_MS << min(peer.mutes, 16))
        peer.mutes += 1
        peer.muted_until_ms = now_ms + muted_ms
        peer.patience = PATIENCE * 1000
        peer.faults[FLOODING] = peer.faults.get(FLOODING, 0) + 1
        self._report(PeerFault(org, FLOODING, (("messages_per_s", PATIENCE_PER_S),), muted_ms))

    def muted_ms(self, org: str, now_ms: int) -> int:
        """How much longer nothing of this peer is read; 0 for one that is heard."""
        peer = self._peers.get(org)
        return 0 if peer is None else max(0, peer.muted_until_ms - now_ms)

    def claim(self, org: str, height: int, tip_hash: bytes, now_ms: int) -> None:
        """The peer says how far it is.

        Raises:
            PeerMisbehaved: ``shrinking-height``: on one connection heights only grow (CVE-2025-24371).
        """
        peer = self.get(org)
        if now_ms < peer.banned_until_ms:
            return
        if peer.height is not None and height < peer.height:
            raise PeerMisbehaved("shrinking-height", ban=True, height=height, claimed_before=peer.height)
        peer.height, peer.tip_hash = height, tip_hash

    def sources(self, height: int, now_ms: int) -> list[Peer]:
        """Peers that claim to hold block ``height``, the best to ask first."""
        able = [
            peer
            for peer in self._peers.values()
            if peer.connected and peer.height is not None and peer.height >= height and now_ms >= peer.banned_until_ms
        ]
        return sorted(able, key=lambda peer: (peer.failures, peer.asked_ms, peer.org))

    def claims_of(self, members: Collection[str]) -> list[int]:
        """How far those of ``members`` that are connected say they are, the highest first."""
        found = (self._peers[org] for org in members if org in self._peers)
        return sorted((peer.height for peer in found if peer.connected and peer.height is not None), reverse=True)

    def credible_height(self, faulty: int) -> int:
        """A height that at least one honest peer has reached, ``faulty`` of them being liars; 0 where too few are
        heard.
        """
        claims = sorted((p.height for p in self._peers.values() if p.connected and p.height is not None), reverse=True)
        return claims[faulty] if len(claims) > faulty else 0
