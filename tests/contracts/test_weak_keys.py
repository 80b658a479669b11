"""Keys on which libraries disagree are refused wherever a key is registered: at genesis, by a member, by a vote.

Low order: anybody can sign for them under some libraries. Not canonical: two spellings of one key. Mixed order:
verifiers that multiply by the cofactor and those that do not give two verdicts (safety.md §0.2).
"""

from __future__ import annotations

import dataclasses

import pytest
from fazhi_ledger import suites
from fazhi_ledger.errors import InvalidGenesis
from nacl.bindings import crypto_core_ed25519_add

from tests.ledger.builders import make_genesis

from .builders import World, signer
from .voting import card, proposal

P = 2**255 - 19


def point(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


LOW_ORDER = [point(y, sign) for y in suites._LOW_ORDER_Y for sign in (0, 1)]
NON_CANONICAL = [point(y, sign) for y in (P, P + 1, P + 2, P + 18) for sign in (0, 1)]
TORSION = [low for low in LOW_ORDER if low not in (point(0), point(1), point(1, 1))]
MIXED = [crypto_core_ed25519_add(signer("officer-1").public_key, torsion) for torsion in TORSION if torsion[31] < 128]
OFF_CURVE = [point(2), point(7)]
KEYS = {
    f"{kind} {number}": key
    for kind, keys in (("low", LOW_ORDER), ("spelling", NON_CANONICAL), ("mixed", MIXED), ("off", OFF_CURVE))
    for number, key in enumerate(keys)
}


@pytest.mark.parametrize("name", KEYS)
def test_at_genesis(name: str) -> None:
    genesis, *_ = make_genesis()
    genesis.check()
    members = (dataclasses.replace(genesis.members[0], key=KEYS[name]), *genesis.members[1:])
    officers = (dataclasses.replace(genesis.officers[0], key=KEYS[name]), *genesis.officers[1:])
    for weak in (dataclasses.replace(genesis, members=members), dataclasses.replace(genesis, officers=officers)):
        with pytest.raises(InvalidGenesis) as caught:
            weak.check()
        assert dict(caught.value.parameters)["reason"] == "weak-key"


@pytest.mark.parametrize("name", KEYS)
def test_by_a_member(name: str) -> None:
    world = World()
    item = world.by("zfj").act("identity", "register_officer", ("zfj", KEYS[name], ("officer",), bytes(64)))
    assert world.refused(item)[0] == "weak-key"


@pytest.mark.parametrize("name", KEYS)
def test_by_a_vote(name: str) -> None:
    world = World()
    added = proposal(world, "sfj", "validator.add", card(world, "new", key=KEYS[name]))
    assert world.refused(added)[0] == "weak-key"
    replaced = proposal(world, "sfj", "validator.replace_key", ("sfj", KEYS[name], bytes(64)))
    assert world.refused(replaced)[0] == "weak-key"
