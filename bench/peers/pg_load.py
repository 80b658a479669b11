"""Inserts in a closed loop: ``python -m bench.peers.pg_load PORT CONNECTIONS ROWS BYTES SECONDS``, a process of its own
with asyncpg on the path. One line of JSON: rows committed, seconds, median milliseconds of a transaction.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
from typing import Any

import uvloop

from bench.measure import percentile

ONE = "INSERT INTO writes (body) VALUES ($1)"
MANY = "INSERT INTO writes (body) SELECT unnest($1::bytea[])"


async def insert(connection: Any, rows: int, size: int, end: float, took: list[float]) -> None:
    """Insert until ``end``, each transaction after the answer to the one before."""
    statement = await connection.prepare(ONE if rows == 1 else MANY)
    bodies = [os.urandom(size) for _ in range(rows)]
    value: Any = bodies[0] if rows == 1 else bodies
    while (began := time.perf_counter()) < end:
        await statement.fetch(value)
        took.append(time.perf_counter() - began)


async def main() -> None:
    """Connect, insert, say how it went."""
    port, count, rows, size, seconds = (int(word) for word in sys.argv[1:6])
    asyncpg = importlib.import_module("asyncpg")
    connections = [
        await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", database="postgres", ssl=False)
        for _ in range(count)
    ]
    took: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(insert(one, rows, size, began + seconds, took) for one in connections))
    spent = time.perf_counter() - began
    for one in connections:
        await one.close()
    print(json.dumps({"writes": len(took) * rows, "seconds": spent, "p50_ms": percentile(took, 0.5) * 1000}))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
