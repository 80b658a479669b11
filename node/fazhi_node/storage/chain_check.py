"""A whole chain store checked against the certificates in it: for an operator who mistrusts a disk, on a stopped node.

What a quorum certified is a header; everything else is held against one. Per block: its bytes against header and body
roots, the certificate against the validator set in force, results and their records against the results root, the
history log leaf by leaf, and every entry by which something is found. Of the state, as of the tip: the tree's pages
from the root down to the state root that the tip's header names, every entry against its leaf, and their number. Then
every stored pair is read once more, by its checksum and its kind, and counted: what is too many or too few shows.

It streams: memory does not grow with the chain. Signatures of submissions are not verified again and nothing is
executed: ``fazhi audit`` does that, from an export.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from fazhi_contracts.chain import tree_update
from fazhi_contracts.genesis_state import genesis_state
from fazhi_contracts.head import CaseHead
from fazhi_contracts.queries import epoch_set, validator_sets
from fazhi_ledger import merkle, statetree
from fazhi_ledger.errors import FazhiError, InvariantBroken
from fazhi_ledger.header import Header
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.result import Result, record_results_root
from fazhi_ledger.statetree import MemoryPages
from fazhi_ledger.suites import DIGEST_BYTES
from fazhi_ledger.validators import ValidatorSet

from . import chain_layout as layout
from .chain_store import ChainStore
from .dockets import is_case

MAX_PROBLEMS: Final = 100
"""Problems that are told one by one; the others are counted."""

Progress = Callable[[str, int, int], None]
"""``(part, done, of)``: ``blocks`` with heights, ``state`` and ``entries`` with how many so far (of 0: not known)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something stored that is not what it must be: the ``kind`` of entry, what is wrong, and of which height (0: of
    none)."""

    kind: str
    detail: str
    height: int = 0


class Wrong(Exception):
    """What was read contradicts what is certified."""


class ChainCheck:
    """One check of one store. :meth:`run` it once; then read :attr:`problems`, :attr:`more` and :attr:`counts`."""

    def __init__(self, chain: ChainStore, progress: Progress) -> None:
        self._chain = chain
        self._suite = chain.suite
        self._progress = progress
        self._expected: Counter[bytes] = Counter()
        self._sets = _Sets(chain)
        self.problems: list[Problem] = []
        self.more = 0
        """Problems beyond :data:`MAX_PROBLEMS`."""
        self.counts: Counter[str] = Counter()
        """Stored entries by kind."""

    def run(self) -> None:
        """Check everything; nothing is written. Raises ``StorageError`` where the disk itself fails to read on."""
        self._check_state()
        self._check_blocks()
        self._check_entries()

    @contextmanager
    def _part(self, kind: bytes, height: int = 0) -> Iterator[None]:
        """Whatever goes wrong inside is a problem of that kind, and the check goes on behind it."""
        try:
            yield
        except (FazhiError, InvariantBroken, Wrong) as error:
            self._tell(layout.NAMES[kind], str(error), height)

    def _tell(self, kind: str, detail: str, height: int = 0) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(kind, detail[:300], height))
        else:
            self.more += 1

    # The state

    def _state_root(self) -> bytes:
        header = self._chain.header(self._chain.tip.height)
        if header is not None:
            return header.state_root
        return tree_update(self._suite, MemoryPages(), genesis_state(self._chain.genesis_file)).root

    def _check_state(self) -> None:
        leaves = -1
        with self._part(layout.PAGE):
            leaves = self._check_pages(self._state_root())
        for number, (key, value) in enumerate(self._chain.walk(layout.STATE), 1):
            with self._part(layout.STATE):
                if value is not None:  # a damaged one is told when all are counted
                    found = statetree.find(self._chain, statetree.key_hash_of(self._suite, key[1:]))
                    _same(found, statetree.value_hash_of(self._suite, value), f"entry {key[1:33].hex()}")
            self._progress("state", number, max(leaves, 0))
        if leaves >= 0:
            self._expected[layout.STATE] = leaves
        with self._part(layout.DOCKET):
            self._check_dockets()

    def _check_dockets(self) -> None:
        """Every case stands where its serial says, and nothing stands anywhere else."""
        heads = listed = 0
        for key, value in self._chain.walk(layout.STATE):
            if value is not None and is_case(key[1:]):
                head = CaseHead.decode(value)
                found = self._chain.cases((head.org, head.procedure, head.year), head.serial, 1)
                _same(found, ((head.serial, key[-DIGEST_BYTES:]),), f"case {key[-DIGEST_BYTES:].hex()}")
                heads += 1
        for _, value in self._chain.walk(layout.DOCKET):
            listed += 0 if value is None else len(value)
        if listed != heads * DIGEST_BYTES:
            raise Wrong(f"{listed} bytes stored, {heads * DIGEST_BYTES} needed")
        tip = layout.write_number(self._chain.tip.height)
        _same(self._chain.read(layout.DOCKET_KEY), tip, "up to where the index is complete")

    def _check_pages(self, root: bytes) -> int:
        """From the root down, each page against what the page above says of it; how many leaves there are."""
        _same(statetree.root_of_tree(self._suite, self._chain), root, "the root of the tree")
        leaves = pages = 0
        waiting: list[tuple[bytes, bytes]] = [(b"", b"")]
        while waiting:
            path, expected = waiting.pop()
            levels = statetree.check_page(self._suite, path, self._chain.get_page(path) or b"")
            if path:
                _same(levels[-1][0], expected, f"page {path.hex()}")
            pages += 1
            for nibble, slot in enumerate(levels[0]):
                if len(slot) == DIGEST_BYTES:
                    waiting.append((path + bytes((nibble,)), slot))
                elif slot:
                    leaves += 1
        self._expected[layout.PAGE] = pages
        return leaves

    # Blocks

    def _check_blocks(self) -> None:
        chain, tip = self._chain, self._chain.tip.height
        history, _ = Frontier.empty().append_nodes(self._suite, merkle.leaf_hash(self._suite, chain.genesis_hash))
        with self._part(layout.NODE):
            self._check_nodes(((0, 0, history.peaks[0]),))
        parent = chain.genesis_hash
        for height in range(1, tip + 1):
            block_hash = self._check_height(height, parent, history)
            if block_hash is None:
                self._tell(layout.NAMES[layout.HEADER], "blocks above were not looked at", height)
                return
            with self._part(layout.HASH, height):
                _same(chain.height_of(block_hash), height, "the height of its block hash")
            history, nodes = history.append_nodes(self._suite, merkle.leaf_hash(self._suite, block_hash))
            with self._part(layout.NODE, height):
                self._check_nodes(nodes)
            parent = block_hash
            self._progress("blocks", height, tip)
        self._expected[layout.HEADER] = self._expected[layout.HASH] = tip
        self._expected[layout.BLOCK] = self._expected[layout.RESULTS] = tip - chain.base
        if not self.problems:
            with self._part(layout.META):
                _same(chain.tip.block_hash, parent, "the tip")

    def _check_height(self, height: int, parent: bytes, history: Frontier) -> bytes | None:
        """Everything of one block, whose hash is the answer; None where it cannot be known.

        Below the base there is the hash, which the history root of the header at the base binds, and the header only
        where it hands over to other validators."""
        chain, header, kept = self._chain, None, None
        with self._part(layout.HEADER, height):
            header, kept = chain.header(height), chain.block_hash(height)
        if height < chain.base:
            with self._part(layout.HEADER, height):
                if (header is not None) != self._sets.hands_over(height):
                    raise Wrong("is there although nothing needs it" if header is not None else "is missing")
        if header is None:
            return kept if height < chain.base else None
        block_hash = header.hash(self._suite)
        with self._part(layout.HEADER, height):
            _same(kept, block_hash, "its hash")
            _same((header.height, header.genesis_hash), (height, chain.genesis_hash), "height and genesis")
            _same(header.parent_hash, parent, "its parent")
            _same(header.history_root, history.root(self._suite), "the history root")
        self._check_certificate(header, block_hash)
        if height > chain.base:
            self._check_block(header)
        return block_hash

    def _check_nodes(self, nodes: tuple[tuple[int, int, bytes], ...]) -> None:
        for level, index, digest in nodes:
            self._expected[layout.NODE] += 1
            _same(self._chain.read(layout.node_key(level, index)), digest, f"node {level}.{index} of the history")

    def _check_certificate(self, header: Header, block_hash: bytes) -> None:
        chain, height = self._chain, header.height
        self._expected[layout.CERTIFICATE] += 1
        with self._part(layout.CERTIFICATE, height):
            certificate = chain.certificate(height)
            if certificate is None:
                raise Wrong("is missing")
            validators = self._sets.at(height)
            _same(validators.hash(self._suite), header.validators_hash, "the validator set")
            certificate.verify_for(self._suite, chain.genesis_hash, validators, height, block_hash)

    def _check_block(self, header: Header) -> None:
        chain, height = self._chain, header.height
        ids: list[bytes] = []
        with self._part(layout.BLOCK, height):
            block = chain.block(height)
            if block is None:
                raise Wrong("is missing")
            _same(block.header, header, "its header")
            block.check_body(self._suite)
            ids = [item.id(self._suite) for item in block.items]
        with self._part(layout.ITEM, height):
            for index, submission_id in enumerate(ids):
                _same(chain.locate(submission_id), layout.Place(height, index), f"the place of {submission_id.hex()}")
        self._expected[layout.ITEM] += header.submission_count
        with self._part(layout.RESULTS, height):
            self._check_results(header, ids)

    def _check_results(self, header: Header, ids: list[bytes]) -> None:
        chain, height = self._chain, header.height
        results = chain.results(height)
        if results is None:
            raise Wrong("are missing")
        _same(merkle.root_of_entries(self._suite, results.leaves), header.results_root, "the results root")
        for index, leaf in enumerate(results.leaves):
            result, runs = Result.decode(leaf), results.runs(index)
            if ids:
                _same(result.submission_id, ids[index], f"the submission of result {index}")
            records = tuple([data for run in runs for data in run.encode()])
            _same(
                record_results_root(self._suite, records),
                result.record_results_root,
                f"the record results of submission {index}",
            )
            for key, place in layout.event_places(height, index, runs):
                self._expected[layout.EVENT] += 1
                with self._part(layout.EVENT, height):
                    _same(chain.read(key), place, f"event {key[1:].hex()}")

    # Every stored pair

    def _check_entries(self) -> None:
        found: Counter[bytes] = Counter()
        for number, (key, value) in enumerate(self._chain.walk(), 1):
            kind = key[:1]
            found[kind] += 1
            if kind not in layout.NAMES:
                self._tell("unknown", f"key {key[:33].hex()}")
            elif value is None:
                self._tell(layout.NAMES[kind], f"damaged value under key {key[1:33].hex()}", _height_of(key))
            self._progress("entries", number, 0)
        for kind, name in layout.NAMES.items():
            self.counts[name] = found[kind]
            if kind in self._expected and found[kind] != self._expected[kind]:
                self._tell(name, f"{found[kind]} stored, {self._expected[kind]} needed")


class _Sets:
    """Validator sets by height, out of the state at the tip; one at a time is in memory."""

    def __init__(self, chain: ChainStore) -> None:
        self._chain = chain
        self._current = chain.genesis.validator_set()
        self._next: ValidatorSet | None = None
        self._looked = False

    def at(self, height: int) -> ValidatorSet:
        """The set that certifies ``height``; heights are asked for in order."""
        while True:
            if not self._looked:
                self._next = self._read(self._current.epoch + 1)
                self._looked = True
            if self._next is None or self._next.first_height > height:
                return self._current
            self._current, self._looked = self._next, False

    def hands_over(self, height: int) -> bool:
        """Whether the block of that height is the last that its set certifies."""
        self.at(height)
        return self._next is not None and self._next.first_height == height + 1

    def _read(self, epoch: int) -> ValidatorSet | None:
        if epoch > max(one.epoch for one in validator_sets(self._chain) if one is not None):
            return None
        return epoch_set(self._chain, epoch)


def _same(found: object, right: object, what: str) -> None:
    if found != right:
        raise Wrong(f"{what} is not the one that is certified" if found is not None else f"{what} is missing")


def _height_of(key: bytes) -> int:
    kinds = (layout.BLOCK, layout.HEADER, layout.CERTIFICATE, layout.RESULTS)
    return layout.read_number(key[1:]) if key[:1] in kinds and len(key) == 9 else 0
