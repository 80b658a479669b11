"""``python -m bench.hostile``: what is left of the throughput while one member, a stranger or a client is hostile.

Four real nodes. A hostile member's own node is down, and its key floods the other three; what they commit is compared
with what they commit while that member is merely silent. Strangers and clients attack one of four nodes that all run.
Each attack has a baseline of its own, just before it in the same network. The attacker shares the machine's cores with
the nodes, so that what its own CPU costs counts against them. The last line is JSON; exit 1 where less than half is
left, or where a member that floods was not reported.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.campaign import conclude

from .attacks import BEGUN, FLOODS, OTHERS, Attack, Target
from .cluster import LOAD_S, ROOT, BenchNet, finish, generator, network, single_plan
from .load import Plan
from .measure import BenchError

HOSTILE: Final = "gzc"
"""A member without officers in the load."""
SLOW_READER: Final = "slow-reader"
"""The member's node is stopped in its tracks: its connections stay, and it reads nothing."""
HALF: Final = 0.5
WORKERS: Final = 8
PER_REQUEST: Final = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One attack: submissions a second before and during it."""

    name: str
    before: float
    during: float
    reported: bool

    @property
    def ratio(self) -> float:
        return self.during / self.before

    @property
    def sound(self) -> bool:
        return self.ratio >= HALF and self.reported


def rate(net: BenchNet, plan: Plan) -> float:
    """Submissions of a plan that are committed a second."""
    with generator(net.folder, plan) as child:
        outcome = finish(child, b"go\n", LOAD_S + 30)
    return outcome.committed / outcome.seconds


def plan_of(net: BenchNet, name: str, orgs: Sequence[str]) -> Attack:
    """What the attacker needs to know."""
    targets = []
    for org in orgs:
        node = net.nodes[org]
        targets.append(Target(org, node.p2p, int(node.url.rpartition(":")[2]), node.home))
    seat = list(net.nodes).index(HOSTILE)
    return Attack(name, net.genesis_hash, net.nodes[HOSTILE].home, seat, tuple(targets), "officer")


@contextmanager
def under_attack(net: BenchNet, name: str, orgs: Sequence[str]) -> Iterator[None]:
    """The attack goes on; its process is gone afterwards."""
    if name == SLOW_READER:
        stopped = net.nodes[HOSTILE].pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(stopped, signal.SIGCONT)
        return
    path = net.folder / "attack.json"
    plan_of(net, name, orgs).write(path)
    child = subprocess.Popen([sys.executable, "-m", "bench.attacks", str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        if child.stdout is None or child.stdout.readline() != f"{BEGUN}\n".encode():
            raise BenchError(f"the attack did not begin: {name}")
        yield
        if child.poll() is not None:
            raise BenchError(f"the attacker ended: {name}")
    finally:
        child.kill()
        child.communicate()


def measure(name: str, count: int) -> Row:
    """One attack in a network of its own."""
    member = name in FLOODS or name == SLOW_READER
    with network() as net:
        work = net.workload(f"hostile {name}")
        honest = [org for org in net.nodes if org != HOSTILE]
        if member:
            net.stop(HOSTILE)
        targets = honest if member else [honest[0]]
        lanes = work.new_lanes(WORKERS)

        def once(items: int) -> float:
            return rate(net, single_plan(net, lanes, work, items, PER_REQUEST, honest))

        once(count // 4)
        before = once(count)
        if name == SLOW_READER:
            net.start(HOSTILE)
            net.wait_ready()
        with under_attack(net, name, targets):
            during = once(count)
        reported = name not in FLOODS or all(_told(net.log(org)) for org in targets)
    return Row(name, before, during, reported)


def _told(log: Path) -> bool:
    text = log.read_text(encoding="utf-8", errors="replace")
    return "flooding" in text


def main() -> int:
    """The command; returns its exit code."""
    names = (*FLOODS, SLOW_READER, *OTHERS)
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="attack", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--items", type=int, default=4000, help="submissions of one load")
    chosen = parser.parse_args()
    rows: list[Row] = []

    def work() -> None:
        for name in chosen.names or names:
            row = measure(name, chosen.items)
            rows.append(row)
            told = "" if row.reported else ", NOT REPORTED"
            rates = f"{row.before:.0f}/s before, {row.during:.0f}/s during, ratio {row.ratio:.2f}"
            print(f"{name}: {rates}{told}", flush=True)
            if not row.sound:
                again = f"python -m bench.hostile {name} --items {chosen.items}"
                print(f"  VIOLATION: {HALF} of it must be left, and the log must tell; again: {again}")

    def line() -> dict[str, Any]:
        ratios = {row.name: round(row.ratio, 2) for row in rows}
        violations = sum(not row.sound for row in rows)
        return {"runs": len(rows), "faults": len(rows), "violations": violations, "ratios": ratios}

    return conclude("hostile", work, line)


if __name__ == "__main__":
    sys.exit(main())
