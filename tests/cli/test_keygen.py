"""``fazhi keygen``: encrypted key files, cards with a proof of possession, and refusals that change nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from fazhi_ledger.errors import InvalidKey
from fazhi_ledger.genesis import verify_possession
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.suites import ED25519_SHA256

from tests.cli.commands import fazhi

SECRET = {"FAZHI_PASSPHRASE": "open sesame"}


def test_a_key_is_encrypted_private_and_printed(tmp_path: Path) -> None:
    done = fazhi("keygen", "a.key", cwd=tmp_path, environment=SECRET)
    assert done.code == 0
    pem = (tmp_path / "a.key").read_bytes()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert SoftwareSigner.from_pem(ED25519_SHA256, pem, b"open sesame").public_key.hex() == done.out.strip()
    with pytest.raises(InvalidKey):
        SoftwareSigner.from_pem(ED25519_SHA256, pem, b"open barley")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.key"]


@pytest.mark.parametrize("chain", [None, "ab" * 32])
def test_a_card_proves_possession_for_org_roles_and_chain(tmp_path: Path, chain: str | None) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    for_chain = () if chain is None else ("--genesis-hash", chain)
    names = ("--org", "zfj", "--role", "officer", "--role", "head")
    done = fazhi("keygen", "a.key", *names, *for_chain, "--passphrase-file", "secret", cwd=tmp_path)
    assert done.code == 0, done.err
    card = json.loads((tmp_path / "a.card").read_text())
    assert (card["org"], card["roles"], card["key"]) == ("zfj", ["head", "officer"], done.out.strip())
    genesis_hash = None if chain is None else bytes.fromhex(chain)
    key, proof = bytes.fromhex(card["key"]), bytes.fromhex(card["possession"])
    verify_possession(ED25519_SHA256, genesis_hash, "zfj", key, ("head", "officer"), proof)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    for name in ("a.key", "a.card"):
        (tmp_path / name).write_text("mine")
        done = fazhi("keygen", "a.key", "--org", "zfj", "--role", "officer", cwd=tmp_path, environment=SECRET)
        assert done.code == 2
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    (tmp_path / "link.key").symlink_to(tmp_path / "elsewhere")
    assert fazhi("keygen", "link.key", cwd=tmp_path, environment=SECRET).code == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("arguments", "secret"),
    [
        (("a.key",), None),
        (("a.key",), "short"),
        (("a.key", "--org", "zfj"), "open sesame"),
        (("a.key", "--role", "officer"), "open sesame"),
        (("a.key", "--org", "ZFJ", "--role", "officer"), "open sesame"),
        (("a.key", "--org", "zfj", "--role", "执法人员"), "open sesame"),
        (("nowhere/a.key",), "open sesame"),
        (("a.key", "--genesis-hash", "12"), "open sesame"),
    ],
)
def test_refusals_change_nothing(tmp_path: Path, arguments: tuple[str, ...], secret: str | None) -> None:
    environment = {} if secret is None else {"FAZHI_PASSPHRASE": secret}
    done = fazhi("keygen", *arguments, cwd=tmp_path, environment=environment)
    assert (done.code, done.out) == (2, "")
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_the_clear_is_made_only_when_asked_for_and_warned_of(tmp_path: Path) -> None:
    done = fazhi("keygen", "a.key", "--no-passphrase", cwd=tmp_path)
    assert done.code == 0
    assert "not encrypted" in done.err
    assert b"BEGIN PRIVATE KEY" in (tmp_path / "a.key").read_bytes()
