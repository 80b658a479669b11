"""Every code that the package can say has a sentence in both languages, and every sentence a code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import fazhi_contracts
import pytest
from fazhi_contracts.messages import FINDINGS, GENESIS, INVALIDITIES, REFUSALS, SEVERITIES, TRAIL, Sentences, explain
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.messages import MESSAGES
from fazhi_ledger.names import RESULT_CODE
from fazhi_ledger.result import SEVERITIES as LEDGER_SEVERITIES

from .builders import World, penalty

PACKAGE = Path(fazhi_contracts.__file__).parent
TABLES = {
    "Refused": REFUSALS,
    "InvalidSubmission": INVALIDITIES,
    "InvalidBlock": INVALIDITIES,
    "InvalidGenesis": GENESIS,
    "InvalidReceipt": {**MESSAGES, **TRAIL},
    "ReplayDiffers": TRAIL,
}
MAKERS = {"finding": set[str](), "_guard_finding": set[str](), "_clock_finding": {"start", "term", "late"}}
"""Functions that make findings, and what the sentences are given besides."""
HAN = re.compile(r"[\u4e00-\u9fff]")


def calls(name: str) -> Iterator[ast.Call]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


def said(name: str) -> dict[str, set[str]]:
    """Codes that calls of ``name`` begin with, and the parameters they are given."""
    found: dict[str, set[str]] = {}
    for call in calls(name):
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
            given = {keyword.arg or "**" for keyword in call.keywords}
            found.setdefault(call.args[0].value, set()).update(given)
    return found


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_code_raised_has_both_texts(name: str) -> None:
    codes = said(name)
    assert codes
    assert sorted(set(codes) - set(TABLES[name])) == []


def test_every_finding_has_both_texts() -> None:
    assert {code for name in MAKERS for code in said(name)} | {"lane-voided"} == set(FINDINGS)


def test_no_sentence_without_a_code() -> None:
    assert set(REFUSALS) == set(said("Refused")) | {"OK"}
    assert set(INVALIDITIES) == set(said("InvalidSubmission")) | set(said("InvalidBlock")) | {"bad-rule-set"}
    assert set(GENESIS) == set(said("InvalidGenesis"))
    assert set(TRAIL) == (set(said("InvalidReceipt")) - set(MESSAGES)) | set(said("ReplayDiffers"))


def test_a_code_means_one_thing() -> None:
    """Results, invalidities and findings share one space of names."""
    assert not set(REFUSALS) & set(INVALIDITIES)
    assert not (set(REFUSALS) | set(INVALIDITIES)) & set(FINDINGS)


ALL: list[tuple[Sentences, str]] = [
    (table, code) for table in (REFUSALS, INVALIDITIES, FINDINGS, GENESIS, TRAIL) for code in table
]


@pytest.mark.parametrize(("table", "code"), ALL)
def test_sentences(table: Sentences, code: str) -> None:
    zh, en = table[code]
    assert RESULT_CODE.fullmatch(code)
    assert HAN.search(zh)
    assert not HAN.search(en)
    assert sorted(set(re.findall(r"{(\w+)}", zh))) == sorted(set(re.findall(r"{(\w+)}", en)))
    assert zh.rstrip().endswith(("。", "}"))
    assert en.rstrip().endswith((".", "}"))


@pytest.mark.parametrize(
    ("name", "table"),
    [("Refused", REFUSALS), ("InvalidSubmission", INVALIDITIES), *((maker, FINDINGS) for maker in MAKERS)],
)
def test_sentences_name_parameters_that_are_given(name: str, table: Sentences) -> None:
    for code, given in said(name).items():
        named = set(re.findall(r"{(\w+)}", table[code][0]))
        assert named - MAKERS.get(name, set()) <= given or "**" in given, code


def test_severities() -> None:
    assert tuple(SEVERITIES) == LEDGER_SEVERITIES


LATE = (("start", "FILED"), ("amount", 90), ("unit", "calendar-days"), ("late_days", 2))


def test_explain() -> None:
    assert explain("impossible-step", (("step", "SERVED"), ("requires", "DECIDED")), "en") == (
        "The step SERVED is impossible before DECIDED."
    )
    assert "90 日" in explain("deadline-exceeded", LATE, "zh")
    assert "2 days" in explain("deadline-exceeded", LATE, "en")
    hours = (("start", "SEIZED"), ("amount", 24), ("unit", "hours"), ("late_minutes", 7))
    assert explain("deadline-exceeded", hours, "zh") == "超过自 SEIZED 起 24 小时的期限 7 分钟。"
    assert explain("OK", (), "zh") == "已接受。"
    unconfirmed = (("roles", "head"), ("required", 2), ("found", 1), ("to_confirm", 1))
    assert "尚待确认" in explain("signers-short", unconfirmed, "zh")
    assert "confirmed" in explain("signers-short", unconfirmed, "en")


def test_explain_of_hostile_and_missing_parameters() -> None:
    """Values are the chain's: braces in them are text, and one that is missing prints as its place."""
    assert "{step.__class__}" in explain("step-missing", (("step", "{step.__class__}"),), "en")
    assert "{step}" in explain("step-missing", (), "en")
    assert explain("from-the-future", (("a", 1),), "en") == "from-the-future a=1"


def test_a_refusal_of_the_chain_can_be_explained() -> None:
    world = World()
    code, parameters = world.refused(world.by("head").record(world.case(), "FILED"))
    text = explain(code, parameters.items(), "zh")
    assert "<" not in text
    assert "FILED" in text


def test_errors_print_themselves() -> None:
    assert str(FazhiError("case-exists", step="LEAD")) == "case-exists (step='LEAD')"


def test_step_names_come_from_the_rule_set() -> None:
    for step in penalty().steps:
        assert HAN.search(step.zh)
        assert not HAN.search(step.en)
