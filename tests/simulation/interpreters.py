"""Whether one seed is one run in every process."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import ROOT


def said_by_two_interpreters(program: str) -> set[str]:
    """What a program prints in two new processes with different hash seeds: one text, where neither matters."""
    return {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
