"""Keys of officers and devices, units, revocation."""

from __future__ import annotations

import pytest
from fazhi_contracts.queries import key_entry, org_entry
from fazhi_ledger.canonical import Value
from fazhi_ledger.genesis import prove_possession

from .builders import SUITE, World, signer


def key_of(word: str) -> bytes:
    return signer(word).public_key


def register(world: World, by: str, org: str, roles: tuple[str, ...], proof: bytes, word: str = "new") -> str:
    item = world.by(by).act("identity", "register_officer", (org, key_of(word), roles, proof))
    return world.block(item).outcomes[0].result.code


def proof_of(
    world: World,
    word: str = "new",
    org: str = "zfj",
    roles: tuple[str, ...] = ("officer",),
    genesis_hash: bytes | None = None,
) -> bytes:
    return prove_possession(signer(word), genesis_hash or world.state.genesis_hash, org, roles)


def test_a_member_registers_its_officer() -> None:
    world = World()
    assert register(world, "zfj", "zfj", ("officer",), proof_of(world)) == "OK"
    entry = key_entry(world.state.view, key_of("new"))
    assert entry is not None
    assert (entry.org, entry.roles, entry.registered_height, entry.revoked_height) == ("zfj", ("officer",), 1, None)


@pytest.mark.parametrize("by", ["officer-1", "head"])
def test_only_a_members_key_registers(by: str) -> None:
    world = World()
    assert register(world, by, "zfj", ("officer",), proof_of(world)) == "member-key-needed"
    assert key_entry(world.state.view, key_of("new")) is None


def test_no_member_registers_for_another() -> None:
    world = World()
    assert register(world, "sfj", "zfj", ("officer",), proof_of(world)) == "not-of-your-org"


def test_a_cosigning_member_counts() -> None:
    world = World()
    item = world.by("officer-1", "zfj").register_officer("zfj", "new")
    world.do(item)


def test_possession_binds_chain_org_key_and_roles() -> None:
    world = World()
    for proof in (
        proof_of(world, genesis_hash=bytes(32)),
        prove_possession(signer("new"), None, "zfj", ("officer",)),
        proof_of(world, org="sfj"),
        proof_of(world, roles=("head",)),
        proof_of(world, word="another"),
        bytes(64),
        b"",
    ):
        assert register(world, "zfj", "zfj", ("officer",), proof) == "possession-not-proven"


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, b"k" * 31, b"", b"k" * 128])
def test_weak_or_malformed_keys(key: bytes) -> None:
    world = World()
    item = world.by("zfj").act("identity", "register_officer", ("zfj", key, ("officer",), bytes(64)))
    assert world.refused(item)[0] == "weak-key"


def test_a_key_serves_once() -> None:
    world = World()
    assert register(world, "zfj", "zfj", ("officer",), proof_of(world)) == "OK"
    assert register(world, "zfj", "zfj", ("officer",), proof_of(world)) == "key-known"
    world.block(world.by("zfj").revoke("new"))
    assert register(world, "zfj", "zfj", ("officer",), proof_of(world)) == "key-known"
    assert register(world, "sfj", "sfj", ("officer",), proof_of(world, org="sfj")) == "key-known"
    assert register(world, "zfj", "zfj", ("officer",), proof_of(world, word="fy"), word="fy") == "key-known"


def test_a_key_serves_once_within_a_block() -> None:
    world = World()
    items = [world.by(org).register_officer(org, "new") for org in ("zfj", "sfj")]
    assert world.codes(world.block(*items)) == ["OK", "key-known"]


def test_roles() -> None:
    world = World()
    assert register(world, "zfj", "zfj", (), proof_of(world, roles=())) == "no-roles"
    assert register(world, "zfj", "zfj", ("member",), proof_of(world, roles=("member",))) == "reserved-role"
    both = ("head", "member")
    assert register(world, "zfj", "zfj", both, proof_of(world, roles=both)) == "reserved-role"
    for roles in (("officer", "head"), ("head", "head"), ("Head",), ("",), ("a" * 33,)):
        assert register(world, "zfj", "zfj", roles, proof_of(world, roles=roles)) == "bad-args"


@pytest.mark.parametrize("action", ["register_officer", "register_org", "revoke_key"])
@pytest.mark.parametrize(
    "args",
    [None, (), 7, "zfj", b"k", (None,), ((),), (1, 2, 3), ("zfj", "a", 1, 2), ("zfj",) * 4, (b"", b"", b"", b"")],
)
def test_malformed_args(action: str, args: Value) -> None:
    world = World()
    before = world.state.view
    code, _ = world.refused(world.by("zfj").act("identity", action, args))
    assert code == "bad-args"
    assert before is world.state.view


def test_units() -> None:
    world = World()
    assert world.refused(world.by("zfj").register_officer("zfj.a", "new"))[0] == "unknown-org"
    world.do(world.by("zfj").register_org("zfj.a"))
    entry = org_entry(world.state.view, "zfj.a")
    assert entry is not None
    assert (entry.parent, entry.registered_height) == ("zfj", 2)
    world.do(world.by("zfj").register_officer("zfj.a", "new"))
    world.knows("new", "zfj.a")
    world.do(world.by("new").record(world.case(org="zfj.a"), "LEAD"))
    assert world.head(world.case(org="zfj.a")).org == "zfj.a"
    world.do(world.by("zfj").revoke("new"))


def test_what_is_no_unit_of_yours() -> None:
    world = World()
    assert world.refused(world.by("zfj").register_org("qtj"))[0] == "not-a-unit"
    assert world.refused(world.by("zfj").register_org("sfj.a"))[0] == "not-of-your-org"
    assert world.refused(world.by("zfj").register_org("zf.a"))[0] == "not-of-your-org"
    assert world.refused(world.by("officer-1").register_org("zfj.a"))[0] == "member-key-needed"
    world.do(world.by("zfj").register_org("zfj.a"))
    assert world.refused(world.by("zfj").register_org("zfj.a"))[0] == "org-known"
    assert world.refused(world.by("zfj").act("identity", "register_org", ("zfj.b", "", "x")))[0] == "bad-args"


def test_revocation() -> None:
    world = World()
    assert world.refused(world.by("zfj").revoke("nobody"))[0] == "no-such-key"
    assert world.refused(world.by("sfj").revoke("officer-1"))[0] == "not-of-your-org"
    assert world.refused(world.by("officer-2").revoke("officer-1"))[0] == "not-of-your-org"
    assert world.refused(world.by("zfj").revoke("zfj"))[0] == "member-key"
    assert world.refused(world.by("sfj").revoke("zfj"))[0] == "member-key"
    world.do(world.by("officer-1").revoke("officer-1"))
    world.do(world.by("zfj").revoke("officer-2"))
    entry = key_entry(world.state.view, key_of("officer-2"))
    assert entry is not None
    assert entry.revoked_height == world.state.height
    assert world.refused(world.by("zfj").revoke("officer-1"))[0] == "key-already-revoked"


def test_results_name_the_signers_as_they_were_before_the_block() -> None:
    world = World()
    executed = world.block(
        world.by("zfj").revoke("officer-1"), world.by("officer-1", "head").record(world.case(), "LEAD")
    )
    signers = executed.outcomes[1].result.signers
    assert [(s.key, s.org, s.roles) for s in signers] == [
        (key_of("officer-1"), "zfj", ("officer",)),
        (key_of("head"), "zfj", ("head",)),
    ]
    SUITE.check_public_key(signers[0].key)
