"""Blocks: a header and the items it commits to."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import merkle
from .canonical import Value, decode, pack, strings_of
from .errors import InvalidBlock
from .header import Header
from .limits import MAX_BLOCK_BYTES, MAX_HEADER_BYTES
from .shape import as_bytes, as_tuple
from .submission import Item
from .suites import Suite


def submissions_root(suite: Suite, items: tuple[Item, ...]) -> bytes:
    """RFC 6962 root over the items' envelopes, in block order."""
    return merkle.root_of(suite, [item.leaf(suite) for item in items])


@dataclass(frozen=True, slots=True)
class Block:
    """``[header bytes, [item bytes…]]``."""

    header: Header
    items: tuple[Item, ...]
    _roots: dict[str, bytes] = field(init=False, compare=False, repr=False, default_factory=dict)

    def to_value(self) -> Value:
        return (self.header.encode(), tuple(item.encode() for item in self.items))

    def encode(self) -> bytes:
        return pack(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Block:
        header, items = as_tuple(block_parts(data), "block", length=2)
        return cls(
            Header.decode(as_bytes(header, "header", max_length=MAX_HEADER_BYTES)),
            tuple(Item.decode(as_bytes(item, "item")) for item in as_tuple(items, "items")),
        )

    def hash(self, suite: Suite) -> bytes:
        """The header's hash."""
        return self.header.hash(suite)

    def submissions_root(self, suite: Suite) -> bytes:
        """See :func:`submissions_root`; worked out once."""
        found = self._roots.get(suite.name)
        if found is None:
            found = self._roots[suite.name] = submissions_root(suite, self.items)
        return found

    def check_body(self, suite: Suite) -> None:
        """Raise unless the items are the ones that the header commits to.

        Raises:
            InvalidBlock: ``wrong-header-field``.
        """
        if self.header.submission_count != len(self.items):
            raise InvalidBlock("wrong-header-field", height=self.header.height, field="submission_count")
        if self.header.submissions_root != self.submissions_root(suite):
            raise InvalidBlock("wrong-header-field", height=self.header.height, field="submissions_root")


def block_parts(data: bytes) -> Value:
    """What ``data`` encodes: header and items, where it is a block.

    Raises:
        EncodingError: not a canonical value, or too large, or of too many values.
    """
    found = strings_of(data, (None, MAX_BLOCK_BYTES)) if len(data) <= MAX_BLOCK_BYTES else None
    return found or decode(data, max_bytes=MAX_BLOCK_BYTES, sparse=True)


def block_hash_of(suite: Suite, data: bytes) -> bytes:
    """The hash of an encoded block, without decoding its items: what binds a proposal's payload to the hash that is
    voted on."""
    header, _ = as_tuple(block_parts(data), "block", length=2)
    return suite.tagged_hash("header", as_bytes(header, "header", max_length=MAX_HEADER_BYTES))
