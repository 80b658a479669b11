"""Parts that several tests of the SDK build on."""

from __future__ import annotations

import hashlib

from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.record import FileValue
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_sdk.drafts import DraftData, RecordDraft, openings_of
from fazhi_sdk.outbox_rows import NewItem, new_draft_id

SUITE = ED25519_SHA256
GENESIS_HASH = SUITE.hash(b"a chain of a test")
NOW_MS = 1_772_414_047_000


def signer(seed: int = 1) -> SoftwareSigner:
    """A signer whose key follows from a number."""
    return SoftwareSigner(SUITE, hashlib.sha256(b"signer %d" % seed).digest())


def file_value(content: bytes) -> FileValue:
    """What sealing a file of that content gives."""
    return FileValue((("sha256", hashlib.sha256(content).digest()),), len(content), "image/jpeg")


def record_draft(number: str = "桐综执罚2026-0412", step: str = "INVEST") -> RecordDraft:
    """A record with one file and one field."""
    openings = openings_of([file_value(b"photo")], {"place": "环城路"})
    return RecordDraft("zfj", "penalty", number, step, NOW_MS, (("mode", "on_site"),), (), openings)


def draft(first: SoftwareSigner | None = None, number: str = "桐综执罚2026-0412") -> DraftData:
    """A draft with its first signer at hand."""
    first = signer() if first is None else first
    return DraftData(
        SUITE.name,
        GENESIS_HASH,
        "zfj",
        new_draft_id(),
        NOW_MS,
        (record_draft(number),),
        (first.public_key,),
        signers=(first,),
    )


def new_item(of: DraftData) -> NewItem:
    """How the SDK files a draft."""
    return NewItem(
        of.draft_id,
        of.org,
        of.signer_keys[0],
        "cases",
        "record",
        of.kept(),
        lambda lane, seq: of.at(lane, seq).complete(),
    )
