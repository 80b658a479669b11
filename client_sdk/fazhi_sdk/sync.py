"""The SDK without ``await``: the same names as :mod:`fazhi_sdk.aio`, carried out by an event loop in a thread of its
own. Any thread may call; calls of several threads run side by side.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from fazhi_contracts.attestation import TRAIL
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_ledger.canonical import Value
from fazhi_ledger.genesis import Genesis
from fazhi_ledger.header import Header
from fazhi_ledger.keys import Signer
from fazhi_ledger.record import FileValue

from . import aio
from .aio.archive import stream_archive
from .aio.case import Files
from .aio.chain import DEFAULT_TIMEOUT_S
from .aio.destroying import Destroyed
from .aio.gateways import Tokens
from .aio.lists import See
from .cases import CaseView, Trail
from .drafts import DraftData
from .errors import DraftError, SdkError
from .lists import CaseList, KnownRules, Series, Survey
from .outbox_rows import Entry
from .receipts import Receipt
from .sealing import Progress

T = TypeVar("T")


class Portal:
    """An event loop in a thread, and the door to it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="fazhi-sdk", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out ``work`` on the loop and wait for it; an interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except (KeyboardInterrupt, CancelledError):
            future.cancel()
            raise

    @property
    def alive(self) -> bool:
        """Whether the loop runs in this process."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the loop and its thread."""
        if self.alive:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()


class Pending:
    """One record in the outbox that the chain has not answered, or did not take."""

    pending = True

    def __init__(self, inner: aio.Pending, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def __repr__(self) -> str:
        return repr(self._inner)

    @property
    def id(self) -> bytes:
        """The submission's id; empty while a draft lacks signatures."""
        return self._inner.id

    @property
    def status(self) -> str:
        """As the outbox has it: prepared, signed, sent, committed, refused, invalid, conflict, expired."""
        return self._inner.status

    @property
    def entry(self) -> Entry:
        """The outbox's row."""
        return self._inner.entry

    @property
    def why(self) -> SdkError | None:
        """What stopped it for now, if anything did."""
        return self._inner.why

    def receipt(self, timeout_s: float | None = None) -> Receipt:
        """Wait for the chain's answer; see :meth:`fazhi_sdk.aio.Pending.receipt`."""
        return self._portal.run(self._inner.receipt(timeout_s))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Wait for the receipt and save it."""
        return self._portal.run(self._inner.save(path))

    def resign(self, *signers: Signer) -> Pending:
        """Sign again, under a new seq, what the chain did not take."""
        return Pending(self._portal.run(self._inner.resign(*signers)), self._portal)


Submitted = Receipt | Pending
"""What a submission comes to: its verified receipt, or, where the chain has not answered yet, a handle of it."""


def _submitted(given: aio.Submitted, portal: Portal) -> Submitted:
    return given if isinstance(given, Receipt) else Pending(given, portal)


class Draft:
    """What is going to be signed; see :class:`fazhi_sdk.aio.Draft`. Immutable: each method returns a new draft."""

    def __init__(self, inner: aio.Draft, portal: Portal | None) -> None:
        self._inner = inner
        self._portal = portal

    def __repr__(self) -> str:
        return repr(self._inner)

    def __str__(self) -> str:
        return str(self._inner)

    @classmethod
    def load(cls, path: str | os.PathLike[str], chain: Chain | None = None) -> Draft:
        """Read a draft file. Without a chain it can be looked at, cosigned and saved, not submitted."""
        if chain is None:
            return cls(aio.Draft.load(path), None)
        return cls(aio.Draft.load(path, chain.inner), chain.portal)

    @property
    def data(self) -> DraftData:
        """The draft itself."""
        return self._inner.data

    @property
    def missing(self) -> tuple[bytes, ...]:
        """Named keys that have not signed and are not at hand."""
        return self._inner.missing

    def shown(self, language: str = "zh") -> str:
        """What a signer must see: case, step, time, files with their digests, fields."""
        return self._inner.shown(language)

    def cosign(self, signer: Signer) -> Draft:
        """The draft with a further signer; the signature is made when it is saved or submitted."""
        return Draft(self._inner.cosign(signer), self._portal)

    def check_file(self, path: str | os.PathLike[str], progress: Progress | None = None) -> FileValue:
        """Seal the file and find it among those of the draft."""
        return self._inner.check_file(path, progress)

    def save(self, path: str | os.PathLike[str]) -> Draft:
        """Keep the salts, reserve the place, write the draft file; see :meth:`fazhi_sdk.aio.Draft.save`."""
        run = asyncio.run if self._portal is None else self._portal.run
        return Draft(run(self._inner.save(path)), self._portal)

    def submit(self, *, timeout_s: float | None = None) -> Submitted:
        """Sign with everybody at hand, keep, deliver; see :meth:`Chain.submit`."""
        if self._portal is None:
            raise DraftError("draft-unbound")
        return _submitted(self._portal.run(self._inner.submit(timeout_s=timeout_s)), self._portal)

    def abandon(self) -> None:
        """Give up a saved draft."""
        if self._portal is not None:
            self._portal.run(self._inner.abandon())


class Case:
    """A case; see :class:`fazhi_sdk.aio.Case`."""

    def __init__(self, inner: aio.Case, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def __repr__(self) -> str:
        return repr(self._inner)

    @property
    def org(self) -> str:
        """Who opened it."""
        return self._inner.org

    @property
    def procedure(self) -> str:
        """The procedure that it follows."""
        return self._inner.procedure

    @property
    def number(self) -> str:
        """Its docket number, normalised."""
        return self._inner.number

    @property
    def id(self) -> bytes:
        """By what the chain knows it."""
        return self._inner.id

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the opening, where it was opened here and the chain has answered."""
        return self._inner.receipt

    @property
    def opening(self) -> Submitted | None:
        """What the opening came to."""
        return None if self._inner.opening is None else _submitted(self._inner.opening, self._portal)

    def draft(
        self,
        step: str,
        files: Files = (),
        *,
        occurred_at: datetime | int | None = None,
        fields: Mapping[str, Value] | None = None,
        clear: Mapping[str, str | int] | None = None,
        refs: Sequence[bytes] = (),
        signer: Signer | None = None,
        cosigners: Sequence[Signer | bytes] = (),
        progress: Progress | None = None,
        valid_for_ms: int | None = None,
        fresh: bool = False,
    ) -> Draft:
        """Seal the files and draft a record of ``step``; see :meth:`fazhi_sdk.aio.Case.draft`."""
        inner = self._portal.run(
            self._inner.draft(
                step,
                files,
                occurred_at=occurred_at,
                fields=fields,
                clear=clear,
                refs=refs,
                signer=signer,
                cosigners=cosigners,
                progress=progress,
                valid_for_ms=valid_for_ms,
                fresh=fresh,
            )
        )
        return Draft(inner, self._portal)

    def attest(
        self, scope: str = TRAIL, through: int | None = None, files: Files = (), **arguments: Any
    ) -> tuple[Draft, Trail]:
        """Verify the trail and draft an attestation of it; see :meth:`fazhi_sdk.aio.Case.attest`."""
        draft, trail = self._portal.run(self._inner.attest(scope, through, files, **arguments))
        return Draft(draft, self._portal), trail

    def record(self, step: str, files: Files = (), *, timeout_s: float | None = None, **arguments: Any) -> Submitted:
        """:meth:`draft` and :meth:`Draft.submit` in one."""
        return self.draft(step, files, **arguments).submit(timeout_s=timeout_s)

    def show(self) -> CaseView:
        """The case as of the newest certified header at hand, proven."""
        return self._portal.run(self._inner.show())

    def trail(self) -> Trail:
        """Every event of the case, proven to be all of them, with the rules that it is judged by and the verdict."""
        return self._portal.run(self._inner.trail())


class Chain:
    """A connection to one chain; see :class:`fazhi_sdk.aio.Chain`. Close it, or use it as a context."""

    def __init__(self, inner: aio.Chain, portal: Portal) -> None:
        self.inner = inner
        self.portal = portal
        atexit.register(self._end)  # a script that ends without closing ends in order all the same

    @classmethod
    def connect(
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
        """Open the outbox and get to know the chain; see :meth:`fazhi_sdk.aio.Chain.connect`."""
        portal = Portal()
        try:
            inner = portal.run(
                aio.Chain.connect(
                    urls,
                    genesis_hash,
                    outbox,
                    token=token,
                    timeout_s=timeout_s,
                    algorithms=algorithms,
                    genesis=genesis,
                )
            )
        except BaseException:
            portal.close()
            raise
        return cls(inner, portal)

    def close(self) -> None:
        """Stop; what is undecided stays in the outbox for the next process."""
        atexit.unregister(self._end)
        self.portal.run(self.inner.close())
        self.portal.close()

    def _end(self) -> None:
        if self.portal.alive:  # not in a child that was forked: the loop's thread stayed with the parent
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def genesis(self) -> Genesis:
        """The chain's genesis."""
        return self.inner.genesis

    @property
    def genesis_hash(self) -> bytes:
        """The trust root."""
        return self.inner.genesis_hash

    def rules(self, procedure: str) -> RuleSet:
        """The rule set of a procedure as the genesis installs it."""
        return self.inner.rules(procedure)

    def learn(self, procedure: str, *, anew: bool = False) -> RuleSet:
        """:meth:`rules`, also of a procedure that was installed by vote; see :meth:`fazhi_sdk.aio.Chain.learn`."""
        return self.portal.run(self.inner.learn(procedure, anew=anew))

    def checkpoint(self) -> Header:
        """The newest block that the nearest gateway shows, certified by a quorum."""
        return self.portal.run(self.inner.checkpoint())

    def series(self) -> tuple[tuple[Series, int], ...]:
        """What cases there are, and how many: a word; see :meth:`fazhi_sdk.aio.lists.Lists.series`."""
        return self.portal.run(self.inner.lists.series())

    def cases(self, org: str, procedure: str, year: int) -> CaseList:
        """All cases of an organisation, procedure and year, proven; see :meth:`fazhi_sdk.aio.lists.Lists.cases`."""
        return self.portal.run(self.inner.lists.cases((org, procedure, year)))

    def survey(self, see: See, org: str | None = None, procedure: str | None = None, year: int | None = None) -> Survey:
        """Go through every case, proven, with its rules; see :meth:`fazhi_sdk.aio.lists.Lists.survey`."""
        return self.portal.run(self.inner.lists.survey(see, org, procedure, year))

    def rules_of(self, header: Header, procedure: str) -> KnownRules:
        """The rules that a certified header names, with the rule sets of a procedure."""
        return self.portal.run(self.inner.lists.rules(header, procedure))

    def status(self) -> dict[str, Any]:
        """What the nearest gateway says of itself: a word, not a proof."""
        return self.portal.run(self.inner.status())

    def open_case(
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
        """Open a case; see :meth:`fazhi_sdk.aio.Chain.open_case`."""
        inner = self.portal.run(
            self.inner.open_case(
                procedure,
                number,
                signer,
                org=org,
                step=step,
                files=files,
                occurred_at=occurred_at,
                fields=fields,
                clear=clear,
                cosigners=cosigners,
            )
        )
        return Case(inner, self.portal)

    def case(self, procedure: str, number: str, signer: Signer | None = None, *, org: str | None = None) -> Case:
        """A case that exists already (nothing is sent)."""
        return Case(self.portal.run(self.inner.case(procedure, number, signer, org=org)), self.portal)

    def submit(self, draft: Draft, *, timeout_s: float | None = None) -> Submitted:
        """Sign, keep, deliver: the verified receipt, or a :class:`Pending`; see :meth:`fazhi_sdk.aio.Chain.submit`."""
        return _submitted(self.portal.run(self.inner.submit(draft.data, timeout_s=timeout_s)), self.portal)

    def submit_many(
        self, drafts: Sequence[Draft], *, timeout_s: float | None = None, together: bool = True
    ) -> list[Submitted | SdkError]:
        """Submit many drafts at once; see :meth:`fazhi_sdk.aio.Chain.submit_many`."""
        plain = [draft.data for draft in drafts]
        outcomes = self.portal.run(self.inner.submit_many(plain, timeout_s=timeout_s, together=together))
        return [one if isinstance(one, SdkError) else _submitted(one, self.portal) for one in outcomes]

    def receipt(self, submission: str | bytes, record: int = 0) -> Receipt:
        """The receipt of a submission that this outbox made, fetched again."""
        return self.portal.run(self.inner.receipt(submission, record))

    def flush(self, timeout_s: float | None = None) -> aio.Flushed:
        """Deliver what the outbox holds, an earlier process's too, and say what became of it."""
        return self.portal.run(self.inner.flush(timeout_s))

    def pending(self) -> list[Pending]:
        """Handles of everything in the outbox that the chain has not decided, or did not take."""
        return [Pending(one, self.portal) for one in self.portal.run(self.inner.pending())]

    def destroy(self, recorded: Receipt) -> tuple[Destroyed, ...]:
        """Destroy the salts that a record of the step ``SALTGONE`` names; see :func:`.aio.destroying.destroy`."""
        return self.portal.run(self.inner.destroy(recorded))


def archive_chunks(
    urls: Sequence[str] | str, genesis_hash: str | bytes, *, token: Tokens = None, timeout_s: float = 30.0
) -> Iterator[bytes]:
    """The archive of a whole chain from a node, piece by piece; see :func:`fazhi_sdk.aio.archive.stream_archive`."""
    portal = Portal()
    stream = stream_archive(urls, genesis_hash, token=token, timeout_s=timeout_s)
    try:
        while (chunk := portal.run(_next(stream))) is not None:
            yield chunk
    finally:
        portal.run(stream.aclose())
        portal.close()


async def _next(stream: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(stream, None)
