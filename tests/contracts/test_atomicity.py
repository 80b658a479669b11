"""A refused item leaves no trace but its used seq, whatever stands around it."""

from __future__ import annotations

from dataclasses import dataclass

from fazhi_contracts.keys import lane_count_key, lane_key_of
from fazhi_ledger.submission import Item
from hypothesis import given
from hypothesis import strategies as st

from .builders import SPINE, World, make_record

SIGNERS = ["officer-1", "officer-2", "head", "reviewer", "sfj-officer", "notary", "zfj"]


@dataclass(frozen=True)
class Plan:
    """What one item is to hold: who signs, and records as (case, step), or another action."""

    signers: tuple[str, ...]
    records: tuple[tuple[int, str], ...]
    action: str

    def item(self, world: World, lane: int) -> Item:
        hand = world.by(*self.signers).in_lane(str(lane), 0)
        match self.action:
            case "register":
                return hand.register_officer("zfj", f"new-{len(self.records)}")
            case "revoke":
                return hand.revoke("officer-2")
            case "unit":
                return hand.register_org("zfj.a")
        now = world.now_ms
        return hand.records(*(make_record(world.case(str(number)), step, now) for number, step in self.records))


RECORDS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(SPINE)), min_size=1, max_size=4).map(tuple)
PLANS = st.builds(
    Plan,
    st.lists(st.sampled_from(SIGNERS), min_size=1, max_size=3, unique=True).map(tuple),
    RECORDS,
    st.sampled_from(["record"] * 7 + ["register", "revoke", "unit"]),
)


@given(st.lists(PLANS, max_size=4), st.lists(PLANS, max_size=8))
def test_refused_items_might_as_well_not_be_there(before: list[Plan], plans: list[Plan]) -> None:
    world = World()
    world.block(*(plan.item(world, number) for number, plan in enumerate(before)))
    items = [plan.item(world, 100 + number) for number, plan in enumerate(plans)]
    keys_revoked = [item for item in items if not _stands(world, item)]
    items = [item for item in items if item not in keys_revoked]
    whole = world.build(*items)
    accepted = [n for n, outcome in enumerate(whole.outcomes) if outcome.result.ok]
    part = world.build(*(items[n] for n in accepted))
    assert part.outcomes == tuple(whole.outcomes[n] for n in accepted)
    lanes = {lane_key_of(item.body) for item in items} | {lane_count_key(item.body.signer_keys[0]) for item in items}
    assert _without(whole.changes, lanes) == _without(part.changes, lanes)
    assert all(lane_key_of(item.body) in whole.changes for item in items)


def _stands(world: World, item: Item) -> bool:
    from fazhi_contracts.execution import select_items

    return select_items(world.state.view, [item], world.context()) == (item,)


def _without(changes: dict[bytes, bytes | None], keys: set[bytes]) -> dict[bytes, bytes | None]:
    return {key: value for key, value in changes.items() if key not in keys}
