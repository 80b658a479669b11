"""A slice of the gateway's campaign against a real node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fazhi_node.gateway import schemas

from tests.node.edge.processes import Answer, Network

from .gateway import LIMITS, PARTS, Bench, conforms, is_problem, run_part
from .http_inputs import Request
from .target import Violation

SEED = 20261122
RUNS = 150


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Network(tmp_path_factory.mktemp("gateway"), orgs=("zfj",), plain=True, environment=dict(LIMITS)) as network:
        network.start()
        yield Bench(network)


@pytest.mark.parametrize("name", PARTS)
def test_slice(bench: Bench, name: str) -> None:
    ran = run_part(bench, name, SEED, runs=RUNS)
    assert ran.violation == ""
    assert (ran.runs, ran.accepted > 0) == (RUNS, True)


def test_what_does_not_conform_is_seen(bench: Bench) -> None:
    asked = Request("GET", "/healthz", "/healthz", {})
    good = bench.ask(asked)
    conforms(bench.document, asked, good)
    bad = (
        Answer(500, good.headers, b"{}"),
        Answer(204, good.headers, b""),
        Answer(200, good.headers, b'{"status": "fine"}'),
        Answer(200, good.headers, b'{"status": "ok", "more": 1}'),
        Answer(200, {**good.headers, "content-type": "text/plain"}, good.body),
        Answer(200, {"content-type": "application/json"}, good.body),
        Answer(404, {**good.headers, "content-type": "text/plain"}, b"Not Found"),
    )
    for answer in bad:
        with pytest.raises(Violation):
            conforms(bench.document, asked, answer)


def test_a_problem_needs_a_sentence() -> None:
    body = schemas.ProblemBody(type="about:blank", title="x", status=400, detail="say more", code="bad", parameters={})
    is_problem(400, "application/problem+json", body.model_dump_json().encode())
    body.detail = "bad"
    with pytest.raises(Violation):
        is_problem(400, "application/problem+json", body.model_dump_json().encode())
