"""The quick ways of decoding agree with the careful one: same values, same errors, whatever the bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from fazhi_ledger import block, canonical, limits, names, record, submission
from fazhi_ledger.block import Block, block_hash_of
from fazhi_ledger.canonical import decode, encode, pack, parts_of, strings_of
from fazhi_ledger.errors import EncodingError, FazhiError
from fazhi_ledger.header import Header
from fazhi_ledger.names import Grammar
from fazhi_ledger.record import Record
from fazhi_ledger.shape import as_bytes, as_tuple
from fazhi_ledger.submission import Item, SubmissionBody, envelope_parts
from fazhi_ledger.suites import ED25519_SHA256
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.builders import World

WORLD = World()


def careful_block(data: bytes) -> Block:
    header, held = as_tuple(decode(data, max_bytes=limits.MAX_BLOCK_BYTES, sparse=True), "block", length=2)
    return Block(
        Header.decode(as_bytes(header, "header", max_length=limits.MAX_HEADER_BYTES)),
        tuple(Item.decode(as_bytes(item, "item")) for item in as_tuple(held, "items")),
    )


class Envelope(tuple[Any, ...]):
    """What :func:`envelope_parts` gives, with the way back that the others have."""

    __slots__ = ()

    def encode(self) -> bytes:
        return pack(self)


def careful_envelope(data: bytes) -> Envelope:
    body, signatures = as_tuple(decode(data, max_bytes=limits.MAX_ITEM_BYTES, sparse=True), "envelope", length=2)
    return Envelope(
        (
            as_bytes(body, "body"),
            tuple(
                as_bytes(signature, "signature", max_length=256)
                for signature in as_tuple(signatures, "signatures", max_length=limits.MAX_SIGNER_KEYS)
            ),
        )
    )


CAREFUL: dict[str, Callable[[bytes], Any]] = {
    "block": careful_block,
    "envelope": careful_envelope,
    "record": lambda data: Record.from_value(decode(data, max_bytes=limits.MAX_RECORD_BYTES, sparse=True)),
    "body": lambda data: SubmissionBody.from_value(decode(data, max_bytes=limits.MAX_BODY_BYTES, sparse=True)),
    "item": lambda data: Item.from_value(decode(data, max_bytes=limits.MAX_ITEM_BYTES, sparse=True)),
}
QUICK: dict[str, Callable[[bytes], Any]] = {
    "block": Block.decode,
    "envelope": lambda data: Envelope(envelope_parts(data)),
    "record": Record.decode,
    "body": SubmissionBody.decode,
    "item": Item.decode,
}

digests = st.binary(min_size=32, max_size=32)
clear_fields = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["ok", "x-1"]) | st.integers(-9, 9)).map(
    lambda pairs: tuple(sorted(pairs.items()))
)
records = st.builds(
    Record,
    st.sampled_from(["penalty", "p"]),
    digests,
    st.sampled_from(["INVEST", "A"]),
    st.integers(0, limits.MAX_TIME_MS),
    st.integers(0, limits.MAX_COMMITMENTS),
    digests,
    clear_fields,
    st.lists(digests, max_size=2).map(tuple),
).map(Record.encode)
bodies = st.builds(
    SubmissionBody,
    digests,
    st.sampled_from(["zfj", "zfj.chengguan"]),
    st.binary(min_size=16, max_size=16),
    st.integers(0, limits.MAX_INT - 1),
    st.binary(min_size=16, max_size=16),
    st.just("cases"),
    st.just("record"),
    st.tuples(st.integers(0, 9), digests) | st.just(()) | st.just((("a", (1, None)),)),
    st.lists(st.binary(max_size=40), min_size=1, max_size=3, unique=True).map(tuple),
    st.integers(0, limits.MAX_TIME_MS),
    st.none() | st.tuples(st.integers(1, 2**40), digests),
    st.none() | st.integers(0, limits.MAX_TIME_MS),
).map(SubmissionBody.encode)
items = st.builds(
    lambda body, held: pack((body, (b"s" * 64,) * len(SubmissionBody.decode(body).signer_keys), held)),
    bodies,
    st.lists(records, max_size=20).map(tuple),
)
envelopes = st.tuples(bodies, st.lists(st.binary(max_size=70), max_size=3).map(tuple)).map(pack)
blocks = st.lists(items, max_size=5).map(lambda held: pack((WORLD.header.encode(), tuple(held))))
SAMPLES = {"record": records, "body": bodies, "item": items, "envelope": envelopes, "block": blocks}

ODDITIES: list[Any] = [None, True, False, 0, 1, -1, 2**62, 2**63, 2**64 - 1, b"", b"a", bytes(16), bytes(31), bytes(32)]
ODDITIES += [
    "",
    "a",
    "A",
    "a b",
    "x" * 33,
    "X" * 33,
    "zfj",
    "局",
    (),
    (1,),
    (b"",),
    (1, 2),
    (1, bytes(32)),
    ((),),
    bytes(200),
]
ODDITIES += [(("b", 1), ("a", 1)), (("a", True),), (("a", "A"),), ((("a", 1),),), (bytes(31),), (b"k", b"k"), "ab"]
ODDITIES += ["z" * 16, "z" * 32, ("z" * 32,), 1.5, {}, (1.5,), ({},), ((((((((((((((),),),),),),),),),),),),),)]
SPELLINGS = [b"\xca" + bytes(4), b"\x80", b"\xc7\x00\x01", b"\xcc\x01", b"\xd9\x01a", b"\xc5\x00\x01a", b"\xdc\x00\x00"]


def outcome(call: Callable[[bytes], Any], data: bytes) -> tuple[Any, ...]:
    """The value as what it encodes to, or all there is to an error."""
    try:
        value = call(data)
    except FazhiError as error:
        return (type(error), error.code, error.parameters)
    return (value, repr(value), value.encode())


def swapped(value: Any, path: list[int], odd: Any) -> Any:
    """The value with another one at that place."""
    if not path or type(value) is not tuple or not value:
        return odd
    place = path[0] % len(value)
    return (*value[:place], swapped(value[place], path[1:], odd), *value[place + 1 :])


def agree(name: str, data: bytes) -> None:
    assert outcome(QUICK[name], data) == outcome(CAREFUL[name], data)


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_what_is_well_formed(name: str, data: st.DataObject) -> None:
    encoded = data.draw(SAMPLES[name])
    agree(name, encoded)
    assert QUICK[name](encoded).encode() == encoded


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_values_out_of_place(name: str, data: st.DataObject) -> None:
    value = decode(data.draw(SAMPLES[name]))
    for _ in range(8):
        path = data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=3))
        agree(name, pack(swapped(value, path, data.draw(st.sampled_from(ODDITIES)))))


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_bytes_out_of_place(name: str, data: st.DataObject) -> None:
    encoded = data.draw(SAMPLES[name])
    for _ in range(8):
        start = data.draw(st.integers(0, len(encoded)))
        end = start + data.draw(st.integers(0, 2))
        agree(name, encoded[:start] + data.draw(st.sampled_from(SPELLINGS) | st.binary(max_size=2)) + encoded[end:])


@pytest.mark.parametrize("name", SAMPLES)
def test_every_oddity_in_every_place(name: str) -> None:
    sample = {
        "record": WORLD.records[1],
        "body": WORLD.items[0].body_bytes,
        "item": WORLD.items[0].encode(),
        "envelope": WORLD.items[0].envelope(),
        "block": Block(WORLD.header, WORLD.items).encode(),
    }[name]
    value: Any = decode(sample)
    for place in range(len(value)):
        for odd in ODDITIES:
            agree(name, pack(swapped(value, [place], odd)))
            agree(name, pack(swapped(value, [place, 0], odd)))
            agree(name, pack(swapped(value, [place, 1], odd)))


@pytest.mark.parametrize("size", [limits.UNCOUNTED_BYTES - 200, limits.UNCOUNTED_BYTES, 5000])
@given(odd=st.sampled_from(ODDITIES), place=st.integers(0, 2), inside=st.integers(0, 30))
def test_items_of_every_size(size: int, odd: Any, place: int, inside: int) -> None:
    """Below and above what is counted, whole and with one thing out of place."""
    body = WORLD.items[0].body_bytes
    held = (WORLD.records[1],) * ((size - len(body)) // len(WORLD.records[1]))
    value: Any = (body, (bytes(64), bytes(64)), held)
    agree("item", encode(value))
    agree("item", encode(value) + b"\0")
    agree("item", encode(value)[:-1])
    agree("item", pack(swapped(value, [place], odd)))
    agree("item", pack(swapped(value, [place, inside], odd)))


def test_parts_of_an_item_that_are_too_long() -> None:
    body, record_bytes = WORLD.items[0].body_bytes, WORLD.records[1]
    long_body, long_record = bytes(limits.MAX_BODY_BYTES + 1), bytes(limits.MAX_RECORD_BYTES + 1)
    for value in (
        (long_body, (bytes(64), bytes(64)), ()),
        (body, (bytes(64), bytes(257)), ()),
        (body, (bytes(64), bytes(257)), (record_bytes,) * 20),
        (body, (bytes(64),) * 17, ()),
        (body, (b"",) * 17, ()),
        (body, (bytes(64), bytes(64)), (record_bytes, long_record)),
        (body, (bytes(64), bytes(64)), (bytes(40),) * (limits.MAX_RECORDS_PER_ITEM + 1)),
        (body, (bytes(64), bytes(64)), (bytes(500),) * (limits.MAX_RECORDS_PER_ITEM)),  # all of it too long
    ):
        agree("item", pack(value))


def test_the_usual_needs_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("looked twice")

    monkeypatch.setattr(record, "decode", never)
    monkeypatch.setattr(submission, "decode", never)
    monkeypatch.setattr(block, "decode", never)
    single = WORLD.items[0]
    large = Item(single.body_bytes, single.signatures, (WORLD.records[1],) * 1000)
    for item in (single, large):
        assert Item.decode(item.encode()) == item
        assert Item.decode(item.encode()).record_runs() == item.record_runs()
        assert envelope_parts(item.envelope()) == (item.body_bytes, item.signatures)
    assert Block.decode(Block(WORLD.header, (single, large)).encode()).items == (single, large)


@pytest.mark.parametrize("filling", [b"\xc0", b"\x90", b"\x91\x00", b"\xc4\x00", b"\xa0", b"\xcc\x80", b"\x80"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bomb_in_an_item_is_never_built(filling: bytes, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 500_000 // len(filling)
    parts = [encode(b"body"), b"\x90", b"\x90"]
    parts[place] = b"\xdd" + count.to_bytes(4, "big") + filling * count
    bomb = b"\x93" + b"".join(parts)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("built")

    monkeypatch.setattr(msgpack, "unpackb", never)
    with pytest.raises(EncodingError, match=r"too-many-values|not-canonical"):
        Item.decode(bomb)


@given(st.lists(st.binary(max_size=300), max_size=40), st.integers(0, 40), st.booleans())
def test_strings_of_gives_what_decode_gives(strings: list[bytes], limit: int, trailing: bool) -> None:
    value = (b"head", tuple(strings))
    data = encode(value) + b"\0" * trailing
    found = strings_of(data, (None, limit))
    if trailing or len(strings) > limit:
        assert found is None
    else:
        assert found == value == decode(data, sparse=True)


@pytest.mark.parametrize(
    "value", [b"", (), (b"",), (b"", b""), ((), b""), (b"", ("",)), (b"", ((),)), ("", ()), (1, ())]
)
def test_strings_of_knows_its_shape_only(value: Any) -> None:
    assert strings_of(encode(value), (None, 9)) is None


@given(st.binary(max_size=60))
def test_parts_of_gives_nothing_but_canonical_arrays(data: bytes) -> None:
    for head in (b"\x91", b"\x92", b"\x92\x01"):
        found = parts_of(head + data, head)
        assert found is None or canonical.pack(found) == head + data


@given(blocks, st.binary(max_size=2))
def test_a_block_is_bound_by_its_header(data: bytes, tail: bytes) -> None:
    """Whatever its items are like."""
    assert block_hash_of(ED25519_SHA256, data) == WORLD.header.hash(ED25519_SHA256)
    if tail:
        with pytest.raises(EncodingError):
            block_hash_of(ED25519_SHA256, data + tail)


GRAMMARS = {
    "ORG": r"[a-z][a-z0-9-]{0,30}(?:\.[a-z0-9-]{1,31})?",
    "STEP": r"[A-Z][A-Z0-9_]{0,31}",
    "NAME": r"[a-z][a-z0-9_]{0,31}",
    "FIELD": r"[a-z][a-z0-9_]{0,31}(?:\.[a-z0-9_]{1,31})*",
    "RESULT_CODE": r"OK|[a-z][a-z0-9-]{0,47}",
    "TOKEN": r"[a-z0-9][a-z0-9_-]{0,47}",
}


@pytest.mark.parametrize("name", GRAMMARS)
@given(data=st.data())
def test_a_grammar_is_its_pattern(name: str, data: st.DataObject) -> None:
    grammar, pattern = getattr(names, name), re.compile(GRAMMARS[name], re.ASCII)
    matching = st.from_regex(pattern, fullmatch=True)
    for text in (data.draw(matching | st.text("aZ0._-\n", max_size=70)), data.draw(matching) + "\n"):
        assert grammar[text] is (pattern.fullmatch(text) is not None)
        assert grammar[text] is (grammar.fullmatch(text) is not None)
    assert grammar.pattern == GRAMMARS[name]


def test_what_a_grammar_keeps_is_bounded() -> None:
    grammar = Grammar("[a-z0-9]+")
    for number in range(5000):
        assert grammar[f"a{number}"]
        assert not grammar[f"A{number}"]
    assert grammar["a" * 65]
    assert len(grammar) <= 1024
    assert all(grammar.values())
    assert "a" * 65 not in grammar


def test_what_the_packer_keeps_is_bounded() -> None:
    """After a large value its buffer is let go, after an error it is empty."""
    before = canonical._own.packer
    pack(bytes(2 * 1024 * 1024))
    assert canonical._own.packer is not before
    with pytest.raises(EncodingError):
        pack((b"first", object()))  # type: ignore[arg-type]
    assert pack((1,)) == b"\x91\x01"
