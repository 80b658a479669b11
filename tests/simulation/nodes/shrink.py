"""From a seed that fails to the least that still fails the same way: faults are left out one by one, or many at a time.

What is left out changes all that comes after it, so the violation found may be another instance of the same kind; its
kind is the capital words that its sentence begins with, or the name of the error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.simulation.checkers import Violation

from .plan import CALMED, Plan
from .run import run_plan

_KIND = re.compile(r"[A-Z]{2,}(?: [A-Z]{2,})*|\w+")


def kind_of(violation: str) -> str:
    """What kind of violation a sentence tells of."""
    found = _KIND.match(violation)
    return "" if found is None else found.group()


def failure(plan: Plan) -> str | None:
    """What the plan violates."""
    try:
        run_plan(plan)
    except Violation as violation:
        return str(violation)
    return None


def shrink(plan: Plan) -> tuple[tuple[int, ...], tuple[str, ...], str] | None:
    """The strikes (by number) that have to stay and the rest that can be calmed, for a violation of the same kind to
    show, and its sentence; None where the plan violates nothing. Prints what it comes to on the way.
    """
    first = failure(plan)
    if first is None:
        return None
    last = first
    calm: tuple[str, ...] = ()
    only = tuple(range(len(plan.strikes)))

    def still_fails(some: tuple[int, ...], calmed: tuple[str, ...]) -> bool:
        nonlocal last
        found = failure(plan.reduced(some, calmed))
        if found is None or kind_of(found) != kind_of(first):
            return False
        last = found
        print(f"{len(some)} strikes, calm {','.join(calmed) or 'nothing'}: {found.splitlines()[0][:120]}")
        return True

    for name in CALMED:
        if still_fails(only, (*calm, name)):
            calm = (*calm, name)
    size = max(1, len(only) // 2)
    while size:
        for part in _parts(only, size):
            rest = tuple(number for number in only if number not in part)
            if rest != only and still_fails(rest, calm):
                only = rest
        size //= 2
    return only, calm, last


def _parts(only: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(only), size):
        yield only[start : start + size]
