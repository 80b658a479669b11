"""Bugs put into production code for the time of a ``with`` block: a simulator that does not find them proves nothing.

The whole list of mutants is a campaign of its own; these few show that the simulator's own parts (disk, restart,
state transfer, checkers) see what they are there for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from fazhi_consensus.own_votes import OwnVotes
from fazhi_node.mempool import Mempool
from fazhi_node.storage.chain_store import ChainStore
from fazhi_node.storage.vote_log import DiskVoteLog

from tests.simulation.checkers import Violation

from .disk import NodeFile, SimKeyValue
from .run import run_seed

Bug = Callable[[], AbstractContextManager[None]]


@contextmanager
def decision_not_synced() -> Iterator[None]:
    """A decided block is written without waiting for the disk."""
    write = SimKeyValue.write

    def lazy(self: SimKeyValue, batch: Any, sync: bool = True) -> None:
        write(self, batch, sync=False)

    with patch.object(SimKeyValue, "write", lazy):
        yield


@contextmanager
def vote_not_synced() -> Iterator[None]:
    """A vote leaves before it is on the disk."""
    append = DiskVoteLog.append

    def lazy(self: DiskVoteLog, record: bytes, height: int) -> None:
        with patch.object(NodeFile, "sync_data", lambda _: None):
            append(self, record, height)

    with patch.object(DiskVoteLog, "append", lazy):
        yield


@contextmanager
def lock_forgotten_at_restart() -> Iterator[None]:
    """A node remembers what it signed, but not what it had prepared."""
    original = OwnVotes.__init__

    def forgetful(self: OwnVotes, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.lock = None

    with patch.object(OwnVotes, "__init__", forgetful):
        yield


@contextmanager
def results_not_stored() -> Iterator[None]:
    """Every second state entry of a block is forgotten on one node's disk, not in its memory."""
    entries = ChainStore._state_entries

    def partly(changes: Any, pages: Any) -> Any:
        return entries(dict(list(changes.items())[:-1] if len(changes) > 1 else changes), pages)

    with patch.object(ChainStore, "_state_entries", staticmethod(partly)):
        yield


@contextmanager
def pending_forgotten() -> Iterator[None]:
    """The mempool drops what was passed over by a block."""
    advance = Mempool.advance

    def greedy(self: Mempool, lane: Any, next_seq: int) -> Any:
        passed = advance(self, lane, next_seq)
        for entry in list(self.entries()):
            if entry.lane == lane:
                self.remove(entry.submission_id)
        return passed

    with patch.object(Mempool, "advance", greedy):
        yield


BUGS: dict[str, Bug] = {
    "decision-not-synced": decision_not_synced,
    "vote-not-synced": vote_not_synced,
    "lock-forgotten-at-restart": lock_forgotten_at_restart,
    "results-not-stored": results_not_stored,
    "pending-forgotten": pending_forgotten,
}


def hunt(name: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that finds a bug, and what it says."""
    with BUGS[name]():
        for seed in seeds:
            try:
                run_seed(seed)
            except Violation as violation:
                return seed, str(violation).splitlines()[0]
    return None
