"""Record receipts: one JSON file of verbatim bytes that shows, offline, that a record stands on the chain
(spec/receipt.md).

A receipt holds no decoded copies and nothing decorative: every value in it is checked, and changing any of them makes
it INVALID. What it shows to people is decoded from the bytes that the proofs bind. The checks themselves are in
:mod:`fazhi_ledger.receipt_steps`.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from .errors import InvalidReceipt
from .limits import MAX_COMMITMENTS, MAX_HANDOVERS, MAX_RECEIPT_BYTES, MAX_TEXT_CHARS
from .names import ORG
from .strict_json import Fields, read_object

FORMAT: Final = "fazhi-record-receipt"
RECEIPT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Handover:
    """A change of the validator set: the hand-over header, its certificate by the old set, and the new set."""

    header: bytes
    certificate: bytes
    validators: bytes

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {
            "header": b64(self.header),
            "certificate": b64(self.certificate),
            "validators": b64(self.validators),
        }

    @classmethod
    def from_json(cls, value: Any) -> Handover:
        """Read it strictly.

        Raises:
            InvalidReceipt.
        """
        fields = Fields(value, "handovers[]")
        handover = cls(fields.base64("header"), fields.base64("certificate"), fields.base64("validators"))
        fields.done()
        return handover


@dataclass(frozen=True, slots=True)
class Anchor:
    """A newer header than the block's, and the proof that the block is in its history."""

    header: bytes
    history_proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Docket:
    """The docket number that the case's key was made from, and the organisation that opened the case."""

    org: str
    number: str

    def to_json(self) -> dict[str, str]:
        """As it stands in a file."""
        return {"org": self.org, "number": self.number}

    @classmethod
    def from_json(cls, value: Any) -> Docket:
        """Read it strictly.

        Raises:
            InvalidReceipt.
        """
        fields = Fields(value, "docket")
        docket = cls(fields.text("org"), fields.text("number"))
        fields.done()
        if ORG.fullmatch(docket.org) is None or not 1 <= len(docket.number) <= MAX_TEXT_CHARS:
            raise InvalidReceipt("bad-field", field="docket", expected="organisation id and number")
        return docket


@dataclass(frozen=True, slots=True)
class Disclosed:
    """One opened commitment: its place in the record, the encoded opening, and the path to the record's commitments
    root."""

    index: int
    opening: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """All bytes that the proof of one record needs. ``certificate`` certifies the anchor, or the block where there is
    none."""

    genesis: bytes
    handovers: tuple[Handover, ...]
    certificate: bytes
    anchor: Anchor | None
    header: bytes
    submission: bytes
    submission_index: int
    submission_proof: tuple[bytes, ...]
    result: bytes
    result_proof: tuple[bytes, ...]
    record: bytes
    record_index: int
    record_proof: tuple[bytes, ...]
    record_result: bytes
    record_result_proof: tuple[bytes, ...]
    docket: Docket | None
    openings: tuple[Disclosed, ...]

    def to_json(self) -> bytes:
        """The receipt as a file's content: UTF-8 JSON, indented for people, ending in a newline."""
        value: dict[str, Any] = {
            "format": FORMAT,
            "version": RECEIPT_VERSION,
            "genesis": b64(self.genesis),
            "handovers": [handover.to_json() for handover in self.handovers],
            "certificate": b64(self.certificate),
            "anchor": None
            if self.anchor is None
            else {"header": b64(self.anchor.header), "history_proof": hexes(self.anchor.history_proof)},
            "header": b64(self.header),
            "submission": b64(self.submission),
            "submission_index": self.submission_index,
            "submission_proof": hexes(self.submission_proof),
            "result": b64(self.result),
            "result_proof": hexes(self.result_proof),
            "record": b64(self.record),
            "record_index": self.record_index,
            "record_proof": hexes(self.record_proof),
            "record_result": b64(self.record_result),
            "record_result_proof": hexes(self.record_result_proof),
            "docket": None if self.docket is None else self.docket.to_json(),
            "openings": [
                {"index": item.index, "opening": b64(item.opening), "proof": hexes(item.proof)}
                for item in self.openings
            ],
        }
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")

    @classmethod
    def from_json(cls, data: bytes) -> RecordReceipt:
        """Read a receipt strictly.

        Raises:
            InvalidReceipt: for anything but exactly the fields above in exactly these spellings.
        """
        fields = Fields(read_object(data, MAX_RECEIPT_BYTES), "receipt")
        if fields.text("format") != FORMAT:
            raise InvalidReceipt("unknown-format")
        if fields.integer("version") != RECEIPT_VERSION:
            raise InvalidReceipt("unknown-receipt-version")
        receipt = cls(
            fields.base64("genesis"),
            tuple(Handover.from_json(value) for value in fields.array("handovers", MAX_HANDOVERS)),
            fields.base64("certificate"),
            _anchor(fields.take("anchor")),
            fields.base64("header"),
            fields.base64("submission"),
            fields.integer("submission_index"),
            fields.digests("submission_proof"),
            fields.base64("result"),
            fields.digests("result_proof"),
            fields.base64("record"),
            fields.integer("record_index"),
            fields.digests("record_proof"),
            fields.base64("record_result"),
            fields.digests("record_result_proof"),
            _optional_docket(fields.take("docket")),
            tuple(_disclosed(value) for value in fields.array("openings", MAX_COMMITMENTS)),
        )
        fields.done()
        return receipt


def b64(data: bytes) -> str:
    """Standard padded base64."""
    return base64.b64encode(data).decode("ascii")


def hexes(digests: tuple[bytes, ...]) -> list[str]:
    """Lower-case hex."""
    return [digest.hex() for digest in digests]


def _anchor(value: Any) -> Anchor | None:
    if value is None:
        return None
    fields = Fields(value, "anchor")
    anchor = Anchor(fields.base64("header"), fields.digests("history_proof"))
    fields.done()
    return anchor


def _optional_docket(value: Any) -> Docket | None:
    return None if value is None else Docket.from_json(value)


def _disclosed(value: Any) -> Disclosed:
    fields = Fields(value, "openings[]")
    disclosed = Disclosed(fields.integer("index"), fields.base64("opening"), fields.digests("proof"))
    fields.done()
    return disclosed
