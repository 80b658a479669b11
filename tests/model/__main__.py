"""``python -m tests.model``: search the model, exhaustively and for the mistakes that it must find.

python -m tests.model                     all searches; the last line is JSON; exit 1 on a violation
python -m tests.model lock-forgotten      these searches alone
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from . import tlc
from .searches import BROKEN, EXHAUSTIVE, Search


def main() -> int:
    """The command; returns its exit code."""
    searches = {search.name: search for search in (*BROKEN, *EXHAUSTIVE)}
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="search", help=f"{', '.join(searches)} (default: all)")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in searches]
    if unknown:
        parser.error(f"no such search: {', '.join(unknown)}")
    tlc.fetch()
    begun = time.monotonic()
    wanted = [searches[name] for name in chosen.names] or list(searches.values())
    violations = sum(not look(search) for search in wanted)
    line = {
        "campaign": "model",
        "runs": len(wanted),
        "faults": sum(search.mutant != "none" for search in wanted),
        "violations": violations,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(line))
    return 1 if violations else 0


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
        print(f"{answer.output}\nreplay: python -m tests.model {search.name}", flush=True)
    return right


if __name__ == "__main__":
    sys.exit(main())
