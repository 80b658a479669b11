"""A power cut in the middle of a large batch must heal by itself, and nothing else may."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from fazhi_node.storage.errors import StoreCorrupt
from fazhi_node.storage.leveldb_log import BLOCK_BYTES, masked_crc32c, torn_tail
from fazhi_node.storage.store import available, open_store

from .backends import GENESIS, contents

pytestmark = pytest.mark.skipif(not available("plyvel"), reason="plyvel is not installed")
SEED = 20250804


@pytest.fixture(scope="module")
def cut_node(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """A store as a killed process leaves it, its log, and where the last batch begins: 20 small ones and a large."""
    path = tmp_path_factory.mktemp("cut") / "store"
    rng = random.Random(SEED)
    store = open_store(path, "plyvel", genesis_hash=GENESIS)
    for number in range(20):
        store.write([(b"%03d" % number, rng.randbytes(3000))])
    (log,) = (path / "leveldb").glob("*.log")
    begins = log.stat().st_size
    store.write([(b"last %d" % part, rng.randbytes(3000)) for part in range(40)])
    copy = tmp_path_factory.mktemp("copy") / "store"
    shutil.copytree(path, copy)
    store.close()
    return copy, copy / "leveldb" / log.name, begins


def opened(cut_node: tuple[Path, Path, int], data: bytes, folder: Path) -> list[bytes]:
    """The keys found when the log holds ``data``."""
    source, log, _ = cut_node
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    (folder / "leveldb" / log.name).write_bytes(data)
    store = open_store(folder, "plyvel", genesis_hash=GENESIS)
    keys = [key for key, _ in contents(store)]
    store.write([(b"and on", b"")])
    store.close()
    return keys


SMALL = [b"%03d" % number for number in range(20)]


def lose_pages(data: bytes, start: int, rng: random.Random, page: int) -> bytes:
    """Some pages of what was written last never reached the disk."""
    torn = bytearray(data)
    for low in range(start - start % page, len(data), page):
        if rng.random() < 0.5:
            first, last = max(low, start), min(low + page, len(data))
            torn[first:last] = bytes(last - first)
    return bytes(torn)


def test_checksum_of_a_known_record() -> None:
    """RFC 3720 B.4: CRC-32C of 32 zeros is aa36918a."""
    crc = 0x8A9136AA
    assert masked_crc32c(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_a_torn_batch_is_left_out(cut_node: tuple[Path, Path, int], tmp_path: Path) -> None:
    _, log, begins = cut_node
    data = log.read_bytes()
    assert len(data) - begins > 3 * BLOCK_BYTES
    rng = random.Random(SEED)
    for _ in range(5):
        torn = lose_pages(data, begins, rng, 4096)
        if torn == data:
            continue
        assert opened(cut_node, torn, tmp_path / "store") == SMALL
    assert opened(cut_node, data, tmp_path / "store") == sorted([*SMALL, *(b"last %d" % part for part in range(40))])


def test_what_was_cut_off_is_kept_and_told(cut_node: tuple[Path, Path, int], tmp_path: Path) -> None:
    source, log, begins = cut_node
    data = bytearray(log.read_bytes())
    data[begins + 8192 : begins + 20000] = bytes(20000 - 8192)
    folder = tmp_path / "store"
    shutil.copytree(source, folder)
    (folder / "leveldb" / log.name).write_bytes(data)
    store: Any = open_store(folder, "plyvel", genesis_hash=GENESIS)
    assert store.torn_bytes == len(data) - begins
    assert (folder / "torn.bin").read_bytes() == data[begins:]
    store.close()


def test_wherever_it_is_torn(cut_node: tuple[Path, Path, int]) -> None:
    """Whichever page is missing, alone or with all after it, the cut is where the batch begins."""
    _, log, begins = cut_node
    data = log.read_bytes()
    for low in range(begins - begins % 4096, len(data), 4096 * 5):
        first, last = max(low, begins), min(low + 4096, len(data))
        if last - first < 2048:
            continue
        assert torn_tail(data[:first] + bytes(last - first) + data[last:]) == begins
        assert torn_tail(data[:first] + bytes(len(data) - first)) in (begins, None)  # None: LevelDB reads that itself


def test_an_acknowledged_batch_is_never_cut_off(cut_node: tuple[Path, Path, int], tmp_path: Path) -> None:
    """Damage with an intact record after it; damage that no missing write explains; no damage."""
    _, log, begins = cut_node
    data = log.read_bytes()
    assert torn_tail(data) is None
    assert torn_tail(b"") is None
    rng = random.Random(SEED)
    for _ in range(4):
        place = rng.randrange(begins - 4000)
        hole = data[:place] + bytes(1024) + data[place + 1024 :]
        assert torn_tail(hole) is None
        flipped = bytearray(data)
        flipped[rng.randrange(begins, len(data))] ^= 1 << rng.randrange(8)
        assert torn_tail(bytes(flipped)) is None
    with pytest.raises(StoreCorrupt):
        opened(cut_node, bytes(flipped), tmp_path / "store")
    with pytest.raises(StoreCorrupt):
        opened(cut_node, hole, tmp_path / "store")


def test_a_small_record_after_a_hole_is_seen(cut_node: tuple[Path, Path, int]) -> None:
    """The later record begins in the middle of a damaged block, where no length leads to it."""
    _, log, begins = cut_node
    data = log.read_bytes()[:begins]
    hole = data[: begins - 9000] + bytes(2500) + data[begins - 6500 :]
    assert torn_tail(hole) is None


def test_it_takes_seconds_not_hours(tmp_path: Path) -> None:
    """The largest tail that is searched: a block of the largest size, torn everywhere."""
    data = bytearray(os.urandom(400_000))
    for low in range(0, len(data), 8192):
        data[low : low + 4096] = bytes(4096)
    begun = time.monotonic()
    assert torn_tail(bytes(data)) == 0
    assert time.monotonic() - begun < 30
