"""The ports of the runtime: everything the machine needs of the world, and nothing else.

Only ``main`` wires the real ones (sockets, disk, wall clock, threads); tests and simulation wire others and drive
whole nodes in one process. All calls into and out of the machine happen on one thread. Guarantees are stated here, on
the port, and each implementation keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fazhi_ledger.datatypes import slotted
from fazhi_ledger.suites import Suite

from .notebook import Notebook
from .storage.chain_store import ChainStore
from .storage.port import VoteLog


class Clock(Protocol):
    """Time and timers. A timer that is due calls ``Machine.on_timer(name)``."""

    def now_ms(self) -> int:
        """Wall time in milliseconds since 1970 (UTC). It may be wrong and may step back: the machine bounds what it
        believes.
        """

    def monotonic_ms(self) -> int:
        """Milliseconds that never go back, from any origin: for intervals and deadlines."""

    def set_timer(self, name: str, delay_ms: int) -> None:
        """Call ``on_timer(name)`` once, ``delay_ms`` from now; an earlier timer of that name is replaced."""

    def cancel(self, name: str) -> None:
        """Forget the timer of that name; nothing happens where there is none."""


class Network(Protocol):
    """Frames to the other members. Frames of one peer arrive in order or not at all; a frame may be lost with its
    connection.

    A call never blocks. The implementation bounds what it queues for a peer and drops the oldest frames where the peer
    does not take them: nothing in the machine relies on a single frame arriving.
    """

    def send(self, org: str, frame: bytes, *, gossip: bool = False) -> None:
        """One frame to one member; dropped where it is not connected. ``gossip`` frames are the first to be dropped."""

    def broadcast(self, frame: bytes, *, gossip: bool = False) -> None:
        """One frame to every connected member but ourselves."""


@slotted
class SignatureCheck:
    """One signature equation: ``signature`` over ``message`` under ``public_key``. ``message_hash`` is the message's
    digest where it is known; else empty.
    """

    suite: Suite
    public_key: bytes
    message: bytes
    signature: bytes
    message_hash: bytes = b""

    def run(self) -> None:
        """Raise :class:`~fazhi_ledger.errors.InvalidSignature` unless the equation holds."""
        self.suite.verify(self.public_key, self.message, self.signature)


Job = tuple[SignatureCheck, ...]
"""A group of equations that holds where every one of them does. The empty job holds."""


class Verifier(Protocol):
    """Checks signatures, usually on other threads and in chunks."""

    def verify(self, token: int, jobs: Sequence[Job]) -> None:
        """Check the jobs and later call ``Machine.on_verified(token, verdicts)`` once, ``verdicts[i]`` being whether
        ``jobs[i]`` holds.

        The call back never comes from inside this call. Tokens are answered in any order. A job that raises anything
        but ``InvalidSignature`` counts as failed.
        """


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as one node sees it. ``vote_log`` is None where this node is not to sign (it follows the others)."""

    clock: Clock
    network: Network
    store: ChainStore
    vote_log: VoteLog | None
    verifier: Verifier
    notebook: Notebook
