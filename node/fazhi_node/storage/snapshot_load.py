"""A snapshot on its way into an empty store: every part is checked before the next is read, from the genesis file on.

The hand-overs lead from the genesis to the set that certified the header; the header's history root binds the hashes of
all blocks below it, its state root every entry. The tip is written last, so that a store is whole or not one at all;
but nobody looks into it before :func:`load_snapshot` has returned.

What a file can make grow is bounded: a frame by its length, which is checked before the frame is read; hand-overs and
hashes by what a quorum certified. Entries alone may be more than the state has: then the disk is full before the root
is found to differ, and the caller removes what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from fazhi_contracts.chain import tree_update
from fazhi_ledger import merkle
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError, InvalidReceipt
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.header import Header
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.receipt_steps import follow_handover
from fazhi_ledger.stateproof import EMPTY
from fazhi_ledger.suites import DIGEST_BYTES
from fazhi_ledger.validators import ValidatorSet

from . import chain_layout as layout
from .cache import UNKNOWN, BoundedCache
from .chain_store import ChainStore, Tip
from .dockets import docket_entry, is_case, up_to
from .limits import PAGE_CACHE_BYTES, PAGE_CACHE_ENTRIES
from .port import KeyValue
from .snapshot import HASHES, Head, InvalidSnapshot, decode_entries, decode_handover, decode_hashes, read_snapshot

Progress = Callable[[str, int, int], None]
"""``(part, done, of)``: ``hashes`` and ``entries``, with how many so far (of 0: not known)."""

WRITE_ENTRIES: Final = 16_384
WRITE_BYTES: Final = 16 * 1024 * 1024
"""Entries of the state, and their bytes, from which on they go into the tree together."""


def load_snapshot(store: KeyValue, genesis_file: GenesisFile, chunks: Iterable[bytes], progress: Progress) -> Tip:
    """Check a snapshot and write it into ``store``, which is empty: the chain at the snapshot's height, as
    :class:`~.chain_store.ChainStore` opens it. Durable when it returns.

    Raises:
        InvalidSnapshot: with what does not hold; the store is then of no use.
        StorageError: the disk.
    """
    return _Loader(store, genesis_file, progress).load(read_snapshot(chunks))


class _Loader:
    def __init__(self, store: KeyValue, genesis_file: GenesisFile, progress: Progress) -> None:
        self._store = store
        self._file = genesis_file
        self._suite = genesis_file.genesis.suite
        self._genesis_hash = genesis_file.hash()
        self._progress = progress
        self._handovers: dict[int, tuple[bytes, bytes]] = {}
        """Hash and header of each hand-over, by height."""

    def load(self, frames: Iterator[bytes]) -> Tip:
        first = _next(frames)  # what the pieces' source says of itself is no fault of the file's
        with _held_against(_malformed):
            head = Head.decode(first)
            header, certificate = Header.decode(head.header), CommitCertificate.decode(head.certificate)
        if head.genesis_hash != self._genesis_hash or header.genesis_hash != self._genesis_hash:
            found = head.genesis_hash if head.genesis_hash != self._genesis_hash else header.genesis_hash
            raise InvalidSnapshot("snapshot-other-chain", found=found.hex(), expected=self._genesis_hash.hex())
        validators = self._file.genesis.validator_set()
        for _ in range(head.handovers):
            validators = self._follow(validators, _next(frames), header.height)
        block_hash = header.hash(self._suite)
        with _held_against(_bad_certificate(header.height)):
            if header.validators_hash != validators.hash(self._suite):
                raise InvalidReceipt("another-validator-set")
            certificate.verify_for(self._suite, self._genesis_hash, validators, header.height, block_hash)
        self._take_hashes(frames, header, block_hash)
        self._take_state(frames, header)
        tip = Tip(header.height, block_hash, header.time_ms)
        self._store.write(
            [
                layout.frame(layout.height_key(layout.HEADER, tip.height), block_hash + head.header),
                layout.frame(layout.height_key(layout.CERTIFICATE, tip.height), head.certificate),
                layout.frame(layout.GENESIS_KEY, self._file.encode()),
                layout.frame(layout.BASE_KEY, layout.write_number(tip.height)),
                up_to(tip.height),
                layout.write_tip(tip.height, block_hash, tip.time_ms),
            ]
        )
        ChainStore(self._store)  # reads what the next block stands on, and holds it against the header
        return tip

    def _follow(self, current: ValidatorSet, data: bytes, height: int) -> ValidatorSet:
        """The set after a hand-over, which must be in force at ``height``."""
        with _held_against(_bad_handover(current.epoch + 1)):
            handover = decode_handover(data)
            header, certificate = Header.decode(handover.header), CommitCertificate.decode(handover.certificate)
            successor = follow_handover(
                self._suite,
                self._genesis_hash,
                current,
                header,
                certificate,
                ValidatorSet.decode(handover.validators),
            )
            if successor.first_height > height:
                raise InvalidReceipt("handover-after-block")
        self._handovers[header.height] = header.hash(self._suite), handover.header
        self._store.write([layout.frame(layout.height_key(layout.CERTIFICATE, header.height), handover.certificate)])
        return successor

    def _take_hashes(self, frames: Iterator[bytes], header: Header, block_hash: bytes) -> None:
        """The history log, the header's own leaf included."""
        history = Frontier.empty()
        history = self._append(history, self._genesis_hash, [])
        last = header.height - 1
        for first in range(1, last + 1, HASHES):
            data = _next(frames)
            with _held_against(_malformed):
                hashes = decode_hashes(data, min(HASHES, last + 1 - first))
            batch: list[tuple[bytes, bytes]] = []
            for height, found in enumerate(hashes, first):
                history = self._append(history, found, batch)
                known, encoded = self._handovers.get(height, (found, b""))
                if known != found:
                    raise InvalidSnapshot("snapshot-bad-history", height=header.height)
                batch.append(layout.frame(layout.height_key(layout.HEADER, height), found + encoded))
            self._store.write(batch)
            self._progress("hashes", first + len(hashes) - 1, last)
        if history.root(self._suite) != header.history_root:
            raise InvalidSnapshot("snapshot-bad-history", height=header.height)
        own: list[tuple[bytes, bytes]] = []
        self._append(history, block_hash, own)
        self._store.write(own)

    def _append(self, history: Frontier, block_hash: bytes, batch: list[tuple[bytes, bytes]]) -> Frontier:
        """One more leaf, with what is stored of it."""
        height = history.size
        history, nodes = history.append_nodes(self._suite, merkle.leaf_hash(self._suite, block_hash))
        batch += [layout.frame(layout.node_key(level, index), digest) for level, index, digest in nodes]
        if height:
            batch.append(layout.frame(layout.HASH + block_hash, layout.write_number(height)))
        else:
            self._store.write(batch)
        return history

    def _take_state(self, frames: Iterator[bytes], header: Header) -> None:
        pages = _StoredPages(self._store)
        root, last, count, size = EMPTY, None, 0, 0
        bad_state = InvalidSnapshot("snapshot-bad-state", height=header.height)
        waiting: dict[bytes, bytes] = {}

        def into_the_tree() -> bytes:
            update = tree_update(self._suite, pages, waiting)
            batch = [layout.frame(layout.STATE + key, value) for key, value in waiting.items()]
            cases = [(key, value) for key, value in waiting.items() if is_case(key)]
            with _held_against(lambda _: bad_state):
                batch += [layout.frame(*docket_entry(key[-DIGEST_BYTES:], value)) for key, value in cases]
            pages.keep(update.pages, batch)
            waiting.clear()
            return update.root

        for data in frames:
            with _held_against(_malformed):
                entries = decode_entries(data, last)
            last = entries[-1][0]
            count += len(entries)
            size += len(data)
            waiting.update(entries)
            if len(waiting) >= WRITE_ENTRIES or size >= WRITE_BYTES:
                root, size = into_the_tree(), 0
                self._progress("entries", count, 0)
        if waiting:
            root = into_the_tree()
        self._progress("entries", count, 0)
        if root != header.state_root:
            raise bad_state


class _StoredPages:
    """The pages of the tree that grows."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._cache = BoundedCache(PAGE_CACHE_ENTRIES, PAGE_CACHE_BYTES)

    def get_page(self, path: bytes) -> bytes | None:
        page = self._cache.find(path)
        if page is UNKNOWN:
            key = layout.PAGE + path
            framed = self._store.get(key)
            page = self._cache.fill(path, None if framed is None else layout.unframe(key, framed))
        return page

    def keep(self, pages: dict[bytes, bytes | None], batch: list[tuple[bytes, bytes]]) -> None:
        """Write these beside what stands in ``batch``. A tree that only gains leaves loses no page."""
        batch += [layout.frame(layout.PAGE + path, page) for path, page in pages.items() if page is not None]
        self._store.write(batch)
        self._cache.keep_all(pages)


def _next(frames: Iterator[bytes]) -> bytes:
    data = next(frames, None)
    if data is None:
        raise InvalidSnapshot("snapshot-cut-short")
    return data


Fault = Callable[[str], InvalidSnapshot]
"""The fault of the file, of the ledger's code for what is wrong."""


@contextmanager
def _held_against(fault: Fault) -> Iterator[None]:
    """Whatever the ledger finds wrong inside is that fault of the file's."""
    try:
        yield
    except InvalidSnapshot:
        raise
    except FazhiError as error:
        raise fault(error.code) from None


def _malformed(reason: str) -> InvalidSnapshot:
    return InvalidSnapshot("snapshot-malformed", reason=reason)


def _bad_handover(epoch: int) -> Fault:
    return lambda reason: InvalidSnapshot("snapshot-bad-handover", epoch=epoch, reason=reason)


def _bad_certificate(height: int) -> Fault:
    return lambda reason: InvalidSnapshot("snapshot-bad-certificate", height=height, reason=reason)
