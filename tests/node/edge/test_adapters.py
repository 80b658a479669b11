"""The real clock and verifier: timers by name, verdicts in place, nothing from inside a call or after the stop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.adapters import CHUNK_EQUATIONS, PRESSURE_EQUATIONS, LoopClock, ThreadVerifier
from fazhi_node.ports import Job, SignatureCheck

SIGNER = SoftwareSigner(ED25519_SHA256, hashlib.sha256(b"adapters").digest())


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is awaited happens on other threads
        await asyncio.sleep(0.002)


def check(number: int, *, good: bool = True) -> SignatureCheck:
    message = b"message %d" % number
    signature = SIGNER.sign(message if good else b"another")
    return SignatureCheck(ED25519_SHA256, SIGNER.public_key, message, signature)


def failed(error: BaseException) -> None:
    raise AssertionError("no check should reach this") from error


class Broken:
    """A check that fails in an unexpected way."""

    def run(self) -> None:
        raise ZeroDivisionError


def test_a_timer_fires_once_and_the_last_of_a_name_counts() -> None:
    async def test() -> None:
        fired: list[str] = []
        clock = LoopClock(asyncio.get_running_loop(), fired.append)
        clock.set_timer("a", 5)
        clock.set_timer("a", 20)
        clock.set_timer("b", 1)
        clock.set_timer("c", 1)
        clock.cancel("c")
        clock.cancel("nothing")
        await until(lambda: "a" in fired)
        assert fired == ["b", "a"]
        clock.set_timer("d", 0)
        clock.stop()
        await asyncio.sleep(0.02)
        assert fired == ["b", "a"]
        assert clock.now_ms() > 1_700_000_000_000
        assert clock.monotonic_ms() <= clock.monotonic_ms()

    run(test())


@pytest.mark.parametrize("jobs", [0, 1, 3, CHUNK_EQUATIONS, 5 * CHUNK_EQUATIONS + 7])
def test_verdicts_stand_where_their_jobs_stood(jobs: int) -> None:
    async def test() -> None:
        answers: dict[int, Sequence[bool]] = {}
        failures: list[BaseException] = []
        verifier = ThreadVerifier(asyncio.get_running_loop(), 2, answers.__setitem__, failures.append)
        wanted = [number % 3 != 0 for number in range(jobs)]
        asked: list[Job] = [(check(number), check(-number, good=good)) for number, good in enumerate(wanted)]
        verifier.verify(7, asked)
        assert answers == {}, "never from inside the call"
        await until(lambda: 7 in answers)
        assert list(answers[7]) == wanted
        assert verifier.backlog == 0
        assert failures == []
        verifier.stop()

    run(test())


def test_an_unexpected_error_counts_as_failed_and_the_empty_job_holds() -> None:
    async def test() -> None:
        answers: dict[int, Sequence[bool]] = {}
        verifier = ThreadVerifier(asyncio.get_running_loop(), 1, answers.__setitem__, failed)
        broken: Any = (Broken(),)
        verifier.verify(1, [broken, (), (check(1),)] * 20)
        await until(lambda: 1 in answers)
        assert list(answers[1]) == [False, True, True] * 20
        verifier.stop()

    run(test())


def test_the_gate_closes_under_a_backlog_and_opens_again() -> None:
    async def test() -> None:
        answers: dict[int, Sequence[bool]] = {}
        verifier = ThreadVerifier(asyncio.get_running_loop(), 1, answers.__setitem__, failed)
        await asyncio.wait_for(verifier.gate(), 1)
        cheap: Any = (Broken(),)
        verifier.verify(1, [cheap] * (3 * PRESSURE_EQUATIONS))
        gate = asyncio.ensure_future(verifier.gate())
        await asyncio.sleep(0)
        assert not gate.done()
        await asyncio.wait_for(gate, 20)
        assert verifier.backlog <= PRESSURE_EQUATIONS
        await until(lambda: 1 in answers)
        assert not any(answers[1])
        verifier.stop()

    run(test())


def test_nothing_comes_after_the_stop() -> None:
    async def test() -> None:
        answers: dict[int, Sequence[bool]] = {}
        verifier = ThreadVerifier(asyncio.get_running_loop(), 1, answers.__setitem__, failed)
        verifier.verify(1, [(check(1),)] * 200)
        verifier.verify(2, [(check(1),)])
        verifier.stop()
        await asyncio.sleep(0.05)
        assert answers == {}

    run(test())
