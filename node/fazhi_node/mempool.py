"""The mempool: verified submissions that wait for a block, by lane.

It holds only items whose signatures were verified, at most a window ahead of each lane's next seq. An item is
executable when every seq before it in its lane is used or stands here before it; only executable items count as work
waiting. Half of the room is reserved in equal shares for the members, the rest is common: a member (its units
included) that floods its share can never keep another one out, and a block takes executable items from the members in
turn, so that none waits behind another's queue.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from fazhi_contracts.admission import content_bytes
from fazhi_contracts.lanes import VOID
from fazhi_ledger.errors import Parameter, invariant
from fazhi_ledger.record import member_of
from fazhi_ledger.submission import Item

from .limits import (
    MEMPOOL_BYTES,
    MEMPOOL_ITEMS,
    MEMPOOL_KEY_ITEMS,
    PROPOSAL_WORK,
    REGOSSIP_ITEMS,
    REGOSSIP_MS,
)
from .notices import BUSY, CONFLICT, PENDING, Status

LaneKey = tuple[str, bytes, bytes]
"""(org, first signing key, lane): what a sequence of submissions belongs to."""

HEAP_SLACK: Final = 1024


def lane_key(item: Item) -> LaneKey:
    """The lane that the item's seq counts in."""
    body = item.body
    return (body.org, body.signer_keys[0], body.lane)


@dataclass(slots=True, eq=False)
class Entry:
    """One item that waits or would: its decoded form, its bytes as received, and when it came (monotonic
    milliseconds)."""

    item: Item
    data: bytes
    submission_id: bytes
    since_ms: int
    lane: LaneKey = field(init=False)
    seq: int = field(init=False)
    member: str = field(init=False)
    ends_lane: bool = field(init=False)
    """Whether nothing of the same lane can follow it in one block: a ``lane.void`` uses the seqs behind its own."""
    size: int = field(init=False)
    """Bytes of content, as the chain's bounds count them."""
    gossiped: int = 0
    """How often it was sent to everyone again."""
    gossip_ms: int = field(init=False)
    """When it is due to be."""

    def __post_init__(self) -> None:
        body = self.item.body
        self.lane = lane_key(self.item)
        self.seq = body.seq
        self.member = member_of(body.org)
        self.ends_lane = (body.contract, body.action) == VOID
        self.size = content_bytes(self.item)
        self.gossip_ms = self.since_ms + REGOSSIP_MS


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an item is not admitted (or is already here: ``pending``)."""

    status: Status
    code: str
    parameters: tuple[Parameter, ...] = ()


@dataclass(slots=True)
class _Lane:
    next_seq: int
    entries: dict[int, Entry] = field(default_factory=dict)


@dataclass(slots=True)
class _Share:
    items: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Room of one mempool, and how far ahead of a lane's next seq an item may be."""

    items: int = MEMPOOL_ITEMS
    bytes: int = MEMPOOL_BYTES
    key_items: int = MEMPOOL_KEY_ITEMS
    max_ahead: int = 1024
    members: int = 4

    def reserved(self) -> _Share:
        """What each member can always place."""
        shares = 2 * max(1, self.members)
        return _Share(max(1, self.items // shares), max(1, self.bytes // shares))


class Mempool:
    """Waiting submissions of all organisations. See the module's text for the rules; nothing here verifies anything."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._reserved = bounds.reserved()
        self._by_id: dict[bytes, Entry] = {}
        self._by_data: dict[bytes, Entry] = {}
        self._lanes: dict[LaneKey, _Lane] = {}
        self._shares: dict[str, _Share] = {}
        self._key_items: dict[tuple[str, bytes], int] = {}
        self._ready: dict[str, dict[LaneKey, None]] = {}
        self._turn: deque[str] = deque()
        self._expiry: list[tuple[int, bytes]] = []
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def set_max_ahead(self, max_ahead: int) -> None:
        """The chain's bound on how far ahead of a lane's next seq items are kept."""
        if max_ahead != self.bounds.max_ahead:
            self.bounds = replace(self.bounds, max_ahead=max_ahead)

    def set_members(self, members: int) -> None:
        """How many members share the reserved half from now on. What a share holds beyond its new size stays until it
        is committed; it counts as common room."""
        if members != self.bounds.members:
            self.bounds = replace(self.bounds, members=members)
            self._reserved = self.bounds.reserved()

    @property
    def has_work(self) -> bool:
        """Whether some item could stand in the next block."""
        return bool(self._turn)

    def find(self, submission_id: bytes) -> Entry | None:
        """The waiting item of that id."""
        return self._by_id.get(submission_id)

    def find_at(self, lane: LaneKey, seq: int) -> Entry | None:
        """The waiting item at that place of a lane."""
        held = self._lanes.get(lane)
        return None if held is None else held.entries.get(seq)

    def find_data(self, data: bytes) -> Entry | None:
        """The waiting item of exactly these bytes, signatures and records included."""
        return self._by_data.get(data)

    def oldest_ms(self) -> int | None:
        """Since when the longest waiting item has been here (items keep their order of arrival)."""
        return next(iter(self._by_id.values())).since_ms if self._by_id else None

    # Admission

    def check(self, entry: Entry, next_seq: int) -> Refusal | None:
        """Why the item cannot be admitted now; None where it can. ``next_seq`` is its lane's next seq in the committed
        state.

        Signatures need not have been verified: ``conflict`` is only ever answered because of an item that was.
        """
        seq = entry.seq
        if entry.submission_id in self._by_id:
            return Refusal(PENDING, "already-pending")
        if seq < next_seq:
            return Refusal(CONFLICT, "seq-used", (("seq", seq), ("next_seq", next_seq)))
        if seq >= next_seq + self.bounds.max_ahead:
            return Refusal(
                BUSY, "seq-too-far", (("seq", seq), ("next_seq", next_seq), ("ahead", self.bounds.max_ahead))
            )
        held = self._lanes.get(entry.lane)
        if held is not None and seq in held.entries:
            return Refusal(CONFLICT, "seq-pending", (("seq", seq),))
        refusal = self._check_room(entry)
        return None if refusal is None or self._displaced_by(entry) else refusal

    def _displaced_by(self, entry: Entry) -> list[Entry]:
        """The last items of its lane, as many as make room for an earlier one; none where they do not make enough. What
        waits behind a gap would otherwise keep out what fills it, for ever."""
        lane = self._lanes.get(entry.lane)
        later = [] if lane is None else [held for seq, held in lane.entries.items() if seq > entry.seq]
        freed, displaced = _Share(), []
        for held in sorted(later, key=lambda one: -one.seq):
            displaced.append(held)
            freed.items += 1
            freed.bytes += len(held.data)
            # As many bytes as are freed may come, whatever the bounds have become since.
            if freed.bytes >= len(entry.data) or self._check_room(entry, freed) is None:
                return displaced
        return []

    def _check_room(self, entry: Entry, freed: _Share | None = None) -> Refusal | None:
        """Whether there is room, once ``freed`` of the entry's own key is gone."""
        bounds, reserved = self.bounds, self._reserved
        gone = _Share() if freed is None else freed
        if self._key_items.get(entry.lane[:2], 0) - gone.items >= bounds.key_items:
            return Refusal(BUSY, "key-full", (("limit", bounds.key_items),))
        size = len(entry.data)
        share = self._shares.get(entry.member) or _Share()
        items, used = share.items - gone.items, share.bytes - gone.bytes
        if items < reserved.items and used + size <= reserved.bytes:
            return None
        # Over its own share a member needs common room, which is half of everything.
        others = [one for one in self._shares.values() if one is not share]
        common_items = sum(max(0, one - reserved.items) for one in (items, *(one.items for one in others)))
        common_bytes = sum(max(0, one - reserved.bytes) for one in (used, *(one.bytes for one in others)))
        if common_items < bounds.items // 2 and common_bytes + size <= bounds.bytes // 2:
            return None
        return Refusal(BUSY, "mempool-full", (("items", len(self._by_id)),))

    def admit(self, entry: Entry, next_seq: int) -> list[Entry]:
        """Hold an item whose signatures were verified and for which :meth:`check` found nothing; what had to make room
        for it is answered."""
        displaced = [] if self._check_room(entry) is None else self._displaced_by(entry)
        for held in displaced:
            self.remove(held.submission_id)
        lane = self._lanes.get(entry.lane)
        if lane is None:
            lane = self._lanes[entry.lane] = _Lane(next_seq)
        marked = next_seq <= lane.next_seq and entry.seq != lane.next_seq  # what is executable stays as it was
        if next_seq > lane.next_seq:
            lane.next_seq = next_seq
        invariant(entry.seq not in lane.entries, "two items at one seq of a lane")
        lane.entries[entry.seq] = entry
        self._by_id[entry.submission_id] = entry
        self._by_data[entry.data] = entry
        key = entry.lane[:2]
        self._key_items[key] = self._key_items.get(key, 0) + 1
        share = self._shares.get(entry.member)
        if share is None:
            share = self._shares[entry.member] = _Share()
        share.items += 1
        share.bytes += len(entry.data)
        self.bytes += len(entry.data)
        valid_until_ms = entry.item.body.valid_until_ms
        if valid_until_ms is not None:
            heapq.heappush(self._expiry, (valid_until_ms, entry.submission_id))
            self._compact()
        if not marked:
            self._mark(entry.lane, lane)
        return displaced

    def _compact(self) -> None:
        """Drop what the heap still names of items long gone, before it outgrows what is here."""
        if len(self._expiry) > 2 * len(self._by_id) + HEAP_SLACK:
            self._expiry = [pair for pair in self._expiry if pair[1] in self._by_id]
            heapq.heapify(self._expiry)

    def _mark(self, key: LaneKey, lane: _Lane) -> None:
        """Keep the index of executable lanes right after any change of the lane."""
        member = member_of(key[0])
        if lane.next_seq in lane.entries:
            ready = self._ready.get(member)
            if ready is None:
                ready = self._ready[member] = {}
                self._turn.append(member)
            ready.setdefault(key)
        else:
            ready = self._ready.get(member)
            if ready is not None and key in ready:
                del ready[key]
                if not ready:
                    del self._ready[member]
                    self._turn.remove(member)

    # Leaving

    def remove(self, submission_id: bytes) -> Entry | None:
        """Forget one item; later seqs of its lane stay and wait."""
        entry = self._by_id.get(submission_id)
        if entry is not None:
            self._forget(entry.lane, [entry])
        return entry

    def advance(self, lane: LaneKey, next_seq: int) -> list[Entry]:
        """The lane's next seq in the state is now ``next_seq``: forget what it has passed, and answer that."""
        held = self._lanes.get(lane)
        if held is None or next_seq <= held.next_seq:
            return []
        held.next_seq = next_seq
        passed = [held.entries[seq] for seq in sorted(held.entries) if seq < next_seq]
        self._forget(lane, passed)
        return passed

    def _forget(self, key: LaneKey, entries: list[Entry]) -> None:
        """Forget items of one lane."""
        lane = self._lanes[key]
        for entry in entries:
            del lane.entries[entry.seq], self._by_id[entry.submission_id], self._by_data[entry.data]
        self._mark(key, lane)
        if not lane.entries:
            del self._lanes[key]
        left = self._key_items[key[:2]] - len(entries)
        if left:
            self._key_items[key[:2]] = left
        else:
            del self._key_items[key[:2]]
        size = sum(len(entry.data) for entry in entries)
        self.bytes -= size
        member = member_of(key[0])
        share = self._shares[member]
        share.items -= len(entries)
        share.bytes -= size
        if not share.items:
            del self._shares[member]

    def expire(self, time_ms: int) -> list[Entry]:
        """Forget items whose last moment lies before certified time ``time_ms``, and answer them."""
        gone: list[Entry] = []
        while self._expiry and self._expiry[0][0] < time_ms:
            entry = self.remove(heapq.heappop(self._expiry)[1])
            if entry is not None:
                gone.append(entry)
        return gone

    # Use

    def take(
        self,
        max_items: int,
        max_bytes: int,
        usable: Callable[[Entry], bool] = lambda _: True,
        max_work: int = PROPOSAL_WORK,
    ) -> list[Entry]:
        """Executable items for one block, from the organisations in turn, within the bounds. They stay here until they
        are committed.

        ``max_bytes`` counts content, without framing; ``max_work`` items and their records, which is what execution
        costs (one item is taken whatever it holds). A lane ends at its first item that is not ``usable`` or does not
        fit.
        """
        taken: list[Entry] = []
        room, work = max_bytes, max_work
        queues = {
            member: deque((key, self._lanes[key].next_seq) for key in ready) for member, ready in self._ready.items()
        }
        turn = deque(self._turn)
        if self._turn:
            self._turn.rotate(-1)
        while turn and len(taken) < max_items and work > 0:
            member = turn.popleft()
            lanes = queues[member]
            key, seq = lanes.popleft()
            entry = self._lanes[key].entries[seq]
            cost = 1 + len(entry.item.records)
            if entry.size <= room and (cost <= work or not taken) and usable(entry):
                taken.append(entry)
                room -= entry.size
                work -= cost
                if not entry.ends_lane and seq + 1 in self._lanes[key].entries:
                    lanes.append((key, seq + 1))
            if lanes:
                turn.append(member)
        return taken

    def due_for_gossip(self, now_ms: int, least_age_ms: int = REGOSSIP_MS) -> list[Entry]:
        """Items to be sent to everyone again, each after ever longer waits; at most one message's worth."""
        due: list[Entry] = []
        for entry in self._by_id.values():  # oldest first
            if entry.since_ms + least_age_ms > now_ms or len(due) == REGOSSIP_ITEMS:
                break
            if entry.gossip_ms <= now_ms:
                entry.gossiped = min(entry.gossiped + 1, 6)
                entry.gossip_ms = now_ms + (REGOSSIP_MS << entry.gossiped)
                due.append(entry)
        return due

    def entries(self) -> Iterable[Entry]:
        """All waiting items, oldest first."""
        return self._by_id.values()
