"""A year of a consortium in one test, with real processes and the operators' own commands: a fifth member joins from
the genesis, one is killed, one changes its key and its certificate, one is voted out; a receipt shows it all offline.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from fazhi_cli.main import main as fazhi
from fazhi_ledger.receipt import FORMAT, RECEIPT_VERSION
from fazhi_node.main import main
from fazhi_sdk import Chain
from fazhi_sdk.devnet import free_ports

from tests.node.edge.processes import Network, NodeProcess, until


class Operators:
    """The operators of a network, each at the machine of its node."""

    def __init__(self, network: Network, capsys: pytest.CaptureFixture[str]) -> None:
        self.network = network
        self.capsys = capsys
        self.cases = 0

    def run(self, node: NodeProcess, *arguments: str) -> str:
        """One command, which must succeed; what it printed."""
        self.capsys.readouterr()
        code = main([*arguments, "--home", str(node.home), "--lang", "en"])
        shown = self.capsys.readouterr()
        assert code == 0, shown
        return shown.out

    def pass_it(self, arguments: list[str], *nodes: NodeProcess) -> None:
        """Propose with a command of the first, and have the others vote yes."""
        first, *others = nodes
        self.run(first, *arguments)
        ((open_, _),) = self.proposals(first).items()
        for node in others:  # one that is behind may still show the proposal before
            until(lambda node=node: open_ in self.proposals(node), f"{node.org} sees the proposal")  # type: ignore[misc]
            last = self.run(node, "vote", open_, "yes")
        assert "passed" in last

    def changes_nothing(self, node: NodeProcess, card: str) -> bool:
        """Whether a card for an update is refused because the chain holds all of it."""
        self.capsys.readouterr()
        code = main(["member", "update", card, "--home", str(node.home), "--lang", "en"])
        return code == 2 and "changes nothing" in self.capsys.readouterr().err

    def proposals(self, node: NodeProcess) -> dict[str, Any]:
        """What is open, by id."""
        return {one["id"]: one for one in json.loads(self.run(node, "proposals", "--json"))}

    def work(self, node: NodeProcess, count: int = 3) -> str:
        """Some records, committed one after the other; the id of the last."""
        for _ in range(count):
            self.cases += 1
            (result,) = self.network.commit(node, self.network.lead(f"案号 {self.cases}"))
            assert result["code"] == "OK"
        return str(result["id"])


def join(network: Network, org: str) -> NodeProcess:
    http_port, p2p_port = free_ports(2)
    home = network.directory / org
    arguments = ["init", "--org", org, "--name", f"机关{org}", "--home", str(home), "--no-passphrase"]
    url, p2p = f"https://127.0.0.1:{http_port}", f"127.0.0.1:{p2p_port}"
    assert main([*arguments, "--url", url, "--p2p", p2p, "--genesis", str(network.genesis_path)]) == 0
    node = NodeProcess(org, home, http_port, p2p_port, False)
    network.nodes.append(node)
    return node


def status_of(node: NodeProcess) -> dict[str, Any]:
    return node.status() or {}


def verdict(network: Network, proof: dict[str, Any], path: Path) -> int:
    """The exit code of ``fazhi verify`` for the receipt that this proof makes."""
    genesis = base64.b64encode(network.genesis.genesis_bytes).decode("ascii")
    given = {"format": FORMAT, "version": RECEIPT_VERSION, "genesis": genesis, "anchor": None, "docket": None}
    proof = {name: value for name, value in proof.items() if name != "record_results"}
    path.write_text(json.dumps({**given, **proof, "openings": []}), encoding="utf-8")
    return fazhi(["verify", str(path), "--genesis-hash", network.genesis_hash.hex()])


def test_members_come_change_and_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Network(tmp_path) as network:
        fy, gzc, sfj, zfj = network.nodes
        operators = Operators(network, capsys)
        network.start()
        operators.work(zfj)

        # A fifth member: card, vote, run. It follows from the genesis and votes by itself.
        new = join(network, "hbj")
        new.start()
        operators.pass_it(["member", "add", str(new.home / "hbj.card")], sfj, zfj, fy)
        until(lambda: operators.work(zfj, 1) and status_of(new).get("voting"), "the new member votes", 60)
        assert status_of(new)["seat"] == "seated"
        network.until_ready()
        fy.kill()
        operators.work(zfj)  # four of five are needed, and the new one is among them
        fy.start()
        network.until_ready()

        # Another ledger key: the node is restarted with both, and turns to the new one by itself.
        operators.run(gzc, "renew", "--key", "--tls")
        gzc.stop()
        gzc.start()
        network.until_ready()
        card = str(gzc.home / "gzc-1.card")
        operators.pass_it(["member", "replace-key", card], gzc, sfj, zfj, new)
        until(lambda: operators.work(zfj, 1) and status_of(zfj).get("epoch") == 2, "the new key's set certifies")
        until(lambda: status_of(gzc).get("voting"), "it signs with the new key")
        operators.pass_it(["member", "update", card], gzc, sfj, zfj, new)
        gzc.stop()
        assert "ledger.key" in operators.run(gzc, "renew", "--finish")
        assert not (gzc.home / "keys" / "ledger-next.key").exists()
        gzc.start()
        network.until_ready()
        until(lambda: operators.work(zfj, 1) and status_of(gzc).get("voting"), "it signs with the only key that it has")
        assert operators.changes_nothing(gzc, card)

        # One is voted out.
        operators.pass_it(["member", "remove", "fy"], new, gzc, sfj, zfj)
        until(lambda: operators.work(zfj, 1) and status_of(zfj).get("epoch") == 3, "the smaller set certifies")
        until(lambda: status_of(fy).get("seat") == "former", "the member that left knows it")
        assert status_of(fy)["voting"] is False
        height = zfj.height()
        until(lambda: "fy" not in zfj.connected(), "its connections are closed")
        last = operators.work(zfj)
        assert zfj.height() > height

        proof = zfj.get(f"/v1/submissions/{last}/proof").json
        assert len(proof["handovers"]) == 3
        assert verdict(network, proof, tmp_path / "receipt.json") == 0
        for missing in range(3):
            shorter = [one for number, one in enumerate(proof["handovers"]) if number != missing]
            assert verdict(network, {**proof, "handovers": shorter}, tmp_path / "short.json") == 1
        archive = tmp_path / "chain.fazhi"
        operators.run(zfj, "export", "-o", str(archive))
        assert fazhi(["audit", "--archive", str(archive), "--genesis-hash", network.genesis_hash.hex()]) == 0
        # Who knows the genesis reaches the newcomer, and the one whose certificate it has never seen.
        for node in (new, gzc):
            url, token = f"https://127.0.0.1:{node.http_port}", node.token
            arguments = ["--token-file", str(node.home / "keys" / "read-tokens")]
            arguments += ["--genesis-hash", network.genesis_hash.hex()]
            assert fazhi(["audit", "--node", url, *arguments]) == 0
            with Chain.connect(
                [url],
                network.genesis_hash.hex(),
                tmp_path / f"{node.org}.db",
                token=token,
                genesis=network.genesis_path,
            ) as chain:
                assert chain.checkpoint().height > height
        for node in (gzc, sfj, zfj, new):
            assert node.stop() == 0
        operators.run(zfj, "check")
