"""The readers of the ledger: encodings, receipts, archives, key files."""

from __future__ import annotations

import json
from typing import Any, Final

from fazhi_ledger import canonical
from fazhi_ledger.archive import MAGIC, FrameCutter, decode_pair, read_archive, read_frames, write_archive
from fazhi_ledger.block import block_hash_of
from fazhi_ledger.genesis import Genesis, Predecessor
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.receipt import RecordReceipt
from fazhi_ledger.receipt_steps import VALID, check_receipt
from fazhi_ledger.stateproof import StateProof
from fazhi_ledger.strict_json import read_object
from fazhi_ledger.submission import envelope_parts
from fazhi_ledger.suites import ED25519_SHA256

from tests.ledger.builders import World, signer
from tests.ledger.test_formats import SAMPLES, WORLD
from tests.ledger.test_receipt import TestHandovers as Handovers
from tests.spec import independent

from .target import Parts, Target, Violation

_ITEM: Final = WORLD.items[1]
_CERTIFICATE: Final = WORLD.certificate.encode()
_BLOCK: Final = SAMPLES["block"][0]
_FILE: Final = SAMPLES["genesis file"][0]
_ARCHIVE: Final = b"".join(write_archive(_FILE, [(_BLOCK, _CERTIFICATE)] * 2))
_OBJECTS: Final = [
    canonical.encode(value)
    for value in (
        None, True, 0, -1, 2**63, b"", "", "案", (), (1, (b"x" * 300, "y" * 40), ()), ((((),),),),
        (True, 1, -33, 128, 65536),
    )
]  # fmt: skip
_RECEIPTS: Final = [WORLD.receipt(), WORLD.anchored_receipt(), Handovers.build()]
RECEIPT_FILES: Final = [receipt.to_json() for receipt in _RECEIPTS]
GENESIS_HASH: Final = WORLD.genesis_hash


def _frame(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


ARCHIVE_PARTS: Final = Parts(
    lambda data: list(read_frames([data])), lambda parts: MAGIC + b"".join(map(_frame, parts)) + bytes(4)
)


def _ways_agree(data: bytes, value: Any) -> None:
    """The short ways of a decoder give what the long one gives, or nothing."""
    if isinstance(value, tuple):
        for head in (data[:1], data[:2]):
            if canonical.parts_of(data, head) not in (None, value):
                raise Violation("parts_of reads something else")
        limits = tuple(None if type(part) is bytes else 16 for part in value)
        if canonical.strings_of(data, limits) not in (None, value):
            raise Violation("strings_of reads something else")


def _short_ways(data: bytes) -> Any:
    """What the short ways take, the long one must take too."""
    for found in (canonical.parts_of(data, data[:1]), canonical.strings_of(data, (None, 16, 10_000))):
        if found is not None and canonical.decode(data) != found:
            raise Violation("a short way reads what decode does not")
    return canonical.decode(data, sparse=True)


def _archive(data: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    file, pairs = read_archive(data[start : start + 97] for start in range(0, len(data), 97))
    found = tuple(pairs)
    for pair in found:
        decode_pair(*pair)
    return file.encode(), found


def _cut(data: bytes) -> list[bytes]:
    """The parts of an archive that arrives in pieces, and the same read whole."""
    cutter = FrameCutter()
    parts = [part for start in range(0, len(data), 61) for part in cutter.feed(data[start : start + 61])]
    if cutter.ended:
        frames = list(read_frames([data]))  # raises where something follows the end
        if [part[4:] for part in parts[1:-1]] != frames:
            raise Violation("the cutter and the reader differ")
    return parts


def _json_holds(data: bytes, value: dict[str, Any]) -> None:
    again = json.dumps(value, ensure_ascii=False).encode("utf-8")
    if read_object(again, len(again)) != value:
        raise Violation("a strict object does not read back")


def _receipt_holds(data: bytes, value: RecordReceipt) -> None:
    if RecordReceipt.from_json(value.to_json()) != value:
        raise Violation("a receipt does not read back")


def _verified(data: bytes) -> RecordReceipt | None:
    """The receipt, where it is VALID; the verifier raises nothing, whatever it is given."""
    report = check_receipt(data, GENESIS_HASH)
    if report.failed is not None and report.failed.code == "unreadable":
        raise Violation(f"the verifier stumbled: {report.failed}")
    return RecordReceipt.from_json(data) if report.verdict == VALID else None


def proves_the_same(data: bytes, value: RecordReceipt | None) -> None:
    """What is VALID shows what one of the receipts showed, and the independent verifier says so too."""
    if value is None:
        return
    shown = [
        (one.genesis, one.header, one.submission, one.submission_index, one.result, one.record, one.record_index,
         one.record_result)
        for one in (value, *_RECEIPTS)
    ]  # fmt: skip
    if shown[0] not in shown[1:]:
        raise Violation("another receipt than ours is VALID")
    if any(one not in [known for base in _RECEIPTS for known in base.openings] for one in value.openings):
        raise Violation("a receipt with another opening is VALID")
    if not independent.is_valid(independent.verify(data, GENESIS_HASH, ())):
        raise Violation("the independent verifier says otherwise")


def _pem(data: bytes) -> bytes:
    return SoftwareSigner.from_pem(ED25519_SHA256, data, None).public_key


def _with_predecessor() -> bytes:
    """A genesis that names the chain that it succeeds."""
    import dataclasses

    before = Predecessor(bytes(32), 7, b"h" * 32, b"s" * 32)
    return dataclasses.replace(World().genesis, predecessor=before).encode()


_COVERS: Final = {
    "header": ("header:Header.decode", "header:Header.from_value"),
    "body": ("submission:SubmissionBody.decode", "submission:SubmissionBody.from_value"),
    "item": ("submission:Item.decode", "submission:Item.from_value"),
    "record": ("record:Record.decode", "record:Record.from_value"),
    "opening": ("record:Opening.decode", "record:Opening.from_value", "record:FileValue.from_value"),
    "result": ("result:Result.decode", "result:Result.from_value", "result:ResultSigner.from_value"),
    "record result": (
        "result:RecordResult.decode", "result:RecordResult.from_value", "result:Finding.from_value",
        "result:parameters_from_value",
    ),
    "block": ("block:Block.decode", "block:block_parts"),
    "certificate": ("certificate:CommitCertificate.decode", "certificate:CommitCertificate.from_value"),
    "validators": ("validators:ValidatorSet.decode", "validators:ValidatorSet.from_value"),
    "genesis": (
        "genesis:Genesis.decode", "genesis:Genesis.from_value", "genesis:Member.from_value",
        "genesis:Officer.from_value", "genesis:Predecessor.from_value", "genesis:roles_from_value",
        "parameters:Parameters.from_value",
    ),
    "genesis file": ("genesis:GenesisFile.decode",),
}  # fmt: skip
_MORE: Final[dict[str, tuple[bytes, ...]]] = {
    "genesis": (_with_predecessor(),),
    "item": (WORLD.items[0].encode(), canonical.encode((_ITEM.body_bytes, _ITEM.signatures, ()))),
    "opening": tuple(opening.encode() for opening in WORLD.openings),
    "body": (_ITEM.body_bytes,),
}


def _typed(name: str) -> Target:
    data, read = SAMPLES[name]
    covers = tuple(f"fazhi_ledger.{one}" for one in _COVERS[name])
    return Target(name, (data, *_MORE.get(name, ())), read, covers, again=lambda value: bytes(value.encode()))


TARGETS: Final = (
    Target(
        "canonical", [*_OBJECTS, _BLOCK, _ITEM.encode()], canonical.decode, ("fazhi_ledger.canonical:decode",),
        again=canonical.encode, holds=_ways_agree,
    ),
    Target(
        "canonical short ways", [_ITEM.encode(), _ITEM.envelope(), _BLOCK], _short_ways,
        ("fazhi_ledger.canonical:parts_of", "fazhi_ledger.canonical:strings_of"), again=canonical.encode,
    ),
    *(_typed(name) for name in SAMPLES),
    Target("block hash", [_BLOCK], lambda data: block_hash_of(ED25519_SHA256, data), ()),
    Target("envelope", [_ITEM.envelope()], envelope_parts, (), again=canonical.encode),
    Target(
        "genesis check", [SAMPLES["genesis"][0], _with_predecessor()], lambda data: Genesis.decode(data).check(),
        ("fazhi_ledger.genesis:Genesis.decode",),
    ),
    Target(
        "state proof", [canonical.encode(value) for value in (((b"s" * 32,) * 3, None), ((), (b"k" * 32, b"v" * 32)))],
        lambda data: StateProof.from_value(canonical.decode(data)), ("fazhi_ledger.stateproof:StateProof.from_value",),
        again=lambda proof: canonical.encode(proof.to_value()),
    ),
    Target(
        "frontier", [canonical.encode((5, (bytes(32), b"\1" * 32))), canonical.encode((0, ()))],
        lambda data: Frontier.from_value(canonical.decode(data)), ("fazhi_ledger.merkle:Frontier.from_value",),
        again=lambda frontier: canonical.encode(frontier.to_value()),
    ),
    Target(
        "archive", [_ARCHIVE], _archive,
        ("fazhi_ledger.archive:read_archive", "fazhi_ledger.archive:read_frames", "fazhi_ledger.archive:decode_pair"),
        again=lambda found: b"".join(write_archive(*found)), parts=ARCHIVE_PARTS,
    ),
    Target("archive in pieces", [_ARCHIVE], _cut, (), parts=ARCHIVE_PARTS),
    Target(
        "strict json", [*RECEIPT_FILES, b'{"a": [1, {"b": "\\u00e9"}]}'], lambda data: read_object(data, 1 << 22),
        ("fazhi_ledger.strict_json:read_object",), holds=_json_holds, form="json",
    ),
    Target(
        "receipt", RECEIPT_FILES, RecordReceipt.from_json, ("fazhi_ledger.receipt:RecordReceipt.from_json",),
        holds=_receipt_holds, form="json",
    ),
    Target("receipt verified", RECEIPT_FILES, _verified, (), refuses=(), holds=proves_the_same, form="receipt"),
    Target(
        "key file", [signer("a").to_pem(None)], _pem, ("fazhi_ledger.keys:SoftwareSigner.from_pem",), form="text",
    ),
)  # fmt: skip
