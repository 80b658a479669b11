"""Homes of members that join a chain that exists, or that are to get another key or certificate: what is made, what is
accounted for by a card, and what is refused before anything is started."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path

import pytest
from fazhi_contracts.entries import MemberEntry
from fazhi_contracts.genesis_state import genesis_state
from fazhi_contracts.keys import member_key, single_key
from fazhi_contracts.state import MemoryState
from fazhi_ledger.validators import Validator, ValidatorSet
from fazhi_node.exits import Exit, Misuse, Stop
from fazhi_node.main import main
from fazhi_node.members import read_member_card
from fazhi_node.prepare import MAX_OWN_CARDS, Prepared, prepare
from fazhi_node.private_files import write_new
from fazhi_node.renewal import put_in_place
from fazhi_node.storage.chain_store import open_chain
from fazhi_node.storage.files import RealFiles
from fazhi_node.storage.store import open_store
from fazhi_node.storage.vote_log import DiskVoteLog
from fazhi_node.texts import sentence_of

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
    with pytest.raises(Misuse, match="bad-card"):
        read_member_card(card, None)
    with pytest.raises(Misuse, match="card-of-another-chain"):
        read_member_card(card, bytes(32))
    for_none = init(tmp_path / "without", "echo") / "echo.card"
    with pytest.raises(Misuse, match="card-of-another-chain") as refused:
        read_member_card(for_none, prepared.genesis_hash)
    assert f"{for_none} was made for another chain, or for none" in sentence_of(refused.value, "en")
    assert "不是为本链所制" in sentence_of(refused.value, "zh")
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


def voted(prepared: Prepared) -> MemoryState:
    """A state in which the member's new key has its seat, and its new certificate is the one in force."""
    state = MemoryState(genesis_state(prepared.genesis_file))
    seats = prepared.genesis.validator_set().validators
    changed = tuple(
        Validator(s.member, prepared.signers[-1].public_key if s.member == "alpha" else s.key) for s in seats
    )
    state.entries[single_key("validators")] = ValidatorSet(1, 9, changed).encode()
    old = MemberEntry.decode(state.entries[member_key("alpha")])
    entry = MemberEntry("alpha", prepared.tls[-1].certificate, old.p2p_address, old.gateway_url)
    state.entries[member_key("alpha")] = entry.encode()
    return state


def test_what_cuts_a_finish_short_is_gone_on_with(
    tmp_path: Path, genesis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut before each step in turn. A certificate whose key had already been moved was nobody's any more: the node did
    not start, and the command did not go on."""
    home = tmp_path / "alpha"
    assert main(["renew", "--home", str(home), "--key", "--tls"]) == 0
    prepared = prepare(home, None, lambda: b"", None)
    state, key, certificate = voted(prepared), prepared.signers[1].public_key, prepared.tls[1].certificate
    rename, left, cuts = RealFiles.rename, 0, 0

    class Cut(Exception):
        pass

    def cut(files: RealFiles, old: Path, new: Path) -> None:
        nonlocal left
        if left == 0:
            raise Cut
        left -= 1
        rename(files, old, new)

    monkeypatch.setattr(RealFiles, "rename", cut)
    while True:
        try:
            put_in_place(prepare(home, None, lambda: b"", None), state)
            break
        except Cut:
            cuts, left = cuts + 1, 1  # one step further the next time
    assert cuts == 5
    assert sorted(one.name for one in (home / "keys").iterdir() if "next" in one.name) == ["vote-guard-next.lock"]
    prepared = prepare(home, None, lambda: b"", None)
    assert [signer.public_key for signer in prepared.signers] == [key]
    assert [pair.certificate for pair in prepared.tls] == [certificate]
    (place,) = prepared.vote_places()
    assert not DiskVoteLog.inspect(*place[1:]).amnesiac
    assert put_in_place(prepared, state) == []


def test_nothing_is_finished_under_a_node_that_runs(tmp_path: Path, genesis: Path) -> None:
    home = tmp_path / "alpha"
    assert main(["renew", "--home", str(home), "--tls"]) == 0
    prepared = prepare(home, None, lambda: b"", None)
    with closing(open_store(prepared.store_directory, genesis_hash=prepared.genesis_hash)) as store:
        open_chain(store, prepared.genesis_file)
        assert main(["renew", "--home", str(home), "--finish"]) == Exit.BUSY
    assert main(["renew", "--home", str(home), "--finish"]) == Exit.USAGE, "nothing was voted"
    assert ready(home) == (1, 2)


def test_a_renewal_cut_short_is_begun_again(tmp_path: Path, genesis: Path) -> None:
    home = tmp_path / "alpha"
    (home / "keys" / "tls-next.key").write_bytes(b"half")
    assert main(["renew", "--home", str(home), "--tls"]) == 0
    assert ready(home) == (1, 2)


def test_cards_of_others_in_the_home_hide_none_of_our_own(tmp_path: Path, genesis: Path) -> None:
    """Who gathers the cards of a hundred members in one folder must still be able to start."""
    home = tmp_path / "bravo"
    for number in range(MAX_OWN_CARDS):
        (home / f"aa-{number:03}.card").write_bytes((tmp_path / "alpha" / "alpha.card").read_bytes())
    assert main(["renew", "--home", str(home), "--key", "--tls"]) == 0
    assert ready(home) == (2, 2)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_file_that_cannot_be_written_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Half a key in the place where the next one is looked for would keep the node from starting."""

    def failing(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(Stop):
        write_new(tmp_path / "new.key", b"secret")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").write_bytes(b"mine")
    with pytest.raises(Stop):
        write_new(tmp_path / "there", b"other")
    assert (tmp_path / "there").read_bytes() == b"mine"


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
