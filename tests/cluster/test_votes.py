"""Two contradictory bodies of one validator are seen, whoever heard them, and only where both are really signed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fazhi_consensus.messages import Claim, Commit, Prepare, PrePrepare, RoundChange, signed_message
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.keys import Signer
from fazhi_sdk.keys import FileSigner

from tests.node.edge.processes import Network

from .recording import Said, said_in
from .votes import Votes, heard

X, Y = bytes(32), b"y" * 32


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[GenesisFile, list[Signer]]:
    """A genesis, and its validators' keys in their order."""
    made = Network(tmp_path_factory.mktemp("votes"))
    signers = [FileSigner.load(node.home / "keys" / "ledger.key") for node in made.nodes]
    keys = [validator.key for validator in made.genesis.genesis.validator_set().validators]
    return made.genesis, sorted(signers, key=lambda signer: keys.index(signer.public_key))


class Speaker:
    """Validator 0 and what it signs."""

    def __init__(self, network: tuple[GenesisFile, list[Signer]]) -> None:
        self.votes = Votes(network[0])
        self._hash, self._signer = network[0].hash(), network[1][0]

    def says(self, kind: type[Claim | Prepare | Commit], round_: int, block: bytes, height: int = 5) -> None:
        signature = self._signer.sign(signed_message(self._hash, kind(0, height, round_, block, b"")))
        made = kind(0, height, round_, block, signature)
        for said in said_in(PrePrepare(made, b"") if isinstance(made, Claim) else made):
            self.votes.take(said, "somebody")

    def leaves(self, new_round: int, prepared: int | None, block: bytes = X) -> None:
        claim = (None, None) if prepared is None else (prepared, block)
        unsigned = RoundChange(0, 5, new_round, claim[0], claim[1], b"")
        signature = self._signer.sign(signed_message(self._hash, unsigned))
        for said in said_in(RoundChange(0, 5, new_round, claim[0], claim[1], signature)):
            self.votes.take(said, "somebody")

    @property
    def found(self) -> list[str]:
        return [*self.votes.violations, *self.votes.forgotten_locks()]


@pytest.fixture
def speaker(network: tuple[GenesisFile, list[Signer]]) -> Speaker:
    return Speaker(network)


def test_an_honest_validator_is_left_alone(speaker: Speaker) -> None:
    for kind in (Claim, Prepare, Commit):
        speaker.says(kind, 0, X)
        speaker.says(kind, 0, X)  # heard twice
        speaker.says(kind, 1, X)
        speaker.says(kind, 0, Y, height=6)
    speaker.leaves(1, 0)
    assert speaker.found == []


@pytest.mark.parametrize("kind", [Claim, Prepare, Commit])
def test_a_double_vote_is_seen_once(speaker: Speaker, kind: type[Claim | Prepare | Commit]) -> None:
    for block in (X, Y, X, Y):
        speaker.says(kind, 2, block)
    assert len(speaker.found) == 1
    assert "double vote: validator 0" in speaker.found[0]


def test_two_contents_of_one_round_change_are_seen(speaker: Speaker) -> None:
    speaker.leaves(2, None)
    speaker.leaves(2, 1)
    assert "double vote" in speaker.found[0]


def test_a_forgotten_lock_is_seen(speaker: Speaker) -> None:
    speaker.says(Commit, 1, X)
    speaker.leaves(2, None)
    speaker.leaves(3, 0, Y)
    speaker.leaves(4, 1)
    assert [found.split()[:2] for found in speaker.found] == [["forgotten", "lock:"]] * 2


def test_what_is_not_signed_convicts_nobody(speaker: Speaker) -> None:
    speaker.says(Prepare, 0, X)
    speaker.votes.take(Said(2, 0, 5, 0, Y.hex(), bytes(64).hex()), "a liar")
    assert speaker.found == []


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    said = [Said(3, 1, 7, 0, X.hex(), "aa"), Said(4, 2, 7, 1, "-", "bb"), Said(4, 2, 7, 2, f"1:{Y.hex()}", "cc")]
    path = tmp_path / "heard"
    path.write_text("\n# build\n" + "".join(f"{one.line()}\n" for one in said) + "3 1 7\n# build\n" + "3 1 7 0 ")
    assert list(heard(path)) == said
