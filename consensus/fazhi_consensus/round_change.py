"""The rules of QBFT's round change as pure functions (arXiv 2002.03613, Algorithms 3 and 4), and the book of
ROUND-CHANGEs.

Whoever proposes above round 0 must show q ROUND-CHANGEs for that round; the block follows from them and every receiver
computes it again: the prepared block of the highest prepared round among them, or a free choice where none has
prepared. Each ROUND-CHANGE must prove its own claim by q PREPAREs (sigp/anchor#106 left proofs out; go-ibft#52 took the
wrong prepared block).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .messages import RoundChange

Prepared = tuple[int, bytes]
"""(round, block hash) that q PREPAREs stand for."""


def choice(round_changes: Iterable[RoundChange]) -> Prepared | None:
    """HighestPrepared (Algorithm 4): what must be proposed again, or None where the proposer is free.

    With at most f faulty validators one round has one prepared block; were there two, the order of hashes decides, for
    all alike.
    """
    return max((rc.prepared for rc in round_changes if rc.prepared is not None), default=None)


def round_to_join(rounds: Iterable[int], current: int, faulty: int) -> int | None:
    """The lowest of the f+1 highest rounds above ``current``, or None where fewer than f+1 validators are above it.

    ``rounds`` holds one round, the highest, for each validator. At least one of f+1 is honest, so the faulty can drag
    nobody higher than an honest validator already is (Algorithm 3, r_min of F_rc; besu#1822).
    """
    higher = sorted((round_ for round_ in rounds if round_ > current), reverse=True)
    return higher[faulty] if len(higher) > faulty else None


def justification(
    candidates: Sequence[RoundChange], quorum: int, has_block: Callable[[bytes], bool]
) -> tuple[RoundChange, ...] | None:
    """The ``quorum`` ROUND-CHANGEs, all of one round, to propose with; None while there are too few.

    One that is prepared on a block we do not hold cannot be used yet: the block is fetched, never replaced. Any q of
    them are safe; the highest prepared rounds are preferred since most validators hold those blocks.
    """
    usable = [rc for rc in candidates if rc.prepared_hash is None or has_block(rc.prepared_hash)]
    if len(usable) < quorum:
        return None
    usable.sort(key=lambda rc: (-1 if rc.prepared_round is None else rc.prepared_round, -rc.sender), reverse=True)
    return tuple(sorted(usable[:quorum], key=lambda rc: rc.sender))


def missing_blocks(
    changes: Iterable[RoundChange], has_block: Callable[[bytes], bool]
) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    """The blocks that keep ROUND-CHANGEs from being used, each with those who must have it: its sender, and the q that
    prepared it.
    """
    holders: dict[bytes, tuple[int, ...]] = {}
    for change in changes:
        if change.prepared_hash is not None and not has_block(change.prepared_hash):
            holders[change.prepared_hash] = tuple(
                sorted({change.sender, *(prepare.sender for prepare in change.prepares)})
            )
    return tuple(holders.items())


class RoundChangeBook:
    """Each validator's ROUND-CHANGE of the highest round, and only that: bounded whatever rounds are claimed
    (GHSA-23rh-rrqg-wq82).

    Rounds themselves are not capped (design §6): a cap that is reached stops the chain for ever.
    """

    __slots__ = ("_highest",)

    def __init__(self) -> None:
        self._highest: dict[int, RoundChange] = {}

    def add(self, change: RoundChange) -> RoundChange | None:
        """Keep ``change`` (without its block) if it is its sender's highest; what was kept before is returned."""
        before = self._highest.get(change.sender)
        if before is None or change.new_round > before.new_round:
            self._highest[change.sender] = change.without_payload()
        return before

    def of(self, sender: int) -> RoundChange | None:
        """The highest ROUND-CHANGE of a validator."""
        return self._highest.get(sender)

    def rounds(self) -> tuple[int, ...]:
        """The highest round of each validator that left round 0."""
        return tuple(change.new_round for change in self._highest.values())

    def count_from(self, round_: int) -> int:
        """How many validators asked for ``round_`` or a later one."""
        return sum(1 for change in self._highest.values() if change.new_round >= round_)

    def at(self, round_: int) -> tuple[RoundChange, ...]:
        """The ROUND-CHANGEs for exactly ``round_``, in order of validators."""
        return tuple(
            self._highest[sender] for sender in sorted(self._highest) if self._highest[sender].new_round == round_
        )

    def prepared_hashes(self) -> tuple[bytes, ...]:
        """Blocks that kept ROUND-CHANGEs are prepared on."""
        return tuple(change.prepared_hash for change in self._highest.values() if change.prepared_hash is not None)
