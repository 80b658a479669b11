"""Names of files and variables, and addresses: what every command of ``fazhi-node`` needs, importable in no time."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

HOME_VARIABLE: Final = "FAZHI_NODE_HOME"
PASSPHRASE_VARIABLE: Final = "FAZHI_PASSPHRASE"  # noqa: S105 - the variable's name
TOKEN_VARIABLE: Final = "FAZHI_TOKEN"  # noqa: S105 - the variable's name
DEFAULT_HOME: Final = "fazhi-home"
CONFIG_NAME: Final = "fazhi-node.toml"
GENESIS_NAME: Final = "genesis.fazhi"
STORE_NAME: Final = "store"
JOINING_NAME: Final = "store.joining"
REPLACED_NAME: Final = "store.replaced"
"""The store while it is made of a snapshot: it gets its name when it is whole. And one without a block, on its way out.
"""
NEXT_KEY_NAME: Final = "keys/ledger-next.key"
NEXT_GUARD_NAME: Final = "keys/vote-guard-next"
NEXT_VOTES_NAME: Final = "votes-next"
NEXT_TLS_KEY_NAME: Final = "keys/tls-next.key"
NEXT_TLS_CERTIFICATE_NAME: Final = "keys/tls-next.crt"
"""What a member prepares for a vote that replaces its key or its certificate; used from then on."""
VOTES_NAME: Final = "votes"
NOTES_NAME: Final = "notes"
DEFAULT_HTTP_PORT: Final = 7443
DEFAULT_P2P_PORT: Final = 7444
_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):([0-9]{1,5})", re.ASCII)


def split_address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[v6]:port``; raises ValueError."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or not 0 <= int(match[3]) <= 65535:
        raise ValueError("an address is host:port, for example 0.0.0.0:7444")
    return match[1] or match[2], int(match[3])


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class GatewayUrl:
    """A member's public address: ``https://host:port`` (``http`` only for development on loopback), no path."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> GatewayUrl:
        """Raises ValueError for anything else than scheme, host and port."""
        parts = urlsplit(text)
        plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        if parts.scheme not in ("https", "http") or not plain or not parts.hostname:
            raise ValueError("a URL is https://host:port")
        port = parts.port if parts.port is not None else (443 if parts.scheme == "https" else 80)
        host, _ = split_address(join_address(parts.hostname, port))
        return cls(parts.scheme, host, port)

    def __str__(self) -> str:
        return f"{self.scheme}://{join_address(self.host, self.port)}"


def join_address(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
