"""``python -m tests.model``: search the model of consensus, and hold runs of the simulator against it.

python -m tests.model --traces 1000       all searches, and 1,000 traces; the last line is JSON; exit 1 on a violation
python -m tests.model --search NAME       one search alone
python -m tests.model --seed 17           the trace of one seed alone, as it was printed
python -m tests.model --fetch             have TLC here for the tests, or say why not
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter

from tests.campaign import conclude

from . import tlc
from .campaign import SAID_OTHERWISE, Drift, check_seeds, first_refused
from .searches import BROKEN, EXHAUSTIVE, Search

SEARCHES = {search.name: search for search in (*BROKEN, *EXHAUSTIVE)}


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=1000, help="how many seeds are traced (0: none, nor mutants)")
    parser.add_argument("--search", choices=[*SEARCHES], help="this search alone")
    parser.add_argument("--seed", type=int, help="the trace of this seed alone")
    parser.add_argument("--fetch", action="store_true", help="fetch TLC, where java is installed, and end")
    chosen = parser.parse_args()
    if chosen.fetch:
        return fetch()
    alone = chosen.search is not None or chosen.seed is not None
    searches = [SEARCHES[chosen.search]] if chosen.search else [] if alone else SEARCHES.values()
    seeds = range(chosen.seed, chosen.seed + 1) if chosen.seed is not None else range(0 if alone else chosen.traces)
    drift, sums = Drift(), Counter[str]()

    def work() -> None:
        tlc.fetch()
        for search in searches:
            sums.update(runs=1, faults=search.mutant != "none", violations=not look(search))
        if seeds:
            check_seeds(seeds, drift)
            print(f"{drift.traces} traces of {drift.steps:,} steps: {drift.refused} refused", flush=True)
        for mutant in SAID_OTHERWISE if seeds and not alone else ():
            sums.update(runs=1, faults=1, violations=not refuses(mutant))

    def line() -> dict[str, int]:
        traced = Counter(runs=drift.traces, faults=drift.faults, violations=drift.refused)
        traced.update(sums)
        return dict(traced)

    return conclude("model", work, line)


def fetch() -> int:
    """Have TLC in the cache. Where it cannot be had the tests of the model are skipped and say so."""
    if tlc.java():
        try:
            tlc.fetch()
        except (OSError, subprocess.CalledProcessError):
            print(
                "取不到 TLC:跳过形式化模型的测试。 / TLC cannot be had: the tests of the model are skipped.",
                file=sys.stderr,
            )
    return 0


def look(search: Search) -> bool:
    """Run one search; whether TLC answered as it must: no counter-example, or one where a rule is broken."""
    begun = time.monotonic()
    answer = search.run()
    right = answer.holds == (search.mutant == "none")
    found = "holds" if answer.holds else f"counter-example to {answer.broken}"
    print(
        f"{search.name}: {'' if right else 'WRONG: '}{found}; {answer.distinct:,} distinct states of "
        f"{answer.generated:,}, depth {answer.depth}, {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    if not right:
        print(f"{answer.output}\nreplay: python -m tests.model --search {search.name}", flush=True)
    return right


def refuses(mutant: str) -> bool:
    """Whether a core with this mistake is seen to leave the model."""
    found = first_refused(mutant)
    told = "NOT SEEN" if found is None else f"{found[0].name}: refused at {found[1]}"
    print(f"core with {mutant}: {told}", flush=True)
    return found is not None


if __name__ == "__main__":
    sys.exit(main())
