"""The commands against a network of four real nodes, one story from the first key to the audit; in order."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fazhi_sdk.devnet import node_command

from tests.cli.commands import Outcome, fazhi

pytestmark = pytest.mark.slow

NUMBER = "桐综执罚（２０２６）０４１２号"
NORMAL = "桐综执罚〔2026〕0412号"


class Bench:
    """A folder with a running network, and the commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.genesis_hash = ""

    def __call__(self, *arguments: object, lang: str | None = "en") -> Outcome:
        environment = {"FAZHI_DEVNET": "devnet", "FAZHI_OUTBOX": "outbox.db"}
        return fazhi(*arguments, cwd=self.folder, environment=environment, lang=lang, timeout=110)

    def done(self, *arguments: object, lang: str | None = "en") -> str:
        """A command that must succeed; what it printed."""
        outcome = self(*arguments, lang=lang)
        assert outcome.code == 0, outcome.out + outcome.err
        return outcome.out

    def key(self, name: str) -> Path:
        return Path("devnet") / "officers" / f"{name}.key"

    def public_key(self, name: str) -> str:
        card: dict[str, Any] = json.loads((self.folder / "devnet" / "officers" / f"{name}.card").read_text())
        return str(card["key"])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("bench"))
    try:
        shown = bench("devnet", "up", "devnet")
        assert shown.code == 0, shown.err
        found = re.search(r"genesis hash ([0-9a-f]{64})", shown.out)
        assert found is not None
        bench.genesis_hash = found[1]
        assert len(list((bench.folder / "devnet").glob("*.pid"))) == 4
        (bench.folder / "photo.jpg").write_bytes(random.Random(1).randbytes(5000))
        yield bench
    finally:
        down = bench("devnet", "down", "devnet")
        assert down.code == 0
        assert not list((bench.folder / "devnet").glob("*.pid"))


def org_of(bench: Bench) -> str:
    """The bureau that the officers of a devnet belong to."""
    card: dict[str, Any] = json.loads((bench.folder / "devnet" / "officers" / "officer.card").read_text())
    return str(card["org"])


def test_all_nodes_are_ready(bench: Bench) -> None:
    shown = bench("devnet", "status", "devnet", lang="zh")
    assert shown.code == 0
    assert shown.out.count("就绪 · 高度") == 4
    assert len(re.findall("对等节点 [23]/3", shown.out)) == 4  # ready from a quorum on


def test_a_case_is_opened_and_its_receipt_verifies(bench: Bench) -> None:
    shown = bench.done("case", "open", NUMBER, "--key", bench.key("officer"), "-o", "lead.json", lang="zh")
    assert "已入链 案件来源 LEAD · 案内第 1 条" in shown
    assert bench.genesis_hash in shown
    verified = fazhi("verify", "lead.json", "--genesis-hash", bench.genesis_hash, cwd=bench.folder)
    assert verified.code == 0
    assert f"case {NORMAL} · intake LEAD" in verified.out
    again = bench("case", "lead", NORMAL, "--key", bench.key("officer"))
    assert again.code == 1
    assert "no step was recorded, only this refusal" in again.err
    assert bench.done("case", "filed", NUMBER, "--key", bench.key("head"), "-o", "filed.json")
    assert bench("case", "filed", NUMBER, "--key", bench.key("head"), "-o", "filed.json").code == 2


def test_two_officers_sign_on_two_devices(bench: Bench) -> None:
    drafted = bench(
        *("case", "invest", NUMBER, "--key", bench.key("officer"), "--cosigner", bench.public_key("officer2")),
        *("--file", "photo.jpg", "--field", "place=梧桐街道", "--draft", "x.draft"),
    )
    assert drafted.code == 0, drafted.err
    early = bench("case", "submit", "x.draft")
    assert early.code == 2
    assert "fazhi cosign" in early.err
    unasked = fazhi("cosign", "x.draft", "--key", bench.key("officer2"), cwd=bench.folder)
    assert unasked.code == 2
    assert "--yes" in unasked.err
    (bench.folder / "other.jpg").write_bytes(b"another photo")
    cosign = ("cosign", "x.draft", "--key", bench.key("officer2"), "--yes", "--file")
    assert fazhi(*cosign, "other.jpg", cwd=bench.folder).code == 2
    signed = fazhi(*cosign, "photo.jpg", cwd=bench.folder)
    assert signed.code == 0, signed.err
    for text in (NORMAL, "INVEST", "place = 梧桐街道", "5,000 B · image/jpeg", "matches: photo.jpg"):
        assert text in signed.err
    bench.done("case", "submit", "x.draft", "-o", "invest.json")
    given = ("verify", "invest.json", "--genesis-hash", bench.genesis_hash)
    assert fazhi(*given, "--file", "photo.jpg", cwd=bench.folder).code == 0
    assert fazhi(*given, "--file", "other.jpg", cwd=bench.folder).code == 1


def test_a_breach_is_recorded_as_a_finding(bench: Bench) -> None:
    shown = bench.done("case", "invest", NUMBER, "--key", bench.key("officer"), "--file", "photo.jpg", "-o", "one.json")
    assert "[irregular]" in shown or "[grave]" in shown
    listed: dict[str, Any] = json.loads(bench.done("findings", "--json"))
    assert {one["code"] for one in listed["findings"]} == {"signers-short"}
    assert "行政处罚法 42" in bench.done("findings", lang="zh")
    assert bench.done("findings", "--severity", "note") == ""


def test_the_case_is_shown_with_its_deadline_and_its_whole_trail(bench: Bench) -> None:
    org = org_of(bench)
    shown = bench.done("case", "show", NUMBER, "--org", org, lang="zh")
    assert "现处 调查取证 INVEST,共 4 条记录" in shown
    assert "期限 决定 DECIDED 届满日取决于" in shown, "nobody has voted on a calendar"
    trail: dict[str, Any] = json.loads(bench.done("case", "trail", NUMBER, "--org", org, "--json"))
    assert [event["step"] for event in trail["events"]] == ["LEAD", "FILED", "INVEST", "INVEST"]
    assert [len(event["signers"]) for event in trail["events"]] == [1, 1, 2, 1]
    assert "these 4 records are proven to be all" in bench.done("case", "trail", NUMBER, "--org", org)
    absent = bench("case", "show", "2026-404", "--org", org)
    assert absent.code == 1
    assert "no case" in absent.err


def test_a_receipt_is_fetched_again_and_made_to_disclose_less(bench: Bench) -> None:
    org = org_of(bench)
    trail: dict[str, Any] = json.loads(bench.done("case", "trail", NUMBER, "--org", org, "--json"))
    about = trail["events"][2]["submission_id"]
    assert f"submission {about}" in bench.done("receipt", "get", about, "-o", "again.json")
    again, first = (json.loads((bench.folder / name).read_bytes()) for name in ("again.json", "invest.json"))
    for receipt in (again, first):
        del receipt["certificate"]  # each node keeps the quorum of COMMITs that it saw first
    assert again == first
    given = ("--genesis-hash", bench.genesis_hash)
    assert fazhi("verify", "again.json", "--file", "photo.jpg", *given, cwd=bench.folder).code == 0
    less = ("receipt", "disclose", "invest.json", "--only", "file.1", "--hide-number", "-o", "less.json", *given)
    assert fazhi(*less, cwd=bench.folder).code == 0
    shown = fazhi("verify", "less.json", "--file", "photo.jpg", *given, cwd=bench.folder)
    assert shown.code == 0
    assert "docket number not disclosed" in shown.out
    assert "梧桐" not in shown.out
    assert bench("receipt", "get", "00" * 32).code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("case", "decided", NUMBER, "--key", "devnet/officers/head.key"), "--outcome"),
        (("case", "decided", NUMBER, "--key", "devnet/officers/head.key", "--outcome", "maybe"), "maybe"),
        (("case", "filed", NUMBER), "--key"),
        (("case", "filed", NUMBER, "--key", "nothing.key"), "nothing.key"),
        (("case", "filed", NUMBER, "--key", "photo.jpg"), ""),
        (("case", "filed", NUMBER, "--key", "devnet/officers/head.key", "--file", "absent.pdf"), "absent.pdf"),
        (("case", "filed", NUMBER, "--key", "devnet/officers/head.key", "--field", "file.1=x"), "file.1=x"),
        (("case", "filed", NUMBER, "--key", "devnet/officers/head.key", "--occurred-at", "2026-03-02"), "2026-03-02"),
        (("case", "filed", "11010519491231002X", "--key", "devnet/officers/head.key"), ""),
        (("case", "filed", NUMBER, "--key", "devnet/officers/head.key", "--cosigner", "ab" * 32), "--draft"),
        (("case", "--procedure", "nothing", "filed", NUMBER), "nothing"),
        (("case", "vanish", NUMBER), "vanish"),
        (("case",), ""),
    ],
)
def test_what_cannot_be_meant_is_usage_and_nothing_is_sent(bench: Bench, arguments: tuple[str, ...], said: str) -> None:
    outcome = bench(*arguments)
    assert (outcome.code, outcome.out) == (2, ""), outcome.err
    assert said in outcome.err
    assert outcome.err.startswith("fazhi: ")


def test_another_genesis_is_refused(bench: Bench) -> None:
    status: dict[str, Any] = json.loads(bench.done("devnet", "status", "devnet", "--json"))
    url = next(iter(status["nodes"].values()))["url"]
    given = ("--node", url, "--genesis-hash", "00" * 32)
    outcome = fazhi("case", "show", "1", "--org", "sfj", *given, "--outbox", "o.db", cwd=bench.folder)
    assert outcome.code == 1
    assert "00" * 32 in outcome.err


def test_the_whole_chain_is_audited_from_a_node_and_from_an_archive(bench: Bench) -> None:
    from_node = bench("audit", lang="zh")
    assert from_node.code == 0, from_node.err
    assert from_node.out.startswith("无异常  CLEAN  高度 1–")
    home = next(path for path in (bench.folder / "devnet").iterdir() if (path / "keys").is_dir())
    export = [node_command(), "export", "--home", str(home), "-o", str(bench.folder / "chain.fazhi")]
    subprocess.run(export, check=True, capture_output=True, timeout=60)
    said: dict[str, Any] = json.loads(bench.done("audit", "--archive", "chain.fazhi", "--json"))
    assert (said["verdict"], said["fault"], said["records"], said["refused"]) == ("CLEAN", None, 4, 1)
    assert said["findings"] == {"signers-short": 1}
    assert "真实" not in from_node.out


def test_what_cannot_be_delivered_is_kept_and_delivered_later(bench: Bench) -> None:
    bench.done("devnet", "down", "devnet")
    kept = bench("case", "invend", NUMBER, "--key", bench.key("officer"), "--file", "photo.jpg")
    assert kept.code == 3, kept.err
    assert "safe in the outbox" in kept.err
    assert bench("case", "show", NUMBER, "--org", org_of(bench)).code == 3
    assert bench("devnet", "status", "devnet").code == 1
    bench.done("devnet", "up", "devnet")
    assert "recorded" in bench.done("case", "flush")
    trail: dict[str, Any] = json.loads(bench.done("case", "trail", NUMBER, "--org", org_of(bench), "--json"))
    assert [event["step"] for event in trail["events"]] == ["LEAD", "FILED", "INVEST", "INVEST", "INVEND"]


def test_what_is_missing_to_ask_a_chain_is_said(bench: Bench) -> None:
    """A question has nothing to deliver later; without a source all three are named."""
    known = ("--genesis-hash", "00" * 32)
    silent = fazhi("audit", "--node", "https://127.0.0.1:1", *known, cwd=bench.folder)
    assert silent.code == 3
    assert "flush" not in silent.err
    assert "ask again" in silent.err
    nameless = fazhi("audit", *known, cwd=bench.folder)
    assert nameless.code == 2
    assert all(option in nameless.err for option in ("--archive", "--node", "--devnet"))
    empty = bench("findings", "--severity", "grave")
    assert (empty.code, empty.out, empty.err) == (0, "", "findings: none\n")


def test_without_a_token_nobody_is_told_that_nothing_was_recorded(bench: Bench) -> None:
    state = json.loads((bench.folder / "devnet" / "devnet.json").read_text("utf-8"))
    at = ("--node", state["nodes"][0]["url"], "--genesis-hash", state["genesis_hash"], "--outbox", "tokenless.db")
    outcome = fazhi("case", "open", "T-1", "--key", bench.key("officer"), *at, cwd=bench.folder)
    assert outcome.code == 3
    assert "--token-file" in outcome.err
    assert "nothing" not in outcome.err
    assert "LEAD" in bench.done("case", "trail", "T-1", "--org", org_of(bench))


def test_salts_are_destroyed_once_it_stands_on_the_chain(bench: Bench) -> None:
    org = org_of(bench)
    trail: dict[str, Any] = json.loads(bench.done("case", "trail", NUMBER, "--org", org, "--json"))
    about = trail["events"][2]["submission_id"]
    keys = ("--key", bench.key("head"), "--key", bench.key("reviewer"))
    approved = (
        "--ref",
        about,
        "--scope",
        "fields",
        "--ground",
        "term",
        "--field",
        "fields=place",
        "--file",
        "photo.jpg",
    )
    bench.done("case", "saltgone", NUMBER, *approved, *keys, "-o", "gone.json")
    elsewhere = bench("receipt", "destroy", "gone.json", "--outbox", "empty.db")
    assert (elsewhere.code, "with another outbox (--outbox)" in elsewhere.err) == (2, True)
    assert "salts destroyed of place" in bench.done("receipt", "destroy", "gone.json")
    bench.done("receipt", "get", about, "-o", "without.json")
    shown = fazhi(
        "verify", "without.json", "--file", "photo.jpg", "--genesis-hash", bench.genesis_hash, cwd=bench.folder
    )
    assert shown.code == 0
    assert "梧桐" not in shown.out
    refused = bench("receipt", "destroy", "invest.json")
    assert (refused.code, "no receipt of a destruction" in refused.err) == (2, True)


def test_there_is_no_second_network_to_take_down(tmp_path: Path) -> None:
    assert fazhi("devnet", "down", cwd=tmp_path).code == 0
    assert fazhi("devnet", "status", cwd=tmp_path).code == 1
