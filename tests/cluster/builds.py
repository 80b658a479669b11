"""Another build of the node, and clocks that are wrong: what a campaign borrows from outside the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

from fazhi_ledger.genesis import PROTOCOL_VERSION

from tests.conftest import ROOT

DISTRIBUTIONS: Final = ("ledger", "consensus", "contracts", "node")
SOURCE: Final = Path(__file__).resolve().parent / "wrong_clock.c"


class OtherProtocol(Exception):
    """No chain can be run by both builds."""


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True, timeout=60).stdout


def previous_build(folder: Path, revision: str = "") -> tuple[str, str]:
    """The node as it was before the last commit that changed it, or at a revision, unpacked in ``folder``: which
    revision, and the PYTHONPATH that runs it.

    Raises:
        OSError, subprocess.SubprocessError: there is no git, or no such history.
        OtherProtocol: the other build runs no chain of this one.
    """
    if not revision:
        last = _git("log", "-1", "--format=%H", "--", *DISTRIBUTIONS).decode().strip()
        revision = f"{last}^"
    found = _git("rev-parse", "--short=12", f"{revision}^{{commit}}").decode().strip()
    with tarfile.open(fileobj=BytesIO(_git("archive", found, *DISTRIBUTIONS))) as archive:
        archive.extractall(folder, filter="data")
    genesis = (folder / "ledger" / "fazhi_ledger" / "genesis.py").read_text(encoding="utf-8")
    if f"PROTOCOL_VERSION: Final = {PROTOCOL_VERSION}\n" not in genesis:
        raise OtherProtocol(f"the chains of {found} have another protocol")
    return found, os.pathsep.join(str(folder / name) for name in DISTRIBUTIONS)


class Clocks:
    """Clocks of processes that can be set wrong while they run, by a library that is preloaded (wrong_clock.c)."""

    def __init__(self, library: Path) -> None:
        self._library = library

    @classmethod
    def build(cls, folder: Path) -> Clocks | str:
        """Compile the library into the folder; or why there is none."""
        compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
        if compiler is None:
            return "no C compiler"
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / "wrong_clock.so"
        done = subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"],
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            return f"wrong_clock.c: {done.stderr.decode('utf-8', 'replace')[:200]}"
        made = cls(library)
        return made if made._works(folder / "probe") else "a preloaded clock changes nothing here"

    def environment(self, file: Path) -> dict[str, str]:
        """Of a process whose clock is off by what :meth:`set` writes to the file, which is made here."""
        self.set(file, 0)
        return {"LD_PRELOAD": str(self._library), "FAZHI_TEST_CLOCK": str(file)}

    @staticmethod
    def set(file: Path, seconds: int) -> None:
        """From now on the clock is ahead by so much; in place, since it is mapped."""
        with file.open("r+b" if file.exists() else "xb") as opened:
            opened.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    def _works(self, file: Path) -> bool:
        environment = self.environment(file)
        self.set(file, 3600)
        program = "import time; print(time.time_ns(), time.monotonic_ns())"
        shifted, true = (
            subprocess.run(
                [sys.executable, "-c", program], env={**os.environ, **more}, capture_output=True, check=False
            )
            for more in (environment, {})
        )
        if shifted.returncode or true.returncode:
            return False
        (wall, monotonic), (true_wall, true_monotonic) = (map(int, one.stdout.split()) for one in (shifted, true))
        return abs(wall - true_wall - 3600 * 10**9) < 60 * 10**9 and abs(monotonic - true_monotonic) < 60 * 10**9
