"""The entry of a proposal stays within what an entry may take, however many keys have voted on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fazhi_contracts.entries import MAX_ENTRY_BYTES
from fazhi_contracts.membership import MAX_CERTIFICATE_BYTES
from fazhi_contracts.proposals import MAX_OPEN, OpenProposals, Proposal
from fazhi_contracts.queries import proposal as proposal_at
from fazhi_contracts.queries import proposals
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_INT, MAX_TEXT_CHARS, MAX_VALIDATORS
from fazhi_ledger.validators import Validator, ValidatorSet

from .builders import World, signer
from .voting import ballot, card, new_key, pass_it, propose

WIDEST_KEY = 128


def seats_of(count: int, generation: int = 0) -> ValidatorSet:
    keys = (f"{generation}/{number}".encode().ljust(WIDEST_KEY, b"k") for number in range(count))
    return ValidatorSet(0, 0, tuple(Validator(f"m{number}", key) for number, key in enumerate(keys)))


def largest() -> Proposal:
    """A proposal to add a member, every part of its args at its bound."""
    world = World()
    wide = "汉" * MAX_TEXT_CHARS
    args = card(world, "new", certificate=bytes(MAX_CERTIFICATE_BYTES), name_zh=wide, name_en=wide)
    return Proposal("a" * 31, "validator.replace_key", args, MAX_INT, MAX_INT, outcome=("withdrawn", MAX_INT))


def test_the_votes_of_all_seats_fit_into_the_largest_entry() -> None:
    seats = seats_of(MAX_VALIDATORS)
    found = largest().with_votes([seat.key for seat in seats.validators], True, seats)
    assert len(found.votes) == MAX_VALIDATORS
    assert len(found.encode()) < MAX_ENTRY_BYTES
    assert Proposal.decode(found.encode()) == found
    beyond = replace(found, votes=(*found.votes, (b"z" * WIDEST_KEY, True)))
    with pytest.raises(EncodingError):
        Proposal.decode(beyond.encode())


def test_retired_keys_do_not_make_an_entry_that_cannot_be_read() -> None:
    """Before, some 1,400 keys replaced while one proposal was open passed the bound of an entry: a state that no node
    could read any more."""
    found = largest()
    for generation in range(20):
        seats = seats_of(MAX_VALIDATORS, generation)
        for seat in seats.validators:
            found = found.with_votes([seat.key], True, seats)
    assert len(found.votes) == MAX_VALIDATORS
    assert Proposal.decode(found.encode()) == found


def test_votes_of_keys_without_a_seat_are_dropped_with_the_next_vote() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "parameters.set", (("heartbeat_ms", 5000),))
    keys = {signer("sfj").public_key: True}
    assert dict(_votes(world, proposal_id)) == keys
    for number in range(3):
        word = "zfj" if number == 0 else f"zfj-{number}"
        world.do(ballot(world, word, proposal_id, yes=False))
        assert dict(_votes(world, proposal_id)) == keys | {signer(word).public_key: False}, "one vote of each seat"
        world.knows(f"zfj-{number + 1}", "zfj")
        pass_it(world, "validator.replace_key", new_key(world, "zfj", f"zfj-{number + 1}"), ("sfj", "gzc", "fy"))
        world.block()
    assert len(_votes(world, proposal_id)) == 2, "the retired key's vote stands until the next one comes"
    world.do(ballot(world, "gzc", proposal_id))
    assert dict(_votes(world, proposal_id)) == keys | {signer("gzc").public_key: True}


def _votes(world: World, proposal_id: bytes) -> tuple[tuple[bytes, bool], ...]:
    found = proposal_at(world.state.view, proposal_id)
    assert found is not None
    return found.votes


def test_the_list_of_open_proposals_keeps_its_order_and_its_bound() -> None:
    world = World()
    first = propose(world, "sfj", "parameters.set", (("heartbeat_ms", 5000),))
    expiring = propose(world, "zfj", "parameters.set", (("heartbeat_ms", 6000),), until=3)
    third = propose(world, "gzc", "parameters.set", (("heartbeat_ms", 7000),))
    world.do(ballot(world, "fy", first))
    assert _listed(world) == (first, expiring, third), "a vote leaves the list as it is"
    world.do(ballot(world, "sfj", third, yes=False))
    world.do(ballot(world, "zfj", third, yes=False))
    assert _listed(world) == (first, expiring), "what is decided leaves it at once"
    assert [known for known, _ in proposals(world.state.view, world.state.height + 1)] == [first]
    last = propose(world, "gzc", "parameters.set", (("heartbeat_ms", 8000),))
    assert _listed(world) == (first, last), "what has expired leaves it with the next proposal"
    assert len(OpenProposals((bytes(32),) * MAX_OPEN).encode()) < MAX_ENTRY_BYTES
    with pytest.raises(EncodingError):
        OpenProposals.decode(OpenProposals((bytes(32),) * (MAX_OPEN + 1)).encode())


def _listed(world: World) -> tuple[bytes, ...]:
    data = world.state.view.get(bytes.fromhex("91a970726f706f73616c73"))
    assert data is not None
    return OpenProposals.decode(data).ids
