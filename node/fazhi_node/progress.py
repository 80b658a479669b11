"""Whether the node is fit for use, and why not: the words behind ``/readyz`` and ``fazhi-node status``.

Codes only; sentences are made at the edge. The first reason that holds is given, the one that a person has to act on
first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fazhi_ledger.validators import ValidatorSet

from .limits import STALLED_MS
from .peers import Peer, PeerTable

STARTING: Final = "starting"
STOPPED: Final = "stopped"
NO_QUORUM: Final = "no-quorum"
AMNESIA: Final = "amnesia"
SYNCING: Final = "syncing"
STALLED: Final = "stalled"

SEATED: Final = "seated"
JOINING: Final = "joining"
LEAVING: Final = "leaving"
FORMER: Final = "former"
NO_SEAT: Final = "none"
"""Whether a node's member has a seat: now, from the next height on, for the last time, no more, never so far."""
BEHIND_BLOCKS: Final = 3
"""A node this many blocks behind what an honest peer has is not ready."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One peer, as seen from here. ``height`` is what it claims, None where it has not said."""

    org: str
    validator: bool
    connected: bool
    present: bool
    height: int | None
    heard_ms_ago: int
    banned: bool
    faults: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """``ready``, or the ``reason`` code; ``missing`` are the validators without which there is no quorum, or whose word
    an amnesiac node waits for."""

    ready: bool
    reason: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Everything a person or a monitor asks first. Times in milliseconds."""

    org: str
    genesis_hash: bytes
    first_block: int
    height: int
    tip_hash: bytes
    time_ms: int
    tip_age_ms: int
    round: int
    epoch: int
    validators: int
    quorum: int
    validator: bool
    seat: str
    voting: bool
    ready: bool
    reason: str
    missing: tuple[str, ...]
    best_height: int
    mempool_items: int
    mempool_bytes: int
    checking: int
    has_work: bool
    peers: tuple[PeerStatus, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """What readiness is judged by."""

    started: bool
    stopped: bool
    amnesiac: bool
    unvouched: tuple[str, ...]
    """Who has not shown an amnesiac node how far the chain is."""
    signs: bool
    """Whether this node signs at the height in flight."""
    me: str
    validators: ValidatorSet
    height: int
    waiting_ms: int
    """How long executable items or a due heartbeat have waited without a decision; 0 where nothing waits."""
    now_ms: int


def missing_validators(situation: Situation, peers: PeerTable) -> tuple[str, ...]:
    """Validators that are not heard, ourselves excepted."""
    return tuple(
        validator.member
        for validator in situation.validators.validators
        if validator.member != situation.me and not peers.present(validator.member, situation.now_ms)
    )


def readiness(situation: Situation, peers: PeerTable) -> Readiness:
    """The first reason not to be ready, or readiness."""
    if situation.stopped:
        return Readiness(False, STOPPED)
    if not situation.started:
        return Readiness(False, STARTING)
    missing = missing_validators(situation, peers)
    seats = situation.validators
    me_seated = seats.index_of_member(situation.me) is not None
    present = len(seats) - len(missing) - (1 if me_seated and not situation.signs else 0)
    if present < seats.quorum:
        return Readiness(False, NO_QUORUM, missing)
    if situation.amnesiac:
        return Readiness(False, AMNESIA, situation.unvouched)
    if peers.credible_height(seats.faulty) >= situation.height + BEHIND_BLOCKS:
        return Readiness(False, SYNCING)
    if situation.waiting_ms > STALLED_MS:
        return Readiness(False, STALLED, missing)
    return Readiness(True)


def peer_statuses(situation: Situation, peers: PeerTable) -> tuple[PeerStatus, ...]:
    """All other validators, met or not, and whoever else was met, by name."""
    now_ms = situation.now_ms
    known = {one.member: Peer(one.member) for one in situation.validators.validators if one.member != situation.me}
    known.update((peer.org, peer) for peer in peers.all())
    return tuple(
        PeerStatus(
            peer.org,
            situation.validators.index_of_member(peer.org) is not None,
            peer.connected,
            peers.present(peer.org, now_ms),
            peer.height,
            max(0, now_ms - peer.heard_ms),
            now_ms < peer.banned_until_ms,
            sum(peer.faults.values()),
            peer.dropped,
        )
        for _, peer in sorted(known.items())
    )
