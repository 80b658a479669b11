"""Submissions made before the clock starts: each signed as the SDK would sign it, with the ledger's own parts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fazhi_ledger.canonical import pack
from fazhi_ledger.keys import Signer
from fazhi_ledger.record import Record, case_key, records_root
from fazhi_ledger.submission import Item, SubmissionBody, sign_item
from fazhi_ledger.suites import ED25519_SHA256

PROCEDURE: Final = "penalty"
OPENING: Final = "LEAD"
FOLLOWING: Final = "INVEST"
"""A step that may stand any number of times: investigations, of which a case has many."""
COMMITMENTS: Final = 5
"""As of a record with one file and four fields."""


@dataclass(slots=True)
class Lane:
    """One lane of one signer, and its next seq."""

    signer: Signer
    lane: bytes
    seq: int = 0


class Workload:
    """Makes items for one chain; every case and lane follows from ``seed``, so that no two runs collide."""

    def __init__(self, genesis_hash: bytes, org: str, signers: Sequence[Signer], seed: str) -> None:
        self._genesis = genesis_hash
        self._org = org
        self._signers = tuple(signers)
        self._seed = seed
        self._cases = 0
        self._suite = ED25519_SHA256
        self._lanes = 0

    def digest(self, *words: object) -> bytes:
        """32 bytes that follow from the seed and these words."""
        return hashlib.sha256(repr((self._seed, *words)).encode()).digest()

    def new_lanes(self, count: int) -> list[Lane]:
        """Lanes that nobody has used, the signers in turn. Each measurement takes its own: a load that was broken off
        leaves gaps behind, and what follows a gap in a lane waits for ever.
        """
        lanes = []
        for _ in range(count):
            signer = self._signers[self._lanes % len(self._signers)]
            lanes.append(Lane(signer, self.digest("lane", self._lanes)[:16]))
            self._lanes += 1
        return lanes

    def new_case(self) -> bytes:
        """The key of a case that nobody has opened."""
        self._cases += 1
        return self.case(self._cases)

    @property
    def cases(self) -> int:
        """How many keys :meth:`new_case` has given."""
        return self._cases

    def case(self, number: int) -> bytes:
        """The key that :meth:`new_case` gave as its ``number``-th, from 1."""
        return case_key(self._suite, self._org, PROCEDURE, f"{self._seed}-{number}")

    def record(self, case: bytes, step: str, number: int = 0) -> bytes:
        """The bytes of one record, said to have happened now."""
        root = self.digest("commitments", case, number)
        return Record(PROCEDURE, case, step, time.time_ns() // 1_000_000, COMMITMENTS, root).encode()

    def item(self, lane: Lane, records: Sequence[bytes]) -> Item:
        """One signed submission of these records, the next of its lane."""
        data = tuple(records)
        draft = self.digest("draft", lane.lane, lane.seq)[:16]
        body = SubmissionBody(
            self._genesis,
            self._org,
            lane.lane,
            lane.seq,
            draft,
            "cases",
            "record",
            (len(data), records_root(self._suite, data)),
            (lane.signer.public_key,),
            time.time_ns() // 1_000_000,
        )
        lane.seq += 1
        return sign_item(body, [lane.signer], data)

    def singles(self, lane: Lane, count: int) -> list[bytes]:
        """Submissions that open one case each, with one record and one signature."""
        return [self.item(lane, [self.record(self.new_case(), OPENING)]).encode() for _ in range(count)]

    def event_batches(self, lane: Lane, count: int, records: int) -> list[bytes]:
        """Batches whose records are events of one case: its opening, then investigations."""
        batches = []
        for _ in range(count):
            case = self.new_case()
            steps = [OPENING, *[FOLLOWING] * (records - 1)]
            batches.append(self.item(lane, [self.record(case, step, n) for n, step in enumerate(steps)]).encode())
        return batches

    def opening_batches(self, lane: Lane, count: int, records: int) -> list[bytes]:
        """Batches in which every record opens a case of its own."""
        return [
            self.item(lane, [self.record(self.new_case(), OPENING) for _ in range(records)]).encode()
            for _ in range(count)
        ]


def requests(items: Sequence[bytes], per_request: int) -> list[bytes]:
    """Bodies of POST /v1/submissions."""
    return [pack(tuple(items[start : start + per_request])) for start in range(0, len(items), per_request)]
