"""Cases and drafts, bound to a chain."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fazhi_contracts.attestation import ATTEST, SCOPE, THROUGH, TRAIL
from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.keys import Signer
from fazhi_ledger.record import FileValue, Record, case_id, case_key

from ..cases import CaseView, ProvenHead, Trail, case_view, check_absence, proven_head
from ..drafts import DraftData, RecordDraft, load_draft, openings_of, save_draft, shown
from ..errors import BadAnswer, DraftError, InputError, UnknownCase
from ..normalise import text_value, time_ms
from ..privacy import check_clear
from ..sealing import Progress, seal
from ..trust import Fields
from .gateways import Answer
from .trails import TrailReader

if TYPE_CHECKING:
    from ..receipts import Receipt
    from .chain import Chain, Submitted

Files = Sequence[str | os.PathLike[str] | FileValue] | str | os.PathLike[str]
"""Paths of files to seal, values of files sealed already, or one path."""

CATCH_UP_S: Final = 5.0
"""How long a gateway that is behind what was seen before is given to catch up."""


class Draft:
    """What is going to be signed. Immutable: each method returns a new draft. See :mod:`fazhi_sdk.drafts`."""

    def __init__(self, data: DraftData, chain: Chain | None) -> None:
        self.data = data
        self.chain = chain

    def __repr__(self) -> str:
        step = self.data.records[0].step if self.data.records else "–"
        return f"<Draft {step} {self.data.draft_id.hex()[:8]} {len(self.data.signer_keys)} signers>"

    @classmethod
    def load(cls, path: str | os.PathLike[str], chain: Chain | None = None) -> Draft:
        """Read a draft file. Without a chain it can be looked at, cosigned and saved, not submitted.

        Raises:
            DraftError: ``bad-draft-file``.
        """
        return cls(load_draft(path), chain)

    def __str__(self) -> str:
        return shown(self.data)

    def shown(self, language: str = "zh") -> str:
        """What a signer must see: case, step, time, files with their digests, fields."""
        return shown(self.data, language)

    @property
    def missing(self) -> tuple[bytes, ...]:
        """Named keys that have not signed and are not at hand."""
        return self.data.missing

    def cosign(self, signer: Signer) -> Draft:
        """The draft with a further signer; the signature is made when it is saved or submitted."""
        return Draft(self.data.cosign(signer), self.chain)

    def check_file(self, path: str | os.PathLike[str], progress: Progress | None = None) -> FileValue:
        """Seal the file and find it among those of the draft.

        Raises:
            DraftError: ``file-not-in-draft``.
        """
        files = [value for record in self.data.records for value in record.files]
        algorithms = {name for value in files for name, _ in value.digests} or {"sha256"}
        found = seal(path, algorithms=sorted(algorithms), progress=progress)
        for value in files:
            if value.length == found.length and set(value.digests) <= set(found.digests):
                return value
        raise DraftError("file-not-in-draft", path=os.fspath(path))

    async def save(self, path: str | os.PathLike[str]) -> Draft:
        """Keep the draft's salts in the outbox, reserve its place, and write the draft file for the other device.

        Everybody at hand signs now if two or more signers are named (``cosigners=``); a lone first signer signs when
        the cosigned draft comes back, since a signature names all its signers. The file is confidential.
        """
        data = self.data
        if data.place is None:
            if self.chain is None:
                raise DraftError("draft-unbound")
            data = await self.chain.prepare(data)
        if len(data.signer_keys) > 1:
            data = data.signed()
        await asyncio.to_thread(save_draft, data, path)
        return Draft(data, self.chain)

    async def submit(self, *, timeout_s: float | None = None) -> Submitted:
        """Sign with everybody at hand, keep, deliver; see :meth:`Chain.submit`."""
        if self.chain is None:
            raise DraftError("draft-unbound")
        return await self.chain.submit(self, timeout_s=timeout_s)

    async def abandon(self) -> None:
        """Give up a saved draft: its lane is free again, or voided where a signed copy is out."""
        if self.chain is not None:
            await self.chain.abandon(self.data)


class Case:
    """A case: ``org`` opened it under a docket number in a procedure. ``opening`` is what its opening came to."""

    def __init__(self, chain: Chain, org: str, procedure: str, number: str, signer: Signer | None) -> None:
        self.chain = chain
        self.org = org
        self.procedure = procedure
        self.number = number
        self.signer = signer
        suite = chain.trust.suite
        self.id = case_id(suite, org, case_key(suite, org, procedure, number))
        self.opening: Submitted | None = None

    def __repr__(self) -> str:
        return f"<Case {self.number} {self.procedure} {self.org}>"

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the opening, where it was opened here and the chain has answered."""
        return None if self.opening is None or self.opening.pending else self.opening  # type: ignore[return-value]

    async def draft(
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
        """Seal the files and draft a record of ``step``.

        ``occurred_at`` is when it happened, with its zone (now, where not given); ``fields`` are committed under salts
        and may hold personal data; ``clear`` stands on the chain for all to read. ``cosigners`` are further signers, or
        the public keys of some who will sign on other devices. ``progress(done, total)`` counts bytes of all files.
        ``valid_for_ms`` bounds how late it may still enter a block; ``fresh`` names the newest certified block in what
        is signed, which shows that it was not signed before that block (and needs a connection).

        Raises:
            SealingError, InputError, LooksPersonal: nothing was drafted.
        """
        first = signer or self.signer
        if first is None:
            raise InputError("no-signer")
        now = time.time_ns() // 1_000_000
        occurred = now if occurred_at is None else time_ms(occurred_at)
        public = dict(sorted((clear or {}).items()))
        check_clear(public)
        committed = {name: _value(name, value) for name, value in (fields or {}).items()}
        sealed = await self._seal(files, progress)
        try:
            openings = openings_of(sealed, committed)
            record = RecordDraft(
                self.org, self.procedure, self.number, step, occurred, tuple(public.items()), tuple(refs), openings
            )
            data = replace(
                self.chain.new_draft(await self.chain.org_of(first), first),
                records=(record,),
                valid_until_ms=None if valid_for_ms is None else now + valid_for_ms,
                not_before=await self._newest() if fresh else None,
            )
            for encoded in data.record_bytes():
                Record.decode(encoded)
        except EncodingError as error:
            raise InputError(
                "bad-field", field=str(dict(error.parameters).get("what", "")), reason=error.code
            ) from None
        for cosigner in cosigners:
            if isinstance(cosigner, bytes):
                data = replace(data, signer_keys=(*data.signer_keys, cosigner))
            else:
                data = data.cosign(cosigner)
        return Draft(data, self.chain)

    async def attest(
        self, scope: str = TRAIL, through: int | None = None, files: Files = (), **arguments: Any
    ) -> tuple[Draft, Trail]:
        """Read and verify the trail, then draft a notary's attestation of its event ``through`` (the last, where not
        given), or of all events up to it; ``scope`` is ``record`` or ``trail``. The draft and the trail that it stands
        for: look at that, then submit.

        Raises:
            UnknownCase, ProofFailed: nothing was drafted.
            InputError: ``no-such-event``.
        """
        trail = await self.trail()
        number = len(trail.events) if through is None else through
        if not 1 <= number <= len(trail.events):
            raise InputError("no-such-event", number=number, events=len(trail.events))
        clear: dict[str, Any] = {SCOPE: scope, THROUGH: number}
        refs = (trail.events[number - 1].submission_id,)
        return await self.draft(ATTEST, files, clear=clear, refs=refs, **arguments), trail

    async def record(
        self,
        step: str,
        files: Files = (),
        *,
        timeout_s: float | None = None,
        **arguments: Any,
    ) -> Submitted:
        """:meth:`draft` and :meth:`Draft.submit` in one."""
        return await (await self.draft(step, files, **arguments)).submit(timeout_s=timeout_s)

    async def _newest(self) -> tuple[int, bytes]:
        header = await self.chain.checkpoint()
        return header.height, header.hash(self.chain.trust.suite)

    async def _seal(
        self,
        files: Files,
        progress: Progress | None,
    ) -> list[FileValue]:
        listed = [files] if isinstance(files, str | os.PathLike) else list(files)
        paths = [one for one in listed if not isinstance(one, FileValue)]
        counter = _Counter(paths, progress) if progress is not None else None
        sealed: list[FileValue] = []
        for one in listed:
            if isinstance(one, FileValue):
                sealed.append(one)
                continue
            work = _sealing(one, self.chain.algorithms, counter)
            sealed.append(await asyncio.to_thread(work))
            if counter is not None:
                counter.before += sealed[-1].length
        return sealed

    # -- reading ------------------------------------------------------------------------------------

    async def show(self) -> CaseView:
        """The case, proven: head and running deadlines. More gateways are asked than may be faulty (as far as so many
        are named), and the newest certified answer counts.

        Raises:
            UnknownCase: there is no such case; its absence was proven.
            ProofFailed: no gateway's proof holds.
        """
        several = self.chain.genesis.validator_set().faulty + 1
        deadline = time.monotonic() + CATCH_UP_S
        while True:
            try:
                found = await self.chain.gateways.read_several(f"/v1/cases/{self.id.hex()}", self._check_head, several)
            except BadAnswer as error:
                if error.code != "stale-answer" or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
                continue
            _, newest = max(found, key=lambda one: one[0])
            if isinstance(newest, UnknownCase):
                raise newest
            known = await self.chain.lists.rules(newest.header, self.procedure)
            return case_view(newest, self.number, self.id, known)

    def _check_head(self, answer: Answer) -> tuple[int, ProvenHead | UnknownCase]:
        """The height and the proven head, or proven absence, of an answer."""
        trust = self.chain.trust
        newest = 0 if trust.newest is None else trust.newest.height
        fields = Fields(answer.json(), answer.url)
        if answer.status == 404:
            absent = check_absence(trust, fields, self.number, self.id)
            height = int(dict(absent.parameters)["height"])
            self._check_fresh(height, newest, answer.url)
            return height, absent
        proven = proven_head(trust, fields, self.org, self.procedure, self.id)
        self._check_fresh(proven.header.height, newest, answer.url)
        return proven.header.height, proven

    def _check_fresh(self, height: int, newest: int, url: str) -> None:
        """What was seen once must not disappear again: an answer older than a receipt already given is not taken."""
        if height < newest:
            raise BadAnswer("stale-answer", url=url, height=height, newest=newest)

    async def trail(self) -> Trail:
        """Every event of the case, proven to be all of them, with the rules that it is judged by and the verdict.

        Raises:
            UnknownCase, ProofFailed.
        """
        return await TrailReader(self.chain, await self.show()).read()


class _Counter:
    """Progress over several files as if they were one."""

    def __init__(self, paths: Sequence[str | os.PathLike[str]], progress: Progress) -> None:
        self.before = 0
        self._progress = progress
        self._total = 0
        for path in paths:
            try:
                self._total += Path(path).stat().st_size
            except (OSError, ValueError):
                continue  # sealing says what is wrong with it

    def __call__(self, done: int, _: int) -> None:
        self._progress(self.before + done, max(self._total, self.before + done))


def _sealing(
    path: str | os.PathLike[str], algorithms: Sequence[str], progress: Progress | None
) -> Callable[[], FileValue]:
    return lambda: seal(path, algorithms=algorithms, progress=progress)


def _value(name: str, value: Value) -> Value:
    """A committed value: texts in NFC; files belong into ``files``."""
    if name == "file" or name.startswith("file."):
        raise InputError("bad-field", field=name, reason="files are given in files=")
    return text_value(name, value) if isinstance(value, str) else value
