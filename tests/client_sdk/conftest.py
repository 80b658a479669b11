"""One real network for all tests of the SDK that need one: four nodes, each in a process of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.testing import TestChain, connect

_COUNTER = itertools.count(1)


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """A network that is up; a test that stops a node starts it again."""
    # Every client of every test takes lanes of its own for the same few officers.
    net = Devnet.create(tmp_path_factory.mktemp("sdk") / "net", parameters={"max_lanes_per_key": 4096})
    try:
        net.up(ready_s=60)
        yield net
    finally:
        net.destroy()


@pytest.fixture
def client(net: Devnet) -> Iterator[Callable[..., TestChain]]:
    """Makes clients of the network, each with a fresh outbox unless one is named; closed at the end."""
    opened: list[TestChain] = []

    def make(outbox: str | None = None, **options: Any) -> TestChain:
        chain = connect(net, outbox or f"outbox-{next(_COUNTER)}.db", **options)
        opened.append(chain)
        return chain

    yield make
    for chain in opened:
        chain.close()


@pytest.fixture
def chain(client: Callable[..., TestChain]) -> TestChain:
    """A client of the network."""
    return client()


@pytest.fixture
def number() -> str:
    """A docket number that no other test uses."""
    return f"桐综执罚2026-{next(_COUNTER):04d}"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A file of evidence."""
    path = tmp_path / "现场照片.jpg"
    path.write_bytes(b"\xff\xd8 a photo of the site " * 1000)
    return path
