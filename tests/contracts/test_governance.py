"""Membership and parameters that change by vote: thresholds, the two heights, keys that serve once, refusals."""

from __future__ import annotations

import pytest
from fazhi_contracts.chain import build_block
from fazhi_contracts.errors import StateCorrupt
from fazhi_contracts.membership import seat_roles
from fazhi_contracts.queries import (
    epoch_set,
    key_entry,
    member_entry,
    members,
    org_entry,
    parameters,
    proposals,
    rules_hash,
    validator_sets,
)
from fazhi_contracts.queries import proposal as proposal_at
from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import InvalidBlock
from fazhi_ledger.genesis import prove_possession

from .builders import SUITE, World, signer
from .voting import FAR, ballot, card, new_key, orgs, pass_it, proposal, propose

FOUR = ["sfj", "zfj", "gzc", "fy"]


def outcome(world: World, item_of: object) -> dict[str, object]:
    executed = world.block(item_of)  # type: ignore[arg-type]
    result = executed.outcomes[0].result
    return {"code": result.code, **dict(result.parameters)}


def five() -> World:
    """A chain of five members, the fifth voted in and seated."""
    world = World()
    world.knows("new", "new")
    pass_it(world, "validator.add", card(world, "new"))
    world.block()
    return world


# The way of a vote


def test_two_votes_beside_the_proposers_own_pass_at_four() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "validator.add", card(world, "new"))
    assert outcome(world, ballot(world, "zfj", proposal_id)) == {
        "code": "OK", "proposal": proposal_id.hex(), "kind": "validator.add",
        "yes": 2, "no": 0, "quorum": 3, "outcome": "open",
    }  # fmt: skip
    assert validator_sets(world.state.view)[1] is None
    assert outcome(world, ballot(world, "fy", proposal_id))["outcome"] == "passed"
    assert orgs(validator_sets(world.state.view)[1]) == [*FOUR, "new"]


def test_a_member_counts_once_however_often_it_votes() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "validator.add", card(world, "new"))
    for _ in range(4):
        assert outcome(world, ballot(world, "sfj", proposal_id))["yes"] == 1
    assert outcome(world, ballot(world, "zfj", proposal_id))["outcome"] == "open"


def test_a_later_vote_stands_for_an_earlier_one() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "validator.add", card(world, "new"))
    assert outcome(world, ballot(world, "zfj", proposal_id, yes=False))["no"] == 1
    assert (outcome(world, ballot(world, "zfj", proposal_id)))["yes"] == 2
    assert outcome(world, ballot(world, "zfj", proposal_id, yes=False))["yes"] == 1


def test_who_cosigns_votes_too() -> None:
    world = World()
    item = world.by("sfj", "zfj", "gzc").act("governance", "propose", ("validator.add", card(world, "new"), FAR))
    assert outcome(world, item)["outcome"] == "passed"


def test_it_is_rejected_once_it_cannot_pass() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "validator.add", card(world, "new"))
    assert outcome(world, ballot(world, "zfj", proposal_id, yes=False))["outcome"] == "open"
    assert outcome(world, ballot(world, "gzc", proposal_id, yes=False))["outcome"] == "rejected"
    assert world.refused(ballot(world, "fy", proposal_id))[0] == "proposal-closed"
    assert proposals(world.state.view, world.state.height + 1) == ()


def test_its_member_withdraws_it() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "validator.add", card(world, "new"))
    assert outcome(world, ballot(world, "sfj", proposal_id, yes=False))["outcome"] == "withdrawn"
    closed = proposal_at(world.state.view, proposal_id)
    assert closed is not None
    assert closed.outcome == ("withdrawn", 2)


def test_it_expires_behind_its_height() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "validator.add", card(world, "new"), until=3)
    world.do(ballot(world, "zfj", proposal_id))
    world.block()
    code, shown = world.refused(ballot(world, "gzc", proposal_id))
    assert (code, shown) == ("proposal-expired", {"until_height": 3})
    again = propose(world, "sfj", "validator.add", card(world, "new"))
    assert [known for known, _ in proposals(world.state.view, 9)] == [again], "the expired one left the list"


def test_the_last_vote_may_come_at_the_very_height() -> None:
    world = World()
    proposal_id = propose(world, "sfj", "validator.add", card(world, "new"), until=3)
    world.do(ballot(world, "zfj", proposal_id))
    assert outcome(world, ballot(world, "gzc", proposal_id))["outcome"] == "passed"


@pytest.mark.parametrize("by", ["officer-1", "notary"])
def test_officers_have_no_vote(by: str) -> None:
    world = World()
    proposal_id = propose(world, "sfj", "parameters.set", (("heartbeat_ms", 5000),))
    assert world.refused(ballot(world, by, proposal_id))[0] == "member-key-needed"
    assert world.refused(proposal(world, by, "validator.remove", ("fy",)))[0] == "member-key-needed"


def test_a_member_votes_once_it_is_seated() -> None:
    world = _before_its_seat()
    ((proposal_id, _),) = proposals(world.state.view, world.state.height + 1)
    assert world.refused(ballot(world, "new", proposal_id)) == ("no-seat", {"org": "new"})
    assert outcome(world, ballot(world, "new", proposal_id))["yes"] == 2


def _before_its_seat() -> World:
    """A chain whose next block the old set still certifies, with the new member's key registered."""
    world = World()
    world.knows("new", "new")
    first = proposal(world, "sfj", "parameters.set", (("heartbeat_ms", 5000),))
    second = world.by("sfj", "zfj", "gzc").act("governance", "propose", ("validator.add", card(world, "new"), FAR))
    assert world.codes(world.block(first, second)) == ["OK", "OK"]
    return world


@pytest.mark.parametrize(
    "args",
    [
        None,
        (),
        ("validator.add",),
        ("Validator.add", (), FAR),
        ("validator.add", (), -1),
        ("validator.add", (), FAR),
        ("validator.add", ((), b""), FAR),
        ("validator.remove", (), FAR),
        ("validator.remove", (7,), FAR),
        ("validator.replace_key", ("zfj",), FAR),
        ("member.update", ("zfj", b"der", "no address", "https://zfj.example"), FAR),
        ("member.update", ("zfj", b"der", "unix:/tmp/x:1", "https://zfj.example"), FAR),
        ("member.update", ("zfj", b"der", "zfj.example:7440", "javascript:alert(1)"), FAR),
        ("member.update", ("zfj", b"x" * 8193, "zfj.example:7440", "https://zfj.example"), FAR),
        ("parameters.set", (), FAR),
        ("parameters.set", (("no_such", 1),), FAR),
        ("parameters.set", (("heartbeat_ms", 1),), FAR),
        ("parameters.set", (("max_block_items", 5), ("heartbeat_ms", 5000)), FAR),
        ("parameters.set", (("heartbeat_ms", 5000), ("heartbeat_ms", 5000)), FAR),
        ("parameters.set", (("heartbeat_ms", True),), FAR),
    ],
)
def test_malformed_proposals(args: Value) -> None:
    world = World()
    assert world.refused(world.by("sfj").act("governance", "propose", args))[0] == "bad-args"


def test_until_a_past_height_is_malformed() -> None:
    world = World()
    world.block()
    assert world.refused(proposal(world, "sfj", "validator.remove", ("fy",), until=1))[0] == "bad-args"


@pytest.mark.parametrize("args", [None, (b"",), (bytes(32), 1), (bytes(31), True)])
def test_malformed_votes(args: Value) -> None:
    world = World()
    assert world.refused(world.by("sfj").act("governance", "vote", args))[0] == "bad-args"


def test_what_is_not_there() -> None:
    world = World()
    assert world.refused(ballot(world, "sfj", bytes(32)))[0] == "no-such-proposal"
    assert world.refused(proposal(world, "sfj", "coffee.make", ()))[0] == "unknown-kind"


def test_open_proposals_are_bounded_per_member() -> None:
    world = World()
    for beat in range(8):
        propose(world, "sfj", "parameters.set", (("heartbeat_ms", 5000 + beat),))
    assert world.refused(proposal(world, "sfj", "parameters.set", (("heartbeat_ms", 6000),)))[0] == "too-many-proposals"
    propose(world, "zfj", "parameters.set", (("heartbeat_ms", 6000),))
    (first, _), *_ = proposals(world.state.view, world.state.height + 1)
    world.do(ballot(world, "sfj", first, yes=False))
    propose(world, "sfj", "parameters.set", (("heartbeat_ms", 6000),))


# Two heights


def test_the_old_set_certifies_the_hand_over_and_the_new_one_what_follows() -> None:
    world = World()
    before = validator_sets(world.state.view)[0]
    voted = pass_it(world, "validator.add", card(world, "new")).block.header
    assert voted.next_validators_hash == voted.validators_hash == before.hash(SUITE)
    after = epoch_set(world.state.view, 1)
    assert after is not None
    assert (after.epoch, after.first_height) == (1, voted.height + 2)
    handover = world.block().block.header
    assert (handover.validators_hash, handover.next_validators_hash) == (before.hash(SUITE), after.hash(SUITE))
    following = world.build(proposer="new").block.header
    assert following.validators_hash == following.next_validators_hash == after.hash(SUITE)


def test_who_has_no_seat_yet_proposes_no_block() -> None:
    world = World()
    pass_it(world, "validator.add", card(world, "new"))
    with pytest.raises(InvalidBlock, match="proposer"):
        world.build(proposer="new")
    world.block()
    world.build(proposer="new")


def test_one_change_at_a_time() -> None:
    world = five()
    first = propose(world, "sfj", "validator.remove", ("fy",))
    second = propose(world, "zfj", "validator.remove", ("gzc",))
    for voter in ("zfj", "gzc"):
        world.do(ballot(world, voter, first))
    for voter in ("sfj", "new"):
        world.do(ballot(world, voter, second))
    executed = world.block(ballot(world, "new", first), ballot(world, "fy", second))
    assert world.codes(executed) == ["OK", "change-pending"], "in the same block"
    assert world.refused(ballot(world, "gzc", second)) == ("change-pending", {"first_height": world.state.height + 1})
    assert world.state.validators()[0].epoch == 2
    # fy is gone, and its refused vote was not kept: three of four are needed and there.
    code, shown = world.refused(ballot(world, "gzc", second))
    assert (code, shown["validators"]) == ("too-few-validators", 4)


def test_other_changes_pass_while_seats_are_changing() -> None:
    world = World()
    pass_it(world, "validator.add", card(world, "new"))
    item = world.by("sfj", "zfj", "gzc").act(
        "governance", "propose", ("parameters.set", (("heartbeat_ms", 5000),), FAR)
    )
    assert outcome(world, item)["outcome"] == "passed"


def test_a_change_that_has_become_impossible_does_not_pass() -> None:
    world = World()
    args = card(world, "new")
    late = propose(world, "sfj", "validator.add", args)
    world.do(ballot(world, "zfj", late))
    pass_it(world, "validator.add", args)
    world.block()
    world.do(ballot(world, "gzc", late))
    assert world.refused(ballot(world, "fy", late))[0] == "already-seated"


# Adding


def test_an_added_member_is_one_like_the_others() -> None:
    world = five()
    entry, key = org_entry(world.state.view, "new"), key_entry(world.state.view, signer("new").public_key)
    assert entry is not None
    assert (entry.name_zh, entry.roles, entry.parent) == ("新成员", ("bureau",), None)
    assert key is not None
    assert (key.org, key.roles) == ("new", ("member",))
    assert [member.org for member in members(world.state.view)] == [*FOUR, "new"]
    world.do(world.by("new").register_officer("new", "new-officer"))
    proposal_id = propose(world, "new", "parameters.set", (("heartbeat_ms", 5000),))
    assert outcome(world, ballot(world, "zfj", proposal_id))["quorum"] == 4


def test_its_key_signs_submissions_from_the_next_block_on() -> None:
    world = _before_its_seat()
    world.do(world.by("new").register_officer("new", "new-officer"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"org": "zfj.unit"}, "seat-for-unit"),
        ({"org": "gzc"}, "already-seated"),
        ({"roles": ("member",)}, "reserved-role"),
        ({"name_zh": ""}, "bad-args"),
        ({"tls_fingerprint": bytes(32)}, "wrong-fingerprint"),
        ({"key": signer("officer-1").public_key}, "key-known"),
        ({"key": signer("gzc").public_key}, "key-known"),
        ({"key": (1).to_bytes(32, "little")}, "weak-key"),
        ({"key": signer("other").public_key}, "possession-not-proven"),
        ({"roles": ("notary",)}, "possession-not-proven"),
        ({"p2p_address": "nowhere"}, "bad-args"),
        ({"gateway_url": "ftp://new.example"}, "bad-args"),
        ({"certificate": b"certificate of gzc"}, "certificate-known"),
    ],
)
def test_cards_that_do_not_hold(changes: dict[str, object], code: str) -> None:
    world = World()
    assert world.refused(proposal(world, "sfj", "validator.add", card(world, "new", **changes)))[0] == code


def test_a_proof_names_chain_and_seat() -> None:
    """Neither a genesis card nor an officer's registration can be read as asking for a seat of this chain."""
    world, roles = World(), ("bureau",)
    for genesis_hash, proven in ((None, seat_roles(roles)), (bytes(32), seat_roles(roles)), (0, roles)):
        chain = world.state.genesis_hash if genesis_hash == 0 else genesis_hash
        proof = prove_possession(signer("new"), chain, "new", proven)  # type: ignore[arg-type]
        args = card(world, "new", possession=proof)
        assert world.refused(proposal(world, "sfj", "validator.add", args))[0] == "possession-not-proven"


# Removing


def remove_fy(world: World) -> int:
    """Vote fy out of a chain of five; the height of the vote."""
    return pass_it(world, "validator.remove", ("fy",), ("sfj", "zfj", "gzc", "new")).block.header.height


def test_a_removed_member_certifies_the_hand_over_and_nothing_more() -> None:
    world = five()
    remove_fy(world)
    assert orgs(world.state.validators()[0]) == [*FOUR, "new"]
    assert [member.org for member in members(world.state.view)] == ["sfj", "zfj", "gzc", "new", "fy"]
    world.block(proposer="fy")
    assert orgs(world.state.validators()[0]) == ["sfj", "zfj", "gzc", "new"]
    assert [member.org for member in members(world.state.view)] == ["sfj", "zfj", "gzc", "new"]
    with pytest.raises(InvalidBlock, match="proposer"):
        world.build(proposer="fy")


def test_the_keys_of_a_removed_member_sign_nothing_more() -> None:
    world = five()
    world.knows("clerk", "fy")
    world.do(world.by("fy").register_officer("fy", "clerk"))
    height = remove_fy(world)
    for word in ("fy", "clerk"):
        with pytest.raises(InvalidBlock) as found:
            world.build(world.by(word).act("points", "note", None))
        assert found.value.code == "revoked-key"
        assert ("revoked_height", height) in found.value.parameters
        entry = key_entry(world.state.view, signer(word).public_key)
        assert entry is not None
        assert entry.revoked_height == height


def test_in_the_block_of_the_vote_they_still_sign() -> None:
    world = five()
    world.knows("clerk", "fy")
    proposal_id = propose(world, "sfj", "validator.remove", ("fy",))
    for voter in ("zfj", "gzc"):
        world.do(ballot(world, voter, proposal_id))
    executed = world.block(ballot(world, "new", proposal_id), world.by("fy").register_officer("fy", "clerk"))
    assert world.codes(executed) == ["OK", "OK"]
    with pytest.raises(InvalidBlock, match="revoked-key"):
        world.build(world.by("clerk").act("points", "note", None))


def test_a_chain_of_four_loses_nobody() -> None:
    world = World()
    code, shown = world.refused(proposal(world, "sfj", "validator.remove", ("fy",)))
    assert (code, shown) == ("too-few-validators", {"validators": 4, "least": 4})


def test_who_comes_back_comes_with_a_new_key_and_without_its_officers() -> None:
    world = five()
    world.knows("clerk", "fy")
    world.knows("fy-again", "fy")
    world.do(world.by("fy").register_officer("fy", "clerk"))
    remove_fy(world)
    world.block()
    assert world.refused(proposal(world, "sfj", "validator.add", card(world, "fy")))[0] == "key-known"
    pass_it(world, "validator.add", card(world, "fy", "fy-again"))
    world.block()
    world.do(world.by("fy-again").register_officer("fy", "clerk-again"))
    for word in ("clerk", "fy"):
        with pytest.raises(InvalidBlock, match="revoked-key"):
            world.build(world.by(word).act("points", "note", None))


def test_a_vote_of_a_retired_key_counts_no_more() -> None:
    world = five()
    proposal_id = propose(world, "fy", "parameters.set", (("heartbeat_ms", 5000),))
    world.do(ballot(world, "sfj", proposal_id))
    remove_fy(world)
    world.block()
    shown = outcome(world, ballot(world, "zfj", proposal_id))
    assert (shown["yes"], shown["quorum"], shown["outcome"]) == (2, 3, "open")


# Another key


def test_a_key_is_replaced_in_its_place() -> None:
    world = World()
    world.knows("gzc-2", "gzc")
    height = pass_it(world, "validator.replace_key", new_key(world, "gzc", "gzc-2"), ("sfj", "zfj", "fy")).block.header
    old, pending = validator_sets(world.state.view)
    assert pending is not None
    assert orgs(pending) == orgs(old) == FOUR
    assert pending.validators[2].key == signer("gzc-2").public_key
    assert pending.first_height == height.height + 2
    with pytest.raises(InvalidBlock, match="revoked-key"):
        world.build(world.by("gzc").register_officer("gzc", "late"))
    world.do(world.by("gzc-2").register_officer("gzc", "in-time"))
    world.do(proposal(world, "gzc-2", "parameters.set", (("heartbeat_ms", 5000),)))


def test_a_key_serves_once_ever() -> None:
    world = World()
    world.knows("gzc-2", "gzc")
    pass_it(world, "validator.replace_key", new_key(world, "gzc", "gzc-2"), ("sfj", "zfj", "fy"))
    world.block()
    for word in ("gzc", "gzc-2", "zfj", "notary"):
        back = proposal(world, "zfj", "validator.replace_key", new_key(world, "gzc", word))
        assert world.refused(back)[0] == "key-known"
    assert world.refused(world.by("zfj").register_officer("zfj", "gzc"))[0] == "key-known"


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (lambda world: new_key(world, "nobody", "k"), "not-seated"),
        (lambda world: ("gzc", signer("k").public_key, new_key(world, "zfj", "k")[2]), "possession-not-proven"),
        (lambda world: ("gzc", signer("j").public_key, new_key(world, "gzc", "k")[2]), "possession-not-proven"),
    ],
)
def test_replacements_that_do_not_hold(args: object, code: str) -> None:
    world = World()
    value = args(world)  # type: ignore[operator]
    assert world.refused(proposal(world, "sfj", "validator.replace_key", value))[0] == code


# Addresses, certificates, parameters


def test_a_certificate_and_addresses_change_at_once() -> None:
    world = World()
    changed = ("gzc", b"another certificate", "10.0.0.7:7440", "https://[2001:db8::7]:7443/")
    before = world.state.validators()
    pass_it(world, "member.update", changed)
    entry = member_entry(world.state.view, "gzc")
    assert entry is not None
    assert (entry.certificate, entry.p2p_address, entry.gateway_url) == changed[1:]
    assert world.state.validators() == before
    taken = ("fy", b"another certificate", "10.0.0.8:7440", "https://fy.example")
    assert world.refused(proposal(world, "sfj", "member.update", taken)) == ("certificate-known", {"org": "gzc"})


def test_no_member_puts_itself_at_anothers_address() -> None:
    """Clients look a certificate up by the gateway's address: two at one address would shut its owner out."""
    world = World()
    pass_it(world, "member.update", ("gzc", b"1", "10.0.0.7:7440", "https://[2001:db8::7]/"))
    pass_it(world, "member.update", ("sfj", b"2", "10.0.0.8:7440", "https://sfj.example:443"))
    for org, p2p, url in (
        ("gzc", "10.0.0.7:7440", "https://fy.example"),
        ("gzc", "10.0.0.9:7440", "https://[2001:DB8::7]:00443"),
        ("sfj", "10.0.0.9:7440", "https://SFJ.example/"),
    ):
        code, parameters = world.refused(proposal(world, "sfj", "member.update", ("fy", b"3", p2p, url)))
        assert (code, parameters) == ("address-known", {"org": org})
    pass_it(world, "member.update", ("fy", b"3", "10.0.0.9:7440", "http://sfj.example:443"))
    pass_it(world, "member.update", ("sfj", b"2", "10.0.0.8:7440", "https://sfj.example"))  # its own


def test_parameters_count_from_the_next_block_on() -> None:
    world = World()
    before = rules_hash(world.state.view, SUITE)
    voted = pass_it(world, "parameters.set", (("heartbeat_ms", 5000), ("max_block_items", 2))).block.header
    assert voted.rules_hash == before
    assert parameters(world.state.view).get("heartbeat_ms") == 5000
    assert parameters(world.state.view).get("max_item_bytes") == 1024 * 1024
    assert world.block().block.header.rules_hash == rules_hash(world.state.view, SUITE) != before
    with pytest.raises(InvalidBlock, match="too-many-items"):
        build_block(
            world.state, "zfj", world.now_ms, [world.by(w).act("points", "note", None) for w in ("sfj", "zfj", "gzc")]
        )


def test_a_state_without_its_members_is_no_state() -> None:
    world = World()
    del world.chain._entries.entries[bytes.fromhex("92a66d656d626572a3677a63")]
    with pytest.raises(StateCorrupt):
        members(world.state.view)
