"""The configuration: what is accepted, and the one sentence for everything that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fazhi_node.addresses import GatewayUrl, is_loopback, join_address, split_address
from fazhi_node.config import SETTINGS, load
from fazhi_node.config_file import config_text
from fazhi_node.exits import Misuse
from fazhi_node.texts import TEXTS, printable, sentence, sentence_of


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("FAZHI_NODE_"):
            monkeypatch.delenv(name)


def home(tmp_path: Path, text: str) -> Path:
    (tmp_path / "fazhi-node.toml").write_text(text, encoding="utf-8")
    return tmp_path


def refused(path: Path) -> Misuse:
    with pytest.raises(Misuse) as caught:
        load(path)
    for language in ("zh", "en"):
        text = sentence_of(caught.value, language)
        assert "{" not in text
        assert caught.value.code not in text, "it is a sentence, not a code"
    return caught.value


def test_the_file_that_init_writes_holds_every_setting_with_its_default(tmp_path: Path) -> None:
    text = config_text("notary", "127.0.0.1:1", "127.0.0.1:2", plain=True, open_reads=False)
    config = load(home(tmp_path, text))
    assert (config.org, config.http_listen, config.p2p_listen) == ("notary", "127.0.0.1:1", "127.0.0.1:2")
    assert (config.http_plain, config.open_reads) == (True, False)
    uncommented = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)
    assert set(re.findall(r"^(\w+) = ", uncommented, flags=re.MULTILINE)) == set(SETTINGS)
    assert load(home(tmp_path, uncommented)) == config


def test_the_environment_stands_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home(tmp_path, 'org = "a"\nlog_level = "error"\nhttp_items = 5\n')
    monkeypatch.setenv("FAZHI_NODE_LOG_LEVEL", "debug")
    monkeypatch.setenv("fazhi_node_http_items", "7")
    config = load(path, {"log_level": "warning"})
    assert (config.log_level, config.http_items) == ("warning", 7)


def test_a_misspelt_key_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    error = refused(home(tmp_path, 'org = "a"\nhttp_lissten = "127.0.0.1:1"\n'))
    assert error.code == "unknown-setting"
    assert dict(error.parameters)["nearest"] == "http_listen"


def test_a_misspelt_variable_is_refused_with_the_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAZHI_NODE_OPENREADS", "true")
    error = refused(home(tmp_path, 'org = "a"\n'))
    assert error.code == "unknown-variable"
    assert dict(error.parameters)["nearest"] == "FAZHI_NODE_OPEN_READS"


@pytest.mark.parametrize(
    ("line", "code", "named"),
    [
        ("http_items = 0", "bad-setting", "http_items"),
        ("http_items = 10001", "bad-setting", "http_items"),
        ('http_items = "many"', "bad-setting", "http_items"),
        ('log_level = "loud"', "bad-setting", "log_level"),
        ('p2p_listen = "7444"', "bad-setting", "p2p_listen"),
        ('p2p_listen = "host:99999"', "bad-setting", "p2p_listen"),
        ('http_listen = "0.0.0.0:80"\nhttp_plain = true', "plain-http", ""),
        ("http_items = [", "config-syntax", ""),
        ("[http]\nitems = 3", "unknown-setting", "http"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(tmp_path: Path, line: str, code: str, named: str) -> None:
    error = refused(home(tmp_path, f'org = "a"\n{line}\n'))
    assert error.code == code
    if named:
        assert dict(error.parameters)["name"] == named


def test_no_file_a_missing_key_and_a_bad_org(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "no-config"
    assert refused(home(tmp_path, "")).code == "missing-setting"
    assert refused(home(tmp_path, 'org = "Upper Case"\n')).code == "bad-setting"


def test_bounds_stand_in_the_sentence(tmp_path: Path) -> None:
    assert "1 … 2048" in sentence_of(refused(home(tmp_path, 'org = "a"\nhttp_items = 0\n')), "en")


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "a b:1", "h:1:2", "host:70000", "[::1]", "user@h:1", "h:१"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        split_address(text)


def test_addresses() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    assert join_address("::1", 80) == "[::1]:80"
    assert is_loopback("::1")
    assert is_loopback("127.3.2.1")
    assert is_loopback("localhost")
    assert not is_loopback("10.0.0.1")
    assert str(GatewayUrl.parse("https://notary:7443/")) == "https://notary:7443"
    for bad in ("ftp://x", "https://x/path", "https://u:p@x", "https://x?q=1", "notary:7443", "https://:1"):
        with pytest.raises(ValueError):  # noqa: PT011
            GatewayUrl.parse(bad)


def test_every_sentence_exists_in_both_languages() -> None:
    import string

    from fazhi_node.gateway.texts import TEXTS as GATEWAY
    from fazhi_node.machine_texts import TEXTS as MACHINE

    for table in (TEXTS, GATEWAY, MACHINE):
        for code, (zh, en) in table.items():
            fields = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in (zh, en)]
            assert fields[0] == fields[1], code
            assert all((zh, en)), code


def test_a_code_that_two_floors_use_gets_the_sentence_that_fits_its_parameters() -> None:
    assert "built-in" in sentence("unknown-procedure", (("name", "x"), ("known", "y")), "en")
    assert "rule set" in sentence("unknown-procedure", (("procedure", "x"),), "en")
    assert sentence("no-such-code", (("a", "b\n"),), "en") == "no-such-code (a=b\\n)"


def test_no_text_from_outside_can_forge_a_line_or_turn_the_writing() -> None:
    assert printable("a\nb\r\x1b[31m\u202e\u2028") == "a\\nb\\r\\x1b[31m\\u202e\\u2028"
    assert printable("公证处 · ok") == "公证处 · ok"
