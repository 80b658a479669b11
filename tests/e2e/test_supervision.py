"""Supervision on a real network: what is due shows, a notice of the judicial bureau starts a term, an answer that comes
late is a finding, and the figures are those of the cases."""

from __future__ import annotations

import io
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fazhi_cli.main import main
from fazhi_sdk import Receipt
from fazhi_sdk.devnet import node_command
from fazhi_sdk.errors import InputError, SubmissionRefused
from fazhi_sdk.testing import TestChain, network

from tests.cli.commands import Outcome

DAY_MS = 86_400_000

pytestmark = pytest.mark.slow


class Bureau:
    """A network whose members voted calendars, and the command on it."""

    def __init__(self, chain: TestChain) -> None:
        self.chain = chain
        self.now_ms = time.time_ns() // 1_000_000

    def ago(self, days: int) -> int:
        return self.now_ms - days * DAY_MS

    def record(self, number: str, step: str, who: str, days_ago: int, **given: Any) -> Receipt:
        """A step of a case of the enforcement bureau, said to have happened so many days ago."""
        chain = self.chain
        case = chain.case("penalty", number, chain.officer(who), org="zfj")
        receipt = case.record(step, occurred_at=self.ago(days_ago), **given)
        assert isinstance(receipt, Receipt), receipt
        return receipt

    def command(self, *arguments: str) -> Outcome:
        folder, out, err = self.chain.network.folder, io.StringIO(), io.StringIO()
        given = [*arguments, "--devnet", str(folder), "--outbox", str(folder / "cli.db"), "--lang", "en"]
        with redirect_stdout(out), redirect_stderr(err):
            code = main(given)
        return Outcome(code, out.getvalue(), err.getvalue())

    def document(self, *arguments: str) -> Any:
        """What a command says as JSON."""
        outcome = self.command(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out)

    def terms(self, *arguments: str) -> list[tuple[int, str, str]]:
        """Serial, step and state of the terms that run."""
        terms = self.document("supervise", *arguments)["terms"]
        return [(one["serial"], one["step"], one["state"]) for one in terms]


def vote_calendars(chain: TestChain, folder: Path) -> None:
    """Every Monday to Friday of these years is a working day."""
    year = datetime.now(UTC).year
    homes = [node.home for node in chain.network.nodes.values()]
    for one in (year - 1, year, year + 1):
        path = folder / f"{one}.toml"
        path.write_text(f'calendar = {one}\nsource = "a test"\noff = []\nwork = []\n')
        made = ran("rules", str(path), "--home", homes[0])
        found = re.search(r"\b[0-9a-f]{64}\b", made)
        assert found is not None
        said = [ran("vote", found[0], "yes", "--home", home) for home in homes[1:3]]
        assert "passed" in said[-1]


def ran(*arguments: str) -> str:
    given = [node_command(), *arguments, "--lang", "en"]
    return subprocess.run(given, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture(scope="module")
def bureau(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bureau]:
    folder = tmp_path_factory.mktemp("supervision")
    with network(folder=folder / "made", parameters={"late_record_ms": 360 * DAY_MS}) as chain:
        vote_calendars(chain, folder)
        yield Bureau(chain)


def test_what_is_due_a_notice_and_its_answer(bureau: Bureau) -> None:
    """One story, from an overdue decision to the agency's late answer and the next notice."""
    record = bureau.record
    record("督一", "LEAD", "officer", 120)
    record("督一", "FILED", "head", 110)
    record("督二", "LEAD", "officer", 1)
    assert bureau.terms("--overdue") == [(1, "DECIDED", "overdue")]
    assert (2, "FILED", "due") in bureau.terms()

    record("督一", "SUPNOTICE", "supervisor", 30)
    assert bureau.terms("--overdue", "--agency", "zfj") == [(1, "DECIDED", "overdue"), (1, "SUPANSWER", "overdue")]
    assert bureau.terms("--agency", "gzc") == []
    shown = bureau.command("supervise", "--overdue", "--procedure", "penalty")
    assert shown.code == 0
    assert re.search(r"red +no\. 1 of .* answer to the supervisor's notice SUPANSWER .* days overdue", shown.out), (
        shown.out
    )
    assert "serials 1–2 proven one by one" in shown.out

    answer = bureau.chain.case("penalty", "督一", bureau.chain.officer("head"), org="zfj").record(
        "SUPANSWER", occurred_at=bureau.now_ms, fields={"report": "已责成办理"}
    )
    assert isinstance(answer, Receipt)
    assert [finding.code for finding in answer.findings if finding.clause == "行政执法监督条例"] == [
        "deadline-exceeded"
    ]
    assert bureau.terms("--overdue") == [(1, "DECIDED", "overdue")]

    record("督一", "SUPDECISION", "supervisor", 0)
    assert (1, "SUPDECANS", "due") in bureau.terms("--within", "20")
    assert bureau.terms("--within", "0") == [(1, "DECIDED", "overdue")]
    view = bureau.chain.case("penalty", "督一", org="zfj").show()
    assert view.step == "FILED", "what the supervisor says moves no case on"


def test_only_the_judicial_bureau_supervises(bureau: Bureau) -> None:
    bureau.record("督三", "LEAD", "officer", 1)
    for who in ("officer", "head", "notary"):
        with pytest.raises(SubmissionRefused) as caught:
            bureau.record("督三", "SUPNOTICE", who, 0)
        assert caught.value.code == "wrong-standing"


def test_dockets_are_shown_where_they_are_known(bureau: Bureau, tmp_path: Path) -> None:
    bureau.record("桐综执罚〔2026〕7号", "LEAD", "officer", 1)
    (tmp_path / "numbers").write_text("另案\n桐综执罚（2026）7号\n", "utf-8")
    document = bureau.document("supervise", "--numbers", str(tmp_path / "numbers"))
    assert {one["number"] for one in document["terms"]} >= {"桐综执罚〔2026〕7号", None}


def test_figures_are_those_of_the_cases(bureau: Bureau) -> None:
    before = bureau.document("statistics", "--agency", "zfj")["figures"]
    opened = before[0]["opened"] if before else 0
    for number in ("统一", "统二"):
        bureau.record(number, "LEAD", "officer", 50)
    for step, who, clear in (
        ("FILED", "head", None),
        ("INVEST", "officer", None),
        ("INVEND", "officer", None),
        ("NOTICE", "officer", None),
        ("DECIDED", "head", {"outcome": "none"}),
    ):
        bureau.record("统一", step, who, 40, **({} if clear is None else {"clear": clear}))
    (figures,) = bureau.document("statistics", "--agency", "zfj")["figures"]
    assert figures["opened"] == opened + 2
    assert figures["records"] == sum(figures["steps"].values())
    shown = bureau.command("statistics", "--agency", "zfj").out
    for step, number in figures["steps"].items():
        assert f"{step} {number}" in shown, shown
    assert "DECIDED no penalty 1" in shown, "in words"
    assert "findings are not counted" in shown.lower()
    assert {"step": "DECIDED", "field": "outcome", "value": "none", "cases": 1} in figures["decisions"]
    series = bureau.document("statistics")["series"]
    assert [(one["org"], one["cases"], one["missing"]) for one in series] == [("zfj", figures["opened"], [])]
    assert bureau.document("statistics", "--to", "2020-12-31")["figures"] == []
    for nothing in (("--year", "2020"), ("--procedure", "nothing"), ("--agency", "gzc")):
        assert bureau.document("statistics", *nothing)["figures"] == []
    assert bureau.document("statistics", "--from", "2020-01-01", "--to", "2100-01-01")["figures"] == [figures]
    assert bureau.command("statistics", "--from", "yesterday").code == 2


def test_the_notary_attests_what_it_has_verified(bureau: Bureau) -> None:
    """A whole trail, and a record; an attestation that names another submission than it counts to is said to."""
    chain = bureau.chain
    bureau.record("证一", "LEAD", "officer", 2)
    bureau.record("证一", "FILED", "head", 1)
    case = chain.case("penalty", "证一", chain.officer("notary"), org="zfj")
    draft, trail = case.attest()
    assert len(trail.events) == 2
    assert isinstance(draft.submit(), Receipt)
    key = str(chain.network.folder / "officers" / "notary.key")
    said = bureau.command("case", "attest", "证一", "--org", "zfj", "--key", key, "--through", "1", "--scope", "record",
        "-o", str(chain.network.folder / "attest.json"))  # fmt: skip
    assert said.code == 0, said.err
    assert "verified 3 events with 0 findings; attesting up to event 1" in said.err
    wrong = case.record("ATTEST", clear={"scope": "trail", "through": 2}, refs=[trail.events[0].submission_id])
    assert isinstance(wrong, Receipt)
    document = bureau.document("case", "trail", "证一", "--org", "zfj")
    assert [(one["number"], one["scope"], one["through"], one["problem"]) for one in document["attestations"]] == [
        (3, "trail", 2, ""),
        (4, "record", 1, ""),
        (5, "trail", 2, "other-submission"),
    ]
    shown = bureau.command("case", "trail", "证一", "--org", "zfj").out
    assert "attested: event 3 (Notary Office) attests events 1–2" in shown
    assert "NOT attested: the submission named by event 5 (Notary Office) is not that of event 2" in shown
    judged = bureau.command("case", "verdict", "证一", "--org", "zfj")
    assert "NOT attested: the submission named by event 5" in judged.out, judged.err
    assert "attested: event 3 (Notary Office) attests events 1–2" in judged.out
    with pytest.raises(InputError) as caught:
        case.attest(through=9)
    assert caught.value.code == "no-such-event"
    officer = chain.case("penalty", "证一", chain.officer(), org="zfj")
    with pytest.raises(SubmissionRefused) as refused:
        officer.attest()[0].submit()
    assert refused.value.code == "wrong-standing", "a party does not attest its own case"
