"""A retired key certifies nothing later, whoever is asked: consensus, state transfer, the client, the audit. (Receipts:
``tests/ledger/test_receipt.py``.)"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fazhi_consensus.messages import Commit, Message, Prepare, RoundChange
from fazhi_consensus.wire import encode_message
from fazhi_ledger import dsse
from fazhi_ledger.archive import write_archive
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.errors import InvalidCertificate, InvalidProof
from fazhi_ledger.header import Header
from fazhi_ledger.keys import SoftwareSigner
from fazhi_node.frames import Blocks, ConsensusMessage, decode_frame, encode_frame
from fazhi_node.storage.memory import MemoryDisk
from fazhi_sdk.audit import audit
from fazhi_sdk.trust import Trust

from .cluster import SUITE, Cluster, Node, signer_of
from .membership import Load, Polls, new_key, set_at
from .test_membership import pass_blocks

SEED = 6


@pytest.fixture(scope="module")
def grown() -> Iterator[tuple[Cluster, int]]:
    """A chain on which c got another key at some height, and went on; node d has seen nothing of it."""
    with Cluster(SEED) as cluster:
        fresh = signer_of(SEED, "c, second key")
        cluster["c"].next_keys.append((fresh, MemoryDisk()))
        cluster.start()
        cluster.run_for(50)
        cluster.kill("d")
        load = Load(cluster, *"abc")
        height = Polls(cluster).pass_it("validator.replace_key", new_key(cluster, "c", fresh), "abc")
        pass_blocks(cluster, "a", 8)
        load.going = False
        cluster.run_for(200)
        yield cluster, height


def keys(old: bool) -> list[SoftwareSigner]:
    return [signer_of(SEED, name) for name in ("a", "b", "c" if old else "c, second key", "d")]


def certificate(node: Node, height: int, *, old: bool, header: Header | None = None) -> CommitCertificate:
    """A certificate for the block of that height by a, b and c, the latter with its old or its new key."""
    assert node.store is not None
    block_hash = node.store.block_hash(height) if header is None else header.hash(SUITE)
    assert block_hash is not None
    body = vote_body(node.store.genesis_hash, height, 0, block_hash)
    signed = tuple((i, dsse.sign(key, dsse.COMMIT, body)) for i, key in enumerate(keys(old)[:3]))
    return CommitCertificate(height, 0, block_hash, signed)


def test_the_forgeries_are_refused_for_the_key_alone(grown: tuple[Cluster, int]) -> None:
    cluster, height = grown
    node = cluster["a"]
    for at in (height + 1, height + 2, height + 5):
        certificate(node, at, old=at < height + 2).verify(SUITE, cluster.genesis_hash, set_at(node, at))
        with pytest.raises(InvalidCertificate, match="bad-commit-signature"):
            certificate(node, at, old=at >= height + 2).verify(SUITE, cluster.genesis_hash, set_at(node, at))


def test_the_client_refuses_them(grown: tuple[Cluster, int]) -> None:
    cluster, height = grown
    node = cluster["a"]
    assert node.store is not None
    trust = Trust(cluster.genesis_file)
    header = node.store.header_bytes(height + 4)
    assert header is not None
    with pytest.raises(InvalidProof, match="unknown-validators"):
        trust.certify(header, certificate(node, height + 4, old=False).encode())
    trust.follow(node.running.reader.handovers(node.height))
    with pytest.raises(InvalidCertificate):
        trust.certify(header, certificate(node, height + 4, old=True).encode())
    trust.certify(header, certificate(node, height + 4, old=False).encode())


def test_the_client_asks_for_the_set_in_force_not_for_any_that_it_knows(grown: tuple[Cluster, int]) -> None:
    """A header of a later height that names the old set, signed by a whole quorum of it."""
    cluster, height = grown
    node = cluster["a"]
    assert node.store is not None
    old = node.store.header(height + 1)
    assert old is not None
    values = list(old.to_value())  # type: ignore[arg-type]
    values[2] = height + 6
    later = Header.from_value(tuple(values))
    trust = Trust(cluster.genesis_file)
    trust.follow(node.running.reader.handovers(node.height))
    forged = certificate(node, height + 6, old=True, header=later)
    forged.verify(SUITE, cluster.genesis_hash, trust.first_set)
    with pytest.raises(InvalidProof, match="unknown-validators"):
        trust.certify(later.encode(), forged.encode())


def test_the_audit_refuses_them(grown: tuple[Cluster, int]) -> None:
    cluster, height = grown
    node = cluster["a"]
    assert node.store is not None
    pairs = [node.running.reader.block_and_certificate(at) for at in range(1, node.height + 1)]
    sound = [pair for pair in pairs if pair is not None]
    file = cluster.genesis_file
    assert audit(write_archive(file.encode(), sound), file.hash(), processes=0).clean
    sound[height + 2] = (sound[height + 2][0], certificate(node, height + 3, old=True).encode())
    report = audit(write_archive(file.encode(), sound), file.hash(), processes=0)
    assert report.fault is not None
    assert (report.fault.height, report.height) == (height + 3, height + 2)


def test_state_transfer_refuses_them(grown: tuple[Cluster, int]) -> None:
    """Everybody who serves d shows it certificates with the old key, until they do not."""
    cluster, height = grown
    source = cluster["a"]

    def forge(sender: str, receiver: str, frame: bytes) -> list[bytes]:
        if receiver != "d":
            return [frame]
        messages = [_forged(message) if isinstance(message, Blocks) else message for message in decode_frame(frame)]
        kept = [one for one in messages if not isinstance(one, ConsensusMessage)]
        return [encode_frame(kept)] if kept else []

    def _forged(message: Blocks) -> Blocks:
        pairs = []
        for block, encoded in message.blocks:
            at = CommitCertificate.decode(encoded).height
            late = at >= height + 2
            pairs.append((block, certificate(source, at, old=True).encode() if late else encoded))
        return Blocks(message.request, tuple(pairs))

    cluster.network.filter = forge
    cluster.start("d")
    cluster.run_until(lambda: len([f for f in cluster["d"].faults if f[1] == "bad-certificate"]) >= 2)
    assert cluster["d"].height == height + 1, "the hand-over is the last that the old key certifies"
    cluster.network.filter = None
    cluster.run_until(lambda: cluster["d"].height >= source.height)


def test_consensus_refuses_them(grown: tuple[Cluster, int]) -> None:
    cluster, _ = grown
    node = cluster["a"]
    at, old = node.height + 1, signer_of(SEED, "c")
    block_hash = bytes(range(32))
    body = vote_body(cluster.genesis_hash, at, 0, block_hash)
    change = RoundChange(2, at, 1, None, None, b"")
    messages: list[Message] = [
        Prepare(2, at, 0, block_hash, dsse.sign(old, dsse.PREPARE, body)),
        Commit(2, at, 0, block_hash, dsse.sign(old, dsse.COMMIT, body)),
        RoundChange(2, at, 1, None, None, dsse.sign(old, dsse.ROUND_CHANGE, change.body(cluster.genesis_hash))),
    ]
    before = node.faults.count(("c", "bad-signature"))
    for message in messages:
        node.running.on_frame("c", encode_frame([ConsensusMessage(encode_message(message))]))
    cluster.run_for(50)
    assert node.faults.count(("c", "bad-signature")) == before + 3
    fresh = signer_of(SEED, "c, second key")
    signed = dsse.sign(fresh, dsse.ROUND_CHANGE, change.body(cluster.genesis_hash))
    good = RoundChange(2, at, 1, None, None, signed)
    node.running.on_frame("c", encode_frame([ConsensusMessage(encode_message(good))]))
    cluster.run_for(50)
    assert node.faults.count(("c", "bad-signature")) == before + 3


def test_a_member_voted_out_that_goes_on_signing_is_heard_by_nobody() -> None:
    """It repeats what it is sent, signed in the place that it once had, for every later height."""
    with Cluster(8, count=5) as cluster:
        cluster.start()
        load = Load(cluster, *"abcd")
        height = Polls(cluster).pass_it("validator.remove", ("e",), "abcd")
        pass_blocks(cluster, "a", 3)
        old = signer_of(8, "e")
        for _ in range(10):
            at = max(node.height for node in cluster.alive) + 1
            assert at > height + 1
            body = vote_body(cluster.genesis_hash, at, 0, bytes(32))
            lies: list[Message] = [
                Prepare(4, at, 0, bytes(32), dsse.sign(old, dsse.PREPARE, body)),
                Commit(4, at, 0, bytes(32), dsse.sign(old, dsse.COMMIT, body)),
                Commit(1, at, 0, bytes(32), dsse.sign(old, dsse.COMMIT, body)),  # in another's place
            ]
            frame = encode_frame([ConsensusMessage(encode_message(lie)) for lie in lies])
            for org in "abcd":
                cluster.network.transmit("e", org, frame)
            pass_blocks(cluster, "a", 1)
        load.going = False
        cluster.run_until(lambda: all(cluster.committed(org, one) for org in "abcd" for one in load.ids))
        for org in "abcd":
            assert {code for peer, code in cluster[org].faults if peer == "e"}, "it was noticed"
            assert not {code for peer, code in cluster[org].faults if peer != "e"}
