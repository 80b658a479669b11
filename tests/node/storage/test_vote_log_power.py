"""The vote log at power cuts and disk errors: every step of a node's life, every set of lost sectors and names."""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import pytest
from fazhi_node.storage.errors import AmnesiaSuspected, DiskFailed, DiskFull, StoreStopped
from fazhi_node.storage.vote_log import DiskVoteLog

from .sim_files import PowerCut, SimDisk

OWNER: Final = bytes(range(32))
SEED: Final = 20250802
VOTES: Final = Path("/data/votes")
GUARD: Final = Path("/keys/vote-guard")


class Witness:
    """What the caller was told, so that it can be held against what a restart finds."""

    def __init__(self) -> None:
        self.acknowledged: list[tuple[int, bytes]] = []
        self.in_flight: tuple[int, bytes] | None = None
        self.floor = 1
        self.floor_in_flight = 1

    def check(self, log: DiskVoteLog) -> None:
        assert self.floor <= log.floor <= self.floor_in_flight
        expected = [vote for vote in self.acknowledged if vote[0] >= log.floor]
        found = list(log.records())
        assert found[: len(expected)] == expected, "an acknowledged vote is lost"
        assert found[len(expected) :] in ([], [self.in_flight]), "a vote nobody made"


def open_on(disk: SimDisk, guard_every_ms: int = 0) -> DiskVoteLog:
    """A small log, in which everything happens often; its time is counted in steps of the disk."""
    return DiskVoteLog(
        VOTES,
        GUARD,
        OWNER,
        files=disk,
        preallocated=700,
        rotate_after=900,
        guard_every_ms=guard_every_ms,
        monotonic_ms=lambda: len(disk.steps),
    )


def life(disk: SimDisk, witness: Witness, rng: random.Random, guard_every_ms: int = 0) -> None:
    """A node's life: start, votes of several heights with forgetting and rotations, an end, another start."""
    for start in range(2):
        log = open_on(disk, guard_every_ms)
        witness.check(log)
        for height in range(1 + 3 * start, 4 + 3 * start):
            for number in range(3):
                record = b"%d/%d/" % (height, number) + rng.randbytes(rng.choice((0, 20, 600)))
                witness.in_flight = (height, record)
                log.append(record, height)
                witness.acknowledged.append((height, record))
                witness.in_flight = None
            witness.floor_in_flight = height + 1
            log.truncate_below(height + 1)
            if guard_every_ms == 0:
                witness.floor = height + 1
        log.close()


def created() -> SimDisk:
    disk = SimDisk()
    DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
    disk.steps.clear()
    return disk


def restart(disk: SimDisk, witness: Witness, cut_at: int) -> None:
    """Recovery, in the middle of another power cut if it has so many steps."""
    disk.steps.clear()
    disk.cut_at = cut_at
    with suppress(PowerCut):
        log = open_on(disk)
        witness.check(log)
        log.close()


def go_on(disk: SimDisk, witness: Witness) -> None:
    """Everything is there, and another vote can be added."""
    log = open_on(disk)
    witness.check(log)
    log.append(b"and on", log.floor)
    log.close()


def steps_of_a_life(guard_every_ms: int = 0) -> int:
    disk = created()
    life(disk, Witness(), random.Random(SEED), guard_every_ms)
    return len(disk.steps)


@pytest.mark.parametrize("guard_every_ms", [0, 20, 10**9])
@pytest.mark.parametrize("luck", ["none", "all", "some"])
def test_a_power_cut_at_every_step(luck: Literal["none", "all", "some"], guard_every_ms: int) -> None:
    """After any cut, any set of unsynced sectors and names lost: every acknowledged vote is there and the guard
    agrees."""
    for cut in range(steps_of_a_life(guard_every_ms)):
        for attempt in range(1 if luck != "some" else 4):
            rng = random.Random(f"{SEED}/{cut}/{attempt}")
            disk, witness = created(), Witness()
            disk.cut_at = cut
            with pytest.raises(PowerCut):
                life(disk, witness, random.Random(SEED), guard_every_ms)
            disk.cut_power(rng, luck)
            # A second cut, in the middle of the restart, and a third: recovery must survive itself.
            for second in (rng.randrange(8), rng.randrange(8)):
                restart(disk, witness, second)
                disk.cut_power(rng, luck)
            go_on(disk, witness)


def test_a_power_cut_at_every_step_of_the_creation() -> None:
    """Half a creation is begun again; a whole one is opened. Never a log without a guard that knows it."""
    disk = SimDisk()
    DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
    for cut in range(len(disk.steps) + 1):
        for attempt in range(8):
            rng = random.Random(f"{SEED}/{cut}/{attempt}")
            disk = SimDisk()
            disk.cut_at = cut
            try:
                DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
                acknowledged = True
            except PowerCut:
                acknowledged = False
            disk.cut_power(rng)
            if not acknowledged:
                DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
                disk.cut_power(rng, "none")
            log = DiskVoteLog(VOTES, GUARD, OWNER, files=disk)
            log.append(b"first", 1)
            log.close()


def test_an_error_at_every_step_stops_the_log() -> None:
    """Whatever fails, the log takes nothing more; and a vote that a restart hands back is durable by then
    (fsyncgate)."""
    for number in range(steps_of_a_life()):
        disk, witness = created(), Witness()
        disk.fail_at = number
        disk.fail_with = errno.ENOSPC if number % 2 else errno.EIO
        opened: list[DiskVoteLog] = []
        original = DiskVoteLog.__init__

        def remember(self: DiskVoteLog, *args: object, original: Callable[..., None] = original, **kw: object) -> None:
            original(self, *args, **kw)
            opened.append(self)  # noqa: B023 - used within this round

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DiskVoteLog, "__init__", remember)
            with pytest.raises(DiskFull if number % 2 else DiskFailed):
                life(disk, witness, random.Random(SEED))
        if opened:
            with pytest.raises(StoreStopped):
                opened[-1].append(b"more", 99)
            opened[-1].close()
        log = open_on(disk)
        witness.check(log)
        handed_back = log.records()
        log.close()
        disk.cut_power(random.Random(number), "none")
        log = open_on(disk)
        assert log.records() == handed_back
        log.close()


def test_a_lost_rename_would_be_seen_without_the_sync_of_the_directory() -> None:
    """The test bites: with a directory that is never synced, the simulated disk does lose a log (cometbft#6031)."""

    class Forgetful(SimDisk):
        def sync_directory(self, path: Path) -> None:
            if path != VOTES or self.steps.count("create") < 3:
                super().sync_directory(path)

    disk = Forgetful()
    DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
    log = DiskVoteLog(VOTES, GUARD, OWNER, files=disk)
    log.append(b"acknowledged", 1)
    disk.cut_power(random.Random(SEED), "none")
    with pytest.raises(AmnesiaSuspected, match="vote-log-rolled-back"):
        DiskVoteLog(VOTES, GUARD, OWNER, files=disk)


def test_failed_syncs_then_a_power_cut_convict_nobody() -> None:
    """Errors at any step of two starts, then the power at any step of a third, which saw what was never durable: the
    guard and the log that are left belong together (found by the simulator of whole nodes, seed 218)."""
    convicted = []
    for first, second, cut in itertools.product(range(10), range(10), range(10)):
        disk = created()
        for failing in (first, second):
            disk.fail_at = len(disk.steps) + failing
            with suppress(DiskFailed):
                open_on(disk).close()
            disk.locked.clear()
        disk.fail_at = None
        disk.cut_at = len(disk.steps) + cut
        with suppress(PowerCut):
            open_on(disk).close()
        disk.cut_power(random.Random(SEED), "none")
        try:
            open_on(disk).close()
        except AmnesiaSuspected as error:
            convicted.append((first, second, cut, error.code))
    assert convicted == []
