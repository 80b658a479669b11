"""The gateway's part of the campaign: a real node of one member, asked everything over real sockets.

What must hold of every answer: no 5xx (503 is for a node that is not ready, or stops: this one is ready and runs);
status, content type and body as OpenAPI says; an error is a problem with a code, a sentence that is no bare code, and
the security headers. Of the node: it answers others meanwhile, says nothing in its log, and does not grow past a bound.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

from fazhi_ledger.record import case_id, case_key
from fazhi_node.gateway import schemas
from pydantic import ValidationError

from tests.node.edge.processes import SUITE, Answer, Network, NodeProcess

from .http_inputs import Known, Request, raw, request, submission
from .ran import Ran
from .target import Violation

LIMITS: Final = {
    "FAZHI_NODE_HTTP_BODY_BYTES": "1000000",
    "FAZHI_NODE_HTTP_BODY_SECONDS": "1",
    "FAZHI_NODE_HTTP_WAIT_MS": "100",
    "FAZHI_NODE_EVENT_STREAMS": "64",
}
ANSWER_S: Final = 20.0
"""What is not answered, or closed, by then hangs."""
GROWTH_MB: Final = 256
OTHERS_EVERY: Final = 25
PROBLEM: Final = "application/problem+json"
ENDLESS: Final = "/v1/events"


class Bench:
    """The node, what stands on its chain, and how it is asked."""

    def __init__(self, network: Network) -> None:
        self.node: NodeProcess = network.nodes[0]
        self.document: dict[str, Any] = self.node.get("/openapi.json", token=False).json
        items = [network.lead(f"甲 {number}") for number in range(3)]
        for item in items:
            network.commit(self.node, item)
        waiting = [network.lead(f"乙 {number}", lane=b"l" * 16, seq=5 + number) for number in range(2)]
        self.known = self._known(network, items + waiting)
        self._base_mb = self.node.peak_mb

    def _known(self, network: Network, items: list[Any]) -> Known:
        ids = tuple(item.id(SUITE).hex() for item in items)
        cases = tuple(case_id(SUITE, "zfj", case_key(SUITE, "zfj", "penalty", f"甲 {n}")).hex() for n in range(3))
        numbers = ("1", "2", "3", "4", "99")
        return Known(
            {
                "submission_id": ids, "case_id": cases, "key": (network.officer.public_key.hex(),), "org": ("zfj",),
                "lane": ("00" * 16, "6c" * 16), "height": numbers, "from": numbers, "to": numbers, "first": numbers,
                "limit": numbers, "record": ("0", "1"), "records": ("all",), "cursor": ("0.0", "1.0", "3.0"),
            },
            self.node.token,
            tuple(item.encode() for item in items),
            frozenset(ids),
        )  # fmt: skip

    def ask(self, asked: Request) -> Answer:
        """The answer to a request, the head alone where the body has no end."""
        with closing(self.node.connection(ANSWER_S)) as connection:
            connection.putrequest(asked.method, asked.target, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                connection.putheader(name, value.encode("latin-1", "replace"))
            if asked.body is not None:
                connection.putheader("Content-Length", str(len(asked.body)))
            connection.endheaders(asked.body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            endless = asked.route == ENDLESS and response.status == 200
            return Answer(response.status, found, response.readline() if endless else response.read())

    def others(self) -> None:
        """Somebody else is answered meanwhile, and the node is as it was.

        Raises:
            Violation: it is not.
        """
        assert self.node.process is not None
        if self.node.process.poll() is not None:
            raise Violation(f"the node has ended: {self.node.log[-2000:]}")
        try:
            answer = self.node.get("/readyz", token=False)
        except (OSError, http.client.HTTPException) as error:
            raise Violation(f"the node does not answer others: {error!r}") from None
        if answer.status != 200:
            raise Violation(f"the node is not ready: {answer.body!r}")
        said = [line for line in self.node.log.splitlines() if line and line.split()[2] != "started"]
        if said:
            raise Violation(f"the node's log: {said[:5]}")
        if self.node.peak_mb > self._base_mb + GROWTH_MB:
            raise Violation(f"the node has grown to {self.node.peak_mb:.0f} MB")


def conforms(document: dict[str, Any], asked: Request, answer: Answer) -> None:
    """Raise :class:`Violation` unless the answer is what OpenAPI says, and an error what ``spec/gateway.md`` says."""
    operation = document["paths"][asked.route][asked.method.lower()]
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.status >= 400:
        is_problem(answer.status, kind, answer.body)
    elif str(answer.status) not in operation["responses"]:
        raise Violation(f"status {answer.status} is not documented")
    described = operation["responses"].get(str(answer.status)) or operation["responses"]["default"]
    if kind not in described["content"]:
        raise Violation(f"content type {kind!r} is not documented for {answer.status}")
    name = described["content"][kind].get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name:
        try:
            getattr(schemas, name).model_validate_json(answer.body, strict=True)
        except ValidationError as error:
            raise Violation(f"the body is no {name}: {error}") from None
    for header in ("x-content-type-options", "content-security-policy", "cache-control"):
        if header not in answer.headers:
            raise Violation(f"no {header}")


def is_problem(status: int, kind: str, body: bytes) -> None:
    """Raise :class:`Violation` unless it is a problem of the caller's that says what to do."""
    if status >= 500:
        raise Violation(f"status {status}: {body[:500]!r}")
    if kind != PROBLEM:
        raise Violation(f"an error of type {kind!r}: {body[:200]!r}")
    try:
        problem = schemas.ProblemBody.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise Violation(f"no problem: {error}") from None
    if problem.status != status or not problem.code or problem.detail.startswith(problem.code):
        raise Violation(f"a problem without a sentence: {body[:300]!r}")


def ask_parameters(bench: Bench, random: Random) -> bool:
    """One reading request. True where it was served."""
    asked = request(random, bench.known, bench.document)
    answer = bench.ask(asked)
    conforms(bench.document, asked, answer)
    return answer.status < 400


def ask_submission(bench: Bench, random: Random) -> bool:
    """One submission. What is taken is what an officer signed, however the rest was changed."""
    asked = submission(random, bench.known)
    if len(asked.body or b"") > int(LIMITS["FAZHI_NODE_HTTP_BODY_BYTES"]):
        return False  # refused before it is read; who goes on sending may never see the answer
    answer = bench.ask(asked)
    conforms(bench.document, asked, answer)
    if answer.status >= 400:
        return False
    for result in answer.json["results"]:
        if result["status"] in ("committed", "pending") and result["id"] not in bench.known.ids:
            raise Violation(f"taken although nobody signed it: {result}")
    return True


def ask_raw(bench: Bench, random: Random) -> bool:
    """Bytes on a socket, then its end: whatever comes back is HTTP, no 5xx, and the connection ends."""
    pieces = raw(random, bench.known)
    data = b""
    try:
        with socket.create_connection(("127.0.0.1", bench.node.http_port), ANSWER_S) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
            except TimeoutError:
                raise Violation(f"the node takes nothing for {ANSWER_S} s and does not close") from None
            except OSError:
                pass  # cut off while we were still sending: as good as any answer
            while part := connection.recv(1 << 16):
                data += part
                if b"text/event-stream" in data:
                    break
    except ConnectionError:
        pass
    except TimeoutError:
        raise Violation(f"neither an answer nor an end within {ANSWER_S} s") from None
    return _judge_raw(data)


def _judge_raw(data: bytes) -> bool:
    if not data:
        return False
    if not data.startswith(b"HTTP/1.1 "):
        raise Violation(f"no HTTP: {data[:100]!r}")
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status < 400:
        return True
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", b"0"))
    # A HEAD has no body, though a length, and the next answer may follow; and a reset takes the rest with it.
    if len(body) >= length > 0 and not body.startswith(b"HTTP/1.1 "):
        is_problem(status, fields.get(b"content-type", b"").decode().partition(";")[0], body[:length])
    elif status >= 500:
        raise Violation(f"status {status}")
    return False


PARTS: Final[dict[str, Callable[[Bench, Random], bool]]] = {
    "gateway parameters": ask_parameters,
    "gateway submissions": ask_submission,
    "gateway raw sockets": ask_raw,
}


def run_part(bench: Bench, name: str, seed: int, *, seconds: float = 0, runs: int = 0) -> Ran:
    """One part, for so long or so many requests. Request n follows from seed, part and n."""
    ran = Ran(name, "own")
    ended = time.monotonic() + seconds
    while (runs and ran.runs < runs) or (not runs and time.monotonic() < ended):
        started = time.monotonic()
        try:
            ran.accepted += PARTS[name](bench, Random(f"{seed}/{name}/{ran.runs}"))
            if ran.runs % OTHERS_EVERY == 0:
                bench.others()
        except (Violation, OSError, http.client.HTTPException, ValueError) as error:
            ran.violation = f"request {ran.runs} of seed {seed}: {type(error).__name__}: {error}"
            break
        ran.slowest_ms = max(ran.slowest_ms, (time.monotonic() - started) * 1000)
        ran.runs += 1
    if not ran.violation:
        try:
            bench.others()
        except Violation as error:
            ran.violation = str(error)
    ran.peak_mb = round(bench.node.peak_mb, 1)
    return ran


def run_schemathesis(bench: Bench, folder: Path, seed: int, seconds: float) -> Ran:
    """Requests out of OpenAPI by schemathesis: every operation but the endless one and the one whose body is no JSON,
    which are above. Of its checks one is left out: that whatever a schema allows is accepted. A schema cannot say that
    one parameter must not be above another.
    """
    told = folder / "schemathesis.json"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{bench.node.http_port}/openapi.json",
        "--max-time", str(max(20, round(seconds))), "--seed", str(seed),
        "--header", f"Authorization: Bearer {bench.node.token}",
        "--exclude-path", ENDLESS, "--exclude-path", "/v1/submissions", "--checks", "all",
        "--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing", "--continue-on-failure",
        "--generation-database", "none", "--request-timeout", str(ANSWER_S), "--report", "json",
        "--report-json-path", str(told),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=_environment())
    found = json.loads(told.read_text()) if told.exists() else {}
    ran = Ran("gateway by schemathesis", "schemathesis", found.get("test_cases", {}).get("generated", 0))
    ran.accepted = sum(_accepted(found.get("valid_rates", {})))
    ran.corpus = found.get("operations", {}).get("tested", 0)
    if done.returncode or found.get("failures") or found.get("errors") or not ran.runs:
        ran.violation = f"seed {seed}: {done.stdout[-4000:]}{done.stderr[-1000:]}"
    try:
        bench.others()
    except Violation as error:
        ran.violation = ran.violation or str(error)
    ran.peak_mb = round(bench.node.peak_mb, 1)
    return ran


def _environment() -> dict[str, str]:
    """It runs in another folder, where a relative PYTHONPATH would lead nowhere."""
    tools = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": str(Path(tools).resolve()) if tools else ""}


def _accepted(rates: dict[str, dict[str, dict[str, int]]]) -> Iterator[int]:
    for phases in rates.values():
        for counts in phases.values():
            yield counts.get("accepted", 0)


def run(folder: Path, *, seed: int, seconds: float = 0, runs: int = 0, report: Callable[[Ran], None]) -> None:
    """All parts, with equal shares of the time, or so many requests each."""
    by_schema = not runs and importlib.util.find_spec("schemathesis") is not None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # what `init` tells
        made = Network(folder, orgs=("zfj",), plain=True, environment=dict(LIMITS))
    with made as network:
        network.start()
        bench = Bench(network)
        share = seconds / (len(PARTS) + by_schema)
        for name in PARTS:
            report(run_part(bench, name, seed, seconds=share, runs=runs))
        if by_schema:
            report(run_schemathesis(bench, folder, seed, share))
        elif not runs:
            print("schemathesis is not installed: requests out of OpenAPI are our own alone", flush=True)
