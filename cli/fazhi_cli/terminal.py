"""Text on a terminal: widths of Chinese characters, alignment, colour, and nothing that could steer it."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from fazhi_ledger.messages import STEERING

_WIDE: Final = ("W", "F")
_CLOSING: Final = frozenset("，。、；：！？）】」』〉》”’·…,.;:!?)]}")
_STYLES: Final = {"good": "1;32", "bad": "1;31", "doubt": "1;33", "title": "1", "faint": "2"}


def width(text: str) -> int:
    """Columns that a text takes: wide characters count double."""
    return sum(2 if unicodedata.east_asian_width(char) in _WIDE else 1 for char in text)


def pad(text: str, columns: int) -> str:
    """``text`` with spaces up to that many columns."""
    return text + " " * (columns - width(text))


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most ``columns`` columns. Breaks at spaces and between Chinese characters, never before a closing
    mark."""
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line and width(line) + width(piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> Iterable[str]:
    """The parts between which a line may break: a word with its space, or one wide character with its closing marks."""
    piece = ""
    for char in text:
        wide = unicodedata.east_asian_width(char) in _WIDE
        if piece and char not in _CLOSING and not char.isspace() and (wide or _ends(piece)):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


def _ends(piece: str) -> bool:
    return piece[-1].isspace() or unicodedata.east_asian_width(piece[-1]) in _WIDE


def paint(text: str, style: str, stream: TextIO) -> str:
    """``text`` in a style, where the stream is a terminal and nobody asked for none (no-color.org)."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def table(rows: Sequence[Sequence[str]], indent: str = "  ", gap: str = "  ") -> list[str]:
    """Lines of a table whose columns are as wide as their widest cell."""
    widths: list[int] = []
    for row in rows:
        for position, cell in enumerate(row):
            if position == len(widths):
                widths.append(0)
            widths[position] = max(widths[position], width(cell))
    return [
        (indent + gap.join(pad(cell, widths[position]) for position, cell in enumerate(row))).rstrip() for row in rows
    ]


def json_text(value: object) -> str:
    """JSON for people and programs: Chinese as itself, but what could steer a terminal, or be there unseen, as its
    escape, which is the same text to a program."""
    return STEERING.sub(_escape, json.dumps(value, ensure_ascii=False, indent=1))


def _escape(found: re.Match[str]) -> str:
    return found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1]


def number(value: int) -> str:
    """``48,213``."""
    return f"{value:,}"


def prepare_streams() -> None:
    """Let output never fail for want of a character: what the terminal's encoding lacks is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
