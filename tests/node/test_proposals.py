"""Proposals that must not be voted for, items that break the execution, and the times that a block may bear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fazhi_consensus.messages import Claim, Prepare, PrePrepare
from fazhi_consensus.wire import decode_message, encode_message
from fazhi_contracts import execution
from fazhi_contracts.chain import ChainState, build_block
from fazhi_contracts.context import Call, Effect
from fazhi_ledger import dsse
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import vote_body
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.header import Header
from fazhi_ledger.submission import Item
from fazhi_node import frames
from fazhi_node.frames import Blocks, ConsensusMessage
from fazhi_node.limits import DECIDED_ANSWER_MS, FAULT_BYTES, PATIENCE, PROPOSAL_DECODED_TIMES
from fazhi_node.notices import EvidenceFound, OwnFault
from fazhi_node.payload import decode_payload
from fazhi_node.peers import FLOODING
from fazhi_node.timekeeping import check_fresh, proposal_time_ms

from .cluster import SUITE, Cluster, signer_of
from .test_hostile import decodings
from .test_sync import Liar
from .world import START_MS

PARAMETERS = {"heartbeat_ms": 5_000, "max_clock_skew_ms": 3_000}


class Turn:
    """Height 3 of a chain of four, whose proposer d is not honest; a, b and c are."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.prepared: list[bytes] = []
        cluster.start("a", "b", "c")
        cluster.run_until(lambda: all(node.height == 1 for node in cluster.alive))
        ids = cluster.submit("a", [cluster.item("b")])
        cluster.run_until(lambda: cluster.committed_everywhere(ids))
        assert all(node.height == 2 for node in cluster.alive)
        self.liar = Liar(cluster, "d")
        cluster.run_for(50)
        cluster.network.filter = self._listen

    def _listen(self, sender: str, receiver: str, frame: bytes) -> list[bytes]:
        for message in frames.decode_frame(frame):
            if isinstance(message, ConsensusMessage):
                vote = decode_message(message.data, 4)
                if isinstance(vote, Prepare):
                    self.prepared.append(vote.block_hash)
        return [frame]

    @property
    def base(self) -> ChainState:
        store = self.cluster["a"].store
        assert store is not None
        return store.state()

    @property
    def now_ms(self) -> int:
        return START_MS + self.cluster.world.now_ms

    def build(self, items: tuple[Item, ...], time_ms: int | None = None, proposer: str = "d") -> Block:
        return build_block(self.base, proposer, self.now_ms if time_ms is None else time_ms, items).block

    def propose(self, block: Block, payload: bytes | None = None, *, within_ms: int = 100) -> bytes:
        """Send the block as d's proposal of round 0, or something else in its place; answers its hash."""
        block_hash = block.hash(SUITE)
        body = vote_body(self.cluster.genesis_hash, 3, 0, block_hash)
        claim = Claim(3, 3, 0, block_hash, dsse.sign(signer_of(self.cluster.seed, "d"), dsse.PRE_PREPARE, body))
        message = ConsensusMessage(encode_message(PrePrepare(claim, payload or block.encode())))
        for org in "abc":
            self.liar.tell(org, message)
        self.cluster.run_for(within_ms)
        return block_hash


@contextmanager
def turn() -> Iterator[Turn]:
    with Cluster(1, parameters=PARAMETERS) as cluster:
        yield Turn(cluster)


def test_a_good_proposal_of_the_same_making_is_voted_for() -> None:
    """The control: what the tests below spoil would have passed."""
    with turn() as t:
        block_hash = t.propose(t.build((t.cluster.item(),)))
        assert t.prepared.count(block_hash) == 9
        assert all(node.height == 3 for node in t.cluster.alive)
        assert all(node.faults == [] for node in t.cluster.alive)


def test_of_one_round_two_proposals_are_decoded_and_each_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block takes a hundred times as long to decode as to send: a proposer that signs one after the other, or says
    two in turn without an end, had kept a node from everything else."""
    with turn() as t:
        built = [t.build((t.cluster.item(args=number),)) for number in range(20)]
        blocks = [Block(replace(one.header, state_root=bytes(32)), one.items) for one in built]  # nobody votes for them
        decoded = decodings(monkeypatch)
        for block in (*blocks[:2] * 20, *blocks):
            t.propose(block, within_ms=1)
        assert {bytes(data) for data in decoded} == {block.encode() for block in blocks[:2]}
        assert len(decoded) <= 3 * 2 * PROPOSAL_DECODED_TIMES, "by three nodes"
        for node in t.cluster.alive:
            assert [one.org for one in node.notices if isinstance(one, EvidenceFound)] == ["d"]
            assert set(node.faults) == {("d", "proposal-withheld"), ("d", "third-proposal")}


def test_no_block_is_decoded_of_a_height_that_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who still works on it is answered with what was decided, whatever it says."""
    with turn() as t:
        blocks = [t.build((t.cluster.item(args=number),)) for number in range(20)]
        t.propose(blocks[0])
        assert all(node.height == 3 for node in t.cluster.alive)
        decoded = decodings(monkeypatch)
        told: list[Blocks] = []

        def listen(sender: str, receiver: str, frame: bytes) -> list[bytes]:
            if receiver == "d":
                told.extend(one for one in frames.decode_frame(frame) if isinstance(one, Blocks))
            return [frame]

        t.cluster.network.filter = listen
        t.cluster.run_for(DECIDED_ANSWER_MS)
        for block in blocks[1:]:
            t.propose(block, within_ms=1)
        t.cluster.run_for(50)
        assert decoded == []
        assert all(node.faults == [] for node in t.cluster.alive)
        assert len(told) == 3, "of each of the three, once in a while"
        assert {decode_payload(SUITE, one.blocks[0][0])[1] for one in told} == {blocks[0].hash(SUITE)}


def test_who_spoils_anothers_proposal_does_not_keep_it_from_being_decoded() -> None:
    """The claim of the proposer, heard on the wire, beside a block that is not the one."""
    with turn() as t:
        block = t.build((t.cluster.item(),))
        for _ in range(2 * PROPOSAL_DECODED_TIMES):
            t.propose(block, t.build((t.cluster.item(args=7),)).encode(), within_ms=1)
        block_hash = t.propose(block)
        assert t.prepared.count(block_hash) == 9
        assert all(node.height == 3 for node in t.cluster.alive)
        assert {fault for node in t.cluster.alive for fault in node.faults} == {("d", "block-of-another-hash")}


def test_a_large_fault_uses_up_patience_at_once() -> None:
    with turn() as t:
        block = t.build((t.cluster.item(),))
        for _ in range(2):
            t.propose(block, bytes(PATIENCE * FAULT_BYTES), within_ms=5)
        for node in t.cluster.alive:
            assert ("d", FLOODING) in node.faults


def header(**changes: object) -> Callable[[Turn], Block]:
    def spoil(t: Turn) -> Block:
        block = t.build((t.cluster.item(),))
        return Block(replace(block.header, **changes), block.items)  # type: ignore[arg-type]

    return spoil


def forged(t: Turn) -> Block:
    item = t.cluster.item()
    return t.build((Item(item.body_bytes, (bytes(64),)),))


def twice(t: Turn) -> Block:
    block = t.build((t.cluster.item(),))
    return _with_items(block, (t.cluster.item(), t.cluster.item()))


def gap(t: Turn) -> Block:
    return _with_items(t.build((t.cluster.item(),)), (t.cluster.item(seq=1),))


def stranger(t: Turn) -> Block:
    return _with_items(t.build((t.cluster.item(),)), (t.cluster.item(signer=signer_of(9, "nobody")),))


def expired(t: Turn) -> Block:
    return _with_items(t.build((t.cluster.item(),)), (t.cluster.item(until_ms=t.now_ms - 1),))


def _with_items(block: Block, items: tuple[Item, ...]) -> Block:
    """The same header over other items, its count and root made to fit."""
    from fazhi_ledger.block import submissions_root

    fitting = replace(block.header, submission_count=len(items), submissions_root=submissions_root(SUITE, items))
    return Block(fitting, items)


WITHHELD: dict[str, tuple[Callable[[Turn], Block], str]] = {
    "state root": (header(state_root=bytes(32)), "wrong-header-field"),
    "results root": (header(results_root=bytes(32)), "wrong-header-field"),
    "history root": (header(history_root=bytes(32)), "wrong-header-field"),
    "rules": (header(rules_hash=bytes(32)), "wrong-header-field"),
    "validators": (header(validators_hash=bytes(32)), "wrong-header-field"),
    "next validators": (header(next_validators_hash=bytes(32)), "wrong-header-field"),
    "parent": (header(parent_hash=bytes(32)), "wrong-header-field"),
    "genesis": (header(genesis_hash=bytes(32)), "wrong-header-field"),
    "height": (header(height=4), "wrong-header-field"),
    "proposer": (lambda t: t.build((t.cluster.item(),), proposer="a"), "wrong-header-field"),
    "too early": (lambda t: t.build((t.cluster.item(),), t.now_ms - 3_500), "time-far-from-clock"),
    "too late": (lambda t: t.build((t.cluster.item(),), t.now_ms + 3_500), "time-far-from-clock"),
    "empty": (lambda t: t.build(()), "empty-before-heartbeat"),
    "forged item": (forged, "bad-signature-in-block"),
    "item twice": (twice, "wrong-seq"),
    "gap in a lane": (gap, "wrong-seq"),
    "unknown key": (stranger, "unknown-key"),
    "expired item": (expired, "expired"),
}


@pytest.mark.parametrize("what", sorted(WITHHELD))
def test_a_bad_proposal_is_not_voted_for_and_does_not_stop_the_chain(what: str) -> None:
    spoil, reason = WITHHELD[what]
    with turn() as t:
        t.cluster.run_for(4_000)  # so that there is room between the parent's time and the clock
        block_hash = t.propose(spoil(t))
        assert block_hash not in t.prepared
        for node in t.cluster.alive:
            (notice,) = [n for n in node.notices if getattr(n, "code", "") == "proposal-withheld"]
            assert dict(notice.parameters)["reason"] == reason  # type: ignore[union-attr]
        ids = t.cluster.submit("b", [t.cluster.item("c")])
        t.cluster.run_until(lambda: t.cluster.committed_everywhere(ids), 20_000)
        assert t.cluster.blocks[3] != block_hash


def test_a_payload_that_its_hash_does_not_bind_is_no_message_at_all() -> None:
    with turn() as t:
        block = t.build((t.cluster.item(),))
        other = Block(block.header, (t.cluster.item(args="other"),))
        assert t.propose(other) not in t.prepared
        assert all(("d", "no-block") in node.faults for node in t.cluster.alive)


def test_records_are_bound_by_the_hash() -> None:
    item = Cluster().item(contract="cases", action="record", args=(1, bytes(32)))
    bare = Header(bytes(32), 1, bytes(32), 1, "a", 1, *[bytes(32)] * 7)
    for records in ((), (b"x",)):
        loaded = Item(item.body_bytes, item.signatures, records)
        block = _with_items(Block(bare, ()), (loaded,))
        with pytest.raises(InvalidBlock, match="unbound-records"):
            decode_payload(SUITE, block.encode())


# Items that break the execution


class Trap:
    """A fault in a contract, on demand: executing an item whose args are "trap" raises something unexpected."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.armed = True

        def note(call: Call) -> Effect:
            if self.armed and call.body.args == "trap":
                raise ZeroDivisionError("a bug")
            return Effect()

        monkeypatch.setitem(execution.ACTIONS, ("points", "note"), note)


def test_an_item_that_breaks_the_execution_is_quarantined_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Trap(monkeypatch)
    with Cluster(2, parameters=PARAMETERS) as cluster:
        cluster.start()
        cluster.run_until(lambda: all(node.height == 1 for node in cluster.alive))
        items = [cluster.item("a"), cluster.item("b", args="trap"), cluster.item("c"), cluster.item("d")]
        ids = cluster.submit("a", items)
        good = [ids[0], ids[2], ids[3]]
        cluster.run_until(lambda: cluster.committed_everywhere(good), 30_000)
        assert not any(cluster.committed(org, ids[1]) for org in "abcd")
        assert any("item-quarantined" in node.alarms for node in cluster.alive)
        quarantined = next(node for node in cluster.alive if "item-quarantined" in node.alarms)
        answer = cluster.submit_raw(quarantined.org, [items[1].encode()])[0]
        assert (answer.status, answer.code) == ("invalid", "quarantined")
        more = cluster.submit("b", [cluster.item("c", seq) for seq in range(1, 9)])
        cluster.run_until(lambda: cluster.committed_everywhere(more), 60_000)


def test_a_proposal_that_breaks_the_execution_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    trap = Trap(monkeypatch)
    with turn() as t:
        trap.armed = False
        block = t.build((t.cluster.item("a"), t.cluster.item("b", 1, args="trap"), t.cluster.item("c")))
        trap.armed = True
        assert t.propose(block) not in t.prepared
        assert all(node.alarms == ["item-quarantined"] for node in t.cluster.alive)


def test_a_decided_block_that_breaks_the_execution_stops_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three nodes have no bug; the fourth, which has, must not follow them with another state."""
    with Cluster(3, parameters=PARAMETERS) as cluster:
        cluster.start("a", "b", "c")
        cluster.run_until(lambda: all(node.height == 1 for node in cluster.alive))
        ids = cluster.submit("a", [cluster.item(args="trap")])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 20_000)
        cluster.kill("b", "c")
        Trap(monkeypatch)
        cluster.start("d")
        with pytest.raises(OwnFault, match="decided-block-not-executable"):
            cluster.run_for(2_000)
        assert cluster["d"].store is not None
        assert cluster["d"].store.tip.height == cluster["a"].height - 1


# Times


def stamped(time_ms: int, count: int = 1) -> Header:
    return Header(bytes(32), 2, bytes(32), time_ms, "a", count, *[bytes(32)] * 7)


@pytest.mark.parametrize(
    ("time_ms", "clock_ms", "code"),
    [
        (101, 101, None),
        (100, 100, "time-not-after-parent"),
        (99, 99, "time-not-after-parent"),
        (3_101, 101, None),
        (3_102, 101, "time-far-from-clock"),
        (101, 3_101, None),
        (101, 3_102, "time-far-from-clock"),
        (101, -10_000, None),  # parent + 1 where that is later than the clock
        (102, -10_000, "time-far-from-clock"),
        (101, 10_000, "time-far-from-clock"),  # parent + 1, but the clock is later: too old
    ],
)
def test_the_time_of_a_fresh_proposal(time_ms: int, clock_ms: int, code: str | None) -> None:
    parameters = Cluster(1, parameters=PARAMETERS).genesis_file.genesis.parameters
    try:
        check_fresh(stamped(time_ms), 100, clock_ms, 0, parameters)
        found = None
    except InvalidBlock as error:
        found = error.code
    assert found == code


def test_empty_blocks_are_heartbeats_in_round_0_only() -> None:
    parameters = Cluster(1, parameters=PARAMETERS).genesis_file.genesis.parameters
    check_fresh(stamped(5_100, 0), 100, 5_100, 0, parameters)
    with pytest.raises(InvalidBlock, match="empty-before-heartbeat"):
        check_fresh(stamped(5_099, 0), 100, 5_099, 0, parameters)
    check_fresh(stamped(5_099, 0), 100, 5_099, 1, parameters)


def test_a_proposal_moves_on_even_where_the_clock_does_not() -> None:
    assert proposal_time_ms(500, 100) == 500
    assert proposal_time_ms(100, 100) == 101
    assert proposal_time_ms(-5, 100) == 101
