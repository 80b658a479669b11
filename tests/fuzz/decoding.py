"""The decoders' part of the campaign: each target for its share of the time, coverage-guided where atheris is there."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from .ran import Ran

PACKAGES = ["fazhi_ledger", "fazhi_consensus", "fazhi_contracts", "fazhi_node", "fazhi_sdk", "fazhi_cli"]


def has_atheris() -> bool:
    """Whether coverage can guide the search."""
    return importlib.util.find_spec("atheris") is not None


def load(coverage: bool) -> ModuleType:
    """The registry; with the packages instrumented where ``coverage``."""
    if coverage:
        import atheris

        with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=PACKAGES):
            from . import registry
    else:
        from . import registry
    return registry


def run(
    folder: Path,
    *,
    seed: int,
    seconds: float = 0,
    runs: int = 0,
    only: Sequence[str] = (),
    coverage: bool = False,
    report: Callable[[Ran], None] | None = None,
) -> list[Ran]:
    """Every target (or ``only`` these), one after the other: ``seconds`` for all of them, or ``runs`` inputs each."""
    targets = load(coverage).TARGETS
    from .engine import run_target  # with what it imports of the packages, instrumented

    names = list(only or targets)
    found = []
    for name in names:
        place = folder / "".join(letter if letter.isalnum() else "-" for letter in name)
        share = seconds / len(names)
        found.append(run_target(targets[name], seed=seed, seconds=share, runs=runs, folder=place, coverage=coverage))
        if report is not None:
            report(found[-1])
    return found


def replay(name: str, data: bytes) -> None:
    """Read one input once more; raises what it raises."""
    from .target import Check

    Check(load(False).TARGETS[name])(data)
