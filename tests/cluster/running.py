"""What both campaigns of real processes share: running to an end whatever happens, and saying what came of it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from tests.conftest import ROOT

from .clients import Clients
from .nodes import Nodes

T = TypeVar("T")
SETTLE_S: Final = 60.0


def carry_out(campaign: Coroutine[Any, Any, T]) -> T:
    """Run a campaign; a signal to end lets it end its processes first."""

    async def interruptible() -> T:
        task = asyncio.ensure_future(campaign)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    return asyncio.run(interruptible())


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


def commit() -> str:
    """The commit that is tested, with a + where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which that part of the values lies, to the hundredth; 0 where there are none."""
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 2) if values else 0.0
