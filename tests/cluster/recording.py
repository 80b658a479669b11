"""A production node that notes every vote it hears: ``python -m tests.cluster.recording HEARD MISTAKE run --home …``.

What is noted is what came in from the peers, before the node judged it: a line for each signed body, also for those
inside a PRE-PREPARE or a ROUND-CHANGE. A line is one write, and what was written outlives the process. ``MISTAKE`` is
``-``, or a known mistake that is put into this node, to show that the campaigns find it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fazhi_consensus.messages import Claim, Commit, Message, Prepare, PrePrepare, RoundChange, Signed


@dataclass(frozen=True, slots=True)
class Said:
    """One signed body as it was heard or kept. ``content`` is the block's hash, or what a ROUND-CHANGE claims to have
    prepared (``round:hash``, or ``-``); all in text."""

    phase: int
    sender: int
    height: int
    round: int
    content: str
    signature: str

    def line(self) -> str:
        """The six fields, parted by spaces."""
        return f"{self.phase} {self.sender} {self.height} {self.round} {self.content} {self.signature}"

    @classmethod
    def of_line(cls, line: str) -> Said:
        """The body of a line; ValueError where it is none."""
        phase, sender, height, round_, content, signature = line.split(" ")
        return cls(int(phase), int(sender), int(height), int(round_), content, signature)

    def signed(self) -> Signed:
        """As the consensus core has it, to verify the signature."""
        signature = bytes.fromhex(self.signature)
        if self.phase == RoundChange.phase:
            if self.content == "-":
                return RoundChange(self.sender, self.height, self.round, None, None, signature)
            prepared, block = self.content.split(":")
            return RoundChange(self.sender, self.height, self.round, int(prepared), bytes.fromhex(block), signature)
        kind = {one.phase: one for one in (Claim, Prepare, Commit)}
        return next(
            made(self.sender, self.height, self.round, bytes.fromhex(self.content), signature)
            for phase, made in kind.items()
            if phase == self.phase
        )


def said_in(message: Message) -> Iterator[Said]:
    """Every signed body of a message."""
    match message:
        case PrePrepare(claim, _, justification):
            yield _said(claim, claim.block_hash.hex())
            for change in justification:
                yield from said_in(change)
        case Prepare() | Commit():
            yield _said(message, message.block_hash.hex())
        case RoundChange():
            prepared = message.prepared
            yield _said(message, "-" if prepared is None else f"{prepared[0]}:{prepared[1].hex()}")
            for prepare in message.prepares:
                yield from said_in(prepare)


def _said(signed: Signed, content: str) -> Said:
    return Said(signed.phase.value, signed.sender, signed.height, signed.round, content, signed.signature.hex())


def _record(path: str) -> None:
    import fazhi_node

    driver: Any = importlib.import_module("fazhi_node.driver")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    # The line of a process that was killed may have no end.
    os.write(file, f"\n# {os.path.dirname(fazhi_node.__file__ or '')}\n".encode())
    decode: Callable[[bytes, int], Message] = driver.decode_message

    def recorded(data: bytes, validator_count: int) -> Message:
        message = decode(data, validator_count)
        text = "".join(f"{said.line()}\n" for said in said_in(message))
        if text:
            os.write(file, text.encode())
        return message

    driver.decode_message = recorded


def _forget_votes() -> None:
    from fazhi_consensus.own_votes import OwnVotes
    from fazhi_node.storage.vote_log import DiskVoteLog

    def records(self: DiskVoteLog) -> tuple[tuple[int, bytes], ...]:
        return ()

    def knows(self: OwnVotes, signed: Signed) -> bool:
        return True

    DiskVoteLog.records = records  # type: ignore[method-assign]
    OwnVotes.knows = knows  # type: ignore[method-assign]


def _half_is_a_quorum() -> None:
    from fazhi_ledger.validators import ValidatorSet

    def quorum(self: ValidatorSet) -> int:
        return len(self.validators) // 2

    ValidatorSet.quorum = property(quorum)  # type: ignore[assignment,method-assign]


def _index_lags() -> None:
    from fazhi_node.queries import ChainReader

    committed: Callable[[Any, bytes], Any] = ChainReader.committed

    def late(self: ChainReader, submission_id: bytes) -> Any:
        found = committed(self, submission_id)
        return None if found is not None and found.height == self.height else found

    ChainReader.committed = late  # type: ignore[method-assign]


MISTAKES: Final[dict[str, Callable[[], None]]] = {
    "forget-votes": _forget_votes,
    "half-is-a-quorum": _half_is_a_quorum,
    "index-lags": _index_lags,
}
"""Known mistakes, by name: a restart forgets what was signed, and does not mind when others know it; two of four
decide; a gateway tells of a block before it can find what stands in it."""


def main() -> int:
    """Run the node."""
    path, mistake, *arguments = sys.argv[1:]
    _record(path)
    if mistake != "-":
        MISTAKES[mistake]()
    from fazhi_node.main import main as node

    return node(arguments)


if __name__ == "__main__":
    sys.exit(main())
