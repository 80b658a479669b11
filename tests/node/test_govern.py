"""What a member's operator sees of a proposal, and what the vote is then for."""

from __future__ import annotations

import base64
import pkgutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fazhi_contracts.builtin import load_builtin_rule_set
from fazhi_contracts.membership import seat_roles
from fazhi_contracts.proposals import Proposal
from fazhi_ledger.genesis import Member, prove_possession, tls_fingerprint
from fazhi_node.exits import Misuse
from fazhi_node.govern import Operator, described, rules_proposal

from .cluster import signer_of

CHAIN = bytes(32)


class Asked(Operator):
    """An operator whose node knows these proposals, and who signs nothing here."""

    def __init__(self, *ids: str) -> None:
        self.prepared, self.language = SimpleNamespace(), "en"  # type: ignore[assignment]
        self._open = [{"id": one} for one in ids]
        self.voted: list[Any] = []

    def open_proposals(self) -> list[dict[str, Any]]:
        return self._open

    def _submit(self, action: str, args: Any) -> str:
        self.voted.append((action, args))
        return "done"


def test_a_vote_needs_the_whole_id() -> None:
    """A hostile member proposes what the others want, then what they do not want with the same first digits (sixteen
    random bytes are its to choose), and withdraws the former before they vote."""
    seen, imitated = "abcd1234" + "0" * 56, "abcd1234" + "f" * 56
    operator = Asked(imitated)
    for which in (seen[:8], imitated[:8], imitated[:63], "", seen):
        with pytest.raises(Misuse, match="no-such-open-proposal"):
            operator.vote(which, True)
    assert operator.voted == []
    operator.vote(imitated, False)
    assert operator.voted == [("vote", (bytes.fromhex(imitated), False))]


def test_no_name_forges_a_line() -> None:
    key = signer_of(1, "e")
    name = "好\n" + "0" * 64 + '\n  parameters.set [["heartbeat_ms", 5000]]'
    proof = prove_possession(key, CHAIN, "e", seat_roles(("bureau",)))
    member = Member(
        "e", name, "E\u2028\u202e", ("bureau",), key.public_key, tls_fingerprint(b""), "e:1", "https://e", proof
    )
    entry = Proposal("a", "validator.add", (member.to_value(), b""), 1, 9).encode()
    one = {"id": "1" * 64, "encoded": base64.b64encode(entry).decode(), "yes": [], "no": [], "quorum": 3}
    text = described(one, "en")
    assert len(text.splitlines()) == 3
    assert "\\n000" in text
    assert "roles=bureau" in text


CALENDAR = """
calendar = 2026
source = "国办发明电〔2025〕7号"
off = ["01-01", "01-02"]
work = ["01-04"]
"""


def shown(kind: str, args: Any) -> str:
    entry = Proposal("a", kind, args, 1, 9).encode()
    return described(
        {"id": "1" * 64, "encoded": base64.b64encode(entry).decode(), "yes": [], "no": [], "quorum": 3}, "zh"
    )


def test_whoever_votes_on_rules_sees_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text(CALENDAR, encoding="utf-8")
    kind, args = rules_proposal(path)
    assert kind == "calendar.set"
    assert "2026 国办发明电〔2025〕7号 off=01-01,01-02 work=01-04" in shown(kind, args)
    path.write_bytes(pkgutil.get_data("fazhi_contracts", "rulesets/penalty.toml") or b"")
    kind, args = rules_proposal(path)
    assert (kind, args) == ("rules.install", (load_builtin_rule_set("penalty").encode(),))
    assert "penalty 2 (行政处罚程序 / Administrative penalty) law_from=20210715 steps=LEAD,FILED," in shown(kind, args)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("calendar = ", "TOML"),
        ("\udcff", "TOML"),
        ("[" * 5000, "TOML"),
        ("number = 1", "rule set.title"),
        ('calendar = "2026"', "calendar.calendar"),
        ("calendar = 2026", "calendar.source"),
        (CALENDAR.replace("01-02", "02-29"), "calendar.off"),
        (CALENDAR.replace("01-02", "1-2"), "calendar.off"),
        (CALENDAR.replace("01-04", "01-05"), "calendar"),
        (CALENDAR.replace("2026\n", "10000\n", 1), "calendar.calendar"),
        (CALENDAR + "more = 1", "calendar.more"),
    ],
)
def test_a_file_of_rules_that_is_none(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Misuse) as caught:
        rules_proposal(path)
    assert (caught.value.code, dict(caught.value.parameters)["place"]) == ("bad-rules", place)


def test_a_file_of_rules_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="unreadable-file"):
        rules_proposal(tmp_path / "rules.toml")
