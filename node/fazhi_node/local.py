"""``status`` and ``export``: the operator's commands that talk to the node of this machine, with the standard library
alone.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from fazhi_ledger.archive import read_archive
from fazhi_ledger.errors import FazhiError

from .addresses import NEXT_TLS_CERTIFICATE_NAME, split_address
from .cli_texts import cli_text
from .config import Config, load
from .exits import Exit, Misuse, Stop
from .private_files import read_tokens
from .progress import LEAVING, SEATED
from .texts import Language, printable

TIMEOUT_S: Final = 30.0
MAX_STATUS_BYTES: Final = 1 << 20
READ_BYTES: Final = 1 << 20
MAX_ANSWER_BYTES: Final = 32 << 20
SUBMISSIONS_TYPE: Final = "application/vnd.fazhi.submissions.v1"


def status(home: Path, explicit: Language | None, *, as_json: bool) -> int:
    """Print one line (or JSON) about the running node; the exit code is 0 when it is ready, 1 when not, 3 when
    nothing answers.
    """
    config = load(home)
    language: Language = explicit or config.lang
    with _answer(config, home, "/v1/status") as answer:
        data = answer.read(MAX_STATUS_BYTES)
        address = config.http_listen
        try:
            found = json.loads(data)
            if answer.status != 200 or not isinstance(found, dict):
                raise ValueError(f"HTTP {answer.status}")
            line = _line(found, _disk_bytes(config.path(home, "data")), language)
        except (ValueError, KeyError, TypeError) as error:
            raise Stop(Exit.UNREACHABLE, "unexpected-answer", address=address, reason=str(error)[:200]) from None
    print(json.dumps(found, ensure_ascii=False) if as_json else printable(line))
    return Exit.OK if found["ready"] else Exit.NOT_READY


def _disk_bytes(directory: Path) -> int:
    """What the data directory takes."""
    size = 0
    for path in directory.rglob("*"):
        with suppress(OSError):  # files come and go while the node works
            size += path.stat().st_blocks * 512
    return size


def _amount(size: int) -> str:
    for unit, limit in (("KiB", 1 << 20), ("MiB", 1 << 30)):
        if size < limit:
            return f"{size / (limit >> 10):.1f} {unit}"
    return f"{size / (1 << 30):.1f} GiB"


def _line(found: dict[str, Any], disk_bytes: int, language: Language) -> str:
    height = int(found["height"])
    seconds = max(0, (time.time_ns() // 1_000_000 - int(found["time_ms"])) // 1000)
    age = cli_text("ago", language, seconds=seconds) if height else cli_text("no_block", language)
    peers = found["peers"]
    ready = cli_text("ready", language)
    if not found["ready"]:
        ready = cli_text("not_ready", language, reason=found["reason"])
    # After amnesia the first height that is signed lies above the next one, and nothing else would say so.
    seat = "silent" if found["seat"] in (SEATED, LEAVING) and not found["voting"] else found["seat"]
    return cli_text(
        "status_line",
        language,
        org=found["org"],
        kind=cli_text(f"seat_{seat}", language),
        height=f"{height:,}",
        age=age,
        round=found["round"],
        peers=f"{sum(1 for peer in peers if peer['connected'])}/{len(peers)}",
        mempool=found["mempool"],
        disk=_amount(disk_bytes),
        ready=ready,
    )


def export(home: Path, output: Path, explicit: Language | None) -> int:
    """Write the whole chain to ``output``: from the running node, or from its data directory while it is down."""
    config = load(home)
    language: Language = explicit or config.lang
    if output.exists():
        raise Misuse("file-exists", path=str(output))
    try:
        with _answer(config, home, "/v1/archive", token=_token(config, home)) as answer:
            if answer.status != 200:
                raise _no_archive(answer, config.http_listen)
            chunks = iter(lambda: answer.read(READ_BYTES), b"")
            height, genesis_hash = _write(chunks, output)
    except Stop as stop:
        if stop.code != "not-running":
            raise
        height, genesis_hash = _export_offline(config, home, output)
    size = output.stat().st_size
    print(
        cli_text("export_done", language, path=output, height=height, bytes=f"{size:,}", genesis=genesis_hash.hex()),
        file=sys.stderr,
    )
    return Exit.OK


def _no_archive(answer: http.client.HTTPResponse, address: str) -> Stop:
    """Of a node that joined from a snapshot, what that means; of any other answer that it makes no sense."""
    said = answer.read(MAX_STATUS_BYTES)
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(said)
        if answer.status == http.client.GONE and found["code"] == "below-base":
            return Misuse("no-whole-chain", first=int(found["parameters"]["first"]))
    return Stop(Exit.UNREACHABLE, "unexpected-answer", address=address, reason=_refusal(answer.status, said))


def refusal_of(answer: http.client.HTTPResponse) -> str:
    """What a gateway says instead of what was asked for: its sentence where there is one."""
    return _refusal(answer.status, answer.read(MAX_STATUS_BYTES))


def _refusal(status: int, said: bytes) -> str:
    try:
        return f"HTTP {status}: {json.loads(said)['detail']}"[:300]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status} {said[:300]!r}"


def _write(chunks: Iterator[bytes], output: Path) -> tuple[int, bytes]:
    """Write an archive while reading along, so that what is cut short or no archive never keeps its name."""
    partial = output.with_name(output.name + ".partial")
    try:
        with partial.open("xb") as file:

            def copied() -> Iterator[bytes]:
                for chunk in chunks:
                    file.write(chunk)
                    yield chunk

            genesis_file, blocks = read_archive(copied())
            height = sum(1 for _ in blocks)
            file.flush()
        partial.rename(output)
    except Stop:  # there is no archive to be had, and it says why
        partial.unlink(missing_ok=True)
        raise
    except (OSError, http.client.HTTPException, FazhiError) as error:
        partial.unlink(missing_ok=True)
        raise Stop(Exit.STORAGE, "archive-cut", path=str(partial), reason=str(error)[:200]) from None
    return height, genesis_file.hash()


def _export_offline(config: Config, home: Path, output: Path) -> tuple[int, bytes]:
    from .offline import offline_archive

    with closing(offline_archive(config, home)) as chunks:
        return _write(chunks, output)


def _token(config: Config, home: Path) -> str | None:
    if config.open_reads:
        return None
    return next((token.decode("ascii") for token in read_tokens(config.path(home, "read_tokens"))), None)


class Gateway:
    """The gateway of the node of this home, for its operator."""

    def __init__(self, config: Config, home: Path) -> None:
        self._config = config
        self._home = home
        self._token = _token(config, home)

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer, a problem's too.

        Raises:
            Stop: ``not-running``, ``unexpected-answer``.
        """
        with _answer(self._config, self._home, path, self._token, body) as answer:
            try:
                found = json.loads(answer.read(MAX_ANSWER_BYTES))
                if not isinstance(found, dict):
                    raise ValueError("no JSON object")
            except ValueError as error:
                address, reason = self._config.http_listen, str(error)[:200]
                raise Stop(Exit.UNREACHABLE, "unexpected-answer", address=address, reason=reason) from None
            return answer.status, found

    def get(self, path: str) -> dict[str, Any]:
        """The JSON of an answer that must be one."""
        return self._fine(*self.ask(path))

    def submit(self, body: bytes, wait_ms: int) -> dict[str, Any]:
        """Hand in encoded submissions and wait for what becomes of them."""
        return self._fine(*self.ask(f"/v1/submissions?wait_ms={wait_ms}", body))

    def _fine(self, status: int, found: dict[str, Any]) -> dict[str, Any]:
        if status not in (200, 202):
            reason = str(found.get("detail") or f"HTTP {status}")[:300]
            raise Stop(Exit.UNREACHABLE, "unexpected-answer", address=self._config.http_listen, reason=reason)
        return found


@contextmanager
def _answer(
    config: Config, home: Path, path: str, token: str | None = None, body: bytes | None = None
) -> Iterator[http.client.HTTPResponse]:
    """A GET to the node of this home, or a POST of submissions. Its certificate must be one that lies in the home."""
    host, port = split_address(config.http_listen)
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    connection: http.client.HTTPConnection
    if config.http_plain:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=_pinned(config, home))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = SUBMISSIONS_TYPE
    with closing(connection):
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Stop(Exit.UNREACHABLE, "not-running", address=config.http_listen, reason=reason[:200]) from None
        yield response


def _pinned(config: Config, home: Path) -> ssl.SSLContext:
    path = config.path(home, "tls_certificate")
    try:
        context = ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise Misuse("unreadable-file", path=str(path), reason=str(error)) from None
    renewed = home / NEXT_TLS_CERTIFICATE_NAME
    if renewed.exists():
        with suppress(OSError, ssl.SSLError):
            context.load_verify_locations(cafile=str(renewed))
    # The certificate itself is the only root, and its names are those of the outside.
    context.check_hostname = False
    return context
