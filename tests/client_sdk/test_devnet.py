"""Where a local network finds its ports, and of whom it is made."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from fazhi_ledger.genesis import GenesisFile
from fazhi_sdk import devnet
from fazhi_sdk.errors import DevnetError


def test_ports_that_are_free_differ_and_one_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(devnet.free_ports(50))) == 50
    (taken,) = devnet.free_ports(1)
    with socket.create_server(("127.0.0.1", taken)):
        monkeypatch.setattr(devnet, "PORTS", range(taken, taken + 1))
        assert devnet.free_ports(0) == []
        with pytest.raises(DevnetError, match="devnet-failed"):
            devnet.free_ports(1)


@pytest.mark.parametrize("members", [0, len(devnet.MEMBERS) + 1, (), ("sfj", "nobody")])
def test_members_that_cannot_be(tmp_path: Path, members: int | tuple[str, ...]) -> None:
    with pytest.raises(DevnetError, match="devnet-failed"):
        devnet.Devnet.create(tmp_path, members=members)
    assert list(tmp_path.iterdir()) == []


def test_the_members_named_found_it_with_their_roles_and_procedures(tmp_path: Path) -> None:
    net = devnet.Devnet.create(tmp_path, members=("gzc", "yh"), procedures=("finance", "ip"), officers=[])
    genesis = GenesisFile.decode((tmp_path / "genesis.fazhi").read_bytes()).genesis
    assert list(net.nodes) == ["gzc", "yh"]
    assert {member.org: member.roles for member in genesis.members} == {"gzc": ("notary",), "yh": ()}
    assert [procedure for procedure, _ in genesis.rule_sets] == ["finance", "ip"]
