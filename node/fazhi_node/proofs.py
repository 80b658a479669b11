"""Proofs of what stands in a block, and the last blocks kept open for them.

Everything that a proof is made of (a block's items, its results, the trees over both) is worked out once a block and
kept for the last few blocks: receipts are asked for right after the decision, many of one block.
"""

from __future__ import annotations

from dataclasses import dataclass

from fazhi_ledger import merkle
from fazhi_ledger.block import Block
from fazhi_ledger.result import RecordResult
from fazhi_ledger.suites import Suite

from .limits import OPEN_BATCHES, OPEN_BLOCK_BYTES, OPEN_BLOCKS
from .storage.chain_layout import BlockResults
from .storage.chain_store import ChainStore


@dataclass(frozen=True, slots=True)
class RecordPart:
    """What ties one record of a submission to the submission and its result. Proofs are digests from the leaf up."""

    record: bytes
    index: int
    proof: tuple[bytes, ...]
    result: bytes
    result_proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Batch:
    """The record results of one item, encoded, and the trees over its records and over them."""

    results: tuple[bytes, ...]
    records_tree: merkle.Tree
    results_tree: merkle.Tree


class OpenBlock:
    """One block with all that proofs of its parts are made of. Trees are built when they are first asked for."""

    __slots__ = ("_batches", "_outcomes", "_submissions", "_suite", "block", "results")

    def __init__(self, suite: Suite, block: Block, results: BlockResults) -> None:
        self.block = block
        self.results = results
        self._suite = suite
        self._submissions: merkle.Tree | None = None
        self._outcomes: merkle.Tree | None = None
        self._batches: dict[int, _Batch] = {}

    @property
    def submissions(self) -> merkle.Tree:
        """The tree under ``submissions_root``."""
        if self._submissions is None:
            self._submissions = merkle.Tree(self._suite, [item.leaf(self._suite) for item in self.block.items])
        return self._submissions

    @property
    def outcomes(self) -> merkle.Tree:
        """The tree under ``results_root``."""
        if self._outcomes is None:
            self._outcomes = self._tree(self.results.leaves)
        return self._outcomes

    def record_results(self, index: int) -> tuple[RecordResult, ...]:
        """The record results of item ``index``; none where it was refused or carries no records."""
        return self.results.record_results(index)

    def packed(self, index: int) -> tuple[bytes, ...]:
        """The record results of item ``index``, encoded, as they are leaves under its result."""
        return self._batch(index).results

    def record(self, index: int, record: int) -> RecordPart | None:
        """Record ``record`` of item ``index``; None where the item has no such record, or was refused."""
        batch = self._batch(index)
        if not 0 <= record < len(batch.results):
            return None
        return RecordPart(
            self.block.items[index].records[record],
            record,
            batch.records_tree.proof(record),
            batch.results[record],
            batch.results_tree.proof(record),
        )

    def _batch(self, index: int) -> _Batch:
        batch = self._batches.get(index)
        if batch is None:
            results = tuple(one.encode() for one in self.record_results(index))
            batch = _Batch(results, self._tree(self.block.items[index].records if results else ()), self._tree(results))
            # Replaced as a whole, never changed: threads that read meanwhile keep what they have.
            self._batches = dict([*self._batches.items(), (index, batch)][-OPEN_BATCHES:])
        return batch

    def _tree(self, leaves: tuple[bytes, ...]) -> merkle.Tree:
        return merkle.Tree(self._suite, [merkle.leaf_hash(self._suite, leaf) for leaf in leaves])


class OpenBlocks:
    """The last blocks that were asked for: at most ``OPEN_BLOCKS``, and, one apart, no more than ``OPEN_BLOCK_BYTES``
    of encoded blocks. May be asked from several threads.
    """

    def __init__(self, store: ChainStore) -> None:
        self._store = store
        self._open: dict[int, tuple[OpenBlock, int]] = {}

    def is_open(self, height: int) -> bool:
        """Whether asking for that block costs nothing."""
        return height in self._open

    def get(self, height: int) -> OpenBlock | None:
        """Block ``height``, kept from now on; None above the tip."""
        found = self._open.get(height)
        if found is not None:
            return found[0]
        opened = self.read(height)
        if opened is not None:
            size = sum(len(item.body_bytes) + sum(map(len, item.records)) for item in opened.block.items)
            kept = [*self._open.items(), (height, (opened, size))][-OPEN_BLOCKS:]
            while len(kept) > 1 and sum(size for _, (_, size) in kept) > OPEN_BLOCK_BYTES:
                del kept[0]
            self._open = dict(kept)  # as a whole, see above
        return opened

    def read(self, height: int) -> OpenBlock | None:
        """Block ``height``, without keeping it; None above the tip."""
        block, results = self._store.block(height), self._store.results(height)
        return None if block is None or results is None else OpenBlock(self._store.suite, block, results)
