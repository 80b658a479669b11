"""The state that a genesis file lays down, and the files that lay down nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fazhi_contracts.chain import genesis_state
from fazhi_contracts.queries import (
    installed_rule_sets,
    key_entry,
    org_entry,
    parameters,
    procedures,
    protocol_version,
    validator_sets,
)
from fazhi_contracts.state import MemoryState
from fazhi_ledger.errors import InvalidGenesis
from fazhi_ledger.genesis import PROTOCOL_VERSION, GenesisFile

from .builders import OFFICERS, ORGS, SUITE, make_genesis_file, penalty, signer


def test_everything_of_the_genesis_stands_in_the_state() -> None:
    file = make_genesis_file(parameters={"max_lane_void": 77})
    view = MemoryState(genesis_state(file))
    for org, (name_zh, name_en, roles) in ORGS.items():
        entry = org_entry(view, org)
        assert entry is not None
        assert (entry.name_zh, entry.name_en, entry.roles, entry.parent) == (name_zh, name_en, roles, None)
        key = key_entry(view, signer(org).public_key)
        assert key is not None
        assert (key.org, key.roles, key.registered_height) == (org, ("member",), 0)
    for word, (org, roles) in OFFICERS.items():
        key = key_entry(view, signer(word).public_key)
        assert key is not None
        assert (key.org, key.roles, key.revoked_height) == (org, roles, None)
    assert parameters(view).get("max_lane_void") == 77
    assert (protocol_version(view), procedures(view)) == (PROTOCOL_VERSION, ("penalty",))
    assert validator_sets(view) == (file.genesis.validator_set(), None)
    assert genesis_state(file) == genesis_state(GenesisFile.decode(file.encode()))


def refused(file: GenesisFile) -> str:
    with pytest.raises(InvalidGenesis) as caught:
        genesis_state(file)
    return caught.value.code


def test_possession_is_verified() -> None:
    file = make_genesis_file()
    genesis = file.genesis
    member = replace(genesis.members[0], possession=genesis.members[1].possession)
    forged = replace(genesis, members=(member, *genesis.members[1:]))
    assert refused(replace(file, genesis_bytes=forged.encode())) == "possession-not-proven"
    officer = replace(genesis.officers[0], roles=("head",))
    forged = replace(genesis, officers=(officer, *genesis.officers[1:]))
    assert refused(replace(file, genesis_bytes=forged.encode())) == "possession-not-proven"


def test_no_officer_has_a_members_role() -> None:
    assert refused(make_genesis_file(officers={"x": ("zfj", ("member", "officer"))})) == "reserved-role"
    assert refused(make_genesis_file(officers={"x": ("zfj", ())})) == "no-roles"


def test_rule_sets_are_read_before_they_are_believed() -> None:
    data = penalty().encode()
    assert refused(make_genesis_file([("penalty", b"\xc0")])) == "bad-rule-set"
    assert refused(make_genesis_file([("penalty", data[:-1])])) == "bad-rule-set"
    assert refused(make_genesis_file([("review", data)])) == "wrong-procedure"
    file = make_genesis_file()
    assert refused(replace(file, rule_sets=(replace(penalty(), number=99).encode(),))) == "wrong-rule-set"


def test_a_genesis_may_install_a_procedure_once_for_each_version_of_its_law() -> None:
    now, then = penalty(), replace(penalty(), number=1, law_from=1996_10_01)
    both = [("penalty", now.encode()), ("penalty", then.encode())]
    view = MemoryState(genesis_state(make_genesis_file(both)))
    assert genesis_state(make_genesis_file(both)) == genesis_state(make_genesis_file(both[::-1]))
    assert procedures(view) == ("penalty",)
    assert installed_rule_sets(view, "penalty") == (then.hash(SUITE), now.hash(SUITE))


def test_no_two_rule_sets_of_a_genesis_are_in_force_from_the_same_day() -> None:
    both = [("penalty", penalty().encode()), ("penalty", replace(penalty(), number=99).encode())]
    assert refused(make_genesis_file(both)) == "same-law-from"
    twice = make_genesis_file()
    genesis = replace(twice.genesis, rule_sets=twice.genesis.rule_sets * 2)
    file = replace(twice, genesis_bytes=genesis.encode(), rule_sets=twice.rule_sets * 2)
    assert refused(file) == "unsorted-rule-sets"
