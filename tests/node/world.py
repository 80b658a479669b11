"""A deterministic world for whole nodes in one process: virtual time, one seeded scheduler, and the ports on top of it.

Everything that happens is an event in one queue, ordered by virtual time and then by a number; delays come from one
seeded generator. The same seed gives the same run, event for event (`World.digest` shows it).
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fazhi_ledger.errors import InvalidSignature
from fazhi_node.ports import Job

if TYPE_CHECKING:
    from fazhi_node.machine import Machine

START_MS = 1_800_000_000_000
"""Virtual wall time at the start of a world."""


class World:
    """Virtual time and the queue of everything that will happen."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now_ms = 0
        self.events = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """A digest of what happened so far: equal seeds give equal digests."""
        return self._digest.hexdigest()

    def note(self, text: str) -> None:
        """Add a fact to the digest."""
        self._digest.update(f"{self.now_ms} {text}\n".encode())

    def at(self, delay_ms: int, happen: Callable[[], None]) -> None:
        """Let something happen ``delay_ms`` from now."""
        self._number += 1
        heapq.heappush(self._queue, (self.now_ms + max(0, delay_ms), self._number, happen))

    def step(self) -> bool:
        """The next event; False when there is none."""
        if not self._queue:
            return False
        time_ms, _, happen = heapq.heappop(self._queue)
        self.now_ms = max(self.now_ms, time_ms)
        self.events += 1
        happen()
        return True

    def run_for(self, duration_ms: int) -> None:
        """Let virtual time pass."""
        end = self.now_ms + duration_ms
        while self._queue and self._queue[0][0] <= end:
            self.step()
        self.now_ms = max(self.now_ms, end)

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> None:
        """Run until the condition holds; fail, naming the seed, unless it does within ``limit_ms`` of virtual time."""
        end = self.now_ms + limit_ms
        while not condition():
            if not self._queue or self._queue[0][0] > end:
                raise AssertionError(f"did not happen within {limit_ms} virtual ms (seed {self.seed})")
            self.step()


class SimClock:
    """A node's clock: virtual time, a skew of its own, and timers that die with the node's process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._timers: dict[str, int] = {}
        self._generation = 0
        self.skew_ms = 0
        self.fire: Callable[[str], None] | None = None

    def now_ms(self) -> int:
        return START_MS + self._world.now_ms + self.skew_ms

    def monotonic_ms(self) -> int:
        return self._world.now_ms

    def set_timer(self, name: str, delay_ms: int) -> None:
        self._generation += 1
        number = self._generation
        self._timers[name] = number

        def due() -> None:
            if self._timers.get(name) == number and self.fire is not None:
                del self._timers[name]
                self.fire(name)

        self._world.at(delay_ms, due)

    def cancel(self, name: str) -> None:
        self._timers.pop(name, None)

    def stop(self) -> None:
        """The process is gone: nothing fires any more."""
        self._timers.clear()
        self.fire = None


class SimVerifier:
    """Checks signatures for real, a little later."""

    def __init__(self, world: World, delay_ms: Callable[[], int]) -> None:
        self._world = world
        self._delay_ms = delay_ms
        self.post: Callable[[int, Sequence[bool]], None] | None = None
        self.checked = 0

    def verify(self, token: int, jobs: Sequence[Job]) -> None:
        verdicts = [self._holds(job) for job in jobs]
        self.checked += sum(len(job) for job in jobs)

        def answer() -> None:
            if self.post is not None:
                self.post(token, verdicts)

        self._world.at(self._delay_ms(), answer)

    @staticmethod
    def _holds(job: Job) -> bool:
        try:
            for check in job:
                check.run()
        except InvalidSignature:
            return False
        return True


class SimNetwork:
    """All links of a world. Frames of one link keep their order; cuts lose what is under way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.machines: dict[str, Machine] = {}
        self.cut: set[tuple[str, str]] = set()
        self.loss = 0.0
        self.duplication = 0.0
        self.delay_ms = (1, 3)
        self.frames = 0
        self.bytes = 0
        self.filter: Callable[[str, str, bytes], list[bytes]] | None = None
        """Where set: (from, to, frame) -> the frames that are delivered instead. For nodes that lie."""
        self._last: dict[tuple[str, str], int] = {}
        self._epoch: dict[str, int] = {}
        self._connected: set[tuple[str, str]] = set()

    def port(self, org: str) -> SimPort:
        """The network as one node sees it."""
        return SimPort(self, org)

    def attach(self, org: str, machine: Machine) -> None:
        """A node's process has started."""
        self.machines[org] = machine
        self._epoch[org] = self._epoch.get(org, 0) + 1
        self.reconnect()

    def detach(self, org: str) -> None:
        """A node's process is gone; whatever was on its way to it is lost."""
        self.machines.pop(org, None)
        self.reconnect()

    def partition(self, *groups: Sequence[str]) -> None:
        """Only nodes of one group hear each other from now on."""
        place = {org: number for number, group in enumerate(groups) for org in group}
        names = sorted(set(self._epoch) | set(place))
        self.cut = {(a, b) for a in names for b in names if a != b and place.get(a, -1) != place.get(b, -2)}
        self.reconnect()

    def heal(self) -> None:
        """Everybody hears everybody again."""
        self.cut = set()
        self.reconnect()

    def reconnect(self) -> None:
        """Tell machines which peers they gained or lost."""
        for a in sorted(self._epoch):
            for b in sorted(self._epoch):
                up = a != b and a in self.machines and b in self.machines and not {(a, b), (b, a)} & self.cut
                if up and (a, b) not in self._connected:
                    self._connected.add((a, b))
                    self.world.at(1, lambda a=a, b=b: self._tell(a, b, True))  # type: ignore[misc]
                elif not up and (a, b) in self._connected:
                    self._connected.discard((a, b))
                    self.world.at(1, lambda a=a, b=b: self._tell(a, b, False))  # type: ignore[misc]

    def _tell(self, a: str, b: str, up: bool) -> None:
        machine = self.machines.get(a)
        if machine is None or ((a, b) in self._connected) != up:
            return
        if up:
            machine.on_peer_connected(b)
        else:
            machine.on_peer_lost(b)

    def transmit(self, sender: str, receiver: str, frame: bytes) -> None:
        """One frame on its way."""
        if (sender, receiver) not in self._connected:
            return
        frames = [frame] if self.filter is None else self.filter(sender, receiver, frame)
        for each in frames:
            if self.world.random.random() < self.loss:
                continue
            copies = 2 if self.world.random.random() < self.duplication else 1
            for _ in range(copies):
                self._deliver_later(sender, receiver, each)

    def _deliver_later(self, sender: str, receiver: str, frame: bytes) -> None:
        arrival = self.world.now_ms + self.world.random.randint(*self.delay_ms)
        arrival = max(arrival, self._last.get((sender, receiver), 0))
        self._last[sender, receiver] = arrival
        epochs = (self._epoch.get(sender), self._epoch.get(receiver))
        self.frames += 1
        self.bytes += len(frame)

        def deliver() -> None:
            machine = self.machines.get(receiver)
            same = (self._epoch.get(sender), self._epoch.get(receiver)) == epochs
            if machine is not None and same and (sender, receiver) in self._connected:
                self.world.note(f"{sender}>{receiver} {hashlib.sha256(frame).hexdigest()[:16]}")
                machine.on_frame(sender, frame)

        self.world.at(arrival - self.world.now_ms, deliver)


class SimPort:
    """One node's :class:`~fazhi_node.ports.Network`."""

    def __init__(self, network: SimNetwork, org: str) -> None:
        self._network = network
        self._org = org

    def send(self, org: str, frame: bytes, *, gossip: bool = False) -> None:
        self._network.transmit(self._org, org, frame)

    def broadcast(self, frame: bytes, *, gossip: bool = False) -> None:
        for org in sorted(self._network.machines):
            if org != self._org:
                self._network.transmit(self._org, org, frame)
