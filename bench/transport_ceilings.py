"""What a message costs on its way at all: a gRPC stream, a bare TLS stream, a bare Starlette route. CPU, both ends."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import os
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # must stand before grpc's import

import grpc
import grpc.aio
import uvicorn
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .figures import Report
from .measure import Spread

METHOD: Final = "/bench.Echo/Frames"
NAME: Final = "bench.invalid"


@dataclass(frozen=True, slots=True)
class Identity:
    """A self-signed P-256 certificate, PEM."""

    key: bytes
    certificate: bytes

    @classmethod
    def make(cls) -> Identity:
        """A new one, good for an hour."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
        now = dt.datetime.now(dt.UTC)
        names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(hours=1))
        builder = builder.not_valid_after(now + dt.timedelta(hours=1)).add_extension(names, critical=False)
        made = builder.sign(key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return cls(private, made.public_bytes(pem))


async def _cost_us(messages: int, send: Callable[[], Awaitable[None]]) -> float:
    """CPU of this process a message."""
    began = time.process_time()
    for _ in range(messages):
        await send()
    return (time.process_time() - began) / messages * 1e6


@contextlib.asynccontextmanager
async def _grpc_stream(identity: Identity) -> AsyncIterator[Any]:
    async def echo(requests: Any, _: Any) -> AsyncIterator[bytes]:
        async for message in requests:
            yield message[:1]

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.stream_stream_rpc_method_handler(echo)
    service, method = METHOD[1:].split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    pair = [(identity.key, identity.certificate)]
    credentials = grpc.ssl_server_credentials(pair, identity.certificate, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    client = grpc.ssl_channel_credentials(identity.certificate, identity.key, identity.certificate)
    options = [("grpc.ssl_target_name_override", NAME)]
    try:
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", client, options=options) as channel:
            open_stream: Any = channel.stream_stream(METHOD, None, None)
            call = open_stream()
            yield call
            call.cancel()
    finally:
        await server.stop(0)


async def _grpc(report: Report, identity: Identity, messages: int, runs: int) -> None:
    async with _grpc_stream(identity) as call:
        for key, size in (("ceilings.grpc_frame_us", 1024), ("ceilings.grpc_frame_60k_us", 60_000)):
            data = bytes(size)

            async def send(data: bytes = data) -> None:
                await call.write(data)
                await call.read()

            await _cost_us(messages // 5, send)
            # There and back are two messages; the answer is small.
            report.put(key, Spread.of([await _cost_us(messages, send) / 2 for _ in range(runs)]))


async def _tls(report: Report, identity: Identity, folder: Path, messages: int, runs: int) -> None:
    pem = folder / "identity.pem"
    pem.write_bytes(identity.key + identity.certificate)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem)
    client_side = ssl.create_default_context(cadata=identity.certificate.decode("ascii"))

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readexactly(1024)
                writer.write(b"a" * 1024)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_side, server_hostname=NAME)
    data = bytes(1024)

    async def send() -> None:
        writer.write(data)
        await reader.readexactly(1024)

    await _cost_us(messages // 5, send)
    report.put("ceilings.tls_frame_us", Spread.of([await _cost_us(messages, send) / 2 for _ in range(runs)]))
    writer.close()
    server.close()
    await server.wait_closed()


async def _starlette(report: Report, messages: int, runs: int) -> None:
    async def plain(_: Request) -> Response:
        return Response(b"ok")

    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Starlette(routes=[Route("/", plain)]), log_config=None, access_log=False, lifespan="off", loop="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve([bound]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    request = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n"

    async def send() -> None:
        writer.write(request)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)

    await _cost_us(messages // 5, send)
    costs = [await _cost_us(messages, send) for _ in range(runs)]
    report.put("ceilings.starlette_us", Spread.of(costs))
    writer.close()
    server.should_exit = True
    await serving
    bound.close()


def measure(report: Report, quick: bool) -> None:
    """Measure all three, on uvloop as the nodes run."""
    messages, runs = (400, 3) if quick else (2000, 5)

    async def all_three() -> None:
        identity = Identity.make()
        with tempfile.TemporaryDirectory(prefix="fazhi-bench-") as folder:
            await _grpc(report, identity, messages, runs)
            await _tls(report, identity, Path(folder), messages, runs)
            await _starlette(report, messages, runs)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_three())
