"""The outgoing half of a peer: a queue, and one stream that is opened again whenever it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any, Final

import grpc
import grpc.aio

from .frames import MAX_PACKED_BYTES, SendQueue, pack
from .identity import Peer, pem_of

METHOD: Final = "/fazhi.peer.v1.Peer/Frames"
GENESIS_KEY: Final = "fazhi-genesis"
VERSION_KEY: Final = "fazhi-transport"
VERSION: Final = "1"
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 3.0
CONNECT_S: Final = 10.0
COMPLAIN_AFTER: Final = 8
"""Failed attempts in a row before the log says so: members start at different times."""

OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_send_message_length", MAX_PACKED_BYTES),
    ("grpc.max_receive_message_length", MAX_PACKED_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
)
_CLIENT_OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    *OPTIONS,
    ("grpc.keepalive_permit_without_calls", 1),
    # An operator's http_proxy must not carry (or break) the traffic between members.
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),  # ours, below, is the one that grows
)

Notice = Callable[..., None]
"""``notice(event, **facts)``: a change worth a log line."""


class Link:
    """Frames to one peer, in order, while it is connected; nothing is kept for a peer that is not.

    ``on_change(org, connected)`` is called on the loop whenever the peer can be spoken to, or no longer.
    """

    def __init__(
        self,
        peer: Peer,
        own_key: bytes,
        own_certificate: bytes,
        genesis_hash: bytes,
        queue: SendQueue,
        on_change: Callable[[str, bool], None],
        notice: Notice,
    ) -> None:
        self.peer = peer
        self.queue = queue
        self.connected = False
        self.reason = ""
        self._notice = notice
        self._on_change = on_change
        self._genesis = genesis_hash.hex()
        self._credentials = grpc.ssl_channel_credentials(
            # The only root is the called member's own certificate: whoever answers holds that member's TLS key. The
            # other members' certificates are no roots here, so that a member cannot answer for another one.
            root_certificates=pem_of(peer.certificate),
            private_key=own_key,
            certificate_chain=pem_of(own_certificate),
        )
        self._wake = asyncio.Event()
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"link-{self.peer.org}")

    async def stop(self) -> None:
        """End the stream; what is queued is forgotten."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def put(self, frame: bytes, *, gossip: bool) -> None:
        """Queue a frame, or drop it where the peer is not connected."""
        if self.connected:
            self.queue.put(frame, gossip=gossip)
            self._wake.set()

    def poke(self) -> None:
        """The peer has just called us, so it is there: try again now."""
        self._poked.set()

    async def _pause(self, failures: int) -> None:
        pause = min(BACKOFF_FIRST_S * 2 ** min(failures - 1, 10), BACKOFF_MAX_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause * random.uniform(0.7, 1.0)):  # noqa: S311 - jitter, no secret
                await self._poked.wait()

    async def _run(self) -> None:
        failures = 0
        called = False
        options = (*_CLIENT_OPTIONS, ("grpc.ssl_target_name_override", self.peer.server_name))
        async with grpc.aio.secure_channel(self.peer.address, self._credentials, options=options) as channel:
            open_stream = channel.stream_stream(METHOD, None, None)
            while True:
                try:
                    await self._stream(open_stream, called)
                    self.reason = "closed"
                except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, TimeoutError) as error:
                    self.reason = _reason(error)
                if self.connected:
                    failures = 0
                    self.connected = False
                    self.queue.clear()
                    self._notice("peer-lost", peer=self.peer.org, reason=self.reason)
                    self._on_change(self.peer.org, False)
                failures += 1
                if failures == COMPLAIN_AFTER:
                    self._notice("peer-unreachable", peer=self.peer.org, address=self.peer.address, reason=self.reason)
                await self._pause(failures)
                called = self._poked.is_set()
                self._poked.clear()
                failures = 0 if called else failures

    async def _stream(self, open_stream: Any, called: bool) -> None:
        metadata = ((GENESIS_KEY, self._genesis), (VERSION_KEY, VERSION))
        # A peer that has just called is there: wait through gRPC's own pause instead of failing in it.
        call = open_stream(metadata=metadata, wait_for_ready=called)
        watch: asyncio.Task[Any] | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                await call.initial_metadata()
                # A refusal arrives as trailing metadata only: initial_metadata() is then empty and the status is known.
                if call.done():
                    await call.read()
            self.connected = True
            self._notice("peer-connected", peer=self.peer.org)
            self._on_change(self.peer.org, True)
            watch = asyncio.ensure_future(call.read())
            watch.add_done_callback(lambda _: self._wake.set())  # the stream has ended
            while not watch.done():
                frames = self.queue.take()
                if frames:
                    await call.write(pack(frames))
                else:
                    self._wake.clear()
                    await self._wake.wait()
            await watch
        finally:
            if watch is not None:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                    await watch
            call.cancel()


def _reason(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details() or ''}"[:300]
    return type(error).__name__
