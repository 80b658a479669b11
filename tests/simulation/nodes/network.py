"""The links between nodes: frames are lost, doubled, late and out of order; links go dark one way; connections break
and come back, or look alive while nothing passes.

Two guarantees of the port are kept, since the transport gives them: a frame arrives whole, and the heights that a peer
tells (its status messages) stay in order on one connection. Everything else may arrive in any order.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.node.world import World as Timeline

Link = tuple[int, int]


@dataclass(frozen=True)
class Rates:
    """How bad every link is, in permille of its frames."""

    loss: int = 0
    duplicate: int = 0
    reorder: int = 0
    delay_ms: int = 3


@dataclass
class Ends:
    """What the network tells a node. All are called as events of the timeline."""

    frame: Callable[[int, bytes], None]
    connected: Callable[[int], None]
    lost: Callable[[int], None]


class Network:
    """All links of one run, between node indices."""

    def __init__(self, timeline: Timeline, size: int, rates: Rates, rng: random.Random) -> None:
        self.timeline = timeline
        self.size = size
        self.rates = rates
        self.rng = rng
        self.events: Counter[str] = Counter()
        self._ends: dict[int, Ends] = {}
        self._cut: Counter[Link] = Counter()
        self._dark: Counter[Link] = Counter()
        self._slow: Counter[Link] = Counter()
        self._connected: set[Link] = set()
        self._epoch: Counter[Link] = Counter()
        self._last: dict[Link, int] = {}

    # Processes

    def attach(self, node: int, ends: Ends) -> None:
        """A node's process has started."""
        self._ends[node] = ends
        self._reconnect(node)

    def detach(self, node: int) -> None:
        """A node's process is gone."""
        self._ends.pop(node, None)
        self._reconnect(node)

    def peers(self, node: int) -> list[int]:
        """Whom a node thinks it is connected to."""
        return [other for other in range(self.size) if (node, other) in self._connected]

    # What goes wrong

    def part(self, group: int, lasts_ms: int, silent: bool) -> None:
        """Part those in the bit set ``group`` from the others: connections break or, silently, nothing passes."""
        pairs = [
            (a, b)
            for a in range(self.size)
            for b in range(self.size)
            if a != b and (group >> a & 1) != (group >> b & 1)
        ]
        self._for_a_while(self._dark if silent else self._cut, pairs, lasts_ms)

    def darken(self, link: Link, lasts_ms: int) -> None:
        """Nothing passes on one link; nobody is told."""
        self._for_a_while(self._dark, [link], lasts_ms)

    def slow(self, link: Link, lasts_ms: int) -> None:
        """Frames of one link take very long."""
        self._for_a_while(self._slow, [link], lasts_ms)

    def break_connection(self, a: int, b: int, down_ms: int) -> None:
        """A connection is lost with all that is on its way, and made again."""
        self._for_a_while(self._cut, [(a, b), (b, a)], down_ms)

    def _for_a_while(self, what: Counter[Link], links: list[Link], lasts_ms: int) -> None:
        what.update(links)
        self._reconnect()

        def end() -> None:
            what.subtract(links)
            self._reconnect()

        self.timeline.at(lasts_ms, end)

    def heal(self) -> None:
        """Every frame arrives, soon and once, from now on."""
        self.rates = Rates()
        for what in (self._cut, self._dark, self._slow):
            for link in what:
                what[link] = -1_000  # what ends later ends nothing
        self._reconnect()

    def _reconnect(self, node: int | None = None) -> None:
        """Tell nodes which peers they gained or lost; each is told at a moment of its own."""
        for a in range(self.size):
            for b in range(self.size):
                if a == b or (node is not None and node not in (a, b)):
                    continue
                up = a in self._ends and b in self._ends and self._cut[a, b] <= 0 and self._cut[b, a] <= 0
                if up != ((a, b) in self._connected):
                    self._epoch[a, b] += 1
                    (self._connected.add if up else self._connected.discard)((a, b))
                    self._tell_later(a, b, up)

    def _tell_later(self, a: int, b: int, up: bool) -> None:
        epoch = self._epoch[a, b]

        def tell() -> None:
            ends = self._ends.get(a)
            if ends is not None and self._epoch[a, b] == epoch:
                self.timeline.note(f"{a}-{b} {up}")
                (ends.connected if up else ends.lost)(b)

        self.timeline.at(self.rng.randint(1, 20), tell)

    # Frames

    def send(self, sender: int, receiver: int, frame: bytes, after_ms: int = 0, ordered: bool = True) -> None:
        """One frame on its way, leaving ``after_ms`` from now."""
        link = (sender, receiver)
        if link not in self._connected:
            return
        rates, rng = self.rates, self.rng
        if self._dark[link] > 0:
            self.events["frame in the dark"] += 1
            return
        if rates.loss and rng.randrange(1000) < rates.loss:
            self.events["frame lost"] += 1
            return
        self._deliver(link, frame, after_ms, ordered)
        if rates.duplicate and rng.randrange(1000) < rates.duplicate:
            self.events["frame doubled"] += 1
            self._deliver(link, frame, after_ms + rng.randint(0, 400), ordered)

    def _deliver(self, link: Link, frame: bytes, after_ms: int, ordered: bool) -> None:
        rates, rng, now_ms = self.rates, self.rng, self.timeline.now_ms
        arrival = now_ms + after_ms + rng.randint(1, rates.delay_ms)
        if self._slow[link] > 0:
            arrival += rng.randint(100, 1_500)
        if not ordered and rates.reorder and rng.randrange(1000) < rates.reorder:
            self.events["frame out of order"] += 1
            arrival += rng.randint(1, 1_000)
        else:
            arrival = self._last[link] = max(arrival, self._last.get(link, 0))
        sender, receiver = link
        epochs = (self._epoch[link], self._epoch[receiver, sender])

        def arrive() -> None:
            ends = self._ends.get(receiver)
            if ends is not None and epochs == (self._epoch[link], self._epoch[receiver, sender]):
                self.timeline.note(f"{sender}>{receiver} {hashlib.blake2s(frame, digest_size=8).hexdigest()}")
                ends.frame(sender, frame)

        self.timeline.at(arrival - now_ms, arrive)
