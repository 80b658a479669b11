"""Real nodes in network namespaces under partitions, loss, delays, freezes, kills, wrong clocks and upgrades:
``python -m tests.cluster.netns --runs 12``.

Four ``fazhi-node`` processes, each in a namespace of its own; between them only the switch of :mod:`.switch`, which
cuts, loses and delays their packets. The clients' own namespace reaches two of them as gateways. Each run is one seed:
a fresh network, episodes of one or two faults at a time; after each all is put right, and a new submission must have
its receipt within half a minute. What the clients saw is judged as it comes, the chains at the end. The last line is
JSON; exit 1 on a violation. A seed fixes what is done and in which order, not what the machine makes of it.

It needs Linux, the right to make namespaces (root), ``ip`` (iproute2) and /dev/net/tun; a C compiler for the clocks,
git for the older build. What is not there is not tried, and the JSON line says so.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.campaign import commit, conclude

from . import spaces
from .builds import Clocks, OtherProtocol, previous_build
from .clients import Clients
from .faults import BESIDE, CLIENT, FAULTS, World
from .nodes import Nodes
from .recording import MISTAKES
from .running import blind, carry_out, folder_of, quantile, settle, tell

EPISODES: Final = 3
BESIDE_PART: Final = 0.35
WORKERS: Final = 4
PAUSE_S: Final = 0.4
RECOVERY_S: Final = 30.0
ANSWERED_S: Final = 90.0
NO_HELP: Final = 77
"""Exit code where this machine cannot run the campaign."""


@dataclass(slots=True)
class Outcome:
    """What all runs came to."""

    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    packets: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to run with: clocks, or why there are none; the older build's revision, or why there is none, and
    its PYTHONPATH."""

    clocks: Clocks | str
    old: tuple[str, str]
    mistake: str = "-"
    episodes: int = EPISODES
    """Of one run."""
    longest_s: float = 20.0
    """No fault lasts longer, but those that take what they take."""

    @classmethod
    def find(cls, folder: Path, revision: str) -> Means:
        """Look for them; the older build is unpacked in the folder."""
        try:
            old = previous_build(folder / "old", revision)
        except OtherProtocol as error:
            old = f"not tried: {error}", ""
        except (OSError, subprocess.SubprocessError) as error:
            old = f"not tried: {type(error).__name__}", ""
        return cls(Clocks.build(folder / "clock"), old)


def schedule(seed: int, episodes: int = EPISODES) -> list[tuple[str, ...]]:
    """The episodes of a seed: the faults of each, by name. Seeds in a row go through all faults in turn."""
    chance = random.Random(seed)
    names = list(FAULTS)
    found: list[tuple[str, ...]] = []
    for number in range(episodes):
        main = names[(seed * episodes + number) % len(names)]
        beside = [name for name in BESIDE if name != main]
        second = (chance.choice(beside),) if chance.random() < BESIDE_PART and main != "upgrade" else ()
        found.append((main, *second))
    return found


def _network(folder: Path, wires: spaces.Wires) -> Nodes:
    """A network whose nodes are at home in their namespaces."""
    nodes = Nodes.create(folder)
    addresses = {org: spaces.address(number) for number, org in enumerate(nodes.orgs, 1)}
    ports = {org: (urlsplit(node.url).port, node.p2p.rpartition(":")[2]) for org, node in nodes.nodes.items()}
    peers = {org: f"{addresses[org]}:{ports[org][1]}" for org in nodes.orgs}
    for org in nodes.orgs:
        nodes.environment[org] = {
            "FAZHI_NODE_HTTP_LISTEN": f"{addresses[org]}:{ports[org][0]}",
            "FAZHI_NODE_P2P_LISTEN": peers[org],
            "FAZHI_NODE_PEER_ADDRESSES": ",".join(f"{other}={peers[other]}" for other in peers if other != org),
        }
        nodes.nodes[org] = replace(nodes.nodes[org], url=f"https://{addresses[org]}:{ports[org][0]}")
    numbers = {org: number for number, org in enumerate(nodes.orgs, 1)}
    nodes.spawn = lambda org, start: wires.spaces[numbers[org]].call(start)
    return nodes


class Run:
    """One seed."""

    def __init__(self, folder: Path, seed: int, means: Means, outcome: Outcome) -> None:
        self._folder = folder
        self._seed = seed
        self._means = means
        self._outcome = outcome
        self._episodes = schedule(seed, means.episodes)
        self._violations: list[str] = []
        self._done: list[str] = []

    async def carry_out(self) -> list[str]:
        """The whole run; its violations."""
        wires = spaces.Wires(CLIENT, self._seed)
        try:
            nodes = _network(self._folder, wires)
            world = World(nodes, wires, random.Random(f"faults {self._seed}"), self._means.longest_s)
            self._prepare(world)
            gateways = nodes.orgs[:2]
            clients = Clients(nodes, (gateways, gateways[::-1]), gateways, self._seed)
            try:
                await self._under_load(world, clients)
            finally:
                for org in nodes.orgs:
                    nodes.send(org, signal.SIGKILL)
                try:
                    await clients.close()
                finally:
                    await asyncio.to_thread(nodes.down)
        finally:
            self._outcome.packets.update(wires.close())
        history = clients.history
        found = [*self._violations, *nodes.violations, *clients.violations, *history.violations]
        self._outcome.counts.update(
            submitted=len(history.submitted),
            acknowledged=clients.acknowledged,
            reads=history.reads,
            signed_bodies=nodes.votes.bodies,
            sdk_retries=sum(writer.retries for writer in clients.writers),
        )
        print(f"seed {self._seed}: {'; '.join(self._done)}; {clients.acknowledged} acknowledged", flush=True)
        return [f"seed {self._seed}: {what}" for what in found]

    def _prepare(self, world: World) -> None:
        names = {name for episode in self._episodes for name in episode}
        clocks = self._means.clocks
        if "clock" in names and isinstance(clocks, Clocks):
            for org in world.nodes.orgs:
                file = world.clocks[org] = self._folder / f"{org}.clock"
                world.nodes.environment[org].update(clocks.environment(file))
        if "upgrade" in names and self._means.old[1]:
            world.upgrading = True
            for org in world.nodes.orgs:
                world.nodes.environment[org]["PYTHONPATH"] = self._means.old[1]
        world.nodes.mistake = self._means.mistake

    async def _under_load(self, world: World, clients: Clients) -> None:
        nodes = world.nodes
        for org in nodes.orgs:
            nodes.start(org)
        for org in nodes.orgs:
            await nodes.until_ready(org)
        await clients.start(WORKERS, PAUSE_S)
        for episode in self._episodes:
            await self._episode(world, clients, episode)
            if self._violations or nodes.violations or clients.violations or clients.history.violations:
                break  # what follows from it says nothing more
        else:
            await clients.stop(ANSWERED_S)
            await settle(nodes, clients)
        await clients.stop(1.0)
        for org in nodes.orgs:
            await nodes.end(org, signal.SIGTERM)
        nodes.compare_votes()
        self._violations += blind(nodes, clients)
        nodes.compare_logs()
        await asyncio.to_thread(nodes.check_data)
        lost, doubled = clients.history.compare(nodes.chains())
        self._outcome.counts.update(lost=lost, doubled=doubled)
        if self._means.old[1] and any("upgrade" in what for what in self._done):
            for org, count in nodes.builds().items():
                if count != 2:
                    self._violations.append(f"campaign: {org} ran {count} builds, not both")

    async def _episode(self, world: World, clients: Clients, episode: tuple[str, ...]) -> None:
        names = [
            name
            for name in episode
            if not (name == "clock" and not world.clocks) and not (name == "upgrade" and not world.upgrading)
        ]
        self._done += await asyncio.gather(*(FAULTS[name](world) for name in names))
        self._outcome.faults.update(names)
        began = time.monotonic()
        probe = asyncio.create_task(clients.writers[0].submit())
        await asyncio.wait([probe], timeout=2 * RECOVERY_S)
        seconds = time.monotonic() - began
        self._outcome.recoveries.append(seconds)
        if seconds <= RECOVERY_S:
            await probe  # it has ended: what it raised is not to be passed over
        else:
            probe.cancel()
            self._violations.append(f"stands still: {seconds:.0f} s after {' and '.join(self._done[-2:])}")
        for org in world.nodes.orgs:
            if not await world.nodes.until_ready(org):
                return


async def campaign(runs: int, first: int, means: Means, folder: Path, outcome: Outcome) -> None:
    """The runs, one after another; the first that shows a violation is the last."""
    for seed in range(first, first + runs):
        place = folder / f"seed-{seed}"
        outcome.violations += await Run(place, seed, means, outcome).carry_out()
        outcome.runs += 1
        if outcome.violations:
            break
        shutil.rmtree(place, ignore_errors=True)


def line_of(outcome: Outcome, means: Means) -> dict[str, Any]:
    """What the last line counts."""
    return {
        "runs": outcome.runs,
        "faults": outcome.faults.total(),
        "violations": len(outcome.violations),
        "faults_by_kind": dict(sorted(outcome.faults.items())),
        "links": "network namespaces, TUN devices, a switch of ours in user space: packet for packet, no netem needed",
        "clocks": "preloaded, set while the nodes run"
        if isinstance(means.clocks, Clocks)
        else f"not tried: {means.clocks}",
        "older_build": means.old[0],
        "packets": dict(outcome.packets),
        **outcome.counts,
        "recovery_s": {
            "p50": quantile(outcome.recoveries, 0.5),
            "p99": quantile(outcome.recoveries, 0.99),
            "longest": quantile(outcome.recoveries, 1.0),
        },
        "commit": commit(),
    }


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.netns", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--old", default="", help="revision of the older build (the one before the node's last change)")
    parser.add_argument("--mistake", choices=("-", *MISTAKES), default="-", help="put a known mistake into the nodes")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="of each run")
    parser.add_argument("--longest", type=float, default=20.0, help="seconds of a fault, at most")
    parser.add_argument("--keep", type=Path, help="an empty folder; the network of a violation is kept there")
    chosen = parser.parse_args()
    lacking = spaces.missing()
    if lacking is not None:
        print(f"本机无法运行 / cannot run here: {lacking}", file=sys.stderr)
        return NO_HELP
    found: list[Means] = []
    outcome = Outcome()

    def work() -> None:
        with folder_of("netns", chosen.keep) as folder:
            means = replace(
                Means.find(folder / "means", chosen.old),
                mistake=chosen.mistake, episodes=chosen.episodes, longest_s=chosen.longest,
            )  # fmt: skip
            found.append(means)
            carry_out(campaign(chosen.runs, chosen.seed, means, folder, outcome))
            tell(outcome.violations, f"make netns RUNS=1 SEED={chosen.seed + outcome.runs - 1}")

    return conclude("netns", work, lambda: line_of(outcome, found[0]) if found else {})


if __name__ == "__main__":
    sys.exit(main())
