"""Messages and records as bytes: one encoding each, strict bounds, and no garbage gets through (safety.md §2,
"Resources").
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fazhi_consensus.errors import InvalidMessage, InvalidVoteRecord
from fazhi_consensus.limits import MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES, MAX_RECORD_ENTRIES, MAX_SIGNATURE_BYTES
from fazhi_consensus.messages import BlockReply, BlockRequest, Commit, Message, Prepare, PrePrepare, RoundChange
from fazhi_consensus.records import Entry, decode_record, encode_record
from fazhi_consensus.verify import screen
from fazhi_consensus.wire import decode_message, encode_message
from fazhi_ledger.canonical import Value, decode, encode
from fazhi_ledger.errors import EncodingError, FazhiError, InvariantBroken
from hypothesis import given
from hypothesis import strategies as st

from .kit import BLOCK_A, GENESIS, A, Assembly, Bench, prepared_bench

FOUR = Assembly(4)


def samples() -> list[Message]:
    changes = (FOUR.round_change(0, 1, (0, A)), *FOUR.round_changes((1, 2), 1))
    return [
        FOUR.pre_prepare(0, BLOCK_A),
        FOUR.pre_prepare(1, BLOCK_A, changes),
        FOUR.vote(Prepare, 3, 2, A),
        FOUR.vote(Commit, 3, 2**40, A),
        FOUR.round_change(2, 1),
        FOUR.round_change(2, 7, (6, A), BLOCK_A),
        BlockRequest(1, 9, A),
        BlockReply(1, 9, A, BLOCK_A),
    ]


SAMPLES = samples()
ENCODED = [encode_message(message) for message in SAMPLES]


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_decode_is_the_inverse_of_encode(message: Message) -> None:
    assert decode_message(encode_message(message), 4) == message


@given(st.sampled_from(ENCODED), st.data())
def test_a_changed_message_is_refused_or_means_something_else(good: bytes, data: st.DataObject) -> None:
    """decode∘encode is the identity on whatever is accepted, so no two encodings mean the same."""
    position = data.draw(st.integers(0, len(good) - 1))
    kind = data.draw(st.sampled_from(("change", "cut", "insert")))
    byte = bytes([data.draw(st.integers(0, 255))])
    changed = {
        "change": good[:position] + byte + good[position + 1 :],
        "cut": good[:position],
        "insert": good[:position] + byte + good[position:],
    }[kind]
    try:
        message = decode_message(changed, 4)
    except EncodingError:
        return
    assert encode_message(message) == changed
    try:
        screen(GENESIS, FOUR.validators, message)
    except InvalidMessage:
        return


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(EncodingError):
        decode_message(data, 4)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=9).map(tuple),
    max_leaves=30,
)


@given(st.integers(0, 8), st.lists(VALUES, max_size=9))
def test_shaped_garbage_is_refused_or_holds_together(kind: int, fields: list[Value]) -> None:
    data = encode((kind, *fields))
    try:
        message = decode_message(data, 4)
    except EncodingError:
        return
    assert encode_message(message) == data


def with_field(message: Message, index: int, value: Value) -> bytes:
    fields = decode(encode_message(message))
    assert isinstance(fields, tuple)
    return encode((*fields[:index], value, *fields[index + 1 :]))


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (0, 2, 7),  # kind
        (1, 3, 4),  # index below the number of validators
        (1, 0, -1),
        (2, 1, 0),  # heights from 1
        (2, 2**63 - 1, 2**63),
        (3, 0, -1),  # rounds from 0
        (3, 2**63 - 1, 2**63),
        (4, bytes(32), bytes(31)),
        (4, bytes(32), bytes(33)),
        (5, bytes(MAX_SIGNATURE_BYTES), bytes(MAX_SIGNATURE_BYTES + 1)),
    ],
)
def test_limits_of_a_vote_on_both_sides(field: int, good: Value, bad: Value) -> None:
    vote = FOUR.vote(Prepare, 1, 1, A)
    decode_message(with_field(vote, field, good), 4)
    with pytest.raises(EncodingError):
        decode_message(with_field(vote, field, bad), 4)


def test_limits_of_lists_on_both_sides() -> None:
    def with_changes(count: int) -> bytes:
        change = (0, None, None, b"s")
        return with_field(FOUR.pre_prepare(1, BLOCK_A), 7, tuple((*change, ()) for _ in range(count)))

    decode_message(with_changes(4), 4)
    with pytest.raises(EncodingError):
        decode_message(with_changes(5), 4)
    proven = FOUR.round_change(2, 7, (6, A))
    decode_message(with_field(proven, 7, tuple((i, b"s") for i in range(4))), 4)
    with pytest.raises(EncodingError):
        decode_message(with_field(proven, 7, tuple((0, b"s") for _ in range(5))), 4)
    with pytest.raises(EncodingError):
        decode_message(with_field(proven, 7, ((4, b"s"),)), 4)


def test_limits_of_rounds_in_a_round_change() -> None:
    proven = FOUR.round_change(2, 7, (6, A))
    for field, bad in ((3, 0), (3, 6), (4, 7), (4, None), (5, None), (5, b"x"), (8, "text")):
        with pytest.raises(EncodingError):
            decode_message(with_field(proven, field, bad), 4)
    with pytest.raises(EncodingError):  # a proof of nothing
        decode_message(with_field(FOUR.round_change(2, 7), 7, ((0, b"s"),)), 4)
    with pytest.raises(InvariantBroken):
        RoundChange(0, 1, 1, 0, None, b"")


def test_limits_of_blocks_on_both_sides() -> None:
    largest = bytes(MAX_PAYLOAD_BYTES)
    decode_message(encode_message(BlockReply(0, 1, A, largest)), 4)
    with pytest.raises(EncodingError):
        decode_message(encode_message(BlockReply(0, 1, A, largest + b"\0")), 4)
    with pytest.raises(EncodingError, match="too-large"):
        decode_message(encode((3, bytes(MAX_MESSAGE_BYTES))), 4)


def test_the_largest_honest_message_fits() -> None:
    """128 validators with the longest signatures, the largest block, and a proof in every ROUND-CHANGE."""
    count, signature = 128, bytes(MAX_SIGNATURE_BYTES)
    quorum = -(-2 * count // 3)
    prepares = tuple(Prepare(i, 1, 0, A, signature) for i in range(quorum))
    changes = tuple(RoundChange(i, 1, 1, 0, A, signature, prepares) for i in range(quorum))
    claim = replace(FOUR.pre_prepare(1, b"").claim, signature=signature)
    data = encode_message(PrePrepare(claim, bytes(MAX_PAYLOAD_BYTES), changes))
    assert len(data) <= MAX_MESSAGE_BYTES
    assert isinstance(decode_message(data, count), PrePrepare)


@pytest.mark.parametrize("fields", [(), (3,), (3, 1, 1, 1, A, b"s", 1), (4, 1, 1), (1,), (5, 1), (6, 1, 1, A)])
def test_wrong_numbers_of_fields_are_refused(fields: tuple[Value, ...]) -> None:
    with pytest.raises(EncodingError):
        decode_message(encode(fields), 4)


def test_records_round_trip() -> None:
    bench = prepared_bench(FOUR, 0)
    bench.fire()
    for record in bench.log:
        assert encode_record(GENESIS, decode_record(GENESIS, record)) == record


@given(st.data())
def test_a_changed_record_is_refused_or_re_encodes(data: st.DataObject) -> None:
    good = RECORDS[data.draw(st.integers(0, len(RECORDS) - 1))]
    position = data.draw(st.integers(0, len(good) - 1))
    changed = good[:position] + bytes([data.draw(st.integers(0, 255))]) + good[position + 1 :]
    try:
        entries = decode_record(GENESIS, changed)
    except InvalidVoteRecord:
        return
    assert encode_record(GENESIS, entries) == changed


def _records() -> list[bytes]:
    bench = prepared_bench(FOUR, 0)
    bench.fire()
    proposer = Bench(FOUR, 1)
    proposer.propose(BLOCK_A)
    return bench.log + proposer.log


RECORDS = _records()


def test_a_record_holds_only_what_we_sign() -> None:
    for message in (BlockRequest(0, 1, A), BlockReply(0, 1, A, BLOCK_A)):
        data = encode((1, GENESIS, ((encode_message(message), (), None),)))
        with pytest.raises(InvalidVoteRecord, match="malformed-record"):
            decode_record(GENESIS, data)
    prepare = encode_message(FOUR.vote(Prepare, 0, 0, A))
    for extra in (((0, b"s"),), None), ((), BLOCK_A):
        with pytest.raises(InvalidVoteRecord, match="malformed-record"):
            decode_record(GENESIS, encode((1, GENESIS, ((prepare, *extra),))))


def test_a_record_is_bounded() -> None:
    entry = Entry(FOUR.vote(Prepare, 0, 0, A))
    decode_record(GENESIS, encode_record(GENESIS, (entry,) * MAX_RECORD_ENTRIES))
    with pytest.raises(FazhiError):
        decode_record(GENESIS, encode_record(GENESIS, (entry,) * (MAX_RECORD_ENTRIES + 1)))
