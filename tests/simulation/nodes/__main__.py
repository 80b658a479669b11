"""``python -m tests.simulation.nodes``: replay a seed of the whole-node simulator, or run a campaign.

python -m tests.simulation.nodes 17 7             one seed with 7 nodes, as it was printed
python -m tests.simulation.nodes --seeds 20000    a campaign; the last line is JSON; exit 1 on a violation
python -m tests.simulation.nodes --shrink 17 7    the least of seed 17 that still fails, and how to replay that
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext

from tests.campaign import commit, conclude
from tests.mutants.catalogue import CATALOGUE

from .campaign import Sum, run_plans
from .plan import CALMED, SIZES, Plan
from .shrink import shrink

DEFAULT_SEEDS = 500


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.nodes", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("seed", nargs="?", type=int, help="replay this seed")
    parser.add_argument("size", nargs="?", type=int, choices=SIZES, help="number of nodes (default: by the seed)")
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS, help="how many seeds a campaign runs")
    parser.add_argument("--first", type=int, default=0, help="its first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--real", action="store_true", help="sign with Ed25519 instead of the quick toy suite")
    parser.add_argument("--shrink", action="store_true", help="leave out of a seed what it does not need to fail")
    parser.add_argument("--only", type=_numbers, help="replay with these strikes alone, by their numbers")
    parser.add_argument("--calm", type=_names, default=(), help=f"replay without some of {', '.join(CALMED)}")
    parser.add_argument("--mutant", choices=CATALOGUE, metavar="MUTANT", help="with one rule broken, in one process")
    chosen = parser.parse_args()
    if chosen.seed is None and (chosen.shrink or chosen.only is not None or chosen.calm):
        parser.error("--shrink, --only and --calm go with a seed")
    if chosen.mutant:
        chosen.jobs = 1  # another process would not know of it
    with CATALOGUE[chosen.mutant].broken() if chosen.mutant else nullcontext():
        return _run(chosen)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _run(chosen: argparse.Namespace) -> int:
    if chosen.shrink:
        return _shrink(Plan.draw(chosen.seed, chosen.size, chosen.real))
    total = Sum()

    def work() -> None:
        if chosen.seed is not None:
            plan = Plan.draw(chosen.seed, chosen.size, chosen.real).reduced(chosen.only, chosen.calm)
            print(plan)
            run_plans([plan], total)
        else:
            seeds = range(chosen.first, chosen.first + chosen.seeds)
            print(f"commit {commit()}, seeds {seeds.start} to {seeds.stop - 1}, {chosen.jobs} processes")
            plans = (Plan.draw(seed, chosen.size, chosen.real) for seed in seeds)
            run_plans(plans, total, chosen.jobs)
        print(total.report())

    return conclude("sim-real" if chosen.real else "sim", work, total.line)


def _shrink(plan: Plan) -> int:
    found = shrink(plan)
    if found is None:
        print(f"seed {plan.seed} with {plan.size} nodes violates nothing")
        return 0
    only, calm, violation = found
    numbers = ",".join(map(str, only))
    print(f"\n{plan.reduced(only, calm)}\n\n{violation}")
    print(
        f"the least: python -m tests.simulation.nodes {plan.seed} {plan.size} --only={numbers} --calm={','.join(calm)}"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
