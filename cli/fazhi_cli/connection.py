"""How commands reach a chain: gateways, the genesis hash, the outbox; from options or the environment."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .exits import Misuse
from .inputs import digest, read_file
from .parser import Parser

if TYPE_CHECKING:
    from fazhi_sdk import Chain
    from fazhi_sdk.devnet import Devnet

NODES: Final = "FAZHI_NODES"
GENESIS_HASH: Final = "FAZHI_GENESIS_HASH"
OUTBOX: Final = "FAZHI_OUTBOX"
DEVNET: Final = "FAZHI_DEVNET"
TOKEN: Final = "FAZHI_TOKEN"  # noqa: S105 - the variable's name
DEFAULT_OUTBOX: Final = "fazhi-outbox.db"
MAX_TOKEN_BYTES: Final = 4096


def declare(parser: Parser, *, outbox: bool = True) -> None:
    """Declare the options."""
    parser.option("--node", action="append", default=[], metavar="URL", help=parser.text("node", variable=NODES))
    parser.option("--genesis-hash", metavar="HEX", help=parser.text("genesis-hash-or-variable", variable=GENESIS_HASH))
    parser.option("--token-file", metavar="FILE", help=parser.text("token-file", variable=TOKEN))
    parser.option("--devnet", metavar="FOLDER", help=parser.text("devnet-of", variable=DEVNET))
    if outbox:
        parser.option("--outbox", metavar="FILE", help=parser.text("outbox", variable=OUTBOX, default=DEFAULT_OUTBOX))


def genesis_hash(options: argparse.Namespace) -> bytes:
    """The genesis hash that the user names.

    Raises:
        Misuse: ``no-genesis-hash`` or ``bad-hash``.
    """
    network = _devnet(options)
    given = options.genesis_hash or (network.genesis_hash if network else os.environ.get(GENESIS_HASH))
    if not given:
        raise Misuse("no-genesis-hash", variable=GENESIS_HASH)
    return digest(given, "--genesis-hash")


def nodes(options: argparse.Namespace) -> list[str]:
    """The gateways.

    Raises:
        Misuse: ``no-node``.
    """
    network = _devnet(options)
    if options.node:
        return list(options.node)
    urls = network.urls if network else [url for url in re.split(r"[\s,]+", os.environ.get(NODES, "")) if url]
    if not urls:
        raise Misuse("no-node", variable=NODES)
    return urls


def tokens(options: argparse.Namespace) -> str | dict[str, str] | None:
    """The access token for reads, if any: one for all gateways, or one for each. Never an option of its own, since
    every user of a machine sees the options of all."""
    if options.token_file is not None:
        text = read_file(options.token_file, MAX_TOKEN_BYTES).decode("ascii", "replace")
        pairs = [line.split() for line in text.splitlines() if line.strip()]
        if len(pairs) == 1 and len(pairs[0]) == 1:
            return pairs[0][0]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            raise Misuse("bad-token-file", path=options.token_file)
        return {pair[0]: pair[1] for pair in pairs}
    network = _devnet(options)
    return network.tokens if network else os.environ.get(TOKEN)


def _devnet(options: argparse.Namespace) -> Devnet | None:
    folder = options.devnet or (None if options.node or options.genesis_hash else os.environ.get(DEVNET))
    if not folder:
        return None
    from fazhi_sdk.devnet import Devnet

    return Devnet.open(folder)


@contextmanager
def connected(options: argparse.Namespace) -> Iterator[Chain]:
    """A connection for the time of a command. What an earlier process left in the outbox is delivered meanwhile."""
    trusted, urls, access = genesis_hash(options), nodes(options), tokens(options)
    network = _devnet(options)
    default = DEFAULT_OUTBOX if network is None else network.folder / "outbox.db"
    outbox = options.outbox or os.environ.get(OUTBOX) or default
    from fazhi_sdk import Chain

    with Chain.connect(urls, trusted, outbox, token=access) as chain:
        yield chain
