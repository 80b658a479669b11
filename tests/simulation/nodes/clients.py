"""Clients of several gateways: they submit, ask twice, try again elsewhere, contradict themselves, send nonsense, and
remember every answer.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fazhi_ledger.canonical import Value
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.record import Record, case_key, records_root
from fazhi_ledger.submission import Item, SubmissionBody, sign_item
from fazhi_node.admission import Checked
from fazhi_node.machine import Machine
from fazhi_node.notices import COMMITTED, PENDING, Admission

from tests.contracts.builders import SPINE, USUAL_CLEAR
from tests.node.world import START_MS

from .disk import flip
from .genesis import org_of, signer_of
from .plan import change_of

if TYPE_CHECKING:
    from .node import Node
    from .run import Run

LaneKey = tuple[str, bytes, bytes]


@dataclass
class Sent:
    """One submission, and what was answered to it. ``kept_by``: (node, incarnation) that said it is pending, its
    signatures checked.
    """

    data: bytes
    submission_id: bytes
    lane: LaneKey
    seq: int
    until_ms: int | None
    kept_by: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class Client:
    """One officer of one organisation, or several that sign together, with one lane."""

    org: int
    words: tuple[str, ...]
    lane: bytes
    seq: int = 0
    step: int = 0


def submit(machine: Machine, items: list[bytes], client: str, done: Checked | None) -> None:
    """Submit; the answers come by ``done`` alone."""
    machine.submit(items, client, done)


class Load:
    """All clients of a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rng = random.Random(f"{run.plan.seed} clients")
        self.sent: dict[bytes, Sent] = {}
        self._clients = [self._client(index) for index in range(self.rng.randint(2, 5))]
        self._signers: dict[str, SoftwareSigner] = {}

    def _client(self, number: int) -> Client:
        change = change_of(self.run.plan)
        left = [index for index in range(self.run.plan.size) if change != ("remove", index)]
        org = self.rng.choice(left)
        words: tuple[str, ...] = ("officer-1",)
        if self.run.plan.cases and number % 2 == 0:
            words = ("officer-1", "officer-2", "head", "reviewer")
        return Client(org, words, self._lane())

    def _lane(self) -> bytes:
        return self.rng.randbytes(16)

    def plan(self) -> None:
        """Set down when something is submitted, and when somebody asks."""
        run = self.run
        for _ in range(run.plan.items):
            run.timeline.at(self.rng.randint(0, run.plan.calm_ms), self.submit)
        for _ in range(run.plan.items // 2):
            run.timeline.at(self.rng.randint(500, run.plan.calm_ms), self._ask)
            run.timeline.at(self.rng.randint(500, run.plan.calm_ms), self._try_again)

    # Acts

    def submit(self) -> None:
        """One client sends its next submission, or a few, to one gateway or two."""
        rng = self.rng
        client = rng.choice(self._clients)
        items = []
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            if rng.random() < 0.1:  # in a lane of its own: nothing has to wait behind it
                until_ms = START_MS + self.run.timeline.now_ms + rng.randint(1_000, 15_000)
                items.append(self._make(client, self._lane(), 0, until_ms))
            else:
                items.append(self._make(client, client.lane, client.seq, None))
                client.seq += 1
        gateways = rng.sample(self.run.nodes, 2 if rng.random() < 0.2 else 1)
        for gateway in gateways:
            self.send(gateway, items)
        if rng.randrange(100) < self.run.plan.conflicts_percent:
            rival = self._make(client, items[-1].lane[2], items[-1].seq, None)
            self.send(rng.choice(self.run.nodes), [rival])
        if rng.random() < 0.05:
            self._nonsense(items[-1])

    def _nonsense(self, sent: Sent) -> None:
        data = flip(self.rng, sent.data) if self.rng.random() < 0.8 else self.rng.randbytes(200)
        gateway = self.rng.choice(self.run.nodes)
        gateway.turn(lambda machine: submit(machine, [data], "stranger", None))

    def _try_again(self) -> None:
        """A client that does not know what became of something sends it again, anywhere."""
        waiting = [sent for sent in self.sent.values() if not self.run.ledger.holds(sent.submission_id)]
        if waiting:
            self.send(self.rng.choice(self.run.nodes), [self.rng.choice(waiting)])

    def repeat_all(self) -> None:
        """Every client sends again, to one gateway, all that is not settled: what an outbox does."""
        waiting = [sent for sent in self.sent.values() if not self.run.ledger.settled(sent)]
        able = [node for node in self.run.honest if node.alive]
        if able:
            self.send(self.rng.choice(able), waiting)

    def _ask(self) -> None:
        """Somebody asks a gateway what became of a submission."""
        if self.sent:
            sent = self.rng.choice(list(self.sent.values()))
            node = self.rng.choice(self.run.honest)
            node.turn(lambda machine: self._asked(node, machine, sent.submission_id))

    def _asked(self, node: Node, machine: Machine, submission_id: bytes) -> None:
        self.run.reads.on_read(node, machine.height, submission_id, machine.submission(submission_id))

    def send(self, node: Node, items: list[Sent]) -> None:
        incarnation = node.incarnation

        def answered(answers: list[Admission]) -> None:
            for sent, answer in zip(items, answers, strict=True):
                if answer.status == PENDING and answer.checked and node.honest:
                    sent.kept_by.add((node.index, incarnation))
                elif answer.status == COMMITTED and node.honest:
                    self.run.ledger.on_promise(node, answer)

        node.turn(lambda machine: submit(machine, [sent.data for sent in items], "clients", answered))

    # What they sign

    def _signer(self, org: int, word: str) -> SoftwareSigner:
        name = f"{org_of(org)} {word}"
        if name not in self._signers:
            self._signers[name] = signer_of(self.run.suite, name)
        return self._signers[name]

    def _make(self, client: Client, lane: bytes, seq: int, until_ms: int | None) -> Sent:
        rng, run = self.rng, self.run
        records: tuple[bytes, ...] = ()
        signers = [self._signer(client.org, word) for word in client.words]
        contract, action = "points", "note"
        args: Value = rng.getrandbits(20)
        if len(client.words) > 1:
            records = self._records(client)
            contract, action, args = "cases", "record", (len(records), records_root(run.suite, records))
        return self.sign(org_of(client.org), signers, lane, seq, contract, action, args, records, until_ms)

    def sign(
        self,
        org: str,
        signers: Sequence[SoftwareSigner],
        lane: bytes,
        seq: int,
        contract: str,
        action: str,
        args: Value,
        records: tuple[bytes, ...] = (),
        until_ms: int | None = None,
    ) -> Sent:
        """One submission, signed; it will be sent until it is settled."""
        run = self.run
        keys = tuple(signer.public_key for signer in signers)
        now_ms = START_MS + run.timeline.now_ms
        draft, genesis_hash = self.rng.randbytes(16), run.genesis_file.hash()
        body = SubmissionBody(genesis_hash, org, lane, seq, draft, contract, action, args, keys, now_ms, None, until_ms)
        item: Item = sign_item(body, signers, records)
        sent = Sent(item.encode(), item.id(run.suite), (org, keys[0], lane), seq, until_ms)
        self.sent[sent.submission_id] = sent
        return sent

    def _records(self, client: Client) -> tuple[bytes, ...]:
        """The next steps of the client's case; a new case after the last."""
        suite = self.run.suite
        records = []
        for _ in range(self.rng.randint(1, 3)):
            docket, step = divmod(client.step, len(SPINE))
            client.step += 1
            key = case_key(suite, org_of(client.org), "penalty", f"{client.lane.hex()}-{docket}")
            clear = tuple(sorted(USUAL_CLEAR.get(SPINE[step], {}).items()))
            root = suite.hash(hashlib.sha256(f"{docket} {step}".encode()).digest())
            at_ms = START_MS + self.run.timeline.now_ms
            records.append(Record("penalty", key, SPINE[step], at_ms, 1, root, clear).encode())
        return tuple(records)
