"""The chain on disk: blocks, certificates, results, the state and its tree, the history log, and the ways to find
things.

A decided block is one atomic, synced batch: after any crash the store ends with a whole block. Caches are bounded and
change only after the batch is durable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fazhi_contracts.chain import ChainState, ExecutedBlock, genesis_state, tree_update
from fazhi_ledger import merkle
from fazhi_ledger.block import Block
from fazhi_ledger.canonical import decode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import EncodingError, InvalidProof, invariant
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.header import Header
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.shape import as_bytes, as_int, as_tuple
from fazhi_ledger.statetree import MemoryPages, check_page, find, key_hash_of, root_of_tree, value_hash_of

from . import chain_layout as layout
from .cache import UNKNOWN, BoundedCache
from .chain_layout import BlockResults, EventPlace, EventRun, Place
from .dockets import Series, docket_entries, listed, make_anew, up_to
from .errors import StoreCorrupt, StoreForeign
from .limits import (
    HASH_CACHE_BYTES,
    HASH_CACHE_ENTRIES,
    LATE_CERTIFICATES,
    PAGE_CACHE_BYTES,
    PAGE_CACHE_ENTRIES,
    RESULTS_KEPT,
    STATE_CACHE_BYTES,
    STATE_CACHE_ENTRIES,
)
from .port import KeyValue
from .state_scans import all_proposals, all_series

_Entries = list[tuple[bytes, bytes | None]]


@dataclass(frozen=True, slots=True)
class Tip:
    """The last durable block. At height 0 the hash is the genesis hash and the time the genesis' time (Unix ms)."""

    height: int
    block_hash: bytes
    time_ms: int


class ChainStore:
    """The chain in ``store``, which must have been initialised; see :func:`open_chain`. It owns the store.

    It is a ``StateView`` and a ``PageSource`` of the state at the tip. Reading is safe from several threads; writing is
    for one. Methods that name a height answer None above the tip, and where it is not kept below :attr:`base`; what
    must be there and is not, or is damaged, raises ``StoreCorrupt``, and every method may raise ``StorageError``.
    """

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._moment = 0
        """Even between blocks, odd while one is being stored."""
        self._mistrusted = getattr(store, "without_checksums", False)
        self._state_cache = BoundedCache(STATE_CACHE_ENTRIES, STATE_CACHE_BYTES)
        self._page_cache = BoundedCache(PAGE_CACHE_ENTRIES, PAGE_CACHE_BYTES)
        self._hash_cache = BoundedCache(HASH_CACHE_ENTRIES, HASH_CACHE_BYTES)
        self._late: dict[int, CommitCertificate] = {}
        self._results: dict[int, BlockResults] = {}
        self._newest: Block | None = None
        data = self._read(layout.GENESIS_KEY)
        if data is None:
            layout.check_empty(layout.GENESIS_KEY, store.scan(b"", b"\xff"))
            raise StoreForeign("store-empty")
        self.genesis_file = GenesisFile.decode(data)
        self.genesis = self.genesis_file.genesis
        self.suite = self.genesis.suite
        self.genesis_hash = self.genesis_file.hash()
        self._tip = self._read_tip()
        self.base = self._read_base()
        """The chain is here from block ``base`` + 1 on; 0 where all of it is. :meth:`block_hash` knows every height."""
        self._history = self._read_history(self._tip.height + 1)
        self._check_tip()

    # The tip

    @property
    def tip(self) -> Tip:
        """The last durable block."""
        return self._tip

    @property
    def history(self) -> Frontier:
        """The history log: leaf 0 the genesis hash, leaf i the hash of block i; ``tip.height + 1`` leaves."""
        return self._history

    def state(self) -> ChainState:
        """The chain as the contracts take it, at the tip.

        Its state and pages are read when they are asked for: after the next :meth:`commit` use the next one.
        """
        return ChainState(
            suite=self.suite,
            genesis=self.genesis,
            genesis_hash=self.genesis_hash,
            height=self._tip.height,
            header_hash=self._tip.block_hash,
            time_ms=self._tip.time_ms,
            history=self._history,
            view=self,
            pages=self,
            header_hash_at=self.block_hash,
        )

    def get(self, key: bytes) -> bytes | None:
        """The value of a state key (``StateView``)."""
        return self._cached(self._state_cache, layout.STATE, key)

    def get_page(self, path: bytes) -> bytes | None:
        """A page of the state tree (``PageSource``). The root's is always there; others are asked for only where the
        page above names them."""
        page = self._cached(self._page_cache, layout.PAGE, path)
        if page is None:
            raise layout.corrupt(layout.PAGE + path, " is missing")
        return page

    # What was stored per block

    def block_hash(self, height: int) -> bytes | None:
        """The hash of block ``height``, the genesis hash at 0."""
        if height == 0:
            return self.genesis_hash
        found = self._header_entry(height)
        return None if found is None else found[:32]

    def header_bytes(self, height: int) -> bytes | None:
        """The header of block ``height``, verbatim."""
        found = self._header_entry(height)
        return None if found is None or len(found) == 32 else found[32:]

    def header(self, height: int) -> Header | None:
        """The header of block ``height``."""
        data = self.header_bytes(height)
        return None if data is None else Header.decode(data)

    def headers(self, first: int, limit: int) -> Iterator[Header]:
        """The headers from block ``first`` on, at most ``limit`` of them, as of this call."""
        start = max(first, self.base, 1)
        stop = min(start + limit, self._tip.height + 1)
        pairs = self._store.scan(layout.height_key(layout.HEADER, start), layout.height_key(layout.HEADER, stop))
        return (Header.decode(layout.unframe(key, framed)[32:]) for key, framed in pairs)

    def block_bytes(self, height: int) -> bytes | None:
        """Block ``height``, verbatim."""
        return self._of_height(layout.BLOCK, height)

    def block(self, height: int) -> Block | None:
        """Block ``height``. The newest is not decoded again: everybody asks for it."""
        newest = self._newest
        if newest is not None and newest.header.height == height:
            return newest
        data = self.block_bytes(height)
        return None if data is None else Block.decode(data)

    def certificate(self, height: int) -> CommitCertificate | None:
        """The certificate of block ``height`` with every commit that came, late ones too."""
        late = self._late.get(height)
        if late is not None:
            return late
        data = self._of_height(layout.CERTIFICATE, height)
        return None if data is None else CommitCertificate.decode(data)

    def results(self, height: int) -> BlockResults | None:
        """What the items of block ``height`` came to. The last few asked for are kept decoded: an item that comes again
        after its block asks for one result of a thousand.
        """
        found = self._results.get(height)
        if found is None:
            data = self._of_height(layout.RESULTS, height)
            if data is None:
                return None
            found = BlockResults.decode(data)
            # Replaced as a whole, never changed: threads that read meanwhile keep what they have.
            kept = [*self._results.items(), (height, found)]
            self._results = dict(kept[-RESULTS_KEPT:])
        return found

    # Finding

    def height_of(self, block_hash: bytes) -> int | None:
        """The height of the block with that hash; 0 for the genesis hash."""
        if block_hash == self.genesis_hash:
            return 0
        data = self._read(layout.HASH + block_hash)
        return None if data is None else layout.read_number(data)

    def locate(self, submission_id: bytes) -> Place | None:
        """Where a submission stands."""
        data = self._read(layout.ITEM + submission_id)
        return None if data is None else layout.read_place(data)

    def case_event(self, case_id: bytes, number: int) -> EventPlace | None:
        """Where event ``number`` of a case (from 1) stands."""
        if not 1 <= number < layout.MAX_NUMBER:
            return None
        for run in self._runs(layout.event_key(case_id, 0), layout.event_key(case_id, number + 1), reverse=True):
            return run.place(number)
        return None

    def case_events(self, case_id: bytes, first: int, limit: int) -> tuple[EventPlace, ...]:
        """The places of a case's events from number ``first`` on, at most ``limit``."""
        found: list[EventPlace] = []
        start = first
        for run in self._runs(layout.event_key(case_id, 0), layout.event_key(case_id, first), reverse=True):
            start = run.number  # the run that began before may reach as far
            break
        for run in self._runs(layout.event_key(case_id, start), layout.event_key(case_id, layout.MAX_NUMBER)):
            for number in range(max(first, run.number), run.number + run.count):
                place = run.place(number)
                if len(found) == limit or place is None:
                    return tuple(found)
                found.append(place)
        return tuple(found)

    def series(self, after: Series | None, limit: int) -> tuple[Series, ...]:
        """What the state holds counters of cases for, behind ``after``, at most ``limit``."""
        return all_series(self._store, after, limit)

    def proposals(self, after: bytes, limit: int) -> tuple[bytes, ...]:
        """Ids of all proposals ever made that are greater than ``after``, in order, at most ``limit``."""
        return all_proposals(self._store, after, limit)

    def cases(self, series: Series, first: int, limit: int) -> tuple[tuple[int, bytes], ...]:
        """Serials and ids of the cases of a series from serial ``first`` on, at most ``limit``."""
        return listed(self._store, series, first, limit)

    def history_node(self, level: int, index: int) -> bytes:
        """A complete subtree of the history log: what ``merkle.inclusion_proof_from`` and its like ask for.

        Raises:
            InvalidProof: ``index-out-of-range`` beyond the log.
        """
        if not 0 <= level < merkle.MAX_LEVELS or not 0 <= index < self._history.size >> level:
            raise InvalidProof("index-out-of-range")
        return self._must(layout.node_key(level, index))

    # Writing

    def commit(self, executed: ExecutedBlock, certificate: CommitCertificate, encoded: bytes | None = None) -> None:
        """Make a decided block durable, in one batch, and move the tip.

        The certificate must have been verified. ``encoded``: the block's bytes, where they are known.

        Raises:
            StorageError: nothing of the block was kept; the store is stopped.
        """
        header = executed.block.header
        height = self._tip.height + 1
        invariant(header.height == height and header.parent_hash == self._tip.block_hash, "a block follows the tip")
        invariant(
            certificate.height == height and certificate.block_hash == executed.block_hash,
            "a block is stored with its own certificate",
        )
        leaf = merkle.leaf_hash(self.suite, executed.block_hash)
        history, nodes = self._history.append_nodes(self.suite, leaf)
        invariant(history == executed.history, "the history is that of this chain")
        tip = Tip(height, executed.block_hash, header.time_ms)
        entries = self._block_entries(executed, certificate, encoded or executed.block.encode())
        entries += [layout.frame(layout.node_key(level, index), digest) for level, index, digest in nodes]
        entries += self._state_entries(executed.changes, executed.tree.pages)
        late = self._late_entries()
        entries += late
        entries += [layout.frame(*docket) for docket in docket_entries(executed)]
        entries.append(up_to(height))
        entries.append(layout.write_tip(tip.height, tip.block_hash, tip.time_ms))
        self._moment += 1
        self._store.write(entries)
        self._late = {}
        self._hash_cache.keep_all({layout.write_number(height): executed.block_hash + header.encode()})
        self._state_cache.keep_all(executed.changes)
        self._page_cache.keep_all(executed.tree.pages)
        self._history = history
        self._newest = executed.block
        self._tip = tip
        self._moment += 1

    def add_commits(self, certificate: CommitCertificate) -> CommitCertificate | None:
        """Add verified late commits to the kept certificate of that block; they are written with the next block.

        Commits of another round do not add up, so they change nothing. Answers the certificate that is kept now, or
        None where there is no such block.
        """
        kept = self.certificate(certificate.height)
        if kept is None or kept.block_hash != certificate.block_hash:
            return None
        if kept.round != certificate.round:
            return kept
        signatures = dict(certificate.signatures) | dict(kept.signatures)
        if len(signatures) > len(kept.signatures):
            kept = replace(kept, signatures=tuple(sorted(signatures.items())))
            self._late[kept.height] = kept
            if len(self._late) > LATE_CERTIFICATES:
                self.flush()
        return kept

    def flush(self) -> None:
        """Write what waits for the next block."""
        self._store.write(self._late_entries())
        self._late = {}

    def walk(self, kind: bytes = b"") -> Iterator[tuple[bytes, bytes | None]]:
        """Every entry of a kind, or of all: its key and its value, None where it is damaged. For an operator who
        mistrusts a disk."""
        for key, framed in self._store.scan(kind, bytes((kind[0] + 1,)) if kind else b"\xff"):
            try:
                yield key, layout.unframe(key, framed)
            except StoreCorrupt:
                yield key, None

    def read(self, key: bytes) -> bytes | None:
        """The value of one entry of :mod:`.chain_layout`, None where there is none."""
        return self._read(key)

    def view(self) -> ChainStore:
        """The chain as of now, for reading alone: blocks that come later do not show. Close it, for it keeps from being
        freed what they replace. May be called from any thread."""
        view = self._store.view()
        try:
            return ChainStore(view)
        except BaseException:
            view.close()
            raise

    def close(self) -> None:
        """Write what waits, and give up the store. A second call does nothing."""
        try:
            if self._late:
                self.flush()
        finally:
            self._late = {}
            self._store.close()

    # Entries of a batch

    def _block_entries(self, executed: ExecutedBlock, certificate: CommitCertificate, encoded: bytes) -> _Entries:
        block, height = executed.block, executed.block.header.height
        results = BlockResults(
            executed.result_leaves,
            tuple([layout.pack_record_results(one.result_runs, one.record_result_bytes) for one in executed.outcomes]),
        )
        entries: _Entries = [
            layout.frame(layout.height_key(layout.BLOCK, height), encoded),
            layout.frame(layout.height_key(layout.HEADER, height), executed.block_hash + block.header.encode()),
            layout.frame(layout.height_key(layout.CERTIFICATE, height), certificate.encode()),
            layout.frame(layout.height_key(layout.RESULTS, height), results.encode()),
            layout.frame(layout.HASH + executed.block_hash, layout.write_number(height)),
        ]
        for index, outcome in enumerate(executed.outcomes):
            place = layout.write_place(height, index)
            entries.append(layout.frame(layout.ITEM + outcome.result.submission_id, place))
            entries += [layout.frame(*event) for event in layout.event_places(height, index, outcome.result_runs)]
        return entries

    @staticmethod
    def _state_entries(changes: dict[bytes, bytes | None], pages: dict[bytes, bytes | None]) -> _Entries:
        entries: _Entries = []
        for kind, parts in ((layout.STATE, changes), (layout.PAGE, pages)):
            for key, value in parts.items():
                entries.append((kind + key, None) if value is None else layout.frame(kind + key, value))
        return entries

    def _late_entries(self) -> _Entries:
        return [
            layout.frame(layout.height_key(layout.CERTIFICATE, height), certificate.encode())
            for height, certificate in self._late.items()
        ]

    # Reading

    def _read(self, key: bytes) -> bytes | None:
        framed = self._store.get(key)
        return None if framed is None else layout.unframe(key, framed)

    def _must(self, key: bytes) -> bytes:
        data = self._read(key)
        if data is None:
            raise layout.corrupt(key, " is missing")
        return data

    def _of_height(self, kind: bytes, height: int) -> bytes | None:
        if not 1 <= height <= self._tip.height:
            return None
        key = layout.height_key(kind, height)
        return self._must(key) if height > self.base else self._read(key)

    def _cached(self, cache: BoundedCache, kind: bytes, key: bytes) -> bytes | None:
        value = cache.find(key)
        if value is UNKNOWN:
            moment = self._moment
            value = self._read(kind + key)
            damaged = self._mistrusted and not self._is_of_tree(kind, key, value)
            if damaged and moment == self._moment and not moment & 1:  # else a block was stored meanwhile
                raise layout.corrupt(kind + key, " is not the newest")
            value = cache.fill(key, value)  # a block may have been stored meanwhile
        return value

    def _is_of_tree(self, kind: bytes, key: bytes, value: bytes | None) -> bool:
        """Whether an entry or page of the state that was read is the one that the page above it names.

        A checksum in the value finds a value that was changed; where the files have none, a damaged index may lead to
        no value or to an old one."""
        if kind == layout.STATE:
            named = find(self, key_hash_of(self.suite, key))
            return named == (None if value is None else value_hash_of(self.suite, value))
        if not key or value is None:
            return True  # the root's page is held against the header when the store is opened
        above = check_page(self.suite, key[:-1], self.get_page(key[:-1]) or b"")
        return check_page(self.suite, key, value)[-1][0] == above[0][key[-1]]

    def _header_entry(self, height: int) -> bytes | None:
        if not 1 <= height <= self._tip.height:
            return None
        key = layout.write_number(height)
        value = self._hash_cache.find(key)
        if value is UNKNOWN:
            value = self._hash_cache.fill(key, self._must(layout.HEADER + key))
        return value

    def _runs(self, start: bytes, stop: bytes, reverse: bool = False) -> Iterator[EventRun]:
        for key, framed in self._store.scan(start, stop, reverse):
            yield layout.read_run(layout.read_number(key[-8:]), layout.unframe(key, framed))

    # Opening

    def _read_tip(self) -> Tip:
        height, block_hash, time_ms = as_tuple(decode(self._must(layout.TIP_KEY)), "tip", length=3)
        return Tip(as_int(height, "height"), as_bytes(block_hash, "block hash", 32), as_int(time_ms, "time"))

    def _read_base(self) -> int:
        data = self._read(layout.BASE_KEY)
        base = 0 if data is None else layout.read_number(data)
        if base > self._tip.height:
            raise layout.corrupt(layout.BASE_KEY)
        return base

    def _read_history(self, size: int) -> Frontier:
        """The right edge of the log, from its stored subtrees."""
        levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
        peaks = [self._must(layout.node_key(level, (size >> level) - 1)) for level in levels]
        return Frontier(size, tuple(peaks))

    def _check_tip(self) -> None:
        """The parts that the next block stands on belong together: header, history and the root of the state."""
        if self._tip.height == 0:
            return
        header = self.header(self._tip.height)
        if header is None:
            raise layout.corrupt(layout.height_key(layout.HEADER, self._tip.height))
        # The history that the header binds ends before it: the log without its last leaf.
        if self._read_history(header.height).root(self.suite) != header.history_root:
            raise layout.corrupt(layout.NODE)
        if header.hash(self.suite) != self._tip.block_hash or self.block_hash(header.height) != self._tip.block_hash:
            raise layout.corrupt(layout.height_key(layout.HEADER, header.height))
        if self._must(layout.node_key(0, header.height)) != merkle.leaf_hash(self.suite, self._tip.block_hash):
            raise layout.corrupt(layout.node_key(0, header.height))
        try:
            root = root_of_tree(self.suite, self)
        except EncodingError:
            root = b""
        if root != header.state_root:
            raise layout.corrupt(layout.PAGE)


def open_chain(store: KeyValue, genesis_file: GenesisFile) -> ChainStore:
    """The chain in ``store``; in an empty one the chain that begins with ``genesis_file``, written in one batch.

    Raises:
        StoreForeign: ``store-other-genesis``.
        InvalidGenesis: the file does not hold together.
        StorageError: the disk.
    """
    if store.get(layout.TIP_KEY) is None:
        layout.check_empty(layout.TIP_KEY, store.scan(b"", b"\xff"))
        genesis_file.check()
        genesis, genesis_hash = genesis_file.genesis, genesis_file.hash()
        entries = genesis_state(genesis_file)
        tree = tree_update(genesis.suite, MemoryPages(), entries)
        leaf = layout.frame(layout.node_key(0, 0), merkle.leaf_hash(genesis.suite, genesis_hash))
        batch: _Entries = [layout.frame(layout.GENESIS_KEY, genesis_file.encode()), leaf, up_to(0)]
        batch += ChainStore._state_entries(dict(entries), tree.pages)
        store.write([*batch, layout.write_tip(0, genesis_hash, genesis.time_ms)])
    chain = ChainStore(store)
    if chain.genesis_hash != genesis_file.hash():
        raise StoreForeign("store-other-genesis", recorded=chain.genesis_hash.hex(), expected=genesis_file.hash().hex())
    if chain.read(layout.DOCKET_KEY) != layout.write_number(chain.tip.height):
        make_anew(store, chain.tip.height)
    return chain
