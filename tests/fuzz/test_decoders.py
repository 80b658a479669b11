"""A slice of the decoders' campaign, and that the campaign finds what it is there to find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.errors import EncodingError, FazhiError

from . import decoding
from .engine import input_number, run_target
from .mutate import in_form
from .registry import TARGETS
from .target import Check, Target, Violation

SEED = 20261122
RUNS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_slice(name: str, tmp_path: Path) -> None:
    (ran,) = decoding.run(tmp_path, seed=SEED, runs=RUNS, only=[name])
    assert ran.violation == "", f"seed {SEED}, input {ran.found}"
    assert ran.runs == RUNS
    assert ran.accepted > 0, "some inputs are nearly right"


def test_inputs_follow_from_seed_target_and_number() -> None:
    target = TARGETS["item"]
    first = [input_number(target, SEED, number) for number in range(50)]
    assert first == [input_number(target, SEED, number) for number in range(50)]
    assert len(set(first)) > 25
    assert first != [input_number(target, SEED + 1, number) for number in range(50)]


def test_a_receipt_changed_before_can_be_changed_again() -> None:
    """A part that no longer decodes ends no campaign: the input is then changed as any text is."""
    target = TARGETS["receipt verified"]
    for number in range(60):
        random = Random(number)
        data = random.choice(target.samples)
        for _ in range(12):
            data = in_form(random, target.form, data, target.samples)


SAMPLE = encode((1, b"abc", ("x", -5), bytes(40)))


def crashes(data: bytes) -> Any:
    value = decode(data)
    if isinstance(value, tuple) and len(value) > 2 and isinstance(value[2], tuple):
        value[2][1]  # an index that nobody checked
    return value


def spins(data: bytes) -> Any:
    value = decode(data)
    while isinstance(value, tuple) and len(value) > 4:
        pass
    return value


def spins_outside_python(data: bytes) -> Any:
    return pow(3, 1 << (1_000_000 if len(data) % 7 == 3 else 2), 10**4000 + 1)


def grows(data: bytes) -> Any:
    kept.append(bytearray(1 << 22) if len(data) > len(SAMPLE) else bytearray())
    return decode(data)


def asks_for_all_memory(data: bytes) -> Any:
    bytearray(int.from_bytes(data[-4:], "big") << 4)
    return decode(data)


def overlooks_spelling(data: bytes) -> Any:
    import msgpack

    try:
        return msgpack.unpackb(data, use_list=False)
    except Exception:  # noqa: BLE001
        raise EncodingError("malformed") from None


def confuses_true_with_one(data: bytes) -> Any:
    value = decode(data)
    return value if not isinstance(value, tuple) else tuple(1 if part is True else part for part in value)


kept: list[bytearray] = []
PLANTED: dict[str, tuple[Callable[[bytes], Any], str]] = {
    "crash": (crashes, "IndexError"),
    "hang": (spins, "SIGPROF"),
    "hang in C": (spins_outside_python, "SIGPROF"),
    "growth": (grows, "has grown"),
    "memory": (asks_for_all_memory, "MemoryError"),
    "spelling": (overlooks_spelling, "written again"),
    "true": (confuses_true_with_one, "written again"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str, tmp_path: Path) -> None:
    read, symptom = PLANTED[name]
    target = Target(name, [SAMPLE], read, (), again=None if "hang" in name else encode)
    ran = run_target(target, seed=SEED, runs=3000, folder=tmp_path, cpu_seconds=0.5)
    assert symptom in ran.violation, ran
    if symptom == "IndexError":
        with pytest.raises(IndexError):
            Check(target)(bytes.fromhex(ran.found))


def test_values_that_differ_although_their_bytes_are_equal_are_found() -> None:
    numbers = iter(range(100))
    check = Check(Target("odd", [b"\x01"], lambda data: (data, next(numbers)), (), again=lambda value: bytes(value[0])))
    with pytest.raises(Violation, match="two values"):
        check(b"\x01")


def test_an_error_outside_the_family_is_found() -> None:
    def read(data: bytes) -> None:
        raise KeyError(data)

    with pytest.raises(KeyError):
        Check(Target("odd", [b""], read, (), refuses=(FazhiError,)))(b"")
