"""The outermost layer of the gateway: how many, how long, who, and with which headers. Plain ASGI, so that it costs
microseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..texts import Language
from .problems import Problem, busy, response
from .submit import MAY_READ, SUBMIT_PATH

MAX_QUERY_BYTES: Final = 4096
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/v1/status", "/v1/genesis", "/v1/members", "/openapi.json"})
"""Readable by everybody: they say how the node is, what its chain starts from and how its members are reached, not what
is recorded on it."""
REPORTED: Final = "fazhi.reported"
UNBOUNDED_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Answered also when the gateway is full: a supervisor must not kill a node for being busy."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")


def security_headers() -> tuple[tuple[bytes, bytes], ...]:
    """What every answer carries."""
    return (*_HEADERS, _NO_STORE)


class Tokens:
    """Bearer tokens, kept as digests and compared in constant time."""

    __slots__ = ("_digests",)

    def __init__(self, tokens: Iterable[bytes]) -> None:
        self._digests = tuple(hashlib.sha256(token).digest() for token in tokens)

    def admits(self, authorization: bytes | None) -> bool:
        """Whether an ``Authorization`` header carries one of the tokens. Looks at all of them, whichever matches."""
        if authorization is None or len(authorization) > 512:
            return False
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            return False
        digest = hashlib.sha256(token.strip()).digest()
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(known, digest)
        return found


class Shell:
    """ASGI middleware around the gateway's application.

    ``tokens`` None opens the reads. ``fatal(error)`` is told of every exception that is not an answer: it decides
    whether the node stops.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tokens: Tokens | None,
        concurrency: int,
        language: Language,
        fatal: Callable[[BaseException, str], None],
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._concurrency = concurrency
        self._language = language
        self._fatal = fatal
        self.under_way = 0
        self.answers: dict[int, int] = {}
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._app(scope, receive, send)
            return
        started = False

        async def decorated(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self.answers[message["status"]] = self.answers.get(message["status"], 0) + 1
                headers = message.setdefault("headers", [])
                headers.extend(_HEADERS)
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
            await send(message)

        headers: dict[bytes, bytes] = dict(scope["headers"])
        self.under_way += 1
        try:
            self._admit(scope, headers)
            await self._app(scope, receive, decorated)
        except Problem as problem:
            if not started:
                await self._answer(problem, headers, scope, receive, decorated)
        except Exception as error:  # whatever it is, the client gets an answer and the node is told
            if scope.get(REPORTED):
                return  # answered and told already; Starlette raises it once more
            incident = secrets.token_hex(6)
            self._fatal(error, incident)
            if started:
                raise  # in the middle of a stream: the connection has to break, so that nobody takes it for whole
            await self._answer(
                Problem(500, "own-fault-request", {"incident": incident}), headers, scope, receive, decorated
            )
        finally:
            self.under_way -= 1

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        path: str = scope["path"]
        if path in UNBOUNDED_PATHS:
            return
        if self.stopping:
            raise Problem(503, "stopping", headers={"Retry-After": "5"})
        if self.under_way > self._concurrency:
            raise busy("too-many-requests", 1)
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            raise Problem(414, "bad-parameter", {"name": "query", "reason": f"> {MAX_QUERY_BYTES} bytes"})
        if path in OPEN_PATHS or scope["method"] == "OPTIONS":
            return
        may_read = self._tokens is None or self._tokens.admits(headers.get(b"authorization"))
        if path == SUBMIT_PATH and scope["method"] == "POST":
            scope[MAY_READ] = may_read  # nobody needs to; its answer says more to those who may
        elif not may_read:
            raise Problem(401, "unauthorized", headers={"WWW-Authenticate": 'Bearer realm="fazhi"'})

    async def _answer(
        self, problem: Problem, headers: dict[bytes, bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        accept = headers.get(b"accept-language", b"").decode("latin-1")
        await response(problem, accept, self._language)(scope, receive, send)
