"""What the routes of the gateway share."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fazhi_ledger.receipt import Handover
from fazhi_ledger.result import Finding, RecordResult
from starlette.responses import Response

from ..progress import NodeStatus
from ..queries import ChainReader
from ..storage.chain_store import ChainStore
from ..texts import Language
from .hub import Hub


@dataclass(frozen=True, slots=True)
class Context:
    """The node, as the routes see it. ``pending(id)`` tells whether this node holds a submission that is not decided
    yet.
    """

    chain: ChainStore
    reader: ChainReader
    hub: Hub
    status: Callable[[], NodeStatus]
    pending: Callable[[bytes], bool]
    language: Language
    event_streams: int


def answer(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(content, ensure_ascii=False).encode("utf-8"), status, media_type="application/json")


def b64(data: bytes) -> str:
    """Base64, standard alphabet, padded."""
    return base64.b64encode(data).decode("ascii")


def hexes(digests: tuple[bytes, ...]) -> list[str]:
    """Digests in lower-case hexadecimal."""
    return [digest.hex() for digest in digests]


def handovers_json(handovers: tuple[Handover, ...]) -> list[dict[str, str]]:
    """Hand-overs, as receipts hold them."""
    return [
        {
            "header": b64(handover.header),
            "certificate": b64(handover.certificate),
            "validators": b64(handover.validators),
        }
        for handover in handovers
    ]


def findings_json(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Findings of one record."""
    return [
        {
            "code": finding.code,
            "clause": finding.clause,
            "severity": finding.severity,
            "parameters": dict(finding.parameters),
        }
        for finding in findings
    ]


def records_json(results: tuple[RecordResult, ...]) -> list[dict[str, Any]]:
    """What the records of a submission came to."""
    return [
        {"case_id": result.case_id.hex(), "number": result.number, "findings": findings_json(result.findings)}
        for result in results
    ]
