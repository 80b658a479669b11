"""Whole nodes in one process: real machines, ledger, contracts, consensus and stores over a deterministic world.

    with Cluster(seed=1) as cluster:
        cluster.start()
        ids = cluster.submit("a", [cluster.item(...)])
        cluster.run_until(lambda: cluster.committed_everywhere(ids))

The cluster watches while it runs: two nodes with different blocks at one height, a submission that stands twice, or a
machine that stopped on its own fail the test at once, with the seed.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType

from fazhi_consensus.timers import TimerPolicy
from fazhi_ledger.canonical import Value
from fazhi_ledger.genesis import Genesis, GenesisFile, Member, Officer, prove_possession, tls_fingerprint
from fazhi_ledger.keys import Signer, SoftwareSigner
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.submission import Item, SubmissionBody, sign_item
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.keyring import KeyRing, OwnKey
from fazhi_node.machine import Machine, MachineConfig
from fazhi_node.notebook import MemoryNotebook
from fazhi_node.notices import COMMITTED, Admission, Alarm, BlockCommitted, Notice, PeerFault
from fazhi_node.ports import Ports
from fazhi_node.recovery import settle_votes
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.memory import MemoryDisk, MemoryStore, MemoryVoteLog
from fazhi_node.storage.port import VoteLog
from fazhi_node.storage.snapshot import write_snapshot
from fazhi_node.storage.snapshot_load import load_snapshot

from .world import START_MS, SimClock, SimNetwork, SimVerifier, World

SUITE = ED25519_SHA256
NAMES = (*string.ascii_lowercase, *(f"a{letter}" for letter in string.ascii_lowercase))


def signer_of(seed: int, name: str) -> SoftwareSigner:
    """A key that depends on seed and name alone."""
    return SoftwareSigner(SUITE, hashlib.sha256(f"{seed}/{name}".encode()).digest())


def make_genesis(seed: int, orgs: Sequence[str], parameters: dict[str, int] | None = None) -> GenesisFile:
    """A chain of these members, each with one officer, and no procedures."""
    members, officers, certificates = [], [], []
    for org in orgs:
        member, officer = signer_of(seed, org), signer_of(seed, f"{org}.officer")
        der = b"certificate of " + org.encode()
        proof = prove_possession(member, None, org, ("bureau",))
        members.append(
            Member(
                org,
                f"机关{org}",
                f"Bureau {org}",
                ("bureau",),
                member.public_key,
                tls_fingerprint(der),
                f"{org}.example:7444",
                f"https://{org}.example:7443",
                proof,
            )
        )
        proof = prove_possession(officer, None, org, ("officer",))
        officers.append(Officer(org, officer.public_key, ("officer",), proof))
        certificates.append(der)
    genesis = Genesis(
        "测试",
        SUITE.name,
        START_MS - 1000,
        Parameters.defaults(parameters),
        tuple(members),
        tuple(officers),
        (),
    )
    return GenesisFile(genesis.encode(), (), tuple(certificates))


@dataclass
class Node:
    """One member's node: what outlives its process, and the process while it runs."""

    org: str
    signer: SoftwareSigner | None
    clock: SimClock
    verifier: SimVerifier
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    next_keys: list[tuple[SoftwareSigner, MemoryDisk]] = field(default_factory=list)
    """Further ledger keys of this member, each with the disk that its votes stand on."""
    notebook: MemoryNotebook = field(default_factory=MemoryNotebook)
    machine: Machine | None = None
    store: ChainStore | None = None
    starts: int = 0
    notices: list[Notice] = field(default_factory=list)
    committed: set[bytes] = field(default_factory=set)
    """Submissions that this node said are committed (a restart forgets none: they were durable before it said so)."""

    @property
    def alive(self) -> bool:
        return self.machine is not None

    @property
    def running(self) -> Machine:
        assert self.machine is not None, f"{self.org} is down"
        return self.machine

    @property
    def height(self) -> int:
        return self.running.height

    def answers(self, submission_id: bytes) -> list[Admission]:
        """News of one submission, oldest first."""
        return [n for n in self.notices if isinstance(n, Admission) and n.submission_id == submission_id]

    @property
    def faults(self) -> list[tuple[str, str]]:
        """(peer, code) of every fault it reported."""
        return [(n.org, n.code) for n in self.notices if isinstance(n, PeerFault)]

    @property
    def alarms(self) -> list[str]:
        """Codes of its alarms."""
        return [n.code for n in self.notices if isinstance(n, Alarm)]


class Cluster:
    """Some nodes of one chain. ``count`` members, all of them validators; names are a, b, … z, aa, …"""

    def __init__(
        self,
        seed: int = 1,
        count: int = 4,
        parameters: dict[str, int] | None = None,
        timers: TimerPolicy | None = None,
        mempool_items: int = 20_000,
    ) -> None:
        self.seed = seed
        self.world = World(seed)
        self.network = SimNetwork(self.world)
        self.orgs = list(NAMES[:count])
        self.genesis_file = make_genesis(seed, self.orgs, parameters)
        self.genesis_hash = self.genesis_file.hash()
        self.timers = timers if timers is not None else TimerPolicy()
        self.mempool_items = mempool_items
        self.nodes = {org: self._new_node(org, signer_of(seed, org)) for org in self.orgs}
        self.blocks: dict[int, bytes] = {}
        """Hash of every block that any node committed, by height."""
        self._draft = 0

    def _new_node(self, org: str, signer: SoftwareSigner | None) -> Node:
        verifier = SimVerifier(self.world, lambda: self.world.random.randint(0, 2))
        return Node(org, signer, SimClock(self.world), verifier)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            print(f"cluster: seed {self.seed}, {self.world.events} events, virtual {self.world.now_ms} ms")

    def __getitem__(self, org: str) -> Node:
        return self.nodes[org]

    # Processes

    def start(self, *orgs: str) -> None:
        """Start these nodes, or all."""
        for org in orgs or self.orgs:
            self._start(self.nodes[org])

    def _start(self, node: Node) -> None:
        assert not node.alive
        node.store = open_chain(MemoryStore(node.disk), self.genesis_file)
        signer: Signer | None = node.signer
        votes: VoteLog = MemoryVoteLog(node.disk)
        if node.signer is not None:
            keys = [OwnKey(node.signer, votes), *(OwnKey(key, MemoryVoteLog(disk)) for key, disk in node.next_keys)]
            for key in keys:
                settle_votes(node.store, key.signer.public_key, key.votes)
            if node.next_keys:
                signer = votes = KeyRing(keys)
        ports = Ports(node.clock, self.network.port(node.org), node.store, votes, node.verifier, node.notebook)
        node.starts += 1
        nonce = hashlib.sha256(f"{self.seed}/{node.org}/{node.starts}".encode()).digest()[:16]
        config = MachineConfig(node.org, signer, self.timers, mempool_items=self.mempool_items, nonce=nonce)
        machine = Machine(config, ports)
        node.machine = machine
        node.clock.fire = machine.on_timer
        node.verifier.post = machine.on_verified
        machine.subscribe(lambda notice: self._observe(node, notice))
        machine.start()
        self.network.attach(node.org, machine)

    def kill(self, *orgs: str) -> None:
        """End processes without warning; what was not synced is lost."""
        for org in orgs:
            node = self.nodes[org]
            self.network.detach(org)
            node.clock.stop()
            node.verifier.post = None
            node.running.stop()
            node.machine = None
            node.store = None
            node.disk.cut_power()

    def wipe(self, *orgs: str) -> None:
        """End processes and lose all their data; the keys and their guards stay, which tell of votes."""
        for org in orgs:
            node = self.nodes[org]
            if node.alive:
                self.kill(org)
            floor = node.disk.floor
            node.disk, node.notebook = MemoryDisk(), MemoryNotebook()
            node.disk.amnesiac, node.disk.floor = True, floor
            node.committed.clear()

    def add_follower(self, org: str, signer: SoftwareSigner | None = None) -> Node:
        """A node of a member's name space that has no seat: it only follows, until its ``signer`` has one."""
        self.nodes[org] = self._new_node(org, signer)
        self.orgs.append(org)
        self._start(self.nodes[org])
        return self.nodes[org]

    def snapshot(self, org: str) -> bytes:
        """A snapshot of a node's chain as of now."""
        store = self.nodes[org].store
        assert store is not None
        with closing(store.view()) as view:
            return b"".join(write_snapshot(view))

    def join(self, org: str, data: bytes, signer: SoftwareSigner | None = None) -> Node:
        """Start a new node, or one that has lost its chain, with what a snapshot makes."""
        if org not in self.nodes:
            self.nodes[org] = self._new_node(org, signer)
            self.orgs.append(org)
        store = MemoryStore(self.nodes[org].disk)
        load_snapshot(store, self.genesis_file, iter([data]), lambda *_: None)
        store.close()
        self._start(self.nodes[org])
        return self.nodes[org]

    # Time

    def run_for(self, duration_ms: int) -> None:
        self.world.run_for(duration_ms)
        self.check()

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> None:
        self.world.run_until(condition, limit_ms)
        self.check()

    # Watching

    @property
    def alive(self) -> list[Node]:
        return [self.nodes[org] for org in self.orgs if self.nodes[org].alive]

    def heights(self) -> dict[str, int]:
        return {node.org: node.height for node in self.alive}

    def _observe(self, node: Node, notice: Notice) -> None:
        node.notices.append(notice)
        if isinstance(notice, Admission) and notice.status == COMMITTED:
            assert notice.submission_id not in node.committed, f"delivered twice (seed {self.seed})"
            node.committed.add(notice.submission_id)
        if isinstance(notice, BlockCommitted):
            before = self.blocks.setdefault(notice.height, notice.block_hash)
            assert before == notice.block_hash, f"FORK at height {notice.height} (seed {self.seed})"
            self.world.note(f"{node.org} commits {notice.height} {notice.block_hash.hex()[:16]}")

    def check(self) -> None:
        """Nothing has stopped by itself; every chain is a prefix of the one chain; no submission stands twice."""
        for node in self.alive:
            fault = node.running.fault
            assert fault is None, f"{node.org} stopped: {fault!r} (seed {self.seed})"

    def check_exactly_once(self) -> int:
        """Read the longest chain from its store: every submission stands once. Answers how many there are."""
        best = max((node for node in self.alive if not node.running.reader.base), key=lambda node: node.height)
        assert best.store is not None
        seen: set[bytes] = set()
        for height in range(1, best.height + 1):
            block = best.store.block(height)
            assert block is not None
            for item in block.items:
                submission_id = item.id(SUITE)
                assert submission_id not in seen, f"stands twice (seed {self.seed})"
                seen.add(submission_id)
        return len(seen)

    def committed(self, org: str, submission_id: bytes) -> bool:
        return submission_id in self.nodes[org].committed

    def committed_everywhere(self, ids: Iterable[bytes]) -> bool:
        """Whether all nodes that run have committed all of them."""
        return all(self.committed(node.org, submission_id) for submission_id in ids for node in self.alive)

    # Submitting

    def item(
        self,
        org: str = "a",
        seq: int = 0,
        lane: int = 0,
        *,
        args: Value = None,
        contract: str = "points",
        action: str = "note",
        signer: SoftwareSigner | None = None,
        until_ms: int | None = None,
    ) -> Item:
        """A signed item of an officer of ``org``. By default its action is unknown to the chain: it is executed and
        refused, and uses its seq, which is all that most tests need."""
        key = signer if signer is not None else signer_of(self.seed, f"{org}.officer")
        body = SubmissionBody(
            self.genesis_hash,
            org,
            bytes([lane]) * 16,
            seq,
            hashlib.sha256(f"{org}{lane}{seq}{args!r}".encode()).digest()[:16],
            contract,
            action,
            args,
            (key.public_key,),
            START_MS,
            None,
            until_ms,
        )
        return sign_item(body, (key,))

    def submit(self, org: str, items: Sequence[Item]) -> list[bytes]:
        """Submit to one node, which must take them; answers their ids."""
        answers = self.submit_raw(org, [item.encode() for item in items])
        for answer in answers:
            assert answer.status in ("pending", "committed"), answer
        return [answer.submission_id for answer in answers]

    def submit_raw(self, org: str, items: Sequence[bytes]) -> list[Admission]:
        """Submit bytes to one node as a client of its own."""
        return self.nodes[org].running.submit(list(items), f"client of {org}")

    def settled(self, org: str, items: Sequence[bytes]) -> list[Admission]:
        """Submit, and wait until the signatures have been looked at."""
        answers: list[list[Admission]] = []
        self.nodes[org].running.submit(list(items), f"client of {org}", answers.append)
        self.run_until(lambda: bool(answers))
        return answers[0]
