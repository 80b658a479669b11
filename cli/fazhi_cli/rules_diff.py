"""What two versions of a rule set differ in, clause by clause, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fazhi_contracts.procedures.ruleset import RuleSet, Step

from .language import Language, Pair, choose
from .rules_texts import DIFF
from .rules_words import Words, in_both


@dataclass(frozen=True, slots=True)
class Difference:
    """Clauses that one version alone has, under a heading of the table ``DIFF``; ``step`` names the step."""

    heading: str
    step: Step | None
    before: tuple[Pair, ...] = ()
    after: tuple[Pair, ...] = ()


def differences(old: RuleSet, new: RuleSet) -> list[Difference]:
    """Everything that is not the same; where only the order is another, ``other-order`` alone. Nothing where both say
    the same."""
    found = []
    before, after = _left(_head(old), _head(new))
    if before or after:
        found.append(Difference("head", None, before, after))
    found += [Difference("removed", step) for step in old.steps if step.code not in new.by_code]
    for step in new.steps:
        earlier = old.by_code.get(step.code)
        if earlier is None:
            found.append(Difference("added", step, (), tuple(_clauses(new, step))))
            continue
        before, after = _left(_clauses(old, earlier), _clauses(new, step))
        if before or after:
            found.append(Difference("changed", step, before, after))
    if not found and old != new:
        found.append(Difference("other-order", None))
    return found


def _head(rules: RuleSet) -> list[Pair]:
    def lines(words: Words) -> list[str]:
        return [words.title(), *words.head(), *(line for _, below in words.apart() for line in below)]

    return in_both(rules, lines)


def _clauses(rules: RuleSet, step: Step) -> list[Pair]:
    return in_both(rules, lambda words: [words.step(step.code), *words.clauses(step)])


def _left(old: Sequence[Pair], new: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """The lines that stand on one side alone, in their order."""
    return _without(old, Counter(new)), _without(new, Counter(old))


def _without(lines: Sequence[Pair], others: Counter[Pair]) -> tuple[Pair, ...]:
    kept = []
    for line in lines:
        if others[line]:
            others[line] -= 1
        else:
            kept.append(line)
    return tuple(kept)


def lines(old: RuleSet, new: RuleSet, language: Language) -> Iterator[str]:
    """The differences as text, a count of the steps last."""
    found = differences(old, new)
    if not found:
        yield choose(DIFF["same"], language)
        return
    for one in found:
        rules = old if one.heading == "removed" else new
        named = "" if one.step is None else Words(rules, language).step(one.step.code)
        yield choose(DIFF[one.heading], language).format(step=named)
        shown = {line[0 if language == "zh" else 1] for line in one.before}
        twice = shown & {line[0 if language == "zh" else 1] for line in one.after}
        for sign, each in (("-", one.before), ("+", one.after)):
            for line in each:
                said = choose(line, language)
                yield f"  {sign} {' / '.join(line) if said in twice else said}"
    counts = Counter(one.heading for one in found)
    yield choose(DIFF["counts"], language).format(
        added=counts["added"], removed=counts["removed"], changed=counts["changed"]
    )
    if (old.procedure, old.number) == (new.procedure, new.number):
        yield choose(DIFF["same-number"], language).format(number=new.number)
