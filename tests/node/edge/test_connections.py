"""Places at the gateway: one client cannot take them all. Over real sockets, from two addresses of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop
from fazhi_node.certificates import make_certificate
from fazhi_node.gateway.door import CLIENT_CONNECTIONS_MIN, FILES_KEPT, client_of, places
from fazhi_node.gateway.server import HttpServer, bind
from fazhi_node.transport.identity import pem_of
from starlette.responses import PlainTextResponse

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ONE, OTHER = "127.0.0.1", "127.0.0.2"


async def connect(port: int, source: str) -> Pair:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))


async def answered(pair: Pair) -> bool:
    """Whether a request on this connection is answered; False where the other side has closed it."""
    reader, writer = pair
    try:
        writer.write(REQUEST)
        await writer.drain()
        return (await asyncio.wait_for(reader.read(1000), 20)).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_a_machine_with_many_addresses_is_one_client(host: str, client: str) -> None:
    assert client_of(host) == client


@contextlib.asynccontextmanager
async def serving(tls: tuple[Path, Path] | None = None) -> AsyncIterator[tuple[int, list[Pair]]]:
    """A gateway with six places, four of one client: its port, and the connections to be closed in the end."""
    bound: socket.socket = bind("127.0.0.1:0")
    server = HttpServer(PlainTextResponse("hello"), bound, tls, 6, 4, "en")
    pairs: list[Pair] = []
    try:
        await server.start()
        yield bound.getsockname()[1], pairs
    finally:
        for _, writer in pairs:
            writer.close()
        await server.stop()


@pytest.mark.parametrize("loop", LOOPS)
def test_one_client_leaves_places_to_the_others(loop: str) -> None:
    async def test() -> None:
        async with serving() as (port, pairs):
            for _ in range(4):
                pairs.append(await connect(port, ONE))
                assert await answered(pairs[-1])
            pairs.append(await connect(port, ONE))
            assert not await answered(pairs[-1])  # its fifth
            for _ in range(2):
                pairs.append(await connect(port, OTHER))
                assert await answered(pairs[-1])
            pairs.append(await connect(port, OTHER))
            assert not await answered(pairs[-1])  # the seventh of all
            pairs[0][1].close()
            await pairs[0][1].wait_closed()
            async with asyncio.timeout(20):
                while True:
                    pairs.append(await connect(port, OTHER))
                    if await answered(pairs[-1]):
                        break

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(test())


@pytest.mark.parametrize("loop", LOOPS)
def test_who_never_ends_a_handshake_takes_a_place_too(tmp_path: Path, loop: str) -> None:
    """Else a stranger's silent connections take every file that the node may open, and it stops."""

    async def test() -> None:
        key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
        pem, der = make_certificate("fazhi-a", ["localhost"])
        key.write_bytes(pem)
        certificate.write_bytes(pem_of(der))
        async with serving((key, certificate)) as (port, pairs):
            for _ in range(5):
                pairs.append(await connect(port, ONE))
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(pairs[-1][0].read(1), 20) == b"", "its fifth"
            trusting = ssl.create_default_context(cafile=str(certificate))
            pairs.append(
                await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(OTHER, 0), ssl=trusting, server_hostname="localhost"
                )
            )
            assert await answered(pairs[-1])

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(test())


def test_the_share_leaves_room_for_others() -> None:
    assert places(512, 64, 65_536) == (1088, 384)
    assert places(4, 0, 65_536) == (CLIENT_CONNECTIONS_MIN, CLIENT_CONNECTIONS_MIN)
    assert places(512, 64, 1024) == (1024 - FILES_KEPT, 384)  # the store can still open its files


def test_a_node_asks_the_system_for_more_files() -> None:
    """Of the usual 1,024 the gateway alone would take more."""
    program = (
        "import resource as r; from fazhi_node.gateway.door import allowed_files; "
        "r.setrlimit(r.RLIMIT_NOFILE, (300, 2000)); "
        "print(allowed_files(), r.getrlimit(r.RLIMIT_NOFILE))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown == "2000 (2000, 2000)\n"
