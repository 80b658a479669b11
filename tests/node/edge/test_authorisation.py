"""Who may do what at the gateway: every route of the application for every role, in one table, asked of a real node.

The gateway knows two things of whoever asks: a bearer token that the operator gave out, or none. It knows no members
(their nodes speak gRPC) and no operator: ``fazhi-node status`` on the same machine asks like anybody else.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPSConnection
from typing import Any
from unittest.mock import Mock

import pytest
from fazhi_contracts.chain import genesis_state
from fazhi_contracts.in_force import rules_of
from fazhi_contracts.state import MemoryState
from fazhi_ledger.canonical import encode
from fazhi_ledger.record import case_id, case_key
from fazhi_ledger.submission import Item
from fazhi_node.gateway.front import Front, make_gateway
from fazhi_node.gateway.submit import MEDIA_TYPE
from starlette.routing import Route

from .processes import SUITE, Answer, Network, NodeProcess

OPEN, READ, WRITE = "open", "read", "write"
TABLE: dict[tuple[str, str], str] = {
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/v1/status"): OPEN,
    ("GET", "/v1/genesis"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    ("HEAD", "/openapi.json"): OPEN,
    ("POST", "/v1/submissions"): WRITE,
    ("GET", "/v1/submissions/{submission_id}"): READ,
    ("GET", "/v1/submissions/{submission_id}/proof"): READ,
    ("GET", "/v1/lanes/{org}/{key}/{lane}"): READ,
    ("GET", "/v1/keys/{key}"): READ,
    ("GET", "/v1/cases"): READ,
    ("GET", "/v1/cases/{case_id}"): READ,
    ("GET", "/v1/rules/{rules_hash}"): READ,
    ("GET", "/v1/procedures/{procedure}"): READ,
    ("GET", "/v1/series"): READ,
    ("GET", "/v1/blocks/{height}"): READ,
    ("GET", "/v1/blocks"): READ,
    ("GET", "/v1/archive"): READ,
    ("GET", "/v1/snapshot"): READ,
    ("GET", "/v1/checkpoint"): READ,
    ("GET", "/v1/consistency"): READ,
    ("GET", "/v1/validators"): READ,
    ("GET", "/v1/members"): OPEN,
    ("GET", "/v1/proposals"): READ,
    ("GET", "/v1/events"): READ,
    ("GET", "/metrics"): READ,
}
"""Method and route -> who may: everybody; whoever may read; everybody, with proofs beside for whoever may read."""

ROLES = ("nobody", "wrong token", "member's certificate", "operator on loopback", "read token", "revoked token")
READERS = frozenset({"read token"})
"""The roles that may read where the operator did not open it."""

KEPT, REVOKED = "kept-token-of-a-court-0001", "revoked-token-of-a-court-0002"


def routes_of(app: Any) -> Iterator[tuple[str, str]]:
    """Method and path of everything that an application answers; what it cannot look into fails."""
    for route in app.routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in route.methods or ())
        else:
            yield from routes_of(route.original_router)


def gateway_routes() -> set[tuple[str, str]]:
    """Everything that the gateway answers, out of the one function that puts it together."""
    service = Mock()
    service.prepared.config.open_reads = True
    front = make_gateway(service, Mock())._app
    assert isinstance(front, Front)
    return set(front._routes) | set(routes_of(front._build()))


def test_every_route_stands_in_the_table() -> None:
    assert gateway_routes() == set(TABLE)


@dataclass
class Asked:
    """A node of one member whose chain holds one submission."""

    network: Network
    item: Item
    submission_id: str = ""

    @property
    def node(self) -> NodeProcess:
        return self.network.nodes[0]

    def __call__(self, method: str, path: str, role: str) -> Answer:
        """The answer to a request in a role; only its head where it has no end."""
        given = {"wrong token": KEPT[:-1] + "x", "read token": KEPT, "revoked token": REVOKED}.get(role)
        headers = {} if given is None else {"Authorization": f"Bearer {given}"}
        body = encode((self.item.encode(),)) if method == "POST" else None
        context = ssl.create_default_context(cafile=str(self.node.home / "keys" / "tls.crt"))
        if role == "member's certificate":
            context.load_cert_chain(self.node.home / "keys" / "tls.crt", self.node.home / "keys" / "tls.key")
        with closing(HTTPSConnection("localhost", self.node.http_port, timeout=30, context=context)) as connection:
            connection.request(method, self.address(path), body, {**headers, "Content-Type": MEDIA_TYPE})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            endless = response.status == 200 and path == "/v1/events"
            return Answer(response.status, found, b"" if endless else response.read())

    def address(self, path: str) -> str:
        """The route with what stands on this chain; a case that is not there has a route of its own answer."""
        key = self.network.officer.public_key.hex()
        case = case_id(SUITE, "zfj", case_key(SUITE, "zfj", "penalty", "甲")).hex()
        given = {"submission_id": self.submission_id, "org": "zfj", "key": key, "lane": "00" * 16, "case_id": case}
        rules = rules_of(MemoryState(genesis_state(self.network.genesis))).hash(SUITE).hex()
        query = {"/v1/consistency": "?from=1&to=1", "/v1/submissions": "?proof=1&wait_ms=5000"}
        query["/v1/cases"] = "?org=zfj&procedure=penalty&year=2026"
        return path.format(**given, rules_hash=rules, procedure="penalty", height=1) + query.get(path, "")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with Network(tmp_path_factory.mktemp("roles"), orgs=("zfj",)) as network:
        ask = Asked(network, network.lead("甲"))
        tokens = ask.node.home / "keys" / "read-tokens"
        tokens.write_text(f"{KEPT}\n{REVOKED}\n")
        network.start()
        ask.submission_id = network.commit(ask.node, ask.item)[0]["id"]
        assert ask("GET", "/v1/blocks", "revoked token").status == 200, "as long as it is not revoked"
        assert ask.node.stop() == 0
        tokens.write_text(f"# {REVOKED}\n{KEPT}\n")
        network.start()
        yield ask


def judge(answer: Answer, allowed: bool) -> None:
    if allowed:
        assert answer.status == 200, answer.body
        return
    assert answer.status == 401, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json["code"] == "unauthorized"
    assert "operator" in answer.json["detail"] or "运营者" in answer.json["detail"], "it says what to do"


@pytest.mark.parametrize("role", ROLES)
def test_every_role_at_every_route(asked: Asked, role: str) -> None:
    for (method, path), who in TABLE.items():
        answer = asked(method, path, role)
        judge(answer, who != READ or role in READERS)
        if who == WRITE:
            proofs = [result.get("proof") is not None for result in answer.json["results"]]
            assert proofs == [role in READERS], "a proof is something read"


@pytest.mark.parametrize("role", ROLES)
def test_no_other_method_and_no_other_path_tells_anything(asked: Asked, role: str) -> None:
    reader = role in READERS
    for path in sorted({path for _, path in TABLE}):
        who = TABLE.get(("GET", path), WRITE)
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"):
            if (method, path) in TABLE:
                continue
            answer = asked(method, path, role)
            may = reader or who == OPEN or method == "OPTIONS"
            assert answer.status in ((404, 405) if may else (401,)), (method, path)
    for path in (
        "/",
        "/docs",
        "/redoc",
        "/v1",
        "/v1/",
        "/v2/blocks",
        "/V1/blocks",
        "/admin",
        "/v1/blocks/",
        "//v1/blocks",
    ):
        assert asked("GET", path, role).status in ({404} if reader else {401}), path


def test_a_node_that_is_opened_answers_everybody(asked: Asked) -> None:
    assert asked.node.stop() == 0
    asked.node.environment["FAZHI_NODE_OPEN_READS"] = "true"
    try:
        asked.network.start()
        for method, path in TABLE:
            for role in ("nobody", "revoked token"):
                answer = asked(method, path, role)
                judge(answer, True)
                if path == "/v1/submissions":
                    assert answer.json["results"][0]["proof"] is not None
    finally:
        del asked.node.environment["FAZHI_NODE_OPEN_READS"]
