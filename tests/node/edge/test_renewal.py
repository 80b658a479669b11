"""Homes of members that join a chain that exists, or that are to get another key or certificate: what is made, what is
accounted for by a card, and what is refused before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from fazhi_node.exits import Exit, Misuse, Stop
from fazhi_node.main import main
from fazhi_node.members import read_member_card
from fazhi_node.prepare import prepare
from fazhi_node.storage.vote_log import DiskVoteLog

ORGS = ("alpha", "bravo", "charlie", "delta")


def init(directory: Path, org: str, *more: str) -> Path:
    home = directory / org
    assert main(["init", "--org", org, "--name", f"{org}局", "--home", str(home), "--no-passphrase", *more]) == 0
    return home


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    homes = [init(tmp_path, org) for org in ORGS]
    path = tmp_path / "genesis.fazhi"
    assert main(["genesis", *[str(next(home.glob("*.card"))) for home in homes], "-o", str(path)]) == 0
    for home in homes:
        (home / "genesis.fazhi").write_bytes(path.read_bytes())
    return path


def ready(home: Path) -> tuple[int, int]:
    """How many ledger keys and certificates the node of that home would start with."""
    prepared = prepare(home, None, lambda: b"", None)
    return len(prepared.signers), len(prepared.tls)


def refusal(home: Path) -> str:
    with pytest.raises(Stop) as stopped:
        prepare(home, None, lambda: b"", None)
    return stopped.value.code


def test_who_joins_has_a_card_for_that_chain(tmp_path: Path, genesis: Path) -> None:
    home = init(tmp_path, "echo", "--genesis", str(genesis))
    assert ready(home) == (1, 1)
    prepared = prepare(home, None, lambda: b"", None)
    assert prepared.member.org == "echo"
    card = home / "echo.card"
    assert read_member_card(card, prepared.genesis_hash)[0] == prepared.member
    for other in (None, bytes(32)):
        with pytest.raises(Misuse, match="bad-card"):
            read_member_card(card, other)
    card.unlink()
    assert refusal(home) == "not-a-member"


def test_a_genesis_card_asks_for_no_seat_on_a_chain_that_exists(tmp_path: Path, genesis: Path) -> None:
    home = init(tmp_path, "echo")
    (home / "genesis.fazhi").write_bytes(genesis.read_bytes())
    assert refusal(home) == "not-a-member"


def test_no_genesis_is_no_chain_to_join(tmp_path: Path) -> None:
    (tmp_path / "g").write_bytes(b"nonsense")
    arguments = ["init", "--org", "echo", "--name", "x", "--home", str(tmp_path / "echo"), "--no-passphrase"]
    assert main([*arguments, "--genesis", str(tmp_path / "g")]) == Exit.USAGE
    assert not (tmp_path / "echo").exists()


def test_a_renewal_is_made_beside_what_is_in_use(tmp_path: Path, genesis: Path) -> None:
    home = tmp_path / "alpha"
    own = (home / "keys" / "ledger.key").read_bytes()
    assert main(["renew", "--home", str(home), "--key", "--tls", "--p2p", "10.0.0.9:7444"]) == 0
    assert ready(home) == (2, 2)
    assert (home / "keys" / "ledger.key").read_bytes() == own
    prepared = prepare(home, None, lambda: b"", None)
    member, certificate, _ = read_member_card(home / "alpha-1.card", prepared.genesis_hash)
    assert member.key == prepared.signers[1].public_key != prepared.signers[0].public_key
    assert (certificate, member.p2p_address) == (prepared.tls[1].certificate, "10.0.0.9:7444")
    assert (home / "keys" / "ledger-next.key").stat().st_mode & 0o077 == 0


def test_one_renewal_at_a_time_and_none_of_nothing(tmp_path: Path, genesis: Path) -> None:
    home = tmp_path / "alpha"
    assert main(["renew", "--home", str(home)]) == Exit.USAGE
    assert main(["renew", "--home", str(home), "--key"]) == 0
    before = (home / "keys" / "ledger-next.key").read_bytes()
    assert main(["renew", "--home", str(home), "--key"]) == Exit.USAGE
    assert (home / "keys" / "ledger-next.key").read_bytes() == before
    assert main(["renew", "--home", str(home), "--p2p", "nowhere"]) == Exit.USAGE


def test_a_renewal_is_not_finished_before_the_chain_has_it(tmp_path: Path, genesis: Path) -> None:
    home = tmp_path / "alpha"
    assert main(["renew", "--home", str(home), "--key", "--tls"]) == 0
    assert main(["renew", "--home", str(home), "--finish"]) != 0
    assert ready(home) == (2, 2)


def test_a_key_without_a_card_is_nobodys(tmp_path: Path, genesis: Path) -> None:
    home = tmp_path / "alpha"
    assert main(["renew", "--home", str(home), "--key"]) == 0
    (home / "alpha-1.card").unlink()
    assert refusal(home) == "other-key"


def test_commands_of_governance_need_the_node(
    tmp_path: Path, genesis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path / "alpha")
    for arguments in (["proposals"], ["vote", "abcd", "yes"], ["member", "remove", "delta"]):
        assert main([*arguments, "--home", home, "--lang", "en"]) == Exit.UNREACHABLE
        assert "No node answers" in capsys.readouterr().err


def test_the_votes_of_the_key_to_come_are_renewed_where_they_are_lost(tmp_path: Path, genesis: Path) -> None:
    """The first key's log is sound and stays; the second one's guard is gone. Only the first was ever looked at."""
    home = tmp_path / "alpha"
    assert main(["renew", "--home", str(home), "--key"]) == 0
    prepared = prepare(home, None, lambda: b"", None)
    (_, first, first_guard), (_, second, second_guard) = prepared.vote_places()
    second_guard.unlink()
    before = first_guard.read_bytes()
    assert main(["votes", "--home", str(home), "--renew"]) == 0
    assert first_guard.read_bytes() == before
    assert not DiskVoteLog.inspect(first, first_guard).amnesiac
    assert DiskVoteLog.inspect(second, second_guard).amnesiac
    assert main(["votes", "--home", str(home), "--sign-from", "7"]) == 0
    found = DiskVoteLog.inspect(second, second_guard)
    assert (found.amnesiac, found.floor) == (False, 7)
    assert DiskVoteLog.inspect(first, first_guard).floor < 7
    assert main(["votes", "--home", str(home), "--sign-from", "9"]) == Exit.USAGE
