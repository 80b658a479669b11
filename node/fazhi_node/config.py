"""Configuration of a node: one TOML file, environment over it, every bound checked before anything is opened.

Keys are flat; the environment's name of ``http_listen`` is ``FAZHI_NODE_HTTP_LISTEN``. An unknown key or variable is
refused with the nearest known name, because a misspelt limit that is silently ignored is found only on the worst day.
Paths are relative to the home directory. What all members must agree on is no setting: it is a parameter of the chain.

pydantic-settings would do most of this at 0.3 s of each command's start; here a table of fields does.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from fazhi_ledger.names import ORG

from .addresses import CONFIG_NAME, HOME_VARIABLE, is_loopback, split_address
from .exits import Misuse

ENV_PREFIX: Final = "FAZHI_NODE_"
MAX_CONFIG_BYTES: Final = 256 * 1024
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TRUTH: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}

T = TypeVar("T")
Reader = Callable[[object], Any]
"""Takes a TOML value, or a variable's text; the setting's value, or ValueError saying what is allowed."""


def _read_integer(low: int, high: int) -> Reader:
    def read(value: object) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{low} … {high}")
        return value

    return read


def _read_switch(value: object) -> bool:
    if isinstance(value, str):
        value = _TRUTH.get(value.lower())
    if not isinstance(value, bool):
        raise ValueError("true, false")
    return value


def _read_choice(*choices: str) -> Reader:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(", ".join(choices))
        return str(value)

    return read


def _read_address(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("host:port")
    split_address(value)
    return value


def _read_org(value: object) -> str:
    if not isinstance(value, str) or ORG.fullmatch(value) is None:
        raise ValueError("a lower-case ASCII name such as notary")
    return value


def _read_path(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("a path")
    return value


def _read_addresses(value: object) -> tuple[tuple[str, str], ...]:
    """A TOML table ``org = "host:port"``, or a variable's ``org=host:port,org=host:port``."""
    if isinstance(value, str):
        pairs = [part.partition("=")[::2] for part in value.split(",") if part.strip()]
        value = {org.strip(): address.strip() for org, address in pairs}
    if not isinstance(value, dict):
        raise ValueError('{ org = "host:port" }')
    return tuple(sorted((_read_org(org), _read_address(address)) for org, address in value.items()))


def _setting(default: T, read: Reader) -> T:
    made: T = field(default=default, metadata={"read": read})
    return made


def _integer(default: int, low: int, high: int) -> int:
    return _setting(default, _read_integer(low, high))


def _path(default: str) -> str:
    return _setting(default, _read_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one node; :func:`load` reads and checks them. Units are the end of a name."""

    org: str = field(metadata={"read": _read_org})
    """The member that this node speaks for."""
    lang: Literal["zh", "en"] = _setting("zh", _read_choice("zh", "en"))
    """Language of the sentences on the terminal and in the log."""

    genesis: str = _path("genesis.fazhi")
    key: str = _path("keys/ledger.key")
    guard: str = _path("keys/vote-guard")
    tls_key: str = _path("keys/tls.key")
    tls_certificate: str = _path("keys/tls.crt")
    read_tokens: str = _path("keys/read-tokens")
    """Bearer tokens for reading, one a line."""
    data: str = _path("data")
    store: Literal["auto", "plyvel", "sqlite"] = _setting("auto", _read_choice("auto", "plyvel", "sqlite"))

    p2p_listen: str = _setting("0.0.0.0:7444", _read_address)
    """Where the other members' nodes connect to."""
    peer_addresses: tuple[tuple[str, str], ...] = _setting((), _read_addresses)
    """Where members are reached instead of where the genesis says: ``peer_addresses = { org = "host:port" }``."""
    peer_queue_bytes: int = _integer(64 << 20, 1 << 20, 1 << 30)
    """Most bytes that wait for one peer; beyond it the oldest gossip is dropped, then the oldest of all."""
    peer_queue_frames: int = _integer(20_000, 100, 1_000_000)

    http_listen: str = _setting("0.0.0.0:7443", _read_address)
    http_plain: bool = _setting(False, _read_switch)
    """HTTP without TLS; on loopback only."""
    open_reads: bool = _setting(False, _read_switch)
    """Everybody may read; otherwise a bearer token is needed."""
    http_body_bytes: int = _integer(16 << 20, 1024, 64 << 20)
    http_body_seconds: int = _integer(30, 1, 600)
    http_concurrency: int = _integer(512, 4, 10_000)
    http_items: int = _integer(1000, 1, 2048)
    """Most submissions in one request."""
    http_wait_ms: int = _integer(30_000, 0, 120_000)
    """Longest time that a submission's request may wait for its commit."""
    event_streams: int = _integer(64, 0, 10_000)
    metrics: bool = _setting(True, _read_switch)
    """Serve /metrics (under the same rule as other reads)."""

    verify_threads: int = _integer(0, 0, 64)
    """Threads that check signatures; 0: one a core."""
    mempool_items: int = _integer(20_000, 10, 1_000_000)
    mempool_bytes: int = _integer(128 << 20, 1 << 20, 1 << 34)

    log_format: Literal["console", "json"] = _setting("console", _read_choice("console", "json"))
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", _read_choice("debug", "info", "warning", "error")
    )

    def path(self, home: Path, name: str) -> Path:
        """The path of a setting such as ``key``, relative ones below ``home``."""
        return home / str(getattr(self, name))  # an absolute path stays as it is


SETTINGS: Final[Mapping[str, Field[Any]]] = {setting.name: setting for setting in fields(Config)}


def load(home: Path, changes: Mapping[str, object] | None = None) -> Config:
    """The configuration of ``home``: file, environment over it, ``changes`` (of the command line) over both.

    Raises:
        Misuse: with a sentence that says which setting, where it stands and what it may be.
    """
    path = home / CONFIG_NAME
    given: dict[str, tuple[object, str]] = {name: (value, str(path)) for name, value in _read_file(path).items()}
    _refuse_unknown(given, "unknown-setting", str(path))
    variables = _read_environment()
    _refuse_unknown(variables, "unknown-variable", "")
    given.update(variables)
    given.update({name: (value, "--") for name, value in (changes or {}).items()})
    if "org" not in given:
        raise Misuse("missing-setting", name="org", where=str(path))
    values: dict[str, Any] = {}
    for name, (value, where) in given.items():
        read: Reader = SETTINGS[name].metadata["read"]
        try:
            values[name] = read(value)
        except ValueError as error:
            raise Misuse("bad-setting", name=name, where=where, reason=str(error)) from None
    config = Config(**values)
    host, _ = split_address(config.http_listen)
    if config.http_plain and not is_loopback(host):
        raise Misuse("plain-http", address=config.http_listen)
    return config


def _read_file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        raise Misuse("no-config", path=str(path)) from None
    except OSError as error:
        raise Misuse("unreadable-file", path=str(path), reason=error.strerror or "") from None
    if len(raw) > MAX_CONFIG_BYTES:
        raise Misuse("config-syntax", path=str(path), reason=f"> {MAX_CONFIG_BYTES} bytes")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise Misuse("config-syntax", path=str(path), reason=str(error)) from None


def _read_environment() -> dict[str, tuple[object, str]]:
    found: dict[str, tuple[object, str]] = {}
    for name, value in os.environ.items():
        upper = name.upper()
        if upper.startswith(ENV_PREFIX) and upper != HOME_VARIABLE:
            found[upper[len(ENV_PREFIX) :].lower()] = (value, name)
    return found


def _refuse_unknown(names: Mapping[str, object], code: str, where: str) -> None:
    for name in names:
        if name not in SETTINGS:
            nearest = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.0)[0]
            if code == "unknown-variable":
                raise Misuse(code, name=ENV_PREFIX + name.upper()[:80], nearest=ENV_PREFIX + nearest.upper())
            raise Misuse(code, name=name[:80], nearest=nearest, where=where)
