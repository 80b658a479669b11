"""Processes and files of one peer, and programs out of package registries. Whatever is started here is ended by its own
pid, and whatever is written is removed, also when the run is interrupted; only the cache folder stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.measure import BenchError

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fazhi-bench"
"""Programs built once. May be removed at any time."""
BUILD_S: Final = 1200
STOP_S: Final = 15.0
HERE: Final = Path(__file__).resolve().parent


class Absent(Exception):
    """This peer cannot be measured here; the text says why."""


@dataclass(slots=True)
class Crew:
    """What runs for one peer, in ``folder``. ``user``: who runs it, where not we ourselves."""

    folder: Path
    user: str | None = None
    _running: list[tuple[subprocess.Popen[bytes], int]] = field(default_factory=list)

    def start(self, name: str, arguments: Sequence[str | Path], ending: int = signal.SIGTERM) -> int:
        """Start a process that stays; its pid. ``ending`` is the signal by which it ends at once and in order."""
        with (self.folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                start_new_session=True, user=self.user, group=self.user, extra_groups=[] if self.user else None,
            )  # fmt: skip
        self._running.append((child, ending))
        return child.pid

    def run(self, arguments: Sequence[str | Path], timeout_s: float = 120) -> str:
        """Run a process to its end; what it printed.

        Raises:
            BenchError: it failed or took too long.
        """
        try:
            done = subprocess.run(
                arguments, capture_output=True, timeout=timeout_s, check=False, cwd=self.folder, user=self.user,
                group=self.user, extra_groups=[] if self.user else None,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BenchError(f"{Path(arguments[0]).name} did not end in {timeout_s:.0f} s") from None
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
            raise BenchError(f"{Path(arguments[0]).name}: {said[-400:]}")
        return done.stdout.decode("utf-8", "replace")

    def wait(self, ready: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Wait until something holds; not longer than one of the processes lives."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = [child.args for child, _ in self._running if child.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise BenchError(f"{what}: " + (f"a process ended: {ended[0]!r}" if ended else "not in time"))
            time.sleep(0.05)

    def close(self) -> None:
        """End everything that was started."""
        for child, ending in self._running:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(ending)
        for child, _ in self._running:
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._running.clear()


@contextmanager
def crew(user: str | None = None) -> Iterator[Crew]:
    """A crew with a temporary folder; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fazhi-peers-"))
    if user is not None:
        shutil.chown(folder, user, user)
    made = Crew(folder, user)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def _alone(name: str) -> Iterator[Path]:
    """A folder of the cache that nobody else builds in meanwhile."""
    place = CACHE / name
    place.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place


def go_programs(
    name: str,
    modules: Mapping[str, tuple[str, str]],
    programs: Mapping[str, str],
    imported_as: Mapping[str, str] | None = None,
) -> dict[str, Path]:
    """Build Go programs out of released modules; where they lie.

    ``modules``: path → (version, ``h1:`` hash of its zip); ``programs``: name → package. They are built as packages of
    a module of our own, because ``go install`` refuses modules with ``replace`` directives. ``imported_as``: path →
    the path that the module's own go.mod declares, where that is another.

    Raises:
        Absent: no Go, no module proxy, another hash, or it does not compile.
    """
    with _alone(name) as place:
        found = {one: place / one for one in programs}
        if all(path.exists() for path in found.values()) and _pinned(place, modules):
            return found
        if shutil.which("go") is None:
            raise Absent("Go is not installed")
        (place / "go.mod").write_text(module_file(modules, imported_as or {}), "ascii")
        (place / "go.sum").unlink(missing_ok=True)
        print(f"  building {', '.join(programs)} …", file=sys.stderr, flush=True)
        for one, package in programs.items():
            done = subprocess.run(
                ["go", "build", "-mod=mod", "-o", f"{one}.part", package],
                cwd=place, capture_output=True, timeout=BUILD_S,
                env={**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise Absent(f"go build {package}: {done.stderr.decode('utf-8', 'replace').strip()[-200:]}")
        if not _pinned(place, modules):
            raise Absent(f"{', '.join(modules)}: not the module whose hash is pinned")
        for one, path in found.items():
            (place / f"{one}.part").replace(path)
        return found


def module_file(modules: Mapping[str, tuple[str, str]], imported_as: Mapping[str, str]) -> str:
    """The ``go.mod`` that asks for these modules."""
    lines = ["module peers", "go 1.22"]
    for module, (version, _) in modules.items():
        name = imported_as.get(module, module)
        lines.append(f"require {name} {version}")
        if name != module:
            lines.append(f"replace {name} => {module} {version}")
    return "\n".join(lines) + "\n"


def _pinned(place: Path, modules: Mapping[str, tuple[str, str]]) -> bool:
    try:
        sums = (place / "go.sum").read_text("ascii").splitlines()
    except OSError:
        return False
    return all(f"{module} {version} {digest}" in sums for module, (version, digest) in modules.items())


def python_packages(name: str) -> Path:
    """The packages of ``requirements.txt`` in a folder of the cache, to be put on a load generator's path.

    Raises:
        Absent: they cannot be had.
    """
    with _alone(name) as place:
        mark = place / "complete"
        wanted = (HERE / "requirements.txt").read_text("ascii") + sys.version
        if not mark.exists() or mark.read_text("ascii") != wanted:
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
            command += ["--upgrade", "--require-hashes", "--only-binary", ":all:", "--target", str(place)]
            done = subprocess.run(
                [*command, "--requirement", HERE / "requirements.txt"], capture_output=True, timeout=300, check=False
            )
            if done.returncode != 0:
                raise Absent(f"pip: {done.stderr.decode('utf-8', 'replace').strip()[-200:]}")
            mark.write_text(wanted, "ascii")
        return place


def last_json(text: str) -> dict[str, Any]:
    """What a load generator printed last."""
    lines = text.strip().splitlines()
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found
