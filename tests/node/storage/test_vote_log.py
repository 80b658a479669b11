"""The vote log: what was acknowledged is there, forgetting is safe at every crash, and amnesia is noticed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fazhi_node.storage.errors import (
    AmnesiaSuspected,
    DiskFull,
    GuardMissing,
    GuardPresent,
    StorageError,
    StoreCorrupt,
    StoreForeign,
    StoreLocked,
    StoreStopped,
    VoteRefused,
)
from fazhi_node.storage.files import RealFiles
from fazhi_node.storage.guard import Guard, GuardState
from fazhi_node.storage.memory import MemoryDisk, MemoryVoteLog
from fazhi_node.storage.port import VoteLog
from fazhi_node.storage.vote_log import LOG_FILE, DiskVoteLog, VotesFound

from .sim_files import PowerCut, SimDisk

OWNER = bytes(range(32))
SEED = 20250802
VOTES = Path("/data/votes")
GUARD = Path("/keys/vote-guard")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    DiskVoteLog.create(tmp_path / "votes", tmp_path / "guard", OWNER, fresh=True)
    return tmp_path


def open_in(folder: Path) -> DiskVoteLog:
    return DiskVoteLog(folder / "votes", folder / "guard", OWNER)


# The contract


@pytest.fixture(params=["disk", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], VoteLog]]:
    opened: list[VoteLog] = []
    disk = MemoryDisk()
    if request.param == "disk":
        DiskVoteLog.create(tmp_path / "votes", tmp_path / "guard", OWNER, fresh=True)

    def open_() -> VoteLog:
        if opened:
            opened[-1].close()
        opened.append(open_in(tmp_path) if request.param == "disk" else MemoryVoteLog(disk))
        return opened[-1]

    yield open_
    if opened:
        opened[-1].close()


def test_votes_are_kept_in_order_over_restarts(reopen: Callable[[], VoteLog]) -> None:
    log = reopen()
    assert (log.floor, log.amnesiac, log.records()) == (1, False, ())
    expected = []
    for number in range(20):
        record = os.urandom(number * 37)
        log.append(record, 1 + number // 7)
        expected.append((1 + number // 7, record))
        assert log.records() == tuple(expected)
        if number % 6 == 5:
            log = reopen()
    assert reopen().records() == tuple(expected)


def test_forgetting_by_height(reopen: Callable[[], VoteLog]) -> None:
    log = reopen()
    for height in (1, 2, 3, 2):
        log.append(b"%d" % height, height)
    log.truncate_below(3)
    assert (log.floor, log.records()) == (3, ((3, b"3"),))
    log.truncate_below(2)  # never falls
    assert log.floor == 3
    for low in (0, 2):
        with pytest.raises(VoteRefused, match="vote-below-floor"):
            log.append(b"again", low)
    log.append(b"4", 4)
    log = reopen()
    assert (log.floor, log.records()) == (3, ((3, b"3"), (4, b"4")))
    log.truncate_below(10)
    assert log.records() == ()
    log = reopen()
    assert (log.floor, log.records()) == (10, ())
    with pytest.raises(VoteRefused):
        log.append(b"old", 9)


def test_amnesia_begins_and_ends_durably(reopen: Callable[[], VoteLog]) -> None:
    log = reopen()
    log.append(b"4", 4)
    for _ in range(2):
        log.begin_amnesia()  # a second time changes nothing
        assert (log.amnesiac, log.records()) == (True, ())
        with pytest.raises(VoteRefused, match="vote-while-amnesiac"):
            log.append(b"5", 5)
    log = reopen()
    assert (log.amnesiac, log.records()) == (True, ())
    log.truncate_below(9)  # the chain goes on meanwhile
    log.end_amnesia(12)
    log = reopen()
    assert (log.amnesiac, log.floor) == (False, 12)
    with pytest.raises(VoteRefused, match="vote-below-floor"):
        log.append(b"11", 11)
    log.append(b"12", 12)
    assert reopen().records() == ((12, b"12"),)


def test_amnesia_that_begins_is_there_after_a_crash_at_any_write(tmp_path: Path) -> None:
    """Or not yet: but then nobody was told, and the log holds all it held."""
    cut = 0
    seen = set()
    while True:
        disk = SimDisk()
        DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
        log = DiskVoteLog(VOTES, GUARD, OWNER, files=disk, preallocated=1000)
        log.append(b"4", 4)
        disk.cut_at = len(disk.steps) + cut
        begun = False
        try:
            log.begin_amnesia()
            begun = True
        except PowerCut:
            pass
        disk.cut_power(random.Random(SEED + cut))
        log = DiskVoteLog(VOTES, GUARD, OWNER, files=disk, preallocated=1000)
        assert log.amnesiac or (not begun and log.records() == ((4, b"4"),))
        seen.add(log.amnesiac)
        log.close()
        if begun:
            break
        cut += 1
    assert cut > 3
    assert seen == {True, False}


@pytest.mark.parametrize("damage", ["none", "no log", "no guard", "both", "other owner"])
def test_what_an_inspection_says_and_a_renewal_mends(folder: Path, damage: str) -> None:
    log = open_in(folder)
    log.append(b"7", 7)
    log.truncate_below(7)
    log.close()
    if damage in ("no log", "both"):
        (folder / "votes" / LOG_FILE).unlink()
    if damage in ("no guard", "both"):
        (folder / "guard").write_bytes(bytes(8192))
    if damage == "other owner":
        with pytest.raises(StoreForeign):
            DiskVoteLog.renew(folder / "votes", folder / "guard", bytes(32))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if damage in ("none", "other owner"):
        assert DiskVoteLog.inspect(folder / "votes", folder / "guard") == VotesFound(7, 1, False)
    else:
        with pytest.raises(StorageError):
            DiskVoteLog.inspect(folder / "votes", folder / "guard")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    DiskVoteLog.renew(folder / "votes", folder / "guard", OWNER)
    log = open_in(folder)
    assert (log.amnesiac, log.records()) == (True, ())
    assert log.floor >= (0 if damage in ("no guard", "both") else 7)
    log.close()


def test_a_closed_log_takes_nothing(reopen: Callable[[], VoteLog]) -> None:
    log = reopen()
    log.close()
    log.close()
    with pytest.raises(StoreStopped):
        log.append(b"x", 1)
    with pytest.raises(StoreStopped):
        log.truncate_below(5)


# Files


def test_one_write_and_one_fdatasync_a_vote(folder: Path) -> None:
    """And no rename, no create, no other sync: on the way of every vote."""
    disk = SimDisk()
    DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
    log = DiskVoteLog(VOTES, GUARD, OWNER, files=disk, preallocated=1000)
    for number in range(50):
        before = len(disk.steps)
        log.append(os.urandom(number * 30), 1)
        assert disk.steps[before:] == ["write", "sync"]
    log.close()


def test_a_vote_changes_no_length(folder: Path) -> None:
    log = open_in(folder)
    size = (folder / "votes" / LOG_FILE).stat().st_size
    for _ in range(10):
        log.append(os.urandom(1000), 1)
    assert (folder / "votes" / LOG_FILE).stat().st_size == size
    log.append(os.urandom(9_000_000), 1)
    assert (folder / "votes" / LOG_FILE).stat().st_size > size
    log.append(b"next", 1)
    log.close()
    log = open_in(folder)
    assert [len(record) for _, record in log.records()] == [1000] * 10 + [9_000_000, 4]
    log.close()


def test_the_file_does_not_grow_with_the_chain(folder: Path) -> None:
    log = open_in(folder)
    epoch = log.epoch
    for height in range(1, 40):
        for _ in range(3):
            log.append(bytes(300_000), height)
        log.truncate_below(height + 1)
    assert log.epoch > epoch + 3
    assert (folder / "votes" / LOG_FILE).stat().st_size < 20_000_000
    log.close()


def test_one_key_signs_in_one_process(folder: Path) -> None:
    """Even where the second node has a data directory of its own."""
    log = open_in(folder)
    with pytest.raises(StoreLocked):
        open_in(folder)
    with pytest.raises(StoreLocked):
        DiskVoteLog(folder / "elsewhere", folder / "guard", OWNER)
    log.append(b"unharmed", 1)
    log.close()
    open_in(folder).close()


def open_small(folder: Path) -> DiskVoteLog:
    return DiskVoteLog(folder / "votes", folder / "guard", OWNER, preallocated=8192)


def test_torn_on_disk_at_every_byte_of_the_last_vote(folder: Path) -> None:
    log = open_small(folder)
    log.append(b"kept", 1)
    log.append(b"last vote, cut short", 1)
    path = folder / "votes" / LOG_FILE
    guard = (folder / "guard").read_bytes()
    log.close()
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0"))
    start = end - 72
    for cut in range(start, end):
        path.write_bytes(whole[:cut] + bytes(4096))
        (folder / "guard").write_bytes(guard)
        log = open_small(folder)
        assert log.records() == ((1, b"kept"),)
        assert log.torn_bytes == len(whole[start:cut].rstrip(b"\0"))
        log.append(b"new", 1)  # over the torn one: nothing of it may shine through
        log.close()
        log = open_small(folder)
        assert (log.records(), log.torn_bytes) == (((1, b"kept"), (1, b"new")), 0)
        log.close()


def test_damage_is_refused_and_nothing_is_changed(folder: Path) -> None:
    log = open_in(folder)
    for number in range(5):
        log.append(b"vote %d" % number, 1)
    log.close()
    path = folder / "votes" / LOG_FILE
    data = bytearray(path.read_bytes())
    data[4096 + 100] ^= 1
    path.write_bytes(data)
    guard = (folder / "guard").read_bytes()
    for _ in range(2):
        with pytest.raises(StoreCorrupt, match="vote-log-corrupt"):
            open_in(folder)
    assert path.read_bytes() == data
    assert (folder / "guard").read_bytes() == guard


# Amnesia


def test_without_a_guard_the_node_does_not_start(folder: Path) -> None:
    (folder / "guard").unlink()
    with pytest.raises(GuardMissing):
        open_in(folder)
    assert not (folder / "guard").exists()


def backup(folder: Path) -> Path:
    copy = folder / "backup"
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(folder / "votes", copy))


def restore(folder: Path) -> None:
    shutil.rmtree(folder / "votes")
    shutil.copytree(folder / "backup", folder / "votes")


def test_a_restored_backup_is_noticed(folder: Path) -> None:
    """Taken cold and restored after another start, or taken while running and restored after a decided height."""
    open_in(folder).close()
    backup(folder)
    open_in(folder).close()
    restore(folder)
    with pytest.raises(AmnesiaSuspected, match="vote-log-rolled-back"):
        open_in(folder)


def test_a_restored_live_backup_is_noticed(folder: Path) -> None:
    """Taken while the node ran, without any restart since: by the votes of heights decided more than a second later."""
    now = [0]
    log = DiskVoteLog(folder / "votes", folder / "guard", OWNER, monotonic_ms=lambda: now[0])
    log.append(b"height 1", 1)
    log.truncate_below(2)
    backup(folder)
    log.append(b"height 2", 2)
    now[0] = 1000
    log.truncate_below(3)
    log._stopped = True  # killed: nothing is noted at the end
    log.close()
    restore(folder)
    for _ in range(2):  # being asked again does not make it right
        with pytest.raises(AmnesiaSuspected, match="vote-log-rolled-back"):
            open_in(folder)


def test_the_guard_is_noted_once_a_second(folder: Path) -> None:
    """Each note is a sync: not one for every height of a busy chain."""
    now, disk = [0], SimDisk()
    DiskVoteLog.create(VOTES, GUARD, OWNER, fresh=True, files=disk)
    log = DiskVoteLog(VOTES, GUARD, OWNER, files=disk, monotonic_ms=lambda: now[0])
    disk.steps.clear()
    for height in range(1, 101):
        log.append(b"vote", height)
        now[0] += 50
        log.truncate_below(height + 1)
    assert len(disk.steps) == 2 * 100 + 2 * 5
    log.close()
    assert len(disk.steps) == 2 * 100 + 2 * 5
    log = DiskVoteLog(VOTES, GUARD, OWNER, files=disk)
    assert (log.floor, log.records()) == (101, ())
    log.append(b"vote", 101)
    disk.steps.clear()
    log.close()
    assert disk.steps == ["write", "sync"]  # a clean end leaves nothing to guess


def test_an_empty_data_directory_beside_an_old_key_is_noticed(folder: Path) -> None:
    log = open_in(folder)
    log.append(b"x", 1)
    log.close()
    shutil.rmtree(folder / "votes")
    with pytest.raises(AmnesiaSuspected, match="vote-log-missing"):
        open_in(folder)
    with pytest.raises(GuardPresent):
        DiskVoteLog.create(folder / "votes", folder / "guard", OWNER, fresh=True)


def test_another_log_is_noticed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    open_in(folder).close()
    other = tmp_path_factory.mktemp("other")
    DiskVoteLog.create(other / "votes", other / "guard", OWNER, fresh=True)
    open_in(other).close()
    shutil.copy(other / "votes" / LOG_FILE, folder / "votes" / LOG_FILE)
    with pytest.raises(AmnesiaSuspected, match="vote-log-other"):
        open_in(folder)


def test_an_old_guard_is_noticed(folder: Path) -> None:
    open_in(folder).close()
    guard = (folder / "guard").read_bytes()
    for _ in range(2):
        open_in(folder).close()
    (folder / "guard").write_bytes(guard)
    with pytest.raises(AmnesiaSuspected, match="guard-rolled-back"):
        open_in(folder)


def test_another_key_or_chain_is_refused(folder: Path) -> None:
    with pytest.raises(StoreForeign, match="votes-other-owner"):
        DiskVoteLog(folder / "votes", folder / "guard", bytes(32))
    open_in(folder).close()


def test_an_amnesiac_signs_nothing_before_others_vouch(folder: Path) -> None:
    log = open_in(folder)
    log.append(b"forgotten", 1)
    log.truncate_below(5)
    log.close()
    shutil.rmtree(folder / "votes")
    DiskVoteLog.start_amnesiac(folder / "votes", folder / "guard", OWNER)
    for _ in range(3):  # a restart is no cure
        log = open_in(folder)
        assert (log.amnesiac, log.floor, log.records()) == (True, 5, ())
        for height in (1, 5, 10**9):
            with pytest.raises(VoteRefused, match="vote-while-amnesiac"):
                log.append(b"x", height)
        log.truncate_below(5)
        log.close()
    log = open_in(folder)
    log.truncate_below(90)  # it follows the others meanwhile
    log.end_amnesia(103)
    assert (log.amnesiac, log.floor) == (False, 103)
    with pytest.raises(VoteRefused, match="vote-below-floor"):
        log.append(b"x", 102)
    log.append(b"y", 103)
    log.close()
    log = open_in(folder)
    assert (log.amnesiac, log.floor, log.records()) == (False, 103, ((103, b"y"),))
    log.close()


def test_a_key_that_has_signed_elsewhere_starts_amnesiac(tmp_path: Path) -> None:
    DiskVoteLog.create(tmp_path / "votes", tmp_path / "guard", OWNER, fresh=False)
    log = open_in(tmp_path)
    assert log.amnesiac
    log.close()


def test_a_convicted_log_is_kept_for_inspection(folder: Path) -> None:
    log = open_in(folder)
    log.append(b"vote", 1)
    log.close()
    path = folder / "votes" / LOG_FILE
    path.write_bytes(path.read_bytes().replace(b"vote", b"veto"))
    with pytest.raises(StoreCorrupt):
        open_in(folder)
    DiskVoteLog.start_amnesiac(folder / "votes", folder / "guard", OWNER)
    assert b"veto" in (folder / "votes" / (LOG_FILE + ".convicted")).read_bytes()
    log = open_in(folder)
    assert log.amnesiac
    log.close()


def test_the_guard_is_written_in_turn(tmp_path: Path) -> None:
    """Whichever write is torn, the state before it is still there."""
    path = tmp_path / "guard"
    files = RealFiles()
    state = GuardState(bytes(16), OWNER, 0, 0, 0)
    Guard.create(files, path, state)
    guard = Guard(files, path)
    for number in range(1, 6):
        before, old = state, path.read_bytes()
        state = replace(state, epoch=number, sequence=10 * number, floor=number)
        guard.note(state)
        new = path.read_bytes()
        (place,) = {position // 4096 for position in range(8192) if old[position] != new[position]}
        for torn in (b"", new[place * 4096 : place * 4096 + 70]):
            slots = [new[:4096], new[4096:]]
            slots[place] = torn.ljust(4096, b"\0")
            path.write_bytes(b"".join(slots))
            found = Guard(files, path)
            assert found.state == before
            found.close()
        path.write_bytes(new)
        found = Guard(files, path)
        assert found.state == state
        found.close()
    guard.close()


def test_a_torn_guard_falls_back_on_its_other_slot(folder: Path) -> None:
    log = open_in(folder)
    log.append(b"x", 1)
    log.truncate_below(2)
    log.close()
    good = (folder / "guard").read_bytes()
    for slot in (0, 4096):
        (folder / "guard").write_bytes(good[:slot] + bytes(100) + good[slot + 100 :])
        votes = backup(folder)
        log = open_in(folder)
        log.close()
        shutil.rmtree(folder / "votes")
        votes.rename(folder / "votes")
        (folder / "guard").write_bytes(good)
    (folder / "guard").write_bytes(bytes(8192))
    with pytest.raises(StoreCorrupt):
        open_in(folder)


# Kills and full disks

FILL = """
import resource, sys
from pathlib import Path
from fazhi_node.storage.errors import StorageError
from fazhi_node.storage.vote_log import DiskVoteLog
log = DiskVoteLog(Path(sys.argv[1]) / "votes", Path(sys.argv[1]) / "guard", bytes(range(32)))
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000_000, 9_000_000))
number = 0
for attempt in range(3):
    try:
        while True:
            log.append(b"%06d" % number * 20_000, 1)
            print(number, flush=True)
            number += 1
    except StorageError as error:
        print(error.code)
"""


def test_a_full_disk_stops_the_log_cleanly(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    *votes, first, second, third = done.stdout.split()
    assert (first, second, third) == ("disk-full", "store-stopped", "store-stopped")
    assert [int(vote) for vote in votes] == list(range(len(votes)))
    log = open_in(folder)
    found = log.records()
    expected = tuple((1, b"%06d" % number * 20_000) for number in range(len(votes) + 1))
    assert found in (expected[:-1], expected)  # the refused one may be there: it was only never acknowledged
    log.close()


def test_a_killed_signer_loses_nothing_acknowledged(folder: Path) -> None:
    code = FILL.replace("resource.setrlimit", "(lambda *a: 0)").replace("* 20_000", "* 100")
    command = [sys.executable, "-c", code, str(folder)]
    last = -1
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as signer:
            assert signer.stdout is not None
            for _ in range(40):
                signer.stdout.readline()
            signer.kill()
            rest = [line for line in signer.stdout if line.endswith("\n")]
        last = int(rest[-1]) if rest else 39
        log = open_in(folder)
        found = log.records()
        log.truncate_below(1)
        log.close()
    assert len(found) >= last + 1 + 80


def test_errors_of_the_log_are_ours() -> None:
    for kind in (AmnesiaSuspected, GuardMissing, GuardPresent, VoteRefused, StoreCorrupt, DiskFull):
        assert issubclass(kind, StorageError)
