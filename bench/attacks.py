"""What a hostile member, a stranger or a client does to the others, in a process of its own: ``python -m bench.attacks
PLAN``, until it is ended. It says so on stdout when every target has felt it. Everything goes to loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import ssl
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from fazhi_consensus.messages import Commit
from fazhi_consensus.wire import encode_message
from fazhi_ledger.submission import Item
from fazhi_node.frames import ConsensusMessage, ItemsMessage, encode_frame
from fazhi_node.transport.frames import pack
from fazhi_node.transport.link import GENESIS_KEY, METHOD, OPTIONS, VERSION, VERSION_KEY

from .workload import Workload

VOTES: Final = 500
STRANGERS: Final = 300
LORISES: Final = 300
BEGIN_S: Final = 30.0
BEGUN: Final = "begun"

Reached = Callable[[str], None]
"""Told the name of a target that the attack has reached."""


@dataclass(frozen=True, slots=True)
class Target:
    """A node that is attacked."""

    org: str
    p2p: str
    http_port: int
    home: str


@dataclass(frozen=True, slots=True)
class Attack:
    """The plan of the process. ``home`` is the hostile member's; ``seat`` its place among the validators."""

    name: str
    genesis_hash: str
    home: str
    seat: int
    targets: tuple[Target, ...]
    officer: str

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Attack:
        """The plan of a file."""
        found = json.loads(path.read_text())
        return cls(**{**found, "targets": tuple(Target(**target) for target in found["targets"])})


def garbage(_: Attack) -> Iterator[bytes]:
    """Frames that are none."""
    return itertools.repeat(pack([b"garbage"] * 100))


def votes(attack: Attack) -> Iterator[bytes]:
    """COMMITs of a right form with a wrong signature, for heights that may be the next."""
    for number in itertools.count():
        height = 1 + number % 400
        commits = [Commit(attack.seat, height, number * VOTES + n, bytes(32), bytes(64)) for n in range(VOTES)]
        yield pack([encode_frame([ConsensusMessage(encode_message(commit)) for commit in commits])])


def gossip(attack: Attack) -> Iterator[bytes]:
    """Items of a right form with a wrong signature, never the same twice."""
    from fazhi_sdk.devnet import Devnet

    network = Devnet.open(Path(attack.home).parent)
    for number in itertools.count():
        work = Workload(bytes.fromhex(attack.genesis_hash), "zfj", [network.officer()], f"junk {number}")
        (lane,) = work.new_lanes(1)
        items = [Item.decode(item) for item in work.singles(lane, 20)]
        forged = tuple(Item(i.body_bytes, (bytes(64),) * len(i.signatures), i.records).encode() for i in items)
        yield pack([encode_frame([ItemsMessage(forged)])])


async def flood(attack: Attack, target: Target, reached: Reached, messages: Iterator[bytes]) -> None:
    """Send without end, and call again whenever the other side hangs up."""
    keys = Path(attack.home) / "keys"
    credentials = grpc.ssl_channel_credentials(
        (Path(target.home) / "keys" / "tls.crt").read_bytes(),
        (keys / "tls.key").read_bytes(),
        (keys / "tls.crt").read_bytes(),
    )
    options = (*OPTIONS, ("grpc.ssl_target_name_override", f"fazhi-{target.org}"))
    metadata = ((GENESIS_KEY, attack.genesis_hash), (VERSION_KEY, VERSION))
    while True:
        async with grpc.aio.secure_channel(target.p2p, credentials, options=options) as channel:
            call: Any = channel.stream_stream(METHOD, None, None)(metadata=metadata)  # type: ignore[call-arg]
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                for message in messages:
                    await call.write(message)
                    reached(target.org)
        await asyncio.sleep(0.1)


def _tls() -> ssl.SSLContext:
    """Of somebody who does not ask whom he talks to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def stranger(attack: Attack, target: Target, reached: Reached) -> None:
    """Connect to the peers' port without a certificate, and stay; again when thrown out."""
    host, _, port = target.p2p.rpartition(":")
    context = _tls()
    for number in itertools.count():
        with contextlib.suppress(OSError, ssl.SSLError):
            kind = context if number % 2 else None
            _, writer = await asyncio.open_connection(host, int(port), ssl=kind)
            reached(target.org)
            await asyncio.sleep(1)
            writer.close()
        await asyncio.sleep(0.1)


async def loris(attack: Attack, target: Target, reached: Reached) -> None:
    """A request whose head never ends, one byte a second; again when thrown out."""
    context = _tls()
    while True:
        with contextlib.suppress(OSError, ssl.SSLError):
            _, writer = await asyncio.open_connection("127.0.0.1", target.http_port, ssl=context)
            writer.write(b"POST /v1/submissions HTTP/1.1\r\nHost: a\r\nX: ")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                reached(target.org)
                await asyncio.sleep(1)
        await asyncio.sleep(0.1)


async def gateway(attack: Attack, target: Target, reached: Reached) -> None:
    """Junk submissions, as fast as they are answered."""
    context = _tls()
    body = os.urandom(64 * 1024)
    head = b"POST /v1/submissions HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    while True:
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.http_port, ssl=context)
            while True:
                writer.write(request)
                await writer.drain()
                answer = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                reached(target.org)
        await asyncio.sleep(0.05)


FLOODS: Final[dict[str, Callable[[Attack], Iterator[bytes]]]] = {"garbage": garbage, "votes": votes, "gossip": gossip}
OTHERS: Final[dict[str, tuple[Callable[[Attack, Target, Reached], Coroutine[Any, Any, None]], int]]] = {
    "strangers": (stranger, STRANGERS),
    "slow-loris": (loris, LORISES),
    "gateway": (gateway, 16),
}
"""Name, what one of them does, how many there are for each target."""


async def carry_out(attack: Attack) -> None:
    """Until the process is ended.

    Raises:
        TimeoutError: not every target is reached.
    """
    missing = {target.org for target in attack.targets}
    begun = asyncio.Event()

    def reached(org: str) -> None:
        missing.discard(org)
        if not missing:
            begun.set()

    async with asyncio.TaskGroup() as group:
        for target in attack.targets:
            if attack.name in FLOODS:
                group.create_task(flood(attack, target, reached, FLOODS[attack.name](attack)))
            else:
                act, count = OTHERS[attack.name]
                for _ in range(count):
                    group.create_task(act(attack, target, reached))
        async with asyncio.timeout(BEGIN_S):
            await begun.wait()
        print(BEGUN, flush=True)


if __name__ == "__main__":
    os.nice(5)
    asyncio.run(carry_out(Attack.read(Path(sys.argv[1]))))
