"""What tests of whole processes share: running the demo, and seeing what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT


def demo(out: Path, **environment: str) -> subprocess.Popen[str]:
    """Start ``python -m demo`` with its output captured; in Chinese and English, whatever the machine speaks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FAZHI_", "LC_", "LANG"))}
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env={**kept, "OUT": str(out), "EVIDENCE": "", "PROCEDURE": "", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def commands_naming(path: Path) -> list[str]:
    """Command lines of living processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(path) in command:
            found.append(command)
    return found


def wait_for(what: str, happened: object, seconds: float = 60.0) -> None:
    """Wait until a function returns something true."""
    assert callable(happened)
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def end(process: subprocess.Popen[str]) -> None:
    """Make sure that a process started here is gone."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
