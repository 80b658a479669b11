"""What a simulated run did, in the words of the model: every body that a correct node signed, once it was durable,
every decision and every restart, in the order in which they happened.

The nodes are those of :mod:`tests.simulation`, their replicas the production ones; their disks are replaced by disks
that keep a diary. Nothing is asked of the core but what it wrote down.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fazhi_consensus.messages import Commit, Prepare, PrePrepare, RoundChange
from fazhi_consensus.records import Entry, decode_record
from fazhi_ledger.certificate import CommitCertificate

from tests.simulation.disk import SimulatedStore, SimulatedVoteLog
from tests.simulation.world import Plan, World

NOTHING = (-1, 0)
"""What a ROUND-CHANGE claims that claims nothing."""

HEIGHTS = 5
"""Up to which height a run is traced, unless told otherwise."""

Claim = tuple[int, int]
Witness = tuple[int, ...] | tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Step:
    """One step of one member. ``witness`` is what let it: the members of the quorum, or, for a proposal, the
    ROUND-CHANGEs shown as (member, claimed round, claimed block).
    """

    kind: str
    member: int
    height: int
    round: int
    value: int
    claim: Claim = NOTHING
    witness: Witness = ()


class Enough(Exception):
    """Every correct node has reached the height up to which the trace goes."""


@dataclass
class Trace:
    """The steps of one run. ``seats`` are the members of each height from 1 on, in order of their seats; ``faults`` is
    how many faults were put into it, ``broken`` how it ended if something went wrong.
    """

    name: str
    faulty: frozenset[int]
    seats: list[tuple[int, ...]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    faults: int = 0
    broken: str | None = None


class Diary:
    """Writes the trace of one world."""

    def __init__(self, world: World, heights: int) -> None:
        self.world = world
        self.heights = heights
        self.trace = Trace(f"seed {world.plan.seed}", frozenset(world.adversary.signers))
        self._values: dict[tuple[int, bytes], int] = {}
        self._reached = dict.fromkeys(world.nodes, 0)
        for index, node in world.nodes.items():
            node.log = DiaryLog(self, index)
            node.store = DiaryStore(self, index)

    def signed(self, node: int, record: bytes) -> None:
        """A record of the vote log is durable."""
        for entry in decode_record(self.world.genesis_hash, record):
            if entry.message.height <= self.heights:
                self.trace.steps.append(self._step(node, entry))

    def decided(self, node: int, certificate: CommitCertificate) -> None:
        """A block is durable."""
        height = certificate.height
        if height > self.heights:
            return
        signers = tuple(self._member(height, index) for index, _ in certificate.signatures)
        value = self._value(height, certificate.block_hash)
        self.trace.steps.append(Step("decide", node, height, certificate.round, value, witness=signers))
        self._reached[node] = height
        if all(reached >= height for reached in self._reached.values()):
            self.trace.steps.append(Step("forget", 0, height, 0, 0))
            if height == self.heights:
                raise Enough

    def restarted(self, node: int) -> None:
        """A node starts, from what is durable."""
        if self._reached[node] < self.heights:
            self.trace.steps.append(Step("restart", node, self._reached[node] + 1, 0, 0))

    def _step(self, node: int, entry: Entry) -> Step:
        message = entry.message
        height = message.height
        match message:
            case PrePrepare():
                shown = tuple((self._member(height, c.sender), *self._claim(c)) for c in message.justification)
                value = self._value(height, message.block_hash)
                return Step("propose", node, height, message.round, value, witness=shown)
            case Prepare():
                return Step("prepare", node, height, message.round, self._value(height, message.block_hash))
            case Commit():
                quorum = tuple(self._member(height, prepare.sender) for prepare in entry.prepares)
                value = self._value(height, message.block_hash)
                return Step("commit", node, height, message.round, value, witness=quorum)
            case RoundChange():
                return Step("round-change", node, height, message.new_round, 0, self._claim(message))

    def _claim(self, change: RoundChange) -> Claim:
        if change.prepared is None:
            return NOTHING
        round_, block_hash = change.prepared
        return round_, self._value(change.height, block_hash)

    def _value(self, height: int, block_hash: bytes) -> int:
        known = sum(1 for of, _ in self._values if of == height)
        return self._values.setdefault((height, block_hash), known + 1)

    def _member(self, height: int, seat: int) -> int:
        return self.world.node_of(self.world.validators_at(height), seat)

    def close(self) -> Trace:
        """The trace, with the members of every height in it."""
        self.trace.faults = sum(self.world.faults.values())
        top = max((step.height for step in self.trace.steps), default=1)
        for height in range(1, top + 1):
            count = len(self.world.validators_at(height))
            self.trace.seats.append(tuple(self._member(height, seat) for seat in range(count)))
        return self.trace


class DiaryLog(SimulatedVoteLog):
    """A vote log that tells the diary what became durable, and when it is read again."""

    def __init__(self, diary: Diary, node: int) -> None:
        super().__init__()
        self._diary = diary
        self._node = node

    def sync(self) -> None:
        """What was written is durable now."""
        for record in self._unsynced:
            self._diary.signed(self._node, record)
        super().sync()

    def records(self) -> tuple[bytes, ...]:
        """What a restart finds."""
        self._diary.restarted(self._node)
        return super().records()


class DiaryStore(SimulatedStore):
    """A store that tells the diary what was decided."""

    def __init__(self, diary: Diary, node: int) -> None:
        super().__init__()
        self._diary = diary
        self._node = node

    def write(self, payload: bytes, certificate: CommitCertificate) -> None:
        """A decision is durable now."""
        super().write(payload, certificate)
        self._diary.decided(self._node, certificate)


def trace_of(seed: int, heights: int = HEIGHTS, size: int | None = None) -> Trace:
    """The trace of one seed, up to a height; where something goes wrong in it, up to there."""
    world = World(Plan.draw(seed, size), outcome_only=True)
    diary = Diary(world, heights)
    try:
        world.run()
    except Enough:
        pass
    except Exception as error:  # noqa: BLE001 - whatever a core raises, the trace up to there is of use
        diary.trace.broken = f"{type(error).__name__}: {error}"
    return diary.close()
