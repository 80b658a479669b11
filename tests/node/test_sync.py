"""State transfer among lying, slow and racing peers. The liars hold real keys and real blocks where that helps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fazhi_contracts.chain import build_block
from fazhi_ledger import dsse
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_node import frames
from fazhi_node.frames import Blocks, GetBlocks, Message, StatusMessage
from fazhi_node.limits import BAN_MS, SYNC_BLOCKS, SYNC_TIMEOUT_MS
from fazhi_node.notices import OwnFault
from fazhi_node.peers import PeerMisbehaved, PeerTable

from .cluster import Cluster, signer_of


class Liar:
    """Stands in for a member's node on the network and answers as it is told."""

    def __init__(self, cluster: Cluster, org: str) -> None:
        self.cluster = cluster
        self.org = org
        self.port = cluster.network.port(org)
        self.claims: list[int] = []
        self.answer: Callable[[str, GetBlocks], list[Message]] = lambda *_: []
        self.asked = 0
        cluster.network.attach(org, self)  # type: ignore[arg-type]

    def tell(self, org: str, *messages: Message) -> None:
        self.port.send(org, frames.encode_frame(messages))

    def claim(self, org: str, height: int) -> None:
        self.tell(org, StatusMessage(self.cluster.genesis_hash, height, bytes(32)))

    def on_peer_connected(self, org: str) -> None:
        for height in self.claims:
            self.claim(org, height)

    def on_peer_lost(self, org: str) -> None:
        pass

    def on_frame(self, org: str, frame: bytes) -> None:
        for message in frames.decode_frame(frame):
            if isinstance(message, GetBlocks):
                self.asked += 1
                for answer in self.answer(org, message):
                    self.tell(org, answer)


def grown(height: int = 8, seed: int = 1) -> Cluster:
    """Three of four nodes are some blocks ahead; d has never run."""
    cluster = Cluster(seed, parameters={"heartbeat_ms": 1000})
    cluster.start("a", "b", "c")
    ids = [cluster.submit("a", [cluster.item(seq=seq)])[0] for seq in range(4)]
    cluster.run_until(lambda: all(node.height >= height for node in cluster.alive))
    assert cluster.committed_everywhere(ids)
    return cluster


def alone(cluster: Cluster, *orgs: str) -> None:
    """Only these, and whoever is attached under these names, are up from now on."""
    cluster.kill(*[node.org for node in cluster.alive if node.org not in orgs])


def pairs_of(cluster: Cluster, org: str) -> list[tuple[bytes, bytes]]:
    """All blocks of a node with their certificates."""
    reader = cluster[org].running.reader
    return [pair for h in range(1, reader.height + 1) if (pair := reader.block_and_certificate(h)) is not None]


def serving(pairs: list[tuple[bytes, bytes]]) -> Callable[[str, GetBlocks], list[Message]]:
    return lambda _, r: [Blocks(r.request, tuple(pairs[r.first - 1 : r.first - 1 + r.count]))]


def test_a_new_node_catches_up_in_bounded_chunks() -> None:
    with grown(3) as cluster:
        target = 2 * SYNC_BLOCKS + 5
        cluster.run_until(lambda: cluster["a"].height >= target, 400_000)
        alone(cluster, "a")
        requests = requests_of(cluster, "d")
        cluster.start("d")
        cluster.run_until(lambda: cluster["d"].height >= target, 5_000)
        assert cluster["d"].running.reader.block(target) == cluster["a"].running.reader.block(target)
        assert [request.first for _, request in requests] == [1, 1 + SYNC_BLOCKS, 1 + 2 * SYNC_BLOCKS]
        assert cluster["d"].faults == []


def requests_of(cluster: Cluster, org: str) -> list[tuple[str, GetBlocks]]:
    """What that node asks of whom from now on."""
    seen: list[tuple[str, GetBlocks]] = []

    def see(sender: str, receiver: str, frame: bytes) -> list[bytes]:
        if sender == org:
            seen.extend((receiver, m) for m in frames.decode_frame(frame) if isinstance(m, GetBlocks))
        return [frame]

    cluster.network.filter = see
    return seen


def long_chain(cluster: Cluster, height: int) -> list[tuple[bytes, bytes]]:
    """Blocks 1 … ``height`` or more; then nobody is up."""
    cluster.run_until(lambda: cluster["a"].height >= height, 400_000)
    pairs = pairs_of(cluster, "a")
    alone(cluster)
    return pairs


def test_ranges_are_asked_for_ahead_and_only_so_far() -> None:
    """While no signature is answered: one range under check, one that waits, and no third."""
    with grown(3) as cluster:
        pairs = long_chain(cluster, 3 * SYNC_BLOCKS)
        honest = Liar(cluster, "b")
        honest.claims = [len(pairs)]
        honest.answer = serving(pairs)
        requests = requests_of(cluster, "d")
        cluster.start("d")
        verifier = cluster["d"].verifier
        delay_ms = verifier._delay_ms
        verifier._delay_ms = lambda: 60_000
        cluster.run_for(10_000)
        assert cluster["d"].height == 0
        assert [request.first for _, request in requests] == [1, 1 + SYNC_BLOCKS]
        verifier._delay_ms = delay_ms
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 120_000)
        assert cluster["d"].faults == []


def test_who_follows_a_liar_is_not_blamed_for_it() -> None:
    """The last block of a range is a lie that only its signatures betray; the next range, from somebody else, arrives
    while they are under check."""
    with grown(3) as cluster:
        pairs = long_chain(cluster, SYNC_BLOCKS + 8)
        block = Block.decode(pairs[SYNC_BLOCKS - 1][0])
        other = Block(replace(block.header, time_ms=block.header.time_ms + 1), block.items)
        other_hash = other.hash(cluster.genesis_file.genesis.suite)
        unsigned = CommitCertificate(SYNC_BLOCKS, 0, other_hash, tuple((index, bytes(64)) for index in range(3)))
        liar, honest = Liar(cluster, "b"), Liar(cluster, "c")
        liar.claims = honest.claims = [len(pairs)]
        liar.answer = serving([*pairs[: SYNC_BLOCKS - 1], (other.encode(), unsigned.encode())])
        honest.answer = serving(pairs)
        requests = requests_of(cluster, "d")
        cluster.start("d")
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 20_000)
        assert [org for org, _ in requests[:2]] == ["b", "c"]
        assert cluster["d"].faults == [("b", "bad-certificate")]
        assert cluster["d"].running.reader.block(SYNC_BLOCKS) is not None


def test_own_decisions_overtake_what_has_arrived() -> None:
    """Blocks that wait are dropped once the tip has passed them."""
    with grown(3) as cluster:
        pairs = long_chain(cluster, SYNC_BLOCKS + 8)
        honest = Liar(cluster, "b")
        honest.claims = [len(pairs)]
        honest.answer = serving(pairs)
        cluster.start("d")
        cluster["d"].verifier._delay_ms = lambda: 2_000
        cluster.run_for(1_000)
        machine = cluster["d"].running
        for encoded, certificate in pairs[:8]:
            machine.decide(encoded, CommitCertificate.decode(certificate))
        assert cluster["d"].height == 8
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 120_000)
        assert cluster["d"].faults == []


def test_one_honest_peer_among_two_liars_is_enough() -> None:
    with grown() as cluster:
        pairs = pairs_of(cluster, "a")
        alone(cluster, "a")
        silent, garbage = Liar(cluster, "b"), Liar(cluster, "c")
        silent.claims = garbage.claims = [10**9]
        garbage.answer = lambda _, r: [Blocks(r.request, ((b"junk", b"junk"),))]
        cluster.start("d")
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 3 * SYNC_TIMEOUT_MS)
        cluster.run_for(2 * SYNC_TIMEOUT_MS)
        assert ("b", "sync-timeout") in cluster["d"].faults
        assert ("c", "bad-block") in cluster["d"].faults
        assert ("a", "bad-block") not in cluster["d"].faults
        assert cluster["d"].running.peers.get("c").banned_until_ms > cluster.world.now_ms


def test_heights_that_shrink_are_banned() -> None:
    with grown() as cluster:
        alone(cluster, "a")
        liar = Liar(cluster, "b")
        liar.claims = [10**9, 5]
        cluster.start("d")
        cluster.run_for(1_000)
        assert ("b", "shrinking-height") in cluster["d"].faults
        assert cluster["d"].running.status().best_height < 10**6
        assert cluster["d"].height == cluster["a"].height
        liar.claim("d", 10**9)
        cluster.run_for(1_000)
        assert cluster["d"].running.peers.get("b").height is None


def test_a_height_that_is_claimed_and_not_served_is_banned() -> None:
    with grown() as cluster:
        alone(cluster)
        liar = Liar(cluster, "b")
        liar.claims = [10**9]
        liar.answer = lambda _, r: [Blocks(r.request, ())]
        cluster.start("d")
        cluster.run_for(5_000)
        assert cluster["d"].faults == [("b", "claimed-height-not-served")]
        assert liar.asked == 1


def test_bans_grow() -> None:
    reports: list[int] = []
    table = PeerTable("me", lambda fault: reports.append(fault.banned_ms))
    table.connected("x", 0)
    for _ in range(3):
        table.fault("x", "bad-block", (), True, 0)
    assert reports == [BAN_MS, 2 * BAN_MS, 4 * BAN_MS]
    table.claim("x", 7, bytes(32), 0)
    assert table.sources(1, 0) == []


def test_a_reconnected_peer_may_be_lower_but_a_connected_one_may_not() -> None:
    table = PeerTable("me", lambda _: None)
    table.connected("x", 0)
    table.claim("x", 9, bytes(32), 0)
    with pytest.raises(PeerMisbehaved, match="shrinking-height"):
        table.claim("x", 8, bytes(32), 0)
    table.connected("x", 1)
    table.claim("x", 8, bytes(32), 1)
    assert [peer.org for peer in table.sources(8, 1)] == ["x"]


def test_one_liar_cannot_make_a_node_look_behind() -> None:
    with grown() as cluster:
        cluster.start("d")
        cluster.run_until(lambda: cluster["d"].height >= cluster["a"].height)
        cluster.kill("c")
        liar = Liar(cluster, "c")
        liar.claims = [10**9]
        cluster.run_for(2_500)
        status = cluster["d"].running.status()
        assert (status.ready, status.reason) == (True, "")


Tamper = Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]

TAMPERED: dict[str, Tamper] = {
    "certificate of another block": lambda p: [(p[0][0], p[1][1])],
    "certificate without quorum": lambda p: [(p[0][0], _thin(p[0][1]))],
    "certificate with a bad signature": lambda p: [(p[0][0], _spoil(p[0][1]))],
    "certificate with an unknown signer": lambda p: [(p[0][0], _stranger(p[0][1]))],
    "block of another height": lambda p: [p[1]],
    "same block twice": lambda p: [p[0], p[0]],
    "gap": lambda p: [p[0], p[2]],
    "header of one, items of another": lambda p: [(_mixed(p), p[0][1])],
    "truncated": lambda p: [(p[0][0][:-1], p[0][1])],
    "not canonical": lambda p: [(b"\xdc\x00\x02" + p[0][0][1:], p[0][1])],
}


def _thin(data: bytes) -> bytes:
    certificate = CommitCertificate.decode(data)
    return replace(certificate, signatures=certificate.signatures[:2]).encode()


def _spoil(data: bytes) -> bytes:
    certificate = CommitCertificate.decode(data)
    (index, signature), *rest = certificate.signatures
    return replace(certificate, signatures=((index, signature[::-1]), *rest)).encode()


def _stranger(data: bytes) -> bytes:
    certificate = CommitCertificate.decode(data)
    return replace(certificate, signatures=(*certificate.signatures, (77, bytes(64)))).encode()


def _mixed(pairs: list[tuple[bytes, bytes]]) -> bytes:
    first, *others = (Block.decode(data) for data, _ in pairs)
    return Block(first.header, next(other.items for other in others if other.items != first.items)).encode()


@pytest.mark.parametrize("what", sorted(TAMPERED))
def test_a_tampered_block_is_its_senders_fault_and_never_committed(what: str) -> None:
    with grown() as cluster:
        pairs = pairs_of(cluster, "a")
        alone(cluster)
        liar = Liar(cluster, "b")
        liar.claims = [len(pairs)]
        liar.answer = serving(TAMPERED[what](pairs))
        cluster.start("d")
        cluster.run_for(2_000)
        assert cluster["d"].height <= (1 if what == "gap" or what == "same block twice" else 0)
        ((org, code),) = cluster["d"].faults
        assert org == "b"
        assert code in {"bad-block", "bad-certificate", "certificate-of-another-block", "block-of-another-height"} | {
            "no-quorum",
            "unknown-signer",
        }
        assert cluster["d"].running.peers.get("b").banned_until_ms > cluster.world.now_ms
        cluster.network.detach("b")
        cluster.start("a")
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 5_000)


def certify(cluster: Cluster, block: Block, *orgs: str) -> CommitCertificate:
    """More than f members sign what they must not."""
    block_hash = block.hash(cluster.genesis_file.genesis.suite)
    body = vote_body(cluster.genesis_hash, block.header.height, 0, block_hash)
    signatures = tuple(
        (cluster.orgs.index(org), dsse.sign(signer_of(cluster.seed, org), dsse.COMMIT, body)) for org in orgs
    )
    return CommitCertificate(block.header.height, 0, block_hash, signatures)


def test_a_certified_block_that_does_not_execute_so_stops_the_node() -> None:
    with grown() as cluster:
        alone(cluster)
        cluster.start("d")
        store = cluster["d"].store
        assert store is not None
        built = build_block(store.state(), "b", store.tip.time_ms + 1, ())
        wrong = Block(replace(built.block.header, state_root=bytes(32)), ())
        liar = Liar(cluster, "b")
        liar.claims = [1]
        liar.answer = serving([(wrong.encode(), certify(cluster, wrong, "a", "b", "c").encode())])
        with pytest.raises(OwnFault, match="decided-block-not-executable"):
            cluster.run_for(2_000)
        assert isinstance(cluster["d"].running.fault, OwnFault)
        assert store.tip.height == 0
        assert cluster["d"].running.status().reason == "stopped"


def test_a_certified_block_with_a_bad_item_signature_stops_the_node() -> None:
    with grown() as cluster:
        alone(cluster)
        cluster.start("d")
        store = cluster["d"].store
        assert store is not None
        item = cluster.item()
        forged = type(item)(item.body_bytes, (bytes(64),), ())
        block = build_block(store.state(), "b", store.tip.time_ms + 1, (forged,)).block
        liar = Liar(cluster, "b")
        liar.claims = [1]
        liar.answer = serving([(block.encode(), certify(cluster, block, "a", "b", "c").encode())])
        with pytest.raises(OwnFault, match="certified-block-with-bad-signature"):
            cluster.run_for(2_000)
        assert store.tip.height == 0


def test_a_decision_and_the_same_block_by_sync_are_delivered_once() -> None:
    """SmartBFT #484: whoever comes second finds the tip moved on. The cluster fails on a second delivery."""
    for seed in range(4):
        with grown(3, seed) as cluster:
            cluster.start("d")
            cluster.run_until(lambda c=cluster: c["d"].height >= 3)  # type: ignore[misc]
            start = cluster["d"].height

            def push(a: str, b: str, frame: bytes, cluster: Cluster = cluster) -> list[bytes]:
                """Every frame to d comes with the newest blocks, unasked, before and after."""
                if b != "d" or a not in cluster.network.machines:
                    return [frame]
                reader = cluster[a].running.reader
                extra = [
                    frames.encode_frame([Blocks(0, (pair,))])
                    for h in (reader.height - 1, reader.height)
                    if (pair := reader.block_and_certificate(h)) is not None
                ]
                return [*extra, frame, *extra]

            cluster.network.filter = push
            ids = [cluster.submit("d", [cluster.item("d", seq)])[0] for seq in range(10)]
            cluster.run_until(lambda c=cluster, i=ids: c.committed_everywhere(i), 10_000)  # type: ignore[misc]
            cluster.run_for(3_000)
            assert cluster["d"].height > start
            assert cluster["d"].faults == []


def test_blocks_that_nobody_asked_for_cost_nothing_but_a_look() -> None:
    with grown() as cluster:
        pairs = pairs_of(cluster, "a")
        alone(cluster)
        liar = Liar(cluster, "b")
        cluster.start("d")
        cluster.run_for(100)
        checked = cluster["d"].verifier.checked
        liar.tell("d", Blocks(0, (pairs[3],)), Blocks(0, tuple(pairs)), Blocks(99, tuple(pairs)))
        cluster.run_for(100)
        assert cluster["d"].height == 0
        assert cluster["d"].verifier.checked == checked
        liar.tell("d", Blocks(0, (pairs[0],)))
        cluster.run_for(100)
        assert cluster["d"].height == 1


def test_a_flood_of_requests_is_answered_only_so_often() -> None:
    with grown() as cluster:
        liar = Liar(cluster, "d")
        answers: list[int] = []
        original = liar.on_frame

        def count(org: str, frame: bytes) -> None:
            answers.extend(1 for m in frames.decode_frame(frame) if isinstance(m, Blocks))
            original(org, frame)

        liar.on_frame = count  # type: ignore[method-assign]
        cluster.run_for(10)
        for number in range(500):
            liar.tell("a", GetBlocks(number + 1, 1, SYNC_BLOCKS))
        cluster.run_for(500)
        assert 0 < len(answers) <= 40
