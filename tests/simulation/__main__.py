"""``python -m tests.simulation``: replay a seed, or run a campaign.

python -m tests.simulation 17 7            one seed with 7 nodes, as it was printed
python -m tests.simulation --seeds 100000  a campaign; the last line is JSON; exit 1 on a violation
"""

from __future__ import annotations

import argparse
import sys

from tests.campaign import conclude

from .campaign import Outcome, run_seeds
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
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    outcome = Outcome()

    def work() -> None:
        run_seeds([chosen.seed] if chosen.seed is not None else seeds, chosen.size, chosen.real, outcome)
        print(f"{outcome.simulated_ms / 3_600_000:.2f} simulated hours, {outcome.blocks} blocks")

    return conclude("consensus-real" if chosen.real else "consensus", work, outcome.line)


if __name__ == "__main__":
    sys.exit(main())
