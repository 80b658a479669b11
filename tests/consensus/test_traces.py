"""Whole conversations as text: a change of behaviour shows as a diff of a readable trace in ``traces/``.

``FAZHI_REWRITE=1`` writes the traces anew; read the diff before committing it. A line is ``who  what``: ``1 > PREPARE
1/0 9ec25aa1`` is validator 1 broadcasting PREPARE for (height 1, round 0, block 9ec25aa1…); events are given in
brackets.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fazhi_consensus.effects import (
    AnswerDecided,
    Broadcast,
    CertificateGrown,
    Decide,
    Effect,
    Persist,
    RecordEquivocation,
    RequestProposal,
    Send,
    SetTimer,
    ValidateBlock,
)
from fazhi_consensus.events import BlockValidated, Event, ProposalReady, Received, StartHeight, TimerFired, WorkWaiting
from fazhi_consensus.messages import BlockReply, BlockRequest, Commit, Message, PrePrepare, RoundChange, Vote
from fazhi_consensus.records import decode_record
from fazhi_consensus.replica import Replica
from fazhi_consensus.timers import Timer

from .kit import BLOCK_A, BLOCK_B, TIMERS, Assembly, block_hash_of

TRACES = Path(__file__).with_name("traces")


class Cluster:
    """Replicas whose messages are delivered in order, unless they are cut off; blocks are always valid."""

    def __init__(self, count: int) -> None:
        self.assembly = Assembly(count)
        self.lines: list[str] = []
        self.cut: set[int] = set()
        self.mute: set[type] = set()
        self.logs: list[list[bytes]] = [[] for _ in range(count)]
        self.replicas = [self._replica(i) for i in range(count)]
        self.mail: deque[tuple[int, Message, int]] = deque()
        self.blocks = [BLOCK_A, BLOCK_B]
        for i in range(count):
            self.step(i, StartHeight(1, self.assembly.validators, i))

    def _replica(self, index: int) -> Replica:
        replica = Replica(self.assembly.genesis_hash, self.assembly.signers[index], TIMERS)
        replica.restore(self.logs[index])
        return replica

    def note(self, text: str) -> None:
        self.lines.append(text)

    def step(self, index: int, event: Event) -> None:
        for effect in self.replicas[index].step(event):
            self._perform(index, effect)

    def _perform(self, index: int, effect: Effect) -> None:
        text = tell_effect(effect)
        if text is not None:
            self.note(f"{index} {text}")
        match effect:
            case Persist(record):
                self.logs[index].append(record)
            case Broadcast(message):
                for to in range(len(self.replicas)):
                    if to != index:
                        self.mail.append((index, message, to))
            case Send(to, message):
                self.mail.append((index, message, to))
            case ValidateBlock(height, round_, block_hash, _, fresh, _):
                self.step(index, BlockValidated(height, round_, block_hash, fresh, True))
            case _:
                pass

    def propose(self, index: int, round_: int, payload: bytes) -> None:
        self.note(f"{index} [proposal ready: {block_hash_of(payload).hex()[:8]}]")
        self.step(index, ProposalReady(1, round_, payload, block_hash_of(payload)))

    def deliver(self) -> None:
        """Deliver everything, and what follows from it."""
        while self.mail:
            sender, message, to = self.mail.popleft()
            if sender in self.cut or to in self.cut or type(message) in self.mute:
                continue
            self.step(to, Received(self.assembly.verify(message, peer=sender)))

    def fire(self, indices: Sequence[int], timer: Timer = Timer.ROUND) -> None:
        for index in indices:
            status = self.replicas[index].status
            assert status is not None
            self.note(f"{index} [{timer.value} timer of round {status.round}]")
            self.step(index, TimerFired(timer, 1, status.round))

    def restart(self, indices: Sequence[int]) -> None:
        self.mail.clear()
        for index in indices:
            self.note(f"{index} [crash and restart, {len(self.logs[index])} records]")
            self.replicas[index] = self._replica(index)
            self.step(index, StartHeight(1, self.assembly.validators, index))


def tell_effect(effect: Effect) -> str | None:
    """An effect as one line; None for what says nothing by itself."""
    match effect:
        case Broadcast(message):
            return f"> {tell(message)}"
        case Send(to, message):
            return f">{to} {tell(message)}"
        case SetTimer(timer, _, round_, delay_ms):
            return f"timer {timer.value} of round {round_}: {delay_ms} ms"
        case RequestProposal(height, round_):
            return f"asks for a proposal {height}/{round_}"
        case ValidateBlock(_, round_, block_hash, _, fresh, _):
            return f"validates {block_hash.hex()[:8]} of round {round_}{' as fresh' if fresh else ''}"
        case Decide(height, _, certificate):
            return f"DECIDES {height}/{certificate.round} {certificate.block_hash.hex()[:8]} by {certificate.signers}"
        case CertificateGrown(certificate):
            return f"certificate grows to {certificate.signers}"
        case AnswerDecided(to, height):
            return f"answers {to} with height {height}"
        case RecordEquivocation(evidence):
            return f"convicts {evidence.accused} of {evidence.guilt.value}"
        case _:
            return None


def tell(message: Message) -> str:
    """A message as one line."""
    match message:
        case PrePrepare(claim, _, justification):
            shown = f", justified by {tuple(change.sender for change in justification)}" if justification else ""
            return f"PRE-PREPARE {claim.height}/{claim.round} {claim.block_hash.hex()[:8]}{shown}"
        case RoundChange(prepared=prepared):
            claim_text = "nothing prepared" if prepared is None else f"prepared {prepared[0]} {prepared[1].hex()[:8]}"
            return f"ROUND-CHANGE {message.height}/{message.new_round}, {claim_text}"
        case Vote():
            return f"{message.phase.name} {message.height}/{message.round} {message.block_hash.hex()[:8]}"
        case BlockRequest() | BlockReply():
            return f"{type(message).__name__} {message.block_hash.hex()[:8]}"


def all_goes_well(cluster: Cluster) -> None:
    cluster.step(0, WorkWaiting(1))
    cluster.propose(1, 0, BLOCK_A)
    cluster.deliver()


def the_proposer_is_silent(cluster: Cluster) -> None:
    cluster.cut = {1}
    for index in (0, 2, 3):
        cluster.step(index, WorkWaiting(1))
    cluster.fire((0, 2, 3))
    cluster.deliver()
    cluster.propose(2, 1, BLOCK_B)
    cluster.deliver()


def one_decides_alone_and_the_others_follow_its_lock(cluster: Cluster) -> None:
    cluster.propose(1, 0, BLOCK_A)
    cluster.mute = {Commit}
    cluster.deliver()
    cluster.note("- COMMITs reach 0 alone, then 0 is cut off")
    for index in (2, 3):
        vote = next(m for m in _said(cluster, index) if isinstance(m, Commit))
        cluster.step(0, Received(cluster.assembly.verify(vote)))
    cluster.mute, cluster.cut = set(), {0}
    cluster.fire((1, 2, 3))
    cluster.deliver()


def _said(cluster: Cluster, index: int) -> list[Message]:
    return [
        entry.message
        for record in cluster.logs[index]
        for entry in decode_record(cluster.assembly.genesis_hash, record)
    ]


def the_power_fails_before_any_commit_arrives(cluster: Cluster) -> None:
    cluster.propose(1, 0, BLOCK_A)
    cluster.mute = {Commit}
    cluster.deliver()
    cluster.mute = set()
    cluster.restart(range(4))
    cluster.deliver()


def one_is_left_behind(cluster: Cluster) -> None:
    cluster.cut = {3}
    cluster.propose(1, 0, BLOCK_A)
    cluster.deliver()
    cluster.cut = set()
    cluster.step(3, WorkWaiting(1))
    cluster.fire((3,))
    cluster.deliver()
    cluster.fire((3,), Timer.RESEND)
    cluster.deliver()


SCENARIOS: list[Callable[[Cluster], None]] = [
    all_goes_well,
    the_proposer_is_silent,
    one_decides_alone_and_the_others_follow_its_lock,
    the_power_fails_before_any_commit_arrives,
    one_is_left_behind,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_conversation_is_as_written(scenario: Callable[[Cluster], None]) -> None:
    cluster = Cluster(4)
    scenario(cluster)
    text = "\n".join(cluster.lines) + "\n"
    path = TRACES / f"{scenario.__name__}.txt"
    if os.environ.get("FAZHI_REWRITE"):
        path.write_text(text)
    assert text == path.read_text()
