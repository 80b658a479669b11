"""Figures of an agency and a period, counted over proven heads: of the cases whose opening was recorded in the period,
what has become of each by now. Pure.

What the heads do not hold is not counted: findings stand in the trails, and of a step that was recorded several times
the head keeps how often, and what the last recording said.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .lists import KnownRules, ListedCase
from .supervision import OVERDUE, terms_of


@dataclass(slots=True)
class Figures:
    """Of one organisation and procedure. ``decisions`` counts (step, field, value) of the last recording of each step
    that decides; ``overdue`` are cases, ``overdue_terms`` the terms that have run out in them."""

    opened: int = 0
    closed: int = 0
    overdue: int = 0
    overdue_terms: int = 0
    records: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    decisions: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count(self, case: ListedCase, known: KnownRules, at_ms: int) -> None:
        """Count a case as it stands ``at_ms``.

        Raises:
            ProofFailed: the case is bound to a rule set that the rules do not name.
        """
        overdue = [term for term in terms_of(case, known, at_ms) if term.state == OVERDUE]
        rules, marks = known.rule_sets[case.head.rule_set_hash], case.head.marks.by_step()
        self.opened += 1
        self.closed += rules.closed_by(marks) is not None
        self.overdue += bool(overdue)
        self.overdue_terms += len(overdue)
        self.records += case.head.count
        for mark in marks.values():
            self.steps[mark.step] += mark.count
            step = rules.step(mark.step)
            if step is not None and step.decides:
                self.decisions.update((mark.step, name, value) for name, value in mark.clear if isinstance(value, str))
