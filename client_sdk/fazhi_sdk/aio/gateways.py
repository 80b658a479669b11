"""The way to the chain: several gateways, each pinned to its member's certificate, one taking over from another."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from fazhi_ledger.genesis import Genesis

from ..errors import (
    BadAnswer,
    ConnectionFailed,
    InputError,
    NotAuthorised,
    NotConnected,
    Outcome,
    ProofFailed,
    SdkError,
    TooBusy,
)

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
Tokens = str | Mapping[str, str] | None
"""One bearer token for all gateways, or one for each URL."""

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
CONNECT_S: Final = 5.0
LEARN_AGAIN_S: Final = 60.0
REST_S: Final = 2.0
"""A gateway that failed is asked last for so long."""


class OtherCertificate(NotConnected):
    """A gateway shows a certificate that is no member's, as far as is known here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway answered."""

    url: str
    status: int
    body: bytes
    retry_after_s: int | None

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            BadAnswer: it is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise BadAnswer("bad-answer", url=self.url, reason=f"status {self.status}, no JSON") from None

    def problem(self) -> tuple[str, str]:
        """Code and sentence of a problem; the bare status where it is none."""
        try:
            value = json.loads(self.body)
            return str(value["code"])[:64], str(value.get("detail", ""))[:300]
        except (ValueError, KeyError, TypeError, RecursionError):
            return f"status-{self.status}", ""


@dataclass(slots=True)
class Gateway:
    """One address. ``pin`` is the SHA-256 of the certificate that it must show; None for plain HTTP on loopback."""

    url: str
    token: str | None
    pin: bytes | None = None
    failed_at: float = field(default=float("-inf"))
    tls: Any = None
    """``pin`` as aiohttp wants it. One object for good: connections are kept alive by its identity."""
    learned_at: float = field(default=float("-inf"))
    """When it was last asked who the members are now."""


def parse_url(text: str) -> str:
    """``https://host:port``, or ``http://`` on loopback, without a trailing slash.

    Raises:
        InputError: ``bad-url``.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InputError("bad-url", url=text, reason=str(error)) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("bad-url", url=text, reason="scheme and host are needed")
    if port == 0:  # nobody's, and not the default one: else a member's odd address would stand for another's
        raise InputError("bad-url", url=text, reason="port 0")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise InputError("bad-url", url=text, reason="only scheme, host and port")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise InputError("bad-url", url=text, reason="http without TLS")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


MembersOf = Callable[[Answer], Sequence[tuple[str, bytes]]]
"""Reads who the members are: (gateway URL, SHA-256 of the certificate) of each."""


class Gateways:
    """Asks gateways, the one that answered last first, until one does; all requests go through here."""

    def __init__(self, urls: Iterable[str], token: Tokens, timeout_s: float) -> None:
        addresses = list(dict.fromkeys(parse_url(url) for url in urls))
        if not addresses:
            raise InputError("bad-url", url="", reason="no gateway is named")
        tokens = {parse_url(url): one for url, one in token.items()} if isinstance(token, Mapping) else {}
        self._all = [Gateway(url, tokens.get(url) if isinstance(token, Mapping) else token) for url in addresses]
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._known: frozenset[bytes] = frozenset()
        self._members_of: MembersOf | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses, as they are asked."""
        return tuple(gateway.url for gateway in self._all)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def pin(self, genesis: Genesis, members_of: MembersOf | None = None) -> None:
        """Pin every gateway to the certificate of its member, found by its address in the genesis.

        An address that the genesis does not name (a translated or internal one) is asked for its certificate when it is
        first used, and pinned to it if that is some member's. A certificate that is no member's by the genesis may be
        one's by a vote since: ``members_of`` reads what ``/v1/members`` answers, and raises unless it is proven.
        """
        self._members_of, self._known = members_of, frozenset()
        for gateway in self._all:
            if gateway.url.startswith("https:"):
                gateway.pin, gateway.tls = None, None
        self._pin((member.gateway_url, member.tls_fingerprint) for member in genesis.members)

    def _pin(self, found: Iterable[tuple[str, bytes]]) -> None:
        """Pin to these members' certificates whom they name."""
        members: dict[str, bytes] = {}
        for url, certificate in found:
            self._known |= {certificate}
            with contextlib.suppress(InputError):  # an address that cannot be used is its member's affair alone
                members.setdefault(parse_url(url), certificate)
        for gateway in self._all:
            pin = members.get(gateway.url, gateway.pin)
            if gateway.url.startswith("https:") and pin != gateway.pin:
                gateway.pin, gateway.tls = pin, None

    async def _learned(self, gateway: Gateway) -> bool:
        """Whether this gateway could prove who the members are now. It is asked without a token and without a pin: what
        it answers proves itself."""
        now = time.monotonic()
        if self._members_of is None or now - gateway.learned_at < LEARN_AGAIN_S:
            return False
        gateway.learned_at = now
        try:
            answer = await self._attempt(gateway, "GET", "/v1/members", pinned=False)
            _raise_for_status(answer)
            self._pin(self._members_of(answer))
        except SdkError:
            return False
        return True

    def _in_order(self, first: str | None = None) -> list[Gateway]:
        now = time.monotonic()
        return sorted(self._all, key=lambda one: (one.url != first, now - one.failed_at < REST_S))

    def demote(self, url: str) -> None:
        """Ask this gateway last for a while: its word did not hold, or it takes too long."""
        for gateway in self._all:
            if gateway.url == url:
                gateway.failed_at = time.monotonic()
                self._all.sort(key=lambda one: one is gateway)
                return

    # -- asking -------------------------------------------------------------------------------------

    async def fetch_genesis(self, check: Callable[[Answer], T]) -> T:
        """Ask for the genesis, before any certificate can be pinned: the answer proves itself by its hash, and no
        token is shown.
        """
        try:
            return await self._each(
                lambda one: self._request(one, "GET", "/v1/genesis", pinned=False), check, self._in_order()
            )
        except ConnectionFailed as error:
            error.outcome = Outcome.READ
            raise

    async def read(self, path: str, check: Callable[[Answer], T], *, first: str | None = None) -> T:
        """Ask one gateway after another until ``check`` accepts an answer.

        Raises:
            ProofFailed, BadAnswer: what the last one answered does not hold.
            NotAuthorised: a token is wanted.
            NotConnected, TooBusy: nobody answered.
        """
        try:
            return await self._each(lambda one: self._request(one, "GET", path), check, self._in_order(first))
        except ConnectionFailed as error:
            error.outcome = Outcome.READ  # nothing was on its way
            raise

    async def read_several(self, path: str, check: Callable[[Answer], T], count: int) -> list[T]:
        """The answers of ``count`` gateways at once that ``check`` accepts; of fewer where fewer answer, never none.

        Raises:
            As :meth:`read`.
        """
        found: list[T] = []
        failures: list[SdkError] = []
        order = self._in_order()
        while order and len(found) < count:
            asked, order = order[: count - len(found)], order[count - len(found) :]
            answers = await asyncio.gather(
                *(self._each(lambda one: self._request(one, "GET", path), check, [gateway]) for gateway in asked),
                return_exceptions=True,
            )
            for answer in answers:
                if isinstance(answer, SdkError):
                    failures.append(answer)
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    found.append(answer)
        if not found:
            error = _worst(failures)
            error.outcome = Outcome.READ
            raise error
        return found

    async def post(
        self, path: str, body: bytes, content_type: str, check: Callable[[Answer], T], *, timeout_s: float,
        only: Sequence[str] | None = None,
    ) -> T:  # fmt: skip
        """Hand over a body. Safe to repeat: what is handed over here is idempotent."""
        order = [one for one in self._in_order() if only is None or one.url in only]
        return await self._each(
            lambda one: self._request(one, "POST", path, body=body, content_type=content_type, timeout_s=timeout_s),
            check,
            order,
        )

    async def _each(self, ask: Callable[[Gateway], Any], check: Callable[[Answer], T], order: Sequence[Gateway]) -> T:
        failures: list[SdkError] = []
        for gateway in order:
            try:
                answer = await ask(gateway)
                _raise_for_status(answer)
                result = check(answer)
            except (BadAnswer, ProofFailed, NotAuthorised) as error:
                failures.append(error)
            except ConnectionFailed as error:
                gateway.failed_at = time.monotonic()
                failures.append(error)
            else:
                gateway.failed_at = float("-inf")
                self._all.remove(gateway)
                self._all.insert(0, gateway)
                return result
        raise _worst(failures)

    async def _request(self, gateway: Gateway, method: str, path: str, **how: Any) -> Answer:
        try:
            return await self._attempt(gateway, method, path, **how)
        except OtherCertificate:
            if not await self._learned(gateway):
                raise
        return await self._attempt(gateway, method, path, **how)

    async def _attempt(
        self,
        gateway: Gateway,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str | None = None,
        timeout_s: float | None = None,
        pinned: bool = True,
    ) -> Answer:
        import aiohttp

        security = await self._tls(gateway) if pinned else not gateway.url.startswith("https:")
        headers = {} if content_type is None else {"Content-Type": content_type}
        if pinned and gateway.token is not None:
            headers["Authorization"] = f"Bearer {gateway.token}"
        try:
            async with self._client().request(
                method,
                gateway.url + path,
                data=body,
                headers=headers,
                ssl=security,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s or self._timeout_s, sock_connect=CONNECT_S),
            ) as response:
                data = await _bounded(response, gateway.url)
                retry = response.headers.get("Retry-After", "")
                return Answer(gateway.url, response.status, data, int(retry) if retry.isdecimal() else None)
        except aiohttp.ServerFingerprintMismatch:
            raise _other_certificate(gateway.url, "it shows another certificate than its member's") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unreachable(gateway.url, f"{type(error).__name__} {error}".strip()[:200]) from None

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The body of one long answer, piece by piece, from the first gateway that begins it.

        Raises:
            NotConnected, NotAuthorised: none did, or it broke off; who broke off is asked last for a while.
        """
        import aiohttp

        failures: list[SdkError] = []
        for gateway in self._in_order():
            headers = {} if gateway.token is None else {"Authorization": f"Bearer {gateway.token}"}
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=self._timeout_s)
            try:
                response = await self._opened(gateway, path, headers, timeout)
            except ConnectionFailed as error:
                failures.append(error)
                continue
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                failures.append(_unreachable(gateway.url, type(error).__name__))
                continue
            async with response:
                if response.status != 200:
                    failures.append(await _refusal(response, gateway.url))
                    continue
                try:
                    async for chunk in response.content.iter_any():
                        yield chunk
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    self.demote(gateway.url)
                    raise _unreachable(gateway.url, f"broke off: {type(error).__name__}") from None
                return
        raise _worst(failures)

    async def _opened(self, gateway: Gateway, path: str, headers: Mapping[str, str], limits: Any) -> Any:
        """The head of a long answer. A certificate that is no member's by the genesis may be one's by a vote since."""
        import aiohttp

        while True:
            try:
                return await self._client().get(
                    gateway.url + path,
                    headers=headers,
                    ssl=await self._tls(gateway),
                    timeout=limits,
                    allow_redirects=False,
                )
            except (OtherCertificate, aiohttp.ServerFingerprintMismatch):
                if not await self._learned(gateway):
                    raise _other_certificate(gateway.url, "its certificate belongs to no member") from None

    async def _tls(self, gateway: Gateway) -> Any:
        """How the connection is secured: by the member's certificate, whoever signed it; members sign their own."""
        import aiohttp

        if gateway.url.startswith("http:"):
            return True
        if gateway.pin is None:
            shown = await _shown_certificate(gateway.url)
            if shown is None:
                raise _unreachable(gateway.url, "no TLS connection")
            if shown not in self._known:
                raise _other_certificate(gateway.url, "its certificate belongs to no member")
            gateway.pin = shown
        if gateway.tls is None:
            gateway.tls = aiohttp.Fingerprint(gateway.pin)
        return gateway.tls

    def _client(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit_per_host=16), auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )  # fmt: skip
        return self._session


async def _bounded(response: aiohttp.ClientResponse, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise BadAnswer("bad-answer", url=url, reason=f"more than {MAX_ANSWER_BYTES} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def _refusal(response: aiohttp.ClientResponse, url: str) -> SdkError:
    """What an answer says that is not the long one; it may break off, too."""
    import aiohttp

    try:
        answer = Answer(url, response.status, await _bounded(response, url), None)
        _raise_for_status(answer)
    except SdkError as error:
        return error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _unreachable(url, type(error).__name__)
    code, detail = answer.problem()
    return BadAnswer("bad-answer", url=url, reason=f"{response.status} {code} {detail}".strip())


def _raise_for_status(answer: Answer) -> None:
    """Turn a refusal to serve into an error; 404 and 409 are answers that the caller reads."""
    status = answer.status
    if status in (200, 202, 404, 409):
        return
    code, detail = answer.problem()
    if status == 429 or (status == 503 and answer.retry_after_s is not None):
        raise TooBusy("too-busy", seconds=min(max(answer.retry_after_s or 1, 1), 60))
    if status in (401, 403):
        raise NotAuthorised("not-authorised", url=answer.url)
    if status >= 500:
        raise _unreachable(answer.url, f"{status} {code}")
    raise BadAnswer("bad-answer", url=answer.url, reason=f"{status} {code} {detail}".strip())


def _unreachable(url: str, reason: str) -> NotConnected:
    return NotConnected("not-connected", count=1, reason=f"{url}: {reason}")


def _other_certificate(url: str, reason: str) -> OtherCertificate:
    return OtherCertificate("not-connected", count=1, reason=f"{url}: {reason}")


def _worst(failures: Sequence[SdkError]) -> SdkError:
    """The failure that says most: a lie, then a wrong answer, then a missing token, then how nobody was reached."""
    for kind in (ProofFailed, BadAnswer, NotAuthorised, TooBusy):
        found = next((error for error in failures if isinstance(error, kind)), None)
        if found is not None:
            return found
    reason = str(dict(failures[-1].parameters).get("reason", "")) if failures else ""
    return NotConnected("not-connected", count=len(failures), reason=reason)


async def _shown_certificate(url: str) -> bytes | None:
    """SHA-256 of the certificate that an address shows now; None where it cannot be reached."""
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what is shown is compared with the genesis
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    except (OSError, TimeoutError):
        return None
    try:
        tls = writer.get_extra_info("ssl_object")
        shown: bytes | None = tls.getpeercert(binary_form=True)
        return None if shown is None else hashlib.sha256(shown).digest()
    finally:
        writer.close()
