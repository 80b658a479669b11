"""What the commands on a stopped node have in common: its chain out of the data directory, and how far they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from .addresses import STORE_NAME
from .cli_texts import cli_text
from .config import Config
from .exits import Misuse
from .queries import ChainReader
from .service_stops import stop_of
from .storage.chain_store import ChainStore
from .storage.errors import StorageError
from .storage.store import Backend, open_store
from .texts import Language

TOLD_EVERY_S: Final = 2.0


def open_stopped(directory: Path, backend: Backend) -> ChainStore:
    """The chain in a store that nobody uses. Raises ``StorageError``; the store is closed then."""
    store = open_store(directory, backend)
    try:
        return ChainStore(store)
    except BaseException:
        store.close()
        raise


class Told:
    """Progress on stderr, now and then: sentences ``<command>_<part>``."""

    def __init__(self, command: str, language: Language) -> None:
        self._command = command
        self._language = language
        self._next = time.monotonic() + TOLD_EVERY_S
        self.done: dict[str, int] = {}
        """How many there were of each part."""

    def __call__(self, part: str, done: int, of: int) -> None:
        self.done[part] = done
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TOLD_EVERY_S
            print(cli_text(f"{self._command}_{part}", self._language, done=done, of=of), file=sys.stderr)


def offline_archive(config: Config, home: Path) -> Generator[bytes, None, None]:
    """The whole chain in the archive's format; the store is closed when the generator is.

    Raises:
        Stop: the store is held by a running node, is not there, or is damaged; there is no block in it, or it joined
            from a snapshot.
    """
    directory = config.path(home, "data") / STORE_NAME
    try:
        chain = open_stopped(directory, config.store)
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
