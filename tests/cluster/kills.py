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
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .clients import Clients, advance
from .nodes import Nodes
from .recording import MISTAKES
from .running import carry_out, commit, quantile, settle

WORKERS: Final = 4
"""Of each of the two clients."""
PAUSE_S: Final = 0.25
PROGRESS_S: Final = 60.0
"""After the nodes are back the next submission is acknowledged within so long."""
ANSWERED_S: Final = 120.0
SAY_EVERY_S: Final = 30.0


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
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

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
        """All kills."""
        said = time.monotonic()
        while self.kills < self.wanted and not self.found:
            await self._strike()
            for org in self.nodes.orgs:
                self.nodes.check_running(org)
            if time.monotonic() - said > SAY_EVERY_S:
                said = time.monotonic()
                print(
                    f"{self.kills} kills, {self.clients.acknowledged} acknowledged, {len(self.found)} violations",
                    flush=True,
                )

    @property
    def found(self) -> list[str]:
        """All violations so far."""
        history = self.clients.history.violations
        return [*self.violations, *self.nodes.violations, *self.clients.violations, *history]


async def campaign(folder: Path, kills: int, seed: int, mistake: str = "-") -> tuple[dict[str, Any], list[str]]:
    """Carry it out in a folder; the JSON line and the violations."""
    began = time.monotonic()
    nodes = Nodes.create(folder)
    nodes.mistake = mistake
    orgs = nodes.orgs
    clients = Clients(nodes, (orgs[:2], orgs[2:]), orgs, seed)
    run = Kills(nodes, clients, seed, kills)
    try:
        await asyncio.to_thread(nodes.up, ready_s=90.0)
        await clients.start(WORKERS, PAUSE_S)
        await run.run()
        await clients.stop(5.0 if run.found else ANSWERED_S)
        if not run.found:
            await settle(nodes, clients)
        for org in orgs:
            await nodes.end(org, 15)
        nodes.compare_votes()
        nodes.compare_logs()
        await asyncio.to_thread(nodes.check_data)
        chains = nodes.chains()
        lost, doubled = clients.history.compare(chains)
    finally:
        await clients.close()
        await asyncio.to_thread(nodes.down)
    found = run.found
    return {
        "campaign": "kills",
        "runs": 1,
        "faults": run.kills,
        "violations": len(found),
        "seconds": round(time.monotonic() - began, 1),
        "kills": run.kills,
        "kills_under_load": run.under_load,
        "kills_of_several_at_once": run.together,
        "kills_while_starting": run.while_starting,
        "submitted": len(clients.history.submitted),
        "acknowledged": clients.acknowledged,
        "unanswered": clients.history.unanswered,
        "lost": lost,
        "doubled": doubled,
        "double_votes": sum("double vote" in what or "forgotten lock" in what for what in found),
        "notes_of_evidence": sum(what.startswith("notebook") for what in found),
        "blocks": max(map(len, chains.values())),
        "signed_bodies_compared": nodes.votes.bodies,
        "reads_checked": clients.history.reads,
        "restart_s": {"p50": quantile(run.recoveries, 0.5), "p99": quantile(run.recoveries, 0.99)},
        "next_answer_s": {"p50": quantile(run.pauses, 0.5), "p99": quantile(run.pauses, 0.99)},
        "seed": seed,
        "commit": commit(),
    }, found  # fmt: skip


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mistake", choices=("-", *MISTAKES), default="-", help="put a known mistake into the nodes")
    parser.add_argument("--keep", type=Path, help="an empty folder for the network's files, which are then kept")
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="fazhi-kills-"))
    try:
        line, found = carry_out(campaign(folder / "net", chosen.kills, chosen.seed, chosen.mistake))
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    for what in found[:50]:
        print(f"violation: {what}")
    if found:
        print(f"again: make kills KILLS={chosen.kills} SEED={chosen.seed}  (commit {line['commit']})")
    print(json.dumps(line))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
