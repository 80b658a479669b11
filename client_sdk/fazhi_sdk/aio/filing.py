"""What stands between a draft and the outbox, and how a process gets to know its chain."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fazhi_ledger.errors import FazhiError
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.keys import Signer
from fazhi_ledger.limits import MAX_GENESIS_FILE_BYTES
from fazhi_ledger.submission import Item, SubmissionBody, sign_item

from ..drafts import CASES, RECORD, DraftData
from ..errors import BadAnswer, InputError, WrongGenesis
from ..files import read_bounded
from ..outbox import Outbox
from ..outbox_rows import NewItem, new_draft_id
from ..trust import Trust
from .gateways import Answer, Gateways
from .worker import Worker


def digest_of(given: str | bytes) -> bytes:
    """A digest, given as bytes or in hexadecimal.

    Raises:
        InputError: ``bad-digest``.
    """
    try:
        digest = bytes.fromhex(given) if isinstance(given, str) else given
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InputError("bad-digest", given=str(given)[:80])
    return digest


async def learn_chain(
    outbox: Outbox, worker: Worker, gateways: Gateways, trusted: bytes, given: str | os.PathLike[str] | bytes | None
) -> Trust:
    """The chain's genesis: as handed over, as the outbox keeps it, or as a gateway serves it; its hash decides.

    Raises:
        WrongGenesis: none of this chain is served.
        NotConnected: nobody answers.
    """
    if given is not None:
        data = given if isinstance(given, bytes) else read_bounded(Path(given), MAX_GENESIS_FILE_BYTES)
        file = genesis_file(data, trusted, "genesis=")
    else:
        kept = await worker.run(outbox.genesis_file)
        if kept is not None:
            return Trust(genesis_file(kept, trusted, "outbox"))

        def check(answer: Answer) -> GenesisFile:
            if answer.status != 200:
                raise BadAnswer("bad-answer", url=answer.url, reason=f"status {answer.status}")
            return genesis_file(answer.body, trusted, answer.url)

        file = await gateways.fetch_genesis(check)
    await worker.run(lambda: outbox.keep_genesis_file(file.encode()))
    return Trust(file)


def genesis_file(data: bytes, trusted: bytes, source: str) -> GenesisFile:
    """The genesis file of these bytes, if it is the one trusted.

    Raises:
        BadAnswer, WrongGenesis.
    """
    try:
        file = GenesisFile.decode(data)
    except FazhiError as error:
        raise BadAnswer("bad-answer", url=source, reason=FazhiError.__str__(error)) from None
    if file.hash() != trusted:
        raise WrongGenesis("wrong-genesis", url=source, found=file.hash().hex(), expected=trusted.hex())
    return file


def new_item(draft: DraftData) -> NewItem:
    """How a draft is filed."""
    return NewItem(
        draft.draft_id,
        draft.org,
        draft.signer_keys[0],
        CASES,
        RECORD,
        draft.kept(),
        lambda lane, seq: draft.at(lane, seq).complete(),
        draft.place,
    )


def void_item(trust: Trust, org: str, signer: Signer, lane: bytes, seq: int) -> NewItem:
    """A ``lane.void`` for one place that nothing will use."""
    draft_id = new_draft_id()

    def build(at_lane: bytes, at_seq: int) -> tuple[bytes, Item]:
        body = SubmissionBody(
            trust.genesis_hash,
            org,
            at_lane,
            at_seq,
            draft_id,
            "lane",
            "void",
            (at_seq, at_seq, "lost"),
            (signer.public_key,),
            time.time_ns() // 1_000_000,
        )
        item = sign_item(body, [signer])
        return item.id(trust.suite), item

    return NewItem(draft_id, org, signer.public_key, "lane", "void", (), build, (lane, seq))
