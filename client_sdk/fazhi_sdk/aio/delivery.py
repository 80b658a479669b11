"""Delivering what the outbox holds: many submissions a request, the same bytes again until the chain has answered.

A gateway's word is not taken for a decision. What it calls committed is settled only when the proof holds: this very
envelope, with this result, in a block that a quorum certified. What it calls invalid or a conflict is settled only when
more gateways say so than can be faulty.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.datatypes import slotted
from fazhi_ledger.errors import EncodingError, InvalidProof, Parameter
from fazhi_ledger.names import RESULT_CODE
from fazhi_ledger.result import parameters_from_value, record_results_root

from .. import errors
from ..errors import BadAnswer, ConnectionFailed, NotDecided, ProofFailed, SdkError, TooBusy
from ..outbox import Outbox
from ..outbox_rows import COMMITTED, CONFLICT, EXPIRED, INVALID, REFUSED, UNUSED, Entry, Verdict
from ..trust import Decided, Fields, Trust, proof_failed
from .gateways import Answer, Gateways
from .worker import Worker

CONTENT_TYPE: Final = "application/vnd.fazhi.submissions.v1"
MAX_ITEMS: Final = 500
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_POSTS: Final = 4
MAX_PROOFS: Final = 8
WAIT_MS: Final = 2_000
"""A request is answered when all of its submissions are, or after so long; then the undecided are sent again."""
FIRST_RETRY_S: Final = 0.5
LAST_RETRY_S: Final = 30.0
PENDING_S: Final = 0.1
BUSY_S: Final = 1.0
AT_A_TIME: Final = 64
"""Proofs or receipts that are checked before others on the loop have their turn."""


@slotted
class Word:
    """One gateway's word on one submission."""

    url: str
    status: str
    code: str
    parameters: tuple[tuple[str, str | int], ...] = ()
    proof: Fields | None = None
    """What came beside it; not checked yet."""


@slotted
class Outcome:
    """What a delivery came to: the entry as the outbox now has it, and the proof where the chain decided."""

    entry: Entry
    decided: Decided | None = None
    proof: Fields | None = None

    @property
    def proven(self) -> tuple[Decided, Fields] | None:
        """The proof, as it was checked and as it came."""
        return None if self.decided is None or self.proof is None else (self.decided, self.proof)


class Delivery:
    """One process's deliveries. Runs while somebody waits, and in the background until the outbox is empty."""

    def __init__(self, outbox: Outbox, gateways: Gateways, trust: Trust, worker: Worker) -> None:
        self._outbox = outbox
        self._gateways = gateways
        self._trust = trust
        self._worker = worker
        self._waiting: dict[bytes, asyncio.Future[Outcome | SdkError]] = {}
        self._sending: set[bytes] = set()
        self._resting: set[bytes] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        self._posts = 0
        self._busy: TooBusy | None = None
        self._left = False
        self._settling: dict[bytes, Outcome] = {}
        self._proofs = asyncio.Semaphore(MAX_PROOFS)
        self._retry_s = FIRST_RETRY_S

    async def close(self) -> None:
        """Stop; what is undecided stays in the outbox."""
        tasks = [*self._tasks, *([self._loop_task] if self._loop_task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in self._waiting.values():
            future.cancel()

    def start(self) -> None:
        """Begin to deliver whatever is due, without waiting for it."""
        if self._loop_task is None:
            self._loop_task = asyncio.get_running_loop().create_task(self._run())
        self._wake.set()

    async def wait(
        self, entries: Iterable[Entry], timeout_s: float, due: Sequence[Entry] | None = None
    ) -> dict[bytes, Outcome | SdkError]:
        """Deliver, and wait for these submissions until ``timeout_s`` has passed: what each came to, or what stopped
        it for now.

        ``entries`` (and what is :meth:`due`, asked for here where it is not given) are as the outbox has just had them:
        begin to wait in the same breath, without another ``await``. What is settled after they were read is then told
        to those who wait (:meth:`Worker.begin`).
        """
        loop = asyncio.get_running_loop()
        futures: dict[bytes, asyncio.Future[Outcome | SdkError]] = {}
        done: dict[bytes, Outcome | SdkError] = {}
        for entry in entries:
            if entry.id is None:
                continue
            if entry.decided or entry.status in UNUSED:
                done[entry.id] = Outcome(entry)
            elif entry.id in self._settling:
                done[entry.id] = self._settling[entry.id]
            elif entry.id not in futures:
                futures[entry.id] = self._waiting.setdefault(entry.id, loop.create_future())
        self._resting.difference_update(futures)  # somebody asks: try now
        if due is None:
            self.start()
        else:
            self._send(due)
        if futures:
            await asyncio.wait(futures.values(), timeout=timeout_s)
        for item_id, future in futures.items():
            late = self._busy or NotDecided("not-decided", seconds=int(timeout_s))
            done[item_id] = future.result() if future.done() else late
        return done

    # -- rounds -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._send_due()
            except SdkError as error:  # the outbox's disk: those who wait are told, and the next wake tries again
                self._fail(list(self._waiting), error)

    async def _send_due(self) -> None:
        """One request for all that is due; while the most requests are under way, what comes up meanwhile waits to be
        sent together.
        """
        if self._posts < MAX_POSTS:
            self._send(await self._worker.run(self.look()))

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self._posts == 0

    def look(self) -> Callable[[], tuple[Entry, ...]]:
        """What asks the outbox for what is due and not under way now. (For the worker's thread.)"""
        held = self._sending | self._resting
        return lambda: self._outbox.due(MAX_ITEMS + 1, held)

    def _send(self, due: Sequence[Entry]) -> None:
        """Send of what was due just now what is not under way, in one request, if there may be one more."""
        held = self._sending | self._resting
        fresh = [entry for entry in due if entry.id is not None and entry.id not in held]
        if self._posts >= MAX_POSTS:
            self._left = True  # the next one that ends takes it along
        elif fresh:
            batch = _batch(fresh)
            self._posts += 1
            self._sending.update(entry.id for entry in batch if entry.id is not None)
            task = asyncio.get_running_loop().create_task(self._deliver(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if len(batch) < len(fresh):
                self._wake.set()

    async def _deliver(self, batch: Sequence[Entry]) -> None:
        ids = [entry.id for entry in batch if entry.id is not None]
        rests: list[float | None] = [None] * len(batch)
        self._left = True
        try:
            words = await self._post(batch)
            self._retry_s, self._busy = FIRST_RETRY_S, None
            rests = await self._take_all(batch, words)
        except TooBusy as error:  # they are there: those who wait go on waiting
            self._busy = error
            rests = [error.retry_after_s] * len(batch)
        except ConnectionFailed as error:
            rests = [self._pause()] * len(batch)
            # Nobody is there: those that wait for others in the outbox wait in vain, too.
            self._fail([*ids, *(item_id for item_id in list(self._waiting) if item_id not in self._sending)], error)
        except SdkError as error:
            rests = [self._pause()] * len(batch)
            self._fail(ids, _left(error))
        finally:
            self._posts -= 1
            self._sending.difference_update(ids)
        for item_id, seconds in zip(ids, rests, strict=True):
            if seconds is not None:
                self._resting.add(item_id)
                asyncio.get_running_loop().call_later(seconds, self._rested, item_id)
        if self._left:  # what waited for these, or for one request less, may be due now
            self._wake.set()

    def _rested(self, item_id: bytes) -> None:
        self._resting.discard(item_id)
        self._wake.set()

    def _pause(self) -> float:
        """The next step of a growing pause."""
        seconds = self._retry_s
        self._retry_s = min(self._retry_s * 2, LAST_RETRY_S)
        return seconds

    async def _post(self, batch: Sequence[Entry], only: Sequence[str] | None = None) -> list[Word]:
        ids = [entry.id for entry in batch if entry.id is not None]
        body = encode(tuple(entry.item for entry in batch))
        note = self._worker.begin(lambda: self._outbox.mark_sent(ids))
        try:
            return await self._gateways.post(
                f"/v1/submissions?wait_ms={WAIT_MS}&proof=1",
                body,
                CONTENT_TYPE,
                lambda answer: _words(answer, ids),
                timeout_s=WAIT_MS / 1000 + 10,
                only=only,
            )
        finally:
            await asyncio.shield(note)

    async def _take_all(self, batch: Sequence[Entry], words: Sequence[Word]) -> list[float | None]:
        """Act on a gateway's words; for each the seconds after which to send the same bytes again, or None where it is
        over. What came with a proof that holds is settled together.
        """
        proven: list[tuple[int, Outcome]] = []
        others: list[int] = []
        for at, (entry, word) in enumerate(zip(batch, words, strict=True)):
            checked = self._checked(entry, word.proof) if word.status == "committed" else None
            if checked is None:
                others.append(at)
            else:
                proven.append((at, _proven(entry, *checked)))
            if at % AT_A_TIME == AT_A_TIME - 1:
                await asyncio.sleep(0)
        rests: list[float | None] = [None] * len(batch)
        taken = self._take_proven([outcome for _, outcome in proven])
        if others:
            first, *seconds = await asyncio.gather(taken, *(self._take(batch[at], words[at]) for at in others))
        else:
            first, seconds = await taken, []  # as nearly always: somebody waits for these, without a turn of the loop
        for at, pause in zip(others, seconds, strict=True):
            rests[at] = pause
        for at, _ in proven:
            rests[at] = first
        return rests

    async def _take_proven(self, proven: Sequence[Outcome]) -> float | None:
        try:
            await self._settle_proven(proven)
        except SdkError:  # told to those who wait all the same; to be noted, it is asked for again
            return self._pause()
        return None

    async def _take(self, entry: Entry, word: Word) -> float | None:
        """Act on one word; see :meth:`_take_all`."""
        if entry.id is None:
            return None
        try:
            if word.status in ("invalid", "conflict"):
                word = await self._second_opinion(entry, word)
            if word.status == "committed":
                await self._confirm(entry, word.url, word.proof)
                return None
            if word.status in ("invalid", "conflict"):
                status = EXPIRED if word.code == "expired" else INVALID if word.status == "invalid" else CONFLICT
                await self._settle(entry, Verdict(entry.id, status, word.code, word.parameters))
                return None
        except TooBusy as error:
            return error.retry_after_s
        except SdkError as error:
            self._gateways.demote(word.url)
            self._fail([entry.id], _left(error))
            return self._pause()
        self._gateways.demote(word.url)  # it may be cut off, or it may not want to
        return BUSY_S if word.status == "busy" else PENDING_S

    async def _confirm(self, entry: Entry, url: str | None, given: Fields | None = None) -> None:
        await self._settle_proven([_proven(entry, *(self._checked(entry, given) or await self._ask_proof(entry, url)))])

    def _checked(self, entry: Entry, given: Fields | None) -> tuple[Decided, Fields] | None:
        """The proof that came with the answer, if it did and holds."""
        if given is not None:
            with contextlib.suppress(ProofFailed, BadAnswer):  # asked for below, of the other gateways too
                return self._trust.decided(given, entry.id or b""), given
        return None

    async def _ask_proof(self, entry: Entry, url: str | None) -> tuple[Decided, Fields]:
        async with self._proofs:
            return await self.proof(entry.id or b"", 0, url)

    async def look_up(self, entry: Entry) -> None:
        """Settle an entry that somebody else may have delivered, if the chain has decided it.

        Raises:
            ConnectionFailed, NotAuthorised, ProofFailed.
        """
        with contextlib.suppress(BadAnswer):  # not on the chain
            await self._confirm(entry, None)

    async def proof(self, item_id: bytes, record_index: int, url: str | None = None) -> tuple[Decided, Fields]:
        """The proof of a decided submission, checked, from the first gateway whose proof holds.

        Raises:
            ProofFailed, BadAnswer, NotAuthorised, ConnectionFailed.
        """
        return await self._proof(item_id, f"record={record_index}", url)

    async def proof_of_all(self, item_id: bytes) -> tuple[Decided, tuple[bytes, ...] | None]:
        """:meth:`proof`, and what each of its records came to; None where the gateway does not tell, or too much: then
        they are asked for one by one.
        """
        decided, fields = await self._proof(item_id, "records=all", None)
        return decided, fields.base64s("record_results")

    async def _proof(self, item_id: bytes, query: str, url: str | None) -> tuple[Decided, Fields]:
        def check(answer: Answer) -> tuple[Decided, Fields]:
            if answer.status != 200:
                code, detail = answer.problem()
                raise BadAnswer("bad-answer", url=answer.url, reason=f"{code} {detail}".strip())
            fields = Fields(answer.json(), answer.url)
            decided = self._trust.decided(fields, item_id)
            _check_results(self._trust, decided, fields)
            return decided, fields

        return await self._gateways.read(f"/v1/submissions/{item_id.hex()}/proof?{query}", check, first=url)

    async def _second_opinion(self, entry: Entry, word: Word) -> Word:
        """The same submission asked of the other gateways, one by one: any that takes it overrules the first.

        No proof stands behind a refusal to take something. A gateway that kept the bytes could say so, wait until they
        are signed anew in another lane, and then deliver both. So as many must say it as cannot all be faulty, f + 1;
        or all, where fewer are configured: whoever names a single gateway trusts its word on this.
        """
        urls = self._gateways.urls
        needed = min(self._trust.genesis.validator_set().faulty + 1, len(urls))
        said = 1
        for url in urls:
            if said >= needed:
                return word
            if url != word.url:
                with contextlib.suppress(SdkError):
                    (other,) = await self._post([entry], only=[url])
                    if other.status in ("invalid", "conflict"):
                        said += 1
                    elif other.status != "busy":
                        return other
        return word if said >= needed else replace(word, status="pending")

    async def _settle_proven(self, proven: Sequence[Outcome]) -> None:
        """Note what the chain has decided, and tell those who wait at once: should the note be lost, the same bytes are
        sent again and the same answer comes.
        """
        if not proven:
            return
        verdicts = [_verdict_of(outcome.entry) for outcome in proven]
        # Whoever goes on from the answer and asks the outbox asks behind this.
        job = self._worker.begin(lambda: self._outbox.settle(verdicts))
        for verdict, outcome in zip(verdicts, proven, strict=True):
            # Whoever has asked already and is not answered yet may be told that it is undecided, and then waits.
            self._settling[verdict.id] = outcome
            self._answer(verdict.id, outcome)
        try:
            self._left = await asyncio.shield(job)
        finally:
            asyncio.get_running_loop().call_soon(self._settled, verdicts)

    def _settled(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            self._settling.pop(verdict.id, None)

    async def _settle(self, entry: Entry, verdict: Verdict) -> None:
        """Note a gateway's verdict, and tell those who wait what the outbox then says."""

        def settle() -> tuple[bool, Entry | None]:
            return self._outbox.settle([verdict]), self._outbox.entry(verdict.id)

        self._left, kept = await asyncio.shield(self._worker.begin(settle))
        self._answer(verdict.id, Outcome(kept or entry))

    def _fail(self, ids: Iterable[bytes], error: SdkError) -> None:
        for item_id in ids:
            self._answer(item_id, error)

    def _answer(self, item_id: bytes, answer: Outcome | SdkError) -> None:
        future = self._waiting.pop(item_id, None)
        if future is not None and not future.done():
            future.set_result(answer)


def _proven(entry: Entry, decided: Decided, proof: Fields) -> Outcome:
    """What a proof that holds makes of an entry."""
    result = decided.result
    after = Entry(
        number=entry.number, id=entry.id, draft_id=entry.draft_id, org=entry.org, key=entry.key, lane=entry.lane,
        seq=entry.seq, contract=entry.contract, action=entry.action, item=entry.item,
        status=COMMITTED if result.ok else REFUSED, code=result.code, parameters=result.parameters,
        height=decided.header.height, position=decided.index,
    )  # fmt: skip
    return Outcome(after, decided, proof)


def _verdict_of(entry: Entry) -> Verdict:
    return Verdict(entry.id or b"", entry.status, entry.code, entry.parameters, entry.height, entry.position)


def _check_results(trust: Trust, decided: Decided, fields: Fields) -> None:
    """Raise unless what all records came to, if it is told, is what the result commits to."""
    results = fields.base64s("record_results")
    if results is not None and record_results_root(trust.suite, results) != decided.result.record_results_root:
        raise proof_failed(fields.url, InvalidProof("root-mismatch", what="record results"))


def _left(error: SdkError) -> SdkError:
    """An error that came after the bytes had left: whatever it is about, they may be on the chain."""
    error.outcome = errors.Outcome.UNKNOWN
    return error


def _batch(entries: Sequence[Entry]) -> list[Entry]:
    """The first of the entries, as many as one request may hold."""
    size = 0
    for position, entry in enumerate(entries):
        size += len(entry.item or b"")
        if position and (position >= MAX_ITEMS or size > MAX_BYTES):
            return list(entries[:position])
    return list(entries)


def _words(answer: Answer, ids: Sequence[bytes]) -> list[Word]:
    """The gateway's word on each submission of a request, in its order."""
    results = Fields(answer.json(), answer.url).objects("results")
    if len(results) != len(ids):
        raise BadAnswer("bad-answer", url=answer.url, reason="another number of results")
    words = []
    for fields, item_id in zip(results, ids, strict=True):
        if fields.text("id") != item_id.hex():
            raise BadAnswer("bad-answer", url=answer.url, reason="results out of order")
        code = fields.value.get("code")
        proof = fields.value.get("proof")
        words.append(
            Word(
                answer.url,
                fields.text("status"),
                code if isinstance(code, str) and RESULT_CODE[code] else "",
                _parameters(fields.value.get("parameters")),
                Fields(proof, answer.url) if isinstance(proof, dict) else None,
            )
        )
    return words


def _parameters(given: object) -> tuple[Parameter, ...]:
    """Those that the outbox can keep and read again: a gateway may say anything, and its word is kept."""
    found: list[Parameter] = []
    for pair in given.items() if isinstance(given, dict) else ():
        with contextlib.suppress(EncodingError):
            found += parameters_from_value(decode(encode((pair,))))
    return tuple(found[:16])
