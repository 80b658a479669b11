"""What must not stand in a block: each rule on both sides of its edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fazhi_contracts.admission import check_item, lane_after, lane_position, select_items, signatures_to_verify
from fazhi_contracts.execution import execute_block
from fazhi_ledger import dsse
from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import EncodingError, InvalidBlock, InvalidSubmission
from fazhi_ledger.record import records_root
from fazhi_ledger.submission import Item, sign_item

from .builders import DAY_MS, SUITE, World, make_record, signer


def invalid(world: World, item: Item) -> dict[str, str | int]:
    """The item is invalid alone and makes a block invalid; both say the same. Code and parameters."""
    with pytest.raises(InvalidSubmission) as alone:
        check_item(world.state.view, item, world.context())
    with pytest.raises(InvalidBlock) as inside:
        world.build(item)
    assert inside.value.code == alone.value.code
    assert inside.value.parameters == (("index", 0), *alone.value.parameters)
    assert select_items(world.state.view, [item], world.context()) == ()
    return {"code": alone.value.code, **dict(alone.value.parameters)}


def stands(world: World, item: Item) -> None:
    check_item(world.state.view, item, world.context())
    assert select_items(world.state.view, [item], world.context()) == (item,)
    world.block(item)


def test_another_chains_submission() -> None:
    world = World()
    assert invalid(world, world.by("officer-1").with_(genesis_hash=bytes(32)).record(world.case(), "LEAD")) == {
        "code": "wrong-genesis"
    }


def test_unknown_key() -> None:
    world = World()
    world.knows("stranger", "zfj")
    assert invalid(world, world.by("stranger").record(world.case(), "LEAD"))["code"] == "unknown-key"
    found = invalid(world, world.by("officer-2", "stranger").record(world.case(), "LEAD"))
    assert found == {"code": "unknown-key", "position": 1}


def test_first_key_belongs_to_the_org() -> None:
    world = World()
    item = world.by("officer-1").with_(org="sfj").record(world.case(), "LEAD")
    assert invalid(world, item) == {"code": "key-not-of-org", "org": "sfj", "key_org": "zfj"}
    # A unit's name does not make its member's key the unit's.
    item = world.by("officer-1").with_(org="zfj.a").record(world.case(), "LEAD")
    assert invalid(world, item)["code"] == "key-not-of-org"


def test_duplicate_signers_are_no_submission() -> None:
    world = World()
    with pytest.raises(EncodingError, match="bad-signer-keys"):
        world.by("officer-1", "officer-1").record(world.case(), "LEAD")


def test_too_many_signers() -> None:
    world = World(max_signer_keys=2)
    world.do(world.by("officer-1", "officer-2").record(world.case(), "LEAD"))
    item = world.by("officer-1", "officer-2", "officer-3").record(world.case(), "LEAD")
    assert invalid(world, item) == {"code": "too-many-signers", "signers": 3, "limit": 2}


def test_expiry() -> None:
    world = World()
    at_the_bound = world.by("officer-1").with_(valid_until_ms=world.now_ms).record(world.case(), "LEAD")
    stands(world, at_the_bound)
    past = world.by("officer-1").with_(valid_until_ms=world.now_ms - 1).record(world.case("x"), "LEAD")
    assert invalid(world, past)["code"] == "expired"


def test_validity_has_a_bound() -> None:
    world = World(max_validity_ms=DAY_MS)
    start = world.state.time_ms
    longer = world.by("officer-1").in_lane("b").with_(valid_until_ms=start + DAY_MS + 1).record(world.case(), "LEAD")
    assert invalid(world, longer)["code"] == "validity-too-long"
    stands(world, world.by("officer-1").with_(valid_until_ms=start + DAY_MS).record(world.case(), "LEAD"))


def test_not_before() -> None:
    world = World()
    world.block()
    world.block()
    hash_1 = world.state.header_hash_at(1)
    assert hash_1 is not None
    lane = world.by("officer-1").in_lane("b", 0)
    assert invalid(world, lane.with_(not_before=(1, bytes(32))).record(world.case(), "LEAD")) == {
        "code": "not-before-mismatch",
        "not_before": 1,
    }
    ahead = invalid(world, lane.with_(not_before=(3, hash_1)).record(world.case(), "LEAD"))
    assert ahead == {"code": "not-before-ahead", "not_before": 3, "next_height": 3}
    stands(world, lane.with_(not_before=(2, world.state.header_hash)).record(world.case(), "LEAD"))


def test_item_size() -> None:
    world = World(max_item_bytes=2048)
    many = [make_record(world.case(str(i)), "LEAD", world.now_ms) for i in range(20)]
    assert invalid(world, world.by("officer-1").in_lane("b").records(*many))["code"] == "item-too-large"
    stands(world, world.by("officer-1").records(*many[:3]))


def test_records_per_item() -> None:
    world = World(max_records_per_item=2)
    records = [make_record(world.case(str(i)), "LEAD", world.now_ms) for i in range(3)]
    found = invalid(world, world.by("officer-1").in_lane("b").records(*records))
    assert found == {"code": "too-many-records", "records": 3, "limit": 2}
    stands(world, world.by("officer-1").records(*records[:2]))


def altered_records() -> list[tuple[str, Callable[[tuple[bytes, ...]], tuple[bytes, ...]]]]:
    return [
        ("none", lambda records: records[:0]),
        ("one fewer", lambda records: records[:-1]),
        ("one more", lambda records: (*records, records[0])),
        ("swapped", lambda records: records[::-1]),
        ("altered", lambda records: (records[0], records[1][:-1] + b"\x7f")),
    ]


@pytest.mark.parametrize(("what", "change"), altered_records())
def test_records_are_those_that_were_signed(
    what: str, change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
) -> None:
    """A relay can neither strip nor add nor reorder nor change a record."""
    world = World()
    records = [make_record(world.case(str(i)), "LEAD", world.now_ms) for i in range(2)]
    item = world.by("officer-1").records(*records)
    assert invalid(world, replace(item, records=change(item.records)))["code"] == "wrong-records"


@pytest.mark.parametrize(
    "args",
    [None, 1, (), (1,), (True, "ROOT"), (1, "ROOT", 0), ("1", "ROOT"), ("ROOT", 1), (2, "ROOT"), (0, "ROOT")],
)
def test_malformed_record_args(args: Value) -> None:
    world = World()
    data = make_record(world.case(), "LEAD", world.now_ms).encode()
    root = records_root(SUITE, (data,))
    values = tuple(root if part == "ROOT" else part for part in args) if isinstance(args, tuple) else args
    item = world.by("officer-1").act("cases", "record", values, (data,))
    assert invalid(world, item)["code"] == "wrong-records"


def test_an_empty_batch_is_no_batch() -> None:
    world = World()
    item = world.by("officer-1").act("cases", "record", (0, records_root(SUITE, ())))
    assert invalid(world, item)["code"] == "wrong-records"


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x90", b"\x98"])
def test_malformed_record(data: bytes) -> None:
    world = World()
    good = make_record(world.case(), "LEAD", world.now_ms).encode()
    item = world.by("officer-1").act("cases", "record", (2, records_root(SUITE, (good, data))), (good, data))
    found = invalid(world, item)
    assert (found["code"], found["record"]) == ("malformed-record", 1)


@pytest.mark.parametrize("action", [("identity", "revoke_key"), ("cases", "recording"), ("case", "record"), ("x", "y")])
def test_records_stand_beside_no_other_action(action: tuple[str, str]) -> None:
    world = World()
    item = world.by("officer-1").act(*action, args=(b"k" * 32,), records=(b"x",))
    assert invalid(world, item) == {"code": "unexpected-records", "records": 1}


def test_seq() -> None:
    world = World()
    for seq in (0, 1):
        for wrong in (seq + 1, seq + 2, 2**62):
            item = world.by("officer-1").in_lane("a", wrong).record(world.case("x"), "LEAD")
            with pytest.raises(InvalidBlock) as caught:
                world.build(item)
            assert (caught.value.code, dict(caught.value.parameters)["expected"]) == ("wrong-seq", seq)
            check_item(world.state.view, item, world.context())  # may wait in a mempool
        world.block(world.by("officer-1").in_lane("a", seq).record(world.case(str(seq)), "LEAD"))
    with pytest.raises(InvalidBlock, match="wrong-seq"):
        world.build(world.by("officer-1").in_lane("a", 1).record(world.case("x"), "LEAD"))


def test_the_same_submission_twice_in_a_block() -> None:
    world = World()
    item = world.by("officer-1").record(world.case(), "LEAD")
    with pytest.raises(InvalidBlock) as caught:
        world.build(item, item)
    assert (caught.value.code, dict(caught.value.parameters)["index"]) == ("wrong-seq", 1)
    assert select_items(world.state.view, [item, item], world.context()) == (item,)


def test_lanes_belong_to_their_keys() -> None:
    """The same 16 bytes under another key, or as a second signer's, are another lane."""
    world = World()
    items = [
        world.by("officer-1").in_lane("a", 0).record(world.case("1"), "LEAD"),
        world.by("officer-2").in_lane("a", 0).record(world.case("2"), "LEAD"),
        world.by("officer-2", "officer-1").in_lane("a", 1).record(world.case("3"), "LEAD"),
    ]
    world.block(*items)
    assert [lane_position(world.state.view, item) for item in items] == [1, 2, 2]


def test_lanes_per_key() -> None:
    world = World(max_lanes_per_key=2)
    world.block(world.by("officer-1").in_lane("a", 0).record(world.case("1"), "LEAD"))
    last = world.by("officer-1").in_lane("b", 0).record(world.case("2"), "LEAD")
    extra = world.by("officer-1").in_lane("c", 0).record(world.case("3"), "LEAD")
    other = world.by("officer-2").in_lane("c", 0).record(world.case("4"), "LEAD")
    # Each of the two could stand alone, but they open the last lane together.
    check_item(world.state.view, extra, world.context())
    with pytest.raises(InvalidBlock) as caught:
        world.build(last, extra)
    assert (caught.value.code, dict(caught.value.parameters)["index"]) == ("too-many-lanes", 1)
    assert select_items(world.state.view, [last, extra, other], world.context()) == (last, other)
    world.block(last, other)
    assert invalid(world, extra)["code"] == "too-many-lanes"
    stands(world, world.by("officer-1").in_lane("a", 1).record(world.case("5"), "LEAD"))


def test_a_refused_item_opens_its_lane_too() -> None:
    world = World(max_lanes_per_key=1)
    world.refused(world.by("officer-1").in_lane("a", 0).act("no", "such", None))
    assert invalid(world, world.by("officer-1").in_lane("b", 0).act("no", "such", None))["code"] == "too-many-lanes"


def test_block_bounds() -> None:
    world = World(max_block_items=2, max_block_bytes=4096)
    items = [world.by("officer-1").record(world.case(str(i)), "LEAD") for i in range(3)]
    with pytest.raises(InvalidBlock, match="too-many-items"):
        world.build(*items)
    assert select_items(world.state.view, items, world.context()) == tuple(items[:2])
    world.block(*items[:2])
    records = [make_record(world.case(str(i)), "LEAD", world.now_ms) for i in range(10, 60)]
    big = world.by("officer-2").records(*records)
    with pytest.raises(InvalidBlock, match="too-many-bytes"):
        world.build(big)
    assert select_items(world.state.view, [big, items[2]], world.context()) == (items[2],)
    size = len(big.body_bytes) + sum(map(len, (*big.signatures, *big.records)))
    with pytest.raises(InvalidSubmission) as found:
        check_item(world.state.view, big, world.context())
    assert found.value.parameters == (("bytes", size), ("limit", 4096))


def test_a_key_binds_from_the_block_after_its_registration() -> None:
    world = World()
    world.knows("newcomer", "zfj")
    registration = world.by("zfj").register_officer("zfj", "newcomer")
    item = world.by("newcomer").record(world.case(), "LEAD")
    with pytest.raises(InvalidBlock) as caught:
        world.build(registration, item)
    assert (caught.value.code, dict(caught.value.parameters)["index"]) == ("unknown-key", 1)
    world.block(registration)
    stands(world, item)


def test_a_key_signs_last_in_the_block_of_its_revocation() -> None:
    world = World()
    revocation = world.by("zfj").revoke("officer-1")
    world.block(revocation, world.by("officer-1").record(world.case("1"), "LEAD"))
    found = invalid(world, world.by("officer-1").record(world.case("2"), "LEAD"))
    assert found == {"code": "revoked-key", "position": 0, "revoked_height": 1}
    cosigned = world.by("officer-2", "officer-1").record(world.case("2"), "LEAD")
    assert invalid(world, cosigned)["code"] == "revoked-key"


def test_an_invalid_item_names_its_place() -> None:
    world = World()
    good = world.by("officer-1").record(world.case(), "LEAD")
    bad = world.by("officer-2").with_(genesis_hash=bytes(32)).record(world.case(), "FILED")
    with pytest.raises(InvalidBlock) as caught:
        execute_block(world.state.view, [good, bad], world.context())
    assert caught.value.parameters[0] == ("index", 1)


def test_what_to_verify() -> None:
    world = World()
    item = world.by("officer-1", "officer-2").record(world.case(), "LEAD")
    jobs = signatures_to_verify(item)
    assert [key for key, _, _ in jobs] == [signer("officer-1").public_key, signer("officer-2").public_key]
    for key, message, signature in jobs:
        assert message == dsse.pae(dsse.SUBMISSION, item.body_bytes)
        SUITE.verify(key, message, signature)


def test_execution_leaves_signatures_to_the_verifier() -> None:
    """Execution is given verified items; what it says does not depend on the signatures."""
    world = World()
    item = world.by("officer-1").record(world.case(), "LEAD")
    forged = replace(item, signatures=(bytes(64),))
    first, second = world.build(item), world.build(forged)
    assert first.result_leaves == second.result_leaves
    assert first.block_hash != second.block_hash


def test_lane_after() -> None:
    world = World()
    view = world.state.view
    assert lane_after(view, world.by("officer-1").in_lane("a", 4).record(world.case(), "LEAD")) == 5
    assert lane_after(view, world.by("officer-1").in_lane("b").void(4, 9)) == 10
    backwards = world.by("officer-1").in_lane("c", 4).act("lane", "void", (4, 3, "lost"))
    assert lane_after(view, backwards) == 5
    assert lane_after(view, sign_item(backwards.body, [signer("officer-1")])) == 5
