"""What a committed block means for the items that wait here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fazhi_contracts.chain import ExecutedBlock
from fazhi_ledger.submission import Item

from .application import Application
from .mempool import LaneKey, Mempool, lane_key
from .notices import COMMITTED, CONFLICT, INVALID, Admission

CHANGES_ADMISSION: Final = frozenset(
    {("identity", "revoke_key"), ("governance", "vote"), ("governance", "propose")}  # signed by a quorum, it has passed
)
"""Actions that may make waiting items impossible."""


def settle(mempool: Mempool, app: Application, executed: ExecutedBlock, notify: Callable[[Admission], None]) -> None:
    """Let the mempool follow the new tip, and tell what became of every submission concerned.

    What stands in the block leaves as committed; what its lanes have passed is in conflict; what certified time has
    passed has expired; what the new state forbids is invalid.
    """
    header = executed.block.header
    lanes: dict[LaneKey, Item] = {}
    committed: set[bytes] = set()
    recheck = False
    for index, (item, outcome) in enumerate(zip(executed.block.items, executed.outcomes, strict=True)):
        result = outcome.result
        lanes[lane_key(item)] = item
        recheck = recheck or (item.body.contract, item.body.action) in CHANGES_ADMISSION
        committed.add(result.submission_id)
        place = (header.height, index)
        notify(Admission(result.submission_id, COMMITTED, result.code, result.parameters, *place, checked=True))
    for lane, item in lanes.items():
        next_seq = app.lane_position(lane, item)
        for entry in mempool.advance(lane, next_seq):
            if entry.submission_id not in committed:
                parameters = (("seq", entry.seq), ("next_seq", next_seq))
                notify(Admission(entry.submission_id, CONFLICT, "seq-used", parameters, checked=True))
    for entry in mempool.expire(header.time_ms):
        limits = (("valid_until_ms", entry.item.body.valid_until_ms or 0), ("time_ms", header.time_ms))
        notify(Admission(entry.submission_id, INVALID, "expired", limits, checked=True))
    if recheck:
        app.recheck_mempool()
    follow_state(mempool, app)


def follow_state(mempool: Mempool, app: Application) -> None:
    """Bounds of the mempool that follow from the state at the tip."""
    mempool.set_max_ahead(app.parameters.get("max_lane_ahead"))
    mempool.set_members(len(app.members))
