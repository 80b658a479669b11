"""The destruction of salts: what a record committed to becomes undisclosable for good, under an authority that stands
on the chain (step ``SALTGONE`` of the common part ``privacy``).

First the record, then the deed: nothing is destroyed here but what a verified receipt says was approved, by whom and on
what ground. A legal hold (``HOLD`` without a later ``HOLDEND``) beats it. Receipts, drafts and backups that have left
this outbox are out of reach: whoever approves the destruction sees to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fazhi_ledger.record import Opening, commitment
from fazhi_ledger.result import SEVERITIES
from fazhi_ledger.submission import Item

from ..errors import InputError
from ..outbox import Outbox
from ..outbox_rows import COMMITTED, Entry, Kept
from ..receipts import Receipt
from .worker import Worker

if TYPE_CHECKING:
    from .chain import Chain

SALTS_DESTROYED: Final = "SALTGONE"
HOLD: Final = "HOLD"
HOLD_ENDED: Final = "HOLDEND"
FIELDS: Final = "fields"
"""The committed field that lists what is destroyed, and the value of ``scope`` that says so."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was destroyed of one record: the fields whose salts are gone; none where they had gone before."""

    submission: bytes
    record: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Target:
    """A record that the destruction is about."""

    entry: Entry
    index: int
    kept: Kept


async def destroy(chain: Chain, recorded: Receipt, outbox: Outbox, worker: Worker) -> tuple[Destroyed, ...]:
    """Destroy what a record of ``SALTGONE`` names: of the submissions that it refers to the records of its case, all of
    their fields and files or (``scope=fields``) those listed in its committed field ``fields``, with commas between.
    Doing it again destroys what is left.

    Raises:
        InputError: ``no-destruction``, ``destruction-breached``, ``legal-hold``, ``unknown-submission``, ``bad-field``:
            nothing was destroyed.
        ProofFailed, NotConnected: whether a hold stands could not be learnt.
    """
    facts = recorded.facts
    if facts.record.step != SALTS_DESTROYED or not facts.record.refs or facts.genesis_hash != chain.genesis_hash:
        raise InputError("no-destruction", step=facts.record.step)
    for finding in recorded.findings:
        if finding.severity == SEVERITIES[-1]:
            raise InputError("destruction-breached", finding=finding.code)
    fields = _listed(recorded)
    targets = await worker.run(lambda: _targets(outbox, recorded))
    for name in fields or ():
        if all(one.field != name for target in targets for one in target.kept.in_place()):
            raise InputError("bad-field", field=name, reason="the records referred to have none of that name")
    kept = targets[0].kept
    view = await (await chain.case(kept.procedure, kept.number, org=kept.org)).show()
    marks = view.head.marks.by_step()
    if HOLD in marks and (HOLD_ENDED not in marks or marks[HOLD_ENDED].last_number < marks[HOLD].last_number):
        raise InputError("legal-hold", number=marks[HOLD].last_number)
    return await worker.run(lambda: tuple(_destroy(chain, outbox, target, fields) for target in targets))


def _listed(recorded: Receipt) -> tuple[str, ...] | None:
    """The fields that are to be destroyed; None for all."""
    facts = recorded.facts
    if dict(facts.record.clear).get("scope") != FIELDS:
        return None
    text = next((str(one.value) for one in facts.fields if one.field == FIELDS), "")
    names = tuple(name for part in text.replace("，", ",").split(",") if (name := part.strip()))
    if not names:
        raise InputError("bad-field", field=FIELDS, reason="it lists nothing, or the receipt does not open it")
    return names


def _targets(outbox: Outbox, recorded: Receipt) -> list[_Target]:
    """The records of the same case in the submissions referred to; each submission has one."""
    found = []
    for ref in recorded.facts.record.refs:
        entry = outbox.entry(ref)
        kept = () if entry is None else outbox.kept(entry.draft_id)
        mine = [(at, one) for at, one in enumerate(kept) if one.case_key == recorded.facts.record.case_key]
        if entry is None or entry.status != COMMITTED or not mine:
            raise InputError("unknown-submission", id=ref.hex()[:16])
        found += [_Target(entry, at, one) for at, one in mine]
    return found


def _destroy(chain: Chain, outbox: Outbox, target: _Target, fields: tuple[str, ...] | None) -> Destroyed:
    body, trust = Item.decode(target.entry.item or b"").body, chain.trust

    def commit(one: Opening) -> bytes:
        return commitment(trust.suite, trust.genesis_hash, body.signer_keys[0], body.draft_id, target.index, one)

    gone = outbox.destroy(target.entry.draft_id, target.index, fields, commit)
    return Destroyed(target.entry.id or b"", target.index, gone)
