"""The simulated disk of a node: what was not synced is gone after a crash."""

from __future__ import annotations

from fazhi_ledger.certificate import CommitCertificate


class SimulatedVoteLog:
    """Records since the last decision. ``append`` alone is not durable, ``sync`` makes it so."""

    def __init__(self) -> None:
        self._synced: list[bytes] = []
        self._unsynced: list[bytes] = []

    def append(self, record: bytes) -> None:
        self._unsynced.append(record)

    def sync(self) -> None:
        self._synced += self._unsynced
        self._unsynced.clear()

    def records(self) -> tuple[bytes, ...]:
        """What a restart finds."""
        return tuple(self._synced)

    def truncate(self) -> None:
        """Forget everything: its height is decided and durable."""
        self._synced.clear()
        self._unsynced.clear()

    def lose_unsynced(self) -> None:
        """The power went."""
        self._unsynced.clear()


class SimulatedStore:
    """Decided blocks with their certificates, in order of height, written in one synced batch each."""

    def __init__(self) -> None:
        self._blocks: list[tuple[bytes, CommitCertificate]] = []

    @property
    def height(self) -> int:
        return len(self._blocks)

    def write(self, payload: bytes, certificate: CommitCertificate) -> None:
        assert certificate.height == self.height + 1, "heights are written in order"
        self._blocks.append((payload, certificate))

    def replace_certificate(self, certificate: CommitCertificate) -> None:
        payload, _ = self._blocks[certificate.height - 1]
        self._blocks[certificate.height - 1] = (payload, certificate)

    def get(self, height: int) -> tuple[bytes, CommitCertificate] | None:
        return self._blocks[height - 1] if 1 <= height <= self.height else None

    def tip_hash(self, genesis_hash: bytes) -> bytes:
        return self._blocks[-1][1].block_hash if self._blocks else genesis_hash
