"""Four real nodes as processes on loopback, for tests of everything between the command line and the commit.

    with Network(tmp_path) as network:
        network.start()
        answer = network.nodes[0].submit([network.lead("案号 1")], wait_ms=10_000)

Every wait is bounded, and every process that was started is killed at the end, whatever happened.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from fazhi_ledger.canonical import Value, encode
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.record import Record, case_key, records_root
from fazhi_ledger.submission import Item, SubmissionBody, sign_item
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.gateway.submit import MEDIA_TYPE
from fazhi_node.main import main
from fazhi_node.members import officer_card
from fazhi_sdk.devnet import free_ports

SUITE = ED25519_SHA256
ORGS = ("fy", "gzc", "sfj", "zfj")
WITHIN_S = 30.0
START_S = 60.0


def until(condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """Wait until the condition holds; its value."""
    end = time.monotonic() + within_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.02)


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class NodeProcess:
    """One node: its home, its ports, and its process while it runs."""

    org: str
    home: Path
    http_port: int
    p2p_port: int
    plain: bool
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    module: str = "fazhi_node.main"

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "run", "--home", str(self.home), "--lang", "en"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(WITHIN_S)
        self.process = None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """A clean stop; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(WITHIN_S)
        self.process = None
        return code

    @property
    def peak_mb(self) -> float:
        """Most memory that its process ever had, in MiB."""
        assert self.process is not None
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def token(self) -> str:
        return (self.home / "keys" / "read-tokens").read_text().strip()

    def connection(self, timeout: float = WITHIN_S) -> http.client.HTTPConnection:
        if self.plain:
            return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        context = ssl.create_default_context(cafile=str(self.home / "keys" / "tls.crt"))
        return http.client.HTTPSConnection("localhost", self.http_port, timeout=timeout, context=context)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        with closing(self.connection()) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def get(self, path: str, *, token: bool = True, headers: dict[str, str] | None = None) -> Answer:
        given = dict(headers or {})
        if token:
            given["Authorization"] = f"Bearer {self.token}"
        return self.request("GET", path, headers=given)

    def submit(self, items: Sequence[Item], wait_ms: int = 0, *, proof: bool = False, token: bool = False) -> Answer:
        body = encode(tuple(item.encode() for item in items))
        headers = {"Content-Type": MEDIA_TYPE} | ({"Authorization": f"Bearer {self.token}"} if token else {})
        return self.request("POST", f"/v1/submissions?wait_ms={wait_ms}{'&proof=1' * proof}", body, headers)

    def status(self) -> dict[str, Any] | None:
        """``/v1/status``, or None while nobody answers."""
        try:
            answer = self.get("/v1/status", token=False)
        except (OSError, http.client.HTTPException):
            return None
        return dict(answer.json) if answer.status == 200 else None

    def ready(self) -> bool:
        assert self.process is None or self.process.poll() is None, f"{self.org} ended: {self.log[-2000:]}"
        status = self.status()
        return status is not None and bool(status["ready"])

    def connected(self) -> set[str]:
        """The members that this node can speak to."""
        status = self.status()
        return set() if status is None else {peer["org"] for peer in status["peers"] if peer["connected"]}

    def height(self) -> int:
        status = self.status()
        return -1 if status is None else int(status["height"])


class Network:
    """A consortium, of four unless said, its nodes, and an officer who signs."""

    def __init__(
        self,
        directory: Path,
        *,
        orgs: Sequence[str] = ORGS,
        plain: bool = False,
        init: Sequence[str] = (),
        genesis: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory = directory
        ports = free_ports(2 * len(orgs))
        self.nodes: list[NodeProcess] = []
        for number, org in enumerate(orgs):
            http_port, p2p_port = ports[2 * number : 2 * number + 2]
            home = directory / org
            url = f"http://127.0.0.1:{http_port}" if plain else f"https://127.0.0.1:{http_port}"
            arguments = ["init", "--org", org, "--name", f"机关{org}", "--home", str(home), "--no-passphrase"]
            assert main([*arguments, "--url", url, "--p2p", f"127.0.0.1:{p2p_port}", *init]) == 0
            self.nodes.append(NodeProcess(org, home, http_port, p2p_port, plain, environment or {}))
        self.officer = SoftwareSigner(SUITE, hashlib.sha256(b"officer").digest())
        card = directory / "officer.card"
        card.write_bytes(officer_card("zfj", self.officer, ["officer"]))
        self.genesis_path = directory / "genesis.fazhi"
        cards = [str(node.home / f"{node.org}.card") for node in self.nodes]
        assert main(["genesis", *cards, "-o", str(self.genesis_path), "--officer", str(card), *genesis]) == 0
        self.genesis = GenesisFile.decode(self.genesis_path.read_bytes())
        self.genesis_hash = self.genesis.hash()
        for node in self.nodes:
            (node.home / "genesis.fazhi").write_bytes(self.genesis_path.read_bytes())
        self._seqs: dict[bytes, int] = {}

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            if node.process is not None:
                node.process.kill()
        for node in self.nodes:
            if node.process is not None:
                node.process.wait(WITHIN_S)
            if error is not None and (node.home / "log").exists():
                print(f"--- {node.org}\n{node.log[-3000:]}", file=sys.stderr)

    def start(self) -> None:
        """Start every node and wait until all are ready and hear each other."""
        for node in self.nodes:
            node.start()
        self.until_ready()

    def until_ready(self) -> None:
        running = [node for node in self.nodes if node.process is not None]
        for node in running:
            until(node.ready, f"{node.org} is ready", START_S)
        for node in running:
            others = {other.org for other in running} - {node.org}
            until(lambda node=node, others=others: others <= node.connected(), f"{node.org} speaks to all others")  # type: ignore[misc]

    def until_height(self, height: int, nodes: Sequence[NodeProcess] | None = None) -> None:
        for node in nodes or self.nodes:
            until(lambda node=node: node.height() >= height, f"{node.org} at {height}")  # type: ignore[misc]

    def act(
        self,
        contract: str,
        action: str,
        args: Value,
        records: Sequence[bytes] = (),
        lane: bytes = bytes(16),
        **body: Any,
    ) -> Item:
        """A signed item of the officer's, in the next seq of a lane."""
        seq = body.pop("seq", self._seqs.get(lane, 0))
        self._seqs[lane] = seq + 1
        fields: dict[str, Any] = {
            "genesis_hash": self.genesis_hash,
            "org": "zfj",
            "lane": lane,
            "seq": seq,
            "draft_id": os.urandom(16),
            "contract": contract,
            "action": action,
            "args": args,
            "signer_keys": (self.officer.public_key,),
            "claimed_time_ms": time.time_ns() // 1_000_000,
            **body,
        }
        return sign_item(SubmissionBody(**fields), [self.officer], records)

    def lead(self, number: str, **body: Any) -> Item:
        """The first record of a case: a lead."""
        case = case_key(SUITE, "zfj", "penalty", number)
        record = Record("penalty", case, "LEAD", time.time_ns() // 1_000_000 - 1000, 1, SUITE.hash(number.encode()), ())
        data = (record.encode(),)
        return self.act("cases", "record", (1, records_root(SUITE, data)), data, **body)

    def commit(self, node: NodeProcess, *items: Item) -> list[dict[str, Any]]:
        """Submit and wait for the commit, as a client does that asks again while it is undecided; the results."""

        def decided() -> Answer | None:
            answer = node.submit(items, wait_ms=20_000)
            assert answer.status in (200, 202), answer.body
            return answer if answer.status == 200 else None

        results: list[dict[str, Any]] = until(decided, "the commit", START_S).json["results"]
        assert [result["status"] for result in results] == ["committed"] * len(items), results
        return results
