"""What every campaign has in common: it says which code it runs and how far it is, puts away what it has begun wherever
it is ended, and ends in one line of JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final

from tests.conftest import ROOT

ENDING: Final = (signal.SIGINT, signal.SIGTERM)
SAY_EVERY_S: Final = 30.0


class Ended(KeyboardInterrupt):
    """A signal asks a campaign to end. No Exception: what looks for mistakes must not take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise :class:`Ended` where the main thread is."""

    def end(number: int, _: object) -> None:
        raise Ended(number)

    before = {number: signal.signal(number, end) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def conclude(name: str, work: Callable[[], object], sums: Callable[[], Mapping[str, Any]]) -> int:
    """Do the work of a campaign and print its line. The exit code: 1 where a promise was broken or nothing was run, 128
    and the signal's number where a signal ended it.

    ``sums`` is what it came to so far: ``runs``, ``faults``, ``violations``, and whatever else it counts.
    """
    begun = time.monotonic()
    ended: Ended | None = None
    try:
        with ending_by_signals():
            work()
    except Ended as error:
        ended = error
    line = {"campaign": name, "runs": 0, "faults": 0, "violations": 0, "seconds": 0.0, **sums()}
    line["seconds"] = round(time.monotonic() - begun, 1)
    if ended is not None:
        line["ended_by"] = str(ended)
        print(f"ended by {ended} before its end: the line counts what was run until then", file=sys.stderr)
    elif not line["runs"]:
        print("nothing was run", file=sys.stderr)
    print(json.dumps(line), flush=True)
    if ended is not None:
        return 128 + ended.number
    return 0 if line["runs"] and not line["violations"] else 1


class Progress:
    """Tells on stderr how far a campaign is, twice a minute however often it is called."""

    def __init__(self) -> None:
        self._next = time.monotonic() + SAY_EVERY_S

    def __call__(self, text: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SAY_EVERY_S
            print(text, file=sys.stderr, flush=True)


@contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for the parts of a campaign, each with a process group of its own: where the campaign does not come to
    its end they are killed, with all that they have started.
    """
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=os.setpgrp)
    try:
        yield pool
    except BaseException:
        for process in list(pool._processes or {}):
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError):  # it has ended, or has no group yet
                    kill(process, signal.SIGKILL)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@cache
def commit() -> str:
    """The commit of the code that runs, with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
