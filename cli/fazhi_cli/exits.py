"""Exit codes of ``fazhi``, and the errors that carry them up to :mod:`fazhi_cli.main`."""

from __future__ import annotations

from enum import IntEnum

from fazhi_ledger.errors import FazhiError


class Exit(IntEnum):
    """What a script may rely on; the same for every command."""

    OK = 0  # valid; done
    NOT_VALID = 1  # the evidence does not hold; the chain refused; a network is not up
    USAGE = 2  # options, or a file that was named: nothing was decided or done
    UNDECIDED = 3  # no answer either way: an algorithm or a node is missing
    BREACHED = 4  # the evidence holds, and shows that the law was breached


class CliError(FazhiError):
    """Ends the command with an exit code and one sentence, made from the code in :mod:`fazhi_cli.messages`."""

    exit_code = Exit.USAGE


class Misuse(CliError):
    """Options that do not go together, or a file that cannot be read; nothing was decided or done."""


class Undecided(CliError):
    """The question cannot be answered here: neither yes nor no."""

    exit_code = Exit.UNDECIDED


class Failed(CliError):
    """What was asked for did not come to be, and the chain or the network says so."""

    exit_code = Exit.NOT_VALID


_USAGE = frozenset({"InputError", "SealingError", "DraftError", "OutboxError", "InvalidKey"})
_UNDECIDED = frozenset({"ConnectionFailed", "NotAuthorised", "BadAnswer"})


def exit_of(error: FazhiError) -> Exit:
    """The exit code of an error, the SDK's included. Those are known by the names of their classes, since importing
    the SDK would slow every command down."""
    if isinstance(error, CliError):
        return error.exit_code
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _USAGE:
        return Exit.USAGE
    return Exit.UNDECIDED if names & _UNDECIDED else Exit.NOT_VALID
