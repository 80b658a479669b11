"""The load generator, a process of its own: ``python -m bench.load PLAN``.

The plan holds request bodies that were made before. After ``go`` on stdin each worker sends its requests one after the
other, each waiting until everything in it is committed (a closed loop), or at fixed moments (``rate``). One line of
JSON at the end says what came of it. It is lean on purpose: aiohttp, a connection a worker, no outbox, no receipts.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from fazhi_ledger.canonical import Value, decode, pack
from fazhi_ledger.shape import as_bytes, as_int, as_text, as_tuple

MEDIA_TYPE = "application/vnd.fazhi.submissions.v1"
WAIT_MS = 30_000
MAX_PLAN_BYTES = 1 << 30
MAX_TRIES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """``workers``: (gateway's URL, request bodies). ``rate_per_s``: requests a second of all workers; 0: closed loop.
    Stops after ``max_s`` seconds whatever is left.
    """

    workers: tuple[tuple[str, tuple[bytes, ...]], ...]
    rate_per_s: int
    max_s: int

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        value: Value = (self.workers, self.rate_per_s, self.max_s)
        path.write_bytes(pack(value))

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan of a file."""
        workers, rate, max_s = as_tuple(decode(path.read_bytes(), max_bytes=MAX_PLAN_BYTES), "plan", length=3)
        parsed = []
        for worker in as_tuple(workers, "workers"):
            url, bodies = as_tuple(worker, "worker", length=2)
            parsed.append(
                (as_text(url, "url", 200), tuple(as_bytes(one, "body") for one in as_tuple(bodies, "bodies")))
            )
        return cls(tuple(parsed), as_int(rate, "rate"), as_int(max_s, "max_s"))


@dataclass(slots=True)
class Outcome:
    """What came of a plan. ``seconds`` from the start to the last answer; ``request_ms`` one number a request."""

    seconds: float = 0.0
    committed: int = 0
    refused: int = 0
    failed: int = 0
    busy: int = 0
    cpu_s: float = 0.0
    request_ms: list[float] | None = None
    why: str = ""


class Generator:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._outcome = Outcome(request_ms=[])
        self._stop = asyncio.Event()
        self._began = 0.0

    async def run(self) -> Outcome:
        """Connect, wait for ``go``, send, answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # our own nodes on loopback
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            for url in {url for url, _ in self._plan.workers}:
                async with session.get(url + "/v1/status") as response:
                    await response.read()
            print("ready", flush=True)
            lines = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
            await lines.readline()
            cpu = time.process_time()
            self._began = time.perf_counter()
            watch = asyncio.ensure_future(self._watch(lines))
            await asyncio.gather(
                *(self._worker(session, number, *one) for number, one in enumerate(self._plan.workers))
            )
            watch.cancel()
            self._outcome.cpu_s = time.process_time() - cpu
        return self._outcome

    async def _watch(self, lines: asyncio.StreamReader) -> None:
        """End at a further line, or when the time is over."""
        try:
            async with asyncio.timeout(self._plan.max_s):
                if not await lines.readline():  # stdin was closed: nobody will say stop
                    await asyncio.Event().wait()
        except TimeoutError:
            pass
        self._stop.set()

    async def _worker(self, session: aiohttp.ClientSession, number: int, url: str, bodies: tuple[bytes, ...]) -> None:
        gap = len(self._plan.workers) / self._plan.rate_per_s if self._plan.rate_per_s else 0.0
        under_way: set[asyncio.Task[None]] = set()
        for turn, body in enumerate(bodies):
            if gap:
                due = self._began + gap * (turn + number / len(self._plan.workers))
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self._stop.is_set():
                break
            if not gap:
                await self._send(session, url, body)
                continue
            task = asyncio.ensure_future(self._send(session, url, body))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _send(self, session: aiohttp.ClientSession, url: str, body: bytes) -> None:
        began = time.perf_counter()
        for _ in range(MAX_TRIES):
            async with session.post(
                f"{url}/v1/submissions?wait_ms={WAIT_MS}", data=body, headers={"Content-Type": MEDIA_TYPE}
            ) as response:
                answer = await response.read()
                status = response.status
            if status != 429:
                break
            self._outcome.busy += 1
            await asyncio.sleep(0.05)
        now = time.perf_counter()
        self._count(status, answer)
        self._outcome.seconds = now - self._began
        if self._outcome.request_ms is not None:
            self._outcome.request_ms.append(round((now - began) * 1000, 3))

    def _count(self, status: int, answer: bytes) -> None:
        outcome = self._outcome
        if status not in (200, 202):
            outcome.failed += 1
            outcome.why = answer[:300].decode("utf-8", "replace")
            return
        results: list[dict[str, Any]] = json.loads(answer)["results"]
        for result in results:
            if result["status"] == "committed" and result["code"] == "OK":
                outcome.committed += 1
                continue
            outcome.refused += result["status"] == "committed"
            outcome.failed += result["status"] != "committed"
            outcome.why = outcome.why or json.dumps(result)[:300]


def main() -> None:
    """Carry out the plan that the command line names."""
    plan = Plan.read(Path(sys.argv[1]))

    async def carry_out() -> Outcome:
        return await Generator(plan).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(carry_out())
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
