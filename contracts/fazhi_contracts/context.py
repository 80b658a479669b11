"""What a block's execution is given beside the state, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import Parameter
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.result import RecordResult, Result, ResultRun, ResultSigner
from fazhi_ledger.submission import Item, SubmissionBody
from fazhi_ledger.suites import Suite

from .procedures.settings import Settings
from .state import Entry, Overlay

HeaderHashAt = Callable[[int], bytes | None]
"""``header_hash_at(height)``: the hash of a certified header, the genesis hash at 0, None where there is none."""


@slotted
class BlockContext:
    """The block in whose place an item is looked at: its height, its time (Unix milliseconds) and its parent's.

    For admission to a mempool, ``height`` is that of the next block and both times are the last certified one: an item
    counts as expired only once certified time has passed its bound.
    """

    suite: Suite
    genesis_hash: bytes
    height: int
    time_ms: int
    parent_time_ms: int
    header_hash_at: HeaderHashAt


@slotted
class Admitted:
    """An item that may stand in a block, with what the checks have worked out."""

    item: Item
    submission_id: bytes
    signers: tuple[ResultSigner, ...]
    runs: tuple[RecordRun, ...]

    @property
    def body(self) -> SubmissionBody:
        """The signed body."""
        return self.item.body


@slotted
class Call:
    """One action under execution. ``base`` is the state before the block, where keys, roles and rules are read;
    ``state`` is that after the block's earlier items.

    An action writes nothing itself; what it wants written stands in its :class:`Effect`, so that a refused one cannot
    have written anything.
    """

    context: BlockContext
    parameters: Parameters
    settings: Settings
    admitted: Admitted
    base: Overlay
    state: Overlay

    @property
    def body(self) -> SubmissionBody:
        """The signed body."""
        return self.admitted.body


@slotted
class Effect:
    """What an action came to. ``writes`` are the keys and entries that it leaves in the state, ``encoded`` those that
    it has encoded itself; what both name is left as ``writes`` says. ``next_seq`` is set by one that gives up seqs of
    its lane.
    """

    parameters: tuple[Parameter, ...] = ()
    writes: tuple[tuple[bytes, Entry], ...] = ()
    encoded: tuple[tuple[bytes, bytes], ...] = ()
    result_runs: tuple[ResultRun, ...] = ()
    record_result_bytes: tuple[bytes, ...] = ()
    next_seq: int | None = None
    voided: int = 0


@slotted
class ItemOutcome:
    """The replicated result of one item; the results of its records, in runs and as bytes, are empty where it was
    refused."""

    result: Result
    result_runs: tuple[ResultRun, ...]
    record_result_bytes: tuple[bytes, ...]

    @property
    def record_results(self) -> tuple[RecordResult, ...]:
        """The results of its records, one by one."""
        return tuple(result for run in self.result_runs for result in run.results())


@dataclass(frozen=True, slots=True)
class BlockOutcome:
    """What a block does: one outcome an item, and the state's changes (None deletes), sorted by key."""

    outcomes: tuple[ItemOutcome, ...]
    changes: dict[bytes, bytes | None]
