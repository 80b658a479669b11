"""Proofs as JSON: what a reading route answers, and what a committed submission's own answer carries."""

from __future__ import annotations

from typing import Any, Final

from ..queries import ChainReader, Checkpoint
from .context import b64, handovers_json, hexes

MAX_RESULTS_BYTES: Final = 8 * 1024 * 1024
"""Most bytes of record results in one answer: where there are more, they are asked for record by record."""


def certified(reader: ChainReader, checkpoint: Checkpoint) -> dict[str, Any]:
    """Header, certificate, and what leads to the set that signed it."""
    return {
        "header": b64(checkpoint.header),
        "certificate": b64(checkpoint.certificate),
        "handovers": handovers_json(reader.handovers(checkpoint.height)),
    }


def submission_proof(reader: ChainReader, submission_id: bytes, record: int = 0) -> dict[str, Any]:
    """The proof of a committed submission's place and result, and of one record of it where it was accepted.

    Raises:
        NotFound: ``unknown-submission``, ``unknown-record``.
    """
    proof = reader.proof(submission_id, record)
    part = proof.record
    return {
        **certified(reader, proof.checkpoint),
        "submission": b64(proof.submission),
        "submission_index": proof.index,
        "submission_proof": hexes(proof.submission_proof),
        "result": b64(proof.result),
        "result_proof": hexes(proof.result_proof),
        "record": None if part is None else b64(part.record),
        "record_index": None if part is None else part.index,
        "record_proof": None if part is None else hexes(part.proof),
        "record_result": None if part is None else b64(part.result),
        "record_result_proof": None if part is None else hexes(part.result_proof),
    }


def all_records_proof(reader: ChainReader, submission_id: bytes) -> dict[str, Any]:
    """The proof of a committed submission, and what all its records came to: from these and the records themselves
    whoever made them works out each record's own proof.

    Raises:
        NotFound: ``unknown-submission``.
    """
    results = reader.record_results(submission_id)
    told = [b64(one) for one in results] if sum(map(len, results)) <= MAX_RESULTS_BYTES else None
    return {**submission_proof(reader, submission_id), "record_results": told}
