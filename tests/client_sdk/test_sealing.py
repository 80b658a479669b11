"""Sealing: the right digests in one pass, and every bad input refused with its own error."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fazhi_sdk import errors
from fazhi_sdk.sealing import BUFFER_BYTES, media_type_of, seal


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "现场照片.JPG"
    path.write_bytes(os.urandom(3 * BUFFER_BYTES + 17))
    return path


def test_digest_length_and_media_type(photo: Path) -> None:
    value = seal(photo)
    content = photo.read_bytes()
    assert value.digests == (("sha256", hashlib.sha256(content).digest()),)
    assert (value.length, value.media_type) == (len(content), "image/jpeg")


@pytest.mark.parametrize("size", [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 5 * BUFFER_BYTES + 3])
def test_two_digests_in_one_pass(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    value = seal(path, algorithms=("sm3", "sha256"))
    assert value.digests == (
        ("sha256", hashlib.sha256(content).digest()),
        ("sm3", hashlib.new("sm3", content).digest()),
    )
    assert value.length == size


def test_media_type_is_from_the_fixed_table() -> None:
    assert media_type_of("a/执法记录仪.MP4") == "video/mp4"
    assert media_type_of("no-extension") == "application/octet-stream"
    assert media_type_of("x.unknown") == "application/octet-stream"


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(40 * 1024 * 1024)  # a sparse file reads as zeros
    seen: list[tuple[int, int]] = []
    seal(path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (40 * 1024 * 1024, 40 * 1024 * 1024)
    assert seen == sorted(seen)
    assert len(seen) == 3


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (Path.mkdir, errors.FileIsDirectory),
        (make_fifo, errors.FileIsPipe),
        (make_socket, errors.FileIsSocket),
        (lambda path: path.symlink_to("/dev/null"), errors.FileIsDevice),
        (lambda path: path.symlink_to("nowhere"), errors.FileMissing),
        (lambda _: None, errors.FileMissing),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None], error: type[Exception]) -> None:
    path = tmp_path / "evidence"
    make(path)
    with pytest.raises(error) as caught:
        seal(path)
    assert str(path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(photo: Path) -> None:
    photo.chmod(0)
    with pytest.raises(errors.FileUnreadable):
        seal(photo)


def test_impossible_paths(tmp_path: Path, photo: Path) -> None:
    with pytest.raises(errors.FileMissing):
        seal("a\0b")
    with pytest.raises(errors.FileUnreadable):
        seal(photo / "below-a-file")


def test_unknown_algorithm(photo: Path) -> None:
    with pytest.raises(errors.InputError, match="md5"):
        seal(photo, algorithms=("md5",))
    with pytest.raises(errors.InputError):
        seal(photo, algorithms=())


def meddle(path: Path, act: Callable[[], object]) -> None:
    """Seal ``path`` and act once, while its bytes are being read (progress is called from within the reading)."""
    done = threading.Event()

    def progress(bytes_done: int, total: int) -> None:
        if bytes_done < total and not done.is_set():
            done.set()
            act()

    seal(path, progress=progress)
    raise AssertionError("nothing was noticed")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    with path.open("wb") as file:
        file.truncate(34 * 1024 * 1024)
    return path


def test_removed_while_being_sealed(large: Path) -> None:
    with pytest.raises(errors.FileVanished):
        meddle(large, large.unlink)


def test_replaced_while_being_sealed(large: Path, photo: Path) -> None:
    with pytest.raises(errors.FileReplaced):
        meddle(large, lambda: photo.replace(large))


def test_grown_while_being_sealed(large: Path) -> None:
    def grow() -> None:
        with large.open("ab") as file:
            file.write(b"x")

    with pytest.raises(errors.FileChanged):
        meddle(large, grow)


def test_truncated_while_being_sealed(large: Path) -> None:
    with pytest.raises(errors.FileChanged):
        meddle(large, lambda: os.truncate(large, 1))


def test_overwritten_with_its_times_set_back(large: Path) -> None:
    before = large.stat()

    def overwrite() -> None:
        with large.open("r+b") as file:
            file.write(b"forged")
        os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(errors.FileChanged):
        meddle(large, overwrite)


def test_a_file_just_written_is_given_time_to_settle(tmp_path: Path) -> None:
    """Within one tick of the clock a second write would leave no trace in the times, so sealing waits the tick out."""
    path = tmp_path / "fresh.txt"
    path.write_bytes(b"1")
    started = time.time_ns()
    assert seal(path).length == 1
    assert time.time_ns() - path.stat().st_ctime_ns >= 10_000_000 or time.time_ns() < started


def test_errors_speak_both_languages(tmp_path: Path) -> None:
    with pytest.raises(errors.FileIsDirectory) as caught:
        seal(tmp_path)
    text = str(caught.value)
    assert "文件夹" in text
    assert "is a folder" in text
    assert "nothing was recorded" in caught.value.in_language("en")
    assert caught.value.code == "file-is-directory"


@pytest.mark.slow
def test_sealing_a_large_file_needs_no_memory(tmp_path: Path) -> None:
    """At most 64 MiB, whatever the length; how fast it is, bench/ says."""
    path = tmp_path / "body-camera.mp4"
    with path.open("wb") as file:
        file.truncate(768 << 20)
    code = (
        "import resource, sys; from fazhi_sdk.sealing import seal; before = resource.getrusage(0).ru_maxrss;"
        "seal(sys.argv[1], algorithms=('sha256', 'sm3')); print(resource.getrusage(0).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 64 * 1024
