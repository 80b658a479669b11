"""In which order messages leave."""

from __future__ import annotations

from fazhi_node.frames import ConsensusMessage, ItemsMessage, Message, StatusMessage, decode_frame
from fazhi_node.limits import GOSSIP_DELAY_MS, STATUS_DELAY_MS
from fazhi_node.outbox import GOSSIP_TIMER, STATUS_DELAY_TIMER, Outbox


class Recorder:
    """A clock and a network that note what they are asked for."""

    def __init__(self) -> None:
        self.ms = 0
        self.timers: dict[str, int] = {}
        self.sent: list[Message] = []
        self.frames = 0

    def now_ms(self) -> int:
        return self.ms

    def monotonic_ms(self) -> int:
        return self.ms

    def set_timer(self, name: str, delay_ms: int) -> None:
        self.timers[name] = self.ms + delay_ms

    def cancel(self, name: str) -> None:
        self.timers.pop(name, None)

    def send(self, org: str, frame: bytes, *, gossip: bool = False) -> None:
        self.sent += decode_frame(frame)

    def broadcast(self, frame: bytes, *, gossip: bool = False) -> None:
        self.frames += 1
        self.sent += decode_frame(frame)

    def take(self) -> list[Message]:
        taken, self.sent = self.sent, []
        return taken


def test_items_leave_before_a_proposal_of_them_and_few_frames_under_load() -> None:
    """Who gets a proposal has then begun to verify its items, and need not ask for their signatures twice."""
    world = Recorder()
    outbox = Outbox(world, world)
    outbox.broadcast(ConsensusMessage(b"proposal"))
    outbox.gossip(b"item 1")
    outbox.flush()
    assert world.take() == [ItemsMessage((b"item 1",)), ConsensusMessage(b"proposal")]
    outbox.broadcast(ConsensusMessage(b"vote"))
    outbox.gossip(b"item 2")
    outbox.flush()
    outbox.gossip(b"item 3")
    outbox.flush()
    assert world.take() == [ConsensusMessage(b"vote")]
    assert world.timers[GOSSIP_TIMER] == GOSSIP_DELAY_MS
    world.ms += GOSSIP_DELAY_MS
    outbox.on_timer(GOSSIP_TIMER)
    assert world.take() == [ItemsMessage((b"item 2", b"item 3"))]


def test_a_height_is_told_in_the_frame_of_the_next_vote_or_a_little_later_by_itself() -> None:
    world = Recorder()
    outbox = Outbox(world, world)
    first, second = (StatusMessage(bytes(32), height, bytes([height]) * 32) for height in (1, 2))
    outbox.announce(first)
    outbox.flush()
    assert world.take() == []
    assert world.timers[STATUS_DELAY_TIMER] == STATUS_DELAY_MS
    outbox.broadcast(ConsensusMessage(b"vote"))
    outbox.flush()
    assert (world.take(), world.frames) == ([ConsensusMessage(b"vote"), first], 1)
    outbox.on_timer(STATUS_DELAY_TIMER)
    assert world.take() == []  # nothing new since
    outbox.announce(first)
    outbox.announce(second)
    outbox.flush()
    outbox.on_timer(STATUS_DELAY_TIMER)
    assert world.take() == [second]
