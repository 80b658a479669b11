"""A small real chain for your own tests::

    with fazhi_sdk.testing.network() as chain:
        case = chain.open_case("penalty", number="2026-1", signer=chain.officer())
        chain.network.kill("sfj")          # three of four go on

Real nodes, each in a process of its own, on free ports, in a temporary folder that is gone afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .devnet import Devnet
from .keys import FileSigner
from .sync import Chain

__all__ = ["Devnet", "TestChain", "network"]


class TestChain(Chain):
    """A :class:`Chain` with the network that it is connected to at hand."""

    __test__ = False  # not a test of pytest's

    network: Devnet

    def officer(self, name: str = "officer") -> FileSigner:
        """A key that the genesis registers: ``officer``, ``officer2``, ``head`` or ``reviewer``."""
        return self.network.officer(name)

    def another(self, outbox: str = "another.db", **options: Any) -> TestChain:
        """A further client of the same network with an outbox of its own."""
        return connect(self.network, outbox, **options)


def connect(net: Devnet, outbox: str = "outbox.db", **options: Any) -> TestChain:
    """A client of a running network; ``outbox`` is a name in the network's folder."""
    options.setdefault("token", net.tokens)
    chain = TestChain.connect(net.urls, net.genesis_hash, net.folder / outbox, **options)
    chain.network = net
    return chain


@contextmanager
def network(
    *, members: int = 4, folder: str | Path | None = None, parameters: Mapping[str, int] | None = None
) -> Iterator[TestChain]:
    """Start a network, connect to it, and take both down at the end, whatever happened.

    With ``folder`` the files are kept there afterwards.
    """
    place = Path(tempfile.mkdtemp(prefix="fazhi-")) if folder is None else Path(folder)
    net = Devnet.create(place / "net", members=members, parameters=parameters)
    try:
        net.up()
        with connect(net) as chain:
            yield chain
    finally:
        if folder is None:
            net.destroy()
            place.rmdir()
        else:
            net.down()
