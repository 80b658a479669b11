"""``fazhi verify`` as a process: verdicts, exit codes, languages, JSON, hostile input, and what it must not import."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fazhi_ledger.record import FileValue, Opening

from tests.cli.commands import FAZHI, Outcome, fazhi
from tests.ledger.builders import DOCKET, PHOTO, World

WORLD = World()
GENESIS = WORLD.genesis_hash.hex()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a receipt, the same one anchored, the photo, and another file."""
    (tmp_path / "receipt.json").write_bytes(WORLD.receipt().to_json())
    (tmp_path / "anchored.json").write_bytes(WORLD.anchored_receipt().to_json())
    (tmp_path / "现场照片.jpg").write_bytes(PHOTO)
    (tmp_path / "other.jpg").write_bytes(PHOTO + b"!")
    return tmp_path


def verify(here: Path, receipt: str = "receipt.json", *more: object, **settings: Any) -> Outcome:
    return fazhi("verify", receipt, "--genesis-hash", GENESIS, *more, cwd=here, **settings)


def test_a_valid_receipt_says_so_first_then_what_is_recorded_then_what_is_not_proven(here: Path) -> None:
    done = verify(here, "receipt.json", "--file", "现场照片.jpg", lang="zh")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("上链后一致  VALID")
    assert "现场照片.jpg · 20 字节 · sha256 93d2bd85" in lines[0]
    shown = (
        "综合行政执法局",
        DOCKET,
        "执法人员",
        "2026-01-01 09:13:20 +08:00",
        "高度 1",
        "3/4;其中非当事方: 司法局、法院",
    )
    places = [done.out.index(text) for text in (*shown, " 1 收据格式", "11 法定多数成员签署", "未证明", GENESIS)]
    assert places[6:] == sorted(places[6:])
    assert max(places[:6]) < places[6]
    assert "由您提供" in done.out.splitlines()[-1]


@pytest.mark.parametrize("receipt", ["receipt.json", "anchored.json"])
def test_english(here: Path, receipt: str) -> None:
    done = verify(here, receipt, "--file", "现场照片.jpg")
    assert done.code == 0
    assert done.out.startswith("VALID ")
    assert "3 of 4; not a party: SFJ, FY" in done.out
    assert "given by you" in done.out


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_it_never_claims_truth(here: Path, lang: str) -> None:
    for arguments in (("--file", "现场照片.jpg"), ("--file", "other.jpg"), ("--help",)):
        done = verify(here, "receipt.json", *arguments, lang=lang)
        assert "真实" not in done.out + done.err


def test_without_the_file_only_the_record_is_verified(here: Path) -> None:
    done = verify(here)
    assert done.code == 0
    assert "no file was given" in done.out.splitlines()[0]
    assert "not given, not compared" in done.out
    assert "whether the files that were not given are the same" in " ".join(done.out.split())


def test_another_file_is_found_out_in_one_sentence_before_any_table(here: Path) -> None:
    done = verify(here, "receipt.json", "--file", "other.jpg", lang="zh")
    assert done.code == 1
    first = done.out.splitlines()[0]
    assert first.startswith("不一致  INVALID  第 3 步“文件、字段与承诺”未通过")
    assert "other.jpg" in first
    assert DOCKET not in done.out  # nothing of an invalid receipt is shown as fact


def test_a_changed_receipt_is_found_out(here: Path) -> None:
    changed = dataclasses.replace(WORLD.receipt(), record_index=0).to_json()
    (here / "receipt.json").write_bytes(changed)
    done = verify(here)
    assert done.code == 1
    assert done.out.startswith("INVALID")
    (here / "receipt.json").write_bytes(changed[:-20])
    assert verify(here).out.splitlines()[0].count("step 1 ") == 1


def test_another_genesis_is_found_out(here: Path) -> None:
    done = fazhi("verify", "receipt.json", "--genesis-hash", "00" * 32, cwd=here)
    assert done.code == 1
    assert "step 2 " in done.out.splitlines()[0]


def test_a_refused_submission_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_bytes(World(result_code="impossible-step").receipt().to_json())
    done = verify(tmp_path)
    assert done.code == 1
    assert "impossible-step" in done.out.splitlines()[0]


def test_huge_and_empty_receipts_are_invalid(here: Path) -> None:
    for content in (b"", b"[" * 100_000, b" " * (4 * 1024 * 1024 + 7)):
        (here / "receipt.json").write_bytes(content)
        done = verify(here)
        assert (done.code, done.err) == (1, "")
        assert "step 1 " in done.out.splitlines()[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("absent.json",),
        (".",),
        ("receipt.json", "--file", "absent.jpg"),
        ("receipt.json", "--file", "."),
        ("receipt.json", "--file", "pipe"),
        ("pipe",),
        ("receipt.json", "--file", "/dev/zero"),
        ("receipt.json", "--wrong"),
        ("receipt.json", "other.json"),
        ("receipt.json", "--genesis-hash", "12ab"),
        ("receipt.json", "--genesis-hash", "g" * 64),
        ("receipt.json", "--genesis-hash", "１" * 64),
        ("receipt.json", "--genesis-hash"),
        (),
    ],
)
def test_usage(here: Path, arguments: tuple[str, ...]) -> None:
    os.mkfifo(here / "pipe")
    lang = "zh" if len(" ".join(arguments)) % 2 else "en"
    given = ("verify", "--genesis-hash", GENESIS, *arguments)
    done = fazhi(*given, cwd=here, lang=None, environment={"FAZHI_LANG": lang})
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("fazhi: ")
    assert done.err.count("\n") == 1
    assert any("\u4e00" <= char <= "\u9fff" for char in done.err) == (lang == "zh")


def with_algorithm(name: str) -> bytes:
    """The receipt, its file committed under another digest algorithm."""
    value = FileValue(((name, b"\x07" * 32),), len(PHOTO), "image/jpeg").to_value()
    opening = Opening("file.1", b"\x01" * 32, value)
    receipt = WORLD.receipt()
    first = dataclasses.replace(receipt.openings[0], opening=opening.encode())
    return dataclasses.replace(receipt, openings=(first, *receipt.openings[1:])).to_json()


def test_a_digest_that_cannot_be_computed_here_leaves_it_undecided(here: Path) -> None:
    (here / "receipt.json").write_bytes(with_algorithm("blake3"))
    done = verify(here, "receipt.json", "--file", "现场照片.jpg")
    assert (done.code, done.out) == (3, "")
    assert "blake3" in done.err


def test_a_known_suite_that_is_lacking_here_leaves_it_undecided(here: Path) -> None:
    genesis = dataclasses.replace(WORLD.genesis, suite_name="sm2-sm3").encode()
    (here / "receipt.json").write_bytes(dataclasses.replace(WORLD.receipt(), genesis=genesis).to_json())
    done = verify(here)
    assert done.code in (1, 3)  # 1 once this build has the suite: then it is simply another genesis
    if done.code == 3:
        assert "sm2-sm3" in done.err
    garbled = dataclasses.replace(WORLD.genesis, suite_name="ed25519-sha257").encode()
    (here / "receipt.json").write_bytes(dataclasses.replace(WORLD.receipt(), genesis=garbled).to_json())
    assert verify(here).code == 1


def test_json_has_stable_keys_and_prose_goes_to_stderr(here: Path) -> None:
    done = verify(here, "anchored.json", "--json", "--file", "现场照片.jpg")
    assert done.code == 0
    assert done.err.startswith("VALID")
    said = json.loads(done.out)
    assert sorted(said) == [
        "block",
        "failed_step",
        "findings",
        "format",
        "genesis_hash",
        "genesis_hash_from",
        "not_proven",
        "presented_files",
        "record",
        "steps",
        "summary",
        "verdict",
    ]
    assert (said["verdict"], said["failed_step"], said["findings"]) == ("VALID", None, [])
    assert [step["number"] for step in said["steps"]] == list(range(1, 12))
    assert {step["status"] for step in said["steps"]} == {"passed"}
    assert sorted(said["record"]) == [
        "case_id",
        "case_key",
        "case_member",
        "claimed_time_ms",
        "clear",
        "commitments",
        "docket_number",
        "fields",
        "files",
        "number_in_case",
        "occurred_at_ms",
        "org",
        "procedure",
        "refs",
        "signers",
        "step",
    ]
    assert said["record"]["fields"] == {"place": "梧桐街道", "note": 7}
    assert said["record"]["files"][0]["presented_as"] == "现场照片.jpg"
    assert (said["block"]["height"], said["block"]["certified_height"]) == (1, 7)
    assert said["block"]["not_a_party"] == ["sfj", "fy"]
    roles = ["member"]
    assert said["block"]["signed_by"] == [
        {"org": "sfj", "roles_in_genesis": roles, "party": False},
        {"org": "zfj", "roles_in_genesis": roles, "party": True},
        {"org": "fy", "roles_in_genesis": roles, "party": False},
    ]
    assert said["record"]["case_member"] == "zfj"
    assert said["genesis_hash"] == GENESIS


def test_json_of_an_invalid_receipt(here: Path) -> None:
    done = verify(here, "receipt.json", "--json", "--file", "other.jpg")
    said = json.loads(done.out)
    assert (done.code, said["verdict"], said["record"], said["block"]) == (1, "INVALID", None, None)
    assert (said["failed_step"]["number"], said["failed_step"]["code"]) == (3, "file-does-not-match")
    assert said["steps"][3]["code"] == "not-reached"


def test_names_cannot_steer_the_terminal(here: Path) -> None:
    hostile = "a\x1b[2J\r\u202egpj.jpg"
    (here / hostile).write_bytes(PHOTO)
    for content, code in ((PHOTO, 0), (b"x", 1)):
        (here / hostile).write_bytes(content)
        done = verify(here, "receipt.json", "--file", hostile)
        assert done.code == code
        assert not {"\x1b", "\r", "\u202e"} & set(done.out)
    assert json.loads(verify(here, "receipt.json", "--json").out)


def test_colour_only_on_a_terminal(here: Path) -> None:
    assert "\x1b" not in verify(here).out


def test_a_terminal_that_lacks_chinese_gets_escapes(here: Path) -> None:
    done = verify(here, lang="zh", environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.code == 0
    assert done.out.startswith("\\u4e0a")


def test_a_reader_that_leaves_is_no_error(here: Path) -> None:
    script = f'"{FAZHI}" verify receipt.json --genesis-hash {GENESIS} --json | true; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", script], cwd=here, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() in ("0", "141")
    assert "Traceback" not in done.stderr


def test_neither_network_nor_store_nor_framework_is_imported(here: Path) -> None:
    heavy = ("grpc", "plyvel", "fastapi", "pydantic", "aiohttp", "typer", "rich", "asyncio", "ssl", "sqlite3")
    script = (
        "import sys; from fazhi_cli.main import main; code = main(sys.argv[1:]);"
        f"print(code, [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    arguments = ["verify", "receipt.json", "--genesis-hash", GENESIS, "--file", "现场照片.jpg"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=here, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.split("\n")[0] == "0 []"


def test_a_value_cannot_look_like_a_line_of_ours() -> None:
    """Runs of spaces and length would let a terminal wrap a docket number into a line that reads VALID."""
    from fazhi_cli.verify_text import SHOWN_CHARS, contained

    forged = "x" + " " * 400 + "上链后一致  VALID"
    assert contained(forged, SHOWN_CHARS) == "x 上链后一致 VALID"
    assert contained("y" * SHOWN_CHARS, SHOWN_CHARS) == "y" * SHOWN_CHARS
    assert contained("y" * (SHOWN_CHARS + 1), SHOWN_CHARS) == "y" * SHOWN_CHARS + f"… ({SHOWN_CHARS + 1})"
