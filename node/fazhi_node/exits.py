"""Why the command ``fazhi-node`` ends, as an exit code, and the error that carries it up to :mod:`fazhi_node.main`.

The code is for scripts, supervisors and containers: a supervisor should start a node again after ``OWN_FAULT`` at
most with a limit, and never after the others, since nothing changes until a person has done what the last line says.
"""

from __future__ import annotations

from enum import IntEnum

from fazhi_ledger.errors import FazhiError


class Exit(IntEnum):
    """Exit codes of ``fazhi-node``."""

    OK = 0
    NOT_READY = 1  # status: the node answers but does not vote or follow
    USAGE = 2  # command line, configuration or an input file was refused; nothing was changed
    UNREACHABLE = 3  # status, export: no running node answered
    BUSY = 4  # a port or the data directory is held by another process
    FOREIGN_DATA = 5  # key, guard, genesis and data directory do not belong together
    STORAGE = 6  # the disk erred or is full: the node stopped before it said anything it could not keep
    OWN_FAULT = 7  # something that cannot be has happened: please report it


class Stop(FazhiError):
    """Ends the command with an exit code and one sentence (made from the code in :mod:`fazhi_node.texts`)."""

    def __init__(self, exit_code: Exit, code: str, **parameters: str | int) -> None:
        super().__init__(code, **parameters)
        self.exit_code = exit_code


class Misuse(Stop):
    """A command line, configuration or input file that is refused at the start; nothing was changed."""

    def __init__(self, code: str, **parameters: str | int) -> None:
        super().__init__(Exit.USAGE, code, **parameters)
