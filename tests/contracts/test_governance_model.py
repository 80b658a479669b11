"""Random proposals and votes in random blocks, against a model that knows nothing of entries, overlays or encodings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fazhi_contracts.queries import key_entry, members, validator_sets
from fazhi_contracts.queries import proposal as proposal_at
from hypothesis import given, settings
from hypothesis import strategies as st

from .builders import ORGS, World, signer
from .voting import ballot, card, new_key, proposal

FOUR = list(ORGS)
NEWCOMERS = ["new-a", "new-b"]


@dataclass
class Ask:
    """One proposal as the model remembers it."""

    org: str
    kind: str
    target: str
    word: str
    votes: dict[str, bool] = field(default_factory=dict)
    closed: bool = False


class Model:
    """Seats as (organisation, word of its key); keys that were ever registered, and those that sign."""

    def __init__(self) -> None:
        self.height = 0
        self.seats = [(org, org) for org in FOUR]
        self.pending: tuple[int, list[tuple[str, str]]] | None = None
        self.ever = set(FOUR)
        self.signs = dict(self.seats)
        """The word of each member's key that signs submissions now."""
        self.asks: list[Ask] = []

    def begin(self) -> None:
        self.height += 1
        self.voters = {word for _, word in self.seats}

    def end(self) -> None:
        if self.pending is not None and self.pending[0] == self.height + 1:
            self.seats, self.pending = self.pending[1], None

    @property
    def newest(self) -> list[tuple[str, str]]:
        return self.seats if self.pending is None else self.pending[1]

    def objection(self, ask: Ask) -> str:
        """Why that change is impossible now, or nothing."""
        seated = {org for org, _ in self.newest}
        match ask.kind:
            case "validator.add":
                return "already-seated" if ask.target in seated else "key-known" if ask.word in self.ever else ""
            case "validator.remove":
                return "not-seated" if ask.target not in seated else "too-few-validators" if len(seated) <= 4 else ""
            case _:
                return "not-seated" if ask.target not in seated else "key-known" if ask.word in self.ever else ""

    def propose(self, word: str, ask: Ask) -> str:
        if word not in self.voters:
            return "no-seat"
        problem = self.objection(ask)
        if problem:
            return problem
        if sum(other.org == ask.org and not other.closed for other in self.asks) >= 8:
            return "too-many-proposals"
        self.asks.append(ask)
        return self.vote(word, ask, True)

    def vote(self, word: str, ask: Ask, yes: bool) -> str:
        if word not in self.voters:
            return "no-seat"
        if ask.closed:
            return "proposal-closed"
        seated = [seat for _, seat in self.seats]
        votes = {voter: cast for voter, cast in ask.votes.items() if voter in seated} | {word: yes}
        ayes = sum(votes.get(seat, False) for seat in seated)
        noes = sum(not votes.get(seat, True) for seat in seated)
        needed = -(-2 * len(self.seats) // 3)
        if ayes >= needed:
            problem = "change-pending" if self.pending is not None else self.objection(ask)
            if problem:
                return problem
            self.carry_out(ask)
            ask.closed = True
        elif len(self.seats) - noes < needed or (not yes and (ask.org, word) in self.seats):
            ask.closed = True
        ask.votes = votes
        return "OK"

    def carry_out(self, ask: Ask) -> None:
        match ask.kind:
            case "validator.add":
                seats = [*self.seats, (ask.target, ask.word)]
            case "validator.remove":
                seats = [seat for seat in self.seats if seat[0] != ask.target]
            case _:
                seats = [(org, ask.word if org == ask.target else word) for org, word in self.seats]
        self.pending = (self.height + 2, seats)
        if ask.kind != "validator.remove":
            self.ever.add(ask.word)


step = st.one_of(
    st.tuples(
        st.just("propose"),
        st.sampled_from([*FOUR, *NEWCOMERS]),
        st.sampled_from(["validator.add", "validator.add", "validator.remove", "validator.replace_key"]),
        st.sampled_from([*NEWCOMERS, *FOUR]),
        st.integers(0, 3),
    ),
    st.tuples(
        st.just("vote"),
        st.sampled_from([*FOUR, *NEWCOMERS]),
        st.integers(0, 5),
        st.sampled_from([True, True, True, False]),
    ),
    st.tuples(st.just("most"), st.integers(0, 3), st.sets(st.sampled_from([*FOUR, *NEWCOMERS]), max_size=2)),
)
"""A proposal; a vote on one of the last proposals; votes of all but some on one of the last."""


class Pair:
    """The chain and the model, side by side."""

    def __init__(self) -> None:
        self.world, self.model = World(), Model()
        self.ids: dict[int, bytes] = {}

    @staticmethod
    def single(steps: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """The steps, those of several members one by one."""
        for one in steps:
            if one[0] == "most":
                yield from (("vote", org, one[1], True) for org in [*FOUR, *NEWCOMERS] if org not in one[2])
            else:
                yield one

    def block(self, steps: list[tuple[Any, ...]]) -> None:
        model, world = self.model, self.world
        words = dict(model.signs)
        model.begin()
        items, expected = [], []
        for one in self.single(steps):
            org = str(one[1])
            word = words.get(org)
            if word is None:
                continue
            world.knows(word, org)
            if one[0] == "propose":
                kind, target, number = str(one[2]), str(one[3]), one[4]
                fresh = f"{target}/{number}"
                ask = Ask(org, kind, target, fresh)
                args = {
                    "validator.add": card(world, target, fresh),
                    "validator.remove": (target,),
                    "validator.replace_key": new_key(world, target, fresh),
                }[kind]
                item = proposal(world, word, kind, args)
                expected.append(model.propose(word, ask))
                if ask in model.asks and id(ask) not in self.ids:
                    self.ids[id(ask)] = item.id(world.state.suite)
            else:
                if not model.asks:
                    continue
                recent = model.asks[-1 - int(str(one[2])) % len(model.asks)]
                item = ballot(world, word, self.ids[id(recent)], bool(one[3]))
                expected.append(model.vote(word, recent, bool(one[3])))
            items.append(item)
        before = model.newest
        assert world.codes(world.block(*items)) == expected
        model.end()
        model.signs = dict(before)
        self.compare()

    def compare(self) -> None:
        current, pending = validator_sets(self.world.state.view)
        keys = [(org, signer(word).public_key) for org, word in self.model.seats]
        assert [(seat.member, seat.key) for seat in current.validators] == keys
        if self.model.pending is None:
            assert pending is None
        else:
            assert pending is not None
            first, seats = self.model.pending
            assert pending.first_height == first
            assert [seat.member for seat in pending.validators] == [org for org, _ in seats]
        assert {member.org for member in members(self.world.state.view)} == {
            org for org, _ in [*self.model.seats, *self.model.newest]
        }
        for ask in self.model.asks:
            found = proposal_at(self.world.state.view, self.ids[id(ask)])
            assert found is not None
            assert dict(found.votes) == {signer(word).public_key: yes for word, yes in ask.votes.items()}
        signing = {signer(word).public_key for _, word in self.model.newest}
        for word in self.model.ever:
            entry = key_entry(self.world.state.view, signer(word).public_key)
            assert entry is not None
            assert (entry.revoked_height is None) == (signer(word).public_key in signing), word


@settings(max_examples=40)
@given(st.lists(st.lists(step, max_size=4), min_size=6, max_size=12))
def test_votes_come_to_what_the_model_says(blocks: list[list[tuple[Any, ...]]]) -> None:
    pair = Pair()
    for steps in blocks:
        pair.block(steps)


def test_the_model_sees_changes() -> None:
    """The comparison is worth something: a run that adds, replaces and removes, step by step."""
    pair = Pair()
    everyone = [("vote", org, 0, True) for org in [*FOUR, *NEWCOMERS]]
    pair.block([("propose", "gzc", "validator.add", "new-b", 2), ("vote", "fy", 0, True)])
    for kind, target in (
        ("validator.add", "new-a"),
        ("validator.replace_key", "fy"),
        ("validator.add", "new-b"),
        ("validator.remove", "fy"),
        ("validator.remove", "sfj"),
    ):
        pair.block([("propose", "zfj", kind, target, 1), *everyone])
        pair.block([])
        pair.block([])
    pair.block([("vote", "zfj", 5, True)])
    assert list(pair.model.asks[0].votes) == ["gzc", "zfj"], "the key of fy that had voted is retired"
    assert [org for org, _ in pair.model.seats] == ["zfj", "gzc", "new-a", "new-b"]
