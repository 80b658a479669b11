"""``fazhi audit`` and ``fazhi findings`` on archives: verdicts, exit codes, JSON, and what is not imported."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fazhi_ledger.archive import write_archive

from tests.cli.commands import FAZHI, Outcome, fazhi
from tests.client_sdk.chains import build_chain

FILE, BLOCKS = build_chain(3, 4)
GENESIS = FILE.hash().hex()
WHOLE = b"".join(write_archive(FILE.encode(), BLOCKS))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "chain.fazhi").write_bytes(WHOLE)
    return tmp_path


def audit(here: Path, *more: object, **settings: Any) -> Outcome:
    return fazhi("audit", "--archive", "chain.fazhi", "--genesis-hash", GENESIS, *more, cwd=here, **settings)


def test_a_chain_that_holds(here: Path) -> None:
    done = audit(here, lang="zh")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("无异常  CLEAN  高度 1–3,")
    assert "提交 12(被拒绝 0) · 记录 12" in done.out
    assert "发现 12 条: signers-short 6 · step-skipped 6" in done.out
    assert lines[-1].endswith(f"{GENESIS} (由您提供)")
    assert "真实" not in done.out
    assert audit(here).out.startswith("CLEAN  heights 1–3:")


def test_json(here: Path) -> None:
    done = audit(here, "--json")
    said = json.loads(done.out)
    assert done.err.startswith("CLEAN")
    assert sorted(said) == [
        "fault",
        "findings",
        "format",
        "genesis_hash",
        "genesis_hash_from",
        "head_hash",
        "head_time_ms",
        "height",
        "membership_changes",
        "records",
        "refused",
        "seconds",
        "signatures",
        "state_root",
        "submissions",
        "verdict",
    ]
    assert (said["verdict"], said["fault"], said["height"], said["records"]) == ("CLEAN", None, 3, 12)


@pytest.mark.parametrize("seed", range(6))
def test_a_changed_bit_is_found_out_at_its_height(here: Path, seed: int) -> None:
    seeded = random.Random(seed)
    place = seeded.randrange(len(WHOLE))
    changed = bytearray(WHOLE)
    changed[place] ^= 1 << seeded.randrange(8)
    (here / "chain.fazhi").write_bytes(changed)
    done = audit(here)
    assert done.code == 1, place
    assert re.match(r"FAULTY {2}height [0-4]: \S", done.out), (place, done.out)


def test_a_block_that_does_not_belong_is_named_by_its_height(here: Path) -> None:
    swapped = [BLOCKS[0], BLOCKS[2], BLOCKS[1]]
    (here / "chain.fazhi").write_bytes(b"".join(write_archive(FILE.encode(), swapped)))
    done = audit(here, "--json")
    said = json.loads(done.out)
    assert (done.code, said["fault"]["height"], said["height"]) == (1, 2, 1)
    assert "up to there, heights 1–1 hold" in done.err


def test_cut_short_and_another_genesis(here: Path) -> None:
    (here / "chain.fazhi").write_bytes(WHOLE[:-2])
    said = json.loads(audit(here, "--json").out)
    assert (said["verdict"], said["fault"]["code"]) == ("FAULTY", "archive-cut-short")
    other = fazhi("audit", "--archive", "chain.fazhi", "--genesis-hash", "11" * 32, cwd=here, lang="zh")
    assert other.code == 1
    assert other.out.startswith("有异常  FAULTY  高度 0: ")
    assert "11" * 32 in other.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--archive", "absent.fazhi"), 2),
        (("--archive", "."), 2),
        (("--archive", "/dev/zero"), 2),
        (("--archive", "chain.fazhi", "--node", "https://127.0.0.1:9"), 2),
        ((), 2),
        (("--node", "ftp://x"), 2),
        (("--node", "https://127.0.0.1:9"), 3),
        (("--archive", "chain.fazhi", "--genesis-hash", "1"), 2),
    ],
)
def test_usage_and_undecided(here: Path, arguments: tuple[str, ...], code: int) -> None:
    done = fazhi("audit", "--genesis-hash", GENESIS, *arguments, cwd=here)
    assert (done.code, done.out) == (code, ""), done.err
    assert done.err.startswith("fazhi: ")
    assert "outbox" not in done.err


def test_the_genesis_hash_is_never_taken_from_the_archive(here: Path) -> None:
    assert fazhi("audit", "--archive", "chain.fazhi", cwd=here).code == 2


def test_findings_are_listed_with_their_articles(here: Path) -> None:
    given = ("findings", "--archive", "chain.fazhi", "--genesis-hash", GENESIS)
    shown = fazhi(*given, cwd=here, lang="zh")
    assert shown.code == 0
    assert len(shown.out.splitlines()) == 12
    assert "此前未记录 立案 FILED" in shown.out
    assert "行政处罚法 42" in shown.out
    assert len(fazhi(*given, "--limit", "5", cwd=here).out.splitlines()) == 5
    listed = json.loads(fazhi(*given, "--json", cwd=here).out)["findings"]
    assert {one["code"] for one in listed} == {"signers-short", "step-skipped"}
    (here / "chain.fazhi").write_bytes(WHOLE[:-2])
    broken = fazhi(*given, cwd=here)
    assert (broken.code, broken.out) == (1, "")
    assert "FAULTY" in broken.err


def test_signatures_are_verified_in_processes_beside(here: Path) -> None:
    """Many signatures: the installed script is what the processes beside it are spawned from."""
    file, blocks = build_chain(3, 800)
    (here / "chain.fazhi").write_bytes(b"".join(write_archive(file.encode(), blocks)))
    given = [str(FAZHI), "audit", "--archive", "chain.fazhi", "--genesis-hash", file.hash().hex(), "--processes", "2"]
    done = subprocess.run([*given, "--json"], cwd=here, capture_output=True, text=True, timeout=100, check=True)
    assert json.loads(done.stdout)["signatures"] == 3 * 800 + 3 * 3


def test_neither_transport_nor_store_nor_framework_is_imported(here: Path) -> None:
    heavy = ("grpc", "plyvel", "fastapi", "pydantic", "starlette", "aiohttp", "typer")
    script = (
        "import sys; from fazhi_cli.main import main; code = main(sys.argv[1:]);"
        f"print(code, [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, "audit", "--archive", "chain.fazhi", "--genesis-hash", GENESIS]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "0 []"
