"""The transport over real sockets: who is let in, whose name a frame gets, and what happens when a peer goes away."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fazhi_node.certificates import make_certificate
from fazhi_node.exits import Stop
from fazhi_node.limits import MUTE_MS, PATIENCE, STREAM_COST
from fazhi_node.notices import PeerFault
from fazhi_node.peers import FLOODING, PeerTable
from fazhi_node.transport.frames import pack
from fazhi_node.transport.identity import NotAMember, Peer, Pins, der_of, pem_of
from fazhi_node.transport.link import GENESIS_KEY, METHOD, OPTIONS, VERSION, VERSION_KEY
from fazhi_node.transport.network import MAX_INCOMING, PeerNetwork, TransportSettings

GENESIS = bytes(range(32))
WITHIN_S = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Member:
    org: str
    key: bytes
    certificate: bytes
    port: int = field(default_factory=free_port)

    @classmethod
    def new(cls, org: str) -> Member:
        return cls(org, *make_certificate(f"fazhi-{org}", ["localhost", "127.0.0.1"]))

    @property
    def peer(self) -> Peer:
        return Peer(self.org, f"127.0.0.1:{self.port}", self.certificate)


@dataclass
class Node:
    """A network with what it received and what it noticed."""

    network: PeerNetwork
    frames: list[tuple[str, bytes]]
    connected: list[str]
    lost: list[str]
    notices: list[tuple[str, dict[str, Any]]]
    streams: list[str]


def node(
    member: Member,
    peers: list[Peer],
    *,
    genesis: bytes = GENESIS,
    gate: Callable[[str], Awaitable[None]] | None = None,
    on_stream: Callable[[str], None] | None = None,
    queue_bytes: int = 64 << 20,
) -> Node:
    frames: list[tuple[str, bytes]] = []
    connected: list[str] = []
    lost: list[str] = []
    notices: list[tuple[str, dict[str, Any]]] = []
    streams: list[str] = []

    async def open_gate(_: str) -> None:
        return

    settings = TransportSettings(
        member.org, f"127.0.0.1:{member.port}", member.key, member.certificate, genesis, 10_000, queue_bytes
    )
    network = PeerNetwork(
        settings,
        peers,
        lambda org, frame: frames.append((org, frame)),
        lambda org, up: connected.append(org) if up else lost.append(org),
        on_stream or streams.append,
        gate or open_gate,
        lambda event, **facts: notices.append((event, facts)),
    )
    return Node(network, frames, connected, lost, notices, streams)


async def until(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what is awaited is on other sockets
            await asyncio.sleep(0.01)
    assert condition(), what


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def stop(*nodes: Node) -> None:
    await asyncio.gather(*(each.network.stop() for each in nodes))


def test_two_members_exchange_frames_in_order() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        one, two = node(a, [a.peer, b.peer]), node(b, [a.peer, b.peer])
        await one.network.start()
        await two.network.start()
        try:
            await until(lambda: one.connected == ["b"] and two.connected == ["a"], "both links are up")
            for number in range(1000):
                one.network.broadcast(b"frame %d" % number)
            two.network.send("a", b"answer")
            two.network.send("nobody", b"is ignored")
            await until(lambda: len(two.frames) == 1000 and len(one.frames) == 1, "all frames arrive")
            assert two.frames == [("a", b"frame %d" % number) for number in range(1000)]
            assert one.frames == [("b", b"answer")]
            assert one.network.connected_count() == 1
            large = os.urandom(20 * 1024 * 1024)
            one.network.send("b", large)
            await until(lambda: len(two.frames) == 1001, "the largest frame arrives")
            assert two.frames[-1] == ("a", large)
        finally:
            await stop(one, two)

    run(test())


def test_a_peer_that_restarts_is_found_again() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        one = node(a, [a.peer, b.peer])
        await one.network.start()
        second = node(b, [a.peer, b.peer])
        await second.network.start()
        try:
            await until(lambda: one.network.connected_count() == 1, "connected")
            await second.network.stop()
            await until(lambda: one.network.connected_count() == 0, "the loss is noticed")
            one.network.broadcast(b"nobody listens: this is not kept")
            second = node(b, [a.peer, b.peer])
            await second.network.start()
            await until(lambda: one.connected == ["b", "b"], "connected again")
            one.network.broadcast(b"again")
            await until(lambda: bool(second.frames), "frames flow again")
            assert second.frames == [("a", b"again")]
            assert one.lost == ["b"]
        finally:
            await stop(one, second)

    run(test())


def test_a_peer_that_comes_late_is_called_at_once_when_it_calls() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        one, two = node(a, [a.peer, b.peer]), node(b, [a.peer, b.peer])
        await one.network.start()
        link = one.network._links["b"]

        async def pause_for_ever(failures: int) -> None:
            await link._poked.wait()

        link._pause = pause_for_ever  # type: ignore[method-assign]
        await until(lambda: bool(link.reason), "the first attempt has failed")
        await two.network.start()
        try:
            await until(lambda: one.connected == ["b"], "no other pause ends but by the peer's own call")
        finally:
            await stop(one, two)

    run(test())


async def call(target: Member, key: bytes, certificates: bytes, frames: list[bytes], genesis: bytes = GENESIS) -> str:
    """What a hand-made client gets: the name of the status, or OK where the stream was accepted."""
    credentials = grpc.ssl_channel_credentials(pem_of(target.certificate), key, certificates)
    options = (*OPTIONS, ("grpc.ssl_target_name_override", f"fazhi-{target.org}"))
    async with grpc.aio.secure_channel(f"127.0.0.1:{target.port}", credentials, options=options) as channel:
        stream: Any = channel.stream_stream(METHOD, None, None)(  # type: ignore[call-arg]
            metadata=((GENESIS_KEY, genesis.hex()), (VERSION_KEY, VERSION), ("fazhi-org", "b")), timeout=10
        )
        try:
            await stream.write(pack(frames))
            await stream.done_writing()
            await stream.read()
            return str((await stream.code()).name)
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)


def test_a_strangers_certificate_is_refused() -> None:
    async def test() -> None:
        a, b, stranger = Member.new("a"), Member.new("b"), Member.new("b")
        one = node(a, [a.peer, b.peer])
        await one.network.start()
        try:
            # The stranger's certificate even carries the member's name.
            assert await call(a, stranger.key, pem_of(stranger.certificate), [b"let me in"]) == "UNAVAILABLE"
            assert await call(a, b.key, pem_of(b.certificate), [b"hello"]) == "OK"
            assert one.frames == [("b", b"hello")]
            assert one.streams == ["b"]
        finally:
            await stop(one)

    run(test())


def issued_by(issuer: Member, org: str, ca_key: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    """A certificate in the name of ``org``, signed by another member's key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fazhi-{org}")]))
        .issuer_name(x509.load_der_x509_certificate(issuer.certificate).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"fazhi-{org}")]), False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, certificate.public_bytes(serialization.Encoding.DER)


def authority(org: str) -> tuple[Member, ec.EllipticCurvePrivateKey]:
    """A member whose certificate is an authority (the genesis refuses such; here it gets past)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fazhi-{org}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"fazhi-{org}")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Member(org, pem, certificate.public_bytes(serialization.Encoding.DER)), key


def test_a_member_cannot_claim_to_be_another_one() -> None:
    """TLS peer is not signer unless checked: the pinned bytes decide, neither a name nor a chain to a member's root."""

    async def test() -> None:
        a, c = Member.new("a"), Member.new("c")
        evil, evil_key = authority("b")
        one = node(a, [a.peer, evil.peer, c.peer])
        await one.network.start()
        try:
            # With its own certificate b is b, whatever it says in metadata.
            assert await call(a, evil.key, pem_of(evil.certificate), [b"mine"]) == "OK"
            assert one.frames == [("b", b"mine")]
            # With a certificate in c's name under its own root the handshake succeeds, and the pin refuses.
            forged_key, forged = issued_by(evil, "c", evil_key)
            chain = pem_of(forged) + pem_of(evil.certificate)
            assert await call(a, forged_key, chain, [b"c speaking"]) == "UNAUTHENTICATED"
            assert one.frames == [("b", b"mine")]
        finally:
            await stop(one)

    run(test())


def test_a_member_cannot_answer_for_another_one() -> None:
    async def test() -> None:
        a, b, c = Member.new("a"), Member.new("b"), Member.new("c")
        b.port = c.port  # b listens where c is expected
        peers = [a.peer, c.peer]
        one, impostor = node(a, peers), node(b, [a.peer, b.peer, c.peer])
        await impostor.network.start()
        await one.network.start()
        try:
            reason = next(link for link in one.network._links.values() if link.peer.org == "c")
            await until(lambda: bool(reason.reason), "the attempt fails")
            assert one.connected == []
            assert "UNAVAILABLE" in reason.reason
            assert impostor.frames == []
        finally:
            await stop(one, impostor)

    run(test())


def test_another_genesis_or_version_is_refused() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        one, two = node(a, [a.peer, b.peer]), node(b, [a.peer, b.peer], genesis=bytes(32))
        await one.network.start()
        await two.network.start()
        try:
            await until(lambda: any(event == "peer-other-genesis" for event, _ in one.notices), "the other chain shows")
            assert one.connected == []
            assert two.connected == []
            assert await call(a, b.key, pem_of(b.certificate), [b"x"], bytes(32)) == "FAILED_PRECONDITION"
            assert one.frames == []
        finally:
            await stop(one, two)

    run(test())


def test_malformed_frames_end_the_stream_of_that_peer_only() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        one = node(a, [a.peer, b.peer])
        await one.network.start()
        try:
            assert await call(a, b.key, pem_of(b.certificate), [b"ok", b""]) == "INVALID_ARGUMENT"
            assert [event for event, _ in one.notices if event == "peer-malformed"]
            assert await call(a, b.key, pem_of(b.certificate), [b"fine"]) == "OK"
        finally:
            await stop(one)

    run(test())


def test_who_opens_stream_after_stream_is_reported_and_not_heard() -> None:
    """Each costs us more than a message, whatever is in it: 1,600 a second took a whole core, and nobody was told."""

    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        reports: list[PeerFault] = []
        table, now_ms = PeerTable("a", reports.append), 0

        async def gate(org: str) -> None:
            while table.muted_ms(org, now_ms):  # noqa: ASYNC110 - the test moves the clock
                await asyncio.sleep(0.01)

        one = node(a, [a.peer, b.peer], gate=gate, on_stream=lambda org: table.spend(org, STREAM_COST, now_ms))
        await one.network.start()
        try:
            for number in range(PATIENCE // STREAM_COST):
                assert await call(a, b.key, pem_of(b.certificate), [b"%d" % number]) == "OK"
            assert (len(one.frames), reports) == (PATIENCE // STREAM_COST, [])
            late = asyncio.ensure_future(call(a, b.key, pem_of(b.certificate), [b"late"]))
            await until(lambda: [fault.code for fault in reports] == [FLOODING], "it is reported")
            assert one.frames[-1] != ("b", b"late")
            now_ms = MUTE_MS
            assert await late == "OK"
            assert one.frames[-1] == ("b", b"late")
        finally:
            await stop(one)

    run(test())


def test_a_closed_gate_holds_the_sender_not_our_memory() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        opened = asyncio.Event()

        async def gate(_: str) -> None:
            await opened.wait()

        one = node(a, [a.peer, b.peer], gate=gate)
        two = node(b, [a.peer, b.peer], queue_bytes=1 << 20)
        await one.network.start()
        await two.network.start()
        try:
            await until(lambda: two.connected == ["a"], "connected")
            for _ in range(400):
                two.network.send("a", bytes(256 * 1024))
                await asyncio.sleep(0)
            await until(lambda: two.network.peers()[0]["dropped"] != 0, "the sender's bounded queue overflows")
            assert len(one.frames) <= 1
            opened.set()
            two.network.send("a", b"last")
            await until(lambda: bool(one.frames) and one.frames[-1] == ("b", b"last"), "it flows again")
        finally:
            opened.set()
            await stop(one, two)

    run(test())


def test_a_taken_port_is_said_so() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        b.port = a.port
        one, two = node(a, [a.peer]), node(b, [b.peer])
        await one.network.start()
        try:
            with pytest.raises(Stop) as stopped:
                await two.network.start()
            assert stopped.value.code == "port-in-use"
        finally:
            await stop(one)

    run(test())


def test_strangers_that_say_nothing_are_bounded() -> None:
    """What is beyond the bound is closed at once, and a member still gets in when the silent ones are gone. (Many
    handshakes that ended together aborted the process, about every second time.)
    """

    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        one, two = node(a, [a.peer, b.peer]), node(b, [a.peer, b.peer])
        silent: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        await one.network.start()
        try:
            for _ in range(MAX_INCOMING + 40):
                silent += [await asyncio.open_connection("127.0.0.1", a.port)]
            # Half of what is too much: how fast gRPC takes what waits to be accepted is its own affair.
            await until(lambda: sum(reader.at_eof() for reader, _ in silent) >= 20, "what is too much is closed")
            for _, writer in silent:
                writer.close()
            await two.network.start()
            await until(lambda: one.connected == ["b"] and two.connected == ["a"], "a member gets in")
        finally:
            for _, writer in silent:
                writer.close()
            await stop(one, two)

    run(test())


def test_only_the_pinned_bytes_are_an_identity() -> None:
    a, other = Member.new("a"), Member.new("a")
    pins = Pins([a.peer])
    context = {"transport_security_type": [b"ssl"], "x509_pem_cert": [pem_of(a.certificate)]}
    assert pins.org_of_connection(context) == "a"
    assert der_of(pem_of(a.certificate)) == a.certificate
    for bad in (
        {},
        {"transport_security_type": [b"ssl"], "x509_pem_cert": []},
        {"transport_security_type": [b"insecure"], "x509_pem_cert": [pem_of(a.certificate)]},
        {"transport_security_type": [b"ssl"], "x509_pem_cert": [pem_of(other.certificate)]},
        {"transport_security_type": [b"ssl"], "x509_pem_cert": [pem_of(a.certificate) * 2]},
        {"transport_security_type": [b"ssl"], "x509_pem_cert": [b"-----BEGIN CERTIFICATE-----\nzz"]},
    ):
        with pytest.raises(NotAMember):
            pins.org_of_connection(bad)
