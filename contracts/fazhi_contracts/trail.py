"""Trail files: one JSON file of verbatim bytes that shows, offline, all events of a case and the rules that they are
judged by (spec/trail.md). The checks themselves are in :mod:`fazhi_contracts.trail_steps`.

As in a receipt every value in it is checked, and changing any of them makes it INVALID.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from fazhi_ledger.errors import InvalidReceipt
from fazhi_ledger.limits import MAX_HANDOVERS
from fazhi_ledger.receipt import Docket, Handover, b64, hexes
from fazhi_ledger.strict_json import Fields, read_object

from .rulebook import MAX_CALENDARS

TRAIL_FORMAT: Final = "fazhi-case-trail"
TRAIL_VERSION: Final = 1
MAX_TRAIL_BYTES: Final = 256 * 1024 * 1024
MAX_TRAIL_EVENTS: Final = 100_000
MAX_TRAIL_RULES: Final = 4096


@dataclass(frozen=True, slots=True)
class TrailBlock:
    """The header of a block that holds events, and its place in the history of the certified one; no path where it is
    the certified one itself."""

    header: bytes
    history_proof: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        return {"header": b64(self.header), "history_proof": hexes(self.history_proof)}

    @classmethod
    def from_json(cls, value: Any) -> TrailBlock:
        """Read it strictly.

        Raises:
            InvalidReceipt.
        """
        fields = Fields(value, "blocks[]")
        block = cls(fields.base64("header"), fields.digests("history_proof"))
        fields.done()
        return block


@dataclass(frozen=True, slots=True)
class TrailSubmission:
    """A submission with events of the case: ``block`` is the place of its block in the file, ``index`` its own in the
    block."""

    block: int
    index: int
    submission: bytes
    submission_proof: tuple[bytes, ...]
    result: bytes
    result_proof: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "block": self.block,
            "index": self.index,
            "submission": b64(self.submission),
            "submission_proof": hexes(self.submission_proof),
            "result": b64(self.result),
            "result_proof": hexes(self.result_proof),
        }

    @classmethod
    def from_json(cls, value: Any) -> TrailSubmission:
        """Read it strictly.

        Raises:
            InvalidReceipt.
        """
        fields = Fields(value, "submissions[]")
        submission = cls(
            fields.integer("block"),
            fields.integer("index"),
            fields.base64("submission"),
            fields.digests("submission_proof"),
            fields.base64("result"),
            fields.digests("result_proof"),
        )
        fields.done()
        return submission


@dataclass(frozen=True, slots=True)
class TrailEvent:
    """An event: ``submission`` is the place of its submission in the file, ``record_index`` its record's there."""

    submission: int
    record_index: int
    record: bytes
    record_proof: tuple[bytes, ...]
    record_result: bytes
    record_result_proof: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "submission": self.submission,
            "record_index": self.record_index,
            "record": b64(self.record),
            "record_proof": hexes(self.record_proof),
            "record_result": b64(self.record_result),
            "record_result_proof": hexes(self.record_result_proof),
        }

    @classmethod
    def from_json(cls, value: Any) -> TrailEvent:
        """Read it strictly.

        Raises:
            InvalidReceipt.
        """
        fields = Fields(value, "events[]")
        event = cls(
            fields.integer("submission"),
            fields.integer("record_index"),
            fields.base64("record"),
            fields.digests("record_proof"),
            fields.base64("record_result"),
            fields.digests("record_result_proof"),
        )
        fields.done()
        return event


@dataclass(frozen=True, slots=True)
class CaseTrail:
    """All bytes that a case and its rules need: the certified ``header`` as of which it is shown, the case's ``head``
    in the state under it, and its events with their submissions and blocks; the ``rules`` that the headers name, the
    ``rule_set`` that the head names, and all calendars that were in force under any of the rules."""

    genesis: bytes
    handovers: tuple[Handover, ...]
    header: bytes
    certificate: bytes
    docket: Docket
    head: bytes
    head_proof: bytes
    rules: tuple[bytes, ...]
    rule_set: bytes
    calendars: tuple[bytes, ...]
    blocks: tuple[TrailBlock, ...]
    submissions: tuple[TrailSubmission, ...]
    events: tuple[TrailEvent, ...]

    def to_json(self) -> bytes:
        """The trail as a file's content: UTF-8 JSON, indented for people, ending in a newline."""
        value: dict[str, Any] = {
            "format": TRAIL_FORMAT,
            "version": TRAIL_VERSION,
            "genesis": b64(self.genesis),
            "handovers": [handover.to_json() for handover in self.handovers],
            "header": b64(self.header),
            "certificate": b64(self.certificate),
            "docket": self.docket.to_json(),
            "head": b64(self.head),
            "head_proof": b64(self.head_proof),
            "rules": [b64(one) for one in self.rules],
            "rule_set": b64(self.rule_set),
            "calendars": [b64(one) for one in self.calendars],
            "blocks": [block.to_json() for block in self.blocks],
            "submissions": [submission.to_json() for submission in self.submissions],
            "events": [event.to_json() for event in self.events],
        }
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")

    @classmethod
    def from_json(cls, data: bytes) -> CaseTrail:
        """Read a trail strictly.

        Raises:
            InvalidReceipt: for anything but exactly the fields above in exactly these spellings.
        """
        fields = Fields(read_object(data, MAX_TRAIL_BYTES), "trail")
        if fields.text("format") != TRAIL_FORMAT:
            raise InvalidReceipt("no-trail")
        if fields.integer("version") != TRAIL_VERSION:
            raise InvalidReceipt("unknown-trail-version")
        trail = cls(
            fields.base64("genesis"),
            tuple(Handover.from_json(value) for value in fields.array("handovers", MAX_HANDOVERS)),
            fields.base64("header"),
            fields.base64("certificate"),
            Docket.from_json(fields.take("docket")),
            fields.base64("head"),
            fields.base64("head_proof"),
            fields.base64s("rules", MAX_TRAIL_RULES),
            fields.base64("rule_set"),
            fields.base64s("calendars", MAX_CALENDARS),
            tuple(TrailBlock.from_json(value) for value in fields.array("blocks", MAX_TRAIL_EVENTS)),
            tuple(TrailSubmission.from_json(value) for value in fields.array("submissions", MAX_TRAIL_EVENTS)),
            tuple(TrailEvent.from_json(value) for value in fields.array("events", MAX_TRAIL_EVENTS)),
        )
        fields.done()
        return trail
