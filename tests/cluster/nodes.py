"""The nodes of a campaign: processes that are started, killed and looked at without waiting for one another."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import aiohttp
from fazhi_ledger.archive import decode_pair, read_archive
from fazhi_ledger.genesis import GenesisFile
from fazhi_node.config import load
from fazhi_node.offline import offline_archive
from fazhi_sdk.audit import audit
from fazhi_sdk.devnet import Devnet, NodeState

from tests.conftest import ROOT

from .votes import OwnLog, Votes, builds, heard

ASK_S: Final = 2.0
POLL_S: Final = 0.05
READY_S: Final = 90.0
"""On a busy machine."""
STOP_S: Final = 30.0
CHECK_S: Final = 300.0
BAD_EVENTS: Final = frozenset(
    {
        "fault",
        "evidence-found",
        "own-vote-unknown",
        "item-quarantined",
        "execution-failed",
        "request-failed",
        "vote-log-missing",
        "vote-log-behind",
        "vote-log-corrupt",
    }
)
"""Lines that no node writes in these campaigns, whatever becomes of its machine and its network."""

Spawn = Callable[[str, Callable[[], subprocess.Popen[bytes]]], subprocess.Popen[bytes]]
"""Calls the function where the node of that name is to run."""


class Nodes(Devnet):
    """A devnet whose nodes note the votes that they hear (:mod:`.recording`)."""

    def __init__(self, folder: Path, genesis_hash: str, nodes: Sequence[NodeState]) -> None:
        super().__init__(folder, genesis_hash, nodes)
        self.environment: dict[str, dict[str, str]] = {}
        """Of each node, beside ours."""
        self.mistake = "-"
        self.spawn: Spawn = lambda _, start: start()
        self.violations: list[str] = []
        self.genesis = GenesisFile.decode((folder / "genesis.fazhi").read_bytes())
        self.votes = Votes(self.genesis)
        self.bodies_heard = 0
        """What nodes noted of the votes of others."""
        self._own = {
            org: OwnLog(Path(node.home) / "data" / "votes" / "votes.log", self.genesis.hash())
            for org, node in self.nodes.items()
        }
        self._expected: set[str] = set()
        """Nodes that we are ending."""

    @property
    def orgs(self) -> list[str]:
        """The members, in the order of their indices."""
        return list(self.nodes)

    def start(self, org: str) -> None:
        node = self.nodes[org]
        arguments = [sys.executable, "-m", "tests.cluster.recording", str(self.heard(org)), self.mistake]
        arguments += ["run", "--home", node.home, "--genesis", str(self.folder / "genesis.fazhi"), "--lang", "en"]
        outside = {name: value for name, value in os.environ.items() if not name.startswith("FAZHI_NODE_")}

        def popen() -> subprocess.Popen[bytes]:
            with self.log(org).open("ab") as log:
                return subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT,
                    start_new_session=True, env={**outside, **self.environment.get(org, {})},
                )  # fmt: skip

        self._expected.discard(org)
        child = self._children[org] = self.spawn(org, popen)
        self.nodes[org] = replace(node, pid=child.pid, started=None)

    def is_running(self, org: str) -> bool:
        child = self._children.get(org)
        return child is not None and child.poll() is None

    def heard(self, org: str) -> Path:
        """Where the node notes what it hears."""
        return self.folder / f"{org}.heard"

    def send(self, org: str, number: int) -> None:
        """Send a signal to a node's process."""
        self._signal(org, number)

    async def end(self, org: str, number: int = signal.SIGKILL) -> None:
        """End one node, and read what its vote log kept."""
        self.check_running(org)
        self._expected.add(org)
        child = self._children.get(org)
        if child is None:
            return
        self._signal(org, number)
        deadline = time.monotonic() + STOP_S
        while child.poll() is None:
            if time.monotonic() > deadline:
                self.violations.append(f"hangs: {org} does not end")
                child.kill()
            await asyncio.sleep(0.005)
        self._children.pop(org, None)
        await asyncio.to_thread(self.read_votes, org)

    def check_running(self, org: str) -> None:
        """Note it where a node ended that nobody ended."""
        child = self._children.get(org)
        if child is not None and child.poll() is not None and org not in self._expected:
            self._expected.add(org)
            tail = " | ".join(self.log(org).read_text("utf-8", "replace").splitlines()[-3:])[-600:]
            self.violations.append(f"ended: {org} by itself, with {child.returncode}: {tail}")

    def read_votes(self, org: str) -> None:
        """Compare what a node's own log has of late; it is not running."""
        for said in self._own[org].new():
            self.votes.take(said, f"{org}'s log")

    async def ready(self, org: str) -> bool:
        """Whether a node votes or follows."""
        timeout = aiohttp.ClientTimeout(total=ASK_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self.nodes[org].url}/readyz", ssl=False) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def until_ready(self, org: str) -> bool:
        """Wait until a node is ready; whether it came to that."""
        deadline = time.monotonic() + READY_S
        while not await self.ready(org):
            self.check_running(org)
            if time.monotonic() > deadline or not self.is_running(org):
                self.violations.append(f"stuck: {org} is not ready within {READY_S:.0f} s of its start")
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def wait_while_not_ready(self, org: str, seconds: float) -> None:
        """Wait until a node is ready, or so long."""
        deadline = time.monotonic() + seconds
        while not await self.ready(org):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(POLL_S)

    # -- the end ------------------------------------------------------------------------------------

    def compare_votes(self) -> None:
        """Read all that was heard, and every notebook."""
        for org, node in self.nodes.items():
            for said in heard(self.heard(org)):
                self.votes.take(said, f"heard by {org}")
                self.bodies_heard += 1
            notes = Path(node.home) / "data" / "notes"
            found = sorted(note.name for note in notes.iterdir()) if notes.is_dir() else []
            self.violations += [f"notebook: {org} keeps {name}" for name in found]
        self.violations += [*self.votes.violations, *self.votes.forgotten_locks()]

    def compare_logs(self) -> None:
        """Look for lines that stand for a fault of a node."""
        for org in self.nodes:
            for line in self.log(org).read_text("utf-8", "replace").splitlines():
                if "Traceback" in line or BAD_EVENTS & set(line.split()[:4]):
                    self.violations.append(f"log: {org}: {line[:400]}")

    def builds(self) -> dict[str, int]:
        """How many different builds each node has run."""
        return {org: len(builds(self.heard(org))) for org in self.nodes}

    def check_data(self) -> None:
        """Have the node's own command verify what each node left on disk, and note what it says."""
        for org, node in self.nodes.items():
            done = subprocess.run(
                [sys.executable, "-m", "fazhi_node.main", "check", "--home", node.home, "--lang", "en"],
                capture_output=True, text=True, timeout=CHECK_S, check=False,
                env={**os.environ, "FAZHI_NODE_GENESIS": str(self.folder / "genesis.fazhi")},
            )  # fmt: skip
            if done.returncode != 0:
                said = " ".join((done.stdout + done.stderr).split())
                self.violations.append(f"data: {org}: fazhi-node check ends with {done.returncode}: {said[:400]}")

    def chains(self) -> dict[str, list[list[tuple[bytes, bytes]]]]:
        """Of each node's chain, block for block, the items' ids and drafts. All nodes have ended. Each chain is audited
        from its genesis, and all must be the same blocks."""
        suite = self.genesis.genesis.suite
        found: dict[str, list[list[tuple[bytes, bytes]]]] = {}
        hashes: dict[str, list[bytes]] = {}
        for org, node in self.nodes.items():
            home = Path(node.home)
            report = audit(offline_archive(load(home), home), self.genesis_hash, processes=0)
            if report.fault is not None:
                self.violations.append(f"audit: {org} at height {report.fault.height}: {report.fault.code}")
            _, pairs = read_archive(offline_archive(load(home), home))
            blocks = [decode_pair(*pair)[0] for pair in pairs]
            found[org] = [[(item.id(suite), item.body.draft_id) for item in block.items] for block in blocks]
            hashes[org] = [block.hash(suite) for block in blocks]
        longest = max(hashes.values(), key=len)
        for org, mine in hashes.items():
            if mine != longest[: len(mine)]:
                height = next(at for at, (a, b) in enumerate(zip(mine, longest, strict=False), 1) if a != b)
                self.violations.append(f"fork: {org} has another block at height {height}")
            elif len(mine) < len(longest):
                self.violations.append(f"behind: {org} has {len(mine)} of {len(longest)} blocks at the end")
        return found
