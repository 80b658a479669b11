"""What the demo says, in both languages at once: a newcomer reads one of them."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

from fazhi_cli.terminal import paint

SECTIONS: Final = 7


class DemoFailed(Exception):
    """Something was not as it should be; the demo ends with an error."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")


class Screen:
    """Prints sections with the time that each took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._section = 0

    def title(self, out: str) -> None:
        """The first line."""
        self.line(paint(f"法治联盟链演示 · fazhi demo → {out}/", "title", sys.stdout))

    def section(self, zh: str, en: str) -> None:
        """A heading, with the seconds since the start."""
        self._section += 1
        seconds = time.monotonic() - self._began
        heading = paint(f"[{self._section}/{SECTIONS}] {zh} · {en}", "title", sys.stdout)
        self.line(f"\n{heading}  {paint(f'{seconds:.1f} s', 'faint', sys.stdout)}")

    def line(self, text: str) -> None:
        """A line, shown at once."""
        print(text, flush=True)

    def good(self, text: str) -> None:
        """Something that is as it should be."""
        self.line(f"  {paint('✓', 'good', sys.stdout)} {text}")

    def alarm(self, text: str) -> None:
        """Something done on purpose that should catch the eye."""
        self.line(f"  {paint('⚡', 'bad', sys.stdout)} {text}")

    def bad(self, text: str) -> None:
        """The end of a demo that went wrong, on stderr."""
        sys.stdout.flush()
        print(f"{paint('✗', 'bad', sys.stderr)} {text}", file=sys.stderr, flush=True)


def relative(path: str | os.PathLike[str]) -> str:
    """A path as one would type it here."""
    shown = os.path.relpath(path)
    return os.fspath(path) if shown.startswith("..") else shown
