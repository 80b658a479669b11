"""State transfer across a change of the validators, and verdicts in any order: the asking side alone, over a host that
only remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fazhi_ledger import dsse
from fazhi_ledger.block import Block, submissions_root
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.errors import FazhiError, InvalidSignature
from fazhi_ledger.header import Header
from fazhi_ledger.suites import ED25519_SHA256 as SUITE
from fazhi_ledger.validators import Validator, ValidatorSet
from fazhi_node.frames import Blocks, GetBlocks, Message
from fazhi_node.peers import PeerTable
from fazhi_node.ports import Job
from fazhi_node.sync import Delivered, Sync
from fazhi_node.verification import Verification

from .cluster import signer_of

GENESIS = SUITE.hash(b"a chain of a test")
OLD, NEW = ("a", "b", "c", "d"), ("b", "c", "d", "e")
CHANGE = 4
"""The first height that the new set certifies."""


def seats(epoch: int, orgs: Sequence[str]) -> ValidatorSet:
    first = 1 if epoch == 0 else CHANGE
    return ValidatorSet(epoch, first, tuple(Validator(org, signer_of(0, org).public_key) for org in orgs))


SETS = (seats(0, OLD), seats(1, NEW))


def set_at(height: int) -> ValidatorSet:
    return SETS[height >= CHANGE]


def certificate(block: Block, validators: ValidatorSet) -> bytes:
    header = block.header
    body = vote_body(GENESIS, header.height, 0, block.hash(SUITE))
    votes = tuple((i, dsse.sign(signer_of(0, validators.validators[i].member), dsse.COMMIT, body)) for i in range(3))
    return CommitCertificate(header.height, 0, block.hash(SUITE), votes).encode()


def chain(last: int) -> list[tuple[bytes, bytes]]:
    pairs, parent, zero = [], GENESIS, bytes(32)
    for height in range(1, last + 1):
        current, following = (set_at(h).hash(SUITE) for h in (height, height + 1))
        root = submissions_root(SUITE, ())
        header = Header(
            GENESIS, height, parent, height, "a", 0, root, zero, zero, zero, current, following, zero
        )  # fmt: skip
        block = Block(header, ())
        pairs.append((block.encode(), certificate(block, set_at(height))))
        parent = block.hash(SUITE)
    return pairs


class Host:
    """Commits whatever it is given, and answers signature checks when told to."""

    suite = SUITE
    genesis_hash = GENESIS
    voting = False
    tip_since_ms = 0

    def __init__(self) -> None:
        self.height, self.tip_hash = 0, GENESIS
        self.faults: list[tuple[str, str]] = []
        self.sent: list[Message] = []
        self.questions: dict[int, list[bool]] = {}
        self.peers = PeerTable("me", lambda _: None)
        self.peers.connected("x", 0)
        self.peers.claim("x", 99, bytes(32), 0)
        self.verification = Verification(self)
        self.sync = Sync(self, self.peers, self.verification)
        self.sync.poke()

    @property
    def validators(self) -> ValidatorSet:
        return set_at(self.height + 1)

    def now_ms(self) -> int:
        return 0

    def send(self, org: str, message: Message) -> None:
        self.sent.append(message)

    def peer_fault(self, org: str, error: FazhiError, *, ban: bool) -> None:
        self.faults.append((org, error.code))
        self.peers.fault(org, error.code, (), ban, 0)

    def commit_delivered(self, delivered: Delivered) -> None:
        assert delivered.block.header.height == self.height + 1
        assert delivered.block.header.validators_hash == self.validators.hash(SUITE), "not executable: the node stops"
        self.height, self.tip_hash = self.height + 1, delivered.block_hash

    def own_decision(self, height: int) -> bytes | None:
        return None

    def verify(self, token: int, jobs: Sequence[Job]) -> None:
        self.questions[token] = [self._holds(job) for job in jobs]

    @staticmethod
    def _holds(job: Job) -> bool:
        try:
            for check in job:
                check.run()
        except InvalidSignature:
            return False
        return True

    def answer(self, token: int) -> None:
        self.verification.on_verified(token, self.questions.pop(token))

    def serve(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        (asked,) = [message for message in self.sent if isinstance(message, GetBlocks)]
        self.sync.on_blocks("x", Blocks(asked.request, tuple(pairs)))


def test_blocks_behind_a_hand_over_wait_for_it() -> None:
    host = Host()
    host.serve(chain(6))
    assert list(host.questions) == [1, 2, 3], "who certifies height 4 is not known before height 3 is executed"
    for token in (1, 2, 3):
        host.answer(token)
    assert (host.height, list(host.questions)) == (3, [4, 5, 6])
    for token in (4, 5, 6):
        host.answer(token)
    assert (host.height, host.faults) == (6, [])


@pytest.mark.parametrize("order", [(3, 2, 1), (2, 3, 1), (1, 3, 2)])
def test_verdicts_in_any_order_commit_in_order(order: tuple[int, ...]) -> None:
    host = Host()
    host.serve(chain(3))
    for number, token in enumerate(order, 1):
        host.answer(token)
        assert host.height == max(h for h in range(4) if set(range(1, h + 1)) <= set(order[:number]))
    assert host.faults == []


def test_the_old_set_certifies_nothing_behind_the_hand_over() -> None:
    host = Host()
    pairs = chain(6)
    block = Block.decode(pairs[CHANGE - 1][0])
    pairs[CHANGE - 1] = (pairs[CHANGE - 1][0], certificate(block, SETS[0]))
    host.serve(pairs)
    for token in (1, 2, 3, 4):
        host.answer(token)
    assert (host.height, host.faults) == (3, [("x", "bad-certificate")])
    assert not host.sync.busy
    for token in list(host.questions):
        host.answer(token)
    assert (host.height, len(host.faults)) == (3, 1), "verdicts on what was given up change nothing"


def test_a_block_that_says_that_the_old_set_certifies_it_is_a_liars_and_not_our_own_fault() -> None:
    """Retired keys signed it, and it was checked while the hand-over before it was not executed yet. A certified block
    that cannot be executed stops a node: the keys of those who left could have stopped each one that was behind."""
    host = Host()
    pairs = chain(6)
    forged = replace(Block.decode(pairs[CHANGE - 1][0]).header, validators_hash=SETS[0].hash(SUITE))
    pairs[CHANGE - 1] = (Block(forged, ()).encode(), certificate(Block(forged, ()), SETS[0]))
    host.serve(pairs)
    for token in list(host.questions):
        host.answer(token)
    assert (host.height, host.faults) == (3, [("x", "bad-block")])
    assert not host.sync.busy
