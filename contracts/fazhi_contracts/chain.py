"""From block to block: what a header must say, worked out the same way by the node that proposes, those that vote, and
the auditor.

Whether a fresh proposal's time is near a validator's own clock is the node's business; here time must only move on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fazhi_ledger import merkle, statetree
from fazhi_ledger.block import Block, submissions_root
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.genesis import Genesis, GenesisFile
from fazhi_ledger.header import Header
from fazhi_ledger.limits import MAX_TIME_MS
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.statetree import MemoryPages, PageSource, TreeUpdate
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .context import BlockContext, HeaderHashAt, ItemOutcome
from .epochs import sets_for
from .execution import execute_block
from .genesis_state import genesis_state
from .queries import rules_hash
from .state import MemoryState, StateView

__all__ = [
    "ChainState",
    "ExecutedBlock",
    "MemoryChain",
    "build_block",
    "check_block",
    "context_of",
    "genesis_state",
    "tree_update",
]


@dataclass(frozen=True, slots=True)
class ChainState:
    """A chain after ``height`` blocks. At height 0 ``header_hash`` is the genesis hash and ``time_ms`` the genesis'
    time.

    ``history`` is the log of leaf 0 the genesis hash, leaf i the header hash of height i, so of ``height + 1`` leaves;
    ``view`` and ``pages`` are the state and its tree after ``height``; ``header_hash_at`` knows heights 0 …
    ``height``.
    """

    suite: Suite
    genesis: Genesis
    genesis_hash: bytes
    height: int
    header_hash: bytes
    time_ms: int
    history: Frontier
    view: StateView
    pages: PageSource
    header_hash_at: HeaderHashAt

    def validators(self) -> tuple[ValidatorSet, ValidatorSet]:
        """The sets that certify the next block and the one after it."""
        return sets_for(self.view, self.height + 1)


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A block and everything that follows from it.

    ``result_leaves`` are the encoded results, the leaves' data under ``results_root``; ``changes`` and ``tree`` are
    what to write; ``history`` is the log with this block's header as its last leaf.
    """

    block: Block
    block_hash: bytes
    outcomes: tuple[ItemOutcome, ...]
    result_leaves: tuple[bytes, ...]
    changes: dict[bytes, bytes | None]
    tree: TreeUpdate
    history: Frontier


def context_of(base: ChainState, time_ms: int) -> BlockContext:
    """The context of the block after ``base`` at that time."""
    return BlockContext(base.suite, base.genesis_hash, base.height + 1, time_ms, base.time_ms, base.header_hash_at)


def tree_update(suite: Suite, pages: PageSource, changes: Mapping[bytes, bytes | None]) -> TreeUpdate:
    """What a block's changes of the state make of the state tree."""
    hashed = {
        statetree.key_hash_of(suite, key): None if value is None else statetree.value_hash_of(suite, value)
        for key, value in changes.items()
    }
    return statetree.update(suite, pages, hashed)


def build_block(base: ChainState, proposer: str, time_ms: int, items: Sequence[Item]) -> ExecutedBlock:
    """The block after ``base`` with these items, executed. Signatures must have been verified.

    Raises:
        InvalidBlock: ``wrong-header-field`` for a time that does not move on or a proposer without a seat; an item's
            invalidity, with its ``index`` (see :func:`~fazhi_contracts.execution.execute_block`).
    """
    items = tuple(items)
    return _build(base, proposer, time_ms, items, submissions_root(base.suite, items))


def _build(
    base: ChainState,
    proposer: str,
    time_ms: int,
    items: tuple[Item, ...],
    body_root: bytes,
    state_root: bytes | None = None,
) -> ExecutedBlock:
    """See :func:`build_block`. A ``state_root`` that is given is taken for what it says, and the tree not updated."""
    height = base.height + 1
    current, following = base.validators()
    if not base.time_ms < time_ms <= MAX_TIME_MS:
        raise InvalidBlock("wrong-header-field", height=height, field="time_ms", parent_ms=base.time_ms)
    if current.index_of_member(proposer) is None:
        raise InvalidBlock("wrong-header-field", height=height, field="proposer", proposer=proposer)
    suite = base.suite
    outcome = execute_block(base.view, items, context_of(base, time_ms))
    result_leaves = tuple(item.result.encode() for item in outcome.outcomes)
    tree = tree_update(suite, base.pages, outcome.changes) if state_root is None else TreeUpdate(state_root, {})
    validators_hash = current.hash(suite)
    header = Header(
        genesis_hash=base.genesis_hash,
        height=height,
        parent_hash=base.header_hash,
        time_ms=time_ms,
        proposer=proposer,
        submission_count=len(items),
        submissions_root=body_root,
        results_root=merkle.root_of(suite, merkle.leaf_hashes(suite, result_leaves)),
        state_root=tree.root,
        history_root=base.history.root(suite),
        validators_hash=validators_hash,
        next_validators_hash=validators_hash if following is current else following.hash(suite),
        rules_hash=rules_hash(base.view, suite),
    )
    block_hash = header.hash(suite)
    history = base.history.append(suite, merkle.leaf_hash(suite, block_hash))
    return ExecutedBlock(
        Block(header, items), block_hash, outcome.outcomes, result_leaves, outcome.changes, tree, history
    )


def check_block(base: ChainState, block: Block, *, roots_elsewhere: bool = False) -> ExecutedBlock:
    """Execute a block that somebody else built and compare every field of its header. Signatures must have been
    verified.

    With ``roots_elsewhere`` two fields are taken for what they say: ``submissions_root`` and ``state_root``. The caller
    answers for them, the latter from ``changes``: an auditor works them out beside the execution. ``tree`` then has no
    pages.

    Raises:
        InvalidBlock: ``wrong-header-field`` naming the first ``field`` that differs; or an item's invalidity, with its
            ``index``.
    """
    header = block.header
    # What costs nothing to see comes before the execution.
    for name, expected in (
        ("genesis_hash", base.genesis_hash),
        ("height", base.height + 1),
        ("parent_hash", base.header_hash),
        ("submission_count", len(block.items)),
    ):
        if getattr(header, name) != expected:
            raise InvalidBlock("wrong-header-field", height=header.height, field=name)
    if not roots_elsewhere:
        block.check_body(base.suite)
    state_root = header.state_root if roots_elsewhere else None
    executed = _build(base, header.proposer, header.time_ms, block.items, header.submissions_root, state_root)
    field = header.first_difference(executed.block.header)
    if field is not None:
        raise InvalidBlock("wrong-header-field", height=header.height, field=field)
    return executed


class MemoryChain:
    """A chain held in memory:

    for auditors, replays and tests. :attr:`state` is a :class:`ChainState` that ends with the last block taken.
    """

    def __init__(self, genesis_file: GenesisFile) -> None:
        """Raises ``InvalidGenesis``."""
        genesis = genesis_file.genesis
        suite, genesis_hash = genesis.suite, genesis_file.hash()
        entries = genesis_state(genesis_file)
        self._entries = MemoryState(entries)
        self._pages = MemoryPages()
        self._pages.apply(tree_update(suite, self._pages, entries))
        self._hashes = [genesis_hash]
        history = Frontier.empty().append(suite, merkle.leaf_hash(suite, genesis_hash))
        self.state = ChainState(
            suite,
            genesis,
            genesis_hash,
            0,
            genesis_hash,
            genesis.time_ms,
            history,
            self._entries,
            self._pages,
            self._hash_at,
        )

    def pages(self) -> Mapping[bytes, bytes]:
        """The pages of the state tree, as they are now."""
        return self._pages.pages

    def _hash_at(self, height: int) -> bytes | None:
        return self._hashes[height] if 0 <= height < len(self._hashes) else None

    def take(self, executed: ExecutedBlock) -> None:
        """Take over an executed block.

        Raises:
            InvalidBlock: ``wrong-header-field`` where it does not follow the last block.
        """
        header = executed.block.header
        if header.parent_hash != self.state.header_hash:
            raise InvalidBlock("wrong-header-field", height=header.height, field="parent_hash")
        self._entries.apply(executed.changes)
        self._pages.apply(executed.tree)
        self._hashes.append(executed.block_hash)
        self.state = replace(
            self.state,
            height=header.height,
            header_hash=executed.block_hash,
            time_ms=header.time_ms,
            history=executed.history,
        )
