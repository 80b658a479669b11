"""The numbered verification of a record receipt (spec/receipt.md, "Verification"; the numbers here are the numbers
there).

The verifier trusts one thing: the genesis hash that its user gives it. It recomputes file → commitment → record →
submission → block → certificate → membership → genesis; no step takes a value from the receipt that an earlier or
later step does not bind.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Generic, TypeVar

from . import merkle
from . import record as record_format
from .certificate import CommitCertificate
from .errors import FazhiError, InvalidReceipt, Parameter
from .genesis import Genesis, genesis_hash_of
from .header import Header
from .receipt import Handover, RecordReceipt
from .record import FileValue, Opening, Record
from .recording import Recording, is_recording
from .result import RecordResult, Result, ResultSigner
from .submission import Item, envelope_parts, submission_id
from .suites import Suite
from .validators import ValidatorSet

PASSED: Final = "passed"
FAILED: Final = "failed"
ABSENT: Final = "absent"
VALID: Final = "VALID"
INVALID: Final = "INVALID"

GENESES_KEPT: Final = 2

STEPS: Final = (
    "format",
    "genesis",
    "commitments",
    "record",
    "signatures",
    "submission",
    "result",
    "record-result",
    "history",
    "membership",
    "certificate",
)
"""Names of steps 1 to 11, in order."""


@dataclass(frozen=True, slots=True)
class PresentedFile:
    """A file that somebody holds: a label to show, its digests by algorithm (``sha256``, ``sm3``), its length in
    bytes."""

    label: str
    digests: Mapping[str, bytes]
    length: int


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What one numbered step came to; ``code`` and ``parameters`` say why where it is not ``passed``."""

    number: int
    name: str
    status: str
    code: str = ""
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class DisclosedFile:
    """A committed file that the receipt opens, and the label of the presented file that it matches, if any."""

    field: str
    value: FileValue
    presented_as: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a valid receipt says, decoded from bytes that the proofs bind. Times are Unix milliseconds. ``org``
    submitted the record, in a case of ``case_member`` or a unit of it."""

    genesis: Genesis
    genesis_hash: bytes
    org: str
    case_member: str
    docket_number: str | None
    record: Record
    number_in_case: int
    record_result: RecordResult
    signers: tuple[ResultSigner, ...]
    claimed_time_ms: int
    block_height: int
    block_time_ms: int
    proposer: str
    anchor_height: int
    certified_by: tuple[str, ...]
    validators: tuple[str, ...]
    files: tuple[DisclosedFile, ...]
    fields: tuple[Opening, ...]


F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Report(Generic[F]):
    """The outcome of all steps of a verification; ``facts`` only where everything holds."""

    steps: tuple[StepOutcome, ...]
    facts: F | None

    @property
    def verdict(self) -> str:
        """``VALID`` or ``INVALID``."""
        return VALID if self.facts is not None else INVALID

    @property
    def failed(self) -> StepOutcome | None:
        """The step that failed, if any."""
        return next((step for step in self.steps if step.status == FAILED), None)

    def require_valid(self) -> F:
        """The facts.

        Raises:
            InvalidReceipt: with the code of the step that failed and its parameters, its number as ``at_step``.
        """
        if self.facts is None:
            failed = self.failed
            code = "not-verified" if failed is None else failed.code
            named = {} if failed is None else dict(failed.parameters)
            raise InvalidReceipt(code, **{**named, "at_step": 0 if failed is None else failed.number})
        return self.facts


@dataclass(frozen=True, slots=True)
class Checked:
    """What whoever verifies many receipts of one chain has checked before, under the same genesis hash: for the very
    same bytes it is not done once more.

    ``certified`` holds (header, certificate), encoded, whose certificate has been verified under the validator set that
    the header names.
    """

    certified: Container[tuple[bytes, bytes]]


def check_receipt(
    data: bytes, genesis_hash: bytes, files: Sequence[PresentedFile] = (), checked: Checked | None = None
) -> Report[Facts]:
    """Carry out all steps on a receipt's JSON bytes. It never raises: any exception is a failed step, and a failed
    step is INVALID."""
    check = _Check(data, genesis_hash, tuple(files), checked or Checked(()))
    outcomes = carried_out([(name, check.step(name)) for name in STEPS])
    done = all(outcome.status != FAILED for outcome in outcomes)
    return Report(outcomes, check.facts() if done else None)


def carried_out(steps: Sequence[tuple[str, Callable[[], str]]]) -> tuple[StepOutcome, ...]:
    """Carry out named steps in their order, up to the first that fails. Each returns "" where it passed, or the code of
    why there was nothing to check; any exception is a failure."""
    outcomes: list[StepOutcome] = []
    for number, (name, step) in enumerate(steps, start=1):
        if any(outcome.status == FAILED for outcome in outcomes):
            outcomes.append(StepOutcome(number, name, ABSENT, "not-reached"))
        else:
            outcomes.append(_carry_out(number, name, step))
    return tuple(outcomes)


def _carry_out(number: int, name: str, step: Callable[[], str]) -> StepOutcome:
    try:
        absent_because = step()
    except FazhiError as error:
        return StepOutcome(number, name, FAILED, error.code, error.parameters)
    except Exception as error:  # noqa: BLE001 - design §8: any exception is INVALID
        return StepOutcome(number, name, FAILED, "unreadable", (("what", type(error).__name__),))
    if absent_because:
        return StepOutcome(number, name, ABSENT, absent_because)
    return StepOutcome(number, name, PASSED)


# Receipts of one chain hold the same genesis: whoever checks many takes it apart, and verifies its possessions, once.


@lru_cache(maxsize=GENESES_KEPT)
def decoded_genesis(encoded: bytes) -> Genesis:
    """``Genesis.decode``, remembered."""
    return Genesis.decode(encoded)


@lru_cache(maxsize=GENESES_KEPT)
def check_genesis(encoded: bytes) -> None:
    """``Genesis.check``, remembered where it holds."""
    decoded_genesis(encoded).check()


@dataclass(slots=True)
class _Check:
    """The values that the steps hand on. Each step returns "" where it passed, or the code of why there was nothing
    to check."""

    data: bytes
    genesis_hash: bytes
    files: tuple[PresentedFile, ...]
    checked: Checked
    suite: Suite = field(init=False)
    receipt: RecordReceipt = field(init=False)
    genesis: Genesis = field(init=False)
    header: Header = field(init=False)
    anchor: Header = field(init=False)
    handovers: tuple[HandoverParts, ...] = field(init=False)
    item: Item = field(init=False)
    record: Record = field(init=False)
    result: Result = field(init=False)
    record_result: RecordResult = field(init=False)
    recording: Recording = field(init=False)
    openings: tuple[Opening, ...] = field(init=False)
    disclosed: tuple[DisclosedFile, ...] = field(init=False)
    validators: ValidatorSet = field(init=False)
    certificate: CommitCertificate = field(init=False)

    def step(self, name: str) -> Callable[[], str]:
        steps: dict[str, Callable[[], str]] = {
            "format": self.check_format,
            "genesis": self.check_genesis,
            "commitments": self.check_commitments,
            "record": self.check_record,
            "signatures": self.check_signatures,
            "submission": self.check_submission,
            "result": self.check_result,
            "record-result": self.check_record_result,
            "history": self.check_history,
            "membership": self.check_membership,
            "certificate": self.check_certificate,
        }
        return steps[name]

    def check_format(self) -> str:
        """(1) The file is one strict JSON object with exactly the known fields, and each part decodes canonically."""
        receipt = self.receipt = RecordReceipt.from_json(self.data)
        self.genesis = decoded_genesis(receipt.genesis)
        self.suite = self.genesis.suite
        self.header = Header.decode(receipt.header)
        self.anchor = self.header if receipt.anchor is None else Header.decode(receipt.anchor.header)
        self.handovers = tuple(map(decoded_handover, receipt.handovers))
        body, signatures = envelope_parts(receipt.submission)
        self.item = Item(body, signatures)
        self.record = Record.decode(receipt.record)
        self.result = Result.decode(receipt.result)
        self.record_result = RecordResult.decode(receipt.record_result)
        self.openings = tuple(Opening.decode(item.opening) for item in receipt.openings)
        self.certificate = CommitCertificate.decode(receipt.certificate)
        self.recording = Recording.of(self.item.body)
        return ""

    def check_genesis(self) -> str:
        """(2) The genesis in the receipt is the one whose hash the user gave; block and submission name it too."""
        if genesis_hash_of(self.suite, self.receipt.genesis) != self.genesis_hash:
            raise InvalidReceipt("another-genesis")
        check_genesis(self.receipt.genesis)
        for what, stated in (("submission", self.item.body.genesis_hash), ("header", self.header.genesis_hash)):
            if stated != self.genesis_hash:
                raise InvalidReceipt("another-chain", where=what)
        return ""

    def check_commitments(self) -> str:
        """(3) Every disclosed value opens a commitment under the record's root; every presented file is one of the
        disclosed files."""
        body = self.item.body
        indices = [item.index for item in self.receipt.openings]
        names = {opening.field for opening in self.openings}
        if indices != sorted(set(indices)) or len(names) != len(self.openings):
            raise InvalidReceipt("openings-unordered")
        for item, opening in zip(self.receipt.openings, self.openings, strict=True):
            value = record_format.commitment(
                self.suite, self.genesis_hash, body.signer_keys[0], body.draft_id, self.receipt.record_index, opening
            )
            merkle.verify_inclusion(
                self.suite,
                merkle.leaf_hash(self.suite, value),
                item.index,
                self.record.commitment_count,
                item.proof,
                self.record.commitments_root,
            )
        docket = self.receipt.docket
        if docket is not None:
            key = record_format.case_key(self.suite, docket.org, self.record.procedure, docket.number)
            if key != self.record.case_key:
                raise InvalidReceipt("another-docket-number")
        self.disclosed = _match_files(self.openings, self.files)
        return "" if self.openings else "nothing-disclosed"

    def check_record(self) -> str:
        """(4) The record is leaf ``record_index`` of the records whose count and root the submission's signed
        arguments hold."""
        if not is_recording(self.item.body):
            raise InvalidReceipt("not-a-record-submission")
        said, leaf = self.recording, merkle.leaf_hash(self.suite, self.receipt.record)
        proof = self.receipt.record_proof
        merkle.verify_inclusion(self.suite, leaf, self.receipt.record_index, said.count, proof, said.root)
        return ""

    def check_signatures(self) -> str:
        """(5) Every key that the submission names signed it, and nobody else."""
        self.item.verify_signatures(self.suite)
        return ""

    def check_submission(self) -> str:
        """(6) The submission is leaf ``submission_index`` of the block's submissions."""
        self._verify_in_block(self.receipt.submission, self.receipt.submission_proof, self.header.submissions_root)
        return ""

    def check_result(self) -> str:
        """(7) The result at the same place is that of this submission, is OK, and knew the signing keys, in that
        order."""
        self._verify_in_block(self.receipt.result, self.receipt.result_proof, self.header.results_root)
        if self.result.submission_id != submission_id(self.suite, self.item.body_bytes):
            raise InvalidReceipt("result-of-another-submission")
        if not self.result.ok:
            raise InvalidReceipt("submission-was-refused", refusal=self.result.code)
        if tuple(signer.key for signer in self.result.signers) != self.item.body.signer_keys:
            raise InvalidReceipt("result-of-other-signers")
        return ""

    def check_record_result(self) -> str:
        """(8) The record's result, its number in the case and its findings, is under that result, for the same case."""
        leaf = merkle.leaf_hash(self.suite, self.receipt.record_result)
        proof, root = self.receipt.record_result_proof, self.result.record_results_root
        merkle.verify_inclusion(self.suite, leaf, self.receipt.record_index, self.recording.count, proof, root)
        if self.record_result.case_id != record_format.case_id(self.suite, self.recording.member, self.record.case_key):
            raise InvalidReceipt("record-result-of-another-case")
        return ""

    def check_history(self) -> str:
        """(9) The block is in the history of the anchor; absent where the block itself is certified."""
        if self.receipt.anchor is None:
            return "block-is-certified-itself"
        if self.anchor.genesis_hash != self.genesis_hash:
            raise InvalidReceipt("another-chain", where="anchor")
        leaf = merkle.leaf_hash(self.suite, self.header.hash(self.suite))
        proof = self.receipt.anchor.history_proof
        merkle.verify_inclusion(
            self.suite, leaf, self.header.height, self.anchor.height, proof, self.anchor.history_root
        )
        return ""

    def check_membership(self) -> str:
        """(10) The certifying set follows from the genesis by hand-overs, each certified by the set before it."""
        self.validators = certifying_set(self.suite, self.genesis, self.genesis_hash, self.handovers, self.anchor)
        return ""

    def check_certificate(self) -> str:
        """(11) A quorum of that set signed COMMIT for the anchor (or the block itself), all in one round."""
        if self.receipt.anchor is None and (self.receipt.header, self.receipt.certificate) in self.checked.certified:
            return ""  # under the set that the header names: that it is the set of step 10 was compared there
        block_hash = self.anchor.hash(self.suite)
        self.certificate.verify_for(self.suite, self.genesis_hash, self.validators, self.anchor.height, block_hash)
        return ""

    def _verify_in_block(self, leaf: bytes, proof: tuple[bytes, ...], root: bytes) -> None:
        index, count = self.receipt.submission_index, self.header.submission_count
        merkle.verify_inclusion(self.suite, merkle.leaf_hash(self.suite, leaf), index, count, proof, root)

    def facts(self) -> Facts:
        members = self.validators.validators
        return Facts(
            genesis=self.genesis,
            genesis_hash=self.genesis_hash,
            org=self.item.body.org,
            case_member=self.recording.member,
            docket_number=None if self.receipt.docket is None else self.receipt.docket.number,
            record=self.record,
            number_in_case=self.record_result.number,
            record_result=self.record_result,
            signers=self.result.signers,
            claimed_time_ms=self.item.body.claimed_time_ms,
            block_height=self.header.height,
            block_time_ms=self.header.time_ms,
            proposer=self.header.proposer,
            anchor_height=self.anchor.height,
            certified_by=tuple(members[index].member for index in self.certificate.signers),
            validators=tuple(seat.member for seat in members),
            files=self.disclosed,
            fields=tuple(opening for opening in self.openings if not opening.is_file),
        )


HandoverParts = tuple[Header, CommitCertificate, ValidatorSet]
"""A hand-over: its header, the certificate of the old set, and the new set."""


def decoded_handover(handover: Handover) -> HandoverParts:
    """Its parts.

    Raises:
        EncodingError.
    """
    return (
        Header.decode(handover.header),
        CommitCertificate.decode(handover.certificate),
        ValidatorSet.decode(handover.validators),
    )


def certifying_set(
    suite: Suite, genesis: Genesis, genesis_hash: bytes, handovers: Sequence[HandoverParts], certified: Header
) -> ValidatorSet:
    """The set that certifies a header: it follows from the genesis by all of these hand-overs.

    Raises:
        InvalidReceipt: a hand-over does not hold, ``handover-after-block`` or ``another-validator-set``.
        InvalidCertificate: when an old set did not certify its hand-over.
    """
    validators = genesis.validator_set()
    for header, certificate, successor in handovers:
        validators = follow_handover(suite, genesis_hash, validators, header, certificate, successor)
    if certified.height < validators.first_height:
        raise InvalidReceipt("handover-after-block")
    if certified.validators_hash != validators.hash(suite):
        raise InvalidReceipt("another-validator-set")
    return validators


def follow_handover(
    suite: Suite,
    genesis_hash: bytes,
    current: ValidatorSet,
    header: Header,
    certificate: CommitCertificate,
    successor: ValidatorSet,
) -> ValidatorSet:
    """The set after a hand-over: the header names both sets, the old set certifies it, the new one certifies from the
    next height on.

    Raises:
        InvalidReceipt: ``bad-handover`` naming what does not fit.
        InvalidCertificate: when the old set did not certify the hand-over.
    """
    checks = (
        ("genesis", header.genesis_hash == genesis_hash),
        ("height", header.height >= current.first_height),
        ("old set", header.validators_hash == current.hash(suite)),
        ("new set", header.next_validators_hash == successor.hash(suite)),
        ("epoch", successor.epoch == current.epoch + 1),
        ("first height", successor.first_height == header.height + 1),
    )
    for what, holds in checks:
        if not holds:
            raise InvalidReceipt("bad-handover", what=what, height=header.height)
    certificate.verify_for(suite, genesis_hash, current, header.height, header.hash(suite))
    return successor


def _match_files(openings: tuple[Opening, ...], presented: tuple[PresentedFile, ...]) -> tuple[DisclosedFile, ...]:
    """Pair each presented file with the disclosed file that has its length and all its digests."""
    committed = [(opening.field, opening.file) for opening in openings if opening.is_file]
    labels: dict[int, str] = {}
    for file in presented:
        match = next((i for i, (_, value) in enumerate(committed) if _same_file(value, file)), None)
        if match is None:
            raise InvalidReceipt("file-does-not-match", file=file.label, bytes=file.length)
        labels[match] = file.label
    return tuple(DisclosedFile(name, value, labels.get(i)) for i, (name, value) in enumerate(committed))


def _same_file(value: FileValue, file: PresentedFile) -> bool:
    return value.length == file.length and all(file.digests.get(name) == digest for name, digest in value.digests)


def digest_algorithms(data: bytes) -> tuple[str, ...]:
    """The algorithms, sorted, under which a presented file must be digested to be compared with this receipt.

    Raises:
        InvalidReceipt, EncodingError: where the receipt cannot be read.
    """
    openings = (Opening.decode(item.opening) for item in RecordReceipt.from_json(data).openings)
    names = {name for opening in openings if opening.is_file for name, _ in opening.file.digests}
    return tuple(sorted(names))
