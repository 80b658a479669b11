"""``python -m tests.simulation``: replay a seed, or run a campaign.

python -m tests.simulation 17 7            one seed with 7 nodes, as it was printed
python -m tests.simulation --seeds 100000  a campaign; the last line is JSON; exit 1 on a violation
"""

from __future__ import annotations

import argparse
import sys

from .campaign import run_seeds
from .world import SIZES

DEFAULT_SEEDS = 500


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("seed", nargs="?", type=int, help="replay this seed")
    parser.add_argument("size", nargs="?", type=int, choices=SIZES, help="number of validators (default: by the seed)")
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS, help="how many seeds a campaign runs")
    parser.add_argument("--first", type=int, default=0, help="its first seed")
    parser.add_argument("--real", action="store_true", help="sign with Ed25519 instead of the quick toy suite")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        outcome = run_seeds([chosen.seed], chosen.size, chosen.real)
    else:
        outcome = run_seeds(range(chosen.first, chosen.first + chosen.seeds), chosen.size, chosen.real)
        print(f"{outcome.simulated_ms / 3_600_000:.2f} simulated hours, {outcome.blocks} blocks")
    print(outcome.line())
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
