"""The commands of a procedure that members have voted in, whatever its author has called steps and clear fields."""

from __future__ import annotations

import pytest
from fazhi_cli import case, case_view
from fazhi_cli.parser import Parser
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.ruleset import RuleSet

from tests.contracts.test_others_in_a_case import clock, number, open_case, sign
from tests.contracts.test_ruleset import Document

STEERING = "\x1b[2J\u202e"


def awkward() -> RuleSet:
    """A procedure that knows nothing of this program: two ways to open a case, steps and fields called like commands
    and options, percent signs."""
    document = open_case()
    other = {"code": "START", "zh": "启", "en": "start", "article": "某法 2", "initial": True, "sign": sign("officer")}
    document["steps"].insert(1, other)
    for code in ("SHOW", "SUBMIT"):
        step: Document = {
            "code": code,
            "zh": "示",
            "en": "shown",
            "article": "某法 4",
            "from": ["OPEN"],
            "sign": sign("officer"),
        }
        step["clear"] = [number(name) for name in ("org", "file", "key", "node", "help", "rate", "lang")]
        step["clear"][5].update(zh=f"{STEERING}折扣 %(prog)s 5%", en="rate 5% %(prog)s %s")
        step["clocks"] = [{**clock("OPEN", 3), "article": "某法 %(prog)s 5%"}]
        document["steps"].append(step)
    document["steps"][2]["zh"] = f"{STEERING}100%"
    return compile_rule_set(document)


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Parser:
    rules = awkward()
    monkeypatch.setattr(case, "_voted", lambda *_: rules)
    found = Parser("fazhi case", "zh", "")
    case.configure(found, ["--procedure", "open"])
    return found


def test_every_step_has_a_command_and_none_takes_another_commands_name(parser: Parser) -> None:
    names = {
        ("--procedure", "open", "open"): "OPEN",
        ("--procedure", "open", "start"): "START",
        ("--procedure", "open", "work"): "WORK",
        ("--procedure", "open", "show-step"): "SHOW",
        ("--procedure", "open", "submit-step"): "SUBMIT",
    }
    for given, code in names.items():
        options = parser.parse_args([*given, "1", "--key", "k"])
        assert options.run.args[0].code == code
    assert parser.parse_args(["show", "1", "--org", "zfj"]).run is case_view.show


def test_a_clear_field_called_like_an_option_has_a_name_of_its_own(parser: Parser) -> None:
    named = ["--clear.org", "3", "--org", "zfj", "--clear.file", "4", "--file", "a.jpg", "--rate", "5"]
    options = parser.parse_args(["show-step", "1", "--key", "k", *named])
    assert (options.clear_org, options.org, options.clear_file, options.file) == (3, "zfj", 4, ["a.jpg"])
    assert options.clear_rate == 5


@pytest.mark.parametrize("given", [["--help"], ["show-step", "--help"], ["work", "--help"]])
def test_help_shows_what_names_say_and_lets_them_steer_nothing(
    parser: Parser, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(given)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "%" in shown
    assert not {"\x1b", "\u202e"} & set(shown)
