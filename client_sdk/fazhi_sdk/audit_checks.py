"""What an audit checks beside the execution, as pure functions, and the process that carries them out:
``python -m fazhi_sdk.audit_checks``, jobs on standard input, answers on standard output.

Two lines of work stand apart from it. *Bodies*: every signature, of certificates and of submissions, and that a
header's ``submissions_root`` is that of the submissions that are executed; each block by itself. *States*: that a
header's ``state_root`` is that of the state after the execution's changes; the blocks in order, the state tree being
kept here. The auditor's own process executes, and sends what it executed: what is checked here are its own values.

A job is four bytes of length and the canonical ``[kind, suite, given, [block…]]``; its answer is the length and the
first thing that does not hold, or nil.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final, cast

from fazhi_ledger import dsse, merkle, statetree
from fazhi_ledger.canonical import decode, pack
from fazhi_ledger.errors import FazhiError, InvariantBroken, Parameter
from fazhi_ledger.statetree import MemoryPages
from fazhi_ledger.submission import envelope_bytes
from fazhi_ledger.suites import Suite, suite_named

# Faults of one height are named in this order, whichever is found first.
READING, SIGNATURE, BODY, EXECUTION, STATE = range(5)

Check = tuple[bytes, bytes, bytes]
"""Public key, message, signature."""
Submission = tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]
"""Body bytes, the keys that it names, signatures."""
Body = tuple[int, bytes, tuple[Check, ...], tuple[Submission, ...]]
"""Height, ``submissions_root``, the certificate's signatures, the submissions."""
StateChange = tuple[int, bytes, tuple[tuple[bytes, bytes | None], ...]]
"""Height, ``state_root``, the entries that the block changes (None deletes)."""
Found = tuple[int, int, int, str, tuple[Parameter, ...]]
"""Of the first fault: height, kind, how many signatures of that height hold before it (where it is one), code and
parameters. In order of what is named first."""

MAX_JOB_BYTES: Final = (1 << 32) - 1
BODIES: Final = "bodies"
STATES: Final = "states"
PAGES: Final = "pages"


def check_bodies(suite: Suite, blocks: Sequence[Body]) -> Found | None:
    """The first of these blocks' signatures that does not verify, or root that is not that of the submissions."""
    for height, root, votes, submissions in blocks:
        leaves: list[bytes] = []
        checks = list(votes)
        for body, keys, signatures in submissions:
            message = dsse.pae(dsse.SUBMISSION, body)
            checks.extend((key, message, signature) for key, signature in zip(keys, signatures, strict=True))
            leaves.append(merkle.leaf_hash(suite, envelope_bytes(body, signatures)))
        for position, (key, message, signature) in enumerate(checks):
            try:
                suite.verify(key, message, signature)
            except FazhiError as error:
                return height, SIGNATURE, position, "bad-signature", (("key", key.hex()), ("reason", error.code))
        if merkle.root_of(suite, leaves) != root:
            return height, BODY, 0, *_wrong_field(height, "submissions_root")
    return None


class StateCheck:
    """The state tree as the blocks' changes make it, compared with what their headers say."""

    def __init__(self, suite: Suite, pages: Mapping[bytes, bytes]) -> None:
        self.pages = MemoryPages()
        self.pages.pages.update(pages)
        self._suite = suite

    def check(self, blocks: Sequence[StateChange]) -> Found | None:
        """Take over the changes of the next blocks; the first whose root is another one."""
        suite = self._suite
        for height, root, changes in blocks:
            hashed = {
                statetree.key_hash_of(suite, key): None if value is None else statetree.value_hash_of(suite, value)
                for key, value in changes
            }
            update = statetree.update(suite, self.pages, hashed)
            if update.root != root:
                return height, STATE, 0, *_wrong_field(height, "state_root")
            self.pages.apply(update)
        return None


def _wrong_field(height: int, field: str) -> tuple[str, tuple[Parameter, ...]]:
    return "wrong-header-field", (("height", height), ("field", field))


# --- the pipes; both ends are this code, so that what a frame holds is only cast ---


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Hand over one job or answer."""
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next job or answer; None where the other end has gone."""
    length = int.from_bytes(stream.read(4), "big")
    data = stream.read(length)
    return data if length and len(data) == length else None


class Worker:
    """One process's side: jobs in, answers out."""

    def __init__(self) -> None:
        self._states: StateCheck | None = None

    def carry_out(self, job: bytes) -> bytes:
        """Do one job; the canonical bytes of its answer."""
        kind, suite_name, given = cast("tuple[str, str, Any]", decode(job, max_bytes=MAX_JOB_BYTES))
        suite = suite_named(suite_name)
        if kind == BODIES:
            return pack(check_bodies(suite, given))
        if kind == PAGES:
            self._states = StateCheck(suite, dict(given))
            return pack(None)
        if kind != STATES or self._states is None:
            raise InvariantBroken(f"no such job: {kind!r}")
        return pack(self._states.check(given))


def main() -> None:
    """Do jobs from standard input until it ends."""
    gc.disable()  # a process of its own, and no cycles are made here
    worker = Worker()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (job := read_frame(source)) is not None:
        write_frame(sink, worker.carry_out(job))


if __name__ == "__main__":
    main()
