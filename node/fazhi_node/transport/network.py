"""All peers of a node: a server that they call and a link to each of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

# Both must stand before the import. The C core writes handshake failures of strangers to stderr; the node has its own
# log. And its event engine hands every message from thread to thread to thread: read by the one thread that waits for
# it, as before that engine, a block of one takes half the context switches (79 to 41 a node) and 7 % less CPU.
# A gRPC that no longer knows the names passes over them.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")

import grpc
import grpc.aio
from fazhi_ledger.errors import EncodingError, InvariantBroken
from fazhi_ledger.limits import MAX_VALIDATORS

from ..exits import Exit, Stop
from .frames import SendQueue, unpack
from .identity import NotAMember, Peer, Pins, pem_of
from .link import GENESIS_KEY, METHOD, OPTIONS, VERSION, VERSION_KEY, Link, Notice

STREAMS_PER_MEMBER: Final = 2
"""A restarted peer calls again before the old connection has died; its oldest stream is closed beyond this number."""
REFUSALS_KEPT: Final = 64
TURN_S: Final = 0.02
"""After so long with one peer's message everybody else has a turn."""
HANDSHAKE_MS: Final = 10_000
"""A connection that has not shown a member's certificate by then is closed."""
MAX_INCOMING: Final = 2 * MAX_VALIDATORS
"""Connections at a time, of members or of strangers: one of every member, and one that takes its place."""
_NOTHING: Final[tuple[bytes, ...]] = ()
STOP_GRACE_S: Final = 0.2

_SERVER_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    *OPTIONS,
    # Without this two nodes on one port would share it silently.
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 8),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.max_allowed_incoming_connections", MAX_INCOMING),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What the transport needs to know of its own node; ``key`` is a PEM, certificates are DER."""

    org: str
    listen: str
    key: bytes
    certificate: bytes
    genesis_hash: bytes
    queue_frames: int
    queue_bytes: int


class PeerNetwork:
    """Frames to and from the other members.

    ``on_frame(org, frame)`` is called on the loop, in the order in which the member sent; ``org`` is the member whose
    certificate stands at the other end of the connection. ``on_change(org, connected)`` is called whenever a member
    can be spoken to, or no longer; ``on_stream(org)`` whenever a member has opened a stream to us. ``gate(org)`` is
    awaited before each message of a peer is read: while it waits, the peer's stream fills and the peer has to hold its
    frames itself, so that a flood costs a bounded amount of memory here. Between the frames of one message others have
    their turn.
    """

    def __init__(
        self,
        settings: TransportSettings,
        peers: Sequence[Peer],
        on_frame: Callable[[str, bytes], None],
        on_change: Callable[[str, bool], None],
        on_stream: Callable[[str], None],
        gate: Callable[[str], Awaitable[None]],
        notice: Notice,
    ) -> None:
        self._settings = settings
        self._on_frame = on_frame
        self._on_change = on_change
        self._on_stream = on_stream
        self._gate = gate
        self._notice = notice
        self._incoming: dict[str, list[asyncio.Task[Any]]] = {}
        self._links: dict[str, Link] = {}
        self._retired: set[asyncio.Task[None]] = set()
        self._refused: list[tuple[str, str]] = []
        self._server: grpc.aio.Server | None = None
        self._dismissed: set[asyncio.Task[Any]] = set()
        self.port = 0
        self.set_peers(peers)
        self._shown = self._accepted

    def set_peers(self, peers: Sequence[Peer]) -> None:
        """Who the members are from now on, and how they are reached. Connections of those that are gone, or that have
        another certificate now, are closed, both ways; who has not changed notices nothing.
        """
        self._pins = Pins(peers)
        self._accepted = grpc.ssl_server_certificate_configuration(
            [(self._settings.key, pem_of(self._settings.certificate))],
            root_certificates=b"".join(pem_of(peer.certificate) for peer in peers),
        )
        wanted = {peer.org: peer for peer in peers if peer.org != self._settings.org}
        for org, link in list(self._links.items()):
            if wanted.get(org) != link.peer:
                self._retire(self._links.pop(org), peers)
        for org, peer in wanted.items():
            if org not in self._links:
                queue = SendQueue(self._settings.queue_frames, self._settings.queue_bytes)
                key, certificate = self._settings.key, self._settings.certificate
                genesis_hash = self._settings.genesis_hash
                link = Link(peer, key, certificate, genesis_hash, queue, self._on_change, self._notice)
                self._links[org] = link
                if self._server is not None:
                    link.start()

    def known(self) -> tuple[Peer, ...]:
        """The other members, as they are reached now."""
        return tuple(link.peer for link in self._links.values())

    def _retire(self, link: Link, peers: Sequence[Peer]) -> None:
        """Close what leads to and comes from a member that is gone or is reached otherwise."""
        org = link.peer.org
        task = asyncio.ensure_future(link.stop())
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)
        if link.connected:
            self._notice("peer-lost", peer=org, reason="members")
            self._on_change(org, False)
        if all((peer.org, peer.certificate) != (org, link.peer.certificate) for peer in peers):
            for incoming in self._incoming.pop(org, []):
                self._dismiss(incoming)

    async def start(self) -> None:
        """Listen and begin to connect.

        Raises:
            Stop: ``port-in-use`` where the address cannot be bound.
        """
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(self._serve)
        service, method = METHOD[1:].split("/")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        credentials = grpc.dynamic_ssl_server_credentials(
            self._accepted,
            self._newly_accepted,  # type: ignore[arg-type]  # the stub knows no None, the documentation does
            require_client_authentication=True,
        )
        try:
            self.port = server.add_secure_port(self._settings.listen, credentials)
        except RuntimeError:
            self.port = 0
        if self.port == 0:
            raise Stop(Exit.BUSY, "port-in-use", address=self._settings.listen, setting="p2p_listen")
        await server.start()
        self._server = server
        for link in self._links.values():
            link.start()

    def _newly_accepted(self) -> grpc.ServerCertificateConfiguration | None:
        """Asked before each handshake, on threads of gRPC's, one at a time. None where nothing has changed: whatever
        else is returned takes the place of what handshakes under way still use, and many of these at a time abort the
        process (``Check failed: prior > 0`` in gRPC 1.85).
        """
        accepted = self._accepted
        if accepted is self._shown:
            return None
        self._shown = accepted
        return accepted

    async def stop(self) -> None:
        """Close every stream."""
        await asyncio.gather(*(link.stop() for link in self._links.values()), *self._retired)
        incoming = [task for tasks in self._incoming.values() for task in tasks]
        for task in incoming:
            self._dismiss(task)
        await asyncio.gather(*incoming, return_exceptions=True)
        if self._server is not None:
            await self._server.stop(STOP_GRACE_S)

    def send(self, org: str, frame: bytes, *, gossip: bool = False) -> None:
        """Queue a frame for one member; a name that is no peer is ignored (it may have left the consortium)."""
        link = self._links.get(org)
        if link is not None:
            link.put(frame, gossip=gossip)

    def broadcast(self, frame: bytes, *, gossip: bool = False) -> None:
        """Queue a frame for every other member."""
        for link in self._links.values():
            link.put(frame, gossip=gossip)

    def peers(self) -> list[dict[str, str | int | bool]]:
        """State of every link, for status and metrics."""
        return [
            {
                "org": org,
                "connected": link.connected,
                "waiting": len(link.queue),
                "dropped": link.queue.dropped,
                "reason": "" if link.connected else link.reason,
            }
            for org, link in sorted(self._links.items())
        ]

    def connected_count(self) -> int:
        """How many peers this node can speak to now."""
        return sum(link.connected for link in self._links.values())

    async def _serve(self, requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        org = await self._admit(context)
        task = asyncio.current_task()
        if task is None:
            raise InvariantBroken("a handler runs in a task")
        mine = self._incoming.setdefault(org, [])
        mine.append(task)
        link = self._links.get(org)
        if link is not None and not link.connected:
            link.poke()
        if len(mine) > STREAMS_PER_MEMBER:
            self._dismiss(mine.pop(0))
        self._on_stream(org)
        try:
            await context.send_initial_metadata(((GENESIS_KEY, self._settings.genesis_hash.hex()),))
            await self._gate(org)
            async for message in requests:
                turn_ends = time.monotonic() + TURN_S
                for frame in unpack(message):
                    self._on_frame(org, frame)
                    if time.monotonic() > turn_ends:
                        await self._gate(org)
                        await asyncio.sleep(0)
                        turn_ends = time.monotonic() + TURN_S
                await self._gate(org)
        except asyncio.CancelledError:
            # Dismissed by ourselves: end like any other stream, else gRPC prints a traceback for it.
            if task not in self._dismissed:
                raise
        except EncodingError as error:
            self._notice("peer-malformed", peer=org, reason=str(error))
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "malformed frame")
        finally:
            self._dismissed.discard(task)
            if task in mine:
                mine.remove(task)
        for _ in _NOTHING:  # a generator that yields nothing: the answering half of the stream is not used
            yield _

    def _dismiss(self, task: asyncio.Task[Any]) -> None:
        self._dismissed.add(task)
        task.cancel()

    def _say_refused(self, address: str, reason: str) -> None:
        """Once a connection: who was a member when it connected may go on calling."""
        if (address, reason) not in self._refused:
            self._refused = [*self._refused[1 - REFUSALS_KEPT :], (address, reason)]
            self._notice("peer-refused", address=address, reason=reason)

    async def _admit(self, context: grpc.aio.ServicerContext[Any, Any]) -> str:
        try:
            org = self._pins.org_of_connection(context.auth_context())
        except NotAMember as error:
            self._say_refused(context.peer(), str(error))
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "this certificate is no member's")
        metadata = dict(context.invocation_metadata() or ())
        if metadata.get(VERSION_KEY) != VERSION:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "other transport version")
        if metadata.get(GENESIS_KEY) != self._settings.genesis_hash.hex():
            self._notice("peer-other-genesis", peer=org)
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "other genesis")
        return org
