"""Handles of submissions that the chain has not answered, or did not take."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fazhi_contracts.messages import REFUSALS
from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.keys import Signer

from ..drafts import DraftData
from ..errors import (
    Conflict,
    Expired,
    NotDecided,
    SdkError,
    SubmissionError,
    SubmissionInvalid,
    SubmissionRefused,
)
from ..outbox_rows import COMMITTED, CONFLICT, EXPIRED, INVALID, REFUSED, Entry
from .delivery import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from ..receipts import Receipt
    from .chain import Chain


class Pending:
    """One record in the outbox. ``why`` says what stopped it for now, if anything did."""

    pending = True

    def __init__(
        self, chain: Chain, entry: Entry, record: int = 0, why: SdkError | None = None, draft: DraftData | None = None
    ) -> None:
        self._chain = chain
        self._draft = draft
        self.entry = entry
        self.record = record
        self.why = why

    def __repr__(self) -> str:
        return f"<Pending {self.id.hex()[:16]} {self.status}>"

    @property
    def id(self) -> bytes:
        """The submission's id; empty while a draft lacks signatures."""
        return self.entry.id or b""

    @property
    def status(self) -> str:
        """As the outbox has it: prepared, signed, sent, committed, refused, invalid, conflict, expired."""
        return self.entry.status

    async def receipt(self, timeout_s: float | None = None) -> Receipt:
        """Wait for the chain's answer.

        Raises:
            NotConnected, NotDecided, TooBusy: not now; it is safe in the outbox.
            SubmissionRefused, SubmissionInvalid, Conflict, Expired.
        """
        if self.entry.id is None:
            raise NotDecided("not-decided", seconds=0)
        if not self.entry.decided:
            outcome = await self._chain.wait_for(self.entry, timeout_s)
            if not isinstance(outcome, Outcome):
                self.why = outcome
                raise outcome
            self.entry = outcome.entry
        if self.entry.status == COMMITTED:
            return await self._chain.receipt_of(self.entry, self.record)
        raise raise_for(self)

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Wait for the receipt and save it; see :meth:`receipt` for what it raises."""
        return (await self.receipt()).save(path)

    async def resign(self, *signers: Signer) -> Pending:
        """Sign again, under a new seq, what the chain did not take (invalid, conflict, expired). The draft and its
        commitments stay the same; all its signers must be at hand.
        """
        draft = await self._chain.draft_of(self.entry) if self._draft is None else self._draft
        entry = await self._chain.refile(draft, signers)
        return Pending(self._chain, entry, self.record, None, draft)


@dataclass(frozen=True, slots=True)
class Flushed:
    """What :meth:`Chain.flush` came to: counts, the entries that the chain did not take, and of every one that was
    refused or not taken the error that says why (``pending`` in it is the outbox's row).
    """

    committed: int
    refused: int
    undecided: int
    failed: tuple[Pending, ...]
    reasons: tuple[SubmissionError, ...]


def raise_for(pending: Pending) -> SubmissionError:
    """The error that an entry's status stands for."""
    entry = pending.entry
    parameters = dict(entry.parameters)
    code = entry.code or ""
    error: SubmissionError
    if entry.status == REFUSED:
        parameters.pop("code", None)
        error = SubmissionRefused(code, **parameters)
    elif entry.status == CONFLICT:
        error = Conflict("conflict", seq=entry.seq)
    elif entry.status == EXPIRED:
        error = Expired("expired")
    elif entry.status == INVALID:
        error = SubmissionInvalid("invalid", reason=_reason(code, entry))
    else:
        error = SubmissionInvalid("unknown-error", details=f"{entry.status} {code}")
    if entry.status == REFUSED:
        error.what = (_said(code, entry, "zh"), _said(code, entry, "en"))
    error.pending = entry
    return error


def _said(code: str, entry: Entry, language: str) -> str:
    return ledger_messages.sentence((REFUSALS,), code, entry.parameters, language).rstrip("。.")


def _reason(code: str, entry: Entry) -> str:
    details = ", ".join(f"{name}={value}" for name, value in entry.parameters)
    return f"{code} ({details})" if details else code
