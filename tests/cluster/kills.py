"""Nodes killed with SIGKILL under load, again and again: ``python -m tests.cluster.kills --kills 1000``.

Four nodes; clients submit through the SDK at all four, one half of them at two, the other half at the other two. At a
random moment while submissions are under way one node is killed, sometimes two or all, sometimes one that is only just
starting; each is started again at once or after a moment. Afterwards every acknowledged submission must stand in every
node's chain at the place that its receipt names, nothing may stand twice, and nobody may have signed two contradictory
votes: neither by what the other nodes heard (every process's life long), nor by its own vote log, nor by the evidence
in any notebook. The last line is JSON; exit 1 on a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.campaign import Progress, commit, conclude

from .clients import Clients, advance
from .nodes import Nodes
from .recording import MISTAKES
from .running import blind, carry_out, folder_of, quantile, settle, tell

WORKERS: Final = 4
"""Of each of the two clients."""
PAUSE_S: Final = 0.25
PROGRESS_S: Final = 60.0
"""After the nodes are back the next submission is acknowledged within so long."""
ANSWERED_S: Final = 120.0


@dataclass(slots=True)
class Kills:
    """The campaign: what it has done and seen so far."""

    nodes: Nodes
    clients: Clients
    seed: int
    wanted: int
    kills: int = 0
    while_starting: int = 0
    under_load: int = 0
    """Kills at whose moment a submission was waiting for its answer."""
    together: int = 0
    """Kills of several nodes at once."""
    recoveries: list[float] = field(default_factory=list)
    """Seconds from a node's start to its being ready."""
    pauses: list[float] = field(default_factory=list)
    """Seconds from a kill to the next acknowledgement of a submission."""
    violations: list[str] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)
    """What the chains showed, once the nodes had ended."""
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    @classmethod
    def prepare(cls, folder: Path, kills: int, seed: int, mistake: str) -> Kills:
        """A network in that folder, and its clients; nothing runs yet."""
        nodes = Nodes.create(folder)
        nodes.mistake = mistake
        orgs = nodes.orgs
        return cls(nodes, Clients(nodes, (orgs[:2], orgs[2:]), orgs, seed), seed, kills)

    def _victims(self) -> list[str]:
        size = self.random.choices((1, 2, 4), (70, 22, 8))[0]
        return self.random.sample(self.nodes.orgs, min(size, max(1, self.wanted - self.kills)))

    async def _kill(self, victims: Sequence[str], *, starting: bool = False) -> None:
        if self.clients.in_flight:
            self.under_load += len(victims)
        await asyncio.gather(*(self.nodes.end(org) for org in victims))
        self.kills += len(victims)
        self.together += len(victims) if len(victims) > 1 else 0
        self.while_starting += starting

    async def _bring_back(self, org: str) -> None:
        await asyncio.sleep(self.random.choice((0.0, 0.0, 0.0, 0.2, 1.0)))
        self.nodes.start(org)
        if self.random.random() < 0.12 and self.kills < self.wanted:
            await asyncio.sleep(self.random.uniform(0.05, 1.2))
            await self._kill([org], starting=True)
            self.nodes.start(org)
        began = time.monotonic()
        if await self.nodes.until_ready(org):
            self.recoveries.append(time.monotonic() - began)

    async def _strike(self) -> None:
        await self.clients.until_in_flight(1.0)
        await asyncio.sleep(self.random.choice((0.0, 0.002, 0.005, 0.01, 0.03, 0.1)) * self.random.random())
        victims = self._victims()
        await self._kill(victims)
        before = self.clients.acknowledged
        progress = asyncio.create_task(advance(self.clients, before, PROGRESS_S))
        await asyncio.gather(*(self._bring_back(org) for org in victims))
        pause = await progress
        if pause is not None:
            self.pauses.append(pause)
        else:
            self.violations.append(
                f"stands still: nothing is acknowledged {PROGRESS_S:.0f} s after a kill of {victims}"
            )

    async def run(self) -> None:
        """All kills; no node runs afterwards."""
        nodes, clients = self.nodes, self.clients
        try:
            for org in nodes.orgs:
                nodes.start(org)
            for org in nodes.orgs:
                await nodes.until_ready(org)
            await clients.start(WORKERS, PAUSE_S)
            await self._strike_on()
            await clients.stop(5.0 if self.found else ANSWERED_S)
            if not self.found:
                await settle(nodes, clients)
            for org in nodes.orgs:
                await nodes.end(org, signal.SIGTERM)
        finally:
            try:
                await clients.close()
            finally:
                await asyncio.to_thread(nodes.down)

    def compare(self) -> None:
        """Hold against each other what is left behind, and what everybody saw."""
        nodes, clients = self.nodes, self.clients
        nodes.compare_votes()
        self.violations += blind(nodes, clients)
        nodes.compare_logs()
        nodes.check_data()
        chains = nodes.chains()
        lost, doubled = clients.history.compare(chains)
        self.ended = {"lost": lost, "doubled": doubled, "blocks": max(map(len, chains.values()))}

    async def _strike_on(self) -> None:
        progress = Progress()
        while self.kills < self.wanted and not self.found:
            await self._strike()
            for org in self.nodes.orgs:
                self.nodes.check_running(org)
            progress(f"{self.kills} kills, {self.clients.acknowledged} acknowledged, {len(self.found)} violations")

    @property
    def found(self) -> list[str]:
        """All violations so far."""
        history = self.clients.history.violations
        return [*self.violations, *self.nodes.violations, *self.clients.violations, *history]

    def line(self) -> dict[str, Any]:
        """What the last line counts."""
        found, history = self.found, self.clients.history
        return {
            "runs": int(self.kills > 0),
            "faults": self.kills,
            "violations": len(found),
            "kills": self.kills,
            "kills_under_load": self.under_load,
            "kills_of_several_at_once": self.together,
            "kills_while_starting": self.while_starting,
            "submitted": len(history.submitted),
            "acknowledged": self.clients.acknowledged,
            "unanswered": history.unanswered,
            **self.ended,
            "double_votes": sum("double vote" in what or "forgotten lock" in what for what in found),
            "notes_of_evidence": sum(what.startswith("notebook") for what in found),
            "signed_bodies_compared": self.nodes.votes.bodies,
            "reads_checked": history.reads,
            "restart_s": {"p50": quantile(self.recoveries, 0.5), "p99": quantile(self.recoveries, 0.99)},
            "next_answer_s": {"p50": quantile(self.pauses, 0.5), "p99": quantile(self.pauses, 0.99)},
            "seed": self.seed,
            "commit": commit(),
        }


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mistake", choices=("-", *MISTAKES), default="-", help="put a known mistake into the nodes")
    parser.add_argument("--keep", type=Path, help="an empty folder for the network's files, which are then kept")
    chosen = parser.parse_args()
    runs: list[Kills] = []

    def work() -> None:
        with folder_of("kills", chosen.keep) as folder:
            run = Kills.prepare(folder / "net", chosen.kills, chosen.seed, chosen.mistake)
            runs.append(run)
            carry_out(run.run())
            run.compare()
            tell(run.found, f"make kills KILLS={chosen.kills} SEED={chosen.seed}")

    return conclude("kills", work, lambda: runs[0].line() if runs else {})


if __name__ == "__main__":
    sys.exit(main())
