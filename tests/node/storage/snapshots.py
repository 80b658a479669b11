"""Chains and their snapshots, for tests: a chain that is stored as it grows, with a change of its validators on the
way, and the stores that are made of its snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fazhi_contracts.chain import ExecutedBlock
from fazhi_ledger import dsse
from fazhi_ledger.archive import frame, read_frames
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.submission import Item
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.memory import MemoryDisk, MemoryStore
from fazhi_node.storage.port import KeyValue
from fazhi_node.storage.snapshot import MAGIC, MAX_SNAPSHOT_FRAME_BYTES, write_snapshot
from fazhi_node.storage.snapshot_load import load_snapshot

from tests.contracts.builders import ORGS, World, signer
from tests.contracts.voting import card, pass_it

NEWCOMER = "newcomer"
HOLDERS = {signer(word).public_key: signer(word) for word in (*ORGS, NEWCOMER)}


class StoredWorld(World):
    """A world whose chain is in a store besides, each block with a quorum's certificate of the set in force."""

    def __init__(self, store: KeyValue | None = None) -> None:
        super().__init__()
        self.store = open_chain(MemoryStore() if store is None else store, self.genesis_file)

    def block(self, *items: Item, proposer: str = "zfj") -> ExecutedBlock:
        validators, _ = self.state.validators()
        executed = super().block(*items, proposer=proposer)
        header = executed.block.header
        body = vote_body(header.genesis_hash, header.height, 0, executed.block_hash)
        seats = [*enumerate(validators.validators)][: validators.quorum]
        signatures = tuple((at, dsse.sign(HOLDERS[seat.key], dsse.COMMIT, body)) for at, seat in seats)
        self.store.commit(executed, CommitCertificate(header.height, 0, executed.block_hash, signatures))
        return executed

    def lead(self, number: str) -> ExecutedBlock:
        """A block with the first record of a case."""
        return self.block(self.by("officer-1").record(self.case(number), "LEAD"))

    def grow(self, *names: str) -> None:
        """A block with a case for each name."""
        for name in names:
            self.lead(name)

    def change_members(self) -> int:
        """Vote the newcomer in; the first height that the new set certifies, which is the next block's."""
        pass_it(self, "validator.add", card(self, NEWCOMER))
        self.block()
        return self.state.validators()[0].first_height


def grown(store: KeyValue | None = None, *, before: int = 4, after: int = 3) -> StoredWorld:
    """A chain with a hand-over in its middle."""
    world = StoredWorld(store)
    world.grow(*[f"案{number}" for number in range(before)])
    world.change_members()
    world.grow(*[f"后{number}" for number in range(after)])
    return world


def snapshot_of(chain: ChainStore) -> bytes:
    """The snapshot of a chain that stands still."""
    return b"".join(write_snapshot(chain))


def load(data: bytes, genesis_file: GenesisFile, disk: MemoryDisk | None = None, piece: int = 1000) -> ChainStore:
    """The store that a snapshot makes, read in pieces."""
    store = MemoryStore(disk)
    pieces = (data[at : at + piece] for at in range(0, len(data), piece))
    load_snapshot(store, genesis_file, pieces, lambda *_: None)
    return ChainStore(store)


def frames_of(data: bytes) -> list[bytes]:
    """The frames of a snapshot, without the closing one."""
    return list(read_frames([data], MAGIC, MAX_SNAPSHOT_FRAME_BYTES))


def file_of(frames: Iterable[bytes]) -> bytes:
    """A file of these frames."""
    return b"".join([MAGIC, *map(frame, frames), frame(b"")])


def everything(store: KeyValue) -> Sequence[tuple[bytes, bytes]]:
    """All pairs of a store."""
    return list(store.scan(b"", b"\xff"))
