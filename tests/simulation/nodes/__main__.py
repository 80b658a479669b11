"""``python -m tests.simulation.nodes``: replay a seed of the whole-node simulator, or run a campaign.

python -m tests.simulation.nodes 17 7             one seed with 7 nodes, as it was printed
python -m tests.simulation.nodes --seeds 20000    a campaign; the last line is JSON; exit 1 on a violation
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from .campaign import run_seeds
from .plan import SIZES, Plan
from .run import commit_of_the_code

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
    chosen = parser.parse_args()
    begun = time.monotonic()
    if chosen.seed is not None:
        print(Plan.draw(chosen.seed, chosen.size, chosen.real))
        total = run_seeds([chosen.seed], chosen.size, chosen.real)
    else:
        seeds = range(chosen.first, chosen.first + chosen.seeds)
        print(f"commit {commit_of_the_code()}, seeds {seeds.start} to {seeds.stop - 1}, {chosen.jobs} processes")
        total = run_seeds(seeds, chosen.size, chosen.real, chosen.jobs, lambda text: print(text, flush=True))
    print(total.report())
    print(total.line(time.monotonic() - begun))
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
