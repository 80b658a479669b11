"""Roles of organisations, parameters, officers and units on a running network, by the operators' own commands: each
takes effect, and whoever has no right to it is refused."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fazhi_sdk import FileSigner, Receipt
from fazhi_sdk.devnet import node_command
from fazhi_sdk.errors import SubmissionInvalid, SubmissionRefused
from fazhi_sdk.testing import TestChain, network

from tests.cli.commands import fazhi

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    with network() as chain:
        yield chain


def command(chain: TestChain, org: str, *arguments: str) -> tuple[int, str]:
    """A command of ``fazhi-node`` at a member's node; exit code, and what it said."""
    given = [node_command(), *arguments, "--home", chain.network.nodes[org].home, "--lang", "en"]
    done = subprocess.run(given, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def done(chain: TestChain, org: str, *arguments: str) -> str:
    code, said = command(chain, org, *arguments)
    assert code == 0, said
    return said


def pass_it(chain: TestChain, *arguments: str) -> None:
    """Proposed by one member, with the votes of two others."""
    found = re.search(r"\b[0-9a-f]{64}\b", done(chain, "sfj", *arguments))
    assert found is not None
    shown = done(chain, "gzc", "proposals")
    assert found[0] in shown
    done(chain, "gzc", "vote", found[0], "yes")
    assert "passed" in done(chain, "fy", "vote", found[0], "yes")


def attest(chain: TestChain, number: str) -> Receipt:
    case = chain.case("penalty", number, chain.officer("notary"), org="zfj")
    receipt = case.record("ATTEST", clear={"scope": "record", "through": 1})
    assert isinstance(receipt, Receipt)
    return receipt


def test_an_organisation_gains_and_loses_a_role_by_vote(chain: TestChain) -> None:
    opening = chain.open_case("penalty", "治一", chain.officer()).opening
    assert isinstance(opening, Receipt)
    assert attest(chain, "治一").facts.signers[0].org == "gzc"
    pass_it(chain, "member", "roles", "gzc")
    with pytest.raises(SubmissionRefused) as caught:
        attest(chain, "治一")
    assert caught.value.code == "wrong-standing"
    alone = done(chain, "zfj", "member", "roles", "zfj", "--role", "enforcement", "--role", "notary")
    assert "1 yes" in alone, "a bureau alone makes itself no notary"
    with pytest.raises(SubmissionRefused):
        chain.case("penalty", "治一", chain.officer(), org="zfj").record(
            "ATTEST", clear={"scope": "record", "through": 1}
        )
    pass_it(chain, "member", "roles", "gzc", "--role", "notary")
    attest(chain, "治一")
    shown = done(chain, "fy", "proposals", "--all")
    assert len(re.findall(r"^[0-9a-f]{64}$", shown, re.MULTILINE)) == 3
    assert re.search(r'member.roles \["gzc", \[\]\]\n.*yes fy, gzc, sfj; no -\n  passed \(height', shown), shown
    assert shown.count("passed (height") == 2
    withdrawn = re.findall(r"^[0-9a-f]{64}$", done(chain, "zfj", "proposals"), re.MULTILINE)
    done(chain, "zfj", "vote", withdrawn[0], "no")
    assert "withdrawn (height" in done(chain, "fy", "proposals", "--all")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("member", "roles", "nobody", "--role", "notary"), "holds no seat"),
        (("member", "roles", "gzc", "--role", "notary"), "has these very roles"),
        (("member", "roles", "gzc", "--role", "member"), "is reserved"),
        (("member", "remove", "gzc", "--role", "notary"), "--role belongs to member roles"),
        (("member", "remove", "gzc"), "must be at least 4"),
        (("parameters", "heartbeat_ms=1"), ""),
        (("officer", "revoke", "x"), "no public key"),
        (("officer", "revoke", "ab" * 32), ""),
        (("unit", "zfj.z1", "--name", "中队", "--name-en", "squad"), "zfj.z1"),
        (("vote", "ab" * 32, "yes"), ""),
    ],
)
def test_what_is_refused_is_said(chain: TestChain, arguments: tuple[str, ...], said: str) -> None:
    code, shown = command(chain, "sfj", *arguments)
    assert code != 0
    assert said in shown
    assert "Traceback" not in shown


def test_parameters_by_vote(chain: TestChain) -> None:
    pass_it(chain, "parameters", "late_record_ms=3600000")
    opening = chain.open_case("penalty", "治参", chain.officer()).opening  # the next block
    assert isinstance(opening, Receipt)
    rules = chain.rules_of(chain.checkpoint(), "penalty").rules
    assert rules.parameters.get("late_record_ms") == 3_600_000


def test_a_member_registers_and_revokes_its_officers_and_units(chain: TestChain, tmp_path: Path) -> None:
    done(chain, "zfj", "unit", "zfj.z1", "--name", "一中队", "--name-en", "First squad")
    code, said = command(chain, "zfj", "unit", "zfj.z1", "--name", "一中队", "--name-en", "First squad")
    assert code != 0, said

    key = tmp_path / "new.key"
    made = fazhi(
        "keygen", str(key), "--org", "zfj.z1", "--role", "officer", "--genesis-hash", chain.genesis_hash.hex(),
        "--no-passphrase",
    )  # fmt: skip
    assert made.code == 0, made.err
    card = key.with_suffix(".card")
    code, said = command(chain, "sfj", "officer", "register", str(card))
    assert code != 0, "another member answers for nobody here"
    done(chain, "zfj", "officer", "register", str(card))
    signer = FileSigner.load(key)
    opening = chain.open_case("penalty", "治二", signer, org="zfj.z1").opening
    assert isinstance(opening, Receipt)
    assert opening.facts.org == "zfj.z1"
    assert ("zfj.z1", "penalty") in {series[:2] for series, _ in chain.series()}

    other = chain.network.folder / "officers" / "officer.card"
    code, said = command(chain, "zfj", "officer", "register", str(other))
    assert code != 0
    assert "was not made for this chain" in said
    done(chain, "zfj", "officer", "revoke", signer.public_key.hex())
    with pytest.raises((SubmissionInvalid, SubmissionRefused)):
        chain.open_case("penalty", "治三", signer, org="zfj.z1")
