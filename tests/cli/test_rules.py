"""``fazhi rules``: for those who write rule sets."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from fazhi_cli import rules_calendar, rules_faults, rules_texts
from fazhi_cli.exits import Misuse
from fazhi_cli.rules_diagram import _Layout, _Node, mermaid, svg
from fazhi_cli.rules_diff import differences, lines
from fazhi_cli.rules_faults import fault_in_words
from fazhi_cli.rules_lint import names_law
from fazhi_cli.rules_story import mismatch
from fazhi_cli.rules_words import Words
from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_rule_set, load_builtin_versions
from fazhi_contracts.errors import BadRuleSet
from fazhi_contracts.procedures.compile import compile_calendar, compile_rule_set
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.stories import StoryBroken, check_story, play, read_story
from fazhi_ledger.messages import printable

from tests.cli.commands import fazhi
from tests.cli.test_help import TABLES, has_chinese
from tests.conftest import ROOT
from tests.contracts.drawn import BESIDE, Document, draw_rules

PENALTY = ROOT / "contracts/fazhi_contracts/rulesets/penalty.toml"
STORIES = ROOT / "tests/stories/penalty"
SVG = "{http://www.w3.org/2000/svg}"
BUILTIN = [rules for procedure in BUILTIN_PROCEDURES for rules in load_builtin_versions(procedure)]


def drawn(seed: int) -> RuleSet:
    return compile_rule_set(draw_rules(Random(seed), "drawn"))


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = PENALTY.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "changed.toml"
    path.write_text(text, encoding="utf-8")
    return path


# lint


def test_a_sound_rule_set_is_told_with_what_is_doubtful_in_it() -> None:
    for language, said in (("en", "can be installed"), ("zh", "可以安装")):
        done = fazhi("rules", "lint", PENALTY, lang=language)
        assert (done.code, done.err) == (0, "")
        assert said in done.out
        assert "FILED.clocks[0]" in done.out, "a figure that is yet to be confirmed"
        if language == "zh":
            assert "尚待确认: 期限: 自 案件来源 LEAD 起 15 个工作日内" in done.out


def test_every_problem_is_listed_with_its_place_and_what_to_do(tmp_path: Path) -> None:
    path = changed(tmp_path, ("amount = 90\n", 'amount = "90"\n'), ('kind = "before"', 'kindd = "before"'))
    done = fazhi("rules", "lint", path, lang="zh")
    assert done.code == 1
    text = PENALTY.read_text(encoding="utf-8")
    broken = text.count('kind = "before"') + text.count("amount = 90\n")
    assert done.out.count("错误  rule set.steps[") == broken
    assert "clocks[0].amount: 此处应为整数\n      写成不带引号的整数\n" in done.out
    path = changed(tmp_path, ('code = "LEGALREV"', 'code = "LEGALREW"'), ('severity = "note"', 'severity = "small"'))
    done = fazhi("rules", "lint", path, lang="en")
    assert done.code == 1
    assert "PANEL.from: unknown step LEGALREV" in done.out
    assert "FILED.clocks[0]: severity is one of note, irregular, grave\n        name one of these" in done.out
    path = changed(tmp_path, ("amount = 90\n", "amount = 0\n"), ('zh = "立案"', f'zh = "{"立" * 300}"'))
    done = fazhi("rules", "lint", path, lang="en")
    assert {"FILED", "EXTEND", "DECIDED"} == set(re.findall(r"error   ([A-Z]+)", done.out))


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ('article = "行政处罚法 60"', 'article = "60"', "DECIDED.clocks[0]", "names no law"),
        ('"testing"]', '"hearing"]', "pauses.testing", "no clock leaves out the pause testing"),
        ("high = 1000000000", "high = 20000000000", "SIMPLE.clear.fine_yuan", "a mobile"),
        ('code = "warning"', 'code = "13812345678"', "SIMPLE.clear.kind", "13812345678 looks like personal data"),
        ('roles = ["officer"], minimum = 2', 'roles = ["oficer"], minimum = 2', "INVEST.sign", "the role oficer"),
    ],
)
def test_what_is_doubtful(tmp_path: Path, old: str, new: str, place: str, said: str) -> None:
    if new == '"hearing"]':
        path = tmp_path / "changed.toml"
        text = re.sub(r'pauses = \[[^\]]*"testing"[^\]]*\]', 'pauses = ["hearing"]', PENALTY.read_text("utf-8"))
        path.write_text(text, encoding="utf-8")
    else:
        path = changed(tmp_path, (old, new))
    done = fazhi("rules", "lint", path)
    assert done.code == 0, done.out
    remark = next(line for line in done.out.splitlines() if line.startswith(f"remark  {place}: ") and said in line)
    assert remark not in fazhi("rules", "lint", PENALTY).out


@pytest.mark.parametrize(
    ("article", "named"),
    [
        ("行政处罚法 42", True),
        ("国办发〔2018〕118号", True),
        ("Regulation 4", True),
        ("42", False),
        ("第四十二条", False),
        ("第四十二条第二款", False),
        ("本法第三条", True),
        ("§ 42", False),
    ],
)
def test_an_article_names_its_law(article: str, named: bool) -> None:
    assert names_law(article) is named


def said_by_the_compiler() -> set[str]:
    """Everything that the compiler and the checks may say, with a word in the place of each parameter."""
    said = set()
    for name in ("check", "compile", "ruleset"):
        path = ROOT / f"contracts/fazhi_contracts/procedures/{name}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if called in ("BadRuleSet", "_fault") and len(node.args) >= 2:
                    said |= texts_of(node.args[1])
    return {text for text in said if text}


def texts_of(node: ast.expr) -> set[str]:
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.JoinedStr(values=values):
            return {"".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in values)}
        case ast.IfExp(body=body, orelse=orelse):
            return texts_of(body) | texts_of(orelse)
    return set()


def test_whatever_the_compiler_says_is_said_in_chinese_too_and_what_to_do() -> None:
    said = {what for what in said_by_the_compiler() if "is expected here" not in what or "year" not in what}
    said -= {'7 is no day of 7, "MM-DD"'}  # of a calendar
    assert len(said) > 50
    for what in sorted(said):
        zh, todo = fault_in_words(what, "zh")
        assert has_chinese(zh), what
        assert todo, what
        assert fault_in_words(what, "en") == (what, fault_in_words(what, "en")[1])
    used = {row[0] for row in rules_faults.FAULTS for what in said if re.fullmatch(row[0], what, re.DOTALL)}
    unused = {row[0] for row in rules_faults.FAULTS} - used
    assert {pattern[:9] for pattern in unused} <= {"bad-shape", "([a-z-]+ "}, "nobody says this any more"


# show


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("rules", BUILTIN, ids=lambda rules: f"{rules.procedure}-{rules.law_from}")
def test_a_diagram_shows_every_step_apart_from_the_others(rules: RuleSet, language: str) -> None:
    assert language in ("zh", "en")
    check_diagram(rules, svg(rules, "zh" if language == "zh" else "en"))


def check_diagram(rules: RuleSet, picture: str) -> None:
    root = ET.fromstring(picture)  # noqa: S314 - our own picture
    width, height = int(root.attrib["width"]), int(root.attrib["height"])
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        box = group.find(f"{SVG}rect")
        if box is not None:
            boxes[group.attrib["id"]] = tuple(int(box.attrib[name]) for name in ("x", "y", "width", "height"))
    assert set(boxes) == {step.code for step in rules.steps}
    placed = sorted(boxes.items())
    for number, (code, (x, y, wide, high)) in enumerate(placed):
        assert x >= 0
        assert x + wide <= width, code
        assert y >= 0
        assert y + high <= height, code
        for other, (x2, y2, wide2, high2) in placed[number + 1 :]:
            assert x + wide <= x2 or x2 + wide2 <= x or y + high <= y2 or y2 + high2 <= y, (code, other)
    ways = [group for group in root.iter(f"{SVG}g") if group.attrib.get("class") == "edge"]
    assert len(ways) == sum(len(step.from_steps) for step in rules.steps if not step.beside)


@pytest.mark.parametrize("seed", range(8))
def test_any_procedure_can_be_drawn_whatever_it_is_called(seed: int) -> None:
    rng = Random(seed)
    document = draw_rules(rng, "drawn")
    for step in document["steps"]:
        step["zh"] = rng.choice(["<b>&\"'", "名称", "长" * 60, "]]>", "\x0b\x01\ufffe", "a -->\n b; #35; {x}"])
        if not step.get("initial") and not step["beside"]:
            others = [one["code"] for one in document["steps"] if one["code"] not in (step["code"], BESIDE)]
            step["from"] = sorted({"OPEN", *rng.sample(others, rng.randrange(len(others)))})  # rings, too
    document["title"]["zh"] = rng.choice(["<script>alert(1)</script>", "a&lt;b", '"\\u003c"', "长" * 60])
    rules = compile_rule_set(document)
    check_diagram(rules, svg(rules, "zh"))
    assert svg(rules, "zh") == svg(RuleSet.decode(rules.encode()), "zh")
    check_mermaid(rules, mermaid(rules, "zh"))


def test_crossings_are_counted_as_one_by_one() -> None:
    """The fast count, without which the picture of 64 steps that all lead to one another takes minutes."""
    rng = Random(7)
    for _ in range(50):
        upper, lower = ([_Node(None, 1, layer) for _ in range(rng.randrange(1, 8))] for layer in (0, 1))
        for node in upper:
            node.below = rng.sample(lower, rng.randrange(len(lower) + 1))
        place = {id(node): number for number, node in enumerate(lower)}
        ways = [(number, place[id(end)]) for number, node in enumerate(upper) for end in node.below]
        crossed = sum(1 for a, b in ways for c, d in ways if a < c and d < b)
        assert _Layout([upper, lower], [])._crossings() == crossed


def check_mermaid(rules: RuleSet, text: str) -> None:
    lines = text.splitlines()
    assert lines[3] == "stateDiagram-v2"
    assert not set("<>&") & set(lines[1]), "an HTML page around it takes nothing for markup"
    title = json.loads(lines[1].removeprefix("title: "))  # such quotes say in YAML what they say in JSON
    assert title in (printable(rules.title_zh), printable(rules.title_en))
    states = [re.fullmatch(r'    state "([^"<>;{}\\]|#\d+;)* ([A-Z_]+)" as ([A-Z_]+)', line) for line in lines]
    assert [found[3] for found in states if found] == [step.code for step in rules.steps]
    ways = [re.fullmatch(r"    (\S+) --> (\S+)", line) for line in lines]
    wanted = {(before, step.code) for step in rules.steps for before in step.from_steps}
    wanted |= {("[*]", step.code) for step in rules.steps if step.initial}
    wanted |= {(step.code, "[*]") for step in rules.steps if step.terminal}
    assert {(found[1], found[2]) for found in ways if found} == wanted
    assert len(lines) == 4 + len(rules.steps) + len(wanted)


@pytest.mark.parametrize("rules", BUILTIN, ids=lambda rules: f"{rules.procedure}-{rules.law_from}")
def test_every_rule_set_can_be_told_in_words_and_drawn(rules: RuleSet) -> None:
    check_mermaid(rules, mermaid(rules, "en"))
    for language in ("zh", "en"):
        words = Words(rules, "zh" if language == "zh" else "en")
        for step in rules.steps:
            told = list(words.clauses(step))
            assert len(told) >= 2 + len(step.clear) + len(step.guards) + len(step.clocks)
            assert not any("{" in line for line in told)


def test_show_writes_words_or_a_diagram(tmp_path: Path) -> None:
    english = fazhi("rules", "show", "penalty")
    chinese = fazhi("rules", "show", PENALTY, lang="zh")
    assert (english.code, chinese.code) == (0, 0)
    assert "deadline: within 90 days of filed FILED" in english.out
    assert "期限: 自 立案 FILED 起 90 日内" in chinese.out
    target = tmp_path / "penalty.svg"
    assert fazhi("rules", "show", "penalty", "--diagram", "svg", "-o", target).code == 0
    assert target.read_text(encoding="utf-8") == svg(load_builtin_rule_set("penalty"), "en")
    assert fazhi("rules", "show", "penalty", "-o", target).code == 2, "nothing is overwritten"
    assert "stateDiagram-v2" in fazhi("rules", "show", "penalty", "--diagram", "mermaid").out


# diff


def test_two_versions_are_compared_clause_by_clause(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("amount = 90\n", "amount = 60\n"),
        ("number = 2", "number = 3"),
        ('code = "NOFILE"', 'code = "REFUSED"'),
    )
    done = fazhi("rules", "diff", "penalty", path)
    assert done.code == 1
    assert "step added: not filed REFUSED" in done.out
    assert "step removed: not filed NOFILE" in done.out
    assert "  - deadline: within 90 days of filed FILED" in done.out
    assert "  + deadline: within 60 days of filed FILED" in done.out
    assert "version 3" in done.out
    assert done.out.splitlines()[-1] == "steps: 1 added, 1 removed, 2 changed"
    renumbered = changed(tmp_path, ("amount = 90\n", "amount = 60\n"))
    assert "both version 2: before the vote" in fazhi("rules", "diff", "penalty", renumbered).out.splitlines()[-1]
    same = fazhi("rules", "diff", "penalty", PENALTY, lang="zh")
    assert (same.code, same.out) == (0, "两个版本的条款完全相同\n")


def every_leaf(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands in a document."""
    if isinstance(value, dict):
        return [leaf for name, part in value.items() for leaf in every_leaf(part, (*path, name))]
    if isinstance(value, list):
        return [leaf for place, part in enumerate(value) for leaf in every_leaf(part, (*path, place))]
    return [path]


def altered(value: object) -> object:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case "2020-01-01":
            return "2020-01-02"
        case str():
            return value + "x"
    return value


@pytest.mark.parametrize("seed", range(2))
def test_no_difference_is_passed_over(seed: int) -> None:
    """Whatever is changed in a rule set, as long as it stays sound, the words tell it."""
    rng = Random(seed)
    document = draw_rules(rng, "drawn")
    rules, told, leaves = compile_rule_set(document), 0, every_leaf(document)
    for path in rng.sample(leaves, len(leaves) // 4):
        other = changed_at(document, path)
        try:
            after = compile_rule_set(other)
        except BadRuleSet:  # most changes are not sound
            continue
        if after == rules:
            continue
        found = differences(rules, after)
        assert found, path
        assert found[0].heading != "other-order", path
        assert list(lines(rules, after, "zh"))[1].lstrip()[0] in "-+" or found[0].heading in ("added", "removed")
        told += 1
    assert told > 20


def changed_at(document: Document, path: tuple[str | int, ...]) -> Document:
    copy = deepcopy(document)
    spot: Any = copy
    for part in path[:-1]:
        spot = spot[part]
    spot[path[-1]] = altered(spot[path[-1]])
    return copy


def test_another_order_is_told_as_such() -> None:
    rules = drawn(1)
    other = replace(rules, steps=(rules.steps[0], *rules.steps[:0:-1]))
    assert [one.heading for one in differences(rules, other)] == ["other-order"]
    assert differences(rules, rules) == []


# simulate


def test_a_story_is_played_and_what_is_broken_in_it_is_shown(tmp_path: Path) -> None:
    stories = [STORIES / "ordinary.txt", STORIES / "hearing-last-day.txt"]
    done = fazhi("rules", "simulate", "penalty", *stories, lang="zh")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("与故事相符") == 2
    assert "期限 决定 DECIDED 不迟于 2025-12-12" in done.out
    shorter = changed(tmp_path, ("amount = 90\n", "amount = 60\n"))
    done = fazhi("rules", "simulate", shorter, *stories)
    assert done.code == 1
    broken = [line for line in done.out.splitlines() if "✗" in line]
    assert any("line 24" in line and "deadline-exceeded" in line for line in broken), broken


def test_whatever_a_story_breaks_on_is_said_in_chinese_too() -> None:
    opening = "程序 penalty\n2026-03-02 09:00 LEAD officer:甲\n"
    filed = f"{opening}2026-03-02 10:00 FILED head:局长\n"
    broken = {
        f"{opening}拒绝 unknown-step": "拒绝: 无,故事写的是 unknown-step",
        f"{opening}发现 late-entry": "没有故事所写的发现 late-entry;得出的是 无",
        f"{filed}2026-03-03 10:00 INVEST officer:甲": "故事没有写的发现: signers-short ",
        f"{opening}期限 FILED 2026-03-20": "FILED 的期限届满: 缺 2026 年的工作日历,故事写的是 2026-03-20",
        f"{filed}期限 DECIDED 无": "DECIDED 的期限届满: 2026-05-31,故事写的是 无",
        f"{opening}余额 minutes 3": "累计 minutes 为 0,故事写的是 3",
        f"{opening}颜色 red": "颜色是 无,故事写的是 red",
        f"{opening}结论 违反 行政处罚法 42": "结论 违反: 无,故事写的是 行政处罚法 42",
        f"{opening}结论 不能判断 行政处罚法 42": "结论 不能判断: 无,故事写的是 行政处罚法 42",
    }
    rules = load_builtin_rule_set("penalty")
    for told, said in broken.items():
        with pytest.raises(StoryBroken) as caught:
            check_story(play(read_story(told), rules))
        what = str(dict(caught.value.parameters)["what"])
        assert mismatch(what, "zh").startswith(said), what
        assert mismatch(what, "en") == what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("程序 penalty\n2026-02-30 09:00 LEAD officer:甲", "line 2: there is no 2026-02-30"),
        ("程序 mediation\n2026-02-03 09:00 LEAD officer:甲", "one of the procedure mediation"),
    ],
)
def test_a_story_that_cannot_be_played(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "story.txt"
    path.write_text(text, encoding="utf-8")
    done = fazhi("rules", "simulate", "penalty", path)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("command", [["lint"], ["show"], ["diff", "penalty"], ["simulate"]])
def test_files_that_are_no_rule_sets(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "x.toml"
    path.write_text("procedure = [", encoding="utf-8")
    story = [STORIES / "ordinary.txt"] if command == ["simulate"] else []
    done = fazhi("rules", *command, path, *story)
    assert done.code == 2
    assert "TOML" in done.err
    assert fazhi("rules", *command, tmp_path / "none.toml", *story).code == 2


# calendar


def test_a_calendar_says_what_the_verified_ones_say(tmp_path: Path) -> None:
    calendars = read_story((STORIES / "hearing-last-day.txt").read_text(encoding="utf-8")).calendars
    assert [calendar.year for calendar in calendars] == [2025, 2026]
    for calendar in calendars:
        target = tmp_path / f"{calendar.year}.toml"
        assert fazhi("rules", "calendar", calendar.year, "-o", target).code == 0
        written = compile_calendar(tomllib.loads(target.read_text(encoding="utf-8")))
        assert (written.holidays, written.makeup_days) == (calendar.holidays, calendar.makeup_days)
        assert "chinesecalendar" in written.source


def test_a_year_that_the_package_does_not_know_is_not_guessed() -> None:
    for year in (2003, 2099):
        done = fazhi("rules", "calendar", year)
        assert (done.code, done.out) == (2, "")
        assert f"does not know {year}" in done.err


def test_without_the_package_no_calendar_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chinese_calendar.constants", None)
    with pytest.raises(Misuse) as caught:
        rules_calendar.calendar_toml(2026)
    assert caught.value.code == "no-calendar-package"


def test_no_sentence_is_wanting() -> None:
    assert {name for name in vars(rules_texts) if name.isupper()} <= set(TABLES)
