"""Blocks on their way through an audit: executed already, and to be checked beside it, in processes once there are
many.

Blocks are handed over in batches; of each batch one process verifies the bodies, and one, always the same, the states
(:mod:`fazhi_sdk.audit_checks`). Where the processes are behind, this one verifies a batch itself rather than wait.
Batches are settled in order, when both have answered: what is found first is then what is wrong at the least height,
whichever process was faster. Only so much may be under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from fazhi_contracts.chain import ExecutedBlock
from fazhi_ledger.canonical import pack
from fazhi_ledger.suites import Suite

from .audit_checks import BODIES, PAGES, SIGNATURE, STATES, Body, Found, StateChange, StateCheck, check_bodies
from .verifiers import Helper

BATCH_SIGNATURES: Final = 256
JOBS_WAITING: Final = 3
"""Jobs of a process up to which it gets the bodies of a further batch."""
BATCHES_AHEAD: Final = 16
BYTES_AHEAD: Final = 32 * 1024 * 1024
"""Batches and bytes that may be under way in all: bounds the memory where the processes are slower than the
execution."""
INLINE_SIGNATURES: Final = 512
"""Up to so many are verified without starting processes."""


@dataclass(slots=True)
class Tally:
    """What blocks hold, counted."""

    height: int
    signatures: int = 0
    executed: bool = False
    head_hash: bytes = b""
    time_ms: int = 0
    state_root: bytes = b""
    submissions: int = 0
    refused: int = 0
    records: int = 0
    changes: int = 0
    findings: dict[str, int] = field(default_factory=dict)

    def count(self, executed: ExecutedBlock, *, changed: bool) -> None:
        """Take down what a block came to; ``changed``: it changes the set of validators."""
        header = executed.block.header
        self.executed = True
        self.head_hash, self.time_ms, self.state_root = executed.block_hash, header.time_ms, header.state_root
        self.changes = int(changed)
        self.submissions = len(executed.outcomes)
        for outcome in executed.outcomes:
            self.refused += not outcome.result.ok
            self.records += len(outcome.record_result_bytes)
            for run in outcome.result_runs:
                for finding in run.findings:
                    self.findings[finding.code] = self.findings.get(finding.code, 0) + run.count

    def add(self, later: Tally) -> None:
        """Add the next block's."""
        self.height, self.head_hash = later.height, later.head_hash
        self.time_ms, self.state_root = later.time_ms, later.state_root
        self.signatures += later.signatures
        self.submissions += later.submissions
        self.refused += later.refused
        self.records += later.records
        self.changes += later.changes
        for code, count in later.findings.items():
            self.findings[code] = self.findings.get(code, 0) + count


@dataclass(frozen=True, slots=True)
class _Batch:
    tallies: list[Tally]
    size: int
    answers: tuple[Future[Found | None], ...]


class Line:
    """What is under way. Close it, or use it as a context."""

    def __init__(self, processes: int) -> None:
        self.processes = 0
        """How many work beside this one."""
        self.settled = Tally(0)
        """Of the blocks of which everything holds."""
        self.found: Found | None = None
        """The first fault, once it is known."""
        self._wanted = processes
        self._suite: Suite | None = None
        self._states: StateCheck | None = None
        self._helpers: list[Helper] = []
        self._tallies: list[Tally] = []
        self._bodies: list[Body] = []
        self._changes: list[StateChange] = []
        self._signatures = 0
        self._seen = 0
        self._under_way: deque[_Batch] = deque()
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for helper in self._helpers:
            helper.close()

    def begin(self, suite: Suite, pages: Mapping[bytes, bytes]) -> None:
        """The chain's suite, and the pages of its genesis state's tree."""
        self._suite, self._states = suite, StateCheck(suite, pages)

    def take_body(self, tally: Tally, body: Body) -> None:
        """The next block, before its execution."""
        self._tallies.append(tally)
        self._bodies.append(body)
        self._signatures += tally.signatures

    def take_state(self, change: StateChange) -> None:
        """The same block's changes, after it."""
        self._changes.append(change)
        if self._signatures >= BATCH_SIGNATURES:
            self._hand_over()
        self._collect(BATCHES_AHEAD + JOBS_WAITING * self.processes, BYTES_AHEAD)

    def finish(self, stopped: Found | None) -> None:
        """Wait until everything is checked or a fault is found. ``stopped``: where and why the execution ended."""
        if self._tallies and self.found is None:
            self._hand_over()
        self._collect(0, 0)
        if stopped is not None and (self.found is None or stopped[:2] < self.found[:2]):
            self.found = stopped

    def _hand_over(self) -> None:
        suite, tallies, bodies, changes = self._suite, self._tallies, self._bodies, self._changes
        self._tallies, self._bodies, self._changes = [], [], []
        self._seen += self._signatures
        self._signatures = 0
        if suite is None:
            return
        if not self._helpers and self._wanted > 0 and self._seen > INLINE_SIGNATURES:
            self._start(suite)
        if not self._helpers:
            found = None if self._states is None else self._states.check(changes)
            self._add(_Batch(tallies, 0, (_answered(check_bodies(suite, bodies)), _answered(found))))
            return
        job = pack((STATES, suite.name, tuple(changes)))
        size = len(job)
        states = self._helpers[0].submit(job)
        idlest = min(self._helpers, key=lambda helper: helper.waiting)
        if idlest.waiting < JOBS_WAITING:
            job = pack((BODIES, suite.name, tuple(bodies)))
            size += len(job)
            verified = idlest.submit(job)
        else:
            verified = _answered(check_bodies(suite, bodies))
        self._add(_Batch(tallies, size, (verified, states)))

    def _start(self, suite: Suite) -> None:
        """Go on in processes; the tree moves into the first."""
        self.processes = self._wanted
        self._helpers = [Helper() for _ in range(self._wanted)]
        if self._states is not None:
            job = pack((PAGES, suite.name, tuple(self._states.pages.pages.items())))
            self._add(_Batch([], len(job), (self._helpers[0].submit(job),)))
            self._states = None

    def _add(self, batch: _Batch) -> None:
        self._under_way.append(batch)
        self._bytes += batch.size

    def _collect(self, batches: int, size: int) -> None:
        """Settle what is answered, and wait where more is under way than that."""
        while self._under_way and self.found is None:
            batch = self._under_way[0]
            wait = len(self._under_way) > batches or self._bytes > size
            if not wait and not all(answer.done() for answer in batch.answers):
                return
            self._under_way.popleft()
            self._bytes -= batch.size
            self._settle(batch)

    def _settle(self, batch: _Batch) -> None:
        found = [one for one in (answer.result() for answer in batch.answers) if one is not None]
        first = min(found, default=None)
        if first is not None and first[1] > SIGNATURE:
            held = sum(tally.signatures for tally in batch.tallies if tally.height == first[0])
            first = (*first[:2], held, *first[3:])
        self.found = first
        for tally in batch.tallies:
            if tally.executed and (self.found is None or tally.height < self.found[0]):
                self.settled.add(tally)


def _answered(found: Found | None) -> Future[Found | None]:
    answer: Future[Found | None] = Future()
    answer.set_result(found)
    return answer
