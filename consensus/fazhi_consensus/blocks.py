"""The encoded blocks of one height by hash, and what is known of their validity.

A block is kept while something refers to it. A failed validation is not remembered beyond its proposal: only a success
is a property of the block; a failure may have been of the moment (a clock) or of the copy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .effects import ValidateBlock


class Blocks:
    """Payloads and verdicts of one height."""

    __slots__ = ("_fresh", "_payloads", "_pending", "_valid")

    def __init__(self, payloads: Mapping[bytes, bytes], valid: Collection[bytes]) -> None:
        """``payloads`` come from our own vote log; for those in ``valid`` we signed PREPARE."""
        self._payloads = dict(payloads)
        self._valid = {block_hash: True for block_hash in self._payloads if block_hash in valid}
        self._fresh: dict[tuple[bytes, int], bool] = {}
        self._pending: dict[tuple[bytes, int, bool], bool] = {}

    def get(self, block_hash: bytes) -> bytes | None:
        """The block, if it is here."""
        return self._payloads.get(block_hash)

    def has(self, block_hash: bytes) -> bool:
        """Whether the block is here."""
        return block_hash in self._payloads

    def put(self, block_hash: bytes, payload: bytes) -> bool:
        """Keep a block; False where one of that hash is here that differs from it in any byte: a re-proposal must be
        identical.
        """
        return self._payloads.setdefault(block_hash, payload) == payload

    def is_valid(self, block_hash: bytes) -> bool:
        """Whether the block is known to be valid apart from when and by whom it was proposed."""
        return block_hash in self._valid

    def is_fresh(self, block_hash: bytes, round_: int) -> bool:
        """Whether it is known to be valid also as a first proposal in that round."""
        return (block_hash, round_) in self._fresh

    def asked(self, request: ValidateBlock) -> bool:
        """Note a request for validation; True where the same is pending already."""
        key = (request.block_hash, request.round, request.fresh)
        pending = key in self._pending
        self._pending[key] = True
        return pending

    def answered(self, block_hash: bytes, round_: int, fresh: bool, ok: bool) -> bool:
        """Note a verdict; False where nobody asked."""
        if self._pending.pop((block_hash, round_, fresh), None) is None:
            return False
        if ok:
            self._note_valid(block_hash, round_, fresh)
        elif not fresh and not self.is_valid(block_hash):
            self._payloads.pop(block_hash, None)  # perhaps only this copy is bad: it may be fetched again
        return True

    def built(self, block_hash: bytes, round_: int, payload: bytes) -> None:
        """A block of our own making: valid and fresh."""
        self._payloads[block_hash] = payload
        self._note_valid(block_hash, round_, True)

    def keep_only(self, wanted: Collection[bytes]) -> None:
        """Forget blocks that nothing refers to any more, with their verdicts."""
        self._payloads = {key: value for key, value in self._payloads.items() if key in wanted}
        self._valid = {key: True for key in self._valid if key in self._payloads}
        self._fresh = {key: True for key in self._fresh if key[0] in self._payloads}
        self._pending = {key: True for key in self._pending if key[0] in self._payloads}

    def _note_valid(self, block_hash: bytes, round_: int, fresh: bool) -> None:
        if block_hash in self._payloads:
            self._valid[block_hash] = True
            if fresh:
                self._fresh[block_hash, round_] = True
