"""A fifth member joins from a snapshot that a gateway streams in the middle of the load: real processes, and the
operators' own commands. Its votes count, what it proves holds offline from the genesis on, and it hands on what it got.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fazhi_cli.main import main as fazhi
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.header import Header
from fazhi_ledger.submission import Item
from fazhi_ledger.validators import ValidatorSet
from fazhi_node.main import main
from fazhi_node.storage.snapshot import Head
from fazhi_sdk import Chain
from fazhi_sdk.trust import Fields

from tests.node.edge.processes import SUITE, Network, NodeProcess, until
from tests.node.storage.snapshots import frames_of

from .test_membership import Operators, join, status_of, verdict


class Load:
    """Records through one node, one after the other, until it is stopped."""

    def __init__(self, network: Network, node: NodeProcess) -> None:
        self.items: list[Item] = []
        self.failed: list[BaseException] = []
        self._network, self._node = network, node
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                item = self._network.lead(f"负载 {len(self.items)}", lane=b"l" * 16)
                self._network.commit(self._node, item)
                self.items.append(item)
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.failed.append(error)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.failed == []


def certifiers(node: NodeProcess, height: int) -> set[str]:
    """Whose commits stand in the certificate that this node shows for a height, checked from the genesis on."""
    fields = Fields(node.get(f"/v1/checkpoint?height={height}").json, node.org)
    header = Header.decode(fields.base64("header"))
    validators = ValidatorSet.decode(fields.handovers()[-1].validators)
    certificate = CommitCertificate.decode(fields.base64("certificate"))
    certificate.verify(SUITE, header.genesis_hash, validators)
    return {validators.validators[index].member for index in certificate.signers}


def test_a_member_joins_from_a_snapshot_under_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Network(tmp_path) as network:
        fy, gzc, sfj, zfj = network.nodes
        operators = Operators(network, capsys)
        network.start()
        early = network.lead("早先")
        (first,) = network.commit(zfj, early)
        with connected(network, tmp_path, zfj) as chain:
            case = chain.open_case("penalty", number="旧案", signer=network.officer, org="zfj")
            receipt = case.receipt
            assert receipt is not None
        load = Load(network, gzc)
        try:
            new = join(network, "hbj")
            operators.pass_it(["member", "add", str(new.home / "hbj.card")], sfj, zfj, fy)
            until(lambda: status_of(sfj).get("epoch") == 1, "the new set certifies")
            before = len(load.items)
            until(lambda: len(load.items) > before + 5, "the load goes on")
            source, token = f"https://127.0.0.1:{sfj.http_port}", sfj.home / "keys" / "read-tokens"
            said = operators.run(new, "join", source, "--token-file", str(token))
            new.start()
            until(lambda: status_of(new).get("voting"), "the new member votes", 60)
            base = status_of(new)["first_block"] - 1
            assert f"height {base}," in said
            assert base > first["height"]
            until(lambda: "hbj" in certifiers(zfj, zfj.height()), "its commit stands in a certificate")
        finally:
            load.stop()
        network.until_ready()
        fy.kill()
        last = operators.work(new)  # four of five are needed, and the new one is among them
        proof = new.get(f"/v1/submissions/{last}/proof").json
        assert len(proof["handovers"]) == 1
        assert verdict(network, proof, tmp_path / "receipt.json") == 0
        assert verdict(network, {**proof, "handovers": []}, tmp_path / "short.json") == 1
        refuses_what_is_below(new, early, base)
        with connected(network, tmp_path, new, zfj) as chain:  # the newcomer is asked first, and does not have it
            assert chain.receipt(receipt.id).height == receipt.height <= base
            assert [event.number for event in chain.case("penalty", "旧案", org="zfj").trail().events] == [1]
        archive = tmp_path / "chain.fazhi"
        operators.run(zfj, "export", "-o", str(archive))
        assert fazhi(["audit", "--archive", str(archive), "--genesis-hash", network.genesis_hash.hex()]) == 0
        hands_on(network, operators, new)
        for node in (gzc, sfj, zfj, new):
            assert node.stop() == 0
        operators.run(new, "check")


def refuses_what_is_below(new: NodeProcess, early: Item, base: int) -> None:
    """Whatever is asked of it, it says where its chain begins; the submission is entered once."""
    submission_id = early.id(SUITE).hex()
    for path in (
        "/v1/blocks/1",
        "/v1/blocks",
        f"/v1/blocks/{base}",
        "/v1/archive",
        "/v1/checkpoint?height=1",
        "/v1/events?cursor=0.0",
        f"/v1/submissions/{submission_id}",
        f"/v1/submissions/{submission_id}/proof",
    ):
        answer = new.get(path)
        assert (answer.status, answer.json["code"]) == (410, "below-base"), path
        assert answer.json["parameters"] == {"first": base + 1}
    answer = new.submit([early])
    assert (answer.status, answer.json["code"]) == (410, "below-base")
    assert answer.json["results"][0]["status"] == "busy"


def connected(network: Network, folder: Path, *nodes: NodeProcess) -> Chain:
    """A client of these gateways, with an outbox that it keeps."""
    tokens = {f"https://127.0.0.1:{node.http_port}": node.token for node in nodes}
    given = (list(tokens), network.genesis_hash.hex(), folder / "outbox.db")
    return Chain.connect(*given, token=tokens, genesis=network.genesis_path)


def hands_on(network: Network, operators: Operators, new: NodeProcess) -> None:
    """Its own snapshot makes a store as sound as its own."""
    late = join(network, "late")
    network.nodes.remove(late)
    file = network.directory / "snapshot"
    answer = new.get("/v1/snapshot")
    assert answer.status == 200
    file.write_bytes(answer.body)
    height = Header.decode(Head.decode(frames_of(answer.body)[0]).header).height
    assert f"height {height}," in operators.run(late, "join", str(file))
    assert "all as certified" in operators.run(late, "check")
    file.write_bytes(answer.body[:-1])
    again = join(network, "again")
    network.nodes.remove(again)
    assert main(["join", str(file), "--home", str(again.home)]) == 2
    assert not (again.home / "data" / "store").exists()
