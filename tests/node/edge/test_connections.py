"""Places at the gateway: one client cannot take them all. Over real sockets, from two addresses of loopback."""

from __future__ import annotations

import asyncio
import socket

from fazhi_node.gateway.server import CLIENT_CONNECTIONS_MIN, HttpServer, bind, client_share
from starlette.responses import PlainTextResponse

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ONE, OTHER = "127.0.0.1", "127.0.0.2"


async def connect(port: int, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))


async def answered(pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
    """Whether a request on this connection is answered; False where the other side has closed it."""
    reader, writer = pair
    try:
        writer.write(REQUEST)
        await writer.drain()
        return (await asyncio.wait_for(reader.read(1000), 20)).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def test_one_client_leaves_places_to_the_others() -> None:
    async def test() -> None:
        bound: socket.socket = bind("127.0.0.1:0")
        port = bound.getsockname()[1]
        server = HttpServer(PlainTextResponse("hello"), bound, None, 6, 4, "en")
        await server.start()
        pairs = []
        try:
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
        finally:
            for _, writer in pairs:
                writer.close()
            await server.stop()

    asyncio.run(test())


def test_the_share_leaves_room_for_others() -> None:
    assert client_share(512) == 384
    assert client_share(4) == CLIENT_CONNECTIONS_MIN
