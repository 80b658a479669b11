"""Configuration of a node: one TOML file, environment over it, every bound checked before anything is opened.

Keys are flat; the environment's name of ``http_listen`` is ``FAZHI_NODE_HTTP_LISTEN``. An unknown key or variable is
refused with the nearest known name, because a misspelt limit that is silently ignored is found only on the worst day.
Paths are relative to the home directory. What all members must agree on is no setting: it is a parameter of the
chain.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le
from fazhi_ledger.names import ORG
from pydantic import AfterValidator, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from .addresses import CONFIG_NAME, HOME_VARIABLE, is_loopback, split_address
from .exits import Misuse

ENV_PREFIX: Final = "FAZHI_NODE_"
MAX_CONFIG_BYTES: Final = 256 * 1024


def _address(text: str) -> str:
    split_address(text)
    return text


def _org(text: str) -> str:
    if ORG.fullmatch(text) is None:
        raise ValueError("an organisation is a lower-case ASCII name such as notary")
    return text


Address = Annotated[str, AfterValidator(_address)]


class Config(BaseSettings):
    """Settings of one node; :func:`load` reads and checks them."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        extra="forbid",
        frozen=True,
        case_sensitive=False,
        validate_default=True,
        hide_input_in_errors=True,
    )

    org: Annotated[str, AfterValidator(_org)]
    """The member that this node speaks for."""
    lang: Literal["zh", "en"] = "zh"
    """Language of the sentences on the terminal and in the log."""

    genesis: Path = Path("genesis.fazhi")
    key: Path = Path("keys/ledger.key")
    guard: Path = Path("keys/vote-guard")
    tls_key: Path = Path("keys/tls.key")
    tls_certificate: Path = Path("keys/tls.crt")
    read_tokens: Path = Path("keys/read-tokens")
    """Bearer tokens for reading, one a line."""
    data: Path = Path("data")
    store: Literal["auto", "plyvel", "sqlite"] = "auto"

    p2p_listen: Address = "0.0.0.0:7444"
    """Where the other members' nodes connect to."""
    peer_queue_bytes: Annotated[int, Ge(1 << 20), Le(1 << 30)] = 64 << 20
    """Most bytes that wait for one peer; beyond it the oldest gossip is dropped, then the oldest of all."""
    peer_queue_frames: Annotated[int, Ge(100), Le(1_000_000)] = 20_000

    http_listen: Address = "0.0.0.0:7443"
    http_plain: bool = False
    """HTTP without TLS; on loopback only."""
    open_reads: bool = False
    """Everybody may read; otherwise a bearer token is needed."""
    http_body_bytes: Annotated[int, Ge(1024), Le(64 << 20)] = 16 << 20
    http_concurrency: Annotated[int, Ge(4), Le(10_000)] = 512
    http_body_seconds: Annotated[int, Ge(1), Le(600)] = 30
    http_wait_ms: Annotated[int, Ge(0), Le(120_000)] = 30_000
    """Longest time that a submission's request may wait for its commit."""
    http_items: Annotated[int, Ge(1), Le(10_000)] = 1000
    """Most submissions in one request."""
    event_streams: Annotated[int, Ge(0), Le(10_000)] = 64
    metrics: bool = True
    """Serve /metrics (under the same rule as other reads)."""

    verify_threads: Annotated[int, Ge(0), Le(64)] = 0
    """Threads that check signatures; 0: one a core."""
    mempool_items: Annotated[int, Ge(10), Le(1_000_000)] = 20_000
    mempool_bytes: Annotated[int, Ge(1 << 20), Le(1 << 34)] = 128 << 20

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - names fixed by pydantic-settings
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what :func:`load` hands to the constructor: it lays file, environment and command line over one
        another.
        """
        return (init_settings,)

    def path(self, home: Path, name: str) -> Path:
        """The path of a setting such as ``key``, relative ones below ``home``."""
        value: Path = getattr(self, name)
        return value if value.is_absolute() else home / value


def load(home: Path, changes: dict[str, Any] | None = None) -> Config:
    """The configuration of ``home``: file, environment over it, ``changes`` (of the command line) over both.

    Raises:
        Misuse: with a sentence that says which setting, where it stands and what it may be.
    """
    path = home / CONFIG_NAME
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
        values = tomllib.loads(raw.decode("utf-8"))
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise Misuse("config-syntax", path=str(path), reason=str(error)) from None
    _refuse_unknown(list(values), "unknown-setting", str(path))
    given = [name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() != HOME_VARIABLE]
    _refuse_unknown([name[len(ENV_PREFIX) :].lower() for name in given], "unknown-variable", ENV_PREFIX)
    try:
        config = Config(**{**values, **EnvSettingsSource(Config)(), **(changes or {})})
    except ValidationError as error:
        raise _sentence(error, str(path)) from None
    host, _ = split_address(config.http_listen)
    if config.http_plain and not is_loopback(host):
        raise Misuse("plain-http", address=config.http_listen)
    return config


def _refuse_unknown(names: list[str], code: str, where: str) -> None:
    known = list(Config.model_fields)
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise Misuse(code, name=name[:80], nearest=nearest[0] if nearest else "", where=where)


def _sentence(error: ValidationError, path: str) -> Misuse:
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "?"
    variable = ENV_PREFIX + name.upper()
    where = variable if any(given.upper() == variable for given in os.environ) else path
    if first["type"] == "missing":
        return Misuse("missing-setting", name=name, where=path)
    return Misuse("bad-setting", name=name, where=where, reason=_allowed(name, first["msg"]))


def _allowed(name: str, message: str) -> str:
    """What the setting may be: its bounds where it has some, else the validator's own words."""
    field = Config.model_fields.get(name)
    bounds = [str(m.ge) for m in field.metadata if isinstance(m, Ge)] if field else []
    bounds += [str(m.le) for m in field.metadata if isinstance(m, Le)] if field else []
    if len(bounds) == 2:
        return " … ".join(bounds)
    return message.removeprefix("Value error, ").removeprefix("Input should be ")
