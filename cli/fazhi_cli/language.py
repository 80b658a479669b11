"""The language of a run. It is read before the parser is built, since help texts are fixed by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

Language = Literal["zh", "en"]
Pair = tuple[str, str]
"""(中文, English)."""

_VARIABLES: Final = ("FAZHI_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_NEUTRAL: Final = ("C", "POSIX")


def language_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Language:
    """``--lang`` wherever it stands, else FAZHI_LANG, else the locale; Chinese where the locale says nothing."""
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument.startswith("--lang="):
            return _named(argument.partition("=")[2])
        if argument == "--lang" and position + 1 < len(arguments):
            return _named(arguments[position + 1])
    for variable in _VARIABLES:
        value = environment.get(variable, "")
        if value and value.partition(".")[0] not in _NEUTRAL:
            return _named(value)
    return "zh"


def _named(value: str) -> Language:
    return "zh" if value.lower().startswith("zh") else "en"


def choose(pair: Pair, language: Language) -> str:
    """The half of a pair that is wanted."""
    return pair[0 if language == "zh" else 1]
