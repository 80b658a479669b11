"""One simulated member's node: what outlives its process, and the process while it runs.

The process is the production machine over the production chain store and vote log. It may end at any boundary: before
or after whatever it writes, syncs or sends, also while it starts. What its operator does then is simulated too: a node
that stopped is started again, one whose store is damaged gets an empty one, key and guard being kept.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fazhi_ledger.keys import SoftwareSigner
from fazhi_node.frames import NONCE_BYTES, ConsensusMessage, Message, StatusMessage
from fazhi_node.keyring import KeyRing, OwnKey
from fazhi_node.machine import Machine, MachineConfig
from fazhi_node.members import vote_owner
from fazhi_node.notebook import MemoryNotebook
from fazhi_node.notices import Notice
from fazhi_node.ports import Ports
from fazhi_node.recovery import settle_votes
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.errors import (
    AmnesiaSuspected,
    DiskFailed,
    DiskFull,
    StorageError,
    StoreCorrupt,
    StoreStopped,
)
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.snapshot import write_snapshot
from fazhi_node.storage.snapshot_load import load_snapshot
from fazhi_node.storage.vote_log import LOG_FILE, DiskVoteLog

from tests.node.world import START_MS, SimVerifier
from tests.simulation.checkers import Violation

from .disk import Backup, NodeDisk, SimKeyValue
from .genesis import org_of
from .membership import second_key
from .network import Ends
from .plan import change_of

if TYPE_CHECKING:
    from .run import Run

VOTES = Path("/data/votes")
GUARD = Path("/keys/guard")
SECOND_VOTES = Path("/data/second-votes")
SECOND_GUARD = Path("/keys/second-guard")
VOTE_LOG_BYTES = 32 * 1024
"""Written ahead; the log is written anew after half of it, so that this happens in most runs."""
RESTART_MS = 1_000
KILL = 0
"""How a process ends: 0 killed, 1 to 3 with the power, and what then becomes of what was not synced."""


def _places(number: int) -> tuple[Path, Path]:
    """Where the log of a key lies, and its guard."""
    return (VOTES, GUARD) if number == 0 else (SECOND_VOTES, SECOND_GUARD)


class Crashed(BaseException):
    """The process is gone. Not an Exception: nothing of it may go on."""


@dataclass
class Trap:
    """Ends the process at the boundary of that kind (or any) that comes after ``countdown`` others."""

    where: str
    countdown: int
    end: int
    down_ms: int


class NodeClock:
    """Virtual time, with a skew, a rate of its own, and the time that the present turn has taken already."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._timeline = node.run.timeline
        self._rate = 97 + node.index * 5 % 7
        self._timers: dict[str, int] = {}
        self._number = 0
        self.skew_ms = 0

    def now_ms(self) -> int:
        return START_MS + self.monotonic_ms() + self.skew_ms

    def monotonic_ms(self) -> int:
        return self._timeline.now_ms + self._node.lag_ms

    def set_timer(self, name: str, delay_ms: int) -> None:
        self._number += 1
        number = self._timers[name] = self._number

        def due() -> None:
            if self._timers.get(name) == number:
                del self._timers[name]
                self._node.turn(lambda machine: machine.on_timer(name))

        self._timeline.at(self._node.lag_ms + max(1, delay_ms * self._rate // 100), due)

    def cancel(self, name: str) -> None:
        self._timers.pop(name, None)

    def stop(self) -> None:
        """Nothing fires any more."""
        self._timers.clear()


class NodePort:
    """The network as one node sees it. Each frame to each peer is a boundary."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def send(self, org: str, frame: bytes, *, gossip: bool = False) -> None:
        self._node.run.observe_frame(self._node, frame)
        self._transmit(self._node.run.index_of(org), frame)

    def broadcast(self, frame: bytes, *, gossip: bool = False) -> None:
        node = self._node
        node.run.observe_frame(node, frame)
        for peer in node.run.network.peers(node.index):
            self._transmit(peer, frame)

    def _transmit(self, peer: int, frame: bytes) -> None:
        node = self._node
        node.boundary("send")
        messages = node.run.decode(frame)
        node.run.transmit(node, peer, frame, messages, ordered=holds_status(messages))


def holds_status(messages: tuple[Message, ...]) -> bool:
    """Whether a frame tells a height."""
    return any(isinstance(message, StatusMessage) for message in messages)


def consensus_of(messages: tuple[Message, ...]) -> list[bytes]:
    """The consensus messages of a frame."""
    return [message.data for message in messages if isinstance(message, ConsensusMessage)]


class Node:
    """One member's node."""

    def __init__(self, run: Run, index: int, signer: SoftwareSigner) -> None:
        self.run = run
        self.index = index
        self.org = org_of(index)
        self.signer = signer
        self.rng = random.Random(f"{run.plan.seed} node {index}")
        self.disk = NodeDisk(self.boundary, self._stall)
        self.notebook = MemoryNotebook()
        self.machine: Machine | None = None
        self.chain: ChainStore | None = None
        self.votes: KeyRing | None = None
        self._opened: list[DiskVoteLog] = []
        self.incarnation = 0
        self.lag_ms = 0
        self.slow_ms = 0
        self.trap: Trap | None = None
        self.damaged = False
        """Whether somebody has harmed what its disk holds: it may have to be silent from then on."""
        self.forgetful = False
        """Whether it may sign twice, since nobody can notice that an old copy was put in the place of its data."""
        self.refuses = False
        """Whether it can never start again: nobody can tell which vote log is the newest."""
        self.backups: list[tuple[int, Backup]] = []
        self._gone = False
        self._free_at_ms = 0
        self._inbox: deque[Callable[[Machine], None]] = deque()
        self.clock = NodeClock(self)
        self._verifier = SimVerifier(run.timeline, lambda: self.rng.randint(0, 2))
        self._keys = [signer]
        if change_of(run.plan) == ("replace-key", index):
            self._keys.append(second_key(run, index))
        for number, key in enumerate(self._keys):
            owner = vote_owner(run.suite, key.public_key)
            DiskVoteLog.create(*_places(number), owner, fresh=True, files=self.disk.files)

    @property
    def alive(self) -> bool:
        return self.machine is not None

    @property
    def honest(self) -> bool:
        return self.index not in self.run.plan.traitors

    # Life

    def start(self) -> None:
        """Start the process, if it is down and can be started at all."""
        if self.alive or self.refuses:
            return
        self.incarnation += 1
        self._gone = False
        try:
            self._boot()
        except Crashed:
            self._end()
        except StorageError as error:
            self._stopped(error)
        finally:
            self.lag_ms = 0

    def _boot(self) -> None:
        self.chain = open_chain(SimKeyValue(self.disk), self.run.genesis_file)
        self._opened = []
        keys = [OwnKey(key, self._open_votes(number)) for number, key in enumerate(self._keys)]
        for own in keys:
            if settle_votes(self.chain, own.signer.public_key, own.votes):
                self.run.note("amnesia of a joined node")
        ring = self.votes = KeyRing(keys)
        ports = Ports(self.clock, NodePort(self), self.chain, ring, self._verifier, self.notebook)
        config = MachineConfig(
            self.org, ring, mempool_items=self.run.plan.mempool_items, nonce=self.rng.randbytes(NONCE_BYTES)
        )
        machine = Machine(config, ports)
        machine.subscribe(self._notice)
        self._verifier.post = lambda token, verdicts: self.turn(lambda running: running.on_verified(token, verdicts))
        self.machine = machine
        machine.start()
        self.run.network.attach(self.index, Ends(self._on_frame, self._on_connected, self._on_lost))
        self.run.on_started(self)

    def _open_votes(self, number: int) -> DiskVoteLog:
        """The log of one of its keys, as the production service opens it."""
        owner = vote_owner(self.run.suite, self._keys[number].public_key)
        try:
            return self._vote_log(number, owner)
        except AmnesiaSuspected as error:
            self._convicted(error)
        except StoreCorrupt as error:
            if error.code != "vote-log-corrupt":
                raise
            self._convicted(error)
        DiskVoteLog.start_amnesiac(*_places(number), owner, files=self.disk.files)
        return self._vote_log(number, owner)

    def _vote_log(self, number: int, owner: bytes) -> DiskVoteLog:
        log = DiskVoteLog(
            *_places(number),
            owner,
            files=self.disk.files,
            preallocated=VOTE_LOG_BYTES,
            rotate_after=VOTE_LOG_BYTES // 2,
            monotonic_ms=self.clock.monotonic_ms,
        )
        self._opened.append(log)
        return log

    def _convicted(self, error: StorageError) -> None:
        if not self.damaged:
            raise Violation(f"AMNESIA node {self.index} is convicted though its disk is sound: {error!r}")
        self.run.note("amnesia")

    # Turns

    def turn(self, act: Callable[[Machine], None]) -> None:
        """One event for the machine, as soon as it is free for one."""
        if self.machine is None:
            return
        if self._inbox or self.run.timeline.now_ms < self._free_at_ms:
            self._inbox.append(act)
            if len(self._inbox) == 1:
                self._wake()
        else:
            self._act(act)

    def _wake(self) -> None:
        incarnation = self.incarnation

        def free() -> None:
            while self._inbox and self.incarnation == incarnation:
                if self.run.timeline.now_ms < self._free_at_ms:
                    self._wake()
                    return
                self._act(self._inbox.popleft())

        self.run.timeline.at(self._free_at_ms - self.run.timeline.now_ms, free)

    def _act(self, act: Callable[[Machine], None]) -> None:
        machine = self.machine
        if machine is None:
            return
        self.lag_ms = self.slow_ms
        try:
            act(machine)
        except Crashed:
            self._end()
        except StorageError as error:
            self._stopped(error)
        except Exception:
            if self.honest:
                raise
            self.kill(KILL, RESTART_MS)  # it fell over its own lies
        self._free_at_ms = self.run.timeline.now_ms + self.lag_ms
        self.lag_ms = 0

    def _on_frame(self, sender: int, frame: bytes) -> None:
        if not self.honest:
            self.run.coven.hear(frame)
        self.turn(lambda machine: machine.on_frame(org_of(sender), frame))

    def _on_connected(self, peer: int) -> None:
        self.turn(lambda machine: machine.on_peer_connected(org_of(peer)))

    def _on_lost(self, peer: int) -> None:
        self.turn(lambda machine: machine.on_peer_lost(org_of(peer)))

    def _notice(self, notice: Notice) -> None:
        self.run.on_notice(self, notice)

    def _stall(self) -> None:
        self.lag_ms += self.disk.trouble.slow_ms

    # Death

    def boundary(self, kind: str) -> None:
        """A place where the process may end."""
        trap = self.trap
        if self._gone:
            raise Crashed
        if trap is None or trap.where not in ("any", kind):
            return
        if trap.countdown == 0:
            self._gone = True
            self.run.count(f"crash at {kind}" if self.machine is not None else "crash at start")
            raise Crashed
        trap.countdown -= 1

    def kill(self, end: int, down_ms: int) -> None:
        """End the process between two turns, killed or with the power, for a while."""
        if self.alive:
            self.trap = Trap("any", 0, end, down_ms)
            self._end()

    def _end(self) -> None:
        """The process is gone at once."""
        trap = self.trap or Trap("any", 0, KILL, RESTART_MS)
        self.trap = None
        self._let_go()
        if trap.end == KILL:
            self.disk.lose_process()
        else:
            self.disk.cut_power(self.rng, trap.end - 1)
        self.run.timeline.at(trap.down_ms, self.start)

    def _let_go(self) -> None:
        if self._gone:
            self.trap = None
        self._gone = True
        self.run.network.detach(self.index)
        self.clock.stop()
        self._verifier.post = None
        if self.machine is not None:
            self.machine.stop()
        self.machine = self.chain = self.votes = None
        self._opened = []
        self._inbox.clear()

    def _stopped(self, error: StorageError) -> None:
        """The node has ended itself, as it must where its disk errs. Its service closes what is open."""
        self.run.timeline.note(f"{self.index} stops: {error.code}")
        for opened in (self.chain, *self._opened):
            try:
                if opened is not None:
                    opened.close()
            except (StorageError, Crashed):
                continue
        self._let_go()
        self.disk.lose_process()
        down_ms = self.rng.randint(RESTART_MS, 3 * RESTART_MS)
        if not self.honest:
            self.run.note("traitor stopped")
        elif isinstance(error, (DiskFull, DiskFailed, StoreStopped)) and self.run.expects_disk_error(self):
            self.run.note("stopped by the disk")
        elif isinstance(error, StoreCorrupt) and self.damaged:
            self.run.note("refused a damaged store")
            if error.code == "guard-corrupt":
                self.refuses = True
                return
            self.disk.wipe(VOTES if self.rng.random() < 0.5 else None)
        else:
            raise Violation(f"STOPPED node {self.index} without a cause: {error!r}") from error
        self.run.timeline.at(down_ms, self.start)

    # Damage

    def harm(self, kind: str, number: int) -> None:
        """Somebody or something damages what the disk holds."""
        rng = random.Random(number)
        self.damaged = True
        match kind:
            case "rot-store":
                self.disk.rot_value(rng)
            case "rot-votes":
                self.disk.rot_file(rng, VOTES / LOG_FILE, 0, 12_000)
            case "rot-guard":
                slot = rng.randrange(2) * 4096
                self.disk.rot_file(rng, GUARD, slot, slot + 100)
            case "wipe" | "wipe-store":
                self.kill(KILL, RESTART_MS)
                self.disk.wipe(VOTES if kind == "wipe" else None)
                if rng.random() < 0.5:
                    self._join(rng)
            case "restore":
                self._restore(number)

    def _join(self, rng: random.Random) -> None:
        """Its operator fetches a snapshot of another node's, rather than let it replay the chain."""
        sources = [node for node in self.run.honest if node is not self and node.chain is not None]
        chosen = rng.choice(sources).chain if sources else None
        if chosen is None or chosen.tip.height == 0:
            return
        try:
            data = b"".join(write_snapshot(chosen))
        except StorageError:  # its own disk is harmed, and it will find out
            return
        made = MemoryDisk()
        load_snapshot(MemoryStore(made), self.run.genesis_file, iter([data]), lambda *_: None)
        self.disk.put(made.durable)
        self.run.note("joined from a snapshot")

    def _restore(self, age_ms: int) -> None:
        """Somebody puts back a copy of the data that is at least so old. The guard stays: it lies with the key."""
        then = self.run.timeline.now_ms - age_ms
        known = [backup for taken_ms, backup in self.backups if taken_ms <= then]
        if known:
            self.kill(KILL, RESTART_MS)
            self.forgetful = True
            self.disk.restore(known[-1], VOTES)
