"""What a node tells of its chain: every answer is checked as its receiver would check it, with nothing but the
genesis.
"""

from __future__ import annotations

import pytest
from fazhi_contracts.chain import ExecutedBlock
from fazhi_contracts.head import CaseHead, event_bytes
from fazhi_contracts.keys import case_state_key
from fazhi_ledger import dsse, merkle
from fazhi_ledger.archive import decode_pair, read_archive
from fazhi_ledger.canonical import decode
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.header import Header
from fazhi_ledger.receipt import Anchor, RecordReceipt
from fazhi_ledger.receipt_steps import check_receipt
from fazhi_ledger.stateproof import StateProof, verify_absence, verify_presence
from fazhi_ledger.submission import Item
from fazhi_node import proofs
from fazhi_node.proofs import OpenBlocks, RecordPart
from fazhi_node.queries import ChainReader, Checkpoint, NotFound
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.memory import MemoryStore

from tests.contracts.builders import ORGS, SUITE, World, make_record, signer


class Chain:
    """The contracts' test chain, stored and certified as a node stores it."""

    def __init__(self) -> None:
        self.world = World()
        self.store: ChainStore = open_chain(MemoryStore(), self.world.genesis_file)
        self.reader = ChainReader(self.store)

    def block(self, *items: Item) -> ExecutedBlock:
        executed = self.world.block(*items)
        height = executed.block.header.height
        body = vote_body(self.world.state.genesis_hash, height, 0, executed.block_hash)
        votes = tuple((n, dsse.sign(signer(org), dsse.COMMIT, body)) for n, org in enumerate(list(ORGS)[:3]))
        self.store.commit(executed, CommitCertificate(height, 0, executed.block_hash, votes))
        return executed

    def trusted(self, checkpoint: Checkpoint) -> Header:
        """The header of a checkpoint, its certificate verified."""
        header = Header.decode(checkpoint.header)
        certificate = CommitCertificate.decode(checkpoint.certificate)
        genesis = self.world.genesis_file
        certificate.verify_for(
            SUITE, genesis.hash(), genesis.genesis.validator_set(), header.height, header.hash(SUITE)
        )
        return header


@pytest.fixture
def chain() -> Chain:
    """A case of three events in two submissions, something refused, and blocks without anything."""
    chain = Chain()
    case = chain.world.case()
    officer = chain.world.by("officer-1")
    chain.block()
    chain.block(officer.record(case, "LEAD"), chain.world.by("head").record(case, "FILED"))
    now = chain.world.now_ms
    chain.block(
        chain.world.by("officer-1", "officer-2").records(*(make_record(case, "INVEST", now) for _ in range(5))),
        officer.record(chain.world.case("never opened"), "INVEST"),
    )
    for _ in range(4):
        chain.block()
    return chain


def submission_ids(chain: Chain, height: int) -> list[bytes]:
    block = chain.store.block(height)
    assert block is not None
    return [item.id(SUITE) for item in block.items]


@pytest.mark.parametrize(("height", "index", "record"), [(2, 0, 0), (2, 1, 0), (3, 0, 0), (3, 0, 4)])
@pytest.mark.parametrize("anchored", [False, True])
def test_the_nodes_half_of_a_receipt_makes_a_valid_receipt(
    chain: Chain, height: int, index: int, record: int, anchored: bool
) -> None:
    proof = chain.reader.proof(submission_ids(chain, height)[index], record)
    newer = chain.reader.checkpoint()
    part = proof.record
    assert part is not None
    receipt = RecordReceipt(
        chain.world.genesis_file.genesis_bytes,
        chain.reader.handovers(height),
        newer.certificate if anchored else proof.checkpoint.certificate,
        Anchor(newer.header, chain.reader.history_proof(height, newer.height)) if anchored else None,
        proof.checkpoint.header,
        proof.submission,
        proof.index,
        proof.submission_proof,
        proof.result,
        proof.result_proof,
        part.record,
        part.index,
        part.proof,
        part.result,
        part.result_proof,
        None,
        (),
    )
    report = check_receipt(receipt.to_json(), chain.world.genesis_file.hash())
    assert report.verdict == "VALID", report.failed


def test_every_proof_is_the_one_worked_out_from_the_block_alone(chain: Chain) -> None:
    """However often and in whatever order they are asked for: what is kept between proofs changes none."""
    reader = chain.reader
    for height in (2, 3, 2, 7, 6, 5, 4, 3, 2):
        block, results = chain.store.block(height), chain.store.results(height)
        assert block is not None
        assert results is not None
        envelopes = [merkle.leaf_hash(SUITE, item.envelope()) for item in block.items]
        outcomes = [merkle.leaf_hash(SUITE, leaf) for leaf in results.leaves]
        for index, item in enumerate(block.items):
            encoded = [one.encode() for one in results.record_results(index)]
            for record in range(max(1, len(encoded))):
                proof = reader.proof(item.id(SUITE), record)
                assert (proof.checkpoint, proof.index) == (reader.checkpoint(height), index)
                assert (proof.submission, proof.result) == (item.envelope(), results.leaves[index])
                assert proof.submission_proof == merkle.inclusion_proof(SUITE, envelopes, index)
                assert proof.result_proof == merkle.inclusion_proof(SUITE, outcomes, index)
                if not encoded:
                    assert proof.record is None
                    continue
                records = [merkle.leaf_hash(SUITE, one) for one in item.records]
                leaves = [merkle.leaf_hash(SUITE, one) for one in encoded]
                assert proof.record == RecordPart(
                    item.records[record],
                    record,
                    merkle.inclusion_proof(SUITE, records, record),
                    encoded[record],
                    merkle.inclusion_proof(SUITE, leaves, record),
                )
        if block.items:
            assert reader.is_open(block.items[0].id(SUITE))


def test_few_blocks_are_kept_open(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = OpenBlocks(chain.store)
    for height in range(1, 8):
        assert blocks.get(height) is not None
    assert [height for height in range(1, 8) if blocks.is_open(height)] == [4, 5, 6, 7]
    assert blocks.get(8) is None
    monkeypatch.setattr(proofs, "OPEN_BLOCK_BYTES", 0)
    assert blocks.get(2) is blocks.get(2)
    assert [height for height in range(1, 8) if blocks.is_open(height)] == [2]


def test_proofs_that_cannot_be_given_say_why(chain: Chain) -> None:
    with pytest.raises(NotFound, match="unknown-submission"):
        chain.reader.proof(bytes(32), 0)
    accepted, refused = submission_ids(chain, 3)
    with pytest.raises(NotFound, match="unknown-record"):
        chain.reader.proof(accepted, 5)
    with pytest.raises(NotFound, match="unknown-case"):
        chain.reader.proof(refused, 1)
    assert chain.reader.proof(refused).record is None


def test_a_submission_is_found_with_its_result_and_findings(chain: Chain) -> None:
    accepted, refused = submission_ids(chain, 3)
    found = chain.reader.committed(accepted)
    assert found is not None
    assert (found.height, found.index, found.code) == (3, 0, "OK")
    assert [record.number for record in found.records] == [3, 4, 5, 6, 7]
    other = chain.reader.committed(refused)
    assert other is not None
    assert (other.code, other.records) == ("unknown-case", ())
    assert chain.reader.committed(bytes(32)) is None
    item = chain.reader.item(accepted)
    assert item is not None
    assert item.id(SUITE) == accepted


def test_a_case_comes_with_its_head_proven_and_all_its_events(chain: Chain) -> None:
    case_id = chain.world.case().id
    answer = chain.reader.case(case_id)
    header = chain.trusted(answer.checkpoint)
    assert answer.head is not None
    proof = StateProof.from_value(decode(answer.proof))
    verify_presence(SUITE, header.state_root, case_state_key(case_id), answer.head, proof)
    head = CaseHead.decode(answer.head)
    assert [event.place.number for event in answer.events] == list(range(1, head.count + 1)) == list(range(1, 8))
    leaves = [
        merkle.leaf_hash(SUITE, event_bytes(e.submission_id, e.place.record, e.result.encode())) for e in answer.events
    ]
    assert merkle.root_of(SUITE, leaves) == head.root(SUITE)
    assert chain.reader.case(case_id, first=3, limit=2).events == answer.events[2:4]


def test_an_absent_case_comes_with_a_proof_of_absence(chain: Chain) -> None:
    case_id = chain.world.case("nowhere").id
    answer = chain.reader.case(case_id)
    assert (answer.head, answer.events) == (None, ())
    header = chain.trusted(answer.checkpoint)
    proof = StateProof.from_value(decode(answer.proof))
    verify_absence(SUITE, header.state_root, case_state_key(case_id), proof)


@pytest.mark.parametrize(("older", "newer"), [(1, 1), (1, 2), (1, 7), (3, 4), (4, 7), (6, 7), (7, 7)])
def test_a_later_chain_extends_an_earlier_one(chain: Chain, older: int, newer: int) -> None:
    answer = chain.reader.consistency(older, newer)
    old, new = chain.trusted(answer.older), chain.trusted(answer.newer)
    merkle.verify_consistency(SUITE, old.height, old.history_root, new.height, new.history_root, answer.consistency)
    if older < newer:
        leaf = merkle.leaf_hash(SUITE, old.hash(SUITE))
        merkle.verify_inclusion(SUITE, leaf, older, newer, answer.inclusion, new.history_root)


def test_heights_that_are_not_there(chain: Chain) -> None:
    for older, newer in ((0, 3), (3, 2), (-1, 1)):
        with pytest.raises(NotFound, match="not-older"):
            chain.reader.consistency(older, newer)
    with pytest.raises(NotFound, match="unknown-block"):
        chain.reader.consistency(1, 8)
    for height in (0, 8, -1):
        with pytest.raises(NotFound, match="unknown-block"):
            chain.reader.block(height)
    empty = Chain()
    with pytest.raises(NotFound, match="no-checkpoint"):
        empty.reader.checkpoint()
    with pytest.raises(NotFound, match="no-checkpoint"):
        empty.reader.case(bytes(32))
    assert empty.reader.events_after(0, 0) == ()


def test_blocks_and_archive_hold_the_same_verbatim_bytes(chain: Chain) -> None:
    file, pairs = read_archive(chain.reader.archive())
    assert file == chain.world.genesis_file
    blocks = [decode_pair(*pair) for pair in pairs]
    assert [block.header.height for block, _ in blocks] == list(range(1, 8))
    for (block, certificate), answer in zip(blocks, chain.reader.blocks(1, 99), strict=True):
        assert answer.header == block.header.encode()
        assert answer.items == tuple(item.encode() for item in block.items)
        assert answer.certificate == certificate.encode()
    assert [answer.height for answer in chain.reader.blocks(6, 9)] == [6, 7]


def test_events_resume_behind_any_cursor(chain: Chain) -> None:
    everything = chain.reader.events_after(0, 0)
    assert [(e.height, e.index) for e in everything] == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert [e.code for e in everything] == ["OK", "OK", "OK", "unknown-case"]
    for position, event in enumerate(everything):
        assert chain.reader.events_after(event.height, event.index) == everything[position + 1 :]
        assert chain.reader.events_after(event.height, event.index, 1) == everything[position + 1 : position + 2]
    assert chain.reader.events_after(7, 0) == chain.reader.events_after(99, 0) == ()


def test_keys_lanes_and_validators(chain: Chain) -> None:
    officer = signer("officer-1").public_key
    entry = chain.reader.key(officer)
    assert entry is not None
    assert (entry.org, entry.roles, entry.revoked_height) == ("zfj", ("officer",), None)
    assert chain.reader.key(bytes(32)) is None
    lane = chain.world.by("officer-1").lane
    assert chain.reader.next_seq("zfj", officer, lane) == 3
    assert chain.reader.next_seq("zfj", officer, bytes(16)) == 0
    current, pending = chain.reader.validators()
    assert [v.member for v in current.validators] == list(ORGS)
    assert pending is None
