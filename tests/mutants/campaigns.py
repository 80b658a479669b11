"""The campaigns that hunt mutants: each a function of a seed that raises when it sees a promise broken, or a file of
tests of properties, run in a process of its own.
"""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.header import Header

from tests.conftest import ROOT
from tests.contracts import test_plain
from tests.contracts.readings import Told
from tests.node.test_schedules import Schedule
from tests.simulation.checkers import Violation
from tests.simulation.nodes import run as nodes
from tests.simulation.twins_scenario import Scenario, play
from tests.simulation.world import Plan, World, run_seed
from tests.spec import mutants as damage
from tests.spec import test_independent as receipts

from . import hostile, votelog

ENVIRONMENT: Final = "FAZHI_SEEDED_BUG"
"""Names the mutant that :mod:`.plugin` turns on in a process of tests."""


@dataclass(frozen=True)
class Campaign:
    """``run`` raises for a seed at which it sees something wrong; ``seeds`` are as many as a mutant may need."""

    run: Callable[[int], Any]
    seeds: int


def one_schedule(seed: int) -> None:
    """Machines over stores in memory, through crashes, loss and partitions, then quiet."""
    schedule = Schedule(seed)
    with schedule.cluster:
        schedule.run()


def long_loss(seed: int) -> None:
    """The core through minutes in which little gets through, so that rounds rise high, then quiet."""
    plan = Plan.draw(seed, 4)
    World(replace(plan, traitors=0, faulty_ms=240_000, loss_percent=85, calm_ms=100_000, strike_permille=0)).run()


def _padded(rng: random.Random, receipt: damage.Parsed, _: object) -> bytes:
    """One more signer in the certificate, with somebody else's signature; or all of them, where the last has somebody
    else's: behind as many good ones as are needed.
    """
    if rng.random() < 0.5:
        header = Header.decode(base64.b64decode((receipt["anchor"] or receipt)["header"]))
        full = receipts.WORLD.certify(header, (0, 1, 2, 3))
        *good, (seat, _) = full.signatures
        surplus = replace(full, signatures=(*good, (seat, good[0][1])))
        return damage.to_json(receipt | {"certificate": base64.b64encode(surplus.encode()).decode()})
    *head, entries = cast("tuple[Any, ...]", decode(base64.b64decode(receipt["certificate"])))
    absent = [seat for seat in range(len(entries) + 2) if seat not in dict(entries)]
    padded = sorted((*entries, (rng.choice(absent), rng.choice(entries)[1])))
    return damage.to_json(receipt | {"certificate": base64.b64encode(encode((*head, tuple(padded)))).decode()})


def one_receipt(seed: int) -> None:
    """The ledger and the verifier written from the pages alone come to the same on one damaged or forged receipt."""
    rng = random.Random(f"receipt {seed}")
    if seed % 2:
        mutate = _MUTATIONS[seed // 2 % len(_MUTATIONS)]
        receipt = mutate(rng, rng.choice(_PARSED), _PARSED)
        receipts.outcomes(receipt, receipts.WORLD.genesis_hash, rng.choice(receipts.FILES[:2]))
        return
    targets = {rng.choice(damage.TWISTABLE) for _ in range(rng.choice((1, 1, 1, 2)))}
    forged, chain = damage.forge(
        damage.twister(rng, targets), handed_over=rng.random() < 0.5, anchored=rng.random() < 0.5
    )
    receipts.outcomes(damage.to_json(forged), chain, rng.choice(receipts.FILES[:2]))


_MUTATIONS: Final[tuple[damage.Mutation, ...]] = (*damage.MUTATIONS, _padded)
_PARSED: Final = [json.loads(base) for base in receipts.BASES]


def one_execution(seed: int) -> None:
    """Random submissions, executed and admitted as the plain telling of the rules says."""
    if seed % 2:
        test_plain.test_items_that_must_not_stand(seed // 2)
    else:
        test_plain.test_blocks(seed // 2)


CAMPAIGNS: Final[dict[str, Campaign]] = {
    "core": Campaign(run_seed, 1_000),
    "core, n = 6": Campaign(lambda seed: run_seed(seed, 6), 100),
    "long loss": Campaign(long_loss, 20),
    "twins": Campaign(lambda seed: play(Scenario.draw(seed)), 400),
    "whole nodes": Campaign(nodes.run_seed, 30),
    "node schedules": Campaign(one_schedule, 20),
    **{name: Campaign(run, 60) for name, run in hostile.CAMPAIGNS.items()},
    **{name: Campaign(run, 400) for name, run in votelog.CAMPAIGNS.items()},
    "execution": Campaign(one_execution, 12),
    "readings": Campaign(lambda seed: Told().tell(seed), 1_000),
    "receipts": Campaign(one_receipt, 4_000),
}


def hunt(name: str, count: int | None = None) -> tuple[int, str] | None:
    """The first seed at which the campaign sees something wrong, and what; None where it sees nothing."""
    campaign = CAMPAIGNS[name]
    for seed in range(campaign.seeds if count is None else count):
        try:
            _run(campaign, seed)
        except Violation as error:
            return seed, str(error)
    return None


def _run(campaign: Campaign, seed: int) -> None:
    """Whatever a campaign raises, it has seen something."""
    try:
        campaign.run(seed)
    except Exception as error:
        first_line = str(error).partition("\n")[0]
        raise Violation(f"{type(error).__name__}: {first_line}") from error


def failing_test(file: str, bug: str | None) -> str | None:
    """The first test of a file that fails with that mutant on (None: with none); None where all pass."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(ENVIRONMENT, None)
    if bug is not None:
        environment[ENVIRONMENT] = bug
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.mutants.plugin", "-p", "no:cacheprovider", file]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode == 0:
        return None
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split("::")[-1].split(" - ")[0] if failed else f"exit code {done.returncode}: {done.stderr[-300:]}"
