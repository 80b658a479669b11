"""The vectors of ``spec/vectors``: made once by this module, checked by the tests, never regenerated silently.

``python -m tests.spec.vectors`` writes the vectors that are missing and leaves the others as they are; the table of
sentences, ``spec/messages.json``, follows the code and is written anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from fazhi_contracts.messages import TRAIL
from fazhi_contracts.trail_steps import check_trail
from fazhi_ledger import dsse, merkle, statetree
from fazhi_ledger.canonical import Value, encode
from fazhi_ledger.messages import MESSAGES
from fazhi_ledger.receipt import RecordReceipt
from fazhi_ledger.record import case_id
from fazhi_ledger.suites import ED25519_SHA256 as SUITE

from tests.ledger.builders import PHOTO, World
from tests.spec.permit import permit_trail

SPEC: Final = Path(__file__).resolve().parents[2] / "spec"
FOLDER: Final = SPEC / "vectors"
PROVENANCE: Final = (
    "Made by tests/spec/vectors.py of this project from fixed keys (seed = SHA-256 of a word); checked by tests/spec."
)

CANONICAL: Final[tuple[Value, ...]] = (
    None,
    False,
    True,
    0,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2**32 - 1,
    2**32,
    2**63,
    2**64 - 1,
    -1,
    -32,
    -33,
    -128,
    -129,
    -(2**15),
    -(2**15) - 1,
    -(2**31),
    -(2**31) - 1,
    -(2**63),
    b"",
    b"\x00" * 255,
    b"\x00" * 256,
    "",
    "a" * 31,
    "a" * 32,
    "立案",
    (),
    tuple(range(15)),
    tuple(range(16)),
    (1, "立案", None, True, b"\xff\x00", (-1, 300)),
)
REFUSED: Final = {
    "cc01": "one, not in its shortest form",
    "d001": "one, in a signed form",
    "cb3ff0000000000000": "a float",
    "80": "a map",
    "c7000100": "an extension",
    "d903616263": "a short string with a long header",
    "a1ff": "not UTF-8",
    "a3eda080": "a surrogate",
    "0101": "followed by more",
    "9201": "cut short",
    "91" * 13 + "c0": "nested deeper than 12",
    "91" * 12 + "90": "nested deeper than 12, though empty",
}
CT_LEAVES: Final = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")


def shown(value: Value) -> Any:
    """A canonical value as JSON: byte strings as ``{"hex": …}``, integers as text."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, tuple):
        return [shown(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return {"int": str(value)}
    return value


def canonical_vectors() -> Any:
    return {
        "provenance": PROVENANCE,
        "valid": [{"value": shown(value), "hex": encode(value).hex()} for value in CANONICAL],
        "refused": [{"hex": data, "why": why} for data, why in REFUSED.items()],
    }


def merkle_vectors() -> Any:
    hashes = [merkle.leaf_hash(SUITE, bytes.fromhex(leaf)) for leaf in CT_LEAVES]
    return {
        "provenance": "Leaves of the reference tests of Certificate Transparency (RFC 6962); " + PROVENANCE,
        "leaves": list(CT_LEAVES),
        "roots": [merkle.root_of(SUITE, hashes[:n]).hex() for n in range(9)],
        "inclusion": [
            {"index": i, "size": n, "proof": [d.hex() for d in merkle.inclusion_proof(SUITE, hashes[:n], i)]}
            for n in range(1, 9)
            for i in range(n)
        ],
        "consistency": [
            {"old": m, "new": n, "proof": [d.hex() for d in merkle.consistency_proof(SUITE, hashes[:n], m)]}
            for n in range(1, 9)
            for m in range(1, n + 1)
        ],
    }


def state_vectors() -> Any:
    pages = statetree.MemoryPages()
    pairs = {b"key %d" % i: b"value %d" % i for i in range(20)}
    changes = {statetree.key_hash_of(SUITE, key): statetree.value_hash_of(SUITE, value) for key, value in pairs.items()}
    pages.apply(statetree.update(SUITE, pages, changes))
    proofs = []
    for key in (b"key 0", b"key 7", b"key 19", b"no such key", b"key 20", b"key 21"):
        proof = statetree.prove(SUITE, pages, statetree.key_hash_of(SUITE, key))
        value = pairs.get(key)
        proofs.append(
            {
                "key": key.hex(),
                "value": None if value is None else value.hex(),
                "siblings": [d.hex() for d in proof.siblings],
                "terminal": None if proof.terminal is None else [d.hex() for d in proof.terminal],
            }
        )
    return {
        "provenance": PROVENANCE,
        "pairs": [[key.hex(), value.hex()] for key, value in pairs.items()],
        "root": statetree.root_of_tree(SUITE, pages).hex(),
        "proofs": proofs,
    }


def submission_vectors(world: World) -> Any:
    item, body = world.items[1], world.items[1].body
    return {
        "provenance": PROVENANCE,
        "genesis_hash": world.genesis_hash.hex(),
        "body_fields": shown(body.to_value()),
        "body": item.body_bytes.hex(),
        "message": dsse.pae(dsse.SUBMISSION, item.body_bytes).hex(),
        "signatures": [signature.hex() for signature in item.signatures],
        "id": item.id(SUITE).hex(),
        "records": [record.hex() for record in item.records],
        "item": item.encode().hex(),
        "docket": {"org": "zfj", "procedure": "penalty", "number": "桐综执罚2026-0412"},
        "case_key": world.record.case_key.hex(),
        "case_id": case_id(SUITE, "zfj", world.record.case_key).hex(),
        "record_index": 1,
        "openings": [opening.encode().hex() for opening in world.openings],
        "commitments": [value.hex() for value in world.commitments],
        "commitments_root": world.record.commitments_root.hex(),
    }


def block_vectors(world: World) -> Any:
    return {
        "provenance": PROVENANCE,
        "genesis": world.genesis.encode().hex(),
        "genesis_hash": world.genesis_hash.hex(),
        "validators": world.validators.encode().hex(),
        "validators_hash": world.header.validators_hash.hex(),
        "header": world.header.encode().hex(),
        "block_hash": world.header.hash(SUITE).hex(),
        "certificate": world.certificate.encode().hex(),
        "commit_message": world.certificate.signed_message(world.genesis_hash).hex(),
    }


def receipt_about(world: World) -> Any:
    return {
        "provenance": PROVENANCE,
        "genesis_hash": world.genesis_hash.hex(),
        "file": {"name": "photo.jpg", "hex": PHOTO.hex()},
        "receipts": {
            "receipt.json": "certified directly",
            "receipt-anchored.json": "certified by a newer header",
            "receipt-handed-over.json": "certified by the third set, after two hand-overs",
        },
    }


def receipts(world: World) -> dict[str, RecordReceipt]:
    return {
        "receipt.json": world.receipt(),
        "receipt-anchored.json": world.anchored_receipt(),
        "receipt-handed-over.json": world.handed_over_receipt(),
    }


def trail_about(genesis_hash: bytes, trail: bytes) -> Any:
    facts = check_trail(trail, genesis_hash).require_valid()
    verdict = facts.verdict
    return {
        "provenance": PROVENANCE,
        "genesis_hash": genesis_hash.hex(),
        "events": [[event.number, event.record.step, event.org] for event in facts.events],
        "file": {"number": verdict.frozen, "root": facts.file_root.hex() if facts.file_root else None},
        "root": facts.root.hex(),
        "verdict": [
            [clause.number, clause.outcome, clause.article, [finding.code for finding in clause.findings]]
            for clause in verdict.clauses
        ],
    }


def all_files() -> dict[Path, bytes]:
    """Every generated file under ``spec/`` with the content that the code gives it now."""
    world = World()
    values = {
        "canonical.json": canonical_vectors(),
        "merkle.json": merkle_vectors(),
        "state.json": state_vectors(),
        "submission.json": submission_vectors(world),
        "block.json": block_vectors(world),
        "receipt-about.json": receipt_about(world),
    }
    files = {FOLDER / name: as_json(value) for name, value in values.items()}
    files |= {FOLDER / name: receipt.to_json() for name, receipt in receipts(world).items()}
    chain, shown_trail = permit_trail()
    trail = shown_trail.to_json()
    files[FOLDER / "trail.json"] = trail
    files[FOLDER / "trail-about.json"] = as_json(trail_about(chain.state.genesis_hash, trail))
    sentences = {**MESSAGES, **TRAIL}
    files[SPEC / "messages.json"] = as_json({code: {"zh": zh, "en": en} for code, (zh, en) in sentences.items()})
    return files


def as_json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, content in all_files().items():
        if path.exists() and path.parent == FOLDER:
            print("kept   ", path.relative_to(SPEC))
        else:
            path.write_bytes(content)
            print("written", path.relative_to(SPEC))


if __name__ == "__main__":
    main()
