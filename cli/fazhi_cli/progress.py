"""A progress bar on stderr, where that is a terminal; drawn by rich, which is imported only then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from .language import Language, choose
from .messages import PROGRESS

Counted = Callable[[int, int], None]
"""Called with (done, in all)."""

SMALL: Final = 16 * 1024 * 1024
"""Bytes that are sealed before anybody could look."""


@contextmanager
def bar(code: str, language: Language, *, least: int = SMALL) -> Iterator[Counted | None]:
    """What to report to; None where nobody looks. Nothing is drawn for less than ``least``."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task(choose(PROGRESS[code], language), visible=False)

        def counted(done: int, total: int) -> None:
            drawn.update(task, completed=done, total=total, visible=total >= least)

        yield counted
