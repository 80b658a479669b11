"""What both campaigns of real processes share: running to an end whatever happens, and saying what came of it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.campaign import ENDING, Ended, commit

from .clients import Clients
from .nodes import Nodes

SETTLE_S: Final = 60.0
MUCH: Final = 50
"""Acknowledged submissions."""


def carry_out(campaign: Coroutine[Any, Any, None]) -> None:
    """Run a campaign; a signal to end lets it end its processes first.

    Raises:
        Ended: by such a signal.
    """

    async def interruptible() -> None:
        task, ended = asyncio.ensure_future(campaign), []

        def end(number: int) -> None:
            ended.append(number)
            task.cancel()

        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
        try:
            await task
        except asyncio.CancelledError:
            raise Ended(ended[0]) from None

    asyncio.run(interruptible())


@contextmanager
def folder_of(name: str, keep: Path | None) -> Iterator[Path]:
    """The folder that is to be kept, or one that is gone afterwards."""
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix=f"fazhi-{name}-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def tell(violations: Sequence[str], again: str) -> None:
    """Print the violations, the first of them at least, and what plays them again."""
    for what in violations[:50]:
        print(f"violation: {what}")
    if violations:
        print(f"again: {again}  (commit {commit()})")


def blind(nodes: Nodes, clients: Clients) -> list[str]:
    """Which witnesses saw nothing where there was much to see: they would have seen no mistake either. One node alone
    may be down for all of a short campaign.
    """
    if clients.acknowledged < MUCH:
        return []
    seen = {"no node has noted a vote": nodes.bodies_heard, "no gateway has answered a reader": clients.answers}
    return [f"campaign: {what}" for what, count in seen.items() if not count]


async def settle(nodes: Nodes, clients: Clients) -> None:
    """Wait until every node is at one height, the last acknowledged submission's at least; at most a minute."""
    top = max((place[0] for place in clients.history.places.values()), default=0)
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        found = await asyncio.to_thread(nodes.status)
        heights = [int(status["height"]) if status else -1 for status in found.values()]
        if min(heights) >= top and len(set(heights)) == 1:
            return
        await asyncio.sleep(0.1)


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which that part of the values lies, to the hundredth; 0 where there are none."""
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 2) if values else 0.0
