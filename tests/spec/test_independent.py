"""The verifier that was written from the pages alone (independent.py) and the ledger's come to the same, step by step.

Each difference is a finding: the page says too little, or one of the two programs is wrong. FAZHI_MUTANTS is the
number of receipts in each of the two loops; `make explore` searches further as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fazhi_ledger.block_signers import block_signers
from fazhi_ledger.canonical import decode as ledger_decode
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.receipt_steps import STEPS, VALID, PresentedFile, check_receipt
from fazhi_ledger.strict_json import read_object
from fazhi_ledger.suites import ED25519_SHA256
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import PROFILE, vector_path
from tests.ledger.builders import PHOTO, World
from tests.ledger.test_receipt import TestHandovers as Handovers
from tests.spec import independent, independent_parts, mutants
from tests.spec.independent_parts import Refused

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
ABOUT = json.loads((VECTORS / "receipt-about.json").read_text("utf-8"))
WORLD = World()
BASES = [
    *[(VECTORS / name).read_bytes() for name in ABOUT["receipts"]],
    Handovers.build().to_json(),
    WORLD.anchored_receipt(distance=1).to_json(),
]
COUNT = int(os.environ.get("FAZHI_MUTANTS", "20000" if PROFILE == "explore" else "600"))
FILES = ((), (("photo.jpg", PHOTO),), (("photo.jpg", PHOTO + b"!"),))


def outcomes(receipt: bytes, genesis_hash: bytes, files: Any = ()) -> list[tuple[int, str, str]]:
    """What every step came to, once both verifiers say the same."""
    mine = independent.verify(receipt, genesis_hash, files)
    presented = [
        PresentedFile(label, {name: hashlib.new(name, data).digest() for name in independent.USABLE}, len(data))
        for label, data in files
    ]
    report = check_receipt(receipt, genesis_hash, presented)
    theirs = [(s.number, s.name, "not-reached" if s.code == "not-reached" else s.status) for s in report.steps]
    assert report.failed is None or report.failed.code != "unreadable", report.failed
    assert independent.is_valid(mine) == (report.verdict == VALID), (report.failed, mine)
    assert mine == theirs, report.failed
    if report.facts is not None:
        said = [(one.org, one.roles, one.is_party) for one in block_signers(report.facts)]
        assert independent.signed_by(receipt, genesis_hash) == said
    return mine


def failing(results: list[tuple[int, str, str]]) -> str:
    return next((name for _, name, status in results if status == "failed"), VALID)


def say(counts: Counter[str]) -> None:
    """With -s: how many receipts ended where."""
    print(f"\n{counts.total()} receipts:", ", ".join(f"{name} {counts[name]}" for name in (VALID, *STEPS)))


@pytest.mark.parametrize("base", range(len(BASES)))
def test_receipts_and_the_file_they_are_about(base: int) -> None:
    assert failing(outcomes(BASES[base], WORLD.genesis_hash)) == VALID
    assert failing(outcomes(BASES[base], WORLD.genesis_hash, FILES[1])) == VALID
    assert failing(outcomes(BASES[base], WORLD.genesis_hash, FILES[1] + FILES[2])) == "commitments"
    assert failing(outcomes(BASES[base], bytes(32))) == "genesis"


def test_disclosing_less_is_no_change_to_the_rest() -> None:
    value = json.loads(BASES[0]) | {"openings": []}
    assert outcomes(mutants.to_json(value), WORLD.genesis_hash)[2] == (3, "commitments", "absent")
    assert outcomes(mutants.to_json(value | {"docket": None}), WORLD.genesis_hash)[2] == (3, "commitments", "absent")
    assert failing(outcomes(mutants.to_json(value), WORLD.genesis_hash, FILES[1])) == "commitments"


def test_damaged_receipts_fail_at_the_same_step() -> None:
    parsed, counts = [json.loads(base) for base in BASES], Counter[str]()
    for seed in range(COUNT):
        random = Random(f"damaged {seed}")
        mutate = mutants.MUTATIONS[seed % len(mutants.MUTATIONS)]
        mutant = mutate(random, random.choice(parsed), parsed)
        try:
            counts[failing(outcomes(mutant, WORLD.genesis_hash, random.choice(FILES[:2])))] += 1
        except AssertionError as error:
            error.add_note(f"seed {seed}, {mutate.__name__}: {mutant.decode('utf-8', 'backslashreplace')}")
            raise
    say(counts)
    assert {VALID, *STEPS} - {"membership"} <= counts.keys()


def test_twisted_and_signed_anew_fails_at_the_same_step_or_is_valid() -> None:
    counts = Counter[str]()
    for seed in range(COUNT):
        random = Random(f"twisted {seed}")
        targets = {random.choice(mutants.TWISTABLE) for _ in range(random.choice((1, 1, 1, 2)))}
        receipt, chain = mutants.forge(
            mutants.twister(random, targets), handed_over=random.random() < 0.5, anchored=random.random() < 0.5
        )
        try:
            counts[failing(outcomes(mutants.to_json(receipt), chain, random.choice(FILES[:2])))] += 1
        except AssertionError as error:
            error.add_note(f"seed {seed}, twisted: {sorted(targets)}")
            raise
    say(counts)
    assert {VALID, *STEPS} - {"submission"} <= counts.keys()


@pytest.mark.parametrize(
    ("twists", "parties"),
    [
        ({}, {"zfj"}),
        ({"body": (2, "zfj.z1")}, {"zfj"}),
        ({"body": (2, "gzc")}, {"gzc", "zfj"}),  # in another member's case
        ({"result": (4, "fy.z1")}, {"fy", "zfj"}),  # signed by people of another organisation
    ],
)
def test_whose_own_affair_it_is_is_a_party(twists: dict[str, tuple[int, Any]], parties: set[str]) -> None:
    """And of a member that was voted in later no role is said."""

    def twist(name: str, value: Any) -> Any:
        if name not in twists:
            return value
        at, changed = twists[name]
        if name == "result":
            changed = tuple((key, changed, roles) for key, _, roles in value[at])
        return (*value[:at], changed, *value[at + 1 :])

    forged, chain = mutants.forge(twist, handed_over=True)
    receipt = mutants.to_json(forged)
    assert failing(outcomes(receipt, chain)) == VALID
    signed = independent.signed_by(receipt, chain)
    assert [org for org, _, _ in signed] == ["sfj", "zfj", "fy", "jcj"]
    assert {org for org, _, own in signed if own} == parties - {"gzc"}
    assert [roles for _, roles, _ in signed] == [("member",), ("member",), ("member",), None]


@pytest.mark.parametrize("handed_over", [False, True])
@pytest.mark.parametrize("anchored", [False, True])
def test_forged_without_a_twist_is_valid(handed_over: bool, anchored: bool) -> None:
    """Else the loop above would compare failures of the forge."""
    receipt, chain = mutants.forge(lambda _, value: value, handed_over, anchored)
    assert failing(outcomes(mutants.to_json(receipt), chain, FILES[1])) == VALID


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=20).map(tuple),
    max_leaves=30,
)


def decoded(data: bytes) -> tuple[Any, Any]:
    """By the one and by the other; an exception stands for itself."""
    results: list[Any] = []
    for decode, error in ((independent_parts.decode, Refused), (ledger_decode, FazhiError)):
        try:
            results.append(decode(data))
        except error:
            results.append(Refused)
    return results[0], results[1]


@given(VALUES, st.integers())
def test_canonical_encodings_are_read_alike(value: Any, seed: int) -> None:
    random = Random(seed)
    data = independent_parts.encode(value)
    assert decoded(data) in ((value, value), (Refused, Refused))
    for changed in (mutants.loose(random, value), data[:-1], data + b"\xc0", mutants.flipped(random, data)):
        mine, theirs = decoded(changed)
        assert mine == theirs, changed.hex()


@given(st.binary(max_size=12) | st.binary(min_size=2, max_size=4).map(lambda tail: b"\x91" * 11 + tail))
def test_any_bytes_are_read_alike(data: bytes) -> None:
    mine, theirs = decoded(data)
    assert mine == theirs


JSON_PARTS = st.sampled_from(
    [
        *"{}[],:\"\\\n\0", "[" * 7, "]" * 7, " ", "\ufeff", "\u00a0", '"a"', '"b"', '"a":1', "0", "-0", "1", "-1", "01",
        "1.0", "1e2", str(2**53 - 1), str(2**53), "null", "true", "false", "NaN", "nul", '"\\u0061"', '"\\ud800"',
        '"\\ud83d\\ude00"', '"\\q"', '"\n"', '"\U0001f600"',
    ]
)  # fmt: skip


@given(st.lists(JSON_PARTS, max_size=12).map("".join))
def test_json_is_read_alike(text: str) -> None:
    data = b'{"x":' + text.encode("utf-8", "surrogatepass") + b"}"
    try:
        mine = independent_parts.parse_json(data)
    except Refused:
        mine = Refused
    try:
        theirs: Any = read_object(data, 4096)
    except FazhiError:
        theirs = Refused
    assert mine == theirs


def test_ed25519_verdicts_are_those_of_the_page() -> None:
    """914 signatures on which libraries differ (C2SP/CCTV): 43 hold under the rules of crypto.md, and which keys may
    be registered."""
    accepted, keys = 0, set()
    for case in json.loads(vector_path("ed25519-cctv-914.json").read_text("utf-8")):
        key, signature = bytes.fromhex(case["key"]), bytes.fromhex(case["sig"])
        keys.add(key)
        verdicts = []
        for check, errors in ((independent_parts.check_signature, Refused), (ED25519_SHA256.verify, FazhiError)):
            try:
                check(key, case["msg"].encode(), signature)
                verdicts.append(True)
            except errors:
                verdicts.append(False)
        assert verdicts[0] == verdicts[1], case["number"]
        accepted += verdicts[0]
    assert accepted == 43
    for key in keys:
        registrable = [True, True]
        try:
            registrable[0] = independent_parts.has_prime_order(key)
        except Refused:
            registrable[0] = False
        try:
            ED25519_SHA256.check_public_key(key)
        except FazhiError:
            registrable[1] = False
        assert registrable[0] == registrable[1], key.hex()
