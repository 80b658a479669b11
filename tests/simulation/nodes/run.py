"""One run: a first phase in which everything goes wrong and only safety is asked for; then all faults end, and within a
bounded virtual time everything must be as it was promised.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from unittest.mock import patch

from fazhi_consensus.evidence import Evidence
from fazhi_consensus.wire import decode_message
from fazhi_ledger.genesis import Genesis
from fazhi_ledger.suites import Suite
from fazhi_node import machine as machine_module
from fazhi_node.frames import Message, decode_frame
from fazhi_node.notices import BUSY, COMMITTED, Admission, Alarm, AmnesiaEnded, BlockCommitted, EvidenceFound, Notice
from fazhi_node.storage import vote_log as vote_log_module
from fazhi_node.storage.chain_check import ChainCheck
from fazhi_node.storage.chain_store import ChainStore

from tests.campaign import commit
from tests.node.world import World as Timeline
from tests.simulation.checkers import Guilt, Violation, Votes

from .checkers import Final, Ledger, Reads, check_bounds
from .clients import Load, Sent
from .coven import Coven
from .genesis import genesis_of, signer_of, suite_of
from .membership import Ballot, second_key
from .network import Network, Rates
from .node import KILL, VOTES, Node, Trap, consensus_of
from .plan import TRAPS, Plan, Strike

PROGRESS_MS = 240_000
"""Virtual time after healing within which all promises must be kept."""
PATIENCE_MS = 40_000
"""So long after healing clients wait before they send anything again."""
MAX_EVENTS = 300_000
LOOK_EVERY = 200
BACKUP_MS = 1_000


@dataclass
class Outcome:
    """What one run came to."""

    plan: Plan
    faults: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    """Frames lost, doubled, out of order, and what else is counted but no fault."""
    simulated_ms: int = 0
    healed_ms: int = 0
    """How long it took after healing."""
    events: int = 0
    blocks: int = 0
    submissions: int = 0
    digest: str = ""


class Run:
    """The state of a run."""

    def __init__(self, plan: Plan, suite: Suite) -> None:
        self.plan = plan
        self.suite = suite
        self.timeline = Timeline(plan.seed)
        self.outcome = Outcome(plan)
        self.healed = False
        self.genesis_file = genesis_of(plan.size, plan.cases, plan.real_suite)
        self._frames: dict[bytes, tuple[Message, ...]] = {}
        rates = Rates(plan.loss_permille, plan.duplicate_permille, plan.reorder_permille, plan.delay_ms)
        self.network = Network(self.timeline, plan.size, rates, random.Random(f"{plan.seed} network"))
        self.nodes = [Node(self, index, signer_of(suite, f"org-{index}")) for index in range(plan.size)]
        self.ledger = Ledger(suite, self.genesis_file)
        self.reads = Reads(self.ledger)
        self.votes = Votes()
        traitors = frozenset(self.nodes[index].signer.public_key for index in plan.traitors)
        self.guilt = Guilt(suite, self.genesis_file.hash(), self.ledger.seats_at, traitors)
        self.coven = Coven(self)
        self.load = Load(self)
        self._disk_errors: set[int] = set()

    @property
    def honest(self) -> list[Node]:
        return [node for node in self.nodes if node.honest]

    def index_of(self, org: str) -> int:
        """The node of an organisation."""
        return int(org.removeprefix("org-"))

    def count(self, fault: str) -> None:
        """One more fault of that kind."""
        self.outcome.faults[fault] += 1

    def note(self, what: str) -> None:
        """Something that follows from a fault, or is none."""
        self.network.events[what] += 1

    # --- the run ---

    def run(self) -> None:
        """Both phases.

        Raises:
            Violation: a promise was broken.
        """
        for node in self.nodes:
            node.start()
        self.load.plan()
        for strike in self.plan.strikes:
            self.timeline.at(strike.at_ms, lambda strike=strike: self._strike(strike))  # type: ignore[misc]
        if any(strike.kind == "restore" for strike in self.plan.strikes):
            self._back_up()
        self._run_until(self.plan.calm_ms, lambda: False)
        self._heal()
        healed_ms = self.timeline.now_ms
        self._progress(healed_ms)
        self.outcome.healed_ms = self.timeline.now_ms - healed_ms
        able = self._able()
        Final(self.suite, self.genesis_file, self.ledger).check(able)
        chosen = able[self.plan.seed % len(able)]
        if chosen.chain is not None and (problems := problems_of(chosen.chain)):
            raise Violation(f"CHECK of node {chosen.index}'s sound store finds {problems}")

    def finish(self) -> Outcome:
        """The sum of it all."""
        outcome = self.outcome
        outcome.frames = self.network.events
        outcome.frames["hand-over of the members"] = self.ledger.seats_at(self.ledger.height + 1).epoch
        outcome.simulated_ms = self.timeline.now_ms
        outcome.events = self.timeline.events
        outcome.blocks = self.ledger.height
        outcome.submissions = len(self.load.sent)
        outcome.digest = self.timeline.digest
        return outcome

    def _run_until(self, deadline_ms: int, done: Callable[[], bool]) -> bool:
        """Run until ``done`` or the deadline; tells which."""
        timeline = self.timeline
        while timeline._queue and timeline._queue[0][0] <= deadline_ms:
            timeline.step()
            if timeline.events % LOOK_EVERY == 0:
                self._look()
                if done():
                    return True
        timeline.now_ms = max(timeline.now_ms, deadline_ms)
        return done()

    def _look(self) -> None:
        if self.timeline.events > MAX_EVENTS:
            raise Violation(f"FLOOD {MAX_EVENTS} events: messages multiply")
        self._frames.clear()
        for node in self.honest:
            if node.machine is not None:
                check_bounds(node, node.machine)

    def _back_up(self) -> None:
        if not self.healed:
            for index in self.plan.damaged:
                node = self.nodes[index]
                node.backups.append((self.timeline.now_ms, node.disk.backup(VOTES)))
            self.timeline.at(BACKUP_MS, self._back_up)

    # --- healing ---

    def _heal(self) -> None:
        """All faults end, every disk has room, everybody starts again; operators look after what was damaged."""
        self.healed = True
        self.network.heal()
        for node in self.nodes:
            node.trap = None
            node.slow_ms = node.clock.skew_ms = 0
            node.disk.trouble.full_after = node.disk.trouble.fail_after = None
            node.disk.trouble.slow_ms = 0
        for node in self.honest:
            node.start()
            if node.damaged:
                self._scrub(node)

    def _scrub(self, node: Node) -> None:
        """An operator who mistrusts a disk has everything on it checked; a damaged store is emptied."""
        if node.chain is not None and problems_of(node.chain):
            node.kill(KILL, 1_000)
            node.disk.wipe(None)
            self.note("damage found by the check")

    def _able(self) -> list[Node]:
        """Who has to have everything in the end."""
        return [node for node in self.honest if not node.refuses]

    def _progress(self, healed_ms: int) -> None:
        limit_ms = healed_ms + PROGRESS_MS
        self.load.submit()
        self._run_until(healed_ms + PATIENCE_MS, self._kept)
        if not self._kept():
            # The rounds of a long partition may still have to end: only when the chain goes on is anything overdue.
            self._run_until(limit_ms, self._kept)
        if not self._kept():
            raise Violation(f"NO PROGRESS in {PROGRESS_MS} ms: {self._stuck()}")
        while not self._done():
            if self.timeline.now_ms >= limit_ms:
                raise Violation(f"NO END in {PROGRESS_MS} ms: {self._stuck()}")
            self.load.repeat_all()
            self._run_until(self.timeline.now_ms + 3_000, self._done)

    def _kept(self) -> bool:
        """Whether all that honest nodes, which never stopped since, took as pending is in the chain (what has to come
        before it in its lane being kept as well).
        """
        if self.ledger.height == 0:
            return False
        kept = [sent for sent in self.load.sent.values() if self._is_kept(sent)]
        places = {(sent.lane, sent.seq) for sent in kept}
        return not any(
            not self.ledger.settled(sent) and all((sent.lane, seq) in places for seq in self.ledger.waits_behind(sent))
            for sent in kept
        )

    def _is_kept(self, sent: Sent) -> bool:
        kept_by = sent.kept_by
        return any(self.nodes[index].incarnation == incarnation for index, incarnation in kept_by)

    def _done(self) -> bool:
        able = self._able()
        if not all(node.chain is not None and node.chain.tip.height == self.ledger.height for node in able):
            return False
        return all(self.ledger.settled(sent) for sent in self.load.sent.values())

    def _stuck(self) -> str:
        lines = [
            f"\n  node {node.index} {'honest' if node.honest else 'TRAITOR'} {_state(node)}" for node in self.nodes
        ]
        waiting = [s.submission_id.hex()[:8] for s in self.load.sent.values() if not self.ledger.settled(s)]
        return f"height {self.ledger.height}, waiting {waiting}{''.join(lines)}"

    # --- what goes wrong ---

    def _strike(self, strike: Strike) -> None:
        if self.healed:
            return
        node = self.nodes[strike.node]
        match strike.kind:
            case "partition" | "silent-partition" | "one-way" | "slow-link" | "reconnect":
                self._cut(strike)
            case "kill" | "power" | "blackout" | "trap" | "trap-start":
                self._crash(node, strike)
            case "remove" | "replace-key":
                self._vote(strike.kind, strike.node)
            case "disk-full" | "disk-error" | "slow-sync" | "clock-jump" | "slow-node":
                self._trouble(node, strike)
            case _:
                node.harm(strike.kind, strike.numbers[0])
        if strike.kind != "trap":  # which counts when it goes off
            self.count(strike.kind)

    def _cut(self, strike: Strike) -> None:
        """Something is wrong with links, for a while."""
        numbers, network = strike.numbers, self.network
        link = (strike.node, (strike.node + numbers[1]) % self.plan.size)
        match strike.kind:
            case "partition" | "silent-partition":
                network.part(numbers[1], numbers[0], strike.kind == "silent-partition")
            case "one-way":
                network.darken(link, numbers[0])
            case "slow-link":
                network.slow(link, numbers[0])
            case _:
                network.break_connection(*link, numbers[2])

    def _crash(self, node: Node, strike: Strike) -> None:
        """A process ends, now or at some boundary to come."""
        down_ms, end, *rest = strike.numbers
        match strike.kind:
            case "kill" | "power":
                node.kill(KILL if strike.kind == "kill" else 1 + end, down_ms)
            case "blackout":
                for each in self.honest:
                    each.kill(1 + end, down_ms)
            case _:
                if strike.kind == "trap-start":
                    node.kill(end, down_ms)
                node.trap = Trap(TRAPS[rest[0]], rest[1], end, down_ms)

    def _vote(self, kind: str, target: int) -> None:
        """The members vote on one of them."""
        seats = self.ledger.seats_at(1).validators
        if kind == "remove":
            expected = [seat for index, seat in enumerate(seats) if index != target]
        else:
            key = second_key(self, target).public_key
            expected = [replace(seat, key=key) if index == target else seat for index, seat in enumerate(seats)]
        self.ledger.expected = tuple(expected)
        Ballot(self, kind, target)

    def _trouble(self, node: Node, strike: Strike) -> None:
        """A disk or a clock is not as it should be, for a while."""
        trouble, numbers = node.disk.trouble, strike.numbers
        match strike.kind:
            case "disk-full":
                trouble.full_after = numbers[1]
                self._disk_errors.add(node.index)
                self.timeline.at(numbers[0], lambda: setattr(trouble, "full_after", None))
            case "disk-error":
                trouble.fail_after = numbers[0]
                self._disk_errors.add(node.index)
            case "slow-sync":
                trouble.slow_ms = numbers[1]
                self.timeline.at(numbers[0], lambda: setattr(trouble, "slow_ms", 0))
            case "clock-jump":
                node.clock.skew_ms = numbers[1]
                self.timeline.at(numbers[0], lambda: setattr(node.clock, "skew_ms", 0))
            case _:
                node.slow_ms = min(numbers[1], 150)
                self.timeline.at(numbers[0], lambda: setattr(node, "slow_ms", 0))

    def expects_disk_error(self, node: Node) -> bool:
        """Whether that node's disk was made to fail."""
        return node.index in self._disk_errors

    # --- what is seen ---

    def decode(self, frame: bytes) -> tuple[Message, ...]:
        """Decode a frame; the same bytes are decoded once for all (decoding is a function)."""
        found = self._frames.get(frame)
        if found is None:
            found = self._frames[frame] = decode_frame(frame)
        return found

    def transmit(self, node: Node, peer: int, frame: bytes, messages: tuple[Message, ...], ordered: bool) -> None:
        """One frame of one node to another."""
        if not node.honest:
            self.coven.send(node, peer, frame, messages, ordered)
            return
        self.network.send(node.index, peer, frame, node.lag_ms, ordered)

    def observe_frame(self, node: Node, frame: bytes) -> None:
        """A node is about to say this, to one or to all: what an honest one signs is held against what it signed."""
        if not node.honest or node.forgetful:
            return
        for data in consensus_of(self.decode(frame)):
            self.votes.on_message(node.org.encode(), decode_message(data, self.plan.size))

    def on_started(self, node: Node) -> None:
        """A process stands."""
        if not node.honest and node.machine is not None:
            self.coven.join(node.machine)
        if node.votes is not None and node.votes.amnesiac:
            node.forgetful = False  # it was noticed
        if node.honest and node.chain is not None:  # a crash may have come between a block's sync and its notice
            for height in range(self.ledger.height + 1, node.chain.tip.height + 1):
                self.ledger.on_block(node, height, node.chain.block_bytes(height))

    def on_notice(self, node: Node, notice: Notice) -> None:
        """What a node tells its surroundings."""
        if not node.honest:
            return
        match notice:
            case BlockCommitted():
                self.timeline.note(f"{node.index} {notice.height} {notice.block_hash.hex()[:16]}")
                chain = node.chain
                self.ledger.on_block(node, notice.height, None if chain is None else chain.block_bytes(notice.height))
            case Admission() if notice.status == COMMITTED:
                self.ledger.on_promise(node, notice)
            case Admission() if notice.status == BUSY and notice.submission_id in self.load.sent:
                self.load.sent[notice.submission_id].kept_by.discard((node.index, node.incarnation))
            case EvidenceFound():
                self._on_evidence(Evidence.decode(notice.evidence))
            case Alarm(code) if code in ("own-vote-unknown", "key-used-elsewhere"):
                if not node.damaged:
                    raise Violation(f"AMNESIA node {node.index} does not know its own vote: {notice}")
                self.note(code)
            case Alarm(code):
                raise Violation(f"ALARM of node {node.index}: {notice}")
            case AmnesiaEnded():
                self.note("amnesia ended")
            case _:
                pass

    def _on_evidence(self, evidence: Evidence) -> None:
        accused = self.ledger.seats_at(evidence.height).validators[evidence.accused].member
        if not self.nodes[self.index_of(accused)].forgetful:
            self.guilt.on_evidence(evidence)
            self.network.events["traitor convicted"] += 1


def _state(node: Node) -> str:
    if node.machine is None:
        return "refuses to start" if node.refuses else "down"
    status = node.machine.status()
    silent = "" if status.voting else " silent"
    why = "" if status.ready else f" not ready: {status.reason} {' '.join(status.missing)}"
    return f"height {status.height} round {status.round} mempool {status.mempool_items}{silent}{why}"


_genesis_once = cache(Genesis.decode)
"""A genesis is decoded once for all, like a frame."""


def problems_of(chain: ChainStore) -> list[str]:
    """What the production check of a store finds."""
    check = ChainCheck(chain, lambda *_: None)
    check.run()
    return [f"{problem.kind} {problem.height}: {problem.detail}" for problem in check.problems]


class _Chance:
    """The ``secrets`` of the vote log, drawn from the seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed} secrets")

    def token_bytes(self, count: int) -> bytes:
        """So many bytes."""
        return self._rng.randbytes(count)


def run_plan(plan: Plan) -> Outcome:
    """Run one plan.

    Raises:
        Violation: with the seed, the commit, the event and how to replay it.
    """
    with ExitStack() as stack:
        suite = stack.enter_context(suite_of(plan.real_suite))
        stack.enter_context(patch.object(vote_log_module, "secrets", _Chance(plan.seed)))
        run = Run(plan, suite)
        stack.enter_context(patch.object(machine_module, "decode_frame", run.decode))
        stack.enter_context(patch.object(Genesis, "decode", _genesis_once))
        try:
            run.run()
        except Exception as error:
            real = " --real" if plan.real_suite else ""
            what = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
            raise Violation(
                f"{what}\nseed {plan.seed}, n = {plan.size}, commit {commit()}, "
                f"event {run.timeline.events}, at {run.timeline.now_ms} ms\n"
                f"replay: python -m tests.simulation.nodes {plan.seed} {plan.size}{real}"
            ) from error
        return run.finish()


def run_seed(seed: int, size: int | None = None, real_suite: bool = False) -> Outcome:
    """Run one seed. Raises :class:`Violation` like :func:`run_plan`."""
    return run_plan(Plan.draw(seed, size, real_suite))
