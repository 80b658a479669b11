"""CometBFT with four validators and its own key-value application.

``broadcast_tx_commit`` waits for a block a call and is slow by design. Instead 100 ``broadcast_tx_sync`` go in one
JSON-RPC request, and committed transactions are counted in the blocks as they are announced: the closed loop of our own
load, 8 workers with 100 transactions each.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvloop
from fazhi_sdk.devnet import free_ports

from bench.measure import BenchError, Spread, percentile

from .crew import Crew, answers, crew, go_programs
from .rows import Guarantees, Row
from .sizes import Sizes

MODULE: Final = "github.com/cometbft/cometbft"
VERSIONS: Final = {
    "v0.38.26": "h1:MIPYgOSvyyiN1jo3SZljKy4ZXqs896aQnj3pQFfUmaE=",
    "v0.34.35": "h1:GOjfoIDFwIGVS1BEKbxb9N/ppIuLrwnzcauLLV1i0B4=",
}
DECLARED: Final = {"v0.38.26": MODULE, "v0.34.35": "github.com/tendermint/tendermint"}
"""The path that a version's go.mod declares."""
NODES: Final = 4
WORKERS: Final = 8
PER_REQUEST: Final = 100
TUNED: Final = {
    ".proxy_app": '"kvstore"',
    ".log_level": '"error"',
    "rpc.max_request_batch_size": "0",
    "p2p.addr_book_strict": "false",
    "p2p.allow_duplicate_ip": "true",
    "p2p.pex": "false",
    "p2p.flush_throttle_timeout": '"10ms"',
    "p2p.max_packet_msg_payload_size": "65536",
    "p2p.send_rate": "512000000",
    "p2p.recv_rate": "512000000",
    "mempool.recheck": "false",
    "mempool.size": "20000",
    "mempool.cache_size": "40000",
    "consensus.timeout_commit": '"0s"',
    "consensus.skip_timeout_commit": "true",
    "consensus.create_empty_blocks": "false",
    "consensus.peer_gossip_sleep_duration": '"10ms"',
    "tx_index.indexer": '"null"',
}
"""Of ``config.toml``: without these it makes a block a second at most."""
GUARANTEES: Final = Guarantees(
    "none",
    "Byzantine, 1 of 4",
    "consensus WAL and block, on 3 of 4; the application's state is in memory",
    "encrypted between nodes, plain to clients",
    "who wrote what; what a transaction means",
)


def patched(text: str, changes: Mapping[str, str]) -> str:
    """A TOML text with other values: ``section.key`` → value; a key that is not there stays away."""
    section, lines = "", []
    for line in text.splitlines():
        head = re.fullmatch(r"\[([\w.]+)\]\s*", line)
        section = head[1] if head else section
        key, equals, _ = line.partition(" = ")
        value = changes.get(f"{section}.{key}") if equals else None
        lines.append(line if value is None else f"{key} = {value}")
    return "\n".join(lines) + "\n"


@contextmanager
def network(program: Path) -> Iterator[list[int]]:
    """Four validators; the ports of their RPC."""
    with crew() as people:
        people.run([program, "testnet", "--v", str(NODES), "--o", people.folder, "--populate-persistent-peers=false"])
        homes = [people.folder / f"node{number}" for number in range(NODES)]
        ids = [people.run([program, "show-node-id", "--home", home]).split()[-1] for home in homes]
        ports = free_ports(2 * NODES)
        rpc, p2p = ports[:NODES], ports[NODES:]
        peers = ",".join(f"{one}@127.0.0.1:{port}" for one, port in zip(ids, p2p, strict=True))
        for home, port, peer_port in zip(homes, rpc, p2p, strict=True):
            path = home / "config" / "config.toml"
            own = {
                "rpc.laddr": f'"tcp://127.0.0.1:{port}"',
                "p2p.laddr": f'"tcp://127.0.0.1:{peer_port}"',
                "p2p.persistent_peers": f'"{peers}"',
            }
            path.write_text(patched(path.read_text("utf-8"), {**TUNED, **own}), "utf-8")
            people.start(home.name, [program, "node", "--home", home])
        _wait_for_peers(people, rpc)
        yield rpc


def _wait_for_peers(people: Crew, rpc: list[int]) -> None:
    people.wait(lambda: all(answers(port) for port in rpc), "CometBFT")

    async def connected() -> bool:
        counts = []
        try:
            async with aiohttp.ClientSession() as session:
                for port in rpc:
                    async with session.get(f"http://127.0.0.1:{port}/net_info") as response:
                        counts.append(int((await response.json())["result"]["n_peers"]))
        except aiohttp.ClientError:  # it listens before it answers
            return False
        return min(counts) == NODES - 1

    people.wait(lambda: asyncio.run(connected()), "CometBFT's nodes do not find each other")


class Load:
    """One closed loop of some seconds."""

    def __init__(self, ports: list[int], size: int) -> None:
        self._ports = ports
        self._size = size
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._left: dict[asyncio.Future[None], int] = {}
        self._committed = 0
        self._took: list[float] = []

    async def run(self, seconds: float) -> tuple[float, float]:
        """Transactions a second; the median in milliseconds of 100 until all are in blocks."""
        events = f"http://127.0.0.1:{self._ports[0]}/websocket"
        async with aiohttp.ClientSession() as session, session.ws_connect(events, max_msg_size=0) as socket:
            query = {"query": "tm.event='NewBlock'"}
            await socket.send_json({"jsonrpc": "2.0", "id": 0, "method": "subscribe", "params": query})
            await socket.receive()
            reader = asyncio.ensure_future(self._read(socket))
            began = time.perf_counter()
            try:
                async with asyncio.timeout(seconds + 60):
                    await asyncio.gather(*(self._worker(session, one, began + seconds) for one in range(WORKERS)))
            except TimeoutError:
                raise BenchError("CometBFT: transactions were not committed") from None
            finally:
                reader.cancel()
            spent = time.perf_counter() - began
        return self._committed / spent, percentile(self._took, 0.5) * 1000

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            result: dict[str, Any] = json.loads(message.data).get("result", {})
            block = result.get("data", {}).get("value", {}).get("block", {})
            for one in block.get("data", {}).get("txs") or ():
                future = self._waiting.pop(one, None)
                if future is None:
                    continue
                self._committed += 1
                self._left[future] -= 1
                if not self._left[future]:
                    del self._left[future]
                    future.set_result(None)

    def _transaction(self) -> str:
        key = secrets.token_hex(16)
        return base64.b64encode(f"{key}={secrets.token_hex(self._size)[: self._size - 33]}".encode()).decode()

    async def _worker(self, session: aiohttp.ClientSession, number: int, end: float) -> None:
        url = f"http://127.0.0.1:{self._ports[number % NODES]}/"
        while (began := time.perf_counter()) < end:
            texts = [self._transaction() for _ in range(PER_REQUEST)]
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._left[future] = len(texts)
            self._waiting.update(dict.fromkeys(texts, future))
            calls = [
                {"jsonrpc": "2.0", "id": place, "method": "broadcast_tx_sync", "params": {"tx": text}}
                for place, text in enumerate(texts)
            ]
            async with session.post(url, json=calls) as response:
                answers_ = await response.json(content_type=None)
            bad = [one for one in answers_ if "error" in one or one["result"]["code"]]
            if bad:
                raise BenchError(f"CometBFT refuses: {bad[0]}"[:300])
            await future
            self._took.append(time.perf_counter() - began)


def _load(ports: list[int], size: int, seconds: float) -> tuple[float, float]:
    async def carry_out() -> tuple[float, float]:
        try:
            return await Load(ports, size).run(seconds)
        except aiohttp.ClientError as error:
            raise BenchError(f"CometBFT: {error!r}") from None

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(carry_out())


def build(version: str) -> Path:
    """The node's program."""
    declared = DECLARED[version]
    programs = {"cometbft": f"{declared}/cmd/cometbft"}
    return go_programs(f"cometbft-{version}", {MODULE: (version, VERSIONS[version])}, programs, {MODULE: declared})[
        "cometbft"
    ]


def measure(sizes: Sizes, version: str) -> list[Row]:
    """One version of it."""
    program = build(version)
    with network(program) as ports:
        _load(ports, sizes.single, 2.0)
        runs = [_load(ports, sizes.single, sizes.seconds) for _ in range(sizes.runs)]
    load = f"{PER_REQUEST} transactions a request, {WORKERS} workers"
    rates = Spread.of([rate for rate, _ in runs])
    p50 = Spread.of([one for _, one in runs]).median
    return [Row.of(f"CometBFT {version}, four validators, kvstore", load, sizes.single, rates, p50, GUARANTEES)]
