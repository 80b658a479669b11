"""A second verifier of record receipts, written from the pages of spec/ alone. It imports nothing of this project.

Canonical encoding, JSON, Merkle paths and the checks of points (independent_parts.py), shapes, genesis, certificates
and hand-overs are its own, as plain as the pages. It is here to disagree with the ledger where a page says too little.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.spec.independent_parts import (
    Refused,
    check_inclusion,
    check_signature,
    decode,
    encode,
    has_prime_order,
    message,
    parse_json,
    require,
    sha256,
    tagged,
)

# --- shapes ----------------------------------------------------------------------------------------------------------

Shape = Callable[[Any], bool]


def integer(low: int = 0, high: int = 2**63 - 1) -> Shape:
    """An integer, bounds included."""
    return lambda value: type(value) is int and low <= value <= high


def data(least: int, most: int | None = None) -> Shape:
    """Bytes: so many, or a number between two."""
    return lambda value: isinstance(value, bytes) and least <= len(value) <= (least if most is None else most)


def text(pattern: str = "(?s:.*)", most: int = 256) -> Shape:
    """A string of which the whole matches."""
    return lambda value: isinstance(value, str) and len(value) <= most and re.fullmatch(pattern, value) is not None


def either(*shapes: Shape) -> Shape:
    """Any one of several."""
    return lambda value: any(shape(value) for shape in shapes)


def only(constant: Any) -> Shape:
    """One value."""
    return lambda value: type(value) is type(constant) and value == constant


def row(*shapes: Shape) -> Shape:
    """An array of fixed length."""
    return lambda value: (
        isinstance(value, tuple) and len(value) == len(shapes) and all(s(v) for s, v in zip(shapes, value, strict=True))
    )


def anything(_: Any) -> bool:
    """Any value."""
    return True


def many(shape: Shape, most: int, least: int = 0) -> Shape:
    """An array of any length between two."""
    return lambda value: isinstance(value, tuple) and least <= len(value) <= most and all(map(shape, value))


ORG: Final = text(r"[a-z][a-z0-9-]{0,30}(\.[a-z0-9-]{1,31})?")
NAME: Final = text(r"[a-z][a-z0-9_]{0,31}")
CODE: Final = text(r"OK|[a-z][a-z0-9-]{0,47}")
FIELD: Final = text(r"[a-z][a-z0-9_]{0,31}(\.[a-z0-9_]{1,31})*")
NIL: Final = only(None)
DIGEST, KEY, SIGNATURE, COUNT, HEIGHT = data(32), data(0, 128), data(0, 256), integer(), integer(1)
TIME: Final = integer(0, 253402300799999)
SIGNED: Final = integer(-(2**63) + 1)
DETAILS: Final = many(row(NAME, either(text(), SIGNED)), 16)
MEMBER: Final = row(ORG, text(), text(), many(NAME, 16), KEY, DIGEST, text(), text(), SIGNATURE)
GENESIS: Final = row(
    only(1), text(), only("ed25519-sha256"), TIME, many(row(NAME, integer(-(2**63))), 13), integer(1), text(most=16),
    many(MEMBER, 128, 1), many(row(ORG, KEY, many(NAME, 16), SIGNATURE), 10_000), many(row(NAME, DIGEST), 256),
    either(NIL, row(DIGEST, HEIGHT, DIGEST, DIGEST)),
)  # fmt: skip
HEADER: Final = row(only(1), DIGEST, integer(1, 2**63 - 2), DIGEST, TIME, ORG, COUNT, *[DIGEST] * 7)
VALIDATORS: Final = row(COUNT, HEIGHT, many(row(ORG, KEY), 128, 1))
CERTIFICATE: Final = row(only("pbft"), HEIGHT, COUNT, DIGEST, many(row(COUNT, SIGNATURE), 128))
ENVELOPE: Final = row(data(0, 65_536), many(SIGNATURE, 16))
BODY: Final = row(
    only(1), DIGEST, ORG, data(16), integer(0, 2**63 - 2), data(16), NAME, NAME,
    either(row(integer(1), DIGEST), row(integer(1), DIGEST, text(r"[a-z][a-z0-9-]{0,30}"))),
    many(KEY, 16, 1), TIME, either(NIL, row(HEIGHT, DIGEST)), either(NIL, TIME),
)  # fmt: skip
RECORD: Final = row(
    only(1), NAME, DIGEST, text(r"[A-Z][A-Z0-9_]{0,31}"), TIME, row(integer(0, 1024), DIGEST),
    many(row(NAME, either(text(r"[a-z0-9][a-z0-9_-]{0,47}"), SIGNED)), 16), many(DIGEST, 64),
)  # fmt: skip
RESULT: Final = row(only(1), DIGEST, CODE, DETAILS, many(row(KEY, ORG, many(NAME, 16)), 16), DIGEST)
FINDING: Final = row(CODE, text(), text("note|irregular|grave"), DETAILS)
RECORD_RESULT: Final = row(DIGEST, HEIGHT, many(FINDING, 64))
OPENING: Final = row(FIELD, data(32), anything)
FILE: Final = row(many(row(text(most=16), data(0, 64)), 4, 1), COUNT, text(most=128))
MOST_BYTES: Final = {
    "genesis": 4_194_304, "header": 1024, "certificate": 65_536, "submission": 4_194_304, "body": 65_536,
    "record": 8192, "opening": 8192, "result": 32_768, "record_result": 32_768, "validators": 4_194_304,
}  # fmt: skip


def part(encoded: bytes, shape: Shape, what: str) -> Any:
    """A decoded part of its shape."""
    require(len(encoded) <= MOST_BYTES[what], f"the length of {what}")
    value = decode(encoded)
    require(shape(value), f"the shape of {what}")
    return value


def validators_of(encoded: bytes) -> Any:
    """A validator set."""
    value = part(encoded, VALIDATORS, "validators")
    for column in zip(*value[2], strict=True):
        require(len(set(column)) == len(column), "a member or key that stands twice")
    return value


def certificate_of(encoded: bytes) -> Any:
    """A certificate, whose indices rise."""
    value = part(encoded, CERTIFICATE, "certificate")
    require(rising([index for index, _ in value[4]]), "the order of a certificate's indices")
    return value


def genesis_of(encoded: bytes) -> Any:
    """A genesis, with what its form says of parameters and roles."""
    value = part(encoded, GENESIS, "genesis")
    require([name for name, _ in value[4]] == sorted(PARAMETERS), "the parameters' names")
    require(all(PARAMETERS[n][0] <= v <= PARAMETERS[n][1] for n, v in value[4]), "a parameter's value")
    require(all(rising(m[3]) for m in value[7]) and all(rising(o[2]) for o in value[8]), "the order of roles")
    return value


def rising(values: Sequence[Any]) -> bool:
    """Strictly increasing: sorted and distinct."""
    return all(a < b for a, b in itertools.pairwise(values))


# --- genesis.md, certificate.md --------------------------------------------------------------------------------------

PARAMETERS: Final = {
    "heartbeat_ms": (1000, 86400000), "late_record_ms": (60000, 31622400000), "max_block_bytes": (4096, 12582912),
    "max_block_items": (1, 100000), "max_clock_skew_ms": (1000, 60000), "max_item_bytes": (1024, 4194304),
    "max_lane_ahead": (1, 1000000), "max_lane_void": (1, 1000000), "max_lanes_per_key": (1, 65536),
    "max_records_per_item": (1, 10000), "max_signer_keys": (1, 16), "max_validity_ms": (60000, 315360000000),
    "utc_offset_min": (-720, 840),
}  # fmt: skip


def check_genesis(genesis: Any) -> None:
    """Whether a genesis of the right form holds together."""
    protocol, engine, members, officers, procedures, _ = genesis[5:]
    require((protocol, engine) == (4, "pbft"), "the protocol or the engine")
    require(rising([name for name, _ in procedures]), "the procedures' order")
    orgs = [member[0] for member in members]
    require(len(set(orgs)) == len(orgs) and not any("." in org for org in orgs), "the members' names")
    require(all(officer[0] in orgs for officer in officers), "an officer of no member")
    holders = [*((m[0], m[4], m[3], m[8]) for m in members), *officers]
    require(len({key for _, key, _, _ in holders}) == len(holders), "a key that stands twice")
    for org, key, roles, proof in holders:
        require(has_prime_order(key), "a key without prime order")
        check_signature(key, message("possession", encode((None, org, key, roles))), proof)


def check_certificate(certificate: Any, genesis_hash: bytes, header: Any, header_hash: bytes, validators: Any) -> None:
    """Whether a quorum of `validators` committed the header in one round."""
    _, height, round_, block_hash, entries = certificate
    require((height, block_hash) == (header[2], header_hash), "a certificate of another block")
    keys = [key for _, key in validators[2]]
    indices = [index for index, _ in entries]
    require(all(index < len(keys) for index in indices), "a signer of no such index")
    require(3 * len(entries) >= 2 * len(keys), "no quorum")
    vote = message("commit", encode((genesis_hash, height, round_, block_hash)))
    for index, signature in entries:
        check_signature(keys[index], vote, signature)


# --- receipt.md ------------------------------------------------------------------------------------------------------


def from_base64(value: Any) -> bytes:
    """Bytes of standard, padded base64."""
    require(isinstance(value, str), "base64 expected")
    try:
        decoded = base64.b64decode(value, validate=True)
    except ValueError as error:
        raise Refused("base64") from error
    require(base64.b64encode(decoded).decode() == value, "base64 that is not canonical")
    return decoded


def from_hexes(value: Any) -> list[bytes]:
    """A path: a list of digests."""
    require(isinstance(value, list) and len(value) <= 64, "a list of at most 64 digests expected")
    require(all(isinstance(h, str) and re.fullmatch("[0-9a-f]{64}", h) for h in value), "a digest in hex")
    return [bytes.fromhex(h) for h in value]


def fields(value: Any, *names: str) -> list[Any]:
    """The values of an object that has just these fields, in the order asked for."""
    require(isinstance(value, dict) and set(value) == set(names), "missing or unknown fields")
    return [value[name] for name in names]


def whole(value: Any) -> int:
    """A JSON integer that counts something."""
    require(type(value) is int and value >= 0, "an integer expected")
    return int(value)


FIELDS: Final = (
    "format", "version", "genesis", "handovers", "certificate", "anchor", "header", "submission", "submission_index",
    "submission_proof", "result", "result_proof", "record", "record_index", "record_proof", "record_result",
    "record_result_proof", "docket", "openings",
)  # fmt: skip


class Receipt:
    """A receipt under verification; a method a step, in the order of the page. A step may answer that it is absent."""

    def __init__(self, receipt: bytes, genesis_hash: bytes, files: Sequence[tuple[str, bytes]]) -> None:
        self.bytes, self.genesis_hash, self.files = receipt, genesis_hash, files

    def format(self) -> bool:
        f = dict(zip(FIELDS, fields(parse_json(self.bytes), *FIELDS), strict=True))
        require(only("fazhi-record-receipt")(f["format"]) and only(1)(f["version"]), "format or version")
        raw = {n: from_base64(f[n]) for n in ("genesis", "certificate", "header", "submission", "result", "record")}
        raw["record_result"] = from_base64(f["record_result"])
        proofs = ("submission_proof", "result_proof", "record_proof", "record_result_proof")
        self.raw, self.proof = raw, {n.removesuffix("_proof"): from_hexes(f[n]) for n in proofs}
        self.submission_index, self.record_index = whole(f["submission_index"]), whole(f["record_index"])
        self.genesis = genesis_of(raw["genesis"])
        self.certificate = certificate_of(raw["certificate"])
        self.header = part(raw["header"], HEADER, "header")
        self.header_hash = tagged("header", raw["header"])
        self.body_bytes, self.signatures = part(raw["submission"], ENVELOPE, "submission")
        self.body = part(self.body_bytes, BODY, "body")
        self.keys = self.body[9]
        require(self.body[8][2:] != (self.body[2].partition(".")[0],), "the own member, named")
        require(len(set(self.keys)) == len(self.keys) == len(self.signatures), "signer keys and signatures")
        self.record = part(raw["record"], RECORD, "record")
        require(rising([name for name, _ in self.record[6]]), "the order of clear fields")
        self.result = part(raw["result"], RESULT, "result")
        self.record_result = part(raw["record_result"], RECORD_RESULT, "record_result")
        self.format_of_rest(f["handovers"], f["anchor"], f["docket"], f["openings"])
        return True

    def format_of_rest(self, handovers: Any, anchor: Any, docket: Any, openings: Any) -> None:
        require(isinstance(handovers, list) and len(handovers) <= 10_000, "hand-overs")
        require(isinstance(openings, list) and len(openings) <= 1024, "openings")
        self.handovers = []
        for handover in handovers:
            header, certificate, validators = map(from_base64, fields(handover, "header", "certificate", "validators"))
            rest = certificate_of(certificate), validators, validators_of(validators)
            self.handovers.append((header, part(header, HEADER, "header"), *rest))
        self.anchor, self.anchor_hash, self.history = self.header, self.header_hash, None
        if anchor is not None:
            encoded, proof = fields(anchor, "header", "history_proof")
            self.anchor = part(from_base64(encoded), HEADER, "header")
            self.anchor_hash, self.history = tagged("header", from_base64(encoded)), from_hexes(proof)
        self.docket = None if docket is None else fields(docket, "org", "number")
        require(self.docket is None or (ORG(self.docket[0]) and text("(?s:.+)")(self.docket[1])), "the docket")
        self.openings = []
        for opening in openings:
            index, encoded, proof = fields(opening, "index", "opening", "proof")
            value = part(from_base64(encoded), OPENING, "opening")
            if is_file(value):
                require(FILE(value[2]) and rising([name for name, _ in value[2][0]]), "the value of a file")
            self.openings.append((whole(index), value, from_hexes(proof)))

    def step_genesis(self) -> bool:
        require(tagged("genesis", self.raw["genesis"]) == self.genesis_hash, "another genesis")
        check_genesis(self.genesis)
        require(self.body[1] == self.header[1] == self.genesis_hash, "another chain")
        return True

    def commitments(self) -> bool:
        require(rising([index for index, _, _ in self.openings]), "the order of openings")
        require(len({field for _, (field, _, _), _ in self.openings}) == len(self.openings), "a field twice")
        count, root = self.record[5]
        for index, (field, salt, value), proof in self.openings:
            bound = (self.genesis_hash, self.keys[0], self.body[5], self.record_index, field, salt, value)
            check_inclusion(tagged("commitment", encode(bound)), index, count, proof, root)
        if self.docket is not None:
            org, number = self.docket
            require(tagged("case", encode((org, self.record[1], number))) == self.record[2], "another docket number")
        disclosed = [value for _, (_, _, value), _ in filter(lambda o: is_file(o[1]), self.openings)]
        for label, content in self.files:
            require(any(is_content(content, value) for value in disclosed), f"{label} is no disclosed file")
        return bool(self.openings)

    def step_record(self) -> bool:
        require(self.body[6:8] == ("cases", "record"), "no submission of records")
        count, root, *_ = self.body[8]
        check_inclusion(self.raw["record"], self.record_index, count, self.proof["record"], root)
        return True

    def step_signatures(self) -> bool:
        for key, signature in zip(self.keys, self.signatures, strict=True):
            check_signature(key, message("submission", self.body_bytes), signature)
        return True

    def in_block(self, name: str, root: bytes) -> None:
        check_inclusion(self.raw[name], self.submission_index, self.header[6], self.proof[name], root)

    def submission(self) -> bool:
        self.in_block("submission", self.header[7])
        return True

    def step_result(self) -> bool:
        self.in_block("result", self.header[8])
        require(self.result[1] == sha256(message("submission", self.body_bytes)), "the result of another submission")
        require(self.result[2] == "OK", "the submission was refused")
        require(tuple(key for key, _, _ in self.result[4]) == self.keys, "the result of other signers")
        return True

    def step_record_result(self) -> bool:
        place = self.record_index, self.body[8][0]
        check_inclusion(self.raw["record_result"], *place, self.proof["record_result"], self.result[5])
        own, named = self.body[2].partition(".")[0], self.body[8][2:]
        member = named[0] if named else own
        require(self.record_result[0] == tagged("case-id", encode((member, self.record[2]))), "another case")
        return True

    def step_history(self) -> bool:
        if self.history is None:
            return False
        require(self.anchor[1] == self.genesis_hash, "an anchor of another chain")
        check_inclusion(self.header_hash, self.header[2], self.anchor[2], self.history, self.anchor[10])
        return True

    def membership(self) -> bool:
        validators: Any = (0, 1, tuple((member[0], member[4]) for member in self.genesis[7]))
        set_hash = tagged("validators", encode(validators))
        for encoded, header, certificate, next_bytes, following in self.handovers:
            require(header[1] == self.genesis_hash, "a hand-over of another chain")
            require(header[2] >= validators[1], "a hand-over before its set")
            next_hash = tagged("validators", next_bytes)
            require((header[11], header[12]) == (set_hash, next_hash), "a hand-over of other sets")
            require(following[:2] == (validators[0] + 1, header[2] + 1), "the successor's epoch or height")
            check_certificate(certificate, self.genesis_hash, header, tagged("header", encoded), validators)
            validators, set_hash = following, next_hash
        require(self.anchor[2] >= validators[1] and self.anchor[11] == set_hash, "the anchor's validator set")
        self.validators = validators
        return True

    def step_certificate(self) -> bool:
        check_certificate(self.certificate, self.genesis_hash, self.anchor, self.anchor_hash, self.validators)
        return True


def is_file(opening: Any) -> bool:
    """Whether an opening discloses a file."""
    return bool(opening[0] == "file" or opening[0].startswith("file."))


USABLE: Final = frozenset({"sha256", "sm3"}) & hashlib.algorithms_available


def is_content(content: bytes, value: Any) -> bool:
    """Whether bytes are those of a disclosed file: length and every digest, none of which is unknown."""
    digests, length, _ = value
    return len(content) == length and all(
        name in USABLE and hashlib.new(name, content).digest() == digest for name, digest in digests
    )


STEPS: Final[tuple[tuple[str, Callable[[Receipt], bool]], ...]] = (
    ("format", Receipt.format), ("genesis", Receipt.step_genesis), ("commitments", Receipt.commitments),
    ("record", Receipt.step_record), ("signatures", Receipt.step_signatures), ("submission", Receipt.submission),
    ("result", Receipt.step_result), ("record-result", Receipt.step_record_result), ("history", Receipt.step_history),
    ("membership", Receipt.membership), ("certificate", Receipt.step_certificate),
)  # fmt: skip


def verify(receipt: bytes, genesis_hash: bytes, files: Sequence[tuple[str, bytes]] = ()) -> list[tuple[int, str, str]]:
    """(number, name, "passed" | "failed" | "absent" | "not-reached") for each of the eleven steps, in order."""
    under_test, results = Receipt(receipt, genesis_hash, files), list[tuple[int, str, str]]()
    status = "passed"
    for number, (name, step) in enumerate(STEPS, start=1):
        if status in ("failed", "not-reached"):
            status = "not-reached"
        else:
            try:
                status = "passed" if step(under_test) else "absent"
            except Refused:
                status = "failed"
        results.append((number, name, status))
    return results


def signed_by(receipt: bytes, genesis_hash: bytes) -> list[tuple[str, tuple[str, ...] | None, bool]]:
    """Of a valid receipt: who signed the block, with its roles in the genesis, and whether it is a party."""
    under_test = Receipt(receipt, genesis_hash, ())
    require(all(step(under_test) is not None for _, step in STEPS), "a valid receipt")
    named = {member[0]: member[3] for member in under_test.genesis[7]}
    orgs = [under_test.body[2], *under_test.body[8][2:], *(org for _, org, _ in under_test.result[4])]
    parties = {org.partition(".")[0] for org in orgs}
    seats = [under_test.validators[2][index][0] for index, _ in under_test.certificate[4]]
    return [(org, named.get(org), org in parties) for org in seats]


def is_valid(results: Sequence[tuple[int, str, str]]) -> bool:
    """The verdict: no step failed."""
    return all(status in ("passed", "absent") for _, _, status in results)
