"""Receipts that are nearly right, for two verifiers to agree on.

:func:`forge` makes a receipt from raw values, with no type of the ledger between, and lets the caller twist any value
before everything that follows from it is hashed, proven and signed anew: what comes out is often VALID, and where it
is not, the reason is the twisted value and no broken hash. :data:`MUTATIONS` damage a finished receipt instead.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable, Container, Sequence
from random import Random
from typing import Any, Final

from fazhi_ledger import merkle
from fazhi_ledger.suites import ED25519_SHA256 as SUITE

from tests.ledger.builders import DOCKET, ORGS, PHOTO, World, signer
from tests.spec.independent_parts import decode, encode, message, sha256, tagged

Twist = Callable[[str, Any], Any]

_SEATS: Final = [signer(org) for org, _ in ORGS]
_NEWCOMER: Final = signer("newcomer")
_OFFICERS: Final = [signer("officer-1"), signer("officer-2")]
_SIGNERS: Final = {s.public_key: s for s in (*_SEATS, _NEWCOMER, *_OFFICERS)}
_GENESIS: Final = decode(World().genesis.encode())
_MEMBERS: Final = tuple((org, seat.public_key) for (org, _), seat in zip(ORGS, _SEATS, strict=True))
_FILE: Final = ((("sha256", hashlib.sha256(PHOTO).digest()),), len(PHOTO), "image/jpeg")
_OPENINGS: Final = (("file.1", b"\x01" * 32, _FILE), ("place", b"\x02" * 32, "梧桐街道"), ("note", b"\x03" * 32, 7))
_NO_HASH: Final = bytes(32)

TWISTABLE: Final = (
    "genesis", "opening.0", "opening.1", "opening.2", "body", "args", "record", "commitments", "case_key", "docket",
    "envelope", "record_result", "code", "result", "header", "successor", "handover", "handover.certificate", "round",
    "anchor", "certificate", "seats",
)  # fmt: skip
"""The values that :func:`forge` hands to its twist."""


def _put(value: Any, index: int, new: Any) -> Any:
    """The tuple with another value at `index`, as far as it still is such a tuple."""
    if not isinstance(value, tuple) or index >= len(value):
        return value
    return (*value[:index], new, *value[index + 1 :])


def _get(value: Any, *path: int) -> Any:
    for index in path:
        value = value[index] if isinstance(value, tuple) and index < len(value) else None
    return value


def _sign(key: Any, kind: str, body: Any) -> bytes:
    known = _SIGNERS.get(key) if isinstance(key, bytes) else None
    return bytes(64) if known is None else known.sign(message(kind, encode(body) if isinstance(body, tuple) else body))


def _proven(genesis: Any) -> Any:
    """The genesis with its proofs of possession made anew."""
    for part, (key, roles, proof) in ((7, (4, 3, 8)), (8, (1, 2, 3))):
        holders = _get(genesis, part)
        if isinstance(holders, tuple):
            new = [_put(h, proof, _sign(_get(h, key), "possession", (None, _get(h, 0), _get(h, key), _get(h, roles))))
                   for h in holders]  # fmt: skip
            genesis = _put(genesis, part, tuple(new))
    return genesis


def _log(leaves: Sequence[bytes], index: int) -> tuple[bytes, list[str]]:
    """Root, and the path of one leaf."""
    hashes = [merkle.leaf_hash(SUITE, leaf) for leaf in leaves]
    return merkle.root_of(SUITE, hashes), [digest.hex() for digest in merkle.inclusion_proof(SUITE, hashes, index)]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _certificate(twist: Twist, name: str, chain: bytes, header: Any, keys: Sequence[tuple[int, Any]]) -> str:
    round_ = twist("round", 0)
    vote = (chain, _get(header, 2), round_, tagged("header", encode(header)))
    entries = tuple((index, _sign(key, "commit", vote)) for index, key in keys)
    return _b64(encode(twist(name, ("pbft", *vote[1:], entries))))


def forge(twist: Twist, handed_over: bool = False, anchored: bool = False) -> tuple[dict[str, Any], bytes]:
    """A receipt as a JSON value, and the genesis hash that it is to be verified against."""
    genesis = twist("genesis", _GENESIS)
    genesis = genesis if genesis == _GENESIS else _proven(genesis)
    chain = tagged("genesis", encode(genesis))
    fields = {"format": "fazhi-record-receipt", "version": 1, "genesis": _b64(encode(genesis))}
    fields |= (submission := _submission(twist, chain))
    del fields["leaves"]
    members = _get(genesis, 7)
    members = tuple((_get(m, 0), _get(m, 4)) for m in members) if isinstance(members, tuple) else _MEMBERS
    height = 1
    seats: Any = members
    set_hash = first_hash = tagged("validators", encode((0, 1, members)))
    fields["handovers"] = []
    if handed_over:
        height = 3
        successor = twist("successor", (1, 3, (*members, ("jcj", _NEWCOMER.public_key))))
        set_hash, seats = tagged("validators", encode(successor)), _get(successor, 2)
        value = (1, chain, 2, _NO_HASH, 1767230000000, "zfj", 0, *[_NO_HASH] * 4, first_hash, set_hash, _NO_HASH)
        value = twist("handover", value)
        by = [(i, _get(members, i, 1)) for i in (0, 1, 2)]
        certificate = _certificate(twist, "handover.certificate", chain, value, by)
        handover = {"header": value, "certificate": certificate, "validators": successor}
        fields["handovers"] = [{k: v if isinstance(v, str) else _b64(encode(v)) for k, v in handover.items()}]
    (submissions_root, fields["submission_proof"]), (results_root, fields["result_proof"]) = submission["leaves"]
    roots = submissions_root, results_root, _NO_HASH, _NO_HASH
    header = (1, chain, height, _NO_HASH, 1767230002000, "zfj", 3, *roots, set_hash, set_hash, _NO_HASH)
    header = last = twist("header", header)
    fields["header"], fields["anchor"] = _b64(encode(header)), None
    if anchored:
        leaves = [chain, *[b"\x07" * 32] * 9]
        leaves[height] = tagged("header", encode(header))
        root, path = _log(leaves, height)
        last = _put(_put(header, 2, len(leaves)), 10, root)
        last = twist("anchor", last)
        fields["anchor"] = {"header": _b64(encode(last)), "history_proof": path}
    count = len(seats) if isinstance(seats, tuple) else 0
    signing: Any = twist("seats", tuple((i, _get(seats, i, 1)) for i in range(count) if i != 2))
    signing = signing if _are_seats(signing) else ()
    fields["certificate"] = _certificate(twist, "certificate", chain, last, signing)
    return fields, chain


def _are_seats(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(v, tuple) and len(v) == 2 for v in value)


def _submission(twist: Twist, chain: bytes) -> dict[str, Any]:
    """The fields from the submission down to the openings; `leaves` are both trees of the block."""
    keys = tuple(officer.public_key for officer in _OFFICERS)
    body = (1, chain, "zfj", b"l" * 16, 1, b"d" * 16, "cases", "record", None, keys, 1767230001000, None, None)
    body = twist("body", body)
    openings = [twist(f"opening.{i}", opening) for i, opening in enumerate(_OPENINGS)]
    hidden = [
        tagged("commitment", encode((chain, _get(body, 9, 0), _get(body, 5), 1, *(o if isinstance(o, tuple) else ()))))
        for o in openings
    ]
    paths = [_log(hidden, i) for i in range(3)]
    record = twist("record", (1, "penalty", None, "INVEST", 1767230000000, None, (("amount", 5),), (b"r" * 32,)))
    docket = twist("docket", ("zfj", DOCKET))
    case_key = tagged("case", encode((_get(docket, 0), _get(record, 1), _get(docket, 1))))
    record = _put(record, 2, twist("case_key", case_key))
    record = encode(_put(record, 5, twist("commitments", (3, paths[0][0]))))
    records_root, record_path = _log([b"another record", record], 1)
    own = _member(_get(body, 2))
    args = twist("args", (2, records_root) if own == "zfj" else (2, records_root, "zfj"))
    body_bytes = encode(_put(body, 8, args))
    keys = _get(body, 9) if isinstance(_get(body, 9), tuple) else keys
    envelope = twist("envelope", (body_bytes, tuple(_sign(key, "submission", body_bytes) for key in keys)))
    member = args[2] if isinstance(args, tuple) and len(args) == 3 else own
    case = tagged("case-id", encode((member, case_key)))
    findings = (("late", "第五十四条", "irregular", (("days", -3), ("step", "INVEST"))),)
    record_result = encode(twist("record_result", (case, 5, findings)))
    results_root, result_path = _log([b"another result", record_result], 1)
    known = tuple((key, "zfj", ("officer",)) for key in keys)
    value = (1, sha256(message("submission", body_bytes)), twist("code", "OK"), (("note", "x"),), known, results_root)
    result = encode(twist("result", value))
    text_or_not = [part if isinstance(part, str) else 0 for part in (_get(docket, 0), _get(docket, 1))]
    return {
        "submission": _b64(encode(envelope)), "submission_index": 1, "result": _b64(result),
        "record": _b64(record), "record_index": 1, "record_proof": record_path,
        "record_result": _b64(record_result), "record_result_proof": result_path,
        "docket": dict(zip(("org", "number"), text_or_not, strict=True)),
        "openings": [
            {"index": i, "opening": _b64(encode(opening)), "proof": paths[i][1]} for i, opening in enumerate(openings)
        ],
        "leaves": [_log([b"", leaf, b"2"], 1) for leaf in (encode(envelope), result)],
    }  # fmt: skip


def _member(org: Any) -> Any:
    return org.partition(".")[0] if isinstance(org, str) else org


# --- twists of a value -----------------------------------------------------------------------------------------------

_MILLENNIA: Final = 253402300799999
_INTEGERS: Final = (
    0, 1, 2, 3, -1, 16, 17, 128, 1024, 1025, 2**31, 2**53, _MILLENNIA, _MILLENNIA + 1, 2**63 - 2, 2**63 - 1, 2**63,
    2**64 - 1, -(2**63), -(2**63) + 1,
)  # fmt: skip
_BYTES: Final = (0, 1, 15, 16, 31, 32, 33, 64, 65, 128, 129, 256, 257, 1025, 8193)
_TEXTS: Final = (
    "", "a", "A", "é", "zfj", "zfj.chengguan", "zfj.", "z.f.j", "ZFJ", "0a", "a-b", "a_b", "file", "file.2", "files",
    "OK", "note", "grave", "sha256", "sm3", "md5", "pbft", "a\n", "ａ", "\x00", "INVEST\n", "sfj", "officer", "jcj",
)  # fmt: skip
_LENGTHS: Final = (16, 17, 31, 32, 33, 48, 49, 64, 65, 128, 129, 256, 257)


def twisted(random: Random, value: Any) -> Any:
    """The value with one change somewhere inside."""
    if isinstance(value, tuple) and value and random.random() < 0.8:
        index = random.randrange(len(value))
        return _put(value, index, twisted(random, value[index]))
    if random.random() < 0.1:
        return random.choice((None, True, False, 0, 1, b"", "", (), value, (value,), (value, value), _deep(random)))
    if isinstance(value, tuple):
        return _twisted_array(random, value)
    if isinstance(value, bool) or value is None:
        return random.choice((None, True, False, 1, (1, bytes(32)), (0, bytes(32)), 1767240000000))
    if isinstance(value, int):
        return random.choice((value - 1, value + 1, random.choice(_INTEGERS)))
    if isinstance(value, bytes):
        if value and random.random() < 0.5:
            return flipped(random, value)
        return random.randbytes(random.choice(_BYTES))
    longer = random.choice("aA9é") * random.choice(_LENGTHS)
    return random.choice((value + "x", value[:-1], random.choice(_TEXTS), longer, value + "." + longer))


def twister(random: Random, names: Container[str]) -> Twist:
    """What twists the values of these names, once each time it meets them."""
    return lambda name, value: twisted(random, value) if name in names else value


def _deep(random: Random) -> Any:
    value: Any = random.choice(((), 0))
    for _ in range(random.randrange(8, 14)):
        value = (value,)
    return value


def _twisted_array(random: Random, value: tuple[Any, ...]) -> tuple[Any, ...]:
    kind = random.randrange(6)
    at = random.randrange(len(value)) if value else 0
    if kind == 0:
        return value[:at] + value[at + 1 :]
    if kind == 1:
        return value[: at + 1] + value[at:]
    if kind == 2:
        return value[::-1]
    if kind == 3:
        return tuple(random.sample(value, len(value)))
    if kind == 4:
        return (*value, random.choice((0, "a", ("a", 1), bytes(32))))
    filler = value[-1:] or random.choice(((bytes(32),), (("a", 1),), ("a",)))
    grown = (*value, *filler * random.choice(_LENGTHS))
    return tuple(_put(v, 0, f"a{i:03}") if isinstance(_get(v, 0), str) else v for i, v in enumerate(grown))


def flipped(random: Random, data: bytes) -> bytes:
    """One bit changed."""
    position, changed = random.randrange(len(data)), bytearray(data)
    changed[position] ^= 1 << random.randrange(8)
    return bytes(changed)


# --- mutations of a receipt ------------------------------------------------------------------------------------------

Parsed = dict[str, Any]
Mutation = Callable[[Random, Parsed, Sequence[Parsed]], bytes]


def to_json(value: Any) -> bytes:
    """JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path] * bool(path) + [below for key, part in items for below in _paths(part, (*path, key))]


def _at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def _change(receipt: Parsed, path: Sequence[Any], new: Any) -> bytes:
    copied = copy.deepcopy(receipt)
    _at(copied, path[:-1])[path[-1]] = new
    return to_json(copied)


def _some(random: Random, receipt: Parsed, kind: Callable[[Any], bool]) -> tuple[Any, ...]:
    return random.choice([path for path in _paths(receipt) if kind(_at(receipt, path))])


def _is_encoded(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 40


def flip(random: Random, receipt: Parsed, _: Sequence[Parsed]) -> bytes:
    """One bit of one part or digest."""
    path = _some(random, receipt, _is_encoded)
    old = _at(receipt, path)
    if isinstance(path[-1], int):
        return _change(receipt, path, flipped(random, bytes.fromhex(old)).hex())
    return _change(receipt, path, _b64(flipped(random, base64.b64decode(old))))


def splice(random: Random, receipt: Parsed, others: Sequence[Parsed]) -> bytes:
    """A part of another receipt, or of another place, in this one."""
    path, other = _some(random, receipt, bool), random.choice(others)
    same = [p for p in _paths(other) if p[-1:] == path[-1:] or type(_at(other, p)) is type(_at(receipt, path))]
    exact = [p for p in same if p == path]
    source = random.choice(exact if exact and random.random() < 0.7 else same or [path[:1]])
    return _change(receipt, path, copy.deepcopy(_at(other, source)))


def reshape(random: Random, receipt: Parsed, _: Sequence[Parsed]) -> bytes:
    """A field or entry too few, too many, in another order, or of another type."""
    path, copied = random.choice(_paths(receipt)), copy.deepcopy(receipt)
    holder = _at(copied, path[:-1])
    kind = random.randrange(5)
    if kind == 0:
        del holder[path[-1]]
    elif kind == 1 and isinstance(holder, list):
        holder[path[-1] : path[-1]] = [holder[path[-1]]] * random.choice((1, 1, 64))
    elif kind == 2 and isinstance(holder, list):
        random.shuffle(holder)
    elif kind == 3 and isinstance(holder, dict):
        holder[random.choice(("note", "Format", "anchor", "index", "")) + random.choice(("", "\u0000"))] = None
    else:
        deep: Any = []
        for _level in range(random.randrange(12)):
            deep = [deep]
        holder[path[-1]] = random.choice(
            (None, True, False, 0, 1, -1, 2, "", "AA==", "AB==", [], {}, [""], ["00"], deep)
        )
    return to_json(copied)


def renumber(random: Random, receipt: Parsed, _: Sequence[Parsed]) -> bytes:
    """Another index, or another spelling of it."""
    path = _some(random, receipt, lambda value: type(value) is int)
    old = _at(receipt, path)
    spelling = random.choice(
        (str(old + 1), str(old - 1), "0", "-0", f"{old}.0", f"{old}e0", f"0{old}", f"+{old}", "true", f'"{old}"',
         "null", str(2**53 - 1), str(2**53), str(-(2**53)), str(2**64), "NaN", "1e400", f" {old}\n", "٣", "９",
         f"{old}_0")
    )  # fmt: skip
    marker = 1234567890123
    return _change(receipt, path, marker).replace(str(marker).encode(), spelling.encode())


def loose(random: Random, value: Any) -> bytes:
    """An encoding of the value that may take a longer form somewhere, or a form that is refused."""
    if isinstance(value, tuple) and random.random() < 0.8:
        which = random.randrange(len(value)) if value else -1
        strict = encode(value)
        head = strict[: len(strict) - len(b"".join(encode(part) for part in value))]
        return head + b"".join(loose(random, v) if i == which else encode(v) for i, v in enumerate(value))
    heads = {tuple: (b"\xdc", b"\xdd"), bytes: (b"\xc5", b"\xc6"), str: (b"\xd9", b"\xda", b"\xdb")}
    widths = {b"\xd9": 1, b"\xdc": 2, b"\xc5": 2, b"\xda": 2}
    if isinstance(value, (tuple, bytes, str)):
        head = random.choice(heads[type(value)])
        body = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else b""
        body = b"".join(map(encode, value)) if isinstance(value, tuple) else body
        count = len(value) if isinstance(value, tuple) else len(body)
        width = widths.get(head, 4)
        return b"".join((head, (count % 256**width).to_bytes(width, "big"), body))
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return random.choice((b"\xcf", b"\xd3")) + value.to_bytes(8, "big")
    return random.choice((b"\x80", b"\xca" + bytes(4), b"\xc1", b"\xc7\x00\x01", b"\xd4\x01\x00", b"\xc4\x01\x00"))


def recode(random: Random, receipt: Parsed, _: Sequence[Parsed]) -> bytes:
    """A part with another value inside, or encoded otherwise, or with bytes too few or too many."""
    path = _some(random, receipt, _is_encoded)
    if isinstance(path[-1], int):
        return flip(random, receipt, ())
    data = base64.b64decode(_at(receipt, path))
    value = decode(data)
    if path[-1] == "submission" and random.random() < 0.7:
        body = decode(value[0])
        body = encode(twisted(random, body)) if random.random() < 0.5 else loose(random, body)
        return _change(receipt, path, _b64(encode((body, value[1]))))
    changed = (
        encode(twisted(random, value)),
        loose(random, value),
        data[: random.randrange(len(data))],
        data + b"\x00",
    )
    return _change(receipt, path, _b64(random.choice(changed)))


def retype(random: Random, receipt: Parsed, _: Sequence[Parsed]) -> bytes:
    """Other characters in the file itself; some of them harmless."""
    text = to_json(receipt).decode()
    at = random.randrange(len(text))
    quoted = random.choice([i for i, c in enumerate(text) if c.isalnum() and text[i - 1] != "\\"])
    escaped = text[:quoted] + f"\\u{ord(text[quoted]):04x}" + text[quoted + 1 :]
    key = random.choice(list(receipt))
    odd = random.choice(("\\ud800", "\\ud83d\\ude00", "fazhi\\u002d", "\\u002", "\\x", "\ud800"))
    return random.choice(
        (
            text[:at] + random.choice('{}[]",:\\ \n\t\x0b\x00\u00a0\ufeffaé0=+/') + text[at + random.randrange(2) :],
            text[:at], text[:at] + text[at + 1 :], escaped, escaped, "\ufeff" + text, text + " \n", text + "{}",
            text.replace(": ", ":").replace(", ", "\r\n,\t"), json.dumps(receipt), json.dumps(receipt, indent=3),
            text.replace("fazhi-", odd), text.replace(f'"{key}"', f'"{key}": null, "{key}"', 1),
            text.replace(f'"{key}"', f'"\\u{ord(key[0]):04x}{key[1:]}"'),
        )
    ).encode("utf-8", "surrogatepass")  # fmt: skip


MUTATIONS: Final[tuple[Mutation, ...]] = (flip, splice, reshape, renumber, recode, retype)
