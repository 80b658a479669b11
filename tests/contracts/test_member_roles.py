"""What an organisation is among the members changes by vote, and by nothing else."""

from __future__ import annotations

import pytest
from fazhi_contracts.queries import org_entry
from fazhi_ledger.canonical import Value

from .builders import World
from .voting import ballot, pass_it, proposal, propose


def test_roles_of_a_member_count_from_the_next_block_on() -> None:
    """What an organisation may record in others' cases hangs on them: by vote it gains that, and loses it."""
    world = World()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    clear: dict[str, str | int] = {"scope": "record", "through": 1}

    def attest() -> str:
        executed = world.block(world.by("notary").record(case, "ATTEST", clear=clear, of="zfj"))
        return world.codes(executed)[0]

    assert attest() == "OK"
    executed = pass_it(world, "member.roles", ("gzc", ("archive",)))
    assert (executed.outcomes[0].result.code, attest()) == ("OK", "wrong-standing")
    entry = org_entry(world.state.view, "gzc")
    assert entry is not None
    assert (entry.roles, entry.name_zh) == (("archive",), "公证处")
    pass_it(world, "member.roles", ("gzc", ("archive", "notary")))
    assert attest() == "OK"
    pass_it(world, "member.roles", ("gzc", ()))
    assert attest() == "wrong-standing"


def test_the_block_of_the_vote_still_knows_the_old_roles() -> None:
    world = World()
    case = world.case()
    world.do(world.by("officer-1").record(case, "LEAD"))
    proposal_id = propose(world, "sfj", "member.roles", ("gzc", ()))
    world.do(ballot(world, "zfj", proposal_id))
    record = world.by("notary").record(case, "ATTEST", clear={"scope": "trail", "through": 1}, of="zfj")
    assert world.codes(world.block(ballot(world, "fy", proposal_id), record)) == ["OK", "OK"]


def test_nobody_gives_itself_a_role() -> None:
    """A bureau that proposes it has one vote; alone it has no more than that, by whatever way it asks."""
    world = World()
    proposal_id = propose(world, "zfj", "member.roles", ("zfj", ("enforcement", "notary")))
    for _ in range(3):
        world.block(ballot(world, "zfj", proposal_id))
    entry = org_entry(world.state.view, "zfj")
    assert entry is not None
    assert "notary" not in entry.roles
    again = world.by("zfj").act("identity", "register_org", ("zfj", "公证处", "Notary Office"))
    assert world.refused(again)[0] == "not-a-unit"
    world.do(world.by("zfj").register_org("zfj.notary"))
    unit = org_entry(world.state.view, "zfj.notary")
    assert unit is not None
    assert unit.roles == ()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("nobody", ("notary",)), "not-seated"),
        (("zfj.unit", ("notary",)), "not-seated"),
        (("gzc", ("member",)), "reserved-role"),
        (("gzc", ("notary", "own")), "reserved-role"),
        (("gzc", ("notary",)), "roles-unchanged"),
        (("gzc", ("notary", "court")), "bad-args"),
        (("gzc", ("court", "court")), "bad-args"),
        (("gzc", ("No Role",)), "bad-args"),
        (("gzc",), "bad-args"),
        (("gzc", "notary"), "bad-args"),
    ],
)
def test_roles_that_cannot_be(args: Value, code: str) -> None:
    world = World()
    assert world.refused(proposal(world, "sfj", "member.roles", args))[0] == code
