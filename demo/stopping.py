"""Ctrl-C and SIGTERM: they end the demo at once, but never between the start of a process and its being known."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The user or the system ended the demo."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Stopper:
    """Raises :class:`Interrupted` in the main thread when a signal comes; once only, and not while held."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: int | None = None
        self._before = {number: signal.signal(number, self._take) for number in SIGNALS}

    def watch(self) -> None:
        """Be interruptible (again)."""
        for number in SIGNALS:
            signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._held:
            self._waiting = number
            return
        self.ignore()
        raise Interrupted(number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing interrupt the block; what came meanwhile interrupts after it."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting is not None:
            self.ignore()
            raise Interrupted(self._waiting)

    def ignore(self) -> None:
        """From now on nothing interrupts: the demo is cleaning up."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def restore(self) -> None:
        """Back to what was before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
