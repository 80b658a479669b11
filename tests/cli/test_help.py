"""Help and complaints, whole in either language."""

from __future__ import annotations

import re
import string

import pytest
from fazhi_cli import messages, rules_texts
from fazhi_cli.language import language_of
from fazhi_cli.main import COMMANDS, build, main
from fazhi_cli.terminal import width, wrap

from tests.cli.commands import fazhi

HAN = range(0x4E00, 0xA000)


def has_chinese(text: str) -> bool:
    return any(ord(char) in HAN for char in text)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_in_one_language(command: str) -> None:
    english = fazhi(*command.split(), "--help", lang="en")
    chinese = fazhi(*command.split(), "--help", lang="zh")
    assert (english.code, chinese.code) == (0, 0)
    assert "usage: fazhi" in english.out
    assert "options:" in english.out
    # the name of the chain and the titles of Chinese laws are names
    assert not has_chinese(re.sub(r"法治联盟链|\([^()]*(法|条例|规定|号)[^()]*\)", "", english.out))
    assert "用法: fazhi" in chinese.out
    assert "选项:" in chinese.out
    for word in ("usage", "options:", "show this", "positional"):
        assert word not in chinese.out


def test_no_command_shows_the_help_and_is_no_success() -> None:
    done = fazhi(lang=None, environment={"FAZHI_LANG": "en"})
    assert (done.code, done.out) == (2, "")
    assert "commands:" in done.err


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", ("命令不能是 'veryfy'", "verify")), ("en", ("cannot be 'veryfy'",))]
)
def test_unknown_command(lang: str, words: tuple[str, ...]) -> None:
    done = fazhi("veryfy", lang=None, environment={"LANG": f"{lang}_XX.UTF-8"})
    assert done.code == 2
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, "zh"),
        ([], {"LANG": "C.UTF-8"}, "zh"),
        ([], {"LANG": "en_GB.UTF-8"}, "en"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN", "LC_ALL": "en_US.UTF-8"}, "en"),
        ([], {"FAZHI_LANG": "zh", "LC_ALL": "en_US.UTF-8"}, "zh"),
        (["--lang", "en"], {"FAZHI_LANG": "zh"}, "en"),
        (["verify", "x", "--lang=zh"], {"LANG": "en_US"}, "zh"),
        (["--", "--lang", "en"], {}, "zh"),
    ],
)
def test_choice_of_language(arguments: list[str], environment: dict[str, str], expected: str) -> None:
    assert language_of(arguments, environment) == expected


TABLES = {
    name: table
    for module in (messages, rules_texts)
    for name, table in vars(module).items()
    if isinstance(table, dict) and name.isupper()
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_both_halves_of_a_sentence_name_the_same_parameters(name: str) -> None:
    def places(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}

    for code, (zh, en) in TABLES[name].items():
        assert places(zh) == places(en), code
        assert zh
        assert en


def test_every_command_has_its_help() -> None:
    for language in ("zh", "en"):
        parser = build(COMMANDS, language)
        assert all(command in parser.format_help() for command in COMMANDS)


def test_lines_are_as_long_as_they_look() -> None:
    text = "离线核验:文件、记录、签名、区块与成员沿革逐步重算(the genesis hash),只信任您给出的创世哈希。"
    for columns in range(12, 60):
        lines = wrap(text, columns)
        assert all(width(line) <= columns + 2 for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert not any(line[0] in "、。,)" for line in lines)


def test_a_fault_of_its_own_is_no_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError("\x1b[31m")

    monkeypatch.setattr("fazhi_cli.verify.read_file", fail)
    assert main(["verify", "r.json", "--genesis-hash", "00" * 32, "--lang", "en"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("fazhi: this program failed (ZeroDivisionError: ·[31m, test_help.py:")
