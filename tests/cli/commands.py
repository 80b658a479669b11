"""Runs the installed command ``fazhi`` as people do, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FAZHI = Path(sys.executable).with_name("fazhi")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


def fazhi(
    *arguments: object,
    lang: str | None = "en",
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 60,
) -> Outcome:
    """Run ``fazhi`` without a terminal; ``lang`` None leaves the choice to the environment."""
    given = [str(FAZHI), *map(str, arguments)]
    if lang is not None:
        given += ["--lang", lang]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FAZHI_", "LC_", "LANG"))}
    done = subprocess.run(
        given,
        env={**kept, "COLUMNS": "100", **(environment or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
