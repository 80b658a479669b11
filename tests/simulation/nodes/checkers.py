"""What must never happen to a cluster of whole nodes. Each rule sees everything and asks production nothing but to
decode, and, once at the end, to execute the whole chain afresh.

Quorums, places of submissions, lanes, times and promises are worked out anew here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fazhi_contracts.chain import MemoryChain, check_block
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.header import Header
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import Validator, ValidatorSet
from fazhi_node.limits import (
    CANDIDATES,
    MAX_CHECKING_ITEMS,
    MAX_PEER_CHECKING_MESSAGES,
    QUARANTINE_ITEMS,
    REMEMBERED_EQUATIONS,
    SYNC_BLOCKS,
)
from fazhi_node.machine import Machine
from fazhi_node.notices import COMMITTED, Admission
from fazhi_node.storage import chain_layout as layout

from tests.simulation.checkers import Certificates, Violation

if TYPE_CHECKING:
    from .clients import LaneKey, Sent
    from .node import Node

Place = tuple[int, int]
_LATE: bytes = b"c"
"""Certificates grow by late commits: two nodes may hold different ones."""


class Ledger:
    """One chain for all: no two blocks at one height, no submission twice, no seq of a lane twice, times that rise; and
    whoever was told that something is committed finds it there for ever.
    """

    def __init__(self, suite: Suite, genesis_file: GenesisFile) -> None:
        self._suite = suite
        self._genesis_file = genesis_file
        self._hash = genesis_file.hash()
        self.blocks: list[bytes] = [b""]
        self.time_ms = genesis_file.genesis.time_ms
        self._places: dict[bytes, Place] = {}
        self._used: dict[tuple[LaneKey, int], bytes] = {}
        self._promises: dict[bytes, Place] = {}
        self._seats = [MemoryChain(genesis_file).state.validators()[0]]
        self.expected: tuple[Validator, ...] | None = None
        """The seats that the one vote of this run, if there is one, will come to."""

    def seats_at(self, height: int) -> ValidatorSet:
        """Who certifies a height."""
        return next(seats for seats in reversed(self._seats) if seats.first_height <= max(1, height))

    def _check_seats(self, header: Header) -> None:
        """The seats are those of the epoch, and are handed over as the vote had it and not otherwise."""
        seats, height = self.seats_at(header.height), header.height
        if header.validators_hash != seats.hash(self._suite):
            raise Violation(f"SEATS of block {height} are not those of its epoch")
        if header.next_validators_hash == header.validators_hash:
            return
        if self.expected is None:
            raise Violation(f"SEATS are handed over after block {height}, and nobody voted on them")
        following = ValidatorSet(seats.epoch + 1, height + 1, self.expected)
        if header.next_validators_hash != following.hash(self._suite):
            raise Violation(f"SEATS after block {height} are not those that were voted")
        self._seats.append(following)
        self.expected = None

    @property
    def height(self) -> int:
        """Of the longest chain."""
        return len(self.blocks) - 1

    def on_block(self, node: Node, height: int, data: bytes | None) -> None:
        """A node has made a block durable."""
        if data is None:
            raise Violation(f"LOST node {node.index} has no block {height} right after it said so")
        if height <= self.height:
            if self.blocks[height] != data:
                raise Violation(f"FORK at height {height}: node {node.index} has another block")
            return
        if height > self.height + 1:
            raise Violation(f"SKIPPED node {node.index} has block {height} after {self.height}")
        block = Block.decode(data)
        header = block.header
        if header.height != height or header.parent_hash != self._hash:
            raise Violation(f"INVALID block {height} of node {node.index} does not follow its parent")
        if header.time_ms <= self.time_ms:
            raise Violation(f"TIME of block {height} is {header.time_ms}, of its parent {self.time_ms}")
        self._check_seats(header)
        for index, item in enumerate(block.items):
            self._place(item.id(self._suite), (item.body.org, item.body.signer_keys[0], item.body.lane), item.body.seq)
            self._places[item.id(self._suite)] = (height, index)
        self._hash, self.time_ms = self._suite.tagged_hash("header", header.encode()), header.time_ms
        self.blocks.append(data)

    def _place(self, submission_id: bytes, lane: LaneKey, seq: int) -> None:
        if submission_id in self._places:
            raise Violation(f"TWICE submission {submission_id.hex()[:16]} stands at {self._places[submission_id]}")
        if (lane, seq) in self._used:
            raise Violation(f"TWICE seq {seq} of lane {lane[2].hex()}")
        if seq and (lane, seq - 1) not in self._used:
            raise Violation(f"GAP before seq {seq} of lane {lane[2].hex()}")
        self._used[lane, seq] = submission_id

    def holds(self, submission_id: bytes) -> bool:
        """Whether it stands in the chain."""
        return submission_id in self._places

    def place(self, submission_id: bytes) -> Place | None:
        """Where it stands."""
        return self._places.get(submission_id)

    def settled(self, sent: Sent) -> bool:
        """Whether it stands there, or cannot any more: another holds its seq, or its time is over."""
        late = sent.until_ms is not None and sent.until_ms < self.time_ms
        return late or (sent.lane, sent.seq) in self._used

    def waits_behind(self, sent: Sent) -> list[int]:
        """The seqs of its lane that have to come first."""
        return [seq for seq in range(sent.seq) if (sent.lane, seq) not in self._used]

    def on_promise(self, node: Node, answer: Admission) -> None:
        """A node tells where a submission stands."""
        place = (answer.height, answer.index)
        if self._promises.setdefault(answer.submission_id, place) != place:
            raise Violation(f"MOVED node {node.index} says {place}, before it was {self._promises}")

    def check_promises(self) -> None:
        """Whatever was promised is there."""
        for submission_id, place in self._promises.items():
            if self._places.get(submission_id) != place:
                raise Violation(f"LOST {submission_id.hex()[:16]} was at {place}, is at {self.place(submission_id)}")

    def check_chain(self) -> MemoryChain:
        """Every block follows from the one before: signatures verified and everything executed anew."""
        chain = MemoryChain(self._genesis_file)
        for height, data in enumerate(self.blocks[1:], 1):
            block = Block.decode(data)
            try:
                for item in block.items:
                    for key, signature in zip(item.body.signer_keys, item.signatures, strict=True):
                        self._suite.verify(key, item.message(), signature)
                chain.take(check_block(chain.state, block))
            except FazhiError as error:
                raise Violation(f"INVALID block {height} was decided: {error!r}") from error
        return chain


class Reads:
    """What gateways answer never goes backwards: what one said is committed at a height, every one that is as high says
    too; and no gateway's own height falls, unless its data were taken away since.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._heights: dict[tuple[int, int], int] = {}

    def on_read(self, node: Node, height: int, submission_id: bytes, answer: Admission | None) -> None:
        """A gateway at ``height`` answers a question about a submission."""
        before = self._heights.get((node.index, node.disk.taken), 0)
        if height < before:
            raise Violation(f"BACKWARDS node {node.index} is at height {height}, before it was at {before}")
        self._heights[node.index, node.disk.taken] = height
        place = self._ledger.place(submission_id)
        if answer is not None and answer.status == COMMITTED:
            if place != (answer.height, answer.index) or answer.height > height:
                raise Violation(f"WRONG READ node {node.index} at {height} says {answer}, it is at {place}")
        elif place is not None and base_of(node) < place[0] <= height:
            raise Violation(f"STALE READ node {node.index} at {height} does not know {place}: {answer}")


def _height_of(key: bytes, framed: bytes) -> int:
    """Of which block an entry of the store is; of the state and of the history, which all have, none that is low."""
    if key[:1] in (layout.BLOCK, layout.HEADER, layout.RESULTS):
        return layout.read_number(key[1:])
    if key[:1] in (layout.ITEM, layout.EVENT):
        return layout.read_number(framed[4:12])
    return layout.MAX_NUMBER


def base_of(node: Node) -> int:
    """Up to which height a node holds no blocks."""
    return 0 if node.chain is None else node.chain.base


def check_bounds(node: Node, machine: Machine) -> None:
    """Nothing that others make grow is beyond its bound."""
    mempool, votes = machine.mempool, node.votes
    members = node.run.plan.size
    found = {
        "mempool items": (len(mempool), mempool.bounds.items),
        "mempool bytes": (mempool.bytes, mempool.bounds.bytes),
        "candidates": (len(machine._app._candidates), CANDIDATES),
        "quarantine": (len(machine._app._quarantine), QUARANTINE_ITEMS),
        "payloads": (len(machine._app.payloads._decoded), 4),
        "under check": (machine._desk.checking, MAX_CHECKING_ITEMS),
        "questions": (machine._verification.waiting, MAX_PEER_CHECKING_MESSAGES * members + 2 * SYNC_BLOCKS),
        "equations": (len(machine._verification._known), REMEMBERED_EQUATIONS),
        "arrived blocks": (len(machine._sync._arrived), 2 * SYNC_BLOCKS),
        "checked blocks": (len(machine._sync._checking), SYNC_BLOCKS),
        "peers": (len(machine.peers.all()), members),
        "early messages": (len(machine._driver._replica._early), 4 * members),
        "said": (len(machine._driver._said), 8),
        "notes": (len(node.notebook.names()), 1000),
        "vote records": (0 if votes is None else len(votes.records()), 4 * 200),
        "queued events": (len(machine._driver._events), 0),
    }
    for name, (value, bound) in found.items():
        if value > bound:
            raise Violation(f"UNBOUNDED node {node.index}: {name} {value}, at most {bound}")


@dataclass
class Final:
    """The checks of the end, when all nodes that can run are at one height."""

    suite: Suite
    genesis_file: GenesisFile
    ledger: Ledger

    def check(self, nodes: list[Node]) -> None:
        """Chain, promises, certificates and the state of every node."""
        self.ledger.check_promises()
        chain = self.ledger.check_chain()
        certificates = Certificates(self.suite, self.genesis_file.hash(), self.ledger.seats_at)
        best = min(nodes, key=base_of)
        for node in nodes:
            self._check_certificates(node, certificates)
            self._check_same(node, best)
        self._check_state(best, chain)

    def _check_certificates(self, node: Node, certificates: Certificates) -> None:
        for height in range(1, self.ledger.height + 1):
            data = node.disk.pairs.visible.get(_LATE + height.to_bytes(8, "big"))
            if data is None and height < base_of(node):
                continue
            if data is None:
                raise Violation(f"LOST node {node.index} has no certificate of block {height}")
            certificate = CommitCertificate.decode(data[4:])
            header = Block.decode(self.ledger.blocks[height]).header
            if certificate.block_hash != self.suite.tagged_hash("header", header.encode()):
                raise Violation(f"INVALID certificate of block {height} at node {node.index} is of another")
            certificates.on_certificate(node.index, certificate)

    def _check_same(self, node: Node, best: Node) -> None:
        """Everything that two nodes of one height store is the same, late commits aside, and what a node that joined
        from a snapshot has no need of."""
        mine, others = node.disk.pairs.visible, best.disk.pairs.visible
        base = max(base_of(node), base_of(best))
        for key in mine.keys() | others.keys():
            one, other = mine.get(key), others.get(key)
            if key == layout.BASE_KEY:
                continue
            if base and _height_of(key, one or other or b"") <= base:
                if key[:1] != layout.HEADER or one is None or other is None:
                    continue
                one, other = one[4:36], other[4:36]  # every node has the hash
            if one != other and key[:1] != _LATE:
                raise Violation(f"STATE of nodes {node.index} and {best.index} differs at {key[:1]!r} {key[1:].hex()}")

    def _check_state(self, node: Node, chain: MemoryChain) -> None:
        """What is stored is what the whole chain, executed afresh, comes to."""
        visible = node.disk.pairs.visible
        stored = {key[1:]: value[4:] for key, value in visible.items() if key[:1] == b"s"}
        if stored != chain._entries.entries:
            raise Violation(f"STATE of node {node.index} is not that of its chain")
        pages = {key[1:]: value[4:] for key, value in visible.items() if key[:1] == b"p"}
        if pages != dict(chain.pages()):
            raise Violation(f"STATE tree of node {node.index} is not that of its chain")
