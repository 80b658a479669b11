"""Exactly once, whatever is down, lies or comes back from a backup."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fazhi_ledger.canonical import decode
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_sdk import Receipt
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.errors import (
    BadAnswer,
    Conflict,
    Expired,
    NotAuthorised,
    NotConnected,
    Outcome,
    ProofFailed,
    SubmissionRefused,
)
from fazhi_sdk.sync import Case, Pending
from fazhi_sdk.testing import TestChain, connect

from .proxy import Proxy
from .test_chain import filed, receipt_of

Client = Callable[..., TestChain]


@pytest.fixture
def proxies(net: Devnet) -> Iterator[list[Proxy]]:
    """A proxy before each of the first two nodes."""
    urls = net.urls[:2]
    opened = [Proxy(url, net.tokens[url]) for url in urls]
    yield opened
    for proxy in opened:
        proxy.close()


def through(net: Devnet, proxies: list[Proxy], outbox: str, **options: Any) -> TestChain:
    """A client that knows only the proxies."""
    chain = TestChain.connect([proxy.url for proxy in proxies], net.genesis_hash, net.folder / outbox, **options)
    chain.network = net
    return chain


def steps(chain: TestChain, number: str) -> list[str]:
    """The steps of a case as a stranger sees them, proven complete."""
    with connect(chain.network, f"stranger-{time.monotonic_ns()}.db") as stranger:
        return [event.record.step for event in stranger.case("penalty", number, org="zfj").trail().events]


def test_offline_then_the_next_process(net: Devnet, proxies: list[Proxy], number: str, photo: Path) -> None:
    """A whole case is worked offline, cosigned and all; the next process delivers it in order, each step once."""
    outbox = f"offline-{number[-4:]}.db"
    with through(net, proxies, outbox) as chain:
        for proxy in proxies:
            proxy.open = False
        case = chain.open_case("penalty", number=number, signer=chain.officer())
        assert case.receipt is None
        opening = case.opening
        assert isinstance(opening, Pending)
        assert isinstance(opening.why, NotConnected)
        assert opening.why.outcome is Outcome.KEPT
        assert "safe in the outbox" in str(opening.why)
        case.record("FILED", signer=chain.officer("head"))
        draft = case.draft("INVEST", [photo]).cosign(chain.officer("officer2"))
        submitted = draft.submit()
        assert isinstance(submitted, Pending)
        with pytest.raises(NotConnected):
            submitted.save(photo.parent / "no.receipt.json")
        assert isinstance(draft.submit(), Pending), "submitting again is the same submission"
        flushed = chain.flush(timeout_s=2)
        assert (flushed.committed, flushed.undecided) == (0, 3)
    with through(net, proxies, outbox) as chain:  # begins offline: the outbox knows the chain
        assert [one.status for one in chain.pending()] == ["sent", "signed", "signed"]
        for proxy in proxies:
            proxy.open = True
        flushed = chain.flush()
        assert (flushed.committed, flushed.refused, flushed.undecided) == (3, 0, 0)
        chain.receipt(submitted.id).check_file(photo)
        assert chain.pending() == []
        assert steps(chain, number) == ["LEAD", "FILED", "INVEST"]


def test_a_dead_node_is_passed_over(client: Client, net: Devnet, number: str, photo: Path) -> None:
    """The gateway in use is killed between two steps: three of four go on, and the client goes to another."""
    chain = client()
    case = filed(chain, number)
    victim = next(iter(net.nodes))
    net.kill(victim)
    try:
        receipts = [receipt_of(case.record("INVEST", [photo])) for _ in range(3)]
        assert [receipt.number_in_case for receipt in receipts] == [3, 4, 5]
        assert all(victim not in receipt.facts.certified_by for receipt in receipts)
    finally:
        net.start(victim)
        net.wait_ready(ready_s=60)
    assert len(steps(chain, number)) == 5


def flip_proofs(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
    """A node that serves proofs, asked for or beside its answer, in which a digest was exchanged."""
    answer = json.loads(body) if name == "POST /v1/submissions" or name.endswith("/proof") else {}
    proofs = [answer] if name.endswith("/proof") else [one.get("proof") for one in answer.get("results", ())]
    for proof in filter(None, proofs):
        proof["submission_proof"] = ["00" * 32, *proof["submission_proof"][1:]]
    return (status, json.dumps(answer).encode()) if proofs else None


def without_proofs(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
    """A node that puts no proof beside its answers."""
    if not name.startswith("POST"):
        return None
    answer = json.loads(body)
    for one in answer.get("results", ()):
        one.pop("proof", None)
    return status, json.dumps(answer).encode()


def test_the_proof_comes_with_the_answer_or_is_asked_for(net: Devnet, proxies: list[Proxy], number: str) -> None:
    gateway = proxies[0]
    with through(net, [gateway], f"beside-{number[-4:]}.db") as chain:
        case = chain.open_case("penalty", number=number, signer=chain.officer())
        assert receipt_of(case.opening).number_in_case == 1
        assert not any(name.endswith("/proof") for name in gateway.seen)
        gateway.meddle = without_proofs
        assert receipt_of(case.record("INVEST", fields={"note": "a"})).number_in_case == 2
        assert sum(name.endswith("/proof") for name in gateway.seen) == 1
        assert chain.pending() == []


def test_a_lying_proof_is_not_handed_over(net: Devnet, proxies: list[Proxy], number: str) -> None:
    liar, honest = proxies
    liar.meddle = flip_proofs
    with through(net, [liar], f"liar-{number[-4:]}.db", timeout_s=3) as chain:
        case = chain.open_case("penalty", number=number, signer=chain.officer())
        assert isinstance(case.opening, Pending)
        assert isinstance(case.opening.why, ProofFailed)
        assert chain.pending()[0].status == "sent", "what is not proven is not settled"
    with through(net, [liar, honest], f"liar-{number[-4:]}.db") as chain:
        chain.flush()
        assert chain.pending() == []
        assert steps(chain, number) == ["LEAD"]


def test_all_records_of_a_batch_are_asked_for_at_once(net: Devnet, proxies: list[Proxy], number: str) -> None:
    """By a gateway that knows how; of one that does not, one by one; of one that lies, not at all."""

    def old(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
        """As a gateway answers that does not know ``records=all``."""
        if not name.endswith("/proof"):
            return None
        answer = json.loads(body)
        answer.pop("record_results", None)
        return status, json.dumps(answer).encode()

    def lie(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
        if not name.endswith("/proof"):
            return None
        answer = json.loads(body)
        answer["record_results"] = list(reversed(answer["record_results"]))
        return status, json.dumps(answer).encode()

    def numbers(chain: TestChain, case: Case) -> list[int]:
        receipts = chain.submit_many([case.draft("INVEST", fields={"n": n}) for n in range(5)])
        return [receipt_of(one).number_in_case for one in receipts if not isinstance(one, Exception)]

    with through(net, proxies, f"all-{number[-4:]}.db") as chain:
        case = filed(chain, number)
        for gateway in proxies:
            gateway.seen.clear()
        assert numbers(chain, case) == [3, 4, 5, 6, 7]
        assert sum(name.endswith("/proof") for gateway in proxies for name in gateway.seen) == 1
        for gateway in proxies:
            gateway.meddle = old
        assert numbers(chain, case) == [8, 9, 10, 11, 12]
        for gateway in proxies:
            gateway.meddle = lie
        drafts = [case.draft("INVEST", fields={"n": n}) for n in range(5)]
        failed = chain.submit_many(drafts)
        assert [type(one) for one in failed] == [ProofFailed] * 5
        assert all(isinstance(one, ProofFailed) and one.outcome is Outcome.RECORDED for one in failed)
        proxies[1].meddle = None
        assert [receipt_of(one).number_in_case for one in chain.submit_many(drafts)] == [13, 14, 15, 16, 17]  # type: ignore[arg-type]


def test_a_gateway_that_swallows_submissions(net: Devnet, proxies: list[Proxy], number: str, photo: Path) -> None:
    """It says committed and forwards nothing: the client sees no proof and goes to the other one."""
    liar, honest = proxies

    def swallow(name: str, body: bytes) -> tuple[int, bytes] | None:
        if name != "POST /v1/submissions":
            return None
        from fazhi_ledger.canonical import decode
        from fazhi_ledger.submission import Item
        from fazhi_ledger.suites import ED25519_SHA256

        items = [Item.decode(data) for data in decode(body)]  # type: ignore[union-attr, arg-type]
        ids = [item.id(ED25519_SHA256).hex() for item in items]
        results = [
            {"id": one, "status": "committed", "height": 1, "index": 0, "code": "OK", "parameters": {}} for one in ids
        ]
        return 200, json.dumps({"results": results}).encode()

    liar.before = swallow
    with through(net, [liar, honest], f"swallow-{number[-4:]}.db") as chain:
        case = chain.open_case("penalty", number=number, signer=chain.officer())
        flushed = chain.flush()
        assert flushed.undecided == 0
        assert receipt_of(case.record("FILED", signer=chain.officer("head"))).number_in_case == 2
        assert steps(chain, number) == ["LEAD", "FILED"]


@pytest.mark.parametrize("word", ["invalid", "conflict"])
def test_a_slander_is_checked_with_another_gateway(net: Devnet, proxies: list[Proxy], number: str, word: str) -> None:
    liar, honest = proxies

    def slander(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
        if name != "POST /v1/submissions" or status not in (200, 202):
            return None
        value = json.loads(body)
        for result in value["results"]:
            result.update(status=word, code="unknown-key", height=None, index=None)
        return 200, json.dumps(value).encode()

    liar.meddle = slander
    with through(net, [liar, honest], f"slander-{word}-{number[-4:]}.db") as chain:
        assert receipt_of(chain.open_case("penalty", number=number, signer=chain.officer()).opening).number_in_case == 1


def test_a_slander_is_not_believed_while_the_others_are_away(net: Devnet, proxies: list[Proxy], number: str) -> None:
    """A gateway that keeps the bytes and says "conflict" waits for them to be signed anew, to deliver both."""
    liar, honest = proxies
    kept: list[bytes] = []

    def keep(name: str, body: bytes | None) -> tuple[int, bytes] | None:
        if name != "POST /v1/submissions":
            return None
        kept.append(body or b"")
        items = [Item.decode(data) for data in decode(body)]  # type: ignore[union-attr, arg-type]
        ids = [item.id(ED25519_SHA256).hex() for item in items]
        told: dict[str, Any] = {
            "status": "conflict",
            "height": None,
            "index": None,
            "code": "seq-used",
            "parameters": {},
        }
        return 200, json.dumps({"results": [{"id": one, **told} for one in ids]}).encode()

    liar.before = keep
    honest.open = False
    with through(net, [liar, honest], f"kept-{number[-4:]}.db", timeout_s=3.0) as chain:
        opening = chain.open_case("penalty", number=number, signer=chain.officer()).opening
        assert isinstance(opening, Pending)  # undecided, not refused: nothing invites to sign it again
        assert kept
        honest.open = True
        assert chain.flush().committed == 1
        assert steps(chain, number) == ["LEAD"]


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>captive portal</html>"),
        (200, b"[]"),
        (200, b'{"results": []}'),
        (200, b'{"results": [{"id": "00", "status": "committed"}]}'),
        (500, b"oops"),
        (502, b""),
        (302, b""),
        (200, b"[" * 100_000),
    ],
)
def test_garbage_is_passed_over(net: Devnet, proxies: list[Proxy], number: str, answer: tuple[int, bytes]) -> None:
    broken, honest = proxies
    broken.before = lambda name, _: None if name == "GET /v1/genesis" else answer
    with through(net, [broken, honest], f"garbage-{time.monotonic_ns()}.db") as chain:
        case = chain.open_case("penalty", number=number, signer=chain.officer())
        assert receipt_of(case.opening).number_in_case == 1
        assert case.show().count == 1


def test_without_a_token_nobody_is_told_that_nothing_was_recorded(
    net: Devnet, proxies: list[Proxy], number: str
) -> None:
    """Submitting takes no token, the receipt does: the step is on the chain, and the error must not deny it."""
    shut = proxies[0]
    shut.meddle = without_proofs
    shut.before = lambda name, _: (401, b"{}") if name.startswith("GET") and name != "GET /v1/genesis" else None
    with through(net, [shut], f"shut-{number[-4:]}.db") as chain:
        opening = chain.open_case("penalty", number=number, signer=chain.officer()).opening
        assert isinstance(opening, Pending)
        assert isinstance(opening.why, NotAuthorised)
        assert opening.why.outcome is Outcome.UNKNOWN
        assert steps(chain, number) == ["LEAD"]
        shut.before = None
        assert receipt_of(opening.receipt()).number_in_case == 1
        shut.before = lambda name, _: (401, b"{}") if name.startswith("GET") else None
        with pytest.raises(NotAuthorised) as caught:
            chain.receipt(opening.id)
        assert caught.value.outcome is Outcome.RECORDED


def test_flush_says_what_was_refused_and_why(net: Devnet, proxies: list[Proxy], number: str) -> None:
    with through(net, proxies[:1], f"refused-{number[-4:]}.db") as chain:
        case = filed(chain, number)
        proxies[0].open = False
        late = case.record("CLOSED", signer=chain.officer("head"))
        assert isinstance(late, Pending)
        proxies[0].open = True
        flushed = chain.flush()
        assert (flushed.refused, flushed.failed) == (1, ())
        (reason,) = flushed.reasons
        assert isinstance(reason, SubmissionRefused)
        assert reason.pending is not None
        assert reason.pending.id == late.id
        assert "DECIDED" in str(reason)


def test_a_script_that_does_not_close_ends_in_order(net: Devnet, number: str) -> None:
    script = (
        "import sys; from fazhi_sdk.devnet import Devnet; from fazhi_sdk.testing import connect\n"
        "chain = connect(Devnet.open(sys.argv[1]), sys.argv[2])\n"
        "chain.open_case('penalty', number=sys.argv[3], signer=chain.officer())\n"
        "sys.exit('as it should')"
    )
    given = [str(net.folder), f"open-{number[-4:]}.db", number]
    done = subprocess.run(
        [sys.executable, "-c", script, *given], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "as it should\n"


def test_an_old_answer_does_not_hide_what_was_seen(net: Devnet, proxies: list[Proxy], number: str, photo: Path) -> None:
    liar, honest = proxies
    old: dict[str, tuple[int, bytes]] = {}

    def replay(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
        if name.startswith("GET /v1/cases/"):
            return old.setdefault(name, (status, body))
        return None

    liar.meddle = replay
    with through(net, [liar, honest], f"stale-{number[-4:]}.db") as chain:
        case = filed(chain, number)
        assert case.show().count == 2
        receipt_of(case.record("INVEST", [photo]))
        assert case.show().count == 3


def test_a_trail_with_an_event_left_out(net: Devnet, proxies: list[Proxy], number: str) -> None:
    liar = proxies[0]

    def leave_out(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
        if not name.startswith("GET /v1/cases/"):
            return None
        value = json.loads(body)
        del value["events"][0]
        return status, json.dumps(value).encode()

    with through(net, [liar], f"trail-{number[-4:]}.db") as chain:
        case = filed(chain, number)
        liar.meddle = leave_out
        with pytest.raises(BadAnswer, match="no event"):
            case.trail()


def test_outbox_restored_from_an_old_copy(
    client: Client, net: Devnet, number: str, photo: Path, tmp_path: Path
) -> None:
    """Its lane has moved on without it: the chain takes one body for each place, the other is signed again."""
    outbox = f"restored-{number[-4:]}.db"
    with connect(net, outbox) as chain:
        case = filed(chain, number)
    shutil.copy(net.folder / outbox, tmp_path / "copy.db")
    with connect(net, outbox) as chain:
        first = receipt_of(chain.case("penalty", number, chain.officer()).record("INVEST", [photo]))
    shutil.copy(tmp_path / "copy.db", net.folder / outbox)
    for suffix in ("-wal", "-shm"):
        (net.folder / f"{outbox}{suffix}").unlink(missing_ok=True)
    with connect(net, outbox) as chain:
        case = chain.case("penalty", number, chain.officer())
        with pytest.raises(Conflict):
            case.record("INVEST", [photo], fields={"n": 2})
        (pending,) = chain.pending()
        again = pending.resign(chain.officer()).receipt()
        assert again.number_in_case == first.number_in_case + 1
        assert receipt_of(case.record("INVEST", [photo], fields={"n": 3})).number_in_case == 5
        assert chain.pending() == []
    assert len(steps(chain, number)) == 5


def test_an_expired_place_is_voided_and_nothing_waits_for_ever(
    net: Devnet, proxies: list[Proxy], number: str, photo: Path
) -> None:
    with through(net, proxies, f"expired-{number[-4:]}.db") as chain:
        case = filed(chain, number)
        for proxy in proxies:
            proxy.open = False
        late = case.record("INVEST", [photo], valid_for_ms=1, fields={"n": 1})
        waiting = case.record("INVEST", [photo], fields={"n": 2})
        assert isinstance(late, Pending)
        assert isinstance(waiting, Pending)
        for proxy in proxies:
            proxy.open = True
        with pytest.raises(Expired):
            late.receipt()
        assert chain.flush(timeout_s=1).undecided == 1, "its place in the lane is open: what follows waits"
        third = receipt_of(case.record("INVEST", [photo], fields={"n": 3}))
        second = waiting.receipt()
        assert (second.number_in_case, third.number_in_case) == (3, 4)
        again = late.resign(chain.officer()).receipt()
        assert again.number_in_case == 5
        assert [one.status for one in chain.pending()] == []


def test_abandoned_drafts_free_their_lanes(client: Client, number: str, photo: Path, tmp_path: Path) -> None:
    chain = client()
    case: Case = filed(chain, number)
    saved = case.draft("INVEST", [photo]).save(tmp_path / "x.draft")
    named = case.draft("INVEST", [photo], cosigners=[chain.officer("officer2").public_key]).save(tmp_path / "y.draft")
    saved.abandon()
    named.abandon()
    assert chain.pending() == []
    assert isinstance(case.record("INVEST", [photo]), Receipt)
    assert chain.flush().undecided == 0
