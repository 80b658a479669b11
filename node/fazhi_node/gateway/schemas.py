"""The JSON of the gateway's answers, as pydantic models: what OpenAPI shows, and what the tests hold every answer to.

Hashes, keys and ids are lower-case hexadecimal; encoded objects are base64 (RFC 4648 §4, padded). The handlers answer
with plain dictionaries: validating our own words at run time would cost more than making them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Hex = Annotated[str, Field(pattern="^([0-9a-f]{2})*$")]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Base64 = Annotated[str, Field(pattern="^[A-Za-z0-9+/]*={0,2}$")]
Height = Annotated[int, Field(ge=0)]
Parameters = dict[str, str | int]


class Model(BaseModel):
    """No field that is not named here."""

    model_config = ConfigDict(extra="forbid")


class ProblemBody(BaseModel):
    """RFC 9457, with ``code`` and ``parameters`` for programs; some answers carry more members."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    parameters: Parameters


class Health(Model):
    """The process is alive."""

    status: Literal["ok"]


class Ready(Model):
    """The node votes or follows within its bound."""

    ready: Literal[True]


class PeerBody(Model):
    """One member, as seen from this node. ``height`` is what it claims."""

    org: str
    connected: bool
    height: int | None


class StatusBody(Model):
    """How the node is. ``time_ms`` is the certified time of the block at ``height``; blocks are here from
    ``first_block`` on.
    """

    org: str
    version: str
    genesis_hash: Digest
    first_block: Height
    height: Height
    tip_hash: Digest
    time_ms: int
    round: int
    epoch: int
    peers: list[PeerBody]
    mempool: int
    validator: bool
    seat: Literal["seated", "joining", "leaving", "former", "none"]
    voting: bool
    ready: bool
    reason: str
    missing: list[str]
    best_height: int


class ItemError(Model):
    """Why an item was not taken."""

    code: str
    detail: str
    parameters: Parameters
    retry_after_ms: int | None = None


class FindingBody(Model):
    """A breach that was recorded, with the article that it concerns."""

    code: str
    clause: str
    severity: str
    parameters: Parameters


class RecordOutcome(Model):
    """What a record came to."""

    case_id: Digest
    number: int
    findings: list[FindingBody]


class SubmissionBodyAnswer(Model):
    """Where a submission stands. ``unknown`` may be pending elsewhere."""

    id: Digest
    status: Literal["unknown", "pending", "committed"]
    height: Height | None
    index: int | None
    code: str
    parameters: Parameters
    records: list[RecordOutcome]


class HandoverBody(Model):
    """A change of the validator set: its header, certified by the old set, and the new set."""

    header: Base64
    certificate: Base64
    validators: Base64


class CertifiedHeader(Model):
    """A header with the certificate of a quorum, and what leads from the genesis to the set that signed it."""

    header: Base64
    certificate: Base64
    handovers: list[HandoverBody]


class SubmissionProof(CertifiedHeader):
    """The node's half of a record receipt; the record's parts are null where the submission was refused or has no
    records. ``record_results`` only where all were asked for.
    """

    submission: Base64
    submission_index: int
    submission_proof: list[Digest]
    result: Base64
    result_proof: list[Digest]
    record: Base64 | None
    record_index: int | None
    record_proof: list[Digest] | None
    record_result: Base64 | None
    record_result_proof: list[Digest] | None
    record_results: list[Base64] | None = None


class ItemAnswer(Model):
    """One submission's answer. ``id`` is null where the bytes are no submission; ``proof`` only where it was asked
    for."""

    id: Digest | None
    status: Literal["committed", "pending", "conflict", "invalid", "busy"]
    height: Height | None
    index: int | None
    code: str
    parameters: Parameters
    error: ItemError | None = None
    proof: SubmissionProof | None = None


class SubmitAnswer(Model):
    """Answers in the order of the items."""

    results: list[ItemAnswer]


class LaneAnswer(Model):
    """The next seq of a lane in the committed state; 0 for a lane that was never used."""

    next_seq: int


class BlockBody(Model):
    """One block, verbatim. ``hash`` is the header's, for people to compare; a program computes it."""

    height: Height
    hash: Digest
    header: Base64
    items: list[Base64]
    certificate: Base64


class BlocksBody(Model):
    """Consecutive blocks; ``next`` is the height to ask for next, null at the tip."""

    blocks: list[BlockBody]
    next: Height | None


class CaseEventBody(Model):
    """One event of a case: its number, its place, and what it came to."""

    number: int
    height: Height
    index: int
    record: int
    submission: Digest
    findings: list[FindingBody]


class CaseBody(CertifiedHeader):
    """A case's head with the proof that it stands in the state of ``header``, and the events that the head commits
    to.
    """

    head: Base64
    proof: Base64
    events: list[CaseEventBody]


class RulesBody(Model):
    """The rules of a block by their hash, and what they name by hash."""

    rules: Base64
    calendars: list[Base64]
    rule_sets: list[Base64]


class ProcedureBody(CertifiedHeader):
    """The rule sets installed of a procedure: the entry that names them by hash, with the proof that it stands in the
    state of ``header``, and they themselves.
    """

    entry: Base64
    proof: Base64
    rule_sets: list[Base64]


class SeriesBody(Model):
    """What a serial counts in, and how many cases there are."""

    org: str
    procedure: str
    year: int
    cases: int


class SeriesListBody(Model):
    """Series in a fixed order; ``more`` may stand behind the last."""

    series: list[SeriesBody]
    more: bool


class ListedCaseBody(Model):
    """One case of a list: its id, its head, and the proof that the head stands in the state of ``header``."""

    case: Digest
    head: Base64
    proof: Base64


class CasesBody(CertifiedHeader):
    """Cases of a series by their serials, and the counter of the series with its proof: null, and a proof of absence,
    where there is no case. ``next`` is the serial behind which to ask on, null at the end.
    """

    counter: Base64 | None
    counter_proof: Base64
    cases: list[ListedCaseBody]
    next: int | None


class KeyBody(Model):
    """A registered key: of whom, for what, since and until which height."""

    key: Hex
    org: str
    roles: list[str]
    registered_height: int
    revoked_height: int | None


class ValidatorBody(Model):
    """One seat."""

    member: str
    key: Hex


class ValidatorsBody(Model):
    """The set that certifies the next block, and the one that follows it where a change is pending."""

    epoch: int
    first_height: int
    quorum: int
    faulty: int
    validators: list[ValidatorBody]
    encoded: Base64
    pending: Base64 | None
    handovers: list[HandoverBody]


class MemberBody(Model):
    """How a member is reached: its entry in the state of ``header``, and the proof that it stands there."""

    org: str
    entry: Base64
    proof: Base64


class MembersBody(CertifiedHeader):
    """Who holds a seat or is about to, in order of the seats, and who holds one for the last time."""

    members: list[MemberBody]


class ProposalBody(Model):
    """A proposal, and who of the seats has voted how; ``outcome`` is ``passed``, ``rejected`` or ``withdrawn``, null
    while it is open and where it has expired. ``encoded`` is its entry in the state."""

    id: Digest
    org: str
    kind: str
    opened_height: int
    until_height: int
    yes: list[str]
    no: list[str]
    quorum: int
    outcome: str | None
    outcome_height: int | None
    encoded: Base64


class ProposalsBody(Model):
    """Open proposals, oldest first; or all of them by id, with the one to ask on behind."""

    proposals: list[ProposalBody]
    next: Digest | None


class ConsistencyBody(Model):
    """Shows that the chain at ``to`` extends the one at ``from``: the history of header ``to`` extends that of header
    ``from`` (``consistency``), and header ``from`` is leaf ``from`` of it (``inclusion``, empty where both are one)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: Annotated[int, Field(alias="from")]
    to: int
    from_header: Base64
    from_certificate: Base64
    header: Base64
    certificate: Base64
    handovers: list[HandoverBody]
    consistency: list[Digest]
    inclusion: list[Digest]


class EventBody(Model):
    """``data`` of one server-sent event: a submission that a block executed."""

    height: Height
    index: int
    time_ms: int
    id: Digest
    org: str
    contract: str
    action: str
    code: str
    parameters: Parameters
    records: list[RecordOutcome]


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, for the hand-written parts of OpenAPI."""
    return model.model_json_schema(ref_template="#/components/schemas/{model}")
