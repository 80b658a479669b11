"""The network of the demo: four agencies, each with its own keys, and one genesis made of their cards; by the very
commands that operators use (``fazhi-node init``, ``fazhi-node genesis``)."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fazhi_cli.devnet import write_pids
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_ledger.genesis import Genesis
from fazhi_sdk.devnet import MEMBERS, Devnet, NodeState, node_command
from fazhi_sdk.keys import FileSigner, officer_card

from demo.screen import DemoFailed
from demo.stopping import Stopper

BUREAU: Final = "zfj"
WITNESS: Final = "gzc"
"""Whose node hands over the archive: no party to the case."""

AGENCIES: Final = MEMBERS[:4]
"""司法局, 综合行政执法局, 公证处, 法院: organisation id, names, roles."""

GENESIS_NAME: Final = "genesis.fazhi"


@dataclass(frozen=True, slots=True)
class Office:
    """The officers of the bureau, by role; where a step asks for two of a role there are two."""

    signers: dict[str, tuple[FileSigner, ...]]

    def of(self, roles: Sequence[str], count: int) -> tuple[FileSigner, ...]:
        """Signers for a step."""
        return self.signers[_role(roles)][:count]


def _role(roles: Sequence[str]) -> str:
    """Who does it where several may: the officer on the case before the head of the bureau."""
    return next((role for role in ("officer", "reviewer") if role in roles), roles[0])


def make(folder: Path, procedure: str, rules: RuleSet) -> tuple[Devnet, Office]:
    """Keys, cards and the genesis of a new network in ``folder``; nothing is started."""
    command = node_command()
    (folder / "officers").mkdir(parents=True, mode=0o700)
    ports = _free_ports(2 * len(AGENCIES))
    nodes = [
        NodeState(org, zh, str(folder / org), f"https://127.0.0.1:{ports[2 * i]}", f"127.0.0.1:{ports[2 * i + 1]}")
        for i, (org, zh, _, _) in enumerate(AGENCIES)
    ]
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        list(pool.map(lambda node: _initialise(command, node), nodes))
    office, officer_cards = _appoint(folder / "officers", rules)
    cards = [str(Path(node.home) / f"{node.org}.card") for node in nodes]
    genesis = [command, "genesis", *cards, "-o", str(folder / GENESIS_NAME), "--procedure", procedure]
    for card in officer_cards:
        genesis += ["--officer", str(card)]
    printed = run(genesis)
    return Devnet(folder, printed.split()[-1], nodes), office


def _initialise(command: str, node: NodeState) -> None:
    _, zh, en, roles = next(agency for agency in AGENCIES if agency[0] == node.org)
    given = [command, "init", "--org", node.org, "--name", zh, "--name-en", en, "--home", node.home]
    given += ["--p2p", node.p2p, "--url", node.url, "--no-passphrase"]
    for role in roles:
        given += ["--role", role]
    run(given)


def _appoint(folder: Path, rules: RuleSet) -> tuple[Office, list[Path]]:
    """A key and a card for every officer that the procedure needs."""
    needed: dict[str, int] = {}
    for step in rules.steps:
        role = _role(step.signing.roles)
        needed[role] = max(needed.get(role, 0), step.signing.minimum)
    signers: dict[str, tuple[FileSigner, ...]] = {}
    cards = []
    for role, count in needed.items():
        made = []
        for number in range(1, count + 1):
            name = f"{role}-{number}" if count > 1 else role
            signer = FileSigner.create(folder / f"{name}.key", None)
            card = folder / f"{name}.card"
            card.write_bytes(officer_card(signer, BUREAU, [role]))
            made.append(signer)
            cards.append(card)
        signers[role] = tuple(made)
    return Office(signers), cards


def run(given: Sequence[str]) -> str:
    """Run a command that must succeed; what it printed.

    Raises:
        DemoFailed: with the last words of the command.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAZHI_NODE_")}
    done = subprocess.run(given, capture_output=True, text=True, env=kept, timeout=120, check=False)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-800:]
        name = " ".join([Path(given[0]).name, *given[1:2]])
        raise DemoFailed(f"{name} 失败: {words}", f"{name} failed")
    return done.stdout


def start(network: Devnet, stopper: Stopper, orgs: Sequence[str] | None = None) -> None:
    """Start nodes (all, where none are named) and wait until they are ready."""
    for org in network.nodes if orgs is None else orgs:
        with stopper.held():
            network.start(org)
            write_pids(network)
    network.wait_ready(orgs)


def kill(network: Devnet, org: str) -> None:
    """``kill -9``."""
    network.kill(org)
    write_pids(network)


def next_proposer(genesis: Genesis, height: int) -> str:
    """Who proposes the block after ``height``."""
    validators = genesis.validator_set()
    return validators.validators[validators.proposer(height + 1, 0)].member


def height_of(network: Devnet, org: str) -> int:
    """The height of a node, by its own word; -1 where it does not answer."""
    said = network.status()[org]
    return -1 if said is None else int(said["height"])


def wait_for_height(network: Devnet, org: str, height: int, seconds: float = 30.0) -> int:
    """Wait until a node has caught up; its height.

    Raises:
        DemoFailed: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while (reached := height_of(network, org)) < height:
        if time.monotonic() > deadline:
            raise DemoFailed(f"{org} 未能追上高度 {height}", f"{org} did not catch up with height {height}")
        time.sleep(0.05)
    return reached


def stop(network: Devnet) -> None:
    """End every node; nothing stays behind.

    Raises:
        DemoFailed: a process or a port is still there.
    """
    network.down()
    write_pids(network)
    left = [org for org in network.nodes if network.is_running(org)]
    for node in network.nodes.values():
        address = urlsplit(node.url)
        host, port = node.p2p.rsplit(":", 1)
        left += [f"{at[0]}:{at[1]}" for at in ((address.hostname, address.port), (host, int(port))) if _listens(at)]
    if left:
        raise DemoFailed(f"仍有进程或端口: {left}", f"still there: {left}")


def _listens(address: tuple[str | None, int | None]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address[0] or "", address[1] or 0), timeout=1.0):
        return True
    return False


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held until the last is found, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
