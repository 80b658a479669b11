"""What goes out: messages gathered while one event is handled leave together, as few frames as they fit in.

Order is kept within each class. Items for everyone are held a few milliseconds under load, so that many share a frame.
"""

from __future__ import annotations

from typing import Final

from .frames import ItemsMessage, Message, StatusMessage, pack_frames, split_items
from .limits import GOSSIP_DELAY_MS, MAX_GOSSIP_ITEMS, STATUS_DELAY_MS
from .ports import Clock, Network

GOSSIP_TIMER: Final = "gossip"
STATUS_DELAY_TIMER: Final = "status-delay"


class Outbox:
    """Outgoing messages of one node. :meth:`flush` is called once at the end of every event."""

    def __init__(self, clock: Clock, network: Network) -> None:
        self._clock = clock
        self._network = network
        self._everyone: list[Message] = []
        self._direct: dict[str, list[Message]] = {}
        self._items: list[bytes] = []
        self._items_sent_ms = -GOSSIP_DELAY_MS
        self._items_timer = False
        self._status: StatusMessage | None = None
        self._status_timer = False

    def broadcast(self, message: Message) -> None:
        """To every connected peer."""
        self._everyone.append(message)

    def send(self, org: str, message: Message) -> None:
        """To one peer."""
        self._direct.setdefault(org, []).append(message)

    def gossip(self, item: bytes) -> None:
        """One item to every peer, soon."""
        self._items.append(item)

    def announce(self, status: StatusMessage) -> None:
        """Our height to every peer: with the next broadcast, or a little later by itself. Only the newest is sent."""
        self._status = status

    def on_timer(self, name: str) -> None:
        """One of the outbox's own timers fired."""
        if name == GOSSIP_TIMER:
            self._items_timer = False
            self._send_items()
        elif name == STATUS_DELAY_TIMER:
            self._status_timer = False
            self._send_status()

    def flush(self) -> None:
        """Let go of everything gathered. Items go first: a proposal of them then finds them known and verified."""
        if self._items:
            wait_ms = self._items_sent_ms + GOSSIP_DELAY_MS - self._clock.monotonic_ms()
            if wait_ms <= 0 or len(self._items) >= MAX_GOSSIP_ITEMS:
                self._send_items()
            elif not self._items_timer:
                self._items_timer = True
                self._clock.set_timer(GOSSIP_TIMER, wait_ms)
        if self._everyone:
            messages, self._everyone = self._everyone, []
            if self._status is not None:
                messages.append(self._status)
                self._status = None
            for frame in pack_frames(messages):
                self._network.broadcast(frame)
        if self._direct:
            direct, self._direct = self._direct, {}
            for org, queue in direct.items():
                for frame in pack_frames(queue):
                    self._network.send(org, frame)
        if self._status is not None and not self._status_timer:
            self._status_timer = True
            self._clock.set_timer(STATUS_DELAY_TIMER, STATUS_DELAY_MS)

    def _send_status(self) -> None:
        if self._status is not None:
            status, self._status = self._status, None
            self._network.broadcast(pack_frames([status])[0])

    def _send_items(self) -> None:
        items, self._items = self._items, []
        self._items_sent_ms = self._clock.monotonic_ms()
        messages: list[ItemsMessage] = split_items(items)
        for message in messages:
            for frame in pack_frames([message]):
                self._network.broadcast(frame, gossip=True)
