"""The asynchronous client: one chain, seen through several gateways, with a durable outbox."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_ledger.canonical import Value
from fazhi_ledger.genesis import Genesis
from fazhi_ledger.header import Header
from fazhi_ledger.keys import Signer
from fazhi_ledger.submission import submission_id

from .. import errors
from ..drafts import DraftData, draft_of
from ..errors import BadAnswer, InputError, NotConnected, SdkError
from ..lists import certified_header
from ..normalise import docket_number
from ..outbox import Outbox
from ..outbox_rows import COMMITTED, PREPARED, REFUSED, SENT, SIGNED, UNUSED, Entry, new_draft_id
from ..privacy import check_clear
from ..receipts import Receipt
from ..trust import Fields, Trust
from .case import Case, Draft, Files
from .delivery import AT_A_TIME, Delivery, Outcome
from .destroying import Destroyed, destroy
from .filing import Filed, Filer, digest_of, learn_chain, new_item
from .gateways import Answer, Gateways, Tokens
from .lists import Lists
from .pending import Flushed, Pending, raise_for
from .receipting import Receipting
from .worker import Worker

DEFAULT_TIMEOUT_S: Final = 20.0
Submitted = Receipt | Pending
"""What a submission comes to: its verified receipt, or, where the chain has not answered yet, a handle of it."""


class Chain:
    """A connection to one chain. Make it with :meth:`connect`; close it, or use it as a context."""

    def __init__(
        self, trust: Trust, gateways: Gateways, outbox: Outbox, worker: Worker, timeout_s: float,
        algorithms: Sequence[str],
    ) -> None:  # fmt: skip
        self._trust = trust
        self._gateways = gateways
        self._outbox = outbox
        self._worker = worker
        self._timeout_s = timeout_s
        self.algorithms = tuple(algorithms)
        self._delivery = Delivery(outbox, gateways, trust, worker)
        self._receipting = Receipting(trust, outbox, worker, self._delivery)
        self._filer = Filer(outbox, trust, worker, self._delivery)
        self._orgs: dict[bytes, str] = {}
        self.lists = Lists(self)
        self._rules = sorted(map(RuleSet.decode, trust.file.rule_sets), key=lambda rules: rules.law_from)

    @classmethod
    async def connect(
        cls,
        urls: Sequence[str] | str,
        genesis_hash: str | bytes,
        outbox: str | os.PathLike[str],
        *,
        token: Tokens = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        algorithms: Sequence[str] = ("sha256",),
        genesis: str | os.PathLike[str] | bytes | None = None,
    ) -> Self:
        """Open the outbox and get to know the chain.

        ``genesis_hash`` was given to you out of band; everything is checked against it. ``urls`` are gateways of
        different members, best two or more. ``token`` is for reads (receipts are reads): one for all gateways or one
        for each URL. The genesis file is kept in the outbox, so that a later process can begin offline; ``genesis``
        hands it over without a network. Files are sealed under ``algorithms``. What an earlier process left in the
        outbox is delivered in the background from now on.

        Raises:
            WrongGenesis: a gateway serves another chain.
            NotConnected: no gateway can be reached, and the outbox does not know the chain yet.
            OutboxError, InputError.
        """
        trusted = digest_of(genesis_hash)
        gateways = Gateways([urls] if isinstance(urls, str) else urls, token, timeout_s)
        worker = Worker()
        try:
            box = await worker.run(lambda: Outbox(outbox, trusted))
        except BaseException:
            worker.close()
            raise
        try:
            trust = await learn_chain(box, worker, gateways, trusted, genesis)
            gateways.pin(trust.genesis, lambda answer: trust.members(Fields(answer.json(), answer.url)))
        except BaseException:
            await gateways.close()
            box.close()
            worker.close()
            raise
        chain = cls(trust, gateways, box, worker, timeout_s, algorithms)
        chain._delivery.start()
        return chain

    async def close(self) -> None:
        """Stop; what is undecided stays in the outbox for the next process."""
        await self._delivery.close()
        await self._gateways.close()
        self._worker.close()
        self._outbox.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- what it is ---------------------------------------------------------------------------------

    @property
    def genesis(self) -> Genesis:
        """The chain's genesis."""
        return self._trust.genesis

    @property
    def genesis_hash(self) -> bytes:
        """The trust root."""
        return self._trust.genesis_hash

    @property
    def trust(self) -> Trust:
        """What has been verified of the chain's membership."""
        return self._trust

    @property
    def gateways(self) -> Gateways:
        """The way to the chain."""
        return self._gateways

    def rules(self, procedure: str) -> RuleSet:
        """The rule set of a procedure as the genesis installs it, or as it was learnt (:meth:`learn`): of several the
        one of the newest law.

        Raises:
            InputError: ``unknown-procedure``.
        """
        found = self.rule_sets(procedure)
        if not found:
            known = ", ".join(sorted({rules.procedure for rules in self._rules}))
            raise InputError("unknown-procedure", procedure=procedure, known=known)
        return found[-1]

    def rule_sets(self, procedure: str) -> list[RuleSet]:
        """The rule sets of a procedure that the genesis installs or that were learnt, that of the newest law last."""
        return [rules for rules in self._rules if rules.procedure == procedure]

    async def learn(self, procedure: str, *, anew: bool = False) -> RuleSet:
        """:meth:`rules`, and those of a procedure that the members installed since the genesis: proven by the newest
        block, and kept in the outbox for when no gateway can be reached. What is known is asked for ``anew`` only.

        Raises:
            InputError: ``unknown-procedure``.
            ProofFailed, NotAuthorised, NotConnected.
        """
        if anew or not self.rule_sets(procedure):
            found = await self._voted(procedure)
            others = [rules for rules in self._rules if rules.procedure != procedure]
            self._rules = sorted([*others, *(found or self.rule_sets(procedure))], key=lambda rules: rules.law_from)
        return self.rules(procedure)

    async def _voted(self, procedure: str) -> Sequence[RuleSet]:
        """The rule sets of a procedure that are installed now."""
        try:
            found = await self.lists.installed(procedure)
        except NotConnected:
            kept = await self._worker.run(lambda: self._outbox.rule_sets(procedure))
            if not kept:
                raise
            return [RuleSet.decode(one) for one in kept]
        if found:
            encoded = [rules.encode() for rules in found]
            await self._worker.run(lambda: self._outbox.keep_rule_sets(procedure, encoded))
        return found

    async def checkpoint(self) -> Header:
        """The newest block that the nearest gateway shows, certified by a quorum.

        Raises:
            ProofFailed, NotAuthorised, NotConnected.
        """
        trust = self._trust
        return await self._gateways.read(
            "/v1/checkpoint", lambda answer: certified_header(trust, Fields(answer.json(), answer.url))
        )

    async def status(self) -> dict[str, Any]:
        """What the nearest gateway says of itself: a word, not a proof."""
        status: Any = await self._gateways.read("/v1/status", lambda answer: answer.json())
        return dict(status)

    # -- cases --------------------------------------------------------------------------------------

    async def open_case(
        self,
        procedure: str,
        number: str,
        signer: Signer,
        *,
        org: str | None = None,
        step: str | None = None,
        files: Files = (),
        occurred_at: datetime | int | None = None,
        fields: Mapping[str, Value] | None = None,
        clear: Mapping[str, str | int] | None = None,
        cosigners: Sequence[Signer] = (),
    ) -> Case:
        """Open a case: its first step is recorded, and its key claimed. The receipt is in the case; offline the case
        can be worked with all the same, and everything follows in order.

        Raises:
            SubmissionRefused: ``case-exists`` and the like.
            InputError, LooksPersonal.
        """
        if org is not None:
            self._orgs[signer.public_key] = org
        case = await self.case(procedure, number, signer, org=org)
        initial = step or next(one.code for one in (await self.learn(procedure)).steps if one.initial)
        draft = await case.draft(initial, files, occurred_at=occurred_at, fields=fields, clear=clear)
        for cosigner in cosigners:
            draft = draft.cosign(cosigner)
        submitted = await draft.submit()
        case.opening = submitted
        return case

    async def case(self, procedure: str, number: str, signer: Signer | None = None, *, org: str | None = None) -> Case:
        """A case that exists already (nothing is sent). ``org`` is who opened it; the signer's own where not given."""
        normal = docket_number(number)
        check_clear({}, normal)
        if org is None:
            if signer is None:
                raise InputError("unknown-org", key="–")
            org = await self.org_of(signer)
        return Case(self, org, procedure, normal, signer)

    async def org_of(self, signer: Signer) -> str:
        """The organisation of a key: out of the genesis, out of the outbox, or asked of a gateway.

        A wrong answer does no harm: the chain refuses a submission whose first key is not its organisation's.
        """
        key = signer.public_key
        registered = {one.key: one.org for one in self.genesis.officers}
        registered.update({one.key: one.org for one in self.genesis.members})
        registered.update(self._orgs)
        if key in registered:
            return registered[key]
        known = await self._worker.run(lambda: self._outbox.org_of(key))
        if known is not None:
            return known

        def check(answer: Answer) -> str:
            if answer.status != 200:
                raise BadAnswer("unknown-org", key=key.hex()[:16])
            return Fields(answer.json(), answer.url).text("org")

        try:
            org = await self._gateways.read(f"/v1/keys/{key.hex()}", check)
        except BadAnswer as error:
            error.outcome = errors.Outcome.NOTHING  # asked on the way to something that would have been recorded
            raise
        await self._worker.run(lambda: self._outbox.remember_org(key, org))
        return org

    # -- submitting ---------------------------------------------------------------------------------

    async def submit(self, draft: Draft | DraftData, *, timeout_s: float | None = None) -> Submitted:
        """Sign, keep, deliver: the verified receipt, or a :class:`Pending` where the chain has not answered in time.

        Raises:
            SubmissionRefused, SubmissionInvalid, Conflict, Expired: what the chain said.
            SignatureMissing, OutboxDisk: nothing left.
        """
        (outcome,) = await self.submit_many([draft], timeout_s=timeout_s)
        if isinstance(outcome, SdkError):
            raise outcome
        return outcome

    async def submit_many(
        self, drafts: Sequence[Draft | DraftData], *, timeout_s: float | None = None, together: bool = True
    ) -> list[Submitted | SdkError]:
        """Submit many drafts at once; what each came to, in the same order, errors among them and not raised.

        Drafts of the same signers go under one signature: far cheaper, for them and for the chain. Should the chain
        refuse such a batch, which is atomic, its drafts are submitted again, each on its own; as all are where
        ``together`` is false.
        """
        plain = [draft.data if isinstance(draft, Draft) else draft for draft in drafts]
        filed, due = await self._filer.file(plain, together=together)
        timeout = self._timeout_s if timeout_s is None else timeout_s
        outcomes = await self._delivery.wait([place.entry for place in filed], timeout, due)
        again = {at for at, place in enumerate(filed) if place.combined and _is_refused(outcomes, place)}
        results = await self._results({at: place for at, place in enumerate(filed) if at not in again}, outcomes)
        if again:
            alone = await self.submit_many([plain[at] for at in sorted(again)], timeout_s=timeout_s, together=False)
            results.update(zip(sorted(again), alone, strict=True))
        return [results[at] for at in range(len(plain))]

    async def _results(
        self, filed: Mapping[int, Filed], outcomes: Mapping[bytes, Outcome | SdkError]
    ) -> dict[int, Submitted | SdkError]:
        """What drafts came to, by their places in a call."""
        results: dict[int, Submitted | SdkError] = {}
        later: dict[bytes, list[int]] = {}
        for at, place in filed.items():
            outcome = outcomes[place.entry.id or b""]
            if isinstance(outcome, SdkError):
                results[at] = Pending(self, place.entry, place.record, outcome, place.draft)
            elif outcome.entry.status != COMMITTED:
                results[at] = raise_for(Pending(self, outcome.entry, place.record, None, place.draft))
            else:
                receipt = self._receipting.ready(outcome.proven, place.kept, place.signed)
                if receipt is None:
                    later.setdefault(outcome.entry.id or b"", []).append(at)
                else:
                    results[at] = receipt
            if at % AT_A_TIME == AT_A_TIME - 1:
                await asyncio.sleep(0)
        made = (self._receipts([filed[at] for at in places], outcomes[one]) for one, places in later.items())
        for places, receipts in zip(later.values(), await asyncio.gather(*made), strict=True):
            results.update(zip(places, receipts, strict=True))
        return results

    async def _receipts(self, places: Sequence[Filed], outcome: Outcome | SdkError) -> list[Receipt | SdkError]:
        """The receipts of some records of one committed submission."""
        if isinstance(outcome, SdkError):
            return [outcome] * len(places)
        records = [place.record for place in places]
        return await self._receipting.receipts(outcome.entry, records, outcome.proven, places[0].kept, places[0].signed)

    async def receipt_of(self, entry: Entry, record: int = 0) -> Receipt:
        """The verified receipt of one record of a committed submission."""
        (receipt,) = await self._receipting.receipts(entry, [record])
        if isinstance(receipt, SdkError):
            raise receipt
        return receipt

    async def receipt(self, submission: str | bytes, record: int = 0) -> Receipt:
        """The receipt of a submission that this outbox made, fetched again.

        Raises:
            InputError: ``unknown-submission`` where the outbox does not hold it.
        """
        item_id = digest_of(submission)
        entry = await self._worker.run(lambda: self._outbox.entry(item_id))
        if entry is None:
            raise InputError("unknown-submission", id=item_id.hex()[:16])
        if entry.status != COMMITTED:
            outcome = (await self._delivery.wait([entry], self._timeout_s))[item_id]
            if isinstance(outcome, SdkError):
                raise outcome
            entry = outcome.entry
        if entry.status != COMMITTED:
            raise raise_for(Pending(self, entry, record, None, None))
        return await self.receipt_of(entry, record)

    async def flush(self, timeout_s: float | None = None) -> Flushed:
        """Deliver what the outbox holds, an earlier process's too, and say what became of it."""
        await self._poll_prepared()
        waiting = await self._worker.run(lambda: self._outbox.entries(SIGNED, SENT))
        outcomes = await self._delivery.wait(waiting, self._timeout_s if timeout_s is None else timeout_s)
        entries = [outcome.entry for outcome in outcomes.values() if isinstance(outcome, Outcome)]
        failed = tuple(Pending(self, entry, 0, None, None) for entry in entries if entry.status in UNUSED)
        return Flushed(
            sum(entry.status == COMMITTED for entry in entries),
            sum(entry.status == REFUSED for entry in entries),
            len(outcomes) - len(entries),
            failed,
            tuple(raise_for(Pending(self, entry)) for entry in entries if entry.status in (REFUSED, *UNUSED)),
        )

    async def _poll_prepared(self) -> None:
        """A draft handed out fully named may have been submitted by the cosigner: ask, so that its lane is freed."""
        for entry in await self._worker.run(lambda: self._outbox.entries(PREPARED)):
            if entry.id is not None:
                try:
                    await self._delivery.look_up(entry)
                except SdkError:
                    return

    async def pending(self) -> list[Pending]:
        """Handles of everything in the outbox that the chain has not decided, or did not take."""
        entries = await self._worker.run(lambda: self._outbox.entries(PREPARED, SIGNED, SENT, *UNUSED))
        return [Pending(self, entry, 0, None, None) for entry in entries]

    # -- for drafts and handles ---------------------------------------------------------------------

    async def prepare(self, draft: DraftData) -> DraftData:
        """Keep a draft that is about to leave this device, and give it its place."""
        named = len(draft.signer_keys) > 1

        def work() -> DraftData:
            entry = self._outbox.prepare(new_item(draft))
            placed = draft.at(entry.lane, entry.seq)
            if named:
                self._outbox.prepare(new_item(placed), submission_id(self._trust.suite, placed.body().encode()))
            return placed

        return await self._worker.run(work)

    def new_draft(self, org: str, signer: Signer, **values: Any) -> DraftData:
        """A draft of no records yet."""
        return DraftData(
            self.genesis.suite_name,
            self.genesis_hash,
            org,
            new_draft_id(),
            time.time_ns() // 1_000_000,
            (),
            (signer.public_key,),
            signers=(signer,),
            **values,
        )

    async def draft_of(self, entry: Entry) -> DraftData:
        """The draft behind an entry, without its signers."""
        return draft_of(
            self.genesis.suite_name, entry, await self._worker.run(lambda: self._outbox.kept(entry.draft_id))
        )

    async def refile(self, draft: DraftData, signers: Sequence[Signer]) -> Entry:
        """Sign again what the chain did not take: same draft, same commitments, a new place."""
        fresh = replace(draft, place=None, signatures=(), signers=(), valid_until_ms=None)
        for signer in signers:
            if signer.public_key in fresh.signer_keys:
                fresh = fresh.cosign(signer)
        (place,), _ = await self._filer.file([fresh])
        return place.entry

    async def abandon(self, draft: DraftData) -> None:
        """Give up a prepared draft. Its place is used again, or voided by its key's next submission where a signed
        copy of the draft may be out.
        """
        shared = any(key == draft.signer_keys[0] for key, _ in draft.signatures)
        await self._worker.run(lambda: self._outbox.abandon(draft.draft_id, shared=shared))

    async def wait_for(self, entry: Entry, timeout_s: float | None) -> Outcome | SdkError:
        """Wait until the chain has answered for an entry."""
        item_id = entry.id or b""
        now = await self._worker.run(lambda: self._outbox.entry(item_id))
        timeout = self._timeout_s if timeout_s is None else timeout_s
        return (await self._delivery.wait([now or entry], timeout))[item_id]

    async def destroy(self, recorded: Receipt) -> tuple[Destroyed, ...]:
        """Destroy the salts that a record of the step ``SALTGONE`` names; see :func:`.destroying.destroy`."""
        return await destroy(self, recorded, self._outbox, self._worker)


def _is_refused(outcomes: Mapping[bytes, Outcome | SdkError], place: Filed) -> bool:
    outcome = outcomes[place.entry.id or b""]
    return isinstance(outcome, Outcome) and outcome.entry.status == REFUSED
