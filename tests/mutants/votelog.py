"""The vote log under power cuts, errors of the disk and restored backups, one life of a node a seed.

The disk is :mod:`tests.node.storage.sim_files`, the life and its witness those of ``test_vote_log_power``, which goes
through every step in order; here each seed picks its own.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from fazhi_node.storage.errors import AmnesiaSuspected, DiskFailed, DiskFull, StoreCorrupt

from tests.node.storage.sim_files import Inode, PowerCut, SimDisk
from tests.node.storage.test_vote_log_power import VOTES, Witness, created, go_on, life, open_on, restart

LUCK: Final[tuple[Literal["none", "all", "some"], ...]] = ("none", "none", "some", "some", "some", "all")
STEPS: Final = 130
"""About as many operations of the disk as a life has; later ones cut or fail nothing."""


def power_cut(seed: int) -> None:
    """The power goes at some step of a life, and again while the node recovers: every acknowledged vote is there."""
    rng = random.Random(f"cut {seed}")
    disk, witness = created(), Witness()
    disk.cut_at = rng.randrange(STEPS)
    with suppress(PowerCut):
        life(disk, witness, random.Random(seed), rng.choice((0, 20, 10**9)))
    disk.cut_power(rng, rng.choice(LUCK))
    for _ in range(rng.randrange(3)):
        restart(disk, witness, rng.randrange(8))
        disk.cut_power(rng, rng.choice(LUCK))
    go_on(disk, witness)


def disk_error(seed: int) -> None:
    """The disk fails, or is full, at some step: what was acknowledged survives the restart and a power cut after it."""
    rng = random.Random(f"error {seed}")
    disk, witness = created(), Witness()
    disk.fail_at = rng.randrange(STEPS)
    disk.fail_with = rng.choice((errno.EIO, errno.ENOSPC))
    with suppress(DiskFull, DiskFailed):
        life(disk, witness, random.Random(seed))
    disk.locked.clear()  # that process has ended
    disk.fail_at = None
    if rng.random() < 0.5:
        disk.cut_power(rng, rng.choice(LUCK))
    log = open_on(disk)
    witness.check(log)
    handed_back = log.records()
    log.close()
    disk.cut_power(rng, "none")
    log = open_on(disk)
    assert log.records() == handed_back, "a vote that was handed back was not durable"
    log.close()


def restored_backup(seed: int) -> None:
    """A backup of the data is restored, the key's folder is not: a log that is behind is never opened again."""
    rng = random.Random(f"backup {seed}")
    disk = created()
    backups: list[dict[Path, bytes]] = [_copied(disk)]
    for start in range(rng.randint(1, 3)):
        log = open_on(disk, rng.choice((0, 10**9)))
        for height in range(1 + 3 * start, 2 + 3 * start + rng.randrange(3)):
            for number in range(rng.randint(1, 3)):
                log.append(b"%d/%d" % (height, number), height)
                if rng.random() < 0.3:
                    backups.append(_copied(disk))
            log.truncate_below(height)
        log.append(b"the last one", height)
        log.close()
    _restore(disk, rng.choice(backups))
    try:
        open_on(disk).close()
    except (AmnesiaSuspected, StoreCorrupt):
        return
    raise AssertionError("a vote log older than the last vote was opened")


def _copied(disk: SimDisk) -> dict[Path, bytes]:
    return {path: bytes(inode.cached) for path, inode in disk.names.items() if VOTES in path.parents}


def _restore(disk: SimDisk, backup: dict[Path, bytes]) -> None:
    for path in [path for path in disk.names if VOTES in path.parents]:
        del disk.names[path]
    disk.names.update({path: Inode(bytearray(data), bytearray(data)) for path, data in backup.items()})


CAMPAIGNS: Final[dict[str, Callable[[int], None]]] = {
    "power cuts": power_cut,
    "disk errors": disk_error,
    "restored backups": restored_backup,
}
