"""The way to a gateway: addresses, pinned certificates, tokens shown to members only, patience with busy ones."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.server
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fazhi_ledger.genesis import Genesis
from fazhi_sdk.aio.gateways import Answer, Gateway, Gateways, parse_url
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.errors import InputError, NotConnected, TooBusy
from fazhi_sdk.sync import Chain, Pending
from fazhi_sdk.testing import TestChain

from .proxy import Proxy
from .test_chain import receipt_of
from .test_delivery import proxies, through

__all__ = ["proxies"]


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("https://node-a:8443", "https://node-a:8443"),
        ("https://node-a:8443/", "https://node-a:8443"),
        ("https://node-a", "https://node-a:443"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_addresses(typed: str, url: str) -> None:
    assert parse_url(typed) == url


@pytest.mark.parametrize(
    "typed",
    [
        "http://node-a:8443",
        "http://127.0.0.1.example:80",
        "ftp://node-a",
        "node-a:8443",
        "https://",
        "https://a/path",
        "https://a?x",
        "https://user:pass@a",
        "https://a:99999",
        "https://a:0",
        "",
    ],
)
def test_addresses_that_are_refused(typed: str) -> None:
    with pytest.raises(InputError):
        parse_url(typed)


class Impostor:
    """A TLS server with a certificate of its own; it remembers what it is asked and with which token."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str | None]] = []
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "impostor.pem"
        pem.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.digest = certificate.fingerprint(hashes.SHA256())
        self.connections = 0
        impostor, asked = self, self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                impostor.connections += 1
                super().setup()

            def do_GET(self) -> None:
                asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Impostor]:
    server = Impostor(tmp_path)
    yield server
    server.close()


def test_a_connection_is_kept_for_the_next_request(impostor: Impostor) -> None:
    """A handshake costs both ends more than most requests."""

    async def ask() -> None:
        gateways = Gateways([impostor.url], None, 10)
        member = SimpleNamespace(gateway_url=impostor.url, tls_fingerprint=impostor.digest)
        gateways.pin(cast(Genesis, SimpleNamespace(members=[member])))
        for _ in range(3):
            assert await gateways.read("/v1/a", lambda answer: answer.status) == 200
            assert await gateways.post("/v1/b", b"body", "", lambda answer: answer.status, timeout_s=10) == 200
        await gateways.close()

    asyncio.run(ask())
    assert len(impostor.asked) == 6
    assert impostor.connections == 1


def test_an_impostor_gets_neither_token_nor_submission(net: Devnet, impostor: Impostor, number: str) -> None:
    """Its certificate is no member's: it is asked for nothing but what proves itself, and shown no token."""
    outbox = net.folder / f"impostor-{number[-4:]}.db"
    token = next(iter(net.tokens.values()))
    urls = [impostor.url, net.urls[0]]
    with Chain.connect(urls, net.genesis_hash, outbox, token=token) as chain:
        case = chain.open_case("penalty", number=number, signer=net.officer())
        assert receipt_of(case.opening).number_in_case == 1
    assert set(impostor.asked) <= {("/v1/genesis", None), ("/v1/members", None)}
    alone = net.folder / f"impostor-alone-{number[-4:]}.db"
    genesis = net.folder / "genesis.fazhi"
    with Chain.connect(impostor.url, net.genesis_hash, alone, token=token, genesis=genesis) as chain:
        opening = chain.open_case("penalty", number=number + "A", signer=net.officer()).opening
        assert isinstance(opening, Pending)
        assert isinstance(opening.why, NotConnected)
        assert "belongs to no member" in str(opening.why)
    assert set(impostor.asked) <= {("/v1/genesis", None), ("/v1/members", None)}


def test_another_name_of_a_member_is_pinned_when_met(net: Devnet, number: str) -> None:
    """The genesis names 127.0.0.1; under localhost the node still shows its member's certificate."""
    url = net.urls[0].replace("127.0.0.1", "localhost")
    token = net.tokens[net.urls[0]]
    with Chain.connect(url, net.genesis_hash, net.folder / f"alias-{number[-4:]}.db", token=token) as chain:
        assert receipt_of(chain.open_case("penalty", number=number, signer=net.officer()).opening).number_in_case == 1


def test_a_busy_gateway_is_given_the_time_it_asks_for(net: Devnet, proxies: list[Proxy], number: str) -> None:
    proxy = proxies[0]
    began = time.monotonic()

    def busy(name: str, body: bytes) -> tuple[int, bytes] | None:
        if name == "POST /v1/submissions" and time.monotonic() - began < 1.5:
            return 429, b'{"code": "node-busy"}'
        return None

    proxy.headers = {"Retry-After": "2"}
    proxy.before = busy
    with through(net, [proxy], f"busy-{number[-4:]}.db") as chain:
        officer = net.officer()
        began = time.monotonic()
        case = chain.open_case("penalty", number=number, signer=officer)
        assert receipt_of(case.opening).number_in_case == 1
        assert time.monotonic() - began >= 1.9
        assert proxy.seen.count("POST /v1/submissions") == 2
        began = time.monotonic() + 60
        pending = case.record("FILED", signer=net.officer("head"), timeout_s=0.5)
        assert isinstance(pending, Pending)
        assert isinstance(pending.why, TooBusy)
        assert pending.why.retry_after_s == 2


def test_threads_share_a_client(chain: TestChain, net: Devnet, number: str) -> None:
    """Calls of several threads run side by side, and each record is filed once."""
    case = chain.open_case("penalty", number=number, signer=chain.officer())
    receipt_of(case.record("FILED", signer=chain.officer("head")))
    numbers: list[int] = []

    def work() -> None:
        numbers.extend(receipt_of(case.record("INVEST", fields={"n": n})).number_in_case for n in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(numbers) == list(range(3, 23))


def test_no_gateway_at_all(net: Devnet, tmp_path: Path) -> None:
    with pytest.raises(NotConnected) as caught:
        Chain.connect("http://127.0.0.1:1", net.genesis_hash, tmp_path / "outbox.db")
    assert "nothing was to be recorded" in str(caught.value)


ODD = [
    ("https://x:99999", b"x" * 32),
    ("http://y.example", b"y" * 32),
    ("https://b.example:0", b"o" * 32),
    ("https://b.example/", b"b" * 32),
]


def test_one_members_odd_address_in_the_genesis_keeps_nobody_from_the_others() -> None:
    """Cards take a port of 0. Whoever has that certificate is a member all the same, reached by another name."""
    gateways = Gateways(["https://a.example", "https://b.example"], None, 5)
    members = [SimpleNamespace(gateway_url=url, tls_fingerprint=pin) for url, pin in ODD]
    gateways.pin(cast(Genesis, SimpleNamespace(members=members)))
    assert [one.pin for one in gateways._all] == [None, b"b" * 32]
    assert gateways._known == {pin for _, pin in ODD}


def test_one_members_odd_address_keeps_nobody_from_learning_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain takes addresses that no client can use (a port of 99999, or 0): they are left out, not all with them,
    and stand for nobody else's."""
    gateways = Gateways(["https://a.example", "https://b.example"], None, 5)
    gateways._members_of = lambda _: ODD

    async def attempt(gateway: Gateway, *_: Any, **__: Any) -> Answer:
        return Answer(gateway.url, 200, b"{}", None)

    monkeypatch.setattr(gateways, "_attempt", attempt)
    assert asyncio.run(gateways._learned(gateways._all[0]))
    assert {one.url: one.pin for one in gateways._all} == {
        "https://a.example:443": None,
        "https://b.example:443": b"b" * 32,
    }
