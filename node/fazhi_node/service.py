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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fazhi_contracts.entries import MemberEntry
from fazhi_contracts.queries import member_entry, members
from fazhi_ledger.errors import InvariantBroken
from fazhi_ledger.keys import SoftwareSigner

from .adapters import LoopClock, ThreadVerifier
from .addresses import NOTES_NAME
from .certificates import check_certificate
from .exits import Exit, Misuse, Stop
from .gateway.hub import Hub
from .keyring import KeyRing, OwnKey
from .limits import LOG_EVERY_S, STREAM_COST
from .machine import Machine, MachineConfig
from .notebook import DirectoryNotebook
from .notices import (
    Admission,
    Alarm,
    AmnesiaEnded,
    BlockCommitted,
    EvidenceFound,
    MembersChanged,
    Notice,
    OwnFault,
    PeerFault,
)
from .ports import Ports
from .prepare import Prepared, TlsPair
from .progress import NodeStatus
from .recovery import settle_votes
from .service_stops import stop_of
from .space import DISK_LOW, LOOK_EVERY_S, Space
from .storage.chain_store import ChainStore, open_chain
from .storage.errors import AmnesiaSuspected, StorageError, StoreCorrupt, StoreStopped
from .storage.store import open_store
from .storage.vote_log import DiskVoteLog
from .transport.identity import server_name
from .transport.network import PeerNetwork, TransportSettings

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from .gateway.server import HttpServer
    from .gateway.shell import Shell


LEAVE_S: Final = 5.0
"""How long connections of a member that was voted out stay, so that it learns of it."""


class Service:
    """A node from opening its store to closing it; :meth:`run` is its life."""

    def __init__(self, prepared: Prepared, log: FilteringBoundLogger) -> None:
        self.prepared = prepared
        self.log = log
        self.hub = Hub()
        self._ended = asyncio.Event()
        self._stop: Stop | None = None
        self._chain: ChainStore | None = None
        self._votes: list[DiskVoteLog] = []
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
        self._network: PeerNetwork | None = None
        self._shell: Shell | None = None
        self._http: HttpServer | None = None
        self._space = Space(prepared.config.path(prepared.home, "data"))
        self._logged: dict[tuple[str, str], float] = {}
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
        """The links to the other members, once they are there."""
        if self._network is None:
            raise InvariantBroken("the gateway starts after the transport")
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
        if isinstance(error, StoreStopped) and self._ended.is_set():
            return  # it was still reading when the node closed its store
        if isinstance(error, (StorageError, OwnFault)):
            self.fail(error)
        else:
            self.log.error("request-failed", incident=incident, kind=type(error).__name__, exc=_traceback(error))

    async def _start(self) -> None:
        from .gateway.door import allowed_files, places
        from .gateway.front import make_gateway
        from .gateway.server import HttpServer, bind

        prepared, config = self.prepared, self.prepared.config
        bound = bind(config.http_listen)
        try:
            chain, keys = self._open()
            member = member_entry(chain, prepared.member.org)
            own_tls = prepared.tls_for(None if member is None else member.certificate)
            self._network = self._make_network(own_tls, members(chain))
            if member is None:
                self.log.warning("no-seat-yet", org=prepared.member.org, height=chain.tip.height)
            elif member.certificate != own_tls.certificate:
                self.log.warning("certificate-not-on-chain", path=str(own_tls.certificate_path))
            self._machine = Machine(
                MachineConfig(
                    prepared.member.org,
                    keys,
                    mempool_items=config.mempool_items,
                    mempool_bytes=config.mempool_bytes,
                ),
                Ports(
                    self._clock,
                    self._network,
                    chain,
                    keys,
                    self._verifier,
                    DirectoryNotebook(config.path(prepared.home, "data") / NOTES_NAME),
                ),
            )
            self._machine.subscribe(self._notice)
            await self._network.start()
            tls = None
            if not config.http_plain:
                tls = (own_tls.key_path, own_tls.certificate_path)
            self._shell = make_gateway(self, chain)
            most, of_one = places(config.http_concurrency, config.event_streams, allowed_files())
            self._http = HttpServer(self._shell, bound, tls, most, of_one, config.lang)
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

    def _open(self) -> tuple[ChainStore, KeyRing]:
        prepared = self.prepared
        store = open_store(prepared.store_directory, prepared.config.store, genesis_hash=prepared.genesis_hash)
        try:
            self._chain = open_chain(store, prepared.genesis_file)
        except BaseException:
            store.close()
            raise
        for signer, directory, guard in prepared.vote_places():
            votes = self._open_votes(signer, directory, guard)
            self._votes.append(votes)
            if settle_votes(self._chain, signer.public_key, votes):
                self.log.warning("joined-with-used-key", base=self._chain.base)
        keys = zip(prepared.signers, self._votes, strict=True)
        return self._chain, KeyRing([OwnKey(signer, votes) for signer, votes in keys])

    def _open_votes(self, signer: SoftwareSigner, directory: Path, guard: Path) -> DiskVoteLog:
        """The vote log of a key. One that cannot be the newest is set aside, and the node signs nothing with that key
        until others vouch for a height.
        """
        from .members import vote_owner

        owner = vote_owner(self.prepared.genesis.suite, signer.public_key)
        try:
            return DiskVoteLog(directory, guard, owner)
        except AmnesiaSuspected as error:
            self.log.warning(error.code, **dict(error.parameters))
        except StoreCorrupt as error:
            if error.code != "vote-log-corrupt":
                raise
            self.log.warning(error.code, **dict(error.parameters))
        DiskVoteLog.start_amnesiac(directory, guard, owner)
        return DiskVoteLog(directory, guard, owner)

    def _make_network(self, own: TlsPair, now: Sequence[MemberEntry]) -> PeerNetwork:
        prepared, config = self.prepared, self.prepared.config
        for org, _ in config.peer_addresses:
            if all(member.org != org for member in now):
                self.log.warning("unknown-peer", org=org, known=", ".join(member.org for member in now))
        return PeerNetwork(
            TransportSettings(
                prepared.member.org,
                config.p2p_listen,
                own.key,
                own.certificate,
                prepared.genesis_hash,
                config.peer_queue_frames,
                config.peer_queue_bytes,
            ),
            prepared.peers(self._usable(now)),
            self._guarded(lambda machine, org, frame: machine.on_frame(org, frame)),
            self._guarded(self._peer_changed),
            self._guarded(lambda machine, org: machine.peers.spend(org, STREAM_COST, machine.now_ms())),
            self._gate,
            self._transport_notice,
        )

    def _usable(self, now: Sequence[MemberEntry]) -> list[MemberEntry]:
        """Members whose certificate TLS can work with. Contracts do not read certificates, and one that cannot be read
        must not keep the others out."""
        found = []
        for member in now:
            try:
                check_certificate(member.certificate, server_name(member.org))
                found.append(member)
            except Misuse as error:
                self.log.warning(error.code, **dict(error.parameters))
        return found

    def _follow_members(self, now: Sequence[MemberEntry]) -> None:
        """Open and close connections by what the chain says. Who has left hears of it first: the block that ends its
        seat is on its way to it."""
        if self._network is None or self._stop is not None:
            return
        peers = self.prepared.peers(self._usable(now))
        names = {peer.org for peer in peers}
        leaving = [peer for peer in self._network.known() if peer.org not in names]
        self._network.set_peers([*peers, *leaving])
        if leaving and self._chain is not None:
            self._loop.call_later(LEAVE_S, self._close_left)

    def _close_left(self) -> None:
        if self._network is not None and self._chain is not None and self._stop is None and not self._ended.is_set():
            self._network.set_peers(self.prepared.peers(self._usable(members(self._chain))))

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
        if self._network is not None:
            await self._network.stop()
        self._verifier.stop()
        if self._machine is not None:
            self._machine.stop()
        for opened in (self._chain, *self._votes):
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

    async def _gate(self, org: str) -> None:
        """Before more of a peer is read: room among the signatures to be checked, and an end of its being muted."""
        await self._verifier.gate()
        machine = self._machine
        while machine is not None and self._stop is None:
            muted_ms = machine.peers.muted_ms(org, self._clock.monotonic_ms())
            if not muted_ms:
                break
            await asyncio.sleep(min(muted_ms, 1000) / 1000)

    def _transport_notice(self, event: str, **facts: Any) -> None:
        if event in ("peer-connected", "peer-lost"):
            self.log.info(event, **facts)
        elif self._may_log(event, str(facts.get("peer"))):
            self.log.warning(event, **facts)

    def _may_log(self, event: str, org: str) -> bool:
        """Whether a peer's doing may be logged again: no peer fills our disk with what we say of it."""
        now_s = self._loop.time()
        if now_s < self._logged.get((event, org), -LOG_EVERY_S) + LOG_EVERY_S:
            return False
        self._logged[event, org] = now_s
        return True

    def _notice(self, notice: Notice) -> None:
        self.hub.on_notice(notice)
        match notice:
            case BlockCommitted():
                self.log.debug("block", height=notice.height, submissions=notice.submissions, round=notice.round)
            case PeerFault():
                if self._may_log(notice.code, notice.org):
                    self.log.warning(
                        notice.code, peer=notice.org, banned_ms=notice.banned_ms, **dict(notice.parameters)
                    )
            case EvidenceFound():
                if notice.note or self._may_log("evidence-found", notice.org):
                    self.log.error(
                        "evidence-found", peer=notice.org, height=notice.height, guilt=notice.guilt, note=notice.note
                    )
            case AmnesiaEnded():
                self.log.warning("amnesia-ended", height=notice.height, first=notice.first)
            case MembersChanged():
                self._loop.call_soon(self._follow_members, notice.members)
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
