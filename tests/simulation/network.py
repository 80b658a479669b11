"""The simulated network: directed links that lose, delay, reorder, duplicate and go dark, from one seeded source."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

PERFECT_MS = (1, 12)


@dataclass
class Network:
    """What becomes of a frame from one node to another: the delays of its copies, none where it is lost."""

    rng: random.Random
    count: int
    loss_percent: int = 0
    duplicate_percent: int = 0
    delay_ms: tuple[int, int] = PERFECT_MS
    group_of: list[int] = field(default_factory=list)
    dark: set[tuple[int, int]] = field(default_factory=set)
    ambush: tuple[int, int] | None = None
    """(kind, node): frames of that kind reach that node only, so that it alone prepares, or decides."""
    dropped: int = 0
    duplicated: int = 0

    def __post_init__(self) -> None:
        self.group_of = [0] * self.count

    def partition(self) -> None:
        """Split the nodes into two groups, often into halves, or leave one alone."""
        halves = self.rng.random() < 0.6
        size = self.count // 2 if halves else self.rng.randrange(1, self.count)
        alone = self.rng.sample(range(self.count), size)
        self.group_of = [1 if index in alone else 0 for index in range(self.count)]

    def isolate(self, node: int) -> None:
        """Cut one node off."""
        self.group_of = [1 if index == node else 0 for index in range(self.count)]

    def mend(self) -> None:
        """One network again; one-way links stay."""
        self.group_of = [0] * self.count

    def darken(self) -> None:
        """Let one directed link go dark."""
        sender, receiver = self.rng.sample(range(self.count), 2)
        self.dark.add((sender, receiver))

    def heal(self) -> None:
        """Every frame arrives, soon and once."""
        self.mend()
        self.dark.clear()
        self.ambush = None
        self.loss_percent = self.duplicate_percent = 0
        self.delay_ms = PERFECT_MS

    def delays(self, sender: int, receiver: int, kind: int = 0) -> Iterator[int]:
        """The delay in ms of each copy that arrives. Different delays are what reorders."""
        cut = self.group_of[sender] != self.group_of[receiver] or (sender, receiver) in self.dark
        if self.ambush is not None and kind == self.ambush[0] and receiver != self.ambush[1]:
            cut = True
        if cut or self.rng.randrange(100) < self.loss_percent:
            self.dropped += 1
            return
        yield self.rng.randint(*self.delay_ms)
        if self.rng.randrange(100) < self.duplicate_percent:
            self.duplicated += 1
            yield self.rng.randint(*self.delay_ms) * self.rng.randint(1, 20)
