"""etcd with three nodes, under the load generator of its own project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from fazhi_sdk.devnet import free_ports

from bench.measure import BenchError, Spread

from .crew import answers, crew, go_programs
from .rows import Guarantees, Row
from .sizes import Sizes

VERSION: Final = "v3.6.8"
MODULES: Final = {
    "go.etcd.io/etcd/server/v3": (VERSION, "h1:U2strdSEy1U8qcSzRIdkYpvOPtBy/9i/IfaaCI9flZ4="),
    "go.etcd.io/etcd/v3": (VERSION, "h1:zfUsRJ8ql/F1LrQ04o1wSjKzGpD/gKz6SKkvaoFaZEA="),
}
PROGRAMS: Final = {"etcd": "go.etcd.io/etcd/server/v3", "etcd-load": "go.etcd.io/etcd/v3/tools/benchmark"}
NODES: Final = 3
WARM_WRITES: Final = 2_000
LOADS: Final = ((1, 64), (1, 800), (100, 8))
"""Writes a transaction, clients."""
GUARANTEES: Final = Guarantees(
    "none",
    "crashes, 1 of 3",
    "Raft log on 2 of 3",
    "plain",
    "who wrote what; a lying member is believed",
)
_RATE: Final = re.compile(r"Requests/sec:\s+([0-9.]+)")
_HALF: Final = re.compile(r"50% in ([0-9.]+) secs")


def read_summary(text: str) -> tuple[float, float]:
    """Requests a second and the median in milliseconds, out of what etcd's load generator prints.

    Raises:
        BenchError: they are not there, or some requests failed.
    """
    rate, half = _RATE.search(text), _HALF.search(text)
    if rate is None or half is None or "Error distribution" in text:
        raise BenchError(f"etcd's load: {text[-300:]}")
    return float(rate[1]), float(half[1]) * 1000


def arguments_of(number: int, clients: Sequence[int], peers: Sequence[int]) -> list[str]:
    """The command line of member ``number``."""
    everybody = ",".join(f"n{other}=http://127.0.0.1:{port}" for other, port in enumerate(peers))
    client, peer = (f"http://127.0.0.1:{ports[number]}" for ports in (clients, peers))
    return [
        "--name", f"n{number}", "--data-dir", f"n{number}",
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
        "--initial-cluster", everybody, "--initial-cluster-state", "new",
        "--quota-backend-bytes", str(8 << 30), "--log-level", "error",
    ]  # fmt: skip


def measure(sizes: Sizes) -> list[Row]:
    """Writes one by one, to the leader; and 100 in a transaction."""
    programs = go_programs("etcd", MODULES, PROGRAMS)
    rows: list[Row] = []
    with crew() as people:
        ports = free_ports(2 * NODES)
        clients, peers = ports[:NODES], ports[NODES:]
        for number in range(NODES):
            people.start(f"n{number}", [programs["etcd"], *arguments_of(number, clients, peers)])
        people.wait(lambda: all(answers(port) for port in clients), "etcd")
        where = ",".join(f"127.0.0.1:{port}" for port in clients)

        def load(per_transaction: int, connections: int, size: int, requests: int) -> tuple[float, float]:
            command: list[str] = [str(programs["etcd-load"]), "--endpoints", where, "--target-leader"]
            command += ["--clients", str(connections), "--conns", str(min(connections, 64))]
            command += ["put", "--sequential-keys"] if per_transaction == 1 else ["txn-put", "--txn-ops", "100"]
            command += ["--key-size", "16", "--key-space-size", "100000000", "--val-size", str(size)]
            rate, p50 = read_summary(people.run([*command, "--total", str(requests)], 300))
            return rate * per_transaction, p50

        for per_transaction, connections in LOADS:
            size = sizes.single if per_transaction == 1 else sizes.batched
            warm, _ = load(per_transaction, connections, size, max(1, WARM_WRITES // per_transaction))
            count = max(connections, int(warm * sizes.seconds / per_transaction))
            runs = [load(per_transaction, connections, size, count) for _ in range(sizes.runs)]
            said = "one write a call" if per_transaction == 1 else f"{per_transaction} writes a transaction"
            system, what = f"etcd {VERSION}, three nodes", f"{said}, {connections} clients"
            rates, p50 = Spread.of([rate for rate, _ in runs]), Spread.of([one for _, one in runs]).median
            rows.append(Row.of(system, what, size, rates, p50, GUARANTEES))
    return rows
