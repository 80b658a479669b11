"""What must never happen, each rule a class of its own that sees everything and shares no code with the core it judges.

The quorum, the contradictions and the byte identity of repeats are computed anew here: a checker that asks the core
would share its mistakes.
"""

from __future__ import annotations

from collections.abc import Callable

from fazhi_consensus.evidence import Evidence, verify_evidence
from fazhi_consensus.messages import Commit, Message, PrePrepare, RoundChange, Signed, signed_message
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .blocks import block_hash_of, check_block

ValidatorsAt = Callable[[int], ValidatorSet]


class Violation(AssertionError):
    """A promise of the protocol was broken."""


class Agreement:
    """No two nodes, and no node before and after a crash, hold different blocks of one height; blocks form one chain
    and are valid.
    """

    def __init__(self, genesis_hash: bytes) -> None:
        self._chain: list[bytes] = [genesis_hash]

    def on_block(self, node: int, height: int, payload: bytes, certificate: CommitCertificate) -> None:
        found = block_hash_of(payload)
        if found != certificate.block_hash or height != certificate.height:
            raise Violation(f"node {node} decided a block that its certificate does not name, height {height}")
        if height < len(self._chain):
            if self._chain[height] != found:
                raise Violation(f"FORK at height {height}: node {node} has another block")
            return
        if height > len(self._chain):
            raise Violation(f"node {node} skipped to height {height}")
        try:
            check_block(payload, height, self._chain[-1], None)
        except FazhiError as error:
            raise Violation(f"an invalid block was decided at height {height}: {error}") from error
        self._chain.append(found)

    @property
    def height(self) -> int:
        """The highest height that anybody decided."""
        return len(self._chain) - 1

    def hash_at(self, height: int) -> bytes | None:
        """The block decided at a height."""
        return self._chain[height] if 0 <= height < len(self._chain) else None


class Certificates:
    """A certificate has valid COMMIT signatures of ⌈2n/3⌉ distinct validators, all of the round it names."""

    def __init__(self, suite: Suite, genesis_hash: bytes, validators_at: ValidatorsAt) -> None:
        self._suite = suite
        self._genesis_hash = genesis_hash
        self._validators_at = validators_at

    def on_certificate(self, node: int, certificate: CommitCertificate) -> None:
        validators = self._validators_at(certificate.height)
        needed = -(-2 * len(validators.validators) // 3)
        signers = {index for index, _ in certificate.signatures}
        if len(signers) < needed or len(signers) != len(certificate.signatures):
            raise Violation(f"node {node} holds a certificate of {len(signers)} signers, {needed} needed")
        for index, signature in certificate.signatures:
            vote = Commit(index, certificate.height, certificate.round, certificate.block_hash, signature)
            key = validators.validators[index].key
            try:
                self._suite.verify(key, signed_message(self._genesis_hash, vote), signature)
            except FazhiError as error:
                raise Violation(f"node {node} holds a certificate with a bad signature of validator {index}") from error


class Votes:
    """An honest validator never signs two bodies for one (height, round, phase), never signs one body twice, never
    forgets a lock.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[bytes, int, str, int], Signed] = {}
        self._commits: dict[tuple[bytes, int], set[int]] = {}

    def on_message(self, key: bytes, message: Message) -> None:
        """An honest validator with that key sends a message."""
        if isinstance(message, PrePrepare):
            self._on_signed(key, message.claim)
        elif isinstance(message, Signed):
            self._on_signed(key, message)

    def _on_signed(self, key: bytes, signed: Signed) -> None:
        body = signed.bare() if isinstance(signed, RoundChange) else signed
        slot = (key, body.height, type(body).__name__, body.round)
        before = self._said.setdefault(slot, body)
        if before != body:
            raise Violation(f"DOUBLE VOTE: {before} then {body}")
        rounds = self._commits.setdefault((key, body.height), set())
        if isinstance(body, Commit):
            rounds.add(body.round)
        elif isinstance(body, RoundChange):
            left = [round_ for round_ in rounds if round_ < body.new_round]
            if left and (body.prepared_round is None or body.prepared_round < max(left)):
                raise Violation(f"LOCK LOST: committed in round {max(left)}, then {body}")

    def forget_below(self, height: int) -> None:
        """Keep the memory of the checker small."""
        self._said = {slot: said for slot, said in self._said.items() if slot[1] >= height}
        self._commits = {slot: rounds for slot, rounds in self._commits.items() if slot[1] >= height}


class Rounds:
    """Nobody is dragged along by traitors: an honest validator enters a round only by its own timer, from the round
    below, or after an honest one.
    """

    def __init__(self) -> None:
        self._highest: dict[int, int] = {}

    def on_message(self, message: Message) -> None:
        """An honest validator sends a message."""
        if isinstance(message, RoundChange):
            highest = self._highest.get(message.height, 0)
            if message.new_round > highest + 1:
                raise Violation(f"DRAGGED to round {message.new_round} where no honest node was beyond {highest}")
            self._highest[message.height] = max(highest, message.new_round)


class Guilt:
    """Evidence convicts traitors only, and holds for anyone who checks it."""

    def __init__(
        self, suite: Suite, genesis_hash: bytes, validators_at: ValidatorsAt, traitors: frozenset[bytes]
    ) -> None:
        self._suite = suite
        self._genesis_hash = genesis_hash
        self._validators_at = validators_at
        self._traitors = traitors
        self.convicted: set[bytes] = set()

    def on_evidence(self, evidence: Evidence) -> None:
        validators = self._validators_at(evidence.height)
        again = Evidence.decode(evidence.encode())
        index = verify_evidence(self._suite, self._genesis_hash, validators, again)
        key = validators.validators[index].key
        if key not in self._traitors:
            raise Violation(f"an honest validator stands accused: {evidence}")
        self.convicted.add(key)
