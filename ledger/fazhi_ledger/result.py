"""Results: what the execution of a submission came to, replicated under ``results_root`` (spec/result.md).

A contract's refusal is a result too, with a code and parameters; sentences are made at the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import merkle
from .canonical import Value, decode, encode, pack, pack_numbers
from .datatypes import slotted
from .errors import EncodingError, Parameter
from .limits import (
    MAX_CODE_CHARS,
    MAX_FINDINGS,
    MAX_INT,
    MAX_NAME_CHARS,
    MAX_ORG_CHARS,
    MAX_RESULT_BYTES,
    MAX_SIGNER_KEYS,
    MAX_TEXT_CHARS,
)
from .names import NAME, ORG, RESULT_CODE
from .shape import as_bytes, as_digest, as_int, as_text, as_tuple, as_version
from .suites import Suite

RESULT_VERSION: Final = 1
OK: Final = "OK"
SEVERITIES: Final = ("note", "irregular", "grave")


def parameters_from_value(value: Value) -> tuple[Parameter, ...]:
    """``[[name, text or integer]…]``."""
    pairs: list[Parameter] = []
    for pair in as_tuple(value, "parameters", max_length=16):
        name, content = as_tuple(pair, "parameter", length=2)
        checked = as_text(name, "parameter name", MAX_NAME_CHARS, NAME)
        if isinstance(content, str):
            pairs.append((checked, as_text(content, "parameter", MAX_TEXT_CHARS)))
        else:
            pairs.append((checked, as_int(content, "parameter", low=-MAX_INT)))
    return tuple(pairs)


@slotted
class ResultSigner:
    """Who signed, as the state before the block knew the key: ``[key, org, [role…]]``."""

    key: bytes
    org: str
    roles: tuple[str, ...]

    def to_value(self) -> Value:
        return (self.key, self.org, self.roles)

    @classmethod
    def from_value(cls, value: Value) -> ResultSigner:
        key, org, roles = as_tuple(value, "signer", length=3)
        return cls(
            as_bytes(key, "signer key", max_length=128),
            as_text(org, "signer org", MAX_ORG_CHARS, ORG),
            tuple(as_text(role, "role", MAX_NAME_CHARS, NAME) for role in as_tuple(roles, "roles", max_length=16)),
        )


@slotted
class Result:
    """``[version, submission_id, code, parameters, [[key, org, [role…]]…], record_results_root]``: a leaf under
    ``results_root``."""

    submission_id: bytes
    code: str
    parameters: tuple[Parameter, ...]
    signers: tuple[ResultSigner, ...]
    record_results_root: bytes

    @property
    def ok(self) -> bool:
        """Whether the submission was accepted (its records stand)."""
        return self.code == OK

    def to_value(self) -> Value:
        return (
            RESULT_VERSION,
            self.submission_id,
            self.code,
            self.parameters,
            tuple([signer.to_value() for signer in self.signers]),
            self.record_results_root,
        )

    @classmethod
    def from_value(cls, value: Value) -> Result:
        version, item_id, code, parameters, signers, root = as_tuple(value, "result", length=6)
        as_version(version, "result", RESULT_VERSION)
        return cls(
            as_digest(item_id, "submission id"),
            as_text(code, "result code", MAX_CODE_CHARS, RESULT_CODE),
            parameters_from_value(parameters),
            tuple(ResultSigner.from_value(s) for s in as_tuple(signers, "signers", max_length=MAX_SIGNER_KEYS)),
            as_digest(root, "record results root"),
        )

    def encode(self) -> bytes:
        # Parameters alone come from rule sets and users; the types of the rest were seen to where it was made.
        return encode(self.to_value()) if self.parameters else pack(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Result:
        return cls.from_value(decode(data, max_bytes=MAX_RESULT_BYTES))


@slotted
class Finding:
    """A breach that was honestly recorded: ``[code, clause, severity, parameters]``; ``clause`` cites the article of
    law.

    Raises:
        EncodingError: ``bad-finding`` for an unknown severity.
    """

    code: str
    clause: str
    severity: str
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise EncodingError("bad-finding", severity=self.severity)

    def to_value(self) -> Value:
        return (self.code, self.clause, self.severity, self.parameters)

    @classmethod
    def from_value(cls, value: Value) -> Finding:
        code, clause, severity, parameters = as_tuple(value, "finding", length=4)
        return cls(
            as_text(code, "finding code", MAX_CODE_CHARS, RESULT_CODE),
            as_text(clause, "clause", MAX_TEXT_CHARS),
            as_text(severity, "severity", 16),
            parameters_from_value(parameters),
        )


@slotted
class RecordResult:
    """What a record came to: ``[case_id, number in case, findings]``. Numbers count from 1."""

    case_id: bytes
    number: int
    findings: tuple[Finding, ...] = ()

    def to_value(self) -> Value:
        return (self.case_id, self.number, tuple([finding.to_value() for finding in self.findings]))

    @classmethod
    def from_value(cls, value: Value) -> RecordResult:
        key, number, findings = as_tuple(value, "record result", length=3)
        return cls(
            as_digest(key, "case id"),
            as_int(number, "number in case", low=1),
            tuple(Finding.from_value(f) for f in as_tuple(findings, "findings", max_length=MAX_FINDINGS)),
        )

    def encode(self) -> bytes:
        return pack(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> RecordResult:
        return cls.from_value(decode(data, max_bytes=MAX_RESULT_BYTES))


@slotted
class ResultRun:
    """Results of records of one case that came one after another to the same findings: numbers ``first`` … ``first +
    count − 1``. They are encoded together."""

    case_id: bytes
    first: int
    count: int
    findings: tuple[Finding, ...]

    def results(self) -> tuple[RecordResult, ...]:
        """One by one."""
        return tuple(RecordResult(self.case_id, self.first + place, self.findings) for place in range(self.count))

    def encode(self) -> list[bytes]:
        """The bytes of each."""
        values = tuple([finding.to_value() for finding in self.findings])
        if self.count == 1:
            return [pack((self.case_id, self.first, values))]
        before, after = _RESULT_HEAD + pack(self.case_id), pack(values)
        return [b"%b%b%b" % (before, number, after) for number in pack_numbers(self.first, self.count)]


def encode_firsts(case_ids: Sequence[bytes], findings: tuple[Finding, ...]) -> list[bytes]:
    """The bytes of results of the first record of each of these cases, with the same findings."""
    after = pack(1) + pack(tuple([finding.to_value() for finding in findings]))
    return [_RESULT_HEAD + case_id + after for case_id in map(pack, case_ids)]


_RESULT_HEAD: Final = b"\x93"  # an array of three


def record_results_root(suite: Suite, record_results: tuple[bytes, ...]) -> bytes:
    """RFC 6962 root over encoded record results; the root of no leaves where the submission was refused or carries no
    records."""
    return merkle.root_of_entries(suite, record_results)
