"""One simulated run: nodes, traitors, network and faults in one thread, in simulated time, from one seed.

A run has two phases. In the first everything goes wrong and only safety is asked for. Then the network heals, everybody
restarts, at most f traitors go on, and the chain must grow within a bounded simulated time.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fazhi_consensus.evidence import Evidence
from fazhi_consensus.messages import Message
from fazhi_consensus.verify import Verified, verify_message
from fazhi_consensus.wire import Kind, decode_message
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.keys import Signer, SoftwareSigner
from fazhi_ledger.suites import ED25519_SHA256, Suite
from fazhi_ledger.validators import Validator, ValidatorSet, faulty_of

from tests.ledger.suites import ToySuite

from .adversary import Adversary
from .blocks import block_hash_of
from .checkers import Agreement, Certificates, Guilt, Rounds, Violation, Votes
from .network import Network
from .node import Node

SIZES = (4, 6, 7)
PROGRESS_BLOCKS = 3
PROGRESS_MS = 30_000
"""Simulated time after healing within which every honest node must have decided that many more blocks."""
MAX_EVENTS = 400_000
WHOLE_SET, ROTATING, COMING_AND_GOING = range(3)


@dataclass(frozen=True)
class Plan:
    """What is wrong with this run's world, drawn from its seed."""

    seed: int
    size: int
    traitors: int
    faulty_ms: int
    loss_percent: int
    duplicate_percent: int
    slow_ms: int
    calm_ms: int
    strike_permille: int
    clock_refusal_percent: int
    membership: int
    traitors_stay: bool
    real_suite: bool

    @classmethod
    def draw(cls, seed: int, size: int | None = None, real_suite: bool = False) -> Plan:
        """The plan of a seed."""
        rng = random.Random(f"plan {seed}")
        n = size if size is not None else SIZES[seed % len(SIZES)]
        return cls(
            seed=seed,
            size=n,
            traitors=rng.choice((0, faulty_of(n), faulty_of(n))),
            faulty_ms=rng.randint(3_000, 20_000),
            loss_percent=rng.choice((0, 0, 0, 3, 10, 25)),
            duplicate_percent=rng.choice((0, 5, 20)),
            slow_ms=rng.choice((15, 15, 60, 250)),
            calm_ms=rng.choice((200, 200, 400, 1_500, 3_000)),
            strike_permille=rng.choice((0, 0, 1, 3, 10, 30)),
            clock_refusal_percent=rng.choice((0, 0, 5, 20)),
            membership=rng.choice((WHOLE_SET, WHOLE_SET, ROTATING, COMING_AND_GOING)),
            traitors_stay=rng.random() < 0.5,
            real_suite=real_suite,
        )


class World:
    """The state of a run. ``rng`` is its only source of chance."""

    def __init__(self, plan: Plan, outcome_only: bool = False) -> None:
        self.plan = plan
        self.outcome_only = outcome_only
        """Judge by forks and stalls alone: shows that what the other checkers forbid does harm."""
        self.rng = random.Random(plan.seed)
        self.suite: Suite = ED25519_SHA256 if plan.real_suite else ToySuite()
        self.genesis_hash = self.suite.tagged_hash("genesis", b"simulation %d" % plan.seed)
        self.now_ms = 0
        self.healed = False
        self.faults: Counter[str] = Counter()
        self._frames = hashlib.blake2b()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._decoded: dict[bytes, Message] = {}
        self._verified: dict[tuple[bytes, int], Verified[Message]] = {}
        self._sets: dict[int, ValidatorSet] = {}
        secrets = [hashlib.sha256(b"%d %d" % (plan.seed, index)).digest() for index in range(plan.size)]
        self.signers: list[Signer] = [SoftwareSigner(self.suite, secret) for secret in secrets]
        self.network = Network(self.rng, plan.size)
        traitors = frozenset(self.rng.sample(range(plan.size), plan.traitors))
        self.adversary = Adversary(self, {index: self.signers[index] for index in sorted(traitors)})
        self.nodes = {i: Node(self, i, self.signers[i]) for i in range(plan.size) if i not in traitors}
        self.agreement = Agreement(self.genesis_hash)
        self.certificates = Certificates(self.suite, self.genesis_hash, self.validators_at)
        self.votes = Votes()
        self.rounds = Rounds()
        keys = frozenset(self.signers[index].public_key for index in traitors)
        self.guilt = Guilt(self.suite, self.genesis_hash, self.validators_at, keys)

    @property
    def count_of_nodes(self) -> int:
        return self.plan.size

    # --- the run ---

    def run(self) -> None:
        """Both phases.

        Raises:
            Violation: a promise was broken.
        """
        for index in sorted(self.nodes):
            self.later(self.rng.randint(0, 50), self.nodes[index].start)
        self.network.loss_percent = self.plan.loss_percent
        self.network.duplicate_percent = self.plan.duplicate_percent
        self.network.delay_ms = (1, self.plan.slow_ms)
        self._mischief()
        self._run_until(self.plan.faulty_ms, lambda: False)
        target = self._heal() + PROGRESS_BLOCKS
        self._run_until(self.now_ms + PROGRESS_MS, lambda: self._reached(target))
        if not self._reached(target):
            stuck = [(node.index, node.store.height, node.replica.status) for node in self.nodes.values()]
            raise Violation(f"NO PROGRESS to height {target} in {PROGRESS_MS} ms: {stuck}")

    def _run_until(self, deadline_ms: int, done: Callable[[], bool]) -> None:
        for events in range(MAX_EVENTS):
            if not self._queue or self._queue[0][0] > deadline_ms or (events % 64 == 0 and done()):
                self.now_ms = deadline_ms if not done() else self.now_ms
                return
            self.now_ms, _, action = heapq.heappop(self._queue)
            action()
            if events % 4096 == 0:
                self.votes.forget_below(self.agreement.height - 20)
                self._decoded.clear()
                self._verified.clear()
        raise Violation(f"{MAX_EVENTS} events: messages multiply")

    def _reached(self, target: int) -> bool:
        return all(node.store.height >= target for node in self.nodes.values())

    def _heal(self) -> int:
        """The network heals and the dead rise; returns the highest height."""
        self.healed = True
        self.network.heal()
        for index in sorted(self.nodes):
            node = self.nodes[index]
            if not node.alive:
                node.start()
            node.later(self.rng.randint(0, 1_000), node.hear_of_work)
        return max(node.store.height for node in self.nodes.values())

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do something in ``delay_ms``; at one instant, first come first served."""
        self._sequence += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._sequence, action))

    def count(self, fault: str) -> None:
        """One more fault of that kind."""
        self.faults[fault] += 1

    def digest(self) -> str:
        """A fingerprint of every consensus frame that was sent, when and to whom."""
        return self._frames.hexdigest()

    # --- faults ---

    def _mischief(self) -> None:
        """Now and then something breaks, or mends."""
        if self.healed:
            return
        self.later(self.rng.randint(100, 2 * self.plan.calm_ms), self._mischief)
        roll = self.rng.randrange(100)
        alive = [node for node in self.nodes.values() if node.alive]
        if roll < 15:
            self.network.partition()
            self.count("partition")
        elif roll < 23:
            self.network.isolate(self.rng.randrange(self.plan.size))
            self.count("isolation")
        elif roll < 50:
            self.network.mend()
        elif roll < 65 and alive:
            self._set_ambush(self.rng.choice(alive))
        elif roll < 72:
            self.network.darken()
            self.count("one-way link")
        elif roll < 80:
            self.network.dark.clear()
        elif roll < 91 and alive:
            self._kill(self.rng.choice(alive))
        elif roll < 94:
            for node in alive:  # a power cut
                self._kill(node)
        if self.plan.traitors and self.rng.random() < 0.5:
            self.adversary.act()

    def _set_ambush(self, node: Node, kind: Kind | None = None) -> None:
        """Let one node alone see the PREPAREs, or the COMMITs, of a while; then cut it off, and the others go on.

        Where it alone has prepared, another may then be the only one to decide: prepared rounds differ from node to
        node, and only the highest of them is right.
        """
        if self.healed:
            return
        self.count("ambush")
        kind = kind or self.rng.choice((Kind.PREPARE, Kind.COMMIT, Kind.COMMIT))
        self.network.mend()
        self.network.ambush = (kind.value, node.index)

        def spring() -> None:
            self.network.ambush = None
            if self.healed:
                return
            self.network.isolate(node.index)
            others = [other for other in self.nodes.values() if other.alive and other is not node]
            if kind is Kind.PREPARE and others and self.rng.random() < 0.7:
                other = self.rng.choice(others)
                self.later(self.rng.randint(200, 700), lambda: self._set_ambush(other, Kind.COMMIT))

        self.later(self.rng.randint(100, 900), spring)

    def _kill(self, node: Node) -> None:
        node.crash()
        self.restart_later(node)

    def restart_later(self, node: Node) -> None:
        """A dead node comes back after a while."""

        def rise() -> None:
            if not node.alive:
                node.start()

        self.later(self.rng.randint(10, 1_500), rise)

    def strikes(self, node: Node) -> bool:
        """Whether this node dies here, between two effects."""
        return (
            not self.healed and self.plan.strike_permille > 0 and self.rng.randrange(1000) < self.plan.strike_permille
        )

    def clock_refuses(self) -> bool:
        """Whether a validator's clock is so far off that a fresh proposal seems not to be of now."""
        return not self.healed and self.rng.randrange(100) < self.plan.clock_refusal_percent

    def skewed(self, node: Node, delay_ms: int) -> int:
        """No two clocks run alike: 10 % either way."""
        return max(1, delay_ms * (95 + (node.index * 7) % 11) // 100)

    # --- membership ---

    def validators_at(self, height: int) -> ValidatorSet:
        """The validator set of a height: everybody in one order, in turning order, or with one seat that comes and
        goes.
        """
        found = self._sets.get(height)
        if found is None:
            order = list(range(self.plan.size))
            epoch = height // 4
            if self.plan.membership == ROTATING:
                turn = epoch % self.plan.size
                order = order[turn:] + order[:turn]
            elif self.plan.membership == COMING_AND_GOING and epoch % 2 == 1 and self._may_leave():
                order.remove(self._leaver())
            seats = tuple(Validator(f"org-{index}", self.signers[index].public_key) for index in order)
            found = self._sets[height] = ValidatorSet(epoch, max(1, epoch * 4), seats)
        return found

    def _may_leave(self) -> bool:
        return self.plan.traitors <= faulty_of(self.plan.size - 1)

    def _leaver(self) -> int:
        return min(self.nodes)

    def node_of(self, validators: ValidatorSet, seat: int) -> int:
        """The node that holds a seat."""
        key = validators.validators[seat].key
        return next(index for index, signer in enumerate(self.signers) if signer.public_key == key)

    def is_honest(self, index: int) -> bool:
        return index in self.nodes

    def parent_of(self, height: int) -> bytes | None:
        """The block below ``height``, if anybody has decided it."""
        return self.agreement.hash_at(height - 1)

    # --- frames ---

    def decode(self, data: bytes) -> Message:
        """Decode a frame; the same bytes are decoded once for all (decoding is a function)."""
        message = self._decoded.get(data)
        if message is None:
            message = self._decoded[data] = decode_message(data, self.plan.size)
        return message

    def verify(self, data: bytes, sender: int) -> Verified[Message]:
        """Verify a frame; likewise once for all."""
        found = self._verified.get((data, sender))
        if found is None:
            message = self.decode(data)
            validators = self.validators_at(message.height)
            peer = validators.index_of_key(self.signers[sender].public_key)
            found = verify_message(self.suite, self.genesis_hash, validators, message, block_hash_of, peer)
            self._verified[data, sender] = found
        return found

    def check_certificate(self, node: Node, certificate: CommitCertificate) -> None:
        """A node holds this certificate."""
        if not self.outcome_only:
            self.certificates.on_certificate(node.index, certificate)

    def check_evidence(self, evidence: Evidence) -> None:
        """A node convicts a validator."""
        if not self.outcome_only:
            self.guilt.on_evidence(evidence)

    def observe(self, node: Node, message: Message) -> None:
        """An honest node is about to say this."""
        if not self.outcome_only:
            self.votes.on_message(node.signer.public_key, message)
            self.rounds.on_message(message)

    def send(self, sender: int, receiver: int, data: bytes) -> None:
        """One consensus frame over one link."""
        self._frames.update(b"%d %d %d %d " % (self.now_ms, sender, receiver, len(data)))
        self._frames.update(data)
        kind = data[1] if len(data) > 1 and self.is_honest(sender) else 0  # after the header of the array
        for delay_ms in self.network.delays(sender, receiver, kind):
            self.later(delay_ms, lambda: self._deliver(sender, receiver, data))

    def broadcast(self, sender: int, data: bytes) -> None:
        """One consensus frame to everybody else."""
        for receiver in range(self.plan.size):
            if receiver != sender:
                self.send(sender, receiver, data)

    def _deliver(self, sender: int, receiver: int, data: bytes) -> None:
        node = self.nodes.get(receiver)
        if node is not None:
            node.later(0, node.receive, sender, data)
        elif not self.healed or self.plan.traitors_stay:
            self.adversary.receive(receiver, sender, data)

    def broadcast_status(self, sender: int, height: int) -> None:
        """A node tells its height."""
        for receiver in self.nodes:
            self.send_status(sender, receiver, height)

    def send_status(self, sender: int, receiver: int, height: int) -> None:
        """A node tells one other its height."""
        node = self.nodes.get(receiver)
        if node is not None and sender != receiver:
            for delay_ms in self.network.delays(sender, receiver):
                node.later(delay_ms, node.receive_status, sender, height)

    def send_block(
        self, sender: int, receiver: int, height: int, payload: bytes, certificate: CommitCertificate
    ) -> None:
        """State transfer of one block."""
        node = self.nodes.get(receiver)
        if node is not None and sender != receiver:
            for delay_ms in self.network.delays(sender, receiver):
                node.later(delay_ms, node.receive_block, sender, height, payload, certificate)


def run_seed(seed: int, size: int | None = None, real_suite: bool = False, outcome_only: bool = False) -> World:
    """Run one seed.

    Raises:
        Violation: with the seed and how to replay it.
    """
    plan = Plan.draw(seed, size, real_suite)
    world = World(plan, outcome_only)
    try:
        world.run()
    except Exception as error:
        suite = " --real" if real_suite else ""
        raise Violation(
            f"seed {seed}, n = {plan.size}, at {world.now_ms} ms: {type(error).__name__}: {error}\n"
            f"replay: python -m tests.simulation {seed} {plan.size}{suite}\n{plan}"
        ) from error
    return world
