"""A disk that is full: a real process on a small file system stops before it says what it could not keep, and goes on
when there is room."""

from __future__ import annotations

import contextlib
import http.client
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fazhi_node.exits import Exit
from fazhi_node.space import LOW_BYTES, WARN_BYTES, Space

from tests.node.small_disk import small_disk

from .processes import START_S, Network, NodeProcess, until


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 24) as mount:
        yield mount


def ended(node: NodeProcess) -> int:
    """The exit code of a node that ends by itself."""
    assert node.process is not None
    code = node.process.wait(START_S)
    node.process = None
    return code


def test_a_node_on_a_full_disk_stops_and_resumes_when_there_is_room(tiny_disk: Path) -> None:
    with Network(tiny_disk, orgs=("zfj",), plain=True) as network:
        node = network.nodes[0]
        node.start()
        until(lambda: (node.status() or {}).get("voting"), "it votes", START_S)
        status = node.status()
        assert status is not None
        assert (status["ready"], status["reason"]) == (False, "disk-low")
        assert "disk-low" in node.log
        acknowledged = network.commit(node, network.lead("一"))
        filler = tiny_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        for number in range(2000):  # a page of the log may still be there
            if node.process is None or node.process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = node.submit([network.lead(f"案{number}")], wait_ms=5000)
                given = answer.json["results"] if answer.status in (200, 202) else ()
                acknowledged += [result for result in given if result["status"] == "committed"]
        assert ended(node) == Exit.STORAGE
        assert "Make room" in node.log.rstrip().splitlines()[-1]
        node.start()  # still no room: it says so again, and does not pretend
        assert ended(node) == Exit.STORAGE
        assert "Make room" in node.log.rstrip().splitlines()[-1]
        filler.unlink()
        node.start()
        until(lambda: (node.status() or {}).get("voting"), "with room it votes again", START_S)
        for result in acknowledged:
            assert node.get(f"/v1/submissions/{result['id']}").json["height"] == result["height"]
        network.commit(node, network.lead("四", lane=bytes(15) + b"4"))
        assert node.stop() == 0


def test_room_that_runs_out_is_told_once_and_makes_the_node_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    free = [WARN_BYTES]

    class Usage:
        def __init__(self, _: Path) -> None:
            self.free = free[0]
            if self.free < 0:
                raise OSError

    monkeypatch.setattr(shutil, "disk_usage", Usage)
    found = Space(Path("/data"))
    enough, plenty = LOW_BYTES + LOW_BYTES // 4, WARN_BYTES + WARN_BYTES // 4
    steps = (
        (WARN_BYTES, (False, False)),
        (WARN_BYTES - 1, (True, False)),
        (LOW_BYTES, (False, False)),
        (LOW_BYTES - 1, (False, True)),
        (-1, (False, True)),
        (LOW_BYTES, (False, True)),  # about the bound: nothing goes to and fro
        (enough - 1, (False, True)),
        (enough, (False, False)),
        (LOW_BYTES, (False, False)),
        (WARN_BYTES, (False, False)),
        (plenty - 1, (False, False)),
        (WARN_BYTES - 1, (False, False)),
        (plenty, (False, False)),
        (LOW_BYTES - 1, (True, True)),
    )
    for free[0], told in steps:
        assert (found.look(), found.low) == told, free[0]
