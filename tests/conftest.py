"""What all tests share: how hypothesis searches, and where the public test vectors are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# The gate runs the same examples for everybody, so that a red run means a change and not luck. `make explore`
# searches anew with each run and prints the blob that repeats a failure. Neither has deadlines: machines are shared.
_SLOW_MACHINE = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile(
    "gate", derandomize=True, deadline=None, max_examples=50, print_blob=True, suppress_health_check=_SLOW_MACHINE
)
settings.register_profile(
    "explore", deadline=None, max_examples=1000, print_blob=True, suppress_health_check=_SLOW_MACHINE
)
PROFILE = os.environ.get("FAZHI_HYPOTHESIS", "gate")
settings.load_profile(PROFILE)


def pytest_report_header() -> str:
    fixed = settings.get_profile(PROFILE).derandomize
    seeds = "seeds derived from the tests" if fixed else "fresh seeds, printed on failure"
    return f"hypothesis profile: {PROFILE} ({seeds})"


def vectors_folder() -> Path:
    """Where the public vectors are: FAZHI_VECTORS, or ../shared/vectors beside the tree."""
    return Path(os.environ.get("FAZHI_VECTORS") or ROOT.parent / "shared" / "vectors")


def vector_path(name: str) -> Path:
    """The file of public test vectors of that name; skips the test, saying why, where it is absent."""
    path = vectors_folder() / name
    if not path.is_file():
        pytest.skip(f"no {name} in ../shared/vectors; FAZHI_VECTORS names another folder")
    return path
