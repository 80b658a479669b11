"""Clients of a campaign: those that submit through the SDK, and those that read, and one history of it all."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import aiohttp
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.receipt import RecordReceipt
from fazhi_ledger.receipt_steps import check_receipt
from fazhi_ledger.submission import SubmissionBody, envelope_parts, submission_id
from fazhi_sdk import aio
from fazhi_sdk.errors import BadAnswer, ConnectionFailed, ProofFailed, SdkError
from fazhi_sdk.receipts import Receipt

from .history import Acknowledged, History, LaneRead, Place, Read, Submitted
from .nodes import Nodes

ANSWER_S: Final = 5.0
"""A submission is waited for so long at a time."""
READ_S: Final = 3.0


class Writer:
    """One program of a bureau: an SDK client with its outbox, and workers that submit one draft after another."""

    def __init__(self, nodes: Nodes, orgs: Sequence[str], name: str, history: History, seed: int) -> None:
        self._nodes = nodes
        self._urls = [nodes.nodes[org].url for org in orgs]
        self._name = name
        self._history = history
        self._random = random.Random(f"{seed} {name}")
        self._signer = nodes.officer()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._count = 0
        self.chain: aio.Chain | None = None
        self.pause_s = 0.3
        """Most time between an answer and the worker's next draft."""
        self.in_flight = 0
        self.violations: list[str] = []
        self.recent: list[bytes] = []
        self.lanes: dict[bytes, None] = {}
        self.retries = 0

    async def start(self, workers: int) -> None:
        """Connect, and begin to submit."""
        self.chain = await aio.Chain.connect(
            self._urls, self._nodes.genesis_hash, self._nodes.folder / f"outbox-{self._name}.db",
            token=self._nodes.tokens, genesis=self._nodes.folder / "genesis.fazhi",
        )  # fmt: skip
        self._tasks = [asyncio.create_task(self._work()) for _ in range(workers)]

    async def stop(self, seconds: float) -> None:
        """Submit nothing more; wait until all is answered, at most so long; close."""
        self._stopping.set()
        if self.chain is None:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
            self.violations.append(f"unanswered: a submission of {self._name} has no answer after {seconds:.0f} s")
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self.violations.append(f"client: {self._name}: {outcome!r}")
        await self.close()

    async def close(self) -> None:
        """End at once, whatever is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.chain is not None:
            await self.chain.close()
            self.chain = None

    async def _work(self) -> None:
        while not self._stopping.is_set():
            await self.submit()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._random.uniform(0, self.pause_s))

    async def submit(self) -> None:
        """One draft, until its receipt is here and has been checked without the network."""
        if self.chain is None:
            return
        self._count += 1
        case = await self.chain.case("penalty", f"2026-{self._name}-{self._count}", self._signer)
        draft = await case.draft("LEAD", fields={"place": f"第{self._count}号"})
        self._history.take(Submitted(draft.data.draft_id))
        self.in_flight += 1
        try:
            receipt = await self._answered(draft)
            if receipt is not None:
                self._acknowledge(receipt)
        finally:
            self.in_flight -= 1

    async def _answered(self, draft: aio.Draft) -> Receipt | None:
        handle: Any = None
        while True:
            try:
                handle = await draft.submit(timeout_s=ANSWER_S) if handle is None else await handle.receipt(ANSWER_S)
                if isinstance(handle, Receipt):
                    return handle
            except (ConnectionFailed, BadAnswer) as error:
                if handle is None:
                    self.violations.append(f"client: nothing came of a draft: {error.code}")
                    return None
            except ProofFailed as error:
                self.violations.append(f"proof: {error}")
                return None
            except SdkError as error:
                self.violations.append(f"not taken: {error}")
                return None
            self.retries += 1
            await asyncio.sleep(0.05)

    def _acknowledge(self, receipt: Receipt) -> None:
        data = receipt.data
        try:
            check_receipt(data, bytes.fromhex(self._nodes.genesis_hash)).require_valid()
        except FazhiError as error:
            self.violations.append(f"receipt: it does not verify: {error}")
            return
        parts = RecordReceipt.from_json(data)
        body, _ = envelope_parts(parts.submission)
        what, item = SubmissionBody.decode(body), submission_id(self._nodes.genesis.genesis.suite, body)
        place = receipt.height, parts.submission_index
        self._history.take(Acknowledged(time.monotonic(), item, what.draft_id, place, what.lane, what.seq))
        self.recent.append(item)
        self.lanes[what.lane] = None

    @property
    def key(self) -> bytes:
        """The public key that signs."""
        return self._signer.public_key


class Reader:
    """Asks one gateway, one question after another: where it stands, then about a submission or a lane."""

    def __init__(self, nodes: Nodes, org: str, writers: Sequence[Writer], history: History, seed: int) -> None:
        self._nodes = nodes
        self._org = org
        self._writers = writers
        self._history = history
        self._random = random.Random(f"{seed} {org}")
        self._task: asyncio.Task[None] | None = None
        self._behind = False
        self.answers = 0

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ask nothing more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        url = self._nodes.nodes[self._org].url
        headers = {"Authorization": f"Bearer {self._nodes.tokens[url]}"}
        timeout = aiohttp.ClientTimeout(total=READ_S)
        async with aiohttp.ClientSession(url, headers=headers, timeout=timeout) as session:
            while True:
                try:
                    await self._ask(session)
                    self.answers += 1
                except (aiohttp.ClientError, TimeoutError, OSError):
                    self._behind = True
                # one that has to catch up is asked without a pause: what it says just now is what may be wrong
                await asyncio.sleep(0.005 if self._behind else self._random.uniform(0.05, 0.15))

    async def _json(self, session: aiohttp.ClientSession, path: str) -> Any:
        async with session.get(path, ssl=False) as answer:
            if answer.status >= 500:
                raise aiohttp.ClientError(str(answer.status))
            return await answer.json(content_type=None)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        height = int((await self._json(session, "/v1/status"))["height"])
        writer = self._random.choice(self._writers)
        asked = time.monotonic()
        if writer.lanes and self._random.random() < 0.2:
            lane = self._random.choice(list(writer.lanes))
            found = await self._json(session, f"/v1/lanes/zfj/{writer.key.hex()}/{lane.hex()}")
            self._history.take(LaneRead(asked, self._org, height, lane, int(found["next_seq"])))
        elif writer.recent:
            # the newest most often: they are those that a gateway may not have yet
            at = int(self._random.expovariate(0.1)) if self._random.random() < 0.5 else 0
            item = writer.recent[-1 - min(at, len(writer.recent) - 1)]
            found = await self._json(session, f"/v1/submissions/{item.hex()}")
            place: Place | None = None
            if found.get("status") == "committed":
                place = int(found["height"]), int(found["index"])
            self._behind = place is None
            self._history.take(Read(asked, self._org, height, item, place))


class Clients:
    """All clients of a campaign."""

    def __init__(self, nodes: Nodes, writers: Sequence[Sequence[str]], readers: Sequence[str], seed: int) -> None:
        self.history = History()
        self.writers = [Writer(nodes, orgs, f"c{number}", self.history, seed) for number, orgs in enumerate(writers)]
        self._readers = [Reader(nodes, org, self.writers, self.history, seed) for org in readers]

    async def start(self, workers: int, pause_s: float) -> None:
        """Begin: so many workers of each writer."""
        for writer in self.writers:
            writer.pause_s = pause_s
            await writer.start(workers)
        for reader in self._readers:
            reader.start()

    async def stop(self, seconds: float) -> None:
        """Let everything be answered, and end."""
        await asyncio.gather(*(writer.stop(seconds) for writer in self.writers))
        for reader in self._readers:
            await reader.stop()

    async def close(self) -> None:
        """End at once, where :meth:`stop` did not come to it."""
        for reader in self._readers:
            await reader.stop()
        for writer in self.writers:
            await writer.close()

    @property
    def acknowledged(self) -> int:
        """Submissions whose receipts are here."""
        return len(self.history.acknowledged)

    @property
    def in_flight(self) -> int:
        """Submissions that wait for their answers."""
        return sum(writer.in_flight for writer in self.writers)

    async def until_in_flight(self, seconds: float) -> None:
        """Wait until a submission waits for its answer, at most so long."""
        deadline = time.monotonic() + seconds
        while True:
            if self.in_flight or time.monotonic() > deadline:
                return
            await asyncio.sleep(0.001)

    @property
    def violations(self) -> list[str]:
        """What the clients saw that must not be; without the history's."""
        return [what for writer in self.writers for what in writer.violations]

    @property
    def answers(self) -> int:
        """Questions of readers that were answered."""
        return sum(reader.answers for reader in self._readers)


async def advance(clients: Clients, beyond: int, seconds: float) -> float | None:
    """Wait until more than so many are acknowledged: after how many seconds; None where it is not within so many."""
    began = time.monotonic()
    while clients.acknowledged <= beyond:
        if time.monotonic() - began > seconds:
            return None
        await asyncio.sleep(0.02)
    return time.monotonic() - began
