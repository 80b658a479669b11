"""Four processes on loopback: they agree, survive kill -9, catch up, and stop as they should."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fazhi_ledger.archive import read_archive
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.header import Header
from fazhi_node.exits import Exit

from .processes import SUITE, Network, until


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("network")) as made:
        made.start()
        made.commit(made.nodes[0], made.lead("零"))  # each test finds a block, whichever it is
        made.until_height(1)
        yield made


def command(network: Network, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = ["--home", str(network.nodes[0].home), "--lang", "en"]
    return subprocess.run(
        [sys.executable, "-m", "fazhi_node.main", *arguments, *home],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_submission_is_committed_and_every_node_shows_the_same_block(network: Network) -> None:
    (result,) = network.commit(network.nodes[0], network.lead("一"))
    assert result["code"] == "OK"
    height = result["height"]
    network.until_height(height)
    headers = set()
    for node in network.nodes:
        block = node.get(f"/v1/blocks/{height}").json
        headers.add(block["header"])
        certificate = CommitCertificate.decode(bytes_of(block["certificate"]))
        certificate.verify(SUITE, network.genesis_hash, network.genesis.genesis.validator_set())
        found = node.get(f"/v1/submissions/{result['id']}").json
        assert (found["status"], found["height"], found["index"]) == ("committed", height, result["index"])
    assert len(headers) == 1
    assert Header.decode(bytes_of(headers.pop())).hash(SUITE) == certificate.block_hash


def bytes_of(text: str) -> bytes:
    import base64

    return base64.b64decode(text, validate=True)


def test_the_same_bytes_again_are_answered_with_the_first_result_by_every_node(network: Network) -> None:
    item = network.lead("二")
    (first,) = network.commit(network.nodes[1], item)
    network.until_height(first["height"])
    for node in network.nodes:
        assert network.commit(node, item) == [first]


def test_a_killed_node_catches_up_and_serves_what_it_missed(network: Network) -> None:
    killed, others = network.nodes[3], network.nodes[:3]
    before = [network.commit(others[0], network.lead(f"停机前 {number}"))[0] for number in range(3)]
    killed.kill()
    missed = [network.commit(others[number % 3], network.lead(f"停机 {number}"))[0] for number in range(8)]
    killed.start()
    network.until_height(max(result["height"] for result in missed), [killed])
    until(killed.ready, "the killed node is ready again")
    for result in (*before, *missed):
        assert killed.get(f"/v1/submissions/{result['id']}").json["status"] == "committed"
    again = network.commit(killed, network.lead("重新启动后"))
    assert again[0]["code"] == "OK"
    tip = again[0]["height"]
    network.until_height(tip)
    assert len({node.get(f"/v1/blocks/{tip}").json["header"] for node in network.nodes}) == 1


def test_a_node_that_lost_all_its_data_votes_again_by_itself(network: Network) -> None:
    node, others = network.nodes[2], network.nodes[:2]
    network.commit(others[0], network.lead("清空之前"))
    node.kill()
    shutil.rmtree(node.home / "data")
    node.start()
    network.until_height(others[0].height(), [node])
    until(lambda: "amnesia-ended" in node.log, "the others vouched")
    for number in range(3):
        network.commit(others[number % 2], network.lead(f"清空之后 {number}"))
    until(lambda: (node.status() or {}).get("voting"), "it votes again")
    until(node.ready, "and is ready")


def test_without_a_quorum_nodes_say_so_and_recover(network: Network) -> None:
    down = network.nodes[2:]
    for node in down:
        node.kill()
    witness = network.nodes[0]
    answer = until(
        lambda: (found := witness.get("/readyz", token=False)).status == 503 and found, "readiness shows the loss"
    )
    assert answer.json["code"] == answer.json["reason"] == "no-quorum"
    assert witness.get("/healthz", token=False).status == 200
    waiting = network.lead("无法定人数")
    answer = witness.submit([waiting], wait_ms=300)
    assert answer.status == 202
    assert answer.json["results"][0]["status"] == "pending"
    for node in down:
        node.start()
    network.until_ready()
    network.commit(witness, waiting)


def test_status_and_export_of_a_running_node(network: Network, tmp_path: Path) -> None:
    network.until_ready()
    shown = command(network, "status")
    assert shown.returncode == 0, shown.stderr
    assert "validator" in shown.stdout
    assert "peers 3/3" in shown.stdout
    assert json.loads(command(network, "status", "--json").stdout)["org"] == network.nodes[0].org
    archive = tmp_path / "chain.fazhi"
    exported = command(network, "export", "-o", str(archive))
    assert exported.returncode == 0, exported.stderr
    file, blocks = read_archive([archive.read_bytes()])
    assert file.hash() == network.genesis_hash
    assert sum(1 for _ in blocks) >= 1
    assert command(network, "export", "-o", str(archive)).returncode == Exit.USAGE


def test_ports_and_data_that_are_taken_are_said_so(network: Network) -> None:
    taken = command(network, "run")
    assert taken.returncode == Exit.BUSY
    assert "http_listen" in taken.stderr
    assert command(network, "run", "--check").returncode == 0


def test_signals_end_a_node_cleanly_and_export_then_works_offline(network: Network, tmp_path: Path) -> None:
    node = network.nodes[0]
    height = node.height()
    assert node.stop(signal.SIGTERM) == 0
    assert node.log.rstrip().splitlines()[-1].split()[2] == "stopped"
    archive = tmp_path / "offline.fazhi"
    exported = command(network, "export", "-o", str(archive))
    assert exported.returncode == 0, exported.stderr
    _, blocks = read_archive([archive.read_bytes()])
    assert sum(1 for _ in blocks) >= height
    assert command(network, "status").returncode == Exit.UNREACHABLE


def test_a_damaged_chain_is_found_set_aside_and_fetched_anew(network: Network) -> None:
    """The vote log stays: so it signs again as soon as it has caught up, and asks nobody."""
    node, others = network.nodes[0], network.nodes[1:]
    height = max(other.height() for other in others)
    assert command(network, "check").returncode == 0
    found = json.loads(command(network, "check", "--json").stdout)
    assert (found["ok"], found["chain"], found["votes"]) == (True, "good", "good")
    assert found["entries"]["block"] == found["height"]
    assert found["genesis_hash"] == network.genesis_hash.hex()
    store = node.home / "data" / "store"
    for table in (store / "leveldb").glob("*.ldb"):
        data = bytearray(table.read_bytes())
        for offset in range(0, len(data), 1000):
            data[offset] ^= 1
        table.write_bytes(data)
    node.start()
    assert node.process is not None
    assert node.process.wait(30) == Exit.STORAGE
    node.process = None
    assert "fazhi-node check --set-aside" in node.log.rstrip().splitlines()[-1]
    damaged = command(network, "check")
    assert damaged.returncode == Exit.STORAGE
    assert "--set-aside" in damaged.stdout
    assert store.exists()
    moved = json.loads(command(network, "check", "--set-aside", "--json").stdout)
    assert (moved["chain"], moved["ok"], store.exists()) == ("damaged", False, False)
    assert Path(moved["set_aside"]).exists()
    node.start()
    network.until_height(height, [node])
    until(lambda: (node.status() or {}).get("voting"), "it votes again")
    assert "amnesia" not in node.log
    network.commit(others[0], network.lead("重新取得之后"))
    assert node.stop() == 0
    found = json.loads(command(network, "check", "--json").stdout)
    assert (found["ok"], found["chain"], found["votes"]) == (True, "good", "good")
    assert found["height"] >= height
    node.start()
    until(node.ready, "it is ready again")
    assert node.stop(signal.SIGINT) == 0
    node.start()
    network.until_ready()


def test_a_healthy_node_is_silent(network: Network) -> None:
    """Nothing but starting, peers coming and going, and stopping stands in the logs of all these tests."""
    expected = {"started", "stopped", "peer-connected", "peer-lost", "peer-unreachable"}
    expected |= {"vote-log-missing", "amnesia-ended", "store-corrupt"}  # of those whose data a test took or damaged
    for node in network.nodes:
        events = {line.split()[2] for line in node.log.splitlines() if line}
        assert events <= expected, node.log
        assert "Traceback" not in node.log
