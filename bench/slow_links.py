"""Slow links between nodes, a process of its own: ``python -m bench.slow_links DELAY_MS JITTER_MS TARGET…``.

Listens once for each target (``host:port``), says on which ports, and carries bytes to it and back, each way
``DELAY_MS ± JITTER_MS`` later and in order. Ends with its stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys

import uvloop

CHUNK_BYTES = 64 * 1024
CHUNKS_UNDER_WAY = 512
"""Of one direction of one connection; beyond it is not read on, as on a full pipe."""

Chunk = tuple[float, bytes]
"""When it arrives, by the loop's clock, and what; no bytes: the end."""


class Link:
    """Connections to one target."""

    def __init__(self, target: str, delay_s: float, jitter_s: float, seed: int) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._delay_s = delay_s
        self._jitter_s = jitter_s
        self._random = random.Random(seed)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until both ends have closed it."""
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        writer.close()
        far_writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[Chunk] = asyncio.Queue(CHUNKS_UNDER_WAY)
        delivery = asyncio.ensure_future(self._deliver(queue, writer))
        loop = asyncio.get_running_loop()
        data = b"first"
        while data:
            try:
                data = await reader.read(CHUNK_BYTES)
            except OSError:
                data = b""
            delay = self._delay_s + self._random.uniform(-self._jitter_s, self._jitter_s)
            await queue.put((loop.time() + delay, data))
        await delivery

    async def _deliver(self, queue: asyncio.Queue[Chunk], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            with contextlib.suppress(OSError, RuntimeError):  # the other end is gone: what is left is dropped
                if data:
                    writer.write(data)
                    await writer.drain()
                else:
                    writer.write_eof()
            if not data:
                return


async def main() -> None:
    """Listen, say where, carry."""
    delay_s, jitter_s = (float(word) / 1000 for word in sys.argv[1:3])
    ports = []
    for number, target in enumerate(sys.argv[3:]):
        link = Link(target, delay_s, jitter_s, number)
        server = await asyncio.start_server(link.accept, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
