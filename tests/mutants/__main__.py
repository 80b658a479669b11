"""``python -m tests.mutants``: break every rule of the catalogue, one at a time, and see who notices.

python -m tests.mutants                  all of them; a table, then one line of JSON; exit 1 where one gets away
python -m tests.mutants join-at-f        these alone
python -m tests.mutants --list           their names

A mutant counts as caught where at least one of its hunters sees it; a violation is one that none sees, or a campaign
that sees something where nothing was broken: after the hunt each runs the seeds that caught something once more,
without a mutant.
"""

from __future__ import annotations

import argparse
import sys

from tests.campaign import conclude

from .catalogue import CATALOGUE
from .season import Season


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("mutant", nargs="*", choices=[*CATALOGUE, []], help="these alone (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(f"{name}: {mutant.rule}" for name, mutant in CATALOGUE.items()))
        return 0
    season = Season()
    return conclude("mutants", lambda: season.run(chosen.mutant or list(CATALOGUE), chosen.jobs), season.line)


if __name__ == "__main__":
    sys.exit(main())
