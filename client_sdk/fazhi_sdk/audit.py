"""Checking a whole chain again, trusting nobody: every header, certificate, signature, root and result.

A block is executed from the state before it (:func:`fazhi_contracts.chain.check_block`, the nodes' own code) and every
field of its header compared with what follows; its certificate must be a quorum of the set that the state names.
Signatures are verified in processes of their own beside the execution. The archive is read once, as a stream; what
grows with the chain is its state. The first fault ends the audit and is reported with its height.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fazhi_contracts.admission import signatures_to_verify
from fazhi_contracts.chain import ExecutedBlock, MemoryChain, check_block
from fazhi_ledger.archive import decode_pair, read_archive
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError, InvalidCertificate, InvalidGenesis, Parameter
from fazhi_ledger.genesis import GenesisFile

from .aio.filing import digest_of
from .errors import SdkError
from .verifiers import Bad, Check, VerifierPool, verify_all

CHUNK_BYTES: Final = 1 << 20
JOB_SIGNATURES: Final = 512
JOBS_AHEAD: Final = 4
"""Jobs that wait for each process: bounds the memory where signatures are slower than the execution."""
INLINE_SIGNATURES: Final = 2000
"""Up to so many are verified without starting processes."""
PROGRESS_S: Final = 0.1


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

    ``processes`` verify signatures beside this one, which executes (one a further core, where not given; 0: all in this
    process); ``observe`` is called with every executed block, in order, before its signatures are known to hold.
    Faults of the chain are reported, not raised; what ``chunks`` raises on the way (``NotConnected``) is raised.
    """
    run = _Run(digest_of(genesis_hash), progress, observe)
    with _Signatures(max(1, (os.cpu_count() or 1) - 1) if processes is None else processes) as signatures:
        try:
            run.carry_out(chunks, signatures)
        except SdkError:
            raise  # the way to the archive failed, not the chain
        except FazhiError as error:
            run.stopped = Fault(run.trying, error.code, error.parameters)
        signatures.finish()
        return run.report(signatures)


@dataclass(slots=True)
class _Run:
    """The state of one audit."""

    trusted: bytes
    progress: Callable[[AuditProgress], None] | None
    observe: Callable[[ExecutedBlock], None] | None
    began: float = field(default_factory=time.monotonic)
    shown: float = 0.0
    trying: int = 0
    bytes_read: int = 0
    utc_offset_min: int = 0
    chain: MemoryChain | None = None
    tallies: deque[_Tally] = field(default_factory=deque)
    settled: _Tally = field(default_factory=lambda: _Tally(0))
    stopped: Fault | None = None

    def carry_out(self, chunks: Iterable[bytes], signatures: _Signatures) -> None:
        file, pairs = read_archive(self._counted(chunks))
        self._begin(file, signatures)
        if self.chain is None:
            return
        for encoded, certificate_bytes in pairs:
            self.trying = self.chain.state.height + 1
            block, certificate = decode_pair(encoded, certificate_bytes)
            self._take(block, certificate, signatures)
            if signatures.fault is not None:
                return
            self._settle(signatures)
            self._show(signatures)
        self.trying += 1  # a fault after the last block (the archive's end) is of the height that should follow

    def _begin(self, file: GenesisFile, signatures: _Signatures) -> None:
        if file.hash() != self.trusted:
            raise InvalidGenesis("wrong-genesis", url="archive", found=file.hash().hex(), expected=self.trusted.hex())
        self.chain = MemoryChain(file)
        self.utc_offset_min = file.genesis.parameters.get("utc_offset_min")
        signatures.suite_name = file.genesis.suite_name

    def _take(self, block: Block, certificate: CommitCertificate, signatures: _Signatures) -> None:
        chain = self.chain
        if chain is None:
            return
        state, header = chain.state, block.header
        validators, following = state.validators()
        block_hash = block.hash(state.suite)
        if (certificate.height, certificate.block_hash) != (self.trying, block_hash):
            raise InvalidCertificate(
                "certificate-of-another-block", height=self.trying, certified_height=certificate.height
            )
        certificate.check_signers(validators)
        message = certificate.signed_message(state.genesis_hash)
        checks: list[Check] = [
            (validators.validators[index].key, message, one) for index, one in certificate.signatures
        ]
        for item in block.items:
            checks.extend(signatures_to_verify(item))
        signatures.add(self.trying, checks)
        executed = check_block(state, block)
        if self.observe is not None:
            self.observe(executed)
        chain.take(executed)
        tally = _Tally(header.height)
        tally.count(executed, changed=validators.hash(state.suite) != following.hash(state.suite))
        self.tallies.append(tally)

    def _settle(self, signatures: _Signatures) -> None:
        """Count the blocks whose signatures are known to hold."""
        while self.tallies and self.tallies[0].height <= signatures.verified_height:
            self.settled.add(self.tallies.popleft())

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes_read += len(chunk)
            yield chunk

    def _show(self, signatures: _Signatures) -> None:
        now = time.monotonic()
        if self.progress is not None and now - self.shown >= PROGRESS_S:
            self.shown = now
            self.progress(AuditProgress(self.settled.height, self.bytes_read, signatures.verified, now - self.began))

    def report(self, signatures: _Signatures) -> AuditReport:
        self._settle(signatures)
        faults = [fault for fault in (signatures.fault, self.stopped) if fault is not None]
        fault = min(faults, key=lambda one: one.height, default=None)
        settled = self.settled
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
            signatures=signatures.verified,
            seconds=time.monotonic() - self.began,
            processes=signatures.processes,
            bytes_read=self.bytes_read,
            fault=fault,
        )


@dataclass(slots=True)
class _Tally:
    """What blocks hold, counted."""

    height: int
    head_hash: bytes = b""
    time_ms: int = 0
    state_root: bytes = b""
    submissions: int = 0
    refused: int = 0
    records: int = 0
    changes: int = 0
    findings: dict[str, int] = field(default_factory=dict)

    def count(self, executed: ExecutedBlock, *, changed: bool) -> None:
        header = executed.block.header
        self.head_hash, self.time_ms, self.state_root = executed.block_hash, header.time_ms, header.state_root
        self.changes = int(changed)
        self.submissions = len(executed.outcomes)
        for outcome in executed.outcomes:
            self.refused += not outcome.result.ok
            self.records += len(outcome.record_results)
            for result in outcome.record_results:
                for finding in result.findings:
                    self.findings[finding.code] = self.findings.get(finding.code, 0) + 1

    def add(self, later: _Tally) -> None:
        self.height, self.head_hash = later.height, later.head_hash
        self.time_ms, self.state_root = later.time_ms, later.state_root
        self.submissions += later.submissions
        self.refused += later.refused
        self.records += later.records
        self.changes += later.changes
        for code, count in later.findings.items():
            self.findings[code] = self.findings.get(code, 0) + count


@dataclass(frozen=True, slots=True)
class _Job:
    """Signatures of consecutive heights: ``ends`` are (position after the height's last signature, height)."""

    checks: list[Check]
    ends: list[tuple[int, int]]
    result: Future[Bad]


class _Signatures:
    """Verifies signatures in order of height, in processes once there are many."""

    def __init__(self, processes: int) -> None:
        self.suite_name = ""
        self.processes = 0
        self.verified = 0
        self.verified_height = 0
        self.fault: Fault | None = None
        self._wanted = processes
        self._pool: VerifierPool | None = None
        self._checks: list[Check] = []
        self._ends: list[tuple[int, int]] = []
        self._jobs: deque[_Job] = deque()
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.close()

    def add(self, height: int, checks: list[Check]) -> None:
        """Take the signatures of the next height."""
        self._checks.extend(checks)
        self._ends.append((len(self._checks), height))
        if len(self._checks) >= JOB_SIGNATURES:
            self._hand_over()

    def finish(self) -> None:
        """Wait until everything is verified, or a fault is found."""
        if self._ends:
            self._hand_over()
        while self._jobs and self.fault is None:
            self._collect()

    def _hand_over(self) -> None:
        checks, ends = self._checks, self._ends
        self._checks, self._ends = [], []
        self._seen += len(checks)
        if self._pool is None and self._wanted > 0 and self._seen > INLINE_SIGNATURES:
            self._pool = VerifierPool(self._wanted)
            self.processes = self._wanted
        if self._pool is None:
            result: Future[Bad] = Future()
            result.set_result(verify_all(self.suite_name, checks))
        else:
            result = self._pool.submit(self.suite_name, checks)
        self._jobs.append(_Job(checks, ends, result))
        while self._jobs and self.fault is None and (self._jobs[0].result.done() or len(self._jobs) > self._most()):
            self._collect()

    def _most(self) -> int:
        return max(1, self.processes) * JOBS_AHEAD

    def _collect(self) -> None:
        job = self._jobs.popleft()
        bad = job.result.result()
        if bad is None:
            self.verified += len(job.checks)
            self.verified_height = job.ends[-1][1]
            return
        position, reason = bad
        self.verified += position
        height = next(height for end, height in job.ends if position < end)
        self.verified_height = height - 1
        self.fault = Fault(height, "bad-signature", (("key", job.checks[position][0].hex()), ("reason", reason)))
