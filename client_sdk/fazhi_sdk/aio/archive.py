"""The archive of a whole chain, straight from a node: what an auditor reads who holds no file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from fazhi_ledger.archive import FrameCutter

from ..errors import NotConnected
from ..trust import Fields, Trust
from .filing import digest_of, genesis_file
from .gateways import Answer, Gateways, Tokens

ATTEMPTS: Final = 3
"""Answers in a row that may break off without having brought anything new."""
PAUSE_S: Final = 1.0


async def stream_archive(
    urls: Sequence[str] | str, genesis_hash: str | bytes, *, token: Tokens = None, timeout_s: float = 30.0
) -> AsyncGenerator[bytes, None]:
    """The bytes of ``/v1/archive`` of the first gateway that serves it, over a connection pinned to its member's
    certificate. What they are worth is the audit's to say.

    Where an answer breaks off it is asked for again, of another gateway if there is one, and goes on behind the last
    whole block: blocks are the same everywhere, certificates need not be.

    Raises:
        WrongGenesis, NotConnected, NotAuthorised.
    """
    trusted = digest_of(genesis_hash)
    gateways = Gateways([urls] if isinstance(urls, str) else urls, token, timeout_s)

    def check(answer: Answer) -> bytes:
        genesis_file(answer.body, trusted, answer.url)
        return answer.body

    try:
        found = await gateways.fetch_genesis(check)
        trust = Trust(genesis_file(found, trusted, ""))
        gateways.pin(trust.genesis, lambda answer: trust.members(Fields(answer.json(), answer.url)))
        given, fruitless = 0, 0
        while True:
            before, cutter = given, FrameCutter()
            try:
                passed = 0
                async for chunk in gateways.stream("/v1/archive"):
                    for part in cutter.feed(chunk):
                        passed += 1
                        if passed > given:
                            given = passed
                            yield part
                return
            except NotConnected:
                fruitless = 0 if given > before else fruitless + 1
                if cutter.ended or fruitless == ATTEMPTS:
                    raise
            await asyncio.sleep(PAUSE_S)
    finally:
        await gateways.close()
