"""The chain out of a data directory of which no node is running."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from .addresses import STORE_NAME
from .config import Config
from .exits import Misuse
from .queries import ChainReader
from .service_stops import stop_of
from .storage.chain_store import ChainStore
from .storage.errors import StorageError
from .storage.store import open_store


def offline_archive(config: Config, home: Path) -> Generator[bytes, None, None]:
    """The whole chain in the archive's format; the store is closed when the generator is.

    Raises:
        Stop: the store is held by a running node, is not there, or is damaged; there is no block in it, or it joined
            from a snapshot.
    """
    directory = config.path(home, "data") / STORE_NAME
    try:
        chain = ChainStore(open_store(directory, config.store))
    except StorageError as error:
        raise stop_of(error) from None
    try:
        if chain.tip.height == 0:
            raise Misuse("no-chain", path=str(directory))
        if chain.base:
            raise Misuse("no-whole-chain", first=chain.base + 1)
        yield from ChainReader(chain).archive()
    finally:
        chain.close()
