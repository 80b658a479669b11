"""The switch between the namespaces does with packets what its rules say."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator

import pytest

from .switch import Switch

PACKETS = 400


def packet(target: int, number: int) -> bytes:
    return bytes([0x45, *bytes(18), target]) + number.to_bytes(4, "big")


class Devices:
    """Three devices as the switch sees them, and the other end of each."""

    def __init__(self) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
        self.near = {number: pair[0] for number, pair in enumerate(pairs, 1)}
        self.far = {number: pair[1] for number, pair in enumerate(pairs, 1)}
        for one in (*self.near.values(), *self.far.values()):
            one.setblocking(False)
        self.switch = Switch({number: one.fileno() for number, one in self.near.items()}, random.Random(1))

    def send(self, source: int, target: int, count: int) -> list[int]:
        """Send packets one after another; the numbers of those that arrived at once."""
        arrived = []
        for number in range(count):
            self.far[source].send(packet(target, number))
            self.switch.take(source)
            arrived += self.arrived(target)
        return arrived

    def arrived(self, target: int) -> list[int]:
        found = []
        while True:
            try:
                found.append(int.from_bytes(os.read(self.far[target].fileno(), 2048)[20:24], "big"))
            except BlockingIOError:
                return found


@pytest.fixture
def devices() -> Iterator[Devices]:
    made = Devices()
    yield made
    for one in (*made.near.values(), *made.far.values()):
        one.close()


def test_without_rules_all_arrive_in_order(devices: Devices) -> None:
    assert devices.send(1, 2, PACKETS) == list(range(PACKETS))
    assert devices.switch.counts() == {"carried": PACKETS, "lost": 0, "cut": 0, "delayed": 0}


def test_a_link_is_cut_in_one_direction_only(devices: Devices) -> None:
    devices.switch.set_rules('{"1>2": [1, 0, 0]}')
    assert devices.send(1, 2, 10) == []
    assert devices.send(2, 1, 10) == list(range(10))
    assert devices.send(1, 3, 10) == list(range(10))
    assert devices.switch.cut == 10
    devices.switch.set_rules("{}")
    assert devices.send(1, 2, 10) == list(range(10))


def test_a_tenth_is_lost(devices: Devices) -> None:
    devices.switch.set_rules('{"1>2": [0.1, 0, 0]}')
    arrived = devices.send(1, 2, PACKETS)
    assert PACKETS * 0.8 < len(arrived) < PACKETS
    assert len(arrived) + devices.switch.lost == PACKETS


def test_what_is_delayed_arrives_later_and_overtakes(devices: Devices) -> None:
    devices.switch.set_rules('{"1>2": [0, 30, 20]}')
    began = time.monotonic()
    assert devices.send(1, 2, 50) == []
    arrived: list[int] = []
    while len(arrived) < 50 and time.monotonic() < began + 30:
        devices.switch.deliver()
        arrived += devices.arrived(2)
    assert sorted(arrived) == list(range(50))
    assert arrived != sorted(arrived)
    assert time.monotonic() - began >= 0.01
