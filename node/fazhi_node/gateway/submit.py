"""``POST /v1/submissions``: the one route that carries the load, kept lean. Bytes in, one answer an item out.

Nothing is promised that is not durable: ``committed`` means that a quorum has decided the block and this node has
stored it; ``pending`` promises nothing but that the node knows the submission and will offer it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.shape import as_bytes, as_tuple
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..admission import BELOW_BASE
from ..notices import BUSY, COMMITTED, Admission
from ..queries import ChainReader
from ..texts import Language, sentence
from .door import client_of
from .hub import Hub, Waiter
from .problems import Problem, busy, language_of
from .proofs import submission_proof

SUBMIT_PATH: Final = "/v1/submissions"
MEDIA_TYPE: Final = "application/vnd.fazhi.submissions.v1"
CHECK_SECONDS: Final = 5.0
"""Longest wait for the signatures to be looked at, whatever ``wait_ms`` says."""
MAX_PROOFS: Final = 500
MAX_PROOF_BYTES: Final = 1024 * 1024
"""Most proofs in one answer, and bytes of submissions and records that they show: the rest is asked for by itself."""
MAX_PROOF_BLOCKS: Final = 16
"""Most blocks that are read for them: a few small items that were committed long ago must not cost a block each."""
PROOFS_AT_ONCE: Final = 32
"""More are made on a thread, so that nothing else waits for them."""
MAY_READ: Final = "fazhi.may-read"
"""Set in the scope of a request whose sender may read, too."""
_ACCEPTED: Final = frozenset({MEDIA_TYPE, "application/octet-stream"})


class Submitter(Protocol):
    """What the route needs of the machine."""

    def submit(
        self, items: Sequence[bytes], *, client: str, done: Callable[[list[Admission]], None] | None
    ) -> list[Admission]:
        """Answers that can be given at once; ``done`` is called once when all signatures have been looked at."""

    def submission(self, submission_id: bytes) -> Admission | None:
        """What is known of a submission."""


class SubmitRoute:
    """The route, with its bounds."""

    def __init__(
        self,
        machine: Submitter,
        hub: Hub,
        reader: ChainReader,
        language: Language,
        *,
        body_bytes: int,
        body_seconds: int,
        wait_ms: int,
        items: int,
    ) -> None:
        self._machine = machine
        self._hub = hub
        self._reader = reader
        self._language: Language = language
        self._body_bytes = body_bytes
        self._body_seconds = body_seconds
        self.wait_ms = wait_ms
        self._items = items

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in _ACCEPTED:
            raise Problem(415, "unsupported-media-type", {"expected": MEDIA_TYPE})
        wait_ms, wants_proofs = self._parameters(request)
        items = self._decode(await self._read(request))
        client = client_of(request.client.host) if request.client is not None else "local"
        admissions = await self._submit(items, client, wait_ms)
        language = language_of(request.headers.get("accept-language"), self._language)
        results = [result_json(admission, language) for admission in admissions]
        if wants_proofs and request.scope.get(MAY_READ, False):
            decided = [pair for pair in zip(admissions, results, strict=True) if pair[0].status == COMMITTED]
            if len(decided) <= PROOFS_AT_ONCE and all(self._reader.is_open(one.submission_id) for one, _ in decided):
                self._add_proofs(decided)
            else:
                await asyncio.to_thread(self._add_proofs, decided)
        if all(admission.code == BELOW_BASE for admission in admissions):
            raise Problem(410, BELOW_BASE, dict(admissions[0].parameters), extra={"results": results})
        if all(admission.status == BUSY for admission in admissions):
            wait = max(1, -(-max(admission.retry_after_ms for admission in admissions) // 1000))
            problem = busy("node-busy", wait)
            problem.extra["results"] = results
            raise problem
        final = all(admission.final for admission in admissions)
        body = json.dumps({"results": results}, ensure_ascii=False).encode("utf-8")
        return Response(body, 200 if final else 202, media_type="application/json")

    def _parameters(self, request: Request) -> tuple[int, bool]:
        """``wait_ms``, within the node's bound, and ``proof``."""
        given = request.query_params
        for name in given:
            if name not in ("wait_ms", "proof") or len(given.getlist(name)) > 1:
                raise Problem(400, "bad-parameter", {"name": name[:64], "reason": "unknown or twice"})
        text, proof = given.get("wait_ms", "0"), given.get("proof", "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Problem(400, "bad-parameter", {"name": "wait_ms", "reason": f"0 … {self.wait_ms}"})
        if proof not in ("0", "1"):
            raise Problem(400, "bad-parameter", {"name": "proof", "reason": "0, 1"})
        return min(int(text), self.wait_ms), proof == "1"

    def _add_proofs(self, decided: Sequence[tuple[Admission, dict[str, Any]]]) -> None:
        size = 0
        heights: set[int] = set()  # each is a block to read and decode
        for admission, result in decided[:MAX_PROOFS]:
            if size <= MAX_PROOF_BYTES and len(heights | {admission.height}) <= MAX_PROOF_BLOCKS:
                heights.add(admission.height)
                proof = submission_proof(self._reader, admission.submission_id)
                size += len(proof["submission"]) + len(proof["record"] or "")
                result["proof"] = proof

    async def _read(self, request: Request) -> bytes:
        length = request.headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length[:20]) > self._body_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > self._body_bytes:
                        raise self._too_large()
                    parts.append(part)
        except TimeoutError:
            raise Problem(
                408, "body-too-slow", {"seconds": self._body_seconds}, headers={"Connection": "close"}
            ) from None
        except ClientDisconnect:
            raise Problem(400, "bad-request-body", {"reason": "disconnected"}) from None
        return b"".join(parts)

    def _too_large(self) -> Problem:
        return Problem(413, "body-too-large", {"limit": self._body_bytes}, headers={"Connection": "close"})

    def _decode(self, body: bytes) -> list[bytes]:
        try:
            values = as_tuple(decode(body, max_bytes=self._body_bytes, max_depth=2, sparse=True), "submissions")
            if len(values) > self._items:
                raise Problem(413, "too-many-items", {"limit": self._items})
            items = [as_bytes(value, "item") for value in values]
        except EncodingError as error:
            raise Problem(400, "bad-request-body", {"reason": str(error)}) from None
        if not items:
            raise Problem(400, "bad-request-body", {"reason": "empty"})
        return items

    async def _submit(self, items: Sequence[bytes], client: str, wait_ms: int) -> list[Admission]:
        """Hand the items over, then wait: for their signatures always, for their commit as long as the client wants."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_ms / 1000
        checked: asyncio.Future[tuple[list[Admission], Waiter]] = loop.create_future()

        def done(answers: list[Admission]) -> None:
            # From this very moment on news of these bytes counts; what came before may have been of somebody else's
            # copy of the same body, with a bad signature.
            if not checked.done():
                checked.set_result((answers, self._hub.waiter([a.submission_id for a in answers if not a.final])))

        first = self._machine.submit(items, client=client, done=done)
        try:
            async with asyncio.timeout(max(CHECK_SECONDS, wait_ms / 1000)):
                answers, waiter = await asyncio.shield(checked)
        except TimeoutError:
            checked.cancel()
            return first
        except asyncio.CancelledError:
            checked.cancel()
            raise
        try:
            for submission_id in waiter.ids - set(waiter.answers):
                # Decided already, before `done` was called: so it is with a single member.
                news = self._machine.submission(submission_id)
                if news is not None and news.final:
                    waiter.tell(news)
            if wait_ms:
                await waiter.wait(max(0.0, deadline - loop.time()))
        finally:
            self._hub.forget(waiter)
        return [answer if answer.final else waiter.answers.get(answer.submission_id, answer) for answer in answers]


def result_json(admission: Admission, language: Language) -> dict[str, Any]:
    """One item's answer. ``error`` stands beside what was not taken, with a sentence for people."""
    stands = admission.status == COMMITTED
    result: dict[str, Any] = {
        "id": admission.submission_id.hex() or None,
        "status": admission.status,
        "height": admission.height if stands else None,
        "index": admission.index if stands else None,
        "code": admission.code,
        "parameters": dict(admission.parameters),
    }
    if admission.final and not stands:
        result["error"] = {
            "code": admission.code,
            "detail": sentence(admission.code, admission.parameters, language),
            "parameters": dict(admission.parameters),
        }
        if admission.retry_after_ms:
            result["error"]["retry_after_ms"] = admission.retry_after_ms
    return result
