"""The peers' part of the campaign: three honest nodes and one member of four whose part the campaign plays.

Once in one process, with the machines of the node and virtual time, where much can be sent; once over real gRPC with
mutual TLS to real processes, strangers and broken handshakes among it. What must hold: no machine and no process ends
or reports a fault of its own, no fork, and what an officer submits is committed in the end, nothing twice.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import io
import resource
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from fazhi_ledger.block import Block
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import FazhiError
from fazhi_node.limits import PATIENCE
from fazhi_node.notices import PeerFault
from fazhi_node.prepare import prepare
from fazhi_node.transport.identity import pem_of

from tests.node.cluster import SUITE, Cluster
from tests.node.edge.processes import Network, NodeProcess

from .peer_inputs import Member, frame, transport
from .ran import Ran
from .target import Violation

GROWTH_MB: Final = 256
COMMIT_MS: Final = 120_000
ROUND: Final = 40
"""Frames between two looks at whether everything still holds."""
STREAM: Final = 60
UNEXPECTED: Final = "unexpected-error"
"""What a node reports of a peer when its own reading failed in a way that nobody thought of. It goes on; we look."""
FATAL: Final = (UNEXPECTED, "own-fault", "stopped", "stopping", "fork", "machine-failed", "Traceback")


class Machines:
    """Three machines of a chain of four, in one process."""

    def __init__(self, seed: int) -> None:
        self.cluster = Cluster(seed)
        self.cluster.start("a", "b", "c")
        for node in self.cluster.alive:
            node.running.on_peer_connected("d")
        self._seq = 0
        self.commit()

    def member(self) -> Member:
        """What d knows."""
        cluster = self.cluster
        node = max(cluster.alive, key=lambda one: one.height)
        assert node.store is not None
        heights = range(max(1, node.height - 3), node.height + 1)
        blocks = [block for height in heights if (block := node.store.block(height)) is not None]
        certificates = [node.store.certificate(block.header.height) for block in blocks]
        pairs = [
            (block.encode(), one.encode()) for block, one in zip(blocks, certificates, strict=True) if one is not None
        ]
        items = tuple(item.encode() for block in blocks for item in block.items)
        signer = cluster["d"].signer
        assert signer is not None
        return Member(
            cluster.genesis_hash,
            signer,
            3,
            node.height,
            tuple(pairs),
            tuple(block.hash(SUITE) for block in blocks),
            items,
        )

    def send(self, org: str, data: bytes) -> None:
        """A frame of d's reaches that node, which has all its patience again: here every frame is to be looked at."""
        machine = self.cluster[org].running
        machine.peers.get("d").patience = PATIENCE * 1000
        machine.on_frame("d", data)

    def commit(self) -> None:
        """What an officer submits is committed by all three, in bounded virtual time."""
        item = self.cluster.item("a", self._seq)
        self._seq += 1
        self.cluster["a"].running.submit([item.encode()], client="test", done=None)
        ids = [item.id(SUITE)]
        self.cluster.run_until(lambda: self.cluster.committed_everywhere(ids), COMMIT_MS)


def in_machines(seed: int, *, seconds: float = 0, runs: int = 0) -> Ran:
    """Frames into machines; a new chain from time to time, so that bans and long heights do not hide what follows."""
    ran = Ran("peer frames to machines", "own")
    ended = time.monotonic() + seconds
    try:
        while (runs and ran.runs < runs) or (not runs and time.monotonic() < ended):
            machines = Machines(seed + ran.runs)
            for turn in range(10):
                _one_round(machines, Random(f"{seed}/{ran.runs}/{turn}"), ran)
                if runs and ran.runs >= runs:
                    break
            machines.cluster.check_exactly_once()
    except Exception as error:  # noqa: BLE001 - whatever a machine lets through is what is looked for
        ran.violation = f"seed {seed}, frame {ran.runs}: {type(error).__name__}: {error}"
    ran.peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return ran


def _one_round(machines: Machines, random: Random, ran: Ran) -> None:
    member = machines.member()
    for _ in range(ROUND):
        data = frame(random, member)
        started = time.thread_time()
        for org in random.choice((("a",), ("b",), ("c",), ("a", "b", "c"))):
            machines.send(org, data)
        spent = (time.thread_time() - started) * 1000
        if spent > ran.slowest_ms:
            ran.slowest_ms, ran.slowest_bytes = spent, len(data)
        ran.runs += 1
        if random.random() < 0.3:
            machines.cluster.run_for(random.choice((1, 5, 50, 400)))
    unexpected = [
        fault for node in machines.cluster.alive for fault in node.notices
        if isinstance(fault, PeerFault) and fault.code == UNEXPECTED
    ]  # fmt: skip
    if unexpected:
        raise Violation(f"a machine stumbled: {unexpected[0]}")
    faults = sum(len(node.faults) for node in machines.cluster.alive)
    machines.commit()
    ran.accepted = ran.runs - faults if faults < ran.runs else 0


class Processes:
    """Three real nodes of a chain of four; the fourth is not started."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.played = network.nodes[1]
        self.nodes = [node for node in network.nodes if node is not self.played]
        self.asked: NodeProcess = network.nodes[0]
        self._count = 0
        self.commit()
        self._base_mb = self.memory_mb()

    def commit(self) -> None:
        """What an officer submits is committed.

        Raises:
            Violation: a node has ended or nothing is committed.
        """
        self._count += 1
        try:
            item = self.network.lead(f"案 {self._count}")
            end = time.monotonic() + 60
            while self.asked.submit([item], wait_ms=10_000).status != 200:
                if time.monotonic() > end:
                    raise Violation("nothing is committed within 60 s")
        except (OSError, http.client.HTTPException) as error:
            raise Violation(f"the gateway does not answer: {error!r}") from None
        for node in self.nodes:
            if node.process is None or node.process.poll() is not None:
                raise Violation(f"{node.org} has ended: {node.log[-2000:]}")
            said = [line for line in node.log.splitlines() if any(word in line for word in FATAL)]
            if said:
                raise Violation(f"{node.org} says: {said[:3]}")

    def memory_mb(self) -> float:
        """Largest size that one of the nodes ever had."""
        return max(node.peak_mb for node in self.nodes)

    def check_memory(self) -> float:
        """The same.

        Raises:
            Violation: it has grown past the bound.
        """
        size = self.memory_mb()
        if size > self._base_mb + GROWTH_MB:
            raise Violation(f"a node has grown from {self._base_mb:.0f} to {size:.0f} MB")
        return size

    def member(self) -> Member:
        """What the played member knows, from a gateway."""
        prepared = prepare(self.played.home, None, lambda: b"", "en")
        page = self.asked.get("/v1/blocks?from=1&limit=4").json["blocks"]
        blocks = []
        for one in page:
            parts = (base64.b64decode(one["header"]), tuple(base64.b64decode(item) for item in one["items"]))
            blocks.append((encode(parts), base64.b64decode(one["certificate"])))
        decoded = [Block.decode(block) for block, _ in blocks]
        index = self.network.genesis.genesis.validator_set().index_of_member(self.played.org)
        assert index is not None
        return Member(
            self.network.genesis_hash, prepared.signers[0], index, self.asked.height(), tuple(blocks),
            tuple(block.hash(SUITE) for block in decoded),
            tuple(item.encode() for block in decoded for item in block.items),
        )  # fmt: skip

    async def stream(self, node: NodeProcess, messages: list[bytes], *, genesis: bytes | None = None) -> str:
        """One stream of the member's to a node: the status at its end."""
        import grpc
        import grpc.aio
        from fazhi_node.transport.link import GENESIS_KEY, METHOD, OPTIONS, VERSION, VERSION_KEY

        own = self.played.home / "keys"
        server = ssl.PEM_cert_to_DER_cert((node.home / "keys" / "tls.crt").read_text())
        credentials = grpc.ssl_channel_credentials(
            pem_of(server), (own / "tls.key").read_bytes(), (own / "tls.crt").read_bytes()
        )
        options = (*OPTIONS, ("grpc.ssl_target_name_override", f"fazhi-{node.org}"))
        metadata = ((GENESIS_KEY, (genesis or self.network.genesis_hash).hex()), (VERSION_KEY, VERSION))
        async with grpc.aio.secure_channel(f"127.0.0.1:{node.p2p_port}", credentials, options=options) as channel:
            call: Any = channel.stream_stream(METHOD, None, None)(metadata=metadata, timeout=30)  # type: ignore[call-arg]
            try:
                for one in messages:
                    await call.write(one)
                await call.done_writing()
                await call.read()
                return str((await call.code()).name)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
                return str(error.code().name) if isinstance(error, grpc.aio.AioRpcError) else "ENDED"


async def _stranger(node: NodeProcess, random: Random) -> None:
    """No member: bytes, a broken handshake, or TLS without a certificate, which is let in nowhere."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.p2p_port)
    try:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(random.choice((0, 20, 400)))
        writer.write(
            random.choice(
                (random.randbytes(200), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", hello)
            )
        )
        with contextlib.suppress(OSError):
            writer.write_eof()
            async with asyncio.timeout(20):
                await reader.read(1 << 16)
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.p2p_port, ssl=context)
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
            await reader.read(1 << 16)  # TLS 1.3 refuses a client without a certificate after the handshake
            writer.close()


def over_grpc(processes: Processes, seed: int, *, seconds: float = 0, runs: int = 0) -> Ran:
    """Streams of frames to the three nodes, and strangers; then what must hold."""
    ran = Ran("peer frames over gRPC", "own")
    ended = time.monotonic() + seconds
    turn = 0
    try:
        while (runs and ran.runs < runs) or (not runs and time.monotonic() < ended):
            random = Random(f"{seed}/{turn}")
            member, node = processes.member(), random.choice(processes.nodes)
            count = min(STREAM, runs - ran.runs) if runs else STREAM
            packed = [frame(random, member) for _ in range(count)]
            size = random.choice((1, 5, 20))
            messages = [transport(random, packed[start : start + size]) for start in range(0, len(packed), size)]
            genesis = bytes(32) if random.random() < 0.05 else None
            started = time.monotonic()
            status = asyncio.run(processes.stream(node, messages, genesis=genesis))
            asyncio.run(_stranger(node, random))
            ran.slowest_ms = max(ran.slowest_ms, (time.monotonic() - started) * 1000)
            if genesis is not None and status == "OK":
                raise Violation("a stream of another chain is taken")
            ran.runs += len(packed)
            ran.accepted += len(packed) * (status == "OK")
            turn += 1
            processes.commit()
            ran.peak_mb = round(processes.check_memory(), 1)
    except (Violation, FazhiError, AssertionError, OSError) as error:
        ran.violation = f"seed {seed}, stream {turn}: {type(error).__name__}: {error}"
    return ran


def run(folder: Path, *, seed: int, seconds: float = 0, runs: int = 0, report: Callable[[Ran], None]) -> None:
    """Both, with half of the time each, or so many frames each."""
    report(in_machines(seed, seconds=seconds / 2, runs=runs))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        network = Network(folder)
    with network:
        for node in network.nodes:
            node.module = "tests.fuzz.patient"
            if node is not network.nodes[1]:
                node.start()
        network.until_ready()
        report(over_grpc(Processes(network), seed, seconds=seconds / 2, runs=runs))
