"""A progress bar on stderr, where that is a terminal; drawn by rich, which is imported only then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from .language import Language, choose
from .messages import PROGRESS

Counted = Callable[[int, int], None]
"""Called with (done, in all)."""

SMALL: Final = 16 * 1024 * 1024
"""Bytes that are sealed before anybody could look."""


@contextmanager
def bar(code: str, language: Language, *, least: int = SMALL) -> Iterator[Counted | None]:
    """What to report to; None where nobody looks. Nothing is drawn, nor rich imported, for less than ``least``."""
    if not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as stack:
        drawn: list[Callable[[int, int], None]] = []

        def counted(done: int, total: int) -> None:
            if total < least:
                return
            if not drawn:
                drawn.append(stack.enter_context(_drawn(choose(PROGRESS[code], language))))
            drawn[0](done, total)

        yield counted


@contextmanager
def _drawn(title: str) -> Iterator[Counted]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
