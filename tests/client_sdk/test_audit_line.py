"""Who checks what, and when, changes nothing of what an audit says: a plain audit, odd orders, ends of processes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
from fazhi_contracts.chain import MemoryChain, check_block
from fazhi_ledger.archive import decode_pair, write_archive
from fazhi_ledger.block import Block
from fazhi_ledger.canonical import decode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError, InvalidCertificate, InvalidSignature, InvariantBroken
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.submission import Item
from fazhi_sdk import audit_line
from fazhi_sdk.audit import AuditReport, audit
from fazhi_sdk.audit_checks import BODIES, Found, Worker
from fazhi_sdk.verifiers import Helper
from hypothesis import given
from hypothesis import strategies as st

from .chains import build_chain, certificate_of

Blocks = list[tuple[bytes, bytes]]
HEIGHTS = 8


@cache
def built() -> tuple[GenesisFile, Blocks]:
    return build_chain(blocks=HEIGHTS, items_a_block=4)


# --- an audit as one would write it down ---


def plain(file: GenesisFile, blocks: Blocks) -> tuple[int, str] | None:
    """Height and code of the first fault: one block after the other, everything in its turn."""
    chain = MemoryChain(file)
    for height, pair in enumerate(blocks, 1):
        try:
            plain_block(chain, *decode_pair(*pair))
        except InvalidSignature:
            return height, "bad-signature"
        except FazhiError as error:
            return height, error.code
    return None


def plain_block(chain: MemoryChain, block: Block, certificate: CommitCertificate) -> None:
    state = chain.state
    validators, _ = state.validators()
    if certificate.height != state.height + 1 or certificate.block_hash != block.hash(state.suite):
        raise InvalidCertificate("certificate-of-another-block")
    certificate.check_signers(validators)
    message = certificate.signed_message(state.genesis_hash)
    for index, signature in certificate.signatures:
        state.suite.verify(validators.validators[index].key, message, signature)
    for item in block.items:
        item.verify_signatures(state.suite)
    chain.take(check_block(state, block))


# --- chains that do not hold, certified by a quorum that colludes ---


def header_field(name: str) -> Callable[[GenesisFile, int, Block], tuple[bytes, bytes]]:
    def alter(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
        changed: dict[str, Any] = {name: bytes(32)}
        return sealed(file, height, Block(replace(block.header, **changed), block.items))

    return alter


def sealed(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    return block.encode(), certificate_of(file.hash(), height, block.hash(file.genesis.suite))


def forged_item(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    """The root is not that of the forged submission, and its signature does not hold."""
    one = block.items[1]
    forged = Item(one.body_bytes, (bytes(64),), one.records)
    return sealed(file, height, Block(block.header, (block.items[0], forged, *block.items[2:])))


def missing_item(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    return sealed(file, height, Block(replace(block.header, submission_count=3), block.items[:-1]))


def miscounted(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    return sealed(file, height, Block(replace(block.header, submission_count=9), block.items))


def changed_records(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    one = block.items[2]
    return sealed(
        file, height, Block(block.header, (*block.items[:2], replace(one, records=(b"x",)), *block.items[3:]))
    )


def forged_vote(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    votes = CommitCertificate.decode(sealed(file, height, block)[1])
    signatures = (votes.signatures[0], (votes.signatures[1][0], bytes(64)), *votes.signatures[2:])
    return block.encode(), replace(votes, signatures=signatures).encode()


def few_votes(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    return block.encode(), certificate_of(file.hash(), height, block.hash(file.genesis.suite), ("gzc", "fy"))


def garbage(file: GenesisFile, height: int, block: Block) -> tuple[bytes, bytes]:
    return b"\x01", sealed(file, height, block)[1]


ALTERATIONS: dict[str, Callable[[GenesisFile, int, Block], tuple[bytes, bytes]]] = {
    **{
        name: header_field(name)
        for name in (
            "genesis_hash", "parent_hash", "submissions_root", "results_root", "state_root", "history_root",
            "validators_hash", "next_validators_hash", "rules_hash",
        )
    },
    **{
        alter.__name__: alter
        for alter in (forged_item, missing_item, miscounted, changed_records, forged_vote, few_votes, garbage)
    },
}  # fmt: skip


def altered(*alterations: tuple[str, int]) -> Blocks:
    file, blocks = built()
    changed = list(blocks)
    for name, height in alterations:
        changed[height - 1] = ALTERATIONS[name](file, height, Block.decode(blocks[height - 1][0]))
    return changed


# --- processes that answer when a seed says so ---


class Unhurried(Future[Found | None]):
    """An answer that is there when the dice say so, or when somebody cannot go on without it."""

    def __init__(self, dice: random.Random, work: Callable[[], None]) -> None:
        super().__init__()
        self.dice = dice
        self.work = work

    def done(self) -> bool:
        if not super().done() and self.dice.random() < 0.3:
            self.work()
        return super().done()

    def result(self, timeout: float | None = None) -> Found | None:
        self.work()
        return super().result(timeout)


class UnhurriedHelper:
    """Stands in for a process, in this one. Remembers the most that ever waited for it."""

    most_jobs = most_bytes = 0

    def __init__(self, dice: random.Random) -> None:
        self.worker = Worker()
        self.dice = dice
        self.jobs: list[tuple[bytes, Unhurried]] = []

    @property
    def waiting(self) -> int:
        return len(self.jobs)

    def submit(self, job: bytes) -> Unhurried:
        answer = Unhurried(self.dice, lambda: self.work_until(answer))
        self.jobs.append((job, answer))
        kind = type(self)
        kind.most_jobs = max(kind.most_jobs, len(self.jobs))
        kind.most_bytes = max(kind.most_bytes, sum(len(job) for job, _ in self.jobs))
        return answer

    def work_until(self, wanted: Unhurried) -> None:
        while any(answer is wanted for _, answer in self.jobs):
            job, answer = self.jobs.pop(0)
            answer.set_result(decode(self.worker.carry_out(job)))  # type: ignore[arg-type]

    def close(self) -> None:
        self.jobs.clear()


def audited(blocks: Blocks, processes: int, helper: Callable[[], object] = Helper) -> AuditReport:
    """An audit in batches of one or two blocks."""
    file, _ = built()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_line, "INLINE_SIGNATURES", 8)
        patch.setattr(audit_line, "BATCH_SIGNATURES", 8)
        patch.setattr(audit_line, "Helper", helper)
        report = audit(write_archive(file.encode(), blocks), file.hash(), processes=processes)
    return replace(report, seconds=0.0, processes=0, bytes_read=0)


# --- tests ---


@pytest.mark.parametrize("name", sorted(ALTERATIONS))
def test_every_alteration_is_found_where_it_is(name: str) -> None:
    blocks = altered((name, 5))
    report = audited(blocks, 0)
    assert report.fault is not None
    assert (report.fault.height, report.fault.code) == plain(built()[0], blocks)
    assert (report.fault.height, report.height, report.submissions) == (5, 4, 16)


SEVERAL = st.lists(st.tuples(st.sampled_from(sorted(ALTERATIONS)), st.integers(1, HEIGHTS)), max_size=3)


@given(alterations=SEVERAL, seed=st.integers(0, 2**16))
def test_any_order_of_work_gives_the_plain_audits_verdict(alterations: list[tuple[str, int]], seed: int) -> None:
    blocks = altered(*alterations)
    alone = audited(blocks, 0)
    fault = None if alone.fault is None else (alone.fault.height, alone.fault.code)
    assert fault == plain(built()[0], blocks)
    for processes in (1, 2, 4):
        dice = random.Random(f"{seed} {processes}")
        assert audited(blocks, processes, partial(UnhurriedHelper, dice)) == alone


@pytest.mark.parametrize("alterations", [(), (("state_root", 4), ("forged_vote", 6)), (("forged_item", 7),)])
def test_real_processes_say_the_same(alterations: tuple[tuple[str, int], ...]) -> None:
    blocks = altered(*alterations)
    alone = audited(blocks, 0)
    assert alone.clean is not bool(alterations)
    for processes in (1, 2, 4):
        assert audited(blocks, processes) == alone


class Mortal(Helper):
    """A process that is killed when it gets its first job of a kind."""

    killed = BODIES

    def submit(self, job: bytes) -> Future[Found | None]:
        if decode(job)[0] == self.killed:  # type: ignore[index]
            self._process.kill()
            self._process.wait()
        return super().submit(job)


@pytest.mark.parametrize("kind", ["bodies", "states", "pages"])
@pytest.mark.parametrize("alterations", [(), (("garbage", 8),)])
def test_a_process_that_ends_decides_nothing(
    kind: str, alterations: tuple[tuple[str, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mortal, "killed", kind)
    monkeypatch.setattr(audit_line, "JOBS_WAITING", 100)
    with pytest.raises(InvariantBroken, match="a process of the audit ended"):
        audited(altered(*alterations), 1, Mortal)


def test_pipes_of_the_usual_size_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may not have all the room that he asks for."""
    refused: list[object] = []

    def refuse(*given: object) -> None:
        refused.append(given)
        raise PermissionError("no more room for pipes")

    monkeypatch.setattr("fazhi_sdk.verifiers.fcntl.fcntl", refuse)
    assert audited(built()[1], 1) == audited(built()[1], 0)
    assert len(refused) == 2


def test_what_is_under_way_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that never answer by themselves: the archive is read only so far ahead of what is settled."""
    file, blocks = build_chain(blocks=60, items_a_block=2)

    class Slow(UnhurriedHelper):
        pass

    def audit_with(ahead: int, size: int) -> tuple[int, int, int]:
        Slow.most_jobs = Slow.most_bytes = 0
        monkeypatch.setattr(audit_line, "BATCHES_AHEAD", ahead)
        monkeypatch.setattr(audit_line, "BYTES_AHEAD", size)
        read, most_ahead = 0, 0
        lines: list[audit_line.Line] = []
        begin = audit_line.Line.begin

        def noted(line: audit_line.Line, *given: object) -> None:
            lines.append(line)
            begin(line, *given)  # type: ignore[arg-type]

        def counted() -> Iterator[tuple[bytes, bytes]]:
            nonlocal read, most_ahead
            for pair in blocks:
                read += 1
                most_ahead = max(most_ahead, read - (lines[0].settled.height if lines else 0))
                yield pair

        monkeypatch.setattr(audit_line.Line, "begin", noted)
        report = audit(write_archive(file.encode(), counted()), file.hash(), processes=1)
        monkeypatch.setattr(audit_line.Line, "begin", begin)
        assert report.clean
        assert report.height == 60
        return most_ahead, Slow.most_jobs, Slow.most_bytes

    monkeypatch.setattr(random.Random, "random", lambda _: 1.0)
    monkeypatch.setattr(audit_line, "INLINE_SIGNATURES", 0)
    monkeypatch.setattr(audit_line, "BATCH_SIGNATURES", 5)
    monkeypatch.setattr(audit_line, "Helper", lambda: Slow(random.Random(0)))
    blocks_ahead, jobs, _ = audit_with(4, 1 << 30)
    assert jobs <= 2 * (4 + 4 + 2)
    assert blocks_ahead <= 4 + 4 + 3
    largest = max(len(block) + len(certificate) for block, certificate in blocks)
    blocks_ahead, _, size = audit_with(1 << 30, 3 * largest)
    assert size <= 5 * largest
    assert blocks_ahead <= 12
