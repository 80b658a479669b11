"""A small real network on this machine: nodes started only by executing ``fazhi-node``, each in a process of its own.

Used by the tests (:mod:`fazhi_sdk.testing`), by ``fazhi devnet`` and by the demo. Everything lies in one folder: a home
for each node, its log, keys of officers (in the clear: this is no place for real evidence), the genesis file, and
``devnet.json``, by which a later process finds the nodes again.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from .errors import DevnetError
from .files import write_private
from .keys import FileSigner, officer_card

STATE_NAME: Final = "devnet.json"
FORMAT: Final = "fazhi-devnet/1"
READY_S: Final = 20.0
STOP_S: Final = 10.0
POLL_S: Final = 0.02
LOG_TAIL: Final = 6
PORTS: Final = range(20_000, 32_000)
"""Where loopback ports are looked for."""

MEMBERS: Final = (
    ("sfj", "司法局", "Bureau of Justice", ("judicial",)),
    ("zfj", "综合行政执法局", "Bureau of Integrated Enforcement", ("enforcement",)),
    ("gzc", "公证处", "Notary Office", ("notary",)),
    ("fy", "法院", "Court", ("court",)),
    ("sjj", "审计局", "Audit Office", ()),
    ("scj", "市场监督管理局", "Bureau of Market Regulation", ()),
    ("hbj", "生态环境局", "Bureau of Ecology", ()),
    ("zscq", "知识产权保护中心", "Intellectual Property Centre", ()),
    ("yh", "商业银行", "Commercial Bank", ()),
)
"""Organisations of a devnet: id, names, roles."""

OFFICERS: Final = (
    ("officer", "zfj", ("officer",)),
    ("officer2", "zfj", ("officer",)),
    ("head", "zfj", ("head",)),
    ("reviewer", "zfj", ("reviewer",)),
    ("supervisor", "sfj", ("supervisor",)),
    ("notary", "gzc", ("notary",)),
)
"""Keys of the bureau, of who supervises it, and of the notary: name of the file, organisation, roles."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node. ``pid`` is None while it is down; ``started`` tells its process from a later one of the same pid."""

    org: str
    name: str
    home: str
    url: str
    p2p: str
    pid: int | None = None
    started: int | None = None


def node_command() -> str:
    """The command ``fazhi-node``: beside the interpreter, else on PATH.

    Raises:
        DevnetError: ``devnet-no-node``.
    """
    beside = Path(sys.executable).parent / "fazhi-node"
    found = str(beside) if beside.exists() else shutil.which("fazhi-node")
    if found is None:
        raise DevnetError("devnet-no-node")
    return found


class Devnet:
    """A network in a folder. Make one with :meth:`create`, or find one with :meth:`open`."""

    def __init__(self, folder: Path, genesis_hash: str, nodes: Sequence[NodeState]) -> None:
        self.folder = folder
        self.genesis_hash = genesis_hash
        self.nodes: dict[str, NodeState] = {node.org: node for node in nodes}
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    # -- making and finding -------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        *,
        members: int | Sequence[str] = 4,
        parameters: Mapping[str, int] | None = None,
        procedures: Sequence[str] = ("penalty",),
        officers: Sequence[tuple[str, str, tuple[str, ...]]] | None = None,
    ) -> Self:
        """Make keys, cards, officers and the genesis of a new network; nothing is started. ``members`` are so many of
        :data:`MEMBERS`, or those of these ids. ``officers`` are those of :data:`OFFICERS` where not given: name of the
        key, organisation, roles.

        Raises:
            DevnetError: ``devnet-exists``, ``devnet-no-node``, ``devnet-failed``.
        """
        place = Path(folder).resolve()
        if (place / STATE_NAME).exists():
            raise DevnetError("devnet-exists", path=str(place))
        chosen = _chosen(members)
        command = node_command()
        (place / "officers").mkdir(parents=True, exist_ok=True, mode=0o700)
        ports = free_ports(2 * len(chosen))
        nodes = [
            NodeState(
                org,
                zh,
                str(place / org),
                f"https://127.0.0.1:{ports[2 * index]}",
                f"127.0.0.1:{ports[2 * index + 1]}",
            )
            for index, (org, zh, _, _) in enumerate(chosen)
        ]
        with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
            list(pool.map(lambda node: _initialise(command, node), nodes))
        orgs = {node.org for node in nodes}
        cards = [str(_officer(place, *officer)) for officer in officers or OFFICERS if officer[1] in orgs]
        arguments = [command, "genesis", *(str(Path(node.home) / f"{node.org}.card") for node in nodes)]
        arguments += ["-o", str(place / "genesis.fazhi")]
        for procedure in procedures:
            arguments += ["--procedure", procedure]
        for card in cards:
            arguments += ["--officer", card]
        for name, value in (parameters or {}).items():
            arguments += ["--parameter", f"{name}={value}"]
        printed = _run(arguments, "genesis", place)
        for node in nodes:  # where an operator's commands look for it: fazhi-node member, vote, check
            shutil.copyfile(place / "genesis.fazhi", Path(node.home) / "genesis.fazhi")
        network = cls(place, printed.split()[-1], nodes)
        network._remember()
        return network

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Find the network of a folder.

        Raises:
            DevnetError: ``devnet-none``.
        """
        place = Path(folder).resolve()
        try:
            state = json.loads((place / STATE_NAME).read_bytes())
            if state["format"] != FORMAT:
                raise ValueError(state["format"])
            return cls(place, state["genesis_hash"], [NodeState(**node) for node in state["nodes"]])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DevnetError("devnet-none", path=str(place), reason=type(error).__name__) from None

    def _remember(self) -> None:
        state = {
            "format": FORMAT,
            "genesis_hash": self.genesis_hash,
            "nodes": [asdict(node) for node in self.nodes.values()],
        }
        write_private(self.folder / STATE_NAME, (json.dumps(state, ensure_ascii=False, indent=1) + "\n").encode())

    # -- what it is ---------------------------------------------------------------------------------

    @property
    def urls(self) -> list[str]:
        """The gateways, in the order of the members."""
        return [node.url for node in self.nodes.values()]

    @property
    def tokens(self) -> dict[str, str]:
        """Each gateway's token for reads."""
        return {node.url: self._token(node) for node in self.nodes.values()}

    def _token(self, node: NodeState) -> str:
        return (Path(node.home) / "keys" / "read-tokens").read_text("ascii").split()[0]

    def officer(self, name: str = "officer") -> FileSigner:
        """The key of an officer: ``officer``, ``officer2``, ``head`` or ``reviewer``."""
        return FileSigner.load(self.folder / "officers" / f"{name}.key")

    def is_running(self, org: str) -> bool:
        """Whether the node's process is there."""
        node = self.nodes[org]
        child = self._children.get(org)
        if child is not None:
            return child.poll() is None
        return node.pid is not None and _started(node.pid) == node.started

    def is_ready(self, org: str) -> bool:
        """Whether the node votes or follows."""
        return self._get(self.nodes[org], "/readyz")[0] == 200

    def status(self) -> dict[str, dict[str, Any] | None]:
        """What each node says of itself; None for one that does not answer."""
        found: dict[str, dict[str, Any] | None] = {}
        for org, node in self.nodes.items():
            code, body = self._get(node, "/v1/status")
            found[org] = json.loads(body) if code == 200 else None
        return found

    def _get(self, node: NodeState, path: str) -> tuple[int, bytes]:
        parts = urlsplit(node.url)
        context = ssl.create_default_context(cafile=str(Path(node.home) / "keys" / "tls.crt"))
        context.check_hostname = False
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=2.0, context=context)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read(1 << 20)
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    # -- starting and stopping ----------------------------------------------------------------------

    def up(self, *, ready_s: float = READY_S) -> None:
        """Start every node that is down and wait until all are ready.

        Raises:
            DevnetError: ``devnet-failed`` with the node, the end of its log and where the whole of it lies.
        """
        for org in self.nodes:
            if not self.is_running(org):
                self.start(org)
        self.wait_ready(ready_s=ready_s)

    def start(self, org: str) -> None:
        """Start one node, without waiting for it."""
        node = self.nodes[org]
        with self.log(org).open("ab") as log:
            child = subprocess.Popen(
                [node_command(), "run", "--home", node.home, "--genesis", str(self.folder / "genesis.fazhi")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        self._children[org] = child
        self.nodes[org] = replace(node, pid=child.pid, started=_started(child.pid))
        self._remember()

    def wait_ready(self, orgs: Sequence[str] | None = None, *, ready_s: float = READY_S) -> None:
        """Wait until these nodes (all that run, where not given) are ready."""
        waiting = [org for org in self.nodes if self.is_running(org)] if orgs is None else list(orgs)
        deadline = time.monotonic() + ready_s
        while waiting:
            for org in list(waiting):
                if not self.is_running(org):
                    raise self._failed(org, "its process ended")
                if self.is_ready(org):
                    waiting.remove(org)
                elif time.monotonic() > deadline:
                    raise self._failed(org, f"not ready within {ready_s:.0f} s")
            if waiting:
                self._ends_within(waiting[0], POLL_S)

    def stop(self, org: str) -> None:
        """End one node in an orderly way; kill it where it does not end in time."""
        self._signal(org, signal.SIGTERM)
        if not self._ended(org, STOP_S):
            self.kill(org)

    def kill(self, org: str) -> None:
        """End one node at once, as a power cut of its machine's process would."""
        self._signal(org, signal.SIGKILL)
        self._ended(org, STOP_S)

    def down(self) -> None:
        """End all nodes in an orderly way, together."""
        for org in self.nodes:
            self._signal(org, signal.SIGTERM)
        for org in self.nodes:
            if not self._ended(org, STOP_S):
                self.kill(org)

    def destroy(self) -> None:
        """End all nodes at once and remove the folder."""
        for org in self.nodes:
            self._signal(org, signal.SIGKILL)
        for org in self.nodes:
            self._ended(org, STOP_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, org: str) -> Path:
        """Where the node's log lies."""
        return self.folder / f"{org}.log"

    def _signal(self, org: str, number: int) -> None:
        node = self.nodes[org]
        if node.pid is not None and self.is_running(org):
            try:
                os.kill(node.pid, number)
            except ProcessLookupError:
                return

    def _ended(self, org: str, seconds: float) -> bool:
        if self.is_running(org) and not self._ends_within(org, seconds):
            return False
        self._children.pop(org, None)
        if self.nodes[org].pid is not None:
            self.nodes[org] = replace(self.nodes[org], pid=None, started=None)
            self._remember()
        return True

    def _ends_within(self, org: str, seconds: float) -> bool:
        """Wait until the node's process ends, at most ``seconds``; whether it did."""
        node, child = self.nodes[org], self._children.get(org)
        if child is not None:
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        if node.pid is None:
            return True
        try:
            process = os.pidfd_open(node.pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([process], [], [], seconds)[0])
        finally:
            os.close(process)

    def _failed(self, org: str, reason: str) -> DevnetError:
        try:
            lines = self.log(org).read_text("utf-8", "replace").splitlines()[-LOG_TAIL:]
        except OSError:
            lines = []
        text = " | ".join([reason, *lines])[:1500]
        return DevnetError("devnet-failed", node=org, reason=text, log=str(self.log(org)))


def _chosen(members: int | Sequence[str]) -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    """The organisations that take part."""
    if isinstance(members, int):
        if not 1 <= members <= len(MEMBERS):
            raise DevnetError("devnet-failed", node="–", reason=f"1 … {len(MEMBERS)} members", log="–")
        return MEMBERS[:members]
    known = {member[0]: member for member in MEMBERS}
    unknown = [org for org in members if org not in known]
    if unknown or not members:
        raise DevnetError("devnet-failed", node=", ".join(unknown) or "–", reason=f"of {', '.join(known)}", log="–")
    return tuple(known[org] for org in dict.fromkeys(members))


def _initialise(command: str, node: NodeState) -> None:
    names = next(member for member in MEMBERS if member[0] == node.org)
    arguments = [command, "init", "--org", node.org, "--name", node.name, "--name-en", names[2], "--home", node.home]
    arguments += ["--p2p", node.p2p, "--url", node.url, "--no-passphrase"]
    for role in names[3]:
        arguments += ["--role", role]
    _run(arguments, node.org, Path(node.home).parent)


def _officer(folder: Path, name: str, org: str, roles: tuple[str, ...]) -> Path:
    signer = FileSigner.create(folder / "officers" / f"{name}.key", None)
    card = folder / "officers" / f"{name}.card"
    card.write_bytes(officer_card(signer, org, roles))
    return card


def _run(arguments: Sequence[str], node: str, folder: Path) -> str:
    done = subprocess.run(arguments, capture_output=True, env=_environment(), timeout=60, check=False)
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip()[-800:]
        raise DevnetError("devnet-failed", node=node, reason=reason, log=str(folder))
    return done.stdout.decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    """This process's environment without settings meant for another node."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("FAZHI_NODE_")}


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now, below those that the system gives to outgoing connections, so that a node
    which is started again later finds its own free.

    Raises:
        DevnetError: there are not so many.
    """
    found: dict[int, socket.socket] = {}
    try:
        for port in random.SystemRandom().sample(PORTS, len(PORTS)):
            if len(found) == count:
                break
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                one.close()
            else:
                found[port] = one  # held until the last is found
        if len(found) < count:
            raise DevnetError("devnet-failed", node="–", reason=f"{len(found)} of {count} free ports", log="–")
        return list(found)
    finally:
        for one in found.values():
            one.close()


def _started(pid: int) -> int | None:
    """When the process of that pid began, in ticks since boot; None where there is none, or only its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])
