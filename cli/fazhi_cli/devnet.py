"""``fazhi devnet``: a network to try things on this machine; its nodes are processes of ``fazhi-node``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fazhi_ledger import messages as ledger_messages

from . import connection, terminal
from .devnet_texts import DEVNET
from .exits import Exit
from .language import Language
from .parser import Parser

if TYPE_CHECKING:
    from fazhi_sdk.devnet import Devnet

DEFAULT_FOLDER: Final = "devnet"


def configure(parser: Parser) -> None:
    """Declare the commands."""
    commands = parser.commands()
    for name, run in (("up", run_up), ("down", run_down), ("status", run_status)):
        command = commands.add(name, parser.text(f"devnet-{name}"))
        command.argument(
            "folder",
            nargs="?",
            default=DEFAULT_FOLDER,
            metavar="FOLDER",
            help=parser.text("devnet-folder", default=DEFAULT_FOLDER),
        )
        if name == "status":
            command.option("--json", action="store_true", help=parser.text("json"))
        command.set_defaults(run=run)


def _text(code: str, language: Language, **values: str | int) -> str:
    return ledger_messages.sentence((DEVNET,), code, values.items(), language)


def run_up(options: argparse.Namespace, language: Language) -> int:
    """Start every node that is down; say where they are and what to try."""
    from fazhi_sdk.devnet import STATE_NAME, Devnet

    folder = Path(options.folder)
    network = Devnet.open(folder) if (folder / STATE_NAME).exists() else Devnet.create(folder)
    try:
        network.up()
    except BaseException:
        network.down()
        write_pids(network)
        raise
    write_pids(network)
    print(_text("up", language, folder=options.folder))
    rows = [(node.name, org, node.url) for org, node in network.nodes.items()]
    for line in terminal.table(rows):
        print(line)
    print(_text("genesis", language, hash=network.genesis_hash))
    key = folder / "officers" / "officer.key"
    org = json.loads(key.with_suffix(".card").read_text("utf-8"))["org"]
    for command in (
        f"export {connection.DEVNET}={options.folder}",
        f"fazhi case open 2026-1 --key {key}",
        f"fazhi case trail 2026-1 --org {org}",
        f"fazhi devnet down {options.folder}",
    ):
        print(f"  {command}")
    return Exit.OK


def run_down(options: argparse.Namespace, language: Language) -> int:
    """End all nodes; no network is nothing to end."""
    from fazhi_sdk.devnet import STATE_NAME, Devnet

    if not (Path(options.folder) / STATE_NAME).exists():
        print(_text("none", language, folder=options.folder), file=sys.stderr)
        return Exit.OK
    network = Devnet.open(options.folder)
    running = sum(network.is_running(org) for org in network.nodes)
    network.down()
    write_pids(network)
    print(_text("down", language, count=running), file=sys.stderr)
    return Exit.OK


def run_status(options: argparse.Namespace, language: Language) -> int:
    """What each node says of itself; success when all are ready."""
    from fazhi_sdk.devnet import Devnet

    network = Devnet.open(options.folder)
    said = network.status()
    ready = {org: network.is_ready(org) for org in network.nodes}
    if options.json:
        document = {
            "genesis_hash": network.genesis_hash,
            "nodes": {org: {"url": network.nodes[org].url, "ready": ready[org], "status": said[org]} for org in said},
        }
        print(terminal.json_text(document))
    else:
        rows = [(network.nodes[org].name, org, node_state(said[org], ready[org], language)) for org in said]
        for line in terminal.table(rows, indent=""):
            print(line)
    return Exit.OK if all(ready.values()) else Exit.NOT_VALID


def node_state(said: dict[str, Any] | None, ready: bool, language: Language) -> str:
    """A node's word on itself, in a line."""
    if said is None:
        return _text("silent", language)
    values = {name: str(said.get(name, "?")) for name in ("height", "round", "mempool")}
    peers = said.get("peers")
    known = peers if isinstance(peers, list) else []
    connected = sum(isinstance(peer, dict) and peer.get("connected") is True for peer in known)
    values["peers"] = f"{connected}/{len(known)}"
    state = _text("ready" if ready else "not-ready", language, reason=str(said.get("reason") or "–"))
    return f"{state} · {_text('state', language, **values)}"


def write_pids(network: Devnet) -> None:
    """A ``<org>.pid`` for each node that runs, beside its log, for those who look after processes."""
    for org, node in network.nodes.items():
        path = network.folder / f"{org}.pid"
        if node.pid is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(f"{node.pid}\n", "ascii")
