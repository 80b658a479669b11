"""The network between namespaces, a process of its own: ``python -m tests.cluster.switch SEED TUN…``.

Each TUN is the descriptor of one namespace's device; addresses end in its number, from 1. IP packets that one of them
sends are handed to the one that they are for, or lost, or handed over later, by the rule of that direction of that
link. Rules come on stdin, a line of JSON each, and stand until the next: ``{"1>2": [loss, delay_ms, jitter_ms], …}``;
what is not named is lossless and at once; loss is a part of 1, and 1 is a cut. Each line is answered, once it is in
force, by the counts so far. What TCP makes of it is the kernel's own: retransmission, backing off, giving up. It ends
with its stdin.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import select
import sys
import time
from dataclasses import dataclass, field
from typing import Final

PACKET_BYTES: Final = 65_536
PACKETS_AT_A_TIME: Final = 64
UNDER_WAY: Final = 20_000
"""Delayed packets; beyond it packets are lost, as in a full queue."""

Link = tuple[int, int]
Rule = tuple[float, float, float]
"""Loss from 0 to 1, delay and jitter in seconds."""


@dataclass(slots=True)
class Switch:
    """Devices by their numbers, rules by link."""

    devices: dict[int, int]
    random: random.Random
    rules: dict[Link, Rule] = field(default_factory=dict)
    carried: int = 0
    lost: int = 0
    """Packets that chance or a full queue took."""
    cut: int = 0
    """Packets that met a cut link."""
    delayed: int = 0
    _waiting: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    _order: int = 0

    def set_rules(self, line: str) -> None:
        """Other rules from now on. Packets under way arrive as they would have."""
        self.rules = {}
        for name, (loss, delay_ms, jitter_ms) in json.loads(line).items():
            source, _, target = name.partition(">")
            self.rules[int(source), int(target)] = (loss, delay_ms / 1000, jitter_ms / 1000)

    def counts(self) -> dict[str, int]:
        """What became of the packets so far."""
        return {"carried": self.carried, "lost": self.lost, "cut": self.cut, "delayed": self.delayed}

    def take(self, source: int) -> None:
        """What a device has to send."""
        for _ in range(PACKETS_AT_A_TIME):
            try:
                packet = os.read(self.devices[source], PACKET_BYTES)
            except BlockingIOError:
                return
            if len(packet) >= 20 and packet[0] >> 4 == 4:
                self._route(source, packet[19], packet)

    def _route(self, source: int, target: int, packet: bytes) -> None:
        if target not in self.devices or target == source:
            return
        loss, delay, jitter = self.rules.get((source, target), (0.0, 0.0, 0.0))
        if loss >= 1.0:
            self.cut += 1
        elif loss and self.random.random() < loss:
            self.lost += 1
        elif not delay:
            self._hand_over(target, packet)
        elif len(self._waiting) >= UNDER_WAY:
            self.lost += 1
        else:
            self.delayed += 1
            self._order += 1
            due = time.monotonic() + max(0.0, delay + self.random.uniform(-jitter, jitter))
            heapq.heappush(self._waiting, (due, self._order, target, packet))

    def _hand_over(self, target: int, packet: bytes) -> None:
        try:
            os.write(self.devices[target], packet)
            self.carried += 1
        except OSError:  # its queue is full, or the device is gone
            self.lost += 1

    def deliver(self) -> float | None:
        """Hand over what is due; seconds until the next is, None where none waits."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, target, packet = heapq.heappop(self._waiting)
            self._hand_over(target, packet)
        return self._waiting[0][0] - now if self._waiting else None


def main() -> None:
    """Carry packets until stdin ends."""
    seed, *descriptors = (int(word) for word in sys.argv[1:])
    switch = Switch(dict(enumerate(descriptors, 1)), random.Random(seed))
    numbers = {device: number for number, device in switch.devices.items()}
    rules = os.fdopen(0, "rb", buffering=0)  # epoll sees what is not read yet: nothing may wait in a buffer
    poll = select.epoll()
    poll.register(0, select.EPOLLIN)
    for device in descriptors:
        os.set_blocking(device, False)
        poll.register(device, select.EPOLLIN)
    while True:
        wait = switch.deliver()
        for descriptor, _ in poll.poll(None if wait is None else max(wait, 0.0)):
            if descriptor:
                switch.take(numbers[descriptor])
                continue
            line = rules.readline()
            if not line:
                return
            switch.set_rules(line.decode())
            print(json.dumps(switch.counts()), flush=True)


if __name__ == "__main__":
    main()
