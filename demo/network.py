"""The network of the demo: four agencies, each with its own keys, and one genesis made of their cards; by the very
commands that operators use (``fazhi-node init``, ``fazhi-node genesis``)."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fazhi_cli.devnet import write_pids
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_ledger.genesis import Genesis
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.keys import FileSigner

from demo.screen import DemoFailed
from demo.stopping import Stopper

BUREAU: Final = "zfj"
WITNESS: Final = "gzc"
"""Whose node hands over the archive: no party to the case."""


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
    """Keys, cards and the genesis of a new network in ``folder``, with every officer that the procedure needs; nothing
    is started.
    """
    needed: dict[str, int] = {}
    for step in rules.steps:
        role = _role(step.signing.roles)
        needed[role] = max(needed.get(role, 0), step.signing.minimum)
    names = {role: [f"{role}-{number}" for number in range(1, count + 1)] for role, count in needed.items()}
    officers = [(name, BUREAU, (role,)) for role, keys in names.items() for name in keys]
    net = Devnet.create(folder, procedure=procedure, officers=officers)
    return net, Office({role: tuple(net.officer(name) for name in keys) for role, keys in names.items()})


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
