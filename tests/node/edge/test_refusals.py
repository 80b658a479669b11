"""What a node refuses, why it stops, and that its last line says what to do. One member, real processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fazhi_node.exits import Exit
from fazhi_node.main import main

from .processes import Network, NodeProcess, until


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with Network(tmp_path, orgs=("zfj",), plain=True) as made:
        yield made


def run(node: NodeProcess, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``fazhi-node run`` to its end."""
    import os

    return subprocess.run(
        [sys.executable, "-m", "fazhi_node.main", "run", "--home", str(node.home), "--lang", "en", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def last_line(text: str) -> str:
    return text.rstrip().splitlines()[-1]


def test_data_of_another_chain_and_a_missing_guard(network: Network) -> None:
    node = network.nodes[0]
    network.start()
    network.commit(node, network.lead("一"))
    assert node.stop() == 0
    other = network.directory / "other.fazhi"
    card = str(node.home / "zfj.card")
    assert main(["genesis", card, "-o", str(other), "--time-ms", "1700000000000"]) == 0
    refused = run(node, "--genesis", str(other))
    assert refused.returncode == Exit.FOREIGN_DATA
    assert "another chain" in last_line(refused.stderr)
    guard = node.home / "keys" / "vote-guard"
    guard.rename(guard.with_suffix(".away"))
    refused = run(node)
    assert refused.returncode == Exit.FOREIGN_DATA
    assert "guard" in last_line(refused.stderr)
    guard.with_suffix(".away").rename(guard)
    node.start()
    until(node.ready, "with everything in place it starts again")
    assert node.height() >= 1


def test_two_processes_never_share_a_data_directory(network: Network) -> None:
    node = network.nodes[0]
    network.start()
    refused = run(node, FAZHI_NODE_HTTP_LISTEN="127.0.0.1:0", FAZHI_NODE_P2P_LISTEN="127.0.0.1:0")
    assert refused.returncode == Exit.BUSY
    assert "in use" in last_line(refused.stderr)
    taken = run(node, FAZHI_NODE_HTTP_LISTEN="127.0.0.1:0")
    assert taken.returncode == Exit.BUSY
    network.commit(node, network.lead("仍在运行"))


def votes_found(node: NodeProcess, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What ``check`` says of the votes."""
    capsys.readouterr()
    code = main(["check", "--home", str(node.home), "--json"])
    return code, json.loads(capsys.readouterr().out)["votes"]


def test_a_restored_vote_log_makes_the_node_sign_nothing(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    node = network.nodes[0]
    network.start()
    network.commit(node, network.lead("一"))
    assert node.stop() == 0
    votes = node.home / "data" / "votes"
    shutil.copytree(votes, network.directory / "backup")
    node.start()
    network.until_ready()
    network.commit(node, network.lead("二"))
    assert node.stop() == 0
    shutil.rmtree(votes)
    shutil.copytree(network.directory / "backup", votes)
    assert votes_found(node, capsys) == (Exit.FOREIGN_DATA, "vote-log-rolled-back")
    node.start()
    until(lambda: node.status() is not None, "it starts, and follows")
    assert "vote-log-rolled-back" in node.log
    status = node.status()
    assert status is not None
    assert (status["ready"], status["voting"], status["height"]) == (False, False, 2)
    assert (checked := main(["check", "--home", str(node.home)])) == Exit.BUSY, checked
    # Nobody else is there who could vouch: an operator has to.
    vouch = ("votes", "--home", str(node.home), "--lang", "en", "--sign-from", "3")
    assert main(vouch) == Exit.BUSY
    assert node.stop() == 0
    assert votes_found(node, capsys) == (0, "amnesiac")
    assert main(vouch) == 0
    assert votes_found(node, capsys) == (0, "good")
    assert main(vouch) == Exit.USAGE  # once: it is not amnesiac any more
    node.start()
    network.until_ready()
    network.commit(node, network.lead("三"))


def test_a_lost_guard_is_made_anew_on_the_operators_word_and_nothing_is_signed_on_it(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    node = network.nodes[0]
    network.start()
    network.commit(node, network.lead("一"))
    assert node.stop() == 0
    guard = node.home / "keys" / "vote-guard"
    for damage, code in ((guard.unlink, "guard-missing"), (lambda: guard.write_bytes(bytes(8192)), "guard-corrupt")):
        damage()
        assert votes_found(node, capsys) == (Exit.FOREIGN_DATA, code)
        refused = run(node)
        assert refused.returncode != 0
        assert "fazhi-node votes --renew" in last_line(refused.stderr)
        assert main(["votes", "--home", str(node.home), "--renew", "--lang", "en"]) == 0
        node.start()
        status = until(node.status, "it starts, and follows")
        assert (status["voting"], status["height"]) == (False, 1)
        assert node.stop() == 0


def test_a_full_disk_stops_the_node_and_nothing_acknowledged_is_lost(network: Network) -> None:
    node = network.nodes[0]
    network.start()
    acknowledged = network.commit(node, network.lead("一")) + network.commit(node, network.lead("二"))
    assert node.process is not None
    # No file may grow any more, in the middle of the work: what a full disk answers, a limit answers too (EFBIG).
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (8192, 8192))
    with contextlib.suppress(OSError, http.client.HTTPException):
        node.submit([network.lead("三")], wait_ms=5000)
    assert node.process.wait(30) == Exit.STORAGE
    node.process = None
    last = last_line(node.log)
    assert "disk" in last
    assert "Make room" in last
    node.start()
    until(node.ready, "with room it starts again")
    for result in acknowledged:
        assert node.get(f"/v1/submissions/{result['id']}").json["height"] == result["height"]
    network.commit(node, network.lead("四", lane=bytes(15) + b"4"))


def test_plain_http_is_for_loopback_only(network: Network) -> None:
    refused = run(network.nodes[0], FAZHI_NODE_HTTP_LISTEN="0.0.0.0:0")
    assert refused.returncode == Exit.USAGE
    assert "TLS" in last_line(refused.stderr)


def test_the_log_as_json_cannot_be_forged(network: Network) -> None:
    node = network.nodes[0]
    node.environment = {"FAZHI_NODE_LOG_FORMAT": "json"}
    network.start()
    connection = node.connection()
    connection.putrequest("GET", "/nowhere%0a%1b[31m", skip_accept_encoding=True)
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()
    assert node.stop() == 0
    events = [json.loads(line)["event"] for line in node.log.splitlines()]
    assert events == ["started", "stopped"]
