"""Signing with domain separation: the pre-authentication encoding of DSSE, one payload type per kind of message.

A signature made for one kind can never be read as another: a PREPARE is not a COMMIT, a submission is not a checkpoint.
Source: DSSE protocol v1 (secure-systems-lab/dsse, protocol.md), ``PAE``.
"""

from __future__ import annotations

from typing import Final

from .keys import Signer
from .suites import Suite

SUBMISSION: Final = "application/vnd.fazhi.submission.v1"
PRE_PREPARE: Final = "application/vnd.fazhi.pre-prepare.v1"
PREPARE: Final = "application/vnd.fazhi.prepare.v1"
COMMIT: Final = "application/vnd.fazhi.commit.v1"
ROUND_CHANGE: Final = "application/vnd.fazhi.round-change.v1"
CHECKPOINT: Final = "application/vnd.fazhi.checkpoint.v1"
POSSESSION: Final = "application/vnd.fazhi.possession.v1"

PAYLOAD_TYPES: Final = (SUBMISSION, PRE_PREPARE, PREPARE, COMMIT, ROUND_CHANGE, CHECKPOINT, POSSESSION)


def _head(payload_type: str) -> bytes:
    kind = payload_type.encode("ascii")
    return b"DSSEv1 %d %b " % (len(kind), kind)


_HEADS: Final = {payload_type: _head(payload_type) for payload_type in PAYLOAD_TYPES}


def pae(payload_type: str, body: bytes) -> bytes:
    """``"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body``, lengths in ASCII decimal."""
    return b"%b%d %b" % (_HEADS.get(payload_type) or _head(payload_type), len(body), body)


def sign(signer: Signer, payload_type: str, body: bytes) -> bytes:
    """A signature over ``body`` as a message of that kind."""
    return signer.sign(pae(payload_type, body))


def verify(suite: Suite, public_key: bytes, payload_type: str, body: bytes, signature: bytes) -> None:
    """Raise :class:`~fazhi_ledger.errors.InvalidSignature` unless the signature was made over ``body`` as a message
    of that kind."""
    suite.verify(public_key, pae(payload_type, body), signature)
