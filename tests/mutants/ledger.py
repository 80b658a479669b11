"""Rules of what is proven broken: encodings, trees, signatures, certificates, receipts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from fazhi_ledger import canonical, merkle, receipt_steps, strict_json, suites
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import InvalidProof, InvalidSignature
from fazhi_ledger.result import Result
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet


@contextmanager
def patch_everywhere(name: str, original: Any, replacement: Any) -> Iterator[None]:
    """Replace a function in every module of ours that has imported it by name."""
    holders = [
        module
        for key, module in list(sys.modules.items())
        if key.startswith("fazhi_") and getattr(module, name, None) is original
    ]
    for module in holders:
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for module in holders:
            setattr(module, name, original)


@contextmanager
def longer_encodings_accepted() -> Iterator[None]:
    """What decodes is taken, whether or not it is the shortest form."""
    strict = canonical.decode

    def decode(data: bytes, **limits: Any) -> Any:
        with patch.object(canonical, "pack", lambda _: data):
            return strict(data, **limits)

    with patch_everywhere("decode", strict, decode):
        yield


@contextmanager
def proof_length_not_bound() -> Iterator[None]:
    """A proof may be longer than index and size allow; what is left over is not looked at."""

    def at_least(proof: Sequence[bytes], length: int) -> None:
        if len(proof) < length:
            raise InvalidProof("proof-length", length=len(proof), expected=length)

    def verify(suite: Suite, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
        inner = (index ^ (size - 1)).bit_length()
        strict(suite, leaf, index, size, proof[: inner + (index >> inner).bit_count()], root)

    strict = merkle.verify_inclusion
    with patch.object(merkle, "_check_length", at_least), patch.object(merkle, "verify_inclusion", verify):
        yield


@contextmanager
def index_beyond_size() -> Iterator[None]:
    """A proof may name a place behind the end of the log."""
    with patch.object(merkle, "_check_index", lambda *_: None):
        yield


@contextmanager
def last_leaf_doubled() -> Iterator[None]:
    """The last node of an odd level is hashed with itself (CVE-2012-2459)."""
    original = merkle._parents

    def doubled(hash_node: Any, level: Sequence[bytes]) -> list[bytes]:
        return original(hash_node, [*level, level[-1]] if len(level) % 2 else level)

    with patch.object(merkle, "_parents", doubled):
        yield


@contextmanager
def leaf_taken_for_node() -> Iterator[None]:
    """Leaves and nodes are hashed with one prefix."""
    with patch.object(merkle, "leaf_hash", lambda suite, entry: suite.hash(b"\x01" + entry)):
        yield


@contextmanager
def one_signer_twice() -> Iterator[None]:
    """A certificate counts its signatures; one validator may give two."""
    with patch.object(CommitCertificate, "__post_init__", lambda _: None):
        yield


@contextmanager
def certificate_read_to_quorum() -> Iterator[None]:
    """Only as many signatures of a certificate are verified as a quorum needs (CVE-2020-15091)."""
    original = CommitCertificate.verify

    def some(self: CommitCertificate, suite: Suite, genesis_hash: bytes, validators: ValidatorSet) -> None:
        self.check_signers(validators)
        enough = self.signatures[: validators.quorum]
        original(CommitCertificate(self.height, self.round, self.block_hash, enough), suite, genesis_hash, validators)

    with patch.object(CommitCertificate, "verify", some):
        yield


@contextmanager
def certificate_of_another_block() -> Iterator[None]:
    """A certificate is verified, but not that it is for this block."""

    def some(self: CommitCertificate, suite: Suite, genesis_hash: bytes, validators: ValidatorSet, *_: Any) -> None:
        self.verify(suite, genesis_hash, validators)

    with patch.object(CommitCertificate, "verify_for", some):
        yield


@contextmanager
def handover_not_certified() -> Iterator[None]:
    """Whoever shows a header that names a new set is believed."""
    original = receipt_steps.follow_handover

    def believing(*args: Any) -> ValidatorSet:
        with patch.object(CommitCertificate, "verify_for", lambda *_: None):
            return original(*args)

    with patch.object(receipt_steps, "follow_handover", believing):
        yield


@contextmanager
def refusal_accepted() -> Iterator[None]:
    """A submission that the chain refused makes a valid receipt."""
    with patch.object(Result, "ok", property(lambda _: True)):
        yield


@contextmanager
def second_signature_unread() -> Iterator[None]:
    """Of a submission only the first officer's signature is verified."""

    def first(self: Item, suite: Suite) -> None:
        suite.verify(self.body.signer_keys[0], self.message(), self.signatures[0])

    with patch.object(Item, "verify_signatures", first):
        yield


@contextmanager
def duplicate_keys_accepted() -> Iterator[None]:
    """Of two equal keys of a receipt's JSON the last wins."""
    with patch.object(strict_json, "_object", dict):
        yield


@contextmanager
def weak_points_accepted() -> Iterator[None]:
    """Low-order and non-canonical points are left to the library."""
    with patch.object(suites, "_check_point", lambda _: None):
        yield


@contextmanager
def scalar_not_bound() -> Iterator[None]:
    """A signature may be written with its scalar plus the group's order: two spellings of one."""
    original = suites.Ed25519Sha256.verify

    def reduced(self: Any, public_key: bytes, message: bytes, signature: bytes) -> None:
        if len(signature) != 64:
            raise InvalidSignature("bad-signature-length")
        scalar = int.from_bytes(signature[32:], "little") % suites._L
        original(self, public_key, message, signature[:32] + scalar.to_bytes(32, "little"))

    with patch.object(suites.Ed25519Sha256, "verify", reduced):
        yield
