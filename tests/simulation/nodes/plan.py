"""What is wrong with one run's world, drawn from its seed alone: how the network is, what strikes when, who lies.

Everything that breaks on purpose is a :class:`Strike` of the plan, so that a shrinker can leave it out. What is always
a little wrong (frames lost, doubled, out of order) is a rate of the plan, which can be set to zero.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from fazhi_ledger.validators import faulty_of

SIZES = (4, 5, 6, 7, 10)
_SIZE_WEIGHTS = (60, 13, 12, 11, 4)

TRICKS = ("equivocate", "double-vote", "withhold", "delay", "replay", "mutate", "censor", "sync-lies", "garbage")

# kind -> weight of the draw
_NETWORK = {"partition": 6, "silent-partition": 3, "one-way": 4, "reconnect": 4, "slow-link": 2}
_CRASHES = {"kill": 4, "power": 4, "trap": 14, "trap-start": 5, "blackout": 1}
_DISKS = {"disk-full": 3, "disk-error": 4, "slow-sync": 3}
_CLOCKS = {"clock-jump": 3, "slow-node": 2}
_DAMAGE = ("rot-store", "rot-votes", "rot-guard", "wipe", "wipe-store", "restore")
"""Damage after which a node may have to be silent: within the budget of f, together with the traitors."""

KINDS = (*_NETWORK, *_CRASHES, *_DISKS, *_CLOCKS, *_DAMAGE, "remove", "replace-key")
"""Every kind of strike."""
CHANGES = ("remove", "replace-key")
"""Of the members, by vote."""

CALMED: dict[str, Any] = {
    "traitors": (),
    "tricks": (),
    "loss_permille": 0,
    "duplicate_permille": 0,
    "reorder_permille": 0,
    "delay_ms": 3,
    "cases": False,
    "conflicts_percent": 0,
    "mempool_items": 20_000,
    "items": 10,
}
"""What a plan can be eased of, beside its strikes, and to what."""

TRAPS = ("any", "persist", "send", "store")


@dataclass(frozen=True)
class Strike:
    """One thing that goes wrong at ``at_ms``. ``node`` is an index; ``numbers`` are the kind's own: durations,
    countdowns, other nodes.
    """

    at_ms: int
    kind: str
    node: int = 0
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.at_ms:>6} ms  {self.kind:<16} node {self.node}  {' '.join(map(str, self.numbers))}"


@dataclass(frozen=True)
class Plan:
    """One run. Times are virtual milliseconds, ``*_permille`` of frames."""

    seed: int
    size: int
    calm_ms: int
    """How long the first phase lasts, in which everything goes wrong."""
    loss_permille: int
    duplicate_permille: int
    reorder_permille: int
    delay_ms: int
    cases: bool
    """Whether the chain has the penalty procedure and part of the load are records of cases."""
    items: int
    conflicts_percent: int
    mempool_items: int
    traitors: tuple[int, ...]
    tricks: tuple[str, ...]
    traitors_stay: bool
    damaged: tuple[int, ...]
    strikes: tuple[Strike, ...]
    real_suite: bool = False

    @classmethod
    def draw(cls, seed: int, size: int | None = None, real_suite: bool = False) -> Plan:
        """The plan of a seed."""
        rng = random.Random(f"nodes {seed}")
        drawn = rng.choices(SIZES, _SIZE_WEIGHTS)[0]
        n = drawn if size is None else size
        faulty = faulty_of(n)
        calm_ms = rng.choice((8_000, 15_000, 25_000, 40_000, 15_000, 120_000))
        order = rng.sample(range(n), n)
        traitors = tuple(sorted(order[: rng.choice((0, 0, rng.randint(0, faulty), faulty))]))
        budget = faulty - len(traitors)
        damaged = tuple(sorted(order[len(traitors) : len(traitors) + rng.randint(0, budget)]))
        plan = cls(
            seed=seed,
            size=n,
            calm_ms=calm_ms,
            loss_permille=rng.choice((0, 0, 0, 10, 50, 150)),
            duplicate_permille=rng.choice((0, 0, 30, 100)),
            reorder_permille=rng.choice((0, 0, 20, 100)),
            delay_ms=rng.choice((3, 3, 20, 80, 300)),
            cases=rng.random() < 0.35,
            items=rng.choice((10, 20, 30)),
            conflicts_percent=rng.choice((0, 5, 20)),
            mempool_items=rng.choice((20_000, 20_000, 40)),
            traitors=traitors,
            tricks=tuple(sorted(rng.sample(TRICKS, rng.randint(2, 5)))) if traitors else (),
            traitors_stay=rng.random() < 0.5,
            damaged=damaged,
            strikes=(),
            real_suite=real_suite,
        )
        return replace(plan, strikes=tuple(sorted(_strikes(rng, plan), key=lambda strike: strike.at_ms)))

    def reduced(self, only: Sequence[int] | None, calm: Sequence[str]) -> Plan:
        """The plan with these strikes only (by number; None for all), and some of the rest calmed."""
        strikes = self.strikes if only is None else tuple(self.strikes[number] for number in sorted(only))
        changes: dict[str, Any] = {name: CALMED[name] for name in calm}
        return replace(self, strikes=strikes, **changes)

    def __str__(self) -> str:
        rates = "  ".join(
            f"{field.name}={getattr(self, field.name)}" for field in fields(self) if field.name not in ("strikes",)
        )
        lines = [rates, *(f"  [{number:>2}] {strike}" for number, strike in enumerate(self.strikes))]
        return "\n".join(lines)


def change_of(plan: Plan) -> tuple[str, int] | None:
    """What changes in the members of a run, and whose seat it is."""
    return next(((strike.kind, strike.node) for strike in plan.strikes if strike.kind in CHANGES), None)


def _change(rng: random.Random, plan: Plan) -> list[Strike]:
    """A change of the members, where enough of them can be trusted before and after it."""
    bad = (*plan.traitors, *plan.damaged)
    sound = [index for index in range(plan.size) if index not in bad]
    can_shrink = plan.size > 4 and len(bad) <= faulty_of(plan.size - 1)
    kind = rng.choice(CHANGES if can_shrink else CHANGES[1:])
    return [Strike(rng.randint(200, plan.calm_ms), kind, rng.choice(sound))] if rng.random() < 0.25 else []


def _strikes(rng: random.Random, plan: Plan) -> list[Strike]:
    weights = {**_NETWORK, **_CRASHES, **_DISKS, **_CLOCKS}
    kinds = rng.choices(list(weights), list(weights.values()), k=rng.randint(10, 24))
    kinds += [rng.choice(_DAMAGE) for _ in plan.damaged for _ in range(rng.randint(1, 2))]
    honest = [index for index in range(plan.size) if index not in plan.traitors]
    strikes = _change(rng, plan)
    for kind in kinds:
        targets = plan.damaged if kind in _DAMAGE else honest
        at_ms = rng.randint(200, plan.calm_ms)
        strikes.append(Strike(at_ms, kind, rng.choice(targets), _numbers(rng, kind, plan)))
    return strikes


def _numbers(rng: random.Random, kind: str, plan: Plan) -> tuple[int, ...]:
    """What else a strike of that kind needs to know."""
    lasts_ms = rng.choice((300, 1_500, 4_000, 9_000))
    match kind:
        case "partition" | "silent-partition":
            halves = rng.random() < 0.6
            size = plan.size // 2 if halves else rng.randrange(1, plan.size)
            return (lasts_ms, sum(1 << index for index in rng.sample(range(plan.size), size)))
        case "one-way" | "slow-link" | "reconnect":
            return (lasts_ms, rng.randrange(1, plan.size), rng.choice((5, 200, 900)))
        case "kill" | "power" | "blackout":
            return (rng.choice((5, 50, 400, 2_500)), rng.randrange(3))
        case "trap" | "trap-start":
            where = 0 if kind == "trap-start" else rng.randrange(len(TRAPS))
            return (rng.choice((5, 50, 400, 2_500)), rng.randrange(4), where, rng.choice((0, 1, 2, 3, 5, 8, 13, 25)))
        case "disk-full":
            return (lasts_ms, rng.randrange(6))
        case "disk-error":
            return (rng.randrange(12),)
        case "slow-sync" | "slow-node":
            return (lasts_ms, rng.choice((2, 20, 150, 700)))
        case "clock-jump":
            return (lasts_ms, rng.choice((-3_600_000, -4_000, -1_500, -200, 200, 1_500, 4_000, 3_600_000)))
        case "restore":
            return (rng.choice((500, 2_500, 6_000)),)
        case _:
            return (rng.getrandbits(30),)
