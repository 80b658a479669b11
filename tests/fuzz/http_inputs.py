"""Requests that are nearly right, or not at all: parameters, bodies of submissions, bytes on a socket."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from fazhi_ledger.canonical import encode
from fazhi_node.gateway.submit import MEDIA_TYPE

from .mutate import bytewise, msgpack

_ODD: Final = (
    "", "0", "-1", "1", "2", "01", "+1", "1.0", "1e3", "NaN", "true", "null", "1_000", "9" * 20, str(2**63),
    str(2**63 - 1),
    str(2**64), "１", "٣", "0" * 64, "f" * 64, "F" * 64, "0" * 63, "zz" * 32, "%00", "\x00", "..",
    "../../etc/passwd", "'",
    "<script>", "a" * 3000, "\r\nSet-Cookie: a=b", "\ud800", "\u202e", "案号", "all", "ALL", "zfj", "zfj.",
    "0.0", "1.0", "1.",
)  # fmt: skip
_LANGUAGES: Final = ("zh-CN,zh;q=0.9", "en", "", "*", "fr;q=1, en;q=nan", "q" * 300, "\xff\xfe", "zh;q=0,en;q=0")


def quoted(random: Random, text: str) -> str:
    """Percent-encoded, all of it, or only what an address cannot hold."""
    data = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.2:
        return "".join(f"%{byte:02{random.choice('xX')}}" for byte in data)
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in data)


@dataclass(frozen=True)
class Known:
    """What stands on the chain of the node that is asked, by the name of the parameter; its tokens and items."""

    parameters: dict[str, tuple[str, ...]]
    token: str
    items: tuple[bytes, ...]
    ids: frozenset[str]


@dataclass(frozen=True)
class Request:
    """One request; ``route`` is the template that its path comes from."""

    method: str
    route: str
    target: str
    headers: dict[str, str]
    body: bytes | None = None


def _value(random: Random, known: Known, name: str) -> str:
    there = known.parameters.get(name, ("1",))
    if random.random() < 0.55:
        return random.choice(there)
    if random.random() < 0.5:
        return random.choice(_ODD)
    text = random.choice(there)
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(("", "0", "a", "g", "Z", " ", "/", "é", "\n")) + text[at + random.randrange(2) :]


def _headers(random: Random, known: Known) -> dict[str, str]:
    headers: dict[str, str] = {}
    if random.random() < 0.9:
        headers["Authorization"] = f"Bearer {known.token}"
    elif random.random() < 0.5:
        headers["Authorization"] = random.choice(("Bearer", "Bearer x", "Basic eDp5", "\xff", "Bearer " + "y" * 600))
    if random.random() < 0.3:
        headers["Accept-Language"] = random.choice(_LANGUAGES)
    return headers


def request(random: Random, known: Known, document: dict[str, Any]) -> Request:
    """A reading request out of OpenAPI."""
    operations = [(path, methods["get"]) for path, methods in sorted(document["paths"].items()) if "get" in methods]
    route, operation = random.choice(operations)
    target = route
    query = []
    for each in operation.get("parameters", []):
        name = each["name"]
        if each["in"] == "path":
            target = target.replace("{" + name + "}", quoted(random, _value(random, known, name)) or "%20")
        elif each["in"] == "query" and (each.get("required") or random.random() < 0.5):
            query += [f"{name}={quoted(random, _value(random, known, name))}"] * random.choice((1, 1, 1, 2))
    if random.random() < 0.1:
        query.append(f"{quoted(random, random.choice(_ODD))}={quoted(random, random.choice(_ODD))}")
    random.shuffle(query)
    headers = _headers(random, known)
    if route == "/v1/events" and random.random() < 0.3:
        headers["Last-Event-ID"] = random.choice(("1.0", "x", "9" * 18 + "." + "9" * 9, "１.0", "-1.0", "1" * 3000))
    return Request("GET", route, target + ("?" + "&".join(query) if query else ""), headers)


def submission(random: Random, known: Known) -> Request:
    """A request that submits: valid items changed inside, among them some that are not."""
    items = []
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        item = random.choice(known.items)
        if random.random() < 0.85:
            item = msgpack(random, item, known.items)
        items.append(item)
    body = encode(tuple(items))
    if random.random() < 0.2:
        body = bytewise(random, body, known.items)
    elif random.random() < 0.1:
        body = msgpack(random, body, known.items)
    query = [f"{name}={quoted(random, random.choice(('0', '1', '50', *_ODD[:20])))}" for name in ("wait_ms", "proof")
             if random.random() < 0.3]  # fmt: skip
    kind = (
        MEDIA_TYPE
        if random.random() < 0.95
        else random.choice(("", "text/plain", MEDIA_TYPE.upper() + "; a=b", "\xff"))
    )
    headers = {**_headers(random, known), "Content-Type": kind}
    return Request(
        "POST", "/v1/submissions", "/v1/submissions" + ("?" + "&".join(query) if query else ""), headers, body
    )


_PATHS: Final = (
    b"/healthz", b"/v1/status", b"/v1/blocks/1", b"/v1/blocks?from=1&from=2&limit=1", b"/%00", b"/v1/\xff\xfe",
    b"/v1/%ff%fe",
    b"/../../etc/passwd", b"/v1/..%2f..%2fetc/passwd", b"//v1//blocks", b"/v1/blocks/%31", b"/v1/blocks/1;a=b",
    b"*", b"",
    b"http://other.example/healthz", b"http://[::bad", b"/healthz#x", b"/healthz?\x00", b"/" + b"a" * 5000,
    b"/?" + b"b" * 5000,
    b"/v1/submissions?wait_ms=1&wait_ms=2", b"/v1/keys/" + b"%61" * 900, b"/v1/events?cursor=1.0%0a", b"/\t",
    b"\\healthz",
)  # fmt: skip
_METHODS: Final = (
    b"GET", b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"TRACE", b"get", b"G\x00T", b"", b"PRI",
    b"M" * 9000,
)  # fmt: skip
_VERSIONS: Final = (
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/9.9",
    b"HTTP/1.",
    b"http/1.1",
    b"",
    b"HTTP/1.1 x",
)
_HEADS: Final = (
    b"Host: x", b"Host: x\r\nHost: y", b"Host: \xff", b"Connection: close",
    b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eDEyMzQ1Njc4OTAxMjM0NQ==",
    b"Expect: 100-continue", b"Expect: 200-ok", b"Content-Length: 5", b"Content-Length: -1",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 99999999999999999999", b"Content-Length: 0x5", b"Content-Length: 5, 5",
    b"Content-Length:", b"Content-Length: 0",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked",
    b"Range: bytes=0-",
    b"X: " + b"a" * 9000, b"X: " + b"a" * 40_000, b" folded: a", b"X: a\r\n b", b"X\x00: a", b"X: a\x00b",
    b": a", b"X", b"X: \r a",
    b"Accept-Language: \xe6\xa1\x88", b"Authorization: Bearer \x80", b"Content-Encoding: gzip",
    b"X-Forwarded-For: 127.0.0.1",
    b"Content-Type: " + MEDIA_TYPE.encode(), b"\r\n".join(b"H%d: v" % number for number in range(300)),
)  # fmt: skip
_BODIES: Final = (
    b"", b"hello", b"\x91\xc4\x01x", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhel", b"fffffffffffffffff\r\n",
    b"-5\r\nhello\r\n", b"5;a=b\r\nhello\r\n0\r\n",
    b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"zz\r\n", b"5\nhello\n0\n\n", b"\x00" * 3000,
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
)  # fmt: skip
_ENDS: Final = (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"")


def raw(random: Random, known: Known) -> list[bytes]:
    """Bytes for one connection, in the pieces in which they are sent."""
    data = b"".join(_one_raw(random, known) for _ in range(random.choice((1, 1, 1, 2, 3, 30))))
    if random.random() < 0.2:
        data = bytewise(random, data[:5000], [data[:2000], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
    if random.random() < 0.7:
        return [data]
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((1, 3, 8))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _one_raw(random: Random, known: Known) -> bytes:
    """A request that is right but for one or a few things."""
    places = ("method", "path", "version", "end", "heads", "body", "no host")
    odd = set(random.choices(places, k=random.choice((0, 1, 1, 2, 4))))
    method = random.choice(_METHODS) if "method" in odd else random.choice((b"GET", b"GET", b"HEAD", b"POST"))
    path = random.choice(_PATHS) if "path" in odd else random.choice(_PATHS[:4])
    if method == b"POST" and "path" not in odd:
        path = b"/v1/submissions"
    version = random.choice(_VERSIONS) if "version" in odd else b"HTTP/1.1"
    heads = [b"Authorization: Bearer " + known.token.encode()] + ([] if "no host" in odd else [b"Host: x"])
    body = b""
    if "body" in odd:
        body = random.choice(_BODIES) if random.random() < 0.8 else encode((random.choice(known.items),))
    if method == b"POST" and "heads" not in odd:
        heads += [b"Content-Type: " + MEDIA_TYPE.encode(), b"Content-Length: %d" % len(body)]
    if "heads" in odd:
        heads += random.sample(_HEADS, random.choice((1, 1, 2, 4)))
    end = random.choice(_ENDS) if "end" in odd else b"\r\n"
    return end.join((b" ".join((method, path, version)), *heads)) + end + end + body
