"""The archive of a whole chain, straight from a node: what an auditor reads who holds no file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from .filing import digest_of, genesis_file
from .gateways import Answer, Gateways, Tokens


async def stream_archive(
    urls: Sequence[str] | str, genesis_hash: str | bytes, *, token: Tokens = None, timeout_s: float = 30.0
) -> AsyncGenerator[bytes, None]:
    """The bytes of ``/v1/archive`` of the first gateway that serves it, over a connection pinned to its member's
    certificate. What they are worth is the audit's to say.

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
        gateways.pin(genesis_file(found, trusted, "").genesis)
        async for chunk in gateways.stream("/v1/archive"):
            yield chunk
    finally:
        await gateways.close()
