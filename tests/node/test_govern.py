"""What a member's operator sees of a proposal, and what the vote is then for."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest
from fazhi_contracts.membership import seat_roles
from fazhi_contracts.proposals import Proposal
from fazhi_ledger.genesis import Member, prove_possession, tls_fingerprint
from fazhi_node.exits import Misuse
from fazhi_node.govern import Operator, described

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
