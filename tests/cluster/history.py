"""What clients saw, and whether a chain may look like that. Knows nothing of how it came about.

Times are seconds of one monotonic clock. The questions that one gateway was asked do not overlap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

REMEMBERED: Final = 64
"""Seqs of a lane: whoever has them in order has those before them."""

Place = tuple[int, int]
"""Height and index."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A client means to have this draft recorded, once."""

    draft: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A client holds the verified receipt of a submission."""

    at: float
    id: bytes
    draft: bytes
    place: Place
    lane: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class Read:
    """A gateway that had told its ``height`` was then asked about a submission: its place, or None while undecided."""

    asked: float
    gateway: str
    height: int
    id: bytes
    place: Place | None


@dataclass(frozen=True, slots=True)
class LaneRead:
    """A gateway that had told its ``height`` was then asked for a lane's next seq."""

    asked: float
    gateway: str
    height: int
    lane: bytes
    next_seq: int


Event = Submitted | Acknowledged | Read | LaneRead


@dataclass(slots=True)
class History:
    """Judges events as they come, and the chain at the end. ``violations`` are sentences."""

    violations: list[str] = field(default_factory=list)
    submitted: set[bytes] = field(default_factory=set)
    places: dict[bytes, Place] = field(default_factory=dict)
    acknowledged: dict[bytes, Acknowledged] = field(default_factory=dict)
    reads: int = 0
    _drafts: dict[bytes, bytes] = field(default_factory=dict)
    _heights: dict[str, int] = field(default_factory=dict)
    _told: dict[bytes, float] = field(default_factory=dict)
    """When anybody first was told that the submission is committed."""
    _committed_at: set[tuple[str, bytes]] = field(default_factory=set)
    _next: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _used: dict[bytes, deque[tuple[float, int, int]]] = field(default_factory=dict)
    """Of each lane the seqs that were acknowledged last: when, at which height, and which."""

    def take(self, event: Event) -> None:
        """One more event, in the order in which they ended."""
        match event:
            case Submitted(draft):
                self.submitted.add(draft)
            case Acknowledged():
                self._acknowledge(event)
            case Read():
                self._read(event)
            case LaneRead():
                self._lane(event)

    def _acknowledge(self, event: Acknowledged) -> None:
        before = self._drafts.setdefault(event.draft, event.id)
        if before != event.id:
            self._wrong(f"doubled: draft {event.draft.hex()[:16]} was acknowledged as two submissions")
        self._place(event.id, event.place, event.at, "its receipt")
        self.acknowledged[event.id] = event
        used = self._used.setdefault(event.lane, deque(maxlen=REMEMBERED))
        used.append((event.at, event.place[0], event.seq))

    def _place(self, item: bytes, place: Place, at: float, source: str) -> None:
        before = self.places.setdefault(item, place)
        self._told.setdefault(item, at)
        if before != place:
            self._wrong(f"moved: submission {item.hex()[:16]} stood at {before}, and stands at {place} for {source}")

    def _height(self, gateway: str, height: int) -> None:
        before = self._heights.get(gateway, 0)
        if height < before:
            self._wrong(f"backwards: {gateway} told height {before}, then {height}")
        self._heights[gateway] = max(before, height)

    def _read(self, event: Read) -> None:
        self.reads += 1
        self._height(event.gateway, event.height)
        known, told = self.places.get(event.id), self._told.get(event.id)
        if event.place is not None:
            self._committed_at.add((event.gateway, event.id))
            self._place(event.id, event.place, event.asked, event.gateway)
            return
        if (event.gateway, event.id) in self._committed_at:
            self._wrong(f"backwards: {event.gateway} told where {event.id.hex()[:16]} stands, then that it does not")
        elif known is not None and told is not None and told <= event.asked and known[0] <= event.height:
            self._wrong(
                f"missing: {event.gateway} at height {event.height} knows nothing of {event.id.hex()[:16]} at {known}"
            )

    def _lane(self, event: LaneRead) -> None:
        self.reads += 1
        self._height(event.gateway, event.height)
        key = event.gateway, event.lane
        before = self._next.get(key, 0)
        if event.next_seq < before:
            self._wrong(f"backwards: {event.gateway} told next seq {before} of a lane, then {event.next_seq}")
        self._next[key] = max(before, event.next_seq)
        for at, height, seq in self._used.get(event.lane, ()):
            if at <= event.asked and height <= event.height and event.next_seq <= seq:
                self._wrong(f"missing: {event.gateway} at height {event.height} has seq {seq} of a lane still to come")

    def _wrong(self, what: str) -> None:
        self.violations.append(what)

    # -- the end ------------------------------------------------------------------------------------

    @property
    def unanswered(self) -> int:
        """Drafts that were submitted and never acknowledged."""
        return len(self.submitted - self._drafts.keys())

    def compare(self, chains: Mapping[str, Sequence[Sequence[tuple[bytes, bytes]]]]) -> tuple[int, int]:
        """The chains of all nodes as they are at the end: of each block, from height 1, the items' ids and drafts.
        Counts of acknowledged submissions that are lost, and of submissions or drafts that stand twice, summed over the
        nodes."""
        lost = doubled = 0
        for node, blocks in chains.items():
            stands: dict[bytes, list[Place]] = {}
            drafts: dict[bytes, int] = {}
            for height, items in enumerate(blocks, 1):
                for index, (item, draft) in enumerate(items):
                    stands.setdefault(item, []).append((height, index))
                    drafts[draft] = drafts.get(draft, 0) + 1
            for item, place in self.places.items():
                if place not in stands.get(item, ()):
                    lost += 1
                    self._wrong(f"lost: {item.hex()[:16]} was told to stand at {place}, in {node} {stands.get(item)}")
            for item, found in stands.items():
                if len(found) > 1:
                    doubled += 1
                    self._wrong(f"doubled: in {node} {item.hex()[:16]} stands at {found}")
            for draft, times in drafts.items():
                if times > 1:
                    doubled += 1
                    self._wrong(f"doubled: in {node} draft {draft.hex()[:16]} stands {times} times")
                if draft not in self.submitted:
                    self._wrong(f"foreign: in {node} draft {draft.hex()[:16]} that nobody submitted")
        return lost, doubled
