"""Rule sets: the built-in one, the compiler's errors, the canonical form."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fazhi_contracts
import pytest
from fazhi_contracts.builtin import (
    BUILTIN_PROCEDURES,
    COMMON_PARTS,
    VERSIONS,
    common_parts,
    load_builtin_rule_set,
    load_builtin_versions,
)
from fazhi_contracts.errors import BadRuleSet
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.vocabulary import GUARD_KINDS
from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.genesis import rule_set_hash
from hypothesis import given
from hypothesis import strategies as st

from .builders import SPINE, SUITE, penalty

Document = dict[str, Any]


def small() -> Document:
    """A procedure of three steps with every kind of part in it."""
    return {
        "procedure": "small",
        "number": 1,
        "title": {"zh": "小程序", "en": "small procedure"},
        "law_from": "2020-02-29",
        "record_article": "某法 1",
        "pauses": [
            {"code": "wait", "zh": "等", "en": "wait", "article": "某法 9", "begins": ["WORK"], "ends": ["DONE"]}
        ],
        "steps": [
            {"code": "OPEN", "zh": "开", "en": "open", "article": "某法 2", "initial": True, "sign": sign()},
            {
                "code": "WORK",
                "zh": "办",
                "en": "work",
                "article": "某法 3",
                "repeatable": True,
                "from": ["OPEN"],
                "sign": {"roles": ["officer", "head"], "minimum": 2, "article": "某法 3", "to_confirm": True},
                "documents": [{"code": "note", "zh": "笔录", "en": "note"}],
                "documents_min": 1,
                "clear": [
                    {
                        "name": "mode",
                        "zh": "方式",
                        "en": "mode",
                        "required": True,
                        "values": [
                            {"code": "fast", "zh": "快", "en": "fast"},
                            {"code": "slow", "zh": "慢", "en": "slow"},
                        ],
                    },
                    {"name": "amount", "zh": "数额", "en": "amount", "low": 0, "high": 1000},
                ],
                "guards": [
                    {"kind": "at-most", "field": "amount", "limit": 200, "article": "某法 3", "severity": "irregular"}
                ],
            },
            {
                "code": "DONE",
                "zh": "完",
                "en": "done",
                "article": "某法 4",
                "terminal": True,
                "from": ["WORK"],
                "requires": ["WORK"],
                "sign": sign(),
                "guards": [
                    {"kind": "done", "step": "WORK", "since": "OPEN", "article": "某法 5", "severity": "grave"},
                    {
                        "kind": "outcome",
                        "step": "WORK",
                        "field": "mode",
                        "values": ["fast"],
                        "article": "某法 6",
                        "severity": "note",
                        "to_confirm": True,
                        "unless": {"step": "WORK", "field": "mode", "values": ["slow"]},
                    },
                    {"kind": "others-than", "step": "WORK", "article": "某法 7", "severity": "irregular"},
                    {"kind": "ended", "step": "OPEN", "by": ["WORK"], "article": "某法 7", "severity": "note"},
                    {
                        "kind": "before",
                        "step": "WORK",
                        "article": "某法 7",
                        "severity": "note",
                        "only_if": [{"step": "WORK"}, {"step": "WORK", "field": "mode", "values": ["slow"]}],
                        "unless": {"step": "OPEN"},
                    },
                ],
                "clocks": [
                    {
                        "start": "WORK",
                        "counted": "last",
                        "amount": 10,
                        "unit": "calendar-days",
                        "rolls": False,
                        "article": "某法 8",
                        "severity": "irregular",
                        "shifts": [{"field": "mode", "value": "slow", "days": 5}],
                        "only_if": {"step": "WORK", "field": "mode", "values": ["fast", "slow"]},
                    },
                    {
                        "kind": "lapsed",
                        "start": "OPEN",
                        "amount": 1,
                        "unit": "working-days",
                        "article": "某法 8",
                        "severity": "note",
                        "extensions": [{"step": "WORK", "amount": 1}],
                        "only_if": {"step": "WORK", "field": "mode", "values": ["slow"]},
                        "unless": {"step": "WORK"},
                    },
                ],
            },
        ],
    }


def sign() -> Document:
    return {"roles": ["officer"], "article": "某法 2"}


def test_the_penalty_procedure() -> None:
    rules = penalty()
    assert [step.code for step in rules.steps if step.code in SPINE] == list(SPINE)
    assert (rules.procedure, rules.law_from) == ("penalty", 20210715)
    assert rules.by_code["INVEST"].signing.minimum == 2
    assert [clock.amount for clock in rules.by_code["DECIDED"].clocks] == [90, 30, 30, 5]
    assert not rules.by_code["FILED"].signing.confirmed  # the head's approval: held, not confirmed
    outcome = rules.by_code["DECIDED"].clear_field("outcome")
    assert outcome is not None
    assert outcome.codes == ("penalty", "none", "not_established", "transfer")
    for step in rules.steps:
        if step.beside:
            continue  # of the supervisor and the notary
        assert step.article.startswith(("行政处罚法 ", "行政强制法 ", "行政复议法 "))


@pytest.mark.parametrize("procedure", BUILTIN_PROCEDURES)
def test_built_in_rule_sets(procedure: str) -> None:
    versions = load_builtin_versions(procedure)
    days = [rules.law_from for rules in versions]
    assert days == sorted(set(days))
    assert load_builtin_rule_set(procedure) == versions[-1]
    for rules in versions:
        assert rules.procedure == procedure
        assert RuleSet.decode(rules.encode()) == rules
        assert rules.hash(SUITE) == rule_set_hash(SUITE, rules.encode())


def test_built_in_files_are_all_named() -> None:
    folder = Path(fazhi_contracts.__file__).parent / "rulesets"
    assert sorted(path.stem for path in folder.glob("*.toml")) == sorted(
        name for each in VERSIONS.values() for name in each
    )
    assert sorted(path.stem for path in (folder / "common").iterdir()) == sorted(COMMON_PARTS)
    with pytest.raises(BadRuleSet):
        load_builtin_rule_set("../penalty")


def test_compiled_reads_back() -> None:
    rules = compile_rule_set(small())
    assert RuleSet.decode(rules.encode()) == rules
    assert rules.watched == {"WORK"}
    assert sorted({guard.kind for step in rules.steps for guard in step.guards}) == sorted(GUARD_KINDS)


def test_compilation_does_not_depend_on_the_order_of_keys() -> None:
    document = small()
    document["steps"] = [dict(reversed(step.items())) for step in document["steps"]]
    assert compile_rule_set(dict(reversed(document.items()))).encode() == compile_rule_set(small()).encode()


def step(document: Document, code: str) -> Document:
    found: Document = next(part for part in document["steps"] if part["code"] == code)
    return found


def changed(path: str, value: object) -> Callable[[Document], None]:
    """Set (or, with None, remove) the part of a document at ``a.b.0.c``."""

    def change(document: Document) -> None:
        *way, last = path.split(".")
        target: Any = document
        for name in way:
            target = target[int(name)] if name.isdigit() else target[name]
        key: Any = int(last) if last.isdigit() else last
        if value is None:
            del target[key]
        else:
            target[key] = value

    return change


def added_step(**parts: object) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["steps"].append({**copy.deepcopy(step(document, "WORK")), **parts})

    return change


CONDITION = {"step": "WORK", "field": "mode", "values": ["fast"]}
FAULTS: list[tuple[Callable[[Document], None], str, str]] = [
    (changed("procedure", None), "rule set.procedure", "missing"),
    (changed("procedure", 3), "rule set.procedure", "text"),
    (changed("procedure", "Small"), "rule set", "procedure"),
    (changed("number", "1"), "rule set.number", "whole number"),
    (changed("number", True), "rule set.number", "whole number"),
    (changed("number", 0), "rule set", "number"),
    (changed("title", None), "rule set.title", "missing"),
    (changed("title", "x"), "rule set.title", "table"),
    (changed("title.fr", "x"), "rule set.title.fr", "unknown key"),
    (changed("law_from", "2020-2-29"), "rule set.law_from", "YYYY-MM-DD"),
    (changed("law_from", "２０２０-02-29"), "rule set.law_from", "YYYY-MM-DD"),
    (changed("law_from", "2021-02-29"), "law_from", "no date"),
    (changed("law_from", "2021-13-01"), "law_from", "no date"),
    (changed("law_from", "2021-00-01"), "law_from", "no date"),
    (changed("record_article", " "), "rule set", "record_article"),
    (changed("colour", "x"), "rule set.colour", "unknown key"),
    (changed("steps", "x"), "rule set.steps", "list of tables"),
    (changed("steps", []), "steps", "initial"),
    (changed("steps.0", 7), "rule set.steps[0]", "table"),
    (changed("steps.0.initial", False), "steps", "no step is initial"),
    (changed("steps.2.terminal", False), "steps", "no step is terminal"),
    (changed("steps.1.code", "OPEN"), "steps", "stands twice"),
    (changed("steps.2.code", "done"), "pauses.wait.ends", "step"),
    (changed("steps.1.initial", "yes"), "rule set.steps[1].initial", "true or false"),
    (changed("steps.0.repeatable", True), "OPEN", "repeats"),
    (changed("steps.0.from", ["WORK"]), "OPEN", "nothing comes before"),
    (changed("steps.1.from", []), "WORK", "names the steps"),
    (changed("steps.1.from", ["NOWHERE"]), "WORK.from", "unknown step NOWHERE"),
    (changed("steps.1.from", ["WORK"]), "WORK.from", "before itself"),
    (changed("steps.1.from", ["OPEN", "OPEN"]), "WORK.from", "stands twice"),
    (changed("steps.1.from", "OPEN"), "rule set.steps[1].from", "list of texts"),
    (changed("steps.2.requires", ["NOWHERE"]), "DONE.requires", "unknown step"),
    (changed("steps.1.sign", None), "rule set.steps[1].sign", "missing"),
    (changed("steps.1.sign.roles", []), "WORK.sign", "at least one role"),
    (changed("steps.1.sign.roles", ["head", "head"]), "WORK.sign", "distinct"),
    (changed("steps.1.sign.minimum", 0), "WORK", "minimum"),
    (changed("steps.1.sign.minimum", 17), "WORK", "minimum"),
    (changed("steps.1.sign.minimun", 2), "rule set.steps[1].sign.minimun", "unknown key"),
    (changed("steps.1.article", None), "rule set.steps[1].article", "missing"),
    (changed("steps.1.article", " "), "WORK", "article is empty"),
    (changed("steps.1.documents.0.code", "Note"), "WORK", "code"),
    (changed("steps.1.documents_min", -1), "WORK", "documents_min"),
    (changed("steps.1.clear.0.values", []), "WORK.clear.mode", "needs values"),
    (changed("steps.1.clear.0.values.1.code", "fast"), "WORK.clear.mode", "stands twice"),
    (changed("steps.2.guards.0.kind", "perhaps"), "DONE.guards[0]", "kind"),
    (changed("steps.2.guards.0.step", "NOWHERE"), "DONE.guards[0]", "unknown step"),
    (changed("steps.2.guards.0.step", "DONE"), "DONE.guards[0]", "another step"),
    (changed("steps.2.guards.0.since", "WORK"), "DONE.guards[0]", "another step"),
    (changed("steps.2.guards.0.since", "NOWHERE"), "DONE.guards[0]", "unknown step"),
    (changed("steps.2.guards.0.field", "mode"), "DONE.guards[0]", "do not belong"),
    (changed("steps.2.guards.0.severity", "deadly"), "DONE.guards[0]", "severity"),
    (changed("steps.2.guards.0.article", " "), "DONE.guards[0]", "article"),
    (changed("steps.2.guards.1.field", None), "DONE.guards[1]", "needs a field"),
    (changed("steps.2.guards.1.field", "colour"), "DONE.guards[1]", "no clear field colour"),
    (changed("steps.2.guards.1.values", ["quick"]), "DONE.guards[1]", "no value quick"),
    (changed("steps.2.guards.1.since", "OPEN"), "DONE.guards[1]", "belongs to 'done'"),
    (changed("steps.2.guards.1.unless.step", "DONE"), "DONE.guards[1]", "names no step"),
    (changed("steps.2.guards.1.unless.values", []), "DONE.guards[1]", "needs values"),
    (changed("steps.2.guards.1.unless.field", "colour"), "DONE.guards[1]", "no clear field"),
    (changed("steps.2.guards.2.only_if", {**CONDITION, "step": "X"}), "DONE.guards[2]", "unknown step"),
    (changed("steps.2.clocks.0.kind", "working-days"), "DONE.clocks[0]", "kind"),
    (changed("steps.2.clocks.0.start", "DONE"), "DONE.clocks[0]", "another step"),
    (changed("steps.2.clocks.0.start", "NOWHERE"), "DONE.clocks[0]", "unknown step"),
    (changed("steps.2.clocks.0.amount", 0), "DONE", "amount"),
    (changed("steps.2.clocks.0.amount", 1.5), "rule set.steps[2].clocks[0].amount", "whole number"),
    (changed("steps.2.clocks.0.unit", "moons"), "DONE.clocks[0]", "unit"),
    (changed("steps.2.clocks.0.unit", None), "rule set.steps[2].clocks[0].unit", "missing"),
    (changed("steps.2.clocks.0.unit", "hours"), "DONE.clocks[0]", "hours neither roll"),
    (changed("steps.2.clocks.0.amount", 40_000), "DONE.clocks[0]", "more than"),
    (changed("steps.2.clocks.0.extensions", [{"step": "NOWHERE", "amount": 5}]), "DONE.clocks[0]", "unknown step"),
    (changed("steps.2.clocks.0.extensions", [{"step": "WORK", "amount": 36_495}]), "DONE.clocks[0]", "more than"),
    (changed("steps.2.clocks.0.extensions", [{"step": "WORK", "amount": 5}] * 2), "DONE.clocks[0]", "stands twice"),
    (changed("steps.2.clocks.0.pauses", ["nap"]), "DONE.clocks[0]", "unknown pause"),
    (changed("steps.2.clocks.0.pauses", ["wait", "wait"]), "DONE.clocks[0]", "stands twice"),
    (changed("steps.2.clocks.1.rolls", True), "DONE.clocks[1]", "does not roll"),
    (changed("steps.2.clocks.1.amount", 751), "DONE.clocks[1]", "more than 750"),
    (changed("pauses.0.begins", []), "pauses.wait", "names no step"),
    (changed("pauses.0.ends", ["NOWHERE"]), "pauses.wait", "unknown step"),
    (changed("pauses.0.begins", ["OPEN"]), "pauses.wait", "nothing runs yet"),
    (changed("pauses.0.begins", ["DONE"]), "pauses.wait", "both begin and end"),
    (changed("pauses.0.article", " "), "pauses.wait", "article"),
    (changed("steps.1.clear.1.high", 0), "WORK.clear.amount", "range"),
    (changed("steps.1.clear.1.values", [{"code": "a", "zh": "甲", "en": "a"}]), "WORK.clear.amount", "no range"),
    (changed("steps.1.guards.0.limit", None), "WORK.guards[0]", "a limit"),
    (changed("steps.1.guards.0.limit", 5000), "WORK.guards[0]", "outside"),
    (changed("steps.1.guards.0.field", "mode"), "WORK.guards[0]", "no number"),
    (changed("steps.1.guards.0.step", "OPEN"), "WORK.guards[0]", "nothing else"),
    (changed("steps.1.guards.0.by", ["OPEN"]), "WORK.guards[0]", "'by'"),
    (changed("steps.2.guards.0.limit", 3), "DONE.guards[0]", "'limit'"),
    (changed("steps.2.guards.3.by", []), "DONE.guards[3]", "'by'"),
    (changed("steps.2.guards.3.by", ["NOWHERE"]), "DONE.guards[3]", "unknown step"),
    (changed("steps.2.guards.4.step", None), "DONE.guards[4]", "step is missing"),
    (changed("steps.2.guards.0.only_if", {"step": "WORK", "values": ["fast"]}), "DONE.guards[0]", "without a field"),
    (changed("steps.2.guards.0.only_if", {}), "DONE.guards[0]", "without a field"),
    (changed("steps.2.guards.0.only_if", [{"step": "WORK"}] * 5), "DONE", "conditions"),
    (changed("steps.2.clocks.0.counted", "middle"), "DONE.clocks[0]", "counted"),
    (changed("steps.2.clocks.0.shifts.0.value", "quick"), "DONE.clocks[0]", "no value"),
    (changed("steps.2.clocks.0.severity", ""), "rule set.steps[2].clocks[0].severity", "text"),
    (added_step(code="ISLAND", **{"from": ["LAGOON"]}), "ISLAND.from", "unknown step"),
]


@pytest.mark.parametrize(("change", "place", "what"), FAULTS)
def test_every_fault_names_its_place(change: Callable[[Document], None], place: str, what: str) -> None:
    check_fault(small(), change, place, what)


def check_fault(document: Document, change: Callable[[Document], None], place: str, what: str) -> None:
    """A sound document is found at fault once changed, there and for that."""
    compile_rule_set(document)
    change(document)
    with pytest.raises(BadRuleSet) as caught:
        compile_rule_set(document)
    parameters = dict(caught.value.parameters)
    assert place in str(parameters["place"])
    assert what in str(parameters["what"])


def test_steps_that_lead_only_to_each_other() -> None:
    document = small()
    added_step(code="A", **{"from": ["B"]})(document)
    added_step(code="B", **{"from": ["A"]})(document)
    with pytest.raises(BadRuleSet, match="no way leads"):
        compile_rule_set(document)


def test_bounds() -> None:
    document = small()
    for number in range(64):
        added_step(code=f"S{number}")(document)
    with pytest.raises(BadRuleSet, match="steps"):
        compile_rule_set(document)
    document = small()
    document["steps"][2]["guards"] *= 20
    with pytest.raises(BadRuleSet, match="guards"):
        compile_rule_set(document)
    document = small()
    document["steps"][1]["article"] = "某法 " + "1" * 70
    with pytest.raises(BadRuleSet, match="64"):
        compile_rule_set(document)
    document = small()
    document["steps"][1]["zh"] = "长" * 300
    with pytest.raises(BadRuleSet, match="256"):
        compile_rule_set(document)


def paths(value: object, path: str = "") -> list[str]:
    """The paths of all parts of a document."""
    found = []
    parts: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    for key, part in parts:
        here = f"{path}.{key}" if path else str(key)
        found += [here, *paths(part, here)]
    return found


@given(st.data())
def test_a_damaged_document_is_refused_with_a_place_or_compiles_to_something_sound(data: st.DataObject) -> None:
    document: Document = json.loads(json.dumps(small()))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(document)))
        junk = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.booleans(), st.just([]), st.just({}))
        changed(path, data.draw(junk))(document)
    try:
        rules = compile_rule_set(document)
    except BadRuleSet:
        return
    assert RuleSet.decode(rules.encode()) == rules


@given(st.data())
def test_damaged_bytes_are_refused(data: st.DataObject) -> None:
    encoded = bytearray(compile_rule_set(small()).encode())
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    try:
        rules = RuleSet.decode(bytes(encoded))
    except (EncodingError, BadRuleSet):
        return
    assert rules.encode() == bytes(encoded)


def test_another_version_is_not_read() -> None:
    parts = decode(compile_rule_set(small()).encode())
    assert isinstance(parts, tuple)
    with pytest.raises(EncodingError, match="unknown-version"):
        RuleSet.decode(encode((1, *parts[1:])))


def test_the_toml_is_what_a_person_would_write() -> None:
    """Every article of the built-in procedure stands in its file as text; nothing is made up by the compiler."""
    folder = Path(fazhi_contracts.__file__).parent / "rulesets"
    text = (folder / "penalty.toml").read_text(encoding="utf-8")
    assert compile_rule_set(tomllib.loads(text), common_parts()) == penalty()
    text += "".join(path.read_text(encoding="utf-8") for path in (folder / "common").iterdir())
    for part in penalty().steps:
        assert part.zh in text
        assert part.article in text


def test_a_colour_may_hold_in_several_ways_under_the_same_names() -> None:
    red = {"code": "red", "zh": "红", "en": "red"}
    document = small() | {"colours": [red | {"overdue": True}, red | {"closed": True}]}
    assert [colour.code for colour in compile_rule_set(document).colours] == ["red", "red"]
    document["colours"][1]["en"] = "scarlet"
    with pytest.raises(BadRuleSet, match="same names"):
        compile_rule_set(document)
