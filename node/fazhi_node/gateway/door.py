"""Places at the gateway, counted where connections are accepted: one that never ends its handshake takes one too."""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Final

FILES: Final = 65_536
"""Open files that a node asks the system for."""
FILES_KEPT: Final = 256
"""Of them for the store, the votes, the other members."""
CLIENT_CONNECTIONS_MIN: Final = 16
AT_A_TIME: Final = 64
"""After so many, others on the loop have their turn."""
HANDSHAKE_S: Final = 10.0
PAUSE_S: Final = 1.0


@lru_cache(maxsize=1024)
def client_of(host: str) -> str:
    """Who connects from that address, as clients are counted: an IPv6 address stands for the /64 around it, of which
    one machine has as many as it likes."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def allowed_files() -> int:
    """How many files and connections this process may have open, after asking for as many as it can use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return FILES if soft == resource.RLIM_INFINITY else soft


def places(concurrency: int, event_streams: int, files: int) -> tuple[int, int]:
    """Connections in all, and of one client, where so many requests are answered at once: one client gets three
    quarters of those, so that slow requests of one client cannot take every place.
    """
    most = max(CLIENT_CONNECTIONS_MIN, min(2 * concurrency + event_streams, files - FILES_KEPT))
    return most, min(most, max(CLIENT_CONNECTIONS_MIN, concurrency * 3 // 4))


class Door:
    """Lets connections in from ``bound``, a listening socket, and closes at once what is beyond ``most`` open ones, or
    beyond ``of_one`` of one client.
    """

    def __init__(self, bound: socket.socket, most: int, of_one: int) -> None:
        self._socket = bound
        self._most = most
        self._of_one = of_one
        self._inside: list[tuple[socket.socket, str]] = []
        self._entering: set[asyncio.Task[None]] = set()
        self._welcome: Callable[[], asyncio.Protocol] | None = None
        self._tls: ssl.SSLContext | None = None

    def open(self, welcome: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None) -> None:
        """Begin; each connection gets a protocol of its own."""
        self._welcome, self._tls = welcome, tls
        self._wait()

    def close(self) -> None:
        """Let nobody in any more. Who is inside stays."""
        if self._welcome is not None:
            self._welcome = None
            asyncio.get_running_loop().remove_reader(self._socket)
        for task in self._entering:
            task.cancel()
        self._socket.close()

    def _wait(self) -> None:
        if self._welcome is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._knocked)

    def _knocked(self) -> None:
        for _ in range(AT_A_TIME):
            try:
                connection, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file is left for it
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._socket)
                loop.call_later(PAUSE_S, self._wait)
                return
            host = client_of(str(address[0]))
            self._inside = [pair for pair in self._inside if pair[0].fileno() >= 0]
            if len(self._inside) >= self._most or sum(other == host for _, other in self._inside) >= self._of_one:
                connection.close()
                continue
            self._inside.append((connection, host))
            task = asyncio.get_running_loop().create_task(self._enter(connection))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        welcome, tls = self._welcome, self._tls
        try:
            if welcome is not None:
                handshake_s = None if tls is None else HANDSHAKE_S
                await asyncio.get_running_loop().connect_accepted_socket(
                    welcome, connection, ssl=tls, ssl_handshake_timeout=handshake_s
                )
        except OSError:  # of TLS too: it speaks something else, or nothing
            connection.close()
