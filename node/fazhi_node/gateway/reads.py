"""The reading routes: the chain's bytes and proofs, as JSON. Nothing here decides whether anything is true; whoever
asks, checks.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query
from fazhi_contracts.proposals import Proposal
from fazhi_ledger.validators import ValidatorSet
from starlette.responses import Response, StreamingResponse

from ..case_lists import CaseLists
from ..limits import CASES_PAGE, EVENTS_PAGE, PROPOSALS_PAGE, SERIES_PAGE
from ..queries import BlockAnswer, ChainReader
from . import health, schemas
from .context import Context, answer, b64, findings_json, handovers_json, hexes, records_json
from .problems import Problem
from .proofs import all_records_proof, certified, submission_proof
from .snapshots import Snapshots

MAX_BLOCKS: Final = 100
BLOCKS_BYTES: Final = 16 * 1024 * 1024
"""A page of blocks ends after so many bytes (one block at least)."""
MAX_HEIGHT: Final = 2**63 - 2

DigestPath = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
HexPath = Annotated[str, Path(pattern="^([0-9a-f]{2}){1,128}$")]
ORG_PATTERN: Final = r"^[a-z][a-z0-9-]{0,30}(\.[a-z0-9-]{1,31})?$"
NAME_PATTERN: Final = "^[a-z][a-z0-9_]{0,31}$"
OrgPath = Annotated[str, Path(pattern=ORG_PATTERN)]
HeightPath = Annotated[int, Path(ge=1, le=MAX_HEIGHT)]


def block_json(block: BlockAnswer) -> dict[str, Any]:
    """One block."""
    return {
        "height": block.height,
        "hash": block.hash.hex(),
        "header": b64(block.header),
        "items": [b64(item) for item in block.items],
        "certificate": b64(block.certificate),
    }


def _page(reader: ChainReader, first: int, limit: int) -> list[dict[str, Any]]:
    """Blocks from a height on, until there are enough of them or of their bytes. (On a thread: decided blocks never
    change.)
    """
    found: list[dict[str, Any]] = []
    size = 0
    for each in reader.blocks(first, limit):
        found.append(block_json(each))
        size += sum(len(item) for item in each.items)
        if size > BLOCKS_BYTES:
            break
    return found


def health_routes(context: Context) -> APIRouter:
    """For supervisors, load balancers and people. (The front answers these paths itself, by the same functions.)"""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=schemas.Health)
    async def healthz() -> Response:
        """The process is alive and its loop turns."""
        return health.healthz(context)

    @router.get("/readyz", response_model=schemas.Ready)
    async def readyz() -> Response:
        """The node votes or follows within its bound; else 503, with the reason as code."""
        return health.readyz(context)

    @router.get("/v1/status", response_model=schemas.StatusBody)
    async def status() -> Response:
        """How the node is."""
        return health.status(context)

    @router.get("/v1/genesis", responses={200: {"content": {"application/octet-stream": {}}}}, response_class=Response)
    async def genesis() -> Response:
        """The genesis file; compare its hash with the one that was published."""
        return health.genesis(context)

    return router


def block_routes(context: Context) -> APIRouter:
    """Blocks, the archive and the snapshot."""
    router = APIRouter(tags=["chain"])
    reader = context.reader

    @router.get("/v1/blocks/{height}", response_model=schemas.BlockBody)
    async def block(height: HeightPath) -> Response:
        """One block with its certificate."""
        return answer(block_json(await asyncio.to_thread(reader.block, height)))

    @router.get("/v1/blocks", response_model=schemas.BlocksBody)
    async def blocks(
        first: Annotated[int, Query(alias="from", ge=1, le=MAX_HEIGHT)] = 1,
        limit: Annotated[int, Query(ge=1, le=MAX_BLOCKS)] = 20,
    ) -> Response:
        """Blocks from a height on; fewer than asked for where they are large or the tip is near."""
        found = await asyncio.to_thread(_page, reader, first, limit)
        following = first + len(found)
        return answer({"blocks": found, "next": following if following <= reader.height else None})

    @router.get(
        "/v1/archive", responses={200: {"content": {"application/octet-stream": {}}}}, response_class=StreamingResponse
    )
    async def archive() -> Response:
        """The whole chain as of now in the archive's format, for an audit."""
        # A plain iterator is read on a worker thread: what it reads was decided and never changes.
        return StreamingResponse(reader.archive(), media_type="application/octet-stream")

    snapshots = Snapshots(context.chain)

    @router.get(
        "/v1/snapshot", responses={200: {"content": {"application/octet-stream": {}}}}, response_class=StreamingResponse
    )
    async def snapshot() -> Response:
        """The state as of now with what certifies it, for a node that joins. One at a time."""
        return await snapshots.answer()

    return router


def checkpoint_routes(context: Context) -> APIRouter:
    """Certified headers, and how they belong together."""
    router = APIRouter(tags=["chain"])
    reader = context.reader

    @router.get("/v1/checkpoint", response_model=schemas.CertifiedHeader)
    async def checkpoint(height: Annotated[int | None, Query(ge=1, le=MAX_HEIGHT)] = None) -> Response:
        """The newest certified header, or that of a height."""
        return answer(certified(context.reader, reader.checkpoint(height)))

    @router.get("/v1/consistency", response_model=schemas.ConsistencyBody)
    async def consistency(
        older: Annotated[int, Query(alias="from", ge=1, le=MAX_HEIGHT)],
        newer: Annotated[int, Query(alias="to", ge=1, le=MAX_HEIGHT)],
    ) -> Response:
        """That the chain at one height extends the chain at a lower one."""
        if older > newer:
            raise Problem(400, "bad-parameter", {"name": "to", "reason": f">= {older}"})
        found = reader.consistency(older, newer)
        return answer(
            {
                "from": older,
                "to": newer,
                "from_header": b64(found.older.header),
                "from_certificate": b64(found.older.certificate),
                **certified(context.reader, found.newer),
                "consistency": hexes(found.consistency),
                "inclusion": hexes(found.inclusion),
            }
        )

    return router


def membership_routes(context: Context) -> APIRouter:
    """Who certifies, who the members are, and what they vote on."""
    router = APIRouter(tags=["chain"])
    reader = context.reader
    lists = CaseLists(context.chain, reader)

    @router.get("/v1/validators", response_model=schemas.ValidatorsBody)
    async def validators() -> Response:
        """Who certifies the next block."""
        current, pending = reader.validators()
        return answer(
            {
                "epoch": current.epoch,
                "first_height": current.first_height,
                "quorum": current.quorum,
                "faulty": current.faulty,
                "validators": [{"member": seat.member, "key": seat.key.hex()} for seat in current.validators],
                "encoded": b64(current.encode()),
                "pending": None if pending is None else b64(pending.encode()),
                "handovers": handovers_json(reader.handovers(reader.height)),
            }
        )

    @router.get("/v1/members", response_model=schemas.MembersBody)
    async def members() -> Response:
        """How the members are reached by what they voted, proven: for whoever knows them from the genesis alone."""
        checkpoint, proven = reader.member_proofs()
        listed = [{"org": org, "entry": b64(entry), "proof": b64(proof)} for org, entry, proof in proven]
        return answer({**certified(context.reader, checkpoint), "members": listed})

    @router.get("/v1/proposals", response_model=schemas.ProposalsBody)
    async def proposals(
        all_: Annotated[Literal["1"] | None, Query(alias="all")] = None,
        after: Annotated[str, Query(pattern="^([0-9a-f]{64})?$")] = "",
    ) -> Response:
        """What the members may vote on in the next block; with ``all=1`` every proposal that was ever made, by id, from
        behind one on.
        """
        seats, _ = reader.validators()
        if all_ is None:
            return answer({"proposals": [_proposal_json(*one, seats) for one in reader.proposals()], "next": None})
        found = lists.proposals(bytes.fromhex(after), PROPOSALS_PAGE)
        listed = [
            {**_proposal_json(*one, seats), "yes": lists.voters(one[1], True), "no": lists.voters(one[1], False)}
            for one in found
        ]
        return answer({"proposals": listed, "next": found[-1][0].hex() if len(found) == PROPOSALS_PAGE else None})

    return router


def _proposal_json(proposal_id: bytes, proposal: Proposal, seats: ValidatorSet) -> dict[str, Any]:
    votes = dict(proposal.votes)
    return {
        "id": proposal_id.hex(),
        "org": proposal.org,
        "kind": proposal.kind,
        "opened_height": proposal.opened_height,
        "until_height": proposal.until_height,
        "yes": [seat.member for seat in seats.validators if votes.get(seat.key) is True],
        "no": [seat.member for seat in seats.validators if votes.get(seat.key) is False],
        "quorum": seats.quorum,
        "outcome": None if proposal.outcome is None else proposal.outcome[0],
        "outcome_height": None if proposal.outcome is None else proposal.outcome[1],
        "encoded": b64(proposal.encode()),
    }


def submission_routes(context: Context) -> APIRouter:
    """Submissions and their proofs."""
    router = APIRouter(tags=["records"])
    reader = context.reader

    @router.get("/v1/submissions/{submission_id}", response_model=schemas.SubmissionBodyAnswer)
    async def submission(submission_id: DigestPath) -> Response:
        """Where a submission stands. ``unknown`` says nothing about other nodes: it may wait there."""
        found = reader.committed(bytes.fromhex(submission_id))
        if found is None:
            status = "pending" if context.pending(bytes.fromhex(submission_id)) else "unknown"
            if status == "unknown" and reader.base:
                raise reader.absent("unknown-submission")
            return answer(
                {
                    "id": submission_id,
                    "status": status,
                    "height": None,
                    "index": None,
                    "code": "",
                    "parameters": {},
                    "records": [],
                }
            )
        return answer(
            {
                "id": submission_id,
                "status": "committed",
                "height": found.height,
                "index": found.index,
                "code": found.code,
                "parameters": dict(found.parameters),
                "records": records_json(found.records),
            }
        )

    @router.get("/v1/submissions/{submission_id}/proof", response_model=schemas.SubmissionProof)
    async def proof(
        submission_id: DigestPath,
        record: Annotated[int, Query(ge=0, le=10_000)] = 0,
        records: Annotated[Literal["all"] | None, Query()] = None,
    ) -> Response:
        """The node's half of a record's receipt; of a refused submission the proof of its refusal, without a record.
        With ``records=all`` that of the first, and what all of them came to.
        """
        wanted = bytes.fromhex(submission_id)
        if context.pending(wanted):
            raise Problem(404, "not-committed", {"what": submission_id})
        if records is not None:
            return answer(await asyncio.to_thread(all_records_proof, reader, wanted))
        if reader.is_open(wanted):
            return answer(submission_proof(reader, wanted, record))
        return answer(await asyncio.to_thread(submission_proof, reader, wanted, record))

    return router


def state_routes(context: Context) -> APIRouter:
    """Lanes, keys, cases, and the rules that they are judged by."""
    router = APIRouter(tags=["records"])
    reader = context.reader

    @router.get("/v1/lanes/{org}/{key}/{lane}", response_model=schemas.LaneAnswer)
    async def lane(org: OrgPath, key: HexPath, lane: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]) -> Response:
        """Where a lane stands."""
        return answer({"next_seq": reader.next_seq(org, bytes.fromhex(key), bytes.fromhex(lane))})

    @router.get("/v1/keys/{key}", response_model=schemas.KeyBody)
    async def key_entry(key: HexPath) -> Response:
        """Whose key it is, and since and until when."""
        entry = reader.key(bytes.fromhex(key))
        if entry is None:
            raise Problem(404, "not-found", {"what": f"key {key}"})
        return answer(
            {
                "key": key,
                "org": entry.org,
                "roles": list(entry.roles),
                "registered_height": entry.registered_height,
                "revoked_height": entry.revoked_height,
            }
        )

    @router.get("/v1/cases/{case_id}", response_model=schemas.CaseBody)
    async def case(
        case_id: DigestPath,
        first: Annotated[int, Query(ge=1, le=MAX_HEIGHT)] = 1,
        limit: Annotated[int, Query(ge=0, le=EVENTS_PAGE)] = EVENTS_PAGE,
    ) -> Response:
        """A case as of the newest block, proven; that there is none is proven likewise (404)."""
        found = reader.case(bytes.fromhex(case_id), first, limit)
        proven = {**certified(context.reader, found.checkpoint), "proof": b64(found.proof)}
        if found.head is None:
            raise Problem(404, "not-found", {"what": f"case {case_id}"}, extra={"head": None, **proven, "events": []})
        events = [
            {
                "number": event.place.number,
                "height": event.place.height,
                "index": event.place.index,
                "record": event.place.record,
                "submission": event.submission_id.hex(),
                "findings": findings_json(event.result.findings),
            }
            for event in found.events
        ]
        return answer({"head": b64(found.head), **proven, "events": events})

    @router.get("/v1/rules/{rules_hash}", response_model=schemas.RulesBody)
    async def rules(
        rules_hash: DigestPath,
        procedure: Annotated[str | None, Query(pattern="^[a-z][a-z0-9_]{0,31}$")] = None,
    ) -> Response:
        """The rules that a header names (``rules_hash``), those of earlier blocks too, with the calendars in force
        under them, and with the rule sets of a procedure where one is named.
        """
        found = reader.rules(bytes.fromhex(rules_hash), procedure)
        return answer(
            {
                "rules": b64(found.rules),
                "calendars": [b64(one) for one in found.calendars],
                "rule_sets": [b64(one) for one in found.rule_sets],
            }
        )

    return router


def list_routes(context: Context) -> APIRouter:
    """Which cases there are."""
    router = APIRouter(tags=["records"])
    lists = CaseLists(context.chain, context.reader)

    @router.get("/v1/series", response_model=schemas.SeriesListBody)
    async def series(
        org: Annotated[str, Query(pattern=ORG_PATTERN)] = "",
        procedure: Annotated[str, Query(pattern=NAME_PATTERN)] = "",
        year: Annotated[int, Query(ge=0, le=10_000)] = 0,
    ) -> Response:
        """What cases there are to list: organisation, procedure, year and how many, behind the one that is named. This
        node's word; the counters are proven by ``/v1/cases``.
        """
        found = lists.series((org, procedure, year) if org else None, SERIES_PAGE)
        listed = [{"org": key[0], "procedure": key[1], "year": key[2], "cases": count} for key, count in found]
        return answer({"series": listed, "more": len(found) == SERIES_PAGE})

    @router.get("/v1/procedures/{procedure}", response_model=schemas.ProcedureBody)
    async def procedure_in_force(procedure: Annotated[str, Path(pattern=NAME_PATTERN)]) -> Response:
        """The rule sets of a procedure as of the newest block, those that it installed too, proven; that none is
        installed is proven likewise (404).
        """
        found = lists.procedure(procedure)
        proven = {**certified(context.reader, found.checkpoint), "proof": b64(found.proof)}
        if found.entry is None:
            raise Problem(404, "not-found", {"what": f"procedure {procedure}"}, extra={"entry": None, **proven})
        sets = [b64(one) for one in found.rule_sets]
        return answer({"entry": b64(found.entry), **proven, "rule_sets": sets})

    @router.get("/v1/cases", response_model=schemas.CasesBody)
    async def cases(
        org: Annotated[str, Query(pattern=ORG_PATTERN)],
        procedure: Annotated[str, Query(pattern=NAME_PATTERN)],
        year: Annotated[int, Query(ge=0, le=10_000)],
        after: Annotated[int, Query(ge=0, le=MAX_HEIGHT)] = 0,
        limit: Annotated[int, Query(ge=0, le=CASES_PAGE)] = CASES_PAGE,
    ) -> Response:
        """The cases of an organisation, procedure and year as of the newest block, from behind a serial on, and how
        many there are; all of it proven under one header.
        """
        found = lists.cases((org, procedure, year), after, limit)
        return answer(
            {
                **certified(context.reader, found.checkpoint),
                "counter": None if found.counter is None else b64(found.counter),
                "counter_proof": b64(found.counter_proof),
                "cases": [
                    {"case": one.case_id.hex(), "head": b64(one.head), "proof": b64(one.proof)} for one in found.cases
                ],
                "next": found.following,
            }
        )

    return router
