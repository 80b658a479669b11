"""What a gateway says, checked against what a quorum signed. Pure: bytes in, facts or an error out.

The one thing taken on trust is the genesis, whose hash the caller was given out of band. A header counts when a
certificate of the validator set that it names verifies, and a set counts when hand-overs lead to it from the genesis.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fazhi_contracts.entries import MemberEntry
from fazhi_contracts.keys import member_key
from fazhi_ledger import merkle
from fazhi_ledger.canonical import decode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import FazhiError, InvalidProof
from fazhi_ledger.genesis import Genesis, GenesisFile, tls_fingerprint
from fazhi_ledger.header import Header
from fazhi_ledger.receipt import Handover
from fazhi_ledger.receipt_steps import Checked, follow_handover
from fazhi_ledger.result import Result
from fazhi_ledger.stateproof import StateProof, verify_presence
from fazhi_ledger.submission import envelope_parts, submission_id
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .errors import BadAnswer, ProofFailed

MAX_PROOF_HASHES: Final = 256
MAX_CERTIFIED: Final = 16
"""Verified certificates that are remembered."""


class Fields:
    """The members of a JSON object out of a gateway's answer; each reader raises ``BadAnswer`` where one is not fit."""

    def __init__(self, value: Any, url: str) -> None:
        if not isinstance(value, dict):
            raise BadAnswer("bad-answer", url=url, reason="no JSON object")
        self.value: Mapping[str, Any] = value
        self.url = url

    def _bad(self, name: str) -> BadAnswer:
        return BadAnswer("bad-answer", url=self.url, reason=f"field {name}")

    def base64(self, name: str) -> bytes:
        """Base64 bytes."""
        data = self.optional_base64(name)
        if data is None:
            raise self._bad(name)
        return data

    def optional_base64(self, name: str) -> bytes | None:
        """Base64 bytes, or None for null or absent."""
        value = self.value.get(name)
        if value is None:
            return None
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise self._bad(name) from None

    def hashes(self, name: str) -> tuple[bytes, ...]:
        """A list of hexadecimal digests."""
        value = self.value.get(name)
        if not isinstance(value, list) or len(value) > MAX_PROOF_HASHES:
            raise self._bad(name)
        try:
            return tuple(bytes.fromhex(one) for one in value)
        except (TypeError, ValueError):
            raise self._bad(name) from None

    def base64s(self, name: str) -> tuple[bytes, ...] | None:
        """A list of Base64 bytes, or None for null or absent."""
        value = self.value.get(name)
        if value is None:
            return None
        try:
            return tuple(base64.b64decode(one, validate=True) for one in value)
        except (TypeError, ValueError, binascii.Error):
            raise self._bad(name) from None

    def digest(self, name: str) -> bytes:
        """A hexadecimal digest."""
        try:
            data = bytes.fromhex(self.value[name])
        except (KeyError, TypeError, ValueError):
            raise self._bad(name) from None
        if len(data) != 32:
            raise self._bad(name)
        return data

    def integer(self, name: str) -> int:
        """A number that counts something."""
        value = self.value.get(name)
        if type(value) is not int or value < 0:
            raise self._bad(name)
        return value

    def text(self, name: str) -> str:
        """Text."""
        value = self.value.get(name)
        if not isinstance(value, str):
            raise self._bad(name)
        return value

    def objects(self, name: str) -> list[Fields]:
        """A list of objects; absent counts as empty."""
        value = self.value.get(name, [])
        if not isinstance(value, list):
            raise self._bad(name)
        return [Fields(one, self.url) for one in value]

    def handovers(self) -> tuple[Handover, ...]:
        """The hand-overs of validator sets, oldest first; absent counts as none."""
        return tuple(
            Handover(one.base64("header"), one.base64("certificate"), one.base64("validators"))
            for one in self.objects("handovers")
        )


@dataclass(frozen=True, slots=True)
class Certified:
    """A header that a quorum of ``validators`` is shown to have decided: those of ``members``."""

    header: Header
    validators: ValidatorSet
    members: tuple[str, ...]


@slotted
class Decided:
    """A decided submission, proven: its envelope and its result stand at one place of a certified block."""

    certified: Certified
    handovers: tuple[Handover, ...]
    header_bytes: bytes
    certificate: bytes
    index: int
    envelope: bytes
    envelope_proof: tuple[bytes, ...]
    result: Result
    result_bytes: bytes
    result_proof: tuple[bytes, ...]

    @property
    def header(self) -> Header:
        """The block's header."""
        return self.certified.header


class Trust:
    """The genesis and every validator set that follows from it so far."""

    def __init__(self, file: GenesisFile) -> None:
        self.file = file
        self.genesis: Genesis = file.genesis
        self.genesis_hash: bytes = file.hash()
        self.suite: Suite = self.genesis.suite
        self._sets: list[ValidatorSet] = [self.genesis.validator_set()]
        self._handovers: list[Handover] = []
        self._certified: dict[tuple[bytes, bytes], Certified] = {}
        self._checked: Checked | None = None
        self.newest: Header | None = None
        """The highest certified header seen: an older answer than what was shown before is stale."""
        self._members_as_of = 0

    @property
    def checked(self) -> Checked:
        """What need not be checked again of receipts of this chain.

        Raises:
            InvalidGenesis: the genesis does not hold together.
        """
        if self._checked is None:
            self.genesis.check()
            self._checked = Checked(self._certified)
        return self._checked

    @property
    def handovers(self) -> tuple[Handover, ...]:
        """The hand-overs followed so far."""
        return tuple(self._handovers)

    def follow(self, handovers: Sequence[Handover]) -> None:
        """Take over hand-overs that lead on from the newest known set; known ones are skipped.

        Raises:
            InvalidReceipt, InvalidCertificate, EncodingError: one does not hold.
        """
        if not handovers:
            return
        known = {current.hash(self.suite) for current in self._sets}
        for handover in handovers:
            successor = ValidatorSet.decode(handover.validators)
            if successor.hash(self.suite) in known:
                continue
            self._sets.append(
                follow_handover(
                    self.suite,
                    self.genesis_hash,
                    self._sets[-1],
                    Header.decode(handover.header),
                    CommitCertificate.decode(handover.certificate),
                    successor,
                )
            )
            self._handovers.append(handover)
            known.add(successor.hash(self.suite))

    def knows(self, header: Header) -> bool:
        """Whether the set that certifies this header has been followed."""
        return any(current.hash(self.suite) == header.validators_hash for current in self._sets)

    @property
    def newest_set(self) -> ValidatorSet:
        """The newest set of validators that has been followed."""
        return self._sets[-1]

    @property
    def first_set(self) -> ValidatorSet:
        """The validators of the genesis."""
        return self._sets[0]

    def certified(self, header_bytes: bytes, certificate_bytes: bytes) -> Header:
        """The header of :meth:`certify`."""
        return self.certify(header_bytes, certificate_bytes).header

    def certify(self, header_bytes: bytes, certificate_bytes: bytes) -> Certified:
        """The header, once a quorum of the set that it names is shown to have decided it.

        Raises:
            InvalidProof: ``another-chain``, ``unknown-validators``.
            InvalidCertificate, EncodingError: the certificate does not hold.
        """
        verified = self._certified.get((header_bytes, certificate_bytes))
        if verified is not None:  # of many submissions of one block the first pays
            return verified
        header = Header.decode(header_bytes)
        if header.genesis_hash != self.genesis_hash:
            raise InvalidProof("another-chain", where="header")
        # A set certifies until its successor takes over: retired keys certify nothing later.
        validators = next((one for one in reversed(self._sets) if one.first_height <= header.height), None)
        if validators is None or validators.hash(self.suite) != header.validators_hash:
            raise InvalidProof("unknown-validators", height=header.height)
        certificate = CommitCertificate.decode(certificate_bytes)
        certificate.verify_for(self.suite, self.genesis_hash, validators, header.height, header.hash(self.suite))
        if self.newest is None or header.height > self.newest.height:
            self.newest = header
        members = tuple(validators.validators[index].member for index in certificate.signers)
        certified = self._certified[header_bytes, certificate_bytes] = Certified(header, validators, members)
        if len(self._certified) > MAX_CERTIFIED:
            del self._certified[next(iter(self._certified))]
        return certified

    def members(self, fields: Fields) -> list[tuple[str, bytes]]:
        """Gateway URL and certificate's SHA-256 of each member with a seat, proven under a certified header.

        Raises:
            ProofFailed: with the ledger's reason.
            BadAnswer: ``stale-answer``: it is of a lower height than one that was taken. Whoever holds a certificate
                that was replaced must not bring it back with a list that was true once.
        """
        try:
            self.follow(fields.handovers())
            certified = self.certify(fields.base64("header"), fields.base64("certificate"))
            height = certified.header.height
            if height < self._members_as_of:
                raise BadAnswer("stale-answer", url=fields.url, height=height, newest=self._members_as_of)
            seats, found = certified.validators, []
            for one in fields.objects("members"):
                org, entry = one.text("org"), one.base64("entry")
                proof = StateProof.from_value(decode(one.base64("proof")))
                verify_presence(self.suite, certified.header.state_root, member_key(org), entry, proof)
                member = MemberEntry.decode(entry)
                if seats.index_of_member(org) is not None:
                    found.append((member.gateway_url, tls_fingerprint(member.certificate)))
        except BadAnswer:
            raise
        except FazhiError as error:
            raise proof_failed(fields.url, error) from error
        self._members_as_of = height
        return found

    def decided(self, fields: Fields, item_id: bytes) -> Decided:
        """Check a submission's proof: an envelope of this very body stands in a certified block, and this is its
        result.

        Raises:
            ProofFailed: with the ledger's reason.
        """
        try:
            handovers = fields.handovers()
            self.follow(handovers)
            header_bytes, certificate = fields.base64("header"), fields.base64("certificate")
            certified = self.certify(header_bytes, certificate)
            header, suite = certified.header, self.suite
            index, count = fields.integer("submission_index"), header.submission_count
            envelope, envelope_proof = fields.base64("submission"), fields.hashes("submission_proof")
            if submission_id(suite, envelope_parts(envelope)[0]) != item_id:
                raise InvalidProof("another-submission")
            leaf = merkle.leaf_hash(suite, envelope)
            merkle.verify_inclusion(suite, leaf, index, count, envelope_proof, header.submissions_root)
            result_bytes, result_proof = fields.base64("result"), fields.hashes("result_proof")
            leaf = merkle.leaf_hash(suite, result_bytes)
            merkle.verify_inclusion(suite, leaf, index, count, result_proof, header.results_root)
            result = Result.decode(result_bytes)
            if result.submission_id != item_id:
                raise InvalidProof("result-of-another-submission")
        except BadAnswer:
            raise
        except FazhiError as error:
            raise proof_failed(fields.url, error) from error
        return Decided(
            certified, handovers, header_bytes, certificate, index, envelope, envelope_proof, result, result_bytes,
            result_proof,
        )  # fmt: skip


def proof_failed(url: str, error: FazhiError) -> ProofFailed:
    """A ledger's verdict as the SDK's error."""
    return ProofFailed("proof-failed", url=url, reason=FazhiError.__str__(error))
