"""A slice of the peers' campaign, and that it finds a machine that stumbles."""

from __future__ import annotations

from pathlib import Path

import pytest
from fazhi_node import machine
from fazhi_node.frames import GetBlocks, Message, decode_frame

from .ran import Ran
from .rpc import in_machines, run

SEED = 20261122


def test_slice_of_machines() -> None:
    ran = in_machines(SEED, runs=400)
    assert ran.violation == ""
    assert ran.runs >= 400


def test_slice_over_grpc(tmp_path: Path) -> None:
    found: list[Ran] = []
    run(tmp_path, seed=SEED, runs=60, report=found.append)
    assert [ran.violation for ran in found] == ["", ""]
    assert found[1].runs == 60


def stumbling(data: bytes) -> tuple[Message, ...]:
    messages = decode_frame(data)
    if any(isinstance(message, GetBlocks) and message.first > 2**60 for message in messages):
        raise KeyError("a height that nobody thought of")
    return messages


def test_a_machine_that_stumbles_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "decode_frame", stumbling)
    assert "KeyError" in in_machines(SEED, runs=2000).violation
