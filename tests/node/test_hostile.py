"""A member's node that turns on the others: it is reported and not heard, and they go on. What it could make
grow, and the bound of it, stands in SECURITY.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fazhi_consensus.messages import BlockReply, Commit, RoundChange, round_change_body
from fazhi_consensus.wire import encode_message
from fazhi_ledger import dsse
from fazhi_ledger.canonical import encode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.submission import Item
from fazhi_node import frames, payload, sync
from fazhi_node.frames import Blocks, ConsensusMessage, GetBlocks, ItemsMessage, Message, StatusMessage
from fazhi_node.limits import (
    BAN_MS,
    FAULT_COST,
    FORGIVE_MS,
    HELD_MS,
    MAX_FRAME_MESSAGES,
    MUTE_MS,
    PATIENCE,
    PATIENCE_PER_S,
    REFUSED_ITEMS,
    STREAM_COST,
)
from fazhi_node.notices import PeerFault
from fazhi_node.payload import PayloadCache
from fazhi_node.peers import FLOODING, SYNC_TIMEOUT, PeerTable

from .cluster import Cluster, signer_of
from .test_admission import with_liar
from .test_sync import Liar, alone, grown, pairs_of, serving

Flood = Callable[[Cluster, int], Iterator[bytes]]


def decodings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every block that is decoded from here on."""
    decoded: list[bytes] = []
    original = payload.decode_payload

    def decode(suite: object, data: bytes, known: object = None) -> object:
        decoded.append(data)
        return original(suite, data, known)  # type: ignore[arg-type]

    monkeypatch.setattr(payload, "decode_payload", decode)
    monkeypatch.setattr(sync, "decode_payload", decode)
    return decoded


def consensus(*messages: RoundChange | Commit | BlockReply) -> bytes:
    return frames.encode_frame([ConsensusMessage(encode_message(message)) for message in messages])


def garbage(cluster: Cluster, height: int) -> Iterator[bytes]:
    """Bytes that are no frame."""
    while True:
        yield b"garbage"


def votes_with_bad_signatures(cluster: Cluster, height: int) -> Iterator[bytes]:
    """Each has to be looked at: its form is right."""
    round_ = 0
    while True:
        yield consensus(*(Commit(3, height, round_ + n, bytes(32), bytes(64)) for n in range(200)))
        round_ += 200


def rounds_without_end(cluster: Cluster, height: int) -> Iterator[bytes]:
    """Each is well signed, each for a higher round than the one before."""
    signer, round_ = signer_of(cluster.seed, "d"), 2**31
    while True:
        body = round_change_body(cluster.genesis_hash, height, round_, None)
        signature = dsse.sign(signer, dsse.ROUND_CHANGE, body)
        yield consensus(RoundChange(3, height, round_, None, None, signature, (), None))
        round_ += 1


def gossip_with_bad_signatures(cluster: Cluster, height: int) -> Iterator[bytes]:
    """Items of a form that an honest node would take, each another one."""
    seq = 0
    while True:
        items = [cluster.item("d", seq=0, lane=lane % 256, args=seq) for lane in range(20)]
        yield frames.encode_frame([ItemsMessage(tuple(Item(i.body_bytes, (bytes(64),)).encode() for i in items))])
        seq += 1


def the_same_status(cluster: Cluster, height: int) -> Iterator[bytes]:
    """Nothing is wrong with it, but that it never ends."""
    while True:
        yield frames.encode_frame([StatusMessage(cluster.genesis_hash, 1, bytes(32))] * MAX_FRAME_MESSAGES)


def requests(cluster: Cluster, height: int) -> Iterator[bytes]:
    """The same, of something that costs an answer."""
    while True:
        yield frames.encode_frame([GetBlocks(1, 1, 64)] * 100)


def frames_without_messages(cluster: Cluster, height: int) -> Iterator[bytes]:
    """They say nothing, and have to be read all the same."""
    while True:
        yield encode((frames.FRAME_VERSION,))


FLOODS: tuple[Flood, ...] = (
    garbage,
    votes_with_bad_signatures,
    rounds_without_end,
    gossip_with_bad_signatures,
    the_same_status,
    requests,
    frames_without_messages,
)


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_who_floods_is_reported_and_not_heard_and_the_others_go_on(flood: Flood) -> None:
    cluster, liar = with_liar()
    with cluster:
        stream = flood(cluster, cluster["a"].height + 1)

        def flooded() -> bool:
            for _ in range(40):
                liar.port.send("a", next(stream))
            cluster.run_for(5)
            return ("d", FLOODING) in cluster["a"].faults

        assert any(flooded() for _ in range(400))
        machine = cluster["a"].running
        assert 0 < machine.peers.muted_ms("d", machine.now_ms()) <= MUTE_MS
        known = list(cluster["a"].faults)
        checked = cluster["a"].verifier.checked
        machine.on_frame("d", next(stream))  # it is not even looked at
        machine.on_frame("d", b"garbage")
        assert cluster["a"].faults == known
        assert cluster["a"].verifier.checked == checked
        ids = cluster.submit("a", [cluster.item("a")]) + cluster.submit("b", [cluster.item("b")])
        cluster.run_until(lambda: cluster.committed_everywhere(ids), 20_000)
        assert {org for org, _ in cluster["a"].faults} == {"d"}
        cluster.run_for(MUTE_MS)
        assert machine.peers.muted_ms("d", machine.now_ms()) == 0


def test_patience_has_two_sides() -> None:
    reports: list[PeerFault] = []
    table = PeerTable("a", reports.append)
    table.spend("d", PATIENCE, 0)
    assert (table.muted_ms("d", 0), reports) == (0, [])
    table.spend("d", 1, 0)
    assert table.muted_ms("d", 0) == MUTE_MS
    assert reports == [PeerFault("d", FLOODING, (("messages_per_s", PATIENCE_PER_S),), MUTE_MS)]
    table.spend("d", 10**9, 1)  # what arrives meanwhile is not counted
    assert table.muted_ms("d", MUTE_MS) == 0
    table.spend("d", MUTE_MS // 1000 * PATIENCE_PER_S + 1, MUTE_MS)
    assert table.muted_ms("d", MUTE_MS) == 2 * MUTE_MS


def test_what_a_peer_said_while_we_stood_still_is_no_flood() -> None:
    """A slow disk, a frozen machine: the connection holds what was said meanwhile, and it is read in one moment."""
    reports: list[PeerFault] = []
    table = PeerTable("a", reports.append)
    table.spend("b", 1, 0)
    for _ in range(12 * 600):
        table.spend("b", 1, 12_000)
    assert reports == []
    table.spend("b", HELD_MS // 1000 * PATIENCE_PER_S + 1, 10**9)  # but not whatever one likes
    assert [fault.code for fault in reports] == [FLOODING]


@pytest.mark.parametrize("per_s", [300, 600, 900])
def test_who_was_muted_once_is_not_muted_again_for_what_it_held_meanwhile(per_s: int) -> None:
    reports: list[PeerFault] = []
    table = PeerTable("a", reports.append)
    table.spend("b", PATIENCE + 1, 0)
    waiting = 0
    for now_ms in range(0, 600_000, 100):
        waiting += per_s // 10
        if not table.muted_ms("b", now_ms):
            table.spend("b", waiting, now_ms)
            waiting = 0
    assert len(reports) == 1


def test_after_a_good_while_a_peer_is_treated_as_if_it_were_the_first_time() -> None:
    reports: list[PeerFault] = []
    table = PeerTable("a", reports.append)
    now_ms = 0
    for _ in range(3):
        table.spend("b", HELD_MS // 1000 * PATIENCE_PER_S + 1, now_ms)
        table.fault("c", "bad-block", (), True, now_ms)
        now_ms += FORGIVE_MS + BAN_MS
    first = [(FLOODING, MUTE_MS), ("bad-block", BAN_MS)]
    assert [(fault.code, fault.banned_ms) for fault in reports] == first * 3


def test_patience_comes_back_and_the_usual_never_uses_it_up() -> None:
    reports: list[PeerFault] = []
    table = PeerTable("a", reports.append)
    for second in range(1000):
        table.spend("d", PATIENCE_PER_S, second * 1000)
    assert reports == []
    for _ in range(PATIENCE // FAULT_COST + 1):
        assert table.muted_ms("e", 0) == 0
        table.fault("e", "bad-signature", (), False, 0)
        table.fault("f", SYNC_TIMEOUT, (), False, 0)  # to be slow is no abuse
    assert table.muted_ms("e", 0) == MUTE_MS
    assert table.muted_ms("f", 0) == 0


def test_a_connection_that_breaks_at_once_for_ever_is_no_flood() -> None:
    """Ten streams a second, each with what is said when a peer connects."""
    reports: list[PeerFault] = []
    table = PeerTable("a", reports.append)
    for now_ms in range(0, 600_000, 100):
        table.spend("b", STREAM_COST + 10, now_ms)
    assert reports == []


def test_items_that_are_refused_are_counted_and_known_ones_are_not() -> None:
    cluster, liar = with_liar()
    with cluster:
        cluster["a"].verifier._delay_ms = lambda: 0
        known = cluster.item("a", seq=1)  # waits for seq 0
        cluster.submit("a", [known])
        cluster.run_for(10)
        peer = cluster["a"].running.peers.get("d")
        before = peer.patience
        liar.tell("a", ItemsMessage((known.encode(),) * 400))
        cluster.run_for(4)
        assert peer.patience >= before - 2 * 1000
        far = cluster.item("a", seq=9999).encode()
        liar.tell("a", ItemsMessage((far,) * 400))
        cluster.run_for(4)
        assert peer.patience <= PATIENCE * 1000 - (400 // REFUSED_ITEMS) * 1000 + 8 * PATIENCE_PER_S


def test_a_height_of_a_thousand_million_and_then_five() -> None:
    """It is asked once, has nothing, is banned; then it shrinks. The others bring the blocks."""
    with grown() as cluster:
        pairs = pairs_of(cluster, "a")
        cluster.kill("c")
        liar = Liar(cluster, "c")
        liar.claims = [10**9]
        liar.answer = lambda _, request: [Blocks(request.request, ())]
        cluster.start("d")
        liar.claim("d", 10**9)
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 30_000)
        liar.claim("d", 5)
        cluster.run_for(50)
        assert {org for org, _ in cluster["d"].faults} == {"c"}
        assert 0 < liar.asked <= 3  # once by each of the three


def test_one_bad_block_among_good_ones() -> None:
    """From the only one that there is to ask, at first."""
    with grown() as cluster:
        pairs = pairs_of(cluster, "a")
        alone(cluster)
        liar = Liar(cluster, "c")
        liar.claims = [len(pairs)]
        bad = list(pairs)
        bad[4] = (pairs[4][0][:-1] + bytes([pairs[4][0][-1] ^ 1]), pairs[4][1])
        liar.answer = serving(bad)
        cluster.start("d")
        cluster.run_for(2_000)
        assert cluster["d"].height < 5
        assert {org for org, _ in cluster["d"].faults} == {"c"}
        cluster.start("a")
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 30_000)
        assert pairs_of(cluster, "d")[4][0] == pairs[4][0]
        assert {org for org, _ in cluster["d"].faults} == {"c"}


def test_blocks_that_consensus_does_not_wait_for_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, liar = with_liar()
    with cluster:
        block, _ = pairs_of(cluster, "a")[0]
        decoded = decodings(monkeypatch)
        height = cluster["a"].height + 1
        messages: list[Message] = [
            ConsensusMessage(encode_message(BlockReply(3, height, bytes([n]) * 32, block))) for n in range(50)
        ]
        liar.tell("a", *messages)
        cluster.run_for(5)
        assert decoded == []


def test_blocks_that_nobody_asked_for_are_decoded_only_where_they_come_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block takes a hundred times as long to decode as to send: ten old ones a second had stopped a node."""
    cluster, _ = with_liar()
    with cluster:
        machine = cluster["a"].running
        block, certificate = pairs_of(cluster, "a")[0]
        decoded = decodings(monkeypatch)
        for _ in range(50):
            machine.on_frame("d", frames.encode_frame([Blocks(0, ((block, certificate),))]))
        assert decoded == []
        assert cluster["a"].faults == []
        known = CommitCertificate.decode(certificate)
        forged = replace(known, height=machine.height + 1)
        for _ in range(50):
            machine.on_frame("d", frames.encode_frame([Blocks(0, ((block, forged.encode()),))]))
        assert decoded == [block], "one lie, and then nothing unasked for a while"
        assert cluster["a"].faults == [("d", "certificate-of-another-block")]


def test_what_merely_arrives_pushes_out_nothing_that_is_at_work() -> None:
    with grown() as cluster:
        pairs = pairs_of(cluster, "a")
        cache = PayloadCache(cluster["a"].running.suite)
        at_work, junk = pairs[0][0], [block for block, _ in pairs[1:]]
        first, _ = cache.decode(at_work)
        for block in junk:
            cache.hash_of(block)
        assert cache.decode(at_work)[0] is first
        assert cache.hash_of(junk[0]) == cache.decode(junk[0])[1]
        assert cache.decode(at_work)[0] is first
