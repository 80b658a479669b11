"""The audit: clean chains are clean, and the first thing that does not hold is named with its height."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fazhi_ledger.archive import read_frames, write_archive
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import InvalidGenesis
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.submission import Item
from fazhi_sdk.audit import AuditProgress, AuditReport, audit, file_chunks
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.errors import NotAuthorised, NotConnected, WrongGenesis
from fazhi_sdk.sync import archive_chunks
from fazhi_sdk.testing import TestChain

from .chains import build_chain, certificate_of
from .test_chain import filed, receipt_of

Blocks = list[tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def built() -> tuple[GenesisFile, Blocks]:
    return build_chain(blocks=6, items_a_block=10)


def run(file: GenesisFile, blocks: Blocks, processes: int = 0) -> AuditReport:
    return audit(write_archive(file.encode(), blocks), file.hash(), processes=processes)


def test_clean(built: tuple[GenesisFile, Blocks]) -> None:
    file, blocks = built
    seen: list[AuditProgress] = []
    archive = b"".join(write_archive(file.encode(), blocks))
    pieces: Iterator[bytes] = (archive[start : start + 1000] for start in range(0, len(archive), 1000))
    report = audit(pieces, file.hash().hex(), processes=0, progress=seen.append)
    assert report.clean
    assert report.fault is None
    assert (report.height, report.submissions, report.records, report.refused) == (6, 60, 60, 0)
    assert report.findings == {"signers-short": 30, "step-skipped": 30}
    assert report.signatures == 60 + 6 * 3
    assert report.bytes_read == len(archive)
    assert report.head_hash == Block.decode(blocks[-1][0]).hash(file.genesis.suite)


def test_many_signatures_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fazhi_sdk.audit_line.INLINE_SIGNATURES", 100)
    monkeypatch.setattr("fazhi_sdk.audit_line.BATCH_SIGNATURES", 50)
    file, blocks = build_chain(blocks=5, items_a_block=100)
    report = run(file, blocks, processes=2)
    assert report.clean
    assert (report.signatures, report.processes) == (500 + 15, 2)
    broken = Block.decode(blocks[4][0])
    one = broken.items[99]
    forged = Item(one.body_bytes, (bytes(64),), one.records)
    blocks[4] = reseal(file, Block(broken.header, (*broken.items[:99], forged)))
    fault = run(file, blocks, processes=2).fault
    assert fault is not None
    assert fault.height == 5


def reseal(file: GenesisFile, block: Block) -> tuple[bytes, bytes]:
    """A block with roots that fit its items, certified by a quorum that colludes."""
    from dataclasses import replace

    from fazhi_ledger.block import submissions_root

    suite = file.genesis.suite
    header = replace(
        block.header, submission_count=len(block.items), submissions_root=submissions_root(suite, block.items)
    )
    sealed = Block(header, block.items)
    return sealed.encode(), certificate_of(file.hash(), header.height, sealed.hash(suite))


def forge_signature(file: GenesisFile, blocks: Blocks) -> None:
    block = Block.decode(blocks[2][0])
    one = block.items[3]
    signature = bytes([one.signatures[0][0] ^ 1]) + one.signatures[0][1:]
    items = list(block.items)
    items[3] = Item(one.body_bytes, (signature,), one.records)
    blocks[2] = reseal(file, Block(block.header, tuple(items)))


def drop_item(file: GenesisFile, blocks: Blocks) -> None:
    block = Block.decode(blocks[2][0])
    blocks[2] = reseal(file, Block(block.header, block.items[:-1]))


def drop_block(_: GenesisFile, blocks: Blocks) -> None:
    del blocks[2]


def change_record(_: GenesisFile, blocks: Blocks) -> None:
    data = bytearray(blocks[2][0])
    data[-20] ^= 1
    blocks[2] = bytes(data), blocks[2][1]


def too_few_votes(file: GenesisFile, blocks: Blocks) -> None:
    block_hash = Block.decode(blocks[2][0]).hash(file.genesis.suite)
    blocks[2] = blocks[2][0], certificate_of(file.hash(), 3, block_hash, ("gzc", "sfj"))


def forged_vote(_: GenesisFile, blocks: Blocks) -> None:
    certificate = CommitCertificate.decode(blocks[2][1])
    votes = ((certificate.signatures[0][0], bytes(64)), *certificate.signatures[1:])
    forged = CommitCertificate(3, 0, certificate.block_hash, votes)
    blocks[2] = blocks[2][0], forged.encode()


def swap_certificates(_: GenesisFile, blocks: Blocks) -> None:
    blocks[2] = blocks[2][0], blocks[3][1]


def change_state_root(file: GenesisFile, blocks: Blocks) -> None:
    from dataclasses import replace

    block = Block.decode(blocks[2][0])
    blocks[2] = reseal(file, Block(replace(block.header, state_root=bytes(32)), block.items))


BREAKS = [
    (forge_signature, 0),
    (forge_signature, 1),
    (forged_vote, 0),
    (forged_vote, 1),
    (drop_item, 0),
    (drop_block, 0),
    (change_record, 0),
    (too_few_votes, 0),
    (swap_certificates, 0),
    (change_state_root, 0),
]


@pytest.mark.parametrize(("break_it", "processes"), BREAKS)
def test_first_fault_is_named(
    built: tuple[GenesisFile, Blocks],
    break_it: Callable[[GenesisFile, Blocks], None],
    processes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fazhi_sdk.audit_line.INLINE_SIGNATURES", 0)
    file, blocks = built
    broken = list(blocks)
    break_it(file, broken)
    report = run(file, broken, processes)
    assert not report.clean
    assert report.fault is not None
    assert report.fault.height == 3, report.fault
    assert report.height == 2


def test_archives_that_are_none(built: tuple[GenesisFile, Blocks]) -> None:
    file, blocks = built
    archive = b"".join(write_archive(file.encode(), blocks))
    for cut in (b"", b"FAZHI", archive[:-1], archive[:-40], archive + b"x", archive[: len(archive) // 2]):
        assert audit([cut], file.hash(), processes=0).fault is not None, cut[:20]
    assert audit([archive], bytes(32)).fault is not None
    report = audit([archive[:-4]], file.hash(), processes=0)
    assert (report.height, report.fault is not None) == (6, True), "all blocks hold, but the end is missing"
    with pytest.raises(InvalidGenesis):
        GenesisFile.decode(GenesisFile(file.genesis_bytes, (b"",), file.certificates).encode())


def test_a_real_chain_from_its_node_and_from_a_file(
    chain: TestChain, net: Devnet, number: str, photo: Path, tmp_path: Path
) -> None:
    receipt = receipt_of(filed(chain, number).record("INVEST", [photo]))
    url = next(iter(net.nodes.values())).url
    path = tmp_path / "chain.fazhi"
    path.write_bytes(b"".join(archive_chunks(url, net.genesis_hash, token=net.tokens)))
    report = audit(file_chunks(path), net.genesis_hash, processes=0)
    assert report.clean, report.fault
    assert report.height >= receipt.height
    assert report.findings["signers-short"] >= 1
    assert sum(1 for _ in read_frames(file_chunks(path))) == report.height + 1
    with pytest.raises(NotAuthorised):
        list(archive_chunks(url, net.genesis_hash))
    with pytest.raises(WrongGenesis):
        list(archive_chunks(url, bytes(32)))


def test_a_broken_way_is_no_fault_of_the_chain(built: tuple[GenesisFile, Blocks]) -> None:
    file, blocks = built
    archive = b"".join(write_archive(file.encode(), blocks))

    def chunks() -> Iterator[bytes]:
        yield archive[: len(archive) // 2]
        raise NotConnected("not-connected", count=1, reason="the node went away")

    with pytest.raises(NotConnected):
        audit(chunks(), file.hash(), processes=0)
