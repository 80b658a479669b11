"""The answering side of state transfer: decided blocks with their certificates, for peers that ask or need them."""

from __future__ import annotations

from collections.abc import Callable

from .frames import Blocks, GetBlocks, Message
from .limits import SYNC_BYTES
from .peers import PeerTable
from .queries import ChainReader


class BlockServer:
    """Answers with what is stored, each peer only so often: an answer is far larger than its question."""

    def __init__(
        self, reader: ChainReader, peers: PeerTable, now_ms: Callable[[], int], send: Callable[[str, Message], None]
    ) -> None:
        self._reader = reader
        self._peers = peers
        self._now_ms = now_ms
        self._send = send

    def on_request(self, org: str, request: GetBlocks) -> None:
        """A peer asks for a range: as much of it as one answer holds, nothing where it begins above the tip.

        There is no answer where it begins below our base: an empty one would be that of a liar. Peers turn to the next
        one when their patience is over, and prefer it from then on; what a node lacks, the others have.
        """
        if request.first <= self._reader.base:
            return
        if not self._peers.get(org).may_be_served(self._now_ms()):
            return
        pairs: list[tuple[bytes, bytes]] = []
        size = 0
        for height in range(request.first, min(request.first + request.count - 1, self._reader.height) + 1):
            pair = self._reader.block_and_certificate(height)
            if pair is None or (pairs and size + len(pair[0]) > SYNC_BYTES):
                break
            pairs.append(pair)
            size += len(pair[0])
        self._send(org, Blocks(request.request, tuple(pairs)))

    def tell(self, org: str, height: int) -> None:
        """A peer still works on a height that is decided: send it that block unasked, now and then."""
        if height > self._reader.height or not self._peers.get(org).may_be_told(self._now_ms()):
            return
        pair = self._reader.block_and_certificate(height)
        if pair is not None:
            self._send(org, Blocks(0, (pair,)))
