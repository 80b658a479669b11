"""Whether any validator signed two things that no honest one signs both, from what the others heard of it and from its
own vote log. A comparison of its own: nothing here asks the code that is tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fazhi_consensus.messages import signed_message
from fazhi_consensus.records import decode_record
from fazhi_ledger.errors import InvalidSignature
from fazhi_ledger.genesis import GenesisFile
from fazhi_node.storage.vote_frames import replay

from .recording import Said, said_in

COMMIT: Final = 3
ROUND_CHANGE: Final = 4
VERIFY_EVERY: Final = 200
"""Of the bodies so many are verified though nothing contradicts them: what is compared is what was signed."""


@dataclass(slots=True)
class Votes:
    """All that validators said, from all who heard it."""

    genesis: GenesisFile
    bodies: int = 0
    verified: int = 0
    violations: list[str] = field(default_factory=list)
    _contradicted: set[tuple[int, int, int, int]] = field(default_factory=set)
    _first: dict[tuple[int, int, int, int], tuple[str, str, str]] = field(default_factory=dict)

    def take(self, said: Said, source: str) -> None:
        """One signed body, as ``source`` has it."""
        self.bodies += 1
        if self.bodies % VERIFY_EVERY == 1 and not self._holds(said):
            self.violations.append(f"{source} has a body with a bad signature: {said.line()}")
        key = said.height, said.sender, said.round, said.phase
        known = self._first.setdefault(key, (said.content, said.signature, source))
        if known[0] == said.content or key in self._contradicted:
            return
        other = Said(said.phase, said.sender, said.height, said.round, known[0], known[1])
        if self._holds(said) and self._holds(other):
            self._contradicted.add(key)
            name = {1: "PRE-PREPARE", 2: "PREPARE", 3: "COMMIT", 4: "ROUND-CHANGE"}[said.phase]
            self.violations.append(
                f"double vote: validator {said.sender} signed two {name} at height {said.height} round {said.round}: "
                f"{known[0][:16]} ({known[2]}) and {said.content[:16]} ({source})"
            )

    def forgotten_locks(self) -> Iterator[str]:
        """ROUND-CHANGEs that claim less than what their signer had committed to in an earlier round."""
        committed: dict[tuple[int, int], list[int]] = {}
        for height, sender, round_, phase in self._first:
            if phase == COMMIT:
                committed.setdefault((height, sender), []).append(round_)
        for (height, sender, round_, phase), (content, _, source) in self._first.items():
            if phase == ROUND_CHANGE:
                prepared = -1 if content == "-" else int(content.split(":")[0])
                for lock in committed.get((height, sender), ()):
                    if prepared < lock < round_:
                        yield (
                            f"forgotten lock: validator {sender} committed at height {height} in round {lock} and "
                            f"left for round {round_} claiming {content[:16]} ({source})"
                        )

    def _holds(self, said: Said) -> bool:
        self.verified += 1
        validators = self.genesis.genesis.validator_set().validators
        try:
            suite = self.genesis.genesis.suite
            signed = said.signed()
            suite.verify(validators[said.sender].key, signed_message(self.genesis.hash(), signed), signed.signature)
        except InvalidSignature:
            return False
        return True


def heard(path: Path) -> Iterator[Said]:
    """What a node heard, of all its processes. A line that a kill cut short is left out."""
    with path.open(encoding="ascii") as file:
        for line in file:
            if line.endswith("\n") and not line.startswith("#") and line != "\n":
                try:
                    yield Said.of_line(line[:-1])
                except ValueError:
                    continue  # cut short, and the next process began the line after it


def builds(path: Path) -> set[str]:
    """Where the code of a node's processes lay."""
    return {line[2:].strip() for line in path.read_text("ascii").splitlines() if line.startswith("# ")}


@dataclass(slots=True)
class OwnLog:
    """What a node's own vote log holds, each record once however often the file is looked at."""

    path: Path
    genesis_hash: bytes
    _seen: int = 0

    def new(self) -> Iterable[Said]:
        """Bodies recorded since the last look; the node is not running.

        Raises:
            StorageError: the log cannot be read.
        """
        found: list[Said] = []
        for frame in replay(self.path.read_bytes(), str(self.path)).frames:
            if frame.sequence >= self._seen:
                self._seen = frame.sequence + 1
                for entry in decode_record(self.genesis_hash, frame.record):
                    found += said_in(entry.message)
                    for prepare in entry.prepares:
                        found += said_in(prepare)
        return found
