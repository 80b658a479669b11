"""Checking a whole chain again, trusting nobody: every header, certificate, signature, root and result.

A block is executed from the state before it (:func:`fazhi_contracts.chain.check_block`, the nodes' own code) and every
field of its header compared with what follows; its certificate must be a quorum of the set that the state names.
Signatures and the state tree are checked beside the execution, in processes of their own
(:mod:`fazhi_sdk.audit_line`). The archive is read once, as a stream; what grows with the chain is its state. The first
fault ends the audit and is reported with its height: the same one however many processes work.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fazhi_contracts.chain import ExecutedBlock, MemoryChain, check_block
from fazhi_ledger.archive import decode_pair, read_archive
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError, InvalidCertificate, InvalidGenesis, Parameter

from .aio.filing import digest_of
from .audit_checks import EXECUTION, READING, Found
from .audit_line import Line, Tally
from .errors import SdkError

CHUNK_BYTES: Final = 1 << 20
PROGRESS_S: Final = 0.1
GC_YOUNG_OBJECTS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that does not hold: at which height (0: the archive or the genesis), and the ledger's reason."""

    height: int
    code: str
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditProgress:
    """How far an audit is."""

    height: int
    bytes_read: int
    signatures: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit came to. ``height`` is the last one that holds; counts are of heights 1 … ``height``.

    ``findings`` counts irregularities by code: they are recorded facts of the cases, not faults of the chain.
    """

    genesis_hash: bytes
    height: int
    head_hash: bytes
    head_time_ms: int
    utc_offset_min: int
    """The chain's zone, in which its times are shown; 0 where the genesis was not read."""
    state_root: bytes
    submissions: int
    refused: int
    records: int
    findings: dict[str, int]
    membership_changes: int
    signatures: int
    seconds: float
    processes: int
    bytes_read: int
    fault: Fault | None

    @property
    def clean(self) -> bool:
        """Whether everything holds."""
        return self.fault is None

    @property
    def signatures_per_s(self) -> float:
        """Signatures verified a second, all that else is done included."""
        return self.signatures / self.seconds if self.seconds > 0 else 0.0

    @property
    def finding_count(self) -> int:
        """Findings in all."""
        return sum(self.findings.values())


def file_chunks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The bytes of an archive file, piece by piece."""
    with Path(path).open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def audit(
    chunks: Iterable[bytes],
    genesis_hash: str | bytes,
    *,
    processes: int | None = None,
    progress: Callable[[AuditProgress], None] | None = None,
    observe: Callable[[ExecutedBlock], None] | None = None,
) -> AuditReport:
    """Audit an archive, given as its bytes in pieces of any size, under the genesis hash that you were given.

    ``processes`` check signatures and the state tree beside this one, which executes (one a further core, where not
    given; 0: everything in this process). ``observe`` is called with every executed block, in order, before its
    signatures and its ``state_root`` are known to hold (its ``tree`` has no pages). Faults of the chain are reported,
    not raised; what ``chunks`` raises on the way (``NotConnected``) is raised.

    Raises:
        InvariantBroken: a process ended; nothing is decided.
    """
    run = _Run(digest_of(genesis_hash), progress, observe)
    wanted = max(1, (os.cpu_count() or 1) - 1) if processes is None else processes
    with _collecting_less(), Line(wanted) as line:
        stopped: Found | None = None
        try:
            run.carry_out(chunks, line)
        except SdkError:
            raise  # the way to the archive failed, not the chain
        except FazhiError as error:
            stopped = (run.trying, run.doing, run.held, error.code, error.parameters)
        line.finish(stopped)
        return run.report(line)


@contextmanager
def _collecting_less() -> Iterator[None]:
    """Blocks and items hold no cycles and go by their counts: a collection every 700 new objects takes time
    and finds nothing."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], GC_YOUNG_OBJECTS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(slots=True)
class _Run:
    """The state of one audit."""

    trusted: bytes
    progress: Callable[[AuditProgress], None] | None
    observe: Callable[[ExecutedBlock], None] | None
    began: float = field(default_factory=time.monotonic)
    shown: float = 0.0
    trying: int = 0
    doing: int = READING
    held: int = 0
    """Signatures of the block under execution: they hold, unless the fault is theirs."""
    bytes_read: int = 0
    utc_offset_min: int = 0
    chain: MemoryChain | None = None

    def carry_out(self, chunks: Iterable[bytes], line: Line) -> None:
        file, pairs = read_archive(self._counted(chunks))
        if file.hash() != self.trusted:
            raise InvalidGenesis("wrong-genesis", url="archive", found=file.hash().hex(), expected=self.trusted.hex())
        chain = self.chain = MemoryChain(file)
        self.utc_offset_min = file.genesis.parameters.get("utc_offset_min")
        line.begin(file.genesis.suite, chain.pages())
        for encoded, certificate_bytes in pairs:
            self.trying = chain.state.height + 1
            self._take(chain, *decode_pair(encoded, certificate_bytes), line)
            if line.found is not None:
                return
            self._show(line)
        self.trying += 1  # a fault after the last block (the archive's end) is of the height that should follow

    def _take(self, chain: MemoryChain, block: Block, certificate: CommitCertificate, line: Line) -> None:
        state = chain.state
        validators, following = state.validators()
        block_hash = block.hash(state.suite)
        if (certificate.height, certificate.block_hash) != (self.trying, block_hash):
            raise InvalidCertificate(
                "certificate-of-another-block", height=self.trying, certified_height=certificate.height
            )
        certificate.check_signers(validators)
        message = certificate.signed_message(state.genesis_hash)
        votes = tuple((validators.validators[index].key, message, one) for index, one in certificate.signatures)
        submissions = tuple((item.body_bytes, item.body.signer_keys, item.signatures) for item in block.items)
        tally = Tally(self.trying, len(votes) + sum(len(signatures) for _, _, signatures in submissions))
        line.take_body(tally, (self.trying, block.header.submissions_root, votes, submissions))
        self.doing, self.held = EXECUTION, tally.signatures
        executed = check_block(state, block, roots_elsewhere=True)
        if self.observe is not None:
            self.observe(executed)
        chain.take(executed)
        tally.count(executed, changed=validators.hash(state.suite) != following.hash(state.suite))
        self.doing, self.held = READING, 0
        line.take_state((self.trying, block.header.state_root, tuple(executed.changes.items())))

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes_read += len(chunk)
            yield chunk

    def _show(self, line: Line) -> None:
        now = time.monotonic()
        if self.progress is not None and now - self.shown >= PROGRESS_S:
            self.shown = now
            settled = line.settled
            self.progress(AuditProgress(settled.height, self.bytes_read, settled.signatures, now - self.began))

    def report(self, line: Line) -> AuditReport:
        settled, found = line.settled, line.found
        return AuditReport(
            genesis_hash=self.trusted,
            height=settled.height,
            head_hash=settled.head_hash or self.trusted,
            head_time_ms=settled.time_ms,
            utc_offset_min=self.utc_offset_min,
            state_root=settled.state_root,
            submissions=settled.submissions,
            refused=settled.refused,
            records=settled.records,
            findings=dict(sorted(settled.findings.items())),
            membership_changes=settled.changes,
            signatures=settled.signatures + (0 if found is None else found[2]),
            seconds=time.monotonic() - self.began,
            processes=line.processes,
            bytes_read=self.bytes_read,
            fault=None if found is None else Fault(found[0], found[3], found[4]),
        )
