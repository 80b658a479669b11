"""Lists of cases: each case proven, all of them proven to be all, and what is kept back shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fazhi_sdk import Receipt
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.errors import BadAnswer, InputError, ProofFailed
from fazhi_sdk.lists import KnownRules, ListedCase, Series
from fazhi_sdk.testing import TestChain
from fazhi_sdk.trust import Trust

from .proxy import Meddle, Proxy
from .test_chain import receipt_of
from .test_delivery import proxies, through

__all__ = ["proxies"]


@pytest.fixture
def series(chain: TestChain, number: str) -> Series:
    """A series of at least three cases."""
    opened: list[Receipt] = []
    for part in range(3):
        case = chain.open_case("penalty", number=f"{number}-{part}", signer=chain.officer())
        opened.append(receipt_of(case.opening))
    found, _ = next(one for one in chain.series() if one[0][:2] == ("zfj", "penalty"))
    return found


def changed(change: Callable[[dict[str, Any]], None]) -> Meddle:
    """Another list of cases than the node gave."""

    def meddle(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
        if name != "GET /v1/cases":
            return None
        answer = json.loads(body)
        change(answer)
        return status, json.dumps(answer).encode()

    return meddle


def test_every_case_is_listed_and_its_rules_are_known(chain: TestChain, series: Series, number: str) -> None:
    found = chain.cases(*series)
    assert (found.series, found.missing, found.count) == (series, (), len(found.cases))
    assert [case.head.serial for case in found.cases] == list(range(1, found.count + 1))
    ids = {chain.case("penalty", f"{number}-{part}", org="zfj").id for part in range(3)}
    assert ids <= {case.case_id for case in found.cases}
    assert dict(chain.series())[series] == found.count
    known = chain.rules_of(found.as_of, "penalty")
    assert {case.head.rule_set_hash for case in found.cases} <= known.rule_sets.keys()
    assert chain.rules_of(found.as_of, "nothing").rule_sets == {}


def test_a_series_without_a_case_is_proven_empty(chain: TestChain, series: Series) -> None:
    for empty in (("zfj", "penalty", 1999), ("gzc", "penalty", series[2]), ("zfj", "nothing", series[2])):
        found = chain.cases(*empty)
        assert (found.count, found.cases, found.missing) == (0, (), ())


def test_long_lists_come_in_pages(net: Devnet, proxies: list[Proxy], series: Series) -> None:
    """A gateway that shows one case at a time."""

    def one(answer: dict[str, Any]) -> None:
        answer["next"] = 1 if len(answer["cases"]) > 1 else None  # only whether there is one counts
        del answer["cases"][1:]

    proxies[0].meddle = changed(one)
    with through(net, proxies[:1], "pages.db") as chain:
        found = chain.cases(*series)
        assert (found.missing, len(found.cases)) == ((), found.count)
        assert proxies[0].seen.count("GET /v1/cases") == found.count


def test_what_one_gateway_keeps_back_another_shows(net: Devnet, proxies: list[Proxy], series: Series) -> None:
    proxies[0].meddle = changed(lambda answer: answer["cases"].pop(1))
    with through(net, proxies[:2], "two.db") as chain:
        found = chain.cases(*series)
        assert (found.missing, len(found.cases)) == ((), found.count)


@pytest.mark.parametrize("kept_back", [0, 1, -1])
def test_what_all_keep_back_is_missing(
    net: Devnet, proxies: list[Proxy], series: Series, kept_back: int, number: str
) -> None:
    proxies[0].meddle = changed(lambda answer: answer["cases"].pop(kept_back))
    with through(net, proxies[:1], f"missing-{number[-4:]}.db") as chain:
        found = chain.cases(*series)
        serial = kept_back + 1 if kept_back >= 0 else found.count
        assert found.missing == (serial,)
        assert [case.head.serial for case in found.cases] == [n for n in range(1, found.count + 1) if n != serial]


def test_a_gateway_that_shows_nothing_hides_nothing(net: Devnet, proxies: list[Proxy], series: Series) -> None:
    proxies[0].meddle = changed(lambda answer: answer.update(cases=[], next=None))
    with through(net, proxies[:1], "nothing.db") as chain:
        found = chain.cases(*series)
        assert (found.cases, found.missing) == ((), tuple(range(1, found.count + 1)))
        assert found.count >= 3


def flipped(encoded: str) -> str:
    data = bytearray(base64.b64decode(encoded))
    data[-1] ^= 1
    return base64.b64encode(bytes(data)).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer.update(counter=flipped(answer["counter"])),
        lambda answer: answer.update(counter=None),
        lambda answer: answer["cases"][0].update(head=flipped(answer["cases"][0]["head"])),
        lambda answer: answer["cases"][0].update(case="00" * 32),
        lambda answer: answer["cases"][0].update(proof=answer["cases"][1]["proof"]),
        lambda answer: answer.update(header=flipped(answer["header"])),
    ],
)
def test_forgeries_are_refused(
    net: Devnet, proxies: list[Proxy], series: Series, change: Callable[[dict[str, Any]], None], number: str
) -> None:
    proxies[0].meddle = changed(change)
    with through(net, proxies[:1], f"forged-{number[-4:]}.db") as chain, pytest.raises(ProofFailed):
        chain.cases(*series)


def test_cases_of_another_series_are_refused(net: Devnet, proxies: list[Proxy], series: Series) -> None:
    """Proven as they are, they stand for no serial of this one."""
    of_another: dict[str, Any] = {}
    with through(net, proxies[:1], "another.db") as chain:
        proxies[0].meddle = changed(of_another.update)
        chain.cases(*series)
        proxies[0].meddle = changed(lambda answer: answer.update(cases=of_another["cases"]))
        with pytest.raises(ProofFailed):
            chain.cases("gzc", *series[1:])


def naming(*more: tuple[str, str, int], hide: bool = False) -> Meddle:
    """A gateway that names these series, too."""

    def meddle(name: str, status: int, body: bytes) -> tuple[int, bytes] | None:
        if name != "GET /v1/series":
            return None
        answer = json.loads(body)
        named = [{"org": org, "procedure": procedure, "year": year, "cases": 1} for org, procedure, year in more]
        answer["series"] = named + ([] if hide else answer["series"])
        return status, json.dumps(answer).encode()

    return meddle


def surveyed(chain: TestChain) -> dict[Series, int]:
    found: dict[Series, int] = {}

    def see(case: ListedCase, known: KnownRules) -> None:
        head = case.head
        one = head.org, head.procedure, head.year
        found[one] = found.get(one, 0) + 1

    chain.survey(see)
    return found


def test_series_that_cannot_be_keep_nobody_from_the_others(
    net: Devnet, proxies: list[Proxy], series: Series, number: str
) -> None:
    made_up = (
        ("ZFJ&", "penalty", series[2]),
        ("zfj", "no_such", series[2]),
        ("zfj", "penalty", 0),
        ("zfj.a", "penalty", 1),
    )
    proxies[0].meddle = naming(*made_up)
    with through(net, proxies[:1], f"made-up-{number[-4:]}.db") as chain:
        assert surveyed(chain)[series] >= 3


def test_series_made_up_in_plenty_are_not_gone_through_for_ever(
    net: Devnet, proxies: list[Proxy], series: Series, number: str
) -> None:
    proxies[0].meddle = naming(*(("zfj.u" + str(unit), "penalty", series[2]) for unit in range(200)))
    with through(net, proxies[:1], f"plenty-{number[-4:]}.db") as chain:
        with pytest.raises(BadAnswer, match="series without cases"):
            surveyed(chain)
        assert proxies[0].seen.count("GET /v1/cases") < 200


def test_a_member_that_has_left_is_surveyed_though_no_gateway_names_it(
    net: Devnet, proxies: list[Proxy], series: Series, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies[0].meddle = naming(hide=True)
    with through(net, proxies[:1], f"left-{number[-4:]}.db") as chain:
        seats = chain.inner.trust.newest_set
        rest = tuple(seat for seat in seats.validators if seat.member != "zfj")
        monkeypatch.setattr(Trust, "newest_set", property(lambda _: replace(seats, validators=rest)))
        assert surveyed(chain)[series] >= 3


def test_old_lists_are_not_taken(net: Devnet, proxies: list[Proxy], series: Series, number: str) -> None:
    old: dict[str, Any] = {}
    with through(net, proxies[:1], "old.db") as chain:
        proxies[0].meddle = changed(old.update)
        chain.cases(*series)
        receipt_of(chain.open_case("penalty", number=f"{number}-new", signer=net.officer()).opening)
        proxies[0].meddle = changed(lambda answer: answer.update(old))
        with pytest.raises(BadAnswer) as caught:
            chain.cases(*series)
        assert caught.value.code == "stale-answer"


def test_rules_that_are_others_or_not_whole_are_refused(
    net: Devnet, proxies: list[Proxy], series: Series, number: str
) -> None:
    changes: list[Callable[[dict[str, Any]], None]] = [
        lambda answer: answer.update(rule_sets=[]),
        lambda answer: answer.update(rules=flipped(answer["rules"])),
    ]
    for at, change in enumerate(changes):

        def meddle(
            name: str, status: int, body: bytes, change: Callable[[dict[str, Any]], None] = change
        ) -> tuple[int, bytes] | None:
            if not name.startswith("GET /v1/rules/"):
                return None
            answer = json.loads(body)
            change(answer)
            return status, json.dumps(answer).encode()

        proxies[0].meddle = meddle
        with through(net, proxies[:1], f"rules-{number[-4:]}-{at}.db") as chain, pytest.raises(ProofFailed):
            chain.rules_of(chain.checkpoint(), "penalty")


def test_what_is_installed_of_a_procedure_is_not_forged(
    net: Devnet, proxies: list[Proxy], chain: TestChain, series: Series, number: str
) -> None:
    """A procedure that the genesis does not install is learnt from a gateway: it can neither invent nor hide a part."""
    genuine = chain.portal.run(chain.inner.lists.installed("penalty"))
    assert list(genuine) == chain.inner.rule_sets("penalty") != []
    changes: list[Callable[[dict[str, Any]], None]] = [
        lambda answer: answer.update(rule_sets=[]),
        lambda answer: answer.update(entry=None),
        lambda answer: answer.update(entry=flipped(answer["entry"])),
    ]
    for at, change in enumerate(changes):

        def meddle(
            name: str, status: int, body: bytes, change: Callable[[dict[str, Any]], None] = change
        ) -> tuple[int, bytes] | None:
            if not name.startswith("GET /v1/procedures/"):
                return None
            answer = json.loads(body)
            change(answer)
            return status, json.dumps(answer).encode()

        proxies[0].meddle = meddle
        with through(net, proxies[:1], f"installed-{number[-4:]}-{at}.db") as asker, pytest.raises(ProofFailed):
            asker.portal.run(asker.inner.lists.installed("penalty"))
    proxies[0].meddle = changed(lambda _: None)
    with through(net, proxies[:1], f"installed-{number[-4:]}.db") as asker, pytest.raises(InputError) as caught:
        asker.learn("nothing")
    assert caught.value.code == "unknown-procedure"
