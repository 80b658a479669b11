"""What is wrong with a rule set, all of it, and what looks doubtful."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fazhi_contracts.errors import BadRuleSet
from fazhi_contracts.personal import LEAST_NUMBER, personal_kind
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.ruleset import MAX_RULE_SET_BYTES, RuleSet, Step

from .language import Language, Pair, choose
from .messages import ROLES
from .rules_words import Words

_LARGE_PERCENT: Final = 80
_LAW: Final = re.compile(r"[^\W\d_]{2,}", re.ASCII)
_HAN_LAW: Final = re.compile(r"[㐀-鿿]{2,}")
_NO_LAW: Final = re.compile(r"[第条款项之附则本该及和一二三四五六七八九十百千]+")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that can stand and looks doubtful: a row of the table ``LINT``, and the row with ``-do`` behind it."""

    code: str
    place: str
    parameters: tuple[tuple[str, str | int | Pair], ...] = ()

    def named(self, language: Language) -> dict[str, str | int]:
        """What the sentence names, in one language."""
        return {name: choose(value, language) if isinstance(value, tuple) else value for name, value in self.parameters}


def problems(
    document: Mapping[str, Any], common: Mapping[str, Mapping[str, Any]]
) -> tuple[tuple[BadRuleSet, ...], RuleSet | None]:
    """Everything that is wrong, and the rule set where nothing is."""
    try:
        return (), compile_rule_set(document, common)
    except BadRuleSet as error:
        return (error, *error.others), None


def remarks(rules: RuleSet) -> Iterator[Remark]:
    """Everything doubtful, in the order of the rule set."""
    size = len(rules.encode())
    if size * 100 > MAX_RULE_SET_BYTES * _LARGE_PERCENT:
        yield Remark("large", "rule set", (("size", size), ("limit", MAX_RULE_SET_BYTES)))
    used = {code for step in rules.steps for clock in step.clocks for code in clock.pauses}
    for pause in rules.pauses:
        if pause.code not in used:
            yield Remark("idle-pause", f"pauses.{pause.code}", (("pause", pause.code),))
    if not any(step.clocks for step in rules.steps):
        yield Remark("no-deadline", "rule set")
    for place, article in _articles(rules):
        if not names_law(article):
            yield Remark("no-law", place, (("article", article),))
    for step in rules.steps:
        yield from _of_step(rules, step)


def _of_step(rules: RuleSet, step: Step) -> Iterator[Remark]:
    for role in step.signing.roles:
        if role not in ROLES:
            yield Remark("unknown-role", f"{step.code}.sign", (("role", role),))
    for known in step.clear:
        place = f"{step.code}.clear.{known.name}"
        for code in known.codes:
            if personal_kind(code) is not None:
                yield Remark("personal-value", place, (("value", code),))
        if known.high >= LEAST_NUMBER:
            yield Remark("personal-range", place, (("high", known.high),))
    for place, what in _to_confirm(rules, step):
        yield Remark("to-confirm", place, (("what", what),))


def _to_confirm(rules: RuleSet, step: Step) -> Iterator[tuple[str, Pair]]:
    zh, en = Words(rules, "zh"), Words(rules, "en")
    if not step.signing.confirmed:
        yield f"{step.code}.sign", (zh.signing(step), en.signing(step))
    for number, guard in enumerate(step.guards):
        if not guard.confirmed:
            yield f"{step.code}.guards[{number}]", (zh.guard(step, guard), en.guard(step, guard))
    for number, clock in enumerate(step.clocks):
        if not clock.confirmed:
            yield f"{step.code}.clocks[{number}]", (zh.clock(step, clock), en.clock(step, clock))


def _articles(rules: RuleSet) -> Iterator[tuple[str, str]]:
    yield "record_article", rules.record_article
    for pause in rules.pauses:
        yield f"pauses.{pause.code}", pause.article
    for tally in rules.tallies:
        yield f"tallies.{tally.code}", tally.article
    for duty in rules.unjudged:
        yield "unjudged", duty.article
    for step in rules.steps:
        yield step.code, step.article
        yield f"{step.code}.sign", step.signing.article
        clauses: Sequence[tuple[str, str]] = [
            *((f"guards[{number}]", guard.article) for number, guard in enumerate(step.guards)),
            *((f"clocks[{number}]", clock.article) for number, clock in enumerate(step.clocks)),
        ]
        yield from ((f"{step.code}.{place}", article) for place, article in clauses)


def names_law(article: str) -> bool:
    """Whether an article names its law, and not its number alone (``42``, ``第四十二条``)."""
    if _LAW.search(article):
        return True
    return any(not _NO_LAW.fullmatch(found) for found in _HAN_LAW.findall(article))
