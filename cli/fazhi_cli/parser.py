"""The command line's parser, whole in one language: headings, usage and complaints too.

argparse, because it starts in a tenth of the time of the richer libraries, makes commands out of data (the steps of a
procedure) without ado, and keeps the verifier free of packages that a court would have to install.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

from . import terminal
from .exits import Misuse
from .language import Language, choose
from .messages import HELP

Run = Callable[[argparse.Namespace, Language], int]

# What argparse complains of, and our words for it. Each pattern's groups fill the sentence.
_COMPLAINTS: Final = (
    (r"the following arguments are required: (.+)", "缺少参数: {0}", "missing: {0}"),
    (r"unrecognized arguments: (.+)", "无法识别的参数: {0}", "not understood: {0}"),
    (
        r"argument (.+?): invalid choice: (.+?) \(choose from (.+)\)",
        "{0}不能是 {1},可选: {2}",
        "{0} cannot be {1}; choose from {2}",
    ),
    (r"argument (.+?): expected (?:one|\d+) arguments?", "{0}后缺少值", "{0} needs a value"),
    (r"argument (.+?): expected at least one argument", "{0}后至少要有一个值", "{0} needs at least one value"),
    (r"argument (.+?): not allowed with argument (.+)", "{0} 不能与 {1} 同用", "{0} cannot stand with {1}"),
    (r"argument (.+?): ignored explicit argument (.+)", "{0} 不带值({1})", "{0} takes no value ({1})"),
    (r"one of the arguments (.+) is required", "须给出其中之一: {0}", "one of these is needed: {0}"),
    (r"argument (.+?): (.+)", "{0}: {1}", "{0}: {1}"),
)


class _Formatter(argparse.HelpFormatter):
    """Help in one language; lines are as long as they look."""

    language: Language = "zh"

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def add_usage(
        self, usage: str | None, actions: Iterable[Any], groups: Iterable[Any], prefix: str | None = None
    ) -> None:
        super().add_usage(usage, actions, groups, choose(HELP["usage"], self.language) if prefix is None else prefix)

    def _format_action(self, action: argparse.Action) -> str:
        if action.nargs == argparse.PARSER:  # the list of commands needs no line that says "command"
            return "".join(self._format_action(command) for command in self._iter_indented_subactions(action))
        return super()._format_action(action)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return terminal.wrap(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for part in text.splitlines() for line in terminal.wrap(part, width))


class _ChineseFormatter(_Formatter):
    language = "zh"


class _EnglishFormatter(_Formatter):
    language = "en"


class Parser(argparse.ArgumentParser):
    """A parser in one language. Options are added by :meth:`option`, so that they stand under its headings."""

    def __init__(self, prog: str, language: Language, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=_ChineseFormatter if language == "zh" else _EnglishFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        self.language: Language = language
        self._given = self.add_argument_group(self.text("arguments"))
        self._options = self.add_argument_group(self.text("options"))
        self.option("-h", "--help", action="help", help=self.text("help"))
        self.option("--lang", choices=("zh", "en"), default=argparse.SUPPRESS, help=self.text("lang"))

    def text(self, code: str, **values: object) -> str:
        """A help text in the parser's language."""
        return choose(HELP[code], self.language).format(**values)

    def option(self, *names: str, **settings: Any) -> None:
        """Add an option."""
        self._options.add_argument(*names, **settings)

    @property
    def names(self) -> frozenset[str]:
        """The names of its options."""
        return frozenset(self._option_string_actions)

    def argument(self, name: str, **settings: Any) -> None:
        """Add a positional argument."""
        self._given.add_argument(name, **settings)

    def commands(self, **settings: Any) -> Commands:
        """Add commands below this parser."""
        return Commands(self, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise :class:`Misuse` with the complaint in the parser's language."""
        raise Misuse("command-line", what=_translated(message, self.language), command=self.prog)


class Commands:
    """The commands below a parser."""

    def __init__(self, parent: Parser, **settings: Any) -> None:
        self._parent = parent
        self._below = parent.add_subparsers(
            title=parent.text("commands"),
            metavar=parent.text("command"),
            required=True,
            prog=parent.prog,
            parser_class=Parser,
            **settings,
        )

    def add(self, name: str, summary: str, description: str = "", aliases: tuple[str, ...] = ()) -> Parser:
        """A command with its line in the list and, in its own help, its description."""
        parent = self._parent
        return self._below.add_parser(
            name,
            help=summary.replace("%", "%%"),
            prog=f"{parent.prog} {name}",
            language=parent.language,
            description=(description or summary).replace("%(", "% ("),  # argparse would fill in its own values
            aliases=aliases,
        )


def _translated(message: str, language: Language) -> str:
    for pattern, zh, en in _COMPLAINTS:
        match = re.fullmatch(pattern, message, re.DOTALL)
        if match is not None:
            return (zh if language == "zh" else en).format(*match.groups())
    return message
