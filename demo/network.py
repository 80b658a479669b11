"""The network of the demo: four organisations, each with its own keys, one genesis made of their cards, and calendars
that they vote on; by the very commands that operators use (``fazhi-node init``, ``genesis``, ``rules``, ``vote``)."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fazhi_cli.devnet import write_pids
from fazhi_ledger.genesis import Genesis
from fazhi_ledger.validators import quorum_of
from fazhi_sdk.devnet import Devnet, node_command
from fazhi_sdk.keys import FileSigner

from demo.screen import DemoFailed
from demo.stopping import Stopper
from demo.walks import Visit, Walk, calendar_text, role_of

WITNESS: Final = "gzc"
"""Whose node hands over the archive: no party to the case."""
LATE_RECORD_MS: Final = 366 * 86_400_000
"""The demo's chain takes what is up to a year old without remark: it records within seconds what took months."""


@dataclass(frozen=True, slots=True)
class Office:
    """The keys of everybody who signs, by organisation and name."""

    signers: Mapping[tuple[str, str], FileSigner]

    def of(self, walk: Walk, visit: Visit) -> tuple[FileSigner, ...]:
        """Signers of a step of a walk."""
        return tuple(self.signers[visit.org or walk.org, name] for name in visit.signers)


def make(folder: Path, walks: Mapping[str, Walk]) -> tuple[Devnet, Office]:
    """Keys, cards and the genesis of a new network in ``folder``, with everybody who signs in these walks through
    procedures; nothing is started.
    """
    files = {(org, name): f"{org}-{name}" for walk in walks.values() for org, name in walk.signing()}
    net = Devnet.create(
        folder,
        members=tuple(dict.fromkeys(org for walk in walks.values() for org in walk.members)),
        parameters={"late_record_ms": LATE_RECORD_MS},
        procedures=tuple(walks),
        officers=[(file, org, (role_of(name),)) for (org, name), file in files.items()],
    )
    return net, Office({which: net.officer(file) for which, file in files.items()})


def vote_calendars(network: Devnet, years: Sequence[int]) -> None:
    """Have a quorum of the members vote on the calendar of each of these years.

    Raises:
        DemoFailed: one of them did not pass.
    """
    homes = [node.home for node in network.nodes.values()]
    for year in years:
        path = network.folder / f"calendar-{year}.toml"
        path.write_text(calendar_text(year), "utf-8")
        said = run([node_command(), "rules", str(path), "--home", homes[0], "--lang", "en"])
        found = re.search(r"\b[0-9a-f]{64}\b", said)
        for home in homes[1 : quorum_of(len(homes))]:
            said = run([node_command(), "vote", found[0] if found else "", "yes", "--home", home, "--lang", "en"])
        if "passed" not in said:
            raise DemoFailed(f"{year} 年日历未通过: {said}", f"the calendar of {year} did not pass")


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
