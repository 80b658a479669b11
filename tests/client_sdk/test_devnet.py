"""Where a local network finds its ports."""

from __future__ import annotations

import socket

import pytest
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
