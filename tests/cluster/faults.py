"""What is done to a cluster of four: each fault is a coroutine that begins something, holds it, and puts it right.

Nothing here waits for the cluster to be well: that is asked after all faults of an episode have ended.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .builds import Clocks
from .nodes import Nodes
from .spaces import Wires

CLIENT: Final = 5
"""The namespace of the clients; nodes are in 1 … 4."""
CUT: Final = (1.0, 0.0, 0.0)
HOUR_S: Final = 3600

Rule = tuple[float, float, float]


@dataclass(slots=True)
class World:
    """The cluster, and what is being done to it."""

    nodes: Nodes
    wires: Wires
    random: random.Random
    longest_s: float = 20.0
    clocks: dict[str, Path] = field(default_factory=dict)
    """Files that say by how much each node's clock is wrong; empty where clocks stay true."""
    upgrading: bool = False
    """The nodes run the older build until :func:`upgrade`."""
    _links: list[dict[tuple[int, int], Rule]] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    def number(self, org: str) -> int:
        """The namespace of a node."""
        return self.nodes.orgs.index(org) + 1

    def victim(self) -> str:
        """A node whose process nobody else meddles with now."""
        org = self.random.choice([org for org in self.nodes.orgs if org not in self._taken])
        self._taken.add(org)
        return org

    def let_go(self, org: str) -> None:
        """Others may meddle with it again."""
        self._taken.discard(org)

    def hold_s(self) -> float:
        """How long a fault lasts: seconds mostly, sometimes longer than connections are kept alive without a word."""
        return min(self.longest_s, self.random.choice((1.0, 3.0, 5.0, 5.0, 8.0, 17.0)) * self.random.uniform(0.8, 1.2))

    async def links(self, rules: dict[tuple[int, int], Rule]) -> None:
        """Hold rules for a while, beside those of other faults: of two the worse loss and the longer delay."""
        self._links.append(rules)
        self._apply()
        try:
            await asyncio.sleep(self.hold_s())
        finally:
            self._links.remove(rules)
            self._apply()

    def _apply(self) -> None:
        rules: dict[tuple[int, int], Rule] = {}
        for some in self._links:
            for link, (loss, delay, jitter) in some.items():
                before = rules.get(link, (0.0, 0.0, 0.0))
                rules[link] = max(before[0], loss), max(before[1], delay), max(before[2], jitter)
        self.wires.set_rules(rules)


Fault = Callable[[World], Awaitable[str]]
"""Says what it did."""

NODES: Final = (1, 2, 3, 4)


def _between(some: tuple[int, ...], others: tuple[int, ...], rule: Rule) -> dict[tuple[int, int], Rule]:
    both = {(a, b) for a in some for b in others if a != b}
    return dict.fromkeys([*both, *((b, a) for a, b in both)], rule)


async def isolate(world: World) -> str:
    """One node is cut from the others; the clients still reach it."""
    alone = world.random.choice(NODES)
    await world.links(_between((alone,), tuple(n for n in NODES if n != alone), CUT))
    return f"isolate {alone}"


async def vanish(world: World) -> str:
    """One node is cut from all, clients too."""
    alone = world.random.choice(NODES)
    await world.links(_between((alone,), (*NODES, CLIENT), CUT))
    return f"vanish {alone}"


async def halves(world: World) -> str:
    """Two here, two there: nobody has a quorum."""
    mate = world.random.choice(NODES[1:])
    others = tuple(n for n in NODES if n not in (1, mate))
    await world.links(_between((1, mate), others, CUT))
    return f"halves 1,{mate}"


async def one_way(world: World) -> str:
    """Some links carry one direction only."""
    links = [(a, b) for a in NODES for b in NODES if a != b]
    chosen = world.random.sample(links, world.random.randint(1, 4))
    await world.links(dict.fromkeys(chosen, CUT))
    return f"one-way {chosen}"


async def loss(world: World) -> str:
    """Every link, the clients' too, loses a tenth of its packets."""
    await world.links(_between((*NODES, CLIENT), (*NODES, CLIENT), (0.1, 0.0, 0.0)))
    return "loss 10 %"


async def delay(world: World) -> str:
    """Links are slow, of one node or of all, and packets overtake one another."""
    some = world.random.choice(((1,), (3,), NODES))
    delay_ms = world.random.choice((20.0, 80.0, 200.0))
    await world.links(_between(some, NODES, (0.0, delay_ms, delay_ms / 2)))
    return f"delay {delay_ms:.0f} ms at {some}"


async def client_cut(world: World) -> str:
    """The clients lose one of their two gateways."""
    gateway = world.random.choice((1, 2))
    await world.links(_between((CLIENT,), (gateway,), CUT))
    return f"client cut from {gateway}"


async def pause(world: World) -> str:
    """A node's process stands still, as in a machine that froze, and goes on."""
    org = world.victim()
    world.nodes.send(org, signal.SIGSTOP)
    await asyncio.sleep(world.hold_s())
    world.nodes.send(org, signal.SIGCONT)
    world.let_go(org)
    return f"pause {org}"


async def kills(world: World) -> str:
    """A node is killed again and again, also while it starts."""
    org, times = world.victim(), world.random.randint(2, 4)
    for _ in range(times):
        await world.nodes.end(org, signal.SIGKILL)
        await asyncio.sleep(world.random.choice((0.0, 0.3, 1.0)))
        world.nodes.start(org)
        await asyncio.sleep(world.random.choice((0.2, 0.8, 2.0, 4.0)))
    world.let_go(org)
    return f"kill {org} {times} times"


async def restart(world: World) -> str:
    """Every node is stopped in good order and started again, one after another."""
    for org in world.random.sample(world.nodes.orgs, 4):
        if org not in world._taken:
            await world.nodes.end(org, signal.SIGTERM)
            world.nodes.start(org)
            await world.nodes.wait_while_not_ready(org, 10.0)
    return "rolling restart"


async def upgrade(world: World) -> str:
    """Every node is stopped in good order and started again with the newer build. Where that ends by itself, which is
    a violation, the older one goes on."""
    refused = []
    for org in world.random.sample(world.nodes.orgs, 4):
        await world.nodes.end(org, signal.SIGTERM)
        older = world.nodes.environment[org].pop("PYTHONPATH")
        world.nodes.start(org)
        await world.nodes.wait_while_not_ready(org, 15.0)
        world.nodes.check_running(org)
        if not world.nodes.is_running(org):
            refused.append(org)
            world.nodes.environment[org]["PYTHONPATH"] = older
            world.nodes.start(org)
            await world.nodes.wait_while_not_ready(org, 15.0)
        await asyncio.sleep(1.0)  # a while of both builds together
    world.upgrading = False
    return f"rolling upgrade, refused by {','.join(refused)}" if refused else "rolling upgrade"


async def clock(world: World) -> str:
    """The clock of one node, or of all, is an hour ahead or behind for a while."""
    some = [world.random.choice(world.nodes.orgs)] if world.random.random() < 0.7 else world.nodes.orgs
    offset = world.random.choice((HOUR_S, -HOUR_S))
    for org in some:
        Clocks.set(world.clocks[org], offset)
    await asyncio.sleep(2 * world.hold_s())
    for org in some:
        Clocks.set(world.clocks[org], 0)
    return f"clock {offset:+d} s of {','.join(some)}"


FAULTS: Final[dict[str, Fault]] = {
    "isolate": isolate,
    "loss": loss,
    "kills": kills,
    "halves": halves,
    "clock": clock,
    "one-way": one_way,
    "pause": pause,
    "vanish": vanish,
    "upgrade": upgrade,
    "delay": delay,
    "client-cut": client_cut,
    "restart": restart,
}
BESIDE: Final = ("loss", "delay", "one-way", "pause", "kills", "isolate", "client-cut")
"""Faults that come also beside another."""
