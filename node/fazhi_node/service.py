"""One running node: the machine, its real ports and the gateway around it, on one asyncio loop.

Every call into the machine is made on the loop, and the machine's writes to the store and the vote log happen inline,
within that call: what the machine says next must not leave before they are durable, and one synced batch a block
costs less than handing it to a thread. Only signature checks run elsewhere. Whatever the machine raises ends the
node: it has said nothing that it could not keep.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fazhi_ledger.errors import InvariantBroken

from .adapters import LoopClock, ThreadVerifier
from .addresses import NOTES_NAME
from .exits import Exit, Stop
from .gateway.hub import Hub
from .machine import Machine, MachineConfig
from .notebook import DirectoryNotebook
from .notices import Admission, Alarm, AmnesiaEnded, BlockCommitted, EvidenceFound, Notice, OwnFault, PeerFault
from .ports import Ports
from .prepare import Prepared
from .progress import NodeStatus
from .service_stops import stop_of
from .space import DISK_LOW, LOOK_EVERY_S, Space
from .storage.chain_store import ChainStore, open_chain
from .storage.errors import AmnesiaSuspected, StorageError, StoreCorrupt
from .storage.store import open_store
from .storage.vote_log import DiskVoteLog
from .transport.network import PeerNetwork, TransportSettings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from .gateway.server import HttpServer
    from .gateway.shell import Shell


class Service:
    """A node from opening its store to closing it; :meth:`run` is its life."""

    def __init__(self, prepared: Prepared, log: FilteringBoundLogger) -> None:
        self.prepared = prepared
        self.log = log
        self.hub = Hub()
        self._ended = asyncio.Event()
        self._stop: Stop | None = None
        self._chain: ChainStore | None = None
        self._votes: DiskVoteLog | None = None
        self._loop = asyncio.get_running_loop()
        self._machine: Machine | None = None
        self._clock = LoopClock(self._loop, self._guarded(lambda machine, name: machine.on_timer(name)))
        threads = prepared.config.verify_threads or os.cpu_count() or 1
        self._verifier = ThreadVerifier(
            self._loop,
            threads,
            self._guarded(lambda machine, token, verdicts: machine.on_verified(token, verdicts)),
            self.fail,
        )
        self._network = PeerNetwork(
            TransportSettings(
                prepared.member.org,
                prepared.config.p2p_listen,
                prepared.tls_key,
                prepared.tls_certificate,
                prepared.genesis_hash,
                prepared.config.peer_queue_frames,
                prepared.config.peer_queue_bytes,
            ),
            prepared.peers(),
            self._guarded(lambda machine, org, frame: machine.on_frame(org, frame)),
            self._guarded(self._peer_changed),
            self._verifier.gate,
            self._transport_notice,
        )
        self._shell: Shell | None = None
        self._http: HttpServer | None = None
        self._space = Space(prepared.config.path(prepared.home, "data"))
        self._space_timer: asyncio.TimerHandle | None = None

    @property
    def machine(self) -> Machine:
        """The machine, once it is there."""
        if self._machine is None:
            raise InvariantBroken("the gateway starts after the machine")
        return self._machine

    def status(self) -> NodeStatus:
        """Where the node stands; a disk that is nearly full makes it not ready."""
        status = self.machine.status()
        return replace(status, ready=False, reason=DISK_LOW) if status.ready and self._space.low else status

    @property
    def network(self) -> PeerNetwork:
        """The links to the other members."""
        return self._network

    @property
    def backlog(self) -> int:
        """Signature equations that wait for the verifier's threads."""
        return self._verifier.backlog

    async def run(self) -> Exit:
        """Start, serve until a signal or a fault, stop cleanly.

        Raises:
            Stop: what could not be opened, or the fault that ended the node.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ended.set)
        try:
            await self._start()
            await self._ended.wait()
        except Exception as error:  # noqa: BLE001 - whatever it is, the node ends with a code and a sentence
            self.fail(error)
        finally:
            await self._shut_down()
        if self._stop is not None:
            raise self._stop
        return Exit.OK

    def fail(self, error: BaseException) -> None:
        """Something broke that nobody here can mend: the node stops. Only the first such error counts."""
        if self._stop is None:
            self._stop = stop_of(error)
            if self._stop.exit_code == Exit.OWN_FAULT:
                self.log.error("fault", kind=type(error).__name__, exc=_traceback(error))
            self._ended.set()

    def request_failed(self, error: BaseException, incident: str) -> None:
        """A request raised what is no answer. A disk that errs ends the node; anything else is logged, so that no
        request can end it.
        """
        if isinstance(error, (StorageError, OwnFault)):
            self.fail(error)
        else:
            self.log.error("request-failed", incident=incident, kind=type(error).__name__, exc=_traceback(error))

    async def _start(self) -> None:
        from .gateway.front import make_gateway
        from .gateway.server import HttpServer, bind

        prepared, config = self.prepared, self.prepared.config
        bound = bind(config.http_listen)
        try:
            chain, votes = self._open()
            self._machine = Machine(
                MachineConfig(
                    prepared.member.org,
                    prepared.signer,
                    mempool_items=config.mempool_items,
                    mempool_bytes=config.mempool_bytes,
                ),
                Ports(
                    self._clock,
                    self._network,
                    chain,
                    votes,
                    self._verifier,
                    DirectoryNotebook(config.path(prepared.home, "data") / NOTES_NAME),
                ),
            )
            self._machine.subscribe(self._notice)
            await self._network.start()
            tls = None
            if not config.http_plain:
                tls = (config.path(prepared.home, "tls_key"), config.path(prepared.home, "tls_certificate"))
            self._shell = make_gateway(self, chain)
            connections = 2 * config.http_concurrency + config.event_streams
            self._http = HttpServer(self._shell, bound, tls, connections, config.lang)
        except BaseException:
            bound.close()
            raise
        self._look_at_space()
        self._machine.start()
        await self._http.start()
        self.log.info(
            "started",
            height=chain.tip.height,
            http=config.http_listen,
            p2p=config.p2p_listen,
            genesis=self.prepared.genesis_hash.hex(),
        )

    def _open(self) -> tuple[ChainStore, DiskVoteLog]:
        prepared = self.prepared
        store = open_store(prepared.store_directory, prepared.config.store, genesis_hash=prepared.genesis_hash)
        try:
            self._chain = open_chain(store, prepared.genesis_file)
        except BaseException:
            store.close()
            raise
        self._votes = self._open_votes()
        return self._chain, self._votes

    def _open_votes(self) -> DiskVoteLog:
        """The vote log. One that cannot be the newest is set aside, and the node signs nothing until others vouch for
        a height.
        """
        from .members import vote_owner

        prepared = self.prepared
        owner = vote_owner(prepared.genesis.suite, prepared.signer.public_key)
        try:
            return DiskVoteLog(prepared.votes_directory, prepared.guard, owner)
        except AmnesiaSuspected as error:
            self.log.warning(error.code, **dict(error.parameters))
        except StoreCorrupt as error:
            if error.code != "vote-log-corrupt":
                raise
            self.log.warning(error.code, **dict(error.parameters))
        DiskVoteLog.start_amnesiac(prepared.votes_directory, prepared.guard, owner)
        return DiskVoteLog(prepared.votes_directory, prepared.guard, owner)

    def _look_at_space(self) -> None:
        if self._space.look():
            self.log.warning(DISK_LOW, free_mib=self._space.free_bytes >> 20)
        self._space_timer = self._loop.call_later(LOOK_EVERY_S, self._look_at_space)

    async def _shut_down(self) -> None:
        if self._space_timer is not None:
            self._space_timer.cancel()
        if self._shell is not None:
            self._shell.stopping = True
        self.hub.stop()
        if self._http is not None:
            await self._http.stop()
        self._clock.stop()
        await self._network.stop()
        self._verifier.stop()
        if self._machine is not None:
            self._machine.stop()
        for opened in (self._chain, self._votes):
            if opened is not None:
                try:
                    opened.close()
                except StorageError as error:
                    self.fail(error)
        if self._stop is None:
            self.log.info("stopped")

    def _guarded(self, call: Callable[..., None]) -> Callable[..., None]:
        """A call into the machine from outside: nothing before it starts or after it stops, and every error ends the
        node.
        """

        def guarded(*arguments: Any) -> None:
            machine = self._machine
            if machine is None or self._stop is not None:
                return
            try:
                call(machine, *arguments)
            except Exception as error:  # noqa: BLE001 - whatever it is, a machine that raised must not go on
                self.fail(error)

        return guarded

    @staticmethod
    def _peer_changed(machine: Machine, org: str, connected: bool) -> None:
        if connected:
            machine.on_peer_connected(org)
        else:
            machine.on_peer_lost(org)

    def _transport_notice(self, event: str, **facts: Any) -> None:
        quiet = ("peer-connected", "peer-lost")
        (self.log.info if event in quiet else self.log.warning)(event, **facts)

    def _notice(self, notice: Notice) -> None:
        self.hub.on_notice(notice)
        match notice:
            case BlockCommitted():
                self.log.debug("block", height=notice.height, submissions=notice.submissions, round=notice.round)
            case PeerFault():
                self.log.warning(notice.code, peer=notice.org, banned_ms=notice.banned_ms, **dict(notice.parameters))
            case EvidenceFound():
                self.log.error(
                    "evidence-found", peer=notice.org, height=notice.height, guilt=notice.guilt, note=notice.note
                )
            case AmnesiaEnded():
                self.log.warning("amnesia-ended", height=notice.height, first=notice.first)
            case Alarm():
                self.log.error(notice.code, **dict(notice.parameters))
            case _:
                pass

    def submit(self, items: Sequence[bytes], *, client: str, done: Callable[[list[Any]], None] | None) -> list[Any]:
        """Hand items to the machine; a fault in there ends the node and reaches the caller."""
        try:
            return self.machine.submit(items, client=client, done=done)
        except Exception as error:
            self.fail(error)
            raise

    def submission(self, submission_id: bytes) -> Admission | None:
        """What this node knows of a submission."""
        return self.machine.submission(submission_id)


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))[-4000:]
